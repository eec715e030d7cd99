package main

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/workload"
)

// startOrigin runs weft origin, in a process of its own that ends with the test.
func startOrigin(t *testing.T) (server *exec.Cmd, url string) {
	t.Helper()
	server = weftProcess(t, "origin", "--listen", "127.0.0.1:0", "--latency", "50ms")
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, url, _ = strings.Cut(line, " at ")
	url, _, _ = strings.Cut(url, " ")
	t.Cleanup(func() {
		server.Process.Kill() // unless the test has ended it
		server.Wait()
	})
	return server, url
}

// An origin elsewhere that goes away in the middle ends the run, with what was finished and a code of its own.
func TestOriginGoesAway(t *testing.T) {
	needRoot(t)
	server, url := startOrigin(t)
	dir := newRecording(t)
	go func() {
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if rec, err := recording.Open(dir); err == nil && len(rec.Trials) >= 3 {
				break
			}
		}
		server.Process.Signal(unix.SIGTERM)
		server.Wait()
	}()
	code, report, log := weft(t, "compare", "-q", "--url", url, "-n", "5", "-c", "5", "-r", "50", "-w", "0",
		"-m", "go-goroutines,go-threads", "-o", dir)
	if code != exitOrigin {
		t.Errorf("exit %d, want %d\n%s", code, exitOrigin, report)
	}
	contains(t, "the report", report, "go-goroutines", "go-threads", "unreachable")
	contains(t, "the message", log, "unreachable", url)
	rec := openRecording(t, dir)
	if n := len(rec.Trials); n < 3 || n >= 100 {
		t.Errorf("%d trials are kept", n)
	}
	failed := 0
	for _, trial := range rec.Trials {
		if !trial.OK() {
			failed++
		}
	}
	if failed == 0 || failed > 2 { // the one that it left in the lurch, and one that it did not begin
		t.Errorf("%d failed trials", failed)
	}
}

func TestOriginRefusesWhatFailsEachRequest(t *testing.T) {
	code, out, log := weft(t, "origin", "--listen", "127.0.0.1:0", "--latency", "30s")
	if code != exitUsage || out != "" {
		t.Errorf("exit %d: %s", code, out)
	}
	contains(t, "the message", log, "a request fails after 30s")
}

func TestOriginOnAPortInUse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	code, _, log := weft(t, "origin", "--listen", listener.Addr().String())
	if code != exitFailed {
		t.Errorf("exit %d, want %d", code, exitFailed)
	}
	contains(t, "the message", log, "address already in use", "--listen")
}

// An origin that serves one weft refuses another before its first trial, and the first is not disturbed.
func TestOriginServesOneWeft(t *testing.T) {
	needRoot(t)
	_, url := startOrigin(t)
	first := readyToCompare(t, "-n", "2", "-c", "2", "-m", "go-goroutines", "--url", url)
	dir := newRecording(t)
	code, report, log := weft(t, "compare", "-q", "--url", url, "-m", "go-goroutines", "-o", dir)
	if code != exitOrigin || report != "" {
		t.Errorf("exit %d, want %d\n%s", code, exitOrigin, report)
	}
	contains(t, "the message", log, url, "used by another weft", "wait until it is done, or start another origin")
	if _, err := os.Stat(dir); err == nil {
		t.Error("a directory is left")
	}
	if trial, err := first.trial(t.Context(), workload.Trial{
		Number: 1, Model: "go-goroutines", Kind: workload.Measured, Concurrency: 2, Requests: 2,
	}); err != nil || trial.Origin.Requests != 2 {
		t.Errorf("the first weft's trial: %+v, %v", trial.Origin, err)
	}
}
