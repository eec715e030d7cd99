package reports

import (
	"fmt"

	"github.com/weft-profiler/weft/collector/recording"
)

func memoryMetrics() []Metric {
	return []Metric{
		{Name: "rss-peak-B", Column: "PEAK RSS", Unit: unitBytes, Better: lower, Headline: true, Events: true, Source: sourceMemory,
			Bound: "rss-peak-bound-B", Kind: recording.Measured,
			Definition: "Greatest resident memory from the gate to done, what was there at the gate included, from each change that the kernel makes (kmem:rss_stat): no sampler could miss it. It leaves out what no process figure holds: kernel memory (kernel-end-B, held-kernel-B/task) and socket buffers (held-socket-buffers-B/task). Of these no peak is known: they are read at quiet points. A page that n processes of the workload share counts n times.",
			Value:      memory(func(m *recording.Memory) int64 { return m.PeakBytes })},
		{Name: "rss-peak-bound-B", Column: "PEAK BOUND", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "How far rss-peak-B may be wrong, either way: the greatest single change of memory in the trial times the other CPUs that the threads can run on, since on each of them one change may be under way; before Linux 6.2, where the end of a page fault cannot be looked at, more. 0 where it is exact. Differences within it are not compared.",
			Value: func(t *recording.Trial) (float64, bool) {
				if t.Memory == nil {
					return 0, false
				}
				return float64(t.Memory.BoundBytes), true
			}},
		{Name: "rss-end-B", Column: "RSS", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Resident memory when the work is done and the process still there, Rss of /proc/PID/smaps_rollup. Not the peak: what was freed by then is not in it, and neither is kernel memory.",
			Value:      snapshot(recording.AtEnd, func(s recording.Snapshot) int64 { return s.RSSBytes })},
		{Name: "pss-end-B", Column: "PSS", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Proportional memory at the end, Pss of smaps_rollup: a page that n processes share counts 1/n. It moves with what else runs on the machine.",
			Value:      snapshot(recording.AtEnd, func(s recording.Snapshot) int64 { return s.PSSBytes })},
		{Name: "uss-end-B", Column: "USS", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Private memory at the end, Private_Clean + Private_Dirty of smaps_rollup: what would come back if the process ended.",
			Value:      snapshot(recording.AtEnd, func(s recording.Snapshot) int64 { return s.USSBytes })},
		{Name: "kernel-end-B", Column: "KERNEL", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Kernel memory of the process at the end: page tables, kernel stacks, tasks, sockets and the like, socket buffers left out; counts in /proc times sizes of slab objects. Snapshots in the recording name the source of each part.",
			Value:      kernelAt(recording.AtEnd)},
		{Name: "page-tables-end-B", Column: "PAGE TABLES", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Page tables of the process at the end, VmPTE of /proc/PID/status: kernel memory that RSS does not count.",
			Value:      snapshot(recording.AtEnd, func(s recording.Snapshot) int64 { return s.PageTableBytes })},
		{Name: "rss-gate-B", Column: "RSS GATE", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Resident memory at the gate, before any work, Rss of smaps_rollup: interpreter, imports, runtime.",
			Value:      snapshot(recording.AtGate, func(s recording.Snapshot) int64 { return s.RSSBytes })},
		{Name: "pss-gate-B", Column: "PSS GATE", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Proportional memory at the gate, Pss of smaps_rollup.",
			Value:      snapshot(recording.AtGate, func(s recording.Snapshot) int64 { return s.PSSBytes })},
		{Name: "uss-gate-B", Column: "USS GATE", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Private memory at the gate, Private_Clean + Private_Dirty of smaps_rollup.",
			Value:      snapshot(recording.AtGate, func(s recording.Snapshot) int64 { return s.USSBytes })},
		{Name: "kernel-gate-B", Column: "KERNEL GATE", Unit: unitBytes, Better: lower, Kind: recording.Measured,
			Definition: "Kernel memory of the process at the gate, as kernel-end-B.",
			Value:      kernelAt(recording.AtGate)},
	}
}

// goMemoryMetrics are the parts of a Go child's RSS at the end: they sum to it.
func goMemoryMetrics() []Metric {
	parts := []struct {
		name, column, definition string
		of                       func(recording.GoMemory) int64
	}{
		{"go-heap-live-end-B", "GO HEAP LIVE", "objects in use or not yet swept, /memory/classes/heap/objects of runtime/metrics.",
			func(m recording.GoMemory) int64 { return m.HeapLive }},
		{"go-heap-dead-end-B", "GO HEAP DEAD", "heap that holds no objects, unused and free.",
			func(m recording.GoMemory) int64 { return m.HeapDead }},
		{"go-stacks-end-B", "GO STACKS", "stacks of goroutines and of threads that the runtime made.",
			func(m recording.GoMemory) int64 { return m.Stacks }},
		{"go-runtime-end-B", "GO RUNTIME", "the runtime's own memory: metadata, profiling, other.",
			func(m recording.GoMemory) int64 { return m.Runtime }},
		{"go-file-end-B", "GO FILE", "file-backed memory, code and read-only data, Rss - Anonymous of smaps_rollup.",
			func(m recording.GoMemory) int64 { return m.FileBacked }},
		{"go-rest-end-B", "GO REST", "what is left; negative where the runtime counts memory that is not resident.",
			func(m recording.GoMemory) int64 { return m.Rest }},
	}
	var list []Metric
	for _, part := range parts {
		list = append(list, Metric{Name: part.name, Column: part.column, Unit: unitBytes, Better: neither, Kind: recording.Measured,
			Definition: "Part of a Go program's RSS at the end: " + part.definition,
			Value:      goMemory(part.of)})
	}
	return list
}

