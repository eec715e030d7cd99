package reports

import (
	"math"
	"slices"
	"testing"
)

func TestSummarizeSixRuns(t *testing.T) {
	values := []float64{5, 1, 4, 2, 6, 3}
	center, interval := summarize(values)
	// All six values lie on one side of the true median with 2 * 1/2^6 = 0.03125.
	want := Interval{Lo: 1, Hi: 6, Confidence: 0.96875, MinToMax: true}
	if center != 3.5 || interval == nil || *interval != want {
		t.Errorf("%v, %+v, want 3.5, %+v", center, interval, want)
	}
	if !slices.Equal(values, []float64{5, 1, 4, 2, 6, 3}) {
		t.Errorf("the caller's values were moved: %v", values)
	}
}

func TestSummarizeTooFew(t *testing.T) {
	// With five values the widest interval reaches 1 - 2/2^5 = 0.9375.
	center, interval := summarize([]float64{1, 2, 3, 4, 5})
	if center != 3 || interval != nil {
		t.Errorf("%v, %+v, want 3 and no interval", center, interval)
	}
}

func TestSummarizeMany(t *testing.T) {
	_, interval := summarize([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	// The second and the ninth of ten: 1 - 2*(1+10)/2^10.
	if interval == nil || interval.Lo != 2 || interval.Hi != 9 || interval.MinToMax || !near(interval.Confidence, 1-22.0/1024) {
		t.Errorf("%+v", interval)
	}
}

func TestPValue(t *testing.T) {
	low, high := []float64{1, 2, 3, 4, 5, 6}, []float64{7, 8, 9, 10, 11, 12}
	if p := pValue(low, high); !near(p, 2.0/924) { // C(12, 6) = 924
		t.Errorf("separate samples: %v, want 2/924", p)
	}
	if p := pValue(low, slices.Clone(low)); p < 0.9 {
		t.Errorf("equal samples: %v", p)
	}
	if p := pValue([]float64{1, 1}, []float64{1, 1}); p != 1 {
		t.Errorf("no spread at all: %v, want 1", p)
	}
}

func TestHolm(t *testing.T) {
	tests := []struct{ ps, want []float64 }{
		{nil, []float64{}},
		{[]float64{0.04}, []float64{0.04}},
		// In order: 3*0.01, 2*0.02, 1*0.03, which must not be less than the one before.
		{[]float64{0.03, 0.01, 0.02}, []float64{0.04, 0.03, 0.04}},
		{[]float64{0.5, 0.6}, []float64{1, 1}},
	}
	for _, test := range tests {
		got := holm(test.ps)
		if !slices.EqualFunc(got, test.want, near) {
			t.Errorf("%v: %v, want %v", test.ps, got, test.want)
		}
	}
}

func TestSmallestP(t *testing.T) {
	for _, test := range []struct {
		n, m int
		want float64
	}{{1, 1, 1}, {2, 2, 2.0 / 6}, {3, 3, 2.0 / 20}, {6, 6, 2.0 / 924}, {4, 6, 2.0 / 210}} {
		if got := smallestP(test.n, test.m); !near(got, test.want) {
			t.Errorf("%d and %d: %v, want %v", test.n, test.m, got, test.want)
		}
	}
}

func TestRunsNeeded(t *testing.T) {
	// 2/C(2n,n): 0.1, 0.0286, 0.0079, 0.00216 for 3 to 6 runs. FACTS: a family of more than 23 needs more than 6.
	for comparisons, want := range map[int]int{1: 4, 2: 5, 6: 5, 7: 6, 23: 6, 24: 7} {
		if got := runsNeeded(comparisons); got != want {
			t.Errorf("%d comparisons: %d runs, want %d", comparisons, got, want)
		}
	}
}

func TestRatio(t *testing.T) {
	estimate, interval := ratio([]float64{1, 2, 4}, []float64{10, 20, 40})
	// The nine ratios are 2.5, 5, 5, 10, 10, 10, 20, 20, 40; three against three reach no 95 %.
	if !near(estimate, 10) || interval != nil {
		t.Errorf("%v, %+v, want 10 and no interval", estimate, interval)
	}
}

// The critical values of U at 0.05, two-sided, are in every textbook; the interval stands one further in.
func TestRatioRank(t *testing.T) {
	for _, test := range []struct{ n, m, critical int }{
		{4, 4, 0}, {5, 5, 2}, {6, 6, 5}, {8, 8, 13}, {10, 10, 23}, {5, 8, 6}, {20, 20, 127},
	} {
		k, level := ratioRank(test.n, test.m, confidence)
		if k != test.critical+1 || level < confidence {
			t.Errorf("%d and %d: rank %d at %v, want %d", test.n, test.m, k, level, test.critical+1)
		}
	}
	if k, _ := ratioRank(3, 3, confidence); k != 0 {
		t.Errorf("3 and 3: rank %d, want none", k)
	}
}

func TestUDistribution(t *testing.T) {
	// Two and two: one way each to 0, 1, 3 and 4, two ways to 2.
	want := []float64{1.0 / 6, 1.0 / 6, 2.0 / 6, 1.0 / 6, 1.0 / 6}
	if got := uDistribution(2, 2); !slices.EqualFunc(got, want, near) {
		t.Errorf("%v, want %v", got, want)
	}
}

func near(a, b float64) bool {
	return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b))
}

// The factor that leastShown gives is the one at which the test turns: with this spread a little less is not shown, a
// little more is.
func TestLeastShown(t *testing.T) {
	a := []float64{100, 101, 103, 106, 110, 115}
	b := []float64{102, 99, 104, 111, 107, 113}
	const comparisons = 4
	least := leastShown(a, b, comparisons)
	estimate, _ := ratio(a, b)
	if least <= 1 || least > 1.3 {
		t.Fatalf("%v for samples that spread by 15 %%", least)
	}
	shownAt := func(factor float64) bool {
		scaled := make([]float64, len(b))
		for i := range b {
			scaled[i] = b[i] / estimate * factor
		}
		return comparisons*pValue(a, scaled) < alpha
	}
	if !shownAt(least*1.001) || !shownAt(1/(least*1.001)) {
		t.Errorf("a factor of %v is not shown either way", least*1.001)
	}
	if shownAt(least*0.999) && shownAt(1/(least*0.999)) {
		t.Errorf("a factor of %v is shown both ways already", least*0.999)
	}
	if got := leastShown(a[:3], b[:3], comparisons); got != 0 {
		t.Errorf("3 runs against 3 can show nothing, yet %v", got)
	}
}
