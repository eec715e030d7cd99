package bpf

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
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
	for range 100 {
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

// hasNothing waits until the memory of all processes has gone: exit_mmap may run after the parent was told.
func (w *watched) hasNothing() {
	w.t.Helper()
	w.gaugeReaches(GaugeRSS, 0)
	if left, err := values[uint64, memoryMemory](w.probes.objects["memory"].Maps[memoryMapMemories]); err != nil || len(left) > 0 {
		w.t.Errorf("entries left: %+v, %v", left, err)
	}
}

const touchPages = 5003 // of 4 KiB, about 20 MB

// Two threads touch and free twice: the peak and the curve are those of the page tables.
func TestPeakAndCurveOfMemory(t *testing.T) {
	_, in, out := start(t, "touch", "1", fmt.Sprint(3*touchPages), "1") // a neighbour, which does not count
	if line, err := out.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	w := watch(t, Options{}, "touch", "2", fmt.Sprint(touchPages), "2")
	if _, err := io.WriteString(in, "go\nfree\nend\n"); err != nil {
		t.Fatal(err)
	}
	pid := w.cmd.Process.Pid
	ready := w.isResident(pid)
	var high, low int64
	for range 2 {
		w.say("fill")
		w.expect("full")
		high = max(high, w.isResident(pid))
		time.Sleep(5 * time.Millisecond) // a bucket of its own
		w.say("free")
		w.expect("empty")
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
	w.say("end")
	w.truth(new(any))
	w.finish()
	w.hasNothing()
	w.noLoss()
}

// Eight threads that touch and free at once tell their changes in any order; when they are quiet all is right again.
func TestMemoryOfManyThreads(t *testing.T) {
	const threads, pages, rounds = 8, 997, 17
	w := watch(t, Options{}, "touch", fmt.Sprint(threads), fmt.Sprint(pages), fmt.Sprint(rounds))
	pid := w.cmd.Process.Pid
	var high int64
	for range rounds {
		w.say("fill")
		w.expect("full")
		high = max(high, w.isResident(pid))
		w.say("free")
		w.expect("empty")
		w.isResident(pid)
	}
	if peak, bound := int64(w.gauge(GaugeRSS).Peak)*RSSUnit, w.bound(); peak < high-bound || peak > high+bound+1<<20 {
		t.Errorf("peak %d, the page tables had %d, bound %d", peak, high, bound)
	}
	w.say("end")
	w.truth(new(any))
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
	w.say("fork")
	var child int
	w.truth(&child)
	parent := w.cmd.Process.Pid
	if child <= 0 {
		t.Fatalf("child %d", child)
	}
	if both, one := w.isResident(parent, child), rss(t, parent); both < one+touchPages*4096 {
		t.Errorf("%d bytes of both, %d of the parent", both, one)
	}
	w.say("end")
	w.truth(new(any))
	w.isResident(parent)
	w.finish()
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
	w.say("fill")
	w.expect("full")
	full := w.isResident(w.cmd.Process.Pid)
	w.say("exec")
	w.expect("ready")
	if now := w.isResident(w.cmd.Process.Pid); now > full-touchPages*4096/2 {
		t.Errorf("%d bytes after exec, %d before", now, full)
	}
	gauge := w.gauge(GaugeRSS)
	if int64(gauge.Peak)*RSSUnit < full-w.bound() || gauge.Early != early.Early {
		t.Errorf("gauge %+v, %+v at the gate, %d bytes before exec", gauge, early, full)
	}
	w.say("go")
	w.truth(new(any))
	w.finish()
	w.hasNothing()
	w.noLoss()
}

// Whatever memory is made of, the gauge has what the page tables have; and what another process brings in counts
// too, as foreign.
func TestMemoryOfEveryKind(t *testing.T) {
	w := watch(t, Options{}, "kinds")
	pid := w.cmd.Process.Pid
	before := w.isResident(pid)
	for _, kind := range kinds {
		w.say("map")
		var at uint64
		w.truth(&at)
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
	w.say("unmap")
	w.truth(new(any))
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
	ready := w.isResident(w.cmd.Process.Pid)
	w.say("fill")
	w.expect("full")
	if full := w.isResident(w.cmd.Process.Pid); full < ready+touchPages*4096 {
		t.Errorf("%d bytes, %d before", full, ready)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	w.say("free")
	w.expect("empty")
	w.isResident(w.cmd.Process.Pid)
	w.say("end")
	w.truth(new(any))
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
	w.say("go")
	w.truth(new(any))
	w.isResident(w.cmd.Process.Pid)
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
	w.say("fork")
	w.truth(new(int))
	w.isResident(w.cmd.Process.Pid)
	if lost := w.lost("memories_full"); lost != 1 {
		t.Errorf("%d lost, want 1", lost)
	}
	w.say("end")
	w.truth(new(any))
	w.finish()
	w.hasNothing()
}

// kinds are mappings of twice kindBytes, of which the first half is touched. The file is the program's own.
var kinds = []struct {
	name                string
	prot, flags, advice int
}{
	{"anonymous", unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS, unix.MADV_NOHUGEPAGE},
	{"huge", unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS, unix.MADV_HUGEPAGE},
	{"zero page", unix.PROT_READ, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS, unix.MADV_NOHUGEPAGE},
	{"shared", unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_ANONYMOUS, unix.MADV_NORMAL},
	{"file", unix.PROT_READ, unix.MAP_PRIVATE, unix.MADV_NORMAL},
	{"copied file", unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE, unix.MADV_RANDOM},
}

const kindBytes = 2 << 20

// playKinds maps and touches one kind after the other, and then gives all back.
func playKinds(s stage, _ []string) error {
	exe, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer exe.Close()
	if err := s.pause("ready"); err != nil {
		return err
	}
	var all [][]byte
	var sum byte
	for _, kind := range kinds {
		fd, size := -1, 2*kindBytes
		if kind.flags&unix.MAP_ANONYMOUS == 0 {
			fd = int(exe.Fd())
		}
		memory, err := unix.Mmap(fd, 0, size, kind.prot, kind.flags)
		if err != nil {
			return err
		}
		if err := unix.Madvise(memory, kind.advice); err != nil && kind.advice != unix.MADV_HUGEPAGE { // not built in
			return err
		}
		for i := 0; i < kindBytes; i += 4096 {
			if sum += memory[i]; kind.prot&unix.PROT_WRITE != 0 {
				memory[i] = sum
			}
		}
		all = append(all, memory)
		if err := s.pause(strconv.FormatUint(uint64(uintptr(unsafe.Pointer(&memory[0]))), 10)); err != nil {
			return err
		}
	}
	for _, memory := range all {
		if err := unix.Munmap(memory); err != nil {
			return err
		}
	}
	return s.end(nil)
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

func mapPages(n int) ([]byte, error) {
	memory, err := unix.Mmap(-1, 0, n*4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANONYMOUS|unix.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	return memory, unix.Madvise(memory, unix.MADV_NOHUGEPAGE)
}

func touch(memory []byte) {
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
}

// playTouch lets args[0] threads touch args[1] pages each and give them back: args[2] times. The truth is the time that
// touching took, ns.
func playTouch(s stage, args []string) error {
	var n [3]int
	for i := range n {
		var err error
		if n[i], err = strconv.Atoi(args[i]); err != nil {
			return err
		}
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	var elapsed atomic.Int64
	for range n[2] {
		done, leave := make(chan error), make(chan struct{})
		for range n[0] {
			go func() {
				runtime.LockOSThread()
				memory, err := mapPages(n[1])
				if err == nil {
					begin := time.Now()
					touch(memory)
					elapsed.Add(int64(time.Since(begin)))
				}
				done <- err
				<-leave
				done <- unix.Munmap(memory)
			}()
		}
		for _, word := range []string{"full", "empty"} {
			var errs []error
			for range n[0] {
				errs = append(errs, <-done)
			}
			if err := errors.Join(errs...); err != nil {
				return err
			}
			if err := s.pause(word); err != nil {
				return err
			}
			if word == "full" {
				for range n[0] {
					leave <- struct{}{}
				}
			}
		}
	}
	return s.end(elapsed.Load())
}

// playFork forks a child, without exec, that touches args[0] pages.
func playFork(s stage, args []string) error {
	pages, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	up, down := make([]int, 2), make([]int, 2)
	if err := errors.Join(unix.Pipe(up), unix.Pipe(down)); err != nil {
		return err
	}
	memory, err := mapPages(pages)
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	child, errno := forkAndTouch(memory, up[1], down)
	if errno != 0 {
		return errno
	}
	if _, err := unix.Read(up[0], make([]byte, 1)); err != nil {
		return err
	}
	if err := s.pause(strconv.Itoa(child)); err != nil {
		return err
	}
	if err := unix.Close(down[1]); err != nil {
		return err
	}
	if _, err := unix.Wait4(child, nil, 0, nil); err != nil {
		return err
	}
	return s.end(nil)
}

// forkAndTouch gives the child's pid. The child is one thread of a Go program that has lost the others: it calls
// nothing but the kernel.
//
//go:norace
func forkAndTouch(memory []byte, up int, down []int) (int, syscall.Errno) {
	var b [1]byte
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, _, errno := syscall.RawSyscall(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0)
	if errno != 0 || pid != 0 {
		return int(pid), errno
	}
	for i := 0; i < len(memory); i += 4096 {
		memory[i] = 1
	}
	syscall.RawSyscall(syscall.SYS_WRITE, uintptr(up), uintptr(unsafe.Pointer(&b)), 1)
	syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(down[1]), 0, 0)
	syscall.RawSyscall(syscall.SYS_READ, uintptr(down[0]), uintptr(unsafe.Pointer(&b)), 1) // until the parent closes it
	syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	panic("not reached")
}

// playReplace touches args[0] pages, and execs a program that touches a few.
func playReplace(s stage, args []string) error {
	pages, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	memory, err := mapPages(pages)
	if err != nil {
		return err
	}
	touch(memory)
	if err := s.pause("full"); err != nil {
		return err
	}
	if err := os.Setenv(programEnv, "touch"); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", []string{"touch", "1", "23", "0"}, os.Environ())
}
