package reports

import (
	"reflect"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
)

func TestHeldPairs(t *testing.T) {
	held := func(c int) *recording.Trial { return &recording.Trial{Kind: recording.Held, Concurrency: c} }
	failed := held(10)
	failed.Failure = &recording.Failure{Cause: "died"}
	measured := &recording.Trial{Kind: recording.Measured, Concurrency: 100}
	tests := []struct {
		name   string
		trials []*recording.Trial
		want   []heldPair
	}{
		{"none", nil, nil},
		{"one", []*recording.Trial{held(10)}, nil},
		{"sequential", []*recording.Trial{held(1), held(1), held(1)}, nil},
		{"pair", []*recording.Trial{measured, held(10), measured, held(100)}, []heldPair{{1, 3}}},
		{"two pairs", []*recording.Trial{held(10), held(100), held(10), held(100)}, []heldPair{{0, 1}, {2, 3}}},
		{"cut off", []*recording.Trial{held(10), held(100), held(10)}, []heldPair{{0, 1}}},
		{"half is lost", []*recording.Trial{held(100), held(10), held(100)}, []heldPair{{1, 2}}},
		{"half failed", []*recording.Trial{failed, held(100), held(10), held(100)}, []heldPair{{2, 3}}},
	}
	for _, test := range tests {
		if got := heldPairs(test.trials); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// heldTrialOf has of each task 26 bytes of user memory, 40 of the kernel's and 3 in queues.
func heldTrialOf(tasks int64) *recording.Trial {
	parts := func(n int64) map[string][]recording.Part {
		return map[string][]recording.Part{recording.ByProc: {
			{Name: recording.PartTasks, Bytes: 4000 + 40*n}, {Name: recording.PartSocketBuffers, Bytes: 77 + 3*n},
		}}
	}
	return &recording.Trial{Kind: recording.Held, Snapshots: map[string]recording.Snapshot{
		recording.AtGate: {AnonymousBytes: 9000, Cost: parts(0)},
		recording.AtHeld: {AnonymousBytes: 9500 + 26*tasks, Waiting: tasks, Cost: parts(tasks)},
	}}
}

func TestHeldFigures(t *testing.T) {
	few, many := heldTrialOf(10), heldTrialOf(97)
	for name, want := range map[string]float64{
		"held-user-B/task": 26, "held-kernel-B/task": 40, "held-socket-buffers-B/task": 3, "held-tasks": 97,
	} {
		if got, ok := heldMetric(t, name).Pair(few, many); !ok || got != want {
			t.Errorf("%s: %v, %v, want %v", name, got, ok, want)
		}
	}
	for _, s := range []recording.Snapshot{few.Snapshots[recording.AtGate], few.Snapshots[recording.AtHeld],
		many.Snapshots[recording.AtGate], many.Snapshots[recording.AtHeld]} {
		s.Cost[recording.ByProc] = s.Cost[recording.ByProc][:1]
	}
	if got, ok := heldMetric(t, "held-socket-buffers-B/task").Pair(few, many); ok {
		t.Errorf("socket buffers that nobody read: %v", got)
	}
	if got, ok := heldMetric(t, "held-kernel-B/task").Pair(few, few); ok {
		t.Errorf("a pair that does not differ: %v", got)
	}
}

func heldMetric(t *testing.T, name string) Metric {
	t.Helper()
	for _, m := range heldMetrics() {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("no metric %s", name)
	return Metric{}
}

func TestFindNotHeld(t *testing.T) {
	r := newRecording()
	expect(t, r, "held-not-reached") // py-threads has its finding already
	each(r, "go-goroutines", recording.Held, func(t *recording.Trial) {
		held := t.Snapshots[recording.AtHeld]
		held.Waiting = min(held.Waiting, 60)
		t.Snapshots[recording.AtHeld] = held
	})
	expect(t, r, "held-not-reached", Finding{Severity: Warning, Model: "go-goroutines",
		Text:     "go-goroutines held 60 of 100 requests: HELD/TASK is that of so few.",
		Evidence: "requests at the origin when none had come for half a second",
		Advice:   "Compare at -c 60, or see what keeps it from sending."})
}

// One helper thread more would be the cost of so few tasks.
func TestFindFewHeld(t *testing.T) {
	r := newRecording()
	expect(t, r, "held-too-few")
	alike := func(model string, few, many int64) {
		each(r, model, recording.Held, func(t *recording.Trial) {
			held := t.Snapshots[recording.AtHeld]
			held.Waiting = few
			if t.Concurrency == 100 {
				held.Waiting = many
			}
			held.Cost = costOfTasks(figuresOf(model), held.Waiting, held.USSBytes)
			t.Snapshots[recording.AtHeld] = held
		})
	}
	alike("go-goroutines", 1, 9)
	expect(t, r, "held-too-few")
	alike("go-goroutines", 1, 8)
	alike("go-threads", 1, 2)
	want := Finding{Severity: Remark,
		Text:     "No HELD/TASK of go-threads, go-goroutines: the held trials differ by fewer than 8 tasks.",
		Evidence: "go-threads: 1 and 2 held; go-goroutines: 1 and 8 held",
		Advice:   "Compare at -c 20 or more: a helper thread or a span of the heap would count as the cost of so few."}
	expect(t, r, "held-too-few", want)
	for _, m := range NewView(r).Models {
		if few := m.Name == "go-threads" || m.Name == "go-goroutines"; few && m.Figure("held-kernel-B/task") != nil {
			t.Errorf("%s has the figure all the same", m.Name)
		}
	}
}
