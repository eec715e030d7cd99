package reports

import (
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
)

// A recording whose writer was killed says so in every format: how many trials there are, and that profiles are missing.
func TestInterruptedIsInEveryFormat(t *testing.T) {
	r := newRecording()
	r.Run.Interrupted = true
	r.Trials, r.Run.Trials = r.Trials[:30], nil
	v := NewView(save(t, r, map[string]*profile.Profile{"go-threads": newProfile(stackSpecs())}))
	for _, f := range Formats() {
		drawn := draw(t, v, f.Name, Options{Kind: recording.KindHeap})
		wanted := []string{"30 of 43 planned trials, 1 of 4 profiles", "incomplete"}
		if f.Name == "json" {
			wanted = []string{`"interrupted": true`, `"planned_trials": 43`, `"trials": 30`, `"planned_profiles": 4`, `"profiles": 1`}
		}
		for _, want := range wanted {
			if !strings.Contains(strings.ToLower(drawn), want) {
				t.Errorf("%s lacks %q:\n%.300s", f.Name, want, drawn)
			}
		}
	}
	if top := draw(t, v, "text", Options{Top: 3}); !strings.Contains(top, "INCOMPLETE  30 of 43 planned trials, 1 of 4 profiles") {
		t.Errorf("--top: %.200s", top)
	}
	expect(t, r, "interrupted", Finding{Severity: Warning, Text: "The run was interrupted: only finished trials count.",
		Evidence: "30 of 43 planned trials, 0 of 4 profiles; measured trials: go-sequential 6/6, go-threads 6/6, go-goroutines 6/6, py-threads 6/6",
		Advice:   "Run it again to the end before comparing models."})
}

func TestExtent(t *testing.T) {
	profiles := []recording.ProfileRef{{Model: "go-threads"}}
	fail := func(r *recording.Recording) { r.Trials[5].Failure = &recording.Failure{Cause: "died"} }
	for _, test := range []struct {
		name   string
		change func(*recording.Recording)
		want   string
		whole  bool
	}{
		{"whole", func(*recording.Recording) {}, "43 of 43 planned trials, 0 of 4 profiles", true},
		{"trials that were added do not stand for others", func(r *recording.Recording) {
			r.Trials = append(r.Trials[:40], newTestTrial(specs()[0], recording.Profiled, 1))
			r.Trials[40].Number = 44
		}, "40 of 43 planned trials, 0 of 4 profiles", false},
		{"no profiles planned", func(r *recording.Recording) { r.Run.Plan.ProfileTrials, r.Run.Interrupted = 0, true }, "43 of 43 planned trials", false},
		{"older, killed", func(r *recording.Recording) { r.Run.Plan.Trials = 0 }, "43 trials, 0 of 4 profiles", false},
		{"older, whole", func(r *recording.Recording) { r.Run.Plan.Trials, r.Run.Profiles = 0, profiles }, "43 trials, 1 of 4 profiles", true},
		{"older, failed", func(r *recording.Recording) { r.Run.Plan.Trials = 0; fail(r) }, "43 trials, 0 of 4 profiles", true},
		{"older, without profiles", func(r *recording.Recording) { r.Run.Plan.Trials, r.Run.Plan.ProfileTrials = 0, 0 }, "43 trials", true},
	} {
		r := newRecording()
		test.change(r)
		if x := newExtent(r); x.String() != test.want || x.Whole() != test.whole {
			t.Errorf("%s: %s, whole %v; want %s, %v", test.name, x, x.Whole(), test.want, test.whole)
		}
	}
}

// What was set for the models stands beside the host, and is data.
func TestSettings(t *testing.T) {
	v := newView(t)
	formats := map[string]string{
		"text":      `Set for the models: GOGC=off 'PYTHONPATH=/a b\x1b[31m<i>'`,
		"md":        `Set for the models: GOGC=off 'PYTHONPATH=/a b\\x1b\[31m&lt;i&gt;'`,
		"html":      `Set for the models: <code>GOGC=off &#39;PYTHONPATH=/a b\x1b[31m&lt;i&gt;&#39;</code>`,
		"benchstat": `environment: GOGC=off 'PYTHONPATH=/a b\x1b[31m<i>'`,
	}
	for format, want := range formats {
		if drawn := draw(t, v, format, Options{}); strings.Contains(drawn, "Set for the models") || strings.Contains(drawn, "environment:") {
			t.Errorf("%s tells of settings, and there are none", format)
		}
		v.Run.Host.Environment = []recording.Variable{{Name: "GOGC", Value: "off"}, {Name: "PYTHONPATH", Value: "/a b\x1b[31m<i>"}}
		if drawn := draw(t, v, format, Options{}); !strings.Contains(drawn, want) {
			t.Errorf("%s lacks %q:\n%.500s", format, want, drawn)
		}
		v.Run.Host.Environment = []recording.Variable{}
	}
}
