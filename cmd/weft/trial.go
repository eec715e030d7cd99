package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weft-profiler/weft/collector"
	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/workload"
	"github.com/weft-profiler/weft/workload/origin"
)

// readyWithin is how long a child may take to say that it is ready.
const readyWithin = 30 * time.Second

// running is a trial on its way.
type running struct {
	c        *comparison
	planned  workload.Trial
	trial    *recording.Trial
	watch    *collector.Watch
	child    *workload.Process
	workNS   int64                         // the child's own account of its CPU time
	held     workload.Heap                 // if it was held
	end      workload.Heap                 //
	profiles []goProfile                   // of a Go child, beside its heap
	memory   map[string]*workload.GoMemory // by point: what a Go child says of its own
}

// trial runs one trial. What goes wrong in it is the trial's failure too, and what was seen until then is kept.
func (c *comparison) trial(ctx context.Context, planned workload.Trial) (*recording.Trial, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.timeout)
	defer cancel()
	r := &running{c: c, planned: planned, memory: map[string]*workload.GoMemory{}, trial: &recording.Trial{
		Number:      planned.Number,
		Model:       planned.Model,
		Kind:        recording.Kind(planned.Kind),
		Concurrency: planned.Concurrency,
		GoMemory:    map[string]recording.GoMemory{},
	}}
	err := r.start(ctx)
	if err == nil {
		err = r.orDeath(r.throughTheGates(ctx))
		err = errors.Join(err, r.finish(ctx, err))
	}
	if err == nil && planned.Kind == workload.Profiled {
		err = r.addProfile()
	}
	if err == nil {
		err = r.workFailure()
	}
	if err != nil {
		r.trial.Failure = &recording.Failure{Cause: failureCause(ctx, err), Error: err.Error()}
	}
	return r.trial, err
}

func (r *running) start(ctx context.Context) error {
	model, err := workload.Lookup(r.planned.Model)
	if err != nil {
		return err
	}
	if err := r.c.origin.Begin(ctx, r.planned.Hold); err != nil {
		return err
	}
	cfg := r.c.options.plan.Config(r.planned, r.c.origin.URL(), workload.DefaultTimeout)
	command, err := r.c.command(model, cfg)
	if err != nil {
		return err
	}
	command.Credential = r.c.user.credential()
	stacks := r.planned.Kind == workload.Profiled
	r.watch, err = r.c.collector.Watch(r.trial, stacks, func() (int, error) {
		if r.child, err = workload.Start(ctx, command); err != nil {
			return 0, err
		}
		return r.child.PID(), nil
	})
	return err
}

// throughTheGates takes the child from its first gate to its second one.
func (r *running) throughTheGates(ctx context.Context) error {
	ready, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	memory, err := r.child.Ready(ready)
	if err != nil {
		return err
	}
	r.memory[recording.AtGate] = memory
	if err := r.watch.Gate(r.child.Go); err != nil {
		return err
	}
	if r.planned.Hold > 0 {
		if err := r.hold(ctx); err != nil {
			return err
		}
	}
	result, err := r.child.Done(ctx)
	if err != nil {
		return err
	}
	r.trial.Work, r.trial.Phases.LastNS = workRecord(result), result.EndNS
	r.workNS, r.memory[recording.AtEnd] = result.CPUNS, result.GoMemory
	if r.planned.Kind == workload.Profiled {
		r.addRates(result)
	}
	return nil
}

// hold measures while the origin holds every answer: what is there then is what waiting tasks cost.
func (r *running) hold(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-r.child.Exited(): // nobody will ask the origin any more
			cancel()
		case <-ctx.Done():
		}
	}()
	waiting, err := r.c.origin.Held(ctx)
	if err != nil {
		return err
	}
	if err := r.watch.Held(waiting); err != nil {
		return err
	}
	if r.planned.Kind == workload.Profiled {
		if r.held, err = r.child.Heap(ctx); err != nil {
			return err
		}
		if err := r.ask(ctx, workload.ProfileGoroutine); err != nil {
			return err
		}
	}
	return r.c.origin.Release(ctx)
}

// orDeath puts the end of a child that has died before what only followed from it.
func (r *running) orDeath(err error) error {
	if err == nil || errors.Is(err, workload.ErrDied) {
		return err
	}
	select {
	case <-r.child.Exited():
		if _, death := r.child.Wait(); death != nil {
			return fmt.Errorf("%w: %w", death, err)
		}
	default:
	}
	return err
}

