package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// Severity says how a finding touches the figures.
type Severity string

// The severities.
const (
	Warning Severity = "warning" // a figure does not mean what it seems to
	Remark  Severity = "remark"  // worth knowing
)

// Finding is a sentence with its evidence and what to do. Its text holds names and errors of profiled
// processes: formats escape it.
type Finding struct {
	Severity Severity `json:"severity"`
	Name     string   `json:"name"`     // stable: "concurrency-not-reached"
	Model    string   `json:"model"`    // empty where it concerns several
	Text     string   `json:"text"`     // what is so, and what it means
	Evidence string   `json:"evidence"` // the figures behind it
	Advice   string   `json:"advice"`   // what to do
}

// finder looks for one thing. It says what concerns several models once.
type finder struct {
	name string // of its findings
	rule string // when it says something, for docs/metrics.md
	find func(*View, *recording.Recording) []Finding
}

// finders are in the order of reports: first what spoils figures, then what explains them.
func finders() []finder {
	return []finder{
		{"profile-unreadable", "a profile that the recording names is not there, is damaged, or is another model's.", findUnread},
		{"events-lost", "something could not be recorded, by cause; told apart are losses that touch stacks of profiles only, and those in trials of which no figure counted from events is.", findLost},
		{"probe-missing", "the kernel or the privileges refused a probe.", findMissing},
		{"model-skipped", "the host lacks what a model needs, and nobody named it.", findSkipped},
		{"interrupted", "the run was ended early, by a signal or because a file could not be written, or goes on.", findInterrupted},
		{"fewer-trials", "a model has fewer measured trials than planned, and nobody interrupted.", findFewer},
		{"failed-trials", "trials did not do all of their work.", findFailed},
		{"digests-differ", "trials that did their work came to different results.", findDigests},
		{"host-busy", fmt.Sprintf("over the measured trials, the hypervisor took %s of the machine's CPU time or more, or processes other than the workload and its origin %s, "+
			"or some thread waited for a CPU in %s more of the time than the threads of workload and origin together did. "+
			"CPU time is counted in ticks of %s: where the windows are shorter than %d of them in the mean, nothing is said of it.",
			formatLimit(mostSteal), formatLimit(mostOthers), formatLimit(mostStall), formatPlain(tick), windowTicks), findHostBusy},
		{"server-bound", fmt.Sprintf("a model came to %s of the origin's set pages a second; or workload and origin on one machine took %s of its CPU time, a third of that or more the origin; "+
			"or the origin's threads waited for a CPU, for each of %d requests or more, %s of the time that a reply was awaited, and no longer than it.",
			formatLimit(mostOfRate), formatLimit(fullMachine), leastDelayed, formatLimit(mostDelay)), findServerBound},
		{"concurrency-not-reached", "the median peak in flight is below what was asked for.", findNotReached},
		{"held-not-reached", "with its answers held, a model that otherwise reached what was asked for did not.", findNotHeld},
		{"held-too-few", fmt.Sprintf("the held trials of a model differ by fewer than %d tasks: it has no figures of a held task.", recording.LeastHeldTasks), findFewHeld},
		{"held-kernel-memory", fmt.Sprintf("between the models with the most and the least kernel memory for a held task lie %s and a factor of %s or more.",
			formatBytes(leastHeldDifference), formatCount(leastHeldRatio)), findHeldDifference},
		{"mostly-setup", "two thirds or more of the peak RSS are there in the control trial, or at the gate where there is none.", findMostlySetup},
		{"helper-threads", "a model has more threads than one, or than one and one for each task where it wants that.", findHelpers},
	}
}

// findings looks for everything that a reader should know before believing a figure.
func findings(v *View, r *recording.Recording) []Finding {
	list := []Finding{}
	for _, f := range finders() {
		list = append(list, f.find(v, r)...)
	}
	return list
}

// measured are the trials of a model that its figures come from.
func measured(r *recording.Recording, model string) []*recording.Trial {
	return finished(r.Trials, model, recording.Measured)
}

// about names the model that a finding concerns, or none where there are several.
func about(models []string) string {
	if len(models) == 1 {
		return models[0]
	}
	return ""
}

func trialNumbers(numbers []int) string {
	var parts []string
	for _, n := range firstOf(numbers, 8) {
		parts = append(parts, fmt.Sprint(n))
	}
	if len(numbers) > 8 {
		parts = append(parts, "…")
	}
	if len(numbers) == 1 {
		return "trial " + parts[0]
	}
	return "trials " + strings.Join(parts, ", ")
}

// join leaves out what is empty.
func join(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}

func firstOf[T any](list []T, n int) []T {
	return list[:min(n, len(list))]
}

// shorten cuts a name at a number of runes.
func shorten(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}
