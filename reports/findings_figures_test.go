package reports

import (
	"strings"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
)

// ofMeasured changes the measured trials of all models, or of one.
func ofMeasured(r *recording.Recording, model string, change func(*recording.Trial)) {
	for _, t := range r.Trials {
		if t.Kind == recording.Measured && (model == "" || t.Model == model) {
			change(t)
		}
	}
}

func window(t *recording.Trial) int64 { return t.Phases.DoneNS - t.Phases.GateNS }

func TestFindHostBusy(t *testing.T) {
	const advice = "Stop what else runs, or move to a quiet machine; more --runs only narrow the interval around a disturbed median."
	const text = "The machine was busy with something else: TIME and CPU/REQ have its noise in them."
	warn := func(evidence string) []Finding {
		return []Finding{{Severity: Warning, Text: text, Evidence: evidence + "; gate to done of 18 measured trials", Advice: advice}}
	}
	set := func(change func(*recording.Trial)) func(*recording.Recording) {
		return func(r *recording.Recording) { ofMeasured(r, "", change) }
	}
	tests := []struct {
		name    string
		provoke func(*recording.Recording)
		want    []Finding
	}{
		{"quiet", func(*recording.Recording) {}, nil},
		// 2 CPUs: a tenth of the window on one is a twentieth of the capacity.
		{"steal", set(func(t *recording.Trial) { t.Load.StealNS = window(t)/10 + ms }), warn("the hypervisor took 5.1 % of the machine's CPU time")},
		{"some steal", set(func(t *recording.Trial) { t.Load.StealNS = window(t)/10 - ms }), nil},
		{"others", set(func(t *recording.Trial) { t.Load.BusyNS = t.CPU.WorkNS + t.Origin.CPUNS + window(t)/2 }), warn("processes other than workload and origin took 25.0 % of the machine's CPU time")},
		{"some others", set(func(t *recording.Trial) { t.Load.BusyNS = t.CPU.WorkNS + t.Origin.CPUNS + window(t)/3 }), nil},
		// More ticks than the CPUs have time: workload and origin take some of it.
		{"more than all", set(func(t *recording.Trial) { t.CPU.WorkNS, t.Origin.CPUNS, t.Load.BusyNS = window(t)/2, 0, 3*window(t) }),
			warn("processes other than workload and origin took 75.0 % of the machine's CPU time")},
		{"windows of few ticks", set(func(t *recording.Trial) {
			t.Phases.DoneNS = t.Phases.GateNS + 199*ms
			t.Phases.LastNS = t.Phases.DoneNS
			t.Load.BusyNS, t.Load.StealNS = 2*window(t), 2*window(t)
		}), nil},
		// A remote origin's CPU time is not this machine's.
		{"an origin elsewhere", func(r *recording.Recording) {
			r.Run.Plan.URL = "http://10.0.0.1/"
			ofMeasured(r, "", func(t *recording.Trial) { t.Load.BusyNS, t.Origin.CPUNS = t.CPU.WorkNS+window(t)/2, window(t)/2 })
		}, warn("processes other than workload and origin took 25.0 % of the machine's CPU time")},
		{"stall of others", set(func(t *recording.Trial) {
			t.Load.StallNS = window(t)/2 + t.Sched.Time.RunnableNS + t.Origin.RunDelayNS
		}), warn("others waited for a CPU in at least 50.0 % of the time")},
		// A remote origin's waits for a CPU are not this machine's.
		{"stall beside an origin elsewhere", func(r *recording.Recording) {
			r.Run.Plan.URL = "http://10.0.0.1/"
			ofMeasured(r, "", func(t *recording.Trial) {
				t.Load.StallNS, t.Origin.RunDelayNS = window(t)/2+t.Sched.Time.RunnableNS, window(t)
			})
		}, warn("others waited for a CPU in at least 50.0 % of the time")},
		{"its own stall", set(func(t *recording.Trial) {
			t.Load.StallNS, t.Sched.Time.RunnableNS = window(t), 100*window(t)
		}), nil},
		{"no pressure figures", set(func(t *recording.Trial) { t.Load.StallNS = -1 }), nil},
		{"no load in some", func(r *recording.Recording) {
			for _, t := range r.Trials[3:6] {
				t.Load = nil
			}
		}, nil},
		{"no load", set(func(t *recording.Trial) { t.Load = nil }), nil},
		{"in warm-ups only", func(r *recording.Recording) {
			for _, t := range r.Trials[:3] {
				t.Load.StealNS = window(t)
			}
		}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := soundRecording()
			test.provoke(r)
			expect(t, r, "host-busy", test.want...)
		})
	}
}

