package recording

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// sampleOf finds the only sample whose leaf is a function, with the labels given as "key=value".
func sampleOf(t *testing.T, p *profile.Profile, function string, trial int64) *profile.Sample {
	t.Helper()
	var found *profile.Sample
	for _, s := range p.Sample {
		if s.Location[0].Line[0].Function.Name != function || s.NumLabel["trial"][0] != trial {
			continue
		}
		if found != nil {
			t.Fatalf("two samples of %s in trial %d", function, trial)
		}
		found = s
	}
	if found == nil {
		t.Fatalf("no sample of %s in trial %d", function, trial)
	}
	return found
}

// heapProfile is a small heap profile of one function that main calls, loaded at base.
func heapProfile(base uint64, values ...int64) *profile.Profile {
	m := &profile.Mapping{ID: 1, Start: base, Limit: base + 0x10000, File: "/bin/x", HasFunctions: true}
	functions := []*profile.Function{
		{ID: 1, Name: "main.alloc", SystemName: "main.alloc", Filename: "x.go", StartLine: 10},
		{ID: 2, Name: "main.outer", SystemName: "main.outer", Filename: "x.go", StartLine: 20},
		{ID: 3, Name: "main.main", SystemName: "main.main", Filename: "x.go", StartLine: 30},
	}
	locations := []*profile.Location{
		{ID: 1, Mapping: m, Address: base + 0x100, Line: []profile.Line{{Function: functions[0], Line: 11}, {Function: functions[1], Line: 21}}},
		{ID: 2, Mapping: m, Address: base + 0x200, Line: []profile.Line{{Function: functions[2], Line: 31}}},
	}
	p := &profile.Profile{
		PeriodType: &profile.ValueType{Type: "space", Unit: "bytes"}, Period: 4096, TimeNanos: 77,
		Mapping: []*profile.Mapping{m}, Function: functions, Location: locations,
		Sample: []*profile.Sample{{Location: locations, Value: values, NumLabel: map[string][]int64{"bytes": {64}}}},
	}
	for _, v := range sampleTypes[:heapTypes] {
		p.SampleType = append(p.SampleType, &profile.ValueType{Type: v.Type, Unit: v.Unit})
	}
	return p
}

func encoded(t testing.TB, p *profile.Profile) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// kernelFrames is the stack of heapProfile as the kernel's stacks have it, with one call more.
func kernelFrames() []Frame {
	at := func(function string, line, start int, offset uint64, inlined bool) Frame {
		return Frame{Function: function, File: "x.go", Line: line, StartLine: start, Inlined: inlined,
			Binary: "/bin/x", BuildID: "abc", Offset: offset}
	}
	return []Frame{
		at("main.write", 41, 40, 0x400300, false),
		at("main.alloc", 11, 10, 0x400100, true),
		at("main.outer", 21, 20, 0x400100, false),
		at("main.main", 31, 30, 0x400200, false),
	}
}

func socketStack(thread string) Stack {
	return Stack{Kind: KindSocket, Thread: thread, Frames: kernelFrames(), Values: Values{
		SentBytes: 100, RecvBytes: 2000, Calls: 3, Samples: 1, CPUNS: 10, Switches: 2, BlockedNS: 30, RunnableNS: 4, Replies: 1, ReplyWaitNS: 50, RSSBytes: 4096,
	}}
}

// Who ran and what it waited for keep samples apart.
func TestLabelsKeepSamplesApart(t *testing.T) {
	b := NewProfileBuilder("weft 0.1.0", "go-threads")
	one := socketStack("x/12")
	one.Wait, one.Goroutine = CauseFutex, Goroutine{ID: 7, Entry: "main.work", Creator: "main.main", Parent: 1}
	other := one
	other.Wait = WaitRunnable
	b.AddStacks(1, []Stack{one, other, one, socketStack("x/12")})
	p, err := b.Profile()
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Sample) != 3 || p.Sample[0].Value[heapTypes+1] != 200 {
		t.Fatalf("%d samples, want 3 of which the first has two stacks", len(p.Sample))
	}
	s := p.Sample[0]
	for label, want := range map[string]string{"wait": "futex", "goroutine": "main.work", "creator": "main.main"} {
		if got := s.Label[label]; len(got) != 1 || got[0] != want {
			t.Errorf("label %s is %q, want %q", label, got, want)
		}
	}
	if s.NumLabel["goid"][0] != 7 || s.NumLabel["parent_goid"][0] != 1 || p.Sample[2].Label["goroutine"] != nil {
		t.Errorf("numbers %v, and %v where no goroutine is known", s.NumLabel, p.Sample[2].Label)
	}
}

