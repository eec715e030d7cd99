package collector

import (
	"errors"
	"fmt"
	"maps"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/collector/recording"
)

// drainStacksEvery is at which of the ring's drains the stacks are read too.
const drainStacksEvery = 12

// newThread stands for the stack of a thread that has not run yet.
const newThread = "[new thread]"

// kinds are the recording's names of what stacks stand for.
var kinds = map[bpf.StackKind]string{
	bpf.StackThreadCreate: recording.KindThreadCreate,
	bpf.StackSocket:       recording.KindSocket,
	bpf.StackCPU:          recording.KindCPU,
	bpf.StackOffCPU:       recording.KindOffCPU,
	bpf.StackReplyWait:    recording.KindReplyWait,
	bpf.StackRSS:          recording.KindRSS,
}

// awaited are the recording's names of how time ended in which a reply was awaited.
var awaited = map[bpf.Awaited]string{
	bpf.AwaitedReply:   recording.WaitReply,
	bpf.AwaitedRequest: recording.WaitRequest,
	bpf.AwaitedClose:   recording.WaitClose,
}

// Stacks gives the named stacks of a profiled trial, after Done.
func (w *Watch) Stacks() []recording.Stack { return w.stacks }

// collectStacks names the stacks while the process and its mappings are still there. It comes after collectSched.
func (w *Watch) collectStacks(threads []bpf.Thread) error {
	if !w.c.stacks || w.names == nil {
		return nil
	}
	if err := w.names.Refresh(); err != nil {
		return fmt.Errorf("read mappings: %w", err)
	}
	stacks, weights, err := w.drainLast()
	if err != nil {
		return err
	}
	if err := w.gos.take(w.c.probes); err != nil {
		return err
	}
	w.loseGoroutines()
	w.settle(weights)
	if _, err := w.c.kernel(); err != nil {
		w.trial.Missing = append(w.trial.Missing, recording.Missing{Probe: "names of the kernel's functions", Reason: inOneLine(err)})
	}
	w.lookAtOthers()
	n := w.newNamer(stacks)
	for key, weight := range weights {
		w.stacks = append(w.stacks, n.stacks(key, weight)...)
	}
	w.gos.made(w.trial.Threads.List, threads, func(hash uint64) []recording.Frame {
		return n.name(bpf.WeightKey{Stack: hash, Pid: uint32(w.trial.PID), Kind: bpf.StackThreadCreate}).frames
	})
	return nil
}

// drainLast reads the stacks for the last time, and at the same moment what they must add up to of that which goes on while
// the program stands still: its runtime may touch memory, and make a thread.
func (w *Watch) drainLast() (stacks map[uint64]bpf.Stack, weights map[bpf.WeightKey]bpf.Weight, err error) {
	for range looks {
		before, beforeErr := w.ongoing()
		stacks, weights, err = w.c.probes.Stacks()
		after, afterErr := w.ongoing()
		if err := errors.Join(beforeErr, err, afterErr); err != nil {
			return nil, nil, err
		}
		w.trial.Threads.Made = after.threads
		if w.trial.Memory != nil {
			w.trial.Memory.GrownBytes = after.grown
		}
		if before == after {
			break
		}
	}
	return stacks, weights, nil
}

// ongoing is what a program's runtime may do while the program stands still.
type ongoing struct {
	threads int64 // made
	grown   int64 // bytes
}

func (w *Watch) ongoing() (ongoing, error) {
	gauge, err := w.c.probes.Gauge(bpf.GaugeThreads)
	sums, memoryErr := w.c.probes.MemorySums()
	return ongoing{int64(gauge.Rises), int64(sums.Grown) * bpf.RSSUnit}, errors.Join(err, memoryErr)
}

func (w *Watch) loseGoroutines() {
	if w.gos != nil && w.gos.unlisted > 0 {
		w.trial.Lost = append(w.trial.Lost, recording.Loss{
			Cause: "goroutines_list_full", Count: w.gos.unlisted, Detail: "goroutines have no function that they began with; what they did is charged",
		})
	}
}

