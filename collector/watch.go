package collector

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/collector/cost"
	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/collector/symbols"
)

// drainEvery is how often the ring is read: at 4 MiB it holds 6,000 ends of threads, with their times.
const drainEvery = 20 * time.Millisecond

// mostEnds is how many threads, and how many connections, are listed that have ended: a program that makes them
// without end must not take weft's memory.
const mostEnds = 1 << 16

// Watch is one process under observation, from before its first instruction. The steps are called in order:
// Gate, Held if there is a hold, Done; and Close in any case.
type Watch struct {
	c      *Collector
	trial  *recording.Trial
	names  *symbols.Process // for profiled trials
	others *symbols.Group   // its descendants, likewise
	gos    *goroutines      // of the process in profiled trials, nil where it is not Go's
	stacks []recording.Stack
	off    map[uint32]offCPU // by tid, for profiled trials
	cgroup *cost.Cgroup      // of the process, nil in timed trials and where none can be made

	atGate struct {
		threads, awaiting, rss bpf.Gauge
		cpuNS                  int64
		switches               switches
		load                   load
		costs                  []bpf.Cost
	}

	stop, stopped chan struct{} // of the drain
	drainErr      error         // owned by the drain until stopped is closed, like all that follow
	gone          []bpf.Thread
	closed        []bpf.Connection
	times         []bpf.ThreadTime // of threads that have ended
	unlisted      int64            // ends beyond mostEnds
	dropped       bpf.Totals       // of the connections among them
	timesUnlisted int64            // times beyond mostEnds

	unlistedConnections int64 // of unlisted

	// Sums of what is not listed.
	droppedSwitches  switches
	droppedProcesses int64
	droppedReplies   recording.Awaiting   // without a peak
	droppedTime      recording.ThreadTime // from the gate to done
	droppedMadeUp    int64                // bpf.ThreadTime's Unseen
}

// Watch starts a process by calling start, and fills trial with what it sees of it. Whatever start starts is
// watched, with all descendants. With stacks, user stacks are taken: such a trial is not to be timed.
func (c *Collector) Watch(trial *recording.Trial, stacks bool, start func() (pid int, err error)) (*Watch, error) {
	if err := c.load(stacks); err != nil {
		return nil, err
	}
	trial.Curves = map[string]recording.Curve{}
	trial.Snapshots = map[string]recording.Snapshot{}
	trial.Missing = c.Missing()
	w := &Watch{c: c, trial: trial}
	w.makeGroup()
	if err := w.begin(start); err != nil {
		return nil, errors.Join(err, w.removeGroup())
	}
	w.joinGroup()
	w.startDrain()
	return w, nil
}

// begin adopts what start starts.
func (w *Watch) begin(start func() (pid int, err error)) error {
	self := os.Getpid()
	if err := w.c.probes.Adopt(self); err != nil {
		return fmt.Errorf("adopt children: %w", err)
	}
	w.trial.Phases.StartNS = Now()
	pid, err := start()
	if err := errors.Join(err, w.c.probes.Disown(self)); err != nil {
		return err
	}
	w.trial.PID = pid
	return nil
}

// Now is CLOCK_MONOTONIC in ns, the clock of every time in a recording.
func Now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // always there
	}
	return ts.Nano()
}

// Gate takes the baselines of a process that says that it is ready, and lets it go by calling open.
func (w *Watch) Gate(open func() error) error {
	w.trial.Phases.ReadyNS = Now()
	if err := w.snapshot(recording.AtGate, 0); err != nil {
		return err
	}
	if err := w.baseline(); err != nil {
		return err
	}
	w.trial.Phases.GateNS = Now()
	if err := w.c.probes.OpenGate(w.trial.Phases.GateNS); err != nil {
		return fmt.Errorf("open gate: %w", err)
	}
	return open()
}

func (w *Watch) baseline() error {
	var err error
	if w.atGate.threads, err = w.c.probes.Gauge(bpf.GaugeThreads); err != nil {
		return err
	}
	if w.atGate.awaiting, err = w.c.probes.Gauge(bpf.GaugeAwaiting); err != nil {
		return err
	}
	if w.atGate.rss, err = w.c.probes.Gauge(bpf.GaugeRSS); err != nil {
		return err
	}
	all, err := w.lives()
	if err != nil {
		return err
	}
	if err := w.lookForNames(); err != nil {
		return err
	}
	w.startDrain()
	w.atGate.switches = w.switchesOf(all.threads)
	if w.atGate.cpuNS, err = cpuTime(w.trial.PID); err != nil {
		return err
	}
	w.trial.CPU.SetupNS = w.atGate.cpuNS
	if w.atGate.load, err = readLoad(w.c.proc); err != nil {
		return err
	}
	w.atGate.costs, err = w.c.probes.Costs()
	return err
}

