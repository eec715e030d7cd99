package reports

import "github.com/weft-profiler/weft/collector/recording"

// heldBars is what one task held in flight costs, from the figures of held trials. Models that hold one task have no
// bar: everything that they make once would be that task's.
func heldBars(v *View) barChart {
	parts := []struct{ metric, part string }{
		{"held-user-B/task", recording.PartUser},
		{"held-rss-B/task", recording.PartUser}, // of recordings without kernel memory
		{"held-kernel-B/task", recording.PartKernel},
		{"held-socket-buffers-B/task", recording.PartSocketBuffers},
	}
	var rows []barRow
	marks := modelMarks(v)
	for i := range v.Models {
		m := &v.Models[i]
		if m.Asked < 2 {
			continue
		}
		row := barRow{Mark: marks[i], Values: map[string]float64{}}
		for _, p := range parts {
			f := m.Figure(p.metric)
			if _, known := row.Values[p.part]; f != nil && !known {
				row.Values[p.part] = f.Median
				row.Note = "median of " + plural(int64(len(f.Values)), "trial")
			}
		}
		if len(row.Values) > 0 {
			rows = append(rows, row)
		}
	}
	return newBarChart(unitBytes, []string{recording.PartUser, recording.PartKernel, recording.PartSocketBuffers}, rows)
}
