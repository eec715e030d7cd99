package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// harm is what a loss does to the figures.
type harm int

const (
	toFigures harm = iota // some are not what they seem
	toStacks              // it is of a kind that touches the stacks of profiles only
	toNothing             // it was in trials of which no figure is that is counted from events
)

// harmOf looks at the model's figures: what is said of them in words is what is marked there.
func (v *View) harmOf(l *Loss) harm {
	i := slices.IndexFunc(v.Models, func(m Model) bool { return m.Name == l.Model })
	n, narrow := narrowed(l.Cause)
	switch {
	case narrow && n.source == sourceStacks:
		return toStacks
	case i >= 0 && v.Models[i].spoilt[l.Cause]:
		return toFigures
	}
	return toNothing
}

// findLost tells of each cause of loss once, whichever models it struck, and apart of those whose figures it did not
// touch.
func findLost(v *View, _ *recording.Recording) []Finding {
	type key struct {
		cause string
		harm  harm
	}
	var order []key
	losses := map[key][]Loss{}
	for _, l := range v.Evidence.Lost {
		k := key{l.Cause, v.harmOf(&l)}
		if len(losses[k]) == 0 {
			order = append(order, k)
		}
		losses[k] = append(losses[k], l)
	}
	var list []Finding
	for _, k := range order {
		list = append(list, v.lostFinding(losses[k], k.harm))
	}
	return list
}

// lostFinding is about losses of one cause that do the same.
func (v *View) lostFinding(losses []Loss, to harm) Finding {
	var models []string
	var trials []int
	var count int64
	for _, l := range losses {
		models, trials, count = append(models, l.Model), append(trials, l.Trials...), count+l.Count
	}
	slices.Sort(trials)
	f := Finding{Severity: Warning, Name: "events-lost", Model: about(models), Evidence: join("; ", losses[0].Detail, trialNumbers(trials))}
	cause, what := losses[0].Cause, ""
	switch to {
	case toFigures:
		what, f.Advice = figuresLost(cause), "Measure again with fewer requests at once, or with less running beside it."
	case toStacks:
		what, f.Advice = stacksLost(cause)
	case toNothing:
		kinds := v.kindsOf(trials)
		what = "no figure counted from events is of these trials (" + strings.Join(kinds, ", ") + ")."
		f.Severity, f.Advice = Remark, "The figures are not touched."
		if slices.Contains(kinds, string(recording.Profiled)) {
			f.Severity, f.Advice = Warning, "The figures are not touched, but stacks may lack it: what they come to stands beside their counters."
		}
	}
	f.Text = fmt.Sprintf("%s lost %s (%s): %s", strings.Join(models, ", "), plural(count, "event"), cause, what)
	return f
}

func figuresLost(cause string) string {
	if n, narrow := narrowed(cause); narrow {
		return n.what + " not exact and are not compared."
	}
	return "figures counted from events are lower bounds and are not compared."
}

// stacksLost says what the profiles lack, and what can be done for that cause.
func stacksLost(cause string) (what, advice string) {
	n, _ := narrowed(cause)
	advice = "Above each graph stands how much it lacks."
	switch cause {
	case "stacks_full", "weights_full":
		advice = "Record again with a greater --max-stacks, or with fewer requests at once."
	case "requests_full", "goroutines_full", "goroutines_list_full":
		advice = "Record again with fewer requests at once."
	}
	return n.what + "; no figure of the table is touched.", advice
}

// kindsOf are those of trials by number, each once.
func (v *View) kindsOf(numbers []int) []string {
	var kinds []string
	for _, n := range numbers {
		if t := v.trial(n); t != nil && !slices.Contains(kinds, string(t.Kind)) {
			kinds = append(kinds, string(t.Kind))
		}
	}
	return kinds
}
