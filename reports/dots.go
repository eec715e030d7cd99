package reports

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
)

// logarithmicFrom is how many times the greatest value must be the least for dots to stand on a logarithmic axis.
const logarithmicFrom = 20

// dotScale is the common axis of a metric's dots: those of all models.
type dotScale struct {
	lo, hi float64
	log    bool
}

func newDotScale(v *View, metric string) dotScale {
	var all []float64
	for i := range v.Models {
		if f := v.Models[i].Figure(metric); f != nil {
			all = append(all, f.Values...)
		}
	}
	if len(all) == 0 {
		return dotScale{}
	}
	s := dotScale{lo: slices.Min(all), hi: slices.Max(all)}
	s.log = s.lo > 0 && s.hi/s.lo >= logarithmicFrom
	if !s.log {
		s.lo = min(0, s.lo)
	}
	return s
}

// place is where a value stands, in per cent of the width. There is room for half a dot at either end.
func (s dotScale) place(x float64) float64 {
	share := 0.5
	switch {
	case s.log && s.hi > s.lo:
		share = math.Log(x/s.lo) / math.Log(s.hi/s.lo)
	case s.hi > s.lo:
		share = (x - s.lo) / (s.hi - s.lo)
	}
	return 4 + 92*min(1, max(0, share))
}

// draw makes a strip: the axis, the interval of the median as a bar, a dot a trial, the median as a stroke.
func (s dotScale) draw(f *Figure, unit, class string) template.HTML {
	var b strings.Builder
	tip := fmt.Sprintf("%s from %s to %s", plural(int64(len(f.Values)), "trial"), format(unit, slices.Min(f.Values)), format(unit, slices.Max(f.Values)))
	fmt.Fprintf(&b, `<svg class="dots %s" role="img" aria-label="%s"><title>%s</title>`, class, escapeXML(tip), escapeXML(tip))
	b.WriteString(`<line class="axis" x1="2%" x2="98%" y1="9" y2="9"/>`)
	if f.Interval != nil {
		from, to := s.place(f.Interval.Lo), s.place(f.Interval.Hi)
		fmt.Fprintf(&b, `<rect class="interval" x="%.2f%%" width="%.2f%%" y="6.5" height="5"/>`, from, to-from)
	}
	for _, x := range f.Values {
		fmt.Fprintf(&b, `<circle cx="%.2f%%" cy="9" r="3"/>`, s.place(x))
	}
	at := s.place(f.Median)
	fmt.Fprintf(&b, `<line class="median" x1="%.2f%%" x2="%.2f%%" y1="1" y2="17"/></svg>`, at, at)
	return template.HTML(b.String())
}
