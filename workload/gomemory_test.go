package workload

import (
	"errors"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/weft-profiler/weft/workload/origin"
)

// TestGoMemoryIsComplete: every class of memory that this Go knows is in one
// part, and the parts are the whole.
func TestGoMemoryIsComplete(t *testing.T) {
	known := make(map[string]bool)
	for _, c := range memoryClasses() {
		known["/memory/classes/"+c.name+":bytes"] = true
	}
	for _, d := range metrics.All() {
		if strings.HasPrefix(d.Name, "/memory/classes/") && d.Name != "/memory/classes/total:bytes" && !known[d.Name] {
			t.Errorf("%s is in no part", d.Name)
		}
	}
	r := newGoMemoryReader()
	total := metrics.Sample{Name: "/memory/classes/total:bytes"}
	r.samples = append(r.samples, total) // of the same moment
	r.classes = append(r.classes, memoryClass{part: func(*GoMemory) *int64 { return new(int64) }})
	m := r.read()
	if m == nil {
		t.Fatal("this Go does not tell")
	}
	whole := int64(r.samples[len(r.samples)-1].Value.Uint64())
	if sum := m.HeapLive + m.HeapDead + m.Stacks + m.Runtime + m.Released; sum != whole {
		t.Errorf("parts %+v sum to %d, the whole is %d", *m, sum, whole)
	}
	if err := m.CheckValid(); err != nil {
		t.Error(err)
	}
}

func TestGoMemoryReadsWithoutAllocating(t *testing.T) {
	r := newGoMemoryReader()
	if n := testing.AllocsPerRun(100, func() { r.read() }); n != 0 {
		t.Errorf("%.0f objects", n)
	}
}

// TestGoMemoryOfAnotherGo: a class that the runtime does not know makes the
// whole unknown, not a part too small.
func TestGoMemoryOfAnotherGo(t *testing.T) {
	r := newGoMemoryReader()
	r.samples[3].Name = "/memory/classes/heap/of-the-future:bytes"
	if m := r.read(); m != nil {
		t.Errorf("got %+v", *m)
	}
}

// TestGoMemoryGrows: the child tells at both gates, and the pages that it keeps
// at the end are in its heap.
func TestGoMemoryGrows(t *testing.T) {
	h := spawnOrigin(t, func(c *origin.Config) { c.PageBytes = origin.MinPageBytes })
	for _, m := range goModels() {
		t.Run(m.Name, func(t *testing.T) {
			ctx := within(t, time.Minute)
			p := launchModel(t, ctx, m.Name, Config{URL: h.URL(), Requests: 2003, Concurrency: m.Concurrency(7), KeepAlive: true})
			ready, err := p.Ready(ctx)
			if err != nil || ready == nil || ready.HeapLive == 0 || ready.Stacks == 0 || ready.Runtime == 0 {
				t.Fatalf("at the gate %+v, %v", ready, err)
			}
			if err := p.Go(); err != nil {
				t.Fatal(err)
			}
			r, err := p.Done(ctx)
			if err != nil || r.Units != 2003 || r.GoMemory == nil {
				t.Fatalf("%+v, %v", r, err)
			}
			// Each page keeps more than a hundred bytes.
			if grown := r.GoMemory.HeapLive + r.GoMemory.HeapDead - ready.HeapLive - ready.HeapDead; grown < 2003*100 {
				t.Errorf("the heap grew by %d bytes: from %+v to %+v", grown, *ready, *r.GoMemory)
			}
		})
	}
}

func FuzzParseReady(f *testing.F) {
	f.Add(`{"go_memory": {"heap_live": 23, "released": 1}}`)
	f.Add(`{"go_memory": null, "py_memory": {}}`)
	f.Add(`{"go_memory": {"stacks": 1e30}}`)
	f.Add(`{"profiles": ["goroutine", "block", "mutex"]}`)
	f.Add(`{"profiles": ["block", "block"]}`)
	f.Add(`{"profiles": ["block 1\nexit"]}`)
	f.Add("null")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseReady(text)
		if err != nil && (r.GoMemory != nil || r.Profiles != nil || !errors.Is(err, ErrProtocol) || len(err.Error()) > 4*maxQuoted+1000) {
			t.Fatalf("%+v, %v", r, err)
		}
		if r.CheckValid() != nil {
			t.Fatalf("accepted %+v", r)
		}
	})
}