// offCPU is what a tid's threads were off the CPU for, by their own times.
type offCPU struct {
	blocked, runnable int64         // durations, from the gate to done
	last              bpf.WeightKey // where the last of them left the CPU
}

// noteOffCPU adds a thread's time, which ends at done, to what its stacks must come to.
func (w *Watch) noteOffCPU(t bpf.ThreadTime) {
	if !w.c.stacks {
		return
	}
	if w.off == nil {
		w.off = map[uint32]offCPU{}
	}
	sum := w.off[t.Off.Tid]
	for activity := range causes {
		sum.blocked += int64(t.Work.Ns[activity])
	}
	sum.runnable += int64(t.Work.Ns[bpf.ActivityRunnable])
	if t.Activity != bpf.ActivityNone || sum.last == (bpf.WeightKey{}) {
		sum.last = t.LeftAt()
	}
	w.off[t.Off.Tid] = sum
}

// settle charges the time off the CPU that was not over at done to where it began, and takes back what came after: the
// stacks are read a little later than the times. Charged and not over are then together what the times say.
func (w *Watch) settle(weights map[bpf.WeightKey]bpf.Weight) {
	rest := maps.Clone(w.off)
	for key, weight := range weights {
		if off, ok := rest[key.Tid]; ok && key.Kind == bpf.StackOffCPU {
			off.blocked -= int64(weight.Amount)
			off.runnable -= int64(weight.Other)
			rest[key.Tid] = off
		}
	}
	excess := map[uint32]*offCPU{} // that the stacks a tid left the CPU at last do not have
	for tid, off := range rest {
		off.add(weights)
		more := &offCPU{blocked: max(-off.blocked, 0), runnable: max(-off.runnable, 0)}
		more.takeFrom(weights, off.last)
		if *more != (offCPU{}) {
			excess[tid] = more
		}
	}
	if len(excess) == 0 {
		return
	}
	for key := range weights {
		if more := excess[key.Tid]; more != nil && key.Kind == bpf.StackOffCPU {
			more.takeFrom(weights, key)
		}
	}
}

// add charges what is more than nothing.
func (o offCPU) add(weights map[bpf.WeightKey]bpf.Weight) {
	if o.blocked <= 0 && o.runnable <= 0 {
		return
	}
	weight := weights[o.last]
	weight.Count++
	weight.Amount += uint64(max(o.blocked, 0))
	weight.Other += uint64(max(o.runnable, 0))
	weights[o.last] = weight
}

// takeFrom takes back from a weight as much as it has.
func (o *offCPU) takeFrom(weights map[bpf.WeightKey]bpf.Weight, key bpf.WeightKey) {
	weight, ok := weights[key]
	if !ok {
		return
	}
	blocked, runnable := min(o.blocked, int64(weight.Amount)), min(o.runnable, int64(weight.Other))
	weight.Amount -= uint64(blocked)
	weight.Other -= uint64(runnable)
	o.blocked -= blocked
	o.runnable -= runnable
	weights[key] = weight
}

// namer turns what the kernel side charged into stacks with names.
type namer struct {
	w       *Watch
	raw     map[uint64]bpf.Stack
	threads map[int]string
	named   map[namedKey]named
}

type namedKey struct {
	stack   uint64
	pid     uint32
	sampled bool
}

type named struct {
	frames []recording.Frame
	cut    bool
}

func (w *Watch) newNamer(raw map[uint64]bpf.Stack) *namer {
	n := &namer{w: w, raw: raw, threads: map[int]string{}, named: map[namedKey]named{}}
	for _, t := range w.trial.Threads.List {
		n.threads[t.TID] = t.Name
	}
	return n
}

