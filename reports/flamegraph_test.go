package reports

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
)

// graphOf merges stacks by heap.
func graphOf(specs []stackSpec) *flameGraph {
	kind, err := kindByName(recording.KindHeap)
	if err != nil {
		panic(err)
	}
	return newFlameGraph(stacksOfKind(kind, newProfile(specs)))
}

func stacksOfKind(kind Kind, p *profile.Profile) *stacks {
	columns, err := kind.columns(p)
	if err != nil {
		panic(err)
	}
	return &stacks{kind: kind, model: "m", profile: p, columns: columns}
}

func TestFlameGraphMerges(t *testing.T) {
	g := graphOf([]stackSpec{
		{frames: []string{"a", "b", "c"}, heap: 5},
		{frames: []string{"a", "b"}, heap: 2},
		{frames: []string{"a", "d"}, heap: 3},
		{frames: []string{"b"}, heap: 7},
		{frames: []string{"a", "b", "a", "b"}, heap: 1}, // recursion is not merged with its caller
		{frames: []string{"a", "b"}, heap: 4, cut: true},
		{frames: []string{"zero"}, heap: 0},
	})
	want := "all 22\n" +
		"  [cut: callers not reached] 4\n" +
		"    a 4\n" +
		"      b 4\n" +
		"  a 11\n" +
		"    b 8\n" +
		"      a 1\n" +
		"        b 1\n" +
		"      c 5\n" +
		"    d 3\n" +
		"  b 7\n"
	var b strings.Builder
	boxes, dropped := g.layout(22, 0, nil) // as wide as the value
	for _, box := range boxes {
		fmt.Fprintf(&b, "%s%s %g\n", strings.Repeat("  ", box.depth), box.name, box.width)
	}
	if b.String() != want || dropped != 0 {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if g.cut != 4 || g.nodes(nodeRange{0, len(g.stacks), 0}) != len(boxes) {
		t.Errorf("cut %d, %d nodes, want 4, %d", g.cut, g.nodes(nodeRange{0, len(g.stacks), 0}), len(boxes))
	}
}

// One function in several places keeps of them what they share.
func TestFlameGraphPlaces(t *testing.T) {
	file := func(name string, line int64) frame { return frame{name: "f", file: name, line: line} }
	tests := []struct {
		name  string
		calls []frame
		want  frame
	}{
		{"one place", []frame{file("a.go", 3), file("a.go", 3)}, file("a.go", 3)},
		{"two lines", []frame{file("a.go", 3), file("a.go", 4)}, file("a.go", 0)},
		{"two files", []frame{file("a.go", 3), file("b.go", 3), file("b.go", 3)}, file("", 0)},
		{"inlined once", []frame{{name: "f", inlined: true}, {name: "f"}}, frame{name: "f"}},
		{"inlined always", []frame{{name: "f", inlined: true}, {name: "f", inlined: true}}, frame{name: "f", inlined: true}},
	}
	for _, test := range tests {
		g := &flameGraph{}
		for i, f := range test.calls {
			g.calls, g.trials = append(g.calls, f), []int{0}
			g.stacks = append(g.stacks, callStack{[]int32{int32(i)}, 1, 0})
		}
		g.arrange()
		boxes, _ := g.layout(1, 0, nil)
		if len(boxes) != 2 || boxes[1].frame != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, boxes, test.want)
		}
	}
}

// Callees lie within their caller, side by side.
func TestLayoutAddsUp(t *testing.T) {
	g := newFlameGraph(manyStacks(500))
	boxes, dropped := g.layout(1180, 0.1, nil)
	every, _ := g.layout(1180, 0, nil)
	if dropped == 0 || len(boxes)+dropped != len(every) {
		t.Errorf("%d boxes and %d dropped of %d nodes", len(boxes), dropped, len(every))
	}
	if boxes[0].width != 1180 {
		t.Errorf("root is %v wide", boxes[0].width)
	}
	// Callers come before their callees: the last box of the row below is the caller.
	row := map[int]box{}
	for _, b := range boxes {
		if caller, ok := row[b.depth-1]; ok && (b.x < caller.x-1e-6 || b.x+b.width > caller.x+caller.width+1e-6) {
			t.Fatalf("%+v is not within its caller %+v", b, caller)
		}
		if left, ok := row[b.depth]; ok && b.x < left.x+left.width-1e-6 {
			t.Fatalf("%+v overlaps %+v", b, left)
		}
		row[b.depth] = b
	}
}