// finish collects, lets the child go and reaps it. failed says why it did not get to its second gate.
func (r *running) finish(ctx context.Context, failed error) (err error) {
	defer func() { err = errors.Join(err, r.watch.Close()) }()
	err = r.watch.Done()
	if failed != nil {
		r.child.Kill()
		r.child.Wait()
		return nil // of a child that is gone /proc tells nothing more: `failed` is the cause
	}
	// The child's own clock was read at its last page; ours, at done, has the sorting in it too. It bounds what a
	// child may say.
	if 0 < r.workNS && r.workNS < r.trial.CPU.WorkNS {
		r.trial.CPU.WorkNS = r.workNS
	}
	if r.planned.Kind == workload.Profiled {
		asked := r.ask(ctx, workload.ProfileBlock, workload.ProfileMutex) // before heap, which waits for the collector
		var heapErr error
		r.end, heapErr = r.child.Heap(ctx)
		err = errors.Join(err, asked, heapErr)
	}
	stats, statsErr := r.c.origin.Stats(ctx)
	if statsErr == nil {
		r.addOrigin(stats)
	}
	r.addGoMemory()
	err = errors.Join(err, statsErr, r.child.Release())
	_, waitErr := r.child.Wait()
	r.trial.Phases.ExitNS = collector.Now()
	return errors.Join(err, waitErr)
}

// addGoMemory sets the child's words beside the kernel's of the same points.
func (r *running) addGoMemory() {
	for point, said := range r.memory {
		s, ok := r.trial.Snapshots[point]
		if said == nil || !ok {
			continue
		}
		r.trial.GoMemory[point] = collector.GoMemory(recording.GoMemory{
			HeapLive: said.HeapLive, HeapDead: said.HeapDead, Stacks: said.Stacks, Runtime: said.Runtime,
		}, s)
	}
}

func (r *running) addOrigin(stats origin.Stats) {
	account := &recording.Origin{
		Requests:     stats.Requests,
		PeakInFlight: stats.InFlightPeak,
		CPUNS:        stats.CPUNS,
		RunDelayNS:   stats.RunDelayNS,
	}
	for _, c := range stats.Connections {
		account.Connections = append(account.Connections, recording.OriginConnection{
			Port: c.Port, InBytes: c.In, OutBytes: c.Out, Requests: c.Requests,
		})
	}
	r.trial.Origin = account
	if stats.Dropped > 0 {
		r.trial.Lost = append(r.trial.Lost, recording.Loss{
			Cause: "origin_connections", Count: stats.Dropped, Detail: "the origin does not list them; its totals are complete",
		})
	}
	if stats.Missing != "" {
		r.trial.Missing = append(r.trial.Missing, recording.Missing{Probe: "origin: run delay", Reason: stats.Missing})
	}
}

// workFailure is failed units: a trial with any is no result.
func (r *running) workFailure() error {
	failed := 0
	for _, n := range r.trial.Work.Failed {
		failed += n
	}
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d of %d", errRequests, failed, r.planned.Requests)
}

var errRequests = errors.New("failed requests")

// failureCauses name what ended a trial: the first that matches.
var failureCauses = []struct {
	err   error
	cause string
}{
	{errRequests, "failed requests"},
	{workload.ErrNotReady, "not ready"}, // by a deadline of its own
	{context.DeadlineExceeded, "timeout"},
	{workload.ErrSetup, "set-up"},
	{workload.ErrProtocol, "protocol"},
	{workload.ErrDied, "died"},
	{origin.ErrExpired, "hold expired"},
	{origin.ErrUnreachable, "origin"},
}

func failureCause(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		err = errors.Join(ctx.Err(), err)
	}
	for _, f := range failureCauses {
		if errors.Is(err, f.err) {
			return f.cause
		}
	}
	return "other"
}

func workRecord(result workload.Result) recording.Work {
	work := recording.Work{Units: int(result.Units), Digest: result.Digest}
	for cause, failure := range result.Failures {
		if work.Failed == nil {
			work.Failed = map[string]int{}
		}
		work.Failed[cause] = int(failure.Count)
		work.Errors = append(work.Errors, cause+": "+failure.First)
	}
	slices.Sort(work.Errors)
	return work
}
