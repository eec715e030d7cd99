package bpf

import (
	"fmt"
	"math/bits"
)

// Gauge is a value that goes up and down.
type Gauge struct {
	Now   uint64 // count
	Peak  uint64 // greatest value since the gate was opened; 0 before
	Rises uint64 // increments so far, of a gauge that moves by one
	Falls uint64 // decrements so far, likewise
	Early uint64 // greatest value before the gate was opened
}

// Gauge reads a gauge.
func (p *Probes) Gauge(id GaugeID) (Gauge, error) {
	var raw taskGauge
	if err := p.shared[taskMapGauges].Lookup(id, &raw); err != nil {
		return Gauge{}, fmt.Errorf("map %s: %w", taskMapGauges, err)
	}
	// Where each change is by one, up or down, their number and their sum tell how many went up.
	value := int64(int32(raw.State))
	changes := (int64(raw.State) - value) >> 32
	return Gauge{
		Now:   uint64(raw.now()),
		Peak:  raw.Peak,
		Rises: uint64((changes + value) / 2),
		Falls: uint64((changes - value) / 2),
		Early: raw.Early,
	}, nil
}

// now is the gauge's value: below 0 for a moment, which counts as 0, see gauge_add.
func (g *taskGauge) now() int64 { return int64(max(int32(g.State), 0)) }

// Curve is a gauge over time in buckets of equal width, from the gate on.
type Curve struct {
	BucketNS int64 // a duration
	Least    []int64
	Greatest []int64
	Last     []int64
}

// Curve reads a gauge's curve from the gate to elapsed ns after it. start is the gauge's value at the gate.
//
// The width of the buckets is the smallest of 1, 2, 4, … ms at which they are at most 512: what the kernel
// side resolves at the end of that time.
func (p *Probes) Curve(id GaugeID, start uint64, elapsed int64) (Curve, error) {
	var (
		raw   taskCurve
		gauge taskGauge
	)
	if err := p.shared[taskMapCurves].Lookup(id, &raw); err != nil {
		return Curve{}, fmt.Errorf("map %s: %w", taskMapCurves, err)
	}
	if err := p.shared[taskMapGauges].Lookup(id, &gauge); err != nil {
		return Curve{}, fmt.Errorf("map %s: %w", taskMapGauges, err)
	}
	return decodeCurve(&raw, int64(start), gauge.now(), elapsed), nil
}

// The layout of struct curve: see CURVE_FIRST in contract.h.
const (
	curveFirst   = 512
	curveLevel   = 256
	bucketNS     = 1_000_000
	curveBuckets = len(taskCurve{}.Buckets)
)

// decodeCurve gives the curve of a gauge that was at start when the gate opened and is at end now.
func decodeCurve(raw *taskCurve, start, end, elapsed int64) Curve {
	lasts := lastValues(raw, end)
	last := max(elapsed, 0) / bucketNS
	level := 0
	if last >= curveFirst {
		level = bits.Len64(uint64(last)) - 9
	}
	curve := Curve{BucketNS: bucketNS << level}
	value := start
	for ms := int64(0); ms <= last; ms += 1 << level {
		least, greatest := value, value
		// Finer buckets of earlier levels fall whole into one of these.
		for at := ms; at < ms+1<<level; {
			i, width := bucketAt(at)
			if i >= curveBuckets {
				break
			}
			if b := raw.Buckets[i]; b.Greatest > 0 {
				least = min(least, 1<<32-int64(b.Least))
				greatest = max(greatest, int64(b.Greatest)-1)
				value = lasts[i]
			}
			at += width
		}
		curve.Least = append(curve.Least, least)
		curve.Greatest = append(curve.Greatest, greatest)
		curve.Last = append(curve.Last, value)
	}
	return curve
}

// lastValues gives the gauge's value after the last change of each bucket that has one: what was before the first
// change of the next such bucket, or end.
func lastValues(raw *taskCurve, end int64) []int64 {
	values := make([]int64, curveBuckets)
	for i := curveBuckets - 1; i >= 0; i-- {
		if b := raw.Buckets[i]; b.Greatest > 0 {
			values[i] = end
			end = int64(uint32(b.First))
		}
	}
	return values
}

// bucketAt gives the kernel side's bucket for a time in ms, and its width in ms.
func bucketAt(ms int64) (index int, width int64) {
	if ms < curveFirst {
		return int(ms), 1
	}
	level := bits.Len64(uint64(ms)) - 9
	return curveFirst + (level-1)*curveLevel + int(ms>>level) - curveLevel, 1 << level
}
