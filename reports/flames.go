package reports

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// pageLeast is how narrow a frame may be in report.html, in pixels: all graphs of a recording are in one file.
const pageLeast = 0.5

// flameSet is the flame graphs of the page, one shown at a time.
type flameSet struct {
	Kinds  []Kind
	Models []string
	Graphs []flame
}

// flame is one of them.
type flame struct {
	packed
	Kind, Model string
}

// newFlameSet draws every kind that a profile has, model by model, so that a profile is parsed once.
func newFlameSet(v *View) (flameSet, error) {
	var set flameSet
	for _, m := range v.Models {
		if !m.Profiled {
			continue
		}
		before := len(set.Graphs)
		for _, kind := range Kinds() {
			svg, err := flameFor(v, m.Name, kind.Name)
			if errors.Is(err, ErrNoEvidence) {
				continue
			}
			if err != nil {
				return set, err
			}
			p, err := pack(fmt.Sprintf("flame%d", len(set.Graphs)), "", "image/svg+xml", "", svg)
			if err != nil {
				return set, err
			}
			set.Graphs = append(set.Graphs, flame{p, kind.Name, escapeTerminal(m.Name)})
		}
		if len(set.Graphs) > before {
			set.Models = append(set.Models, escapeTerminal(m.Name))
		}
	}
	for _, kind := range Kinds() {
		for _, g := range set.Graphs {
			if g.Kind == kind.Name {
				set.Kinds = append(set.Kinds, kind)
				break
			}
		}
	}
	return set, nil
}

// flameFor is one flame graph without a style of its own, and the table of who pays.
func flameFor(v *View, model, kind string) ([]byte, error) {
	s, err := stacksOf(v, Options{Kind: kind, Model: model})
	if err != nil {
		return nil, err
	}
	g := newFlameGraph(s)
	if g.total() == 0 {
		return nil, ErrNoEvidence
	}
	var buf bytes.Buffer
	d := drawing{out: bufio.NewWriter(&buf), graph: g, unit: s.kind.Unit, least: pageLeast}
	d.draw(v, s)
	d.functions()
	err = d.out.Flush()
	return buf.Bytes(), err
}

// inPage says that the drawing is a part of report.html, which has the style, and whose script fits frames and names
// to the window and makes frames buttons.
func (d *drawing) inPage() bool { return d.style == "" }

// words writes title and notes for people: beside the drawing, so that lines break where the window ends.
func (d *drawing) words(title string, notes []note) {
	d.title, d.top = title, svgMargin
	fmt.Fprintf(d.out, `<div class="flame-notes"><p class="title">%s</p>`, escapeXML(title))
	for _, n := range notes {
		class := "note"
		if n.loud {
			class = "note loud"
		}
		fmt.Fprintf(d.out, `<p class="%s">%s</p>`, class, escapeXML(n.text))
	}
	d.out.WriteString("</div>\n")
}

func (d *drawing) beginInPage(deepest int) {
	fmt.Fprintf(d.out, `<svg width="%g" height="%g" role="group" aria-label="%s">`+"\n", svgWidth,
		d.top+svgRow*float64(deepest+1)+svgMargin, escapeXML(d.title))
}

// mostFunctions is how many functions the table under a flame graph names.
const mostFunctions = 12

// functions writes who pays, by function: what the flame graph says in words.
func (d *drawing) functions() {
	d.out.WriteString(`<table><thead><tr><th scope="col">WHO PAYS</th><th scope="col" class="num">ITSELF</th>` +
		`<th scope="col" class="num">SHARE</th><th scope="col" class="num">WITH CALLEES</th><th scope="col" class="num">SHARE</th></tr></thead><tbody>` + "\n")
	cell := func(n int64) string {
		return fmt.Sprintf(`<td class="num">%s</td><td class="num">%s</td>`, escapeXML(format(d.unit, float64(n))),
			formatShare(float64(n)/float64(d.graph.total())))
	}
	for _, f := range firstOf(d.graph.functions(), mostFunctions) {
		fmt.Fprintf(d.out, `<tr><th scope="row"><code>%s</code></th>%s%s</tr>`+"\n", escapeXML(f.name), cell(f.self), cell(f.total))
	}
	d.out.WriteString("</tbody></table>\n")
}

// function is what one function pays, by itself and with its callees. Where it calls itself it is counted once.
type function struct {
	name        string
	self, total int64
}

// functions are all of them, the one that pays most by itself first.
func (g *flameGraph) functions() []function {
	sums := map[int32]*function{}
	last := map[int32]int{} // the stack in which a function was counted last
	for i, s := range g.stacks {
		for depth, call := range s.calls {
			rank := g.ranks[call]
			f := sums[rank]
			if f == nil {
				f = &function{name: g.calls[call].name}
				sums[rank] = f
			}
			if at, counted := last[rank]; !counted || at != i {
				last[rank] = i
				f.total += s.value
			}
			if depth == len(s.calls)-1 {
				f.self += s.value
			}
		}
	}
	var list []function
	for _, f := range sums {
		list = append(list, *f)
	}
	slices.SortFunc(list, func(a, b function) int {
		return cmp.Or(cmp.Compare(b.self, a.self), cmp.Compare(b.total, a.total), cmp.Compare(a.name, b.name))
	})
	return list
}
