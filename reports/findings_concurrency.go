package reports

import (
	"fmt"
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
		of := ": HELD/TASK is that of so few"
		if m.Figure("held-user-B/task") == nil {
			of = ""
		}
		list = append(list, Finding{
			Severity: Warning, Name: "held-not-reached", Model: m.Name,
			Text:     fmt.Sprintf("%s held %d of %d requests%s.", m.Name, reached, asked, of),
			Evidence: "requests at the origin when none had come for half a second",
			Advice:   fmt.Sprintf("Compare at -c %d, or see what keeps it from sending.", max(1, reached)),
		})
	}
	return list
}

// findFewHeld is for models whose held trials are too much alike to tell what a task costs.
func findFewHeld(v *View, r *recording.Recording) []Finding {
	var models, evidence []string
	for i := range v.Models {
		m := &v.Models[i]
		trials := trialsOf(r, m.Name)
		pairs := heldPairs(trials)
		if m.Asked < 2 || len(pairs) == 0 || m.Figure("held-user-B/task") != nil {
			continue
		}
		few, many := waitingOf(trials[pairs[0].few]), waitingOf(trials[pairs[0].many])
		if few <= 0 || many-few >= recording.LeastHeldTasks {
			continue // it lacks the figure for another reason
		}
		models = append(models, m.Name)
		evidence = append(evidence, fmt.Sprintf("%s: %d and %d held", m.Name, few, many))
	}
	if len(models) == 0 {
		return nil
	}
	return []Finding{{
		Severity: Remark, Name: "held-too-few", Model: about(models),
		Text:     fmt.Sprintf("No HELD/TASK of %s: the held trials differ by fewer than %d tasks.", strings.Join(models, ", "), recording.LeastHeldTasks),
		Evidence: strings.Join(firstOf(evidence, 3), "; "),
		Advice:   "Compare at -c 20 or more: a helper thread or a span of the heap would count as the cost of so few.",
	}}
}

func waitingOf(t *recording.Trial) int64 { return t.Snapshots[recording.AtHeld].Waiting }

// ownConcurrency says that nobody told the model how many: its library decides.
func ownConcurrency(plan recording.Plan, model string) bool {
	d := detailOf(plan, model)
	return d != nil && d.Own
}
