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
	from  int // first bucket of the axis
	to    int // end of the axis
}

// queueRow is one model's histogram.
type queueRow struct {
	Mark   modelMark
	Waits  int64
	Mean   string
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
	row := queueRow{Mark: mark, counts: h.Counts}
	for _, n := range h.Counts {
		row.Waits += n
	}
	if row.Waits > 0 {
		row.Mean = formatDuration(float64(h.SumNS) / float64(row.Waits))
		row.Median, row.P99 = row.quantile(0.5), row.quantile(0.99)
	}
	return row
}

// quantile is the upper bound of the bucket that a share of the waits reaches into.
func (r queueRow) quantile(share float64) string {
	var below int64
	for bucket, n := range r.counts {
		below += n
		if float64(below) >= share*float64(r.Waits) {
			return "≤ " + formatDuration(math.Exp2(float64(bucket+1)))
		}
	}
	return "-"
}

// Draw makes a model's histogram: heights are shares of its own waits.
func (q queueChart) Draw(r queueRow) template.HTML {
	const height = 38.0
	most := int64(1)
	for _, n := range r.counts {
		most = max(most, n)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="histogram %s" role="img" aria-label="%s">`, r.Mark.Class,
		escapeXML(fmt.Sprintf("%s: %d waits, half of them %s, 99 %% %s", r.Mark.Name, r.Waits, r.Median, r.P99)))
	for _, t := range q.Ticks {
		fmt.Fprintf(&b, `<line class="tick" x1="%.2f%%" x2="%.2f%%" y1="0" y2="100%%"/>`, t.At, t.At)
	}
	width := 100 / float64(q.to-q.from)
	for bucket, n := range r.counts {
		if n == 0 {
			continue
		}
		high := max(1, height*float64(n)/float64(most))
		fmt.Fprintf(&b, `<rect x="%.3f%%" width="%.3f%%" y="%.1f" height="%.1f"><title>%s to %s: %s, %s</title></rect>`,
			width*float64(bucket-q.from)+0.1*width, 0.8*width, height+2-high, high,
			escapeXML(formatDuration(math.Exp2(float64(bucket)))), escapeXML(formatDuration(math.Exp2(float64(bucket+1)))),
			plural(n, "wait"), formatShare(float64(n)/float64(r.Waits)))
	}
	b.WriteString("</svg>")
	return template.HTML(b.String())
}
