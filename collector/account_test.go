package collector

import (
	"errors"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
)

func TestMissIsToldOnce(t *testing.T) {
	w := &Watch{trial: &recording.Trial{Missing: []recording.Missing{{Probe: "sock", Reason: "refused"}}}}
	w.miss(missingCgroup, nil)
	w.miss(missingCgroup, errors.New("first"))
	w.miss(missingCgroup, errors.New("second"))
	w.miss(missingCost, errors.New("third"))
	want := []recording.Missing{{Probe: "sock", Reason: "refused"}, {Probe: "cgroup", Reason: "first"}, {Probe: "cost by /proc", Reason: "third"}}
	if got := w.trial.Missing; len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Without a meter and a cgroup there is no cost, and that is said.
func TestCostIsMissing(t *testing.T) {
	w := &Watch{c: &Collector{unmetered: errors.New("no slab caches")}, trial: &recording.Trial{}}
	if cost := w.cost(recording.Snapshot{}); len(cost) != 0 {
		t.Errorf("%+v", cost)
	}
	if len(w.trial.Missing) != 1 || w.trial.Missing[0] != (recording.Missing{Probe: missingCost, Reason: "no slab caches"}) {
		t.Errorf("%+v", w.trial.Missing)
	}
}

func TestTimedTrialsGetNoCgroup(t *testing.T) {
	for kind, want := range map[recording.Kind]bool{
		recording.Warmup: true, recording.Measured: true, recording.Held: false, recording.Profiled: false, recording.Control: false,
	} {
		if got := timed(kind); got != want {
			t.Errorf("%s: %v", kind, got)
		}
	}
}
