package bpf

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/bpf/exectest"
)

// rss is the sum of the processes' Rss in smaps_rollup, which walks their page tables: bytes.
func rss(t testing.TB, pids ...int) int64 {
	t.Helper()
	var sum int64
	for _, pid := range pids {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(raw), "\nRss:")
		kib, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += kib << 10
	}
	return sum
}

// bound is what the gauge may be wrong by, bytes.
func (w *watched) bound() int64 {
	w.t.Helper()
	sums, err := w.probes.MemorySums()
	if err != nil {
		w.t.Fatal(err)
	}
	threads := w.gauge(GaugeThreads)
	return sums.Bound(int64(max(threads.Now, threads.Peak)), int64(runtime.NumCPU()), int64(os.Getpagesize()))
}

// tolerance is what the gauge may be off by at a quiet point: the program's two CPUs may have told their last changes
// in the wrong order, but hardly more than a page fault's.
func (w *watched) tolerance() int64 {
	const fault = 16 * 4096
	sums, err := w.probes.MemorySums()
	if err != nil {
		w.t.Fatal(err)
	}
	if sums.Deferred {
		return w.bound()
	}
	return min(w.bound(), fault)
}

// isResident compares the gauge with the page tables of the processes, which are quiet, but for the runtime's own
// threads: it is looked again until no change falls between two looks. Gives the page tables' figure.
func (w *watched) isResident(pids ...int) int64 {
	w.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		before := w.gauge(GaugeRSS)
		truth := rss(w.t, pids...)
		if after := w.gauge(GaugeRSS); after != before {
			time.Sleep(time.Millisecond)
			continue
		}
		now := int64(before.Now) * RSSUnit
		if off := now - truth; max(off, -off) > w.tolerance() {
			w.t.Errorf("%d bytes resident, the page tables have %d: off by %d", now, truth, off)
		}
		return truth
	}
	w.t.Fatal("never quiet")
	return 0
}

// mark sets a pid's bit in the filter.
func (w *watched) mark(pid int) {
	w.t.Helper()
	var marks taskMarks
	m := w.probes.shared[taskMapMarks]
	if err := m.Lookup(uint32(0), &marks); err != nil {
		w.t.Fatal(err)
	}
	marks.Bits[pid%65536/64] |= 1 << (pid % 64)
	if err := m.Put(uint32(0), &marks); err != nil {
		w.t.Fatal(err)
	}
}

// hasNothing waits until the memory of all processes has gone: exit_mmap may run after the parent was told.
func (w *watched) hasNothing() {
	w.t.Helper()
	w.gaugeReaches(GaugeRSS, 0)
	if left, err := slots(w.probes.objects[ObjectMemory].Maps[memoryMapMemories], func(m *memoryMemory) bool { return m.Mm != 0 }); err != nil || len(left) > 0 {
		w.t.Errorf("entries left: %+v, %v", left, err)
	}
}

const touchPages = 5003 // of 4 KiB, about 20 MB

// Two threads touch and free twice: the peak and the curve are those of the page tables.
func TestPeakAndCurveOfMemory(t *testing.T) {
	neighbour := exectest.StartSelf(t, "touch", "1", fmt.Sprint(3*touchPages), "1") // which does not count
	neighbour.Expect("ready")
	w := watch(t, Options{}, "touch", "2", fmt.Sprint(touchPages), "2")
	neighbour.Say("go\nfree\nend")
	pid := w.PID
	ready := w.isResident(pid)
	var high, low int64
	for range 2 {
		w.Say("fill")
		w.Expect("full")
		high = max(high, w.isResident(pid))
		time.Sleep(5 * time.Millisecond) // a bucket of its own
		w.Say("free")
		w.Expect("empty")
		low = max(low, w.isResident(pid))
		time.Sleep(5 * time.Millisecond)
	}
	const grown = 2 * touchPages * 4096
	bound, slack := w.bound(), int64(1<<20) // the runtime's own
	peak := int64(w.gauge(GaugeRSS).Peak) * RSSUnit
	if peak < high-bound || peak > high+bound+slack {
		t.Errorf("peak %d, the page tables had %d, bound %d", peak, high, bound)
	}
	if by := peak - ready; by < grown-bound || by > grown+bound+slack {
		t.Errorf("grew by %d to its peak, the program by %d, bound %d", by, grown, bound)
	}
	curve, err := w.probes.Curve(GaugeRSS, uint64(ready/RSSUnit), now()-w.gate)
	if err != nil {
		t.Fatal(err)
	}
	if humps := countHumps(curve, (high-bound)/RSSUnit, (low+bound)/RSSUnit); humps != 2 {
		t.Errorf("%d humps above %d with a valley below %d, want 2", humps, high, low)
	}
	if top := slices.Max(curve.Greatest); uint64(top) != w.gauge(GaugeRSS).Peak {
		t.Errorf("the curve's greatest value is %d, the gauge's %d", top, w.gauge(GaugeRSS).Peak)
	}
	w.Say("end")
	w.Decode(new(any))
	w.finish()
	w.hasNothing()
	w.noLoss()
}

