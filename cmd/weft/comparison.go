package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"runtime"
	"time"

	"github.com/weft-profiler/weft/collector"
	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/reports"
	"github.com/weft-profiler/weft/workload"
	"github.com/weft-profiler/weft/workload/origin"
)

// comparison is one run of weft compare.
type comparison struct {
	options   compareOptions
	out, log  io.Writer
	user      *sudoUser
	exe       string
	python    *workload.Python  // runs the models in Python; nil where there are none
	runtimes  map[string]string // what they run on, by model
	skipped   []recording.Skipped
	origin    *origin.Handle
	collector *collector.Collector
	writer    *recording.Writer
	run       recording.Run
	profiles  map[string]*recording.ProfileBuilder
	profiled  map[string]profiled
	failed    map[string]int // trials in a row, by model
	originErr error          // the origin is gone, or serves another
}

// mostFailures is after how many failed trials in a row the rest of a model's trials are left out: each may
// last until its timeout.
const mostFailures = 3

func (c *comparison) openOrigin(ctx context.Context) error {
	var err error
	if c.options.url != "" {
		c.origin, err = origin.Connect(ctx, c.options.url)
		if errors.Is(err, origin.ErrUnreachable) {
			err = fmt.Errorf("%w: start one there with weft origin --listen HOST:PORT, and see that it can be reached from here", err)
		}
		return err
	}
	c.origin, err = origin.Spawn(ctx, c.exe, c.options.origin, c.user.credential())
	return c.user.adviseExecute(err, c.exe)
}

// checkLimits asks the host and the origin, before the start, for what the plan will need.
func (c *comparison) checkLimits() error {
	plan, identity := c.options.plan, c.origin.Identity()
	address, err := originAddress(c.origin.URL())
	if err != nil {
		return err
	}
	if err := workload.CheckLimits(plan.Demand(c.user.id(), address)); err != nil {
		return err
	}
	return usage(plan.CheckTimes(identity.Latency, identity.Rate, c.options.timeout))
}

func originAddress(text string) (netip.AddrPort, error) {
	u, err := url.Parse(text)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("origin's URL: %w", err)
	}
	address, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(u.Hostname(), port(u)))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("origin's address: %w", err)
	}
	return address.AddrPort(), nil
}

func port(u *url.URL) string {
	if u.Port() == "" {
		return "80"
	}
	return u.Port()
}

func (c *comparison) openRecording() error {
	writer, err := recording.Create(c.options.output, recording.Options{
		Force: c.options.force,
		Owner: c.user.owner(),
	})
	if err != nil {
		return err
	}
	c.writer = writer
	c.run = recording.Run{
		Tool:        "weft " + version,
		Started:     time.Now(),
		Command:     c.options.command,
		Host:        collector.ReadHost(),
		Plan:        c.planRecord(),
		Skipped:     c.skipped,
		Interrupted: true, // until it is not
	}
	for _, s := range workload.Settings() {
		c.run.Host.Environment = append(c.run.Host.Environment, recording.Variable(s))
	}
	c.profiles, c.profiled, c.failed = map[string]*recording.ProfileBuilder{}, map[string]profiled{}, map[string]int{}
	return c.writer.WriteRun(c.run)
}

func (c *comparison) planRecord() recording.Plan {
	plan, identity := c.options.plan, c.origin.Identity()
	return recording.Plan{
		Scenario:      "fetch",
		Models:        plan.Models,
		Requests:      plan.Requests,
		Concurrency:   plan.Concurrency,
		LatencyNS:     identity.Latency.Nanoseconds(),
		JitterNS:      identity.Jitter.Nanoseconds(),
		PageBytes:     int64(identity.PageBytes),
		PagesPerSec:   identity.Rate,
		KeepAlive:     plan.KeepAlive,
		URL:           c.options.url,
		WarmupTrials:  plan.Warmups,
		MeasuredRuns:  plan.Runs,
		HeldTrials:    plan.Held,
		TracedTrials:  plan.Traced,
		ProfileTrials: plan.Profiled,
		ControlTrials: plan.Controls,
		SampleHz:      int(c.options.tables.Frequency),
		TimeoutNS:     c.options.timeout.Nanoseconds(),
		Trials:        len(plan.Trials()),
		Details:       c.modelDetails(),
	}
}

