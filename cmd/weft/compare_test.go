package main

import (
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/weft-profiler/weft/collector"
	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/reports"
)

// One comparison with bodies of one segment, held against what the origin counted by itself.
func TestCompareAgreesWithTheOrigin(t *testing.T) {
	needRoot(t)
	dir := newRecording(t)
	code, out, log := weft(t, "compare", "-q", "-n", "23", "-c", "7", "-r", "1", "-w", "1",
		"--latency", "10ms", "--page-size", "1024", "-o", dir)
	if code != exitOK {
		t.Fatalf("exit %d: %s\n%s", code, log, out)
	}
	contains(t, "the report", out, "go-sequential", "go-threads", "go-goroutines", "go-eventloop", "go-nethttp", "0 events lost", "run.json", "report.html")
	rec := openRecording(t, dir)
	models, held := len(rec.Run.Plan.Models), 0
	for _, d := range rec.Run.Plan.Details {
		switch {
		case d.Sequential:
			held++
		case strings.HasPrefix(d.Name, "py-"):
			held += 2
		default:
			held += 6
		}
	}
	if models+len(rec.Run.Skipped) != 9 {
		t.Errorf("%d models and %d skipped", models, len(rec.Run.Skipped))
	}
	for _, s := range rec.Run.Skipped {
		t.Logf("without %+v", s)
		contains(t, "the report", out, s.Model+" was skipped", "apt-get install")
	}
	if len(rec.Run.Skipped) > 0 && os.Getenv("WEFT_TEST_ALL") != "" {
		t.Error("not all models can run here")
	}
	checkPage(t, rec)
	// A warm-up; measured, profiled, control a model. Profiled trials are two to six.
	if least := 1 + models*(1+2+1) + held; len(rec.Trials) < least || len(rec.Trials) > least+4*models {
		t.Errorf("%d trials, want %d, and 4 a model more at most", len(rec.Trials), least)
	}
	checkPlan(t, rec.Run.Plan)
	digests := map[string]int{}
	for _, trial := range rec.Trials {
		units := unitsOf(trial)
		if !trial.OK() || trial.Work.Units != units {
			t.Errorf("trial %d: %+v, %+v", trial.Number, trial.Work, trial.Failure)
		}
		if of, known := digests[trial.Work.Digest]; known && of != units {
			t.Errorf("trial %d: the result of %d pages, want that of %d", trial.Number, of, units)
		}
		digests[trial.Work.Digest] = units
		if trial.LostEvents() != 0 || len(trial.Missing) != 0 {
			t.Errorf("trial %d: lost %v, missing %v", trial.Number, trial.Lost, trial.Missing)
		}
		checkBytes(t, trial)
		checkInFlight(t, trial)
		checkPhases(t, trial)
		checkGoMemory(t, trial)
		checkMemory(t, trial)
	}
	if len(digests) != 4 { // of 0, 1, 7 and 23 pages
		t.Errorf("results of so many pages: %v", digests)
	}
	if rec.Run.Interrupted || len(rec.Trials) < rec.Run.Plan.Trials || len(rec.Run.Profiles) != len(rec.Run.Plan.Models) {
		t.Errorf("interrupted %v, %d of %d trials, %d profiles", rec.Run.Interrupted, len(rec.Trials), rec.Run.Plan.Trials, len(rec.Run.Profiles))
	}
	checkProfiles(t, rec)
	checkStacks(t, rec)
	checkFound(t, rec)
	checkKinds(t, rec)
	checkPythonProfiles(t, rec)
}

// unitsOf is how many pages a trial of these tests has to fetch: none, with no request and no connection to the
// origin, where it is a control, and one wave where no more is needed.
func unitsOf(trial *recording.Trial) int {
	switch trial.Kind {
	case recording.Control:
		return 0
	case recording.Warmup, recording.Held, recording.Traced:
		return trial.Concurrency
	}
	return 23
}

