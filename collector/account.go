package collector

import (
	"errors"
	"slices"

	"github.com/weft-profiler/weft/collector/cost"
	"github.com/weft-profiler/weft/collector/recording"
)

// Names of what is missing where a cost can't be found out.
const (
	missingCgroup = "cgroup"
	missingCost   = "cost by /proc"
)

// timed says that nothing may be done to the process that is not done to it in every timed trial: a cgroup of its
// own would put one more counter on the way of each page.
func timed(kind recording.Kind) bool {
	return kind == recording.Measured || kind == recording.Warmup
}

// makeGroup makes a cgroup for the process to come.
func (w *Watch) makeGroup() {
	if timed(w.trial.Kind) {
		return
	}
	group, err := cost.NewCgroup()
	w.miss(missingCgroup, err)
	w.cgroup = group
}

// joinGroup puts the process into its cgroup: it has hardly begun.
func (w *Watch) joinGroup() {
	if w.cgroup == nil {
		return
	}
	if err := w.cgroup.Add(w.trial.PID); err != nil {
		w.miss(missingCgroup, errors.Join(err, w.removeGroup()))
	}
}

func (w *Watch) removeGroup() error {
	if w.cgroup == nil {
		return nil
	}
	group := w.cgroup
	w.cgroup = nil
	return group.Remove()
}

// cost is what the process costs at this moment, by each way that there is.
func (w *Watch) cost(s recording.Snapshot) map[string][]recording.Part {
	all := map[string][]recording.Part{}
	if w.cgroup != nil { // first: reading /proc is not for free
		parts, err := w.cgroup.Parts()
		w.miss(missingCgroup, err)
		if err == nil {
			all[recording.ByCgroup] = parts
		}
	}
	w.miss(missingCost, w.c.unmetered)
	if w.c.meter == nil {
		return all
	}
	parts, err := w.c.meter.ByProc(cost.Process{
		PID: w.trial.PID, USSBytes: s.USSBytes, PageTableBytes: s.PageTableBytes, Threads: s.Threads,
	})
	w.miss(missingCost, err)
	all[recording.ByProc] = parts
	return all
}

// miss names what was refused, once.
func (w *Watch) miss(probe string, err error) {
	is := func(m recording.Missing) bool { return m.Probe == probe }
	if err == nil || slices.ContainsFunc(w.trial.Missing, is) {
		return
	}
	w.trial.Missing = append(w.trial.Missing, recording.Missing{Probe: probe, Reason: inOneLine(err)})
}
