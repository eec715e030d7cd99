package reports

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// DefaultPageBytes is the size of a page's body where nobody set another: a report does not name it.
const DefaultPageBytes = 67_700

// headline says what was measured, at the head of every report for people: what a plan has anyway, and what somebody
// set otherwise, be it here or where the origin was started.
func headline(v *View) string {
	p := &v.Run.Plan
	return join(", ", v.Run.Tool+": "+p.Scenario, plural(int64(p.Requests), "page"), latencyText(p), pagesText(p),
		fmt.Sprintf("concurrency %d", p.Concurrency), connectionsText(p), plural(int64(p.MeasuredRuns), "run")+" a model", originText(p))
}

// latencyText names a unit once where it is that of both: "20 ± 5 ms latency".
func latencyText(p *recording.Plan) string {
	if p.LatencyNS <= 0 {
		return ""
	}
	latency := formatPlain(p.LatencyNS)
	if p.JitterNS > 0 {
		jitter := formatPlain(p.JitterNS)
		if n, unit, _ := strings.Cut(latency, " "); strings.HasSuffix(jitter, " "+unit) {
			latency = n
		}
		latency += " ± " + jitter
	}
	return latency + " latency"
}

// pagesText leaves out what is as usual, and what an old recording does not tell.
func pagesText(p *recording.Plan) string {
	size, rate := "", ""
	if p.PageBytes > 0 && p.PageBytes != DefaultPageBytes {
		size = "pages of " + formatBytes(float64(p.PageBytes))
	}
	if p.PagesPerSec > 0 {
		rate = "at most " + strconv.FormatFloat(p.PagesPerSec, 'f', -1, 64) + " pages/s"
	}
	return join(", ", size, rate)
}

func connectionsText(p *recording.Plan) string {
	if p.KeepAlive {
		return ""
	}
	return "a connection a request"
}

func originText(p *recording.Plan) string {
	if p.URL == "" {
		return ""
	}
	return "from " + p.URL
}
