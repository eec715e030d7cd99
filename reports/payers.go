package reports

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/weft-profiler/weft/collector/recording"
)

// payerColumns are the kinds of the table of who pays, in its order; those that a profile lacks are left out.
func payerColumns() []string {
	return []string{recording.KindHeap, recording.KindThreadCreate, recording.KindSocket, recording.KindReplyWait,
		recording.KindOffCPU, recording.KindRSS, recording.KindCPU}
}

// payersAbout is how the table of who pays is to be read. docs/metrics.md has it too.
const payersAbout = "Each figure is what the function and everything that it called came to in one profiled trial, the mean over them. " +
	"Functions stand in the order of their greatest share of a column, then of the sum of their shares. Of functions that are in exactly the same stacks only the " +
	"innermost is named, and the kernel's are left out: what they cost is in their callers."

// payers is who pays in one model, by function.
type payers struct {
	Model   string
	Trials  int
	Kinds   []Kind
	Totals  []float64 // by kind, of one trial
	Rows    []payer
	Dropped int // functions that are not in Rows
}

// payer is one function. Where it calls itself it is counted once.
type payer struct {
	Name  string
	File  string
	Total []float64 // by kind, with callees, of one trial
	Self  []float64 // by kind, without callees
	share float64   // the greatest of a column
	sum   float64   // of its shares of all columns
	same  uint64    // equal for functions that are in the same stacks
	depth int       // where it was seen last
}

// newPayers sums all kinds over one model's stacks; nil where there is nothing to pay.
func newPayers(v *View, model string, most int) (*payers, error) {
	p, err := v.profile(model)
	if err != nil {
		return nil, err
	}
	list := &payers{Model: model, Trials: len(trialsIn(v, model, p))}
	var all []*stacks
	for _, name := range payerColumns() {
		s, err := stacksOf(v, Options{Kind: name, Model: model})
		if err != nil {
			continue // the profile has no such kind
		}
		if total := s.total(); total > 0 {
			all = append(all, s)
			list.Kinds = append(list.Kinds, s.kind)
			list.Totals = append(list.Totals, float64(total)/float64(list.Trials))
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	rows := sumPayers(v.calls(p), all, list)
	list.Rows = firstOf(rows, most)
	list.Dropped = len(rows) - len(list.Rows)
	return list, nil
}

// paying is a function while it is summed.
type paying struct {
	payer
	last int // the stack in which it was counted last, from 1
}

func sumPayers(calls *callTable, all []*stacks, list *payers) []payer {
	functions, names := make([]*paying, len(calls.calls)), map[string]*paying{}
	for i, call := range calls.calls {
		f, ok := names[call.name]
		if !ok {
			f = &paying{payer: payer{Name: call.name, File: call.file, Total: make([]float64, len(all)), Self: make([]float64, len(all))}}
			names[call.name] = f
		}
		functions[i] = f
	}
	values := make([]float64, len(all))
	for i, sample := range all[0].profile.Sample {
		some := false
		for k, s := range all {
			values[k] = float64(s.value(sample)) / float64(list.Trials)
			some = some || values[k] > 0
		}
		if some {
			charge(calls, functions, i, values)
		}
	}
	return rankPayers(names, calls, list)
}

// charge adds one stack's values to its functions. The kernel's part of a stack is its caller's own.
func charge(calls *callTable, functions []*paying, i int, values []float64) {
	mark := mix(uint64(i))
	var innermost *paying
	for depth, call := range calls.stacks[i] {
		f := functions[call]
		f.depth = depth
		if frame := &calls.calls[call]; !frame.kernel && !frame.made {
			innermost = f
		}
		if f.last == i+1 {
			continue
		}
		f.last = i + 1
		f.same += mark
		for k, value := range values {
			f.Total[k] += value
		}
	}
	if innermost != nil {
		for k, value := range values {
			innermost.Self[k] += value
		}
	}
}

// mix spreads numbers over 64 bits, so that sums of different sets differ (the finalizer of MurmurHash3).
func mix(x uint64) uint64 {
	x++
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// rankPayers leaves out what says nothing new, and puts first who has the greatest share of anything.
func rankPayers(names map[string]*paying, calls *callTable, list *payers) []payer {
	innermost := map[uint64]*paying{}
	for _, call := range calls.calls {
		f := names[call.name]
		if call.kernel || call.made || f.last == 0 {
			continue
		}
		if other := innermost[f.same]; other == nil || f.depth > other.depth {
			innermost[f.same] = f
		}
	}
	var rows []payer
	for _, f := range innermost {
		for k, total := range f.Total {
			f.share = max(f.share, total/list.Totals[k])
			f.sum += total / list.Totals[k]
		}
		rows = append(rows, f.payer)
	}
	slices.SortFunc(rows, func(a, b payer) int {
		return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(b.sum, a.sum), strings.Compare(a.Name, b.Name))
	})
	return rows
}

// Top draws who pays, by function, for a person at a terminal: opts.Top functions a model, of opts.Model or of all.
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
	var b strings.Builder
	for _, model := range models {
		list, err := newPayers(v, model, opts.Top)
		if err != nil {
			return fmt.Errorf("who pays in %s: %w", model, err)
		}
		if list == nil {
			fmt.Fprintf(&b, "%s: its profile is empty.\n\n", escapeTerminal(model))
			continue
		}
		list.text(&b, v, painter(opts.Color))
	}
	about := strings.Builder{}
	writeLines(&about, payersAbout)
	_, err := io.WriteString(w, b.String()+about.String())
	return err
}

// text draws one model's table, at most terminalWidth wide: names are cut in the middle.
func (p *payers) text(b *strings.Builder, v *View, paint func(...text.Color) decorate) {
	of := "one profiled trial"
	if p.Trials > 1 {
		of = fmt.Sprintf("mean of %d profiled trials", p.Trials)
	}
	title := fmt.Sprintf("Who pays in %s, with callees: %s", escapeTerminal(p.Model), of)
	if bold := paint(text.Bold); bold != nil {
		title = bold(title)
	}
	b.WriteString(title + "\n")
	for _, t := range v.totalsOf(p.Model) {
		if !t.Equal() {
			writeLines(b, "! "+t.Kind+": "+lowerFirst(t.String()))
		}
	}
	cells := append(p.headers(), p.cells(payer{Name: rootName, Total: p.Totals}))
	for _, row := range p.Rows {
		cells = append(cells, p.cells(row))
	}
	room := terminalWidth
	for k := range p.Kinds {
		widest := 0
		for _, row := range cells {
			widest = max(widest, text.StringWidth(row[k+1]))
		}
		room -= widest + 1
	}
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", ""
	style.Format = table.FormatOptions{}
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	var configs []table.ColumnConfig
	for k := range p.Kinds {
		configs = append(configs, table.ColumnConfig{Number: k + 2, Align: text.AlignRight})
	}
	t.SetColumnConfigs(configs)
	for _, row := range cells {
		line := table.Row{fitMiddle(row[0], room)}
		for _, cell := range row[1:] {
			line = append(line, " "+cell)
		}
		t.AppendRow(line)
	}
	b.WriteString(t.Render() + "\n")
	if p.Dropped > 0 {
		fmt.Fprintf(b, "and %s more\n", plural(int64(p.Dropped), "function"))
	}
	b.WriteString("\n")
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

// writeLines escapes and breaks a text at the terminal's width.
func writeLines(b *strings.Builder, sentence string) {
	for _, line := range wrap(escapeTerminal(sentence), "  ") {
		b.WriteString(line + "\n")
	}
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
