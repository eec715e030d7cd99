package reports

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// payerColumns are the kinds of the table of who pays, in its order; those that a profile lacks are left out.
func payerColumns() []string {
	return []string{recording.KindHeap, recording.KindThreadCreate, recording.KindSocket, recording.KindReplyWait,
		recording.KindOffCPU, recording.KindRSS, recording.KindCPU}
}

// payersAbout is how the table of who pays is to be read. docs/metrics.md has it too.
const payersAbout = "Each figure is what the function and everything that it called came to in one profiled trial, the mean over them; the heap of a model in Python is of a traced trial. " +
	"Functions stand in the order of their greatest share of a column, then of the sum of their shares. Of functions that are in exactly the same stacks only the " +
	"innermost is named, and the kernel's are left out: what they cost is in their callers."

// payers is who pays in one model, by function.
type payers struct {
	Model   string
	Trials  int // profiled ones
	Traced  int // those that the heap is from, where it was traced in trials of its own
	Kinds   []Kind
	Totals  []float64 // by kind, of one trial
	Rows    []payer
	Dropped int // functions that are not in Rows
}

// payer is one function. Where it calls itself it is counted once.
type payer struct {
	Name  string
	File  string
	Total []float64 // by kind, with callees, of one trial
	Self  []float64 // by kind, without callees
	share float64   // the greatest of a column
	sum   float64   // of its shares of all columns
	same  uint64    // equal for functions that are in the same stacks
	depth int       // where it was seen last
}

// newPayers sums all kinds over one model's stacks; nil where there is nothing to pay.
func newPayers(v *View, model string, most int) (*payers, error) {
	p, err := v.profile(model)
	if err != nil {
		return nil, err
	}
	list := &payers{Model: model}
	var all []*stacks
	for _, name := range payerColumns() {
		s, err := stacksOf(v, Options{Kind: name, Model: model})
		if errors.Is(err, ErrNoEvidence) {
			continue // the profile has no such kind
		}
		if err != nil {
			return nil, err
		}
		if total := s.total(); total > 0 {
			list.count(s)
			all = append(all, s)
			list.Kinds = append(list.Kinds, s.kind)
			list.Totals = append(list.Totals, float64(total)/float64(len(s.trials)))
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	rows := sumPayers(v.calls(p), all, list)
	list.Rows = firstOf(rows, most)
	list.Dropped = len(rows) - len(list.Rows)
	return list, nil
}

// count takes up how many trials a kind's stacks are of.
func (p *payers) count(s *stacks) {
	if isTraced(s.profile, s.kind) {
		p.Traced = len(s.trials)
		return
	}
	p.Trials = len(s.trials)
}

// TrialsText says what the figures are of.
func (p *payers) TrialsText() string {
	var parts []string
	for _, of := range []struct {
		count     int
		one, many string
	}{
		{p.Trials, "one profiled trial", "the mean of %d profiled trials"},
		{p.Traced, "the heap of one traced trial", "the heap of %d traced trials"},
	} {
		switch {
		case of.count == 1:
			parts = append(parts, of.one)
		case of.count > 1:
			parts = append(parts, fmt.Sprintf(of.many, of.count))
		}
	}
	return strings.Join(parts, " and ")
}

// paying is a function while it is summed.
type paying struct {
	payer
	last int // the stack in which it was counted last, from 1
}

func sumPayers(calls *callTable, all []*stacks, list *payers) []payer {
	functions, names := make([]*paying, len(calls.calls)), map[string]*paying{}
	for i, call := range calls.calls {
		f, ok := names[call.name]
		if !ok {
			f = &paying{payer: payer{Name: call.name, File: call.file, Total: make([]float64, len(all)), Self: make([]float64, len(all))}}
			names[call.name] = f
		}
		functions[i] = f
	}
	values := make([]float64, len(all))
	for i, sample := range all[0].profile.Sample {
		some := false
		for k, s := range all {
			values[k] = float64(s.value(sample)) / float64(len(s.trials))
			some = some || values[k] > 0
		}
		if some {
			charge(calls, functions, i, values)
		}
	}
	return rankPayers(names, calls, list)
}

// charge adds one stack's values to its functions. The kernel's part of a stack is its caller's own.
func charge(calls *callTable, functions []*paying, i int, values []float64) {
	mark := mix(uint64(i))
	var innermost *paying
	for depth, call := range calls.stacks[i] {
		f := functions[call]
		f.depth = depth
		if frame := &calls.calls[call]; !frame.kernel && !frame.made {
			innermost = f
		}
		if f.last == i+1 {
			continue
		}
		f.last = i + 1
		f.same += mark
		for k, value := range values {
			f.Total[k] += value
		}
	}
	if innermost != nil {
		for k, value := range values {
			innermost.Self[k] += value
		}
	}
}

// mix spreads numbers over 64 bits, so that sums of different sets differ (the finalizer of MurmurHash3).
func mix(x uint64) uint64 {
	x++
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// rankPayers leaves out what says nothing new, and puts first who has the greatest share of anything.
func rankPayers(names map[string]*paying, calls *callTable, list *payers) []payer {
	innermost := map[uint64]*paying{}
	for _, call := range calls.calls {
		f := names[call.name]
		if call.kernel || call.made || f.last == 0 {
			continue
		}
		if other := innermost[f.same]; other == nil || f.depth > other.depth {
			innermost[f.same] = f
		}
	}
	var rows []payer
	for _, f := range innermost {
		for k, total := range f.Total {
			f.share = max(f.share, total/list.Totals[k])
			f.sum += total / list.Totals[k]
		}
		rows = append(rows, f.payer)
	}
	slices.SortFunc(rows, func(a, b payer) int {
		return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(b.sum, a.sum), strings.Compare(a.Name, b.Name))
	})
	return rows
}
