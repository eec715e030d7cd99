package collector

import (
	"errors"
	"fmt"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/collector/symbols"
)

// mostGoroutines is how many goroutines are known by their functions: a program that makes them without end must not take
// weft's memory.
const mostGoroutines = 1 << 20

// callbackEntry is the Entry of what Go code does that C called on a thread of its own: the runtime makes such a thread a
// goroutine that began with no function (runtime.oneNewExtraM).
const callbackEntry = "[callback from C]"

// goroutines are those of one process, by the runtime's own account.
type goroutines struct {
	names    *symbols.Process
	pid      int
	known    map[uint64]bpf.Goroutine // by goid
	unlisted int64                    // beyond mostGoroutines
	entries  map[uint64]string        // of start pcs
	creators map[uint64]string        // of pcs of go statements
}

// watchGoroutines makes the goroutines of a process known to the probes, from now on. It is nil, without an error, where
// there are none: the program is not Go's. An error that is symbols.ErrNotSupported says why they can't be told.
func watchGoroutines(probes *bpf.Probes, names *symbols.Process, pid int) (*goroutines, error) {
	r, err := names.GoRuntime()
	if errors.Is(err, symbols.ErrNotGo) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := probes.SetRuntime(pid, goRuntime(r)); err != nil {
		return nil, fmt.Errorf("watch goroutines: %w", err)
	}
	return &goroutines{
		names: names, pid: pid,
		known: map[uint64]bpf.Goroutine{}, entries: map[uint64]string{}, creators: map[uint64]string{},
	}, nil
}

func goRuntime(r symbols.Runtime) bpf.GoRuntime {
	return bpf.GoRuntime{
		Tls: r.TLS, G_m: r.M, G_goid: r.GoID, G_parent: r.Parent, G_gopc: r.GoPC, G_startpc: r.StartPC,
		G_lockedm: r.LockedM, M_curg: r.CurG,
	}
}

// take notes the goroutines that the probes saw: after the weights have been read. It may be called again and again.
func (g *goroutines) take(probes *bpf.Probes) error {
	if g == nil {
		return nil
	}
	return probes.TakeGoroutines(func(key bpf.GoroutineKey, goroutine *bpf.Goroutine) {
		if int(key.Pid) != g.pid {
			return
		}
		if _, known := g.known[key.Goid]; !known && len(g.known) >= mostGoroutines {
			g.unlisted++
			return
		}
		g.known[key.Goid] = *goroutine
	})
}

// of gives the goroutine of a weight: the zero value where none ran, or its process is not the one that is watched. Names
// are asked for while the process's mappings are known, so after the last symbols.Process.Refresh.
func (g *goroutines) of(key bpf.WeightKey) recording.Goroutine {
	switch {
	case g == nil || int(key.Pid) != g.pid || key.Goid == 0:
		return recording.Goroutine{}
	case key.Goid == bpf.GoidScheduler:
		return recording.Goroutine{Entry: recording.SchedulerGoroutine}
	}
	one, known := g.known[key.Goid]
	if !known {
		return recording.Goroutine{ID: key.Goid}
	}
	if one.StartPc == 0 {
		return recording.Goroutine{ID: key.Goid, Entry: callbackEntry}
	}
	return recording.Goroutine{
		ID:      key.Goid,
		Entry:   remember(g.entries, one.StartPc, g.names.Function),
		Creator: remember(g.creators, one.GoPc, g.names.Creator),
		Parent:  one.Parent,
	}
}

// remember names an address once: many goroutines begin alike.
func remember(names map[uint64]string, pc uint64, name func(uint64) string) string {
	known, ok := names[pc]
	if !ok {
		known = name(pc)
		names[pc] = known
	}
	return known
}
