package bpf

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// playListen listens on args[0] TCP ports. With args[1], "closed", it closes them before its end.
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
		if args[1] == "closed" {
			defer listener.Close()
		}
	}
	return s.end(nil)
}

// playGlance asks a question of the server at args[0], has a look whether the answer is there, by a receive of no bytes, and
// reads it.
func playGlance(s stage, args []string) error {
	if err := s.pause("ready"); err != nil {
		return err
	}
	fd, err := connectTo(args[0])
	if err != nil {
		return err
	}
	if _, err := unix.Write(fd, []byte("question")); err != nil {
		return err
	}
	answer := make([]byte, len("answer"))
	// Not by unix.Recvfrom, which does not hand over an address where there is no room.
	n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&answer[0])), 0, 0, 0, 0)
	if n != 0 || errno != 0 {
		return fmt.Errorf("receive no bytes: %d, %w", n, errno)
	}
	if n, err := unix.Read(fd, answer); n != len(answer) {
		return fmt.Errorf("read: %d, %w", n, err)
	}
	return s.end(nil)
}

// playRestart has one thread wait in one read, which args[0] signals make the kernel begin anew.
func playRestart(s stage, args []string) error {
	signals, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	from, to, err := inetPair(unix.AF_INET, unix.SOCK_STREAM, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if err != nil {
		return err
	}
	tid, done := make(chan int), make(chan error)
	go func() {
		runtime.LockOSThread()
		tid <- unix.Gettid()
		_, err := unix.Read(to, make([]byte, 1))
		done <- err
	}()
	reader := <-tid
	for range signals {
		time.Sleep(20 * time.Millisecond)                                     // until it waits
		if err := unix.Tgkill(os.Getpid(), reader, unix.SIGURG); err != nil { // of which Go's handler takes no notice
			return err
		}
	}
	time.Sleep(20 * time.Millisecond)
	if _, err := unix.Write(from, []byte{1}); err != nil {
		return err
	}
	if err := <-done; err != nil {
		return err
	}
	return s.end(nil)
}

// playMultipath sends a byte args[0] times over Multipath TCP, both ends its own. Says "unsupported" where there is none.
func playMultipath(s stage, args []string) error {
	times, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	from, to, err := protocolPair(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.ENOPROTOOPT) {
		return s.end("unsupported")
	}
	if err != nil {
		return err
	}
	for range times {
		if _, err := unix.Write(from, []byte{1}); err != nil {
			return err
		}
		if n, err := unix.Read(to, make([]byte, 1)); n != 1 {
			return fmt.Errorf("read: %d, %w", n, err)
		}
	}
	return s.end("done")
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
