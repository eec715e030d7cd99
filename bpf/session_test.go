package bpf

import "testing"

// A new session knows nothing of the one before, whose program still runs and then ends.
func TestResetForgets(t *testing.T) {
	w := watch(t, Options{Stacks: true}, "transfer", "unix", "write", "read")
	w.say("go")
	var truth transferTruth
	w.truth(&truth)
	if err := w.probes.Reset(); err != nil {
		t.Fatal(err)
	}
	w.finish()
	live, err := w.probes.Live()
	if err != nil {
		t.Fatal(err)
	}
	stacks, weights, err := w.probes.Stacks()
	if err != nil {
		t.Fatal(err)
	}
	if len(live)+len(w.gone)+len(w.connections())+len(stacks)+len(weights) != 0 {
		t.Errorf("live %v, gone %v, connections %v, %d stacks", live, w.gone, w.connections(), len(stacks))
	}
	if totals := w.totals(TransportUnix); totals != (Totals{}) {
		t.Errorf("totals %+v", totals)
	}
	if gauge := w.gauge(GaugeThreads); gauge != (Gauge{}) {
		t.Errorf("threads %+v", gauge)
	}
	w.noLoss()
}
