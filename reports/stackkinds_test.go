package reports

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
)

// drawnTree is a graph in words: a node a line, callees indented.
func drawnTree(g *flameGraph) string {
	var b strings.Builder
	boxes, _ := g.layout(float64(g.total()), 0, nil)
	for _, box := range boxes {
		fmt.Fprintf(&b, "%s%s %d\n", strings.Repeat(" ", box.depth), box.name, box.value)
	}
	return b.String()
}

// Blocked time stands under its cause, time without a CPU under its own name, and what the scheduler did in a row of
// its own.
func TestOffCPUGraph(t *testing.T) {
	kind, err := kindByName(recording.KindOffCPU)
	if err != nil {
		t.Fatal(err)
	}
	got := drawnTree(newFlameGraph(stacksOfKind(kind, newProfile([]stackSpec{
		{frames: []string{"main", "read"}, blocked: 5, wait: recording.CauseSocketRead},
		{frames: []string{"main", "read"}, blocked: 3, wait: recording.CauseFutex},
		{frames: []string{"main", "read"}, runnable: 2, wait: recording.WaitRunnable},
		{frames: []string{"main"}, blocked: 4, runnable: 1, wait: recording.CauseSleep},
		{frames: []string{"main"}, blocked: 7},
		{frames: []string{"park"}, blocked: 9, wait: recording.CauseFutex, goroutine: recording.SchedulerGoroutine, cut: true},
	}))))
	want := "all 31\n" +
		" [scheduler] 9\n  [cut: callers not reached] 9\n   park 9\n    [futex] 9\n" +
		" main 22\n  [blocked] 7\n  [runnable] 1\n  [sleep] 4\n  read 10\n   [futex] 3\n   [runnable] 2\n   [socket read] 5\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A parent is as wide as its callees and what it pays itself, and the root is the total, for every kind.
func TestWidthsAddUp(t *testing.T) {
	v := newNineView(t, 1)
	for _, kind := range Kinds() {
		s, err := stacksOf(v, Options{Kind: kind.Name, Model: "go-threads"})
		if err != nil {
			t.Fatal(err)
		}
		g := newFlameGraph(s)
		if g.total() != s.total() || g.total() == 0 {
			t.Errorf("%s: the root is %d, the samples are %d", kind.Name, g.total(), s.total())
		}
		var check func(n nodeRange)
		check = func(n nodeRange) {
			sum := make([]int64, len(g.trials))
			for callee := range g.each(n) {
				for i, value := range g.byTrial(callee) {
					sum[i] += value
				}
				check(callee)
			}
			for i, value := range g.byTrial(n) {
				if sum[i] > value {
					t.Errorf("%s: %s is %d in trial %d, its callees %d", kind.Name, g.name(n), value, g.trials[i], sum[i])
				}
			}
		}
		check(nodeRange{0, len(g.stacks), 0})
	}
}

// Few samples of the CPU are said loudly, above everything else.
func TestFewSamples(t *testing.T) {
	for _, test := range []struct {
		samples int64
		want    string
		loud    bool
	}{{1, "1 sample: too few.", true}, {999, "999 samples: too few.", true}, {1000, "1000 samples.", false}} {
		v := viewOf(t, []stackSpec{{frames: []string{"main"}, samples: test.samples, cpu: test.samples * 10 * ms}})
		s, err := stacksOf(v, Options{Kind: recording.KindCPU})
		if err != nil {
			t.Fatal(err)
		}
		if got := flameNotes(v, s, newFlameGraph(s), 0, 0)[0]; got != (note{test.want, test.loud}) {
			t.Errorf("%d samples: %+v", test.samples, got)
		}
	}
}

// The page has each frame that is wide enough, and the others of a caller as one, so that nothing is missing.
func TestNarrowFramesAreOne(t *testing.T) {
	specs := []stackSpec{{frames: []string{"main", "wide"}, heap: 1_000_000, trial: 1}}
	for i := range 50 {
		specs = append(specs, stackSpec{frames: []string{"main", fmt.Sprint("narrow", i), "leaf"}, heap: 3, trial: int64(1 + i%2)})
	}
	v := viewOf(t, specs, "trials=2")
	s, err := stacksOf(v, Options{Kind: recording.KindHeap})
	if err != nil {
		t.Fatal(err)
	}
	d := newFlameData(v, s, newFlameGraph(s))
	var got []string
	for i := 0; i < len(d.Nodes); i += 2 + d.Count {
		f := d.Frames[d.Nodes[i+1]]
		got = append(got, fmt.Sprint(d.Nodes[i], " ", d.Names[f[0]], d.Nodes[i+2:i+2+d.Count], f[3]))
	}
	want := []string{"0 all[1000075 75] 4", "1 main[1000075 75] 0", "2 wide[1000000 0] 0", "2 [narrower frames][75 75] 36"}
	if fmt.Sprint(got) != fmt.Sprint(want) || d.Least == 0 {
		t.Errorf("got  %q, least %v\nwant %q", got, d.Least, want)
	}
}

// However many stacks a program makes, the page gets a bounded number of frames, and no part of the total is missing.
func TestPageFramesAreBounded(t *testing.T) {
	var specs []stackSpec
	for i := range 900 { // each is more than pageShare of the whole
		spec := stackSpec{heap: 10}
		for depth := range 60 {
			spec.frames = append(spec.frames, fmt.Sprintf("f%d.%d", i, depth))
		}
		specs = append(specs, spec)
	}
	v := viewOf(t, specs)
	s, err := stacksOf(v, Options{Kind: recording.KindHeap})
	if err != nil {
		t.Fatal(err)
	}
	d := newFlameData(v, s, newFlameGraph(s))
	if nodes := len(d.Nodes) / (2 + d.Count); nodes > mostNodes || d.Least == 0 {
		t.Errorf("%d frames, least %v", nodes, d.Least)
	}
	if last := d.Nodes[len(d.Nodes)-1]; d.Nodes[2] != 9000 || last != 9000 {
		t.Errorf("the root is %d, the frames without a name %d, want 9000 each", d.Nodes[2], last)
	}
}

// What the kernel maps for programs is theirs.
func TestIsKernel(t *testing.T) {
	for file, want := range map[string]bool{"[kernel]": true, "[nf_tables]": true, "[vdso]": false, "[vsyscall]": false, "/usr/bin/true": false, "": false} {
		if got := isKernel(&profile.Location{Mapping: &profile.Mapping{File: file}}); got != want {
			t.Errorf("%q: %v", file, got)
		}
	}
	if isKernel(&profile.Location{}) {
		t.Error("an address without a mapping is the kernel's")
	}
}

// A profile may say anything of its trials.
func TestTrialsIn(t *testing.T) {
	r := newRecording()
	r.Trials = append(r.Trials, newTestTrial(specs()[0], recording.Traced, 1))
	r.Trials[len(r.Trials)-1].Number = 44
	v := NewView(r)
	for _, test := range []struct {
		comments string
		labels   []int64
		want     string // of the CPU, and of the heap
	}{
		{"", nil, "[30] [30]"}, // the only profiled trial
		{"trials=1", []int64{30}, "[30] [30]"},
		{"trials=2", []int64{30}, "[30 0] [30 0]"},
		{"trials=-4", []int64{7, 7, 5}, "[5 7] [5 7]"},
		{"trials=999999999999", []int64{-3, 1 << 40}, "[30] [30]"},
		{"trials=1 heap_trials=1", []int64{30, 44}, "[30] [44]"},
		{"trials=1 heap_trials=1", []int64{44}, "[30] [44]"},
		{"trials=2 heap_trials=1", []int64{30, 43, 44}, "[30 43] [44]"},
		{"trials=1 heap_trials=2", []int64{30, 44}, "[30] [44 0]"},
		{"trials=1 heap_trials=0", []int64{30, 44}, "[30] [30]"},
	} {
		p := &profile.Profile{Comments: append([]string{"tool=x"}, strings.Fields(test.comments)...)}
		for _, n := range test.labels {
			p.Sample = append(p.Sample, &profile.Sample{NumLabel: map[string][]int64{"trial": {n}}})
		}
		got := fmt.Sprint(trialsIn(v, "go-threads", p, Kind{Name: recording.KindCPU}), " ", trialsIn(v, "go-threads", p, Kind{Name: recording.KindHeap}))
		if got != test.want {
			t.Errorf("%s with %v: %s, want %s", test.comments, test.labels, got, test.want)
		}
	}
}
