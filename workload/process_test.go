package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/workload/origin"
)

// startBad starts a child that misbehaves.
func startBad(t *testing.T, ctx context.Context, how string, profile bool) *Process {
	t.Helper()
	p, err := Start(ctx, Command{
		Path: self(t), Args: []string{badChildName, how},
		Config: Config{Requests: 23, Concurrency: 1, Profile: profile},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		_, _ = p.Wait() // tests of its outcome have waited themselves
		if err := unix.Kill(p.PID(), 0); err != unix.ESRCH {
			t.Errorf("process %d is still there: %v", p.PID(), err)
		}
	})
	return p
}

// letGo takes a child through its first gate.
func letGo(p *Process, ctx context.Context) error {
	_, err := p.Ready(ctx)
	return errors.Join(err, p.Go())
}

func TestNeverReady(t *testing.T) {
	for _, c := range []struct {
		how   string
		want  error
		texts []string
	}{
		{"hangs before ready", ErrNotReady, []string{"after ", "importing the world", "set-up"}},
		{"cannot start", ErrSetup, []string{"no module named gevent"}},
		{"says rubbish", ErrProtocol, []string{`\x1b[31mreadiness\x00`}},
		{"says more than ready", ErrProtocol, []string{`ready "now"`}},
		{"offers what there is not", ErrProtocol, []string{"ready", `profile "heap"`}},
		{"lies about its memory", ErrProtocol, []string{"ready", "-1 bytes"}},
		{"says a huge line", ErrProtocol, []string{"longer than 65536 bytes"}},
		{"closes its pipe", ErrProtocol, []string{"closed its pipe"}},
		{"exits 3", ErrDied, []string{"exit code 3", "out of luck"}},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Parallel()
			p := startBad(t, context.Background(), c.how, false)
			patience := time.Minute
			if c.want == ErrNotReady {
				patience = 5 * time.Second // in which it has said what it is about, on a busy machine too
			}
			_, err := p.Ready(within(t, patience))
			checkError(t, err, c.want, c.texts...)
		})
	}
}

func checkError(t *testing.T, err, want error, texts ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q does not say %q", err, text)
		}
	}
	if len(err.Error()) > 4*(maxFirst+maxLast)+1000 {
		t.Errorf("error of %d bytes", len(err.Error()))
	}
}

func TestNeverDone(t *testing.T) {
	for _, c := range []struct {
		how   string
		want  error
		texts []string
	}{
		{"hangs in work", context.DeadlineExceeded, []string{"wait for done", "no answer"}},
		{"dies by signal", ErrDied, []string{"signal 15"}},
		{"exits 0 in work", ErrDied, []string{"exit code 0"}},
		{"sends half a line", ErrDied, []string{"exit code 0"}},
		{"lies about its work", ErrProtocol, []string{"24 units of 23"}},
		{"sends no JSON", ErrProtocol, []string{`"23"`}},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Parallel()
			p := startBad(t, context.Background(), c.how, false)
			if err := letGo(p, within(t, time.Minute)); err != nil {
				t.Fatal(err)
			}
			patience := time.Minute
			if c.want == context.DeadlineExceeded {
				patience = 300 * time.Millisecond
			}
			_, err := p.Done(within(t, patience))
			checkError(t, err, c.want, c.texts...)
		})
	}
}

// TestSpeaks: what a child says is announced and left to be read; what is
// awaited in vain spoils nothing that follows.
func TestSpeaks(t *testing.T) {
	for _, c := range []struct {
		how          string
		speaks, done error
	}{
		{"sends no JSON", nil, ErrProtocol},
		{"exits 0 in work", ErrDied, ErrDied},
		{"hangs in work", context.DeadlineExceeded, context.DeadlineExceeded},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Parallel()
			p := startBad(t, context.Background(), c.how, false)
			if err := letGo(p, within(t, time.Minute)); err != nil {
				t.Fatal(err)
			}
			patience := time.Minute
			if c.speaks == context.DeadlineExceeded {
				patience = 50 * time.Millisecond
			}
			if err := p.Speaks(within(t, patience)); !errors.Is(err, c.speaks) {
				t.Errorf("speaks: %v, want %v", err, c.speaks)
			}
			_, err := p.Done(within(t, patience))
			checkError(t, err, c.done)
		})
	}
}

