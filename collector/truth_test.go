package collector

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weft-profiler/weft/bpf/exectest"
	"github.com/weft-profiler/weft/collector/recording"
)

// truth is what testdata/truth says it did: see there.
type truth struct {
	Goid int64 `json:"goid"` // of the main goroutine
	Naps []struct {
		Function string `json:"function"`
		Callers  string `json:"callers"`
		Inlined  bool   `json:"inlined"`
		AskedNS  int64  `json:"asked_ns"`
		TookNS   int64  `json:"took_ns"`
	} `json:"naps"`
	Talk struct {
		Bytes int64 `json:"bytes"`
	} `json:"talk"`
	Grown int64 `json:"grown"`
	Asks  []struct {
		Function string `json:"function"`
		Wait     string `json:"wait"`
		Times    int64  `json:"times"`
		LeastNS  int64  `json:"least_ns"`
		TookNS   int64  `json:"took_ns"`
		Sent     int64  `json:"sent"`
		Received int64  `json:"received"`
		Goid     int64  `json:"goid"`
	} `json:"asks"`
	Workers []struct {
		Entry   string `json:"entry"`
		Creator string `json:"creator"`
		Goid    int64  `json:"goid"`
		Parent  int64  `json:"parent"`
		Sent    int64  `json:"sent"`
	} `json:"workers"`
	Threads []struct {
		TID   int    `json:"tid"`
		Entry string `json:"entry"`
		Goid  int64  `json:"goid"`
	} `json:"threads"`
}

// truthBuilds are the ways to build the program.
var truthBuilds = []struct {
	name string
	cgo  bool
	args []string
}{
	{"plain", false, nil},
	{"stripped", false, []string{"-ldflags=-s -w"}},
	{"PIE", false, []string{"-buildmode=pie"}},
	{"cgo", true, nil},
}

// What a program says that it did is what is charged to its functions.
func TestStacksAreTrue(t *testing.T) {
	needRoot(t)
	for _, build := range truthBuilds {
		t.Run(build.name, func(t *testing.T) {
			p := playTruth(t, exectest.Build(t, "testdata/truth", build.cgo, build.args...))
			p.checkNaps(t)
			p.checkBytes(t)
			p.checkAsks(t)
			p.checkKernel(t)
			p.checkGoroutines(t)
			p.checkTotals(t)
		})
	}
}

// played is the program, watched and ended.
type played struct {
	ready  func(pid int) // if not nil, called when the program stands at its gate
	truth  truth
	trial  *recording.Trial
	stacks []recording.Stack
}

func playTruth(t *testing.T, bin string) *played {
	t.Helper()
	p := &played{}
	p.play(t, exec.Command(bin), func(program *exectest.Program) {
		for {
			line := program.Line()
			if err := json.Unmarshal([]byte(line), &p.truth); err == nil {
				return
			}
			program.Say("go")
		}
	})
	return p
}

// shared is the collector of all programs that are played, one after the other as weft's trials are: to load the probes
// takes longer than many a test.
var shared = sync.OnceValues(func() (*Collector, error) { return Open(Options{}) })

