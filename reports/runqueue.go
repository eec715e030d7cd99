package reports

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// queueChart is how long threads waited for a CPU, as a histogram a model over all its measured trials.
type queueChart struct {
	Rows  []queueRow
	Ticks []barTick
	from  int     // first bucket of the axis
	to    int     // end of the axis
	top   float64 // the greatest share in any bucket of any model
}

// queueRow is one model's histogram.
type queueRow struct {
	Mark   modelMark
	Waits  int64
	Median string // upper bound of its bucket
	P99    string
	counts []int64
}

func newQueueChart(v *View) queueChart {
	q := queueChart{from: math.MaxInt}
	marks := modelMarks(v)
	for i := range v.Models {
		sum := recording.Histogram{}
		for _, t := range v.trialsOf(v.Models[i].Name, recording.Measured) {
			if t.Sched != nil {
				sum = addHistogram(sum, t.Sched.RunQueue)
			}
		}
		row := newQueueRow(marks[i], sum)
		if row.Waits == 0 {
			continue
		}
		for bucket, n := range sum.Counts {
			if n > 0 {
				q.from, q.to = min(q.from, bucket), max(q.to, bucket+1)
				q.top = max(q.top, row.share(bucket))
			}
		}
		q.Rows = append(q.Rows, row)
	}
	for bucket := q.from; bucket <= q.to && len(q.Rows) > 0; bucket += max(1, (q.to-q.from)/6) {
		q.Ticks = append(q.Ticks, barTick{100 * float64(bucket-q.from) / float64(q.to-q.from), formatDuration(math.Exp2(float64(bucket)))})
	}
	return q
}

func addHistogram(a, b recording.Histogram) recording.Histogram {
	sum := recording.Histogram{Counts: make([]int64, max(len(a.Counts), len(b.Counts))), SumNS: a.SumNS + b.SumNS}
	for i, n := range a.Counts {
		sum.Counts[i] += n
	}
	for i, n := range b.Counts {
		sum.Counts[i] += n
	}
	return sum
}

func newQueueRow(mark modelMark, h recording.Histogram) queueRow {
	return queueRow{Mark: mark, Waits: waitsOf(h), Median: atMost(h, 50), P99: atMost(h, 99), counts: h.Counts}
}

// atMost prints a quantile, of which only the upper bound is known.
func atMost(h recording.Histogram, percent int64) string {
	x, ok := quantile(h, percent)
	if !ok {
		return "-"
	}
	return "≤ " + formatDuration(x)
}

// share is how much of its model's waits a bucket has.
func (r queueRow) share(bucket int) float64 {
	return float64(r.counts[bucket]) / float64(max(1, r.Waits))
}

// Draw makes a model's histogram: heights are shares of its own waits, on one scale for all models.
func (q queueChart) Draw(r queueRow) template.HTML {
	const height = 38.0
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="histogram %s" role="img" aria-label="%s">`, r.Mark.Class,
		escapeXML(fmt.Sprintf("%s: %s, half of them %s, 99 %% %s", r.Mark.Name, plural(r.Waits, "wait"), r.Median, r.P99)))
	for _, t := range q.Ticks {
		fmt.Fprintf(&b, `<line class="tick" x1="%.2f%%" x2="%.2f%%" y1="0" y2="100%%"/>`, t.At, t.At)
	}
	width := 100 / float64(q.to-q.from)
	for bucket, n := range r.counts {
		if n == 0 {
			continue
		}
		high := max(1, height*r.share(bucket)/q.top)
		fmt.Fprintf(&b, `<rect x="%.3f%%" width="%.3f%%" y="%.1f" height="%.1f"><title>%s to %s: %s, %s</title></rect>`,
			width*float64(bucket-q.from)+0.1*width, 0.8*width, height+2-high, high,
			escapeXML(formatDuration(math.Exp2(float64(bucket)))), escapeXML(formatDuration(math.Exp2(float64(bucket+1)))),
			plural(n, "wait"), formatShare(r.share(bucket)))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}
