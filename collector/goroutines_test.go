package collector

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/bpf/exectest"
	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/collector/symbols"
)

// goProgram is a build of testdata/goroutines that stands at its gate.
type goProgram struct {
	*exectest.Program
	t          testing.TB
	probes     *bpf.Probes
	names      *symbols.Process
	goroutines *goroutines
	before     map[bpf.WeightKey]bpf.Weight // charged when they began to be watched
}

// startGoProgram starts a build and has its goroutines watched.
func startGoProgram(t testing.TB, options bpf.Options, binary string, args ...string) *goProgram {
	t.Helper()
	p := openGoProgram(t, options, binary, args...)
	var err error
	if p.goroutines, err = watchGoroutines(p.probes, p.names, p.PID); err != nil {
		t.Fatal(err)
	}
	if p.goroutines == nil {
		t.Fatal("not a Go program")
	}
	_, weights, err := p.probes.Stacks()
	if err != nil {
		t.Fatal(err)
	}
	p.before = maps.Clone(weights)
	return p
}

func openGoProgram(t testing.TB, options bpf.Options, binary string, args ...string) *goProgram {
	t.Helper()
	needRoot(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("goroutines are found on amd64 only, this is", runtime.GOARCH)
	}
	options.Stacks = true
	probes, err := bpf.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { probes.Close() })
	p := &goProgram{t: t, probes: probes}
	p.start(binary, args...)
	s := symbols.New("/proc")
	t.Cleanup(func() { s.Close() })
	if p.names, err = s.Process(p.PID); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.names.Close() })
	if err := probes.OpenGate(Now()); err != nil {
		t.Fatal(err)
	}
	return p
}

// start starts the program as a target and waits until it stands at its gate.
func (p *goProgram) start(binary string, args ...string) {
	p.t.Helper()
	if err := p.probes.Adopt(os.Getpid()); err != nil {
		p.t.Fatal(err)
	}
	p.Program = exectest.Start(p.t, exec.Command(binary, args...))
	if err := p.probes.Disown(os.Getpid()); err != nil {
		p.t.Fatal(err)
	}
	p.Expect("ready")
}

// work lets the program do its work.
func (p *goProgram) work() {
	p.t.Helper()
	p.Say("go")
	p.Expect("done")
}

// charged is a weight with the goroutine that it is charged to.
type charged struct {
	kind      bpf.StackKind
	goroutine recording.Goroutine
	functions []string // leaf first
	bpf.Weight
}

// weights gives all that was charged since the goroutines are watched: a program that is slow to start makes threads before.
func (p *goProgram) weights() []charged {
	p.t.Helper()
	if err := p.names.Refresh(); err != nil {
		p.t.Fatal(err)
	}
	stacks, weights, err := p.probes.Stacks()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.goroutines.take(p.probes); err != nil {
		p.t.Fatal(err)
	}
	var all []charged
	for key, weight := range weights {
		if weight == p.before[key] {
			continue
		}
		one := charged{kind: key.Kind, goroutine: p.goroutines.of(key), Weight: weight}
		frames, _ := p.names.Stack(stacks[key.Stack].User)
		for _, f := range frames {
			one.functions = append(one.functions, f.Function)
		}
		all = append(all, one)
	}
	return all
}

