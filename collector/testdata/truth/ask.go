package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// asked is what one function sent and awaited: Times replies that the server
// gives back not before Each. A reply's wait, from its request's first byte sent to
// its own first byte received, is at least Each; all of them together took TookNS or less.
type asked struct {
	Function string `json:"function"`
	Times    int64  `json:"times"`
	EachNS   int64  `json:"each_ns"`
	TookNS   int64  `json:"took_ns"`
	Sent     int64  `json:"sent"`     // bytes
	Received int64  `json:"received"` // bytes
	Goid     int64  `json:"goid"`
}

const askBytes = 8 // of a request, which is how long to wait in ns, and of its reply, the same

func stepAsk(t *truth, server string) error {
	for _, a := range []struct {
		asked
		ask func(net.Conn, []byte) error
	}{
		{asked{Function: "askFast", Times: 5, EachNS: 20e6}, askFast},
		{asked{Function: "askSlow", Times: 3, EachNS: 70e6}, askSlow},
	} {
		c, err := net.Dial("tcp", server)
		if err != nil {
			return err
		}
		a.Goid = goid()
		for range a.Times {
			start := time.Now()
			if err := a.ask(c, binary.BigEndian.AppendUint64(nil, uint64(a.EachNS))); err != nil {
				return errors.Join(err, c.Close())
			}
			a.TookNS += time.Since(start).Nanoseconds()
			a.Sent, a.Received = a.Sent+askBytes, a.Received+askBytes
		}
		if err := c.Close(); err != nil {
			return err
		}
		t.Asks = append(t.Asks, a.asked)
	}
	return nil
}

//go:noinline
func askFast(c net.Conn, request []byte) error { return exchange(c, request) }

//go:noinline
func askSlow(c net.Conn, request []byte) error { return exchange(c, request) }

func exchange(c net.Conn, request []byte) error {
	if _, err := c.Write(request); err != nil {
		return err
	}
	var reply [askBytes]byte
	_, err := io.ReadFull(c, reply[:])
	return err
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
				if _, err := c.Write(request); err != nil {
					return
				}
			}
		}()
	}
}
