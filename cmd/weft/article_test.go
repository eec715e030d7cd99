package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// planOf is what flags come to, before anything is started.
func planOf(t *testing.T, args ...string) compareOptions {
	t.Helper()
	opts, cmd := defaultCompareOptions(), &cobra.Command{}
	compareFlags(cmd, &opts)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(opts.settle(cmd.Flags()), opts.complete()); err != nil {
		t.Fatal(err)
	}
	return opts
}

func TestArticle(t *testing.T) {
	type figures struct {
		requests, concurrency, runs, warmups, held int
		latency                                    time.Duration
		rate                                       float64
	}
	article := figures{100, 100, 3, 1, 3, 290 * time.Millisecond, 0}
	with := func(change func(*figures)) figures {
		f := article
		change(&f)
		return f
	}
	tests := []struct {
		args string
		want figures
	}{
		{"", figures{50, 50, 6, 1, 3, 20 * time.Millisecond, 0}},
		{"--hold=false", figures{50, 50, 6, 1, 0, 20 * time.Millisecond, 0}},
		{"--article", article},
		{"--article --url http://127.0.0.1:1", article}, // whose own latency counts
		{"--article=false -r 2", figures{50, 50, 2, 1, 3, 20 * time.Millisecond, 0}},
		{"-r 6 --article", with(func(f *figures) { f.runs = 6 })}, // also where it says what is the default otherwise
		{"--article -n 50 -c 20", with(func(f *figures) { f.requests, f.concurrency = 50, 20 })},
		{"--article --latency 20ms --warmup 2", with(func(f *figures) { f.latency, f.warmups = 20*time.Millisecond, 2 })},
		{"--article --rate 5.9 --hold=false", with(func(f *figures) { f.rate, f.held = 5.9, 0 })},
	}
	for _, test := range tests {
		opts := planOf(t, strings.Fields(test.args)...)
		p := opts.plan
		got := figures{p.Requests, p.Concurrency, p.Runs, p.Warmups, p.Held, opts.origin.Latency, opts.origin.Rate}
		if got != test.want {
			t.Errorf("%s: %+v, want %+v", test.args, got, test.want)
		}
		models := 9
		if opts.article {
			models = 12
		}
		if p.Controls != 1 || p.Profiled != 2 || len(p.Models) != models || p.Models[0] != "go-sequential" {
			t.Errorf("%s: plan %+v", test.args, p)
		}
	}
}

// The estimate comes before the first trial, whoever looks, and not with -q.
func TestEstimateComesFirst(t *testing.T) {
	opts := planOf(t, "--article", "-m", "go-eventloop", "--hold=false", "-o", "x")
	var log strings.Builder
	newProgress(&log, opts, opts.origin.Latency, 0).finish()
	// A warm-up, three measured trials, a control, two profiled ones, and a third of those because they are short.
	if got, want := log.String(), "8 trials of up to 100 pages, 290ms latency: about 4s\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	log.Reset()
	opts.plan.Profiled = 0
	newProgress(&log, opts, opts.origin.Latency, 0).finish()
	if got, want := log.String(), "5 trials of up to 100 pages, 290ms latency: about 2s\n"; got != want {
		t.Errorf("without profiled ones: got %q, want %q", got, want)
	}
	log.Reset()
	opts.quiet = true
	newProgress(&log, opts, opts.origin.Latency, 0).finish()
	if log.Len() > 0 {
		t.Errorf("quiet: %q", log.String())
	}
}

// A list of models may be written as people write lists.
func TestModelsWithSpaces(t *testing.T) {
	opts := planOf(t, "-m", "go-threads, go-goroutines", "-o", "x")
	if want := []string{"go-threads", "go-goroutines"}; !slices.Equal(opts.plan.Models, want) {
		t.Errorf("got %q, want %q", opts.plan.Models, want)
	}
}
