package reports

import (
	"bufio"
	_ "embed"
	"fmt"
	"hash/fnv"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Measures of the drawing, in pixels.
const (
	svgWidth   = 1200.0
	svgMargin  = 10.0
	svgRow     = 18.0
	svgLeast   = 0.1 // narrower frames are not drawn
	svgEdged   = 4.0 // narrower frames show no edge
	svgChar    = 7.3 // width of a character of the 12 pixel monospace font
	svgLine    = 18.0
	svgPalette = 8 // classes c0 to c7 of flame.css
)

//go:embed flame.css
var flameStyle string

// SVG draws the flame graph of one kind of one model: the root at the bottom, callees above their caller, a
// frame as wide as its share of the total. It is one file without script; a frame's title tells what does not
// fit into it.
func SVG(w io.Writer, v *View, opts Options) error {
	s, err := stacksOf(v, opts)
	if err != nil {
		return err
	}
	g := newFlameGraph(s)
	if g.total() == 0 {
		return fmt.Errorf("%w: the profile of %s has nothing of kind %s", ErrNoEvidence, s.model, s.kind.Name)
	}
	d := drawing{out: bufio.NewWriter(w), graph: g, unit: s.kind.Unit, style: flameStyle, least: svgLeast}
	d.draw(v, s)
	return d.out.Flush()
}

// note is a line above the flames.
type note struct {
	text string
	loud bool
}

// flameNotes say what the graph shows and what it cannot.
func flameNotes(v *View, s *stacks, g *flameGraph, dropped int, least float64) []note {
	share := func(n int64) string { return formatShare(float64(n) / float64(g.total())) }
	notes := []note{{text: fmt.Sprintf("Total %s. A frame is as wide as its share of it; a dashed edge marks a call that was inlined into the frame below.",
		format(s.kind.Unit, float64(g.total())))}}
	if v.Evidence.LostEvents > 0 {
		notes = append(notes, note{"LOST " + plural(v.Evidence.LostEvents, "event") + ": " + v.Evidence.lostText(), true})
	}
	for _, m := range v.Evidence.Missing {
		notes = append(notes, note{fmt.Sprintf("MISSING %s: %s", m.Probe, m.Reason), true})
	}
	if v.Evidence.Complete() {
		notes = append(notes, note{text: v.Evidence.String()})
	}
	cut := note{text: "No stack was cut before its root."}
	if g.cut > 0 {
		cut = note{fmt.Sprintf("Stacks cut before their root: %s of the total.", share(g.cut)), true}
	}
	if dropped > 0 {
		cut.text += fmt.Sprintf(" Not drawn: %s narrower than %g pixel.", plural(int64(dropped), "frame"), least)
	}
	if g.deep > 0 {
		cut.text += fmt.Sprintf(" Deeper than %d frames: %s of the total, drawn up to there.", maxDepth, share(g.deep))
	}
	return append(notes, cut)
}

// drawing writes one SVG.
type drawing struct {
	out   *bufio.Writer
	graph *flameGraph
	unit  string
	style string  // empty where the page around it has one
	least float64 // narrower frames are not drawn, in pixels
	title string
	notes []note
	top   float64 // where the flames begin
}

func (d *drawing) draw(v *View, s *stacks) {
	boxes, dropped := d.graph.layout(svgWidth-2*svgMargin, d.least)
	title, notes := s.kind.Title+": "+s.model, flameNotes(v, s, d.graph, dropped, d.least)
	if d.inPage() {
		d.words(title, notes)
	} else {
		d.header(title, notes)
	}
	top := 0
	for _, b := range boxes {
		top = max(top, b.depth)
	}
	if d.inPage() {
		d.beginInPage(top)
	} else {
		d.begin(top)
	}
	for _, b := range boxes {
		d.box(b, top)
	}
	d.out.WriteString("</svg>\n")
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
	fmt.Fprintf(d.out, "<style>\n%s</style>\n", d.style)
	d.out.WriteString(`<rect class="back" width="100%" height="100%"/>` + "\n")
	fmt.Fprintf(d.out, `<text class="title" x="%g" y="24">%s</text>`+"\n", svgMargin, escapeXML(d.title))
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
	class := frameClass(b.name)
	switch {
	case b.width < svgEdged:
		class += " thin"
	case b.inlined:
		class += " inlined"
	}
	d.out.WriteString("<g")
	label := fitName(b.name, columnsIn(b.width-6))
	if d.inPage() { // the page around it fits names to its own width
		fmt.Fprintf(d.out, ` data-name="%s"`, escapeXML(b.name))
		label = ""
	}
	fmt.Fprintf(d.out, `><title>%s</title><rect class="%s" x="%.2f" y="%g" width="%.2f" height="%g"/>`,
		escapeXML(d.tip(b)), class, x, y, b.width, svgRow-1)
	if label != "" {
		fmt.Fprintf(d.out, `<text x="%.2f" y="%g">%s</text>`, x+3, y+13, xmlText(label))
	}
	d.out.WriteString("</g>\n")
}

// tip tells everything of a frame.
func (d *drawing) tip(b box) string {
	share := float64(b.value) / float64(d.graph.total())
	tip := fmt.Sprintf("%s: %s, %s", b.name, format(d.unit, float64(b.value)), formatShare(share))
	switch {
	case b.file != "" && b.line > 0:
		tip += fmt.Sprintf(", %s:%d", b.file, b.line)
	case b.file != "":
		tip += ", " + b.file
	}
	if b.inlined {
		tip += ", inlined"
	}
	return tip
}

// frameClass colours a frame by its package, so that what belongs together looks so.
func frameClass(name string) string {
	switch {
	case name == cutName:
		return "cut"
	case name == "all":
		return "all"
	}
	hash := fnv.New32a()
	hash.Write([]byte(packageOf(name)))
	return fmt.Sprintf("c%d", hash.Sum32()%svgPalette)
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
