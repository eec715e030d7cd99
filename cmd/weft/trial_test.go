package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/workload"
	"github.com/weft-profiler/weft/workload/origin"
)

// readyToCompare gives a comparison that stands before its first trial.
func readyToCompare(t *testing.T, args ...string) *comparison {
	t.Helper()
	needRoot(t)
	opts, cmd := defaultCompareOptions(), &cobra.Command{}
	compareFlags(cmd, &opts)
	if err := errors.Join(cmd.ParseFlags(append(args, "-o", newRecording(t))), opts.complete()); err != nil {
		t.Fatal(err)
	}
	c := &comparison{options: opts, out: io.Discard, log: io.Discard}
	t.Cleanup(func() { c.close() })
	if err := c.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// A child that dies while the origin holds its answers has died; that the wait for the hold ended follows from it.
func TestChildDiesInTheHold(t *testing.T) {
	c := readyToCompare(t, "-n", "5", "-c", "5", "-m", "go-goroutines")
	go func() {
		child := childOf(t, os.Getpid(), "weft-model")
		for { // to where the origin waits for the sixth request
			if s, err := c.origin.Stats(t.Context()); err != nil || s.InFlight == 5 {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		unix.Kill(child, unix.SIGKILL)
	}()
	trial, err := c.trial(t.Context(), workload.Trial{
		Number: 1, Model: "go-goroutines", Kind: workload.Held, Concurrency: 5, Requests: 5, Hold: 6,
	})
	if !errors.Is(err, workload.ErrDied) || trial.Failure == nil || trial.Failure.Cause != "died" {
		t.Errorf("failure %+v, want one of a child that died", trial.Failure)
	}
}

func TestFailureCause(t *testing.T) {
	tests := []struct {
		err   error
		cause string
	}{
		{fmt.Errorf("%w: %w", workload.ErrNotReady, context.DeadlineExceeded), "not ready"},
		{fmt.Errorf("%w within 1s: %w", errTimeout, workload.ErrDied), "timeout"}, // by us
		{fmt.Errorf("%w: %w", origin.ErrUnreachable, context.DeadlineExceeded), "origin"},
		{origin.ErrBusy, "origin"},
		{workload.ErrDied, "died"},
		{errNotHeld, "not held"},
		{fmt.Errorf("%w: 1", errOthers), "other requests"},
		{origin.ErrExpired, "hold expired"},
		{recording.ErrExists, "other"},
	}
	for _, test := range tests {
		if got := failureCause(test.err); got != test.cause {
			t.Errorf("%v: %q, want %q", test.err, got, test.cause)
		}
	}
}

// The cause of a failed request is named once, whether its text begins with it or not.
func TestWorkRecordErrors(t *testing.T) {
	got := workRecord(workload.Result{Failures: map[string]workload.Failure{
		workload.CauseContent: {Count: 4, First: "wrong content: 0 departures"},
		workload.CauseReset:   {Count: 2, First: "EOF"},
	}}).Errors
	if want := []string{"reset: EOF", "wrong content: 0 departures"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// An interrupt before the first trial is one all the same, and leaves nothing behind.
func TestInterruptBeforeTheFirstTrial(t *testing.T) {
	needRoot(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := newRecording(t)
	cmd := compareCommand()
	cmd.SetArgs([]string{"-q", "-m", "go-threads,py-threads", "-o", dir})
	cmd.SetOut(t.Output())
	cmd.SetErr(t.Output())
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	// Nothing that was given up at once is told as if it were missing.
	err := cmd.ExecuteContext(ctx)
	if code := exitCode(err); code != exitInterrupted || err.Error() != "interrupted before the first trial" {
		t.Errorf("exit %d: %v", code, err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a directory is left")
	}
}

// Who else asks the origin during a trial, on a connection of before it or on a new one, is found by its count.
func TestOthersAskTheOrigin(t *testing.T) {
	c := readyToCompare(t, "-n", "5", "-c", "5", "-m", "go-goroutines", "--latency", "200ms")
	old := &http.Client{Transport: &http.Transport{}}
	defer old.CloseIdleConnections()
	ask := func(client *http.Client) {
		response, err := client.Get(c.origin.URL() + "/favicon.ico")
		if err != nil {
			t.Error(err)
			return
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	ask(old)
	for _, test := range []struct {
		client *http.Client // nil: nobody else
		want   string
	}{
		{old, "answered others 1 times, on connections from before"},
		{&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, "answered 6 requests, 5 of them"},
		{nil, ""},
	} {
		asked := make(chan struct{})
		go func() {
			defer close(asked)
			for s, err := c.origin.Stats(t.Context()); test.client != nil && err == nil; s, err = c.origin.Stats(t.Context()) {
				if s.InFlight == 5 {
					ask(test.client)
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
		}()
		trial, err := c.trial(t.Context(), workload.Trial{
			Number: 1, Model: "go-goroutines", Kind: workload.Measured, Concurrency: 5, Requests: 5,
		})
		<-asked
		if test.want == "" {
			if err != nil {
				t.Errorf("nobody else asked: %v", err)
			}
			continue
		}
		if trial.Failure == nil || trial.Failure.Cause != "other requests" {
			t.Fatalf("failure %+v, want other requests", trial.Failure)
		}
		contains(t, "the failure", trial.Failure.Error, test.want)
	}
}
