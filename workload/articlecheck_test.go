package workload

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weft-profiler/weft/workload/origin"
)

// articleEnv has TestArticleCheck run.
const articleEnv = "WEFT_ARTICLE_CHECK"

// peaks are the peak of resident memory of one trial, in MiB: VmHWM, with
// memory_profiler in the process or without, and what that itself says.
type peaks struct{ alone, with, said float64 }

// sampler is how mprof, memory_profiler's command, looks at a process: from
// without, ten times a second, until it is gone.
const sampler = `
import sys, memory_profiler
pid, peak = int(sys.argv[1]), 0.0
try:
    while True:
        peak = max(peak, *memory_profiler.memory_usage(pid, interval=0.1, timeout=0.1))
except Exception:
    print(peak)
`

// TestArticleCheck measures the article's instrument as mprof runs it, a module in
// the program's process and a sampler beside it: what it adds to each model, in
// pairs, and what it says.
func TestArticleCheck(t *testing.T) {
	if os.Getenv(articleEnv) == "" {
		t.Skip("takes a minute: make article-check runs it")
	}
	python, err := scripts()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(python.interpreter, "-c", "import memory_profiler").CombinedOutput(); err != nil {
		t.Fatalf("memory_profiler does not import: install python3-memory-profiler: %s", out)
	}
	const rounds = 3
	const line = "%-14s %10s %10s %10s %10s"
	t.Logf("peak of resident memory, MiB, medians of %d pairs, 100 pages, 100 in flight", rounds)
	t.Logf(line, "MODEL", "alone", "with", "added", "it says")
	for _, m := range Models() {
		if !m.Python() {
			continue
		}
		needModel(t, m)
		latency := 290 * time.Millisecond // the article's
		if m.Sequential {
			latency = 10 * time.Millisecond // or it would take half a minute, in the same memory
		}
		h := spawnOrigin(t, func(c *origin.Config) { c.Latency = latency })
		var alone, with, added, said []float64
		for range rounds {
			p := measurePeaks(t, python, m, h.URL())
			alone, with = append(alone, p.alone), append(with, p.with)
			added, said = append(added, p.with-p.alone), append(said, p.said)
		}
		t.Logf(line, m.Name, middle(alone), middle(with), middle(added), middle(said))
		if slices.Min(added) <= 0 {
			t.Errorf("%s: memory_profiler took memory away: %v MiB", m.Name, added)
		}
	}
}

func middle(values []float64) string {
	slices.Sort(values)
	return fmt.Sprintf("%.1f", values[len(values)/2])
}

// measurePeaks runs a pair of trials.
func measurePeaks(t *testing.T, python *Python, m Model, url string) peaks {
	t.Helper()
	ctx := within(t, time.Minute)
	cfg := Config{URL: url, Requests: 100, Concurrency: m.Concurrency(100), KeepAlive: true}
	command := python.Command(m, cfg)
	p := peaks{alone: peakOf(t, ctx, command)}
	command.Args = []string{
		command.Args[0], "-B", "-m", "memory_profiler", "--timestamp", "-o", os.DevNull, python.path(m.script),
	}
	var said strings.Builder
	p.with = peakOf(t, ctx, command, func(pid int) *exec.Cmd {
		beside := exec.Command(python.interpreter, "-c", sampler, strconv.Itoa(pid))
		beside.Stdout = &said
		return beside
	})
	var err error
	if p.said, err = strconv.ParseFloat(strings.TrimSpace(said.String()), 64); err != nil {
		t.Fatal(err)
	}
	return p
}

// peakOf runs a trial, with a process beside it, and reads VmHWM at its end.
func peakOf(t *testing.T, ctx context.Context, command Command, besides ...func(pid int) *exec.Cmd) float64 {
	t.Helper()
	child, err := Start(ctx, command)
	if err != nil {
		t.Fatal(err)
	}
	for _, start := range besides {
		beside := start(child.PID())
		if err := beside.Start(); err != nil {
			t.Fatal(err)
		}
		defer beside.Wait() // it ends with the child
	}
	defer child.Wait()
	defer child.Kill()
	if err := letGo(child, ctx); err != nil {
		t.Fatal(err)
	}
	if r, err := child.Done(ctx); err != nil || r.Units != int64(command.Config.Requests) {
		t.Fatalf("%+v, %v", r, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", child.PID()))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return kib / 1024
}