func TestFlameGraphDepthIsBounded(t *testing.T) {
	var frames []string
	for i := range 3 * maxDepth {
		frames = append(frames, fmt.Sprint("f", i))
	}
	g := graphOf([]stackSpec{{frames: frames, heap: 7}})
	boxes, _ := g.layout(7, 0, nil)
	if len(boxes) != maxDepth+1 || g.deep != 7 || g.total() != 7 {
		t.Errorf("%d boxes, deep %d, total %d", len(boxes), g.deep, g.total())
	}
}

// Whatever functions are called, the drawing is well-formed XML, and the same every time.
func TestSVGHostile(t *testing.T) {
	specs := []stackSpec{
		{frames: []string{hostile, "a\x00b]]>", "\xed\xa0\x80"}, heap: 100},
		{frames: []string{hostile, `"><script>alert(1)</script>`}, heap: 50, cut: true},
		{frames: []string{""}, heap: 10},
	}
	r := newRecording()
	r.Trials[5].Lost = []recording.Loss{{Cause: hostile, Count: 1}}
	r.Trials[5].Missing = []recording.Missing{{Probe: hostile, Reason: strings.Repeat(hostile, 9)}}
	// The profile is not on disk: a name that is no UTF-8 cannot be written there.
	v := NewView(r)
	v.Models[1].Profiled = true
	v.profile = func(string) (*profile.Profile, error) { return newProfile(specs), nil }
	drawn := draw(t, v, "svg", Options{Kind: recording.KindHeap})
	elements := map[string]int{}
	d := xml.NewDecoder(strings.NewReader(drawn))
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok {
			elements[start.Name.Local]++
		}
	}
	if elements["script"] != 1 || !strings.Contains(drawn, flameScript) || // its own, which no name is in
		elements["g"] < 5 {
		t.Errorf("elements %v", elements)
	}
	if strings.ContainsAny(drawn, "\x00\x1b\x07\r\u202e") {
		t.Error("a control character or a mark of direction got through")
	}
	if again := draw(t, v, "svg", Options{Kind: recording.KindHeap}); again != drawn {
		t.Error("two drawings differ")
	}
}

// What the profile's order does to the drawing: nothing.
func TestSVGIsDeterministic(t *testing.T) {
	want := draw(t, newView(t), "svg", Options{Kind: recording.KindHeap})
	v := newView(t)
	p, err := v.profile("go-threads")
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(23, 23))
	random.Shuffle(len(p.Sample), func(i, j int) { p.Sample[i], p.Sample[j] = p.Sample[j], p.Sample[i] })
	v.profile = func(string) (*profile.Profile, error) { return p, nil }
	if got := draw(t, v, "svg", Options{Kind: recording.KindHeap}); got != want {
		t.Error("the order of samples changes the drawing")
	}
}

// A frame's text must not be wider than the frame.
func TestSVGNamesFit(t *testing.T) {
	drawn := draw(t, newView(t), "svg", Options{Kind: recording.KindHeap})
	var svg struct {
		G []struct {
			Title string `xml:"title"`
			Rect  struct {
				Width string `xml:"width,attr"`
			} `xml:"rect"`
			Text string `xml:"text"`
		} `xml:"g"`
	}
	if err := xml.Unmarshal([]byte(drawn), &svg); err != nil {
		t.Fatal(err)
	}
	if len(svg.G) < 15 {
		t.Fatalf("%d frames", len(svg.G))
	}
	for _, g := range svg.G {
		width, err := strconv.ParseFloat(g.Rect.Width, 64)
		if err != nil {
			t.Fatal(err)
		}
		if taken := float64(len([]rune(g.Text))) * svgChar; taken > width {
			t.Errorf("%q takes %.0f of %.0f pixels", g.Text, taken, width)
		}
	}
}

