package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	stats    origin.Stats                  // the origin's account
	held     workload.Heap                 // if it was held
	end      workload.Heap                 //
	profiles []goProfile                   // of a Go child, beside its heap
	memory   map[string]*workload.GoMemory // by point: what a Go child says of its own
}

// trial runs one trial. What goes wrong in it is the trial's failure too, and what was seen until then is kept.
func (c *comparison) trial(ctx context.Context, planned workload.Trial) (*recording.Trial, error) {
	life, end := context.WithCancelCause(ctx) // of the child
	defer end(nil)
	r := &running{c: c, planned: planned, memory: map[string]*workload.GoMemory{}, trial: &recording.Trial{
		Number:      planned.Number,
		Model:       planned.Model,
		Kind:        recording.Kind(planned.Kind),
		Concurrency: planned.Concurrency,
		GoMemory:    map[string]recording.GoMemory{},
	}}
	err := r.start(ctx, life, end)
	if err == nil {
		err = r.orDeath(life, r.throughTheGates(life))
		err = errors.Join(err, r.finish(ctx, life, err))
	}
	if err == nil {
		err = r.workFailure()
	}
	if err == nil {
		err = r.othersFailure()
	}
	if err == nil && (planned.Kind == workload.Profiled || planned.TakesHeap()) {
		err = r.addProfile()
	}
	if err != nil {
		r.trial.Failure = &recording.Failure{Cause: failureCause(err), Error: err.Error()}
	}
	return r.trial, err
}

// start starts the child, and with it the clock that ends its life by the timeout: what it takes to prepare the trial
// is not the child's.
func (r *running) start(ctx, life context.Context, end context.CancelCauseFunc) error {
	model, err := workload.Lookup(r.planned.Model)
	if err != nil {
		return err
	}
	if err := r.c.origin.Begin(ctx, r.planned.Requests, r.planned.Hold); err != nil {
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
		if r.child, err = workload.Start(life, command); err != nil {
			return 0, r.c.user.adviseExecute(err, command.Path)
		}
		clock := time.AfterFunc(r.c.options.timeout, func() { end(fmt.Errorf("%w within %v (--timeout)", errTimeout, r.c.options.timeout)) })
		context.AfterFunc(life, func() { clock.Stop() })
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
	var notHeld error
	if r.planned.Hold > 0 {
		if err := r.hold(ctx); errors.Is(err, errNotHeld) {
			notHeld = err
		} else if err != nil {
			return err
		}
	}
	result, err := r.child.Done(ctx)
	if err != nil {
		return err
	}
	r.trial.Work, r.trial.Phases.LastNS = workRecord(result), result.EndNS
	r.workNS, r.memory[recording.AtEnd] = result.CPUNS, result.GoMemory
	if r.planned.TakesHeap() {
		r.addRates(result)
	}
	if result.Failed() > 0 { // which is why nobody was held
		return nil
	}
	return notHeld
}

// hold measures while the origin holds every answer: what is there then is what waiting tasks cost.
func (r *running) hold(ctx context.Context) error {
	waiting, err := r.awaitHold(ctx)
	if err != nil {
		return err
	}
	if err := r.watch.Held(waiting); err != nil {
		return err
	}
	if r.planned.TakesHeap() {
		if r.held, err = r.child.Heap(ctx); err != nil {
			return err
		}
		if err := r.ask(ctx, workload.ProfileGoroutine); err != nil {
			return err
		}
	}
	return r.c.origin.Release(ctx)
}

// awaitHold waits until the origin holds the requests, or the child has a word to say or none any more: then nobody
// will ask the origin. A child whose work is over is errNotHeld.
func (r *running) awaitHold(ctx context.Context) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		err := r.child.Speaks(ctx)
		if err == nil {
			err = errNotHeld
		}
		cancel(err)
	}()
	waiting, err := r.c.origin.Held(ctx)
	cancel(nil)
	<-heard // the child is listened to by one at a time
	return waiting, err
}

// errNotHeld is work that was over before the origin held a request of it.
var errNotHeld = errors.New("the work ended and the origin has held no request")

// orDeath puts what ended the child before what only followed from it: the timeout, or its own end.
func (r *running) orDeath(life context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, errTimeout):
		return err
	case life.Err() != nil: // who died then was killed by us
		return fmt.Errorf("%w: %w", context.Cause(life), err)
	case errors.Is(err, workload.ErrDied):
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
func (r *running) finish(ctx, life context.Context, failed error) (err error) {
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
	if r.planned.TakesHeap() {
		asked := r.ask(life, workload.ProfileBlock, workload.ProfileMutex) // before heap, which waits for the collector
		var heapErr error
		r.end, heapErr = r.child.Heap(life)
		err = errors.Join(err, asked, heapErr)
	}
	var statsErr error
	if r.stats, statsErr = r.c.origin.Stats(ctx); statsErr == nil {
		r.addOrigin(r.stats)
	}
	r.addGoMemory()
	err = errors.Join(err, statsErr, r.child.Release())
	_, waitErr := r.child.Wait()
	r.trial.Phases.ExitNS = collector.Now()
	return r.orDeath(life, errors.Join(err, waitErr))
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
	if !stats.Settled {
		r.trial.Lost = append(r.trial.Lost, recording.Loss{
			Cause: "origin_unsettled", Count: 1, Detail: "the origin had not counted the end of each answer when it was asked, and not whether others asked it",
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

// othersFailure is a trial in which the origin did not answer the child's pages and nothing else: what it counted is not
// the child's, and whose time was taken nobody knows. Every page was fetched, so each has one answer; a request that was
// sent once more, because its connection had ended, had none before.
func (r *running) othersFailure() error {
	if !r.stats.Settled {
		return nil // the loss says so
	}
	pages, answered := int64(r.trial.Work.Units), r.stats.Responses+r.stats.InFlight
	switch {
	case r.stats.Strangers > 0:
		return fmt.Errorf("%w: it answered others %d times, on connections from before the trial: let nothing else use it", errOthers, r.stats.Strangers)
	case answered > pages:
		return fmt.Errorf("%w: it answered %d requests, %d of them the trial's: let nothing else use it", errOthers, answered, pages)
	case answered < pages:
		return fmt.Errorf("%w: it answered %d requests, and the trial has %d pages: reach it directly", errOthers, answered, pages)
	}
	return nil
}

var (
	errRequests = errors.New("failed requests")
	errOthers   = errors.New("the origin's requests are not the trial's")
	errTimeout  = errors.New("no end") // of the child, within the timeout
)

// failureCauses name what ended a trial: the first that matches.
var failureCauses = []struct {
	err   error
	cause string
}{
	{errRequests, "failed requests"},
	{workload.ErrNotReady, "not ready"}, // by a deadline of its own
	{errTimeout, "timeout"},
	{workload.ErrSetup, "set-up"},
	{workload.ErrProtocol, "protocol"},
	{workload.ErrDied, "died"},
	{errNotHeld, "not held"},
	{errOthers, "other requests"},
	{origin.ErrExpired, "hold expired"},
	{origin.ErrUnreachable, "origin"},
	{origin.ErrBusy, "origin"},
}

func failureCause(err error) string {
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
		text := failure.First
		if !strings.HasPrefix(text, cause) {
			text = cause + ": " + text
		}
		work.Errors = append(work.Errors, text)
	}
	slices.Sort(work.Errors)
	return work
}
