package main

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/weft-profiler/weft/collector"
	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/workload"
)

// What weft costs, against the budgets of DESIGN.md, section 10. `make bench` runs all of this once.

// The budgets.
const (
	countersPercent = 4.0  // BPF time of the program's CPU, counting
	stacksPercent   = 20.0 // the same with all kinds of stacks
	lostEvents      = 0
	residentMiB     = 48.0
	startSeconds    = 0.5
)

// loadModel is the program of the load: as Go programs are written, and the one with the least CPU of its own,
// so that the ratio is the greatest.
const loadModel = "go-goroutines"

// loadPlan is the load: keep-alive requests without latency for pages of 1 KiB.
func loadPlan(requests, concurrency int, models ...string) compareOptions {
	opts := defaultCompareOptions()
	opts.plan = workload.Plan{Models: models, Runs: 1, Requests: requests, Concurrency: concurrency}
	opts.origin.Latency = 0
	opts.origin.PageBytes = 1024
	opts.timeout = 2 * time.Minute
	return opts
}

// prepared is a comparison up to its first trial.
func prepared(b *testing.B, opts compareOptions) *comparison {
	b.Helper()
	if err := collector.Supported(); err != nil {
		b.Skip(err)
	}
	opts.output = b.TempDir() + "/recording"
	if err := opts.complete(); err != nil {
		b.Fatal(err)
	}
	c := &comparison{options: opts, out: io.Discard, log: io.Discard}
	b.Cleanup(func() {
		if err := c.close(); err != nil {
			b.Error(err)
		}
	})
	if err := c.prepare(b.Context()); err != nil {
		b.Fatal(err)
	}
	return c
}

// planned is a trial of the comparison's plan, as of the kind.
func planned(c *comparison, kind workload.Kind, hold int) workload.Trial {
	plan := c.options.plan
	return workload.Trial{
		Number: 1, Model: plan.Models[0], Kind: kind, Hold: hold,
		Concurrency: plan.Concurrency, Requests: plan.Requests,
	}
}

// watched runs a trial under the probes.
func watched(b *testing.B, c *comparison, trial workload.Trial) *recording.Trial {
	b.Helper()
	done, _ := c.trial(b.Context(), trial) // its error is in the trial
	if !done.OK() {
		b.Fatalf("trial failed: %+v", done.Failure)
	}
	for _, m := range done.Missing {
		b.Errorf("missing: %+v", m)
	}
	return done
}

// spent is what a trial took, in ns.
type spent struct{ cpu, wall float64 }

func spentOf(t *recording.Trial) spent {
	return spent{float64(t.CPU.WorkNS), float64(t.Phases.LastNS - t.Phases.GateNS)}
}

// unwatched runs the same child through the same gates while no probe is attached.
func unwatched(ctx context.Context, c *comparison, trial workload.Trial) (spent, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.timeout)
	defer cancel()
	model, err := workload.Lookup(trial.Model)
	if err != nil {
		return spent{}, err
	}
	if err := c.origin.Begin(ctx, 0, 0); err != nil {
		return spent{}, err
	}
	cfg := c.options.plan.Config(trial, c.origin.URL(), workload.DefaultTimeout)
	command, err := c.command(model, cfg)
	if err != nil {
		return spent{}, err
	}
	child, err := workload.Start(ctx, command)
	if err != nil {
		return spent{}, err
	}
	defer child.Wait()
	defer child.Kill()
	if _, err := child.Ready(ctx); err != nil {
		return spent{}, err
	}
	gate := collector.Now()
	if err := child.Go(); err != nil {
		return spent{}, err
	}
	result, err := child.Done(ctx)
	if err != nil {
		return spent{}, err
	}
	return spent{float64(result.CPUNS), float64(result.EndNS - gate)}, child.Release()
}

// budget prints a line that `make bench` repeats at its end, and fails over the limit.
func budget(b *testing.B, what string, measured, limit float64, unit, how string) {
	b.Helper()
	verdict := "ok"
	if !(measured <= limit) {
		verdict = "OVER"
		b.Errorf("%s: %s, at most %s", what, figure(measured, unit), figure(limit, unit))
	}
	b.Logf("budget | %s | %s | %s | %s | %s", what, figure(measured, unit), figure(limit, unit), verdict, how)
	b.ReportMetric(0, "ns/op") // the time of the whole says nothing
}

func figure(v float64, unit string) string {
	if unit == "" {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g %s", v, unit)
}
