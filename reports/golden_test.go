package reports

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
)

// update is for people: go test ./reports -update writes testdata and docs/metrics.md.
var update = flag.Bool("update", false, "write golden files")

func testPaths() Paths {
	return Paths{
		Report:  "weft-20261122-150501/report.md",
		Raw:     "weft-20261122-150501/run.json",
		Profile: "weft-20261122-150501/go-threads.pb.gz",
	}
}

func TestGolden(t *testing.T) {
	v := newView(t)
	for _, f := range Formats() {
		if f.Name == "html" { // holds packed data, which another Go packs differently: see html_test.go
			continue
		}
		if !f.NeedsKind {
			golden(t, "complete"+f.Ext, draw(t, v, f.Name, Options{Paths: testPaths()}))
			continue
		}
		for _, kind := range Kinds() {
			golden(t, kind.Name+f.Ext, draw(t, v, f.Name, Options{Kind: kind.Name}))
		}
	}
}

// The second recording has everything that can go wrong.
func TestGoldenTroubled(t *testing.T) {
	v := NewView(troubled())
	golden(t, "troubled.txt", draw(t, v, "text", Options{}))
	golden(t, "troubled.md", draw(t, v, "md", Options{}))
}

// troubled is a recording with lost events, a missing probe, failed trials, other digests, too few runs, an
// interruption, and held trials.
func troubled() *recording.Recording {
	r := newRecording()
	r.Run.Interrupted = true
	r.Trials = r.Trials[:24] // warm-ups and five rounds
	r.Run.Trials = r.Run.Trials[:24]
	for _, s := range specs() {
		for _, concurrency := range []int{10, 100} {
			held := heldTrial(s, concurrency)
			for point, snap := range held.Snapshots { // the kernel's part of the cost is not known
				snap.Cost = nil
				held.Snapshots[point] = snap
			}
			addTrial(r, held)
		}
	}
	for _, t := range r.Trials {
		switch {
		case t.Model == "go-goroutines" && t.Number%8 == 7:
			t.Lost = []recording.Loss{{Cause: "ring_full", Count: int64(t.Number), Detail: "threads and connections are missing from the lists"}}
		case t.Model == "py-threads" && t.Number == 12:
			t.Failure = &recording.Failure{Cause: "failed requests", Error: "3 of 100"}
			t.Work.Failed = map[string]int{"timeout": 2, "reset": 1}
			t.Work.Errors = []string{"read tcp: i/o timeout"}
		case t.Model == "py-threads":
			t.Work.Digest = "00c0ffee"
		}
		t.Missing = []recording.Missing{{Probe: "sock: tcp_retransmit_skb", Reason: "program load: permission denied"}}
	}
	return r
}

func draw(t testing.TB, v *View, format string, opts Options) string {
	t.Helper()
	var buf bytes.Buffer
	if err := Draw(&buf, v, format, opts); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return buf.String()
}

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: go test ./reports -update", err)
	}
	if got != string(want) {
		t.Errorf("%s differs from line %d on: look at it, then go test ./reports -update", name, firstDifference(got, string(want)))
	}
}

func firstDifference(a, b string) int {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return i + 1
		}
	}
	return min(len(as), len(bs)) + 1
}
