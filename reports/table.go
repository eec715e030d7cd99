package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

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
	align  alignment
	cell   func(*Model) string // "" where there is no evidence
}

type alignment int

const (
	left alignment = iota
	right
	joined // to the right, one space after the column before: the two belong together
)

func columns(paint func(...text.Color) decorate) []column {
	return []column{
		{"MODEL", "", 0, left, func(m *Model) string { return fit(escapeTerminal(m.Name), longestName) }},
		{"TIME", "median", 0, right, figureCell("wall-ns")},
		{"±", "", 0, joined, func(m *Model) string { return spreadCell(m, "wall-ns") }},
		{"SPEEDUP", "", 0, right, speedupCell},
		{"CPU/REQ", "", 0, right, figureCell("cpu-ns/unit")},
		{"PEAK RSS", "", 0, right, figureCell("rss-peak-B")},
		{"RSS", "at end", 3, right, figureCell("rss-end-B")},
		{"HELD/TASK", "user+kern", 0, right, heldCell},
		{"THREADS", "peak", 0, right, figureCell("threads-peak")},
		{"IN FLIGHT", "peak/asked", 0, right, func(m *Model) string { return inFlightCell(m, paint(text.FgYellow)) }},
		{"SW/REQ", "", 2, right, figureCell("switches/unit")},
		{"WAIT", "", 1, left, waitCell},
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
	factor, unit := 1.0, "B"
	for _, larger := range []string{"KiB", "MiB", "GiB"} {
		if greatest >= 1000*factor {
			factor, unit = factor*1024, larger
		}
	}
	known := "?"
	if kernel != nil {
		known = formatPart(kernel.Median / factor)
	}
	return formatPart(user.Median/factor) + "+" + known + " " + unit
}

// formatPart prints whole numbers but where nothing would be left.
func formatPart(x float64) string {
	if a := math.Abs(x); a != 0 && a < 0.95 {
		return strconv.FormatFloat(x, 'f', 1, 64)
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

// terminalTable draws the columns that have evidence. Where they are too wide, the gaps go first, but not before
// columns that say what another says; then the columns by rank.
func terminalTable(v *View, opts Options) string {
	kept := evidentColumns(v, painter(opts.Color))
	const wide, tight, spare = 2, 1, 3
	gap := wide
	for {
		drawn := drawTable(v, kept, gap, painter(opts.Color))
		drop := lastColumn(kept)
		switch {
		case text.LongestLineLen(drawn) <= terminalWidth || gap == tight && kept[drop].rank == 0:
			return drawn
		case gap == wide && kept[drop].rank < spare:
			gap = tight
		default:
			kept = slices.Delete(kept, drop, drop+1)
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

func drawTable(v *View, columns []column, gap int, paint func(...text.Color) decorate) string {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", strings.Repeat(" ", gap)
	style.Format = table.FormatOptions{}
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	drawn := make([]table.Row, 2+len(v.Models))
	var configs []table.ColumnConfig
	for _, c := range columns {
		cells := columnCells(v, c, paint(text.Bold))
		if c.align == joined && len(configs) > 0 {
			for i, cell := range padLeft(cells) {
				last := len(drawn[i]) - 1
				drawn[i][last] = fmt.Sprint(drawn[i][last], " ", cell)
			}
			continue
		}
		config := table.ColumnConfig{Number: len(configs) + 1, Align: text.AlignLeft}
		if c.align != left {
			config.Align = text.AlignRight
		}
		configs = append(configs, config)
		for i := range drawn {
			drawn[i] = append(drawn[i], cells[i])
		}
	}
	t.SetColumnConfigs(configs)
	t.AppendRows(drawn)
	return t.Render() + "\n"
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

// padLeft makes all cells as wide as the widest.
func padLeft(cells []string) []string {
	width := 0
	for _, c := range cells {
		width = max(width, text.StringWidthWithoutEscSequences(c))
	}
	padded := make([]string, len(cells))
	for i, c := range cells {
		padded[i] = strings.Repeat(" ", width-text.StringWidthWithoutEscSequences(c)) + c
	}
	return padded
}
