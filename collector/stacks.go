package collector

import (
	"fmt"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/collector/recording"
)

// kinds are the recording's names of what stacks stand for.
var kinds = map[bpf.StackKind]string{
	bpf.StackThreadCreate: recording.KindThreadCreate,
	bpf.StackSocket:       recording.KindSocket,
	bpf.StackCPU:          recording.KindCPU,
	bpf.StackOffCPU:       recording.KindOffCPU,
	bpf.StackReplyWait:    recording.KindReplyWait,
	bpf.StackRSS:          recording.KindRSS,
}

// Stacks gives the named stacks of a profiled trial, after Done.
func (w *Watch) Stacks() []recording.Stack { return w.stacks }

// collectStacks names the stacks while the process and its mappings are still there.
func (w *Watch) collectStacks() error {
	if !w.c.stacks || w.names == nil {
		return nil
	}
	if err := w.names.Refresh(); err != nil {
		return fmt.Errorf("read mappings: %w", err)
	}
	stacks, weights, err := w.c.probes.Stacks()
	if err != nil {
		return err
	}
	names := map[int]string{}
	for _, t := range w.trial.Threads.List {
		names[t.TID] = t.Name
	}
	for key, weight := range weights {
		raw := stacks[key.Stack]
		stack := recording.Stack{
			Kind:   kinds[key.Kind],
			Thread: fmt.Sprintf("%s/%d", names[int(key.Tid)], key.Tid),
			Values: values(key.Kind, weight),
		}
		addresses := raw.Frames[:min(int(raw.Len), len(raw.Frames))]
		if int(key.Pid) == w.trial.PID {
			stack.Frames, stack.Cut = w.names.Stack(addresses)
		} else {
			stack.Frames, stack.Cut = w.foreignStack(int(key.Pid), addresses)
		}
		w.stacks = append(w.stacks, stack)
	}
	return nil
}

// foreignStack names a stack of a descendant, if it is still there; else its addresses stand for names.
func (w *Watch) foreignStack(pid int, addresses []uint64) ([]recording.Frame, bool) {
	process, err := w.c.symbols.Process(pid)
	if err == nil {
		defer process.Close()
		return process.Stack(addresses)
	}
	var frames []recording.Frame
	for _, address := range addresses {
		frames = append(frames, recording.Frame{Function: fmt.Sprintf("process %d gone+%#x", pid, address)})
	}
	return frames, true
}

// values reads a weight as its kind means it: see enum stack_kind in contract.h.
func values(kind bpf.StackKind, w bpf.Weight) recording.Values {
	count, amount, other := int64(w.Count), int64(w.Amount), int64(w.Other)
	switch kind {
	case bpf.StackThreadCreate:
		return recording.Values{Threads: count}
	case bpf.StackSocket:
		return recording.Values{Calls: count, SentBytes: amount, RecvBytes: other}
	case bpf.StackCPU:
		return recording.Values{Samples: count}
	case bpf.StackOffCPU:
		return recording.Values{Switches: count, BlockedNS: amount, RunnableNS: other}
	case bpf.StackReplyWait:
		return recording.Values{Replies: count, ReplyWaitNS: amount}
	case bpf.StackRSS:
		return recording.Values{RSSBytes: amount}
	}
	return recording.Values{}
}
