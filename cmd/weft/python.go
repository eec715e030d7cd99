package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/workload"
)

// lookAtPython finds out which models in Python can run, before anything is made. One that was named and can't is
// an error; one that is in the plan because all are is left out, and the report says so.
func (c *comparison) lookAtPython(ctx context.Context) error {
	plan := &c.options.plan
	models := pythonModels(plan.Models)
	if len(models) == 0 {
		return nil
	}
	found, interpreter, err := availability(ctx, c.options.python, c.user, models)
	if err != nil {
		return err
	}
	c.runtimes = map[string]string{}
	for _, model := range models {
		a := found[model.Name]
		if a.Lacks == nil {
			c.runtimes[model.Name] = a.Runtime
			continue
		}
		if c.options.named {
			return a.Lacks
		}
		c.skipped = append(c.skipped, recording.Skipped{Model: model.Name, Reason: a.Lacks.Reason, Advice: a.Lacks.Advice})
		plan.Models = slices.DeleteFunc(slices.Clone(plan.Models), func(name string) bool { return name == model.Name })
	}
	if len(c.runtimes) > 0 {
		c.python, err = workload.OpenPython(interpreter)
	}
	return err
}

func pythonModels(names []string) []workload.Model {
	var models []workload.Model
	for _, name := range names {
		if model, err := workload.Lookup(name); err == nil && model.Python() {
			models = append(models, model)
		}
	}
	return models
}

// availability asks the interpreter, as the user that the children will be. An interpreter that is not there is an
// error where it was named, else what all models in Python lack.
func availability(ctx context.Context, name string, as *sudoUser, models []workload.Model) (map[string]workload.Availability, string, error) {
	interpreter, err := workload.FindPython(name)
	if err == nil {
		found := workload.CheckPython(ctx, interpreter, as.credential(), models)
		if ctx.Err() != nil { // a look that was given up says nothing of what there is
			return nil, "", errInterrupted
		}
		return found, interpreter, nil
	}
	if name != "" || !errors.Is(err, workload.ErrInterpreter) {
		return nil, "", usage(err)
	}
	none := map[string]workload.Availability{}
	for _, model := range models {
		none[model.Name] = workload.Availability{Lacks: &workload.UnavailableError{
			Model: model.Name, Reason: "there is no Python", Advice: "apt-get install python3",
		}}
	}
	return none, "", nil
}

// command is how a model is started.
func (c *comparison) command(model workload.Model, cfg workload.Config) (workload.Command, error) {
	if !model.Python() {
		return workload.ModelCommand(c.exe, model, cfg), nil
	}
	if c.python == nil {
		return workload.Command{}, fmt.Errorf("start %s: its interpreter was not looked at", model.Name)
	}
	return c.python.Command(model, cfg), nil
}
