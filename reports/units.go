package reports

import (
	"fmt"
	"math"
	"strconv"
)

// step is one scale of a unit: it is taken for values that print as less than limit.
type step struct {
	limit  float64
	factor float64
	suffix string
}

// format prints a metric's value for people.
func format(unit string, x float64) string {
	switch unit {
	case unitNS:
		return formatDuration(x)
	case unitBytes:
		return formatBytes(x)
	case unitRatio:
		return formatShare(x)
	}
	return formatCount(x)
}

// formatDuration prints nanoseconds: "2.31 s", "110 ms", "0.90 ms", "12.0 µs", "340 ns".
func formatDuration(ns float64) string {
	return scale(ns, []step{
		{999.5, 1, "ns"},
		{99.95e3, 1e3, "µs"}, // 0.10 ms and more stay in milliseconds, as times of requests do
		{999.5e6, 1e6, "ms"},
		{0, 1e9, "s"},
	}, 3)
}

// formatBytes prints bytes: "10.9 MiB", "512 B".
func formatBytes(n float64) string {
	return scale(n, []step{
		{1000, 1, "B"},
		{1000 << 10, 1 << 10, "KiB"},
		{1000 << 20, 1 << 20, "MiB"},
		{0, 1 << 30, "GiB"},
	}, 2)
}

// scale prints x in the first step that holds it, or the last.
func scale(x float64, steps []step, digits int) string {
	i := 0
	for i < len(steps)-1 && math.Abs(x) >= steps[i].limit {
		i++
	}
	s := steps[i]
	if s.factor == 1 && x == math.Trunc(x) {
		return fmt.Sprintf("%.0f %s", x, s.suffix)
	}
	return significant(x/s.factor, digits) + " " + s.suffix
}

// formatCount prints a count, whole where it is.
func formatCount(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return significant(x, 3)
}

// formatShare prints a ratio as a percentage.
func formatShare(x float64) string {
	if x > 0 && x < 0.0005 {
		return "<0.1 %"
	}
	return fmt.Sprintf("%.1f %%", 100*x)
}

// formatLimit prints a ratio that somebody set, as a percentage: "5 %", not "5.0 %".
func formatLimit(x float64) string { return strconv.FormatFloat(100*x, 'g', 3, 64) + " %" }

// formatFactor prints how many times: "21.0x", "0.85x".
func formatFactor(x float64) string {
	if x == 1 {
		return "1x"
	}
	return significant(x, 3) + "x"
}

// formatRatio prints a ratio with three significant digits.
func formatRatio(x float64) string {
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// significant prints about so many digits, 2 or 3, and none after the point from 100 on.
func significant(x float64, digits int) string {
	a := math.Abs(x)
	switch {
	case a < 9.995:
		return strconv.FormatFloat(x, 'f', digits-1, 64)
	case a < 99.95:
		return strconv.FormatFloat(x, 'f', min(1, digits-1), 64)
	}
	return strconv.FormatFloat(x, 'f', 0, 64)
}

// formatSpread prints how far the interval reaches from the median, as a percentage.
func formatSpread(f *Figure) string {
	if f == nil || f.Interval == nil || f.Median <= 0 {
		return "-"
	}
	far := max(f.Interval.Hi/f.Median-1, 1-f.Interval.Lo/f.Median)
	return fmt.Sprintf("%.0f%%", 100*far)
}

// formatPlain prints a duration that somebody set: "20 ms", not "20.0 ms".
func formatPlain(ns int64) string {
	for _, s := range []struct {
		ns     int64
		suffix string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if ns >= s.ns && ns%s.ns == 0 {
			return fmt.Sprintf("%d %s", ns/s.ns, s.suffix)
		}
	}
	return formatDuration(float64(ns))
}
