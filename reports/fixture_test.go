package reports

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
)

const (
	ms  = int64(time.Millisecond)
	mib = int64(1 << 20)
)

// modelSpec is what a synthetic model does: the figures are those of a small machine.
type modelSpec struct {
	name     string
	wall     int64 // ns
	cpu      int64 // ns
	rss      int64 // bytes at the end
	gate     int64 // bytes at the gate
	threads  int64
	flight   int64
	conns    int
	calls    int64 // socket calls a unit
	switches int64 // context switches a unit
}

func specs() []modelSpec {
	return []modelSpec{
		{"go-sequential", 2310 * ms, 90 * ms, 11 * mib, 7 * mib, 4, 1, 1, 4, 11},
		{"go-threads", 110 * ms, 52 * ms, 13 * mib, 7 * mib, 104, 100, 100, 3, 9},
		{"go-goroutines", 82 * ms, 50 * ms, 12 * mib, 7 * mib, 5, 100, 100, 5, 4},
		{"py-threads", 360 * ms, 410 * ms, 33 * mib, 27 * mib, 29, 18, 18, 5, 29},
	}
}

// newRecording is a run of four models with a warm-up, six measured and one profiled trial each, a pair of held trials
// and a control trial.
func newRecording() *recording.Recording {
	r := &recording.Recording{Dir: "weft-20261122-150501", Run: recording.Run{
		Version: recording.Version, Tool: "weft 0.1.0",
		Started: time.Date(2026, 11, 22, 15, 5, 1, 0, time.UTC),
		Command: []string{"weft", "compare", "-n", "100"},
		Host: recording.Host{OS: "Debian GNU/Linux 13", Kernel: "6.18.0", Arch: "amd64", CPUs: 2,
			CPUModel: "Example CPU", MemoryBytes: 8 << 30, GoVersion: "go1.26.0"},
		Plan: recording.Plan{Scenario: "fetch", Requests: 100, Concurrency: 100, LatencyNS: 20 * ms,
			PageBytes: 67_700, KeepAlive: true, WarmupTrials: 1, MeasuredRuns: 6,
			HeldTrials: 1, ProfileTrials: 1, ControlTrials: 1, TimeoutNS: 60_000 * ms},
	}}
	for _, s := range specs() {
		r.Run.Plan.Models = append(r.Run.Plan.Models, s.name)
		r.Run.Plan.Details = append(r.Run.Plan.Details, detailOfSpec(s))
	}
	kinds := []recording.Kind{recording.Warmup}
	for range 6 {
		kinds = append(kinds, recording.Measured)
	}
	for round, kind := range append(kinds, recording.Profiled) {
		for _, s := range specs() {
			addTrial(r, newTestTrial(s, kind, round))
		}
	}
	addHeldAndControl(r)
	r.Run.Plan.Trials = len(r.Trials)
	return r
}

func addTrial(r *recording.Recording, t *recording.Trial) {
	t.Number = len(r.Trials) + 1
	r.Trials = append(r.Trials, t)
	r.Run.Trials = append(r.Run.Trials, recording.TrialRef{Number: t.Number, Model: t.Model, Kind: t.Kind,
		File: fmt.Sprintf("trials/%03d.json.gz", t.Number)})
}

