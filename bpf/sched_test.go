package bpf

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slack is what a wait may take longer by weft's clock than by the program's.
const slack = time.Millisecond

// A thread that waits is blocked for that cause, for as long as it asked for, and no longer than it says itself.
func TestWaitsHaveTheirCause(t *testing.T) {
	for _, wait := range waits {
		t.Run(strings.ReplaceAll(wait.name, " ", "_"), func(t *testing.T) {
			w := watchWait(t, wait.name)
			before := w.timeOf(w.tid)
			w.Say("go")
			var truth waitTruth
			w.Decode(&truth)
			after := w.timeOf(w.tid)
			spent := func(activity Activity) int64 { return after.Sum(activity) - before.Sum(activity) }
			blocked, runnable := spent(wait.cause), spent(ActivityRunnable)
			if wait.cause == ActivityOther { // as it is before and after
				blocked -= int64(after.AtNs-before.AtNs) - truth.ElapsedNS
			}
			// A time-out begins in the call, before the thread has left the CPU: by what that takes, in which it can be
			// preempted, it is blocked for less. One that is counted in ticks is short where a tick comes late.
			early := max(min(asked.Nanoseconds(), truth.ElapsedNS)-blocked, 0)
			if early > 0 {
				t.Logf("blocked for %v less than %v: it had begun to wait before", time.Duration(early), asked)
			}
			if early > spent(ActivityRunning)+runnable {
				t.Errorf("blocked for %v, want %v or more; %s", time.Duration(blocked), asked, spentList(before, after))
			}
			// Not with its time in the run queue, some of which may come after the program has looked at its clock:
			// checkTimes compares that with the kernel's.
			if blocked > truth.ElapsedNS+slack.Nanoseconds() {
				t.Errorf("blocked for %v in %v; %s", time.Duration(blocked), time.Duration(truth.ElapsedNS), spentList(before, after))
			}
			w.finish()
			w.checkTimes()
			w.noLoss()
		})
	}
}

// waiting is a program that waits, and the thread that does.
type waiting struct {
	*watched
	tid int
}

func watchWait(t *testing.T, name string) waiting {
	t.Helper()
	t.Setenv("GODEBUG", "asyncpreemptoff=1") // its signals would end waits
	w := watchUntil(t, Options{}, "wait", name)
	line := w.Line()
	if strings.HasPrefix(line, refused) {
		t.Skip(line)
	}
	tid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	w.open()
	return waiting{w, tid}
}

// timeOf gives a live thread's time.
func (w *watched) timeOf(tid int) ThreadTime {
	w.t.Helper()
	for range 100 {
		live, err := w.probes.LiveTimes()
		if err != nil {
			w.t.Fatal(err)
		}
		for _, l := range live {
			if int(l.Tid) == tid {
				return l
			}
		}
	}
	w.t.Fatalf("thread %d has no account of its time", tid)
	return ThreadTime{}
}

// checkTimes compares the threads that are gone with the kernel's figures.
func (w *watched) checkTimes() {
	w.t.Helper()
	// A thread's last switch may come after its process has been waited for.
	for deadline := time.Now().Add(10 * time.Second); len(w.times) < len(w.gone) && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
		w.drain()
	}
	if len(w.times) == 0 || len(w.times) != len(w.gone) {
		w.t.Errorf("%d threads are gone, %d times", len(w.gone), len(w.times))
	}
	for _, l := range w.times {
		for _, m := range l.Mismatches() {
			w.t.Errorf("thread %d: %+v; %+v", l.Tid, m, l)
		}
	}
}

// spentList tells what a thread did in between.
func spentList(before, after ThreadTime) string {
	var list []string
	for activity := range ActivityNone {
		if ns := after.Sum(activity) - before.Sum(activity); ns > 0 {
			list = append(list, fmt.Sprint(activity)+" "+time.Duration(ns).String())
		}
	}
	return strings.Join(list, ", ")
}

