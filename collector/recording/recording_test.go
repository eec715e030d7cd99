package recording

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// newRun is a valid run of two models.
func newRun() Run {
	return Run{
		Version: Version,
		Tool:    "weft 0.1.0",
		Started: time.Date(2026, 11, 22, 15, 5, 1, 0, time.UTC),
		Command: []string{"weft", "compare"},
		Host:    Host{OS: "Debian GNU/Linux 13", Kernel: "6.18.0", Arch: "amd64", CPUs: 2, Environment: []Variable{{"GOGC", "off"}}},
		Plan: Plan{Scenario: "fetch", Models: []string{"go-threads", "py-asyncio"}, Requests: 23, Concurrency: 7, MeasuredRuns: 6, Trials: 12,
			Details: []ModelDetail{{Name: "go-threads", ThreadPerTask: true, Runtime: "go1.26"}}},
		Skipped: []Skipped{{Model: "py-gevent", Reason: "python3 has no gevent", Advice: "apt-get install python3-gevent"}},
	}
}

// newTrial is a valid trial with something in every part.
func newTrial(number int, model string) *Trial {
	return &Trial{
		Number: number, Model: model, Kind: Measured, Concurrency: 7, PID: 4711,
		Phases:  Phases{StartNS: 10, ReadyNS: 20, GateNS: 30, LastNS: 40, DoneNS: 50, ExitNS: 60},
		Work:    Work{Units: 23, Failed: map[string]int{}, Errors: []string{}, Digest: "9f86d081"},
		CPU:     CPU{SetupNS: 5, WorkNS: 8},
		Threads: Threads{Made: 8, MadeAtGate: 1, Gone: 7, Peak: 8, Processes: 1, List: []Thread{{PID: 4711, TID: 4712, Name: "worker", StartNS: 31, Time: newTime()}}},
		Sockets: Sockets{
			Transports:  map[string]Transport{"tcp": {SentBytes: 2300, SentCalls: 23, Opened: 7}},
			Connections: []Connection{{Cookie: 1 << 63, Transport: "tcp", Side: "client", OpenNS: 31, FirstSendNS: 32, FirstRecvNS: 38}},
			Awaiting:    Awaiting{Peak: 7, Replies: 23, SumNS: 230},
		},
		Curves: map[string]Curve{CurveThreads: {BucketNS: 5, Least: []int64{1, 2}, Greatest: []int64{2, 8}, Last: []int64{2, 2}}},
		Sched: &Sched{
			Time: *newTime(), RunQueue: Histogram{Counts: []int64{0, 3}, SumNS: 7},
			Wakers: []Waker{{TID: 0, Name: "idle", Count: 3}},
		},
		Memory: &Memory{PeakBytes: 9000, SetupPeakBytes: 4096, BoundBytes: 64, Foreign: 1},
		Snapshots: map[string]Snapshot{
			AtGate: {TimeNS: 29, RSSBytes: 4096, Cost: map[string][]Part{ByProc: {{Name: PartUser, Bytes: 4096, Source: "smaps_rollup"}}}},
			AtEnd:  {TimeNS: 51, RSSBytes: 8192, Cost: map[string][]Part{}},
		},
		GoMemory: map[string]GoMemory{AtEnd: {RSSBytes: 8192, HeapLive: 4096, Rest: 4096}},
		Load:     &HostLoad{BusyNS: 12, StealNS: 1, StallNS: 2},
		Origin:   &Origin{Requests: 23, PeakInFlight: 7, Connections: []OriginConnection{{Port: 40000, Requests: 23}}},
		Heap:     &Heap{RateBytes: 4096},
		Found:    []Found{{Kind: KindCPU, Widths: map[string]int64{FoundRegister: 8, FoundUnwinder: 16}}},
		Lost:     []Loss{{Cause: "ring_full", Count: 3, Detail: "thread names are missing"}},
		Missing:  []Missing{{Probe: "sock: sock_send_length", Reason: "no such tracepoint"}},
		BPF:      []ProgramCost{{Program: "task_newtask", Runs: 8, RunNS: 900}},
	}
}

func newTime() *ThreadTime {
	return &ThreadTime{RunningNS: 5, RunnableNS: 2, BlockedNS: map[string]int64{CauseFutex: 3}, Wakeups: 3, Migrations: 1}
}

func newProfile() *profile.Profile {
	f := &profile.Function{ID: 1, Name: "main.main"}
	l := &profile.Location{ID: 1, Line: []profile.Line{{Function: f, Line: 3}}}
	return &profile.Profile{
		SampleType: []*profile.ValueType{{Type: "threadcreate", Unit: "count"}},
		Sample:     []*profile.Sample{{Location: []*profile.Location{l}, Value: []int64{23}}},
		Location:   []*profile.Location{l},
		Function:   []*profile.Function{f},
	}
}

// write makes a recording of two trials and a profile, and gives its directory.
func write(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "recording")
	w := create(t, dir, Options{})
	steps := []error{
		w.WriteRun(newRun()),
		w.WriteTrial(newTrial(1, "go-threads")),
		w.WriteTrial(newTrial(2, "py-asyncio")),
		w.WriteProfile("go-threads", newProfile()),
	}
	for _, err := range steps {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func create(t *testing.T, dir string, opts Options) *Writer {
	t.Helper()
	w, err := Create(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func put(t *testing.T, name, data string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}
