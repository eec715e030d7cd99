package bpf

import (
	"fmt"
	"net"
	"testing"
	"time"
)

// With a table or the ring made tiny, what was seen and what was lost add up to the truth.

func TestLossOfConnections(t *testing.T) {
	const connections, room = 23, 4
	s := serve(t, "tcp", "127.0.0.1:0")
	w := watch(t, Options{Connections: room}, "await", "tcp!"+s.listener.Addr().String(), fmt.Sprint(connections), "0")
	w.Say("connect")
	w.Expect("connected")
	seen, lost := len(w.connections()), w.lost("connections_full")
	if seen == 0 || seen > room || seen+int(lost) != connections {
		t.Errorf("%d seen, %d lost, want %d at most, and %d together", seen, lost, room, connections)
	}
	if opened := w.totals(TransportTCP).Opened; opened != connections {
		t.Errorf("%d opened, want %d", opened, connections)
	}
}

// A connection that found no room is lost once, however many calls it carries; its bytes are in the totals.
func TestLostConnectionIsCountedOnce(t *testing.T) {
	w := watch(t, Options{Connections: 1}, "transfer", "tcp4", "write", "read")
	w.Say("go")
	var truth transferTruth
	w.Decode(&truth)
	if lost := w.lost("connections_full"); lost != 1 { // of its two ends
		t.Errorf("%d lost, want 1", lost)
	}
	if got := w.totals(TransportTCP); got.Sent.Bytes != truth.Sent || got.Recv.Bytes != truth.Received {
		t.Errorf("totals %+v, want %+v", got, truth)
	}
}

// A connection whose slot is taken is counted like another.
func TestConnectionsShareASlot(t *testing.T) {
	w := watch(t, Options{Connections: 2}, "transfer", "tcp4", "write", "read")
	w.Say("go")
	var truth transferTruth
	w.Decode(&truth)
	var sum transferTruth
	both := w.connections()
	for _, c := range both {
		sum.Sent += c.Sent.Bytes
		sum.SendCalls += c.Sent.Calls
		sum.Received += c.Recv.Bytes
		sum.RecvCalls += c.Recv.Calls
	}
	if len(both) != 2 || sum != truth {
		t.Errorf("%d connections with %+v, want 2 with %+v", len(both), sum, truth)
	}
	w.finish()
	if left, err := w.probes.Connections(); err != nil || len(left) > 0 {
		t.Errorf("%d connections are open after their ends, %v", len(left), err)
	}
	w.noLoss()
}

func TestLossInRing(t *testing.T) {
	w := watch(t, Options{RingBytes: 4096}, "churn", "223")
	w.Say("go")
	w.Decode(new(any))
	w.finish()
	gauge := w.gauge(GaugeThreads)
	for _, end := range []struct {
		cause string
		seen  func() int
	}{
		{"ring_full", func() int { return len(w.gone) }},
		{"times_ring_full", func() int { return len(w.times) }},
	} {
		together := func() uint64 { return uint64(end.seen()) + w.lost(end.cause) }
		// A thread's last switch may come after its process has been waited for.
		for deadline := time.Now().Add(10 * time.Second); together() < gauge.Rises && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
			w.drain()
		}
		if lost := w.lost(end.cause); lost == 0 || together() != gauge.Rises {
			t.Errorf("%d seen, %d lost by %s, %d made", end.seen(), lost, end.cause, gauge.Rises)
		}
	}
}

func TestLossOfTargets(t *testing.T) {
	sink, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	// Room for weft itself, which is taken out again, and one process.
	w := watch(t, Options{Targets: 2}, "family", sink.LocalAddr().String(), "23")
	if err := w.probes.Adopt(1 << 30); err != nil { // takes the room: no process has this number
		t.Fatal(err)
	}
	w.Say("go")
	w.Decode(new(any))
	w.finish()
	seen := 0
	for _, thread := range w.gone {
		seen += int(thread.Leader)
	}
	if lost := w.lost("targets_full"); seen != 1 || lost != 23 {
		t.Errorf("%d seen, %d lost, want 1 and 23", seen, lost)
	}
}

func TestLossOfListeners(t *testing.T) {
	w := watch(t, Options{Listeners: 1}, "listen", "3", "closed")
	w.Say("go")
	w.Decode(new(any))
	if lost := w.lost("listeners_full"); lost != 2 {
		t.Errorf("%d lost, want 2", lost)
	}
}

// What weft does not follow it does not pass over in silence.
func TestMultipathIsLost(t *testing.T) {
	const times = 23
	w := watch(t, Options{}, "multipath", fmt.Sprint(times))
	w.Say("go")
	var said string
	w.Decode(&said)
	if said != "done" {
		t.Skipf("Multipath TCP is %s by this kernel", said)
	}
	if lost := w.lost("multipath_tcp"); lost != 2*times {
		t.Errorf("%d calls lost, want %d", lost, 2*times)
	}
}

func TestLossOfStacks(t *testing.T) {
	tests := []struct {
		name    string
		options Options
		cause   string
		// Are the totals complete?
		complete bool
	}{
		{"stacks", Options{Stacks: true, StackCount: 1}, "stacks_full", true},
		{"weights", Options{Stacks: true, WeightCount: 1}, "weights_full", false},
		{"weights, one of them in a slot", Options{Stacks: true, WeightCount: 2}, "weights_full", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := watch(t, test.options, "transfer", "tcp4", "write", "read")
			w.Say("go")
			var truth transferTruth
			w.Decode(&truth)
			_, weights, err := w.probes.Stacks()
			if err != nil {
				t.Fatal(err)
			}
			var charged uint64
			for key, weight := range weights {
				if key.Kind == StackSocket {
					charged += weight.Count
				}
			}
			lost := w.lost(test.cause)
			complete := charged == truth.SendCalls+truth.RecvCalls
			if lost == 0 || complete != test.complete || charged+lost < truth.SendCalls+truth.RecvCalls {
				t.Errorf("%d charged, %d lost, want %d calls", charged, lost, truth.SendCalls+truth.RecvCalls)
			}
		})
	}
}

// At the default size nothing is lost, and the stacks account for every call and byte.
func TestStacksAddUp(t *testing.T) {
	w := watch(t, Options{Stacks: true}, "transfer", "unix", "write", "read")
	w.Say("go")
	var truth transferTruth
	w.Decode(&truth)
	stacks, weights, err := w.probes.Stacks()
	if err != nil {
		t.Fatal(err)
	}
	var sum Weight
	for key, weight := range weights {
		if _, ok := stacks[key.Stack]; !ok && key.Wait != uint32(ActivityNone) { // a thread that has not run yet has no stack
			t.Errorf("%+v has no stack", key)
		}
		if key.Kind == StackSocket {
			sum.Count += weight.Count
			sum.Amount += weight.Amount
			sum.Other += weight.Other
		}
	}
	if sum.Count != truth.SendCalls+truth.RecvCalls || sum.Amount != truth.Sent || sum.Other != truth.Received {
		t.Errorf("stacks sum to %+v, the program did %+v", sum, truth)
	}
	w.noLoss()
}
