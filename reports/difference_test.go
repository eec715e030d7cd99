package reports

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
)

// differences draws the classes of the functions of one graph of a kind against another, by name.
func differences(v *View, name string, mine, theirs []stackSpec) map[string]string {
	kind, err := kindByName(name)
	if err != nil {
		panic(err)
	}
	of := func(specs []stackSpec) *stacks {
		p := newProfile(specs)
		s := stacksOfKind(kind, p)
		s.trials = trialsIn(v, "m", p, kind)
		return s
	}
	s := of(mine)
	g := newFlameGraph(s)
	boxes, _ := g.layout(1, 0, newComparing(v, g, s, of(theirs)))
	classes := map[string]string{}
	for _, b := range boxes {
		classes[b.name] = b.diff.class()
	}
	return classes
}

// inTrials is a stack with a value in each of the trials from a number on.
func inTrials(from int, frames string, values ...int64) []stackSpec {
	var list []stackSpec
	for i, value := range values {
		list = append(list, stackSpec{frames: strings.Split(frames, ";"), heap: value, threads: value, trial: int64(from + i)})
	}
	return list
}

// differenceCases are values of trials, and the class of the difference.
func differenceCases() []differenceCase {
	return []differenceCase{
		{"equal", []int64{100, 101, 99}, []int64{100, 102, 98}, "same"},
		{"apart, but by no more than both ranges", []int64{100, 110, 120}, []int64{80, 90, 100}, "same"},
		{"apart by more", []int64{100, 105, 110}, []int64{80, 81, 82}, "more1"},
		{"twice", []int64{200, 205, 210}, []int64{100, 101, 102}, "more2"},
		{"five times", []int64{500, 505, 510}, []int64{100, 101, 102}, "more3"},
		{"half", []int64{100, 101, 102}, []int64{200, 205, 210}, "less2"},
		{"a fifth", []int64{100, 101, 102}, []int64{500, 505, 510}, "less3"},
		{"in one trial only", []int64{300, 0, 0}, []int64{1, 1, 1}, "same"},
		{"two and three trials, apart by no more than twice both ranges", []int64{100, 101}, []int64{95, 96, 97}, "same"},
		{"two and three trials, apart by more", []int64{100, 101}, []int64{93, 94, 95}, "more1"},
		{"two trials, apart by no more than four times both ranges", []int64{100, 101}, []int64{92, 93}, "same"},
		{"two trials, apart by more", []int64{100, 101}, []int64{91, 92}, "more1"},
		{"one trial", []int64{500}, []int64{100, 101, 102}, "same"},
		{"one trial of the other", []int64{500, 500, 500}, []int64{100}, "same"},
	}
}

type differenceCase struct {
	name         string
	mine, theirs []int64
	want         string
}

func TestDifferences(t *testing.T) {
	for _, test := range differenceCases() {
		got := differences(&View{numbers: numbersOf}, recording.KindHeap, inTrials(1, "main;f", test.mine...), inTrials(11, "main;f", test.theirs...))
		if got["f"] != test.want || got["main"] != test.want || got["all"] != test.want {
			t.Errorf("%s: %v, want %s", test.name, got, test.want)
		}
	}
}

// Frames are matched by the names from the root on: the same function somewhere else is another frame.
func TestDifferencesByPath(t *testing.T) {
	mine := append(inTrials(1, "main;old;f", 50, 50, 50), inTrials(1, "main;new;f", 50, 50, 50)...)
	theirs := append(inTrials(11, "main;old;f", 50, 50, 50), inTrials(11, "gone;f", 50, 50, 50)...)
	got := differences(&View{numbers: numbersOf}, recording.KindHeap, mine, theirs)
	want := map[string]string{"all": "same", "main": "more2", "old": "same", "new": "more3"}
	for name, class := range want {
		if got[name] != class {
			t.Errorf("%s is %s, want %s: %v", name, got[name], class, got)
		}
	}
}

