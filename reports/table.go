package reports

import (
	"fmt"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// longestName is the greatest width of a model's name, in columns.
const longestName = 24

// column is one column of the terminal's table.
type column struct {
	header string
	unit   string // second line of the header
	rank   int    // columns of the highest rank go first where the width does not hold all
	right  bool
	cell   func(*Model) string // "" where there is no evidence
}

func columns(paint func(...text.Color) decorate) []column {
	return []column{
		{"MODEL", "", 0, false, func(m *Model) string { return fit(escapeTerminal(m.Name), longestName) }},
		{"TIME", "median", 0, true, figureCell("wall-ns")},
		{"±", "95 %", 0, true, func(m *Model) string { return spreadCell(m, "wall-ns") }},
		{"SPEEDUP", "", 0, true, speedupCell},
		{"CPU/REQ", "", 0, true, figureCell("cpu-ns/unit")},
		{"RSS", "at end", 0, true, figureCell("rss-end-B")},
		{"HELD/TASK", "user only", 1, true, figureCell("held-rss-B/task")},
		{"THREADS", "peak", 0, true, figureCell("threads-peak")},
		{"IN FLIGHT", "peak/asked", 0, true, func(m *Model) string { return inFlightCell(m, paint(text.FgYellow)) }},
		{"SW/REQ", "", 2, true, figureCell("switches/unit")},
		{"CALLS/REQ", "socket", 3, true, figureCell("socket-calls/unit")},
		{"RECV/REQ", "tcp", 5, true, figureCell("received-B/unit")},
		{"CONNS", "tcp", 4, true, figureCell("connections")},
	}
}

// figureCell prints the median of a metric, with its bound where events were lost.
func figureCell(metric string) func(*Model) string {
	units := map[string]string{}
	for _, m := range Metrics() {
		units[m.Name] = m.Unit
	}
	return func(m *Model) string {
		f := m.Figure(metric)
		if f == nil {
			return ""
		}
		return bound(f) + format(units[metric], f.Median)
	}
}

func spreadCell(m *Model, metric string) string {
	if m.Figure(metric) == nil {
		return ""
	}
	return formatSpread(m.Figure(metric))
}

func speedupCell(m *Model) string {
	if m.Figure("wall-ns") == nil {
		return ""
	}
	factor, ok := m.Speedup()
	if !ok {
		return "~"
	}
	return formatFactor(factor)
}

func inFlightCell(m *Model, warn decorate) string {
	f := m.Figure("in-flight-peak")
	if f == nil {
		return ""
	}
	cell := fmt.Sprintf("%s/%d", formatCount(f.Median), m.Asked)
	if f.Median >= float64(m.Asked) {
		return cell
	}
	if warn != nil {
		return warn("! " + cell)
	}
	return "! " + cell
}

// evidentColumns are those for which any model has evidence.
func evidentColumns(v *View, paint func(...text.Color) decorate) []column {
	return slices.DeleteFunc(columns(paint), func(c column) bool {
		return !slices.ContainsFunc(v.Models, func(m Model) bool { return c.cell(&m) != "" })
	})
}

// terminalTable draws the columns that have evidence and fit.
func terminalTable(v *View, opts Options) string {
	kept := evidentColumns(v, painter(opts.Color))
	for {
		drawn := drawTable(v, kept, painter(opts.Color))
		drop := lastColumn(kept)
		if text.LongestLineLen(drawn) <= terminalWidth || kept[drop].rank == 0 {
			return drawn
		}
		kept = slices.Delete(kept, drop, drop+1)
	}
}

// lastColumn is the one that can be missed most.
func lastColumn(columns []column) int {
	drop := 0
	for i, c := range columns {
		if c.rank > columns[drop].rank {
			drop = i
		}
	}
	return drop
}

func drawTable(v *View, columns []column, paint func(...text.Color) decorate) string {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format = table.FormatOptions{}
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	bold := paint(text.Bold)
	header, units := table.Row{}, table.Row{}
	var configs []table.ColumnConfig
	for i, c := range columns {
		align := text.AlignLeft
		if c.right {
			align = text.AlignRight
		}
		configs = append(configs, table.ColumnConfig{Number: i + 1, Align: align})
		if bold != nil {
			c.header = bold(c.header)
		}
		header, units = append(header, c.header), append(units, c.unit)
	}
	t.SetColumnConfigs(configs)
	t.AppendRows([]table.Row{header, units})
	for i := range v.Models {
		row := table.Row{}
		for _, c := range columns {
			row = append(row, orDash(c.cell(&v.Models[i])))
		}
		t.AppendRow(row)
	}
	return t.Render() + "\n"
}
