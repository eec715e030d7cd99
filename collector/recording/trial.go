package recording

// Kind says what a trial is for.
type Kind string

// The kinds of trials. Only measured ones are timed.
const (
	Warmup   Kind = "warmup"   // thrown away
	Measured Kind = "measured" // counters only, timed
	Held     Kind = "held"     // the origin holds its answers, memory is read then
	Traced   Kind = "traced"   // held too; the heap of a model that traces every allocation, which slows it
	Profiled Kind = "profiled" // stacks, and the heap where it is sampled; never timed
	Control  Kind = "control"  // through the gate, no work
)

// Trial is one execution of one model in a fresh process.
type Trial struct {
	Number      int                 `json:"number"`               // from 1, in the order they ran
	Model       string              `json:"model"`                // one of the plan's models
	Kind        Kind                `json:"kind"`                 // "warmup", "measured", "held", "traced", "profiled" or "control"
	Concurrency int                 `json:"concurrency"`          // units asked to be in flight at once, count
	PID         int                 `json:"pid"`                  // of the model's process
	Phases      Phases              `json:"phases"`               // when each step was
	Work        Work                `json:"work"`                 // what came of it
	CPU         CPU                 `json:"cpu"`                  // processor time
	Threads     Threads             `json:"threads"`              // made and gone
	Sockets     Sockets             `json:"sockets"`              // socket IO
	Sched       *Sched              `json:"sched,omitempty"`      // where the threads' time went
	Memory      *Memory             `json:"memory,omitempty"`     // resident memory, from the kernel's events
	Curves      map[string]Curve    `json:"curves"`               // gauges over time by name: "threads", "awaiting", "rss"
	Snapshots   map[string]Snapshot `json:"snapshots"`            // of /proc by point: "gate", "held", "end"
	GoMemory    map[string]GoMemory `json:"go_memory"`            // of a Go child, by point: "gate", "end"
	Load        *HostLoad           `json:"load,omitempty"`       // what else the machine did
	Origin      *Origin             `json:"origin,omitempty"`     // the origin's own account, where weft ran one
	Heap        *Heap               `json:"heap,omitempty"`       // in traced trials, and in profiled ones whose model samples its heap
	Contention  *Contention         `json:"contention,omitempty"` // in profiled trials whose model can tell of its waits
	Found       []Found             `json:"found,omitempty"`      // in profiled trials, by kind of stacks: how their frames were found
	Lost        []Loss              `json:"lost"`                 // what could not be recorded, never nil when read
	Missing     []Missing           `json:"missing"`              // probes that were refused, never nil when read
	BPF         []ProgramCost       `json:"bpf"`                  // weft's own cost in the kernel
	Failure     *Failure            `json:"failure,omitempty"`    // why there is no result
}

// Phases dates a trial's steps. A step that was not reached is 0.
type Phases struct {
	StartNS int64 `json:"start_ns"` // the process was made
	ReadyNS int64 `json:"ready_ns"` // it said ready: set-up is over
	GateNS  int64 `json:"gate_ns"`  // the gate was opened: time zero of every curve
	LastNS  int64 `json:"last_ns"`  // the last unit was finished, by the child's clock
	DoneNS  int64 `json:"done_ns"`  // it said done
	ExitNS  int64 `json:"exit_ns"`  // it was reaped
}

// Work is what the child says of its work.
type Work struct {
	Units  int            `json:"units"`            // finished units, count
	Failed map[string]int `json:"failed,omitempty"` // failed units by cause
	Errors []string       `json:"errors,omitempty"` // one example a cause
	Digest string         `json:"digest"`           // of the result; equal for all trials of as many units
}

// CPU is the processor time of the process, from its process CPU clock (clock_gettime, which counts threads
// that are gone too).
type CPU struct {
	SetupNS int64 `json:"setup_ns"` // up to the gate, a duration
	WorkNS  int64 `json:"work_ns"`  // from the gate to the last unit where the child tells, else to done, a duration
}

// Loss is something that could not be recorded.
type Loss struct {
	Cause  string `json:"cause"`  // stable name: "ring_full", "connections_full", …
	Count  int64  `json:"count"`  // events or entries
	Detail string `json:"detail"` // what it means for the figures
}

// Missing is a probe that the kernel or the privileges refused.
type Missing struct {
	Probe  string `json:"probe"`  // "sock: sock_send_length"
	Reason string `json:"reason"` // in the kernel's words where there are any
}

// ProgramCost is the run time of one BPF program from the gate to done, from the kernel's own statistics
// (kernel.bpf_stats_enabled); of a trial whose gate was not opened, from its start. It is a lower bound of what the
// probes cost.
type ProgramCost struct {
	Program string `json:"program"` // name of the BPF program
	Runs    int64  `json:"runs"`    // count, events of other processes included
	RunNS   int64  `json:"run_ns"`  // a duration
}

// Failure says why a trial has no result.
type Failure struct {
	Cause string `json:"cause"` // stable name: "timeout", "died", "failed requests", "interrupted", …
	Error string `json:"error"` // in words
}

// WorkNS is the time from the gate to the last finished unit, a duration; 0 when the trial did not get there.
func (t *Trial) WorkNS() int64 {
	if t.Phases.LastNS <= t.Phases.GateNS || t.Phases.GateNS == 0 {
		return 0
	}
	return t.Phases.LastNS - t.Phases.GateNS
}

// OK says that the trial did all of its work: only such a trial is a result.
func (t *Trial) OK() bool {
	if t.Failure != nil {
		return false
	}
	for _, n := range t.Work.Failed {
		if n > 0 {
			return false
		}
	}
	return true
}

// InFlight is the greatest number of units that were in flight at once: the origin's own count where there is
// an origin, else the peak of awaiting reply.
func (t *Trial) InFlight() int64 {
	if t.Origin != nil {
		return t.Origin.PeakInFlight
	}
	return t.Sockets.Awaiting.Peak
}

// LostEvents is the sum over all causes, a count.
func (t *Trial) LostEvents() int64 {
	var n int64
	for _, l := range t.Lost {
		n += l.Count
	}
	return n
}