// newTestTrial spreads the figures by some per cent from round to round, the same way every time.
func newTestTrial(s modelSpec, kind recording.Kind, round int) *recording.Trial {
	spread := func(x int64) int64 { return x + x*int64((round*7+len(s.name)*3)%11-5)/100 }
	gate := 1_000_000 * ms
	t := &recording.Trial{
		Model: s.name, Kind: kind, Concurrency: 100, PID: 4000 + round,
		Phases: recording.Phases{StartNS: gate - 50*ms, ReadyNS: gate - 10*ms, GateNS: gate,
			LastNS: gate + spread(s.wall), DoneNS: gate + spread(s.wall) + ms, ExitNS: gate + spread(s.wall) + 9*ms},
		Work: recording.Work{Units: 100, Digest: "9f86d081884c7d659a2feaa0c55ad015"},
		CPU:  recording.CPU{SetupNS: 20 * ms, WorkNS: spread(s.cpu)},
		Threads: recording.Threads{Made: s.threads, MadeAtGate: 4, Gone: 0, Peak: s.threads, Processes: 1,
			VoluntarySwitches: 100 * s.switches, InvoluntarySwitches: int64(round)},
		Sockets: newSockets(s, gate),
		Snapshots: map[string]recording.Snapshot{
			recording.AtGate: {TimeNS: gate, RSSBytes: s.gate, PSSBytes: s.gate, USSBytes: s.gate - mib, PageTableBytes: 90 << 10, Threads: 4},
			recording.AtEnd: {TimeNS: gate + s.wall, RSSBytes: spread(s.rss), PSSBytes: spread(s.rss), USSBytes: spread(s.rss) - mib,
				PageTableBytes: 120 << 10, Threads: s.threads},
		},
		Origin: &recording.Origin{Requests: 100, PeakInFlight: s.flight},
		BPF:    []recording.ProgramCost{{Program: "sock_send_length", Runs: 900, RunNS: 130_000}, {Program: "task_newtask", Runs: 104, RunNS: 60_000}},
	}
	addFigures(t, s, spread)
	if kind == recording.Profiled {
		t.Heap = &recording.Heap{RateBytes: 4096}
		t.Found = foundFixture(s)
	}
	return t
}

func newSockets(s modelSpec, gate int64) recording.Sockets {
	sockets := recording.Sockets{
		Transports: map[string]recording.Transport{"tcp": {SentBytes: 100 * 120, SentCalls: 100,
			RecvBytes: 100 * 67_900, RecvCalls: 100 * (s.calls - 1), RecvWouldBlock: 100 * (s.calls % 2), Opened: int64(s.conns)}, "udp": {SentBytes: 320, RecvBytes: 400_000}},
		Awaiting: recording.Awaiting{Peak: s.flight, Replies: 100, SumNS: 100 * 21 * ms},
	}
	for i := range s.conns {
		open := gate + int64(i)*10_000
		sockets.Connections = append(sockets.Connections, recording.Connection{Cookie: uint64(i + 1), Transport: "tcp",
			Family: "ipv4", Side: "client", OpenNS: open, ConnectedNS: open + 40_000, FirstSendNS: open + 60_000,
			FirstRecvNS: open + 60_000 + 20*ms + int64(i)*1000, SentBytes: 120, SentCalls: 1, RecvBytes: 67_900, RecvCalls: s.calls - 1})
	}
	return sockets
}

// stackSpec is one stack of the synthetic profile, root first; "+" before a function: inlined into its caller; "*": of
// the kernel.
type stackSpec struct {
	frames                     []string
	heap, threads, sent, recvd int64
	cut                        bool

	samples, cpu, blocked, runnable, replies, waited, grown int64
	goroutines, delayed, unlocked                           int64  // as Go's own profiles have it
	wait                                                    string // the cause of blocked and runnable
	goroutine                                               string // the function that it began with
	trial                                                   int64  // 0: the profile does not say
}

