package workload

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Kind is what a trial is for.
type Kind string

// The kinds of trials.
const (
	Warmup   Kind = "warmup"   // one wave, not evaluated: it has the origin make the pages, which it keeps
	Measured Kind = "measured" // counters only, timed
	Held     Kind = "held"     // one wave, which the origin answers when all of it wait: what a waiting task costs
	Traced   Kind = "traced"   // held too; the heap of a model that can tell of it only by tracing every allocation
	Profiled Kind = "profiled" // the first wave held too; stacks, and the heap where it is sampled, never timed
	Control  Kind = "control"  // through the gate without work: what the program costs before any
)

// Trial is one execution of one model in a fresh process.
type Trial struct {
	Number      int // from 1, in the order of execution
	Model       string
	Kind        Kind
	Concurrency int // what the model is asked for
	Requests    int // 0 in control trials
	Hold        int // how many requests the origin waits for, 0 for none
}

// Plan is what a comparison consists of. The counts are trials per model, but for warm-ups.
type Plan struct {
	Models      []string
	Runs        int // measured trials
	Warmups     int // in all, of the model with most in flight
	Held        int // most pairs of held trials, at a fifth of the concurrency and at all of it
	Traced      int // of models in Python
	Profiled    int
	Controls    int
	Requests    int // of a measured or profiled trial
	Concurrency int
	KeepAlive   bool
}

// CheckValid reports the first thing wrong with p.
func (p Plan) CheckValid() error {
	if len(p.Models) == 0 {
		return fmt.Errorf("plan: no models: name some of weft compare --list")
	}
	seen := make(map[string]bool)
	for _, name := range p.Models {
		if _, err := Lookup(name); err != nil {
			return fmt.Errorf("plan: %w", err)
		}
		if seen[name] {
			return fmt.Errorf("plan: model %s twice", name)
		}
		seen[name] = true
	}
	for _, count := range []struct {
		name       string
		value, min int
	}{
		{"runs", p.Runs, 0}, {"warm-ups", p.Warmups, 0}, {"held trials", p.Held, 0},
		{"traced trials", p.Traced, 0}, {"profiled trials", p.Profiled, 0}, {"control trials", p.Controls, 0},
		{"requests", p.Requests, 1}, {"concurrency", p.Concurrency, 1},
	} {
		if count.value < count.min {
			return fmt.Errorf("plan: %d %s, want at least %d", count.value, count.name, count.min)
		}
	}
	return nil
}

// Trials returns the trials in their order: warm-ups, measured, held,
// traced, control, profiled. Each kind goes round by round through all models, never
// all trials of one model in a row, so that what drifts on the host meets them
// all; round r of the measured trials begins with model r mod m, so that no
// model always follows the start. p has to be valid.
func (p Plan) Trials() []Trial {
	var trials []Trial
	add := func(model string, kind Kind, concurrency int) {
		trials = append(trials, p.trial(len(trials)+1, model, kind, concurrency))
	}
	rounds := func(n int, kind Kind, rotate bool) {
		for r := range n {
			for i := range p.Models {
				if rotate {
					i = (i + r) % len(p.Models)
				}
				add(p.Models[i], kind, p.concurrency(p.Models[i]))
			}
		}
	}
	for range p.Warmups {
		add(p.widest(), Warmup, p.concurrency(p.widest()))
	}
	rounds(p.Runs, Measured, true)
	for r := range p.Held {
		for _, model := range p.Models {
			if r > 0 && p.heldOnce(model) {
				continue
			}
			for _, concurrency := range p.heldAt(model) {
				add(model, Held, concurrency)
			}
		}
	}
	for range p.Traced {
		for _, model := range p.Models {
			if inPython(model) {
				add(model, Traced, p.concurrency(model))
			}
		}
	}
	rounds(p.Controls, Control, false)
	rounds(p.Profiled, Profiled, false) // last: the probes are loaded anew for stacks
	return trials
}

// widest returns the model that has most in flight at once, of several the first.
func (p Plan) widest() string {
	return slices.MaxFunc(p.Models, func(a, b string) int { return p.concurrency(a) - p.concurrency(b) })
}

// ProfiledTrial returns one more profiled trial of a model.
func (p Plan) ProfiledTrial(number int, model string) Trial {
	return p.trial(number, model, Profiled, p.concurrency(model))
}

// TakesHeap says that the child tells of its heap. Go samples it for next to nothing, so
// profiled trials have it too; Python's tracemalloc takes as much CPU as the work, and
// trials with it have nothing else to say.
func (t Trial) TakesHeap() bool {
	return t.Kind == Traced || t.Kind == Profiled && !inPython(t.Model)
}

// inPython says that a model is run by an interpreter; false of an unknown one.
func inPython(model string) bool {
	m, err := Lookup(model)
	return err == nil && m.Python()
}

// trial is one of the plan's. A wave is as many requests as can be in flight at
// once: more would tell a held trial nothing, and would put tasks into it that
// have not begun.
func (p Plan) trial(number int, model string, kind Kind, concurrency int) Trial {
	t := Trial{Number: number, Model: model, Kind: kind, Concurrency: concurrency, Requests: p.Requests}
	wave := min(concurrency, p.Requests)
	switch kind {
	case Warmup:
		t.Requests = wave
	case Held, Traced:
		t.Requests, t.Hold = wave, wave
	case Profiled:
		t.Hold = wave
	case Control:
		t.Requests = 0
	}
	return t
}

