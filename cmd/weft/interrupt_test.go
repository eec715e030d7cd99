package main

import (
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/reports"
)

// A terminal that is closed ends the run like Ctrl-C does, whoever sends the signal how often, and though nobody reads
// what weft has to say. Nothing of a held trial is left.
func TestClosedTerminal(t *testing.T) {
	needRoot(t)
	dir := newRecording(t)
	cmd := weftProcess(t, "compare", "-n", "10", "-c", "10", "-r", "0", "-w", "0", "-m", "go-goroutines,go-threads,go-eventloop", "--latency", "1ms", "-o", dir)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	cmd.Stdout, cmd.Stderr = write, write
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP) // who is run by nohup hands on that it is ignored
	defer signal.Reset(unix.SIGHUP)
	startWeft(t, cmd)
	write.Close()
	awaitTrials(t, dir, 2)
	childOf(t, cmd.Process.Pid, "weft-model") // in a held trial
	for range 3 {
		if err := cmd.Process.Signal(unix.SIGHUP); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond) // else they may be one
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("%v, want exit code %d", cmd.ProcessState, exitInterrupted)
	}
	rec := openRecording(t, dir)
	if n := len(rec.Trials); n < 2 || n >= rec.Run.Plan.Trials || !rec.Run.Interrupted {
		t.Errorf("%d of %d trials, interrupted %v", n, rec.Run.Plan.Trials, rec.Run.Interrupted)
	}
	page, err := os.ReadFile(filepath.Join(dir, reportFile))
	if err != nil || !strings.Contains(string(page), "The run was interrupted") {
		t.Errorf("report.html: %d bytes, %v", len(page), err)
	}
	for _, group := range cgroupsOf(t, cmd.Process.Pid) {
		t.Errorf("%s is left", group)
	}
}

// cgroupsOf are the control groups that a weft has made.
func cgroupsOf(t *testing.T, pid int) []string {
	t.Helper()
	var found []string
	name := "weft-" + strconv.Itoa(pid)
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == name {
			found = append(found, path)
		}
		return nil // groups come and go
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A recording whose writer was killed says so in every format, and nothing runs on: neither in a held trial, nor the
// origin, nor an interpreter that is asked for its libraries.
func TestKilled(t *testing.T) {
	needRoot(t)
	dir := newRecording(t)
	cmd := weftProcess(t, "compare", "-q", "-n", "10", "-c", "10", "-r", "1", "-w", "0", "-m", "go-goroutines,go-threads,go-eventloop", "--latency", "1ms", "-o", dir)
	cmd.Env = append(cmd.Env, "GOGC=off", "WEFT_TEST_SECRET=hidden")
	startWeft(t, cmd)
	awaitTrials(t, dir, 4) // three are measured
	running := []int{childOf(t, cmd.Process.Pid, "weft-origin"), childOf(t, cmd.Process.Pid, "weft-model")}
	cmd.Process.Kill()
	cmd.Wait()
	for _, pid := range running {
		awaitEnd(t, pid)
	}
	for _, format := range reports.Formats() {
		args := []string{"report", dir, "--format", format.Name}
		if format.NeedsKind {
			args = append(args, "--kind", recording.KindHeap)
		}
		code, out, log := weft(t, args...)
		if format.NeedsKind {
			contains(t, format.Name, log, "its run was interrupted")
			continue
		}
		if code != exitOK {
			t.Errorf("%s: exit %d: %s", format.Name, code, log)
		}
		wanted := []string{"incomplete", " of 30 planned trials, 0 of 3 profiles"}
		if format.Name == "json" {
			wanted = []string{`"planned_trials": 30`, `"interrupted": true`}
		}
		contains(t, format.Name, strings.ToLower(out), wanted...)
	}
	// What tunes the models' runtimes is kept too, and nothing else of the environment.
	if set := openRecording(t, dir).Run.Host.Environment; !slices.Contains(set, recording.Variable{Name: "GOGC", Value: "off"}) {
		t.Errorf("environment %v", set)
	}
	text, err := os.ReadFile(filepath.Join(dir, "run.json"))
	if err != nil || strings.Contains(string(text), "hidden") {
		t.Errorf("run.json: %v\n%s", err, text)
	}
}

func TestKilledWhileAsking(t *testing.T) {
	needRoot(t)
	python := filepath.Join(t.TempDir(), "python3")
	if err := os.WriteFile(python, []byte("#!/bin/sh\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := weftProcess(t, "compare", "-q", "--python", python, "-m", "py-sequential", "-o", newRecording(t))
	startWeft(t, cmd)
	asked := childOf(t, cmd.Process.Pid, "sleep")
	cmd.Process.Kill()
	cmd.Wait()
	awaitEnd(t, asked)
}

// Where a profile cannot be written, on a full disk for example, the recording stays an interrupted one.
func TestProfileIsNotWritten(t *testing.T) {
	const model = "go-goroutines"
	dir := newRecording(t)
	w, err := recording.Create(dir, recording.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	c := &comparison{
		writer:   w,
		run:      recording.Run{Plan: recording.Plan{Models: []string{model}}, Interrupted: true},
		profiles: map[string]*recording.ProfileBuilder{model: recording.NewProfileBuilder("weft test", model)},
	}
	c.options.plan.Models = c.run.Plan.Models
	if err := w.WriteRun(c.run); err != nil {
		t.Fatal(err)
	}
	inTheWay := filepath.Join(dir, model+".pb.gz")
	if err := os.Mkdir(inTheWay, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := c.finishRun(false); err == nil || !openRecording(t, dir).Run.Interrupted {
		t.Errorf("a profile was not written: error %v, interrupted %v", err, openRecording(t, dir).Run.Interrupted)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	if err := c.finishRun(false); err != nil || openRecording(t, dir).Run.Interrupted {
		t.Errorf("all was written: error %v, interrupted %v", err, openRecording(t, dir).Run.Interrupted)
	}
}

// startWeft starts a weft that does not outlive the test.
func startWeft(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if cmd.Stdout == nil {
		cmd.Stdout, cmd.Stderr = io.Discard, t.Output()
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() // an error where it has ended
		cmd.Wait()
		for _, group := range cgroupsOf(t, cmd.Process.Pid) { // of a held trial that was killed
			os.Remove(group)
		}
	})
}

// awaitTrials waits until a recording has so many trials.
func awaitTrials(t *testing.T, dir string, n int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if rec, err := recording.Open(dir); err == nil && len(rec.Trials) >= n {
			return
		}
	}
	t.Fatalf("no %d trials in %s", n, dir)
}

// awaitEnd waits until a process is gone.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(text), ") Z ") { // nobody may reap it here
			return
		}
	}
	t.Errorf("process %d lives on", pid)
}
