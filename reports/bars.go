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
	top   float64 // of the axis
}

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
}

// newBarChart lays out rows; the parts come in the given order, and what nobody has is left out.
func newBarChart(unit string, order []string, rows []barRow) barChart {
	c := barChart{Unit: unit, Rows: rows}
	for _, name := range order {
		if slices.ContainsFunc(rows, func(r barRow) bool { return r.Values[name] != 0 }) {
			c.Parts = append(c.Parts, barPart{name, partClass(name)})
		}
	}
	for i := range c.Rows {
		drawn := 0.0
		for _, p := range c.Parts {
			x := c.Rows[i].Values[p.Name]
			c.Rows[i].Total += x
			drawn += max(0, x)
		}
		c.top = max(c.top, drawn)
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
		r.Values, r.Total = values, 0
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
	b.WriteString("</svg>")
	return template.HTML(b.String())
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