// Two threads that spin on one CPU share it: each is ready while the other one runs.
func TestSpinnersShareACPU(t *testing.T) {
	w := watch(t, Options{}, "spin", "500")
	w.Say("go")
	var stats [2]schedstat
	w.Decode(&stats)
	w.finish()
	w.checkTimes()
	for _, s := range stats {
		l := w.goneTime(t, s.TID)
		running, runnable := l.Sum(ActivityRunning), l.Sum(ActivityRunnable)
		t.Logf("thread %d: running %d ns, sum_exec_runtime %d and %d charged to others, hooks late by %d; runnable %d ns, "+
			"run_delay %d, hooks late by %d; %d switches, %d moves while it waited, %d made up", s.TID, running, l.ExecNs, l.StealNs, int64(l.LateRunNs),
			runnable, l.DelayNs, int64(l.LateReadyNs), l.Blocks+l.Preempts, l.Moved, l.Unseen)
		// What the program read in /proc was a moment before its end.
		if s.Exec > int64(l.ExecNs) || s.Delay > int64(l.DelayNs) {
			t.Errorf("schedstat %+v is more than at the end: %+v", s, l)
		}
		if runnable < 100e6 || running < 10e6 {
			t.Errorf("thread %d was running for %v and runnable for %v: want 10 and 100 ms or more", s.TID,
				time.Duration(running), time.Duration(runnable))
		}
		if l.Preempts == 0 || l.Blocks+l.Preempts != l.Voluntary+l.Involuntary {
			t.Errorf("%d blocks and %d preemptions, want the kernel's %d and %d", l.Blocks, l.Preempts, l.Voluntary, l.Involuntary)
		}
	}
	w.noLoss()
}

func (w *watched) goneTime(t *testing.T, tid int) ThreadTime {
	t.Helper()
	for _, l := range w.times {
		if int(l.Tid) == tid {
			return l
		}
	}
	t.Fatalf("thread %d has no account of its time", tid)
	return ThreadTime{}
}

// Who wakes is named, each wait for a CPU is in the histogram, and the accounts agree with the kernel's after very
// many switches, with a third thread in between that preempts: where the kernel can be preempted, on their way to
// sleep too.
func TestPingPong(t *testing.T) {
	const times = 5000
	for _, with := range []string{"alone", "busy"} {
		t.Run(with, func(t *testing.T) {
			w := watch(t, Options{}, "pingpong", strconv.Itoa(times), with)
			w.Say("go")
			w.Decode(new(any))
			w.finish()
			w.checkTimes()
			names := map[uint32]string{}
			for _, thread := range w.gone {
				names[thread.Tid] = ThreadName(thread)
			}
			pipes, unqueued := 0, uint64(0)
			for _, l := range w.times {
				if name := names[l.Tid]; name == "ping" || name == "pong" {
					pipes++
					if l.Work.Ns[ActivityPipe] == 0 || l.Work.Wakeups == 0 {
						t.Errorf("%s: %+v, want one that has waited for a pipe", name, l.Work)
					}
				}
				// Each wait has ended by a wake-up, but for the last.
				if wakeups := l.Setup.Wakeups + l.Work.Wakeups; wakeups != l.Blocks-1 {
					t.Errorf("thread %d was blocked %d times and woken %d times", l.Tid, l.Blocks, wakeups)
				}
				unqueued += l.UnqueuedNs
			}
			if pipes != 2 {
				t.Errorf("%d threads by the names of ping and pong, want 2", pipes)
			}
			t.Logf("preempted on the way to sleep for %v", time.Duration(unqueued))
			w.checkWakers()
			w.checkRunQueue()
			w.noLoss()
		})
	}
}

// checkWakers compares the wake-ups by who woke with those by who was woken. A thread that is not asleep any more
// may be woken too.
func (w *watched) checkWakers() {
	w.t.Helper()
	wakers, err := w.probes.Wakers()
	if err != nil {
		w.t.Fatal(err)
	}
	var all, woken, unseen uint64
	counts := map[string]uint64{}
	for _, waker := range wakers {
		counts[waker.Name] += waker.Count
		all += waker.Count
	}
	for _, l := range w.times {
		woken += l.Work.Wakeups
		unseen += l.Unseen
	}
	// A wake-up may have begun before the gate.
	if counts["ping"] == 0 || counts["pong"] == 0 || all+unseen+uint64(len(w.times)) < woken {
		w.t.Errorf("wakers %v, %d in all, woken %d times of which %d were made up for", counts, all, woken, unseen)
	}
}

