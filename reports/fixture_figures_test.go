package reports

import (
	"maps"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// figureSpec is what a synthetic model's threads and memory do, beside modelSpec.
type figureSpec struct {
	peak                   int64 // bytes, resident
	user, kernel, buffers  int64 // bytes a held task
	socket, epoll, futexes int64 // blocked time over the wall time: so many threads wait so
}

func figuresOf(model string) figureSpec {
	return map[string]figureSpec{
		"go-sequential": {11*mib + 200<<10, 0, 0, 0, 0, 1, 3},
		"go-threads":    {14 * mib, 26 << 10, 26 << 10, 120, 80, 0, 4},
		"go-goroutines": {13 * mib, 6 << 10, 4 << 10, 100, 0, 1, 3},
		"go-eventloop":  {12 * mib, 400, 4 << 10, 100, 0, 1, 0},
		"py-threads":    {33*mib + 500<<10, 45 << 10, 31 << 10, 110, 3, 0, 14},
	}[model]
}

func detailOfSpec(s modelSpec) recording.ModelDetail {
	return recording.ModelDetail{Name: s.name, Summary: "one way to do it",
		Sequential: strings.HasSuffix(s.name, "-sequential"), ThreadPerTask: strings.HasSuffix(s.name, "-threads")}
}

// addFigures is the evidence of the objects sched and memory, of cost, of the Go runtime, of the host and the origin.
func addFigures(t *recording.Trial, s modelSpec, spread func(int64) int64) {
	f := figuresOf(s.name)
	t.Sched = &recording.Sched{
		Time: recording.ThreadTime{RunningNS: spread(s.cpu), RunnableNS: spread(s.cpu) / 4, BlockedNS: map[string]int64{},
			Wakeups: 100 * s.switches, Migrations: 50},
		RunQueue: recording.Histogram{Counts: make([]int64, 22), SumNS: 1000 * 9000},
		Wakers:   []recording.Waker{{TID: 0, Name: "swapper", Count: 70 * s.switches}, {TID: t.PID, Name: s.name, Count: 30 * s.switches}},
	}
	for cause, threads := range map[string]int64{recording.CauseSocketRead: f.socket, recording.CauseEpoll: f.epoll, recording.CauseFutex: f.futexes} {
		if threads > 0 {
			t.Sched.Time.BlockedNS[cause] = threads * (spread(s.wall) - ms)
		}
	}
	t.Sched.RunQueue.Counts[12], t.Sched.RunQueue.Counts[17], t.Sched.RunQueue.Counts[21] = 980, 15, 5
	t.Memory = &recording.Memory{PeakBytes: spread(f.peak), SetupPeakBytes: s.gate, BoundBytes: 256 << 10}
	t.Load = &recording.HostLoad{BusyNS: spread(s.cpu) + 30*ms, StealNS: 0, StallNS: 5 * ms}
	t.Origin.CPUNS, t.Origin.RunDelayNS = 20*ms, 3*ms
	for point, tasks := range map[string]int64{recording.AtGate: 0, recording.AtEnd: s.flight} {
		snap := t.Snapshots[point]
		snap.Cost = costOfTasks(f, tasks, snap.USSBytes)
		t.Snapshots[point] = snap
	}
	if strings.HasPrefix(s.name, "go-") {
		end := t.Snapshots[recording.AtEnd]
		t.GoMemory = map[string]recording.GoMemory{recording.AtEnd: {RSSBytes: end.RSSBytes, HeapLive: 3 * mib, HeapDead: mib, Stacks: mib / 2,
			Runtime: 2 * mib, FileBacked: 4 * mib, Rest: end.RSSBytes - 10*mib - mib/2}}
	}
	t.Threads.List = threadsOf(t, s)
}

// costOfTasks has the parts by both ways, some per cent apart, as they are.
func costOfTasks(f figureSpec, tasks, uss int64) map[string][]recording.Part {
	user := recording.Part{Name: recording.PartUser, Bytes: uss, Source: "smaps_rollup"}
	buffers := recording.Part{Name: recording.PartSocketBuffers, Bytes: tasks * f.buffers, Source: "sock_diag"}
	return map[string][]recording.Part{
		recording.ByCgroup: {{Name: recording.PartKernel, Bytes: 200<<10 + tasks*f.kernel, Bound: 1 << 12, Source: "memory.kmem.usage_in_bytes"}, buffers},
		recording.ByProc: {user, {Name: recording.PartPageTables, Bytes: 90 << 10, Source: "VmPTE"},
			{Name: recording.PartSockets, Bytes: 100<<10 + tasks*f.kernel*97/100, Source: "/sys/kernel/slab"}, buffers},
	}
}

// threadsOf is the main thread and those that it and others made.
func threadsOf(t *recording.Trial, s modelSpec) []recording.Thread {
	list := []recording.Thread{{PID: t.PID, TID: t.PID, Name: s.name[:2], StartNS: t.Phases.StartNS}}
	for i := int64(1); i < s.threads; i++ {
		creator := t.PID
		if i > 3 {
			creator = t.PID + 1
		}
		list = append(list, recording.Thread{PID: t.PID, TID: t.PID + int(i), CreatorTID: creator, Name: s.name[:2], StartNS: t.Phases.StartNS + i})
	}
	return list
}

// addHeldAndControl adds a pair of held trials for each model that can have more than one request in flight, and a
// control trial.
func addHeldAndControl(r *recording.Recording) {
	for _, s := range specs() {
		asked := []int{10, 100}
		if detailOfSpec(s).Sequential {
			asked = []int{1}
		}
		for _, c := range asked {
			addTrial(r, heldTrial(s, c))
		}
	}
	for _, s := range specs() {
		addTrial(r, controlTrial(s))
	}
}

// heldTrial has some memory that does not depend on the tasks.
func heldTrial(s modelSpec, concurrency int) *recording.Trial {
	t := newTestTrial(s, recording.Held, 9)
	f := figuresOf(s.name)
	t.Concurrency = concurrency
	held := t.Snapshots[recording.AtGate]
	held.Waiting = min(int64(concurrency), s.flight)
	held.USSBytes += 300<<10 + held.Waiting*f.user
	held.RSSBytes += 300<<10 + held.Waiting*f.user
	held.AnonymousBytes += 300<<10 + held.Waiting*f.user
	held.Cost = costOfTasks(f, held.Waiting, held.USSBytes)
	t.Snapshots[recording.AtHeld] = held
	return t
}

// controlTrial is what is there without any work.
func controlTrial(s modelSpec) *recording.Trial {
	t := newTestTrial(s, recording.Control, 0)
	end := t.Snapshots[recording.AtGate]
	end.RSSBytes += 200 << 10
	end.USSBytes += 200 << 10
	t.Snapshots[recording.AtEnd] = end
	t.Memory.PeakBytes = end.RSSBytes
	t.Work = recording.Work{Digest: "e3b0c442"}
	t.Phases.LastNS, t.Phases.DoneNS, t.Phases.ExitNS = 0, t.Phases.GateNS+ms, t.Phases.GateNS+2*ms
	t.Sockets, t.Origin, t.GoMemory = recording.Sockets{}, &recording.Origin{}, nil
	return t
}

// foundFixture is how the frames of a profiled trial were found: Python's own cannot be.
func foundFixture(s modelSpec) []recording.Found {
	program := map[string]int64{recording.FoundRegister: 3 * s.cpu, recording.FoundFramePointer: 21 * s.cpu, recording.FoundInlined: 4 * s.cpu}
	if strings.HasPrefix(s.name, "py-") {
		program = map[string]int64{recording.FoundRegister: 3 * s.cpu}
	}
	with := func(way string, width int64) map[string]int64 {
		widths := maps.Clone(program)
		widths[way] = width
		return widths
	}
	return []recording.Found{
		{Kind: recording.KindCPU, Widths: with(recording.FoundUnwinder, 7*s.cpu)},
		{Kind: recording.KindOffCPU, Widths: with(recording.FoundUnwinder, 30*s.cpu)},
		{Kind: recording.KindSocket, Widths: with(recording.FoundFirst, 12*s.cpu)},
	}
}
