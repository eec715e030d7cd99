package origin

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestPages(t *testing.T) {
	q := question{"kyiv", "lviv", "2018-03-01"}
	stated := regexp.MustCompile(`data-departures="(\d+)"`)
	for size, departures := range map[int]int{MinPageBytes: 2, 2048: 4, 4096: 10, 30_000: 60, DefaultPageBytes: 60, 100_000: 60, 100_003: 60} {
		page := renderPage(q, size)
		if len(page) != size {
			t.Errorf("page of %d bytes, want %d", len(page), size)
		}
		says, err := strconv.Atoi(string(stated.FindSubmatch(page)[1]))
		if err != nil || says != departures || bytes.Count(page, []byte(`class="departure"`)) != departures {
			t.Errorf("%d bytes: says %d departures, want %d", size, says, departures)
		}
		if !bytes.Equal(page, renderPage(q, size)) {
			t.Errorf("%d bytes: not the same twice", size)
		}
		if bytes.Equal(page, renderPage(question{"kyiv", "lviv", "2018-03-02"}, size)) {
			t.Errorf("%d bytes: another day is the same", size)
		}
	}
	// Long towns do not break the size.
	long := question{strings.Repeat("a", 32), strings.Repeat("b", 32), "2018-03-01"}
	for size := MinPageBytes; size < 4096; size++ {
		if page := renderPage(long, size); len(page) != size {
			t.Fatalf("page of %d bytes, want %d", len(page), size)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	if c := newCache(MaxPageBytes); c.most*c.size != cacheBytes {
		t.Errorf("%d pages of %d bytes", c.most, c.size)
	}
	c := newCache(MinPageBytes)
	c.most = 5
	q := func(i int) question { return question{"a", "b", strconv.Itoa(i)} }
	first := &c.page(q(0))[0]
	for i := range 9 {
		c.page(q(i))
		if &c.page(q(0))[0] != first {
			t.Fatal("a page in use was dropped")
		}
	}
	if len(c.pages) != 5 || c.order.Len() != 5 || c.pages[q(3)] != nil || c.pages[q(8)] == nil {
		t.Errorf("%d pages, %d in order", len(c.pages), c.order.Len())
	}
}

func TestLatency(t *testing.T) {
	cfg := Config{Latency: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, Seed: 7}
	least, most := time.Hour, time.Duration(0)
	for i := range 1000 {
		q := question{"a", "b", strconv.Itoa(i)}
		d := cfg.latency(q)
		if d != cfg.latency(q) {
			t.Fatal("latency of a page changes")
		}
		least, most = min(least, d), max(most, d)
	}
	if least < 15*time.Millisecond || least > 16*time.Millisecond || most > 25*time.Millisecond || most < 24*time.Millisecond {
		t.Errorf("latency from %v to %v, want 15 to 25 ms", least, most)
	}
	h := serve(t, func(c *Config) { c.Latency = 50 * time.Millisecond })
	begin := time.Now()
	dial(t, h).get(anyPage)
	if took := time.Since(begin); took < 50*time.Millisecond || took > 5*time.Second {
		t.Errorf("answered after %v, want 50 ms", took)
	}
}

func TestPacer(t *testing.T) {
	p := newPacer(10)
	now := time.Unix(1, 0)
	for i, want := range []time.Duration{0, 100, 200, 300} {
		if got := p.slot(now); got != want*time.Millisecond {
			t.Errorf("answer %d after %v, want %v ms", i, got, int64(want))
		}
	}
	if got := p.slot(now.Add(time.Minute)); got != 0 {
		t.Errorf("after a pause: %v", got)
	}
	if got := newPacer(0).slot(now); got != 0 {
		t.Errorf("without a limit: %v", got)
	}
	h := serve(t, func(c *Config) { c.Rate = 100 })
	begin := time.Now()
	<-ask(t, h, 23)
	if took := time.Since(begin); took < 220*time.Millisecond {
		t.Errorf("23 answers at 100 a second took %v", took)
	}
}

func TestConfigCheckValid(t *testing.T) {
	if err := DefaultConfig().CheckValid(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"address": func(c *Config) { c.Listen = "8080" }, "port": func(c *Config) { c.Listen = "h:http" },
		"latency": func(c *Config) { c.Latency = -1 }, "jitter": func(c *Config) { c.Jitter = c.Latency + 1 },
		"small page": func(c *Config) { c.PageBytes = MinPageBytes - 1 }, "large page": func(c *Config) { c.PageBytes = MaxPageBytes + 1 },
		"rate": func(c *Config) { c.Rate = -1 },
	} {
		c := DefaultConfig()
		spoil(&c)
		if err := c.CheckValid(); err == nil || Serve(t.Context(), c, func(net.Addr) {}) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRunDelay(t *testing.T) {
	self := t.TempDir()
	write := func(tid, text string) {
		dir := filepath.Join(self, "task", tid)
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "schedstat"), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := runDelayNS(self); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing to read: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(self, "task", "3"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := runDelayNS(self); err == nil || !strings.Contains(err.Error(), "CONFIG_SCHED_INFO") {
		t.Errorf("a thread without it: %v", err)
	}
	write("1", "100 23 3\n")
	write("2", "200 17 5\n")
	if got, err := runDelayNS(self); got != 40 || err != nil {
		t.Errorf("%d, %v, want 40", got, err)
	}
	write("2", "200\n")
	if _, err := runDelayNS(self); err == nil {
		t.Error("half a file accepted")
	}
}

func TestSpawn(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx := within(t, time.Minute)
	cfg := DefaultConfig()
	cfg.Version = "0.test"
	h, err := Spawn(ctx, exe, cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if id := h.Identity(); id.PID != h.PID() || id.PID == os.Getpid() || id.Version != "0.test" || id.Latency != cfg.Latency || id.PageBytes != cfg.PageBytes {
		t.Errorf("identity %+v", id)
	}
	// A second one cannot have its address.
	cfg.Listen = strings.TrimPrefix(h.URL(), "http://")
	if _, err := Spawn(ctx, exe, cfg, nil); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("second origin: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if err := h.Begin(ctx, 0, 0); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "process ended") {
		t.Errorf("after its end: %v", err)
	}
	if err := unix.Kill(h.PID(), 0); err != unix.ESRCH {
		t.Errorf("process %d is still there", h.PID())
	}
	if _, err := Spawn(ctx, "/nonexistent", DefaultConfig(), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no executable: %v", err)
	}
	if _, err := Spawn(ctx, "/bin/true", DefaultConfig(), nil); !errors.Is(err, ErrUnreachable) {
		t.Errorf("another program: %v", err)
	}
}

func TestSpawnedOriginDies(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h, err := Spawn(within(t, time.Minute), exe, DefaultConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(h.PID(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-h.process.ended
	if _, err := h.Stats(within(t, time.Minute)); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "killed") {
		t.Errorf("stats of a dead origin: %v", err)
	}
	if err := h.Close(); err == nil {
		t.Error("a killed origin closed well")
	}
}

func TestConnect(t *testing.T) {
	ctx := within(t, time.Minute)
	h := serve(t, nil)
	if h.PID() != 0 || h.Identity().Version != "0.test" || h.Close() != nil {
		t.Errorf("%+v", h.Identity())
	}
	if _, err := Connect(ctx, "http://127.0.0.1:1"); !errors.Is(err, ErrUnreachable) {
		t.Errorf("nobody there: %v", err)
	}
	for name, handler := range map[string]http.HandlerFunc{
		"404":          http.NotFound,
		"a web page":   func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) },
		"another JSON": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"service":"x"}`)) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, h.URL()+r.URL.Path, http.StatusFound)
		},
	} {
		other := httptest.NewServer(handler)
		defer other.Close()
		if _, err := Connect(ctx, other.URL); !errors.Is(err, ErrNotOrigin) || !strings.Contains(err.Error(), "start one there with weft origin") {
			t.Errorf("%s: %v", name, err)
		}
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if _, err := Connect(within(t, 200*time.Millisecond), "http://"+silent.Addr().String()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("silence: %v", err)
	}
}

func TestReachable(t *testing.T) {
	for in, want := range map[string]string{"0.0.0.0:80": "127.0.0.1:80", "[::]:80": "127.0.0.1:80", "10.0.0.1:80": "10.0.0.1:80"} {
		if got := reachable(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