func stackSpecs() []stackSpec {
	root := []string{"runtime.main", "main.main", "main.fetchAll", "main.fetchAll.func1"}
	with := func(names ...string) []string { return append(slices.Clone(root), names...) }
	const http1 = "github.com/weft-profiler/weft/workload/http1."
	return []stackSpec{
		{frames: with(http1+"(*Conn).Do", http1+"(*Conn).fill", "+bufio.NewReaderSize"), heap: 1_638_400},
		{frames: with(http1+"(*Conn).Do", http1+"parseHeader"), heap: 210_000},
		{frames: with(http1+"Dial", "net.(*Dialer).DialContext", "net.(*sysDialer).dialTCP", "syscall.connect"), heap: 98_000},
		{frames: with("github.com/weft-profiler/weft/workload/page.Parse", "golang.org/x/net/html.(*Tokenizer).Next", "+golang.org/x/net/html.(*Tokenizer).readByte"), heap: 2_310_000},
		{frames: with("github.com/weft-profiler/weft/workload/page.Parse", "strconv.ParseInt"), heap: 40_000},
		{frames: []string{"runtime.mstart", "runtime.mstart0", "runtime.mstart1", "runtime.schedule", "runtime.newm", "runtime.allocm"}, heap: 180_000, threads: 4},
		{frames: []string{"runtime.templateThread", "runtime.newm", "runtime.newm1", "runtime.newosproc"}, threads: 99, cpu: 30 * ms, samples: 30},
		{frames: with(http1+"(*Conn).Do", http1+"(*Conn).flush", "syscall.Write", "+syscall.write", "syscall.Syscall"), sent: 12_000, replies: 100, waited: 2100 * ms, cpu: 120 * ms, samples: 120},
		{frames: with(http1+"(*Conn).Do", http1+"(*Conn).fill", "syscall.Read", "+syscall.read", "syscall.Syscall"), recvd: 6_790_000},
		{frames: []string{"getaddrinfo"}, sent: 320, recvd: 400_000, cut: true},
		{frames: with(http1+"(*Conn).Do", http1+"(*Conn).fill", "syscall.Read", "+syscall.read", "syscall.Syscall", "*entry_SYSCALL_64", "*tcp_recvmsg", "*schedule"),
			blocked: 8456 * ms, wait: recording.CauseSocketRead, goroutine: "main.fetchAll.func1"},
		{frames: with("github.com/weft-profiler/weft/workload/page.Parse", "*exc_page_fault", "*schedule"), runnable: 9 * ms, wait: recording.WaitRunnable, goroutine: "main.fetchAll.func1"},
		{frames: []string{"runtime.mcall", "runtime.schedule", "runtime.findRunnable", "runtime.futexsleep", "*entry_SYSCALL_64", "*futex_wait", "*schedule"},
			blocked: 400 * ms, wait: recording.CauseFutex, goroutine: recording.SchedulerGoroutine},
		{frames: []string{"runtime.mcall", "runtime.schedule", "runtime.findRunnable"}, runnable: 3610 * ms / 1000, cpu: 40 * ms, samples: 40,
			wait: recording.WaitRunnable, goroutine: recording.SchedulerGoroutine},
		{frames: with("github.com/weft-profiler/weft/workload/page.Parse", "golang.org/x/net/html.(*Tokenizer).Next"), cpu: 610 * ms, samples: 610, grown: 3 * mib},
		{frames: with(http1+"(*Conn).Do", http1+"(*Conn).fill", "+bufio.NewReaderSize", "*asm_exc_page_fault", "*clear_page"), cpu: 35 * ms, samples: 35, grown: 5 * mib},
		{frames: with(http1+"(*Conn).Do", http1+"(*Conn).fill", "syscall.Read"), goroutines: 100, goroutine: "runtime.main"},
		{frames: []string{"runtime.main", "main.main", "sync.(*WaitGroup).Wait"}, goroutines: 1, delayed: 108 * ms},
		{frames: with("sync.(*Mutex).Lock"), delayed: 340_000},
		{frames: with("sync.(*Mutex).Unlock"), unlocked: 340_000},
	}
}

// profileBuilder makes a pprof profile of stackSpecs.
type profileBuilder struct {
	profile   *profile.Profile
	functions map[string]*profile.Function
	locations map[string]*profile.Location
}

