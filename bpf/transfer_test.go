package bpf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

func unsafePointer(p *byte) unsafe.Pointer { return unsafe.Pointer(p) }

// transferBytes is what playTransfer carries: 1,000 pieces of 4,096 bytes and one of 23.
const (
	transferBytes = 4_096_023
	pieceBytes    = 4_096
)

// transferTruth is what a program counted itself. Calls are those that succeeded.
type transferTruth struct {
	Sent, SendCalls, Received, RecvCalls uint64
}

// sender and receiver are the ways to move a piece. They return what the system call returned.
var senders = map[string]func(fd int, piece []byte) (int, error){
	"write":  unix.Write,
	"send":   func(fd int, p []byte) (int, error) { return len(p), unix.Send(fd, p, 0) },
	"writev": func(fd int, p []byte) (int, error) { return unix.Writev(fd, [][]byte{p[:len(p)/2], p[len(p)/2:]}) },
	"sendmsg": func(fd int, p []byte) (int, error) {
		return unix.SendmsgN(fd, p, nil, nil, 0)
	},
	"sendfile": sendFile,
}

var receivers = map[string]func(fd int, piece []byte) (int, error){
	"read": unix.Read,
	"recv": func(fd int, p []byte) (int, error) {
		n, _, err := unix.Recvfrom(fd, p, 0)
		return n, err
	},
	"readv": func(fd int, p []byte) (int, error) { return unix.Readv(fd, [][]byte{p[:len(p)/2], p[len(p)/2:]}) },
	"recvmsg": func(fd int, p []byte) (int, error) {
		n, _, _, _, err := unix.Recvmsg(fd, p, nil, 0)
		return n, err
	},
	"peek": func(fd int, p []byte) (int, error) { // MSG_PEEK carries nothing
		if _, _, err := unix.Recvfrom(fd, p, unix.MSG_PEEK); err != nil {
			return 0, err
		}
		return unix.Read(fd, p)
	},
}

// sendFile sends a piece out of a file.
func sendFile(fd int, piece []byte) (int, error) {
	file, err := os.CreateTemp("", "piece")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	if _, err := file.Write(piece); err != nil {
		return 0, err
	}
	return unix.Sendfile(fd, int(file.Fd()), new(int64), len(piece))
}

// playTransfer carries transferBytes from one end of a socket to the other, both its own: args are the
// transport, the way to send and the way to receive.
func playTransfer(s stage, args []string) error {
	if err := s.pause("ready"); err != nil {
		return err
	}
	from, to, err := socketPair(args[0])
	if err != nil {
		return err
	}
	var truth transferTruth
	send, receive := senders[args[1]], receivers[args[2]]
	for left := transferBytes; left > 0; left -= min(left, pieceBytes) {
		piece := make([]byte, min(left, pieceBytes))
		n, err := send(from, piece)
		if err != nil || n != len(piece) {
			return fmt.Errorf("send: %d, %w", n, err)
		}
		truth.Sent += uint64(n)
		truth.SendCalls++
		for got := 0; got < len(piece); {
			n, err := receive(to, make([]byte, pieceBytes))
			if err != nil || n == 0 {
				return fmt.Errorf("receive: %d, %w", n, errors.Join(err, io.ErrUnexpectedEOF))
			}
			got += n
			truth.Received += uint64(n)
			truth.RecvCalls++
		}
	}
	return s.end(truth)
}

// socketPair gives two connected blocking sockets.
func socketPair(transport string) (from, to int, err error) {
	switch transport {
	case "unix":
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		return fds[0], fds[1], err
	case "seqpacket":
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
		return fds[0], fds[1], err
	case "udp4":
		return inetPair(unix.AF_INET, unix.SOCK_DGRAM, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	case "tcp4":
		return inetPair(unix.AF_INET, unix.SOCK_STREAM, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	case "tcp6":
		return inetPair(unix.AF_INET6, unix.SOCK_STREAM, &unix.SockaddrInet6{Addr: [16]byte{15: 1}})
	}
	return 0, 0, errors.New("no such transport")
}

func inetPair(family, kind int, address unix.Sockaddr) (from, to int, err error) {
	return protocolPair(family, kind, 0, address)
}

func protocolPair(family, kind, protocol int, address unix.Sockaddr) (from, to int, err error) {
	if to, err = unix.Socket(family, kind, protocol); err != nil {
		return 0, 0, err
	}
	if err := unix.Bind(to, address); err != nil {
		return 0, 0, err
	}
	bound, err := unix.Getsockname(to)
	if err != nil {
		return 0, 0, err
	}
	if from, err = unix.Socket(family, kind, protocol); err != nil {
		return 0, 0, err
	}
	if kind == unix.SOCK_DGRAM {
		return from, to, unix.Connect(from, bound)
	}
	if err := unix.Listen(to, 1); err != nil {
		return 0, 0, err
	}
	if err := unix.Connect(from, bound); err != nil {
		return 0, 0, err
	}
	accepted, _, err := unix.Accept(to)
	return from, accepted, err
}
