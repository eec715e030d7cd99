package reports

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
)

const metricsDoc = "../docs/metrics.md"

// docs/metrics.md is written from the registry: a definition has one home.
func TestMetricsDoc(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Metrics

<!-- Written from the registry in reports/metrics.go: go test ./reports -run TestMetricsDoc -update -->

Each figure of a report, with where it comes from and what it is not. Values are kept in base units and scaled
when printed; the unit in a name is benchstat's. A model's figure is the median over its measured trials that did
all of their work, with a 95 % interval that assumes nothing about the distribution. Headline metrics are compared with
the first model of the plan: Hodges-Lehmann ratio, Mann-Whitney U, Holm's correction over the models of one metric; "~"
stands where no difference is shown, and a note says how great one would have had to be. A figure counted from kernel
events is a lower bound ("≥") where events were lost, or not exact ("≈") where the loss can make it too great as well as
too small (causes that begin with sched, time, wakers, rss or memor). "A unit" is one finished piece of work: a page, a
request. A figure of held trials is of a pair of them, at a fifth of the concurrency and at all of it, each of as many
units as it has in flight; control trials go through the gate and do nothing.
`)
	for _, m := range Metrics() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", m.Name, m.Definition)
		fmt.Fprintf(&b, "Column %s; unit %s; from %s trials", m.Column, m.Unit, m.Kind)
		for _, property := range []struct {
			holds bool
			text  string
		}{
			{m.OverControl, ", less control trials"}, {m.Better == lower, "; lower is better"}, {m.Headline, "; headline"},
			{m.Events, "; counted from kernel events"}, {m.Bound != "", "; wrong by no more than " + m.Bound},
		} {
			if property.holds {
				b.WriteString(property.text)
			}
		}
		b.WriteString(".\n")
	}
	b.WriteString("\n# Findings\n\nA report says in sentences what a reader should know before believing its figures, each with its evidence and what to do next:\n\n")
	for _, f := range finders() {
		fmt.Fprintf(&b, "- **%s**: %s\n", f.name, f.rule)
	}
	stacksDoc(&b)
	if *update {
		if err := os.WriteFile(metricsDoc, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(metricsDoc)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s differs from the registry: go test ./reports -run TestMetricsDoc -update", metricsDoc)
	}
}

// stacksDoc is the part on what stacks are weighed by.
func stacksDoc(b *strings.Builder) {
	b.WriteString(`
# Stacks

Profiled trials, which are never timed, keep the stacks behind the figures. A model's trials are merged into one pprof
file, whose values are sums over them, as those of --format folded are; a flame graph and the table of who pays show the
mean of one trial. On off-CPU stacks the cause of the wait stands as a frame of its own, "[futex]" or "[runnable]" (ready, but
without a CPU): so blocked and runnable time are never one. On stacks of reply wait "[request]" is time that the next send of
the same request ended, and "[close]" time that the connection's end did, without a reply; all else ended with the reply's
first byte. In pprof these are the label "wait". "[scheduler]" is a row above the root: what the threads of a Go
program did while no goroutine ran on them. Kernel frames end in "_[k]" in folded stacks; those of socket calls, page faults and
preemptions are of the first event with the same hook, system call and stack of the program (docs/accuracy.md).

`)
	fmt.Fprintf(b, "| --kind | what | unit | sample types | must add up to |\n|---|---|---|---|---|\n")
	for _, k := range Kinds() {
		counter := "-"
		if k.Counter != nil {
			counter = "the counter of " + k.Noun
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | `%s` | %s |\n", k.Name, k.Title, k.Unit, strings.Join(k.Samples, "` + `"), counter)
	}
	fmt.Fprintf(b, `
Counters are those of the same trials: off-CPU time is the blocked and runnable time of all threads; socket bytes are those of all
transports, both ways; threads made are all but the first, which was there before anything could be seen; reply wait is the
sum of *awaiting reply*, the area under its curve but for what is not over at the end, each moment of it charged to the stack
that had sent last (of a server: received last); RSS grown is the gross growth, where the trial has it. What is missing stands above each graph
and with the evidence. An event whose stack found no room, or could not be read, is in the sums, as "[unknown]". `+"`cpu`"+` is sampled, and
`+"`heap`"+` is the runtime's own account: nothing has to add up to them. Under %d samples, cpu says "too few". Go's
heap is sampled in the profiled trials (an allocation every 4 KiB on average); Python's has every allocation of its own allocators
since the gate, from a trial of its own, because tracing takes more CPU time than the work: nothing else of that trial is shown,
and of one trial the noise is not known.

`+"`goroutine`, `block` and `mutex`"+` are Go's own profiles, which models in Go tell of themselves and others do not; no counter has them.
`+"`goroutine`"+` is the goroutines that there are while the answers are held, those of weft in the program among them (one waits for the
last page, one writes the profile); without a hold there is none. `+"`block`"+` is how long goroutines waited for channels, conditions and
locks, by the stack that waited, and `+"`mutex`"+` how long locks were waited for, those inside of Go's runtime too, by the stack that
unlocked: of waits that had ended when the work was done. The same wait may be in both, which are not to be added. They are
sampled as the trial's `+"`contention`"+` has it: every wait. A goroutine that waits for the network itself is in neither;
`+"`replywait`"+` has that. It is time of goroutines, many at once, where `+"`offcpu`"+` is of threads. --top and the table of who pays leave them out.

## How frames were found

Above each graph of stacks that the kernel side took stands how its frames were found, in shares of their width: a frame
is as wide as its stack's value, so they are shares of the picture's area, summed over the profiled trials. "register" is where
the thread was, in the program or, of a sample, in the kernel; "frame pointer" is a caller in Go's code, the only code whose frame
pointers are followed; "inline table" is a call that the compiler put into its caller; "kernel unwinder" is a frame of the kernel at
this event; "first event at the same place" is one of the kernel at the first event with the same hook, system call and stack of the program,
and may be another path through it (docs/accuracy.md has how often that was). weft's own words for a state, "[futex]" say, are no frames. The JSON has it as
`+"`evidence.found`"+`; recordings of older versions do not tell, nor do the kinds that a program's runtime tells of itself.

## Who pays

%s Columns, each in its kind's unit: `, EnoughSamples, payersAbout)
	for i, name := range payerColumns() {
		kind, err := kindByName(name)
		if err != nil {
			panic(err)
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "%s (`%s`)", kind.Column, kind.Name)
	}
	fmt.Fprintf(b, `. The page shows the function's own part too; what the kernel did for it is its own.

## Difference

Two models' flame graphs are compared frame by frame, matched by the names from the root on. A frame is red (more) or blue (less)
where the means of the profiled trials lie further apart than the ranges (greatest less least trial) of both models together,
twice as far where one of the models has two profiled trials only, four times where both have; else grey. Of equal models one
frame in a hundred is colored by chance (values normal and of equal spread: 1.2 %% with 3 and 3 trials, 0.7 %% with 2 and 3,
1.0 %% with 2 and 2). The strength is the factor, up to 1.5, up to 3, more. Each model needs %d profiled trials or nothing is
colored.
Where the trials did different amounts of work, values are those of one unit of it, but for `+"`heap` and `goroutine`"+`,
which are what there is at the hold. The page leaves out frames of less
than %g %% of a graph: one that is missing there may have been so great, which counts as noise.
`, leastTrialsOfNoise, 100*pageShare)
}