func TestBadProfiles(t *testing.T) {
	heap := func(p *Process, ctx context.Context) error { _, err := p.Heap(ctx); return err }
	block := func(p *Process, ctx context.Context) error { _, err := p.Profile(ctx, ProfileBlock); return err }
	for _, c := range []struct {
		how  string
		ask  func(*Process, context.Context) error
		want error
		text string
	}{
		{"hangs in work", heap, context.DeadlineExceeded, "wait for heap"},
		{"sends a heap too big", heap, ErrProtocol, fmt.Sprint(maxHeap + 1)},
		{"sends half a heap", heap, ErrDied, "read heap"},
		{"hangs in work", block, context.DeadlineExceeded, "wait for profile block"},
		{"sends a profile too big", block, ErrProtocol, fmt.Sprint(maxHeap + 1)},
		{"sends another profile", block, ErrProtocol, `"profile mutex 3"`},
		{"sends a heap for a profile", block, ErrProtocol, `"heap 3"`},
		{"sends half a profile", block, ErrDied, "read profile block"},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Parallel()
			p := startBad(t, context.Background(), c.how, true)
			if err := letGo(p, within(t, time.Minute)); err != nil {
				t.Fatal(err)
			}
			patience := time.Minute
			if c.want == context.DeadlineExceeded {
				patience = 300 * time.Millisecond
			}
			checkError(t, c.ask(p, within(t, patience)), c.want, c.text)
		})
	}
	p := startBad(t, context.Background(), "hangs in work", false)
	if _, err := p.Heap(within(t, time.Second)); err == nil {
		t.Error("a child that is not profiled was asked for its heap")
	}
	// A child is asked for nothing that it did not offer: it would not answer.
	p = startBad(t, context.Background(), "hangs in work", true)
	ctx := within(t, time.Minute)
	if err := letGo(p, ctx); err != nil {
		t.Fatal(err)
	}
	if data, err := p.Profile(ctx, ProfileMutex); err != nil || data != nil {
		t.Errorf("a profile that was not offered: %d bytes, %v", len(data), err)
	}
}

// TestTimeoutKills: the end of the context of Start is the end of the child,
// whatever it does, and is told as that.
func TestTimeoutKills(t *testing.T) {
	ctx, end := context.WithCancelCause(context.Background())
	p := startBad(t, ctx, "ignores its parent", false)
	if err := letGo(p, within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, func() { end(context.DeadlineExceeded) }) // not before it is let go, however busy the machine
	_, err := p.Done(context.Background())
	checkError(t, err, context.DeadlineExceeded, "child killed")
	<-p.Exited()
	status, err := p.Wait()
	if status.Signal != syscall.SIGKILL {
		t.Errorf("ended with %v", status)
	}
	checkError(t, err, ErrDied, "signal 9")
}

// TestKillsTheGroup: what a child started ends with it.
func TestKillsTheGroup(t *testing.T) {
	p, err := Start(context.Background(), Command{
		Path: "/bin/sh", Args: []string{"sh", "-c", `sleep 1000 & echo "failed {\"error\":\"$!\"}" >&4; exit 0`},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Ready(within(t, time.Minute))
	checkError(t, err, ErrSetup)
	var pid int
	if _, err := fmt.Sscanf(err.Error()[strings.Index(err.Error(), `"`):], `"%d"`, &pid); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		// An orphan that is dead may stay a zombie until init looks.
		if state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil || bytes.Contains(state, []byte(") Z ")) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("grandchild %d lives", pid)
		}
	}
}

// TestShellChild: the protocol is simple enough for a shell script.
func TestShellChild(t *testing.T) {
	const script = `
echo ready >&4
read word <&3; [ "$word" = go ] || exit 9
echo "done {\"units\": 0, \"start_ns\": 5, \"end_ns\": 5, \"digest\": \"$(printf 0%.0s $(seq 64))\"}" >&4
read word <&3; [ "$word" = exit ] || exit 9
`
	ctx := within(t, time.Minute)
	p, err := Start(ctx, Command{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Config: Config{Concurrency: 1}})
	if err != nil {
		t.Fatal(err)
	}
	memory, err := p.Ready(ctx)
	if err := errors.Join(err, p.Go()); err != nil || memory != nil {
		t.Fatalf("%+v, %v", memory, err)
	}
	r, err := p.Done(ctx)
	if err != nil || r.StartNS != 5 || r.GoMemory != nil {
		t.Errorf("%+v, %v", r, err)
	}
	if err := p.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Error(err)
	}
}

