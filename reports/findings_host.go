package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// Thresholds from which on the machine or the origin is said to have had its part in a figure.
const (
	// mostSteal and mostOthers are shares of the machine's CPU time. A twentieth is the spread of a quiet machine's
	// runs; weft itself and what the kernel does for the network in nobody's name stay well below a fifth.
	mostSteal  = 0.05
	mostOthers = 0.20
	// tick is what /proc/stat counts in, windowTicks how many of them a window needs, in the mean over the trials: each
	// CPU's count may be wrong by one tick, which is a twentieth of it then.
	tick        = 10_000_000
	windowTicks = 20
	// mostStall is the share of the time in which threads other than the workload's and the origin's waited for a CPU.
	mostStall = 0.20
	// fullMachine is the share of the CPU time that workload and origin take together when nothing is left to speak
	// of, originPart the origin's part of that from which on it matters.
	fullMachine = 0.90
	originPart  = 1.0 / 3
	// mostDelay is how much of the time that a reply is awaited may be the origin's wait for a CPU. The wait of a thread
	// that serves several requests holds up all of them and counts once: the true share is greater.
	mostDelay = 0.25
	// leastDelayed is how many requests have to be there to tell what one of them waited for: the origin's threads wait
	// for more than requests, and of a few that may be most.
	leastDelayed = 20
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
	stall    int64 // some thread waited for a CPU
	ready    int64 // threads of workload and origin, if it runs here, waited for a CPU, thread time
	stalls   int   // trials in which the kernel told of stalls and of the threads' times
}

func machineOver(run *recording.Run, trials []*recording.Trial) machine {
	var m machine
	for _, t := range trials {
		window := t.Phases.DoneNS - t.Phases.GateNS
		if window <= 0 {
			continue
		}
		var origin recording.Origin // what it did to this machine
		if run.Plan.URL == "" {
			origin = originOf(t)
		}
		m.window += window
		m.capacity += window * int64(run.Host.CPUs)
		m.workload += t.CPU.WorkNS
		m.origin += origin.CPUNS
		if t.Load == nil {
			continue
		}
		m.busy += t.Load.BusyNS
		m.steal += t.Load.StealNS
		if t.Sched != nil && t.Load.StallNS >= 0 {
			m.stalls++
			m.stall += t.Load.StallNS
			m.ready += t.Sched.Time.RunnableNS + origin.RunDelayNS
		}
	}
	return m
}

// taken says who else took CPU time, as far as the ticks of so many trials can tell. What was looked at is a little longer
// than the window, so there can be more ticks than the CPUs have time.
func (m *machine) taken(trials int) []string {
	if m.window < int64(trials)*windowTicks*tick {
		return nil
	}
	var list []string
	if share := float64(min(m.steal, m.capacity)) / float64(m.capacity); share >= mostSteal {
		list = append(list, fmt.Sprintf("the hypervisor took %s of the machine's CPU time", formatShare(share)))
	}
	if share := float64(min(m.busy, m.capacity)-m.workload-m.origin) / float64(m.capacity); share >= mostOthers {
		list = append(list, fmt.Sprintf("processes other than workload and origin took %s of the machine's CPU time", formatShare(share)))
	}
	return list
}

// findHostBusy looks for others that took CPU time from all models alike.
func findHostBusy(v *View, r *recording.Recording) []Finding {
	var trials []*recording.Trial
	for _, m := range v.Models {
		for _, t := range measured(r, m.Name) {
			if t.Load != nil {
				trials = append(trials, t)
			}
		}
	}
	host := machineOver(&r.Run, trials)
	if host.capacity <= 0 {
		return nil
	}
	evidence := host.taken(len(trials))
	// Some thread waited in all of this time, and workload and origin together in no more than the sum of their
	// threads' waits: in the rest others did.
	if share := float64(host.stall-host.ready) / float64(host.window); host.stalls == len(trials) && share >= mostStall {
		evidence = append(evidence, fmt.Sprintf("others waited for a CPU in at least %s of the time", formatShare(share)))
	}
	if len(evidence) == 0 {
		return nil
	}
	return []Finding{{
		Severity: Warning, Name: "host-busy",
		Text:     "The machine was busy with something else: TIME and CPU/REQ have its noise in them.",
		Evidence: fmt.Sprintf("%s; gate to done of %s", strings.Join(evidence, ", "), plural(int64(len(trials)), "measured trial")),
		Advice:   "Stop what else runs, or move to a quiet machine; more --runs only narrow the interval around a disturbed median.",
	}}
}

