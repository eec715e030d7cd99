package reports

import (
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// reading is a metric's value and the place of the trial in whose row it stands.
type reading struct {
	index int
	value float64
}

// readings are a metric's values in the trials of one model, in their order. Trials that failed have theirs too.
func (m *Metric) readings(trials []*recording.Trial) []reading {
	if m.Pair != nil {
		return m.pairReadings(trials)
	}
	base := 0.0
	if m.OverControl {
		var known bool
		if base, known = m.control(trials); !known {
			return nil
		}
	}
	var list []reading
	for i, t := range trials {
		if t.Kind != m.Kind {
			continue
		}
		if x, ok := m.Value(t); ok {
			list = append(list, reading{i, x - base})
		}
	}
	return list
}

// pairReadings gives a pair's value to the trial that holds more.
func (m *Metric) pairReadings(trials []*recording.Trial) []reading {
	var list []reading
	for _, p := range heldPairs(trials) {
		if x, ok := m.Pair(trials[p.few], trials[p.many]); ok {
			list = append(list, reading{p.many, x})
		}
	}
	return list
}

// control is the median over the control trials that ended well.
func (m *Metric) control(trials []*recording.Trial) (float64, bool) {
	var values []float64
	for _, t := range trials {
		if t.Kind != recording.Control || !t.OK() {
			continue
		}
		if x, ok := m.Value(t); ok {
			values = append(values, x)
		}
	}
	return median(values), len(values) > 0
}

// Sources of figures whose losses touch no other figure.
const (
	sourceSched  = "sched"
	sourceMemory = "memory"
)

// narrowLosses tells of losses by the beginning of their cause which figures they touch, which are then not exact; any
// other loss may touch each figure that is counted from events, and makes it a lower bound.
func narrowLosses() []narrowLoss {
	return []narrowLoss{
		{"sched", sourceSched, "times of threads are"},
		{"time", sourceSched, "times of threads are"},
		{"wakers", sourceSched, "times of threads are"},
		{"rss", sourceMemory, "figures of peak RSS are"},
		{"memor", sourceMemory, "figures of peak RSS are"},
	}
}

type narrowLoss struct {
	cause  string // what the cause begins with
	source string // Metric.Source
	what   string // the figures in words, with their verb
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
// either way, as a sum is that does not agree with the kernel's own.
func (m *Metric) touched(t *recording.Trial) (lost, eitherWay bool) {
	if !m.Events {
		return false, false
	}
	for _, l := range t.Lost {
		n, narrow := narrowed(l.Cause)
		if l.Count > 0 && (!narrow || n.source == m.Source) {
			lost, eitherWay = true, eitherWay || narrow
		}
	}
	return lost, eitherWay
}
