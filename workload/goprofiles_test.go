package workload

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"testing"
	"time"

	"github.com/weft-profiler/weft/workload/origin"
)

// TestHeap asks for profiles during the hold and at the end.
func TestHeap(t *testing.T) {
	h := spawnOrigin(t, func(c *origin.Config) { c.PageBytes = 30 << 10 })
	for _, m := range Models() {
		t.Run(m.Name, func(t *testing.T) {
			ctx := within(t, time.Minute)
			check, again, rate := checkHeap, checkHeap, int64(profileRate)
			if m.Python() {
				check, again, rate = checkHeapStacks, checkNoHeap, 1
				needModel(t, m)
			}
			concurrency := m.Concurrency(23)
			if err := h.Begin(ctx, 0, concurrency); err != nil {
				t.Fatal(err)
			}
			p := startModel(t, ctx, m.Name, Config{URL: h.URL(), Requests: 29, Concurrency: concurrency, KeepAlive: true, Profile: true})
			if err := p.Go(); err != nil {
				t.Fatal(err)
			}
			waiting, err := h.Held(ctx)
			if err != nil || waiting != concurrency {
				t.Fatalf("%d held, want %d: %v", waiting, concurrency, err)
			}
			check(t, p, ctx)
			checkGoroutines(t, p, ctx, m)
			if err := h.Release(ctx); err != nil {
				t.Fatal(err)
			}
			again(t, p, ctx) // while it works, or at its end
			r, err := p.Done(ctx)
			if err != nil || r.Units != 29 || r.MemProfileRate != rate {
				t.Errorf("%+v, %v", r, err)
			}
			again(t, p, ctx)
			checkContention(t, p, ctx, m, r)
			if err := p.Release(); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// checkGoroutines wants goroutines of a Go child while its requests are held;
// what they are is package recording's to read.
func checkGoroutines(t *testing.T, p *Process, ctx context.Context, m Model) {
	t.Helper()
	data, err := p.Profile(ctx, ProfileGoroutine)
	if err != nil || m.Python() != (len(data) == 0) {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	text := unpack(t, data)
	if m.Python() {
		return
	}
	if !bytes.Contains(text, []byte("goroutine")) || !bytes.Contains(text, []byte("workload.RunChild")) {
		t.Errorf("profile of %d bytes does not look like one of goroutines", len(text))
	}
}

// checkContention wants both profiles and their rates, or neither.
func checkContention(t *testing.T, p *Process, ctx context.Context, m Model, r Result) {
	t.Helper()
	want := int64(1)
	if m.Python() {
		want = 0
	}
	if r.BlockProfileRate != want || r.MutexProfileFraction != want {
		t.Errorf("rates %d and %d, want %d", r.BlockProfileRate, r.MutexProfileFraction, want)
	}
	for _, name := range []string{ProfileBlock, ProfileMutex} {
		data, err := p.Profile(ctx, name)
		if text := unpack(t, data); err != nil || bytes.Contains(text, []byte("contentions")) == m.Python() {
			t.Errorf("%s: profile of %d bytes, %v", name, len(text), err)
		}
	}
}

func unpack(t *testing.T, data []byte) []byte {
	t.Helper()
	if len(data) == 0 {
		return nil
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func checkHeap(t *testing.T, p *Process, ctx context.Context) {
	t.Helper()
	heap, err := p.Heap(ctx)
	if err != nil || heap.Stacks {
		t.Fatal(heap.Stacks, err)
	}
	text := unpack(t, heap.Data)
	if !bytes.Contains(text, []byte("inuse_space")) || !bytes.Contains(text, []byte("workload.")) {
		t.Errorf("profile of %d bytes does not look like one", len(text))
	}
}

// checkHeapStacks looks for the work's own functions, and for none of the
// profile's.
func checkHeapStacks(t *testing.T, p *Process, ctx context.Context) {
	t.Helper()
	heap, err := p.Heap(ctx)
	if err != nil || !heap.Stacks {
		t.Fatal(heap.Stacks, err)
	}
	for text, want := range map[string]bool{
		`"weft_child.main"`: true, `.<module>", "file": "weft/workload/python/py_`: true, "weft_heap": false,
	} {
		if bytes.Contains(heap.Data, []byte(text)) != want {
			t.Errorf("%q in the stacks: %v, want %v\n%.2000s", text, !want, want, heap.Data)
		}
	}
}

// checkNoHeap looks for nothing: a Python child answers once.
func checkNoHeap(t *testing.T, p *Process, ctx context.Context) {
	t.Helper()
	if heap, err := p.Heap(ctx); err != nil || heap.Stacks || len(heap.Data) > 0 {
		t.Errorf("%d bytes, %v", len(heap.Data), err)
	}
}
