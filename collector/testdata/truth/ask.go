package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
	"unsafe"
)

// asked is what one function sent, Times times, and awaited: for LeastNS or more and
// TookNS or less all together, which is about EachNS after each. Wait says what ended
// that: "reply", which the server gives back not before EachNS, "request", the rest of
// which another function sent, or "close".
type asked struct {
	Function string `json:"function"`
	Wait     string `json:"wait"`
	Times    int64  `json:"times"`
	EachNS   int64  `json:"each_ns"`
	LeastNS  int64  `json:"least_ns"`
	TookNS   int64  `json:"took_ns"`
	Sent     int64  `json:"sent"`     // bytes
	Received int64  `json:"received"` // bytes
	Goid     int64  `json:"goid"`
}

const askBytes = 8 // of a request, which is how long to wait in ns, and of its reply, which is when it was sent

func request(wait time.Duration) []byte { return binary.BigEndian.AppendUint64(nil, uint64(wait)) }

func stepAsk(t *truth, server string) error {
	return errors.Join(askWhole(t, server), askInParts(t, server), askForNothing(t, server))
}

func askWhole(t *truth, server string) error {
	for _, a := range []struct {
		asked
		ask func(net.Conn, []byte) (int64, error)
	}{
		{asked{Function: "askFast", Wait: "reply", Times: 5, EachNS: 20e6}, askFast},
		{asked{Function: "askSlow", Wait: "reply", Times: 3, EachNS: 70e6}, askSlow},
	} {
		c, err := net.Dial("tcp", server)
		if err != nil {
			return err
		}
		a.Goid = goid()
		for range a.Times {
			start := time.Now()
			least, err := a.ask(c, request(time.Duration(a.EachNS)))
			if err != nil {
				return errors.Join(err, c.Close())
			}
			a.LeastNS, a.TookNS = a.LeastNS+least, a.TookNS+time.Since(start).Nanoseconds()
			a.Sent, a.Received = a.Sent+askBytes, a.Received+askBytes
		}
		if err := c.Close(); err != nil {
			return err
		}
		t.Asks = append(t.Asks, a.asked)
	}
	return nil
}

// askInParts sends a request by two functions, the second some time after the first.
func askInParts(t *truth, server string) error {
	first := asked{Function: "askFirst", Wait: "request", Times: 1, EachNS: 40e6, Sent: 3, Goid: goid()}
	rest := asked{Function: "askRest", Wait: "reply", Times: 1, EachNS: 60e6, Sent: askBytes - 3, Received: askBytes, Goid: goid()}
	c, err := net.Dial("tcp", server)
	if err != nil {
		return err
	}
	start, whole := time.Now(), request(time.Duration(rest.EachNS))
	if err := askFirst(c, whole[:first.Sent]); err != nil {
		return errors.Join(err, c.Close())
	}
	time.Sleep(time.Duration(first.EachNS))
	between := time.Now()
	first.LeastNS = first.EachNS
	rest.LeastNS, err = askRest(c, whole[first.Sent:], func() { first.TookNS = time.Since(start).Nanoseconds() })
	rest.TookNS = time.Since(between).Nanoseconds()
	t.Asks = append(t.Asks, first, rest)
	return errors.Join(err, c.Close())
}

// askForNothing hangs up before the reply.
func askForNothing(t *truth, server string) error {
	vain := asked{Function: "askInVain", Wait: "close", Times: 1, EachNS: 50e6, Sent: askBytes, Goid: goid()}
	c, err := net.Dial("tcp", server)
	if err != nil {
		return err
	}
	start := time.Now()
	if err := askInVain(c, request(4*time.Duration(vain.EachNS))); err != nil {
		return errors.Join(err, c.Close())
	}
	time.Sleep(time.Duration(vain.EachNS))
	err = c.Close()
	vain.LeastNS, vain.TookNS = vain.EachNS, time.Since(start).Nanoseconds()
	t.Asks = append(t.Asks, vain)
	return err
}

//go:noinline
func askFirst(c net.Conn, part []byte) error { return send(c, part) }

//go:noinline
func askRest(c net.Conn, part []byte, sent func()) (int64, error) {
	if err := send(c, part); err != nil {
		return 0, err
	}
	after := monotonic()
	sent()
	replied, err := receive(c)
	return replied - after, err
}

//go:noinline
func askInVain(c net.Conn, request []byte) error { return send(c, request) }

//go:noinline
func askFast(c net.Conn, request []byte) (int64, error) { return exchange(c, request) }

//go:noinline
func askSlow(c net.Conn, request []byte) (int64, error) { return exchange(c, request) }

// exchange gives how long it took at least: from after the send, before whose end the
// server may have the request, until before the server's.
func exchange(c net.Conn, request []byte) (int64, error) {
	if err := send(c, request); err != nil {
		return 0, err
	}
	after := monotonic()
	replied, err := receive(c)
	return replied - after, err
}

func send(c net.Conn, part []byte) error {
	_, err := c.Write(part)
	return err
}

// receive gives when the reply was sent.
func receive(c net.Conn) (int64, error) {
	var reply [askBytes]byte
	_, err := io.ReadFull(c, reply[:])
	return int64(binary.BigEndian.Uint64(reply[:])), err
}

// monotonic is CLOCK_MONOTONIC, which is one for all processes.
func monotonic() int64 {
	var t syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&t)), 0); errno != 0 {
		panic(errno)
	}
	return t.Nano()
}

// serve answers each request after the time that it says, until the listener fails.
func serve(l net.Listener) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go func() {
			defer c.Close()
			for request := make([]byte, askBytes); ; {
				if _, err := io.ReadFull(c, request); err != nil {
					return // it hung up
				}
				time.Sleep(time.Duration(binary.BigEndian.Uint64(request)))
				binary.BigEndian.PutUint64(request, uint64(monotonic()))
				if _, err := c.Write(request); err != nil {
					return
				}
			}
		}()
	}
}
