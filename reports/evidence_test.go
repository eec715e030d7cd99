package reports

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
)

// What several trials tell is one entry, with each trial named once, in the order in which it was told first.
func TestEvidenceIsMerged(t *testing.T) {
	const trials, causes = 23, 1000
	r := &recording.Recording{Run: recording.Run{Plan: recording.Plan{Models: []string{"a", "b"}}}}
	for i := range trials {
		trial := &recording.Trial{Number: i + 1, Model: []string{"a", "b"}[i%2], Kind: recording.Warmup}
		for c := range causes {
			name := fmt.Sprintf("cause-%d", c)
			trial.Lost = append(trial.Lost, recording.Loss{Cause: name, Count: 2}, recording.Loss{Cause: name, Count: 1})
			trial.Missing = append(trial.Missing, recording.Missing{Probe: name, Reason: "no"}, recording.Missing{Probe: name, Reason: "no"})
		}
		r.Trials = append(r.Trials, trial)
	}
	e := newEvidence(r)
	if len(e.Lost) != 2*causes || len(e.Missing) != causes || e.LostEvents != 3*trials*causes {
		t.Fatalf("%d causes, %d probes, %d events", len(e.Lost), len(e.Missing), e.LostEvents)
	}
	want := Loss{Model: "b", Cause: "cause-7", Count: 33, Trials: []int{2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22}}
	if got := e.Lost[causes+7]; !reflect.DeepEqual(got, want) {
		t.Errorf("lost: %+v, want %+v", got, want)
	}
	if got := e.Missing[7]; got.Probe != "cause-7" || len(got.Trials) != trials {
		t.Errorf("missing: %+v", got)
	}
}

// The kernel is not to blame for what is not known for another reason.
func TestWhyCostIsNotKnown(t *testing.T) {
	unplanned := newRecording()
	unplanned.Run.Plan.MeasuredRuns = 0
	unplanned.Trials = unplanned.Trials[:4] // warm-ups
	e := newEvidence(unplanned)
	if want := "BPF time is not known: no measured trials were planned."; e.Cost() != want {
		t.Errorf("%q, want %q", e.Cost(), want)
	}
	for _, test := range []struct {
		want   string
		change func(*recording.Trial)
	}{
		{"BPF time 0.", func(*recording.Trial) {}},
		{"no measured trial did all of its work.", func(t *recording.Trial) { t.Failure = &recording.Failure{Cause: "died"} }},
		{"the kernel gave no statistics.", func(t *recording.Trial) { t.BPF = nil }},
		{"the workload's CPU time is not known either.", func(t *recording.Trial) { t.CPU.WorkNS = 0 }},
	} {
		r := newRecording()
		for _, trial := range r.Trials {
			test.change(trial)
		}
		e := newEvidence(r)
		if got := e.Cost(); !strings.Contains(got, test.want) {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
