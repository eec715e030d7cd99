package reports

import "github.com/weft-profiler/weft/collector/recording"

// States of a thread that are no cause of a wait.
const (
	stateRunning  = "running"
	stateRunnable = "runnable"
)

// threadTimeBars is where the threads' time went: of each model the measured trial whose sum is the median, so that
// the parts are those of one trial and add up.
func threadTimeBars(v *View) barChart {
	var rows []barRow
	marks := modelMarks(v)
	for i := range v.Models {
		t := medianBy(v.trialsOf(v.Models[i].Name, recording.Measured), threadTimeSum)
		if t == nil {
			continue
		}
		values := map[string]float64{
			stateRunning:  float64(t.Sched.Time.RunningNS),
			stateRunnable: float64(t.Sched.Time.RunnableNS),
		}
		for cause, ns := range t.Sched.Time.BlockedNS {
			values[cause] = float64(ns)
		}
		rows = append(rows, barRow{Mark: marks[i], Note: trialNumbers([]int{t.Number}), Values: values})
	}
	return newBarChart(unitNS, append([]string{stateRunning, stateRunnable}, recording.Causes()...), rows)
}

func threadTimeSum(t *recording.Trial) (float64, bool) {
	if t.Sched == nil {
		return 0, false
	}
	time := &t.Sched.Time
	return float64(time.RunningNS + time.RunnableNS + blockedNS(time)), true
}
