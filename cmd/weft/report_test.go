package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/reports"
	"github.com/weft-profiler/weft/workload/origin"
)

// stackRecording is a recording of two models with three profiled trials each and stacks of every kind, made by what
// makes those of a real run. In go-threads the function talk costs three times as much.
func stackRecording(t *testing.T) string {
	t.Helper()
	dir := newRecording(t)
	w, err := recording.Create(dir, recording.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	models := []string{"go-goroutines", "go-threads"}
	run := recording.Run{Version: recording.Version, Tool: "weft test", Plan: recording.Plan{Scenario: "fetch", Models: models, ProfileTrials: 3}}
	var trials []*recording.Trial
	for i, model := range models {
		for round := range 3 {
			trial := &recording.Trial{Number: 3*i + round + 1, Model: model, Kind: recording.Profiled, Work: recording.Work{Units: 100}}
			trials = append(trials, trial)
			run.Trials = append(run.Trials, recording.TrialRef{Number: trial.Number, Model: model, Kind: trial.Kind, File: fmt.Sprintf("trials/%03d.json.gz", trial.Number)})
		}
	}
	if err := w.WriteRun(run); err != nil {
		t.Fatal(err)
	}
	for i, model := range models {
		builder := recording.NewProfileBuilder("weft test", model)
		for _, trial := range trials[3*i : 3*i+3] {
			stacks := stacksOfTrial(int64(1 + 2*i))
			countTrial(trial, stacks)
			builder.AddStacks(trial.Number, stacks)
			if model == "go-threads" {
				addGoProfiles(t, builder, trial.Number)
			}
			if err := w.WriteTrial(trial); err != nil {
				t.Fatal(err)
			}
		}
		p, err := builder.Profile()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteProfile(model, p); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// addGoProfiles adds what a Go program tells of its goroutines and their waits.
func addGoProfiles(t *testing.T, builder *recording.ProfileBuilder, trial int) {
	t.Helper()
	function := &profile.Function{ID: 1, Name: "main.wait"}
	location := &profile.Location{ID: 1, Line: []profile.Line{{Function: function, Line: 7}}}
	contentions := []*profile.ValueType{{Type: "contentions", Unit: "count"}, {Type: "delay", Unit: "nanoseconds"}}
	for _, of := range []struct {
		name  string
		types []*profile.ValueType
		value []int64
	}{
		{recording.GoroutineProfile, []*profile.ValueType{{Type: "goroutine", Unit: "count"}}, []int64{11}},
		{recording.BlockProfile, contentions, []int64{3, 5_000_000}},
		{recording.MutexProfile, contentions, []int64{2, 70_000}},
	} {
		var data bytes.Buffer
		p := &profile.Profile{SampleType: of.types, Function: []*profile.Function{function}, Location: []*profile.Location{location},
			Sample: []*profile.Sample{{Location: []*profile.Location{location}, Value: of.value}}}
		if err := errors.Join(p.Write(&data), builder.AddGoProfile(trial, of.name, data.Bytes())); err != nil {
			t.Fatal(err)
		}
	}
}

func stacksOfTrial(times int64) []recording.Stack {
	program := func(name string) recording.Frame {
		return recording.Frame{Function: name, File: "main.go", Line: 7, Binary: "/bin/program", Offset: 0x1000 + uint64(len(name))}
	}
	kernel := func(name string) recording.Frame {
		return recording.Frame{Function: name, Binary: recording.KernelBinary, Offset: 0x10 + uint64(len(name))}
	}
	talk := []recording.Frame{kernel("tcp_sendmsg"), program("talk"), program("main.main")}
	return []recording.Stack{
		{Kind: recording.KindCPU, Thread: "m/1", Frames: talk, Values: recording.Values{Samples: 400 * times, CPUNS: 4e9 * times}},
		{Kind: recording.KindOffCPU, Thread: "m/1", Wait: recording.CauseFutex, Frames: []recording.Frame{kernel("schedule"), program("nap"), program("main.main")}, Values: recording.Values{Switches: 3, BlockedNS: 300_000_000}},
		{Kind: recording.KindOffCPU, Thread: "m/1", Wait: recording.WaitRunnable, Goroutine: recording.Goroutine{Entry: recording.SchedulerGoroutine}, Frames: []recording.Frame{program("runtime.schedule")}, Values: recording.Values{Switches: 1, RunnableNS: 7_000_000}},
		{Kind: recording.KindThreadCreate, Thread: "m/1", Frames: []recording.Frame{program("runtime.newm")}, Values: recording.Values{Threads: 4}},
		{Kind: recording.KindSocket, Thread: "m/1", Frames: talk, Values: recording.Values{SentBytes: 1000 * times, Calls: 1}},
		{Kind: recording.KindReplyWait, Thread: "m/1", Frames: talk, Values: recording.Values{Replies: 1, ReplyWaitNS: 20_000_000 * times}},
		{Kind: recording.KindRSS, Thread: "m/1", Frames: []recording.Frame{program("grow"), program("main.main")}, Values: recording.Values{RSSBytes: 50 << 20}},
	}
}

// countTrial gives a trial the counters that its stacks come to.
func countTrial(t *recording.Trial, stacks []recording.Stack) {
	t.Sched = &recording.Sched{Time: recording.ThreadTime{BlockedNS: map[string]int64{}}}
	t.Memory = &recording.Memory{}
	t.Threads.Made = 1
	var tcp recording.Transport
	for _, s := range stacks {
		tcp.SentBytes += s.Values.SentBytes
		t.Threads.Made += s.Values.Threads
		t.Sched.Time.RunnableNS += s.Values.RunnableNS
		t.Sched.Time.BlockedNS[recording.CauseFutex] += s.Values.BlockedNS
		t.Sockets.Awaiting.SumNS += s.Values.ReplyWaitNS
		t.Memory.GrownBytes += s.Values.RSSBytes
	}
	t.Sockets.Transports = map[string]recording.Transport{"tcp": tcp}
}

// Every kind is drawn as a picture and as folded stacks, alone and compared, and its total is its counter's.
func TestReportOfEveryKind(t *testing.T) {
	dir := stackRecording(t)
	for _, kind := range reports.Kinds() {
		for _, with := range [][]string{nil, {"--compare-with", "go-goroutines"}} {
			args := append([]string{"report", dir, "--kind", kind.Name, "--model", "go-threads"}, with...)
			code, svg, log := weft(t, append(args, "--format", "svg")...)
			goOnly := slices.Contains([]string{recording.KindGoroutine, recording.KindBlock, recording.KindMutex}, kind.Name)
			if kind.Name == recording.KindHeap || with != nil && goOnly { // nobody tells of heaps, and go-goroutines of nothing
				if code != exitFailed || !strings.Contains(log, "has nothing of kind "+kind.Name) {
					t.Errorf("%s compared with %q: exit %d, %s", kind.Name, with, code, log)
				}
				continue
			}
			if code != exitOK || xml.NewDecoder(strings.NewReader(svg)).Decode(&struct{}{}) != nil {
				t.Errorf("svg of %s: exit %d, %s", kind.Name, code, log)
			}
			if kind.Counter != nil {
				contains(t, kind.Name, svg, "The stacks add up to the counter of "+kind.Noun)
			}
			differs := with != nil && slices.Contains([]string{recording.KindCPU, recording.KindSocket, recording.KindReplyWait}, kind.Name)
			if got := strings.Contains(svg, `class="more3"`); got != differs {
				t.Errorf("%s compared with %q: red %v, want %v", kind.Name, with, got, differs)
			}
			code, folded, log := weft(t, append(args, "--format", "folded")...)
			if code != exitOK || strings.Contains(folded, "#") {
				t.Errorf("folded of %s: exit %d, %s%s", kind.Name, code, log, folded)
			}
		}
	}
	_, folded, _ := weft(t, "report", dir, "--kind", "offcpu", "--model", "go-threads", "--format", "folded")
	if want := "[scheduler];runtime.schedule;[runnable] 21000000\nmain.main;nap;schedule_[k];[futex] 900000000\n"; folded != want {
		t.Errorf("offcpu: %q, want %q", folded, want)
	}
	_, folded, _ = weft(t, "report", dir, "--kind", "socket", "--model", "go-threads", "--compare-with", "go-goroutines", "--format", "folded")
	if want := "main.main;talk;tcp_sendmsg_[k] 3000 9000\n"; folded != want {
		t.Errorf("socket compared: %q, want %q", folded, want)
	}
	for kind, want := range map[string]string{"goroutine": "main.wait 33\n", "block": "main.wait 15000000\n", "mutex": "main.wait 210000\n"} {
		if _, folded, _ = weft(t, "report", dir, "--kind", kind, "--model", "go-threads", "--format", "folded"); folded != want {
			t.Errorf("%s: %q, want %q", kind, folded, want)
		}
	}
	_, out, _ := weft(t, "report", dir)
	contains(t, "the report", out, "Stacks of profiled trials add up to the counters: RSS grown, off-CPU time, reply wait, socket bytes,", "threads made.")
}

// --top takes its number as its own word too, on either side of the directory.
func TestReportTop(t *testing.T) {
	dir := stackRecording(t)
	for _, args := range [][]string{{dir, "--top"}, {"--top", dir}, {dir, "--top=1"}, {dir, "--top", "1"}, {"--top", "1", dir}, {dir, "--top", "1", "--model", "go-threads"}} {
		code, out, log := weft(t, append([]string{"report"}, args...)...)
		if code != exitOK {
			t.Errorf("%q: exit %d, %s", args, code, log)
		}
		contains(t, fmt.Sprint(args), out, "Who pays in go-threads, with callees: the mean of 3 profiled trials", "main.main")
		all := len(args) == 2 && slices.Contains(args, "--top")
		if strings.Contains(out, "functions more") == all {
			t.Errorf("%q names not as many functions as were asked for:\n%s", args, out)
		}
		if strings.Contains(out, "go-goroutines") == slices.Contains(args, "--model") {
			t.Errorf("%q: which models?\n%s", args, out)
		}
	}
	// A directory whose name is a number is a directory.
	t.Chdir(filepath.Dir(dir))
	if err := os.Rename(dir, "30"); err != nil {
		t.Fatal(err)
	}
	if code, out, log := weft(t, "report", "--top", "30"); code != exitOK || !strings.Contains(out, "Who pays") {
		t.Errorf("--top 30 of a directory 30: exit %d, %s", code, log)
	}
}

func TestReportRefuses(t *testing.T) {
	dir := stackRecording(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--top=0"}, "--top 0: choose 1 or more"},
		{[]string{"--top", "--format", "svg"}, "--top is drawn as text"},
		{[]string{"--compare-with", "go-threads"}, "--compare-with is for --format svg or folded"},
		{[]string{"--format", "svg", "--kind", "cpu", "--model", "go-threads", "--compare-with", "go-threads"}, "choose another model"},
		{[]string{"--top", "3", "4"}, "accepts 1 arg(s)"},
		{[]string{"--model", "go-threads"}, "--model go-threads is for --format svg or folded, and --top"},
		{[]string{"--model", "nope", "--format", "html"}, "--model nope is for --format svg or folded, and --top"},
		{[]string{"--kind", "heap"}, "--kind heap is for --format svg or folded"},
		{[]string{"--kind", "heap", "--top"}, "--kind heap is for --format svg or folded"},
		{[]string{"--kind", "heap", "--format", "csv"}, "--kind heap is for --format svg or folded"},
		{[]string{"--top", "--model", "nope"}, `unknown model "nope": the recording has go-goroutines, go-threads`},
		{[]string{"--format", "svg", "--kind", "cpu", "--model", "nope"}, `unknown model "nope": the recording has go-goroutines, go-threads`},
		{[]string{"--format", "svg", "--kind", "cpu", "--model", "go-threads", "--compare-with", "nope"}, `unknown model "nope"`},
		{[]string{"--format", "svg", "--kind", "cpu"}, "choose one by --model: go-goroutines, go-threads"},
		{[]string{"--format", "svg", "--model", "go-threads"}, "choose one by --kind: cpu, "},
		{[]string{"--format", "pdf", "--model", "go-threads"}, "use one of text, html"},
	} {
		code, _, log := weft(t, append([]string{"report", dir}, test.args...)...)
		if code != exitUsage || !strings.Contains(log, test.want) {
			t.Errorf("%q: exit %d, %s", test.args, code, log)
		}
	}
	_, help, _ := weft(t, "report", "--help")
	contains(t, "help", help, "cpu, offcpu, threadcreate, socket, replywait, rss, heap, goroutine, block, mutex", "--compare-with", "--top")
	if !errors.Is(reports.Draw(io.Discard, &reports.View{}, "svg", reports.Options{Kind: "cpu"}), reports.ErrNoEvidence) {
		t.Error("an empty View has evidence")
	}
}

// The first signal ends a command that measures nothing, also while it waits for who reads it.
func TestReportEndsAtASignal(t *testing.T) {
	dir := stackRecording(t)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := weftProcess(t, "report", dir, "--format", "html") // more than a pipe holds
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		late := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		state, err := cmd.Process.Wait()
		late.Stop()
		if err != nil {
			t.Fatal(err)
		}
		if status := state.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != signal {
			t.Errorf("%v: %v", signal, state)
		}
	}
}

// On a narrow terminal the report is as wide as it.
func TestReportOnANarrowTerminal(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer master.Close()
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err := errors.Join(err, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 60})); err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := weftProcess(t, "report", stackRecording(t), "--top")
	cmd.Stdout = terminal
	if err := errors.Join(cmd.Start(), terminal.Close()); err != nil {
		t.Fatal(err)
	}
	drawn, _ := io.ReadAll(master) // its end is an error: nobody has the terminal open any more
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, drawn)
	}
	contains(t, "the report", string(drawn), "Who pays", "60 columns: left out ")
	for line := range strings.SplitSeq(string(drawn), "\r\n") {
		if width := text.StringWidthWithoutEscSequences(line); width > 60 {
			t.Errorf("%d columns: %q", width, line)
		}
	}
}

// What a report's head leaves out as usual is what weft's own origin does where it is told nothing.
func TestDefaultsAreNotNamed(t *testing.T) {
	if cfg := origin.DefaultConfig(); cfg.PageBytes != reports.DefaultPageBytes || cfg.Jitter != 0 || cfg.Rate != 0 {
		t.Errorf("%+v, and reports name pages of another size than %d, jitter and a rate", cfg, reports.DefaultPageBytes)
	}
}