// modelDetails is what weft knows of the plan's models.
func (c *comparison) modelDetails() []recording.ModelDetail {
	details := []recording.ModelDetail{}
	for _, name := range c.options.plan.Models {
		model, err := workload.Lookup(name)
		if err != nil {
			continue // the plan was checked
		}
		on := c.runtimes[name]
		if !model.Python() {
			on = runtime.Version()
		}
		details = append(details, recording.ModelDetail{
			Name: name, Summary: model.Summary, Sequential: model.Sequential, ThreadPerTask: model.Threads,
			Own: model.Own, Runtime: on,
		})
	}
	return details
}

// trials runs the plan. An interrupt ends it early, with what was finished. The error is of what could not be written.
func (c *comparison) trials(ctx context.Context) error {
	identity := c.origin.Identity()
	bar := newProgress(c.log, c.options, identity.Latency, identity.Rate)
	defer bar.finish()
	last := 0
	for trials := c.options.plan.Trials(); len(trials) > 0; trials = c.moreProfiled(last) {
		for _, planned := range trials {
			last = planned.Number
			if c.failed[planned.Model] >= mostFailures {
				continue
			}
			if planned.Kind == workload.Control && c.options.plan.Profiled > 0 {
				c.collector.PrepareStacks() // of control trials no time counts
			}
			bar.begin(planned)
			if more, err := c.finishTrial(ctx, planned); !more || err != nil {
				return errors.Join(err, c.finishRun(err != nil || c.originErr == nil))
			}
			bar.end(planned)
		}
	}
	return c.finishRun(false)
}

// finishTrial runs one trial and writes it down. It says whether another one can follow.
func (c *comparison) finishTrial(ctx context.Context, planned workload.Trial) (bool, error) {
	trial, err := c.trial(ctx, planned)
	if ctx.Err() != nil { // also in the middle of the trial, which is then no result
		return false, nil
	}
	if err := c.writer.WriteTrial(trial); err != nil {
		return false, err
	}
	c.failed[planned.Model]++
	if trial.OK() {
		c.failed[planned.Model] = 0
	}
	if errors.Is(err, origin.ErrUnreachable) || errors.Is(err, origin.ErrBusy) { // it is gone for us: no trial can follow
		c.originErr = err
		return false, nil
	}
	return true, nil
}

// Beyond the plan's profiled trials a model gets a third one where they are short (with two, models have to differ by four
// times as much to be told apart from noise), and more until its profile of the CPU has reports.EnoughSamples, but not
// without end, and not where it mostly waits: then the profile says that its samples are few.
const (
	enoughProfiled, enoughTime = 3, time.Second
	mostProfiled, mostTime     = 6, 5 * time.Second
)

// more says that another trial is wanted; none where nothing is to be profiled.
func (p profiled) more() bool {
	return p.trials > 0 && (p.trials < enoughProfiled && p.ns < enoughTime.Nanoseconds() ||
		p.samples < reports.EnoughSamples && p.trials < mostProfiled && p.ns < mostTime.Nanoseconds())
}

// moreProfiled gives another profiled trial to each model that wants one, numbered from after last on.
func (c *comparison) moreProfiled(last int) []workload.Trial {
	plan := c.options.plan
	var more []workload.Trial
	for _, model := range plan.Models {
		p := c.profiled[model]
		if p.trials < plan.Profiled || !p.more() || c.failed[model] > 0 {
			continue
		}
		more = append(more, plan.ProfiledTrial(last+len(more)+1, model))
	}
	return more
}

// finishRun writes the profiles and the last state of run.json.
func (c *comparison) finishRun(interrupted bool) error {
	for _, model := range c.options.plan.Models {
		builder := c.profiles[model]
		if builder == nil {
			continue
		}
		merged, err := builder.Profile()
		if err != nil {
			return fmt.Errorf("profile of %s: %w", model, err)
		}
		if err := c.writer.WriteProfile(model, merged); err != nil {
			return err
		}
	}
	c.run.Interrupted = interrupted
	return c.writer.WriteRun(c.run)
}

// closeCollector detaches the probes.
func (c *comparison) closeCollector() error {
	if c.collector == nil {
		return nil
	}
	err := c.collector.Close()
	c.collector = nil
	return err
}

func (c *comparison) close() error {
	errs := []error{c.closeCollector()}
	if c.writer != nil {
		errs = append(errs, c.writer.Close())
	}
	if c.origin != nil {
		errs = append(errs, c.origin.Close())
	}
	if c.python != nil {
		errs = append(errs, c.python.Close())
	}
	return errors.Join(errs...)
}
