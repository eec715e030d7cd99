package reports

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
)

func TestViewCounts(t *testing.T) {
	r := newRecording()
	r.Trials[4].Failure = &recording.Failure{Cause: "timeout"} // go-sequential, measured
	m := NewView(r).Models[0]
	if !m.Baseline || m.Planned != 6 || m.Finished != 6 || m.Used != 5 || len(m.Trials) != 10 || m.Asked != 1 {
		t.Errorf("%+v", m)
	}
	if n := len(m.Figure("wall-ns").Values); n != 5 {
		t.Errorf("%d values of wall-ns, want those of the 5 trials that did their work", n)
	}
}

func TestViewKeepsOrderOfTrials(t *testing.T) {
	r := newRecording()
	v := NewView(r)
	values := v.Models[1].Figure("wall-ns").Values
	var want []float64
	for _, trial := range r.Trials {
		if trial.Model == "go-threads" && trial.Kind == recording.Measured {
			want = append(want, float64(trial.WorkNS()))
		}
	}
	if !reflect.DeepEqual(values, want) {
		t.Errorf("%v, want %v", values, want)
	}
}

func TestSpeedup(t *testing.T) {
	v := NewView(newRecording())
	for model, want := range map[string]float64{"go-sequential": 1, "go-threads": 20.9, "go-goroutines": 28.2, "py-threads": 6.4} {
		m := modelOf(t, v, model)
		got, ok := m.Speedup()
		if !ok || got < want*0.99 || got > want*1.01 {
			t.Errorf("%s: %v, %v, want about %v", model, got, ok, want)
		}
	}
}

