package bpf

import (
	"fmt"
	"strconv"
	"testing"
)

// switchNS is the budget of DESIGN.md, ns in BPF by the kernel's own statistics.
const switchNS = 450

// pingPongs is how many times a byte goes to and fro between two threads on one CPU: a switch each way.
const pingPongs = 50_000

// BenchmarkSwitch is a switch from a target's thread that waits for a pipe to another one's: two accounts, and the
// cause of a wait for which a descriptor is looked up.
func BenchmarkSwitch(b *testing.B) {
	needProbes(b)
	var costs []Cost
	for b.Loop() {
		w := watch(b, Options{}, "pingpong", strconv.Itoa(pingPongs), "alone")
		w.Say("go")
		w.Decode(new(any))
		costs = costsOf(b, w)
		w.finish()
		w.noLoss()
		w.probes.Close()
	}
	logCosts(b, costs)
	each := 0.0
	for _, c := range costs {
		if c.Program == "sched."+schedProgSchedSwitch {
			each = float64(c.RunNS) / float64(c.Runs)
		}
	}
	b.ReportMetric(each, "bpf-ns/switch")
	budget(b, "a switch, in BPF", each, switchNS,
		fmt.Sprintf("%d bytes to and fro by pipes between two threads on one CPU", pingPongs))
}
