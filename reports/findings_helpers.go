package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// helpers are a model's threads that no task asked for.
type helpers struct {
	model    string
	profiled bool
	count    int64
	names    string // how many have which name and which maker; empty where they cannot be told from the others
}

// helpersOf looks at the measured trial whose peak of threads is the median, so that count and names are of the same
// threads. It needs to know what the model asks for.
func helpersOf(m *Model, r *recording.Recording) helpers {
	h := helpers{model: m.Name, profiled: m.Profiled && len(finished(r.Trials, m.Name, recording.Profiled)) > 0}
	trials := measured(r, m.Name)
	t := medianBy(trials, positive(func(t *recording.Trial) int64 { return t.Threads.Peak }))
	detail := detailOf(r.Run.Plan, m.Name)
	switch {
	case detail == nil || t == nil:
	case detail.ThreadPerTask:
		h.count = t.Threads.Peak - 1 - int64(mostAsked(trials))
	default:
		h.count = t.Threads.Peak - 1
		h.names = helperNames(t)
	}
	return h
}

// mostAsked is the greatest concurrency: a pool of threads may be as large, even for fewer requests.
func mostAsked(trials []*recording.Trial) int {
	most := 0
	for _, t := range trials {
		most = max(most, t.Concurrency)
	}
	return most
}

// findHelpers names the threads that a model did not ask for, those of the model with the most first.
func findHelpers(v *View, r *recording.Recording) []Finding {
	const told = 3
	var all []helpers
	for i := range v.Models {
		if h := helpersOf(&v.Models[i], r); h.count > 0 {
			all = append(all, h)
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b helpers) int { return cmp.Compare(b.count, a.count) })
	var models, counts, evidence []string
	for _, h := range all {
		models = append(models, h.model)
		counts = append(counts, fmt.Sprintf("%s %d", h.model, h.count))
		if h.names != "" && len(evidence) < told {
			evidence = append(evidence, h.model+": "+h.names)
		}
	}
	if len(evidence) == 0 {
		evidence = []string{"peak of threads in the median trial, less one and one for each task"}
	}
	return []Finding{{
		Severity: Remark, Name: "helper-threads", Model: about(models),
		Text:     fmt.Sprintf("Helper threads that no task asked for: %s. Their memory and switches are in the figures.", strings.Join(counts, ", ")),
		Evidence: strings.Join(evidence, "; "),
		Advice:   makersAdvice(all, r.Run.Plan),
	}}
}

// makersAdvice is about the model with the most helpers that has a profile.
func makersAdvice(all []helpers, plan recording.Plan) string {
	i := slices.IndexFunc(all, func(h helpers) bool { return h.profiled })
	if i < 0 && plan.ProfileTrials == 0 {
		return "Record again without --profile=false to see which stacks make them."
	}
	if i < 0 {
		return "Run it to the end, profiled trials included, to see which stacks make them."
	}
	return "See which stacks make them: " + shellCommand([]string{"weft", "report", "DIR", "--format", "svg",
		"--kind", recording.KindThreadCreate, "--model", all[i].model}) // without a full stop, so that it can be copied
}

// maker is threads of one name made by one thread.
type maker struct{ name, by string }

func (m maker) String() string { return join(" ", "named", m.name, m.by) }

// helperNames tells how many of the threads at the trial's peak have which name and which maker.
func helperNames(t *recording.Trial) string {
	const told = 2
	counts := map[maker]int{}
	var order []maker
	for _, thread := range atPeak(t) {
		if thread.TID == thread.PID {
			continue
		}
		m := maker{name: shorten(thread.Name, longestName)}
		if thread.CreatorTID == thread.PID {
			m.by = "made by the main thread"
		} else if thread.CreatorTID != 0 {
			m.by = "made by other helpers"
		}
		if counts[m] == 0 {
			order = append(order, m)
		}
		counts[m]++
	}
	slices.SortStableFunc(order, func(a, b maker) int { return cmp.Compare(counts[b], counts[a]) })
	var parts []string
	for _, m := range firstOf(order, told) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[m], m))
	}
	if len(order) > told {
		parts = append(parts, "…")
	}
	return strings.Join(parts, ", ")
}

// atPeak are the threads that were alive when there were the most of them, from the gate on.
func atPeak(t *recording.Trial) []recording.Thread {
	gate := t.Phases.GateNS
	later := slices.DeleteFunc(slices.Clone(t.Threads.List), func(x recording.Thread) bool { return x.EndNS > 0 && x.EndNS <= gate })
	type change struct{ at, by int64 }
	var changes []change
	for _, x := range later {
		changes = append(changes, change{max(x.StartNS, gate), 1})
		if x.EndNS > 0 {
			changes = append(changes, change{x.EndNS, -1})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.by, b.by)) })
	var alive, most, when int64
	for _, c := range changes {
		if alive += c.by; alive > most {
			most, when = alive, c.at
		}
	}
	return slices.DeleteFunc(later, func(x recording.Thread) bool {
		return max(x.StartNS, gate) > when || x.EndNS > 0 && x.EndNS <= when
	})
}
