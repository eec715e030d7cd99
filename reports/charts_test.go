package reports

import (
	"slices"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
)

// However a curve is thinned out, its greatest value stays, and it is as long as before.
func TestGaugeCurveKeepsTheGreatest(t *testing.T) {
	for _, n := range []int{1, 999, 1000, 1001, 4096, 10_007} {
		c := recording.Curve{BucketNS: ms, Greatest: make([]int64, n)}
		for i := range c.Greatest {
			c.Greatest[i] = int64(i % 7)
		}
		c.Greatest[n*2/3] = 123_456_789
		g := newGaugeCurve(3, 23, c)
		if len(g.Values) > mostPoints || g.Greatest != 123_456_789 || slices.Max(g.Values) != g.Greatest {
			t.Errorf("%d buckets: %d points, greatest %d", n, len(g.Values), g.Greatest)
		}
		at := int64(slices.Index(g.Values, g.Greatest)) * g.BucketNS
		if peak := int64(n*2/3) * ms; peak < at || peak >= at+g.BucketNS {
			t.Errorf("%d buckets: the greatest at %d ns, want %d", n, at, peak)
		}
		if length := int64(len(g.Values)) * g.BucketNS; length < int64(n)*ms || length >= int64(n)*ms+g.BucketNS {
			t.Errorf("%d buckets: %d ns long", n, length)
		}
	}
}

// The trial that is drawn is one of the model's, and half of the others are as fast or faster.
func TestMedianTrial(t *testing.T) {
	v := newNineView(t, 6)
	for _, m := range v.Models {
		drawn := medianTrial(v, m.Name)
		faster := 0
		for _, other := range v.trialsOf(m.Name, recording.Measured) {
			if other.WorkNS() < drawn.WorkNS() {
				faster++
			}
		}
		if drawn.Model != m.Name || faster != 2 { // the faster of the two in the middle of six
			t.Errorf("%s: trial %d of %s, %d of 6 are faster", m.Name, drawn.Number, drawn.Model, faster)
		}
	}
	if medianTrial(v, "nobody") != nil {
		t.Error("a trial of a model that did not run")
	}
}

// Parts add up to the sum that is printed, and to the recording's.
func TestBarsAddUp(t *testing.T) {
	v := newNineView(t, 6)
	for _, m := range v.Models {
		chart := threadTimeBars(v)
		i := slices.IndexFunc(chart.Rows, func(r barRow) bool { return r.Mark.Name == m.Name })
		var sums []float64
		for _, trial := range v.trialsOf(m.Name, recording.Measured) {
			sum, _ := threadTimeSum(trial)
			sums = append(sums, sum)
		}
		slices.Sort(sums)
		if got := chart.Rows[i].Total; got != sums[2] {
			t.Errorf("%s: threads' time %v, want the third of %v", m.Name, got, sums)
		}
	}
	for _, r := range reconciliationBars(v).Rows {
		found := false
		for _, trial := range v.trialsOf(r.Mark.Name, recording.Measured) {
			found = found || float64(trial.GoMemory[r.Label].RSSBytes) == r.Total
		}
		if !found {
			t.Errorf("%s at %s: %v is no trial's resident memory", r.Mark.Name, r.Label, r.Total)
		}
	}
}

// Memory at a point is PSS, page tables and the kernel's parts; what a part is called is bounded by a list.
func TestSnapshotParts(t *testing.T) {
	base := recording.Snapshot{USSBytes: 100, PSSBytes: 130, PageTableBytes: 7}
	proc := []recording.Part{{Name: recording.PartUser, Bytes: 100}, {Name: recording.PartKernelStacks, Bytes: 16},
		{Name: recording.PartPageTables, Bytes: 7}, {Name: "<b>", Bytes: 1 << 40}}
	group := []recording.Part{{Name: recording.PartUser, Bytes: 100}, {Name: recording.PartKernel, Bytes: 25}}
	for _, test := range []struct {
		name string
		cost map[string][]recording.Part
		want map[string]float64
	}{
		{"no cost", nil, map[string]float64{"user": 100, "shared": 30, "page tables": 7}},
		{"both ways", map[string][]recording.Part{recording.ByProc: proc, recording.ByCgroup: group},
			map[string]float64{"user": 100, "shared": 30, "page tables": 7, "kernel stacks": 16}},
		{"cgroup", map[string][]recording.Part{recording.ByCgroup: group}, map[string]float64{"user": 100, "shared": 30, "kernel": 25}},
	} {
		s := base
		s.Cost = test.cost
		got := snapshotParts(s)
		if len(got) != len(test.want) {
			t.Errorf("%s: %v", test.name, got)
		}
		for part, bytes := range test.want {
			if got[part] != bytes {
				t.Errorf("%s: %s is %v, want %v", test.name, part, got[part], bytes)
			}
		}
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		unit string
		top  float64
		want []string
	}{
		{unitNS, 119e9, []string{"20 s", "40 s", "60 s", "80 s", "100 s"}},
		{unitNS, 2.4e6, []string{"0.5 ms", "1 ms", "1.5 ms", "2 ms"}},
		{unitBytes, 49 << 20, []string{"16 MiB", "32 MiB", "48 MiB"}},
		{unitRatio, 1, []string{"20 %", "40 %", "60 %", "80 %", "100 %"}},
		{unitCount, 0, nil},
	} {
		var got []string
		for _, tick := range ticks(test.unit, test.top) {
			got = append(got, tick.Label)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("up to %v %s: %q, want %q", test.top, test.unit, got, test.want)
		}
	}
}

