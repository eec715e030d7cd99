package bpf

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// slack is what a wait may take longer by weft's clock than by the program's.
const slack = time.Millisecond

// A thread that waits is blocked for that cause, for as long as it asked for, and no longer than it says itself.
func TestWaitsHaveTheirCause(t *testing.T) {
	t.Setenv("GODEBUG", "asyncpreemptoff=1") // its signals would end waits
	for _, wait := range waits {
		t.Run(strings.ReplaceAll(wait.name, " ", "_"), func(t *testing.T) {
			w := watchWait(t, wait.name)
			before := w.timeOf(w.tid)
			w.say("go")
			var truth waitTruth
			w.truth(&truth)
			after := w.timeOf(w.tid)
			spent := func(activity Activity) int64 { return after.Sum(activity) - before.Sum(activity) }
			blocked, runnable := spent(wait.cause), spent(ActivityRunnable)
			if wait.cause == ActivityOther { // as it is before and after
				blocked -= int64(after.AtNs-before.AtNs) - truth.ElapsedNS
			}
			if blocked < asked.Nanoseconds() {
				t.Errorf("blocked for %v, want %v or more; %s", time.Duration(blocked), asked, spentList(before, after))
			}
			if blocked+runnable > truth.ElapsedNS+slack.Nanoseconds() {
				t.Errorf("blocked for %v and runnable for %v, in %v; %s", time.Duration(blocked), time.Duration(runnable),
					time.Duration(truth.ElapsedNS), spentList(before, after))
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
	w := watchUntil(t, Options{}, "wait", name)
	line, err := w.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	tid, err := strconv.Atoi(strings.TrimSpace(line))
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
