package recording

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

func TestHostileHeap(t *testing.T) {
	good := encoded(t, heapProfile(0x400000, 1, 1, 1, 1))
	cpu := heapProfile(0x400000, 1, 1, 1, 1)
	cpu.SampleType[3].Type = "cpu"
	for name, data := range map[string][]byte{
		"nothing":       nil,
		"not gzip":      []byte("heap profile: 1: 2 [3: 4] @ heap/4096"),
		"text format":   gzipped(t, []byte("heap profile: 1: 2 [3: 4] @ heap/4096\n1: 2 [3: 4] @ 0x1\n")),
		"cut off":       good[:len(good)/2],
		"bomb":          gzipped(t, make([]byte, maxHeapBytes+1)),
		"empty samples": gzipped(t, bytes.Repeat([]byte{2<<3 | 2, 0}, maxProfileRecords+1)),
		"no heap":       encoded(t, cpu),
	} {
		b := NewProfileBuilder("weft", "m")
		if err := b.AddHeap(3, nil, data); err == nil || !strings.Contains(err.Error(), "trial 3") {
			t.Errorf("%s: error %v", name, err)
		}
		if p, err := b.Profile(); err != nil || len(p.Sample) != 0 {
			t.Errorf("%s: something was added, error %v", name, err)
		}
	}

	b := NewProfileBuilder("weft", "m")
	if err := errors.Join(b.AddHeap(1, nil, good), b.AddHeap(2, nil, good)); err != nil {
		t.Fatal(err)
	}
	if err := b.AddHeap(1, nil, good); err == nil {
		t.Error("a second heap of one trial: no error")
	}
}

func TestImpossibleValues(t *testing.T) {
	for name, values := range map[string][]int64{"negative": {1, 1, -1, 1}, "too great": {1, math.MaxInt64, 1, 1}} {
		b := NewProfileBuilder("weft", "m")
		for trial := range 2 {
			if err := b.AddHeap(trial, nil, encoded(t, heapProfile(0x400000, values...))); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Profile(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestHostileNames: names are data, and come out as they went in. Labels of a heap do not pass for weft's.
func TestHostileNames(t *testing.T) {
	name := "<script>alert(1)</script>\n\t\";\x1b[31m%s"
	heap := heapProfile(0x400000, 1, 1, 1, 1)
	heap.Function[0].Name, heap.Function[0].Filename, heap.Mapping[0].File = name, name, name
	heap.Sample[0].Label = map[string][]string{"model": {"forged"}, "thread": {"forged"}, name: {name}}
	heap.Sample[0].NumLabel["trial"] = []int64{99}
	b := NewProfileBuilder(name, name)
	if err := b.AddHeap(1, nil, encoded(t, heap)); err != nil {
		t.Fatal(err)
	}
	b.AddStacks(1, []Stack{{Thread: name, Frames: []Frame{{Function: name + "k", File: name, Binary: name}}, Values: Values{Calls: 1}}})
	built, err := b.Profile()
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.ParseData(encoded(t, built))
	if err != nil {
		t.Fatal(err)
	}
	s := sampleOf(t, p, name, 1)
	if fmt.Sprintf("%q", s.Label) != fmt.Sprintf("%q", map[string][]string{"model": {name}}) {
		t.Errorf("labels %q", s.Label)
	}
	if k := sampleOf(t, p, name+"k", 1); k.Label["thread"][0] != name || k.Location[0].Mapping.File != name {
		t.Errorf("kernel sample %v", k)
	}
}

//go:noinline
func allocateForTest(n int) [][]byte {
	var kept [][]byte
	for range n {
		kept = append(kept, make([]byte, 1<<20))
	}
	return kept
}
