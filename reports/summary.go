package reports

import (
	"slices"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
)

// View is everything that the reports say of a recording, computed once. Its slices and maps are never nil.
type View struct {
	Run      recording.Run `json:"run"`
	Metrics  []Metric      `json:"metrics"` // those of the registry for which there is evidence
	Models   []Model       `json:"models"`  // in the order of the plan; the first is the baseline
	Findings []Finding     `json:"findings"`
	Evidence Evidence      `json:"evidence"`
	Notes    []string      `json:"notes"` // on how to read the figures

	profile func(model string) (*profile.Profile, error)
	calls   func(*profile.Profile) *callTable
	numbers func(*profile.Profile) []int // of trials
	trials  []*recording.Trial           // what charts are drawn from
	totals  totalsOnce
}

// Model is what a model's trials came to.
type Model struct {
	Name     string   `json:"name"`
	Baseline bool     `json:"baseline"`
	Asked    int      `json:"asked"`   // requests in flight at once that it could have reached, count
	Planned  int      `json:"planned"` // measured trials, count
	Finished int      `json:"finished"`
	Used     int      `json:"used"`     // measured trials that did all of their work: the figures come from them
	Profiled bool     `json:"profiled"` // it has a profile
	Wait     string   `json:"wait"`     // the cause of the most blocked time, of Waits; empty where that is not known
	Waits    []Wait   `json:"waits"`    // blocked time by cause, most first
	Figures  []Figure `json:"figures"`  // those for which there is evidence, in the order of View.Metrics
	Trials   []Trial  `json:"trials"`   // all that ran, in their order

	spoilt map[string]bool // causes of loss that touch one of Figures
}

// Figure is one metric of one model.
type Figure struct {
	Metric     string      `json:"metric"`
	Values     []float64   `json:"values"` // raw, in the order of the trials
	Median     float64     `json:"median"`
	Interval   *Interval   `json:"interval"`    // of the median; null where there are too few values
	LowerBound bool        `json:"lower_bound"` // kernel events were lost in these trials
	Inexact    bool        `json:"inexact"`     // kernel events were lost, and the figure may be wrong either way; then it is no lower bound
	Comparison *Comparison `json:"comparison"`  // headline metrics only; null for the baseline
}

// Trial is one trial's row.
type Trial struct {
	Number  int                 `json:"number"`
	Kind    recording.Kind      `json:"kind"`
	OK      bool                `json:"ok"`      // it did all of its work
	Failure string              `json:"failure"` // why not
	Units   int                 `json:"units"`   // finished, count
	Digest  string              `json:"digest"`  // of the result
	Lost    []recording.Loss    `json:"lost"`
	Missing []recording.Missing `json:"missing"`
	Values  map[string]float64  `json:"values"` // by metric
}

// Comparison is a model against the baseline in one metric.
type Comparison struct {
	Ratio     float64   `json:"ratio"`      // Hodges-Lehmann estimate of model over baseline
	Interval  *Interval `json:"interval"`   // of the ratio; null where there are too few values
	P         float64   `json:"p"`          // Mann-Whitney U
	PHolm     float64   `json:"p_holm"`     // corrected for the models compared in this metric
	SmallestP float64   `json:"smallest_p"` // the least p that so many runs can give, not corrected
	Different bool      `json:"different"`  // a difference is shown at 0.05
	Least     float64   `json:"least"`      // the ratio, 1 or more and either way, from which on a difference would have been shown with this spread; 0 where none could
	Refused   string    `json:"refused"`    // why there is no comparison
}

// NewView computes what the reports say of a recording.
func NewView(r *recording.Recording) *View {
	v := &View{Run: r.Run, Models: []Model{}, Metrics: []Metric{}, profile: keepLast(r.Profile), calls: keepOf(newCallTable), numbers: keepOf(numbersOf), trials: r.Trials}
	registry := Metrics()
	for i, name := range r.Run.Plan.Models {
		m := newModel(r, name, registry)
		m.Baseline = i == 0
		v.Models = append(v.Models, m)
	}
	for _, metric := range registry {
		if slices.ContainsFunc(v.Models, func(m Model) bool { return m.Figure(metric.Name) != nil }) {
			v.Metrics = append(v.Metrics, metric)
		}
		if metric.Headline {
			v.compare(metric)
		}
	}
	v.Evidence = newEvidence(r)
	v.Findings = findings(v, r)
	v.Notes = notes(v)
	return v
}

