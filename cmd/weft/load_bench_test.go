package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/collector"
	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/workload"
)

// rounds is how often each way of watching meets the load, one after the other.
const rounds = 6

// load is what the rounds gave.
type load struct {
	bare              []spent
	counters, stacked []*recording.Trial
}

// BenchmarkLoad watches 20,000 requests, 50 in flight, in three ways.
func BenchmarkLoad(b *testing.B) {
	l := measureLoad(b)
	b.Run("counters", l.reportCounters)
	b.Run("stacks", l.reportStacks)
	b.Run("programs", l.reportPrograms)
	b.Run("paired", l.reportPaired)
}

// measureLoad goes round by round through the three ways, each round beginning with another one, so that what
// drifts on the machine meets them all.
func measureLoad(b *testing.B) *load {
	c := prepared(b, loadPlan(20_000, 50, loadModel))
	l := &load{}
	ways := []func(){
		func() { l.bare = append(l.bare, l.runBare(b, c)) },
		func() { l.counters = append(l.counters, watched(b, c, planned(c, workload.Measured, 0))) },
		func() {
			trial := planned(c, workload.Profiled, 0)
			trial.Number = 1 + len(l.stacked) // the heaps of a profile are kept apart by it
			l.stacked = append(l.stacked, watched(b, c, trial))
		},
	}
	for _, way := range ways { // caches, and the origin's heap
		way()
	}
	for round := range rounds {
		for i := range ways {
			ways[(round+i)%len(ways)]()
		}
	}
	l.bare, l.counters, l.stacked = l.bare[1:], l.counters[1:], l.stacked[1:]
	return l
}

// runBare detaches the probes for a trial: attached, they cost whoever sends and receives.
func (l *load) runBare(b *testing.B, c *comparison) spent {
	b.Helper()
	if err := c.collector.Close(); err != nil {
		b.Fatal(err)
	}
	bare, err := unwatched(b.Context(), c, planned(c, workload.Measured, 0))
	if err != nil {
		b.Fatal(err)
	}
	if c.collector, err = collector.Open(c.options.tables); err != nil {
		b.Fatal(err)
	}
	return bare
}

func (l *load) reportCounters(b *testing.B) {
	var percent []float64
	var lost int64
	for _, t := range l.counters {
		percent = append(percent, 100*bpfNS(t)/float64(t.CPU.WorkNS))
		lost += t.LostEvents()
	}
	b.Logf("raw, %% of the program's CPU: %s", list(percent, "%.2f"))
	logLost(b, l.counters)
	budget(b, "counters: BPF time / the program's CPU", median(percent), countersPercent, "%", fmt.Sprintf(
		"%s, 20,000 keep-alive requests, 50 in flight, the origin's events included; median of %d", loadModel, rounds))
	budget(b, "lost events, counters on that load", float64(lost), lostEvents, "", "sum of all rounds")
}

// logLost says what was lost, if anything was.
func logLost(b *testing.B, trials []*recording.Trial) {
	b.Helper()
	for _, t := range trials {
		for _, l := range t.Lost {
			b.Logf("lost: %d by %s: %s", l.Count, l.Cause, l.Detail)
		}
	}
}

// reportStacks divides by the CPU of the rounds that only counted: a profiled trial samples its heap too, and
// the more CPU the program takes the smaller is the share.
func (l *load) reportStacks(b *testing.B) {
	var percent, cpu []float64
	var lost int64
	for _, t := range l.counters {
		cpu = append(cpu, float64(t.CPU.WorkNS))
	}
	for _, t := range l.stacked {
		percent = append(percent, 100*bpfNS(t)/median(cpu))
		lost += t.LostEvents()
	}
	b.Logf("raw, %% of the program's CPU: %s", list(percent, "%.2f"))
	logLost(b, l.stacked)
	budget(b, "with stacks: BPF time / the program's CPU", median(percent), stacksPercent, "%", fmt.Sprintf(
		"the same, over the CPU of the rounds that only counted; median of %d", rounds))
	budget(b, "lost events, stacks on that load", float64(lost), lostEvents, "", "sum of all rounds")
}

// reportPrograms prints each program that ran, in the last round. In one line: of many the testing package cuts the
// last ones.
func (l *load) reportPrograms(b *testing.B) {
	last := rounds - 1
	var ran []string
	counted := map[string]string{}
	for _, p := range l.counters[last].BPF {
		if p.Runs > 0 {
			counted[p.Program] = fmt.Sprintf("counters %d runs, %d ns each, ", p.Runs, p.RunNS/p.Runs)
		}
	}
	for _, p := range l.stacked[last].BPF { // those that count are among them
		if p.Runs > 0 {
			ran = append(ran, fmt.Sprintf("%s %swith stacks %d runs, %d ns each", p.Program, counted[p.Program], p.Runs, p.RunNS/p.Runs))
		}
	}
	b.Logf("programs: %s", strings.Join(ran, "; "))
	b.ReportMetric(0, "ns/op")
}

// reportPaired prints the ratios with and without probes. There is no budget: see trap 28 in what they are
// worth on a machine whose noise is greater than the effect.
func (l *load) reportPaired(b *testing.B) {
	var cpu, wall, bareCPU, bareWall []float64
	for i, bare := range l.bare {
		with := spentOf(l.counters[i])
		cpu, wall = append(cpu, with.cpu/bare.cpu), append(wall, with.wall/bare.wall)
		bareCPU, bareWall = append(bareCPU, bare.cpu/1e9), append(bareWall, bare.wall/1e9)
	}
	b.Logf("raw without probes, s: CPU %s; wall %s", list(bareCPU, "%.2f"), list(bareWall, "%.2f"))
	b.Logf("raw with / without: CPU %s; wall %s", list(cpu, "%.2f"), list(wall, "%.2f"))
	b.Logf("with counters / without probes, medians of %d pairs: CPU %.2f, wall %.2f", rounds, median(cpu), median(wall))
	b.Log("The pairs have in them what the BPF figures have not: the tracepoints themselves, the trampolines, colder " +
		"caches. They are as noisy as the machine is: the spread of the raw values is the error.")
	b.Log("The BPF figures have the kernel's own statistics in them, two readings of a clock for each event, which " +
		"a program that did nothing would cost too; and what interrupted a program.")
	b.ReportMetric(median(cpu), "cpu-ratio")
	b.ReportMetric(median(wall), "wall-ratio")
	b.ReportMetric(0, "ns/op")
}

// bpfNS is the run time of all programs, events of other processes included.
func bpfNS(t *recording.Trial) float64 {
	var ns int64
	for _, p := range t.BPF {
		ns += p.RunNS
	}
	return float64(ns)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func list(values []float64, format string) string {
	var texts []string
	for _, v := range values {
		texts = append(texts, fmt.Sprintf(format, v))
	}
	return strings.Join(texts, " ")
}