// checkRunQueue compares the histogram with the threads' own sums. A wait that spans the gate is whole in it: one of
// each thread that was there.
func (w *watched) checkRunQueue() {
	w.t.Helper()
	queue, err := w.probes.RunQueue()
	if err != nil {
		w.t.Fatal(err)
	}
	var n, sum, most, waits, longest, early uint64
	for i, count := range queue.Counts {
		n += count
		most += count << min(i+1, 63)
		if count > 0 {
			longest = 1 << min(i+1, 63)
		}
	}
	for _, l := range w.times {
		if l.Setup.Ns[ActivityRunnable] > 0 {
			early++
		}
		sum += l.Work.Ns[ActivityRunnable]
		waits += l.Setup.Wakeups + l.Work.Wakeups + l.Preempts + 1
	}
	if n == 0 || n > waits || queue.SumNs < sum || queue.SumNs > sum+early*longest || queue.SumNs > most {
		w.t.Errorf("%d waits of %d ns, at most %d by their buckets; the threads have %d of %d ns", n, queue.SumNs, most, waits, sum)
	}
}

// A wait that has not ended counts up to the look at it, and up to the end of the thread that is killed in it.
func TestWaitsThatDoNotEnd(t *testing.T) {
	// On a machine that others use a look may come when the wait has ended: one of some is in it.
	for range 5 {
		if lookAndKill(t) {
			return
		}
	}
	t.Error("each wait had ended before it was looked at")
}

// lookAndKill looks at a thread that sleeps and kills it. False: it slept no more.
func lookAndKill(t *testing.T) bool {
	t.Helper()
	w := watchWait(t, "nanosleep")
	w.Say("go")
	w.sleeps()
	time.Sleep(asked / 5)
	l := w.timeOf(w.tid)
	if slept := l.Sum(ActivitySleep); slept < int64(asked/10) || l.Activity != ActivitySleep && slept < int64(asked)*9/10 {
		t.Errorf("%+v, want one asleep", l)
	}
	if err := w.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	w.Cmd.Wait()
	w.drain()
	w.checkTimes()
	if end := w.goneTime(t, w.tid); end.Sum(ActivitySleep) < l.Sum(ActivitySleep) || end.Activity != ActivityNone {
		t.Errorf("%+v, after %+v", end, l)
	}
	w.noLoss()
	return l.Activity == ActivitySleep
}

// sleeps waits until the thread's sleep has begun, which on a busy machine is some time after it was told to.
func (w waiting) sleeps() {
	w.t.Helper()
	slept := func() bool { l := w.timeOf(w.tid); return l.Sum(ActivitySleep) > 0 }
	w.until(slept, func() string { return "it does not sleep" })
}

// stops waits until the thread is stopped: on a busy machine it may have to wait for a CPU before it can.
func (w waiting) stops() {
	w.t.Helper()
	stat := func() string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", w.PID, w.tid))
		if err != nil {
			w.t.Fatal(err)
		}
		return string(text)
	}
	w.until(func() bool { return strings.Contains(stat(), ") T ") }, func() string { return "it does not stop: " + stat() })
}

// A thread that is stopped in the midst of a sleep is stopped, and then sleeps on: restart_syscall keeps the cause.
func TestStoppedSleep(t *testing.T) {
	w := watchWait(t, "nanosleep")
	w.Say("go")
	w.sleeps()
	time.Sleep(asked / 5)
	if err := w.Cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.stops()
	time.Sleep(asked / 5)
	if err := w.Cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	w.Decode(new(waitTruth))
	l := w.timeOf(w.tid)
	stopped, asleep, runnable := l.Sum(ActivityStopped), l.Sum(ActivitySleep), l.Sum(ActivityRunnable)
	// What is left of the sleep when it goes on is little on a busy machine: the sum has it.
	if stopped < int64(asked/20) || asleep < int64(asked/10) || stopped+asleep+runnable < int64(asked)*9/10 {
		t.Errorf("stopped for %v, asleep for %v and runnable for %v, want nearly %v in all", time.Duration(stopped),
			time.Duration(asleep), time.Duration(runnable), asked)
	}
	w.finish()
	w.checkTimes()
	w.noLoss()
}

func TestLossOfWakers(t *testing.T) {
	w := watch(t, Options{Wakers: 1}, "pingpong", "100", "alone")
	w.Say("go")
	w.Decode(new(any))
	wakers, err := w.probes.Wakers()
	if err != nil {
		t.Fatal(err)
	}
	if lost := w.lost("wakers_full"); len(wakers) != 1 || lost == 0 || wakers[0].Count == 0 {
		t.Errorf("wakers %+v and %d lost, want one, and others lost", wakers, lost)
	}
}
