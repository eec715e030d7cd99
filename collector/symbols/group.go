package symbols

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/weft-profiler/weft/collector/recording"
)

// maxProcesses bounds a Group. Each process that has not ended costs one or two descriptors.
const maxProcesses = 1 << 10

var errTooManyProcesses = errors.New("too many processes: the stacks of some have no names")

// Group is the processes of one trial, by pid: stacks of those that end before names are asked for keep theirs if
// they were looked at in time. A pid that is used again within the trial keeps its first process.
type Group struct {
	symbolizer *Symbolizer

	mu      sync.Mutex
	members map[int]*Process // nil: looked at too late
	errs    []error
	full    bool // a process did not fit
}

// NewGroup returns a Group without processes.
func (s *Symbolizer) NewGroup() *Group {
	return &Group{symbolizer: s, members: make(map[int]*Process)}
}

// Look looks at processes, at those that are known again: call it when stacks of theirs were seen, the earlier
// the better. Those that are gone already are no error.
func (g *Group) Look(pids ...int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, pid := range pids {
		g.look(pid)
	}
}

func (g *Group) look(pid int) {
	p, known := g.members[pid]
	switch {
	case p != nil:
		_ = p.Refresh() // fails once it is gone; what was known stays
	case known:
	case len(g.members) == maxProcesses:
		g.full = true
	default:
		p, err := g.symbolizer.Process(pid)
		if err != nil {
			g.errs = append(g.errs, err)
		}
		g.members[pid] = p
	}
}

// Stack is [Process.Stack] of one of the processes. Where that was never seen alive its addresses stand for names.
func (g *Group) Stack(pid int, addresses []uint64) (frames []recording.Frame, cut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.members[pid]; p != nil {
		return p.Stack(addresses)
	}
	found := recording.FoundRegister
	for _, address := range addresses {
		frames = append(frames, recording.Frame{Function: fmt.Sprintf("process %d gone+%#x", pid, address), Found: found})
		found = recording.FoundFramePointer
	}
	return frames, true
}

// Problems says why names are missing: of files as [Process.Problems] has it, and of processes.
func (g *Group) Problems() []error {
	g.mu.Lock()
	defer g.mu.Unlock()
	errs := slices.Clone(g.errs)
	if g.full {
		errs = append(errs, errTooManyProcesses)
	}
	seen := make(map[string]bool)
	for _, p := range g.members {
		if p == nil {
			continue
		}
		for _, err := range p.Problems() {
			if text := err.Error(); !seen[text] {
				seen[text] = true
				errs = append(errs, err)
			}
		}
	}
	return errs
}

// Close lets go of the processes. Their stacks can still be named.
func (g *Group) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	for _, p := range g.members {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(errs...)
}
