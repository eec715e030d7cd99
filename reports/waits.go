package reports

import (
	"cmp"
	"slices"

	"github.com/weft-profiler/weft/collector/recording"
)

// Wait is one cause of blocked time: of threads, not of tasks.
type Wait struct {
	Cause string  `json:"cause"` // one of recording.Causes
	NS    float64 `json:"ns"`    // over the finished units of all measured trials that did all of their work, ns a unit
}

// waits sums over the measured trials; most first, what was never waited for is left out.
func waits(trials []*recording.Trial) []Wait {
	list := []Wait{}
	units := 0
	sums := map[string]int64{}
	for _, t := range trials {
		if t.Kind != recording.Measured || !t.OK() || t.Sched == nil {
			continue
		}
		units += max(0, t.Work.Units)
		for cause, ns := range t.Sched.Time.BlockedNS {
			sums[cause] += ns
		}
	}
	for _, cause := range recording.Causes() {
		if sums[cause] > 0 && units > 0 {
			list = append(list, Wait{cause, float64(sums[cause]) / float64(units)})
		}
	}
	slices.SortStableFunc(list, func(a, b Wait) int { return cmp.Compare(b.NS, a.NS) })
	return list
}

// mostWait is the cause with the most time. Where one thread does for all tasks, its helpers are parked on a futex
// while there is nothing to do, and Go's monitor sleeps between its looks, each for the whole time: that is no wait
// of the model's.
func mostWait(list []Wait, detail *recording.ModelDetail) string {
	if len(list) == 0 {
		return ""
	}
	if detail != nil && !detail.ThreadPerTask {
		for _, w := range list {
			if w.Cause != recording.CauseFutex && w.Cause != recording.CauseSleep {
				return w.Cause
			}
		}
	}
	return list[0].Cause
}

// waited is the blocked time of one cause, ns a unit.
func (m *Model) waited(cause string) float64 {
	for _, w := range m.Waits {
		if w.Cause == cause {
			return w.NS
		}
	}
	return 0
}

// shortCauses are causes as the terminal's table has room for them. A cause that is not here is short enough.
func shortCauses() map[string]string {
	return map[string]string{
		recording.CauseSocketRead:  "socket",
		recording.CauseSocketWrite: "send",
		recording.CauseChildWait:   "child",
		recording.CauseIOUring:     "uring",
		recording.CauseStopped:     "stop",
		recording.CausePageFault:   "fault",
	}
}

func waitCell(m *Model) string {
	if short, ok := shortCauses()[m.Wait]; ok {
		return short
	}
	return m.Wait
}
