package workload

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestPlanOrder(t *testing.T) {
	p := Plan{
		Models: []string{"go-threads", "go-sequential", "go-goroutines"},
		Runs:   4, Warmups: 1, Held: 1, Profiled: 1, Controls: 1, Requests: 23, Concurrency: 20,
	}
	short := map[string]string{"go-threads": "t", "go-sequential": "s", "go-goroutines": "g"}
	var got []string
	for i, trial := range p.Trials() {
		if trial.Number != i+1 {
			t.Errorf("trial %d has number %d", i+1, trial.Number)
		}
		got = append(got, fmt.Sprintf("%s:%s%d/%d/%d", trial.Kind, short[trial.Model], trial.Concurrency, trial.Requests, trial.Hold))
	}
	want := strings.Fields(`
		warmup:t20/20/0
		measured:t20/23/0 measured:s1/23/0 measured:g20/23/0
		measured:s1/23/0 measured:g20/23/0 measured:t20/23/0
		measured:g20/23/0 measured:t20/23/0 measured:s1/23/0
		measured:t20/23/0 measured:s1/23/0 measured:g20/23/0
		held:t4/4/4 held:t20/20/20 held:s1/1/1 held:g4/4/4 held:g20/20/20
		control:t20/0/0 control:s1/0/0 control:g20/0/0
		profiled:t20/23/20 profiled:s1/23/1 profiled:g20/23/20`)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestPlanHeld: Go's figures move from pair to pair.
func TestPlanHeld(t *testing.T) {
	p := Plan{Models: []string{"go-sequential", "go-threads", "py-asyncio", "go-eventloop"}, Held: 2, Requests: 100, Concurrency: 100}
	var got []string
	for _, trial := range p.Trials() {
		got = append(got, fmt.Sprintf("%s %d", trial.Model, trial.Hold))
	}
	want := "go-sequential 1, go-threads 20, go-threads 100, py-asyncio 20, py-asyncio 100, go-eventloop 20, go-eventloop 100, " +
		"go-threads 20, go-threads 100, go-eventloop 20, go-eventloop 100"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
}

// TestPlanTraced: Python tells of its heap in a wave of its own, and of nothing else there; Go beside all else.
func TestPlanTraced(t *testing.T) {
	p := Plan{Models: []string{"go-threads", "py-threads", "py-sequential"}, Traced: 1, Controls: 1, Profiled: 1, Requests: 100, Concurrency: 20}
	var got []string
	for _, trial := range p.Trials() {
		if trial.Kind != Control {
			got = append(got, fmt.Sprintf("%s:%s %d/%d %v", trial.Kind, trial.Model, trial.Requests, trial.Hold, p.Config(trial, "http://h", 0).Profile))
		}
	}
	want := "traced:py-threads 20/20 true, traced:py-sequential 1/1 true, " +
		"profiled:go-threads 100/20 true, profiled:py-threads 100/20 false, profiled:py-sequential 100/1 false"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
}

// TestPlanFewRequests: a wave is not more than there are.
func TestPlanFewRequests(t *testing.T) {
	p := Plan{Models: []string{"go-threads"}, Warmups: 1, Held: 1, Profiled: 1, Requests: 23, Concurrency: 50}
	var got []string
	for _, trial := range p.Trials() {
		got = append(got, fmt.Sprintf("%s %d/%d", trial.Kind, trial.Requests, trial.Hold))
	}
	if want := "warmup 23/0, held 10/10, held 23/23, profiled 23/23"; strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
}

func TestPlanCheckValid(t *testing.T) {
	good := Plan{Models: []string{"go-threads"}, Runs: 6, Requests: 100, Concurrency: 100}
	if err := good.CheckValid(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Plan){
		"no models":   func(p *Plan) { p.Models = nil },
		"unknown":     func(p *Plan) { p.Models = []string{"x"} },
		"twice":       func(p *Plan) { p.Models = []string{"go-threads", "go-threads"} },
		"runs":        func(p *Plan) { p.Runs = -1 },
		"requests":    func(p *Plan) { p.Requests = 0 },
		"concurrency": func(p *Plan) { p.Concurrency = 0 },
	} {
		p := good
		spoil(&p)
		if err := p.CheckValid(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestPlanOwn: a model with its library's own concurrency is told so, and held
// once: how many it holds is not ours to say.
func TestPlanOwn(t *testing.T) {
	p := Plan{Models: []string{"py-threads.own", "py-threads"}, Held: 1, Requests: 23, Concurrency: 20}
	if err := p.CheckValid(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, trial := range p.Trials() {
		got = append(got, fmt.Sprintf("%s %d %v", trial.Model, trial.Hold, p.Config(trial, "http://h", 0).Own))
	}
	if want := "py-threads.own 20 true, py-threads 4 false, py-threads 20 false"; strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
	for _, name := range []string{"py-sequential.own", "go-threads.own", ".own", "py-threads.own.own"} {
		if _, err := Lookup(name); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestPlanConfig(t *testing.T) {
	p := Plan{Models: []string{"go-nethttp"}, Profiled: 1, Requests: 23, Concurrency: 5, KeepAlive: true}
	got := p.Config(p.Trials()[0], "http://h", 3*time.Second)
	want := Config{URL: "http://h", Requests: 23, Concurrency: 5, KeepAlive: true, TimeoutNS: 3e9, Profile: true, Model: "go-nethttp"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestEstimate(t *testing.T) {
	plan := func(model string) Plan {
		return Plan{Models: []string{model}, Runs: 6, Requests: 100, Concurrency: 100}
	}
	for _, c := range []struct {
		plan     Plan
		latency  time.Duration
		rate     float64
		min, max time.Duration
	}{
		{plan("go-sequential"), 20 * time.Millisecond, 0, 12 * time.Second, 16 * time.Second},
		{plan("go-threads"), 20 * time.Millisecond, 0, 600 * time.Millisecond, 4 * time.Second},
		{plan("go-threads"), 0, 5.9, 100 * time.Second, 110 * time.Second},
		// The article's: three measured trials and a profiled one of 29 s each, a warm-up and a held one of a page, and one
		// without work.
		{Plan{Models: []string{"go-sequential"}, Runs: 3, Warmups: 1, Held: 1, Profiled: 1, Controls: 1, Requests: 100, Concurrency: 100}, 290 * time.Millisecond, 0, 116 * time.Second, 120 * time.Second},
		// A held trial takes the latency once, whatever its concurrency.
		{Plan{Models: []string{"go-eventloop"}, Held: 1, Requests: 100, Concurrency: 100}, 290 * time.Millisecond, 0, 580 * time.Millisecond, 900 * time.Millisecond},
		// Importing and parsing take longer in Python.
		{plan("py-asyncio"), 20 * time.Millisecond, 0, 3 * time.Second, 8 * time.Second},
		{Plan{Models: []string{"py-asyncio"}, Controls: 1, Requests: 100, Concurrency: 100}, time.Hour, 0, pythonTrialCost, pythonTrialCost},
		{Plan{Models: []string{"go-threads"}, Controls: 1, Requests: 100, Concurrency: 100}, time.Hour, 0, trialCost, trialCost},
	} {
		var got time.Duration
		for _, trial := range c.plan.Trials() {
			got += trial.Estimate(c.latency, c.rate)
		}
		if got < c.min || got > c.max {
			t.Errorf("%v at %v: %v, want %v to %v", c.plan.Models, c.latency, got, c.min, c.max)
		}
	}
}

func TestCheckTimes(t *testing.T) {
	plan := func(model string, requests, concurrency int) Plan {
		return Plan{Models: []string{model}, Runs: 1, Controls: 1, Requests: requests, Concurrency: concurrency}
	}
	for _, c := range []struct {
		plan    Plan
		latency time.Duration
		rate    float64
		says    string // empty: nothing
	}{
		{plan("go-sequential", 5999, 100), 20 * time.Millisecond, 0, ""},
		{plan("go-sequential", 6000, 100), 20 * time.Millisecond, 0, "6000 requests of go-sequential, 1 at once, take 2m0s or more"},
		{plan("go-threads", 599_900, 100), 20 * time.Millisecond, 0, ""},
		{plan("go-sequential", math.MaxInt, 1), 20 * time.Millisecond, 0, "9223372036854775807 requests of go-sequential, 1 at once, take"},
		{plan("go-threads", math.MaxInt, 1), 0, 0.001, "9223372036854775807 requests of go-threads, 1 at once, take"},
		{plan("go-threads", 1200, 10), 0, 10, ""},
		{plan("go-threads", 1201, 10), 0, 10, "1201 requests of go-threads, 10 at once, take 2m0s or more"},
		{plan("go-threads", 300, 300), 0, 10, ""}, // the last waits 29.9 s
		{plan("go-threads", 300, 300), 100 * time.Millisecond, 10, "300 requests of go-threads at once, of which 10 a second are answered: the last one waits 30s"},
		{plan("go-threads", 200, 300), 100 * time.Millisecond, 10, ""},
	} {
		err := c.plan.CheckTimes(c.latency, c.rate, 2*time.Minute)
		if (err == nil) != (c.says == "") || err != nil && !strings.HasPrefix(err.Error(), c.says) {
			t.Errorf("%+v, %v, %v a second: got %v, want %q", c.plan, c.latency, c.rate, err, c.says)
		}
	}
}
