package collector

import (
	"testing"

	"github.com/weft-profiler/weft/bpf"
)

// What a thread's stacks come to is what its time says, whatever was not over when it was looked at and whatever came
// after.
func TestSettle(t *testing.T) {
	key := func(stack uint64) bpf.WeightKey { return bpf.WeightKey{Stack: stack, Tid: 7, Kind: bpf.StackOffCPU} }
	time := bpf.ThreadTime{Activity: bpf.ActivityFutex}
	time.Off.Tid, time.Off.Stack, time.Off.Kind = 7, 2, 4
	time.Work.Ns[bpf.ActivityFutex], time.Work.Ns[bpf.ActivitySleep], time.Work.Ns[bpf.ActivityRunnable] = 60, 40, 9
	for _, test := range []struct {
		name          string
		charged, want map[uint64]bpf.Weight
	}{
		{name: "not over", charged: map[uint64]bpf.Weight{1: {Count: 1, Amount: 70, Other: 4}},
			want: map[uint64]bpf.Weight{1: {Count: 1, Amount: 70, Other: 4}, 2: {Count: 1, Amount: 30, Other: 5}}},
		{name: "over, and longer", charged: map[uint64]bpf.Weight{1: {Count: 1, Amount: 70, Other: 4}, 2: {Count: 1, Amount: 33, Other: 6}},
			want: map[uint64]bpf.Weight{1: {Count: 1, Amount: 70, Other: 4}, 2: {Count: 1, Amount: 30, Other: 5}}},
		{name: "more came after", charged: map[uint64]bpf.Weight{2: {Count: 1, Amount: 3, Other: 9}, 1: {Count: 2, Amount: 110}},
			want: map[uint64]bpf.Weight{2: {Count: 1, Other: 9}, 1: {Count: 2, Amount: 100}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &Watch{c: &Collector{stacks: true}}
			w.noteOffCPU(time)
			weights := map[bpf.WeightKey]bpf.Weight{{Stack: 1, Tid: 8, Kind: bpf.StackOffCPU}: {Amount: 11}, {Stack: 1, Tid: 7, Kind: bpf.StackSocket}: {Amount: 13}}
			for stack, weight := range test.charged {
				weights[key(stack)] = weight
			}
			w.settle(weights)
			for stack, want := range test.want {
				if got := weights[key(stack)]; got != want {
					t.Errorf("stack %d: %+v, want %+v", stack, got, want)
				}
			}
			if len(weights) != len(test.want)+2 || weights[bpf.WeightKey{Stack: 1, Tid: 8, Kind: bpf.StackOffCPU}].Amount != 11 {
				t.Errorf("another's changed: %v", weights)
			}
		})
	}
}
