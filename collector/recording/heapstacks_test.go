package recording

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const someStacks = `{
	"frames": [
		{"function": "socket.socket.makefile", "file": "/usr/lib/python3.11/socket.py", "line": 330},
		{"function": "py_threads.work", "file": "weft/workload/python/py_threads.py", "line": 12},
		{"function": "", "file": "<frozen abc>", "line": 123}],
	"stacks": [
		{"count": 23, "size": 4711, "cut": false, "frames": [0, 1]},
		{"count": 1, "size": 64, "cut": true, "frames": [2, 1]},
		{"count": 2, "size": 128, "cut": false, "frames": []}]}`

func TestHeapStacks(t *testing.T) {
	b := NewProfileBuilder("weft 0.1.0", "py-threads")
	for trial := 1; trial <= 2; trial++ {
		if err := b.AddHeapStacks(trial, []byte(someStacks)); err != nil {
			t.Fatal(err)
		}
	}
	p, err := b.Profile()
	if err != nil {
		t.Fatal(err)
	}
	s := sampleOf(t, p, "socket.socket.makefile", 2)
	if got := fmt.Sprint(s.Value[:heapTypes]); got != "[0 0 23 4711]" || len(s.Label["cut"]) != 0 || len(s.Location) != 2 {
		t.Errorf("values %s, %+v", got, s)
	}
	caller := s.Location[1].Line[0]
	if caller.Function.Filename != "weft/workload/python/py_threads.py" || caller.Line != 12 {
		t.Errorf("caller %+v of %+v", caller, caller.Function)
	}
	if s := sampleOf(t, p, "frozen abc:123", 1); s.Value[3] != 64 || len(s.Label["cut"]) != 1 {
		t.Errorf("%+v", s)
	}
	if s := sampleOf(t, p, "[unknown]", 1); s.Value[2] != 2 {
		t.Errorf("%+v", s)
	}
	// What is equal in two trials is there once.
	if len(p.Function) != 4 || len(p.Location) != 4 || len(p.Sample) != 6 {
		t.Errorf("%d functions, %d locations, %d samples", len(p.Function), len(p.Location), len(p.Sample))
	}
	if err := b.AddHeapStacks(2, []byte(someStacks)); err == nil {
		t.Error("a trial was added twice")
	}
}

// TestHeapOfItsOwnTrials: who divides by the number of trials has to know that the heap is from others.
func TestHeapOfItsOwnTrials(t *testing.T) {
	alone := NewProfileBuilder("weft 0.1.0", "py-threads") // the run was interrupted before any other trial
	if err := alone.AddHeapStacks(5, []byte(someStacks)); err != nil {
		t.Fatal(err)
	}
	if p, err := alone.Profile(); err != nil || strings.Join(p.Comments[2:], ",") != "trials=0,heap_trials=1" {
		t.Errorf("a heap alone: %v, %v", p, err)
	}
	b := NewProfileBuilder("weft 0.1.0", "py-threads")
	b.AddStacks(8, []Stack{socketStack("x/1")})
	b.AddStacks(9, nil)
	if err := b.AddHeapStacks(9, []byte(someStacks)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"trials=2", "trials=2,heap_trials=2"} {
		p, err := b.Profile()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.Comments[2:], ","); got != want {
			t.Errorf("comments %s, want %s", got, want)
		}
		b.AddHeapStacks(7, []byte(someStacks)) // refused the second time
	}
}

func TestBadHeapStacks(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":        "",
		"no JSON":        "stacks",
		"a list":         "[]",
		"no such frame":  `{"frames": [], "stacks": [{"count": 1, "frames": [0]}]}`,
		"frame -1":       `{"frames": [{}], "stacks": [{"count": 1, "frames": [-1]}]}`,
		"negative size":  `{"stacks": [{"count": 1, "size": -1}]}`,
		"negative count": `{"stacks": [{"count": -1, "size": 1}]}`,
		"endless stack":  `{"frames": [{}], "stacks": [{"frames": [0` + strings.Repeat(",0", maxHeapDepth) + `]}]}`,
		"huge":           `{"stacks": [{"size": 9223372036854775808}]}`,
		"many":           `{"frames": [` + strings.Repeat("{},", maxProfileRecords) + "{}]}",
	} {
		b := NewProfileBuilder("weft", "py-threads")
		if err := b.AddHeapStacks(3, []byte(text)); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "trial 3") {
			t.Errorf("%s: %v", name, err)
		}
		if len(b.told) > 0 {
			t.Errorf("%s: added", name)
		}
	}
}

// Names come from the child: they are bounded, and none makes a profile that cannot be read.
func TestHeapStacksNames(t *testing.T) {
	long := strings.Repeat("é", maxHeapName)
	b := NewProfileBuilder("weft", "py-threads")
	text := fmt.Sprintf(`{"frames": [{"function": %q, "file": "\u0000\ud800", "line": -7}], "stacks": [{"count": 1, "size": 1, "frames": [0]}]}`, long)
	if err := b.AddHeapStacks(1, []byte(text)); err != nil {
		t.Fatal(err)
	}
	p, err := b.Profile()
	if err != nil {
		t.Fatal(err)
	}
	data, err := encodeProfile(p)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = parseGo(data); err != nil {
		t.Fatal(err)
	}
	f := p.Function[0]
	if len(f.Name) > maxHeapName || !strings.HasPrefix(f.Name, "éé") || strings.Contains(f.Filename, "\x00") || p.Location[0].Line[0].Line != 0 {
		t.Errorf("%d bytes of name, %q, %+v", len(f.Name), f.Filename, p.Location[0].Line)
	}
}

func FuzzParseHeapStacks(f *testing.F) {
	f.Add([]byte(someStacks))
	f.Add([]byte(`{"frames": null, "stacks": [{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := NewProfileBuilder("weft", "py-threads")
		if err := b.AddHeapStacks(1, data); err != nil {
			checkSentinel(t, err)
			return
		}
		p, err := b.Profile()
		if err != nil {
			return // values too great to be added
		}
		encoded, err := encodeProfile(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseGo(encoded); err != nil {
			t.Errorf("written, it cannot be read: %v", err)
		}
	})
}
