package reports

import (
	"cmp"
	"slices"

	"github.com/weft-profiler/weft/collector/recording"
)

// mostPoints bounds the points of a curve in a drawing: more would be narrower than a pixel.
const mostPoints = 1000

// Gauge is one gauge over time, of every model that has it, from the gate on.
type Gauge struct {
	Name   string       `json:"name"`  // of the curve in the recording
	Title  string       `json:"title"` // of the drawing
	Short  string       `json:"-"`     // header of a table
	Unit   string       `json:"unit"`  // of the values: "bytes" or "count"
	About  string       `json:"-"`     // what it shows and what it does not
	Curves []GaugeCurve `json:"curves"`
}

// GaugeCurve is a gauge of one trial: that whose wall time is the median of its model's.
type GaugeCurve struct {
	Model    int     `json:"model"`     // place in View.Models
	Trial    int     `json:"trial"`     // number
	BucketNS int64   `json:"bucket_ns"` // width of a bucket, a duration
	Values   []int64 `json:"values"`    // greatest value in each bucket from the gate on
	Greatest int64   `json:"greatest"`  // of all
}

// gauges gives the curves that the recording has, in the order of the report.
func gauges(v *View) []Gauge {
	list := []Gauge{
		{Name: recording.CurveRSS, Title: "Memory over time", Short: "MEMORY", Unit: unitBytes,
			About: "Resident memory of each model from the opening of the gate: imports and set-up are where a curve begins. Kernel memory and socket buffers are not in it."},
		{Name: recording.CurveAwaiting, Title: "Awaiting a reply over time", Short: "AWAITING", Unit: unitCount,
			About: "Connections that await a reply, from the first byte sent to the first byte received: a lower bound of what the model has in flight. A body that is still arriving is not in it; IN FLIGHT in the table of models is the count of the origin, where there is one, bodies included."},
		{Name: recording.CurveThreads, Title: "Threads over time", Short: "THREADS", Unit: unitCount,
			About: "Threads alive, helper threads of the runtime included, whether they work or wait."},
	}
	for i := range list {
		list[i].Curves = []GaugeCurve{}
		for m := range v.Models {
			t := medianTrial(v, v.Models[m].Name)
			if t == nil {
				continue
			}
			if c, ok := t.Curves[list[i].Name]; ok && len(c.Greatest) > 0 {
				list[i].Curves = append(list[i].Curves, newGaugeCurve(m, t.Number, c))
			}
		}
	}
	return list
}

// newGaugeCurve merges neighbouring buckets where there are more than a drawing can show: the greatest value of
// each stays.
func newGaugeCurve(model, trial int, c recording.Curve) GaugeCurve {
	merge := (len(c.Greatest) + mostPoints - 1) / mostPoints
	g := GaugeCurve{Model: model, Trial: trial, BucketNS: c.BucketNS * int64(merge), Values: []int64{}}
	for bucket := range slices.Chunk(c.Greatest, merge) {
		g.Values = append(g.Values, slices.Max(bucket))
	}
	g.Greatest = slices.Max(g.Values)
	return g
}

// medianTrial is the measured trial that is the median of its model's by wall time, the faster one of two: the
// trial that stands for its model where only one can be drawn.
func medianTrial(v *View, model string) *recording.Trial {
	return medianBy(v.trialsOf(model, recording.Measured), wall)
}

// medianBy is the trial whose figure is the median, the lower one of two; nil where no trial has the figure.
func medianBy(trials []*recording.Trial, of value) *recording.Trial {
	figure := func(t *recording.Trial) float64 { x, _ := of(t); return x }
	list := slices.DeleteFunc(slices.Clone(trials), func(t *recording.Trial) bool { _, ok := of(t); return !ok })
	if len(list) == 0 {
		return nil
	}
	slices.SortStableFunc(list, func(a, b *recording.Trial) int { return cmp.Compare(figure(a), figure(b)) })
	return list[(len(list)-1)/2]
}

// trialsOf gives a model's trials of one kind that did all of their work.
func (v *View) trialsOf(model string, kind recording.Kind) []*recording.Trial {
	return finished(v.trials, model, kind)
}

// finished are the trials of a model and a kind that did all of their work.
func finished(trials []*recording.Trial, model string, kind recording.Kind) []*recording.Trial {
	var list []*recording.Trial
	for _, t := range trials {
		if t.Model == model && t.Kind == kind && t.OK() {
			list = append(list, t)
		}
	}
	return list
}
