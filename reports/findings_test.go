package reports

import (
	"slices"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
)

// Each finding is provoked once; the sound recording must have none.
func TestFindings(t *testing.T) {
	tests := []struct {
		name    string
		provoke func(r *recording.Recording)
		want    []Finding
	}{
		{"nothing", func(r *recording.Recording) {}, nil},
		{"not reached", func(r *recording.Recording) {
			each(r, "go-threads", recording.Measured, func(t *recording.Trial) { t.Origin.PeakInFlight = 17 })
		}, []Finding{{Warning, "concurrency-not-reached", "go-threads",
			"go-threads reached 17 of 100 in flight, waiting most on socket read: TIME is not comparable at 100.",
			"peak in flight, median of 6 trials",
			"Raise --latency so that requests overlap, or compare at -c 17."}}},
		{"not reached by the library's own concurrency", func(r *recording.Recording) {
			for i := range r.Run.Plan.Details {
				r.Run.Plan.Details[i].Own = r.Run.Plan.Details[i].Name == "go-threads"
			}
			each(r, "go-threads", recording.Measured, func(t *recording.Trial) { t.Origin.PeakInFlight = 6 })
		}, []Finding{{Warning, "concurrency-not-reached", "go-threads",
			"go-threads reached 6 of 100 in flight, waiting most on socket read: TIME is not comparable at 100.",
			"peak in flight, median of 6 trials",
			"That is what its library takes by itself: the model without .own is told 100."}}},
		{"not reached in warm-up only", func(r *recording.Recording) {
			each(r, "go-threads", recording.Warmup, func(t *recording.Trial) { t.Origin.PeakInFlight = 17 })
		}, nil},
		{"not reached in two of six", func(r *recording.Recording) {
			for _, t := range r.Trials[3:9] { // rounds one and two
				t.Origin.PeakInFlight = 1
			}
		}, nil},
		{"fewer requests than asked at once", func(r *recording.Recording) {
			r.Run.Plan.Requests = 40
			each(r, "go-threads", recording.Measured, func(t *recording.Trial) { t.Origin.PeakInFlight = 40 })
		}, nil},
		{"failed", func(r *recording.Recording) {
			r.Trials[5].Failure = &recording.Failure{Cause: "timeout", Error: "no done after 60 s"}
		}, []Finding{{Warning, "failed-trials", "go-goroutines",
			"go-goroutines failed in 1 of 8 trials: a failed trial is in no figure.",
			"trial 6: timeout: no done after 60 s",
			"See to the cause first: models that fail differently did not do the same work."}}},
		{"failed requests", func(r *recording.Recording) {
			r.Trials[5].Work.Failed = map[string]int{"timeout": 2, "reset": 1, "refused": 0}
			r.Trials[5].Work.Errors = []string{"read: connection reset"}
		}, []Finding{{Warning, "failed-trials", "go-goroutines",
			"go-goroutines failed in 1 of 8 trials: a failed trial is in no figure.",
			"trial 6: 1 unit reset, 2 units timeout, for example read: connection reset",
			"See to the cause first: models that fail differently did not do the same work."}}},
		{"failed requests, named again in the text", func(r *recording.Recording) {
			r.Trials[5].Failure = &recording.Failure{Cause: "failed requests", Error: "failed requests: 6 of 6"}
			r.Trials[5].Work.Failed = map[string]int{"status": 2, "wrong content": 4}
			r.Trials[5].Work.Errors = []string{"wrong content: wrong content: 0 departures"}
		}, []Finding{{Warning, "failed-trials", "go-goroutines",
			"go-goroutines failed in 1 of 8 trials: a failed trial is in no figure.",
			"trial 6: failed requests: 6 of 6, 2 units status, 4 units wrong content (0 departures)",
			"See to the cause first: models that fail differently did not do the same work."}}},
		{"digests", func(r *recording.Recording) { r.Trials[5].Work.Digest = "00c0ffee" }, []Finding{{Warning, "digests-differ", "",
			"The results differ (2 digests): the models did not do the same work, and no figure compares.",
			"9f86d081884…: go-sequential, go-threads, go-goroutines; 00c0ffee: go-goroutines",
			"Find out which model read other pages: a cut answer, another origin, another parser."}}},
		{"digest of fewer units", func(r *recording.Recording) {
			r.Trials[0].Work = recording.Work{Units: 10, Digest: "00c0ffee"}
		}, nil},
		{"no digest", func(r *recording.Recording) { r.Trials[5].Work.Digest = "" }, nil},
		{"digest of a failed trial", func(r *recording.Recording) {
			r.Trials[4].Kind, r.Trials[4].Work, r.Trials[4].Snapshots = recording.Control, recording.Work{Digest: "of no work"}, nil
			r.Run.Plan.MeasuredRuns = 5
		}, nil},
		{"lost", func(r *recording.Recording) {
			r.Trials[5].Lost = []recording.Loss{{Cause: "ring_full", Count: 20, Detail: "names are missing"}, {Cause: "none", Count: 0}}
			r.Trials[8].Lost = []recording.Loss{{Cause: "ring_full", Count: 3, Detail: "names are missing"}}
		}, []Finding{{Warning, "events-lost", "go-goroutines",
			"go-goroutines lost 23 events (ring_full): figures counted from events are lower bounds and are not compared.",
			"names are missing; trials 6, 9",
			"Measure again with fewer requests at once, or with less running beside it."}}},
		{"lost by two models", func(r *recording.Recording) {
			r.Trials[5].Lost = []recording.Loss{{Cause: "ring_full", Count: 20, Detail: "names are missing"}}
			r.Trials[4].Lost = []recording.Loss{{Cause: "ring_full", Count: 3, Detail: "names are missing"}}
		}, []Finding{{Warning, "events-lost", "",
			"go-threads, go-goroutines lost 23 events (ring_full): figures counted from events are lower bounds and are not compared.",
			"names are missing; trials 5, 6",
			"Measure again with fewer requests at once, or with less running beside it."}}},
		{"two losses of one trial", func(r *recording.Recording) {
			r.Trials[5].Lost = []recording.Loss{{Cause: "sched_mismatch", Count: 1, Detail: "switches"}, {Cause: "sched_mismatch", Count: 1, Detail: "runnable"}}
		}, []Finding{{Warning, "events-lost", "go-goroutines",
			"go-goroutines lost 2 events (sched_mismatch): times of threads are not exact and are not compared.",
			"switches; trial 6",
			"Measure again with fewer requests at once, or with less running beside it."}}},
		{"times of threads do not add up", func(r *recording.Recording) {
			r.Trials[5].Lost = []recording.Loss{{Cause: "sched_mismatch", Count: 2, Detail: "life 20 ms, states 19 ms"}}
		}, []Finding{{Warning, "events-lost", "go-goroutines",
			"go-goroutines lost 2 events (sched_mismatch): times of threads are not exact and are not compared.",
			"life 20 ms, states 19 ms; trial 6",
			"Measure again with fewer requests at once, or with less running beside it."}}},
		{"lost in the stacks of profiles only", func(r *recording.Recording) {
			for _, t := range r.Trials {
				if t.Kind == recording.Profiled {
					t.Lost = []recording.Loss{{Cause: "stacks_full", Count: 20, Detail: "events have no stack"}}
				}
			}
		}, []Finding{{Warning, "events-lost", "",
			"go-sequential, go-threads, go-goroutines lost 60 events (stacks_full): the profiles lack the stacks of so many; no figure of the table is touched.",
			"events have no stack; trials 22, 23, 24",
			"Record again with a greater --max-stacks, or with fewer requests at once."}}},
		{"lost of the stacks themselves", func(r *recording.Recording) {
			r.Trials[22].Lost = []recording.Loss{{Cause: "stack_kernel", Count: 1, Detail: "stacks are without the kernel's frames"}}
		}, []Finding{{Warning, "events-lost", "go-threads",
			"go-threads lost 1 event (stack_kernel): the profiles lack the kernel's frames of so many stacks; no figure of the table is touched.",
			"stacks are without the kernel's frames; trial 23",
			"Above each graph stands how much it lacks."}}},
		{"lost where it was not timed", func(r *recording.Recording) {
			r.Trials[0].Lost = []recording.Loss{{Cause: "ring_full", Count: 2, Detail: "names are missing"}}
		}, []Finding{{Remark, "events-lost", "go-sequential",
			"go-sequential lost 2 events (ring_full): no figure counted from events is of these trials (warmup).",
			"names are missing; trial 1", "The figures are not touched."}}},
		{"lost by a profiled trial, and by a measured one of another model", func(r *recording.Recording) {
			r.Trials[22].Lost = []recording.Loss{{Cause: "ring_full", Count: 2, Detail: "names are missing"}}
			r.Trials[5].Lost = []recording.Loss{{Cause: "ring_full", Count: 3, Detail: "names are missing"}}
		}, []Finding{{Warning, "events-lost", "go-goroutines",
			"go-goroutines lost 3 events (ring_full): figures counted from events are lower bounds and are not compared.",
			"names are missing; trial 6",
			"Measure again with fewer requests at once, or with less running beside it."},
			{Warning, "events-lost", "go-threads",
				"go-threads lost 2 events (ring_full): no figure counted from events is of these trials (profiled).",
				"names are missing; trial 23",
				"The figures are not touched, but stacks may lack it: what they come to stands beside their counters."}}},
		{"missing", func(r *recording.Recording) {
			for _, trial := range r.Trials[:2] {
				trial.Missing = []recording.Missing{{Probe: "sock: sock_send_length", Reason: "no such tracepoint"}}
			}
		}, []Finding{{Warning, "probe-missing", "",
			"Probe sock: sock_send_length is missing: what it counts is not in this report.",
			"no such tracepoint; trials 1, 2",
			"Run weft as root on a kernel that has it: docs/architecture.md lists the hooks."}}},
		{"skipped", func(r *recording.Recording) {
			r.Run.Skipped = []recording.Skipped{{Model: "py-gevent", Reason: "/usr/bin/python3 has no gevent", Advice: "apt-get install python3-gevent"}}
		}, []Finding{{Remark, "model-skipped", "py-gevent",
			"py-gevent was skipped: /usr/bin/python3 has no gevent.",
			"found before the first trial",
			"To have it in the next run: apt-get install python3-gevent"}}},
		{"interrupted", func(r *recording.Recording) {
			r.Run.Interrupted = true
			r.Trials = r.Trials[:8]
		}, []Finding{{Warning, "interrupted", "",
			"The run was interrupted: only finished trials count.",
			"8 of 24 planned trials, 0 of 3 profiles; measured trials: go-sequential 2/6, go-threads 2/6, go-goroutines 1/6",
			"Run it again to the end before comparing models."}}},
		{"fewer", func(r *recording.Recording) { r.Trials = r.Trials[:20] }, []Finding{{Warning, "fewer-trials", "go-goroutines",
			"go-goroutines has 5 of 6 measured trials: the rest was not run.",
			"run.json names 6 trials of it",
			"Run it again to the end before comparing models."}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := soundRecording()
			test.provoke(r)
			got := NewView(r).Findings
			if len(got) != len(test.want) {
				t.Fatalf("%d findings, want %d: %+v", len(got), len(test.want), got)
			}
			for i := range got {
				if got[i] != test.want[i] {
					t.Errorf("\n got %+v\nwant %+v", got[i], test.want[i])
				}
			}
		})
	}
}

