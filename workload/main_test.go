package workload

import (
	"context"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weft-profiler/weft/workload/origin"
)

// TestMain lets the test binary play the roles that weft's own binary plays,
// and those of children that misbehave.
func TestMain(m *testing.M) {
	switch {
	case IsChild(os.Args):
		os.Exit(RunChild(os.Args))
	case origin.IsChild(os.Args):
		os.Exit(origin.RunChild(os.Args))
	case os.Args[0] == badChildName:
		os.Exit(badChild(os.Args[1]))
	}
	code := m.Run()
	if python, err := scripts(); err == nil {
		python.Close()
	}
	os.Exit(code)
}

// pythonEnv names another interpreter than the default, for the tests.
const pythonEnv = "WEFT_TEST_PYTHON"

// scripts are the models in Python.
var scripts = sync.OnceValues(func() (*Python, error) {
	interpreter, err := FindPython(os.Getenv(pythonEnv))
	if err != nil {
		return nil, err
	}
	return OpenPython(interpreter)
})

// lacking is what this host lacks for models, by their names.
var lacking = sync.OnceValue(func() map[string]error {
	lacks := make(map[string]error)
	interpreter, err := FindPython(os.Getenv(pythonEnv))
	found := CheckPython(context.Background(), interpreter, nil, Models())
	for _, m := range Models() {
		switch {
		case m.Python() && err != nil:
			lacks[m.Name] = err
		case m.Python() && found[m.Name].Lacks != nil:
			lacks[m.Name] = found[m.Name].Lacks
		}
	}
	return lacks
})

// needModel skips a test of a model that this host lacks something for, or fails
// it where everything has to be there.
func needModel(t testing.TB, m Model) {
	t.Helper()
	lacks := lacking()[m.Name]
	switch {
	case lacks == nil:
	case os.Getenv("WEFT_TEST_ALL") != "":
		t.Fatal(lacks)
	default:
		t.Skip(lacks)
	}
}

// goModels are those that run in weft's own executable.
func goModels() []Model { return slices.DeleteFunc(Models(), Model.Python) }

func self(t testing.TB) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// within is a context that ends well before the test's own time.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// spawnOrigin starts an origin in a process of its own.
func spawnOrigin(t testing.TB, change func(*origin.Config)) *origin.Handle {
	t.Helper()
	cfg := origin.DefaultConfig()
	cfg.Latency = 0
	if change != nil {
		change(&cfg)
	}
	h, err := origin.Spawn(within(t, time.Minute), self(t), cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// startModel starts a child at its gate.
func startModel(t testing.TB, ctx context.Context, name string, cfg Config) *Process {
	t.Helper()
	p := launchModel(t, ctx, name, cfg)
	if _, err := p.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return p
}

// launchModel starts a child that has said nothing yet.
func launchModel(t testing.TB, ctx context.Context, name string, cfg Config) *Process {
	t.Helper()
	m, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	command := ModelCommand(self(t), m, cfg)
	if m.Python() {
		needModel(t, m)
		python, err := scripts()
		if err != nil {
			t.Fatal(err)
		}
		command = python.Command(m, cfg)
	}
	// A child built with -race would sleep for a second at its end.
	command.Env = append(Environ(), "GORACE=atexit_sleep_ms=0")
	p, err := Start(ctx, command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		_, _ = p.Wait() // tests of its outcome have waited themselves
	})
	return p
}

// runModel runs a whole trial.
func runModel(t testing.TB, name string, cfg Config) Result {
	t.Helper()
	ctx := within(t, time.Minute)
	p := startModel(t, ctx, name, cfg)
	if err := p.Go(); err != nil {
		t.Fatal(err)
	}
	result, err := p.Done(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Release(); err != nil {
		t.Fatal(err)
	}
	if status, err := p.Wait(); err != nil {
		t.Fatalf("child ended with %v: %v", status, err)
	}
	return result
}

// fetchPage gets a page of the given size from a real origin.
func fetchPage(t testing.TB, size int, page Page) []byte {
	t.Helper()
	h := spawnOrigin(t, func(c *origin.Config) { c.PageBytes = size })
	response, err := http.Get(h.URL() + page.Target())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) != size {
		t.Fatalf("page of %d bytes, want %d", len(text), size)
	}
	return text
}
