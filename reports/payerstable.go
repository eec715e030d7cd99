package reports

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Top draws who pays, by function, for a person at a terminal: opts.Top functions a model, of opts.Model or of all. Among
// all one whose profile cannot be read is named, and [View.Unread] says why.
func Top(w io.Writer, v *View, opts Options) error {
	var several severalError
	if _, err := profiledModel(v, opts.Model); err != nil && !errors.As(err, &several) {
		return err
	}
	var models []string
	for _, m := range v.Models {
		if m.Profiled && (opts.Model == "" || opts.Model == m.Name) {
			models = append(models, m.Name)
		}
	}
	var b bytes.Buffer // all of it, or nothing
	out := screen{bufio.NewWriter(&b), opts.columns()}
	if missing := v.Evidence.Extent.missingText(); missing != "" {
		out.writeWrapped("INCOMPLETE  "+missing, "      ", nil)
		out.WriteString("\n")
	}
	for _, model := range models {
		list, err := newPayers(v, model, opts.Top)
		if err != nil && opts.Model == "" {
			fmt.Fprintf(out, "%s: its profile cannot be read.\n\n", escapeTerminal(model))
			continue
		}
		if err != nil {
			return fmt.Errorf("who pays in %s: %w", model, err)
		}
		if list == nil {
			fmt.Fprintf(out, "%s: its profile is empty.\n\n", escapeTerminal(model))
			continue
		}
		list.text(out, v, painter(opts.Color))
	}
	out.writeWrapped(payersAbout, "  ", nil)
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}

// leastName is how much room the names of functions have at least, in columns: kinds are left out for it.
const leastName = 24

// text draws one model's table, at most as wide as the screen: names are cut in the middle.
func (p *payers) text(out screen, v *View, paint func(...text.Color) decorate) {
	out.writeWrapped(fmt.Sprintf("Who pays in %s, with callees: %s", p.Model, p.TrialsText()), "  ", paint(text.Bold))
	totals, _ := v.totalsOf(p.Model)
	for _, t := range totals {
		if !t.Equal() {
			out.writeWrapped("! "+t.Kind+": "+lowerFirst(t.String()), "  ", nil)
		}
	}
	cells := append(p.headers(), p.cells(payer{Name: rootName, Total: p.Totals}))
	for _, row := range p.Rows {
		cells = append(cells, p.cells(row))
	}
	kept, room := p.fitKinds(cells, out.width)
	t := newPlainTable()
	var configs []table.ColumnConfig
	for k := range kept {
		configs = append(configs, table.ColumnConfig{Number: k + 2, Align: text.AlignRight})
	}
	t.SetColumnConfigs(configs)
	for _, row := range cells {
		line := table.Row{fitMiddle(row[0], room)}
		for _, cell := range row[1 : kept+1] {
			line = append(line, " "+cell)
		}
		t.AppendRow(line)
	}
	out.WriteString(t.Render() + "\n")
	if p.Dropped > 0 {
		fmt.Fprintf(out, "and %s more\n", plural(int64(p.Dropped), "function"))
	}
	if kept < len(p.Kinds) {
		var left []string
		for _, kind := range p.Kinds[kept:] {
			left = append(left, kind.Column)
		}
		out.writeWrapped(leftOutText(out.width, left)+"--format html has all.", "  ", nil)
	}
	out.WriteString("\n")
}

// fitKinds says how many kinds there is room for, and how much of it is left for names.
func (p *payers) fitKinds(cells [][]string, width int) (kept, room int) {
	room = width
	for k := range p.Kinds {
		widest := 0
		for _, row := range cells {
			widest = max(widest, text.StringWidth(row[k+1]))
		}
		if width < terminalWidth && k > 0 && room-widest-1 < leastName {
			return k, room
		}
		room -= widest + 1
	}
	return len(p.Kinds), room
}

// headers are the two lines above the figures.
func (p *payers) headers() [][]string {
	rows := [][]string{{"FUNCTION"}, {""}}
	for _, kind := range p.Kinds {
		first, second, _ := strings.Cut(kind.Column, " ")
		rows[0], rows[1] = append(rows[0], first), append(rows[1], second)
	}
	return rows
}

func (p *payers) cells(f payer) []string {
	row := []string{escapeTerminal(f.Name)}
	for k, kind := range p.Kinds {
		cell := "-"
		if f.Total[k] > 0 {
			cell = format(kind.Unit, f.Total[k])
		}
		row = append(row, cell)
	}
	return row
}

// fitMiddle cuts a name in its middle: packages differ at the beginning, functions at the end, which has more room.
func fitMiddle(name string, columns int) string {
	if text.StringWidth(name) <= columns {
		return name
	}
	runes := []rune(name)
	head, tail := 0, len(runes)
	for room := (columns - 1) * 3 / 5; tail > 0 && text.StringWidth(string(runes[tail-1:])) <= room; {
		tail--
	}
	for room := columns - 1 - text.StringWidth(string(runes[tail:])); head < tail && text.StringWidth(string(runes[:head+1])) <= room; {
		head++
	}
	return string(runes[:head]) + "…" + string(runes[tail:])
}

// payerFigure is one figure of the page's table.
type payerFigure struct {
	Sort string // the raw figure, "" where there is none
	Text string
	Self string // "" where it has no part of its own
}

// Figures are a function's, by kind.
func (p *payers) Figures(f payer) []payerFigure {
	list := make([]payerFigure, len(p.Kinds))
	for k, kind := range p.Kinds {
		if f.Total[k] > 0 {
			list[k] = payerFigure{Sort: strconv.FormatFloat(f.Total[k], 'g', -1, 64), Text: format(kind.Unit, f.Total[k])}
			if f.Self[k] > 0 {
				list[k].Self = format(kind.Unit, f.Self[k])
			}
		}
	}
	return list
}

// TotalsText is what all stacks of a trial come to, by kind.
func (p *payers) TotalsText() string {
	var parts []string
	for k, kind := range p.Kinds {
		parts = append(parts, format(kind.Unit, p.Totals[k])+" "+kind.Noun)
	}
	return strings.Join(parts, ", ")
}
