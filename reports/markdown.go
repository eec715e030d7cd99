package reports

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// Markdown draws the report for an issue or a README: findings, the table, every metric with its interval,
// what was lost, definitions.
func Markdown(w io.Writer, v *View, _ Options) error {
	v.Totals()
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# %s\n\n", escapeMarkdown(headline(v)))
	host := v.Run.Host
	fmt.Fprintf(out, "%s, Linux %s, %s, %s, %s; %s.\n\n", escapeMarkdown(host.OS), escapeMarkdown(host.Kernel), escapeMarkdown(host.Arch),
		escapeMarkdown(host.CPUModel), plural(int64(host.CPUs), "CPU"), v.Run.Started.Format("2006-01-02 15:04:05 MST"))
	if line := settingsLine(&v.Run); line != "" {
		fmt.Fprintf(out, "%s\n\n", escapeMarkdown(line))
	}
	if missing := v.Evidence.Extent.missingText(); missing != "" {
		fmt.Fprintf(out, "**INCOMPLETE:** %s\n\n", missing)
	}
	if v.Evidence.LostEvents > 0 {
		fmt.Fprintf(out, "**LOST %s:** %s\n\n", plural(v.Evidence.LostEvents, "event"), escapeMarkdown(v.Evidence.lostText()))
	}
	markdownFindings(out, v)
	markdownModels(out, v)
	markdownComparisons(out, v)
	markdownWaits(out, v)
	markdownMetrics(out, v)
	markdownEvidence(out, v)
	markdownDefinitions(out, v)
	return out.Flush()
}

func markdownFindings(out *bufio.Writer, v *View) {
	if len(v.Findings) == 0 {
		return
	}
	out.WriteString("## Findings\n\n")
	for _, f := range v.Findings {
		fmt.Fprintf(out, "- **%s** %s\n", escapeMarkdown(f.Text), escapeMarkdown(join(" ", parenthesis(f.Evidence), f.Advice)))
	}
	out.WriteString("\n")
}

// markdownModels draws the table of the terminal, with all of its columns.
func markdownModels(out *bufio.Writer, v *View) {
	out.WriteString("## Models\n\n")
	kept := evidentColumns(v, painter(false))
	rows := [][]string{make([]string, len(kept)), make([]string, len(kept))}
	for i, c := range kept {
		rows[0][i] = escapeMarkdown(strings.TrimSpace(c.header + " " + c.unit))
		rows[1][i] = "---"
		if c.right {
			rows[1][i] = "---:"
		}
	}
	for i := range v.Models {
		row := make([]string, len(kept))
		for j, c := range kept {
			row[j] = escapeMarkdown(orDash(c.cell(&v.Models[i])))
		}
		rows = append(rows, row)
	}
	markdownRows(out, rows)
}

// markdownComparisons draws what the tests say of the headline metrics.
func markdownComparisons(out *bufio.Writer, v *View) {
	if len(v.Models) < 2 {
		return
	}
	fmt.Fprintf(out, "## Against %s\n\n", escapeMarkdown(v.Models[0].Name))
	rows := [][]string{
		{"Metric", "Model", "Times the baseline", "95 % interval", "p (Holm)", "Shown"},
		{"---", "---", "---:", "---:", "---:", "---"},
	}
	for _, metric := range v.Metrics {
		for i := range v.Models {
			f := v.Models[i].Figure(metric.Name)
			if f != nil && f.Comparison != nil {
				rows = append(rows, append([]string{escapeMarkdown(metric.Name), escapeMarkdown(v.Models[i].Name)}, comparisonCells(f.Comparison)...))
			}
		}
	}
	markdownRows(out, rows)
}

// comparisonCells are the ratio, its interval, the corrected p and what follows.
func comparisonCells(c *Comparison) []string {
	if c.Refused != "" {
		return []string{"-", "-", "-", escapeMarkdown(c.Refused)}
	}
	interval := "-"
	if c.Interval != nil {
		interval = formatRatio(c.Interval.Lo) + " to " + formatRatio(c.Interval.Hi)
	}
	shown := "a difference"
	if !c.Different {
		shown = `\~`
		if c.Least > 0 {
			shown += " (from a factor of " + formatRatio(c.Least) + " on)"
		}
	}
	return []string{formatRatio(c.Ratio), interval, fmt.Sprintf("%.3f", c.PHolm), shown}
}

