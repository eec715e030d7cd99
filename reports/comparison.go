package reports

import (
	"fmt"
	"math"
	"slices"
)

// compare tests each model against the baseline: the family of one metric.
func (v *View) compare(metric Metric) {
	base := v.Models[0].Figure(metric.Name)
	var family []*Figure
	var ps []float64
	for i := range v.Models[1:] {
		m := &v.Models[i+1]
		f := m.Figure(metric.Name)
		if f == nil {
			continue
		}
		f.Comparison = newComparison(metric, base, f)
		if f.Comparison.Refused == "" && within(f.Median-base.Median, v.Models[0].bound(metric), m.bound(metric)) {
			f.Comparison = refuse("the difference is within the error of the figures")
		}
		if f.Comparison.Refused == "" {
			family = append(family, f)
			ps = append(ps, f.Comparison.P)
		}
	}
	for i, p := range holm(ps) {
		c := family[i].Comparison
		c.PHolm = p
		c.Different = p < alpha
		if !c.Different {
			c.Least = leastShown(base.Values, family[i].Values, len(ps))
		}
	}
}

func newComparison(metric Metric, base, f *Figure) *Comparison {
	switch {
	case base == nil:
		return refuse("the baseline has no figure")
	case metric.Events && (base.Inexact || f.Inexact):
		return refuse("events were lost: the figures are not exact")
	case metric.Events && (base.LowerBound || f.LowerBound):
		return refuse("events were lost: the figures are lower bounds")
	case slices.Min(base.Values) <= 0 || slices.Min(f.Values) <= 0:
		return refuse("a value is not positive: there is no ratio")
	}
	c := &Comparison{P: pValue(base.Values, f.Values), PHolm: 1, SmallestP: smallestP(len(base.Values), len(f.Values))}
	c.Ratio, c.Interval = ratio(base.Values, f.Values)
	return c
}

func refuse(why string) *Comparison {
	return &Comparison{P: 1, PHolm: 1, SmallestP: 1, Refused: why}
}

// bound is how far the model's figure of a metric may be wrong, either way.
func (m *Model) bound(metric Metric) float64 {
	f := m.Figure(metric.Bound)
	if f == nil {
		return 0
	}
	return slices.Max(f.Values)
}

// within says that errors alone could make a difference; without an error, none is.
func within(difference float64, errors ...float64) bool {
	sum := 0.0
	for _, e := range errors {
		sum += e
	}
	return sum > 0 && math.Abs(difference) <= sum
}

// notes tell how to read the intervals, the tests and the columns of this recording.
func notes(v *View) []string {
	list := []string{}
	for _, note := range []string{intervalNote(v), fewRunsNote(v), runsNote(v), noDifferenceNote(v), boundNote(v), waitNote(v)} {
		if note != "" {
			list = append(list, note)
		}
	}
	return list
}

// intervalNote explains the column ±.
func intervalNote(v *View) string {
	const farther = "± is how far the 95 % interval of the median reaches on its farther side"
	known, minToMax := false, false
	for i := range v.Models {
		if f := v.Models[i].Figure("wall-ns"); f != nil {
			known = true
			minToMax = minToMax || f.Interval != nil && f.Interval.MinToMax
		}
	}
	switch {
	case !known:
		return ""
	case minToMax:
		return farther + ": with so few runs, to the least or the greatest value."
	}
	return farther + "."
}

func fewRunsNote(v *View) string {
	fewest := runsForInterval
	for i := range v.Models {
		if f := v.Models[i].Figure("wall-ns"); f != nil {
			fewest = min(fewest, len(f.Values))
		}
	}
	if fewest == runsForInterval {
		return ""
	}
	return fmt.Sprintf("A model has %s: the 95 %% interval of a median needs --runs %d.", plural(int64(fewest), "run"), runsForInterval)
}

// runsNote looks at the family that is the hardest to show a difference in: one headline metric over all models.
func runsNote(v *View) string {
	worst := 0
	for _, metric := range v.Metrics {
		compared, smallest := 0, 1.0
		for i := range v.Models {
			f := v.Models[i].Figure(metric.Name)
			if f != nil && f.Comparison != nil && f.Comparison.Refused == "" {
				compared++
				smallest = min(smallest, f.Comparison.SmallestP)
			}
		}
		if float64(compared)*smallest >= alpha {
			worst = max(worst, compared)
		}
	}
	if worst == 0 {
		return ""
	}
	return fmt.Sprintf("So few runs cannot show a difference among %s: use --runs %d.", plural(int64(worst), "comparison"), runsNeeded(worst))
}

// noDifferenceNote explains the "~" in the column SPEEDUP.
func noDifferenceNote(v *View) string {
	least, model := 0.0, ""
	for i := range v.Models {
		f := v.Models[i].Figure("wall-ns")
		if f == nil || f.Comparison == nil || f.Comparison.Refused != "" || f.Comparison.Different {
			continue
		}
		if f.Comparison.Least > least {
			least, model = f.Comparison.Least, v.Models[i].Name
		}
	}
	if least == 0 {
		return ""
	}
	return fmt.Sprintf("~: no difference in TIME is shown; with this spread a factor of %s would have been (%s).", formatRatio(least), model)
}

// boundNote tells of the greatest bound, and whose it is where it is not everybody's.
func boundNote(v *View) string {
	greatest, least, model := 0.0, math.Inf(1), ""
	for i := range v.Models {
		bound := v.Models[i].bound(Metric{Bound: "rss-peak-bound-B"})
		if bound > greatest {
			greatest, model = bound, v.Models[i].Name
		}
		least = min(least, bound)
	}
	if greatest == 0 {
		return ""
	}
	whose := ""
	if formatBytes(least) != formatBytes(greatest) {
		whose = " (" + model + ")"
	}
	return fmt.Sprintf("PEAK RSS may be wrong by up to %s either way%s: changes by threads on several CPUs at once.", formatBytes(greatest), whose)
}

func waitNote(v *View) string {
	if !slices.ContainsFunc(v.Models, func(m Model) bool { return m.Wait != "" }) {
		return ""
	}
	return "WAIT is where threads were blocked longest: per thread, not per task."
}
