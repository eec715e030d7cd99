package workload

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
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
				ctx := within(t, time.Minute)
				if err := h.Begin(ctx, 0, 0); err != nil {
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

// TestOwnConcurrency: the libraries' own pools, whatever they are asked for.
func TestOwnConcurrency(t *testing.T) {
	h := spawnOrigin(t, func(c *origin.Config) { c.PageBytes = origin.MinPageBytes })
	// Of concurrent.futures, since Python 3.8; gevent's pool has no bound; aiohttp's connector has 100.
	threads := int64(min(32, hostCPUs(t)+4))
	for name, want := range map[string]int64{"py-threads.own": threads, "py-gevent.own": 109, "py-asyncio.own": 100} {
		t.Run(name, func(t *testing.T) {
			ctx := within(t, time.Minute)
			if err := h.Begin(ctx, 0, 109); err != nil { // gives up when no more come
				t.Fatal(err)
			}
			p := startModel(t, ctx, name, Config{URL: h.URL(), Requests: 109, Concurrency: 7, KeepAlive: true, Own: true})
			if err := p.Go(); err != nil {
				t.Fatal(err)
			}
			if n, err := h.Held(ctx); err != nil || int64(n) != want {
				t.Errorf("%d held, want %d: %v", n, want, err)
			}
			if err := h.Release(ctx); err != nil {
				t.Fatal(err)
			}
			if r, err := p.Done(ctx); err != nil || r.Units != 109 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// hostCPUs is os.cpu_count of Python before 3.13, which does not look at what
// this process may use.
func hostCPUs(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), "processor\t:")
}

func TestControlTrial(t *testing.T) {
	for _, m := range Models() {
		t.Run(m.Name, func(t *testing.T) {
			r := runModel(t, m.Name, Config{URL: "http://127.0.0.1:1", Requests: 0, Concurrency: 5})
			if r.Units != 0 || r.EndNS != r.StartNS || r.AllocObjects > 500 {
				t.Errorf("no work was %+v", r)
			}
		})
	}
}

// TestThreadsWhenHeld: with 23 requests held go-threads has 23 threads for them
// and polls nothing; the others have a few threads and one epoll set, which is
// the runtime's own network poller but in go-eventloop.
func TestThreadsWhenHeld(t *testing.T) {
	h := spawnOrigin(t, nil)
	for _, m := range Models() {
		t.Run(m.Name, func(t *testing.T) {
			ctx := within(t, time.Minute)
			concurrency := m.Concurrency(23)
			if err := h.Begin(ctx, 0, concurrency); err != nil {
				t.Fatal(err)
			}
			p := startModel(t, ctx, m.Name, Config{URL: h.URL(), Requests: 23, Concurrency: concurrency, KeepAlive: true})
			if err := p.Go(); err != nil {
				t.Fatal(err)
			}
			if n, err := h.Held(ctx); err != nil || n != concurrency {
				t.Fatalf("%d held: %v", n, err)
			}
			threads := threadsOf(t, p.PID())
			if m.Threads != (threads >= 23) || threads > 23+12 {
				t.Errorf("%d threads", threads)
			}
			checkPolls(t, m, p.PID())
			if err := h.Release(ctx); err != nil {
				t.Fatal(err)
			}
			if r, err := p.Done(ctx); err != nil || r.Units != 23 {
				t.Errorf("%+v, %v", r, err)
			}
			// A locked thread ends with its goroutine; one that was only
			// borrowed for a system call would stay.
			for end := time.Now().Add(5 * time.Second); threads > 12; time.Sleep(time.Millisecond) {
				if threads = threadsOf(t, p.PID()); time.Now().After(end) {
					t.Fatalf("%d threads after the work", threads)
				}
			}
		})
	}
}

// checkPolls looks for what a model waits by.
func checkPolls(t *testing.T, m Model, pid int) {
	t.Helper()
	polls, poller := 1, 1
	if m.Threads || m.Python() || m.Name == "go-eventloop" {
		poller = 0 // which is Go's
	}
	if m.Threads || m.Name == "py-sequential" {
		polls = 0
	}
	links := descriptorsOf(t, pid)
	if links["anon_inode:[eventpoll]"] != polls || (!m.Python() && links["anon_inode:[eventfd]"] != poller) {
		t.Errorf("descriptors %v, want %d epoll sets, %d network pollers", links, polls, poller)
	}
}

func threadsOf(t *testing.T, pid int) int {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

// descriptorsOf counts a process's descriptors by what they are. The runtime's
// network poller is an eventpoll, and an eventfd to wake it.
func descriptorsOf(t *testing.T, pid int) map[string]int {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	count := make(map[string]int)
	for _, fd := range fds {
		if link, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil {
			count[link]++
		}
	}
	return count
}

// TestEqualAllocations: the models that share the client take the same from
// the heap for a request, so what differs between them is how they wait.
func TestEqualAllocations(t *testing.T) {
	// The smallest page: parsing allocates for each departure, the same in all
	// models, and would hide a difference.
	h := spawnOrigin(t, func(c *origin.Config) { c.PageBytes = origin.MinPageBytes })
	const requests, tolerance = 1009, 0.10
	var bytes, objects float64
	for _, m := range goModels() {
		name := m.Name
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