func TestMetricsAreWellFormed(t *testing.T) {
	units := map[string]*regexp.Regexp{
		unitNS:    regexp.MustCompile(`^[a-z0-9-]+-ns(/[a-z]+)?$`),
		unitBytes: regexp.MustCompile(`^[a-z-]+-B(/[a-z]+)?$`),
		unitCount: regexp.MustCompile(`^[a-z-]+(/[a-z]+)?$`),
		unitRatio: regexp.MustCompile(`^[a-z-]+-share$`),
	}
	seen := map[string]bool{}
	for _, m := range Metrics() {
		pattern := units[m.Unit]
		if pattern == nil || !pattern.MatchString(m.Name) {
			t.Errorf("%s: name does not go with unit %q", m.Name, m.Unit)
		}
		if seen[m.Name] || seen[m.Column] {
			t.Errorf("%s: name or column %q is taken", m.Name, m.Column)
		}
		seen[m.Name], seen[m.Column] = true, true
		if m.Bound != "" && !slices.ContainsFunc(Metrics(), func(other Metric) bool { return other.Name == m.Bound && other.Unit == m.Unit }) {
			t.Errorf("%s: no metric %s", m.Name, m.Bound)
		}
		if m.Definition == "" || !strings.HasSuffix(m.Definition, ".") || m.Kind == "" {
			t.Errorf("%s: half filled", m.Name)
		}
		if (m.Value == nil) == (m.Pair == nil) || m.Pair != nil && m.Kind != recording.Held || m.OverControl && m.Value == nil {
			t.Errorf("%s: a figure is of a trial or of a pair of held ones", m.Name)
		}
		if m.Source != "" && !m.Events {
			t.Errorf("%s: losses of %s cannot touch what is not counted from events", m.Name, m.Source)
		}
		if m.Better != lower && m.Better != neither {
			t.Errorf("%s: better is %q", m.Name, m.Better)
		}
	}
}