// checkPlan looks at what the plan says beside what the flags do.
func checkPlan(t *testing.T, plan recording.Plan) {
	t.Helper()
	if plan.HeldTrials != 3 || plan.TracedTrials != 1 || plan.ProfileTrials != 2 || plan.ControlTrials != 1 || len(plan.Details) != len(plan.Models) {
		t.Fatalf("plan %+v", plan)
	}
	for i, d := range plan.Details {
		if d.Name != plan.Models[i] || d.Summary == "" || d.Runtime == "" ||
			d.Sequential != strings.HasSuffix(d.Name, "-sequential") || d.ThreadPerTask != strings.HasSuffix(d.Name, "-threads") {
			t.Errorf("model %d is %s: %+v", i, plan.Models[i], d)
		}
	}
}

// checkPage: what compare left in the directory is what report draws from it, and run.json lists it.
func checkPage(t *testing.T, rec *recording.Recording) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(rec.Dir, "report.html"))
	if err != nil || !slices.Contains(rec.Run.Files, "report.html") {
		t.Errorf("report.html: %v, run.json lists %v", err, rec.Run.Files)
	}
	code, out, log := weft(t, "report", rec.Dir, "--format", "html")
	if code != exitOK || !strings.HasPrefix(out, "<!DOCTYPE html>") {
		t.Errorf("report --format html: exit %d, %s\n%.300s", code, log, out)
	}
	// The list of files is longer by the report itself now; nothing in the page tells of it but the packed JSON.
	if a, b := beforeDownloads(t, string(page)), beforeDownloads(t, out); a != b {
		t.Errorf("report.html and report --format html differ: %d and %d bytes", len(a), len(b))
	}
}

func beforeDownloads(t *testing.T, page string) string {
	t.Helper()
	before, _, found := strings.Cut(page, `<details id="downloads">`)
	if !found {
		t.Fatal("the page has no downloads")
	}
	return before
}

// checkBytes compares every connection, by the client's port, headers included.
func checkBytes(t *testing.T, trial *recording.Trial) {
	t.Helper()
	theirs := map[int]recording.OriginConnection{}
	for _, c := range trial.Origin.Connections {
		theirs[c.Port] = c
	}
	if len(theirs) != len(trial.Sockets.Connections) {
		t.Errorf("trial %d: %d connections, the origin has %d", trial.Number, len(trial.Sockets.Connections), len(theirs))
	}
	for _, ours := range trial.Sockets.Connections {
		address, err := netip.ParseAddrPort(ours.Local)
		if err != nil {
			t.Fatal(err)
		}
		c, ok := theirs[int(address.Port())]
		if !ok || c.InBytes != ours.SentBytes || c.OutBytes != ours.RecvBytes || c.Requests != ours.Replies {
			t.Errorf("trial %d, port %d: we saw %+v, the origin %+v", trial.Number, address.Port(), ours, c)
		}
	}
}

// checkGoMemory wants the parts of a Go child's memory to sum to its RSS, at both gates.
func checkGoMemory(t *testing.T, trial *recording.Trial) {
	t.Helper()
	if !strings.HasPrefix(trial.Model, "go-") {
		if len(trial.GoMemory) > 0 {
			t.Errorf("trial %d, %s: %+v", trial.Number, trial.Model, trial.GoMemory)
		}
		return
	}
	for _, point := range []string{recording.AtGate, recording.AtEnd} {
		m, ok := trial.GoMemory[point]
		sum := m.HeapLive + m.HeapDead + m.Stacks + m.Runtime + m.FileBacked + m.Rest
		if rss := trial.Snapshots[point].RSSBytes; !ok || m.HeapLive <= 0 || m.Runtime <= 0 || sum != rss {
			t.Errorf("trial %d at %s: %+v sums to %d, RSS is %d", trial.Number, point, m, sum, rss)
		}
	}
}

