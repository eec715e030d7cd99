package recording

import (
	"slices"
	"testing"
)

// heldTrial is one whose gate costs 1,000 of each, and a task 23 bytes of user memory, 26 of the kernel's and 7 in
// queues; model is what it adds once.
func heldTrial(tasks, model int64, ways ...string) *Trial {
	gate := Snapshot{AnonymousBytes: 1000, Cost: map[string][]Part{}}
	held := Snapshot{AnonymousBytes: 1000 + model + 23*tasks, Waiting: tasks, Cost: map[string][]Part{}}
	parts := func(n, once int64) []Part {
		return []Part{
			{Name: PartUser, Bytes: 5000 + 99*n}, {Name: PartKernelStacks, Bytes: 1000 + once + 16*n},
			{Name: PartSockets, Bytes: 10 * n}, {Name: PartSocketBuffers, Bytes: 7 * n},
		}
	}
	for _, way := range ways {
		gate.Cost[way], held.Cost[way] = parts(0, 0), parts(tasks, model)
	}
	return &Trial{Snapshots: map[string]Snapshot{AtGate: gate, AtHeld: held}}
}

// vague gives the kernel's parts of the cgroup's account a bound.
func vague(trial *Trial, bound int64) *Trial {
	for _, s := range trial.Snapshots {
		for i := range s.Cost[ByCgroup] {
			s.Cost[ByCgroup][i].Bound = bound
		}
	}
	return trial
}

func TestHeldPerTask(t *testing.T) {
	without := func(point string) *Trial {
		trial := heldTrial(100, 0, ByProc)
		delete(trial.Snapshots, point)
		return trial
	}
	lacking := heldTrial(100, 0, ByProc)
	held := lacking.Snapshots[AtHeld]
	held.Cost[ByProc] = slices.DeleteFunc(held.Cost[ByProc], func(p Part) bool { return p.Name == PartSockets })

	for _, test := range []struct {
		name      string
		few, many *Trial
		way       string
		tasks     int64
		bound     float64
	}{
		{"both ways", heldTrial(10, 0, ByProc, ByCgroup), heldTrial(100, 0, ByProc, ByCgroup), ByCgroup, 90, 0},
		{"a bound of a tenth", vague(heldTrial(10, 0, ByProc, ByCgroup), 58), vague(heldTrial(100, 0, ByProc, ByCgroup), 58), ByCgroup, 90, 4 * 58 / 90.},
		{"a greater bound", vague(heldTrial(10, 0, ByProc, ByCgroup), 59), vague(heldTrial(100, 0, ByProc, ByCgroup), 59), ByProc, 90, 0},
		{"a greater bound and no other way", vague(heldTrial(10, 0, ByCgroup), 59), vague(heldTrial(100, 0, ByCgroup), 59), ByCgroup, 90, 4 * 59 / 90.},
		{"what is made once", heldTrial(10, 4096, ByProc), heldTrial(100, 4096, ByProc), ByProc, 90, 0},
		{"a way in one of them", heldTrial(10, 0, ByProc), heldTrial(100, 0, ByProc, ByCgroup), ByProc, 90, 0},
		{"fewer than asked for", heldTrial(10, 0, ByProc), heldTrial(18, 0, ByProc), ByProc, 8, 0},
		{"too few more", heldTrial(10, 0, ByProc), heldTrial(17, 0, ByProc), "", 0, 0},
		{"no way in both", heldTrial(10, 0, ByProc), heldTrial(100, 0, ByCgroup), "", 0, 0},
		{"no more tasks", heldTrial(10, 0, ByProc), heldTrial(10, 0, ByProc), "", 0, 0},
		{"fewer tasks", heldTrial(100, 0, ByProc), heldTrial(10, 0, ByProc), "", 0, 0},
		{"no second trial", heldTrial(10, 0, ByProc), nil, "", 0, 0},
		{"no first trial", nil, heldTrial(10, 0, ByProc), "", 0, 0},
		{"not held", heldTrial(10, 0, ByProc), without(AtHeld), "", 0, 0},
		{"no gate", heldTrial(10, 0, ByProc), without(AtGate), "", 0, 0},
		{"a part is missing", heldTrial(10, 0, ByProc), lacking, "", 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := TaskCost{}
			if test.way != "" {
				want = TaskCost{Way: test.way, Tasks: test.tasks, User: 23, Kernel: 26, Buffers: 7, Bound: test.bound}
			}
			got, ok := HeldPerTask(test.few, test.many)
			if got != want || ok != (test.way != "") {
				t.Errorf("got %+v, %v, want %+v", got, ok, want)
			}
		})
	}
}

func TestKernelBytes(t *testing.T) {
	trial := heldTrial(100, 0, ByProc)
	held := trial.Snapshots[AtHeld]
	if kernel, buffers := held.KernelBytes(ByProc); kernel != 1000+26*100 || buffers != 700 {
		t.Errorf("kernel %d, buffers %d", kernel, buffers)
	}
	if kernel, buffers := held.KernelBytes(ByCgroup); kernel != 0 || buffers != 0 {
		t.Errorf("of a way that is not known: kernel %d, buffers %d", kernel, buffers)
	}
}
