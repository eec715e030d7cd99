package workload

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// rawConn is a blocking TCP socket: Read and Write are the system calls, and
// the calling thread sleeps in them. The kernel ends a sleep after SO_RCVTIMEO
// or SO_SNDTIMEO; the deadline of the whole request is checked before each
// call and after each such end.
type rawConn struct {
	fd       int
	deadline time.Time
	armed    time.Duration // what both socket timeouts are set to
}

// dialRaw opens a blocking connection to the origin.
func dialRaw(f *fetch, deadline time.Time) (conn, error) {
	family := unix.AF_INET
	if f.addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	c := &rawConn{fd: fd, deadline: deadline}
	if err := c.connect(f.addr); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %v: %w", f.addr, err), c.Close())
	}
	return c, nil
}

func (c *rawConn) connect(to netip.AddrPort) error {
	if err := unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("set TCP_NODELAY: %w", err)
	}
	if err := c.arm(); err != nil {
		return err
	}
	err := unix.Connect(c.fd, sockaddr(to))
	// A signal leaves the connection to be made while we are told nothing of
	// it; so does SO_SNDTIMEO, which this error also stands for.
	if err == unix.EINTR || err == unix.EINPROGRESS {
		return c.awaitConnect()
	}
	return err
}

// awaitConnect sleeps until an interrupted connect has ended.
func (c *rawConn) awaitConnect() error {
	for {
		left := time.Until(c.deadline)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		fds := []unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(fds, int(left.Milliseconds())+1)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("poll: %w", err)
		}
		if n == 1 {
			break
		}
	}
	code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return fmt.Errorf("read SO_ERROR: %w", err)
	}
	if code != 0 {
		return unix.Errno(code)
	}
	return nil
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// Read sleeps until bytes come, the peer has ended (io.EOF) or the deadline.
func (c *rawConn) Read(p []byte) (int, error) {
	n, err := c.call(unix.Read, p)
	if err != nil {
		return 0, fmt.Errorf("read: %w", err)
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Write sleeps until all of p is in the socket's buffer or the deadline.
func (c *rawConn) Write(p []byte) (int, error) {
	for done := 0; ; {
		n, err := c.call(unix.Write, p[done:])
		if err != nil {
			return done, fmt.Errorf("write: %w", err)
		}
		if done += n; done == len(p) {
			return done, nil
		}
	}
}

// call does one system call, again after a signal (calls on sockets with a
// time-out are not restarted by the kernel) and after a time-out that ended
// before the deadline.
func (c *rawConn) call(f func(int, []byte) (int, error), p []byte) (int, error) {
	for {
		if err := c.arm(); err != nil {
			return 0, err
		}
		n, err := f(c.fd, p)
		if err != unix.EINTR && err != unix.EAGAIN {
			return n, err
		}
	}
}

// arm sets the socket's time-outs to what is left of the request, unless they
// are within an eighth of that already: a request can end so much too late,
// and one that goes well costs no system call here.
func (c *rawConn) arm() error {
	left := time.Until(c.deadline)
	if left <= 0 {
		return os.ErrDeadlineExceeded
	}
	if slack := left / 8; c.armed > 0 && c.armed >= left-slack && c.armed <= left+slack {
		return nil
	}
	tv := unix.NsecToTimeval(max(left, time.Microsecond).Nanoseconds())
	for _, option := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
		if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, option, &tv); err != nil {
			return fmt.Errorf("set socket time-out: %w", err)
		}
	}
	c.armed = left
	return nil
}

// SetDeadline sets when the request in progress has failed.
func (c *rawConn) SetDeadline(t time.Time) error {
	c.deadline = t
	return nil
}

// Close closes the socket.
func (c *rawConn) Close() error {
	if err := unix.Close(c.fd); err != nil {
		return fmt.Errorf("close socket: %w", err)
	}
	return nil
}
