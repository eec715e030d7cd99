package bpf

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// playListen listens on args[0] TCP ports.
func playListen(s stage, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer listener.Close()
	}
	return s.end(nil)
}

// playEcho asks args[1] questions of a byte over one connection to args[0]. One thread asks, another one reads
// the replies, so that a reply can be read before the send of its question has returned.
func playEcho(s stage, args []string) error {
	questions, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	fd, err := connectTo(args[0])
	if err != nil {
		return err
	}
	answered, failed := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		for range questions {
			if n, err := unix.Read(fd, make([]byte, 1)); n != 1 {
				failed <- fmt.Errorf("read: %d, %w", n, err)
				return
			}
			answered <- struct{}{}
		}
	}()
	runtime.LockOSThread()
	for range questions {
		if _, err := unix.Write(fd, []byte{1}); err != nil {
			return err
		}
		select {
		case <-answered:
		case err := <-failed:
			return err
		}
	}
	return s.end(questions)
}

// connectTo gives a blocking socket that is connected to a TCP address of IPv4.
func connectTo(text string) (int, error) {
	address, err := netip.ParseAddrPort(text)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0, err
	}
	return fd, unix.Connect(fd, &unix.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()})
}

// playAgain connects one socket args[1] times to args[0], asks a question over each connection, reads the reply
// and disconnects (connect(2), AF_UNSPEC). The last connection stays open.
func playAgain(s stage, args []string) error {
	address, err := netip.ParseAddrPort(args[0])
	if err != nil {
		return err
	}
	times, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	for i := range times {
		if i > 0 {
			none := unix.RawSockaddr{Family: unix.AF_UNSPEC}
			if _, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), unsafe.Sizeof(none)); errno != 0 {
				return errno
			}
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()}); err != nil {
			return err
		}
		if _, err := unix.Write(fd, []byte{1, 2}); err != nil {
			return err
		}
		for range 2 { // the second byte finds nobody waiting: all until here is answered
			if n, err := unix.Read(fd, make([]byte, 1)); n != 1 {
				return fmt.Errorf("read: %d, %w", n, err)
			}
		}
	}
	return s.end(times)
}

// playConnect connects to args[0] and resets the connection, so that it leaves no TIME_WAIT: args[1] times in each
// of 8 threads.
func playConnect(s stage, args []string) error {
	times, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	const threads = 8
	done := make(chan error)
	for range threads {
		go func() {
			var err error
			for i := 0; i < times && err == nil; i++ {
				err = connectAndReset(args[0])
			}
			done <- err
		}()
	}
	for range threads {
		if err := <-done; err != nil {
			return err
		}
	}
	return s.end(threads * times)
}

func connectAndReset(address string) error {
	fd, err := connectTo(address)
	if err != nil {
		return err
	}
	return errors.Join(
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}), unix.Close(fd))
}

// unixAddress is a socket path in a directory that exists in an initramfs too.
func unixAddress(dir string) string { return filepath.Join(dir, "truth.sock") }
