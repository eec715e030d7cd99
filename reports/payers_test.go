package reports

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/weft-profiler/weft/collector/recording"
)

// viewOf is the synthetic recording with one profile.
func viewOf(t testing.TB, specs []stackSpec, comments ...string) *View {
	t.Helper()
	p := newProfile(specs)
	p.Comments = comments
	return NewView(save(t, newRecording(), map[string]*profile.Profile{"go-threads": p}))
}

// A function that calls itself is counted once with its callees; what functions pay themselves is all there is, the
// kernel's part being its caller's; functions that are always together are named once, by the innermost.
func TestPayers(t *testing.T) {
	v := viewOf(t, []stackSpec{
		{frames: []string{"start", "main", "walk", "walk", "walk"}, heap: 50, trial: 1},
		{frames: []string{"start", "main", "walk", "read"}, heap: 70, trial: 1},
		{frames: []string{"start", "main"}, heap: 10, trial: 2},
		{frames: []string{"start", "main", "send", "*entry", "*tcp_sendmsg"}, sent: 100, waited: 2000, trial: 2},
		{frames: []string{"spin"}, blocked: 30, runnable: 10, wait: recording.CauseFutex, goroutine: recording.SchedulerGoroutine},
	}, "trials=2")
	list, err := newPayers(v, "go-threads", 10)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, kind := range list.Kinds {
		kinds = append(kinds, kind.Name)
	}
	if want := []string{recording.KindHeap, recording.KindSocket, recording.KindReplyWait, recording.KindOffCPU}; !slices.Equal(kinds, want) {
		t.Errorf("kinds %q, want %q", kinds, want)
	}
	var got []string
	for _, row := range list.Rows {
		got = append(got, fmt.Sprint(row.Name, row.Total, row.Self))
	}
	want := []string{ // a trial, of two
		"main[65 50 1000 0] [5 0 0 0]", "send[0 50 1000 0] [0 50 1000 0]", "spin[0 0 0 20] [0 0 0 20]",
		"walk[60 0 0 0] [25 0 0 0]", "read[35 0 0 0] [35 0 0 0]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if some, err := newPayers(v, "go-threads", 2); err != nil || len(some.Rows) != 2 || some.Dropped != 3 {
		t.Errorf("two of five: %d rows, %d dropped, %v", len(some.Rows), some.Dropped, err)
	}
}

// A heap that was traced in a trial of its own is not divided by the profiled ones.
func TestPayersTraced(t *testing.T) {
	p := newProfile([]stackSpec{
		{frames: []string{"main", "get"}, heap: 60, trial: 44},
		{frames: []string{"main", "get"}, sent: 100, trial: 30},
		{frames: []string{"main", "get"}, sent: 300, trial: 45},
	})
	p.Comments = []string{"trials=2", "heap_trials=1"}
	r := newRecording()
	for i, kind := range []recording.Kind{recording.Traced, recording.Profiled} {
		r.Trials = append(r.Trials, newTestTrial(specs()[0], kind, i+1))
		r.Trials[len(r.Trials)-1].Number = 44 + i
	}
	v := NewView(save(t, r, map[string]*profile.Profile{"go-threads": p}))
	list, err := newPayers(v, "go-threads", 10)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(list.Totals, list.Rows[0].Total, list.TrialsText()), "[60 200] [60 200]the mean of 2 profiled trials and the heap of one traced trial"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What the functions pay themselves comes to the total of each column.
func TestPayersAddUp(t *testing.T) {
	v := newNineView(t, 1)
	list, err := newPayers(v, "go-threads", 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Kinds) != len(payerColumns()) || list.Trials != 3 {
		t.Errorf("%d kinds, %d trials", len(list.Kinds), list.Trials)
	}
	for k, kind := range list.Kinds {
		var own float64
		for _, row := range list.Rows {
			own += row.Self[k]
			if row.Total[k] > list.Totals[k]*(1+1e-9) || row.Self[k] > row.Total[k]*(1+1e-9) {
				t.Errorf("%s: %s has %v of %v, itself %v", kind.Name, row.Name, row.Total[k], list.Totals[k], row.Self[k])
			}
		}
		if !near(own, list.Totals[k]) {
			t.Errorf("%s: functions pay %v, the total is %v", kind.Name, own, list.Totals[k])
		}
	}
}

// The terminal's table stays within its width, whatever functions are called.
func TestTop(t *testing.T) {
	specs := append(stackSpecs(), stackSpec{frames: []string{"main.main", hostile + strings.Repeat("世界", 60)}, heap: 9_000_000})
	v := viewOf(t, specs, "trials=1")
	var buf bytes.Buffer
	if err := Draw(&buf, v, "text", Options{Top: 8}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(buf.String(), "\n") {
		if text.StringWidth(line) > terminalWidth {
			t.Errorf("%d columns: %s", text.StringWidth(line), line)
		}
		if strings.ContainsAny(line, "\x1b\x00\r\u202e") {
			t.Errorf("a name acts: %q", line)
		}
	}
	for _, want := range []string{"Who pays in go-threads", "HEAP", "github.com/weft-p…", "http1.(*Conn).Do", "more\n", "! offcpu: 99.7 %"} {
		if !strings.Contains(buf.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, buf.String())
		}
	}
	if err := Draw(&buf, v, "text", Options{Top: 8, Model: "py-threads"}); err == nil {
		t.Error("a model without a profile has a table")
	}
	golden(t, "top.txt", draw(t, newView(t), "text", Options{Top: 20}))
}

func TestFitMiddle(t *testing.T) {
	tests := []struct {
		name    string
		columns int
		want    string
	}{
		{"main.main", 9, "main.main"},
		{"github.com/weft-profiler/weft/workload/http1.(*Conn).Do", 30, "github.com/w…/http1.(*Conn).Do"},
		{"世界世界世界", 7, "世界…界"},
		{"x", 1, "x"},
	}
	for _, test := range tests {
		got := fitMiddle(test.name, test.columns)
		if text.StringWidth(got) > test.columns || got != test.want {
			t.Errorf("%s in %d: %q, want %q", test.name, test.columns, got, test.want)
		}
	}
}