// checkInFlight compares the greatest number of connections that awaited a reply with the origin's requests in
// flight: they are the same thing seen from two sides where an answer is one segment. Where the origin does not hold
// the answers a busy machine lets a model ask once more before it reads one that is there: it awaits more then.
func checkInFlight(t *testing.T, trial *recording.Trial) {
	t.Helper()
	ours, theirs := trial.Sockets.Awaiting.Peak, trial.Origin.PeakInFlight
	_, held := trial.Snapshots[recording.AtHeld]
	if ours != theirs && (held || ours < theirs || ours > int64(trial.Concurrency)) {
		t.Errorf("trial %d, %s: %d awaited a reply at once, the origin had %d in flight",
			trial.Number, trial.Model, ours, theirs)
	}
	units := int64(unitsOf(trial))
	if trial.Sockets.Awaiting.Replies != units || trial.Origin.Requests != units {
		t.Errorf("trial %d: %d replies, %d requests, want %d", trial.Number, trial.Sockets.Awaiting.Replies, trial.Origin.Requests, units)
	}
	curve := trial.Curves[recording.CurveAwaiting]
	if greatest := slices.Max(append([]int64{0}, curve.Greatest...)); greatest != trial.Sockets.Awaiting.Peak {
		t.Errorf("trial %d: curve %v, peak %d", trial.Number, curve.Greatest, trial.Sockets.Awaiting.Peak)
	}
}

func checkPhases(t *testing.T, trial *recording.Trial) {
	t.Helper()
	p := trial.Phases
	if !slices.IsSorted([]int64{1, p.StartNS, p.ReadyNS, p.GateNS, p.LastNS, p.DoneNS, p.ExitNS}) {
		t.Errorf("trial %d: phases out of order: %+v", trial.Number, p)
	}
	if trial.CPU.WorkNS <= 0 || trial.CPU.SetupNS <= 0 {
		t.Errorf("trial %d: CPU %+v", trial.Number, trial.CPU)
	}
	for _, point := range []string{recording.AtGate, recording.AtEnd} {
		if s := trial.Snapshots[point]; s.RSSBytes == 0 || s.PSSBytes > s.RSSBytes || s.USSBytes > s.PSSBytes || s.FDs == 0 {
			t.Errorf("trial %d: snapshot at %s: %+v", trial.Number, point, s)
		}
	}
	if held, ok := trial.Snapshots[recording.AtHeld]; ok != slices.Contains([]recording.Kind{recording.Held, recording.Traced, recording.Profiled}, trial.Kind) ||
		ok && held.Waiting != int64(trial.Concurrency) {
		t.Errorf("trial %d, %s: held %+v", trial.Number, trial.Kind, held)
	}
}

// checkMemory holds the peak against the page tables at each quiet point: none of them can have more.
func checkMemory(t *testing.T, trial *recording.Trial) {
	t.Helper()
	m := trial.Memory
	if m == nil || trial.Load == nil {
		t.Errorf("trial %d: memory %+v, load %+v", trial.Number, m, trial.Load)
		return
	}
	for point, s := range trial.Snapshots {
		if m.PeakBytes < s.RSSBytes-m.BoundBytes {
			t.Errorf("trial %d: peak of %d bytes, %d at %s, bound %d", trial.Number, m.PeakBytes, s.RSSBytes, point, m.BoundBytes)
		}
	}
	if gate := trial.Snapshots[recording.AtGate].RSSBytes; m.SetupPeakBytes < gate-m.BoundBytes {
		t.Errorf("trial %d: peak of %d bytes before the gate, %d at it", trial.Number, m.SetupPeakBytes, gate)
	}
	const after = 1 << 20 // between done and the look
	if top := slices.Max(trial.Curves[recording.CurveRSS].Greatest); top > m.PeakBytes || top < m.PeakBytes-after {
		t.Errorf("trial %d: the curve's greatest value is %d, the peak %d", trial.Number, top, m.PeakBytes)
	}
}

// builtWithCgo is false for weft itself, which the Makefile builds without.
func builtWithCgo() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "CGO_ENABLED", Value: "1"})
}

