package reports

import (
	"slices"

	"github.com/weft-profiler/weft/collector/recording"
)

// value reads one figure of a trial, false where there is no evidence.
type value = func(*recording.Trial) (float64, bool)

// quantity is the same for a sum that is not divided yet.
type quantity = func(*recording.Trial) (int64, bool)

func wall(t *recording.Trial) (float64, bool) {
	ns := t.WorkNS()
	return float64(ns), ns > 0
}

func setup(t *recording.Trial) (float64, bool) {
	p := t.Phases
	return float64(p.ReadyNS - p.StartNS), p.StartNS > 0 && p.ReadyNS > p.StartNS
}

// whole is a quantity that is not divided.
func whole(of quantity) value {
	return func(t *recording.Trial) (float64, bool) {
		n, ok := of(t)
		return float64(n), ok
	}
}

// perUnit divides by the finished units.
func perUnit(of quantity) value {
	return func(t *recording.Trial) (float64, bool) {
		n, ok := of(t)
		if !ok || t.Work.Units <= 0 {
			return 0, false
		}
		return float64(n) / float64(t.Work.Units), true
	}
}

// positive takes 0 for a figure that was not recorded.
func positive(of func(*recording.Trial) int64) value {
	return func(t *recording.Trial) (float64, bool) {
		n := of(t)
		return float64(n), n > 0
	}
}

func snapshot(point string, of func(recording.Snapshot) int64) value {
	return func(t *recording.Trial) (float64, bool) {
		s, ok := t.Snapshots[point]
		n := of(s)
		return float64(n), ok && n > 0
	}
}

func memory(of func(*recording.Memory) int64) value {
	return func(t *recording.Trial) (float64, bool) {
		if t.Memory == nil || of(t.Memory) <= 0 {
			return 0, false
		}
		return float64(of(t.Memory)), true
	}
}

func goMemory(of func(recording.GoMemory) int64) value {
	return func(t *recording.Trial) (float64, bool) {
		m, ok := t.GoMemory[recording.AtEnd]
		return float64(of(m)), ok
	}
}

// originOf is the origin's account, or an empty one.
func originOf(t *recording.Trial) recording.Origin {
	if t.Origin == nil {
		return recording.Origin{}
	}
	return *t.Origin
}

func inFlight(t *recording.Trial) (float64, bool) {
	n := t.InFlight()
	return float64(n), n > 0
}

// switches reads from a trial in which any were counted.
func switches(of func(voluntary, involuntary int64) int64) quantity {
	return func(t *recording.Trial) (int64, bool) {
		v, inv := t.Threads.VoluntarySwitches, t.Threads.InvoluntarySwitches
		return of(v, inv), v+inv > 0
	}
}

// tcp reads from the TCP sockets of a trial that has any.
func tcp(of func(recording.Transport) int64) quantity {
	return func(t *recording.Trial) (int64, bool) {
		s, ok := t.Sockets.Transports["tcp"]
		return of(s), ok
	}
}

// allSockets sums over the transports.
func allSockets(of func(recording.Transport) int64) quantity {
	return func(t *recording.Trial) (int64, bool) {
		var n int64
		for _, s := range t.Sockets.Transports {
			n += of(s)
		}
		return n, len(t.Sockets.Transports) > 0
	}
}

func connections(t *recording.Trial) (float64, bool) {
	n := 0
	for _, c := range t.Sockets.Connections {
		if c.Transport == "tcp" {
			n++
		}
	}
	return float64(n), n > 0
}

func awaitingMean(t *recording.Trial) (float64, bool) {
	a := t.Sockets.Awaiting
	if a.Replies <= 0 {
		return 0, false
	}
	return float64(a.SumNS) / float64(a.Replies), true
}

func firstByte(t *recording.Trial) (float64, bool) {
	var waits []float64
	for _, c := range t.Sockets.Connections {
		if c.Side == "client" && c.FirstSendNS > 0 && c.FirstRecvNS >= c.FirstSendNS {
			waits = append(waits, float64(c.FirstRecvNS-c.FirstSendNS))
		}
	}
	if len(waits) == 0 {
		return 0, false
	}
	return median(waits), true
}

func bpfShare(t *recording.Trial) (float64, bool) {
	ns, runs := bpfCost(t)
	if runs == 0 || t.CPU.WorkNS <= 0 {
		return 0, false
	}
	return float64(ns) / float64(t.CPU.WorkNS), true
}

// bpfCost sums over the programs.
func bpfCost(t *recording.Trial) (ns, runs int64) {
	for _, p := range t.BPF {
		ns += p.RunNS
		runs += p.Runs
	}
	return ns, runs
}

// median leaves its argument as it is.
func median(values []float64) float64 {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
