package reports

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
)

// widthsOf is a trial's evidence of one kind, in tens.
func widthsOf(kind string, register, framePointer, first int64) recording.Found {
	return recording.Found{Kind: kind, Widths: map[string]int64{
		recording.FoundRegister: 10 * register, recording.FoundFramePointer: 10 * framePointer, recording.FoundFirst: 10 * first,
	}}
}

// profiledWith is a recording whose profiled trials of go-threads, one for each list, tell that, and nobody else's do.
func profiledWith(lists ...[]recording.Found) *recording.Recording {
	r := newRecording()
	var first *recording.Trial
	for _, t := range r.Trials {
		t.Found = nil
		if t.Model == "go-threads" && t.Kind == recording.Profiled {
			first = t
		}
	}
	for i, list := range lists {
		t := first
		if i > 0 {
			again := *first
			t = &again
			addTrial(r, t)
		}
		t.Found = list
	}
	return r
}

// Widths are summed over the trials of a model, kind by kind: a trial with more time counts for more.
func TestFound(t *testing.T) {
	r := profiledWith(
		[]recording.Found{widthsOf(recording.KindOffCPU, 1, 0, 1), widthsOf(recording.KindCPU, 0, 0, 0)},
		[]recording.Found{widthsOf(recording.KindOffCPU, 2, 3, 1), {Kind: recording.KindRSS, Widths: map[string]int64{"unwind table": 3, recording.FoundUnwinder: 1}},
			{Kind: "of a newer weft", Widths: map[string]int64{recording.FoundRegister: 1}}},
	)
	last := len(r.Trials)
	want := []Found{
		{"go-threads", recording.KindOffCPU, []FoundWay{{recording.FoundRegister, 0.375}, {recording.FoundFramePointer, 0.375}, {recording.FoundFirst, 0.25}}, []int{30, last}},
		{"go-threads", recording.KindRSS, []FoundWay{{recording.FoundUnwinder, 0.25}, {"unwind table", 0.75}}, []int{last}},
	}
	if got := NewView(r).Evidence.Found; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The line stands above the graph of its kind, in the picture and in the page.
func TestFoundIsSaid(t *testing.T) {
	r := profiledWith([]recording.Found{widthsOf(recording.KindOffCPU, 1, 5, 2), widthsOf(recording.KindSocket, 1, 0, 3)})
	v := NewView(save(t, r, map[string]*profile.Profile{"go-threads": newProfile(stackSpecs())}))
	for kind, want := range map[string]string{
		recording.KindOffCPU: "How frames were found, by width: register 12.5 %, frame pointer 62.5 %, first event at the same place 25.0 %.",
		recording.KindSocket: "How frames were found, by width: register 25.0 %, first event at the same place 75.0 %.",
		recording.KindHeap:   "",
	} {
		data, err := flameFor(v, "go-threads", kind)
		if err != nil {
			t.Fatal(err)
		}
		for name, drawn := range map[string]string{"the picture": draw(t, v, "svg", Options{Kind: kind}), "the page": string(data)} {
			if !strings.Contains(drawn, want) || want == "" && strings.Contains(drawn, "frames were found") {
				t.Errorf("%s of %s does not say %q", name, kind, want)
			}
		}
	}
	if drawn := draw(t, v, "json", Options{}); !strings.Contains(drawn, `"share": 0.625`) {
		t.Error("JSON does not say it")
	}
}

// A recording that does not tell is drawn without the line.
func TestFoundNothing(t *testing.T) {
	for _, test := range []struct {
		list []recording.Found
		said bool
	}{
		{nil, false},
		{[]recording.Found{widthsOf(recording.KindCPU, 0, 0, 0)}, false},
		{[]recording.Found{widthsOf(recording.KindCPU, 1, 1, 0)}, true},
	} {
		v := NewView(save(t, profiledWith(test.list), map[string]*profile.Profile{"go-threads": newProfile(stackSpecs())}))
		if svg := draw(t, v, "svg", Options{Kind: recording.KindCPU}); strings.Contains(svg, "frames were found") != test.said {
			t.Errorf("%v: the graph of cpu is wrong", test.list)
		}
	}
}