// heldAt returns the concurrencies of a pair of held trials. What a task costs
// is the difference of the two, over the difference in tasks. At the default the
// fewer are ten: as many helper threads as gevent's pool has are in both.
// A model that decides itself how many there are is asked once.
func (p Plan) heldAt(model string) []int {
	concurrency := p.concurrency(model)
	m, err := Lookup(model)
	if few := max(1, concurrency/5); few < concurrency && err == nil && !m.Own {
		return []int{few, concurrency}
	}
	return []int{concurrency}
}

// heldOnce reports whether more pairs would tell nothing. In Python a pair is like
// the next within 0.5 KiB a task; Go's memory grows in leaps, garbage and all, and
// its figure moves by a quarter. A lone trial has no figure.
func (p Plan) heldOnce(model string) bool {
	return inPython(model) || len(p.heldAt(model)) == 1
}

func (p Plan) concurrency(model string) int {
	m, err := Lookup(model)
	if err != nil {
		return p.Concurrency // an invalid plan
	}
	return m.Concurrency(p.Concurrency)
}

// Config returns what the child of trial t is told; timeout is of a request.
func (p Plan) Config(t Trial, url string, timeout time.Duration) Config {
	m, err := Lookup(t.Model)
	return Config{
		URL: url, Requests: t.Requests, Concurrency: t.Concurrency, KeepAlive: p.KeepAlive, Own: err == nil && m.Own,
		TimeoutNS: timeout.Nanoseconds(), Profile: t.TakesHeap(), Model: t.Model,
	}
}

// Rough costs, for the estimate only.
const (
	trialCost   = 60 * time.Millisecond  // starting a child, reading out, letting it go
	heldCost    = 20 * time.Millisecond  // waiting until all wait, and measuring
	profileCost = 100 * time.Millisecond // attaching, resolving symbols
	requestCost = 700 * time.Microsecond // CPU of one request, origin and child

	pythonTrialCost   = 270 * time.Millisecond // importing
	pythonRequestCost = 4 * time.Millisecond   // parsing, most of it, on one thread at a time
)

// costs are those of a trial and of a request of the model.
func (t Trial) costs() (trial, request time.Duration) {
	if inPython(t.Model) {
		return pythonTrialCost, pythonRequestCost
	}
	return trialCost, requestCost
}

// Estimate is roughly how long the trial takes, its start and end included,
// with an origin that answers after the latency, at most rate pages a second
// (0 is no limit).
func (t Trial) Estimate(latency time.Duration, rate float64) time.Duration {
	trial, _ := t.costs()
	if t.Kind == Profiled {
		trial += profileCost
	}
	return trial + t.EstimateWork(latency, rate)
}

// EstimateWork is roughly how long the trial's work takes.
func (t Trial) EstimateWork(latency time.Duration, rate float64) time.Duration {
	if t.Requests == 0 {
		return 0
	}
	_, request := t.costs()
	cpu := time.Duration(t.Requests) * request
	work := max(t.waits(latency)+cpu, spaced(t.Requests, rate))
	switch t.Kind {
	case Held:
		work += heldCost
	case Traced:
		work += heldCost + 2*cpu // what the tracing takes
	case Profiled:
		work += heldCost + cpu // stacks about double it
	}
	return work
}

// waits is the time that the latency takes in a trial, at least: once a wave.
func (t Trial) waits(latency time.Duration) time.Duration {
	return clamp(math.Ceil(float64(t.Requests)/float64(t.Concurrency)) * float64(latency))
}

// spaced is the time from the first to the last of n answers, at most rate a
// second (0 is no limit).
func spaced(n int, rate float64) time.Duration {
	if rate <= 0 {
		return 0
	}
	return clamp(float64(n-1) / rate * float64(time.Second))
}

// clamp makes ns a duration that can be added to: beyond, it is 146 years.
func clamp(ns float64) time.Duration { return time.Duration(min(ns, math.MaxInt64/2)) }

// CheckTimes reports what cannot end in time with such an origin, however fast
// the model is: a trial, or a request that waits until those before it have been
// answered. p has to be valid.
func (p Plan) CheckTimes(latency time.Duration, rate float64, timeout time.Duration) error {
	for _, t := range p.Trials() {
		if t.Requests == 0 {
			continue
		}
		if least := max(t.waits(latency), spaced(t.Requests, rate)); least >= timeout {
			return fmt.Errorf("%d requests of %s, %d at once, take %v or more, and a trial is ended after %v: raise --timeout, or lower --requests",
				t.Requests, t.Model, t.Concurrency, least.Round(time.Millisecond), timeout)
		}
		wave := min(t.Requests, t.Concurrency)
		if last := latency + spaced(wave, rate); last >= DefaultTimeout {
			return fmt.Errorf("%d requests of %s at once, of which %v a second are answered: the last one waits %v, and fails after %v: raise the origin's --rate, or lower --concurrency",
				wave, t.Model, rate, last.Round(time.Millisecond), DefaultTimeout)
		}
	}
	return nil
}
