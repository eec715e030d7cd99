package reports

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
)

// The stacks of a profiled trial are compared with its counters, kind by kind: what is missing is said above the graph,
// in the folded stacks and with the evidence.
func TestTotals(t *testing.T) {
	r := newRecording()
	var trial *recording.Trial
	for _, other := range r.Trials {
		if other.Model == "go-threads" && other.Kind == recording.Profiled {
			trial = other
		}
	}
	trial.Threads.Made = 5
	trial.Sockets.Transports = map[string]recording.Transport{"tcp": {SentBytes: 400, RecvBytes: 500}, "unix": {SentBytes: 100}}
	trial.Sockets.Awaiting.SumNS = 1000
	trial.Sched.Time = recording.ThreadTime{RunnableNS: 300, BlockedNS: map[string]int64{recording.CauseFutex: 500, recording.CauseEpoll: 200}}
	trial.Memory.GrownBytes = 4096
	p := newProfile([]stackSpec{
		{frames: []string{"a"}, threads: 4, sent: 487, recvd: 500, waited: 1001},
		{frames: []string{"b"}, blocked: 700, wait: recording.CauseFutex},
		{frames: []string{"b"}, runnable: 300, wait: recording.WaitRunnable, grown: 4095},
	})
	v := NewView(save(t, r, map[string]*profile.Profile{"go-threads": p}))
	want := map[string]string{
		recording.KindThreadCreate: "The stacks add up to the counter of threads made.",
		recording.KindSocket:       "98.7 % of the socket bytes is in the stacks: 1.3 % in none.",
		recording.KindReplyWait:    "The stacks have 0.1 % more reply wait than the counter.",
		recording.KindOffCPU:       "The stacks add up to the counter of off-CPU time.",
		recording.KindRSS:          "All but <0.1 % of the RSS grown is in the stacks: 1 B in none.",
	}
	totals := v.Totals()
	if len(totals) != len(want) {
		t.Errorf("%d totals, want %d: %+v", len(totals), len(want), totals)
	}
	for _, total := range totals {
		if total.String() != want[total.Kind] || total.Model != "go-threads" || len(total.Trials) != 1 || total.Trials[0] != trial.Number {
			t.Errorf("%s: %q of %s in %v, want %q", total.Kind, total.String(), total.Model, total.Trials, want[total.Kind])
		}
		if svg := draw(t, v, "svg", Options{Kind: total.Kind}); !strings.Contains(svg, xmlText(total.String())) {
			t.Errorf("the graph of %s does not say %q", total.Kind, total.String())
		}
		if folded := draw(t, v, "folded", Options{Kind: total.Kind}); strings.Contains(folded, total.String()) == total.Equal() {
			t.Errorf("folded stacks of %s: %s", total.Kind, folded)
		}
	}
	for _, format := range []string{"text", "md", "json", "html"} {
		drawn := strings.ReplaceAll(draw(t, v, format, Options{}), `\`, "")
		says := "98.7 % of the socket bytes is in the stacks"
		if format == "json" {
			says = `"counter": 1000`
		}
		if !strings.Contains(drawn, says) {
			t.Errorf("%s does not say %s", format, says)
		}
	}
}

// Whatever is wrong with a profile, a report of the whole recording is drawn without it and says so in every format.
func TestUnreadableProfile(t *testing.T) {
	sound := newProfile(stackSpecs())
	great := newProfile([]stackSpec{{frames: []string{"a"}, heap: 1 << 62}, {frames: []string{"b"}, heap: 1 << 62}})
	for name, test := range map[string]struct {
		profile *profile.Profile
		spoil   func(path string) error
		says    string
	}{
		"damaged":   {sound, func(path string) error { return os.WriteFile(path, []byte("x\n"), 0o644) }, "damaged or cut off"},
		"missing":   {sound, os.Remove, "copy the whole directory"},
		"too great": {great, func(string) error { return nil }, "too great to be added up"},
	} {
		t.Run(name, func(t *testing.T) {
			r := save(t, newRecording(), map[string]*profile.Profile{"go-threads": test.profile, "go-goroutines": sound})
			if err := test.spoil(filepath.Join(r.Dir, "go-threads.pb.gz")); err != nil {
				t.Fatal(err)
			}
			for _, f := range Formats() {
				if f.NeedsKind {
					checkStacksBeside(t, NewView(r), f.Name, Options{Kind: recording.KindHeap})
				} else {
					checkDrawnWithout(t, NewView(r), f.Name, test.says)
				}
			}
			checkStacksBeside(t, NewView(r), "text", Options{Top: 5})
		})
	}
	if v := newView(t); v.Unread() != nil || !v.Evidence.Complete() {
		t.Errorf("of a sound recording: %v, %s", v.Unread(), v.Evidence.String())
	}
}

// checkDrawnWithout draws a whole recording whose profile of go-threads cannot be read.
func checkDrawnWithout(t *testing.T, v *View, format, why string) {
	t.Helper()
	drawn := strings.Join(strings.Fields(strings.ReplaceAll(draw(t, v, format, Options{}), `\`, "")), " ")
	says := []string{why, "go-threads"}
	switch format {
	case "json":
		says = append(says, `"unread": [ { "model": "go-threads"`)
	case "text", "md", "html":
		says = append(says, "The profile of go-threads cannot be read", "Evidence incomplete: 1 profile unreadable, 0 events lost")
	}
	for _, want := range says {
		if !strings.Contains(drawn, want) {
			t.Errorf("%s does not say %q", format, want)
		}
	}
	if v.Unread() == nil || v.Evidence.Complete() || len(v.Findings) == 0 || v.Findings[0].Name != "profile-unreadable" {
		t.Errorf("%s: %v, %+v", format, v.Unread(), v.Findings)
	}
}

// checkStacksBeside draws the stacks of go-goroutines, which say nothing of go-threads' profile, that cannot be read.
func checkStacksBeside(t *testing.T, v *View, format string, opts Options) {
	t.Helper()
	opts.Model = "go-threads"
	if err := Draw(io.Discard, v, format, opts); !errors.Is(err, recording.ErrDamaged) {
		t.Errorf("%s of it: %v", format, err)
	}
	opts.Model = "go-goroutines"
	one := draw(t, v, format, opts)
	if err := v.Unread(); !errors.Is(err, recording.ErrDamaged) {
		t.Errorf("%s: %v", format, err)
	}
	if draw(t, v, format, opts) != one {
		t.Errorf("%s of another model differs once all profiles were looked at", format)
	}
}

// Nothing is compared with a counter that is not there, and the trials are those that the profile is of.
func TestTotalsOfTheRightTrials(t *testing.T) {
	r := newRecording()
	second := *r.Trials[len(r.Trials)-1]
	for _, other := range r.Trials {
		if other.Model == "go-threads" && other.Kind == recording.Profiled {
			second = *other
		}
	}
	first := second.Number
	second.Sched, second.Memory = nil, nil
	second.Sockets.Transports = map[string]recording.Transport{"tcp": {SentBytes: 1}}
	addTrial(r, &second)
	specs := []stackSpec{{frames: []string{"a"}, sent: 7_202_320, blocked: 5, grown: 3, trial: int64(first)}}
	counter := func(comments ...string) (Total, []Total) {
		p := newProfile(specs)
		p.Comments = comments
		v := NewView(save(t, r, map[string]*profile.Profile{"go-threads": p}))
		var socket Total
		if found := v.totalOf("go-threads", recording.KindSocket); found != nil {
			socket = *found
		}
		return socket, v.Totals()
	}
	// One trial of two is in the profile, and its label says which.
	if socket, all := counter("trials=1"); !socket.Equal() || len(socket.Trials) != 1 || len(all) < 2 {
		t.Errorf("of one trial: %+v, %d in all", socket, len(all))
	}
	// Both are, and the other has no stack at all: its byte is missing. It has no account of off-CPU time.
	socket, all := counter("trials=2")
	if socket.Counter != 7_202_321 || len(socket.Trials) != 2 {
		t.Errorf("of two trials: %+v", socket)
	}
	for _, total := range all {
		if total.Kind == recording.KindOffCPU || total.Kind == recording.KindRSS {
			t.Errorf("compared with nothing: %+v", total)
		}
	}
}