// Eight threads that touch and free at once tell their changes in any order; when they are quiet all is right again.
func TestMemoryOfManyThreads(t *testing.T) {
	const threads, pages, rounds = 8, 997, 17
	w := watch(t, Options{}, "touch", fmt.Sprint(threads), fmt.Sprint(pages), fmt.Sprint(rounds))
	pid := w.PID
	var high int64
	for range rounds {
		w.Say("fill")
		w.Expect("full")
		high = max(high, w.isResident(pid))
		w.Say("free")
		w.Expect("empty")
		w.isResident(pid)
	}
	if peak, bound := int64(w.gauge(GaugeRSS).Peak)*RSSUnit, w.bound(); peak < high-bound || peak > high+bound+1<<20 {
		t.Errorf("peak %d, the page tables had %d, bound %d", peak, high, bound)
	}
	w.Say("end")
	w.Decode(new(any))
	w.finish()
	w.hasNothing()
	w.noLoss()
}

// countHumps counts how often a curve comes from low or below to high or above.
func countHumps(c Curve, high, low int64) int {
	humps, down := 0, true
	for i := range c.Greatest {
		if down && c.Greatest[i] >= high {
			humps, down = humps+1, false
		}
		if c.Least[i] <= low {
			down = true
		}
	}
	return humps
}

// A forked child has its parent's pages before its first instruction, and then its own; both count.
func TestMemoryOfFork(t *testing.T) {
	w := watch(t, Options{}, "fork", fmt.Sprint(touchPages))
	w.Say("fork")
	var child int
	w.Decode(&child)
	parent := w.PID
	if child <= 0 {
		t.Fatalf("child %d", child)
	}
	if both, one := w.isResident(parent, child), rss(t, parent); both < one+touchPages*4096 {
		t.Errorf("%d bytes of both, %d of the parent", both, one)
	}
	w.Say("end")
	w.Decode(new(any))
	w.isResident(parent)
	w.finish()
	w.hasNothing()
	w.noLoss()
}

// A process that outlives its session takes nothing out of the next one's gauge, be it in what its threads have counted
// themselves.
func TestMemoryOutlivesReset(t *testing.T) {
	w := watch(t, Options{}, "fork", fmt.Sprint(touchPages))
	w.Say("fork")
	var child int
	w.Decode(&child)
	w.isResident(w.PID, child)
	if err := w.probes.Reset(); err != nil {
		t.Fatal(err)
	}
	w.Say("end") // and waits for its child
	w.Decode(new(any))
	w.finish()
	if gauge := w.gauge(GaugeRSS); gauge != (Gauge{}) {
		t.Errorf("gauge %+v: changes of a process that is not watched", gauge)
	}
	w.hasNothing()
	w.noLoss()
}

// What a program had before it execs is gone with it, and counts before the gate only where it was before the gate.
func TestMemoryOfExec(t *testing.T) {
	w := watch(t, Options{}, "replace", fmt.Sprint(touchPages))
	early := w.gauge(GaugeRSS)
	if early.Peak != 0 || early.Early < early.Now || early.Now == 0 {
		t.Errorf("at the gate: %+v", early)
	}
	w.Say("fill")
	w.Expect("full")
	full := w.isResident(w.PID)
	w.Say("exec")
	w.Expect("ready")
	if now := w.isResident(w.PID); now > full-touchPages*4096/2 {
		t.Errorf("%d bytes after exec, %d before", now, full)
	}
	gauge := w.gauge(GaugeRSS)
	if int64(gauge.Peak)*RSSUnit < full-w.bound() || gauge.Early != early.Early {
		t.Errorf("gauge %+v, %+v at the gate, %d bytes before exec", gauge, early, full)
	}
	w.Say("go")
	w.Decode(new(any))
	w.finish()
	w.hasNothing()
	w.noLoss()
}