// soundRecording has only models that reached what was asked of them, with no more threads than they need, and no
// held or control trials.
func soundRecording() *recording.Recording {
	r := newRecording()
	kept := &recording.Recording{Run: r.Run}
	kept.Run.Plan.Models = r.Run.Plan.Models[:3]
	kept.Run.Trials = nil
	for _, trial := range r.Trials {
		if trial.Model == "py-threads" || trial.Kind == recording.Held || trial.Kind == recording.Control {
			continue
		}
		trial.Threads.Peak = 1
		if trial.Model == "go-threads" {
			trial.Threads.Peak = 101
		}
		addTrial(kept, trial)
	}
	kept.Run.Plan.Trials = len(kept.Trials)
	return kept
}

// findingsNamed are the findings of one name.
func findingsNamed(r *recording.Recording, name string) []Finding {
	return slices.DeleteFunc(NewView(r).Findings, func(f Finding) bool { return f.Name != name })
}

// expect compares the findings of one name with those that are wanted, in their text, evidence and advice.
func expect(t *testing.T, r *recording.Recording, name string, want ...Finding) {
	t.Helper()
	got := findingsNamed(r, name)
	if len(got) != len(want) {
		t.Fatalf("%d findings, want %d: %+v", len(got), len(want), got)
	}
	for i := range got {
		if want[i].Name = name; got[i] != want[i] {
			t.Errorf("\n got %+v\nwant %+v", got[i], want[i])
		}
	}
}

