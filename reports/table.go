package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// longestName is the greatest width of a model's name, in columns.
const longestName = 24

// column is one column of the terminal's table.
type column struct {
	header string
	unit   string // second line of the header
	rank   int    // columns of the highest rank go first where the width does not hold all; those of rank 0 stay
	right  bool
	cell   func(*Model) string // "" where there is no evidence
}

func columns(paint func(...text.Color) decorate) []column {
	return []column{
		{"MODEL", "", 0, false, func(m *Model) string { return fit(escapeTerminal(m.Name), longestName) }},
		{"TIME", "median", 0, true, figureCell("wall-ns")},
		{"±", "", 5, true, func(m *Model) string { return spreadCell(m, "wall-ns") }},
		{"SPEEDUP", "", 6, true, speedupCell},
		{"CPU/REQ", "", 4, true, figureCell("cpu-ns/unit")},
		{"PEAK RSS", "", 3, true, figureCell("rss-peak-B")},
		{"RSS", "at end", 10, true, figureCell("rss-end-B")},
		{"HELD/TASK", "user+kern", 1, true, heldCell},
		{"THREADS", "peak", 7, true, figureCell("threads-peak")},
		{"IN FLIGHT", "of asked", 2, true, func(m *Model) string { return inFlightCell(m, paint(text.FgYellow)) }},
		{"SW/REQ", "", 9, true, figureCell("switches/unit")},
		{"WAIT", "", 8, false, waitCell},
	}
}

// figureCell prints the median of a metric, with a mark where events were lost.
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

// speedupCell prints "~" where the test showed no difference, and "-" where there was none.
func speedupCell(m *Model) string {
	f := m.Figure("wall-ns")
	if f == nil {
		return ""
	}
	factor, ok := m.Speedup()
	switch {
	case ok:
		return formatFactor(factor)
	case f.Comparison == nil || f.Comparison.Refused != "":
		return "-"
	}
	return "~"
}

// heldCell prints user and kernel bytes of a held task in one unit: "26+26 KiB". What is not known is a "?".
func heldCell(m *Model) string {
	user, kernel := m.Figure("held-user-B/task"), m.Figure("held-kernel-B/task")
	if user == nil {
		return ""
	}
	greatest := math.Abs(user.Median)
	if kernel != nil {
		greatest = max(greatest, math.Abs(kernel.Median))
	}
	steps := []step{{1000, 1, "B"}, {10_000 << 10, 1 << 10, "KiB"}, {0, 1 << 20, "MiB"}}
	i := 0
	for i < len(steps)-1 && greatest >= steps[i].limit {
		i++
	}
	factor, unit := steps[i].factor, steps[i].suffix
	known := "?"
	if kernel != nil {
		known = formatPart(kernel.Median / factor)
	}
	return formatPart(user.Median/factor) + "+" + known + " " + unit
}

// formatPart prints whole numbers, and tenths where nothing would be left.
func formatPart(x float64) string {
	if a := math.Abs(x); a != 0 && a < 0.95 {
		tenths := math.Round(x*10)/10 + 0 // of -0 it makes 0
		return strconv.FormatFloat(tenths, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 0, 64)
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

// terminalTable draws the columns that have evidence, and names those that it leaves out. Where they are too wide, the one
// goes first that says nearly what another says, then the second space between columns, one after the other from the
// left, then columns by rank.
func terminalTable(v *View, opts Options) (drawn string, left []string) {
	const spare = 10 // the rank from which on a column may go for a space
	kept := evidentColumns(v, painter(opts.Color))
	near := 1 // so many columns stand near to the one before; the first is MODEL
	for {
		drawn := drawTable(v, kept, near, painter(opts.Color))
		drop := lastColumn(kept)
		switch {
		case text.LongestLineLen(drawn) <= opts.columns():
			return drawn, left
		case kept[drop].rank >= spare || near >= len(kept) && kept[drop].rank > 0:
			left = append(left, kept[drop].header)
			kept = slices.Delete(kept, drop, drop+1)
		case near >= len(kept):
			return drawn, left
		default:
			near++
		}
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

// newPlainTable is a table without lines, whose cells bring their own spaces.
func newPlainTable() table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", ""
	style.Format = table.FormatOptions{}
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	return t
}

// drawTable puts the spaces between columns into the cells: the library has one padding for all.
func drawTable(v *View, columns []column, near int, paint func(...text.Color) decorate) string {
	t := newPlainTable()
	rows := make([]table.Row, 2+len(v.Models))
	var configs []table.ColumnConfig
	for i, c := range columns {
		align := text.AlignLeft
		if c.right {
			align = text.AlignRight
		}
		configs = append(configs, table.ColumnConfig{Number: i + 1, Align: align})
		for j, cell := range columnCells(v, c, paint(text.Bold)) {
			rows[j] = append(rows[j], gap(i, c, near)+cell)
		}
	}
	t.SetColumnConfigs(configs)
	t.AppendRows(rows)
	return t.Render() + "\n"
}

// gap is what stands before a column's cells. ± belongs to the column before.
func gap(i int, c column, near int) string {
	switch {
	case i == 0:
		return ""
	case i < near || c.header == "±":
		return " "
	}
	return "  "
}

// columnCells are a column's header, its unit and a cell a model.
func columnCells(v *View, c column, bold decorate) []string {
	header := c.header
	if bold != nil {
		header = bold(header)
	}
	cells := []string{header, c.unit}
	for i := range v.Models {
		cells = append(cells, orDash(c.cell(&v.Models[i])))
	}
	return cells
}
