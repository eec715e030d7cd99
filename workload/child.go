package workload

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
)

// childName is argv[0] of a child that runs a model inside weft's own binary.
const childName = "weft-model"

// The sampling of profiled trials. Every wait is taken for the block and mutex
// profiles, so that counts and delays are sums and no estimates: what that costs
// is in no time that is told.
const (
	profileRate   = 4096 // bytes allocated a sample of the heap
	blockRate     = 1    // ns blocked a sample: all
	mutexFraction = 1    // waits for locks a sample: all
)

// Exit codes of a child of weft's own.
const (
	exitOK     = 0
	exitFailed = 1 // set-up failed, and weft was told why
	exitUsage  = 2 // not started by weft
	exitOrphan = 3 // weft went away
)

// IsChild reports whether this process was started to run a model: then
// [RunChild] has to be called first thing in main, before anything else of
// weft is touched, so that the child carries as little of weft as can be.
func IsChild(args []string) bool { return len(args) > 0 && args[0] == childName }

// RunChild runs the model that args name (argv: "weft-model", the model, the
// Config as JSON) and returns the exit code of the process. It talks to its
// parent over descriptors 3 and 4.
func RunChild(args []string) int {
	if len(args) != 3 {
		fmt.Fprintln(os.Stderr, "weft-model is started by weft itself: run weft compare")
		return exitUsage
	}
	// No samples at the default rate: they could not be told apart later, and
	// a timed trial takes none.
	runtime.MemProfileRate = 0
	cfg, model, err := childConfig(args)
	if cfg.Profile {
		runtime.MemProfileRate = profileRate
		runtime.SetBlockProfileRate(blockRate)
		runtime.SetMutexProfileFraction(mutexFraction)
	}
	c := child{in: bufio.NewReaderSize(pipeFile(gateIn), 64), out: pipeFile(gateOut), cfg: cfg}
	var f *fetch
	if err == nil {
		f, err = newFetch(context.Background(), cfg)
	}
	if err != nil {
		if err := c.sayJSON(wordFailed, setupFailure{Error: boundedText(err)}); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return exitFailed
	}
	return c.run(f, model)
}

func childConfig(args []string) (Config, Model, error) {
	var cfg Config
	if err := json.Unmarshal([]byte(args[2]), &cfg); err != nil {
		return Config{}, Model{}, fmt.Errorf("read config: %w", err)
	}
	model, err := Lookup(args[1])
	if err == nil && model.run == nil {
		err = fmt.Errorf("%w %q: it is a program of its own", ErrModel, model.Name)
	}
	return cfg, model, err
}

// child is the child's side of the gate.
type child struct {
	in  *bufio.Reader
	cfg Config

	mu  sync.Mutex // out, which a profile and done share
	out io.Writer
}

// run goes through the gate once.
func (c *child) run(f *fetch, model Model) int {
	var before, after runtime.MemStats
	memory := newGoMemoryReader()
	offer := readiness{GoMemory: memory.read()}
	if c.cfg.Profile {
		offer.Profiles = profileNames[:]
	}
	ready, err := withJSON(wordReady, offer)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	runtime.ReadMemStats(&before) // last, so that none of this counts as the work's
	if err := c.say(ready); err != nil {
		return exitOrphan
	}
	if word, err := readLine(c.in); err != nil || word != wordGo {
		return exitOrphan
	}
	// Profiled trials answer to heap and profile at any time, and pay a goroutine
	// and a thread for it. Others read nothing until they are done.
	ended := make(chan int, 1)
	if c.cfg.Profile {
		go func() { ended <- c.listen() }()
	}
	result := Result{StartNS: monotonicNS(), MemProfileRate: int64(runtime.MemProfileRate)}
	if c.cfg.Profile {
		result.BlockProfileRate, result.MutexProfileFraction = blockRate, mutexFraction
	}
	cpu := processCPUNS()
	f.endNS, f.endCPUNS = result.StartNS, cpu // of no requests at all
	if c.cfg.Requests > 0 {
		model.run(f)
	}
	result.EndNS, result.CPUNS = f.endNS, f.endCPUNS-cpu

	runtime.ReadMemStats(&after)
	result.AllocBytes = int64(after.TotalAlloc - before.TotalAlloc)
	result.AllocObjects = int64(after.Mallocs - before.Mallocs)
	result.Units, result.Failures = f.units(), f.failures
	result.Digest = f.digest()
	result.GoMemory = memory.read()
	if err := c.sayJSON(wordDone, result); err != nil {
		return exitOrphan
	}
	if !c.cfg.Profile {
		return c.listen()
	}
	code := <-ended
	runtime.KeepAlive(f) // the pages are in use, in a heap profile taken at the end
	return code
}

// listen answers the parent until it lets the child go.
func (c *child) listen() int {
	for {
		line, err := readLine(c.in)
		if err != nil {
			// The parent is gone: nobody waits for the work. In a profiled
			// trial the model may still be at it.
			os.Exit(exitOrphan)
		}
		switch word, name := splitWord(line); word {
		case wordExit:
			return exitOK
		case wordHeap:
			err = c.heap()
		case wordProfile:
			err = c.profile(name)
		}
		if err != nil {
			os.Exit(exitOrphan)
		}
	}
}

// say writes a line of the protocol.
func (c *child) say(line string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := io.WriteString(c.out, line+"\n"); err != nil {
		word, _ := splitWord(line)
		return fmt.Errorf("say %s: %w", word, err)
	}
	return nil
}

func (c *child) sayJSON(word string, value any) error {
	line, err := withJSON(word, value)
	if err != nil {
		return err
	}
	return c.say(line)
}

// heap collects garbage, so that the profile is of what is in use now, and
// sends it.
func (c *child) heap() error {
	runtime.GC()
	return c.send(wordHeap, "heap")
}

// profile sends another of the runtime's profiles; one that was not offered is
// empty.
func (c *child) profile(name string) error {
	answer := wordProfile + " " + name
	if !slices.Contains(profileNames[:], name) {
		name = ""
	}
	return c.send(answer, name)
}

// send answers with the runtime's profile of a name.
func (c *child) send(answer, name string) error {
	var data bytes.Buffer
	if p := pprof.Lookup(name); p != nil && c.cfg.Profile {
		if err := p.WriteTo(&data, 0); err != nil {
			return fmt.Errorf("write %s profile: %w", name, err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := fmt.Fprintf(c.out, "%s %d\n", answer, data.Len()); err != nil {
		return fmt.Errorf("say %s: %w", answer, err)
	}
	if _, err := data.WriteTo(c.out); err != nil {
		return fmt.Errorf("send %s: %w", answer, err)
	}
	return nil
}
