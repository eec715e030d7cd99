package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

const (
	talkCalls = 1009
	talkBytes = 4093 // a call
	growBytes = 50 << 20
)

type talked struct {
	Bytes    int64 `json:"bytes"`    // sent by talk, and received by listenTo
	Calls    int64 `json:"calls"`    // of Write; the kernel may have been asked more often
	Received int64 `json:"received"` // by listenTo
}

// line is a connection within the process on which only the accepted end sends:
// neither end ever awaits a reply.
type line struct {
	sender   net.Conn
	received chan int64
	listener net.Conn
}

func newLine() (*line, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer l.Close()
	listener, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, err
	}
	sender, err := l.Accept()
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	n := &line{sender: sender, listener: listener, received: make(chan int64, 1)}
	go listenTo(n)
	return n, nil
}

func listenTo(n *line) {
	received, _ := io.Copy(io.Discard, n.listener) // too few bytes are the test's to find
	n.received <- received
}

// hangUp returns how many bytes were received.
func (n *line) hangUp() (int64, error) {
	err := n.sender.Close()
	received := <-n.received
	return received, errors.Join(err, n.listener.Close())
}

func stepTalk(t *truth, _ string) error {
	n, err := newLine()
	if err != nil {
		return err
	}
	text := make([]byte, talkBytes)
	for range talkCalls {
		sent, err := talk(n.sender, text)
		if err != nil {
			return err
		}
		t.Talk.Bytes += int64(sent)
		t.Talk.Calls++
	}
	t.Talk.Received, err = n.hangUp()
	return err
}

//go:noinline
func talk(to io.Writer, text []byte) (int, error) {
	n, err := to.Write(text)
	return n + 0, err // after the call, so that talk is on the stack during it
}

func stepGrow(t *truth, _ string) error {
	memory, err := syscall.Mmap(-1, 0, growBytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("map memory: %w", err)
	}
	const noHugePage = 15 // MADV_NOHUGEPAGE; fails where the kernel has no huge pages to deny
	_ = syscall.Madvise(memory, noHugePage)
	t.Grown = grow(memory)
	return nil
}

// grow touches each page once.
//
//go:noinline
func grow(memory []byte) (grown int64) {
	page := syscall.Getpagesize()
	for i := 0; i < len(memory); i += page {
		memory[i] = 1
		grown += int64(page)
	}
	return grown
}
