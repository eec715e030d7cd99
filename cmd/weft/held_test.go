package main

import (
	"slices"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
)

// A held thread with its socket has 26-31 kB of kernel memory, a held goroutine 4 kB, its socket: what separates the
// models, measured by another tool on another day before weft was built. Sizes are those of amd64.
func TestHeldTasksCostWhatTheyShould(t *testing.T) {
	needRoot(t)
	dir := newRecording(t)
	code, out, log := weft(t, "compare", "-q", "--hold", "--profile=false", "-n", "200", "-c", "200", "-r", "1", "-w", "0",
		"-m", "go-threads,go-goroutines", "-o", dir)
	if code != exitOK {
		t.Fatalf("exit %d: %s\n%s", code, log, out)
	}
	rec := openRecording(t, dir)
	for _, test := range []struct {
		model       string
		least, most float64 // kernel bytes a task
	}{
		{"go-threads", 26_000, 31_000},
		{"go-goroutines", 4_000, 4_000},
	} {
		held := heldTrials(rec, test.model)
		if len(held) != 6 {
			t.Fatalf("%s: %d held trials", test.model, len(held))
		}
		var kernel []float64
		for pair := range slices.Chunk(held, 2) {
			cost, ok := recording.HeldPerTask(pair[0], pair[1])
			if !ok || cost.Tasks != 160 {
				t.Fatalf("%s: %+v, %v", test.model, cost, ok)
			}
			threads := threadsMade(pair[1]) - threadsMade(pair[0])
			t.Logf("%s: %+v, %d threads", test.model, cost, threads)
			if test.model != "go-threads" {
				// What the runtime makes of threads, more on a busy machine, is no goroutine's.
				cost.Kernel -= float64(threads*threadBytes) / float64(cost.Tasks)
			}
			kernel = append(kernel, cost.Kernel)
			if cost.User <= 0 {
				t.Errorf("%s: %.0f user bytes a task", test.model, cost.User)
			}
		}
		slices.Sort(kernel)
		// The median, as the report has it: slabs are the whole machine's, and others are at work.
		if told := kernel[1]; told < 0.9*test.least || told > 1.1*test.most {
			t.Errorf("%s: %.0f kernel bytes a task, want %.0f to %.0f, give or take 10 %%", test.model, told, test.least, test.most)
		}
	}
	for _, trial := range rec.Trials {
		checkCost(t, trial)
	}
}

// threadBytes is what a thread has of kernel memory: a stack of 16 KiB, and its task_struct.
const threadBytes = 22_000

// threadsMade is how many threads a held trial has more when all its tasks wait than at its gate.
func threadsMade(held *recording.Trial) int64 {
	return held.Snapshots[recording.AtHeld].Threads - held.Snapshots[recording.AtGate].Threads
}

func heldTrials(rec *recording.Recording, model string) []*recording.Trial {
	var held []*recording.Trial
	for _, trial := range rec.Trials {
		if trial.Model == model && trial.Kind == recording.Held {
			held = append(held, trial)
		}
	}
	return held
}

// checkCost looks for both ways where a trial is not timed, and for one where it is; without a cgroup the reason is
// told once.
func checkCost(t *testing.T, trial *recording.Trial) {
	t.Helper()
	told := 0
	for _, m := range trial.Missing {
		if m.Probe == "cgroup" {
			told++
			t.Log(m.Reason)
		}
	}
	timed := trial.Kind == recording.Measured || trial.Kind == recording.Warmup
	for point, s := range trial.Snapshots {
		_, counted := s.Cost[recording.ByCgroup]
		if timed && (counted || told > 0) || !timed && counted == (told > 0) || told > 1 {
			t.Errorf("trial %d, %s, at %s: by the cgroup %v, told %d times that there is none", trial.Number, trial.Kind, point, counted, told)
		}
		kernel, _ := s.KernelBytes(recording.ByProc)
		if len(s.Cost[recording.ByProc]) != 7 || kernel <= s.PageTableBytes {
			t.Errorf("trial %d, at %s: by /proc %+v", trial.Number, point, s.Cost[recording.ByProc])
		}
		if s.AnonymousBytes <= 0 || s.AnonymousBytes > s.RSSBytes {
			t.Errorf("trial %d, at %s: %d anonymous bytes of %d", trial.Number, point, s.AnonymousBytes, s.RSSBytes)
		}
	}
}
