package reports

import (
	"fmt"
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
	Unread     []Unread  `json:"unread"`    // profiles that cannot be read; empty before View.Totals
	Found      []Found   `json:"found"`     // how the frames of the stacks were found
	BPFShare   *float64  `json:"bpf_share"` // BPF time over the CPU time of the measured trials, a lower bound; null when not known

	noShare string // why BPFShare is not known
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

// Unread is a profile that the recording names and that cannot be read.
type Unread struct {
	Model  string `json:"model"`
	Reason string `json:"reason"`
}

func newEvidence(r *recording.Recording) Evidence {
	e := Evidence{Extent: newExtent(r), Lost: []Loss{}, Missing: []Missing{}, Totals: []Total{}, Unread: []Unread{}, Found: newFound(r)}
	lost, missing := map[lossKey]int{}, map[recording.Missing]int{}
	for _, t := range r.Trials {
		for _, l := range t.Lost {
			e.addLoss(lost, t, l)
		}
		for _, m := range t.Missing {
			e.addMissing(missing, t, m)
		}
	}
	e.BPFShare, e.noShare = workloadShare(r)
	return e
}

// lossKey is what makes two losses one.
type lossKey struct{ model, cause string }

// addLoss adds up what is known under one key; places are those in the list.
func (e *Evidence) addLoss(places map[lossKey]int, t *recording.Trial, l recording.Loss) {
	if l.Count == 0 {
		return
	}
	e.LostEvents += l.Count
	key := lossKey{t.Model, l.Cause}
	i, ok := places[key]
	if !ok {
		i = len(e.Lost)
		places[key] = i
		e.Lost = append(e.Lost, Loss{Model: t.Model, Cause: l.Cause, Detail: l.Detail, Trials: []int{}})
	}
	e.Lost[i].Count += l.Count
	e.Lost[i].Trials = withNumber(e.Lost[i].Trials, t.Number)
}

func (e *Evidence) addMissing(places map[recording.Missing]int, t *recording.Trial, m recording.Missing) {
	i, ok := places[m]
	if !ok {
		i = len(e.Missing)
		places[m] = i
		e.Missing = append(e.Missing, Missing{Probe: m.Probe, Reason: m.Reason, Trials: []int{}})
	}
	e.Missing[i].Trials = withNumber(e.Missing[i].Trials, t.Number)
}

// withNumber adds a trial's number: a trial that tells the same twice is named once. Trials come in their order.
func withNumber(trials []int, number int) []int {
	if n := len(trials); n > 0 && trials[n-1] == number {
		return trials
	}
	return append(trials, number)
}

// workloadShare is BPF time over the CPU time of the measured trials that did all of their work; nil, and why, where that is
// not known.
func workloadShare(r *recording.Recording) (share *float64, why string) {
	var bpf, cpu, runs int64
	finished := false
	for _, t := range r.Trials {
		if t.Kind == recording.Measured && t.OK() {
			finished = true
			ns, n := bpfCost(t)
			bpf, runs, cpu = bpf+ns, runs+n, cpu+t.CPU.WorkNS
		}
	}
	switch {
	case r.Run.Plan.MeasuredRuns == 0 && !finished:
		return nil, "no measured trials were planned"
	case !finished:
		return nil, "no measured trial did all of its work"
	case runs == 0:
		return nil, "the kernel gave no statistics"
	case cpu == 0:
		return nil, "the workload's CPU time is not known either"
	}
	x := float64(bpf) / float64(cpu)
	return &x, ""
}

// Complete says that the plan was carried out, nothing was lost, no probe was refused, and all profiles can be read.
func (e *Evidence) Complete() bool { return e.recorded() && len(e.Unread) == 0 }

// recorded is Complete without the profiles: what there is to say above the stacks of one of them, however the others
// fare.
func (e *Evidence) recorded() bool {
	return e.Extent.Whole() && e.LostEvents == 0 && len(e.Missing) == 0
}

// String is the line on losses, and on what never ran or cannot be read, that stands in every report.
func (e *Evidence) String() string {
	unread := ""
	if n := len(e.Unread); n > 0 {
		unread = plural(int64(n), "profile") + " unreadable"
	}
	return e.line(e.Complete(), unread)
}

// recordedText is the line above the stacks of one profile.
func (e *Evidence) recordedText() string { return e.line(e.recorded(), "") }

func (e *Evidence) line(complete bool, unread string) string {
	word := "complete"
	if !complete {
		word = "incomplete"
	}
	lost := fmt.Sprintf("%s lost, %s missing", plural(e.LostEvents, "event"), plural(int64(len(e.Missing)), "probe"))
	return fmt.Sprintf("Evidence %s: %s.", word, join(", ", e.Extent.missingText(), unread, lost))
}

// Cost is the line on weft's own cost that stands in every report.
func (e *Evidence) Cost() string {
	if e.BPFShare == nil {
		return "BPF time is not known: " + e.noShare + "."
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

// unreadText likewise tells of profiles.
func (e *Evidence) unreadText() string {
	var parts []string
	for _, u := range e.Unread {
		parts = append(parts, fmt.Sprintf("profile of %s (%s)", u.Model, u.Reason))
	}
	return strings.Join(parts, "; ")
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
