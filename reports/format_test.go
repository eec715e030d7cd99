package reports

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"golang.org/x/perf/benchfmt"

	"github.com/weft-profiler/weft/collector/recording"
)

// What was lost and what is missing appears in every format: nobody may read a figure without it.
func TestLostAndMissingEverywhere(t *testing.T) {
	r := newRecording()
	for _, trial := range r.Trials {
		if trial.Model == "go-threads" && trial.Kind == recording.Measured {
			trial.Lost = []recording.Loss{{Cause: "ring_full", Count: 23, Detail: "names are missing"}}
		}
		trial.Missing = []recording.Missing{{Probe: "task: task_newtask", Reason: "program load: permission denied"}}
	}
	v := NewView(save(t, r, map[string]*profile.Profile{"go-threads": newProfile(stackSpecs())}))
	for _, f := range Formats() {
		drawn := draw(t, v, f.Name, Options{Kind: recording.KindHeap})
		drawn = strings.NewReplacer(`\_`, "_").Replace(drawn)
		for _, want := range []string{"ring_full", "task: task_newtask", "permission denied"} {
			if !strings.Contains(drawn, want) {
				t.Errorf("%s does not say %q", f.Name, want)
			}
		}
	}
}

func TestDrawRefuses(t *testing.T) {
	with, without := newView(t), NewView(save(t, newRecording(), nil))
	numbers := newRecording()
	numbers.Run.Plan.ProfileTrials = 0
	unprofiled := NewView(save(t, numbers, nil))
	two := newProfile(stackSpecs())
	several := NewView(save(t, newRecording(), map[string]*profile.Profile{"go-threads": two, "go-goroutines": two}))
	noHeap := newProfile(stackSpecs())
	noHeap.SampleType[0].Type = "space"
	nothing := newProfile([]stackSpec{{frames: []string{"main.main"}, heap: 0}})
	huge := newProfile([]stackSpec{{frames: []string{"a"}, heap: 1 << 62}, {frames: []string{"b"}, heap: 1 << 62}})
	tests := []struct {
		name   string
		view   *View
		format string
		opts   Options
		want   error
		text   string
	}{
		{"format", with, "pdf", Options{}, ErrFormat, `unknown format "pdf": use one of text, html, md, json, csv, benchstat, svg, folded`},
		{"no kind", with, "svg", Options{}, ErrKind, `unknown kind "": choose one by --kind: cpu, offcpu, threadcreate, socket, replywait, rss, heap, goroutine, block, mutex`},
		{"kind", with, "folded", Options{Kind: "gpu"}, ErrKind, `unknown kind "gpu": choose one by --kind: cpu, offcpu, threadcreate, socket, replywait, rss, heap, goroutine, block, mutex`},
		{"no profile", without, "svg", Options{Kind: "heap"}, ErrNoEvidence, "no evidence: the recording has no profile: its profiled trials failed, the findings say why"},
		{"not profiled", unprofiled, "svg", Options{Kind: "heap"}, ErrNoEvidence, "no evidence: the recording has no profile: record again without --profile=false"},
		{"model", with, "svg", Options{Kind: "heap", Model: "py-threads"}, ErrNoEvidence, `no evidence: no profile of model "py-threads": there are go-threads`},
		{"no such model", with, "svg", Options{Kind: "heap", Model: "nope"}, ErrModel, `unknown model "nope": the recording has go-sequential, go-threads, go-goroutines, py-threads`},
		{"which model", several, "svg", Options{Kind: "heap"}, ErrModel, "several models have a profile: choose one by --model: go-threads, go-goroutines"},
		{"sample type", NewView(save(t, newRecording(), map[string]*profile.Profile{"go-threads": noHeap})), "svg", Options{Kind: "heap"},
			ErrNoEvidence, "heap of go-threads: no evidence: the profile has no inuse_space"},
		{"overflow", NewView(save(t, newRecording(), map[string]*profile.Profile{"go-threads": huge})), "svg", Options{Kind: "heap"},
			recording.ErrDamaged, "heap of go-threads: damaged or cut off: its values are too great to be added up"},
		{"empty svg", NewView(save(t, newRecording(), map[string]*profile.Profile{"go-threads": nothing})), "svg", Options{Kind: "heap"},
			ErrNoEvidence, "no evidence: the profile of go-threads has nothing of kind heap"},
		{"empty folded", NewView(save(t, newRecording(), map[string]*profile.Profile{"go-threads": nothing})), "folded", Options{Kind: "heap"},
			ErrNoEvidence, "no evidence: the profile of go-threads has nothing of kind heap"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := Draw(io.Discard, test.view, test.format, test.opts)
			if !errors.Is(err, test.want) || err.Error() != test.text {
				t.Errorf("got  %v\nwant %s", err, test.text)
			}
		})
	}
}

