package bpf

// ThreadTime's figures of weft's own, each the sum of its events, against what the kernel keeps of the thread and
// weft reads at the same instant. docs/accuracy.md says what is allowed and why.
const (
	roundingNS = 1_000     // each of the two clocks
	newidleNS  = 1_000_000 // for which a thread's CPU looks for other work, beyond a hundredth of what it ran
	movedNS    = 1_000_000 // each run queue that a thread is moved to has a clock of its own
	madeUpNS   = 1_000_000 // an event that no hook saw: when it was is known by the run queue's clock only
)

// Mismatch is a figure of a thread that differs from the kernel's by more than is allowed.
type Mismatch struct {
	Figure       string // "life", "running", "runnable", "switches", "voluntary"
	Weft, Kernel int64  // ns, or counts
}

// Sum gives an activity's duration over the thread's life, ns.
func (t *schedThreadTime) Sum(activity Activity) int64 {
	return int64(t.Setup.Ns[activity] + t.Work.Ns[activity])
}

// open is how long the thread has been doing what it does, if that is the activity: of it the kernel's figures
// have nothing, or a part.
func (t *schedThreadTime) open(activity Activity) int64 {
	if t.Activity != activity {
		return 0
	}
	return int64(t.AtNs - t.SinceNs)
}

// Mismatches compares the account with the kernel's.
func (t *schedThreadTime) Mismatches() []Mismatch {
	var life int64
	for activity := range ActivityNone {
		life += t.Sum(activity)
	}
	// By the run queue's clock, as the kernel counts.
	running := t.Sum(ActivityRunning) - t.open(ActivityRunning) - int64(t.StealNs) - int64(t.LateRunNs)
	runnable := t.Sum(ActivityRunnable) - t.open(ActivityRunnable) - int64(t.UnqueuedNs) - int64(t.MovingNs) -
		int64(t.LateReadyNs) + int64(t.DelayedNs)
	newidle := min(int64(t.NewidleNs), running/100+newidleNS)
	moved, madeUp := int64(t.Moved)*movedNS, int64(t.Unseen)*madeUpNS
	racing := int64(0)
	if t.Activity == ActivityRunning {
		racing = 1 // on its way out: counted by the kernel, and not yet by the hook
	}
	checks := []struct {
		figure       string
		weft, kernel int64
		below, above int64 // by how much the kernel's may differ
	}{
		{"life", life, int64(t.AtNs - t.FirstNs), 0, 0},
		{"running", running, int64(t.ExecNs), roundingNS + madeUp + newidle, roundingNS + madeUp + t.open(ActivityRunning)},
		{"runnable", runnable, int64(t.DelayNs), roundingNS + madeUp + moved, roundingNS + madeUp + moved + int64(t.UnqueuedNs)},
		{"switches", int64(t.Blocks + t.Preempts), int64(t.Voluntary + t.Involuntary), 0, racing},
		// A thread that a signal, or a wake-up, keeps from sleeping is voluntary to the kernel.
		{"voluntary", int64(t.Blocks), int64(t.Voluntary), 0, int64(t.Preempts) + racing},
	}
	var mismatches []Mismatch
	for _, c := range checks {
		if c.kernel < c.weft-c.below || c.kernel > c.weft+c.above {
			mismatches = append(mismatches, Mismatch{Figure: c.figure, Weft: c.weft, Kernel: c.kernel})
		}
	}
	return mismatches
}
