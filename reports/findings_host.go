package reports

import (
	"fmt"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// Thresholds from which on the machine or the origin is said to have had its part in a figure.
const (
	// mostSteal and mostOthers are shares of the machine's CPU time. A twentieth is the spread of a quiet machine's
	// runs; weft itself and what the kernel does for the network in nobody's name stay well below a fifth.
	mostSteal  = 0.05
	mostOthers = 0.20
	// mostStall is the share of the time in which threads other than the workload's and the origin's waited for a CPU.
	mostStall = 0.20
	// fullMachine is the share of the CPU time that workload and origin take together when nothing is left to speak
	// of, originPart the origin's part of that from which on it matters.
	fullMachine = 0.90
	originPart  = 1.0 / 3
	// mostDelay is how late answers may be because the origin waited for a CPU, as a share of the latency.
	mostDelay = 0.25
	// mostOfRate is how near to the origin's limit a model's pages a second come.
	mostOfRate = 0.95
)

// machine sums what the CPUs did over some trials, ns.
type machine struct {
	window   int64 // gate to done
	capacity int64 // window times CPUs
	busy     int64 // all that ran
	workload int64
	origin   int64 // 0 where it runs on another machine
	steal    int64
	stall    int64 // some thread waited for a CPU; 0 where the kernel does not tell
	ready    int64 // threads of workload and origin waited for a CPU, thread time
	loads    int   // trials with HostLoad
	scheds   int   // trials with Sched and PSI
}

func machineOver(run *recording.Run, trials []*recording.Trial) machine {
	var m machine
	for _, t := range trials {
		window := t.Phases.DoneNS - t.Phases.GateNS
		if t.Load == nil || window <= 0 {
			continue
		}
		m.loads++
		m.window += window
		m.capacity += window * int64(run.Host.CPUs)
		m.busy += t.Load.BusyNS
		m.steal += t.Load.StealNS
		m.workload += t.CPU.WorkNS
		if run.Plan.URL == "" {
			m.origin += originOf(t).CPUNS
		}
		if t.Sched != nil && t.Load.StallNS >= 0 {
			m.scheds++
			m.stall += t.Load.StallNS
			m.ready += t.Sched.Time.RunnableNS + originOf(t).RunDelayNS
		}
	}
	return m
}

// findHostBusy looks for others that took CPU time from all models alike.
func findHostBusy(v *View, r *recording.Recording) []Finding {
	var trials []*recording.Trial
	for _, m := range v.Models {
		trials = append(trials, measured(r, m.Name)...)
	}
	host := machineOver(&r.Run, trials)
	if host.capacity <= 0 {
		return nil
	}
	var evidence []string
	if share := float64(host.steal) / float64(host.capacity); share >= mostSteal {
		evidence = append(evidence, fmt.Sprintf("the hypervisor took %s of the CPU time", formatShare(share)))
	}
	if share := float64(host.busy-host.workload-host.origin) / float64(host.capacity); share >= mostOthers {
		evidence = append(evidence, fmt.Sprintf("processes other than workload and origin took %s of it", formatShare(share)))
	}
	// Some thread waited in all of this time, and workload and origin together in no more than the sum of their
	// threads' waits: in the rest others did.
	if share := float64(host.stall-host.ready) / float64(host.window); host.scheds == host.loads && share >= mostStall {
		evidence = append(evidence, fmt.Sprintf("others waited for a CPU in at least %s of the time", formatShare(share)))
	}
	if len(evidence) == 0 {
		return nil
	}
	return []Finding{{
		Severity: Warning, Name: "host-busy",
		Text:     "The machine was busy with something else: TIME and CPU/REQ have its noise in them.",
		Evidence: fmt.Sprintf("%s; gate to done of %s", strings.Join(evidence, ", "), plural(int64(host.loads), "measured trial")),
		Advice:   "Stop what else runs, or move to a quiet machine; more --runs only narrow the interval around a disturbed median.",
	}}
}

// findServerBound looks for models whose time is the origin's doing.
func findServerBound(v *View, r *recording.Recording) []Finding {
	var models, evidence []string
	for _, m := range v.Models {
		if why := serverBound(&r.Run, measured(r, m.Name)); why != "" {
			models = append(models, m.Name)
			evidence = append(evidence, m.Name+": "+why)
		}
	}
	if len(models) == 0 {
		return nil
	}
	advice := "Run the origin on another machine (weft origin, then compare --url), raise --latency, or lower -c."
	if r.Run.Plan.PagesPerSec > 0 {
		advice = "Raise --rate or leave it out."
	}
	return []Finding{{
		Severity: Warning, Name: "server-bound", Model: about(models),
		Text:     fmt.Sprintf("TIME of %s measures the origin too: it could not answer sooner.", strings.Join(models, ", ")),
		Evidence: strings.Join(evidence, "; "),
		Advice:   advice,
	}}
}

// serverBound says why the origin held a model up, or nothing. On one machine it is bound together with the model:
// the CPUs are full, and a good part of them is the origin's.
func serverBound(run *recording.Run, trials []*recording.Trial) string {
	var wall, delay, requests, units int64
	for _, t := range trials {
		wall += t.WorkNS()
		units += int64(t.Work.Units)
		delay += originOf(t).RunDelayNS
		requests += originOf(t).Requests
	}
	if wall <= 0 {
		return ""
	}
	rate := float64(units) / float64(wall) * 1e9
	if limit := run.Plan.PagesPerSec; limit > 0 && rate >= mostOfRate*limit {
		return fmt.Sprintf("%s pages a second, its limit is %s", significant(rate, 3), significant(limit, 3))
	}
	host := machineOver(run, trials)
	both := host.workload + host.origin
	if host.capacity > 0 && float64(both) >= fullMachine*float64(host.capacity) && float64(host.origin) >= originPart*float64(both) {
		return fmt.Sprintf("workload and origin kept the CPUs %s busy, the origin with %s of it",
			formatShare(float64(both)/float64(host.capacity)), formatShare(float64(host.origin)/float64(both)))
	}
	if requests > 0 && run.Plan.LatencyNS > 0 {
		each := float64(delay) / float64(requests)
		if each >= mostDelay*float64(run.Plan.LatencyNS) {
			return fmt.Sprintf("its threads waited %s a request for a CPU, the latency is %s", formatDuration(each), formatPlain(run.Plan.LatencyNS))
		}
	}
	return ""
}
