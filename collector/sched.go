package collector

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/collector/recording"
)

// timeLooks is for how long the times are looked at again, 1 ms apart: on a busy machine a thread that ends can wait
// for a CPU in the midst of that, out of the iterator's sight and before its last switch. The program stands still.
const timeLooks = 5 * time.Second

// causes are the recording's names of what blocks.
var causes = map[bpf.Activity]string{
	bpf.ActivitySocketRead:  recording.CauseSocketRead,
	bpf.ActivitySocketWrite: recording.CauseSocketWrite,
	bpf.ActivityConnect:     recording.CauseConnect,
	bpf.ActivityAccept:      recording.CauseAccept,
	bpf.ActivityEpoll:       recording.CauseEpoll,
	bpf.ActivityPoll:        recording.CausePoll,
	bpf.ActivitySelect:      recording.CauseSelect,
	bpf.ActivityPipe:        recording.CausePipe,
	bpf.ActivityFile:        recording.CauseFile,
	bpf.ActivityFutex:       recording.CauseFutex,
	bpf.ActivitySleep:       recording.CauseSleep,
	bpf.ActivityChildWait:   recording.CauseChildWait,
	bpf.ActivityIOUring:     recording.CauseIOUring,
	bpf.ActivityStopped:     recording.CauseStopped,
	bpf.ActivityPageFault:   recording.CausePageFault,
	bpf.ActivityOther:       recording.CauseOther,
}

// collectSched fills in where the threads' time went: of each thread in its life, of all of them from the gate to
// done. The kernel side splits what spans the gate, so that no baseline is taken there.
func (w *Watch) collectSched(threads []bpf.Thread) error {
	if !w.c.probes.Has(bpf.ObjectSched) {
		return nil
	}
	all, missing, err := w.lookAtTimes(threads)
	if err != nil {
		return err
	}
	w.loseTimes(missing)
	w.loseMismatches(all)
	life := map[threadIdentity]recording.ThreadTime{}
	total, madeUp := w.droppedTime, w.droppedMadeUp
	for _, t := range all {
		clip(&t, w.trial.Phases.DoneNS)
		w.noteOffCPU(t)
		own := recording.ThreadTime{BlockedNS: map[string]int64{}}
		addTime(&own, bpf.Spent(t.Setup))
		addTime(&own, bpf.Spent(t.Work))
		addTime(&total, bpf.Spent(t.Work))
		life[timeIdentity(t)] = own
		madeUp += int64(t.Unseen)
	}
	for i := range w.trial.Threads.List {
		t := &w.trial.Threads.List[i]
		if own, ok := life[threadIdentity{uint32(t.TID), uint64(t.StartNS)}]; ok {
			t.Time = &own
		}
	}
	if w.trial.Phases.GateNS == 0 {
		return nil // the gate was never opened
	}
	w.trial.Sched = &recording.Sched{Time: total, MadeUp: madeUp}
	return w.collectQueue()
}

// collectQueue reads the waits for a CPU, and who ended waits.
func (w *Watch) collectQueue() error {
	queue, err := w.c.probes.RunQueue()
	if err != nil {
		return err
	}
	w.trial.Sched.RunQueue = histogramRecord(queue)
	wakers, err := w.c.probes.Wakers()
	if err != nil {
		return err
	}
	for _, waker := range wakers {
		w.trial.Sched.Wakers = append(w.trial.Sched.Wakers, recording.Waker{
			TID: int(waker.TID), Name: waker.Name, Count: int64(waker.Count),
		})
	}
	slices.SortFunc(w.trial.Sched.Wakers, func(a, b recording.Waker) int {
		return cmp.Or(-cmp.Compare(a.Count, b.Count), cmp.Compare(a.TID, b.TID), cmp.Compare(a.Name, b.Name))
	})
	return nil
}

func histogramRecord(queue bpf.Histogram) recording.Histogram {
	h := recording.Histogram{SumNS: int64(queue.SumNs)}
	for i, n := range queue.Counts {
		if n > 0 {
			for len(h.Counts) < i {
				h.Counts = append(h.Counts, 0)
			}
			h.Counts = append(h.Counts, int64(n))
		}
	}
	return h
}

func timeIdentity(t bpf.ThreadTime) threadIdentity { return threadIdentity{t.Tid, t.StartNs} }