func TestValuesAddUp(t *testing.T) {
	b := NewProfileBuilder("weft 0.1.0", "go-threads")
	// The same code at another address, as address space randomization has it.
	for trial, base := range map[int]uint64{4: 0x400000, 9: 0x7f0000000000} {
		if err := b.AddHeap(trial, nil, encoded(t, heapProfile(base, 1, 64, int64(trial), 320))); err != nil {
			t.Fatal(err)
		}
	}
	again := socketStack("x/12")
	again.Values.Threads = 5
	b.AddStacks(4, []Stack{socketStack("x/12"), again, socketStack("x/13")})
	cut := Stack{Thread: "x/14", Cut: true, Values: Values{Calls: 7}}
	b.AddStacks(9, []Stack{cut, {Thread: "x/15", Frames: kernelFrames()}}) // the last has no values: left out
	p, err := b.Profile()
	if err != nil {
		t.Fatal(err)
	}

	for _, trial := range []int64{4, 9} {
		s := sampleOf(t, p, "main.alloc", trial)
		if got, want := fmt.Sprint(s.Value), fmt.Sprint(append([]int64{1, 64, trial, 320}, make([]int64, len(sampleTypes)-heapTypes)...)); got != want {
			t.Errorf("trial %d: heap values %v, want %v", trial, got, want)
		}
		if s.NumLabel["bytes"][0] != 64 || s.Label["model"][0] != "go-threads" || s.Label["thread"] != nil {
			t.Errorf("trial %d: labels %v, %v", trial, s.Label, s.NumLabel)
		}
	}
	unknown := sampleOf(t, p, "[unknown]", 9)
	if unknown.Label["cut"][0] != "true" || unknown.Value[7] != 7 {
		t.Errorf("stack of nothing: labels %v, values %v", unknown.Label, unknown.Value)
	}
	var got []string
	for _, s := range p.Sample {
		if len(s.Label["thread"]) > 0 {
			got = append(got, fmt.Sprint(s.Label["thread"][0], " ", s.Value[heapTypes:goTypes], " ", s.Label["cut"]))
		}
	}
	want := "x/12 [5 200 4000 6 2 20 4 60 8 2 100 8192] [] x/13 [0 100 2000 3 1 10 2 30 4 1 50 4096] [] " +
		"x/14 [0 0 0 7 0 0 0 0 0 0 0 0] [true]"
	if strings.Join(got, " ") != want {
		t.Errorf("kernel samples %s, want %s", got, want)
	}
	if len(p.Sample) != 5 {
		t.Errorf("%d samples, want 5", len(p.Sample))
	}
	if got, want := strings.Join(p.Comments, ","), "tool=weft 0.1.0,model=go-threads,trials=2"; got != want {
		t.Errorf("comments %q, want %q", got, want)
	}
	if p.DefaultSampleType != "inuse_space" || p.Period != 4096 || p.TimeNanos != 77 {
		t.Errorf("default %q, period %d, time %d", p.DefaultSampleType, p.Period, p.TimeNanos)
	}
}

// TestSharedCode: what is the same place in two trials, or in heap and kernel, is one location.
func TestSharedCode(t *testing.T) {
	b := NewProfileBuilder("weft", "m")
	for trial, base := range []uint64{0x400000, 0x7f0000000000} {
		if err := b.AddHeap(trial, nil, encoded(t, heapProfile(base, 1, 1, 1, 1))); err != nil {
			t.Fatal(err)
		}
	}
	b.AddStacks(0, []Stack{socketStack("x/1")})
	p, err := b.Profile()
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Mapping) != 1 || len(p.Location) != 3 || len(p.Function) != 4 {
		t.Errorf("%d mappings, %d locations, %d functions, want 1, 3, 4", len(p.Mapping), len(p.Location), len(p.Function))
	}
	kernel := sampleOf(t, p, "main.write", 0)
	if len(kernel.Location) != 3 || len(kernel.Location[1].Line) != 2 || kernel.Location[1].Line[1].Function.Name != "main.outer" {
		t.Errorf("kernel stack %v", kernel.Location)
	}
	if again, err := b.Profile(); err != nil || again.String() != p.String() {
		t.Errorf("a second call of Profile gives something else, error %v", err)
	}
}

// TestNotTheSame: locations that differ in any part stay apart.
func TestNotTheSame(t *testing.T) {
	base := kernelFrames()[1:3]
	changes := []func(f []Frame){
		func(f []Frame) { f[1].Offset++ },
		func(f []Frame) { f[1].Binary = "/bin/y" },
		func(f []Frame) { f[1].BuildID = "abd" },
		func(f []Frame) { f[0].Line++ },
		func(f []Frame) { f[1].Line++ },
		func(f []Frame) { f[1].Function = "main.alloc" },
		func(f []Frame) { f[0].File = "y.go" },
		func(f []Frame) { f[0].StartLine++ },
		func(f []Frame) { f[0].Inlined = false },
	}
	b := NewProfileBuilder("weft", "m")
	for i := range len(changes) + 1 {
		frames := append([]Frame(nil), base...)
		if i > 0 {
			changes[i-1](frames)
		}
		b.AddStacks(1, []Stack{{Frames: frames, Values: Values{Calls: 1}}})
	}
	p, err := b.Profile()
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Sample) != len(changes)+1 {
		t.Errorf("%d samples, want %d", len(p.Sample), len(changes)+1)
	}
	if p.PeriodType == nil {
		t.Error("no period type: profile.Merge would panic")
	}
	if _, err := profile.Merge([]*profile.Profile{p, p}); err != nil {
		t.Errorf("merge: %v", err)
	}
}

