package recording

import "slices"

// TaskCost is what one more task in flight costs while it waits, in bytes a task. It may be negative: memory also
// shrinks, and what is near nothing is noise.
type TaskCost struct {
	Way     string  // how the kernel's part was found out: ByCgroup or ByProc
	Tasks   int64   // by how many the two trials differ
	User    float64 // growth of Snapshot.AnonymousBytes
	Kernel  float64 // growth of all parts but user and socket buffers
	Buffers float64 // growth of PartSocketBuffers
	Bound   float64 // Kernel may be too great or too small by so much
}

// sharp is how much of a figure its bound may be: 1 in so many.
const sharp = 10

// LeastHeldTasks is by how many tasks two held trials have to differ: a helper thread that one of them happens to have, or
// a span of its heap, counts as the tasks'.
const LeastHeldTasks = 8

// HeldPerTask gives what a held task costs, from two held trials of a model with few tasks and with many: what the
// second one grew more from its gate to held, over the tasks that waited more. What a model makes once, whatever the
// number of tasks, is in neither. It divides by the tasks that did wait, not by those asked for.
//
// User memory is anonymous memory, which follows from the process alone; USS and RSS have pages of files too, which
// become private, or are there at all, by what other processes do. The kernel's memory is that of a cgroup where
// both trials have it and the tasks are so many that its bound is a tenth of the figure or less; else it is by
// /proc. Not ok is a model that has no second trial, a trial that was not held, one with not even LeastHeldTasks
// more than the other, and trials of which no way is known in both.
func HeldPerTask(few, many *Trial) (TaskCost, bool) {
	if cost, ok := heldPerTask(few, many, ByCgroup); ok && sharp*cost.Bound <= cost.Kernel {
		return cost, true
	}
	if cost, ok := heldPerTask(few, many, ByProc); ok {
		return cost, true
	}
	return heldPerTask(few, many, ByCgroup)
}

func heldPerTask(few, many *Trial, way string) (TaskCost, bool) {
	less, lessOK := heldGrowth(few, way)
	more, moreOK := heldGrowth(many, way)
	tasks := more.tasks - less.tasks
	if !lessOK || !moreOK || tasks < LeastHeldTasks || !slices.Equal(less.parts, more.parts) {
		return TaskCost{}, false
	}
	perTask := func(bytes int64) float64 { return float64(bytes) / float64(tasks) }
	return TaskCost{
		Way: way, Tasks: tasks,
		User:    perTask(more.user - less.user),
		Kernel:  perTask(more.kernel - less.kernel),
		Buffers: perTask(more.buffers - less.buffers),
		Bound:   perTask(more.bound + less.bound),
	}, true
}

// growth is what a trial added from its gate to the moment when all its tasks waited.
type growth struct {
	tasks, user, kernel, buffers int64
	bound                        int64    // of kernel
	parts                        []string // whose growth it is
}

func heldGrowth(t *Trial, way string) (growth, bool) {
	if t == nil {
		return growth{}, false
	}
	gate, held := t.Snapshots[AtGate], t.Snapshots[AtHeld]
	before, after := gate.Cost[way], held.Cost[way]
	if len(before) == 0 || !slices.Equal(partNames(before), partNames(after)) {
		return growth{}, false
	}
	kernelBefore, buffersBefore := gate.KernelBytes(way)
	kernelAfter, buffersAfter := held.KernelBytes(way)
	return growth{
		tasks:   held.Waiting,
		user:    held.AnonymousBytes - gate.AnonymousBytes,
		kernel:  kernelAfter - kernelBefore,
		buffers: buffersAfter - buffersBefore,
		bound:   kernelBound(before) + kernelBound(after),
		parts:   partNames(after),
	}, true
}

// kernelBound is the greatest of the parts' bounds: they are of one account, not apart.
func kernelBound(parts []Part) int64 {
	var bound int64
	for _, p := range parts {
		if p.Name != PartUser && p.Name != PartSocketBuffers {
			bound = max(bound, p.Bound)
		}
	}
	return bound
}

func partNames(parts []Part) []string {
	var names []string
	for _, p := range parts {
		names = append(names, p.Name)
	}
	return names
}

// KernelBytes sums the kernel's memory of the process, found out in one way, and apart from it what stands in its
// sockets' queues. Both are 0 where the way is not known.
func (s Snapshot) KernelBytes(way string) (kernel, buffers int64) {
	for _, p := range s.Cost[way] {
		switch p.Name {
		case PartUser:
		case PartSocketBuffers:
			buffers += p.Bytes
		default:
			kernel += p.Bytes
		}
	}
	return kernel, buffers
}
