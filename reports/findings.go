package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// Severity says how a finding touches the figures.
type Severity string

// The severities.
const (
	Warning Severity = "warning" // a figure does not mean what it seems to
	Remark  Severity = "remark"  // worth knowing
)

// Finding is a sentence with its evidence and what to do. Its text holds names and errors of profiled
// processes: formats escape it.
type Finding struct {
	Severity Severity `json:"severity"`
	Name     string   `json:"name"`     // stable: "concurrency-not-reached"
	Model    string   `json:"model"`    // empty where it concerns all
	Text     string   `json:"text"`     // what is so, and what it means
	Evidence string   `json:"evidence"` // the figures behind it
	Advice   string   `json:"advice"`   // what to do
}

// findings looks for everything that a reader should know before believing a figure.
func findings(v *View) []Finding {
	list := []Finding{}
	for _, find := range []func(*View) []Finding{
		findLost, findMissing, findSkipped, findInterrupted, findFewer, findFailed, findDigests, findNotReached,
	} {
		list = append(list, find(v)...)
	}
	return list
}

func findLost(v *View) []Finding {
	var list []Finding
	for _, l := range v.Evidence.Lost {
		list = append(list, Finding{
			Severity: Warning, Name: "events-lost", Model: l.Model,
			Text:     fmt.Sprintf("%s lost %s (%s): figures counted from events are lower bounds and are not compared.", l.Model, plural(l.Count, "event"), l.Cause),
			Evidence: join("; ", l.Detail, trialNumbers(l.Trials)),
			Advice:   "Measure again with fewer requests at once, or with less running beside it.",
		})
	}
	return list
}

func findMissing(v *View) []Finding {
	var list []Finding
	for _, m := range v.Evidence.Missing {
		list = append(list, Finding{
			Severity: Warning, Name: "probe-missing",
			Text:     fmt.Sprintf("Probe %s is missing: what it counts is not in this report.", m.Probe),
			Evidence: join("; ", m.Reason, trialNumbers(m.Trials)),
			Advice:   "Run weft as root on a kernel that has it: docs/architecture.md lists the hooks.",
		})
	}
	return list
}

// findSkipped tells of models that would have been compared.
func findSkipped(v *View) []Finding {
	var list []Finding
	for _, s := range v.Run.Skipped {
		list = append(list, Finding{
			Severity: Remark, Name: "model-skipped", Model: s.Model,
			Text:     fmt.Sprintf("%s was skipped: %s.", s.Model, s.Reason),
			Evidence: "found before the first trial",
			Advice:   join(": ", "To have it in the next run", s.Advice),
		})
	}
	return list
}

func findInterrupted(v *View) []Finding {
	if !v.Run.Interrupted {
		return nil
	}
	var counts []string
	for _, m := range v.Models {
		counts = append(counts, fmt.Sprintf("%s %d/%d", m.Name, m.Finished, m.Planned))
	}
	return []Finding{{
		Severity: Warning, Name: "interrupted",
		Text:     "The run was interrupted: only finished trials count.",
		Evidence: "measured trials: " + strings.Join(counts, ", "),
		Advice:   "Run it again to the end before comparing models.",
	}}
}

// findFewer tells of trials that never ran, where it was not an interruption that ended the run.
func findFewer(v *View) []Finding {
	if v.Run.Interrupted {
		return nil
	}
	var list []Finding
	for _, m := range v.Models {
		if m.Finished < m.Planned {
			list = append(list, Finding{
				Severity: Warning, Name: "fewer-trials", Model: m.Name,
				Text:     fmt.Sprintf("%s has %d of %d measured trials: the rest was not run.", m.Name, m.Finished, m.Planned),
				Evidence: fmt.Sprintf("run.json names %s of it", plural(int64(len(m.Trials)), "trial")),
				Advice:   "Run it again to the end before comparing models.",
			})
		}
	}
	return list
}

func findFailed(v *View) []Finding {
	var list []Finding
	for _, m := range v.Models {
		failed, why := failures(m.Trials)
		if failed == 0 {
			continue
		}
		list = append(list, Finding{
			Severity: Warning, Name: "failed-trials", Model: m.Name,
			Text:     fmt.Sprintf("%s failed in %d of %s: a failed trial is in no figure.", m.Name, failed, plural(int64(len(m.Trials)), "trial")),
			Evidence: strings.Join(firstOf(why, 3), "; "),
			Advice:   "See to the cause first: models that fail differently did not do the same work.",
		})
	}
	return list
}