// Whatever memory is made of, the gauge has what the page tables have; and what another process brings in counts
// too, as foreign.
func TestMemoryOfEveryKind(t *testing.T) {
	w := watch(t, Options{}, "kinds")
	pid := w.PID
	w.mark(os.Getpid()) // as a target with the same low bits would
	before := w.isResident(pid)
	for _, kind := range kinds {
		w.Say("map")
		var at uint64
		w.Decode(&at)
		t.Log(kind.name)
		w.isResident(pid)
		if kind.prot&unix.PROT_WRITE == 0 {
			continue
		}
		sums, err := w.probes.MemorySums()
		if err != nil {
			t.Fatal(err)
		}
		now := w.gauge(GaugeRSS).Now
		local, remote := []byte{1}, unix.RemoteIovec{Base: uintptr(at) + 2*kindBytes - 1, Len: 1} // far from what it touched
		if _, err := unix.ProcessVMWritev(pid, []unix.Iovec{{Base: &local[0], Len: 1}}, []unix.RemoteIovec{remote}, 0); err != nil {
			t.Fatal(err)
		}
		w.isResident(pid)
		after, err := w.probes.MemorySums()
		if err != nil {
			t.Fatal(err)
		}
		if after.Foreign == sums.Foreign || w.gauge(GaugeRSS).Now <= now {
			t.Errorf("%d foreign changes, %d before; %d units, %d before", after.Foreign, sums.Foreign, w.gauge(GaugeRSS).Now, now)
		}
	}
	w.Say("unmap")
	w.Decode(new(any))
	if after := w.isResident(pid); after > before+4<<20 {
		t.Errorf("%d bytes after all is unmapped, %d before", after, before)
	}
	w.finish()
	w.hasNothing()
	w.noLoss()
}

// Somebody else uses the tracepoint already, in both of its forms, and leaves while it is used here.
func TestMemoryBesideAnotherUser(t *testing.T) {
	needProbes(t)
	other, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := watch(t, Options{}, "touch", "1", fmt.Sprint(touchPages), "1")
	ready := w.isResident(w.PID)
	w.Say("fill")
	w.Expect("full")
	if full := w.isResident(w.PID); full < ready+touchPages*4096 {
		t.Errorf("%d bytes, %d before", full, ready)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	w.Say("free")
	w.Expect("empty")
	w.isResident(w.PID)
	w.Say("end")
	w.Decode(new(any))
	w.finish()
	w.hasNothing()
	w.noLoss()
}

// Processes of a short life come and go, most of which share their parent's memory until they exec.
func TestMemoryOfShortLives(t *testing.T) {
	sink, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	w := watch(t, Options{}, "family", sink.LocalAddr().String(), "3", "2")
	w.Say("go")
	w.Decode(new(any))
	w.isResident(w.PID)
	peak, now := w.gauge(GaugeRSS).Peak, w.gauge(GaugeRSS).Now
	if peak < 2*now {
		t.Errorf("peak %d of a family, %d of its head", peak, now)
	}
	w.finish()
	w.hasNothing()
	w.noLoss()
}

// What finds no room in the table is lost, once a process, and what is in it is right.
func TestLossOfMemories(t *testing.T) {
	w := watch(t, Options{Memories: 1}, "fork", fmt.Sprint(touchPages))
	w.Say("fork")
	w.Decode(new(int))
	w.isResident(w.PID)
	if lost := w.lost("memories_full"); lost != 1 {
		t.Errorf("%d lost, want 1", lost)
	}
	w.Say("end")
	w.Decode(new(any))
	w.finish()
	w.hasNothing()
}

// A thread that is not followed keeps what it counts, and the bound says so.
func TestMemorySums(t *testing.T) {
	raw := memoryMemorySums{Foreign: 3, Change: [4]uint64{17, 5, 0, 1}, Deferred: 1}
	for _, followed := range []bool{true, false} {
		if got, want := decodeSums(raw, followed), (MemorySums{Foreign: 3, Change: 23, Deferred: !followed}); got != want {
			t.Errorf("followed %v: %+v, want %+v", followed, got, want)
		}
	}
	if got := decodeSums(memoryMemorySums{}, false); got != (MemorySums{}) {
		t.Errorf("%+v of nothing", got)
	}
}

func TestBoundOfMemory(t *testing.T) {
	tests := []struct {
		name                 string
		sums                 MemorySums
		threads, cpus, bound int64
	}{
		{"one thread is exact", MemorySums{Change: 512}, 1, 8, 0},
		{"one CPU is exact", MemorySums{Change: 512}, 8, 1, 0},
		{"before the first thread", MemorySums{}, 0, 8, 0},
		{"a change under way on each other CPU", MemorySums{Change: 17}, 100, 8, 7 * 17 * 4096},
		{"fewer threads than CPUs", MemorySums{Change: 17}, 3, 8, 2 * 17 * 4096},
		{"reclaim runs anywhere", MemorySums{Change: 17, Foreign: 1}, 1, 8, 7 * 17 * 4096},
		{"threads keep what they count", MemorySums{Deferred: true}, 3, 1, 3 * 65 * 16 * 4096},
	}
	for _, test := range tests {
		if got := test.sums.Bound(test.threads, test.cpus, 4096); got != test.bound {
			t.Errorf("%s: %d, want %d", test.name, got, test.bound)
		}
	}
}
