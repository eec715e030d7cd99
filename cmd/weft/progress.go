package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/weft-profiler/weft/reports"
	"github.com/weft-profiler/weft/workload"
)

// progress tells a person at a terminal what runs and how long it will take.
type progress struct {
	bar  *progressbar.ProgressBar // nil where nobody looks
	cost func(workload.Trial) time.Duration
}

func newProgress(w io.Writer, opts compareOptions, latency time.Duration, rate float64) *progress {
	p := &progress{cost: func(t workload.Trial) time.Duration { return t.Estimate(latency, rate) }}
	work := func(t workload.Trial) time.Duration { return t.EstimateWork(latency, rate) }
	if opts.quiet {
		return p
	}
	trials := append(opts.plan.Trials(), expected(opts.plan, work)...)
	var estimate time.Duration
	for _, t := range trials {
		estimate += p.cost(t)
	}
	fmt.Fprintf(w, "%d trials of up to %d pages, %v latency: about %v\n",
		len(trials), opts.plan.Requests, latency, estimate.Round(time.Second))
	if !isTerminal(w) {
		return p
	}
	// The unit is a millisecond of the estimate, so that slow models count for more.
	p.bar = progressbar.NewOptions64(estimate.Milliseconds(),
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetWidth(30),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish(),
	)
	return p
}

// expected are the profiled trials beyond the plan that will be wanted, if each takes what it is thought to.
func expected(plan workload.Plan, work func(workload.Trial) time.Duration) []workload.Trial {
	var trials []workload.Trial
	for _, model := range plan.Models {
		t := plan.ProfiledTrial(0, model)
		took := time.Duration(plan.Profiled) * work(t)
		if (profiled{trials: plan.Profiled, samples: reports.EnoughSamples, ns: took.Nanoseconds()}).more() {
			trials = append(trials, t)
		}
	}
	return trials
}

func (p *progress) begin(t workload.Trial) {
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("%-14s %-8s", t.Model, t.Kind))
	}
}

func (p *progress) end(t workload.Trial) {
	if p.bar != nil {
		p.bar.Add64(p.cost(t).Milliseconds())
	}
}

func (p *progress) finish() {
	if p.bar != nil {
		p.bar.Finish()
	}
}
