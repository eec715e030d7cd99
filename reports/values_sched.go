package reports

import (
	"math"

	"github.com/weft-profiler/weft/collector/recording"
)

// threadTime reads the sum over a trial's threads.
func threadTime(of func(*recording.ThreadTime) int64) quantity {
	return func(t *recording.Trial) (int64, bool) {
		if t.Sched == nil {
			return 0, false
		}
		return of(&t.Sched.Time), true
	}
}

// blockedNS sums over the causes.
func blockedNS(t *recording.ThreadTime) int64 {
	var sum int64
	for _, ns := range t.BlockedNS {
		sum += ns
	}
	return sum
}

// runQueue is the histogram of waits for a CPU and their number, 0 where there were none.
func runQueue(t *recording.Trial) (recording.Histogram, int64) {
	if t.Sched == nil {
		return recording.Histogram{}, 0
	}
	return t.Sched.RunQueue, waitsOf(t.Sched.RunQueue)
}

func waitsOf(h recording.Histogram) int64 {
	var waits int64
	for _, n := range h.Counts {
		waits += n
	}
	return waits
}

func runQueueMean(t *recording.Trial) (float64, bool) {
	h, waits := runQueue(t)
	if waits <= 0 {
		return 0, false
	}
	return float64(h.SumNS) / float64(waits), true
}

func runQueueP99(t *recording.Trial) (float64, bool) {
	h, _ := runQueue(t)
	return quantile(h, 99)
}

// quantile is the upper end of the bucket that so many per cent of the waits reach into.
func quantile(h recording.Histogram, percent int64) (float64, bool) {
	waits := waitsOf(h)
	if waits <= 0 {
		return 0, false
	}
	rank, seen := waits-waits*(100-percent)/100, int64(0)
	for i, n := range h.Counts {
		seen += n
		if seen >= rank {
			return math.Ldexp(1, i+1), true
		}
	}
	return 0, false
}
