// Package origin is the server that the models of package workload fetch
// their pages from, and the parent's handle on it.
//
// It answers GET /prices?from=TOWN&to=TOWN&date=YYYY-MM-DD with a page of
// bus-ticket prices that is the same for the same question, after a set
// latency, and counts what reached it: requests, requests in flight, and
// connections with their bytes exactly as on the wire. It runs in a process of
// its own ([Spawn]), or on another machine ([Serve], [Connect]).
//
// It is controlled over HTTP on the same address:
//
//	GET  /.weft/origin           who is there: Identity as JSON
//	POST /.weft/claim            the origin is this client's until the connection
//	                             ends: the answer is a header, and no end
//	POST /.weft/trial?requests=M&hold=N
//	                             a trial of M requests begins: all counts are zero,
//	                             and if N > 0 nobody is answered until N requests wait
//	GET  /.weft/held             answers {"waiting": n} once n requests are held
//	POST /.weft/release          the held requests are answered
//	GET  /.weft/stats            the counts since the trial began: Stats as JSON
//
// One client is served at a time, because there is one trial: it says who it is
// with a random token, the header Weft-Client, in each request. While its claim
// lives another's is refused with status 409; the claim ends with its
// connection, so with the client, whatever ends that. Without one all that is
// below it in the list is refused with status 410.
//
// Connections that carry control requests are in none of the counts; a
// controller uses connections of its own, one for each request. There is no
// protection: whoever reaches the address can control it. It listens on the
// loopback interface unless told otherwise.
package origin
