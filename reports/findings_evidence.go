package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// findUnread tells of profiles that cannot be read. They are looked at with View.Totals, before which it finds none: a
// drawing of one model's stacks reads one profile.
func findUnread(v *View, _ *recording.Recording) []Finding {
	var models, reasons []string
	for _, u := range v.Evidence.Unread {
		models, reasons = append(models, u.Model), append(reasons, u.Reason)
	}
	if len(models) == 0 {
		return nil
	}
	what := "The profile of %s cannot be read: its stacks are not in this report."
	if len(models) > 1 {
		what = "The profiles of %s cannot be read: their stacks are not in this report."
	}
	return []Finding{{
		Severity: Warning, Name: "profile-unreadable", Model: about(models),
		Text:     fmt.Sprintf(what, strings.Join(models, ", ")),
		Evidence: strings.Join(firstOf(reasons, 3), "; "),
		Advice:   "Copy the whole directory again, or record again for the stacks: no figure of the table comes from them.",
	}}
}

func findMissing(v *View, _ *recording.Recording) []Finding {
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

func findInterrupted(v *View, _ *recording.Recording) []Finding {
	if !v.Evidence.Extent.Interrupted {
		return nil
	}
	var counts []string
	for _, m := range v.Models {
		counts = append(counts, fmt.Sprintf("%s %d/%d", m.Name, m.Finished, m.Planned))
	}
	return []Finding{{
		Severity: Warning, Name: "interrupted",
		Text:     "The run was interrupted: only finished trials count.",
		Evidence: join("; ", v.Evidence.Extent.String(), "measured trials: "+strings.Join(counts, ", "), unprofiled(v)),
		Advice:   "Run it again to the end before comparing models.",
	}}
}

// findFewer tells of trials that never ran, where it was not an interruption that ended the run.
func findFewer(v *View, _ *recording.Recording) []Finding {
	if v.Evidence.Extent.Interrupted {
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

func findFailed(v *View, _ *recording.Recording) []Finding {
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
		why = append(why, join(": ", trialNumbers(numbers[cause]), fitMiddle(cause, mostCause)))
	}
	return failed, why
}

// mostCause is how much of a cause a finding says, in columns: that of a child that died has all that the child said. The
// trial's own row has it whole.
const mostCause = 500

// failure says why a trial is no result: its cause, failed units by cause, an example beside its own cause.
func failure(t *recording.Trial) string {
	var parts []string
	if t.Failure != nil {
		parts = append(parts, join(": ", t.Failure.Cause, withoutName(t.Failure.Error, t.Failure.Cause)))
	}
	example := ""
	if len(t.Work.Errors) > 0 {
		example = t.Work.Errors[0]
	}
	for _, cause := range slices.Sorted(maps.Keys(t.Work.Failed)) {
		n := t.Work.Failed[cause]
		if n <= 0 {
			continue
		}
		part := fmt.Sprintf("%s %s", plural(int64(n), "unit"), cause)
		if text := withoutName(example, cause); text != example {
			example = ""
			if text != "" {
				part += " (" + text + ")"
			}
		}
		parts = append(parts, part)
	}
	if example != "" {
		parts = append(parts, "for example "+example)
	}
	return strings.Join(parts, ", ")
}

// withoutName takes a name away that stands before a text, as often as it does, where the name is told anyway.
func withoutName(text, name string) string {
	for name != "" && strings.HasPrefix(text, name) {
		text = strings.TrimLeft(strings.TrimPrefix(text, name), ": ")
	}
	return text
}

// DifferentDigests are the results that trials of equally many units came to which did all of their work, each with the
// models that came to it; none where all came to the same. A trial that tells of no result is left out.
func (v *View) DifferentDigests() map[string][]string {
	byUnits := map[int]map[string][]string{}
	for _, m := range v.Models {
		for _, t := range m.Trials {
			models := byUnits[t.Units]
			if models == nil {
				models = map[string][]string{}
				byUnits[t.Units] = models
			}
			if t.OK && t.Digest != "" && !slices.Contains(models[t.Digest], m.Name) {
				models[t.Digest] = append(models[t.Digest], m.Name)
			}
		}
	}
	different := map[string][]string{}
	for _, models := range byUnits {
		if len(models) > 1 {
			maps.Copy(different, models)
		}
	}
	return different
}

// findDigests compares the results.
func findDigests(v *View, _ *recording.Recording) []Finding {
	models := v.DifferentDigests()
	if len(models) == 0 {
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

// findSkipped tells of models that would have been compared.
func findSkipped(v *View, _ *recording.Recording) []Finding {
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
