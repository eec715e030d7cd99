package reports

import "github.com/weft-profiler/weft/collector/recording"

// heldPair is two held trials of one model, one of which asks for more at once: their places.
type heldPair struct{ few, many int }

// heldPairs finds the pairs in the trials of one model: a pair's trials follow each other, the lesser first. A model
// that has never more than one request in flight has none.
func heldPairs(trials []*recording.Trial) []heldPair {
	var pairs []heldPair
	few := -1
	for i, t := range trials {
		if t.Kind != recording.Held {
			continue
		}
		if few < 0 || t.Concurrency <= trials[few].Concurrency {
			few = i
			continue
		}
		if trials[few].OK() && t.OK() {
			pairs = append(pairs, heldPair{few, i})
		}
		few = -1
	}
	return pairs
}

// heldCost is what one more held task costs, bytes.
type heldCost struct {
	user, kernel, buffers float64
	hasKernel, hasBuffers bool
	tasks                 int64 // held at once in the greater trial
}

// heldPerTask is the slope of memory over the number of tasks that were reached: growth from the gate to the moment when
// all answers are held, in many less in few, over the difference in tasks. It can be negative: memory may shrink.
func heldPerTask(few, many *recording.Trial) (heldCost, bool) {
	tasks := many.Snapshots[recording.AtHeld].Waiting - few.Snapshots[recording.AtHeld].Waiting
	var cost heldCost
	user, ok := slope(few, many, tasks, func(s recording.Snapshot) (int64, bool) { return s.USSBytes, s.USSBytes > 0 })
	if !ok {
		return cost, false
	}
	cost.user, cost.tasks = user, many.Snapshots[recording.AtHeld].Waiting
	for _, way := range costWays() {
		if !cost.hasKernel {
			cost.kernel, cost.hasKernel = slope(few, many, tasks, kernelBytes(way))
		}
		if !cost.hasBuffers {
			cost.buffers, cost.hasBuffers = slope(few, many, tasks, bufferBytes(way))
		}
	}
	return cost, true
}

// slope is false where one of the four readings lacks the figure, or the pair does not differ in tasks.
func slope(few, many *recording.Trial, tasks int64, of func(recording.Snapshot) (int64, bool)) (float64, bool) {
	if tasks <= 0 {
		return 0, false
	}
	var growth int64
	for _, part := range []struct {
		trial *recording.Trial
		sign  int64
	}{{many, 1}, {few, -1}} {
		gate, atGate := part.trial.Snapshots[recording.AtGate]
		held, atHeld := part.trial.Snapshots[recording.AtHeld]
		before, known := of(gate)
		after, knownToo := of(held)
		if !atGate || !atHeld || !known || !knownToo {
			return 0, false
		}
		growth += part.sign * (after - before)
	}
	return float64(growth) / float64(tasks), true
}

func heldFigure(of func(heldCost) (float64, bool)) func(few, many *recording.Trial) (float64, bool) {
	return func(few, many *recording.Trial) (float64, bool) {
		cost, ok := heldPerTask(few, many)
		if !ok {
			return 0, false
		}
		return of(cost)
	}
}

// costWays are the ways of finding out kernel memory, the kernel's own account first.
func costWays() []string { return []string{recording.ByCgroup, recording.ByProc} }

// kernelBytes sums the parts that are neither user memory nor socket buffers.
func kernelBytes(way string) func(recording.Snapshot) (int64, bool) {
	return func(s recording.Snapshot) (int64, bool) {
		return sumParts(s.Cost[way], func(name string) bool {
			return name != recording.PartUser && name != recording.PartSocketBuffers
		})
	}
}

func bufferBytes(way string) func(recording.Snapshot) (int64, bool) {
	return func(s recording.Snapshot) (int64, bool) {
		return sumParts(s.Cost[way], func(name string) bool { return name == recording.PartSocketBuffers })
	}
}

// sumParts is false where there is no such part.
func sumParts(parts []recording.Part, counts func(name string) bool) (int64, bool) {
	var sum int64
	found := false
	for _, p := range parts {
		if counts(p.Name) {
			sum += p.Bytes
			found = true
		}
	}
	return sum, found
}

// kernelAt reads the first way that has kernel memory.
func kernelAt(point string) value {
	return func(t *recording.Trial) (float64, bool) {
		for _, way := range costWays() {
			if n, ok := kernelBytes(way)(t.Snapshots[point]); ok {
				return float64(n), true
			}
		}
		return 0, false
	}
}
