package bpf

import (
	"fmt"
	"testing"
	"time"
)

// A new session knows nothing of the one before, whose program still runs and then ends.
func TestResetForgets(t *testing.T) {
	w := watch(t, Options{Stacks: true}, "transfer", "unix", "write", "read")
	w.Say("go")
	var truth transferTruth
	w.Decode(&truth)
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

// What ends of the session before while a new one begins is in neither: a program is killed, and its connections
// go one by one meanwhile.
func TestResetWhileConnectionsEnd(t *testing.T) {
	const connections = 900
	s := serve(t, "tcp", "127.0.0.1:0")
	w := watch(t, Options{}, "await", "tcp!"+s.listener.Addr().String(), fmt.Sprint(connections), fmt.Sprint(connections))
	w.Say("connect")
	w.Expect("connected")
	w.Say("ask")
	w.Expect("asked")
	w.gaugeReaches(GaugeAwaiting, connections)
	if err := w.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); w.gauge(GaugeAwaiting).Now == connections; {
		if time.Now().After(deadline) {
			t.Fatal("no connection of a killed program has ended")
		}
	}
	if err := w.probes.Reset(); err != nil {
		t.Fatal(err)
	}
	w.Cmd.Wait()
	w.drain()
	for _, id := range []GaugeID{GaugeThreads, GaugeAwaiting, GaugeRSS} {
		if gauge := w.gauge(id); gauge != (Gauge{}) {
			t.Errorf("gauge %d is %+v", id, gauge)
		}
	}
	if n := len(w.gone) + len(w.closed); n > 0 {
		t.Errorf("%d ends of the session before", n)
	}
}
