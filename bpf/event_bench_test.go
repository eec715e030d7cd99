package bpf

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/bpf/exectest"
)

// The budgets of DESIGN.md, ns in BPF by the kernel's own statistics.
const (
	socketEventNS = 200
	stackEventNS  = 1200
)

// exchanges is how many questions and answers a benchmark's program carries: each is four socket events, two
// sends and two receives.
const exchanges = 100_000

// BenchmarkSocketEvent is a target's send and receive: its totals, its connection's, and awaiting reply.
func BenchmarkSocketEvent(b *testing.B) {
	costs := exchange(b, Options{})
	budget(b, "a socket event, in BPF", transferNS(costs), socketEventNS,
		fmt.Sprintf("%d questions and answers between two TCP sockets of one thread", exchanges))
}

// BenchmarkStackEvent is the same with the user stack taken, found in the table and charged.
func BenchmarkStackEvent(b *testing.B) {
	costs := exchange(b, Options{Stacks: true})
	budget(b, "a socket event with its native stack, in BPF", transferNS(costs), stackEventNS,
		"the same with stacks: the time of the count is in it")
}

// BenchmarkForeignEvent is what every other process's send and receive pays: the filter.
func BenchmarkForeignEvent(b *testing.B) {
	needProbes(b)
	var costs []Cost
	for b.Loop() {
		w := watch(b, Options{}, "exchange", strconv.Itoa(exchanges))
		if err := w.probes.Reset(); err != nil { // nobody is a target any more
			b.Fatal(err)
		}
		w.Say("go")
		w.Decode(new(any))
		costs = costsOf(b, w)
		w.finish()
		w.probes.Close()
	}
	reportCosts(b, costs)
}

// BenchmarkEmptyProgram is what the statistics say of a program that does nothing: their own cost, two readings of
// a clock, which is in every figure.
func BenchmarkEmptyProgram(b *testing.B) {
	needProbes(b)
	var own float64
	for b.Loop() {
		w := watch(b, Options{}, "exchange", strconv.Itoa(exchanges))
		program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
			Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "sock_send_length", License: "GPL",
			Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
		})
		if err != nil {
			b.Skipf("needs Linux 6.3: %v", err)
		}
		attached, err := link.AttachTracing(link.TracingOptions{Program: program})
		if err != nil {
			b.Fatal(err)
		}
		w.Say("go")
		w.Decode(new(any))
		stats, err := program.Stats()
		if err != nil {
			b.Fatal(err)
		}
		own = float64(stats.Runtime) / float64(stats.RunCount)
		attached.Close()
		program.Close()
		w.probes.Close()
	}
	b.ReportMetric(own, "bpf-ns/event")
	b.Logf("%.0f ns of every figure in BPF are the statistics' own; what is in none is the tracepoint itself", own)
}

// faults is how many pages a benchmark's program touches, each in a page fault and a change of RSS of its own.
const faults = 100_000

// BenchmarkMemoryEvent is a target's change of RSS: whose it is, the gauge, its peak and curve.
func BenchmarkMemoryEvent(b *testing.B) {
	needProbes(b)
	for b.Loop() {
		w := watch(b, Options{}, "touch", "1", strconv.Itoa(faults), "1")
		reportFaults(b, w, func() {})
	}
}

