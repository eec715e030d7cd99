package reports

import (
	"math"
	"testing"
)

func TestFormat(t *testing.T) {
	tests := []struct {
		unit string
		x    float64
		want string
	}{
		{unitNS, 0, "0 ns"}, {unitNS, 340, "340 ns"}, {unitNS, 999.4, "999 ns"}, {unitNS, 999.6, "1.00 µs"},
		{unitNS, 12_000, "12.0 µs"}, {unitNS, 99_960, "0.10 ms"}, {unitNS, 900_000, "0.90 ms"}, {unitNS, 4_100_000, "4.10 ms"},
		{unitNS, 82_000_000, "82.0 ms"}, {unitNS, 110e6, "110 ms"}, {unitNS, 999.4e6, "999 ms"}, {unitNS, 999.6e6, "1.00 s"},
		{unitNS, 2.31e9, "2.31 s"}, {unitNS, 1234e9, "1234 s"}, {unitNS, 99.96e9, "100 s"},
		{unitBytes, 512, "512 B"}, {unitBytes, 1023, "1.0 KiB"}, {unitBytes, 67_900, "66.3 KiB"}, {unitBytes, 11 << 20, "11.0 MiB"},
		{unitBytes, -4096, "-4.0 KiB"}, {unitBytes, 3 << 30, "3.0 GiB"}, {unitBytes, 1.5, "1.5 B"}, {unitBytes, 200 << 20, "200 MiB"},
		{unitCount, 104, "104"}, {unitCount, 9.045, "9.04"}, {unitCount, 104.5, "104"}, {unitCount, 29.03, "29.0"}, {unitCount, 0, "0"},
		{unitRatio, 0.004, "0.4 %"}, {unitRatio, 0.0001, "<0.1 %"}, {unitRatio, 0, "0.0 %"}, {unitRatio, 1, "100.0 %"},
	}
	for _, test := range tests {
		if got := format(test.unit, test.x); got != test.want {
			t.Errorf("%v %s: %q, want %q", test.x, test.unit, got, test.want)
		}
	}
	for x, want := range map[float64]string{1: "1x", 21.04: "21.0x", 0.854: "0.85x", 280.2: "280x"} {
		if got := formatFactor(x); got != want {
			t.Errorf("factor %v: %q, want %q", x, got, want)
		}
	}
	if got := format(unitNS, math.Inf(1)); got == "" {
		t.Error("infinity prints as nothing")
	}
}

func TestFormatPlain(t *testing.T) {
	for ns, want := range map[int64]string{20_000_000: "20 ms", 1_000_000_000: "1 s", 1_500_000: "1500 µs", 1_500_000_001: "1.50 s", 7: "7 ns"} {
		if got := formatPlain(ns); got != want {
			t.Errorf("%d: %q, want %q", ns, got, want)
		}
	}
}

func TestFormatSpread(t *testing.T) {
	tests := []struct {
		figure *Figure
		want   string
	}{
		{nil, "-"},
		{&Figure{Median: 100}, "-"},
		{&Figure{Median: 0, Interval: &Interval{}}, "-"},
		{&Figure{Median: 100, Interval: &Interval{Lo: 91, Hi: 104}}, "9%"},
		{&Figure{Median: 100, Interval: &Interval{Lo: 99, Hi: 104}}, "4%"},
	}
	for _, test := range tests {
		if got := formatSpread(test.figure); got != test.want {
			t.Errorf("%+v: %q, want %q", test.figure, got, test.want)
		}
	}
}

func TestFormatLimit(t *testing.T) {
	for x, want := range map[float64]string{0.05: "5 %", 0.2: "20 %", 0.95: "95 %", 0.025: "2.5 %", 1.0 / 3: "33.3 %"} {
		if got := formatLimit(x); got != want {
			t.Errorf("%v: %q, want %q", x, got, want)
		}
	}
}
