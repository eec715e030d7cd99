// Package recording holds what weft saw: plain values between the collector, which fills them on a live
// system as root, and the reports, which read them anywhere as anybody.
//
// A recording is a directory: run.json (the plan, the host, the list of trials), trials/NNN.json.gz (one
// trial each) and MODEL.pb.gz (a merged pprof profile a model). The stage before is package collector, the
// stage after is package reports.
//
// Units are base units everywhere: nanoseconds, bytes, counts. A time that ends in NS is CLOCK_MONOTONIC
// unless its comment says that it is a duration. Wall-clock time stands once, in Run.Started.
// pid is the process (the kernel's tgid), tid is the thread (the kernel's pid).
package recording

import "time"

// Version is the version of the format on disk. It rises when a reader of the version before would
// misunderstand a file; a new optional field does not raise it.
const Version = 1

// Run is one invocation of weft: the contents of run.json.
type Run struct {
	Version     int          `json:"version"`     // Version of the format
	Tool        string       `json:"tool"`        // name and version of the writer, "weft 0.1.0"
	Started     time.Time    `json:"started"`     // wall clock at the start of the invocation
	Command     []string     `json:"command"`     // the command line, argv
	Host        Host         `json:"host"`        // where it ran
	Plan        Plan         `json:"plan"`        // what was asked for
	Trials      []TrialRef   `json:"trials"`      // the finished trials, in the order they ran
	Profiles    []ProfileRef `json:"profiles"`    // the merged profiles, one a model
	Skipped     []Skipped    `json:"skipped"`     // models that would have been in the plan
	Interrupted bool         `json:"interrupted"` // not carried out to the end: true from the start on, until all trials were run and all profiles are written
	Files       []string     `json:"files"`       // every file weft wrote in the directory, relative paths
}

// Host describes the machine and the kernel.
type Host struct {
	OS          string `json:"os"`           // PRETTY_NAME of os-release
	Kernel      string `json:"kernel"`       // uname -r
	Arch        string `json:"arch"`         // GOARCH
	CPUs        int    `json:"cpus"`         // CPUs this process may run on, count
	CPUModel    string `json:"cpu_model"`    // "model name" of /proc/cpuinfo
	MemoryBytes int64  `json:"memory_bytes"` // MemTotal of /proc/meminfo, bytes
	GoVersion   string `json:"go_version"`   // toolchain that built weft and its Go models

	Environment []Variable `json:"environment"` // of the models, what tunes their runtimes, as far as it is set
}

// Variable is an environment variable. Both of its parts are data, never markup.
type Variable struct {
	Name  string `json:"name"`  // "GOGC"
	Value string `json:"value"` // a long one is cut and ends in "…"
}

// Plan is what was asked for.
type Plan struct {
	Scenario      string   `json:"scenario"`       // "fetch"
	Models        []string `json:"models"`         // in the order of the report; the first is the baseline
	Requests      int      `json:"requests"`       // units of work a measured or profiled trial, count; a warm-up, a held and a traced one have no more than can be in flight at once
	Concurrency   int      `json:"concurrency"`    // units asked to be in flight at once, count
	LatencyNS     int64    `json:"latency_ns"`     // the origin's latency, a duration
	JitterNS      int64    `json:"jitter_ns"`      // uniform jitter around the latency, a duration
	PageBytes     int64    `json:"page_bytes"`     // size of a page's body, bytes
	PagesPerSec   float64  `json:"pages_per_sec"`  // the origin's limit, 0 is none
	KeepAlive     bool     `json:"keep_alive"`     // connections are used again
	URL           string   `json:"url"`            // a remote origin, empty for weft's own
	WarmupTrials  int      `json:"warmup_trials"`  // of the model with most in flight, count
	MeasuredRuns  int      `json:"measured_runs"`  // a model, count
	HeldTrials    int      `json:"held_trials"`    // a model, pairs at most: at a fifth of the concurrency and at all of it
	TracedTrials  int      `json:"traced_trials"`  // a model that tells of its heap only so, count
	ProfileTrials int      `json:"profile_trials"` // a model, at least: more where they are short or samples are few, count
	ControlTrials int      `json:"control_trials"` // a model, count
	SampleHz      int      `json:"sample_hz"`      // samples of a CPU in profiled trials, a second
	TimeoutNS     int64    `json:"timeout_ns"`     // after which a trial is ended, a duration
	Trials        int      `json:"trials"`         // of all models, profiled ones beyond the plan not among them, count; 0 where the writer did not tell

	Details []ModelDetail `json:"details"` // of the models, in their order
}

// ModelDetail is what weft knows of a model beforehand.
type ModelDetail struct {
	Name          string `json:"name"`            // one of Plan.Models
	Summary       string `json:"summary"`         // half a line
	Sequential    bool   `json:"sequential"`      // never has more than one request in flight
	ThreadPerTask bool   `json:"thread_per_task"` // has a thread for each request in flight; else one thread should do
	Own           bool   `json:"own"`             // has as many requests in flight as its library takes by itself
	Runtime       string `json:"runtime"`         // what it runs on, with versions: "Python 3.11.2, requests 2.28.1"
}

// Skipped is a model that was not run because the host lacks something for it.
type Skipped struct {
	Model  string `json:"model"`  // not one of Plan.Models
	Reason string `json:"reason"` // what it lacks; in part from the interpreter: data, never markup
	Advice string `json:"advice"` // how to get it: a command
}

// TrialRef names a trial's file.
type TrialRef struct {
	Number int    `json:"number"` // from 1, in the order they ran
	Model  string `json:"model"`  // one of Plan.Models
	Kind   Kind   `json:"kind"`   // what the trial is for
	File   string `json:"file"`   // relative to the directory
}

// ProfileRef names a model's merged profile.
type ProfileRef struct {
	Model string `json:"model"` // one of Plan.Models
	File  string `json:"file"`  // relative to the directory, gzipped pprof
}