// failures counts the failed trials and says each cause once, with the trials that it ended.
func failures(trials []Trial) (failed int, why []string) {
	numbers := map[string][]int{}
	var causes []string
	for _, t := range trials {
		if t.OK {
			continue
		}
		failed++
		if len(numbers[t.Failure]) == 0 {
			causes = append(causes, t.Failure)
		}
		numbers[t.Failure] = append(numbers[t.Failure], t.Number)
	}
	for _, cause := range causes {
		why = append(why, join(": ", trialNumbers(numbers[cause]), cause))
	}
	return failed, why
}

// failure says why a trial is no result: its cause, failed units by cause, an example.
func failure(t *recording.Trial) string {
	var parts []string
	if t.Failure != nil {
		parts = append(parts, join(": ", t.Failure.Cause, t.Failure.Error))
	}
	for _, cause := range slices.Sorted(maps.Keys(t.Work.Failed)) {
		if n := t.Work.Failed[cause]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", plural(int64(n), "unit"), cause))
		}
	}
	if len(t.Work.Errors) > 0 {
		parts = append(parts, "for example "+t.Work.Errors[0])
	}
	return strings.Join(parts, ", ")
}

// findDigests compares the results of the trials that did all of their work.
func findDigests(v *View) []Finding {
	models := map[string][]string{}
	for _, m := range v.Models {
		for _, t := range m.Trials {
			if t.OK && t.Kind != recording.Control && t.Digest != "" && !slices.Contains(models[t.Digest], m.Name) {
				models[t.Digest] = append(models[t.Digest], m.Name)
			}
		}
	}
	if len(models) < 2 {
		return nil
	}
	digests := slices.SortedFunc(maps.Keys(models), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(models[b]), len(models[a])), cmp.Compare(a, b))
	})
	var parts []string
	for _, d := range firstOf(digests, 4) {
		parts = append(parts, fmt.Sprintf("%s: %s", shorten(d, 12), strings.Join(models[d], ", ")))
	}
	return []Finding{{
		Severity: Warning, Name: "digests-differ",
		Text:     fmt.Sprintf("The results differ (%d digests): the models did not do the same work, and no figure compares.", len(digests)),
		Evidence: strings.Join(parts, "; "),
		Advice:   "Find out which model read other pages: a cut answer, another origin, another parser.",
	}}
}

func findNotReached(v *View) []Finding {
	var list []Finding
	for _, m := range v.Models {
		f := m.Figure("in-flight-peak")
		if f == nil || f.Median >= float64(m.Asked) {
			continue
		}
		reached := formatCount(f.Median)
		advice := fmt.Sprintf("Raise --latency so that requests overlap, or compare at -c %d.", max(1, int(f.Median)))
		if ownConcurrency(v.Run.Plan, m.Name) {
			advice = fmt.Sprintf("That is what its library takes by itself: the model without .own is told %d.", m.Asked)
		}
		list = append(list, Finding{
			Severity: Warning, Name: "concurrency-not-reached", Model: m.Name,
			Text:     fmt.Sprintf("%s reached %s of %d in flight: TIME is not comparable at %d.", m.Name, reached, m.Asked, m.Asked),
			Evidence: fmt.Sprintf("peak in flight, median of %s", plural(int64(len(f.Values)), "trial")),
			Advice:   advice,
		})
	}
	return list
}

// ownConcurrency says that nobody told the model how many: its library decides.
func ownConcurrency(plan recording.Plan, model string) bool {
	return slices.ContainsFunc(plan.Details, func(d recording.ModelDetail) bool { return d.Name == model && d.Own })
}

func trialNumbers(numbers []int) string {
	var parts []string
	for _, n := range firstOf(numbers, 8) {
		parts = append(parts, fmt.Sprint(n))
	}
	if len(numbers) > 8 {
		parts = append(parts, "…")
	}
	if len(numbers) == 1 {
		return "trial " + parts[0]
	}
	return "trials " + strings.Join(parts, ", ")
}

// join leaves out what is empty.
func join(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}

func firstOf[T any](list []T, n int) []T {
	return list[:min(n, len(list))]
}

// shorten cuts a name at a number of runes.
func shorten(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}