// A writer that fails must be heard of: a report that is cut off is worse than none.
func TestDrawTellsOfWriteErrors(t *testing.T) {
	v := newView(t)
	for _, f := range Formats() {
		if err := Draw(failingWriter{}, v, f.Name, Options{Kind: recording.KindHeap}); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

var errFull = errors.New("disk full")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }

// benchstat's own parser reads the file, and finds the values and the units.
func TestBenchstatParses(t *testing.T) {
	v := NewView(troubled())
	reader := benchfmt.NewReader(strings.NewReader(draw(t, v, "benchstat", Options{})), "weft")
	models := map[string]int{}
	var wall float64
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Error(record)
		case *benchfmt.Result:
			name := string(record.Name.Full())
			if _, held := record.Value("held-user-B/task"); held != strings.HasPrefix(name, "FetchHeld/model=") {
				t.Errorf("%s: held figures %v", name, held)
			}
			if held := strings.HasPrefix(name, "FetchHeld/model="); held {
				continue
			}
			if !strings.HasPrefix(name, "Fetch/model=") || !strings.HasSuffix(name, "/n=100/c=100") {
				t.Errorf("name %q", name)
			}
			models[name]++
			wall, _ = record.Value("sec/op")
			if record.GetConfig("kernel") != "6.18.0" || record.GetConfig("lost") != "ring_full=45 in go-goroutines" {
				t.Errorf("configuration %+v", record.Config)
			}
		}
	}
	if err := reader.Err(); err != nil {
		t.Fatal(err)
	}
	// Five rounds; one trial of py-threads failed.
	if len(models) != 4 || models["Fetch/model=go-threads/n=100/c=100"] != 5 || models["Fetch/model=py-threads/n=100/c=100"] != 4 {
		t.Errorf("lines %v", models)
	}
	if last := modelOf(t, v, "py-threads").Figure("wall-ns").Values[3] / 1e9; !near(wall, last) {
		t.Errorf("last wall time %v s, want %v", wall, last)
	}
	if better := reader.Units().GetBetter("sec/op"); better != -1 {
		t.Errorf("better of sec/op is %d, want -1 (lower)", better)
	}
}

func TestCSV(t *testing.T) {
	r := troubled()
	r.Trials[11].Failure.Error = "=HYPERLINK(\"http://evil\")\n,x"
	rows, err := csv.NewReader(strings.NewReader(draw(t, NewView(r), "csv", Options{}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+len(r.Trials) {
		t.Errorf("%d rows, want a header and %d trials", len(rows), len(r.Trials))
	}
	for _, row := range rows {
		for _, cell := range row {
			if strings.ContainsAny(cell, "\n\r\x1b") || cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
				t.Errorf("cell %q", cell)
			}
		}
	}
}

func TestFolded(t *testing.T) {
	specs := []stackSpec{
		{frames: []string{"main;x", "evil\nname 7"}, heap: 5},
		{frames: []string{"main;x", "evil\nname 7"}, heap: 6},
		{frames: []string{"a"}, heap: 1},
		{frames: []string{"leaf"}, heap: 2, cut: true},
		{frames: []string{"nothing"}, heap: 0},
	}
	v := NewView(save(t, newRecording(), map[string]*profile.Profile{"go-threads": newProfile(specs)}))
	want := "[cut: callers not reached];leaf 2\nmain:x;evil\\nname 7 11\na 1\n"
	if got := draw(t, v, "folded", Options{Kind: recording.KindHeap}); got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestMarkdownIsPlain(t *testing.T) {
	r := troubled()
	r.Trials[11].Failure.Error = hostile
	drawn := draw(t, NewView(r), "md", Options{})
	if strings.Contains(drawn, "<script>") || strings.ContainsAny(drawn, "\x1b\r\u202e") {
		t.Error("a name acts in Markdown")
	}
	for _, line := range strings.Split(drawn, "\n") {
		if strings.HasPrefix(line, "| col") {
			t.Errorf("a name made a row: %q", line)
		}
	}
}