func TestNoDifferenceShown(t *testing.T) {
	r := newRecording()
	for _, trial := range r.Trials {
		trial.Phases.LastNS = trial.Phases.GateNS + 100*ms + int64(trial.Number*37%11)*ms
		trial.Phases.DoneNS, trial.Phases.ExitNS = trial.Phases.LastNS, trial.Phases.LastNS
	}
	v := NewView(r)
	m := modelOf(t, v, "go-threads")
	if factor, ok := m.Speedup(); ok {
		t.Errorf("speed-up %v from noise", factor)
	}
	if c := m.Figure("wall-ns").Comparison; c.Different || c.PHolm < c.P || c.SmallestP > 0.003 {
		t.Errorf("%+v", c)
	}
	text := draw(t, v, "text", Options{})
	for _, want := range []string{" ~ ", "~: no difference in TIME is shown; with this spread a factor of 1.06 would have been (py-threads)."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// Lost events bound what was counted from events, and nothing else.
func TestLostEventsBound(t *testing.T) {
	r := newRecording()
	for _, trial := range r.Trials {
		if trial.Model == "go-threads" && trial.Kind == recording.Measured {
			trial.Lost = []recording.Loss{{Cause: "ring_full", Count: 1}}
		}
	}
	v := NewView(r)
	m := modelOf(t, v, "go-threads")
	for _, metric := range v.Metrics {
		if f := m.Figure(metric.Name); f != nil && f.LowerBound != metric.Events {
			t.Errorf("%s: lower bound %v, counted from events %v", metric.Name, f.LowerBound, metric.Events)
		}
		if f := modelOf(t, v, "py-threads").Figure(metric.Name); f != nil && f.LowerBound {
			t.Errorf("%s of py-threads is a lower bound, but it lost nothing", metric.Name)
		}
	}
	if c := m.Figure("wall-ns").Comparison; c.Refused != "" {
		t.Errorf("wall time is not counted from events, yet: %s", c.Refused)
	}
}

// A mismatch of threads' times says nothing of other figures, and a loss of unknown kind may touch all.
func TestNarrowLosses(t *testing.T) {
	tests := []struct {
		cause                string
		sched, memory, other bool
	}{
		{"sched_mismatch", true, false, false}, {"rss_mismatch", false, true, false}, {"memory_full", false, true, false},
		{"memory_split", false, true, false}, {"ring_full", true, true, true}, {"recursion", true, true, true},
		{"stacks_full", false, false, false}, {"stack_unreadable", false, false, false}, {"stack_collision", false, false, false},
		{"stack_kernel", false, false, false}, {"weights_full", false, false, false}, {"requests_full", false, false, false},
		{"goroutine_unreadable", false, false, false}, {"goroutines_full", false, false, false}, {"goroutines_list_full", false, false, false},
	}
	for _, test := range tests {
		trial := &recording.Trial{Lost: []recording.Loss{{Cause: test.cause, Count: 1}}}
		for _, m := range Metrics() {
			want := m.Events && map[string]bool{sourceSched: test.sched, sourceMemory: test.memory, "": test.other}[m.Source]
			if got, eitherWay := m.touched(trial, map[string]bool{}); got != want || eitherWay != (want && !test.other) {
				t.Errorf("%s touches %s: %v, either way %v, want %v", test.cause, m.Name, got, eitherWay, want)
			}
		}
	}
	m := Metrics()[4]
	if lost, _ := m.touched(&recording.Trial{Lost: []recording.Loss{{Cause: "ring_full", Count: 0}}}, map[string]bool{}); lost {
		t.Errorf("%s is touched by nothing lost", m.Name)
	}
}

// What a figure takes away may have lost events too: then too much is left, or too little.
func TestLossesOfWhatIsTakenAway(t *testing.T) {
	r := newRecording()
	each(r, "go-threads", recording.Control, func(t *recording.Trial) { t.Lost = []recording.Loss{{Cause: "rss_mismatch", Count: 1}} })
	v := NewView(r)
	m := modelOf(t, v, "go-threads")
	for _, metric := range v.Metrics {
		if f := m.Figure(metric.Name); f != nil && (f.LowerBound || f.Inexact != (metric.Name == "rss-peak-over-control-B")) {
			t.Errorf("%s: lower bound %v, inexact %v", metric.Name, f.LowerBound, f.Inexact)
		}
	}
	if lost := findLost(v, r); len(lost) != 1 || !strings.Contains(lost[0].Text, "figures of peak RSS are not exact") {
		t.Errorf("%+v", lost)
	}
}

// What disagrees with the kernel's sums may be too great as well as too small: cell, refusal and finding say so.
func TestInexactIsNoLowerBound(t *testing.T) {
	r := newRecording()
	each(r, "go-threads", recording.Measured, func(t *recording.Trial) {
		t.Lost = []recording.Loss{{Cause: "rss_mismatch", Count: 1}}
	})
	v := NewView(r)
	m := modelOf(t, v, "go-threads")
	for _, metric := range v.Metrics {
		if f := m.Figure(metric.Name); f != nil && (f.LowerBound || f.Inexact != (metric.Source == sourceMemory)) {
			t.Errorf("%s: lower bound %v, inexact %v", metric.Name, f.LowerBound, f.Inexact)
		}
	}
	f := m.Figure("rss-peak-B")
	if cell := figureCell("rss-peak-B")(m); cell != "≈14.0 MiB" || f.Comparison.Refused != "events were lost: the figures are not exact" {
		t.Errorf("%s, %+v", cell, f.Comparison)
	}
	each(r, "go-threads", recording.Measured, func(t *recording.Trial) {
		t.Lost = append(t.Lost, recording.Loss{Cause: "ring_full", Count: 1})
	})
	v = NewView(r)
	m = modelOf(t, v, "go-threads")
	for _, name := range []string{"rss-peak-B", "threads-peak"} {
		if f := m.Figure(name); f.Inexact == f.LowerBound || f.Inexact != (name == "rss-peak-B") {
			t.Errorf("%s: lower bound %v, inexact %v", name, f.LowerBound, f.Inexact)
		}
	}
}

// Two peaks whose errors alone could make them differ are not told apart.
func TestErrorBoundRefusesComparison(t *testing.T) {
	refused := func(bound int64) string {
		r := newRecording()
		for _, trial := range r.Trials {
			trial.Memory.BoundBytes = bound
		}
		return modelOf(t, NewView(r), "go-threads").Figure("rss-peak-B").Comparison.Refused
	}
	// go-sequential and go-threads are 2.9 MiB apart.
	for bound, want := range map[int64]string{0: "", mib: "", 2 * mib: "the difference is within the error of the figures"} {
		if got := refused(bound); got != want {
			t.Errorf("bound %d: %q, want %q", bound, got, want)
		}
	}
}

func TestComparisonRefused(t *testing.T) {
	event := Metric{Events: true}
	sound, bounded := &Figure{Values: []float64{1, 2}}, &Figure{Values: []float64{1, 2}, LowerBound: true}
	inexact := &Figure{Values: []float64{1, 2}, Inexact: true}
	tests := []struct {
		metric  Metric
		base, f *Figure
		want    string
	}{
		{event, sound, sound, ""},
		{event, sound, bounded, "events were lost: the figures are lower bounds"},
		{event, bounded, sound, "events were lost: the figures are lower bounds"},
		{event, sound, inexact, "events were lost: the figures are not exact"},
		{event, inexact, bounded, "events were lost: the figures are not exact"},
		{Metric{}, bounded, bounded, ""},
		{Metric{}, inexact, inexact, ""},
		{Metric{}, nil, sound, "the baseline has no figure"},
		{Metric{}, sound, &Figure{Values: []float64{0, 1}}, "a value is not positive: there is no ratio"},
	}
	for _, test := range tests {
		c := newComparison(test.metric, test.base, test.f)
		if c.Refused != test.want || c.Refused != "" && (c.Different || c.P != 1) {
			t.Errorf("%+v, want %q", c, test.want)
		}
	}
}

func TestNotes(t *testing.T) {
	rounds := map[int][]string{
		6: {"± is how far the 95 % interval of the median reaches on its farther side: with so few runs, to the least or the greatest value."},
		5: {"± is how far the 95 % interval of the median reaches on its farther side.", "A model has 5 runs: the 95 % interval of a median needs --runs 6."},
		1: {"± is how far the 95 % interval of the median reaches on its farther side.", "A model has 1 run: the 95 % interval of a median needs --runs 6.", "So few runs cannot show a difference among 3 comparisons: use --runs 5."},
		0: {},
	}
	for n, want := range rounds {
		if n > 0 {
			want = append(want, "PEAK RSS may be wrong by up to 256 KiB either way: changes by threads on several CPUs at once.",
				"WAIT is where threads were blocked longest: per thread, not per task.")
		}
		r := newRecording()
		r.Trials = r.Trials[:4+4*n] // a warm-up of each model, then n rounds
		if got := NewView(r).Notes; !reflect.DeepEqual(got, want) {
			t.Errorf("%d runs: %q, want %q", n, got, want)
		}
	}
}

// With runs enough the interval is less than the range, and is explained all the same.
func TestIntervalNoteOfManyRuns(t *testing.T) {
	r := newRecording()
	for round := range 12 {
		for _, s := range specs() {
			addTrial(r, newTestTrial(s, recording.Measured, round))
		}
	}
	const want = "± is how far the 95 % interval of the median reaches on its farther side."
	if notes := NewView(r).Notes; !slices.Contains(notes, want) {
		t.Errorf("%q", notes)
	}
}

func TestBoundNoteNamesTheGreatest(t *testing.T) {
	r := newRecording()
	each(r, "py-threads", recording.Measured, func(t *recording.Trial) { t.Memory.BoundBytes = 2 * mib })
	const want = "PEAK RSS may be wrong by up to 2.0 MiB either way (py-threads): changes by threads on several CPUs at once."
	if notes := NewView(r).Notes; !slices.Contains(notes, want) {
		t.Errorf("%q", notes)
	}
}

// A headline metric that few trials have evidence of is a family of its own: what it cannot show is said.
func TestRunsNoteLooksAtEachFamily(t *testing.T) {
	r := newRecording()
	for _, trial := range r.Trials {
		if trial.Number > 12 { // all but two measured rounds
			trial.Memory = nil
		}
	}
	const want = "So few runs cannot show a difference among 3 comparisons: use --runs 5."
	if notes := NewView(r).Notes; !slices.Contains(notes, want) {
		t.Errorf("%q", notes)
	}
}

func TestEmptyRecording(t *testing.T) {
	r := &recording.Recording{Run: recording.Run{Version: 1, Plan: recording.Plan{Models: []string{"a"}}}}
	v := NewView(r)
	for _, f := range Formats() {
		if !f.NeedsKind {
			draw(t, v, f.Name, Options{})
		}
	}
}

func TestAsked(t *testing.T) {
	tests := []struct {
		model                       string
		concurrency, requests, want int
	}{
		{"go-threads", 100, 100, 100}, {"go-threads", 100, 40, 40}, {"go-threads", 10, 100, 10},
		{"py-sequential", 100, 100, 1}, {"go-threads", 10, 0, 10}, {"one-by-one", 100, 100, 1}, {"not-sequential", 100, 100, 100},
	}
	details := []recording.ModelDetail{{Name: "one-by-one", Sequential: true}, {Name: "not-sequential"}}
	for _, test := range tests {
		plan := recording.Plan{Requests: test.requests, Details: details}
		if got := asked(plan, test.model, test.concurrency); got != test.want {
			t.Errorf("%+v: %d", test, got)
		}
	}
}

// The JSON of a View has no null in the place of a list, whatever is missing.
func TestJSONHasNoNullLists(t *testing.T) {
	for name, r := range map[string]*recording.Recording{"full": newRecording(), "troubled": troubled()} {
		var v map[string]any
		if err := json.Unmarshal([]byte(draw(t, NewView(r), "json", Options{})), &v); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"metrics", "models", "findings", "notes"} {
			if _, ok := v[key].([]any); !ok {
				t.Errorf("%s: %s is %v", name, key, v[key])
			}
		}
		evidence := v["evidence"].(map[string]any)
		for _, key := range []string{"lost", "missing"} {
			if _, ok := evidence[key].([]any); !ok {
				t.Errorf("%s: evidence.%s is %v", name, key, evidence[key])
			}
		}
	}
}

func modelOf(t *testing.T, v *View, name string) *Model {
	t.Helper()
	for i := range v.Models {
		if v.Models[i].Name == name {
			return &v.Models[i]
		}
	}
	t.Fatalf("no model %s", name)
	return nil
}
