package reports

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
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

// flameFor is one flame graph without a style of its own.
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
	err = d.out.Flush()
	return buf.Bytes(), err
}