func newProfile(specs []stackSpec) *profile.Profile {
	b := profileBuilder{&profile.Profile{SampleType: []*profile.ValueType{
		{Type: "inuse_space", Unit: "bytes"}, {Type: "threadcreate", Unit: "count"},
		{Type: "socket_sent", Unit: "bytes"}, {Type: "socket_received", Unit: "bytes"},
		{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"},
		{Type: sampleBlocked, Unit: "nanoseconds"}, {Type: sampleRunnable, Unit: "nanoseconds"},
		{Type: "replies", Unit: "count"}, {Type: "replywait", Unit: "nanoseconds"}, {Type: "rss_grown", Unit: "bytes"},
		{Type: "goroutine", Unit: "count"}, {Type: "block_delay", Unit: "nanoseconds"}, {Type: "mutex_delay", Unit: "nanoseconds"},
	}}, map[string]*profile.Function{}, map[string]*profile.Location{}}
	for _, s := range specs {
		sample := &profile.Sample{Value: []int64{s.heap, s.threads, s.sent, s.recvd,
			s.samples, s.cpu, s.blocked, s.runnable, s.replies, s.waited, s.grown, s.goroutines, s.delayed, s.unlocked},
			Label: map[string][]string{}, NumLabel: map[string][]int64{}}
		if s.wait != "" {
			sample.Label["wait"] = []string{s.wait}
		}
		if s.goroutine != "" {
			sample.Label["goroutine"] = []string{s.goroutine}
		}
		if s.trial != 0 {
			sample.NumLabel["trial"] = []int64{s.trial}
		}
		for _, call := range b.calls(s.frames) {
			sample.Location = append([]*profile.Location{call}, sample.Location...)
		}
		if s.cut {
			sample.NumLabel["cut"] = []int64{1}
		}
		b.profile.Sample = append(b.profile.Sample, sample)
	}
	return b.profile
}

// calls gives the locations of frames, root first; an inlined frame shares its caller's.
func (b *profileBuilder) calls(frames []string) []*profile.Location {
	var list []*profile.Location
	for i := 0; i < len(frames); i++ {
		names := []string{frames[i]}
		for i+1 < len(frames) && strings.HasPrefix(frames[i+1], "+") {
			i++
			names = append([]string{frames[i][1:]}, names...)
		}
		list = append(list, b.location(names))
	}
	return list
}

// location has the innermost inlined function first, as pprof wants it.
func (b *profileBuilder) location(names []string) *profile.Location {
	key := strings.Join(names, "\x00")
	l := b.locations[key]
	if l == nil {
		l = &profile.Location{ID: uint64(len(b.locations) + 1), Address: uint64(0x1000 + 16*len(b.locations))}
		if kernel, ok := strings.CutPrefix(names[0], "*"); ok {
			names, l.Mapping = []string{kernel}, b.kernel()
		}
		for _, name := range names {
			l.Line = append(l.Line, profile.Line{Function: b.function(name), Line: int64(10 + len(name))})
		}
		b.locations[key] = l
		b.profile.Location = append(b.profile.Location, l)
	}
	return l
}

func (b *profileBuilder) kernel() *profile.Mapping {
	if len(b.profile.Mapping) == 0 {
		b.profile.Mapping = append(b.profile.Mapping, &profile.Mapping{ID: 1, File: recording.KernelBinary, HasFunctions: true})
	}
	return b.profile.Mapping[0]
}

func (b *profileBuilder) function(name string) *profile.Function {
	f := b.functions[name]
	if f == nil {
		f = &profile.Function{ID: uint64(len(b.functions) + 1), Name: name, Filename: "/src/" + strings.ReplaceAll(packageOf(name), ".", "_") + "/code.go"}
		b.functions[name] = f
		b.profile.Function = append(b.profile.Function, f)
	}
	return f
}

// save writes a recording with the profiles of some models and reads it again.
func save(t testing.TB, r *recording.Recording, profiles map[string]*profile.Profile) *recording.Recording {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "recording")
	w, err := recording.Create(dir, recording.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.WriteRun(r.Run); err != nil {
		t.Fatal(err)
	}
	for _, trial := range r.Trials {
		if err := w.WriteTrial(trial); err != nil {
			t.Fatal(err)
		}
	}
	for model, p := range profiles {
		if err := w.WriteProfile(model, p); err != nil {
			t.Fatal(err)
		}
	}
	r, err = recording.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// newView is the synthetic recording, from disk, with a profile of go-threads.
func newView(t testing.TB) *View {
	t.Helper()
	return NewView(save(t, newRecording(), map[string]*profile.Profile{"go-threads": newProfile(stackSpecs())}))
}