// heldMetrics come from pairs of held trials of one model: what a model makes once, whatever the number of tasks, is in
// both and cancels out.
func heldMetrics() []Metric {
	return []Metric{
		{Name: "held-user-B/task", Column: "HELD/TASK", Unit: unitBytes, Better: lower, Kind: recording.Held,
			Definition: "User memory of one more task that waits: growth of anonymous memory (Anonymous of smaps_rollup) from the gate to the moment when the origin holds every answer, in a trial at the concurrency asked for less that in one at a fifth of it, over the difference in the number of requests that were reached. " +
				fmt.Sprintf("Left out where that is fewer than %d: a helper thread, or a span of the heap, that one of the trials happens to have would count as the tasks'. ", recording.LeastHeldTasks) +
				"In tables it stands before the kernel memory: user+kern.",
			Pair: heldFigure(func(c recording.TaskCost, _ recording.Snapshot) (float64, bool) { return c.User, true })},
		{Name: "held-kernel-B/task", Column: "HELD KERNEL/TASK", Unit: unitBytes, Better: lower, Kind: recording.Held,
			Definition: "Kernel memory of one more task that waits, from the same trials: thread stacks, task structs, page tables, sockets, epoll items; socket buffers left out. From the account of the process's own cgroup where its bound is a tenth of the figure or less, else from counts in /proc times sizes of slab objects.",
			Pair:       heldFigure(func(c recording.TaskCost, _ recording.Snapshot) (float64, bool) { return c.Kernel, true })},
		{Name: "held-socket-buffers-B/task", Column: "HELD BUFFERS/TASK", Unit: unitBytes, Better: lower, Kind: recording.Held,
			Definition: "Bytes in the socket's queues of one more task that waits, from the same trials: in no figure of a process. Little while the answers are held; an answer that arrives takes more.",
			Pair:       heldFigure(heldBuffers)},
		{Name: "held-tasks", Column: "HELD", Unit: unitCount, Better: neither, Kind: recording.Held,
			Definition: "Requests that the origin held at once in the greater trial of the pair: what held figures are taken up to.",
			Pair: heldFigure(func(_ recording.TaskCost, many recording.Snapshot) (float64, bool) {
				return float64(many.Waiting), true
			})},
	}
}

// controlMetrics are of trials that go through the gate and do nothing: what a model costs before any work.
func controlMetrics() []Metric {
	rssEnd := snapshot(recording.AtEnd, func(s recording.Snapshot) int64 { return s.RSSBytes })
	ussEnd := snapshot(recording.AtEnd, func(s recording.Snapshot) int64 { return s.USSBytes })
	return []Metric{
		{Name: "control-rss-B", Column: "CONTROL RSS", Unit: unitBytes, Better: lower, Kind: recording.Control,
			Definition: "Resident memory at the end of a control trial, which goes through the gate and does no work: imports, interpreter, runtime. Rss of smaps_rollup.",
			Value:      rssEnd},
		{Name: "control-uss-B", Column: "CONTROL USS", Unit: unitBytes, Better: lower, Kind: recording.Control,
			Definition: "Private memory at the end of a control trial, Private_Clean + Private_Dirty of smaps_rollup.",
			Value:      ussEnd},
		{Name: "rss-over-control-B", Column: "RSS OVER CONTROL", Unit: unitBytes, Better: lower, Kind: recording.Measured, OverControl: true,
			Definition: "rss-end-B less the median of the model's control trials: resident memory that the work left behind.",
			Value:      rssEnd},
		{Name: "uss-over-control-B", Column: "USS OVER CONTROL", Unit: unitBytes, Better: lower, Kind: recording.Measured, OverControl: true,
			Definition: "uss-end-B less the median of the model's control trials: private memory that the work left behind.",
			Value:      ussEnd},
		{Name: "rss-peak-over-control-B", Column: "PEAK OVER CONTROL", Unit: unitBytes, Better: lower, Events: true, Source: sourceMemory,
			Kind: recording.Measured, OverControl: true,
			Definition: "rss-peak-B less the median peak of the model's control trials: what the work added at most.",
			Value:      memory(func(m *recording.Memory) int64 { return m.PeakBytes })},
	}
}
