package reports

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
)

// callTable is the stacks of a profile as numbers of their calls, the same for all kinds: they are counted and
// compared faster than names.
type callTable struct {
	calls  []frame   // distinct calls, by number
	stacks [][]int32 // of the samples, root first
	deep   []bool    // the sample's stack went on beyond maxDepth
	cut    []bool    // its root was not reached
	trial  []int     // its trial, 0 where it has none
}

// keepOf gives what is read from the last profile asked for: to read all samples again for each kind takes longer than to
// draw them.
func keepOf[T any](read func(*profile.Profile) T) func(*profile.Profile) T {
	var mu sync.Mutex
	var kept T
	var of *profile.Profile
	return func(p *profile.Profile) T {
		mu.Lock()
		defer mu.Unlock()
		if of != p {
			kept, of = read(p), p
		}
		return kept
	}
}

func newCallTable(p *profile.Profile) *callTable {
	n := len(p.Sample)
	t := &callTable{stacks: make([][]int32, n), deep: make([]bool, n), cut: make([]bool, n), trial: make([]int, n)}
	numbers := numbering{table: t, calls: map[frame]int32{}, locations: map[*profile.Location][]int32{}}
	for i, sample := range p.Sample {
		t.cut[i] = isCut(sample)
		t.stacks[i], t.deep[i] = numbers.stack(sample, t.cut[i])
		t.trial[i] = trialOf(sample)
	}
	return t
}

// trialOf is the number of a sample's trial, 0 where it has none.
func trialOf(sample *profile.Sample) int {
	if n := sample.NumLabel["trial"]; len(n) > 0 && n[0] > 0 && n[0] < 1<<31 {
		return int(n[0])
	}
	return 0
}

// numbering gives calls their numbers, each location's once.
type numbering struct {
	table     *callTable
	calls     map[frame]int32
	locations map[*profile.Location][]int32
}

// stack gives the calls of a sample, root first, and whether there are more. The scheduler of a Go program is a row of
// its own above the root: what a thread did while no goroutine ran on it is nobody's.
func (n *numbering) stack(sample *profile.Sample, cut bool) (calls []int32, deep bool) {
	calls = make([]int32, 0, len(sample.Location)+2)
	if slices.Contains(sample.Label["goroutine"], recording.SchedulerGoroutine) {
		calls = append(calls, n.call(frame{name: recording.SchedulerGoroutine, made: true}))
	}
	if cut {
		calls = append(calls, n.call(frame{name: cutName, made: true}))
	}
	for _, location := range slices.Backward(sample.Location) {
		numbers, ok := n.locations[location]
		if !ok {
			for _, f := range locationFrames(location) {
				numbers = append(numbers, n.call(f))
			}
			n.locations[location] = numbers
		}
		calls = append(calls, numbers...)
		if len(calls) > maxDepth {
			return calls[:maxDepth], true
		}
	}
	return calls, false
}

func (n *numbering) call(f frame) int32 {
	number, ok := n.calls[f]
	if !ok {
		number = int32(len(n.table.calls))
		n.calls[f] = number
		n.table.calls = append(n.table.calls, f)
	}
	return number
}

// trialsIn are the trials that a profile's values of a kind are the sum of. A trial may have no sample at all: the profile
// says how many there are, and where these are all such trials of the model they are known by number.
func trialsIn(v *View, model string, p *profile.Profile, kind Kind) []int {
	from, comment := recording.Profiled, recording.CommentTrials
	if isTraced(p, kind) {
		from, comment = recording.Traced, recording.CommentHeapTrials
	}
	list := slices.DeleteFunc(slices.Clone(v.numbers(p)), func(n int) bool {
		t := v.trial(n)
		return t != nil && (t.Kind == recording.Traced) != (from == recording.Traced)
	})
	count := max(trialCount(p, comment), len(list), 1)
	var all []int
	for _, t := range v.trials {
		if t.Model == model && t.Kind == from && t.OK() {
			all = append(all, t.Number)
		}
	}
	if len(all) == count && !slices.ContainsFunc(list, func(n int) bool { return !slices.Contains(all, n) }) {
		return all
	}
	for len(list) < count {
		list = append(list, 0)
	}
	return list
}

// isTraced says that the values are of trials of their own, in which every allocation was traced.
func isTraced(p *profile.Profile, kind Kind) bool {
	return kind.Name == recording.KindHeap && trialCount(p, recording.CommentHeapTrials) > 0
}

// numbersOf are the trials of the samples, rising.
func numbersOf(p *profile.Profile) []int {
	var list []int
	for _, sample := range p.Sample {
		if n := trialOf(sample); n > 0 && (len(list) == 0 || list[len(list)-1] != n) {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// mostTrials bounds what a profile says of itself.
const mostTrials = 10_000

// trialCount is what the profile's comment says, 0 where there is none.
func trialCount(p *profile.Profile, prefix string) int {
	for _, comment := range p.Comments {
		if text, ok := strings.CutPrefix(comment, prefix); ok {
			if n, err := strconv.Atoi(text); err == nil && n > 0 && n <= mostTrials {
				return n
			}
		}
	}
	return 0
}