const anyKind recording.Kind = ""

// each changes the trials of one kind of one model.
func each(r *recording.Recording, model string, kind recording.Kind, change func(*recording.Trial)) {
	for _, t := range r.Trials {
		if t.Model == model && (kind == anyKind || t.Kind == kind) {
			change(t)
		}
	}
}

// The same failure of several trials is told once, and no more of it than can be read.
func TestFailuresAreGrouped(t *testing.T) {
	said := "died: " + strings.Repeat("goroutine 1 ", 1000) + "out of memory"
	if _, why := failures([]Trial{{Number: 3, Failure: said}}); len(why[0]) > 600 || !strings.HasPrefix(why[0], "trial 3: died: ") || !strings.HasSuffix(why[0], "out of memory") {
		t.Errorf("%d bytes: %s", len(why[0]), why[0])
	}
	failed, why := failures([]Trial{
		{Number: 1, OK: true}, {Number: 2, Failure: "timeout"}, {Number: 4, Failure: "died"}, {Number: 7, Failure: "timeout"},
	})
	if failed != 3 || len(why) != 2 || why[0] != "trials 2, 7: timeout" || why[1] != "trial 4: died" {
		t.Errorf("%d failed, %q", failed, why)
	}
}

// The table of finders names what they find: docs/metrics.md lists it.
func TestFindersAreNamed(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range []*recording.Recording{newRecording(), troubled(), soundRecording()} {
		v := NewView(r)
		for _, f := range finders() {
			for _, found := range f.find(v, r) {
				seen[f.name] = true
				if found.Name != f.name {
					t.Errorf("%s found %s", f.name, found.Name)
				}
				if found.Text == "" || found.Severity == "" || found.Evidence == "" || found.Advice == "" {
					t.Errorf("half filled: %+v", found)
				}
			}
		}
	}
	if len(seen) < 9 {
		t.Errorf("only %v were provoked", seen)
	}
}
