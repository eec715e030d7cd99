package reports

import (
	"slices"

	"github.com/weft-profiler/weft/collector/recording"
)

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

// heldFigure reads one figure of what a held task costs.
func heldFigure(of func(cost recording.TaskCost, many recording.Snapshot) (float64, bool)) func(few, many *recording.Trial) (float64, bool) {
	return func(few, many *recording.Trial) (float64, bool) {
		cost, ok := recording.HeldPerTask(few, many)
		if !ok {
			return 0, false
		}
		return of(cost, many.Snapshots[recording.AtHeld])
	}
}

// heldBuffers is false where nobody could read the sockets' queues.
func heldBuffers(cost recording.TaskCost, many recording.Snapshot) (float64, bool) {
	known := slices.ContainsFunc(many.Cost[cost.Way], func(p recording.Part) bool { return p.Name == recording.PartSocketBuffers })
	return cost.Buffers, known
}

// kernelAt is the kernel's memory by /proc: the account of a cgroup, which the process joined after it had begun, is
// good for differences.
func kernelAt(point string) value {
	return func(t *recording.Trial) (float64, bool) {
		s := t.Snapshots[point]
		kernel, _ := s.KernelBytes(recording.ByProc)
		return float64(kernel), len(s.Cost[recording.ByProc]) > 0
	}
}
