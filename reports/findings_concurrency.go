package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

func findNotReached(v *View, r *recording.Recording) []Finding {
	var list []Finding
	for i := range v.Models {
		m := &v.Models[i]
		f := m.Figure("in-flight-peak")
		if f == nil || f.Median >= float64(m.Asked) {
			continue
		}
		waiting := ""
		if m.Wait != "" {
			waiting = ", waiting most on " + m.Wait
		}
		held, advice := heldReach(m, r)
		if ownConcurrency(v.Run.Plan, m.Name) {
			advice = fmt.Sprintf("That is what its library takes by itself: the model without .own is told %d.", m.Asked)
		}
		if advice == "" {
			advice = fmt.Sprintf("%s so that requests overlap, or compare at -c %d.", moreLatency(v.Run.Plan), max(1, int(f.Median)))
		}
		list = append(list, Finding{
			Severity: Warning, Name: "concurrency-not-reached", Model: m.Name,
			Text:     fmt.Sprintf("%s reached %s of %d in flight%s: TIME is not comparable at %d.", m.Name, formatCount(f.Median), m.Asked, waiting, m.Asked),
			Evidence: join("; ", fmt.Sprintf("peak in flight, median of %s", plural(int64(len(f.Values)), "trial")), held),
			Advice:   advice,
		})
	}
	return list
}

// heldReach tells a model that could not have more in flight from one that had no need to: with the answers held,
// each reaches what it can.
func heldReach(m *Model, r *recording.Recording) (evidence, advice string) {
	reached, asked := mostHeld(r, m)
	switch {
	case asked < m.Asked || reached == 0:
		return "", ""
	case reached < asked:
		return fmt.Sprintf("%d with the answers held", reached), fmt.Sprintf("It cannot have more in flight: compare at -c %d.", reached)
	}
	return fmt.Sprintf("%d with the answers held", reached), "It can: the answers came too soon. " + moreLatency(r.Run.Plan) + " so that requests overlap."
}

// mostHeld is how many requests the origin held at most, and how many it waited for then.
func mostHeld(r *recording.Recording, m *Model) (reached, asked int) {
	for _, t := range trialsOf(r, m.Name) {
		held, ok := t.Snapshots[recording.AtHeld]
		if t.Kind != recording.Held || !t.OK() || !ok {
			continue
		}
		reached = max(reached, int(held.Waiting))
		asked = max(asked, min(m.Asked, t.Concurrency))
	}
	return reached, asked
}

// findNotHeld is for models that did reach what was asked of them in measured trials, or have none: the others have a
// finding already.
func findNotHeld(v *View, r *recording.Recording) []Finding {
	var list []Finding
	for i := range v.Models {
		m := &v.Models[i]
		reached, asked := mostHeld(r, m)
		if f := m.Figure("in-flight-peak"); reached >= asked || f != nil && f.Median < float64(m.Asked) {
			continue
		}
		list = append(list, Finding{
			Severity: Warning, Name: "held-not-reached", Model: m.Name,
			Text:     fmt.Sprintf("%s held %d of %d requests: HELD/TASK is that of so few.", m.Name, reached, asked),
			Evidence: "requests at the origin when none had come for half a second",
			Advice:   fmt.Sprintf("Compare at -c %d, or see what keeps it from sending.", max(1, reached)),
		})
	}
	return list
}

// helpers are a model's threads that no task asked for.
type helpers struct {
	model string
	count float64
	names string // how many have which name and which maker; empty where they cannot be told from the others
}

// helpersOf needs to know what the model asks for.
func helpersOf(m *Model, r *recording.Recording) helpers {
	h := helpers{model: m.Name}
	detail, peak := detailOf(r.Run.Plan, m.Name), m.Figure("threads-peak")
	switch {
	case detail == nil || peak == nil:
	case detail.ThreadPerTask:
		h.count = peak.Median - 1 - float64(mostAsked(measured(r, m.Name)))
	default:
		h.count = peak.Median - 1
		h.names = helperNames(measured(r, m.Name))
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
		counts = append(counts, h.model+" "+formatCount(h.count))
		if h.names != "" && len(evidence) < told {
			evidence = append(evidence, h.model+": "+h.names)
		}
	}
	if len(evidence) == 0 {
		evidence = []string{"median peak of threads, less one and one for each task"}
	}
	return []Finding{{
		Severity: Remark, Name: "helper-threads", Model: about(models),
		Text:     fmt.Sprintf("Helper threads that no task asked for: %s. Their memory and switches are in the figures.", strings.Join(counts, ", ")),
		Evidence: strings.Join(evidence, "; "),
		Advice:   "See which stacks make them: weft report --format svg --kind threadcreate.",
	}}
}

// maker is threads of one name made by one thread.
type maker struct{ name, by string }

func (m maker) String() string { return join(" ", "named", m.name, m.by) }

// helperNames tells of one trial, that with the most threads, how many threads have which name and which maker.
func helperNames(trials []*recording.Trial) string {
	if len(trials) == 0 {
		return ""
	}
	const told = 2
	t := slices.MaxFunc(trials, func(a, b *recording.Trial) int { return cmp.Compare(len(a.Threads.List), len(b.Threads.List)) })
	counts := map[maker]int{}
	var order []maker
	for _, thread := range t.Threads.List {
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

// ownConcurrency says that nobody told the model how many: its library decides.
func ownConcurrency(plan recording.Plan, model string) bool {
	d := detailOf(plan, model)
	return d != nil && d.Own
}