// markdownWaits draws where the threads' time went: a row each, a column a model.
func markdownWaits(out *bufio.Writer, v *View) {
	causes := slices.DeleteFunc(recording.Causes(), func(cause string) bool {
		return !slices.ContainsFunc(v.Models, func(m Model) bool { return m.waited(cause) > 0 })
	})
	if len(causes) == 0 {
		return
	}
	out.WriteString("## Blocked time by cause\n\nTime that threads were asleep, for each unit, over the measured trials. Per thread, not per task: " +
		"a hundred threads that wait for a second have a hundred seconds where an event loop has one.\n\n")
	rows := [][]string{{"Cause"}, {"---"}}
	for _, m := range v.Models {
		rows[0] = append(rows[0], escapeMarkdown(m.Name))
		rows[1] = append(rows[1], "---:")
	}
	for _, cause := range causes {
		row := []string{escapeMarkdown(cause)}
		for i := range v.Models {
			cell := ""
			if ns := v.Models[i].waited(cause); ns > 0 {
				cell = formatDuration(ns)
			}
			row = append(row, orDash(cell))
		}
		rows = append(rows, row)
	}
	markdownRows(out, rows)
}

// markdownMetrics draws every metric: a row each, a column a model.
func markdownMetrics(out *bufio.Writer, v *View) {
	out.WriteString("## Every metric\n\nMedian, and its 95 % interval where there is one.\n\n")
	rows := [][]string{{"Metric"}, {"---"}}
	for _, m := range v.Models {
		rows[0] = append(rows[0], escapeMarkdown(m.Name))
		rows[1] = append(rows[1], "---:")
	}
	for _, metric := range v.Metrics {
		row := []string{escapeMarkdown(metric.Name)}
		for i := range v.Models {
			row = append(row, metricCell(metric.Unit, v.Models[i].Figure(metric.Name)))
		}
		rows = append(rows, row)
	}
	markdownRows(out, rows)
}

// metricCell leaves the interval out where it prints as the median does.
func metricCell(unit string, f *Figure) string {
	if f == nil {
		return "-"
	}
	cell := bound(f) + format(unit, f.Median)
	if f.Interval == nil || f.Interval.Lo == f.Interval.Hi {
		return escapeMarkdown(cell)
	}
	return escapeMarkdown(fmt.Sprintf("%s (%s to %s)", cell, format(unit, f.Interval.Lo), format(unit, f.Interval.Hi)))
}

func markdownDefinitions(out *bufio.Writer, v *View) {
	out.WriteString("\n## Definitions\n\n")
	for _, metric := range v.Metrics {
		fmt.Fprintf(out, "- **%s**: %s\n", escapeMarkdown(metric.Name), escapeMarkdown(metric.Definition))
	}
}

// bound marks a figure that lost events have touched.
func bound(f *Figure) string {
	switch {
	case f.Inexact:
		return "≈"
	case f.LowerBound:
		return "≥"
	}
	return ""
}

func markdownEvidence(out *bufio.Writer, v *View) {
	out.WriteString("## Evidence\n\n")
	fmt.Fprintf(out, "%s %s\n\n", v.Evidence.String(), v.Evidence.Cost())
	for _, l := range v.Evidence.Lost {
		fmt.Fprintf(out, "- Lost: %s of %s in %s, %s. %s\n", plural(l.Count, "event"), escapeMarkdown(l.Cause),
			escapeMarkdown(l.Model), trialNumbers(l.Trials), escapeMarkdown(l.Detail))
	}
	for _, m := range v.Evidence.Missing {
		fmt.Fprintf(out, "- Missing: %s, %s. %s\n", escapeMarkdown(m.Probe), trialNumbers(m.Trials), escapeMarkdown(m.Reason))
	}
	for _, u := range v.Evidence.Unread {
		fmt.Fprintf(out, "- Unreadable: profile of %s. %s\n", escapeMarkdown(u.Model), escapeMarkdown(u.Reason))
	}
	for _, line := range totalsLines(v) {
		fmt.Fprintf(out, "- %s\n", escapeMarkdown(line))
	}
	if !v.Evidence.Complete() {
		out.WriteString("\n")
	}
	for _, note := range v.Notes {
		fmt.Fprintf(out, "- %s\n", escapeMarkdown(note))
	}
}

func markdownRows(out *bufio.Writer, rows [][]string) {
	for _, row := range rows {
		out.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	out.WriteString("\n")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
