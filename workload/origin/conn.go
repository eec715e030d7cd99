package origin

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// conn is a connection that counts its bytes as they are on the wire.
//
// The interface is embedded, not *net.TCPConn: that has a ReadFrom, with which
// net/http could write past the count.
type conn struct {
	net.Conn
	raw syscall.RawConn

	trial    *trial // in which it was accepted
	listed   bool   // among the trial's connections; guarded by trial.mu
	port     int    // the client's
	in, out  atomic.Int64
	requests atomic.Int64
	control  atomic.Bool // carries control requests, and is not counted

	// The response being written; nil between requests. Only the goroutine
	// that serves the connection touches it.
	response *response
}

// response follows a body on its way out, to know the moment of its end.
type response struct {
	trial  *trial
	header bool // its end was seen
	left   int  // bytes of body to write
	out    bool // counted as in flight no more
}

func (r *response) leave() {
	if !r.out {
		r.out = true
		r.trial.flight(-1)
	}
}

func (r *response) reenter() {
	if r.out {
		r.out = false
		r.trial.flight(+1)
	}
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.in.Add(int64(n))
	return n, err
}

// Write writes p. The write that carries the last byte of a body takes the
// request out of the count of those in flight just before it begins: a moment
// later the client may have read it and sent the next.
func (c *conn) Write(p []byte) (int, error) {
	last := false
	if r := c.response; r != nil {
		last = r.endsWith(p)
	}
	if !last {
		n, err := c.Conn.Write(p)
		c.out.Add(int64(n))
		return n, err
	}
	n, err := c.writeLast(p, c.response)
	c.out.Add(int64(n))
	return n, err
}

// endsWith counts p as the next bytes of the response and reports whether
// they are its last.
func (r *response) endsWith(p []byte) bool {
	if !r.header {
		// The header is shorter than the server's buffer, so it is whole in
		// the first write.
		end := bytes.Index(p, []byte("\r\n\r\n"))
		if end < 0 {
			return false
		}
		r.header = true
		p = p[end+4:]
	}
	r.left -= len(p)
	return r.left <= 0
}

// writeLast writes p, the end of a response. As long as the kernel takes only
// part of it the request is in flight again.
func (c *conn) writeLast(p []byte, r *response) (done int, err error) {
	var failure error
	err = c.raw.Write(func(fd uintptr) (ready bool) {
		for {
			r.leave()
			n, err := unix.Write(int(fd), p[done:])
			done += max(0, n)
			if err == nil && done == len(p) {
				return true
			}
			r.reenter()
			switch err {
			case nil, unix.EINTR:
			case unix.EAGAIN:
				return false // wait, and be called again
			default:
				failure = err
				return true
			}
		}
	})
	if err = errors.Join(failure, err); err != nil {
		return done, fmt.Errorf("write response: %w", err)
	}
	return done, nil
}

// listener makes the accepted connections counting ones.
type listener struct {
	*net.TCPListener
	server *server
}

func (l listener) Accept() (net.Conn, error) {
	tcp, err := l.AcceptTCP()
	if err != nil {
		if !errors.Is(err, net.ErrClosed) {
			l.server.acceptErrors.Add(1)
		}
		return nil, err // net/http looks at its type
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("accept: %w", err), tcp.Close())
	}
	c := &conn{Conn: tcp, raw: raw}
	if addr, ok := tcp.RemoteAddr().(*net.TCPAddr); ok {
		c.port = addr.Port
	}
	c.trial = l.server.now()
	c.trial.accepted(c)
	return c, nil
}
