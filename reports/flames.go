package reports

import (
	"encoding/json"
	"errors"
	"fmt"
)

// pageShare is how great a frame's share of its graph must be for the page to have it. All graphs of a recording are in
// one file; what is smaller is drawn as one frame without a name, so that widths add up.
const pageShare = 0.0002

// mostNodes bounds a graph in the page: of one that has more, frames must have a greater share. Who makes stacks on
// purpose could fill the page else.
const mostNodes = 30_000

// narrowName is what these are called.
const narrowName = "[narrower frames]"

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

// flameData is a graph as the page's script draws it.
type flameData struct {
	Title  string      `json:"title"`
	Unit   string      `json:"unit"`
	Notes  []flameNote `json:"notes"`
	Count  int         `json:"count"`  // trials
	Units  []float64   `json:"units"`  // finished work by trial; null where that is not known, or values do not grow with it
	Least  float64     `json:"least"`  // frames of a smaller sum over the trials are not in it; 0 where all are
	Names  []string    `json:"names"`  // of functions and files, safe to be shown
	Frames [][5]int64  `json:"frames"` // name, file, line, kind of code (frameKind), color of the package
	Nodes  []int64     `json:"nodes"`  // callers first: depth, frame, then the value in each trial
}

// flameNote is a note for the script.
type flameNote struct {
	Text string `json:"text"`
	Loud bool   `json:"loud"`
}

// Kinds of code, bits of a number.
const (
	codeInlined = 1 << iota
	codeKernel
	codeMade // no function
	codeScheduler
	codeReady
	codeNarrow
	codeCut
)

// newFlameSet reads every kind that a profile has, model by model, so that a profile is parsed once. Models whose profile
// cannot be read have none.
func newFlameSet(v *View, payers func(model string)) (flameSet, error) {
	var set flameSet
	have := map[string]bool{}
	for _, m := range v.Models {
		if !m.Profiled {
			continue
		}
		if _, unread := v.totalsOf(m.Name); unread != nil {
			continue
		}
		before := len(set.Graphs)
		for _, kind := range Kinds() {
			text, err := flameFor(v, m.Name, kind.Name)
			if errors.Is(err, ErrNoEvidence) {
				continue
			}
			if err != nil {
				return set, err
			}
			p, err := pack(fmt.Sprintf("flame%d", len(set.Graphs)), "", "application/json", "", text)
			if err != nil {
				return set, err
			}
			set.Graphs = append(set.Graphs, flame{p, kind.Name, escapeTerminal(m.Name)})
			have[kind.Name] = true
		}
		if len(set.Graphs) > before {
			set.Models = append(set.Models, escapeTerminal(m.Name))
		}
		payers(m.Name)
	}
	for _, kind := range Kinds() {
		if have[kind.Name] {
			set.Kinds = append(set.Kinds, kind)
		}
	}
	return set, nil
}

// flameFor is one flame graph's data.
func flameFor(v *View, model, kind string) ([]byte, error) {
	s, err := stacksOf(v, Options{Kind: kind, Model: model})
	if err != nil {
		return nil, err
	}
	g := newFlameGraph(s)
	if g.total() == 0 {
		return nil, ErrNoEvidence
	}
	return json.Marshal(newFlameData(v, s, g))
}

func newFlameData(v *View, s *stacks, g *flameGraph) *flameData {
	d := &flameData{Title: escapeTerminal(s.kind.Title + ": " + s.model), Unit: s.kind.Unit, Count: len(g.trials)}
	if units, known := v.unitsOf(g.trials); known && !s.kind.atHold() {
		d.Units = units
	}
	share := pageShare
	w := newFlameWriter(d, g, share)
	for !w.node(nodeRange{0, len(g.stacks), 0}) {
		share *= 4
		w = newFlameWriter(d, g, share)
	}
	notes := flameNotes(v, s, g, 0, 0)
	if w.narrow {
		d.Least = w.least
		notes = append(notes, note{text: fmt.Sprintf("Frames of less than %g %% of the total are drawn together, without their names: weft report --format svg has them.", 100*share)})
	}
	for _, n := range notes {
		d.Notes = append(d.Notes, flameNote{escapeTerminal(n.text), n.loud})
	}
	return d
}

// flameWriter numbers what the nodes of a graph share.
type flameWriter struct {
	*flameData
	graph  *flameGraph
	names  map[string]int64
	frames map[[5]int64]int64
	least  float64
	narrow bool
}

func newFlameWriter(d *flameData, g *flameGraph, share float64) *flameWriter {
	d.Names, d.Frames, d.Nodes = []string{""}, nil, nil
	return &flameWriter{flameData: d, graph: g, names: map[string]int64{"": 0}, frames: map[[5]int64]int64{}, least: share * float64(g.total())}
}

// node writes a node and its callees. Those that are too narrow are one node without a name. It is false, and stops,
// where there are too many.
func (w *flameWriter) node(n nodeRange) bool {
	g := w.graph
	w.write(n.depth, w.frame(g.merged(n)), g.byTrial(n))
	var rest []int64
	for callee := range g.each(n) {
		if float64(g.value(callee)) >= w.least {
			if !w.node(callee) {
				return false
			}
			continue
		}
		if rest == nil {
			rest = make([]int64, len(g.trials))
		}
		for i, value := range g.byTrial(callee) {
			rest[i] += value
		}
	}
	if rest != nil {
		w.narrow = true
		w.write(n.depth+1, w.frame(frame{name: narrowName, made: true}), rest)
	}
	return len(w.Nodes) <= mostNodes*(2+len(g.trials))
}

func (w *flameWriter) write(depth int, frame int64, values []int64) {
	w.Nodes = append(append(w.Nodes, int64(depth), frame), values...)
}

func (w *flameWriter) frame(f frame) int64 {
	key := [5]int64{w.name(f.name), w.name(f.file), f.line, codeOf(&f), int64(packageColor(f.name))}
	return numbered(w.frames, key, &w.Frames)
}

func (w *flameWriter) name(s string) int64 { return numbered(w.names, escapeTerminal(s), &w.Names) }

// numbered is the place of something in a list, where it is put when it is new.
func numbered[T comparable](known map[T]int64, x T, list *[]T) int64 {
	n, ok := known[x]
	if !ok {
		n = int64(len(*list))
		known[x] = n
		*list = append(*list, x)
	}
	return n
}

// codeOf says what kind of code a frame is.
func codeOf(f *frame) int64 {
	var code int64
	if f.inlined {
		code |= codeInlined
	}
	if f.kernel {
		code |= codeKernel
	}
	if f.made {
		code |= codeMade
		switch frameClass(f) {
		case "sched":
			code |= codeScheduler
		case "ready":
			code |= codeReady
		case "cut":
			code |= codeCut
		}
		if f.name == narrowName {
			code |= codeNarrow
		}
	}
	return code
}