// An empty trial has no evidence of anything: no figure may be made up.
func TestNoEvidenceNoValue(t *testing.T) {
	for _, m := range Metrics() {
		for name, work := range map[string]recording.Work{"empty": {}, "worked": {Units: 23}} {
			var trials []*recording.Trial
			for _, kind := range []recording.Kind{recording.Measured, recording.Held, recording.Held, recording.Control} {
				trials = append(trials, &recording.Trial{Model: "m", Kind: kind, Work: work, Concurrency: len(trials)})
			}
			if got := m.readings(trials); len(got) > 0 {
				t.Errorf("%s of %s trials: %v", m.Name, name, got)
			}
		}
	}
}

func TestValues(t *testing.T) {
	trial := &recording.Trial{
		Kind:    recording.Measured,
		Phases:  recording.Phases{StartNS: 100, ReadyNS: 400, GateNS: 1000, LastNS: 24_000, DoneNS: 30_000},
		Work:    recording.Work{Units: 23},
		CPU:     recording.CPU{SetupNS: 77, WorkNS: 4600},
		Threads: recording.Threads{Made: 11, Peak: 7, VoluntarySwitches: 40, InvoluntarySwitches: 6},
		Sockets: recording.Sockets{
			Transports: map[string]recording.Transport{
				"tcp":  {SentBytes: 230, SentCalls: 23, RecvBytes: 2300, RecvCalls: 46, RecvWouldBlock: 23, Opened: 3, Retransmits: 2},
				"unix": {SentBytes: 99, SentCalls: 23, SendWouldBlock: 46},
			},
			Connections: []recording.Connection{
				{Transport: "tcp", Side: "client", FirstSendNS: 10, FirstRecvNS: 15},
				{Transport: "tcp", Side: "client", FirstSendNS: 10, FirstRecvNS: 31},
				{Transport: "tcp", Side: "client", FirstSendNS: 10, FirstRecvNS: 19},
				{Transport: "tcp", Side: "client", FirstSendNS: 10}, // no answer
				{Transport: "tcp", Side: "server", FirstSendNS: 9, FirstRecvNS: 90},
				{Transport: "unix", Side: "", FirstSendNS: 1, FirstRecvNS: 2},
			},
			Awaiting: recording.Awaiting{Peak: 5, Replies: 4, SumNS: 100},
		},
		Snapshots: map[string]recording.Snapshot{
			recording.AtGate: {RSSBytes: 1000, PSSBytes: 900, USSBytes: 800, Cost: byProc(800, 50, 7)},
			recording.AtEnd: {RSSBytes: 3000, PSSBytes: 2900, USSBytes: 2800, PageTableBytes: 64,
				Cost: map[string][]recording.Part{
					recording.ByCgroup: {{Name: recording.PartKernel, Bytes: 330}, {Name: recording.PartSocketBuffers, Bytes: 9}},
					recording.ByProc:   byProc(2800, 60, 8)[recording.ByProc],
				}},
		},
		GoMemory: map[string]recording.GoMemory{
			recording.AtGate: {HeapLive: 1},
			recording.AtEnd:  {RSSBytes: 3000, HeapLive: 1000, HeapDead: 500, Stacks: 400, Runtime: 300, FileBacked: 900, Rest: -100},
		},
		Memory: &recording.Memory{PeakBytes: 3500, SetupPeakBytes: 1100, BoundBytes: 32},
		Sched: &recording.Sched{
			Time: recording.ThreadTime{RunningNS: 4600, RunnableNS: 460, Wakeups: 230, Migrations: 23,
				BlockedNS: map[string]int64{recording.CauseFutex: 2000, recording.CauseEpoll: 2600}},
			RunQueue: recording.Histogram{Counts: []int64{0, 197, 0, 1, 1, 1}, SumNS: 600},
		},
		Load:   &recording.HostLoad{BusyNS: 9000, StealNS: 70, StallNS: -1},
		Origin: &recording.Origin{PeakInFlight: 6, CPUNS: 2300, RunDelayNS: 690},
		BPF:    []recording.ProgramCost{{Runs: 4, RunNS: 20}, {Runs: 1, RunNS: 3}},
	}
	want := map[string]float64{
		"wall-ns": 23_000, "cpu-ns/unit": 200, "setup-ns": 300, "setup-cpu-ns": 77, "first-byte-ns": 9,
		"rss-peak-B": 3500, "rss-peak-bound-B": 32,
		"rss-end-B": 3000, "pss-end-B": 2900, "uss-end-B": 2800, "kernel-end-B": 68, "page-tables-end-B": 64,
		"rss-gate-B": 1000, "pss-gate-B": 900, "uss-gate-B": 800, "kernel-gate-B": 57,
		"go-heap-live-end-B": 1000, "go-heap-dead-end-B": 500, "go-stacks-end-B": 400, "go-runtime-end-B": 300,
		"go-file-end-B": 900, "go-rest-end-B": -100,
		"rss-over-control-B": 1900, "uss-over-control-B": 1800, "rss-peak-over-control-B": 2300,
		"threads-peak": 7, "threads-made": 11, "in-flight-peak": 6,
		"switches/unit": 2, "voluntary-switches/unit": 40.0 / 23, "involuntary-switches/unit": 6.0 / 23,
		"running-ns/unit": 200, "runnable-ns/unit": 20, "blocked-ns/unit": 200,
		// 200 waits: the 198th is in bucket 3, which ends at 16 ns.
		"run-queue-mean-ns": 3, "run-queue-p99-ns": 16, "wakeups/unit": 10, "migrations/unit": 1,
		"connections": 5, "sent-B/unit": 10, "received-B/unit": 100, "socket-calls/unit": 4, "would-block/unit": 3,
		"awaiting-peak": 5, "awaiting-mean-ns": 25, "retransmits": 2,
		"origin-cpu-ns/unit": 100, "origin-delay-ns/unit": 30, "steal-ns": 70, "bpf-share": 0.005,
	}
	controls := []*recording.Trial{
		{Kind: recording.Control, Memory: &recording.Memory{PeakBytes: 1200}, Snapshots: atEnd(1000, 900)},
		{Kind: recording.Control, Memory: &recording.Memory{PeakBytes: 1200}, Snapshots: atEnd(1200, 1100)},
		{Kind: recording.Control, Failure: &recording.Failure{}, Snapshots: atEnd(9000, 9000)},
	}
	for _, m := range Metrics() {
		if m.Kind != recording.Measured {
			continue
		}
		expected, known := want[m.Name]
		got := m.readings(append(controls, trial))
		if !known {
			t.Errorf("%s: no expectation", m.Name)
		} else if len(got) != 1 || got[0].value != expected || got[0].index != len(controls) {
			t.Errorf("%s: %v, want %v", m.Name, got, expected)
		}
	}
	if got := (&Metric{Kind: recording.Control, Value: controlMetrics()[0].Value}).readings(controls); len(got) != 3 || got[1].value != 1200 {
		t.Errorf("control-rss-B: %v", got)
	}
}

