package reports

import (
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/weft-profiler/weft/collector/recording"
)

func TestHeldCell(t *testing.T) {
	const kib, none = 1024.0, -1e9
	tests := []struct {
		user, kernel float64
		want         string
	}{
		{26 * kib, 26 * kib, "26+26 KiB"}, {5.6 * kib, 3.9 * kib, "6+4 KiB"}, {400, 4 * kib, "0.4+4 KiB"}, {45 * kib, none, "45+? KiB"},
		{300, 200, "300+200 B"}, {0, 999, "0+999 B"}, {-300, 4 * kib, "-0.3+4 KiB"}, {-45, 4 * kib, "0.0+4 KiB"}, {1500 * kib, 31 * kib, "1500+31 KiB"}, {64 << 20, 31 * kib, "64+0.0 MiB"}, {none, 4 * kib, ""},
	}
	for _, test := range tests {
		m := &Model{}
		for metric, x := range map[string]float64{"held-user-B/task": test.user, "held-kernel-B/task": test.kernel} {
			if x != none {
				m.Figures = append(m.Figures, Figure{Metric: metric, Median: x})
			}
		}
		if got := heldCell(m); got != test.want {
			t.Errorf("%v and %v: %q, want %q", test.user, test.kernel, got, test.want)
		}
	}
}

// Five models, two of them with names as long as are shown, in 100 columns: what says least goes first.
func TestTableFits(t *testing.T) {
	r := fiveModels()
	drawn, _ := terminalTable(NewView(r), Options{})
	golden(t, "five.txt", drawn)
	for i, name := range []string{"go-sequential-in-one-row", "go-threads-one-each-task"} {
		old := r.Run.Plan.Models[i]
		r.Run.Plan.Models[i], r.Run.Plan.Details[i].Name = name, name
		each(r, old, anyKind, func(trial *recording.Trial) { trial.Model = name })
	}
	long, _ := terminalTable(NewView(r), Options{})
	golden(t, "five-long.txt", long)
	for _, line := range strings.Split(drawn+long, "\n") {
		if text.StringWidth(line) > terminalWidth {
			t.Errorf("%d columns: %q", text.StringWidth(line), line)
		}
	}
	for _, column := range []string{"PEAK RSS", "HELD/TASK", "WAIT"} {
		if !strings.Contains(long, column) {
			t.Errorf("no %s in\n%s", column, long)
		}
	}
}

// fiveModels adds an event loop.
func fiveModels() *recording.Recording {
	r := newRecording()
	loop := modelSpec{"go-eventloop", 76 * ms, 42 * ms, 11 * mib, 7 * mib, 6, 100, 100, 4, 1}
	r.Run.Plan.Models = append(r.Run.Plan.Models, loop.name)
	r.Run.Plan.Details = append(r.Run.Plan.Details, detailOfSpec(loop))
	for round := range r.Run.Plan.MeasuredRuns {
		addTrial(r, newTestTrial(loop, recording.Measured, round))
	}
	for _, concurrency := range []int{10, 100} {
		addTrial(r, heldTrial(loop, concurrency))
	}
	addTrial(r, controlTrial(loop))
	return r
}

// "~" says that a test showed no difference: where there was no test it would be wrong.
func TestSpeedupOfNoComparison(t *testing.T) {
	failAll := func(t *recording.Trial) { t.Failure = &recording.Failure{Cause: "died"} }
	tests := map[string]struct {
		provoke func(*recording.Recording)
		want    map[string]string
	}{
		"no baseline": {func(r *recording.Recording) { each(r, "go-sequential", recording.Measured, failAll) },
			map[string]string{"go-sequential": "", "go-threads": "-"}},
		"no figure": {func(r *recording.Recording) { each(r, "go-threads", recording.Measured, failAll) },
			map[string]string{"go-sequential": "1x", "go-threads": "", "go-goroutines": "28.2x"}},
		"no difference": {func(r *recording.Recording) {
			for _, model := range []string{"go-sequential", "go-threads"} {
				i := int64(0)
				each(r, model, recording.Measured, func(t *recording.Trial) {
					t.Phases.LastNS = t.Phases.GateNS + 100*ms + i*ms
					i++
				})
			}
		}, map[string]string{"go-sequential": "1x", "go-threads": "~"}},
	}
	for name, test := range tests {
		r := newRecording()
		test.provoke(r)
		v := NewView(r)
		for model, want := range test.want {
			if got := speedupCell(modelOf(t, v, model)); got != want {
				t.Errorf("%s: %s has %q, want %q", name, model, got, want)
			}
		}
		for _, format := range []string{"text", "md"} {
			for _, line := range strings.Split(draw(t, v, format, Options{}), "\n") {
				row := strings.HasPrefix(strings.TrimPrefix(line, "| "), "go-threads ")
				if row && strings.Contains(line, "~") != (test.want["go-threads"] == "~") {
					t.Errorf("%s: %s: %s", name, format, line)
				}
			}
		}
	}
}

// Without an error of the figures every difference counts, even none.
func TestWithin(t *testing.T) {
	for _, test := range []struct {
		difference float64
		errors     []float64
		want       bool
	}{{0, nil, false}, {0, []float64{0, 0}, false}, {-3, []float64{1, 2}, true}, {4, []float64{1, 2}, false}} {
		if got := within(test.difference, test.errors...); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}
