package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/workload"
)

// goProfile is a profile that a Go child sent.
type goProfile struct {
	name string // workload's
	data []byte
}

// goProfiles are the recording's names of a child's profiles.
var goProfiles = map[string]string{
	workload.ProfileGoroutine: recording.GoroutineProfile,
	workload.ProfileBlock:     recording.BlockProfile,
	workload.ProfileMutex:     recording.MutexProfile,
}

// ask takes profiles from a child that has them.
func (r *running) ask(ctx context.Context, names ...string) error {
	for _, name := range names {
		data, err := r.child.Profile(ctx, name)
		if err != nil {
			return err
		}
		if len(data) > 0 {
			r.profiles = append(r.profiles, goProfile{name, data})
		}
	}
	return nil
}

// addRates keeps how a child sampled.
func (r *running) addRates(result workload.Result) {
	r.trial.Heap = &recording.Heap{RateBytes: result.MemProfileRate}
	if result.BlockProfileRate > 0 || result.MutexProfileFraction > 0 {
		r.trial.Contention = &recording.Contention{
			BlockRateNS: result.BlockProfileRate, MutexFraction: result.MutexProfileFraction,
		}
	}
}

// addProfile adds what the trial is for to the model's profile: of a traced trial the heap alone.
func (r *running) addProfile() error {
	builder := r.c.profiles[r.planned.Model]
	if builder == nil {
		builder = recording.NewProfileBuilder(r.c.run.Tool, r.planned.Model)
		r.c.profiles[r.planned.Model] = builder
	}
	if r.planned.Kind == workload.Profiled {
		builder.AddStacks(r.planned.Number, r.watch.Stacks())
		r.trial.Found = recording.FoundIn(r.watch.Stacks())
		r.c.profiled[r.planned.Model] = r.c.profiled[r.planned.Model].plus(r.watch.Stacks(), r.trial.Phases.DoneNS-r.trial.Phases.GateNS)
	}
	if r.planned.TakesHeap() {
		return r.addHeap(builder)
	}
	return nil
}

// addHeap adds what the child said of itself.
func (r *running) addHeap(builder *recording.ProfileBuilder) error {
	var err error
	switch {
	case r.held.Stacks:
		err = builder.AddHeapStacks(r.planned.Number, r.held.Data)
	case r.end.Stacks:
		err = builder.AddHeapStacks(r.planned.Number, r.end.Data)
	default:
		err = builder.AddHeap(r.planned.Number, r.held.Data, r.end.Data)
	}
	for _, p := range r.profiles {
		err = errors.Join(err, builder.AddGoProfile(r.planned.Number, goProfiles[p.name], p.data))
	}
	if err != nil {
		return fmt.Errorf("child's profiles: %w", err)
	}
	return nil
}

// profiled is what the profiled trials of a model came to.
type profiled struct {
	trials  int
	samples int64 // of the CPU
	ns      int64 // from the gate to done, a duration
}

func (p profiled) plus(stacks []recording.Stack, ns int64) profiled {
	p.trials++
	p.ns += ns
	for _, s := range stacks {
		p.samples += s.Values.Samples
	}
	return p
}
