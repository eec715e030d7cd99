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
	var waits int64
	for _, n := range t.Sched.RunQueue.Counts {
		waits += n
	}
	return t.Sched.RunQueue, waits
}

func runQueueMean(t *recording.Trial) (float64, bool) {
	h, waits := runQueue(t)
	if waits <= 0 {
		return 0, false
	}
	return float64(h.SumNS) / float64(waits), true
}

// runQueueP99 is the upper end of the bucket in which the 99th of 100 waits lies.
func runQueueP99(t *recording.Trial) (float64, bool) {
	h, waits := runQueue(t)
	if waits <= 0 {
		return 0, false
	}
	rank, seen := waits-waits/100, int64(0)
	for i, n := range h.Counts {
		seen += n
		if seen >= rank {
			return math.Ldexp(1, i+1), true
		}
	}
	return 0, false
}
