package main

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/workload"
	"github.com/weft-profiler/weft/workload/origin"
)

// between stands between weft and an origin, and answers pages as pages says; without it they go to the origin too.
type between struct {
	control, pages http.Handler
	delay          time.Duration // before a trial begins
}

func (b *between) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !strings.HasPrefix(r.URL.Path, "/.weft/") && b.pages != nil:
		b.pages.ServeHTTP(w, r)
		return
	case strings.HasPrefix(r.URL.Path, "/.weft/trial"):
		time.Sleep(b.delay)
	}
	b.control.ServeHTTP(w, r)
}

// toOrigin passes requests on to an origin of the test's own.
func toOrigin(t *testing.T) http.Handler {
	t.Helper()
	cfg := origin.DefaultConfig()
	listens := make(chan net.Addr, 1)
	go func() {
		if err := origin.Serve(t.Context(), cfg, func(a net.Addr) { listens <- a }); err != nil {
			t.Error(err)
		}
	}()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: (<-listens).String()})
	proxy.Transport = &http.Transport{DisableKeepAlives: true} // a connection that was weft's is none of a child
	proxy.ErrorLog = log.New(io.Discard, "", 0)                // of a wait for the hold that was given up
	return proxy
}

// hangingPython is an interpreter that has what a model needs, and whose children go through their gate and hang.
func hangingPython(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "python")
	script := "#!/bin/sh\ncase \"$2\" in -c) echo '{\"version\": \"3.13.1\", \"versions\": []}' ;;\n" +
		"*) echo ready >&4; read go <&3; exec sleep 1000 ;; esac\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// A child that hangs while the origin waits for its requests is ended by the timeout, whose clock begins with the
// child: that says nothing of the origin, and another trial can follow.
func TestChildHangsInTheHold(t *testing.T) {
	way := &between{control: toOrigin(t)}
	server := httptest.NewServer(way)
	t.Cleanup(server.Close) // after the claim, which passes through it
	c := readyToCompare(t, "-q", "-n", "2", "-c", "2", "-m", "py-threads,go-goroutines", "--python", hangingPython(t), "--url", server.URL)
	c.options.timeout, way.delay = 300*time.Millisecond, 400*time.Millisecond
	more, err := c.finishTrial(t.Context(), workload.Trial{
		Number: 1, Model: "py-threads", Kind: workload.Held, Concurrency: 2, Requests: 2, Hold: 2,
	})
	if !more || err != nil || c.originErr != nil {
		t.Errorf("no trial can follow: %v, %v", err, c.originErr)
	}
	c.options.timeout = time.Minute
	if _, err := c.trial(t.Context(), workload.Trial{
		Number: 2, Model: "go-goroutines", Kind: workload.Held, Concurrency: 2, Requests: 2, Hold: 2,
	}); err != nil {
		t.Errorf("the next trial: %v", err)
	}
	trial := openRecording(t, c.writer.Dir()).Trials[0]
	if trial.PID == 0 || trial.Failure == nil || trial.Failure.Cause != "timeout" {
		t.Fatalf("process %d, failure %+v, want a timeout", trial.PID, trial.Failure)
	}
	contains(t, "the failure", trial.Failure.Error, "no end within 300ms")
	for _, misleading := range []string{"origin", "died", "signal"} {
		if strings.Contains(trial.Failure.Error, misleading) {
			t.Errorf("it speaks of %q: %s", misleading, trial.Failure.Error)
		}
	}
}

// A child whose requests fail before the origin could hold them is done, and nobody waits for the hold any longer.
func TestRequestsFailBeforeTheHold(t *testing.T) {
	way := &between{control: toOrigin(t)}
	server := httptest.NewServer(way)
	t.Cleanup(server.Close) // after the claim, which passes through it
	elsewhere := toOrigin(t)
	say := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, text)
		}
	}
	hangUp := func(linger int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			conn.(*net.TCPConn).SetLinger(linger)
			conn.Close()
		}
	}
	c := readyToCompare(t, "-n", "2", "-c", "2", "-m", "go-goroutines", "--url", server.URL, "--timeout", "30s")
	for _, test := range []struct {
		name    string
		pages   http.Handler
		cause   string // of the trial's failure
		request string // of the requests'
	}{
		{"302", http.RedirectHandler("/prices", http.StatusFound), "failed requests", workload.CauseStatus},
		{"500", say(http.StatusInternalServerError, ""), "failed requests", workload.CauseStatus},
		{"204", say(http.StatusNoContent, ""), "failed requests", workload.CauseStatus},
		{"no page", say(http.StatusOK, "hello world"), "failed requests", workload.CauseContent},
		{"empty", say(http.StatusOK, ""), "failed requests", workload.CauseContent},
		{"end", hangUp(-1), "failed requests", workload.CauseReset},
		{"reset", hangUp(0), "failed requests", workload.CauseReset},
		{"another origin", elsewhere, "not held", ""},
	} {
		way.pages = test.pages
		trial, err := c.trial(t.Context(), workload.Trial{
			Number: 1, Model: "go-goroutines", Kind: workload.Held, Concurrency: 2, Requests: 2, Hold: 2,
		})
		if trial.Failure == nil || trial.Failure.Cause != test.cause || errors.Is(err, origin.ErrUnreachable) {
			t.Errorf("%s: failure %+v, want %s", test.name, trial.Failure, test.cause)
		}
		if n := trial.Work.Failed[test.request]; test.request != "" && n != 2 {
			t.Errorf("%s: %d requests failed by %s: %+v", test.name, n, test.request, trial.Work)
		}
		if trial.Kind != recording.Held || trial.Work.Units+len(trial.Work.Failed) == 0 {
			t.Errorf("%s: the work is not told: %+v", test.name, trial.Work)
		}
	}
}