// findServerBound looks for models whose time is the origin's doing.
func findServerBound(v *View, r *recording.Recording) []Finding {
	var models, evidence, advice []string
	add := func(model, why, what string) {
		models, evidence = append(models, model), append(evidence, model+": "+why)
		if !slices.Contains(advice, what) {
			advice = append(advice, what)
		}
	}
	for _, m := range v.Models {
		trials := measured(r, m.Name)
		if why := atRate(&r.Run, trials); why != "" {
			add(m.Name, why, rateAdvice(r.Run.Plan))
		} else if why := cmp.Or(onFullMachine(&r.Run, trials), lateForCPU(trials)); why != "" {
			add(m.Name, why, originAdvice(r.Run.Plan))
		}
	}
	if len(models) == 0 {
		return nil
	}
	return []Finding{{
		Severity: Warning, Name: "server-bound", Model: about(models),
		Text:     fmt.Sprintf("TIME of %s measures the origin too: it could not answer sooner.", strings.Join(models, ", ")),
		Evidence: strings.Join(evidence, "; "),
		Advice:   strings.Join(advice, " "),
	}}
}

// rateAdvice and originAdvice know that weft compare refuses the origin's flags beside --url.
func rateAdvice(plan recording.Plan) string {
	if plan.URL != "" {
		return "Start the origin with a greater --rate, or without one."
	}
	return "Raise the origin's --rate or leave it out."
}

func originAdvice(plan recording.Plan) string {
	if plan.URL != "" {
		return "Give the origin's machine more CPU, start the origin with a greater --latency, or lower -c."
	}
	return "Run the origin on another machine (weft origin, then compare --url), raise --latency, or lower -c."
}

// moreLatency is how to get it.
func moreLatency(plan recording.Plan) string {
	if plan.URL != "" {
		return "Start the origin with a greater --latency"
	}
	return "Raise --latency"
}

// atRate says that the origin answered as many pages a second as it was told to at most.
func atRate(run *recording.Run, trials []*recording.Trial) string {
	var wall, units int64
	for _, t := range trials {
		wall += t.WorkNS()
		units += int64(t.Work.Units)
	}
	limit := run.Plan.PagesPerSec
	rate := float64(units) / (float64(wall) / 1e9)
	if wall <= 0 || limit <= 0 || rate < mostOfRate*limit {
		return ""
	}
	return fmt.Sprintf("%s pages a second, its limit is %s", significant(rate, 3), significant(limit, 3))
}

// onFullMachine says that nothing was left of the CPUs, and that a good part of them was the origin's: on a machine of
// its own it would have been out of the way.
func onFullMachine(run *recording.Run, trials []*recording.Trial) string {
	host := machineOver(run, trials)
	both := float64(host.workload + host.origin)
	if host.capacity <= 0 || both < fullMachine*float64(host.capacity) || float64(host.origin) < originPart*both {
		return ""
	}
	return fmt.Sprintf("workload and origin kept the CPUs %s busy, the origin with %s of it",
		formatShare(both/float64(host.capacity)), formatShare(float64(host.origin)/both))
}

// lateForCPU says that answers came late because the origin waited for a CPU. Where its threads waited longer than the
// replies were awaited, several waited for one request, or for none: what the answers had of it cannot be told.
func lateForCPU(trials []*recording.Trial) string {
	var delay, requests, awaited, replies int64
	for _, t := range trials {
		delay += originOf(t).RunDelayNS
		requests += originOf(t).Requests
		awaited += t.Sockets.Awaiting.SumNS
		replies += t.Sockets.Awaiting.Replies
	}
	if requests < leastDelayed || replies <= 0 {
		return ""
	}
	late, reply := float64(delay)/float64(requests), float64(awaited)/float64(replies)
	if late < mostDelay*reply || late > reply {
		return ""
	}
	return fmt.Sprintf("the origin's threads waited %s a request for a CPU, a reply was awaited for %s", formatDuration(late), formatDuration(reply))
}
