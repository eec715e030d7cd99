package collector

import (
	"slices"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/collector/recording"
)

func TestEveryCauseHasAName(t *testing.T) {
	var names []string
	for activity := bpf.ActivitySocketRead; activity < bpf.ActivityNone; activity++ {
		names = append(names, causes[activity])
	}
	want := recording.Causes()
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("causes %q, want %q", names, want)
	}
}

// agrees is an account of a thread that lived for 100 ns and agrees with the kernel's figures.
func agrees() bpf.ThreadTime {
	t := bpf.ThreadTime{
		Tid: 7, StartNs: 5, FirstNs: 1_000, AtNs: 1_100, SinceNs: 1_100, Activity: bpf.ActivityNone,
		Blocks: 3, Preempts: 2, Voluntary: 3, Involuntary: 2, ExecNs: 40, DelayNs: 10,
	}
	t.Setup.Ns[bpf.ActivityRunning] = 15
	t.Work.Ns[bpf.ActivityRunning] = 25
	t.Work.Ns[bpf.ActivityRunnable] = 10
	t.Work.Ns[bpf.ActivityFutex] = 50
	t.Work.Wakeups = 3
	return t
}

func TestMismatchesAreLost(t *testing.T) {
	tests := map[string]func(*bpf.ThreadTime){
		"":          func(*bpf.ThreadTime) {},
		"life":      func(t *bpf.ThreadTime) { t.Work.Ns[bpf.ActivityFutex]-- },
		"running":   func(t *bpf.ThreadTime) { t.ExecNs += 2_000 },
		"runnable":  func(t *bpf.ThreadTime) { t.DelayNs += 2_000 },
		"switches":  func(t *bpf.ThreadTime) { t.Involuntary++ },
		"voluntary": func(t *bpf.ThreadTime) { t.Voluntary, t.Involuntary = 2, 3 },
	}
	for figure, spoil := range tests {
		account := agrees()
		spoil(&account)
		w := &Watch{trial: &recording.Trial{}}
		w.loseMismatches([]bpf.ThreadTime{agrees(), account})
		if figure == "" {
			if len(w.trial.Lost) > 0 {
				t.Errorf("lost %+v, want nothing", w.trial.Lost)
			}
			continue
		}
		if len(w.trial.Lost) != 1 || w.trial.Lost[0].Count != 1 || w.trial.Lost[0].Cause != "sched_mismatch" ||
			!strings.Contains(w.trial.Lost[0].Detail, "whose "+figure+" is not the kernel's: most of all thread 7") {
			t.Errorf("%s: lost %+v", figure, w.trial.Lost)
		}
	}
}

// What the account knows that the kernel's figures leave out is allowed for.
func TestMismatchesAllow(t *testing.T) {
	tests := map[string]func(*bpf.ThreadTime){
		"the host's steal":      func(t *bpf.ThreadTime) { t.Work.Ns[0] += 9_000; t.AtNs += 9_000; t.StealNs = 9_000 },
		"a late hook":           func(t *bpf.ThreadTime) { t.Work.Ns[1] += 9_000; t.AtNs += 9_000; t.LateReadyNs = 9_000 },
		"a hook that is early":  func(t *bpf.ThreadTime) { t.LateRunNs -= 9_000; t.ExecNs += 9_000 },
		"preempted when asleep": func(t *bpf.ThreadTime) { t.Work.Ns[1] += 9_000; t.AtNs += 9_000; t.UnqueuedNs = 9_000 },
		"running still": func(t *bpf.ThreadTime) {
			t.Work.Ns[0] += 9_000
			t.AtNs += 9_000
			t.Activity = bpf.ActivityRunning
		},
	}
	for name, change := range tests {
		account := agrees()
		change(&account)
		if m := account.Mismatches(); len(m) > 0 {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func TestClipEndsAtDone(t *testing.T) {
	account := agrees()
	account.Activity, account.SinceNs = bpf.ActivityFutex, 1_060
	clip(&account, 1_070)
	if got := account.Work.Ns[bpf.ActivityFutex]; got != 20 {
		t.Errorf("%d ns, want 20: 30 of 50 were after done", got)
	}
	account = agrees()
	account.Activity, account.SinceNs = bpf.ActivityFutex, 1_080
	clip(&account, 1_070)
	if got := account.Work.Ns[bpf.ActivityFutex]; got != 30 {
		t.Errorf("%d ns, want 30: 20 of 50 are of a wait that began after done", got)
	}
}

func TestHistogramRecord(t *testing.T) {
	var queue bpf.Histogram
	queue.Counts[2], queue.Counts[5], queue.SumNs = 7, 1, 99
	if got := histogramRecord(queue); !slices.Equal(got.Counts, []int64{0, 0, 7, 0, 0, 1}) || got.SumNS != 99 {
		t.Errorf("%+v", got)
	}
}

func TestThreadsWithoutATime(t *testing.T) {
	threads := []bpf.Thread{{Tid: 7, StartNs: 5}, {Tid: 7, StartNs: 6}, {Tid: 8, StartNs: 5}}
	if n := countTimeless(threads, nil, []bpf.ThreadTime{agrees()}); n != 2 {
		t.Errorf("%d threads have no time, want 2", n)
	}
	ended := map[threadIdentity]bool{identity(threads[2]): true}
	if n := countTimeless(threads, ended, []bpf.ThreadTime{agrees()}); n != 1 {
		t.Errorf("%d threads have no time, want 1", n)
	}
}
