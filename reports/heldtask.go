package reports

import (
	"fmt"

	"github.com/weft-profiler/weft/collector/recording"
)

// heldBars is what one task held in flight costs, from the figures of held trials. Models that hold one task have no
// bar: everything that they make once would be that task's. Where each bar is of one pair of trials, a sentence says
// so, else each bar says of how many it is.
func heldBars(v *View) (barChart, string) {
	parts := []struct{ metric, part string }{
		{"held-user-B/task", recording.PartUser},
		{"held-kernel-B/task", recording.PartKernel},
		{"held-socket-buffers-B/task", recording.PartSocketBuffers},
	}
	var rows []barRow
	var pairs []int // of trials, by row
	most := 0
	marks := modelMarks(v)
	for i := range v.Models {
		m := &v.Models[i]
		if m.Asked < 2 {
			continue
		}
		row, n := barRow{Mark: marks[i], Values: map[string]float64{}}, 0
		for _, p := range parts {
			if f := m.Figure(p.metric); f != nil {
				row.Values[p.part] = f.Median
				n = max(n, len(f.Values))
			}
		}
		if n > 0 {
			rows, pairs, most = append(rows, row), append(pairs, n), max(most, n)
		}
	}
	about := "Each bar is of one pair of trials."
	if most != 1 {
		about = ""
		for i, n := range pairs {
			rows[i].Note = medianOfPairs(n)
		}
	}
	return newBarChart(unitBytes, []string{recording.PartUser, recording.PartKernel, recording.PartSocketBuffers}, rows), about
}

func medianOfPairs(n int) string {
	if n == 1 {
		return "one pair"
	}
	return fmt.Sprintf("median of %d pairs", n)
}