func TestRunQueueQuantiles(t *testing.T) {
	row := newQueueRow(modelMark{}, recording.Histogram{Counts: []int64{0, 0, 0, 0, 50, 48, 0, 0, 0, 0, 2}})
	if row.Waits != 100 || row.Median != "≤ 32 ns" || row.P99 != "≤ 2.05 µs" {
		t.Errorf("%+v", row)
	}
}

func TestShellCommand(t *testing.T) {
	got := shellCommand([]string{"weft", "compare", "-o", "a dir", "it's", "", "\x1b[31m"})
	if want := `weft compare -o 'a dir' 'it'\''s' '' '\x1b[31m'`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A part below zero makes the other parts longer than the sum: the bar shows where the sum ends and hatches the rest,
// and the legend has what is drawn only.
func TestBarsBeyondTheirSum(t *testing.T) {
	rows := func(rest float64) []barRow {
		return []barRow{
			{Mark: modelMark{Name: "a"}, Values: map[string]float64{partRuntime: 8, partRest: rest}},
			{Mark: modelMark{Name: "b"}, Values: map[string]float64{partRuntime: 4, partRest: min(0, rest/2)}},
		}
	}
	order := []string{partRuntime, partRest}
	over := newBarChart(unitCount, order, rows(-2))
	if over.Sum(over.Rows[0]) != "6" || len(over.Keys()) != 1 || len(over.Parts) != 2 || !over.Beyond() {
		t.Errorf("sum %s of %v, drawn %v", over.Sum(over.Rows[0]), over.Parts, over.Keys())
	}
	for i, want := range []string{`class="beyond" x1="75.000%" x2="100.000%"`, `class="beyond" x1="37.500%" x2="50.000%"`} {
		if drawn := string(over.Draw(over.Rows[i])); !strings.Contains(drawn, want) || !strings.Contains(drawn, `class="total"`) {
			t.Errorf("no %s in %s", want, drawn)
		}
	}
	whole := newBarChart(unitCount, order, rows(2))
	if drawn := string(whole.Draw(whole.Rows[0])); whole.Beyond() || len(whole.Keys()) != 2 || strings.Contains(drawn, "beyond") {
		t.Errorf("beyond its sum: %s", drawn)
	}
}

// One pair of trials is said once, several by each bar.
func TestHeldBarsSayTheirPairs(t *testing.T) {
	one, about := heldBars(newView(t))
	if about == "" || len(one.Rows) != 3 || one.Rows[0].Note != "" {
		t.Errorf("one pair: %q, %+v", about, one.Rows)
	}
	r := newRecording()
	for _, c := range []int{10, 100} {
		addTrial(r, heldTrial(specs()[1], c))
	}
	two, about := heldBars(NewView(save(t, r, nil)))
	if about != "" || two.Rows[0].Note != "median of 2 pairs" || two.Rows[1].Note != "one pair" {
		t.Errorf("two pairs: %q, %+v", about, two.Rows)
	}
}

// Columns have one scale: the greatest share of all models is the highest, and another is as high as it is greater.
func TestRunQueueHeights(t *testing.T) {
	r := newRecording()
	for _, trial := range r.Trials {
		trial.Sched.RunQueue.Counts = []int64{0, 80, 20}
		if trial.Model == "go-threads" {
			trial.Sched.RunQueue.Counts = []int64{0, 40, 40, 20}
		}
	}
	q := newQueueChart(NewView(save(t, r, nil)))
	for i, want := range []string{`height="38.0"`, `height="19.0"`} { // 80 and 40 %
		if drawn := string(q.Draw(q.Rows[i])); !strings.Contains(drawn, want) || !strings.Contains(drawn, `height="9.5"`) {
			t.Errorf("no column of %s and 9.5 in %s", want, drawn)
		}
	}
}
