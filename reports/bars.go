package reports

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
)

// barChart is stacked bars on one axis, one a row.
type barChart struct {
	Unit  string
	Parts []barPart // those that any row has, in their order
	Rows  []barRow
	Ticks []barTick
	Over  overText // where a row's bar is longer than its total
	top   float64  // of the axis
}

// overText says what the end of the total is in bars that reach beyond it, and what lies beyond: such a row has a
// part below zero, which no bar can show.
type overText struct{ Total, Beyond string }

// barPart is one part of the stacks, with its color.
type barPart struct{ Name, Class string }

// barTick is a mark of the axis, in per cent of its width.
type barTick struct {
	At    float64
	Label string
}

// barRow is one bar.
type barRow struct {
	Mark   modelMark
	First  bool   // of its model: only that says the model's name
	Label  string // what it is of, where a model has several
	Note   string // where it comes from
	Values map[string]float64
	Total  float64
	drawn  float64 // length of the bar: the parts above zero
}

// newBarChart lays out rows; the parts come in the given order, and what nobody has is left out.
func newBarChart(unit string, order []string, rows []barRow) barChart {
	c := barChart{Unit: unit, Rows: rows, Over: overText{"sum", "beyond the sum: another part is below zero"}}
	for _, name := range order {
		if slices.ContainsFunc(rows, func(r barRow) bool { return r.Values[name] != 0 }) {
			c.Parts = append(c.Parts, barPart{name, partClass(name)})
		}
	}
	for i := range c.Rows {
		for _, p := range c.Parts {
			x := c.Rows[i].Values[p.Name]
			c.Rows[i].Total += x
			c.Rows[i].drawn += max(0, x)
		}
		c.top = max(c.top, c.Rows[i].drawn)
		c.Rows[i].First = i == 0 || c.Rows[i].Mark.Name != c.Rows[i-1].Mark.Name
	}
	c.Ticks = ticks(unit, c.top)
	if n := len(c.Ticks); n > 0 && c.top > 0 {
		for i := range c.Ticks {
			c.Ticks[i].At = 100 * c.Ticks[i].At / c.top
		}
	}
	return c
}

// Keys are the parts that are drawn: a part that is nowhere above zero has no bar.
func (c barChart) Keys() []barPart {
	return slices.DeleteFunc(slices.Clone(c.Parts), func(p barPart) bool {
		return !slices.ContainsFunc(c.Rows, func(r barRow) bool { return r.Values[p.Name] > 0 })
	})
}

// Beyond says that a bar is longer than its total, by more than what rounding does.
func (c barChart) Beyond() bool { return slices.ContainsFunc(c.Rows, barRow.beyond) }

func (r barRow) beyond() bool { return r.drawn > r.Total && r.drawn-r.Total > 1e-9*r.drawn }

// partClass names the color of a part in colors.css.
func partClass(name string) string {
	return "p-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return '-'
	}, name)
}

// shares gives the same chart with every bar as long as the axis.
func (c barChart) shares() barChart {
	var rows []barRow
	for _, r := range c.Rows {
		values := map[string]float64{}
		for name, x := range r.Values {
			if r.Total > 0 {
				values[name] = x / r.Total
			}
		}
		r.Values, r.Total, r.drawn = values, 0, 0
		rows = append(rows, r)
	}
	var order []string
	for _, p := range c.Parts {
		order = append(order, p.Name)
	}
	return newBarChart(unitRatio, order, rows)
}

// Draw makes one bar. It has no width of its own: places are in per cent.
func (c barChart) Draw(r barRow) template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="bar" role="img" aria-label="%s">`, escapeXML(c.words(r)))
	for _, t := range c.Ticks {
		fmt.Fprintf(&b, `<line class="tick" x1="%.2f%%" x2="%.2f%%" y1="0" y2="100%%"/>`, t.At, t.At)
	}
	at := 0.0
	for _, p := range c.Parts {
		x := r.Values[p.Name]
		if x <= 0 || c.top <= 0 {
			continue
		}
		width := 100 * x / c.top
		fmt.Fprintf(&b, `<rect class="%s" x="%.3f%%" width="%.3f%%" y="3" height="14"><title>%s: %s</title></rect>`,
			p.Class, at, width, escapeXML(p.Name), escapeXML(format(c.Unit, x)))
		at += width
	}
	b.WriteString(c.drawBeyond(r))
	b.WriteString("</svg>")
	return template.HTML(b.String())
}

// drawBeyond hatches what lies beyond the total and marks the total's end, that of rows with nothing beyond too: the
// strokes can be compared.
func (c barChart) drawBeyond(r barRow) string {
	if !c.Beyond() || c.top <= 0 {
		return ""
	}
	end := 100 * max(0, r.Total) / c.top
	stroke := fmt.Sprintf(`<line class="total" x1="%.3f%%" x2="%.3f%%" y1="0" y2="20"><title>%s: %s</title></line>`, end, end,
		escapeXML(c.Over.Total), escapeXML(format(c.Unit, r.Total)))
	if !r.beyond() {
		return stroke
	}
	return fmt.Sprintf(`<line class="beyond" x1="%.3f%%" x2="%.3f%%" y1="10" y2="10"><title>%s: %s</title></line>`, end, 100*r.drawn/c.top,
		escapeXML(c.Over.Beyond), escapeXML(format(c.Unit, r.drawn-max(0, r.Total)))) + stroke
}

// words says the same as the bar.
func (c barChart) words(r barRow) string {
	var parts []string
	for _, p := range c.Parts {
		if x := r.Values[p.Name]; x != 0 {
			parts = append(parts, p.Name+" "+format(c.Unit, x))
		}
	}
	return join(" ", r.Mark.Name, r.Label) + ": " + strings.Join(parts, ", ")
}

// Cell is a part of a row for a table.
func (c barChart) Cell(r barRow, p barPart) string {
	if x, ok := r.Values[p.Name]; ok {
		return format(c.Unit, x)
	}
	return "-"
}

// Sum is the total of a row; shares need none.
func (c barChart) Sum(r barRow) string {
	if c.Unit == unitRatio {
		return ""
	}
	return format(c.Unit, r.Total)
}

// ticks are three to six round values up to top.
func ticks(unit string, top float64) []barTick {
	if top <= 0 {
		return nil
	}
	var list []barTick
	step := tickStep(unit, top/3)
	for x := step; x <= top*(1+1e-9); x += step { // sums of steps may miss the end by a rounding
		list = append(list, barTick{x, tickLabel(unit, x)})
	}
	return list
}

// tickStep is the greatest round step that is at most a width: powers of two for bytes, else 1, 2 or 5 times a
// power of ten.
func tickStep(unit string, width float64) float64 {
	if unit == unitBytes {
		return math.Exp2(math.Floor(math.Log2(width)))
	}
	power := math.Pow(10, math.Floor(math.Log10(width)))
	for _, n := range []float64{5, 2} {
		if n*power <= width {
			return n * power
		}
	}
	return power
}

// tickLabel keeps round values round: "20 MiB", not "20.0 MiB".
func tickLabel(unit string, x float64) string {
	label := format(unit, x)
	number, suffix, _ := strings.Cut(label, " ")
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	return join(" ", number, suffix)
}
