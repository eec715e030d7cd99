// Package http1 is a small HTTP/1.1 client that does no waiting of its own.
//
// [AppendRequest] encodes a request; a [Response] is a state machine that is
// fed the bytes of the answer in whatever pieces they arrive. Neither knows a
// socket, a goroutine or a clock, so models that wait in different ways (a
// blocking descriptor on a thread, a netpoll connection, epoll) run the same
// code with the same buffers, and differ in nothing but how they wait.
// [Client] is the thin loop over an io.ReadWriter for those that block.
//
// It speaks HTTP/1.0 and HTTP/1.1 without TLS, redirects, cookies or
// compression: the previous stage is a connection, the next is whoever reads
// the body.
package http1
