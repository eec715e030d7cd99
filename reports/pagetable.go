package reports

import (
	"html/template"
	"slices"
	"strconv"
	"strings"
)

// pageColumn is one column of the page's table: a metric.
type pageColumn struct {
	Metric
	Head  string // the header: short ones are not broken into lines
	Label string // second line of it
	More  bool   // behind the switch
	dots  dotScale
}

// pageRow is a model's row.
type pageRow struct {
	Mark     modelMark
	Baseline bool
	Wait     string // what its threads waited for longest
	Cells    []pageCell
}

// pageCell is one figure.
type pageCell struct {
	Column pageColumn
	Sort   string        // the raw figure, "" where there is none
	Text   string        // for people
	Note   string        // under it: how far the interval reaches, and the ratio to the baseline
	Warn   bool          // the figure does not mean what it seems to: fewer in flight than asked
	Dots   template.HTML // of headline metrics: a dot a trial
}

// alwaysShown are metrics that stand in the table beside the headline metrics from the start. Memory at the end is one
// where no headline metric tells of memory.
func alwaysShown(v *View) []string {
	list := []string{"held-user-B/task", "threads-peak", "in-flight-peak", "switches/unit"}
	if !slices.ContainsFunc(v.Metrics, func(m Metric) bool { return m.Headline && m.Unit == unitBytes }) {
		list = append(list, "rss-end-B")
	}
	return list
}

// pageColumns puts the headline metrics first, then what is always shown, then the rest.
func pageColumns(v *View) []pageColumn {
	var list []pageColumn
	labels := map[string]string{"in-flight-peak": "peak/asked", "held-user-B/task": "user+kern"}
	for _, metric := range v.Metrics {
		c := pageColumn{Metric: metric, Head: metric.Column, More: !metric.Headline && !slices.Contains(alwaysShown(v), metric.Name)}
		if len(metric.Column) < 12 {
			c.Head = strings.ReplaceAll(metric.Column, " ", "\u00a0")
		}
		if metric.Headline {
			c.dots = newDotScale(v, metric.Name)
			if c.dots.log {
				c.Label = "log axis"
			}
		}
		if label := labels[metric.Name]; label != "" {
			c.Label = label
		}
		list = append(list, c)
	}
	rank := func(c pageColumn) int {
		switch {
		case c.Headline:
			return 0
		case !c.More:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(list, func(a, b pageColumn) int { return rank(a) - rank(b) })
	return list
}

func pageRows(v *View, columns []pageColumn) []pageRow {
	var rows []pageRow
	marks := modelMarks(v)
	for i := range v.Models {
		row := pageRow{Mark: marks[i], Baseline: v.Models[i].Baseline, Wait: v.Models[i].Wait}
		for _, c := range columns {
			row.Cells = append(row.Cells, newPageCell(&v.Models[i], c, marks[i].Class))
		}
		rows = append(rows, row)
	}
	return rows
}

func newPageCell(m *Model, c pageColumn, class string) pageCell {
	cell := pageCell{Column: c}
	f := m.Figure(c.Name)
	if f == nil {
		return cell
	}
	cell.Sort = strconv.FormatFloat(f.Median, 'g', -1, 64)
	cell.Text = bound(f) + format(c.Unit, f.Median)
	if c.Name == "in-flight-peak" {
		cell.Text = inFlightCell(m, nil)
		cell.Warn = f.Median < float64(m.Asked)
	}
	if c.Name == "held-user-B/task" { // one after the other by what both come to
		cell.Text, cell.Sort = heldCell(m), strconv.FormatFloat(f.Median+medianOf(m, "held-kernel-B/task"), 'g', -1, 64)
	}
	if c.Headline {
		cell.Note = join(" · ", "±"+formatSpread(f), againstBaseline(f))
		cell.Dots = c.dots.draw(f, c.Unit, class)
	}
	return cell
}

// medianOf is 0 where there is no evidence.
func medianOf(m *Model, metric string) float64 {
	if f := m.Figure(metric); f != nil {
		return f.Median
	}
	return 0
}

// againstBaseline is the ratio to the baseline, "~" where no difference is shown.
func againstBaseline(f *Figure) string {
	switch c := f.Comparison; {
	case c == nil || c.Refused != "":
		return ""
	case !c.Different:
		return "~"
	case c.Ratio < 1:
		return "÷" + significant(1/c.Ratio, 3)
	default:
		return "×" + significant(c.Ratio, 3)
	}
}

// smallTable is a table of figures, a row a model.
type smallTable struct {
	Columns []Metric
	Rows    []smallRow
}

// smallRow is a model's row.
type smallRow struct {
	Mark  modelMark
	Cells []string
}

// connectionsTable tells of the connections, as far as there is evidence.
func connectionsTable(v *View) smallTable {
	var t smallTable
	for _, name := range []string{"connections", "sent-B/unit", "received-B/unit", "socket-calls/unit", "would-block/unit",
		"first-byte-ns", "awaiting-mean-ns", "awaiting-peak", "retransmits"} {
		if i := slices.IndexFunc(v.Metrics, func(m Metric) bool { return m.Name == name }); i >= 0 {
			t.Columns = append(t.Columns, v.Metrics[i])
		}
	}
	if len(t.Columns) == 0 {
		return t
	}
	marks := modelMarks(v)
	for i := range v.Models {
		row := smallRow{Mark: marks[i]}
		for _, c := range t.Columns {
			cell := "-"
			if f := v.Models[i].Figure(c.Name); f != nil {
				cell = bound(f) + format(c.Unit, f.Median)
			}
			row.Cells = append(row.Cells, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// trialRow is one trial.
type trialRow struct {
	Trial
	Mark   modelMark
	Drawn  bool // it is the one in the charts over time
	Digest string
	Lost   string
	Cells  []string
}

func trialRows(v *View) []trialRow {
	var rows []trialRow
	marks := modelMarks(v)
	for i := range v.Models {
		drawn := medianTrial(v, v.Models[i].Name)
		for _, t := range v.Models[i].Trials {
			row := trialRow{Trial: t, Mark: marks[i], Drawn: drawn != nil && drawn.Number == t.Number,
				Digest: shorten(t.Digest, 12), Lost: csvLost(t)}
			for _, metric := range v.Metrics {
				cell := "-"
				if x, ok := t.Values[metric.Name]; ok {
					cell = format(metric.Unit, x)
				}
				row.Cells = append(row.Cells, cell)
			}
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b trialRow) int { return a.Number - b.Number })
	return rows
}
