package reports

import (
	"slices"
	"testing"
)

// loadSeconds is the budget for the page of nine models with twenty measured trials each: from the navigation to
// the frame that has the charts.
const loadSeconds = 1.0

// leastLoads is how many loads an iteration has: the browser's very first one takes twice as long as the others, and on a
// slow machine it would be the only one.
const leastLoads = 6

// BenchmarkHTML draws that page and loads it in a browser.
func BenchmarkHTML(b *testing.B) {
	v := newNineView(b, 20)
	page := draw(b, v, "html", Options{})
	b.Run("draw", func(b *testing.B) {
		for b.Loop() {
			draw(b, v, "html", Options{})
		}
	})
	b.Run("load", func(b *testing.B) {
		chrome := newBrowser(b)
		url := writeReport(b, v)
		var loads []float64
		for b.Loop() {
			for range leastLoads {
				chrome.open(b, url, "light", 1280, 900)
				loads = append(loads, eval[float64](b, chrome, `performance.getEntriesByName("weft-drawn")[0].startTime`)/1000)
			}
		}
		seconds, verdict := median(loads), "ok"
		if seconds > loadSeconds {
			verdict = "OVER"
			b.Errorf("%.2f s, at most %.2f", seconds, loadSeconds)
		}
		b.ReportMetric(seconds, "s/load")
		b.Logf("budget | loading report.html of 9 models × 20 trials in a browser | %.2f s | %.2f s | %s | "+
			"%d KiB, navigation to the frame with the charts, headless Chromium; median of %d, %.2f to %.2f s",
			seconds, loadSeconds, verdict, len(page)>>10, len(loads), slices.Min(loads), slices.Max(loads))
	})
}
