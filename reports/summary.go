package reports

import (
	"fmt"
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
	trials  []*recording.Trial // what charts are drawn from
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
	Figures  []Figure `json:"figures"`  // those for which there is evidence, in the order of View.Metrics
	Trials   []Trial  `json:"trials"`   // all that ran, in their order
}

// Figure is one metric of one model.
type Figure struct {
	Metric     string      `json:"metric"`
	Values     []float64   `json:"values"` // raw, in the order of the trials
	Median     float64     `json:"median"`
	Interval   *Interval   `json:"interval"`    // of the median; null where there are too few values
	LowerBound bool        `json:"lower_bound"` // kernel events were lost in these trials
	Comparison *Comparison `json:"comparison"`  // headline metrics only; null for the baseline
}

// Trial is one trial's row.
type Trial struct {
	Number  int                 `json:"number"`
	Kind    recording.Kind      `json:"kind"`
	OK      bool                `json:"ok"`      // it did all of its work
	Failure string              `json:"failure"` // why not
	Digest  string              `json:"digest"`
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
	Refused   string    `json:"refused"`    // why there is no comparison
}

// NewView computes what the reports say of a recording.
func NewView(r *recording.Recording) *View {
	v := &View{Run: r.Run, Models: []Model{}, Metrics: []Metric{}, profile: keepLast(r.Profile), trials: r.Trials}
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
	v.Findings = findings(v)
	v.Notes = notes(v)
	return v
}

func newModel(r *recording.Recording, name string, registry []Metric) Model {
	plan := r.Run.Plan
	m := Model{Name: name, Planned: plan.MeasuredRuns, Figures: []Figure{}, Trials: []Trial{}}
	m.Profiled = slices.ContainsFunc(r.Run.Profiles, func(p recording.ProfileRef) bool { return p.Model == name })
	m.Asked = asked(name, plan.Concurrency, plan.Requests)
	var trials []*recording.Trial
	for _, t := range r.Trials {
		if t.Model != name {
			continue
		}
		trials = append(trials, t)
		m.Trials = append(m.Trials, newTrial(t, registry))
		if t.Kind == recording.Measured {
			m.Finished++
			m.Asked = asked(name, max(t.Concurrency, 1), plan.Requests)
			if t.OK() {
				m.Used++
			}
		}
	}
	for _, metric := range registry {
		if f, ok := newFigure(metric, trials); ok {
			m.Figures = append(m.Figures, f)
		}
	}
	return m
}

// asked is how many requests could have been in flight: no more than there are, and one where the model does
// them one after the other.
func asked(model string, concurrency, requests int) int {
	if strings.HasSuffix(model, "-sequential") {
		return 1
	}
	if requests > 0 {
		return min(concurrency, requests)
	}
	return concurrency
}

func newTrial(t *recording.Trial, registry []Metric) Trial {
	row := Trial{Number: t.Number, Kind: t.Kind, OK: t.OK(), Digest: t.Work.Digest,
		Lost: t.Lost, Missing: t.Missing, Values: map[string]float64{}}
	if !row.OK {
		row.Failure = failure(t)
	}
	for _, metric := range registry {
		if x, ok := metric.Value(t); ok && metric.Kind == t.Kind {
			row.Values[metric.Name] = x
		}
	}
	return row
}

// newFigure gathers a metric over the trials that count for it.
func newFigure(metric Metric, trials []*recording.Trial) (Figure, bool) {
	f := Figure{Metric: metric.Name, Values: []float64{}}
	for _, t := range trials {
		if t.Kind != metric.Kind || !t.OK() {
			continue
		}
		if x, ok := metric.Value(t); ok {
			f.Values = append(f.Values, x)
			f.LowerBound = f.LowerBound || metric.Events && t.LostEvents() > 0
		}
	}
	if len(f.Values) == 0 {
		return f, false
	}
	f.Median, f.Interval = summarize(f.Values)
	return f, true
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

// compare tests each model against the baseline: the family of one metric.
func (v *View) compare(metric Metric) {
	base := v.Models[0].Figure(metric.Name)
	var family []*Figure
	var ps []float64
	for i := range v.Models[1:] {
		f := v.Models[i+1].Figure(metric.Name)
		if f == nil {
			continue
		}
		f.Comparison = newComparison(metric, base, f)
		if f.Comparison.Refused == "" {
			family = append(family, f)
			ps = append(ps, f.Comparison.P)
		}
	}
	for i, p := range holm(ps) {
		c := family[i].Comparison
		c.PHolm = p
		c.Different = p < alpha
	}
}

func newComparison(metric Metric, base, f *Figure) *Comparison {
	c := &Comparison{P: 1, PHolm: 1, SmallestP: 1}
	switch {
	case base == nil:
		c.Refused = "the baseline has no figure"
	case metric.Events && (base.LowerBound || f.LowerBound):
		c.Refused = "events were lost: the figures are lower bounds"
	case slices.Min(base.Values) <= 0 || slices.Min(f.Values) <= 0:
		c.Refused = "a value is not positive: there is no ratio"
	default:
		c.Ratio, c.Interval = ratio(base.Values, f.Values)
		c.P = pValue(base.Values, f.Values)
		c.SmallestP = smallestP(len(base.Values), len(f.Values))
	}
	return c
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

// notes tell how to read the intervals and the tests of this recording.
func notes(v *View) []string {
	list := []string{}
	fewest, minToMax := 0, false
	compared, smallest := 0, 1.0
	for i := range v.Models {
		f := v.Models[i].Figure("wall-ns")
		if f == nil {
			continue
		}
		if n := len(f.Values); fewest == 0 || n < fewest {
			fewest = n
		}
		minToMax = minToMax || f.Interval != nil && f.Interval.MinToMax
		if f.Comparison != nil && f.Comparison.Refused == "" {
			compared++
			smallest = min(smallest, f.Comparison.SmallestP)
		}
	}
	if minToMax {
		list = append(list, "± is the 95 % interval of the median: with so few runs, the range from the least to the greatest value.")
	}
	if fewest > 0 && fewest < runsForInterval {
		list = append(list, fmt.Sprintf("A model has %s: the 95 %% interval of a median needs --runs %d.", plural(int64(fewest), "run"), runsForInterval))
	}
	if compared > 0 && float64(compared)*smallest >= alpha {
		list = append(list, fmt.Sprintf("So few runs cannot show a difference among %s: use --runs %d.",
			plural(int64(compared), "comparison"), runsNeeded(compared)))
	}
	return list
}
