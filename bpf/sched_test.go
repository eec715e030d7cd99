package bpf

import "testing"

func TestSlice(t *testing.T) {
	w := watch(t, Options{}, "threads", "23")
	w.say("go")
	w.expect("made")
	live, err := w.probes.LiveTimes()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range live {
		show(t, l)
	}
	w.say("leave")
	w.truth(new(any))
	w.finish()
	for _, l := range w.times {
		show(t, l)
	}
	h, _ := w.probes.RunQueue()
	ws, _ := w.probes.Wakers()
	t.Logf("%+v\n%+v", h, ws)
	t.Log(len(live), len(w.times), len(w.gone))
	reportAll(t, w)
	w.noLoss()
}

func reportAll(t *testing.T, w *watched) {
	costs, _ := w.probes.Costs()
	for _, c := range costs {
		if c.Runs > 0 {
			t.Logf("%-28s %8d runs %6.0f ns each", c.Program, c.Runs, float64(c.RunNS)/float64(c.Runs))
		}
	}
}

func show(t *testing.T, l ThreadTime) {
	var sum uint64
	for i := range l.Setup.Ns {
		sum += l.Setup.Ns[i] + l.Work.Ns[i]
	}
	run := l.Setup.Ns[0] + l.Work.Ns[0]
	ready := l.Setup.Ns[1] + l.Work.Ns[1]
	t.Logf("%d act %d life %d diff %d; run %d exec %d foreign %d late %d diff %d; ready %d delay %d late %d unq %d diff %d; sw %d+%d kern %d+%d mig %d wk %d", l.Tid, l.Activity, l.AtNs-l.FirstNs,
		int64(l.AtNs-l.FirstNs-sum), run, l.ExecNs, l.ForeignNs, int64(l.LateRunNs), int64(run-l.ExecNs-l.ForeignNs-l.LateRunNs), ready, l.DelayNs, int64(l.LateReadyNs), l.UnqueuedNs, int64(ready-l.DelayNs-l.LateReadyNs),
		l.Blocks, l.Preempts, l.Voluntary, l.Involuntary, l.Work.Migrations, l.Work.Wakeups)
}
