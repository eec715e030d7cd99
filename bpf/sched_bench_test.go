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
	var each float64
	for b.Loop() {
		w := watch(b, Options{}, "pingpong", strconv.Itoa(pingPongs), "alone")
		w.say("go")
		w.truth(new(any))
		costs, err := w.probes.Costs()
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range costs {
			if c.Runs == 0 {
				continue
			}
			b.Logf("%-28s %8d runs %6.0f ns each", c.Program, c.Runs, float64(c.RunNS)/float64(c.Runs))
			if c.Program == "sched."+schedProgSchedSwitch {
				each = float64(c.RunNS) / float64(c.Runs)
			}
		}
		b.ReportMetric(each, "bpf-ns/switch")
		w.finish()
		w.noLoss()
		w.probes.Close()
	}
	budget(b, "a switch, in BPF", each, switchNS,
		fmt.Sprintf("%d bytes to and fro by pipes between two threads on one CPU", pingPongs))
}
