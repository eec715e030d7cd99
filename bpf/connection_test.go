package bpf

import (
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

// server accepts connections and, when told, answers what was asked.
type server struct {
	listener net.Listener
	accepted chan net.Conn
}

func serve(t *testing.T, network, address string) *server {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{listener, make(chan net.Conn, 1024)}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			s.accepted <- c
		}
	}()
	return s
}

func TestAwaitingReplyIsExact(t *testing.T) {
	const connections, asking = 23, 7
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			address := "127.0.0.1:0"
			if network == "unix" {
				address = unixAddress(t.TempDir())
			}
			s := serve(t, network, address)
			target := network + "!" + s.listener.Addr().String()
			w := watch(t, Options{}, "await", target, fmt.Sprint(connections), fmt.Sprint(asking))
			w.Say("connect")
			w.Expect("connected")
			if network == "tcp" && len(w.connections()) != connections {
				t.Errorf("%d connections, want %d", len(w.connections()), connections)
			}
			w.Say("ask")
			w.Expect("asked")
			w.gaugeReaches(GaugeAwaiting, asking)
			asked := now()
			time.Sleep(50 * time.Millisecond)
			for range connections {
				c := <-s.accepted
				defer c.Close()
				go func() {
					if _, err := io.ReadFull(c, make([]byte, len("question"))); err == nil {
						io.WriteString(c, "answer")
					}
				}()
			}
			w.Say("read")
			w.Expect("answered")
			w.gaugeReaches(GaugeAwaiting, 0)
			elapsed := now() - asked
			checkAwaited(t, w, asking, elapsed)
			w.Say("close")
			w.Decode(new(any))
			w.finish()
			if network == "tcp" {
				checkClosed(t, w, connections)
			}
			w.noLoss()
		})
	}
}

// checkAwaited compares the peak, the replies and the waits. Each wait lasted at least 50 ms.
func checkAwaited(t *testing.T, w *watched, asking int, elapsed int64) {
	t.Helper()
	gauge := w.gauge(GaugeAwaiting)
	if gauge.Peak != uint64(asking) || gauge.Rises != uint64(asking) || gauge.Falls != uint64(asking) {
		t.Errorf("gauge %+v, want peak, rises and falls %d", gauge, asking)
	}
	replies := uint64(0)
	for _, c := range w.connections() {
		replies += c.Replies
		if c.Replies == 0 {
			continue
		}
		if c.Side != SideClient || c.AwaitedNs < 50e6 || int64(c.AwaitedNs) > elapsed+5e9 {
			t.Errorf("connection %+v: want a client's that awaited 50 ms or more", c)
		}
	}
	if replies != uint64(asking) {
		t.Errorf("%d replies, want %d", replies, asking)
	}
	curve, err := w.probes.Curve(GaugeAwaiting, 0, now()-w.gate)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Max(curve.Greatest) != int64(asking) || curve.Last[len(curve.Last)-1] != 0 {
		t.Errorf("curve %v: want greatest %d, last 0", curve, asking)
	}
}

func checkClosed(t *testing.T, w *watched, connections int) {
	t.Helper()
	waitClosed := time.Now().Add(5 * time.Second)
	for len(w.closed) < connections && time.Now().Before(waitClosed) {
		time.Sleep(10 * time.Millisecond)
		w.drain()
	}
	ports := map[uint16]bool{}
	for _, c := range w.connections() {
		ports[c.LocalPort] = true
		if c.OpenNs == 0 || c.ConnectedNs < c.OpenNs || c.Family != 2 || c.LocalAddr[0] != 127 {
			t.Errorf("connection %+v", c)
		}
	}
	if len(ports) != connections {
		t.Errorf("%d local ports, want %d", len(ports), connections)
	}
}

// echo answers every byte with itself, at once.
func echo(t *testing.T) *server {
	t.Helper()
	s := serve(t, "tcp", "127.0.0.1:0")
	go func() {
		for c := range s.accepted {
			go io.Copy(c, c)
		}
	}()
	return s
}

// A reply that is read before the send of its question has returned is a reply all the same, and no gauge goes
// below 0 for it.
func TestReplyThatOvertakesItsQuestion(t *testing.T) {
	const questions = 10_000
	w := watch(t, Options{}, "echo", echo(t).listener.Addr().String(), fmt.Sprint(questions))
	w.Say("go")
	w.Decode(new(int))
	connections := w.connections()
	if len(connections) != 1 || connections[0].Replies != questions || int64(connections[0].AwaitedNs) < 0 {
		t.Errorf("connections %+v, want one with %d replies", connections, questions)
	}
	if gauge := w.gauge(GaugeAwaiting); gauge.Now != 0 || gauge.Peak != 1 {
		t.Errorf("gauge %+v, want none now and a peak of 1", gauge)
	}
	w.noLoss()
}

