package workload

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/workload/http1"
	"github.com/weft-profiler/weft/workload/origin"
)

// emptyPage is a page without departures, which all cost the same to parse.
func emptyPage(p Page) []byte {
	return fmt.Appendf(nil, `<main data-from="%s" data-to="%s" data-date="%s" data-departures="0"></main>`, p.From, p.To, p.Date)
}

// emptyPages serves them at a loopback address.
func emptyPages(t testing.TB, address string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Skipf("nothing can listen at %s: %v", address, err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		// A client that has gone fails its own test.
		_, _ = w.Write(emptyPage(Page{From: q.Get("from"), To: q.Get("to"), Date: q.Get("date")}))
	})}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-ended; err != http.ErrServerClosed {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

// parsingAllocs is what parsing an empty page takes from the heap, in objects.
func parsingAllocs(t testing.TB) float64 {
	t.Helper()
	page := PageAt(0)
	text := emptyPage(page)
	var body bytes.Reader
	return testing.AllocsPerRun(100, func() {
		body.Reset(text)
		if _, err := ParsePage(&body, page); err != nil {
			t.Error(err)
		}
	})
}

// runLoop runs go-eventloop for so many empty pages, in a process of its own,
// and returns what it says of itself.
func runLoop(t testing.TB, url string, requests int) Result {
	t.Helper()
	r := runModel(t, "go-eventloop", Config{URL: url, Requests: requests, Concurrency: 20, KeepAlive: true})
	if r.Units != int64(requests) {
		t.Fatalf("%+v", r)
	}
	return r
}

// TestEventLoopAllocs: in the steady state a request takes two objects from the
// heap, its page's date and its target, beside those of parsing, which is the
// same code in all models. Waiting takes none. The count is the child's own, of
// its whole process; the difference of two trials leaves out what is taken once.
func TestEventLoopAllocs(t *testing.T) {
	url := emptyPages(t, "127.0.0.1")
	const few, many = 1000, 5000
	all := float64(runLoop(t, url, many).AllocObjects-runLoop(t, url, few).AllocObjects) / (many - few)
	parsing := parsingAllocs(t)
	t.Logf("%.3f objects a request, %.0f of them of parsing", all, parsing)
	// The collector's own come to a few in a thousand requests.
	if all-parsing > 2.05 {
		t.Errorf("%.3f objects a request beside parsing, want at most 2", all-parsing)
	}
}

// BenchmarkEventLoop is one request of go-eventloop for an empty page: time, its
// process's CPU, and objects from the heap, those of parsing apart.
func BenchmarkEventLoop(b *testing.B) {
	r, parsing := runLoop(b, emptyPages(b, "127.0.0.1"), b.N), parsingAllocs(b)
	n := float64(b.N)
	b.ReportMetric(float64(r.EndNS-r.StartNS)/n, "ns/op")
	b.ReportMetric(float64(r.CPUNS)/n, "cpu-ns/op")
	b.ReportMetric(float64(r.AllocObjects)/n-parsing, "objects/op")
	b.ReportMetric(parsing, "parse-objects/op")
}

// TestSendInPieces: a socket whose buffer is full gets the rest of the request
// when it has room again, and every byte once.
func TestSendInPieces(t *testing.T) {
	f, err := newFetch(context.Background(), Config{URL: "http://127.0.0.1:1", Requests: 1, Concurrency: 1, KeepAlive: true})
	if err != nil {
		t.Fatal(err)
	}
	l, err := newEventLoop(f)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	peer := eventConn{fd: pair[1]}
	defer peer.Close()
	task := &l.tasks[0]
	task.conn.fd = pair[0]
	junk := make([]byte, 4096)
	for err == nil {
		_, err = task.conn.Write(junk)
	}
	if err != unix.EAGAIN || !l.take(task) {
		t.Fatal(err)
	}
	whole, err := http1.AppendRequest(nil, f.request(task.page))
	if err != nil {
		t.Fatal(err)
	}
	if l.move(task); task.step != toSend || task.watched != unix.EPOLLOUT || task.sent != 0 {
		t.Fatalf("%v, waits for %#x, %d bytes sent; want write request, EPOLLOUT, 0", task.step, task.watched, task.sent)
	}
	const first = 10 // bytes that had gone out before
	task.sent = first
	for err == nil {
		_, err = peer.Read(junk)
	}
	if n, err := l.wait(); n != 1 || err != nil || l.events[0].Fd != 0 {
		t.Fatalf("%d events, %v", n, err)
	}
	if l.move(task); task.step != toReceive || task.watched != unix.EPOLLIN {
		t.Errorf("%v, waits for %#x", task.step, task.watched)
	}
	n, err := peer.Read(junk)
	if err != nil || string(junk[:n]) != string(whole[first:]) {
		t.Errorf("sent %q, %v, want %q", junk[:n], err, whole[first:])
	}
}

// TestLoopFails: when the loop itself cannot go on, every page it has not
// finished is a failure that says why.
func TestLoopFails(t *testing.T) {
	f, err := newFetch(context.Background(), Config{URL: "http://127.0.0.1:1", Requests: 7, Concurrency: 2, KeepAlive: true})
	if err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 0
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	runEventLoop(f)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	got := f.failures[CauseOther]
	if len(f.failures) != 1 || got.Count != 7 || !strings.Contains(got.First, "make epoll set") || f.endNS == 0 {
		t.Errorf("failures %+v", f.failures)
	}
}

// TestIPv6: the other family, in every model.
func TestIPv6(t *testing.T) {
	url := emptyPages(t, "::1")
	for _, m := range Models() {
		t.Run(m.Name, func(t *testing.T) {
			for _, keep := range []bool{true, false} {
				f := runHere(t, m, Config{URL: url, Requests: 23, Concurrency: 7, KeepAlive: keep})
				if f.units != 23 {
					t.Errorf("%d units, failures %+v", f.units, f.failures)
				}
			}
		})
	}
}

// TestSignals: a signal ends many waits early, and none of them is a failure.
func TestSignals(t *testing.T) {
	h := spawnOrigin(t, func(c *origin.Config) { c.PageBytes = origin.MinPageBytes; c.Latency = 30 * time.Millisecond })
	ended := make(chan struct{})
	t.Cleanup(func() { <-ended })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			tasks, _ := os.ReadDir("/proc/self/task")
			for _, task := range tasks {
				if tid, err := strconv.Atoi(task.Name()); err == nil {
					// The runtime's own signal for preemption, which it has to
					// bear at any time; a thread may be gone.
					_ = unix.Tgkill(os.Getpid(), tid, unix.SIGURG)
				}
			}
			time.Sleep(time.Millisecond)
		}
	}()
	for _, m := range goModels() {
		f := runHere(t, m, Config{URL: h.URL(), Requests: 23, Concurrency: 7, KeepAlive: true})
		if f.units != 23 {
			t.Errorf("%s: %d units, failures %+v", m.Name, f.units, f.failures)
		}
	}
}