func TestStartErrors(t *testing.T) {
	if _, err := Start(context.Background(), Command{Path: "/nonexistent", Args: []string{"x"}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	p, err := Start(context.Background(), Command{Path: self(t), Args: []string{childName, "go-fibers"}, Config: Config{URL: "http://127.0.0.1:1", Concurrency: 1}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Ready(within(t, time.Minute))
	checkError(t, err, ErrSetup, "unknown model", "go-threads")
	if _, err := p.Wait(); err == nil {
		t.Error("a child that failed ended well")
	}
}

// TestOrphanEnds: a child whose parent's pipe ends is gone, at the gate, in
// profiled work and after it.
func TestOrphanEnds(t *testing.T) {
	h := spawnOrigin(t, func(c *origin.Config) { c.PageBytes = 1 << 10 })
	for _, c := range []struct {
		where   string
		profile bool
	}{{"at the gate", false}, {"in profiled work", true}, {"after work", false}} {
		t.Run(c.where, func(t *testing.T) {
			ctx := within(t, time.Minute)
			hold := 0
			if c.where == "in profiled work" {
				hold = 1
			}
			if err := h.Begin(ctx, 0, hold); err != nil {
				t.Fatal(err)
			}
			p := startModel(t, ctx, "go-goroutines", Config{URL: h.URL(), Requests: 3, Concurrency: 1, Profile: c.profile})
			var err error
			switch c.where {
			case "in profiled work":
				_ = p.Go()
				_, err = h.Held(ctx)
			case "after work":
				_ = p.Go()
				_, err = p.Done(ctx)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := p.toChild.Close(); err != nil {
				t.Fatal(err)
			}
			if status, _ := p.Wait(); status.Code != exitOrphan {
				t.Errorf("ended with %v, want exit code %d", status, exitOrphan)
			}
		})
	}
}

func TestExtract(t *testing.T) {
	var e extract
	fmt.Fprint(&e, "panic: no more\n")
	if got := e.String(); got != "panic: no more" {
		t.Errorf("short output: %q", got)
	}
	for i := range 10_000 {
		fmt.Fprintf(&e, "line %d\n", i)
	}
	fmt.Fprint(&e, strings.Repeat("x", 3*maxLast)+"end")
	got := e.String()
	if len(got) > maxFirst+maxLast+10 || !strings.HasPrefix(got, "panic: no more\nline 0\n") || !strings.HasSuffix(got, "xend") {
		t.Errorf("extract of %d bytes: %q", len(got), got)
	}
}

func TestEnvironIsAllowed(t *testing.T) {
	t.Setenv("WEFT_TEST_SECRET", "x")
	t.Setenv("LC_TEST", "x")
	t.Setenv("GOGC", "50")
	got := strings.Join(Environ(), "\n")
	if strings.Contains(got, "SECRET") || !strings.Contains(got, "LC_TEST=x") || !strings.Contains(got, "GOGC=50") {
		t.Errorf("environment:\n%s", got)
	}
}

// What tunes a runtime goes with the result, and nothing else of what a child sees.
func TestSettings(t *testing.T) {
	for _, name := range allowedEnv() {
		t.Setenv(name, "")
	}
	if got := Settings(); len(got) > 0 {
		t.Errorf("nothing is set: %v", got)
	}
	for _, name := range allowedEnv() {
		t.Setenv(name, "secret")
	}
	t.Setenv("GOGC", "off")
	t.Setenv("PYTHONPATH", strings.Repeat("x", maxSetting-1)+"äöü")
	got := map[string]string{}
	for _, s := range Settings() {
		got[s.Name] = s.Value
	}
	if got["GOGC"] != "off" || got["PYTHONPATH"] != strings.Repeat("x", maxSetting-1)+"…" {
		t.Errorf("GOGC is %q, PYTHONPATH %q", got["GOGC"], got["PYTHONPATH"])
	}
	for _, name := range []string{"PATH", "HOME", "USER", "LC_", "VIRTUAL_ENV"} {
		if value, ok := got[name]; ok {
			t.Errorf("%s is told: %q", name, value)
		}
	}
	if len(got) != len(tuningEnv()) {
		t.Errorf("%d settings, want %d", len(got), len(tuningEnv()))
	}
}
