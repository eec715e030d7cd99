package reports

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/weft-profiler/weft/collector/recording"
)

// Benchstat draws Go's benchmark format, one line a trial that did all of its work and has figures:
// `benchstat -col /model FILE` compares the models. Held and control trials are benchmarks of their own.
func Benchstat(w io.Writer, v *View, _ Options) error {
	v.Totals()
	out := bufio.NewWriter(w)
	run := v.Run
	for _, line := range []struct{ key, value string }{
		{"tool", run.Tool}, {"goos", "linux"}, {"goarch", run.Host.Arch}, {"cpu", run.Host.CPUModel}, {"kernel", run.Host.Kernel}, {"environment", settings(&run)},
		{"evidence", v.Evidence.String()}, {"lost", v.Evidence.lostText()}, {"missing", v.Evidence.missingText()},
		{"unreadable", v.Evidence.unreadText()},
	} {
		if line.value != "" {
			fmt.Fprintf(out, "%s: %s\n", line.key, escapeTerminal(line.value))
		}
	}
	for _, metric := range v.Metrics {
		if metric.Better != neither {
			fmt.Fprintf(out, "Unit %s better=%s\n", benchUnit(metric), metric.Better)
		}
	}
	out.WriteString("Unit lost-events better=lower\n\n")
	for _, m := range v.Models {
		for _, t := range m.Trials {
			if len(t.Values) > 0 && t.OK {
				writeBench(out, v, m.Name, t)
			}
		}
	}
	return out.Flush()
}

// benchUnit is the unit as the format knows it: time over an operation, which is a whole trial, is ns/op.
func benchUnit(m Metric) string {
	if m.Name == "wall-ns" {
		return "ns/op"
	}
	return m.Name
}

func writeBench(out *bufio.Writer, v *View, model string, t Trial) {
	plan := v.Run.Plan
	suffix := map[recording.Kind]string{recording.Held: "Held", recording.Control: "Control"}[t.Kind]
	fmt.Fprintf(out, "Benchmark%s%s/model=%s/n=%d/c=%d 1", benchName(plan.Scenario), suffix, benchWord(model), plan.Requests, plan.Concurrency)
	for _, metric := range v.Metrics {
		if x, ok := t.Values[metric.Name]; ok {
			fmt.Fprintf(out, " %s %s", strconv.FormatFloat(x, 'f', -1, 64), benchUnit(metric))
		}
	}
	var lost int64
	for _, l := range t.Lost {
		lost += l.Count
	}
	fmt.Fprintf(out, " %d lost-events\n", lost)
}

// benchName begins with a capital, as the format asks.
func benchName(scenario string) string {
	name := []rune(benchWord(scenario))
	if len(name) == 0 {
		return "Weft"
	}
	name[0] = unicode.ToUpper(name[0])
	return string(name)
}

// benchWord makes one word of a name: a space or a slash would end it.
func benchWord(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || unicode.IsSpace(r) {
			return '_'
		}
		return r
	}, escapeTerminal(name))
}