// A socket that connects again is open again, and what was answered before says nothing of it.
func TestSocketConnectsAgain(t *testing.T) {
	const times = 23
	w := watch(t, Options{}, "again", echo(t).listener.Addr().String(), fmt.Sprint(times))
	w.Say("go")
	w.Decode(new(int))
	connections := w.connections()
	if len(connections) != 1 {
		t.Fatalf("%d connections, want 1: %+v", len(connections), connections)
	}
	if c := connections[0]; c.CloseNs != 0 || c.Replies != times || c.ConnectedNs < c.OpenNs {
		t.Errorf("connection %+v, want an open one with %d replies", c, times)
	}
	w.noLoss()
}

// Packets arrive at any moment, in the midst of a connect(2) too: no connection's life misses a date.
func TestConnectionsAreSeenWhole(t *testing.T) {
	const times = 8 * 500
	s := serve(t, "tcp", "127.0.0.1:0")
	go func() {
		for c := range s.accepted {
			c.Close()
		}
	}()
	w := watch(t, Options{}, "connect", s.listener.Addr().String(), fmt.Sprint(times/8))
	w.Say("go")
	w.Decode(new(int))
	w.finish()
	if len(w.closed) != times {
		t.Errorf("%d connections, want %d", len(w.closed), times)
	}
	for _, c := range w.closed {
		if c.ConnectedNs < c.OpenNs || c.CloseNs < c.ConnectedNs || c.OpenNs == 0 {
			t.Fatalf("connection %+v: want one that was opened, connected and closed", c)
		}
	}
	w.noLoss()
}

// A port is a listener's from listen(2) until the socket is gone, whether a program closes it or ends.
func TestListenersEnd(t *testing.T) {
	const listeners = 23
	for _, end := range []string{"closed", "left"} {
		t.Run(end, func(t *testing.T) {
			w := watch(t, Options{}, "listen", fmt.Sprint(listeners), end)
			w.Say("go")
			w.Decode(new(any))
			if sockets, ports := w.listening(); sockets != listeners || ports != listeners {
				t.Errorf("%d sockets listen at %d ports, want %d", sockets, ports, listeners)
			}
			w.finish()
			if sockets, ports := w.listening(); sockets != 0 || ports != 0 {
				t.Errorf("%d sockets listen at %d ports after their end", sockets, ports)
			}
			w.noLoss()
		})
	}
}

// listening counts what is known of listeners: sockets, and ports as often as one listens there.
func (w *watched) listening() (sockets, ports int) {
	w.t.Helper()
	sock := w.probes.objects[ObjectSock]
	known, err := values[uint64](sock.Maps[sockMapListeners], func(*uint16) bool { return true })
	if err != nil {
		w.t.Fatal(err)
	}
	var all sockListening
	if err := sock.Maps[sockMapListening].Lookup(uint32(0), &all); err != nil {
		w.t.Fatal(err)
	}
	for _, four := range all.Ports {
		for ; four > 0; four >>= 16 {
			ports += int(uint16(four))
		}
	}
	return len(known), ports
}

// A receive of no bytes is not the end of the stream, and so not the end of the wait.
func TestReceiveOfNoBytes(t *testing.T) {
	s := serve(t, "tcp4", "127.0.0.1:0")
	go func() {
		c := <-s.accepted
		if _, err := io.ReadFull(c, make([]byte, len("question"))); err == nil {
			io.WriteString(c, "answer")
		}
	}()
	w := watch(t, Options{}, "glance", s.listener.Addr().String())
	w.Say("go")
	w.Decode(new(any))
	if c := w.connections(); len(c) != 1 || c[0].Replies != 1 || c[0].Recv.Calls != 2 {
		t.Errorf("connections %+v, want one with a reply in two calls", c)
	}
	w.noLoss()
}

// A call that a signal made the kernel begin anew is one call, and no error.
func TestRestartedCallIsOne(t *testing.T) {
	w := watch(t, Options{}, "restart", "5")
	w.Say("go")
	w.Decode(new(any))
	if got := w.totals(TransportTCP).Recv; got != (sockFlow{Bytes: 1, Calls: 1}) {
		t.Errorf("received %+v, want one byte in one call", got)
	}
	w.noLoss()
}
