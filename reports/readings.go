package reports

import (
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// reading is a metric's value and the place of the trial in whose row it stands.
type reading struct {
	index int
	value float64
	less  []*recording.Trial // what they came to was taken away
}

// readings are a metric's values in the trials of one model, in their order. Trials that failed have theirs too.
func (m *Metric) readings(trials []*recording.Trial) []reading {
	if m.Pair != nil {
		return m.pairReadings(trials)
	}
	base, controls := 0.0, []*recording.Trial(nil)
	if m.OverControl {
		if base, controls = m.control(trials); len(controls) == 0 {
			return nil
		}
	}
	var list []reading
	for i, t := range trials {
		if t.Kind != m.Kind {
			continue
		}
		if x, ok := m.Value(t); ok {
			list = append(list, reading{i, x - base, controls})
		}
	}
	return list
}

// pairReadings gives a pair's value to the trial that holds more.
func (m *Metric) pairReadings(trials []*recording.Trial) []reading {
	var list []reading
	for _, p := range heldPairs(trials) {
		if x, ok := m.Pair(trials[p.few], trials[p.many]); ok {
			list = append(list, reading{p.many, x, trials[p.few : p.few+1]})
		}
	}
	return list
}

// control is the median over the control trials that ended well and have a value, and which they are.
func (m *Metric) control(trials []*recording.Trial) (float64, []*recording.Trial) {
	var values []float64
	var from []*recording.Trial
	for _, t := range trials {
		if t.Kind != recording.Control || !t.OK() {
			continue
		}
		if x, ok := m.Value(t); ok {
			values, from = append(values, x), append(from, t)
		}
	}
	return median(values), from
}

// Sources of figures whose losses touch no other figure.
const (
	sourceSched  = "sched"
	sourceMemory = "memory"
	sourceStacks = "stacks" // of profiles: no figure of a table has it
)

// narrowLosses tells of losses by the beginning of their cause, the first that fits, which figures they touch, which are
// then not exact; any other loss may touch each figure that is counted from events, and makes it a lower bound.
func narrowLosses() []narrowLoss {
	return []narrowLoss{
		{"sched", sourceSched, "times of threads are"},
		{"time", sourceSched, "times of threads are"},
		{"wakers", sourceSched, "times of threads are"},
		{"rss", sourceMemory, "figures of peak RSS are"},
		{"memor", sourceMemory, "figures of peak RSS are"},
		{"stack_kernel", sourceStacks, "the profiles lack the kernel's frames of so many stacks"},
		{"stack", sourceStacks, "the profiles lack the stacks of so many"},
		{"weights", sourceStacks, "the profiles lack the stacks of so many"},
		{"requests", sourceStacks, "the profiles lack the reply wait of so many requests"},
		{"goroutine", sourceStacks, "the profiles lack the goroutine of so many stacks, or its function"},
	}
}

type narrowLoss struct {
	cause  string // what the cause begins with
	source string // Metric.Source
	what   string // the figures in words, with their verb; of stacks what their profiles lack
}

// narrowed finds a loss that touches the figures of one source only.
func narrowed(cause string) (narrowLoss, bool) {
	for _, n := range narrowLosses() {
		if strings.HasPrefix(cause, n.cause) {
			return n, true
		}
	}
	return narrowLoss{}, false
}

// touched says whether the trial lost events that the metric is counted from, and whether the metric may then be wrong
// either way, as a sum is that does not agree with the kernel's own. It notes the causes.
func (m *Metric) touched(t *recording.Trial, causes map[string]bool) (lost, eitherWay bool) {
	if !m.Events {
		return false, false
	}
	for _, l := range t.Lost {
		n, narrow := narrowed(l.Cause)
		if l.Count > 0 && (!narrow || n.source == m.Source) {
			lost, eitherWay, causes[l.Cause] = true, eitherWay || narrow, true
		}
	}
	return lost, eitherWay
}
