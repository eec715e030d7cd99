package reports

import (
	"fmt"
	"math"
	"slices"
)

// leastTrialsOfNoise is how many profiled trials a model needs before its noise is known at all.
const leastTrialsOfNoise = 2

// comparing is one graph against another of the same kind: nodes are matched by the names from the root on.
//
// A difference is shown where the means over the profiled trials lie further apart than both models' ranges together
// (greatest less least trial), twice as far where one of the models has two trials only, and four times where both have:
// two values tell little of how they spread. So of equal models with normal values of equal spread, one frame in a
// hundred is colored by chance (1.2 % with 3 and 3 trials, 0.7 % with 2 and 3, 1.0 % with 2 and 2, fewer with more).
// Where the trials did different amounts of work, values are those of one unit of it, but for what there is at the hold.
type comparing struct {
	model   string // that is compared with
	other   *flameGraph
	mine    []float64 // what the value of each trial is divided by
	theirs  []float64
	perUnit bool
}

// difference is how a node differs.
type difference struct {
	mine, theirs float64 // means over the trials, of a unit of work where perUnit
	noise        float64 // what the means may differ by for nothing
	sign         int     // 1: it has more than the other, -1: less, 0: within the noise, or that is not known
}

func newComparing(v *View, g *flameGraph, s, with *stacks) *comparing {
	c := &comparing{model: with.model, other: newFlameGraph(with)}
	mine, known := v.unitsOf(g.trials)
	theirs, alsoKnown := v.unitsOf(c.other.trials)
	all := slices.Concat(mine, theirs)
	c.perUnit = known && alsoKnown && !s.kind.atHold() && slices.Min(all) != slices.Max(all)
	if !c.perUnit {
		mine, theirs = ones(len(mine)), ones(len(theirs))
	}
	c.mine, c.theirs = mine, theirs
	return c
}

// unitsOf is the finished work of trials; false where one of them has done nothing or is not known.
func (v *View) unitsOf(numbers []int) ([]float64, bool) {
	list, known := ones(len(numbers)), true
	for i, number := range numbers {
		t := v.trial(number)
		if t == nil || t.Work.Units <= 0 {
			known = false
			continue
		}
		list[i] = float64(t.Work.Units)
	}
	return list, known
}

func ones(n int) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = 1
	}
	return list
}

// noiseKnown says that both models have trials enough to tell a difference from noise.
func (c *comparing) noiseKnown() bool {
	return len(c.mine) >= leastTrialsOfNoise && len(c.theirs) >= leastTrialsOfNoise
}

// ranges is how many times both ranges the means may lie apart for nothing.
func (c *comparing) ranges() int {
	factor := 1
	for _, trials := range []int{len(c.mine), len(c.theirs)} {
		if trials == leastTrialsOfNoise {
			factor *= 2
		}
	}
	return factor
}

// difference of a node to that of the other graph, which is empty where the other has none.
func (c *comparing) difference(g *flameGraph, mine, theirs nodeRange) *difference {
	return c.differ(g.byTrial(mine), c.other.byTrialOr0(theirs))
}

func (c *comparing) differ(mine, theirs []int64) *difference {
	d := &difference{}
	var myRange, theirRange float64
	d.mine, myRange = meanAndRange(mine, c.mine)
	d.theirs, theirRange = meanAndRange(theirs, c.theirs)
	d.noise = float64(c.ranges()) * (myRange + theirRange)
	if apart := d.mine - d.theirs; c.noiseKnown() && math.Abs(apart) > d.noise {
		d.sign = int(math.Copysign(1, apart))
	}
	return d
}

// byTrialOr0 is 0 in each trial for a node that is not there.
func (g *flameGraph) byTrialOr0(n nodeRange) []int64 {
	if n.to <= n.from {
		return make([]int64, len(g.trials))
	}
	return g.byTrial(n)
}

func meanAndRange(values []int64, over []float64) (mean, spread float64) {
	least, greatest := math.Inf(1), math.Inf(-1)
	for i, n := range values {
		x := float64(n) / over[i]
		mean += x / float64(len(values))
		least, greatest = min(least, x), max(greatest, x)
	}
	return mean, greatest - least
}

// level is how strong the color is: 1 to 3, by the factor between the two.
func (d *difference) level() int {
	less, more := min(d.mine, d.theirs), max(d.mine, d.theirs)
	switch {
	case more < 1.5*less:
		return 1
	case more < 3*less:
		return 2
	}
	return 3
}

// class is that of a frame's color.
func (d *difference) class() string {
	switch d.sign {
	case 1:
		return fmt.Sprintf("more%d", d.level())
	case -1:
		return fmt.Sprintf("less%d", d.level())
	}
	return "same"
}

// text says it in words.
func (c *comparing) text(d *difference, unit string) string {
	of := ""
	if c.perUnit {
		of = " a unit"
	}
	figures := fmt.Sprintf("%s%s, in %s %s", format(unit, d.mine), of, c.model, format(unit, d.theirs))
	switch {
	case !c.noiseKnown():
		return figures + ", noise not known"
	case d.sign == 0:
		return figures + ", within the noise of ±" + format(unit, d.noise)
	case d.theirs == 0:
		return figures + ", new"
	case d.sign > 0:
		return figures + ", grew " + formatFactor(d.mine/d.theirs)
	}
	return figures + ", shrank to " + formatFactor(d.mine/d.theirs)
}

// times is a factor of noise in words.
var times = map[int]string{1: "", 2: "twice ", 4: "four times "}

// notes say what the colors mean.
func (c *comparing) notes() []note {
	of := ""
	if c.perUnit {
		of = " Values are of one unit of work."
	}
	if !c.noiseKnown() {
		return []note{{fmt.Sprintf("Compared with %s, but of noise nothing is known: that takes %d trials of each, and there are %d and %d. No frame is colored.%s",
			c.model, leastTrialsOfNoise, len(c.mine), len(c.theirs), of), true}}
	}
	return []note{{text: fmt.Sprintf("Compared with %s: red has more, blue has less. Grey is within the noise: means of %d and %d trials, apart by no more than %sboth ranges.%s",
		c.model, len(c.mine), len(c.theirs), times[c.ranges()], of)},
		{text: fmt.Sprintf("The width is that of this model. What only %s has is not in the picture: compare the other way round.", c.model)}}
}