// BenchmarkForeignMemoryEvent is what every other process's page fault pays: the filter, and the kernel's sum over
// the CPUs for the classic record, which is in no figure in BPF.
func BenchmarkForeignMemoryEvent(b *testing.B) {
	needProbes(b)
	for b.Loop() {
		w := watch(b, Options{}, "touch", "1", strconv.Itoa(faults), "1")
		reportFaults(b, w, func() {
			if err := w.probes.Reset(); err != nil { // nobody is a target any more
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkFaultUnwatched is the page fault without any probe.
func BenchmarkFaultUnwatched(b *testing.B) {
	for b.Loop() {
		w := &watched{Program: exectest.StartSelf(b, "touch", "1", strconv.Itoa(faults), "1"), t: b}
		w.Expect("ready")
		reportFaults(b, w, func() {})
	}
}

// reportFaults lets the program run and prints what a page fault took.
func reportFaults(b *testing.B, w *watched, before func()) {
	b.Helper()
	before()
	w.Say("go")
	w.Expect("full")
	if w.probes != nil {
		costs, err := w.probes.Costs()
		if err != nil {
			b.Fatal(err)
		}
		ns := 0.0
		for _, c := range costs {
			if strings.HasPrefix(c.Program, "memory.") && c.Runs > 0 {
				b.Logf("%-28s %8d runs %6.0f ns each", c.Program, c.Runs, float64(c.RunNS)/float64(c.Runs))
				ns += float64(c.RunNS) / float64(c.Runs)
			}
		}
		b.ReportMetric(ns, "bpf-ns/event")
	}
	w.Say("free")
	w.Expect("empty")
	w.Say("end")
	var elapsed int64
	w.Decode(&elapsed)
	b.ReportMetric(float64(elapsed)/faults, "ns/fault")
	w.End()
	if w.probes != nil {
		w.probes.Close()
	}
}

// exchange runs the program once an iteration, and gives the costs of the last run.
func exchange(b *testing.B, opts Options) []Cost {
	needProbes(b)
	var costs []Cost
	for b.Loop() {
		w := watch(b, opts, "exchange", strconv.Itoa(exchanges))
		w.Say("go")
		w.Decode(new(any))
		costs = costsOf(b, w)
		w.finish()
		w.noLoss()
		if got := w.totals(TransportTCP); got.Sent.Calls != 2*exchanges || got.Recv.Calls != 2*exchanges {
			b.Fatalf("%+v, want %d calls each way", got, 2*exchanges)
		}
		w.probes.Close()
	}
	reportCosts(b, costs)
	return costs
}

func costsOf(b *testing.B, w *watched) []Cost {
	b.Helper()
	costs, err := w.probes.Costs()
	if err != nil {
		b.Fatal(err)
	}
	return costs
}

// reportCosts prints the mean of a socket event, and every program that ran.
func reportCosts(b *testing.B, costs []Cost) {
	b.Helper()
	logCosts(b, costs)
	b.ReportMetric(transferNS(costs), "bpf-ns/event")
}

// logCosts prints every program that ran, in one line: of many lines the testing package cuts the last ones, where the
// budget is.
func logCosts(b *testing.B, costs []Cost) {
	b.Helper()
	var ran []string
	for _, c := range costs {
		if c.Runs > 0 {
			ran = append(ran, fmt.Sprintf("%s %d runs, %.0f ns each", c.Program, c.Runs, float64(c.RunNS)/float64(c.Runs)))
		}
	}
	b.Logf("%s", strings.Join(ran, "; "))
}

// transferNS is the mean of the send and receive programs.
func transferNS(costs []Cost) float64 {
	var runs, ns uint64
	for _, c := range costs {
		if strings.HasSuffix(c.Program, "_length") || strings.HasSuffix(c.Program, "msg") {
			runs += c.Runs
			ns += c.RunNS
		}
	}
	return float64(ns) / float64(runs)
}

// budget prints a line that `make bench` repeats at its end, and fails over the limit.
func budget(b *testing.B, what string, measured, limit float64, how string) {
	b.Helper()
	verdict := "ok"
	if !(measured <= limit) {
		verdict = "OVER"
		b.Errorf("%s: %.0f ns, at most %.0f", what, measured, limit)
	}
	b.Logf("budget | %s | %.0f ns | %.0f ns | %s | %s", what, measured, limit, verdict, how)
}

// playExchange carries args[0] questions and answers of 64 bytes over one TCP connection, both ends its own.
func playExchange(s stage, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	asker, answerer, err := socketPair("tcp4")
	if err != nil {
		return err
	}
	piece := make([]byte, 64)
	for range n {
		for _, way := range [][2]int{{asker, answerer}, {answerer, asker}} {
			if _, err := unix.Write(way[0], piece); err != nil {
				return fmt.Errorf("send: %w", err)
			}
			if _, err := unix.Read(way[1], piece); err != nil {
				return fmt.Errorf("receive: %w", err)
			}
		}
	}
	return s.end(nil)
}
