package reports

import (
	"math"
	"slices"
	"sort"

	"golang.org/x/perf/benchmath"
)

// confidence is the level of every interval, alpha that of every test.
const (
	confidence = 0.95
	alpha      = 0.05
	// runsForInterval is the least number of runs whose whole range reaches the level: 1 - 2/2^6 is 0.97.
	runsForInterval = 6
)

// Interval is a confidence interval.
type Interval struct {
	Lo         float64 `json:"lo"`
	Hi         float64 `json:"hi"`
	Confidence float64 `json:"confidence"` // the level that was reached, at least 0.95
	MinToMax   bool    `json:"min_to_max"` // it is the whole range of the sample
}

// summarize gives the median and its interval, nil where the sample is too small for one.
func summarize(values []float64) (float64, *Interval) {
	s := benchmath.AssumeNothing.Summary(sample(values), confidence)
	if math.IsInf(s.Lo, 0) || math.IsInf(s.Hi, 0) {
		return s.Center, nil
	}
	return s.Center, &Interval{
		Lo: s.Lo, Hi: s.Hi, Confidence: s.Confidence,
		MinToMax: s.Lo == slices.Min(values) && s.Hi == slices.Max(values),
	}
}

// sample copies: NewSample sorts the slice that it gets, and ours is in the order of the trials.
func sample(values []float64) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
}

// pValue is that of the Mann-Whitney U test.
func pValue(a, b []float64) float64 {
	return benchmath.AssumeNothing.Compare(sample(a), sample(b)).P
}

// holm corrects the p-values of a family: each is at least as large as those before it in order.
func holm(ps []float64) []float64 {
	order := make([]int, len(ps))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return ps[order[i]] < ps[order[j]] })
	corrected := make([]float64, len(ps))
	running := 0.0
	for rank, i := range order {
		running = max(running, math.Min(1, float64(len(ps)-rank)*ps[i]))
		corrected[i] = running
	}
	return corrected
}

// smallestP is the least p-value that the test can give for samples of n and m: 2 / C(n+m, n).
func smallestP(n, m int) float64 {
	ways := 1.0
	for i := 1; i <= n; i++ {
		ways *= float64(m+i) / float64(i)
	}
	return math.Min(1, 2/ways)
}

// runsNeeded is the number of runs a model from which a family of comparisons can show a difference.
func runsNeeded(comparisons int) int {
	n := 2
	for float64(comparisons)*smallestP(n, n) >= alpha {
		n++
	}
	return n
}

// ratio is the Hodges-Lehmann estimate of b over a, the median of all ratios of a value of b to one of a, with
// the interval that belongs to the Mann-Whitney test: nil where the samples are too small for one. All values
// are positive.
func ratio(a, b []float64) (float64, *Interval) { return ratioAt(a, b, confidence) }

func ratioAt(a, b []float64, level float64) (float64, *Interval) {
	logs := make([]float64, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			logs = append(logs, math.Log(y/x))
		}
	}
	slices.Sort(logs)
	estimate := math.Exp(median(logs))
	k, reached := ratioRank(len(a), len(b), level)
	if k == 0 {
		return estimate, nil
	}
	lo, hi := math.Exp(logs[k-1]), math.Exp(logs[len(logs)-k])
	return estimate, &Interval{Lo: lo, Hi: hi, Confidence: reached, MinToMax: k == 1}
}

// leastShown is the ratio, 1 or more and either way, from which on one of a family of comparisons would surely have
// shown a difference between samples of this spread; 0 where no ratio would. The interval of the ratio at the level
// of the family's hardest step says it: it leaves out the ratios that the test rejects, and moves with the estimate.
func leastShown(a, b []float64, comparisons int) float64 {
	estimate, interval := ratioAt(a, b, 1-alpha/float64(comparisons))
	if interval == nil {
		return 0
	}
	return max(estimate/interval.Lo, interval.Hi/estimate)
}

// ratioRank is how many ratios from either end the interval's bounds stand, from 1, and the level that this
// gives; 0 where not even the outermost reach the level.
func ratioRank(n, m int, level float64) (int, float64) {
	dist := uDistribution(n, m)
	tail, reached, k := 0.0, 0.0, 0
	for u := 0; u < len(dist); u++ {
		tail += dist[u]
		if 2*tail > 1-level {
			break
		}
		k, reached = u+1, 1-2*tail
	}
	return k, reached
}

// uDistribution is the probability of each value of U where both samples of n and m come from one
// distribution: the share of the ways to interleave them. The number of ways to reach u is a coefficient of
// the Gaussian binomial, the product over i of (1 - q^(m+i)) / (1 - q^i).
func uDistribution(n, m int) []float64 {
	ways := make([]float64, n*m+1)
	ways[0] = 1
	for i := 1; i <= n; i++ {
		for u := n * m; u >= m+i; u-- {
			ways[u] -= ways[u-m-i]
		}
		for u := i; u <= n*m; u++ {
			ways[u] += ways[u-i]
		}
	}
	total := 0.0
	for _, w := range ways {
		total += w
	}
	for u := range ways {
		ways[u] /= total
	}
	return ways
}
