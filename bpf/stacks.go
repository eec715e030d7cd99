package bpf

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
)

// DefaultMostStacks is how many distinct stacks, and how many weights, are kept unless set: some 300 bytes each.
const DefaultMostStacks = 1 << 17

// Stack is a call stack as the kernel side saw it: addresses, leaf first.
type Stack struct {
	Kernel []uint64 // the probe's own frames are among them
	User   []uint64

	// Path is not 0 where the kernel's frames were not walked at each event, but at the first of those with the same hook,
	// system call and User.
	Path uint64
}

func (s Stack) equal(other Stack) bool {
	return s.Path == other.Path && slices.Equal(s.User, other.User) && (s.Path != 0 || slices.Equal(s.Kernel, other.Kernel))
}

// ofRaw copies what is a stack's: what is behind its end is another one's.
func ofRaw(raw *taskStack) Stack {
	return Stack{
		Kernel: slices.Clone(raw.KernelFrames[:min(int(raw.Kernel), len(raw.KernelFrames))]),
		User:   slices.Clone(raw.UserFrames[:min(int(raw.User), len(raw.UserFrames))]),
		Path:   raw.Path,
	}
}

// readAtOnce is how many entries of a table are read in one call, of up to 1.5 kB each.
const readAtOnce = 512

// swapped is a table of the kernel side that is read by putting another in its place: map `outer` has the one of now.
type swapped struct {
	outer  *ebpf.Map
	inner  [2]*ebpf.Map
	active int
}

func newSwapped(outer *ebpf.Map, spec *ebpf.MapSpec) (*swapped, error) {
	s := &swapped{outer: outer}
	for i := range s.inner {
		m, err := ebpf.NewMap(spec)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("make map %s: %w", spec.Name, err), s.close())
		}
		s.inner[i] = m
	}
	if err := s.swap(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// swap puts the other table in place. No program uses the one before any more when it returns.
func (s *swapped) swap() error {
	s.active = 1 - s.active
	if err := s.outer.Put(uint32(0), s.inner[s.active]); err != nil {
		return fmt.Errorf("swap map %s: %w", s.outer, err)
	}
	return nil
}

// old is the table before the last swap.
func (s *swapped) old() *ebpf.Map { return s.inner[1-s.active] }

func (s *swapped) close() error {
	var errs []error
	for _, m := range s.inner {
		if m != nil {
			errs = append(errs, m.Close())
		}
	}
	return errors.Join(errs...)
}

// stackTables are the tables and what was read of them.
type stackTables struct {
	stacks, weights, weightsOverflow *swapped

	most int // of the stacks, and of the weights, are kept

	mu       sync.Mutex // guards all
	known    map[uint64]Stack
	collided map[uint64]bool // hashes of more than one stack, from when that was seen
	charged  map[WeightKey]Weight
	pids     map[int]bool
	lost     map[taskLoss]uint64 // on this side, by cause
}

func newStackTables(shared map[string]*ebpf.Map, spec *ebpf.CollectionSpec, most int) (*stackTables, error) {
	var errs []error
	open := func(name string) *swapped {
		s, err := newSwapped(shared[name], spec.Maps[name].InnerMap)
		errs = append(errs, err)
		return s
	}
	t := &stackTables{
		stacks: open(taskMapStacks), weights: open(taskMapWeights), weightsOverflow: open(taskMapWeightsOverflow),
		most: most,
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, t.close())
	}
	t.forget()
	return t, nil
}

func (t *stackTables) close() error {
	var errs []error
	for _, s := range []*swapped{t.stacks, t.weights, t.weightsOverflow} {
		if s != nil {
			errs = append(errs, s.close())
		}
	}
	return errors.Join(errs...)
}

// forget drops what was read.
func (t *stackTables) forget() {
	t.known, t.collided, t.charged = map[uint64]Stack{}, map[uint64]bool{}, map[WeightKey]Weight{}
	t.pids, t.lost = map[int]bool{}, map[taskLoss]uint64{}
}

// drain reads what came since the last time. The weights go first: a stack is in its table before its weight is.
func (t *stackTables) drain() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range []*swapped{t.weights, t.weightsOverflow, t.stacks} {
		if err := s.swap(); err != nil {
			return err
		}
	}
	if err := take(t.stacks.old(), func(hash uint64, raw *taskStack) { t.learn(hash, ofRaw(raw)) }); err != nil {
		return fmt.Errorf("map %s: %w", taskMapStacks, err)
	}
	if err := takeSlots(t.weights.old(), func(s *taskWeightSlot) bool { return s.Taken != 0 },
		func(s *taskWeightSlot) { t.charge(s.Key, s.Weight) }); err != nil {
		return err
	}
	if err := take(t.weightsOverflow.old(), func(key WeightKey, w *Weight) { t.charge(key, *w) }); err != nil {
		return fmt.Errorf("map %s: %w", taskMapWeightsOverflow, err)
	}
	return nil
}

// learn keeps a stack, if there is room.
func (t *stackTables) learn(hash uint64, s Stack) {
	switch known, ok := t.known[hash]; {
	case ok && !known.equal(s):
		t.lost[taskLossLOSS_STACK_COLLISION]++
		t.collided[hash] = true
	case !ok && len(t.known) >= t.most:
		t.lost[taskLossLOSS_STACK_FULL]++
	case !ok:
		t.known[hash] = s
	}
}

// charge adds to the sum of a key. Where several stacks have its hash it is not known whose it is.
func (t *stackTables) charge(key WeightKey, w Weight) {
	if t.collided[key.Stack] {
		key.Stack = 0
	}
	sum, ok := t.charged[key]
	if !ok && len(t.charged) >= t.most {
		t.lost[taskLossLOSS_WEIGHT_FULL] += w.Count
		return
	}
	if !ok && key.Pid != 0 {
		t.pids[int(key.Pid)] = true
	}
	t.charged[key] = Weight{Count: sum.Count + w.Count, Amount: sum.Amount + w.Amount, Other: sum.Other + w.Other}
}

// take reads a hash map whole and empties it.
func take[K comparable, V any](m *ebpf.Map, each func(K, *V)) error {
	var cursor ebpf.MapBatchCursor
	keys, values := make([]K, readAtOnce), make([]V, readAtOnce)
	for {
		n, err := m.BatchLookupAndDelete(&cursor, keys, values, nil)
		for i := range n {
			each(keys[i], &values[i])
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) { // that was the last of them
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// DrainStacks reads the stacks that were taken since the last time, so that their tables do not fill. It waits for the
// programs that run, some ms.
func (p *Probes) DrainStacks() error {
	if p.tables == nil {
		return nil
	}
	return p.tables.drain()
}

// StackPIDs gives the processes whose stacks were drained so far in the session.
func (p *Probes) StackPIDs() []int {
	if p.tables == nil {
		return nil
	}
	p.tables.mu.Lock()
	defer p.tables.mu.Unlock()
	return slices.Collect(maps.Keys(p.tables.pids))
}

// Stacks gives the distinct stacks of the session by hash, and what was charged to them. A weight whose stack could not
// be taken has stack 0; how many there are is in Losses.
func (p *Probes) Stacks() (map[uint64]Stack, map[WeightKey]Weight, error) {
	if p.tables == nil {
		return nil, nil, nil
	}
	if err := p.tables.drain(); err != nil {
		return nil, nil, err
	}
	p.tables.mu.Lock()
	defer p.tables.mu.Unlock()
	return p.tables.known, p.tables.charged, nil
}