// stacks gives what one weight comes to: time off the CPU is told apart by what was waited for, time in which a reply was
// awaited by what ended it.
func (n *namer) stacks(key bpf.WeightKey, w bpf.Weight) []recording.Stack {
	of := n.name(key)
	stack := recording.Stack{
		Kind:      kinds[key.Kind],
		Thread:    fmt.Sprintf("%s/%d", n.threads[int(key.Tid)], key.Tid),
		Goroutine: n.w.gos.of(key),
		Frames:    of.frames,
		Cut:       of.cut,
		Values:    n.w.values(key.Kind, w),
	}
	if key.Tid == 0 {
		stack.Thread = "" // of another process
	}
	if key.Kind == bpf.StackReplyWait {
		stack.Wait = awaited[bpf.Awaited(key.Wait)]
	}
	if key.Kind != bpf.StackOffCPU {
		return []recording.Stack{stack}
	}
	blocked, ready := stack, stack
	blocked.Wait, blocked.Values.RunnableNS = causes[bpf.Activity(key.Wait)], 0
	ready.Wait, ready.Values.BlockedNS = recording.WaitRunnable, 0
	switch {
	case stack.Values.BlockedNS == 0:
		return []recording.Stack{ready}
	case stack.Values.RunnableNS == 0:
		return []recording.Stack{blocked}
	}
	ready.Values.Switches = 0
	return []recording.Stack{blocked, ready}
}

// name gives the frames of a weight's stack, each stack once.
func (n *namer) name(key bpf.WeightKey) named {
	if key.Stack == 0 && key.Kind == bpf.StackOffCPU && bpf.Activity(key.Wait) == bpf.ActivityNone {
		return named{frames: []recording.Frame{{Function: newThread}}}
	}
	raw, ok := n.raw[key.Stack]
	if !ok {
		return named{cut: true}
	}
	id := namedKey{key.Stack, key.Pid, key.Kind == bpf.StackCPU}
	known, ok := n.named[id]
	if !ok {
		known.frames = n.kernel(raw, id.sampled)
		user, cut := n.user(int(key.Pid), raw.User)
		known.frames, known.cut = append(known.frames, user...), cut
		n.named[id] = known
	}
	return known
}

// kernel names the kernel's frames. Of a sample the first address is where the CPU was, and no probe is in it.
func (n *namer) kernel(raw bpf.Stack, sampled bool) []recording.Frame {
	names, err := n.w.c.kernel()
	switch {
	case len(raw.Kernel) == 0:
		return nil
	case err != nil:
		return []recording.Frame{{Function: recording.KernelBinary, Binary: recording.KernelBinary}}
	case sampled:
		return names.Sample(raw.Kernel)
	}
	frames := names.Stack(raw.Kernel)
	if raw.Path != 0 {
		for i := range frames {
			frames[i].Found = recording.FoundFirst
		}
	}
	return frames
}

func (n *namer) user(pid int, addresses []uint64) ([]recording.Frame, bool) {
	if len(addresses) == 0 {
		return nil, true
	}
	if pid == n.w.trial.PID {
		return n.w.names.Stack(addresses)
	}
	return n.w.others.Stack(pid, addresses)
}

// values reads a weight as its kind means it: see enum stack_kind in contract.h.
func (w *Watch) values(kind bpf.StackKind, weight bpf.Weight) recording.Values {
	count, amount, other := int64(weight.Count), int64(weight.Amount), int64(weight.Other)
	switch kind {
	case bpf.StackThreadCreate:
		return recording.Values{Threads: count}
	case bpf.StackSocket:
		return recording.Values{Calls: count, SentBytes: amount, RecvBytes: other}
	case bpf.StackCPU:
		return recording.Values{Samples: count, CPUNS: count * w.c.options.PeriodNS()}
	case bpf.StackOffCPU:
		return recording.Values{Switches: count, BlockedNS: amount, RunnableNS: other}
	case bpf.StackReplyWait:
		return recording.Values{Replies: count, ReplyWaitNS: amount}
	case bpf.StackRSS:
		return recording.Values{RSSBytes: amount}
	}
	return recording.Values{}
}
