// Package collector turns a live process into a trial of a recording: counters from package bpf, /proc at
// quiet points, names from package symbols.
//
// The stage before is the command line, which starts the process and stands at its gates; the stage after is
// package recording. Nothing right of that needs root, a kernel or a clock.
package collector

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/prometheus/procfs"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/collector/cost"
	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/collector/symbols"
)

// ErrNotSupported is what this kernel, these privileges or this place do not allow. The message says which, and
// what to do.
var ErrNotSupported = errors.New("not supported")

// Options size the kernel side's tables: see package bpf. Stacks is set by the watch.
type Options = bpf.Options

// Samples of a CPU a second: what it is unless set, and at most.
const (
	DefaultFrequency = bpf.DefaultFrequency
	MaxFrequency     = bpf.MaxFrequency
)

// DefaultMostStacks is how many distinct stacks of a trial are kept unless set.
const DefaultMostStacks = bpf.DefaultMostStacks

// Collector watches one process and its descendants at a time. Its methods are not safe for concurrent use.
type Collector struct {
	options   Options
	probes    *bpf.Probes
	stacks    bool        // what the probes take
	coming    chan loaded // probes that take stacks, nil where none were asked for in advance
	proc      procfs.FS
	symbols   *symbols.Symbolizer
	meter     *cost.Meter // nil where unmetered says why
	unmetered error
	kernel    func() (*symbols.Kernel, error) // read once, when first asked for: they take 3 MB
}

// loaded is what loading came to.
type loaded struct {
	probes *bpf.Probes
	err    error
}

// Open loads the probes. An error that is ErrNotSupported says what is missing for that.
//
// Close must be called on the result.
func Open(options Options) (*Collector, error) {
	if err := Supported(); err != nil {
		return nil, err
	}
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return nil, fmt.Errorf("open /proc: %w", err)
	}
	// The first use of a pidfd in a Go program makes a process, to find out whether pidfds work. It must not
	// happen while children are adopted.
	if _, err := os.FindProcess(os.Getpid()); err != nil {
		return nil, fmt.Errorf("find own process: %w", err)
	}
	c := &Collector{options: options, proc: proc, symbols: symbols.New(procfs.DefaultMountPoint)}
	c.kernel = sync.OnceValues(func() (*symbols.Kernel, error) { return symbols.OpenKernel(procfs.DefaultMountPoint) })
	c.meter, c.unmetered = cost.NewMeter()
	if err := c.load(false); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// loadGCPercent is GOGC while the probes are loaded: with 100, weft's peak is half as high again.
const loadGCPercent = 10

// load sees to it that the probes take stacks, or do not.
func (c *Collector) load(stacks bool) error {
	if c.probes != nil && c.stacks == stacks {
		return c.probes.Reset()
	}
	if c.probes != nil {
		if err := c.probes.Close(); err != nil {
			return fmt.Errorf("close probes: %w", err)
		}
		c.probes = nil
	}
	if stacks {
		if prepared := c.takePrepared(); prepared != nil {
			c.probes, c.stacks = prepared, stacks
			return c.probes.Reset() // what others did meanwhile is not this trial's
		}
	}
	now := openProbes(c.options, stacks)
	if now.err != nil {
		return fmt.Errorf("open probes: %w", now.err)
	}
	c.probes, c.stacks = now.probes, stacks
	return nil
}

// takePrepared gives what was loaded in advance, nil where nothing was, or not all of it could be: by itself it may.
func (c *Collector) takePrepared() *bpf.Probes {
	if c.coming == nil {
		return nil
	}
	prepared := <-c.coming
	c.coming = nil
	if prepared.err == nil && len(prepared.probes.Missing()) > 0 {
		prepared.probes.Close() // the next ones will say what is wrong
		return nil
	}
	return prepared.probes
}

// PrepareStacks loads in advance, while other trials go on, what a watch with stacks needs: it takes about a second.
// Trials of which a time counts should be over.
func (c *Collector) PrepareStacks() {
	if c.stacks || c.coming != nil {
		return
	}
	coming := make(chan loaded, 1)
	c.coming = coming
	go func() {
		c.kernel() // why there is none, who asks for it is told
		coming <- openProbes(c.options, true)
	}()
}

func openProbes(options Options, stacks bool) loaded {
	options.Stacks = stacks
	// Loading takes tens of MB, for the kernel's types. They are not to weigh on what is measured.
	percent := debug.SetGCPercent(loadGCPercent)
	probes, err := bpf.Open(options)
	debug.SetGCPercent(percent)
	debug.FreeOSMemory()
	return loaded{probes, err}
}

// Missing gives the probes that were refused.
func (c *Collector) Missing() []recording.Missing {
	missing := []recording.Missing{}
	for _, m := range c.probes.Missing() {
		missing = append(missing, recording.Missing{Probe: m.Object, Reason: inOneLine(m.Err)})
	}
	return missing
}

// inOneLine is what an error says: joined errors have a line each.
func inOneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// Close detaches the probes.
func (c *Collector) Close() error {
	var errs []error
	if prepared := c.takePrepared(); prepared != nil {
		errs = append(errs, prepared.Close())
	}
	if c.probes != nil {
		errs = append(errs, c.probes.Close())
	}
	return errors.Join(append(errs, c.symbols.Close())...)
}