func TestFitName(t *testing.T) {
	const long = "github.com/weft-profiler/weft/workload/http1.(*Conn).Do"
	tests := []struct {
		name    string
		columns int
		want    string
	}{
		{long, 80, long},
		{long, 20, "http1.(*Conn).Do"},
		{long, 10, "http1.(*C…"},
		{long, 2, ""},
		{"pkg.F[github.com/x/y.T]", 10, "pkg.F[git…"},
		{"main.main", 9, "main.main"},
		{"世界世界世界", 7, "世界世…"},
	}
	for _, test := range tests {
		if got := fitName(test.name, test.columns); got != test.want {
			t.Errorf("%s in %d: %q, want %q", test.name, test.columns, got, test.want)
		}
	}
}

func TestIsCut(t *testing.T) {
	tests := []struct {
		sample profile.Sample
		want   bool
	}{
		{profile.Sample{}, false},
		{profile.Sample{NumLabel: map[string][]int64{"cut": {1}}}, true},
		{profile.Sample{NumLabel: map[string][]int64{"cut": {0}}}, false},
		{profile.Sample{Label: map[string][]string{"cut": {"true"}}}, true},
		{profile.Sample{Label: map[string][]string{"cut": {"false"}}}, false},
	}
	for _, test := range tests {
		if got := isCut(&test.sample); got != test.want {
			t.Errorf("%v %v: %v", test.sample.Label, test.sample.NumLabel, got)
		}
	}
}

func TestFrameWithoutName(t *testing.T) {
	mapping := &profile.Mapping{ID: 1, Start: 0x400000, Offset: 0x1000, File: "/usr/lib/libc.so.6"}
	tests := []struct {
		location profile.Location
		want     string
	}{
		{profile.Location{Address: 0x400123, Mapping: mapping}, "libc.so.6+0x1123"},
		{profile.Location{Address: 0x400123}, "0x400123"},
		{profile.Location{Address: 0x99, Line: []profile.Line{{}}}, "0x99"},
	}
	for _, test := range tests {
		if got := locationFrames(&test.location); len(got) != 1 || got[0].name != test.want {
			t.Errorf("%+v, want %s", got, test.want)
		}
	}
}

// manyStacks are distinct stacks of some 30 frames, as a program of some size has them.
func manyStacks(n int) *stacks {
	random := rand.New(rand.NewPCG(1, 2))
	kind, err := kindByName(recording.KindHeap)
	if err != nil {
		panic(err)
	}
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: kind.Samples[0], Unit: kind.Unit}}}
	for i := range 5000 {
		f := &profile.Function{ID: uint64(i + 1), Name: fmt.Sprintf("example.com/module/package%d.(*Type%d).Method%d", i%97, i%13, i), Filename: "code.go"}
		p.Function = append(p.Function, f)
		p.Location = append(p.Location, &profile.Location{ID: uint64(i + 1), Line: []profile.Line{{Function: f, Line: int64(i)}}})
	}
	for i := range n {
		s := &profile.Sample{Value: []int64{1 + random.Int64N(10_000)}}
		for depth := range 30 {
			// Near the root few functions, near the leaf many; i makes the stack one of a kind.
			at := random.IntN(1 + (30-depth)*(30-depth)*5)
			if depth == 0 {
				at = i % 5000
			}
			s.Location = append(s.Location, p.Location[at])
		}
		p.Sample = append(p.Sample, s)
	}
	return &stacks{kind: kind, model: "m", profile: p, columns: []int{0}}
}

// BenchmarkSVG draws 100,000 distinct stacks of 30 frames; the budget is 2 s.
func BenchmarkSVG(b *testing.B) {
	s := manyStacks(100_000)
	v := NewView(newRecording())
	v.Models[0].Profiled = true
	v.profile = func(string) (*profile.Profile, error) { return s.profile, nil }
	var buf bytes.Buffer
	b.ResetTimer()
	for range b.N {
		buf.Reset()
		if err := Draw(&buf, v, "svg", Options{Kind: recording.KindHeap}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(buf.Len()), "svg-B")
}