// lookAtTimes gives the times of all threads, those that have ended and those that live, and how many threads are in
// no account and no loss. It looks again while one is missing, which is on its way from the one to the other, or seems
// to differ from the kernel's, which is in the midst of a switch.
func (w *Watch) lookAtTimes(threads []bpf.Thread) ([]bpf.ThreadTime, int64, error) {
	deadline := time.Now().Add(timeLooks)
	has, listed := map[threadIdentity]bool{}, 0 // of those that have ended
	for look := 0; ; look++ {
		live, err := w.c.probes.LiveTimes()
		if err != nil {
			return nil, 0, err
		}
		w.drain()
		if w.drainErr != nil {
			return nil, 0, w.drainErr
		}
		for ; listed < len(w.times); listed++ {
			has[timeIdentity(w.times[listed])] = true
		}
		live = slices.DeleteFunc(live, func(t bpf.ThreadTime) bool { return has[timeIdentity(t)] })
		differs := slices.ContainsFunc(live, func(t bpf.ThreadTime) bool { return len(t.Mismatches()) > 0 })
		missing, err := w.unaccounted(threads, has, live)
		if err != nil {
			return nil, 0, err
		}
		if missing <= 0 && (!differs || look >= looks) || time.Now().After(deadline) {
			return slices.Concat(w.times, live), missing, nil
		}
		time.Sleep(time.Millisecond)
	}
}

// countTimeless is how many threads have no account of their time, neither among those that have ended nor among those
// that live.
func countTimeless(threads []bpf.Thread, ended map[threadIdentity]bool, live []bpf.ThreadTime) int64 {
	has := make(map[threadIdentity]bool, len(live))
	for _, t := range live {
		has[timeIdentity(t)] = true
	}
	missing := int64(0)
	for _, t := range threads {
		if id := identity(t); !has[id] && !ended[id] {
			missing++
		}
	}
	return missing
}

// clip takes back what came after done: the accounts are read a little later.
func clip(t *bpf.ThreadTime, done int64) {
	if done <= 0 || t.Activity >= bpf.ActivityNone || int64(t.AtNs) <= done {
		return
	}
	after := t.AtNs - max(uint64(done), t.SinceNs)
	// What began before the gate is in two parts; nobody is done before the gate.
	t.Work.Ns[t.Activity] -= min(after, t.Work.Ns[t.Activity])
}

func addTime(sum *recording.ThreadTime, spent bpf.Spent) {
	if sum.BlockedNS == nil {
		sum.BlockedNS = map[string]int64{}
	}
	sum.RunningNS += int64(spent.Ns[bpf.ActivityRunning])
	sum.RunnableNS += int64(spent.Ns[bpf.ActivityRunnable])
	for activity, cause := range causes {
		if ns := spent.Ns[activity]; ns > 0 {
			sum.BlockedNS[cause] += int64(ns)
		}
	}
	sum.Wakeups += int64(spent.Wakeups)
	sum.Migrations += int64(spent.Migrations)
}

// unaccounted is how many threads have their time in no account, and in no loss.
func (w *Watch) unaccounted(threads []bpf.Thread, ended map[threadIdentity]bool, live []bpf.ThreadTime) (int64, error) {
	losses, err := w.c.probes.Losses()
	missing := countTimeless(threads, ended, live)
	if w.timesUnlisted > 0 { // who is not listed is not known, only how many
		missing = int64(len(threads)-len(ended)-len(live)) + w.unlisted - w.unlistedConnections - w.timesUnlisted
	}
	return missing - lostBy(losses, bpf.LossOfTimes, bpf.LossOfTimesInRing), err
}

// loseTimes counts the threads that no look has found.
func (w *Watch) loseTimes(missing int64) {
	if missing > 0 {
		w.trial.Lost = append(w.trial.Lost, recording.Loss{
			Cause:  "sched_unlisted",
			Count:  missing,
			Detail: "threads have no account of where their time went",
		})
	}
	if w.timesUnlisted > 0 {
		w.trial.Lost = append(w.trial.Lost, recording.Loss{
			Cause:  "times_list_full",
			Count:  w.timesUnlisted,
			Detail: "threads that ended have no time listed, which is not compared with the kernel's; totals are complete",
		})
	}
}

// loseMismatches reports the threads whose figures differ from the kernel's own, by figure, with those of the
// thread that differs most.
func (w *Watch) loseMismatches(all []bpf.ThreadTime) {
	type group struct {
		count int64
		worst bpf.Mismatch
		tid   uint32
	}
	groups := map[string]*group{}
	for _, t := range all {
		for _, m := range t.Mismatches() {
			g := groups[m.Figure]
			if g == nil {
				g = &group{}
				groups[m.Figure] = g
			}
			g.count++
			if g.count == 1 || distance(m) > distance(g.worst) {
				g.worst, g.tid = m, t.Tid
			}
		}
	}
	for _, figure := range slices.Sorted(maps.Keys(groups)) {
		g := groups[figure]
		w.trial.Lost = append(w.trial.Lost, recording.Loss{
			Cause: "sched_mismatch",
			Count: g.count,
			Detail: fmt.Sprintf("threads whose %s is not the kernel's: most of all thread %d, %d by weft, %d by the kernel",
				figure, g.tid, g.worst.Weft, g.worst.Kernel),
		})
	}
}

func distance(m bpf.Mismatch) int64 { return max(m.Weft-m.Kernel, m.Kernel-m.Weft) }