func TestHeldHeapSaysWhatIsInUse(t *testing.T) {
	b := NewProfileBuilder("weft", "m")
	held := encoded(t, heapProfile(0x400000, 1, 64, 5, 320))
	end := encoded(t, heapProfile(0x400000, 7, 448, 2, 128))
	if err := b.AddHeap(1, held, end); err != nil {
		t.Fatal(err)
	}
	p, err := b.Profile()
	if err != nil {
		t.Fatal(err)
	}
	s := sampleOf(t, p, "main.alloc", 1)
	if got, want := fmt.Sprint(s.Value[:4]), fmt.Sprint([]int64{7, 448, 5, 320}); got != want {
		t.Errorf("values %v, want %v: allocated at the end, in use at the hold", got, want)
	}
	if err := b.AddHeap(2, []byte("rubbish"), end); err == nil {
		t.Error("rubbish at the hold: no error")
	}
}

// TestPprofReads opens every sample type with the tool that users have.
func TestPprofReads(t *testing.T) {
	if out, err := exec.Command("go", "tool", "pprof", "-h").CombinedOutput(); !strings.Contains(string(out), "sample_index") {
		t.Skipf("no go tool pprof: %v", err)
	}
	kept := allocateForTest(8)
	runtime.GC()
	heap := lookup(t, "heap")
	runtime.KeepAlive(kept)
	b := NewProfileBuilder("weft 0.1.0", "go-threads")
	if err := b.AddHeap(3, nil, heap); err != nil {
		t.Fatal(err)
	}
	for name, data := range waitForTest(t) {
		if err := b.AddGoProfile(3, name, data); err != nil {
			t.Fatal(err)
		}
	}
	s := socketStack("x/12")
	s.Values.Threads, s.Cut = 23, true
	b.AddStacks(3, []Stack{s})
	b.AddStacks(5, []Stack{s})
	p, err := b.Profile()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "go-threads.pb.gz")
	if err := os.WriteFile(file, encoded(t, p), 0o644); err != nil {
		t.Fatal(err)
	}
	tool, err := exec.Command("go", "tool", "-n", "pprof").Output() // by way of the go command each look takes 0.3 s more
	if err != nil {
		t.Fatal(err)
	}
	top := func(args ...string) string {
		cmd := exec.Command(strings.TrimSpace(string(tool)), append(append([]string{"-top", "-symbolize=none", "-nodefraction=0"}, args...), file)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("pprof %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	for i, v := range sampleTypes {
		out, want := top("-sample_index="+v.Type), "main.write"
		if i < heapTypes {
			want = "allocateForTest"
		} else if i >= goTypes {
			want = map[string]string{
				"goroutine": "parkForTest", "block_contentions": "parkForTest", "block_delay": "parkForTest",
				"mutex_contentions": "unlockForTest", "mutex_delay": "unlockForTest",
			}[v.Type]
		}
		if !strings.Contains(out, "Type: "+v.Type+"\n") || !strings.Contains(out, want) {
			t.Errorf("%s: no %s in\n%s", v.Type, want, out)
		}
	}
	if out := top(); !strings.Contains(out, "Type: inuse_space\n") {
		t.Errorf("default is not inuse_space:\n%s", out)
	}
	if out := top("-sample_index=threadcreate"); !strings.Contains(out, " 46 ") {
		t.Errorf("two trials of 23 threads are not 46:\n%s", out)
	}
	if out := top("-sample_index=goroutine", "-tagfocus=goroutine=parkForTest"); !strings.Contains(out, "Showing nodes accounting for 23, ") {
		t.Errorf("goroutines by the function that they began with:\n%s", out)
	}
	for _, focus := range []string{"trial=3:3", "cut=true"} {
		out, want := top("-sample_index=threadcreate", "-tagfocus="+focus), map[string]string{"trial=3:3": " 23 ", "cut=true": " 46 "}[focus]
		if !strings.Contains(out, want) {
			t.Errorf("focus on %s does not show %s:\n%s", focus, want, out)
		}
	}
}

func FuzzAddHeap(f *testing.F) {
	var raw bytes.Buffer
	if err := heapProfile(0x400000, 1, 64, 1, 64).WriteUncompressed(&raw); err != nil {
		f.Fatal(err)
	}
	f.Add(raw.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := NewProfileBuilder("weft", "m")
		if b.AddHeap(1, nil, gzipped(t, raw)) != nil {
			return
		}
		b.AddStacks(1, []Stack{socketStack("x/1")})
		p, err := b.Profile()
		if err != nil {
			return
		}
		if _, err := profile.ParseData(encoded(t, p)); err != nil {
			t.Errorf("what was merged cannot be read: %v", err)
		}
	})
}
