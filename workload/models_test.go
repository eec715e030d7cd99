package workload

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/weft-profiler/weft/workload/origin"
)

// TestModels runs every model against a real origin, both in processes of
// their own: the work is the same, and the origin saw what was asked for.
func TestModels(t *testing.T) {
	h := spawnOrigin(t, func(c *origin.Config) { c.PageBytes = 4 << 10; c.Latency = 10 * time.Millisecond })
	digests := make(map[string]string)
	for _, m := range Models() {
		for _, keep := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/keepalive=%v", m.Name, keep), func(t *testing.T) {
				ctx := within(t, 20*time.Second)
				if err := h.Begin(ctx, 0); err != nil {
					t.Fatal(err)
				}
				concurrency := m.Concurrency(7)
				before := monotonicNS()
				r := runModel(t, m.Name, Config{URL: h.URL(), Requests: 23, Concurrency: concurrency, KeepAlive: keep})
				if r.Units != 23 || r.Failed() != 0 || r.MemProfileRate != 0 {
					t.Errorf("result %+v", r)
				}
				waves := int64((23 + concurrency - 1) / concurrency)
				if took := r.EndNS - r.StartNS; took < waves*10e6 || r.StartNS < before || r.EndNS > monotonicNS() || r.CPUNS == 0 {
					t.Errorf("%d ns for %d waves of 10 ms, %d ns CPU", took, waves, r.CPUNS)
				}
				digests[r.Digest] += m.Name + " "
				s, err := h.Stats(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if s.Requests != 23 || s.Responses != 23 || s.InFlightPeak > int64(concurrency) {
					t.Errorf("origin saw %d requests, %d responses, %d in flight, want 23, 23, at most %d", s.Requests, s.Responses, s.InFlightPeak, concurrency)
				}
				if n := len(s.Connections); (!keep && n != 23) || (keep && m.Name != "go-nethttp" && n > concurrency) || n > 23 {
					t.Errorf("%d connections", n)
				}
			})
		}
	}
	if len(digests) != 1 {
		t.Errorf("digests differ: %v", digests)
	}
}

func TestControlTrial(t *testing.T) {
	for _, m := range Models() {
		r := runModel(t, m.Name, Config{URL: "http://127.0.0.1:1", Requests: 0, Concurrency: 5})
		if r.Units != 0 || r.EndNS != r.StartNS || r.AllocObjects > 500 {
			t.Errorf("%s: no work was %+v", m.Name, r)
		}
	}
}

// TestThreadsWhenHeld: with 23 requests held go-threads has 23 threads for
// them, and no network poller; the others have a few threads, and one.
func TestThreadsWhenHeld(t *testing.T) {
	h := spawnOrigin(t, nil)
	for _, m := range Models() {
		t.Run(m.Name, func(t *testing.T) {
			ctx := within(t, 20*time.Second)
			concurrency := m.Concurrency(23)
			if err := h.Begin(ctx, concurrency); err != nil {
				t.Fatal(err)
			}
			p := startModel(t, ctx, m.Name, Config{URL: h.URL(), Requests: 23, Concurrency: concurrency, KeepAlive: true})
			if err := p.Go(); err != nil {
				t.Fatal(err)
			}
			if n, err := h.Held(ctx); err != nil || n != concurrency {
				t.Fatalf("%d held: %v", n, err)
			}
			threads, polls := threadsAndPoller(t, p.PID())
			if m.Threads != (threads >= 23) || m.Threads == polls || threads > 23+12 {
				t.Errorf("%d threads, network poller %v", threads, polls)
			}
			if err := h.Release(ctx); err != nil {
				t.Fatal(err)
			}
			if r, err := p.Done(ctx); err != nil || r.Units != 23 {
				t.Errorf("%+v, %v", r, err)
			}
			// A locked thread ends with its goroutine; one that was only
			// borrowed for a system call would stay.
			for end := time.Now().Add(5 * time.Second); threads > 12; time.Sleep(time.Millisecond) {
				if threads, _ = threadsAndPoller(t, p.PID()); time.Now().After(end) {
					t.Fatalf("%d threads after the work", threads)
				}
			}
		})
	}
}

func threadsAndPoller(t *testing.T, pid int) (threads int, polls bool) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		to, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name()))
		polls = polls || strings.Contains(to, "eventpoll")
	}
	return len(tasks), polls
}

// TestEqualAllocations: the models that share the client take the same from
// the heap for a request, so what differs between them is how they wait.
func TestEqualAllocations(t *testing.T) {
	// The smallest page: parsing allocates for each departure, the same in all
	// models, and would hide a difference.
	h := spawnOrigin(t, func(c *origin.Config) { c.PageBytes = origin.MinPageBytes })
	const requests, tolerance = 1009, 0.10
	var bytes, objects float64
	for _, name := range []string{"go-sequential", "go-threads", "go-goroutines", "go-nethttp"} {
		m, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		r := runModel(t, name, Config{URL: h.URL(), Requests: requests, Concurrency: m.Concurrency(5), KeepAlive: true})
		if r.Units != requests {
			t.Fatalf("%s: %+v", name, r)
		}
		b, o := float64(r.AllocBytes)/requests, float64(r.AllocObjects)/requests
		t.Logf("%-14s %7.0f bytes, %6.1f objects a request", name, b, o)
		switch name {
		case "go-sequential":
			bytes, objects = b, o
		case "go-nethttp": // shown beside them only
		default:
			if math.Abs(b/bytes-1) > tolerance || math.Abs(o/objects-1) > tolerance {
				t.Errorf("%s: %.0f bytes and %.1f objects a request; go-sequential %.0f and %.1f", name, b, o, bytes, objects)
			}
		}
	}
}
