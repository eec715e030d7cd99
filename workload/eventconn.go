package workload

import (
	"errors"
	"fmt"
	"io"
	"net/netip"

	"golang.org/x/sys/unix"
)

// eventConn is a non-blocking TCP socket: no call on it sleeps. Read and Write
// return unix.EAGAIN, unwrapped, when the socket is not ready; then somebody
// else has to wait for it.
type eventConn struct {
	fd      int  // -1 when there is none
	drained bool // the last Read got less than it had room for: there is no more
}

// dial makes a socket whose connection is under way. Once it can be written
// to, [eventConn.connected] tells what became of it.
func (c *eventConn) dial(to netip.AddrPort) error {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	c.fd = fd
	if err := c.connect(to); err != nil {
		return errors.Join(fmt.Errorf("connect to %v: %w", to, err), c.Close())
	}
	return nil
}

func (c *eventConn) connect(to netip.AddrPort) error {
	if err := unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("set TCP_NODELAY: %w", err)
	}
	// After a signal the connection is made all the same.
	if err := unix.Connect(c.fd, sockaddr(to)); err != unix.EINPROGRESS && err != unix.EINTR {
		return err
	}
	return nil
}

// connected is nil when the connection is made, and otherwise says why not.
func (c *eventConn) connected() error {
	code, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return fmt.Errorf("read SO_ERROR: %w", err)
	}
	if code != 0 {
		return unix.Errno(code)
	}
	return nil
}

// Read returns what there is, at the end of the stream io.EOF.
func (c *eventConn) Read(p []byte) (int, error) {
	n, err := ignoringEINTR(unix.Read, c.fd, p)
	switch {
	case err == unix.EAGAIN:
		return 0, err
	case err != nil:
		return 0, fmt.Errorf("read: %w", err)
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	c.drained = n < len(p)
	return n, nil
}

// Write writes as much as the socket's buffer takes, which may be less than p.
func (c *eventConn) Write(p []byte) (int, error) {
	n, err := ignoringEINTR(unix.Write, c.fd, p)
	switch {
	case err == unix.EAGAIN:
		return 0, err
	case err != nil:
		return 0, fmt.Errorf("write: %w", err)
	}
	return n, nil
}

func ignoringEINTR(call func(int, []byte) (int, error), fd int, p []byte) (int, error) {
	for {
		n, err := call(fd, p)
		if err != unix.EINTR {
			return n, err
		}
	}
}

// Close closes the socket, which also takes it out of every epoll set.
func (c *eventConn) Close() error {
	if c.fd < 0 {
		return nil
	}
	err := unix.Close(c.fd)
	c.fd = -1
	if err != nil {
		return fmt.Errorf("close socket: %w", err)
	}
	return nil
}