// lookForNames prepares for the names of stacks. The drain stands still meanwhile.
func (w *Watch) lookForNames() error {
	if !w.c.stacks {
		return nil
	}
	var err error
	if w.names, err = w.c.symbols.Process(w.trial.PID); err != nil {
		return fmt.Errorf("read mappings: %w", err)
	}
	w.others = w.c.symbols.NewGroup()
	if w.gos, err = watchGoroutines(w.c.probes, w.names, w.trial.PID); err != nil {
		if _, gone := os.Readlink(fmt.Sprintf("/proc/%d/exe", w.trial.PID)); gone != nil { // nothing was refused
			return fmt.Errorf("look for goroutines: %w", err)
		}
		w.trial.Missing = append(w.trial.Missing, recording.Missing{Probe: "goroutines", Reason: inOneLine(err)})
	}
	return nil
}

// Held reads /proc while the origin holds the answers to so many requests.
func (w *Watch) Held(waiting int) error {
	return w.snapshot(recording.AtHeld, waiting)
}

// Done collects everything. The process stands at its second gate: it has finished its work and is still
// there. Of one that is not, what the kernel side has is collected all the same, and the error says so.
func (w *Watch) Done() error {
	w.trial.Phases.DoneNS = Now()
	errs := []error{w.collectCosts()}
	cpu, err := cpuTime(w.trial.PID)
	errs = append(errs, err)
	if err == nil {
		w.trial.CPU.WorkNS = cpu - w.atGate.cpuNS
	}
	errs = append(errs, w.collectLoad(), w.collect(), w.snapshotAtEnd())
	return errors.Join(errs...)
}

// collectLoad says what else the machine did; nothing when the gate was never opened.
func (w *Watch) collectLoad() error {
	if w.trial.Phases.GateNS == 0 {
		return nil
	}
	now, err := readLoad(w.c.proc)
	if err == nil {
		w.trial.Load = now.since(w.atGate.load)
	}
	return err
}

// Close ends the watch. The process should be gone: its cgroup is removed.
func (w *Watch) Close() error {
	w.stopDrain()
	err := w.removeGroup()
	if w.names == nil {
		return err
	}
	return errors.Join(err, w.names.Close(), w.others.Close())
}

func (w *Watch) startDrain() {
	w.stop, w.stopped = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(w.stopped)
		tick := time.NewTicker(drainEvery)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-tick.C:
				w.drain()
				if n%drainStacksEvery == 0 {
					w.drainErr = errors.Join(w.drainErr, w.drainStacks())
				}
			case <-w.stop:
				w.drain()
				return
			}
		}
	}()
}

func (w *Watch) drain() {
	err := w.c.probes.Drain(bpf.Ends{
		Thread:     w.threadGone,
		Time:       w.timeGone,
		Connection: w.connectionGone,
	})
	if w.drainErr == nil {
		w.drainErr = err
	}
}

// drainStacks reads the stacks, then who ran (see bpf.Probes.TakeGoroutines), and looks at the descendants while they
// are there.
func (w *Watch) drainStacks() error {
	err := errors.Join(w.c.probes.DrainStacks(), w.gos.take(w.c.probes))
	w.lookAtOthers()
	return err
}

func (w *Watch) lookAtOthers() {
	if w.others == nil {
		return
	}
	for _, pid := range w.c.probes.StackPIDs() {
		if pid != w.trial.PID {
			w.others.Look(pid)
		}
	}
}

func (w *Watch) threadGone(t bpf.Thread) {
	if len(w.gone) >= mostEnds {
		w.droppedSwitches = w.droppedSwitches.plus(t)
		w.droppedProcesses += int64(t.Leader)
	}
	w.gone = listEnd(w, w.gone, t)
}

func (w *Watch) connectionGone(c bpf.Connection) {
	if len(w.closed) >= mostEnds {
		w.dropped = w.dropped.Plus(c.Totals())
		w.droppedReplies.Replies += int64(c.Replies)
		w.droppedReplies.SumNS += int64(c.AwaitedNs)
		w.unlistedConnections++
	}
	w.closed = listEnd(w, w.closed, c)
}

func (w *Watch) timeGone(t bpf.ThreadTime) {
	if len(w.times) >= mostEnds {
		w.timesUnlisted++
		addTime(&w.droppedTime, bpf.Spent(t.Work))
		w.droppedMadeUp += int64(t.Unseen)
		return
	}
	w.times = append(w.times, t)
}

// listEnd appends to a list of ends, up to mostEnds.
func listEnd[T any](w *Watch, list []T, end T) []T {
	if len(list) >= mostEnds {
		w.unlisted++
		return list
	}
	return append(list, end)
}

// stopDrain reads what is in the ring and stops; after it, gone and closed are the caller's.
func (w *Watch) stopDrain() {
	if w.stop == nil {
		return
	}
	close(w.stop)
	<-w.stopped
	w.stop = nil
}

// cpuTime is the process CPU clock of another process, threads that are gone included: the clock id is
// MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) of include/linux/posix-timers.h.
func cpuTime(pid int) (int64, error) {
	const schedClock = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^uint32(pid)<<3|schedClock), &ts); err != nil {
		return 0, fmt.Errorf("read CPU clock of process %d: %w", pid, err)
	}
	return ts.Nano(), nil
}