func (p *goProgram) losses() map[string]uint64 {
	p.t.Helper()
	losses, err := p.probes.Losses()
	if err != nil {
		p.t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, l := range losses {
		counts[l.Cause] = l.Count
	}
	return counts
}

var goroutineVariants = []struct {
	name string
	cgo  bool
	args []string
}{
	{name: "plain"},
	{name: "stripped", args: []string{"-ldflags=-s -w"}},
	{name: "pie", args: []string{"-buildmode=pie"}},
	{name: "cgo", cgo: true},
	{name: "cgo pie stripped", cgo: true, args: []string{"-buildmode=pie", "-ldflags=-s -w"}},
	{name: "cgo static stripped", cgo: true, args: []string{"-ldflags=-linkmode=external -extldflags=-static -s -w"}},
}

func buildGoroutines(t testing.TB, cgo bool, args ...string) string {
	t.Helper()
	return exectest.Build(t, "testdata/goroutines", cgo, args...)
}

// TestGoroutines wants every socket call on its goroutine, exactly. WEFT_TEST_TOOLCHAINS="go1.20.14 go1.24.9" names other
// Go versions to do it with too.
func TestGoroutines(t *testing.T) {
	for _, toolchain := range append([]string{"local"}, strings.Fields(os.Getenv("WEFT_TEST_TOOLCHAINS"))...) {
		t.Setenv("GOTOOLCHAIN", toolchain)
		for _, v := range goroutineVariants {
			t.Run(toolchain+" "+v.name, func(t *testing.T) {
				p := startGoProgram(t, bpf.Options{}, buildGoroutines(t, v.cgo, v.args...))
				p.work()
				all := p.weights()
				checkSockets(t, all)
				checkScheduler(t, all)
				if lost := p.losses(); len(lost) > 0 {
					t.Errorf("lost: %v", lost)
				}
			})
		}
	}
}

// socketTruth is what testdata/goroutines does: goroutines by entry and creator, and the calls and bytes of each.
var socketTruth = map[[2]string]struct {
	goroutines, calls, sent, received int
}{
	{"main.writer", "main.spawn"}:      {7, 11, 33, 0},
	{"main.reader", "main.spawn"}:      {16, 5, 0, 5},
	{"main.spawn.func1", "main.spawn"}: {4, 3, 3, 0},
	{"runtime.main", ""}:               {1, 16, 80, 0}, // made in no Go function
}

func checkSockets(t *testing.T, all []charged) {
	t.Helper()
	sums := map[recording.Goroutine]bpf.Weight{}
	for _, c := range all {
		if c.kind == bpf.StackSocket {
			sum := sums[c.goroutine]
			sum.Count, sum.Amount, sum.Other = sum.Count+c.Count, sum.Amount+c.Amount, sum.Other+c.Other
			sums[c.goroutine] = sum
		}
	}
	found, ids := map[[2]string]int{}, map[uint64]bool{}
	for g, sum := range sums {
		by := [2]string{g.Entry, g.Creator}
		want, ok := socketTruth[by]
		if !ok || sum != (bpf.Weight{Count: uint64(want.calls), Amount: uint64(want.sent), Other: uint64(want.received)}) {
			t.Errorf("%+v has %+v, want %+v", g, sum, want)
		}
		if g.ID == 0 || ids[g.ID] {
			t.Errorf("%+v: its goid is another's too", g)
		}
		if g.Creator == "main.spawn" && g.Parent > 1 { // of the main goroutine; 0 in Go 1.20
			t.Errorf("%+v: made by goroutine 1", g)
		}
		ids[g.ID] = true
		found[by]++
	}
	for by, want := range socketTruth {
		if found[by] != want.goroutines {
			t.Errorf("%d goroutines of %v, want %d", found[by], by, want.goroutines)
		}
	}
}

// checkScheduler wants what the runtime does for itself on no goroutine, and what it does for one on that one. With cgo
// libc makes the threads, and keeps no frame pointers: the stack does not tell on whose behalf.
func checkScheduler(t *testing.T, all []charged) {
	t.Helper()
	scheduler := recording.Goroutine{Entry: recording.SchedulerGoroutine}
	found := 0
	for _, c := range all {
		if c.kind != bpf.StackThreadCreate {
			continue
		}
		if c.goroutine == scheduler {
			found++
		}
		switch {
		case slices.Contains(c.functions, "runtime.sysmon"): // it has no goroutine, ever
			if c.goroutine != scheduler {
				t.Errorf("%v on %+v, want the scheduler", c.functions, c.goroutine)
			}
		case slices.Contains(c.functions, "main.spawn"):
			if c.goroutine.Entry != "runtime.main" {
				t.Errorf("%v on %+v, want the main goroutine", c.functions, c.goroutine)
			}
		}
	}
	if found == 0 {
		t.Error("the runtime made no thread for itself, so nothing was shown")
	}
}

// TestThreadsOfGo wants of each thread why it was made, and the goroutine that keeps it.
func TestThreadsOfGo(t *testing.T) {
	const count = 7
	p := startGoProgram(t, bpf.Options{}, buildGoroutines(t, false), "lock", fmt.Sprint(count))
	p.work()
	p.weights()
	stacks, _, err := p.probes.Stacks()
	if err != nil {
		t.Fatal(err)
	}
	threads, err := p.probes.Live()
	if err != nil {
		t.Fatal(err)
	}
	var list []recording.Thread
	for _, thread := range threads {
		list = append(list, threadRecord(thread))
	}
	p.goroutines.made(list, threads, func(hash uint64) []recording.Frame {
		raw := stacks[hash]
		frames, _ := p.names.Stack(raw.User)
		return frames
	})
	reasons, keepers := map[string]int{}, map[uint64]bool{}
	for _, thread := range list {
		if thread.TID != p.PID { // made by weft
			reasons[thread.Reason]++
		}
		if thread.Locked && thread.Goroutine == "main.locked" {
			keepers[thread.GoID] = true
		}
	}
	t.Log(reasons)
	if len(keepers) != count {
		t.Errorf("%d goroutines keep a thread, want %d: %+v", len(keepers), count, list)
	}
	if reasons[recording.ReasonSysmon] != 1 || reasons[recording.ReasonTemplate] != 1 || reasons[""]+reasons[recording.ReasonRuntime] > 0 {
		t.Errorf("threads by reason: %v, want one sysmon, one template and all with a reason", reasons)
	}
	// Each of the goroutines gave its processor away, on its own or by asking the template thread.
	if reasons[recording.ReasonLocked] == 0 {
		t.Errorf("threads by reason: %v, want some for locked goroutines", reasons)
	}
}

func TestReason(t *testing.T) {
	for _, tt := range []struct{ stack, want string }{
		{"runtime.clone runtime.newosproc runtime.newm1 runtime.newm runtime.startm runtime.handoffp runtime.retake runtime.sysmon runtime.mstart1", recording.ReasonSyscall},
		{"runtime.clone runtime.newm runtime.startm runtime.wakep runtime.newproc.func1 runtime.systemstack runtime.newproc main.spawn main.main runtime.main", recording.ReasonWork},
		{"runtime.clone runtime.newosproc runtime.newm1 runtime.templateThread runtime.mstart1", recording.ReasonLocked},
		{"runtime.clone runtime.newm runtime.startTemplateThread runtime.LockOSThread main.f", recording.ReasonTemplate},
		{"runtime.clone runtime.newm runtime.main.func1 runtime.systemstack runtime.main runtime.goexit", recording.ReasonSysmon},
		{"runtime.clone runtime.newm runtime.other main.main runtime.main", recording.ReasonRuntime},
		{"clone3 pthread_create", ""},
		{"", ""},
	} {
		var frames []recording.Frame
		for _, function := range strings.Fields(tt.stack) {
			frames = append(frames, recording.Frame{Function: function})
		}
		if got := reason(frames); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.stack, got, tt.want)
		}
	}
}

