package reports

import (
	"bufio"
	_ "embed"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/weft-profiler/weft/collector/recording"
)

// Measures of the drawing, in pixels.
const (
	svgWidth   = 1200.0
	svgMargin  = 10.0
	svgRow     = 18.0 // a box is one pixel less high
	svgLeast   = 0.1  // narrower frames are not drawn
	svgEdged   = 4.0  // narrower frames show no edge
	svgChar    = 7.3  // width of a character of the 12 pixel monospace font
	svgLine    = 18.0
	svgPalette = 8 // classes c0 to c7 of flame.css
)

//go:embed flame.css
var flameStyle string

// flameScript makes frames of the file buttons that enlarge them, and searches. The picture is whole without it.
//
//go:embed flame.js
var flameScript string

// SVG draws the flame graph of one kind of one model: the root at the bottom, callees above their caller, a
// frame as wide as its share of the total. Compared with another model, its colors say what differs. It is one file
// that needs nothing; a frame's title tells what does not fit into it.
func SVG(w io.Writer, v *View, opts Options) error {
	s, err := stacksOf(v, opts)
	if err != nil {
		return err
	}
	g := newFlameGraph(s)
	if g.total() == 0 {
		return nothingOf(s)
	}
	v.totalsOf(s.model) // before the profile of another model is read
	d := drawing{out: bufio.NewWriter(w), graph: g, unit: s.kind.Unit}
	title := s.kind.Title + ": " + s.model
	var more []note
	if opts.CompareWith != "" {
		with, err := comparedStacks(v, opts)
		if err != nil {
			return err
		}
		d.with = newComparing(v, g, s, with)
		title += " compared with " + with.model
		more = d.with.notes()
	}
	boxes, dropped := g.layout(svgWidth-2*svgMargin, svgLeast, d.with)
	d.header(title, append(flameNotes(v, s, g, dropped, svgLeast), more...))
	d.draw(boxes)
	return d.out.Flush()
}

func nothingOf(s *stacks) error {
	return fmt.Errorf("%w: the profile of %s has nothing of kind %s", ErrNoEvidence, s.model, s.kind.Name)
}

// comparedStacks are those of the model to compare with.
func comparedStacks(v *View, opts Options) (*stacks, error) {
	s, err := stacksOf(v, Options{Kind: opts.Kind, Model: opts.CompareWith})
	if err == nil && s.kind.Counter == nil && s.total() == 0 {
		err = nothingOf(s) // without a counter nothing says that it is a true zero: a model in Python has no goroutines to tell of
	}
	if err != nil {
		return nil, fmt.Errorf("compare with %s: %w", opts.CompareWith, err)
	}
	return s, nil
}

// drawing writes one SVG.
type drawing struct {
	out   *bufio.Writer
	graph *flameGraph
	with  *comparing // nil: alone
	unit  string
	title string
	notes []note
	top   float64 // where the flames begin
	line  []byte  // of the box at hand; its memory serves the next
}

func (d *drawing) draw(boxes []box) {
	top := 0
	for _, b := range boxes {
		top = max(top, b.depth)
	}
	d.begin(top)
	for _, b := range boxes {
		d.box(b, top)
	}
	fmt.Fprintf(d.out, "<script><![CDATA[\n%s]]></script>\n</svg>\n", flameScript)
}

func (d *drawing) header(title string, notes []note) {
	d.title, d.notes = title, notes
	d.top = 34 + svgLine*float64(len(notes)) + 6
}

