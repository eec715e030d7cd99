package workload

import (
	"errors"
	"strings"
	"testing"
)

func validResult() Result {
	return Result{
		Units: 20, Failures: map[string]Failure{CauseReset: {Count: 2, First: "x"}, CauseTimeout: {Count: 1}},
		Digest: strings.Repeat("0a", 32), StartNS: 1, EndNS: 1, GoMemory: &GoMemory{HeapLive: 1},
	}
}

func TestResultCheckValid(t *testing.T) {
	if err := validResult().CheckValid(23); err != nil {
		t.Fatal(err)
	}
	if got := validResult().Failed(); got != 3 {
		t.Errorf("%d failed, want 3", got)
	}
	for name, spoil := range map[string]func(*Result){
		"too few":          func(r *Result) { r.Units-- },
		"too many":         func(r *Result) { r.Units++ },
		"negative units":   func(r *Result) { r.Units = -1 },
		"unknown cause":    func(r *Result) { r.Failures["bad luck"] = Failure{Count: 1}; r.Units-- },
		"negative count":   func(r *Result) { r.Failures[CauseOther] = Failure{Count: -1}; r.Units++ },
		"overflow":         func(r *Result) { r.Failures[CauseOther] = Failure{Count: 1 << 62} },
		"long text":        func(r *Result) { r.Failures[CauseReset] = Failure{2, strings.Repeat("x", 301)} },
		"no start":         func(r *Result) { r.StartNS = 0 },
		"end before start": func(r *Result) { r.StartNS = 2 },
		"negative CPU":     func(r *Result) { r.CPUNS = -1 },
		"negative memory":  func(r *Result) { r.GoMemory.HeapDead = -1 },
		"memory":           func(r *Result) { r.GoMemory.Runtime = maxMemory + 1 },
		"short digest":     func(r *Result) { r.Digest = "0a" },
		"digest":           func(r *Result) { r.Digest = strings.Repeat("0G", 32) },
	} {
		r := validResult()
		spoil(&r)
		if err := r.CheckValid(23); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestConfigCheckValid(t *testing.T) {
	good := Config{URL: "http://127.0.0.1:1", Requests: 1, Concurrency: 1}
	if err := good.CheckValid(); err != nil {
		t.Fatal(err)
	}
	if got := good.Timeout(); got != DefaultTimeout {
		t.Errorf("timeout %v", got)
	}
	for name, spoil := range map[string]func(*Config){
		"requests":    func(c *Config) { c.Requests = -1 },
		"concurrency": func(c *Config) { c.Concurrency = 0 },
		"timeout":     func(c *Config) { c.TimeoutNS = -1 },
		"url":         func(c *Config) { c.URL = "" },
	} {
		c := good
		spoil(&c)
		if err := c.CheckValid(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for _, text := range []string{"http://127.0.0.1:8080", "http://origin.example/", "http://[::1]:80"} {
		if _, err := CheckURL(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "127.0.0.1:80", "http://", "http://:80", "http://h:0", "http://h:99999", "http://h/x", "http://h?x", "http://u@h", "http://h#x", "http://h:80:80", "http://a b"} {
		if _, err := CheckURL(text); err == nil {
			t.Errorf("%q: accepted", text)
		}
	}
	for text, says := range map[string]string{
		"127.0.0.1:80": "give http://127.0.0.1:80", "localhost:80": "give http://localhost:80", "origin.example": "give http://origin.example",
		"": "give http://HOST:PORT", "a b": "give http://HOST:PORT",
	} {
		if _, err := CheckURL(text); !errors.Is(err, ErrScheme) || !strings.HasSuffix(err.Error(), says) {
			t.Errorf("%q: %v, want to be told to %s", text, err, says)
		}
	}
	if _, err := CheckURL("https://h"); !errors.Is(err, ErrScheme) || !strings.Contains(err.Error(), "http://HOST:PORT") {
		t.Errorf("https: %v", err)
	}
}

func TestLookup(t *testing.T) {
	for _, m := range Models() {
		if got, err := Lookup(m.Name); err != nil || got.Name != m.Name || m.Summary == "" {
			t.Errorf("%s: %v, %v", m.Name, got, err)
		}
	}
	_, err := Lookup("go-fibers")
	if !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), "go-sequential, go-threads, go-goroutines, go-eventloop, go-nethttp") ||
		!strings.HasSuffix(err.Error(), "py-asyncio, or py-threads.own, py-gevent.own, py-asyncio.own") {
		t.Errorf("got %v", err)
	}
}
