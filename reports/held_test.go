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

// heldTrialOf takes growth from the gate to held: what is made once, and each task's share.
func heldTrialOf(tasks, once, each, kernelEach, bufferEach int64) *recording.Trial {
	cost := func(n int64) map[string][]recording.Part {
		return map[string][]recording.Part{
			recording.ByCgroup: {{Name: recording.PartUser, Bytes: 1 << 30}, {Name: recording.PartKernel, Bytes: 5000 + n*kernelEach}},
			recording.ByProc: {{Name: recording.PartTasks, Bytes: 4000 + n*kernelEach/2}, {Name: recording.PartSockets, Bytes: n},
				{Name: recording.PartSocketBuffers, Bytes: 77 + n*bufferEach}},
		}
	}
	return &recording.Trial{Kind: recording.Held, Snapshots: map[string]recording.Snapshot{
		recording.AtGate: {USSBytes: 9000 + once, Cost: cost(0)},
		recording.AtHeld: {USSBytes: 9000 + once + once + tasks*each, Waiting: tasks, Cost: cost(tasks)},
	}}
}

func TestHeldPerTask(t *testing.T) {
	// 10 and 97 of 100 were reached; what is made once cancels out.
	few, many := heldTrialOf(10, 500, 26, 40, 3), heldTrialOf(97, 500, 26, 40, 3)
	want := heldCost{user: 26, kernel: 40, buffers: 3, hasKernel: true, hasBuffers: true, tasks: 97}
	if got, ok := heldPerTask(few, many); !ok || got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	withoutWay := func(t *recording.Trial, point, way string) *recording.Trial {
		changed := heldTrialOf(t.Snapshots[recording.AtHeld].Waiting, 500, 26, 40, 3)
		delete(changed.Snapshots[point].Cost, way)
		return changed
	}
	// One reading without a cgroup: the other way, for all four.
	want.kernel = 21
	if got, ok := heldPerTask(withoutWay(few, recording.AtGate, recording.ByCgroup), many); !ok || got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	// Neither way: no kernel figure, but the user's.
	neither := withoutWay(many, recording.AtHeld, recording.ByProc)
	delete(neither.Snapshots[recording.AtGate].Cost, recording.ByCgroup)
	if got, ok := heldPerTask(few, neither); !ok || got != (heldCost{user: 26, tasks: 97}) {
		t.Errorf("%+v", got)
	}
}

func TestHeldPerTaskNeedsTasks(t *testing.T) {
	noGate := heldTrialOf(100, 0, 1, 1, 1)
	delete(noGate.Snapshots, recording.AtGate)
	few := heldTrialOf(10, 0, 1, 1, 1)
	for name, many := range map[string]*recording.Trial{
		"as many": heldTrialOf(10, 0, 1, 1, 1), "fewer": heldTrialOf(9, 0, 1, 1, 1), "no gate": noGate, "no snapshots": {},
	} {
		if got, ok := heldPerTask(few, many); ok {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
