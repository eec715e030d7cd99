package bpf

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/bpf/exectest"
)

func TestMain(m *testing.M) { exectest.Main(m, play) }

// needProbes skips where the probes can't be loaded, and says why.
func needProbes(tb testing.TB) {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("needs root: BPF programs are loaded")
	}
}

// watched is a child under observation, and what was seen of it.
type watched struct {
	*exectest.Program
	t      testing.TB
	probes *Probes
	gone   []Thread
	times  []ThreadTime // of those that are gone
	closed []Connection
	gate   int64
}

// watch starts a program of play as a target and waits until it stands at its gate.
func watch(t testing.TB, opts Options, program string, args ...string) *watched {
	t.Helper()
	w := watchUntil(t, opts, program, args...)
	w.open()
	return w
}

// open waits until the child stands at its gate, and opens that for the probes.
func (w *watched) open() {
	w.t.Helper()
	w.Expect("ready")
	w.gate = now()
	if err := w.probes.OpenGate(w.gate); err != nil {
		w.t.Fatal(err)
	}
}

// watchUntil starts a program of play as a target.
func watchUntil(t testing.TB, opts Options, program string, args ...string) *watched {
	t.Helper()
	needProbes(t)
	probes := openProbes(t, opts)
	w := &watched{t: t, probes: probes}
	// Here and not as a target, the os package makes a process once, to find out whether pidfds work.
	if _, err := os.FindProcess(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if err := probes.Adopt(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	w.Program = exectest.StartSelf(t, program, args...)
	if err := probes.Disown(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	return w
}

// shared are the probes of the last test. To open them takes longer than many a test, and ten times that on an emulated
// machine; a test that begins a session of its own does what weft does between trials.
var shared struct {
	probes *Probes
	opts   Options
}

func openProbes(t testing.TB, opts Options) *Probes {
	t.Helper()
	if shared.probes != nil && shared.opts == opts {
		if err := shared.probes.Reset(); err != nil {
			t.Fatal(err)
		}
		return shared.probes
	}
	if shared.probes != nil {
		if err := shared.probes.Close(); err != nil {
			t.Fatal(err)
		}
		shared.probes = nil
	}
	probes, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range probes.Missing() {
		t.Fatalf("object %s: %v", m.Object, errors.Join(m.Err, probes.Close()))
	}
	if _, benchmark := t.(*testing.B); benchmark { // it measures nothing of what another one has left
		t.Cleanup(func() { probes.Close() })
		return probes
	}
	shared.probes, shared.opts = probes, opts
	return probes
}

func now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err)
	}
	return ts.Nano()
}

// finish lets the child exit and reads the rest of the ring.
func (w *watched) finish() {
	w.t.Helper()
	w.End()
	// A record that is being written holds back those behind it.
	for deadline := time.Now().Add(time.Second); ; time.Sleep(time.Millisecond) {
		w.drain()
		if uint64(len(w.gone))+w.lost("ring_full") >= w.gauge(GaugeThreads).Falls || time.Now().After(deadline) {
			return
		}
	}
}

func (w *watched) drain() {
	w.t.Helper()
	err := w.probes.Drain(Ends{
		Thread:     func(thread Thread) { w.gone = append(w.gone, thread) },
		Time:       func(time ThreadTime) { w.times = append(w.times, time) },
		Connection: func(connection Connection) { w.closed = append(w.closed, connection) },
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// connections gives the open and the closed ones. The open ones are read first: what closes meanwhile is in the
// ring.
func (w *watched) connections() []Connection {
	w.t.Helper()
	open, err := w.probes.Connections()
	if err != nil {
		w.t.Fatal(err)
	}
	w.drain()
	closed := map[uint64]bool{}
	for _, c := range w.closed {
		closed[c.Cookie] = true
	}
	open = slices.DeleteFunc(open, func(c Connection) bool { return closed[c.Cookie] })
	return append(open, w.closed...)
}

func (w *watched) totals(transport Transport) Totals {
	w.t.Helper()
	totals, err := w.probes.Totals(transport)
	if err != nil {
		w.t.Fatal(err)
	}
	if transport == TransportTCP {
		for _, c := range w.connections() {
			totals = totals.Plus(c.Totals())
		}
	}
	return totals
}

func (w *watched) gauge(id GaugeID) Gauge {
	w.t.Helper()
	gauge, err := w.probes.Gauge(id)
	if err != nil {
		w.t.Fatal(err)
	}
	return gauge
}

// gaugeReaches waits until a gauge has a value: the child's word may come before the hook has run.
func (w *watched) gaugeReaches(id GaugeID, want uint64) {
	w.t.Helper()
	w.until(func() bool { return w.gauge(id).Now == want }, func() string {
		return fmt.Sprintf("gauge is %+v, want %d now", w.gauge(id), want)
	})
}

// until looks again and again until something is so, and fails with what is instead after ten seconds.
func (w *watched) until(so func() bool, instead func() string) {
	w.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatal(instead())
		}
	}
}

func (w *watched) lost(cause string) uint64 {
	w.t.Helper()
	losses, err := w.probes.Losses()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, l := range losses {
		if l.Cause == cause {
			return l.Count
		}
	}
	return 0
}

// noLoss fails when anything was lost: the rule at the default sizes.
func (w *watched) noLoss() {
	w.t.Helper()
	losses, err := w.probes.Losses()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, l := range losses {
		w.t.Errorf("lost: %+v", l)
	}
	costs, err := w.probes.Costs()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range costs {
		if c.Misses > 0 {
			w.t.Errorf("%s missed %d events", c.Program, c.Misses)
		}
	}
}
