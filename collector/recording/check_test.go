package recording

import (
	"strconv"
	"strings"
	"testing"
)

func TestRunCheckValid(t *testing.T) {
	tests := []struct {
		want   string
		change func(r *Run)
	}{
		{"", func(r *Run) {}},
		{"version 2: want 1", func(r *Run) { r.Version = 2 }},
		{"plan: no models", func(r *Run) { r.Plan.Models = nil }},
		{`plan: model "go-threads" stands there twice`, func(r *Run) { r.Plan.Models[1] = "go-threads" }},
		{`plan: model name "../x": begin it with a letter or a digit`, func(r *Run) { r.Plan.Models[0] = "../x" }},
		{"plan: requests is -1: must not be negative", func(r *Run) { r.Plan.Requests = -1 }},
		{"plan: timeout_ns is -5: must not be negative", func(r *Run) { r.Plan.TimeoutNS = -5 }},
		{"trial 0 after trial 0: numbers must rise from 1", func(r *Run) { r.Trials[0].Number = 0 }},
		{"trial 1 after trial 1: numbers must rise from 1", func(r *Run) { r.Trials[1].Number = 1 }},
		{`trial 1: model "x" is not in the plan`, func(r *Run) { r.Trials[0].Model = "x" }},
		{`trial 2: unknown kind "timed"`, func(r *Run) { r.Trials[1].Kind = "timed" }},
		{`trial 1: file name "../1": must be a plain path inside the recording`, func(r *Run) { r.Trials[0].File = "../1" }},
		{`trial 1: file name "C:\\1": must be a plain path inside the recording`, func(r *Run) { r.Trials[0].File = `C:\1` }},
		{`trial 1: file name "run.json" is taken`, func(r *Run) { r.Trials[0].File = "run.json" }},
		{`profile: model "x" is not in the plan`, func(r *Run) { r.Profiles[0].Model = "x" }},
		{`profile: model "go-threads" has two`, func(r *Run) { r.Profiles = append(r.Profiles, r.Profiles[0]) }},
		{`profile: file name "/etc/passwd": must be a plain path inside the recording`, func(r *Run) { r.Profiles[0].File = "/etc/passwd" }},
		{`files: file name "a/../b": must be a plain path inside the recording`, func(r *Run) { r.Files[0] = "a/../b" }},
		{`skipped: model "py-asyncio" is in the plan`, func(r *Run) { r.Skipped[0].Model = "py-asyncio" }},
		{`skipped: model name "../x": begin it with a letter or a digit`, func(r *Run) { r.Skipped[0].Model = "../x" }},
		{"100001 trials: at most 100000 are allowed", func(r *Run) { r.Trials = make([]TrialRef, 100_001) }},
		{"1001 models: at most 1000 are allowed", func(r *Run) { r.Plan.Models = make([]string, 1001) }},
		{"1001 details of models: at most 1000 are allowed", func(r *Run) { r.Plan.Details = make([]ModelDetail, 1001) }},
		{"1001 models skipped: at most 1000 are allowed", func(r *Run) { r.Skipped = make([]Skipped, 1001) }},
		{"1001 profiles: at most 1000 are allowed", func(r *Run) { r.Profiles = make([]ProfileRef, 1001) }},
	}
	for _, test := range tests {
		run := newRun()
		run.Trials = []TrialRef{{1, "go-threads", Measured, "trials/001.json.gz"}, {2, "py-asyncio", Held, "trials/002.json.gz"}}
		run.Profiles = []ProfileRef{{"go-threads", "go-threads.pb.gz"}}
		run.Files = []string{"run.json"}
		test.change(&run)
		check(t, run.CheckValid(), test.want)
	}
}