// byProc is a cost whose kernel memory is page tables and sockets.
func byProc(user, pageTables, sockets int64) map[string][]recording.Part {
	return map[string][]recording.Part{recording.ByProc: {
		{Name: recording.PartUser, Bytes: user}, {Name: recording.PartPageTables, Bytes: pageTables}, {Name: recording.PartSockets, Bytes: sockets},
	}}
}

func atEnd(rss, uss int64) map[string]recording.Snapshot {
	return map[string]recording.Snapshot{recording.AtEnd: {RSSBytes: rss, USSBytes: uss}}
}

// A rate of many waits, none and one.
func TestRunQueueP99(t *testing.T) {
	tests := []struct {
		counts []int64
		want   float64
		known  bool
	}{
		{nil, 0, false}, {[]int64{0, 0}, 0, false}, {[]int64{1}, 2, true}, {[]int64{0, 0, 1}, 8, true},
		{[]int64{99, 1}, 2, true}, {[]int64{98, 2}, 4, true},
		{append(make([]int64, 63), 1), 1 << 63 * 2.0, true},
	}
	for _, test := range tests {
		trial := &recording.Trial{Sched: &recording.Sched{RunQueue: recording.Histogram{Counts: test.counts}}}
		if got, ok := runQueueP99(trial); got != test.want || ok != test.known {
			t.Errorf("%v: %v, %v, want %v, %v", test.counts, got, ok, test.want, test.known)
		}
	}
}