func newModel(r *recording.Recording, name string, registry []Metric) Model {
	plan := r.Run.Plan
	m := Model{Name: name, Planned: plan.MeasuredRuns, Figures: []Figure{}, Trials: []Trial{}, spoilt: map[string]bool{}}
	m.Profiled = slices.ContainsFunc(r.Run.Profiles, func(p recording.ProfileRef) bool { return p.Model == name })
	m.Asked = asked(plan, name, plan.Concurrency)
	trials := trialsOf(r, name)
	for _, t := range trials {
		m.Trials = append(m.Trials, newTrial(t))
		if t.Kind == recording.Measured {
			m.Finished++
			m.Asked = asked(plan, name, max(t.Concurrency, 1))
			if t.OK() {
				m.Used++
			}
		}
	}
	for _, metric := range registry {
		m.add(&metric, trials)
	}
	m.Waits = waits(trials)
	m.Wait = mostWait(m.Waits, detailOf(plan, name))
	return m
}

// trialsOf are the trials of one model, in their order.
func trialsOf(r *recording.Recording, model string) []*recording.Trial {
	var list []*recording.Trial
	for _, t := range r.Trials {
		if t.Model == model {
			list = append(list, t)
		}
	}
	return list
}

// detailOf is what is known of a model beforehand, nil where nothing is.
func detailOf(plan recording.Plan, model string) *recording.ModelDetail {
	i := slices.IndexFunc(plan.Details, func(d recording.ModelDetail) bool { return d.Name == model })
	if i < 0 {
		return nil
	}
	return &plan.Details[i]
}

// asked is how many requests could have been in flight: no more than there are, and one where the model does
// them one after the other.
func asked(plan recording.Plan, model string, concurrency int) int {
	if d := detailOf(plan, model); d != nil && d.Sequential || d == nil && strings.HasSuffix(model, "-sequential") {
		return 1
	}
	if plan.Requests > 0 {
		return min(concurrency, plan.Requests)
	}
	return concurrency
}

func newTrial(t *recording.Trial) Trial {
	row := Trial{Number: t.Number, Kind: t.Kind, OK: t.OK(), Units: t.Work.Units, Digest: t.Work.Digest,
		Lost: t.Lost, Missing: t.Missing, Values: map[string]float64{}}
	if !row.OK {
		row.Failure = failure(t)
	}
	return row
}

// add gathers a metric over the model's trials, of which m.Trials are the rows: each value stands in its trial's row,
// and those of trials that did all of their work make the figure.
func (m *Model) add(metric *Metric, trials []*recording.Trial) {
	f := Figure{Metric: metric.Name, Values: []float64{}}
	for _, r := range metric.readings(trials) {
		t := trials[r.index]
		m.Trials[r.index].Values[metric.Name] = r.value
		if t.OK() {
			f.Values = append(f.Values, r.value)
			lost, eitherWay := metric.touched(t, m.spoilt)
			for _, less := range r.less { // too little taken away is too much left
				more, _ := metric.touched(less, m.spoilt)
				eitherWay = eitherWay || more
			}
			f.LowerBound, f.Inexact = f.LowerBound || lost, f.Inexact || eitherWay
		}
	}
	if len(f.Values) == 0 {
		return
	}
	f.LowerBound = f.LowerBound && !f.Inexact
	f.Median, f.Interval = summarize(f.Values)
	m.Figures = append(m.Figures, f)
}

// Figure is the model's figure of a metric, nil where there is no evidence.
func (m *Model) Figure(metric string) *Figure {
	for i := range m.Figures {
		if m.Figures[i].Metric == metric {
			return &m.Figures[i]
		}
	}
	return nil
}

// Speedup is how many times faster than the baseline the model is in wall time. It is false where that is not
// known or no difference is shown.
func (m *Model) Speedup() (float64, bool) {
	if m.Baseline {
		return 1, true
	}
	f := m.Figure("wall-ns")
	if f == nil || f.Comparison == nil || f.Comparison.Refused != "" || !f.Comparison.Different {
		return 0, false
	}
	return 1 / f.Comparison.Ratio, true
}
