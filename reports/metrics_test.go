package reports

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
)

const metricsDoc = "../docs/metrics.md"

// docs/metrics.md is written from the registry: a definition has one home.
func TestMetricsDoc(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Metrics

<!-- Written from the registry in reports/metrics.go: go test ./reports -run TestMetricsDoc -update -->

Each figure of a report, with where it comes from and what it is not. Values are kept in base units and scaled
when printed; the unit in a name is benchstat's. A model's figure is the median over its measured trials that did
all of their work, with a 95 % interval that assumes nothing about the distribution. Headline metrics are compared with
the first model of the plan: Hodges-Lehmann ratio, Mann-Whitney U, Holm's correction over the models of one metric; "~"
stands where no difference is shown. A figure counted from kernel events is a lower bound ("≥") where events were lost.
"A unit" is one finished piece of work: a page, a request.
`)
	for _, m := range Metrics() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", m.Name, m.Definition)
		fmt.Fprintf(&b, "Column %s; unit %s; from %s trials", m.Column, m.Unit, m.Kind)
		for _, property := range []struct {
			holds bool
			text  string
		}{{m.Better == lower, "; lower is better"}, {m.Headline, "; headline"}, {m.Events, "; counted from kernel events"}} {
			if property.holds {
				b.WriteString(property.text)
			}
		}
		b.WriteString(".\n")
	}
	if *update {
		if err := os.WriteFile(metricsDoc, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(metricsDoc)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s differs from the registry: go test ./reports -run TestMetricsDoc -update", metricsDoc)
	}
}

func TestMetricsAreWellFormed(t *testing.T) {
	units := map[string]*regexp.Regexp{
		unitNS:    regexp.MustCompile(`^[a-z-]+-ns(/[a-z]+)?$`),
		unitBytes: regexp.MustCompile(`^[a-z-]+-B(/[a-z]+)?$`),
		unitCount: regexp.MustCompile(`^[a-z-]+(/[a-z]+)?$`),
		unitRatio: regexp.MustCompile(`^[a-z-]+-share$`),
	}
	seen := map[string]bool{}
	for _, m := range Metrics() {
		pattern := units[m.Unit]
		if pattern == nil || !pattern.MatchString(m.Name) {
			t.Errorf("%s: name does not go with unit %q", m.Name, m.Unit)
		}
		if seen[m.Name] || seen[m.Column] {
			t.Errorf("%s: name or column %q is taken", m.Name, m.Column)
		}
		seen[m.Name], seen[m.Column] = true, true
		if m.Definition == "" || !strings.HasSuffix(m.Definition, ".") || m.Value == nil || m.Kind == "" {
			t.Errorf("%s: half filled", m.Name)
		}
		if m.Better != lower && m.Better != neither {
			t.Errorf("%s: better is %q", m.Name, m.Better)
		}
	}
}

// An empty trial has no evidence of anything: no figure may be made up.
func TestNoEvidenceNoValue(t *testing.T) {
	empty := &recording.Trial{Model: "m", Kind: recording.Measured}
	worked := &recording.Trial{Model: "m", Kind: recording.Measured, Work: recording.Work{Units: 23}, CPU: recording.CPU{}}
	for _, m := range Metrics() {
		for name, trial := range map[string]*recording.Trial{"empty": empty, "worked": worked} {
			if x, ok := m.Value(trial); ok {
				t.Errorf("%s of the %s trial: %v", m.Name, name, x)
			}
		}
	}
}

func TestValues(t *testing.T) {
	trial := &recording.Trial{
		Phases:  recording.Phases{GateNS: 1000, LastNS: 24_000, DoneNS: 30_000},
		Work:    recording.Work{Units: 23},
		CPU:     recording.CPU{WorkNS: 4600},
		Threads: recording.Threads{Made: 11, Peak: 7, VoluntarySwitches: 40, InvoluntarySwitches: 6},
		Sockets: recording.Sockets{
			Transports: map[string]recording.Transport{
				"tcp":  {SentBytes: 230, SentCalls: 23, RecvBytes: 2300, RecvCalls: 46, RecvWouldBlock: 23, Opened: 3, Retransmits: 2},
				"unix": {SentBytes: 99, SentCalls: 23, SendWouldBlock: 46},
			},
			Connections: []recording.Connection{
				{Transport: "tcp", Side: "client", FirstSendNS: 10, FirstRecvNS: 15},
				{Transport: "tcp", Side: "client", FirstSendNS: 10, FirstRecvNS: 31},
				{Transport: "tcp", Side: "client", FirstSendNS: 10, FirstRecvNS: 19},
				{Transport: "tcp", Side: "client", FirstSendNS: 10}, // no answer
				{Transport: "tcp", Side: "server", FirstSendNS: 9, FirstRecvNS: 90},
				{Transport: "unix", Side: "", FirstSendNS: 1, FirstRecvNS: 2},
			},
			Awaiting: recording.Awaiting{Peak: 5, Replies: 4, SumNS: 100},
		},
		Snapshots: map[string]recording.Snapshot{
			recording.AtGate: {RSSBytes: 1000, PSSBytes: 900, USSBytes: 800},
			recording.AtHeld: {RSSBytes: 1500, PSSBytes: 800, Waiting: 5},
			recording.AtEnd:  {RSSBytes: 3000, PSSBytes: 2900, USSBytes: 2800, PageTableBytes: 64},
		},
		Origin: &recording.Origin{PeakInFlight: 6},
		BPF:    []recording.ProgramCost{{Runs: 4, RunNS: 20}, {Runs: 1, RunNS: 3}},
	}
	want := map[string]float64{
		"wall-ns": 23_000, "cpu-ns/unit": 200, "first-byte-ns": 9,
		"rss-end-B": 3000, "pss-end-B": 2900, "uss-end-B": 2800, "page-tables-end-B": 64,
		"rss-gate-B": 1000, "pss-gate-B": 900, "uss-gate-B": 800, "held-rss-B/task": 100, "held-pss-B/task": -20,
		"threads-peak": 7, "threads-made": 11, "in-flight-peak": 6, "switches/unit": 2,
		"connections": 5, "sent-B/unit": 10, "received-B/unit": 100, "socket-calls/unit": 4, "would-block/unit": 3,
		"awaiting-peak": 5, "awaiting-mean-ns": 25, "retransmits": 2, "bpf-share": 0.005,
	}
	for _, m := range Metrics() {
		x, ok := m.Value(trial)
		expected, known := want[m.Name]
		if !known {
			t.Errorf("%s: no expectation", m.Name)
		} else if !ok || x != expected {
			t.Errorf("%s: %v, %v, want %v", m.Name, x, ok, expected)
		}
	}
}