// TestGoroutinesAfterExec: what was said of a program is not said of the next ones in its process, of which each second one
// may get its memory's address again.
func TestGoroutinesAfterExec(t *testing.T) {
	const times = 8
	p := startGoProgram(t, bpf.Options{}, buildGoroutines(t, false), "replace", fmt.Sprint(times))
	for range times {
		p.Say("go")
		p.Expect("ready") // the next one
	}
	p.work()
	calls := map[recording.Goroutine]uint64{}
	for _, c := range p.weights() {
		if c.kind == bpf.StackSocket {
			calls[c.goroutine] += c.Count
		}
	}
	want := map[recording.Goroutine]uint64{{ID: 1, Entry: "runtime.main"}: 5, {}: 5 * times}
	if !maps.Equal(calls, want) {
		t.Errorf("calls by goroutine: %+v, want %+v", calls, want)
	}
	if lost := p.losses(); len(lost) > 0 {
		t.Errorf("lost: %v", lost)
	}
}

// A table that is too small costs functions, never calls or goids.
func TestLossOfGoroutines(t *testing.T) {
	const room = 5
	p := startGoProgram(t, bpf.Options{Goroutines: room}, buildGoroutines(t, false))
	p.work()
	calls, ids, named := uint64(0), map[uint64]bool{}, map[uint64]bool{}
	for _, c := range p.weights() {
		if c.kind == bpf.StackSocket {
			calls += c.Count
			ids[c.goroutine.ID] = true
			if c.goroutine.Entry != "" {
				named[c.goroutine.ID] = true
			}
		}
	}
	if lost := p.losses()["goroutines_full"]; len(named) > room || lost < uint64(len(ids)-len(named)) {
		t.Errorf("%d of %d goroutines named, %d lost", len(named), len(ids), lost)
	}
	if calls != 7*11+16*5+4*3+16 || len(ids) != 28 {
		t.Errorf("%d calls of %d goroutines", calls, len(ids))
	}
}

// BenchmarkGoroutine is what it costs a socket event with its stack to find the goroutine: its mean with a known runtime
// less that without.
func BenchmarkGoroutine(b *testing.B) {
	binary := buildGoroutines(b, false)
	for b.Loop() {
		without := openGoProgram(b, bpf.Options{}, binary, "exchange", "200000").transferNS()
		with := startGoProgram(b, bpf.Options{}, binary, "exchange", "200000").transferNS()
		b.ReportMetric(with-without, "bpf-ns/event")
		b.Logf("%.0f ns with the goroutine, %.0f ns without", with, without)
	}
}

// transferNS runs the program and gives the mean of its socket events.
func (p *goProgram) transferNS() float64 {
	p.t.Helper()
	p.work()
	costs, err := p.probes.Costs()
	if err != nil {
		p.t.Fatal(err)
	}
	var runs, ns uint64
	for _, c := range costs {
		if strings.HasSuffix(c.Program, "_length") || strings.HasSuffix(c.Program, "msg") {
			runs, ns = runs+c.Runs, ns+c.RunNS
		}
	}
	p.probes.Close()
	return float64(ns) / float64(runs)
}
