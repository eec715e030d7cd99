package reports

import (
	"strings"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
)

// What differs from the defaults is at the head of each report, also where another machine's origin was told so.
func TestHeadline(t *testing.T) {
	const before, after = "weft 0.1.0: fetch, 100 pages, ", ", 6 runs a model"
	tests := []struct {
		change func(*recording.Plan)
		want   string
	}{
		{func(*recording.Plan) {}, "20 ms latency, concurrency 100"},
		{func(p *recording.Plan) { p.LatencyNS = 0 }, "concurrency 100"},
		{func(p *recording.Plan) { p.JitterNS = 5 * ms }, "20 ± 5 ms latency, concurrency 100"},
		{func(p *recording.Plan) { p.LatencyNS, p.JitterNS = 1000*ms, 500*ms }, "1 s ± 500 ms latency, concurrency 100"},
		{func(p *recording.Plan) { p.LatencyNS, p.JitterNS = 100*ms, ms/2 }, "100 ms ± 500 µs latency, concurrency 100"},
		{func(p *recording.Plan) { p.PageBytes = 1024 }, "20 ms latency, pages of 1.0 KiB, concurrency 100"},
		{func(p *recording.Plan) { p.PageBytes = 0 }, "20 ms latency, concurrency 100"},
		{func(p *recording.Plan) { p.PagesPerSec = 5.9 }, "20 ms latency, at most 5.9 pages/s, concurrency 100"},
		{func(p *recording.Plan) { p.KeepAlive = false }, "20 ms latency, concurrency 100, a connection a request"},
		{func(p *recording.Plan) {
			p.JitterNS, p.PageBytes, p.PagesPerSec, p.KeepAlive = 20*ms, 8<<20, 50, false
		}, "20 ± 20 ms latency, pages of 8.0 MiB, at most 50 pages/s, concurrency 100, a connection a request"},
	}
	for _, test := range tests {
		r := newRecording()
		test.change(&r.Run.Plan)
		v := NewView(r)
		for _, format := range []string{"text", "md", "html"} {
			drawn := strings.Join(strings.Fields(draw(t, v, format, Options{})), " ") // lines wrap
			if want := before + test.want + after; !strings.Contains(drawn, want) {
				t.Errorf("%s does not say %q: %.300s", format, want, drawn)
			}
		}
	}
	r := newRecording()
	r.Run.Plan.URL, r.Run.Plan.PageBytes = "http://other:8080", 2048
	if want := "pages of 2.0 KiB, concurrency 100" + after + ", from http://other:8080"; !strings.HasSuffix(headline(NewView(r)), want) {
		t.Errorf("%q, want %q at its end", headline(NewView(r)), want)
	}
}