// play watches a program from its start. At its first line it stands at its gate: it gets a line, and through talks with
// it up to its last line, at which it waits.
func (p *played) play(t *testing.T, cmd *exec.Cmd, through func(program *exectest.Program)) {
	t.Helper()
	c, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	p.trial = &recording.Trial{Number: 1}
	// The runtime's signals would end sleeps: what is left of one is less than what it lacks by the time that the thread
	// then waited for a CPU.
	cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1")
	var program *exectest.Program
	w, err := c.Watch(p.trial, true, func() (int, error) {
		program = exectest.Start(t, cmd)
		return program.PID, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	program.Expect("ready")
	if p.ready != nil {
		p.ready(program.PID)
	}
	if err := w.Gate(func() error { program.Say("go"); return nil }); err != nil {
		t.Fatal(err)
	}
	through(program)
	if err := w.Done(); err != nil {
		t.Fatal(err)
	}
	p.stacks = w.Stacks()
	program.End()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	for _, l := range p.trial.Lost {
		t.Errorf("lost %+v", l)
	}
	for _, m := range p.trial.Missing {
		t.Errorf("missing %+v", m)
	}
}

// through sums the values of one kind over the stacks that pass a function of the program's.
func (p *played) through(kind, function string) (sum recording.Values) {
	for _, s := range p.stacks {
		if s.Kind == kind && passes(s, function) {
			sum = plus(sum, s.Values)
		}
	}
	return sum
}

func (p *played) total(kind string) (sum recording.Values) {
	for _, s := range p.stacks {
		if s.Kind == kind {
			sum = plus(sum, s.Values)
		}
	}
	return sum
}

func plus(a, b recording.Values) recording.Values {
	return recording.Values{
		Threads: a.Threads + b.Threads, SentBytes: a.SentBytes + b.SentBytes, RecvBytes: a.RecvBytes + b.RecvBytes,
		Calls: a.Calls + b.Calls, Samples: a.Samples + b.Samples, CPUNS: a.CPUNS + b.CPUNS, Switches: a.Switches + b.Switches,
		BlockedNS: a.BlockedNS + b.BlockedNS, RunnableNS: a.RunnableNS + b.RunnableNS, Replies: a.Replies + b.Replies,
		ReplyWaitNS: a.ReplyWaitNS + b.ReplyWaitNS, RSSBytes: a.RSSBytes + b.RSSBytes,
	}
}

func (p *played) checkNaps(t *testing.T) {
	t.Helper()
	for _, n := range p.truth.Naps {
		if n.Function == "weft_c_nap" {
			p.checkCut(t, n.AskedNS)
			continue
		}
		root, _, _ := strings.Cut(n.Callers, "/")
		got := p.through(recording.KindOffCPU, root)
		if !slept(got, n.AskedNS, 1) || got.BlockedNS+got.RunnableNS > n.TookNS {
			t.Errorf("%s was blocked for %d ns and ready for %d, want %d to %d together", n.Function, got.BlockedNS, got.RunnableNS, n.AskedNS, n.TookNS)
		}
		callers := strings.Split(n.Callers, "/")
		slices.Reverse(callers)
		want := append([]string{n.Function}, callers...)
		found := 0
		for _, s := range p.stacks {
			if s.Kind == recording.KindOffCPU && s.Values.BlockedNS > 0 && s.Wait == recording.CauseSleep && passes(s, root) {
				p.checkFrames(t, s, want, n.Inlined)
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d stacks slept in %s, want 1", found, n.Function)
		}
	}
}

// slept says whether this many sleeps of asked ns in all lasted long enough. Each begins in the call, before the thread
// has left the CPU: by what that takes, in which it can be preempted, it is blocked for less.
func slept(v recording.Values, asked, sleeps int64) bool {
	return v.BlockedNS+v.RunnableNS >= asked-sleeps*(20*time.Microsecond).Nanoseconds()
}

// checkCut looks for a sleep in C: code that keeps no frame pointers ends the stack, and charges nobody else.
func (p *played) checkCut(t *testing.T, asked int64) {
	t.Helper()
	var found []recording.Stack
	for _, s := range p.stacks {
		if s.Kind == recording.KindOffCPU && s.Cut && s.Wait == recording.CauseSleep && slept(s.Values, asked, 1) {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d cut stacks slept for %d ns, want 1", len(found), asked)
	}
	last := found[0].Frames[len(found[0].Frames)-1]
	if !strings.Contains(last.Binary, "libc") || !strings.Contains(last.Function, "nanosleep") {
		t.Errorf("the stack ends with %+v, want libc's nanosleep", last)
	}
}

func passes(s recording.Stack, function string) bool {
	return slices.ContainsFunc(s.Frames, func(f recording.Frame) bool { return f.Function == "main."+function })
}

// checkFrames looks for the functions in a row, from the leaf on: the kernel's before them.
func (p *played) checkFrames(t *testing.T, s recording.Stack, want []string, inlined bool) {
	t.Helper()
	at := slices.IndexFunc(s.Frames, func(f recording.Frame) bool { return f.Function == "main."+want[0] })
	for i, function := range want {
		f := s.Frames[at+i]
		if f.Function != "main."+function || f.Inlined != (inlined && i < len(want)-1) {
			t.Errorf("frame %d is %+v, want main.%s", i, f, function)
		}
	}
	if s.Cut || s.Frames[0].Binary != recording.KernelBinary || s.Frames[0].Function == recording.KernelBinary {
		t.Errorf("cut %v, leaf %+v: want the whole stack from the kernel on", s.Cut, s.Frames[0])
	}
}

func (p *played) checkBytes(t *testing.T) {
	t.Helper()
	if got := p.through(recording.KindSocket, "talk").SentBytes; got != p.truth.Talk.Bytes {
		t.Errorf("talk sent %d bytes, want %d", got, p.truth.Talk.Bytes)
	}
	// The pages of the table's own are in no process's resident memory. What else grow's thread makes grow is its
	// goroutine's stack.
	if got := p.through(recording.KindRSS, "grow").RSSBytes; got < p.truth.Grown || got > p.truth.Grown+64<<10 {
		t.Errorf("grow grew %d bytes, want %d", got, p.truth.Grown)
	}
}

func (p *played) checkAsks(t *testing.T) {
	t.Helper()
	for _, a := range p.truth.Asks {
		got, replies := p.through(recording.KindReplyWait, a.Function), int64(0)
		if a.Wait == recording.WaitReply {
			replies = a.Times
		}
		if got.Replies != replies || got.ReplyWaitNS < a.LeastNS || got.ReplyWaitNS > a.TookNS {
			t.Errorf("%s awaited %d replies for %d ns, want %d for %d to %d", a.Function, got.Replies, got.ReplyWaitNS, replies, a.LeastNS, a.TookNS)
		}
		for _, s := range p.stacks {
			if s.Kind == recording.KindReplyWait && passes(s, a.Function) && s.Wait != a.Wait {
				t.Errorf("%s: a wait that %q ended, want %q", a.Function, s.Wait, a.Wait)
			}
		}
		socket := p.through(recording.KindSocket, a.Function)
		if socket.SentBytes != a.Sent || socket.RecvBytes != a.Received {
			t.Errorf("%s sent %d bytes and received %d, want %d and %d", a.Function, socket.SentBytes, socket.RecvBytes, a.Sent, a.Received)
		}
	}
}

// kernelPaths are by kind what the kernel did at the events of a function's, or of any: a function of its own on the way.
var kernelPaths = []struct{ kind, through, kernel string }{
	{recording.KindSocket, "talk", "ksys_write"},
	{recording.KindReplyWait, "askFast", "ksys_write"},
	{recording.KindOffCPU, "middle", "do_nanosleep"},
	{recording.KindRSS, "grow", "handle_mm_fault"},
	{recording.KindThreadCreate, "", "kernel_clone"},
}

// checkKernel looks for the kernel's own frames in every kind: before the program's, and named.
func (p *played) checkKernel(t *testing.T) {
	t.Helper()
	for _, path := range kernelPaths {
		seen := 0
		for _, s := range p.stacks {
			if s.Kind != path.kind || path.through != "" && !passes(s, path.through) {
				continue
			}
			if slices.ContainsFunc(s.Frames, func(f recording.Frame) bool { return f.Function == path.kernel }) {
				seen++
			}
		}
		if seen == 0 {
			t.Errorf("%s through %q: no stack has %s", path.kind, path.through, path.kernel)
		}
	}
	for _, s := range p.stacks {
		if len(s.Frames) == 0 || s.Kind == recording.KindCPU || s.Frames[0].Function == newThread {
			continue
		}
		if s.Frames[0].Binary != recording.KernelBinary {
			t.Errorf("%s: leaf %+v, want the kernel's", s.Kind, s.Frames[0])
		}
		// Off the CPU, and only there, the kernel switches. The frames of one kind are not another's.
		switches := slices.ContainsFunc(s.Frames, func(f recording.Frame) bool { return f.Function == "__schedule" })
		if switches != (s.Kind == recording.KindOffCPU) {
			t.Errorf("%s, %s: __schedule %v in %+v", s.Kind, s.Wait, switches, s.Frames)
		}
	}
}

// checkGoroutines compares what each goroutine sent, by its number, and what it and its maker are called. What no
// goroutine did is the scheduler's.
func (p *played) checkGoroutines(t *testing.T) {
	t.Helper()
	sent := map[recording.Goroutine]int64{}
	var scheduler int64
	for _, s := range p.stacks {
		if s.Kind == recording.KindSocket {
			sent[s.Goroutine] += s.Values.SentBytes
		}
		if s.Goroutine.Entry == recording.SchedulerGoroutine {
			scheduler += s.Values.BlockedNS
		}
		if s.Kind == recording.KindOffCPU && passes(s, "middle") && s.Goroutine.ID != uint64(p.truth.Goid) {
			t.Errorf("%+v waited in middle, want goroutine %d", s.Goroutine, p.truth.Goid)
		}
	}
	for _, w := range p.truth.Workers {
		g := recording.Goroutine{ID: uint64(w.Goid), Entry: "main." + w.Entry, Creator: "main." + w.Creator, Parent: uint64(w.Parent)}
		if sent[g] != w.Sent || w.Sent == 0 {
			t.Errorf("%+v sent %d bytes, want %d; all: %v", g, sent[g], w.Sent, sent)
		}
	}
	if len(p.truth.Workers) == 0 || scheduler == 0 {
		t.Errorf("%d workers, and the scheduler was blocked for %d ns", len(p.truth.Workers), scheduler)
	}
}

// checkTotals compares with the counters of the same name.
func (p *played) checkTotals(t *testing.T) {
	t.Helper()
	var blocked, sent, received int64
	for _, ns := range p.trial.Sched.Time.BlockedNS {
		blocked += ns
	}
	for _, transport := range p.trial.Sockets.Transports {
		sent += transport.SentBytes
		received += transport.RecvBytes
	}
	offcpu, socket, replies := p.total(recording.KindOffCPU), p.total(recording.KindSocket), p.total(recording.KindReplyWait)
	for _, c := range []struct {
		what      string
		got, want int64
	}{
		{"blocked, ns", offcpu.BlockedNS, blocked},
		{"runnable, ns", offcpu.RunnableNS, p.trial.Sched.Time.RunnableNS},
		{"bytes sent", socket.SentBytes, sent},
		{"bytes received", socket.RecvBytes, received},
		{"replies", replies.Replies, p.trial.Sockets.Awaiting.Replies},
		{"reply wait, ns", replies.ReplyWaitNS, p.trial.Sockets.Awaiting.SumNS},
		{"RSS grown, bytes", p.total(recording.KindRSS).RSSBytes, p.trial.Memory.GrownBytes},
		{"threads", p.total(recording.KindThreadCreate).Threads, p.trial.Threads.Made - 1}, // the first was made by this test
	} {
		if c.got != c.want || c.got == 0 {
			t.Errorf("%s: %d by stack, want %d", c.what, c.got, c.want)
		}
	}
	if cpu := p.total(recording.KindCPU); cpu.Samples == 0 || cpu.CPUNS > 3*p.trial.CPU.WorkNS+int64(50e6) {
		t.Errorf("%d samples are %d ns, of %d", cpu.Samples, cpu.CPUNS, p.trial.CPU.WorkNS)
	}
}
