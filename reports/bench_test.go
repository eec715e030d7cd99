package reports

import (
	"io"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
)

// drawSeconds is the budget of DESIGN.md for all reports from a recording of 100,000 distinct stacks.
const drawSeconds = 2.0

// BenchmarkAllReports reads a recording from disk and draws every format, and of every kind those that show
// stacks.
func BenchmarkAllReports(b *testing.B) {
	const stacks = 100_000
	profiles := map[string]*profile.Profile{"go-threads": ofAllKinds(manyStacks(stacks).profile)}
	dir := save(b, newRecording(), profiles).Dir
	for b.Loop() {
		rec, err := recording.Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		drawAll(b, NewView(rec))
	}
	seconds := b.Elapsed().Seconds() / float64(b.N)
	verdict := "ok"
	if seconds > drawSeconds {
		verdict = "OVER"
		b.Errorf("%.2f s, at most %.2f", seconds, drawSeconds)
	}
	b.Logf("budget | drawing all reports from a recording with %d distinct stacks | %.2f s | %.2f s | %s | "+
		"%d formats, of stacks every kind, and who pays, the recording read from disk; mean of %d",
		stacks, seconds, drawSeconds, verdict, len(Formats()), b.N)
}

func drawAll(b *testing.B, v *View) {
	b.Helper()
	if err := Draw(io.Discard, v, "text", Options{Top: 20}); err != nil {
		b.Fatal(err)
	}
	for _, format := range Formats() {
		kinds := []Kind{{}}
		if format.NeedsKind {
			kinds = Kinds()
		}
		for _, kind := range kinds {
			if err := Draw(io.Discard, v, format.Name, Options{Kind: kind.Name}); err != nil {
				b.Fatalf("%s of %s: %v", format.Name, kind.Name, err)
			}
		}
	}
}

// ofAllKinds makes each stack one of a kind, in turn: nobody allocates and sends in the same place.
func ofAllKinds(p *profile.Profile) *profile.Profile {
	p.SampleType = nil
	for _, kind := range Kinds() {
		for _, sample := range kind.Samples {
			p.SampleType = append(p.SampleType, &profile.ValueType{Type: sample, Unit: profileUnit(kind.Unit)})
		}
	}
	for i, s := range p.Sample {
		value := s.Value[0]
		s.Value = make([]int64, len(p.SampleType))
		s.Value[i%len(s.Value)] = value
	}
	return p
}
