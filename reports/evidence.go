package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// Evidence says how complete a recording is.
type Evidence struct {
	Extent     Extent    `json:"extent"` // how much of the plan there is
	Lost       []Loss    `json:"lost"`
	LostEvents int64     `json:"lost_events"` // sum over Lost, count
	Missing    []Missing `json:"missing"`
	Totals     []Total   `json:"totals"`    // of the stacks, beside their counters; empty before View.Totals
	Found      []Found   `json:"found"`     // how the frames of the stacks were found
	BPFShare   *float64  `json:"bpf_share"` // BPF time over the CPU time of the measured trials, a lower bound; null when not known
}

// Loss is one cause of loss in one model's trials.
type Loss struct {
	Model  string `json:"model"`
	Cause  string `json:"cause"`
	Count  int64  `json:"count"`
	Detail string `json:"detail"`
	Trials []int  `json:"trials"` // their numbers
}

// Missing is a probe that was refused.
type Missing struct {
	Probe  string `json:"probe"`
	Reason string `json:"reason"`
	Trials []int  `json:"trials"` // the numbers of the trials without it
}

func newEvidence(r *recording.Recording) Evidence {
	e := Evidence{Extent: newExtent(r), Lost: []Loss{}, Missing: []Missing{}, Totals: []Total{}, Found: newFound(r)}
	var bpf, cpu, runs int64
	for _, t := range r.Trials {
		for _, l := range t.Lost {
			e.addLoss(t, l)
		}
		for _, m := range t.Missing {
			e.addMissing(t, m)
		}
		if t.Kind == recording.Measured && t.OK() {
			ns, n := bpfCost(t)
			bpf, runs, cpu = bpf+ns, runs+n, cpu+t.CPU.WorkNS
		}
	}
	if runs > 0 && cpu > 0 {
		share := float64(bpf) / float64(cpu)
		e.BPFShare = &share
	}
	return e
}

func (e *Evidence) addLoss(t *recording.Trial, l recording.Loss) {
	if l.Count == 0 {
		return
	}
	e.LostEvents += l.Count
	i := slices.IndexFunc(e.Lost, func(x Loss) bool { return x.Model == t.Model && x.Cause == l.Cause })
	if i < 0 {
		i = len(e.Lost)
		e.Lost = append(e.Lost, Loss{Model: t.Model, Cause: l.Cause, Detail: l.Detail, Trials: []int{}})
	}
	e.Lost[i].Count += l.Count
	e.Lost[i].Trials = withNumber(e.Lost[i].Trials, t.Number)
}

func (e *Evidence) addMissing(t *recording.Trial, m recording.Missing) {
	i := slices.IndexFunc(e.Missing, func(x Missing) bool { return x.Probe == m.Probe && x.Reason == m.Reason })
	if i < 0 {
		i = len(e.Missing)
		e.Missing = append(e.Missing, Missing{Probe: m.Probe, Reason: m.Reason, Trials: []int{}})
	}
	e.Missing[i].Trials = withNumber(e.Missing[i].Trials, t.Number)
}

// withNumber adds a trial's number: a trial that tells the same twice is named once.
func withNumber(trials []int, number int) []int {
	if slices.Contains(trials, number) {
		return trials
	}
	return append(trials, number)
}

// Complete says that the plan was carried out, nothing was lost and no probe was refused.
func (e *Evidence) Complete() bool {
	return e.Extent.Whole() && e.LostEvents == 0 && len(e.Missing) == 0
}

// String is the line on losses, and on what never ran, that stands in every report.
func (e *Evidence) String() string {
	word := "complete"
	if !e.Complete() {
		word = "incomplete"
	}
	lost := fmt.Sprintf("%s lost, %s missing", plural(e.LostEvents, "event"), plural(int64(len(e.Missing)), "probe"))
	return fmt.Sprintf("Evidence %s: %s.", word, join(", ", e.Extent.missingText(), lost))
}

// Cost is the line on weft's own cost that stands in every report.
func (e *Evidence) Cost() string {
	if e.BPFShare == nil {
		return "BPF time is not known: the kernel gave no statistics."
	}
	return fmt.Sprintf("BPF time %s of the workload's CPU, events of other processes included (lower bound).", formatShare(*e.BPFShare))
}

// lostText and missingText tell all of it in one line, for formats of lines; empty when there is nothing.
func (e *Evidence) lostText() string {
	var parts []string
	for _, l := range e.Lost {
		parts = append(parts, fmt.Sprintf("%s=%d in %s", l.Cause, l.Count, l.Model))
	}
	return strings.Join(parts, "; ")
}

func (e *Evidence) missingText() string {
	var parts []string
	for _, m := range e.Missing {
		parts = append(parts, fmt.Sprintf("%s (%s)", m.Probe, m.Reason))
	}
	return strings.Join(parts, "; ")
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