// counts gives how many of something a trial has, and how many there were.
type counts func(*recording.Trial) (seen, truth int64)

// What finds no room is in every format, and what was seen and what was lost are all there was.
func TestLossIsInEveryFormat(t *testing.T) {
	needRoot(t)
	connections := func(t *recording.Trial) (int64, int64) {
		return int64(len(t.Sockets.Connections)), int64(len(t.Origin.Connections))
	}
	threads := func(t *recording.Trial) (int64, int64) { return int64(len(t.Threads.List)), t.Threads.Made }
	tests := []struct {
		name     string
		requests string
		tables   collector.Options
		causes   map[string]counts // in what the loss is a loss of
	}{
		{"connections", "101", collector.Options{Connections: 4}, map[string]counts{"connections_full": connections}},
		// Many brief connections: more ends than the ring holds between two looks, on a slow machine too.
		{"ring", "1009", collector.Options{RingBytes: 4096}, map[string]counts{
			"ring_full": threads, "connections_ring_full": connections,
		}},
		{"stacks", "101", collector.Options{StackCount: 1}, map[string]counts{"stacks_full": nil}}, // adds up in package bpf's tests
		{"weights", "101", collector.Options{WeightCount: 1}, map[string]counts{"weights_full": nil}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rec := compareWith(t, test.tables, "-n", test.requests, "-c", "101", "-r", "1", "-w", "0", "-m", "go-threads",
				"--no-keepalive", "--page-size", "1024", "--hold=false")
			for cause, seen := range test.causes {
				if seen != nil {
					checkLoss(t, rec, cause, seen)
				}
			}
			checkFormats(t, rec.Dir, slices.Collect(maps.Keys(test.causes)))
		})
	}
}

func checkLoss(t *testing.T, rec *recording.Recording, cause string, count counts) {
	t.Helper()
	total := int64(0)
	for _, trial := range rec.Trials {
		seen, truth := count(trial)
		lost := int64(0)
		for _, l := range trial.Lost {
			if l.Cause == cause {
				lost += l.Count
			}
		}
		if seen+lost != truth {
			t.Errorf("trial %d: %d seen, %d lost, want %d together", trial.Number, seen, lost, truth)
		}
		total += lost
	}
	if total == 0 {
		t.Errorf("nothing was lost by %s: the test shows nothing", cause)
	}
}

func checkFormats(t *testing.T, dir string, causes []string) {
	t.Helper()
	for _, format := range reports.Formats() {
		args := []string{"report", dir, "--format", format.Name}
		if format.NeedsKind {
			args = append(args, "--kind", recording.KindHeap)
		}
		code, out, log := weft(t, args...)
		if code != exitOK {
			t.Errorf("%s: exit %d: %s", format.Name, code, log)
		}
		plain := strings.ReplaceAll(strings.ToLower(out), `\`, "") // Markdown escapes the underscore
		contains(t, format.Name, plain, append(causes, "lost")...)
	}
}

// compareWith is weft compare with kernel tables of other sizes than the defaults.
func compareWith(t *testing.T, tables collector.Options, args ...string) *recording.Recording {
	t.Helper()
	opts := defaultCompareOptions()
	opts.tables = tables
	cmd := &cobra.Command{RunE: func(cmd *cobra.Command, _ []string) error { return compare(cmd, opts) }}
	compareFlags(cmd, &opts)
	dir := newRecording(t)
	cmd.SetArgs(append(args, "-q", "-o", dir))
	cmd.SetOut(t.Output())
	cmd.SetErr(t.Output())
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return openRecording(t, dir)
}

// The help fits a terminal, and says what is done without being asked for.
func TestCompareHelp(t *testing.T) {
	code, out, log := weft(t, "compare", "--help")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, log)
	}
	text, _, _ := strings.Cut(out, "Flags:")
	for _, line := range strings.Split(text, "\n") {
		if len(line) > 100 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	contains(t, "the help", out, "on by default, --hold=false saves these trials", "where a model is sequential")
}