func TestTrialCheckValid(t *testing.T) {
	tests := []struct {
		want   string
		change func(t *Trial)
	}{
		{"", func(t *Trial) {}},
		{"", func(t *Trial) { t.Phases = Phases{StartNS: 7, ExitNS: 8} }},
		{"trial 0: numbers begin at 1", func(t *Trial) { t.Number = 0 }},
		{"trial 9: model name is empty: give it one", func(t *Trial) { t.Model = "" }},
		{`trial 9: model name "a b": use only letters, digits and "-_.+"`, func(t *Trial) { t.Model = "a b" }},
		{`trial 9: unknown kind "x"`, func(t *Trial) { t.Kind = "x" }},
		{"trial 9: phases: last is before gate", func(t *Trial) { t.Phases.LastNS = 29 }},
		{"trial 9: phases: exit is before last", func(t *Trial) { t.Phases.DoneNS, t.Phases.ExitNS = 0, 39 }},
		{`trial 9: curve "threads": 2 least, 1 greatest and 2 last values`, func(t *Trial) {
			t.Curves[CurveThreads] = Curve{BucketNS: 5, Least: []int64{1, 2}, Greatest: []int64{2}, Last: []int64{1, 2}}
		}},
		{`trial 9: curve "threads": bucket of 0 ns`, func(t *Trial) {
			t.Curves[CurveThreads] = Curve{Least: []int64{1}, Greatest: []int64{2}, Last: []int64{1}}
		}},
		{`trial 9: snapshot "end": rss_bytes is -1: must not be negative`, func(t *Trial) { t.Snapshots[AtEnd] = Snapshot{RSSBytes: -1} }},
		{"trial 9: snapshot \"end\": cost by proc: user of -1 bytes, with a bound of 0", func(t *Trial) {
			t.Snapshots[AtEnd] = Snapshot{Cost: map[string][]Part{ByProc: {{Name: PartUser, Bytes: -1}}}}
		}},
		{`trial 9: sched: blocked: unknown cause "x"`, func(t *Trial) { t.Sched.Time.BlockedNS["x"] = 1 }},
		{"trial 9: thread 4712: running_ns is -1: must not be negative", func(t *Trial) { t.Threads.List[0].Time.RunningNS = -1 }},
		{"trial 9: run queue: 66 buckets", func(t *Trial) { t.Sched.RunQueue.Counts = make([]int64, 66) }},
		{"trial 9: peak_bytes is -1: must not be negative", func(t *Trial) { t.Memory.PeakBytes = -1 }},
		{`trial 9: lost: cause "" with a count of 3`, func(t *Trial) { t.Lost[0].Cause = "" }},
		{`trial 9: lost: cause "ring_full" with a count of -3`, func(t *Trial) { t.Lost[0].Count = -3 }},
		{`trial 9: failed: cause "timeout" with a count of -1`, func(t *Trial) { t.Work.Failed["timeout"] = -1 }},
		{`trial 9: bpf: program "task_newtask" with -1 runs of 900 ns`, func(t *Trial) { t.BPF[0].Runs = -1 }},
		{`trial 9: found: cpu by "register" is -1: must not be negative`, func(t *Trial) { t.Found = []Found{{KindCPU, map[string]int64{FoundRegister: -1}}} }},
		{"trial 9: 1001 causes of loss: at most 1000 are allowed", func(t *Trial) { t.Lost = make([]Loss, 1001) }},
		{"trial 9: 1001 missing probes: at most 1000 are allowed", func(t *Trial) { t.Missing = make([]Missing, 1001) }},
		{"trial 9: 1001 BPF programs: at most 1000 are allowed", func(t *Trial) { t.BPF = make([]ProgramCost, 1001) }},
		{"trial 9: 1001 kinds of stacks: at most 1000 are allowed", func(t *Trial) { t.Found = make([]Found, 1001) }},
		{"trial 9: found: 1001 ways of finding frames: at most 1000 are allowed", func(t *Trial) {
			t.Found = []Found{{KindCPU, map[string]int64{}}}
			for i := range 1001 {
				t.Found[0].Widths[strconv.Itoa(i)] = 1
			}
		}},
		{`trial 9: snapshot "end": 1001 parts by proc: at most 1000 are allowed`, func(t *Trial) {
			t.Snapshots[AtEnd] = Snapshot{Cost: map[string][]Part{ByProc: make([]Part, 1001)}}
		}},
		{"trial 9: units is -1: must not be negative", func(t *Trial) { t.Work.Units = -1 }},
		{"trial 9: cpu work_ns is -8: must not be negative", func(t *Trial) { t.CPU.WorkNS = -8 }},
		{"trial 9: awaiting peak is -1: must not be negative", func(t *Trial) { t.Sockets.Awaiting.Peak = -1 }},
	}
	for _, test := range tests {
		trial := newTrial(9, "go-threads")
		test.change(trial)
		check(t, trial.CheckValid(), test.want)
	}
}

func TestCheckModel(t *testing.T) {
	for name, want := range map[string]string{
		"go-threads":             "",
		"1+1.x_y":                "",
		"":                       "model name is empty: give it one",
		".hidden":                `model name ".hidden": begin it with a letter or a digit`,
		"-rf":                    `model name "-rf": begin it with a letter or a digit`,
		"a/b":                    `model name "a/b": use only letters, digits and "-_.+"`,
		"a\x1b[31m":              `model name "a\x1b[31m": use only letters, digits and "-_.+"`,
		"ä":                      `model name "ä": use only letters, digits and "-_.+"`,
		strings.Repeat("x", 101): "model name of 101 bytes: at most 100 are allowed",
	} {
		check(t, CheckModel(name), want)
	}
}

// check compares an error's text, "" for none.
func check(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestOK(t *testing.T) {
	tests := []struct {
		trial Trial
		want  bool
	}{
		{Trial{}, true},
		{Trial{Work: Work{Failed: map[string]int{"timeout": 0}}}, true},
		{Trial{Work: Work{Failed: map[string]int{"timeout": 1}}}, false},
		{Trial{Failure: &Failure{Cause: "died"}}, false},
	}
	for _, test := range tests {
		if got := test.trial.OK(); got != test.want {
			t.Errorf("%+v: %v, want %v", test.trial, got, test.want)
		}
	}
}