func (d *drawing) begin(deepest int) {
	height := d.top + svgRow*float64(deepest+1) + svgMargin
	fmt.Fprintf(d.out, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="0 0 %g %g" role="img">`+"\n",
		svgWidth, height, svgWidth, height)
	fmt.Fprintf(d.out, "<title>%s</title>\n", escapeXML(d.title))
	fmt.Fprintf(d.out, "<style>\n%s</style>\n", flameStyle)
	d.out.WriteString(`<rect class="back" width="100%" height="100%"/>` + "\n")
	fmt.Fprintf(d.out, `<text class="title" x="%g" y="24">%s</text>`+"\n", svgMargin, escapeXML(d.title))
	fmt.Fprintf(d.out, `<text class="tool" id="search" x="%g" y="24"></text><text class="tool" id="reset" x="%g" y="24"></text>`+"\n",
		svgWidth-svgMargin, svgWidth-svgMargin-330) // the script writes into them
	chars := columnsIn(svgWidth - 2*svgMargin)
	for i, n := range d.notes {
		class := "note"
		if n.loud {
			class = "note loud"
		}
		line := escapeTerminal(n.text)
		fmt.Fprintf(d.out, `<text class="%s" x="%g" y="%g">%s<title>%s</title></text>`+"\n",
			class, svgMargin, 44+svgLine*float64(i), xmlText(fit(line, chars)), xmlText(line))
	}
}

// box draws one frame with its name, as much of it as fits.
func (d *drawing) box(b box, deepest int) {
	x, y := svgMargin+b.x, d.top+svgRow*float64(deepest-b.depth)
	class := frameClass(&b.frame)
	if b.diff != nil {
		class = b.diff.class()
	}
	switch {
	case b.width < svgEdged:
		class += " thin"
	case b.inlined:
		class += " inlined"
	}
	name := escapeXML(b.name)
	// There are many boxes, and formatting by verbs takes three times as long.
	line := d.line[:0]
	line = append(append(append(line, `<g data-name="`...), name...), `"><title>`...)
	line = append(d.tip(append(line, name...), b), `</title><rect class="`...)
	line = append(append(line, class...), `" x="`...)
	line = append(strconv.AppendFloat(line, x, 'f', 2, 64), `" y="`...)
	line = append(strconv.AppendFloat(line, y, 'f', -1, 64), `" width="`...)
	line = append(strconv.AppendFloat(line, b.width, 'f', 2, 64), `" height="17"/>`...)
	if label := fitName(b.name, columnsIn(b.width-6)); label != "" {
		line = append(strconv.AppendFloat(append(line, `<text x="`...), x+3, 'f', 2, 64), `" y="`...)
		line = append(strconv.AppendFloat(line, y+13, 'f', -1, 64), `">`...)
		line = append(append(line, xmlText(label)...), `</text>`...)
	}
	d.line = append(line, "</g>\n"...)
	d.out.Write(d.line) // its errors are told by Flush
}

// tip appends, after the name, everything else of a frame.
func (d *drawing) tip(line []byte, b box) []byte {
	add := func(parts ...string) {
		for _, part := range parts {
			line = append(line, part...)
		}
	}
	add(": ", xmlText(format(d.unit, d.graph.mean(b.value))), ", ", xmlText(formatShare(float64(b.value)/float64(d.graph.total()))))
	switch {
	case b.file != "" && b.line > 0:
		add(", ", escapeXML(b.file), ":", strconv.FormatInt(b.line, 10))
	case b.file != "":
		add(", ", escapeXML(b.file))
	}
	if b.inlined {
		add(", inlined")
	}
	if b.kernel {
		add(", kernel")
	}
	if b.diff != nil {
		add("; ", escapeXML(d.with.text(b.diff, d.unit)))
	}
	return line
}

// frameClass colors a frame by its package, so that what belongs together looks so. What is no function of the program
// has a color of its own.
func frameClass(f *frame) string {
	switch {
	case f.kernel:
		return "kernel"
	case !f.made:
		return "c" + strconv.Itoa(int(packageColor(f.name)))
	}
	switch f.name {
	case cutName:
		return "cut"
	case rootName:
		return "all"
	case recording.SchedulerGoroutine:
		return "sched"
	case readyName:
		return "ready"
	}
	return "wait"
}

func packageColor(name string) uint32 {
	hash := fnv.New32a()
	hash.Write([]byte(packageOf(name)))
	return hash.Sum32() % svgPalette
}

// packageOf is what stands before a function's own name: "net/http" of "net/http.(*Transport).RoundTrip".
func packageOf(name string) string {
	slash := pathEnd(name)
	if dot := strings.IndexByte(name[slash:], '.'); dot >= 0 {
		return name[:slash+dot]
	}
	return name
}

// pathEnd is where the last element of a Go import path begins, type parameters left out.
func pathEnd(name string) int {
	if i := strings.IndexAny(name, "[("); i >= 0 {
		name = name[:i]
	}
	return strings.LastIndexByte(name, '/') + 1
}

// columnsIn is how many characters fit into a width in pixels.
func columnsIn(width float64) int { return int(width / svgChar) }

// fitName is the name, or the name without its path, or what fits of that; nothing where that says nothing.
func fitName(name string, columns int) string {
	if columns < 3 {
		return ""
	}
	full := escapeTerminal(name)
	if text.StringWidth(full) <= columns {
		return full
	}
	return fit(escapeTerminal(name[pathEnd(name):]), columns)
}
