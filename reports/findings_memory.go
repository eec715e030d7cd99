package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// mostlySetup is the share of the greatest resident memory that was there without any work, from which on models are
// compared by what they import. leastHeldDifference is how many kernel bytes a held task has to cost more than another
// to be worth a sentence: a page, and half as much again.
const (
	mostlySetup         = 2.0 / 3
	leastHeldDifference = 4096
	leastHeldRatio      = 1.5
)

// findMostlySetup groups the models by the column that tells of their greatest memory.
func findMostlySetup(v *View, _ *recording.Recording) []Finding {
	const told = 3
	var models, evidence, columns []string
	byColumn := map[string][]string{}
	for i := range v.Models {
		m := &v.Models[i]
		before, whence := m.firstFigure("control-rss-B", "rss-gate-B")
		greatest, name := m.firstFigure("rss-peak-B", "rss-end-B")
		if before == nil || greatest == nil || greatest.Median <= 0 || before.Median < mostlySetup*greatest.Median {
			continue
		}
		column := map[string]string{"rss-peak-B": "PEAK RSS", "rss-end-B": "RSS"}[name]
		words := map[string]string{"control-rss-B": "with the work left out", "rss-gate-B": "at the gate"}[whence]
		if byColumn[column] == nil {
			columns = append(columns, column)
		}
		byColumn[column] = append(byColumn[column], m.Name)
		models = append(models, m.Name)
		evidence = append(evidence, fmt.Sprintf("%s: %s of %s %s", m.Name, formatBytes(before.Median), formatBytes(greatest.Median), words))
	}
	if len(models) == 0 {
		return nil
	}
	var groups []string
	for _, column := range columns {
		groups = append(groups, column+" of "+strings.Join(byColumn[column], ", "))
	}
	return []Finding{{
		Severity: Remark, Name: "mostly-setup", Model: about(models),
		Text:     fmt.Sprintf("%s is mostly set-up: imports and runtime, not the work.", strings.Join(groups, " and ")),
		Evidence: strings.Join(firstOf(evidence, told), "; "),
		Advice:   "Compare what the work adds: HELD/TASK where there is one, and rss-peak-over-control-B (in report.html and --format md).",
	}}
}

// firstFigure is the first of some metrics that the model has, and its name.
func (m *Model) firstFigure(metrics ...string) (*Figure, string) {
	for _, name := range metrics {
		if f := m.Figure(name); f != nil {
			return f, name
		}
	}
	return nil, ""
}

// findHeldDifference compares the kernel memory of a waiting task between the model with the most of it and that with
// the least.
func findHeldDifference(v *View, r *recording.Recording) []Finding {
	var most, least *Model
	kernel := func(m *Model) float64 { return m.Figure("held-kernel-B/task").Median }
	for i := range v.Models {
		m := &v.Models[i]
		if m.Figure("held-kernel-B/task") == nil {
			continue
		}
		if most == nil || kernel(m) > kernel(most) {
			most = m
		}
		if least == nil || kernel(m) < kernel(least) {
			least = m
		}
	}
	if most == nil || kernel(most)-kernel(least) < leastHeldDifference || kernel(most) < leastHeldRatio*kernel(least) {
		return nil
	}
	noun := "task"
	if d := detailOf(r.Run.Plan, most.Name); d != nil && d.ThreadPerTask {
		noun = "thread"
	}
	return []Finding{{
		Severity: Remark, Name: "held-kernel-memory",
		Text: fmt.Sprintf("A held %s of %s costs %s more kernel memory than a held task of %s (%s against %s).", noun, most.Name,
			formatBytes(kernel(most)-kernel(least)), least.Name, formatBytes(kernel(most)), formatBytes(kernel(least))),
		Evidence: "growth a request, " + heldRange(r, most.Name, least.Name),
		Advice:   "PEAK RSS leaves it out: add it for each task when sizing a machine.",
	}}
}

// heldRange tells between how many held requests the growth of some models was taken: "from 10 to 100 held". Of several
// pairs of trials it is the median.
func heldRange(r *recording.Recording, models ...string) string {
	var ranges []string
	for _, model := range models {
		var few, many []float64
		trials := trialsOf(r, model)
		for _, p := range heldPairs(trials) {
			if _, ok := recording.HeldPerTask(trials[p.few], trials[p.many]); ok {
				few = append(few, float64(trials[p.few].Snapshots[recording.AtHeld].Waiting))
				many = append(many, float64(trials[p.many].Snapshots[recording.AtHeld].Waiting))
			}
		}
		ranges = append(ranges, fmt.Sprintf("from %s to %s held", formatCount(median(few)), formatCount(median(many))))
	}
	if len(slices.Compact(slices.Clone(ranges))) == 1 {
		return ranges[0]
	}
	for i, model := range models {
		ranges[i] += " by " + model
	}
	return strings.Join(ranges, ", ")
}
