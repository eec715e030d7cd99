package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/reports"
	"github.com/weft-profiler/weft/workload"
)

// The exit code and the findings agree on which trials came to another result.
func TestTrialFailures(t *testing.T) {
	trial := func(kind recording.Kind, digest string) *recording.Trial {
		units := 1
		if kind == recording.Control {
			units = 0
		}
		return &recording.Trial{Model: "go-threads", Kind: kind, Work: recording.Work{Units: units, Digest: digest}}
	}
	failed := trial(recording.Measured, "a")
	failed.Failure = &recording.Failure{Cause: "died"}
	same := trial(recording.Measured, "a")
	tests := []struct {
		name    string
		trials  []*recording.Trial
		want    string
		differs bool
	}{
		{"the same", []*recording.Trial{same, trial(recording.Held, "a"), trial(recording.Control, "")}, "", false},
		{"a control's", []*recording.Trial{same, trial(recording.Control, "of no work")}, "", false},
		{"none told", []*recording.Trial{same, trial(recording.Measured, "")}, "", false},
		{"another", []*recording.Trial{same, trial(recording.Profiled, "b")}, "2 different results", true},
		{"failed", []*recording.Trial{same, failed}, "1 of 2", false},
	}
	for _, test := range tests {
		rec := &recording.Recording{Run: recording.Run{Plan: recording.Plan{Models: []string{"go-threads"}}}}
		for i, trial := range test.trials {
			trial.Number = i + 1
			rec.Trials = append(rec.Trials, trial)
		}
		view := reports.NewView(rec)
		err := trialFailures(rec, view)
		if (err != nil) != (test.want != "") || err != nil && !errors.Is(err, errTrials) {
			t.Errorf("%s: %v", test.name, err)
		}
		contains(t, test.name, fmt.Sprint(err), test.want)
		if found := slices.ContainsFunc(view.Findings, func(f reports.Finding) bool { return f.Name == "digests-differ" }); found != test.differs {
			t.Errorf("%s: finding %v", test.name, found)
		}
	}
}

// A model whose profiled trials are short gets three, and more where it has few samples of the CPU; one that fails gets no
// more, nor one that takes long.
func TestMoreProfiledTrials(t *testing.T) {
	opts := planOf(t, "-m", "go-threads,go-goroutines,go-nethttp,go-eventloop,go-sequential,py-threads,py-asyncio,py-sequential", "-o", "x")
	c := &comparison{options: opts, failed: map[string]int{"go-eventloop": 1}, profiled: map[string]profiled{
		"go-threads":    {trials: 3, samples: 999},
		"go-goroutines": {trials: 3, samples: 1000},
		"go-nethttp":    {trials: 6, samples: 23},
		"go-eventloop":  {trials: 3, samples: 23},
		"go-sequential": {trials: 3, samples: 23, ns: 6e9},
		"py-threads":    {trials: 2, samples: 1000, ns: 9e8},
		"py-asyncio":    {trials: 2, samples: 1000, ns: 1e9},
		"py-sequential": {trials: 1}, // the plan's own were not all finished
	}}
	want := []workload.Trial{opts.plan.ProfiledTrial(71, "go-threads"), opts.plan.ProfiledTrial(72, "py-threads")}
	if more := c.moreProfiled(70); !slices.Equal(more, want) || want[0].Kind != workload.Profiled || want[0].Hold == 0 {
		t.Errorf("got %+v, want %+v", more, want)
	}
}
