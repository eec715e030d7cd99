package reports

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/weft-profiler/weft/collector/recording"
)

// hostile is what a profiled process might call things.
const hostile = "evil\x1b[31m\x1b]0;owned\x07\r\n| col | <script>alert(1)</script> \u202egnp.exe =1+1;世界\xff"

// The table stays within 100 columns, whatever models are called and whatever they take.
func TestTerminalWidth(t *testing.T) {
	tests := map[string]func(r *recording.Recording, i int) string{
		"long names":  func(_ *recording.Recording, i int) string { return strings.Repeat("x", 99) + fmt.Sprint(i) },
		"wide names":  func(_ *recording.Recording, i int) string { return strings.Repeat("世界", 30) + fmt.Sprint(i) },
		"hostile":     func(_ *recording.Recording, i int) string { return fmt.Sprint(i) + strings.Repeat(hostile, 5) },
		"great sizes": func(_ *recording.Recording, i int) string { return "model-with-24-characters" + fmt.Sprint(i) },
	}
	for name, rename := range tests {
		t.Run(name, func(t *testing.T) {
			r := troubled()
			models := r.Run.Plan.Models
			for i, model := range models {
				renamed := rename(r, i)
				models[i] = renamed
				each(r, model, anyKind, func(trial *recording.Trial) { trial.Model = renamed })
			}
			for _, trial := range r.Trials {
				trial.Threads.Peak = 123_456
				trial.Phases.LastNS = trial.Phases.GateNS + 98_765_000*ms
				trial.Phases.DoneNS, trial.Phases.ExitNS = 0, 0
				trial.Work.Errors = []string{hostile + strings.Repeat("y", 300)}
			}
			drawn := draw(t, NewView(r), "text", Options{Color: true})
			for _, line := range strings.Split(drawn, "\n") {
				if width := text.StringWidthWithoutEscSequences(line); width > terminalWidth {
					t.Errorf("%d columns: %q", width, line)
				}
			}
			checkSteers(t, drawn)
		})
	}
}

// On a narrower terminal what matters least is left out and named; without a terminal nothing changes.
func TestNarrowTerminal(t *testing.T) {
	v, profiled := NewView(fiveModels()), newView(t)
	all := draw(t, v, "text", Options{})
	for _, width := range []int{1, leastWidth, 60, 80, 99, 100, 300} {
		drawn := draw(t, v, "text", Options{Width: width})
		if width >= terminalWidth {
			if drawn != all {
				t.Errorf("a wide terminal changes the report:\n%s", drawn)
			}
			continue
		}
		for _, drawn := range []string{drawn, draw(t, profiled, "text", Options{Width: width, Top: 5})} {
			for _, line := range strings.Split(drawn, "\n") {
				if text.StringWidth(line) > max(width, leastWidth) {
					t.Errorf("%d columns, not %d: %s", text.StringWidth(line), width, line)
				}
			}
			if note := fmt.Sprintf("\n%d columns: left out ", width); width == 60 && !strings.Contains(drawn, note) {
				t.Errorf("it does not say %q:\n%s", note, drawn)
			}
		}
	}
	narrow := draw(t, v, "text", Options{Width: 60})
	table, after, _ := strings.Cut(narrow, "\n60 columns: left out ")
	note, _, _ := strings.Cut(after, ";")
	for column, want := range map[string]bool{"MODEL": true, "TIME": true, "HELD/TASK": true, "IN FLIGHT": true, "SW/REQ": false, "WAIT": false} {
		if strings.Contains(table, column) != want || strings.Contains(note, column) == want {
			t.Errorf("column %s: want %v in\n%s", column, want, narrow)
		}
	}
	for _, explained := range []string{"\n± is ", "\nWAIT is "} {
		if !strings.Contains(all, explained) || strings.Contains(narrow, explained) {
			t.Errorf("%q is to stand under its column, and under no other table:\n%s", explained, narrow)
		}
	}
}

// checkSteers finds what steers a terminal, but for our own colours.
func checkSteers(t *testing.T, drawn string) {
	t.Helper()
	for _, own := range []string{"\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[33m", "\n"} {
		drawn = strings.ReplaceAll(drawn, own, "")
	}
	if i := strings.IndexFunc(drawn, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u202e' || r == '\ufffd' }); i >= 0 {
		t.Errorf("a control character or worse in %q", drawn[max(0, i-20):min(len(drawn), i+20)])
	}
}

func TestTerminalColour(t *testing.T) {
	v := NewView(troubled())
	plain := draw(t, v, "text", Options{})
	if strings.Contains(plain, "\x1b") {
		t.Error("colours without being asked")
	}
	coloured := draw(t, v, "text", Options{Color: true})
	if !strings.Contains(coloured, "\x1b[1m\x1b[31mLOST  45 events") || !strings.Contains(coloured, "\x1b[33m! 18/100\x1b[0m") {
		t.Errorf("no red LOST or no yellow 18/100 in\n%s", coloured)
	}
	for _, code := range []string{"\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[33m"} {
		coloured = strings.ReplaceAll(coloured, code, "")
	}
	if coloured != plain {
		t.Errorf("colours move the text:\n%s\n%s", coloured, plain)
	}
}

func TestTerminalOrder(t *testing.T) {
	drawn := draw(t, NewView(troubled()), "text", Options{Paths: testPaths()})
	last := -1
	for _, part := range []string{"weft 0.1.0: fetch", "LOST  45 events", "MODEL", "py-threads", "Findings", "Evidence incomplete", "BPF time", "Report ", "Raw ", "go tool pprof"} {
		at := strings.Index(drawn, part)
		if at <= last {
			t.Errorf("%q at %d, after %d", part, at, last)
		}
		last = at
	}
}

// Only columns with evidence are there: nothing is shown as 0 that was not measured.
func TestTerminalColumns(t *testing.T) {
	r := newRecording()
	for _, trial := range r.Trials {
		trial.Snapshots = map[string]recording.Snapshot{}
		trial.Threads.Peak = 0
		trial.Memory, trial.Sched = nil, nil
	}
	drawn := draw(t, NewView(r), "text", Options{})
	for column, want := range map[string]bool{"TIME": true, "CPU/REQ": true, "RSS": false, "THREADS": false, "HELD/TASK": false, "WAIT": false, "SW/REQ": true} {
		if strings.Contains(drawn, column) != want {
			t.Errorf("column %s: want %v in\n%s", column, want, drawn)
		}
	}
}

func TestWrap(t *testing.T) {
	word := strings.Repeat("w", 60)
	tests := []struct {
		in   string
		want []string
	}{
		{"short", []string{"short"}},
		{word + " " + word, []string{word, "  " + word}},
		{strings.Repeat("x", 150), []string{strings.Repeat("x", 100), "  " + strings.Repeat("x", 50)}},
		{" ! " + word + " " + word, []string{" ! " + word, "  " + word}},
		{strings.Repeat("世", 60), []string{strings.Repeat("世", 50), "  " + strings.Repeat("世", 10)}},
	}
	for _, test := range tests {
		got := wrap(test.in, "  ", terminalWidth)
		if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
			t.Errorf("%q:\n got %q\nwant %q", test.in, got, test.want)
		}
	}
}
