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
type finder func(*View, *recording.Recording) []Finding

// finders are in the order of reports: first what spoils figures, then what explains them.
func finders() []finder {
	return []finder{
		findLost, findMissing, findInterrupted, findFewer, findFailed, findDigests,
		findHostBusy, findServerBound, findNotReached, findNotHeld,
		findHeldDifference, findMostlySetup, findHelpers,
	}
}

// findings looks for everything that a reader should know before believing a figure.
func findings(v *View, r *recording.Recording) []Finding {
	list := []Finding{}
	for _, find := range finders() {
		list = append(list, find(v, r)...)
	}
	return list
}

// measured are the trials of a model that its figures come from.
func measured(r *recording.Recording, model string) []*recording.Trial {
	return slices.DeleteFunc(trialsOf(r, model), func(t *recording.Trial) bool {
		return t.Kind != recording.Measured || !t.OK()
	})
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
