package collector

import (
	"fmt"
	"os"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/collector/recording"
)

// collectMemory fills in the peak of resident memory and how far it can be trusted. It comes after the curve: a page
// more in between is then in the peak, and the curve has nothing above it.
func (w *Watch) collectMemory() error {
	if !w.c.probes.Has(bpf.ObjectMemory) {
		return nil // it is in Missing
	}
	gauge, err := w.c.probes.Gauge(bpf.GaugeRSS)
	if err != nil {
		return err
	}
	sums, err := w.c.probes.MemorySums()
	if err != nil {
		return err
	}
	w.trial.Memory = &recording.Memory{
		PeakBytes:      int64(max(gauge.Peak, w.atGate.rss.Now)) * bpf.RSSUnit,
		SetupPeakBytes: int64(gauge.Early) * bpf.RSSUnit,
		BoundBytes:     sums.Bound(w.trial.Threads.Peak, w.atGate.load.cpus, int64(os.Getpagesize())),
		GrownBytes:     int64(sums.Grown) * bpf.RSSUnit,
		Foreign:        int64(sums.Foreign),
	}
	return nil
}

// curveInBytes turns the kernel side's units into bytes.
func curveInBytes(c bpf.Curve) recording.Curve {
	for _, values := range [][]int64{c.Least, c.Greatest, c.Last} {
		for i := range values {
			values[i] *= bpf.RSSUnit
		}
	}
	return recording.Curve(c)
}

// snapshotAtEnd reads /proc, and holds the kernel side's resident memory against it. Of several processes only one
// is read: there is nothing to compare then.
func (w *Watch) snapshotAtEnd() error {
	before, err := w.c.probes.Gauge(bpf.GaugeRSS)
	if err != nil {
		return err
	}
	if err := w.snapshot(recording.AtEnd, 0); err != nil {
		return err
	}
	after, err := w.c.probes.Gauge(bpf.GaugeRSS)
	if err != nil {
		return err
	}
	if w.trial.Memory == nil {
		return nil
	}
	// The process may have touched a page on its way from its last word to the wait at its gate.
	w.trial.Memory.PeakBytes = max(w.trial.Memory.PeakBytes, int64(after.Peak)*bpf.RSSUnit)
	if w.aliveAlone() {
		w.checkResident(int64(before.Now)*bpf.RSSUnit, int64(after.Now)*bpf.RSSUnit)
	}
	return nil
}

// aliveAlone says whether the watched process has no descendant that lives.
func (w *Watch) aliveAlone() bool {
	for _, t := range w.trial.Threads.List {
		if t.EndNS == 0 && t.PID != w.trial.PID {
			return false
		}
	}
	return true
}

// checkResident counts it as a loss when the page tables, walked between two looks at the gauge, have not what the
// gauge says.
func (w *Watch) checkResident(before, after int64) {
	pages, bound := w.trial.Snapshots[recording.AtEnd].RSSBytes, w.trial.Memory.BoundBytes
	if pages >= min(before, after)-bound && pages <= max(before, after)+bound {
		return
	}
	w.trial.Lost = append(w.trial.Lost, recording.Loss{
		Cause: "rss_mismatch",
		Count: 1,
		Detail: fmt.Sprintf("resident memory at the end is %d bytes by rss_stat and %d by smaps_rollup, more apart than the bound of %d: "+
			"its peak and curve are wrong by as much", after, pages, bound),
	})
}