// Trials that did different amounts of work are compared a unit.
func TestDifferencesPerUnit(t *testing.T) {
	v := &View{numbers: numbersOf}
	for i, units := range []int{100, 100, 200, 200} {
		v.trials = append(v.trials, &recording.Trial{Number: []int{1, 2, 11, 12}[i], Work: recording.Work{Units: units}})
	}
	for _, test := range []struct {
		about, kind string
		theirs      int64
		want        string
	}{
		{"five threads a unit and five", recording.KindThreadCreate, 1000, "same"},
		{"five threads a unit and two and a half", recording.KindThreadCreate, 500, "more2"},
		{"what is in use at the hold, however much work follows", recording.KindHeap, 500, "same"},
	} {
		got := differences(v, test.kind, inTrials(1, "f", 500, 500), inTrials(11, "f", test.theirs, test.theirs))
		if got["f"] != test.want {
			t.Errorf("%s: %v", test.about, got)
		}
	}
}

func comparedView(t testing.TB) *View {
	t.Helper()
	r := newNine(1)
	profiles := map[string]*profile.Profile{}
	for i, model := range []string{"go-threads", "go-goroutines"} {
		profiles[model] = profileOfTrials(r, model, stackSpecs()[i:], float64(2-i))
	}
	profiles["py-asyncio"] = profileOfTrials(r, "py-asyncio", []stackSpec{{frames: []string{"main"}, threads: 1}}, 1)
	return NewView(save(t, r, profiles))
}

// The SVG and the folded stacks of a comparison.
func TestCompareWith(t *testing.T) {
	v := comparedView(t)
	opts := Options{Kind: recording.KindHeap, Model: "go-threads", CompareWith: "go-goroutines"}
	golden(t, "compared.svg", draw(t, v, "svg", opts))
	golden(t, "compared.folded", draw(t, v, "folded", opts))
	for _, test := range []struct {
		opts Options
		want string
	}{
		{Options{Kind: recording.KindHeap, Model: "go-threads", CompareWith: "py-threads"}, "compare with py-threads: no evidence: no profile of model"},
		{Options{Kind: recording.KindGoroutine, Model: "go-threads", CompareWith: "py-asyncio"}, "compare with py-asyncio: no evidence: the profile of py-asyncio has nothing of kind goroutine"},
		{Options{Kind: recording.KindBlock, Model: "py-asyncio", CompareWith: "go-threads"}, "no evidence: the profile of py-asyncio has nothing of kind block"},
		{Options{Kind: "gpu", Model: "go-threads", CompareWith: "py-threads"}, "unknown kind"},
	} {
		for _, format := range []string{"svg", "folded"} {
			err := Draw(io.Discard, v, format, test.opts)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || !(errors.Is(err, ErrNoEvidence) || errors.Is(err, ErrKind)) {
				t.Errorf("%s: %v, want %s", format, err, test.want)
			}
		}
	}
}

// A differential's two numbers are each model's own folded stacks.
func TestFoldedCompared(t *testing.T) {
	v := comparedView(t)
	opts := Options{Kind: recording.KindOffCPU, Model: "go-threads"}
	var mine, theirs, first, second int64
	sum := func(text string, each func(n, m int64)) {
		for line := range strings.Lines(text) {
			fields := strings.Fields(line)
			if len(fields) < 2 || strings.HasPrefix(line, "#") {
				continue
			}
			var n, m int64
			fmt.Sscan(fields[len(fields)-1], &n)
			fmt.Sscan(fields[len(fields)-2], &m)
			each(n, m)
		}
	}
	sum(draw(t, v, "folded", opts), func(n, _ int64) { mine += n })
	sum(draw(t, v, "folded", Options{Kind: opts.Kind, Model: "go-goroutines"}), func(n, _ int64) { theirs += n })
	opts.CompareWith = "go-goroutines"
	sum(draw(t, v, "folded", opts), func(n, m int64) { second += n; first += m })
	if mine == 0 || mine != second || theirs != first {
		t.Errorf("alone %d and %d, compared %d and %d", theirs, mine, first, second)
	}
}

// Stacks of a single frame stand last in folded stacks.
func TestFoldedOrder(t *testing.T) {
	got := slices.SortedFunc(slices.Values([]string{"main", "main;b", "all", "main;a"}), byFrames)
	if want := []string{"main;a", "main;b", "all", "main"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