func TestFindServerBound(t *testing.T) {
	const text = "TIME of go-threads measures the origin too: it could not answer sooner."
	const advice = "Run the origin on another machine (weft origin, then compare --url), raise --latency, or lower -c."
	tests := []struct {
		name    string
		provoke func(*recording.Recording)
		want    []Finding
	}{
		{"idle origin", func(*recording.Recording) {}, nil},
		{"full machine", func(r *recording.Recording) {
			ofMeasured(r, "go-threads", func(t *recording.Trial) { t.CPU.WorkNS, t.Origin.CPUNS = window(t), window(t)*9/10 })
		}, []Finding{{Severity: Warning, Model: "go-threads", Text: text, Advice: advice,
			Evidence: "go-threads: workload and origin kept the CPUs 95.0 % busy, the origin with 47.4 % of it"}}},
		{"machine full of the workload", func(r *recording.Recording) {
			ofMeasured(r, "go-threads", func(t *recording.Trial) { t.CPU.WorkNS, t.Origin.CPUNS = window(t)*18/10, window(t)/10 })
		}, nil},
		{"no failed or profiled trial counts", func(r *recording.Recording) {
			for _, t := range r.Trials {
				if t.Kind == recording.Profiled || t.Number == 5 {
					t.Failure, t.CPU.WorkNS, t.Origin.CPUNS = &recording.Failure{Cause: "died"}, window(t), 20*window(t)
				}
			}
		}, nil},
		{"half a machine", func(r *recording.Recording) {
			ofMeasured(r, "go-threads", func(t *recording.Trial) { t.CPU.WorkNS, t.Origin.CPUNS = window(t)/10, window(t) })
		}, nil},
		{"an origin elsewhere", func(r *recording.Recording) {
			r.Run.Plan.URL = "http://10.0.0.1/"
			ofMeasured(r, "go-threads", func(t *recording.Trial) { t.CPU.WorkNS, t.Origin.CPUNS = window(t), window(t) })
		}, nil},
		{"late for want of a CPU", func(r *recording.Recording) {
			ofMeasured(r, "go-threads", func(t *recording.Trial) { t.Origin.RunDelayNS = t.Origin.Requests * 6 * ms })
		}, []Finding{{Severity: Warning, Model: "go-threads", Text: text, Advice: advice,
			Evidence: "go-threads: the origin's threads waited 6.00 ms a request for a CPU, a reply was awaited for 21.0 ms"}}},
		{"an origin elsewhere late for want of a CPU", func(r *recording.Recording) {
			r.Run.Plan.URL = "http://10.0.0.1/"
			ofMeasured(r, "go-threads", func(t *recording.Trial) { t.Origin.RunDelayNS = t.Origin.Requests * 6 * ms })
		}, []Finding{{Severity: Warning, Model: "go-threads", Text: text,
			Evidence: "go-threads: the origin's threads waited 6.00 ms a request for a CPU, a reply was awaited for 21.0 ms",
			Advice:   "Give the origin's machine more CPU, start the origin with a greater --latency, or lower -c."}}},
		{"late for longer than a reply was awaited", func(r *recording.Recording) {
			ofMeasured(r, "go-threads", func(t *recording.Trial) { t.Origin.RunDelayNS = t.Origin.Requests * 22 * ms })
		}, nil},
		{"late with few requests", func(r *recording.Recording) {
			ofMeasured(r, "go-threads", func(t *recording.Trial) { t.Origin.Requests, t.Origin.RunDelayNS = 1, 6*ms })
		}, nil},
		{"a little late", func(r *recording.Recording) {
			ofMeasured(r, "go-threads", func(t *recording.Trial) { t.Origin.RunDelayNS = t.Origin.Requests * 4 * ms })
		}, nil},
		{"at its limit", func(r *recording.Recording) {
			r.Run.Plan.PagesPerSec = 5.9
			ofMeasured(r, "go-threads", func(t *recording.Trial) {
				t.Phases.LastNS = t.Phases.GateNS + 17_000*ms
				t.Phases.DoneNS, t.Phases.ExitNS = t.Phases.LastNS, t.Phases.LastNS
			})
			for _, model := range []string{"go-sequential", "go-goroutines"} {
				ofMeasured(r, model, func(t *recording.Trial) {
					t.Phases.LastNS = t.Phases.GateNS + 29_000*ms
					t.Phases.DoneNS, t.Phases.ExitNS = t.Phases.LastNS, t.Phases.LastNS
				})
			}
		}, []Finding{{Severity: Warning, Model: "go-threads", Text: text, Advice: "Raise the origin's --rate or leave it out.",
			Evidence: "go-threads: 5.88 pages a second, its limit is 5.90"}}},
		{"an origin elsewhere at its limit", func(r *recording.Recording) {
			r.Run.Plan.URL, r.Run.Plan.PagesPerSec = "http://10.0.0.1/", 900
			ofMeasured(r, "go-threads", func(t *recording.Trial) { t.Phases.LastNS = t.Phases.GateNS + 110*ms })
			ofMeasured(r, "go-goroutines", func(t *recording.Trial) { t.Phases.LastNS = t.Phases.GateNS + 2000*ms })
		}, []Finding{{Severity: Warning, Model: "go-threads", Text: text, Advice: "Start the origin with a greater --rate, or without one.",
			Evidence: "go-threads: 909 pages a second, its limit is 900"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := soundRecording()
			test.provoke(r)
			expect(t, r, "server-bound", test.want...)
		})
	}
}

func TestFindMostlySetup(t *testing.T) {
	const advice = "Compare what the work adds: HELD/TASK where there is one, and rss-peak-over-control-B (in report.html and --format md)."
	r := newRecording() // 27.2 of 33.5 MiB of py-threads, 7.2 of 14 and less of the others
	expect(t, r, "mostly-setup", Finding{Severity: Remark, Model: "py-threads",
		Text:     "PEAK RSS of py-threads is mostly set-up: imports and runtime, not the work.",
		Evidence: "py-threads: 27.2 MiB of 33.5 MiB with the work left out", Advice: advice})
	for _, trial := range r.Trials { // without control trials and peaks, /proc says it
		if trial.Memory = nil; trial.Kind == recording.Control {
			trial.Failure = &recording.Failure{Cause: "died"}
		}
	}
	expect(t, r, "mostly-setup", Finding{Severity: Remark, Model: "py-threads",
		Text:     "RSS of py-threads is mostly set-up: imports and runtime, not the work.",
		Evidence: "py-threads: 27.0 MiB of 33.0 MiB at the gate", Advice: advice})
	expect(t, soundRecording(), "mostly-setup")
}

// Each model is told of by its own column, and no more than three have their figures in the evidence.
func TestMostlySetupOfSeveralColumns(t *testing.T) {
	r := newRecording()
	for _, trial := range r.Trials {
		if trial.Kind == recording.Control {
			end := trial.Snapshots[recording.AtEnd]
			end.RSSBytes = 28 * mib
			trial.Snapshots[recording.AtEnd] = end
		}
		if trial.Model == "go-threads" {
			trial.Memory = nil
		}
	}
	expect(t, r, "mostly-setup", Finding{Severity: Remark,
		Text: "PEAK RSS of go-sequential, go-goroutines, py-threads and RSS of go-threads is mostly set-up: imports and runtime, not the work.",
		Evidence: "go-sequential: 28.0 MiB of 11.1 MiB with the work left out; go-threads: 28.0 MiB of 13.0 MiB with the work left out; " +
			"go-goroutines: 28.0 MiB of 12.9 MiB with the work left out",
		Advice: "Compare what the work adds: HELD/TASK where there is one, and rss-peak-over-control-B (in report.html and --format md)."})
}

func TestFindHeldDifference(t *testing.T) {
	const advice = "PEAK RSS leaves it out: add it for each task when sizing a machine."
	r := newRecording()
	r.Run.Plan.Models = r.Run.Plan.Models[:3]
	want := Finding{Severity: Remark,
		Text:     "A held thread of go-threads costs 22.0 KiB more kernel memory than a held task of go-goroutines (26.0 KiB against 4.0 KiB).",
		Evidence: "growth a request, from 10 to 100 held", Advice: advice}
	expect(t, r, "held-kernel-memory", want)
	for _, trial := range r.Trials { // one that did not reach all
		if trial.Model == "go-goroutines" && trial.Kind == recording.Held && trial.Concurrency == 100 {
			held := trial.Snapshots[recording.AtHeld]
			held.Waiting = 60
			held.Cost = costOfTasks(figuresOf(trial.Model), held.Waiting, held.USSBytes)
			trial.Snapshots[recording.AtHeld] = held
		}
	}
	want.Evidence = "growth a request, from 10 to 100 held by go-threads, from 10 to 60 held by go-goroutines"
	expect(t, r, "held-kernel-memory", want)
	for _, trial := range r.Trials { // less than a page apart
		if trial.Model == "go-threads" && trial.Kind == recording.Held {
			held := trial.Snapshots[recording.AtHeld]
			held.Cost = costOfTasks(figureSpec{kernel: 7 << 10}, held.Waiting, held.USSBytes)
			trial.Snapshots[recording.AtHeld] = held
		}
	}
	expect(t, r, "held-kernel-memory")
}

func TestFindHelpers(t *testing.T) {
	r := newRecording()
	want := Finding{Severity: Remark,
		Text:     "Helper threads that no task asked for: go-goroutines 4, go-sequential 3, go-threads 3. Their memory and switches are in the figures.",
		Evidence: "go-goroutines: 3 named go made by the main thread, 1 named go made by other helpers; go-sequential: 3 named go made by the main thread",
		Advice:   "Run it to the end, profiled trials included, to see which stacks make them."}
	expect(t, r, "helper-threads", want)
	r.Run.Plan.ProfileTrials = 0
	want.Advice = "Record again without --profile=false to see which stacks make them."
	expect(t, r, "helper-threads", want)
	// What is told of a heap that was traced is no profile of threads.
	r.Run.Profiles = []recording.ProfileRef{{Model: "go-goroutines"}}
	each(r, "go-goroutines", recording.Profiled, func(t *recording.Trial) { t.Kind = recording.Traced })
	expect(t, r, "helper-threads", want)
	for _, model := range []string{"py-threads", "go-threads", "go-sequential"} { // of which go-sequential has the most
		r.Run.Profiles = append(r.Run.Profiles, recording.ProfileRef{Model: model})
	}
	want.Advice = "See which stacks make them: weft report DIR --format svg --kind threadcreate --model go-sequential"
	expect(t, r, "helper-threads", want)
	r.Run.Plan.Models = []string{"go-threads"} // whose names do not tell helpers from the others
	expect(t, r, "helper-threads", Finding{Severity: Remark, Model: "go-threads",
		Text:     "Helper threads that no task asked for: go-threads 3. Their memory and switches are in the figures.",
		Evidence: "peak of threads in the median trial, less one and one for each task",
		Advice:   "See which stacks make them: weft report DIR --format svg --kind threadcreate --model go-threads"})
	r.Run.Plan.Details = []recording.ModelDetail{}
	expect(t, r, "helper-threads") // nobody knows what they ask for
	expect(t, soundRecording(), "helper-threads")
}

// The count is whole, and the names are of the same threads: those of the median trial at its peak.
func TestHelpersAreOfTheMedianTrial(t *testing.T) {
	r := newRecording()
	r.Run.Plan.Models = []string{"go-goroutines"}
	peaks := []int64{5, 6, 5, 6, 6, 5} // a median of 5.5
	each(r, "go-goroutines", recording.Measured, func(t *recording.Trial) {
		t.Threads.Peak, peaks = peaks[0], peaks[1:]
		t.Threads.List = threadsOf(t, modelSpec{name: "go-goroutines", threads: t.Threads.Peak})
		gone := t.Threads.List[1] // two that were not there at the peak
		gone.Name, gone.EndNS = "early", t.Phases.GateNS
		late := t.Threads.List[1]
		late.Name, late.StartNS = "late", t.Phases.DoneNS
		t.Threads.List[1].EndNS = t.Phases.DoneNS
		t.Threads.List = append(t.Threads.List, gone, late)
	})
	found := findingsNamed(r, "helper-threads")
	const evidence = "go-goroutines: 3 named go made by the main thread, 1 named go made by other helpers"
	if len(found) != 1 || found[0].Evidence != evidence || !strings.Contains(found[0].Text, "go-goroutines 4.") {
		t.Errorf("%+v", found)
	}
	r.Run.Plan.Details[2].ThreadPerTask = true // and so asks for more than it has
	expect(t, r, "helper-threads")
}

// With the answers held it is seen whether a model could have had more in flight.
func TestNotReachedSaysWhy(t *testing.T) {
	r := newRecording()
	each(r, "go-threads", recording.Measured, func(t *recording.Trial) { t.Origin.PeakInFlight, t.Sched = 42, nil })
	expect(t, r, "concurrency-not-reached",
		Finding{Severity: Warning, Model: "go-threads",
			Text:     "go-threads reached 42 of 100 in flight: TIME is not comparable at 100.",
			Evidence: "peak in flight, median of 6 trials; 100 with the answers held",
			Advice:   "It can: the answers came too soon. Raise --latency so that requests overlap."},
		Finding{Severity: Warning, Model: "py-threads",
			Text:     "py-threads reached 18 of 100 in flight, waiting most on futex: TIME is not comparable at 100.",
			Evidence: "peak in flight, median of 6 trials; 18 with the answers held",
			Advice:   "It cannot have more in flight: compare at -c 18."})
}

// weft compare refuses --latency beside --url: it is the other origin's.
func TestNotReachedFromAnOriginElsewhere(t *testing.T) {
	r := newRecording()
	r.Run.Plan.URL = "http://10.0.0.1/"
	each(r, "go-threads", recording.Measured, func(t *recording.Trial) { t.Origin.PeakInFlight = 42 })
	each(r, "py-threads", recording.Held, func(t *recording.Trial) { t.Failure = &recording.Failure{Cause: "died"} })
	got := findingsNamed(r, "concurrency-not-reached")
	for i, want := range []string{
		"It can: the answers came too soon. Start the origin with a greater --latency so that requests overlap.",
		"Start the origin with a greater --latency so that requests overlap, or compare at -c 18.",
	} {
		if len(got) != 2 || got[i].Advice != want {
			t.Errorf("%+v\nwant %s", got, want)
		}
	}
}
