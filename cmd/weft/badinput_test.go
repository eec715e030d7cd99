package main

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/reports"
	"github.com/weft-profiler/weft/workload"
)

// What can't be is said before anything starts: by a clear sentence and an exit code of its own.
func TestBadInput(t *testing.T) {
	needRoot(t)
	stranger := httptest.NewServer(http.NotFoundHandler())
	defer stranger.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + listener.Addr().String()
	listener.Close()
	existing := t.TempDir()
	file := filepath.Join(existing, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"existing output", []string{"-o", existing}, exitUsage, []string{"exists", "--force"}},
		{"force on what is no recording", []string{"-f", "-o", existing}, exitRecording, []string{existing}},
		{"force on a file", []string{"-f", "-o", file}, exitUsage, []string{file, "exists", "no directory", "another path"}},
		{"unwritable output", []string{"-o", "/proc/weft"}, exitFailed, []string{"/proc/weft", "choose a path"}},
		{"no parent", []string{"-o", "/nonexistent/weft"}, exitFailed, []string{"/nonexistent", "parent"}},
		{"no origin", []string{"--url", nobody}, exitOrigin, []string{"unreachable", nobody, "weft origin --listen"}},
		{"not an origin", []string{"--url", stranger.URL}, exitOrigin, []string{"not a weft origin", "weft origin"}},
		{"wrong URL", []string{"--url", "ftp://example.test"}, exitUsage, []string{"ftp"}},
		{"https URL", []string{"--url", "https://example.test"}, exitUsage, []string{"only http://"}},
		{"no concurrency", []string{"-c", "0"}, exitUsage, []string{"concurrency"}},
		{"no requests", []string{"-n", "-1"}, exitUsage, []string{"requests"}},
		{"unknown model", []string{"-m", "go-thread"}, exitUsage, []string{"go-thread", "go-threads"}},
		{"unknown flag", []string{"--concurency", "3"}, exitUsage, []string{"--concurency", "--help"}},
		{"an argument", []string{"now"}, exitUsage, []string{"now", "weft compare --help"}},
		{"url and latency", []string{"--url", nobody, "--latency", "1s"}, exitUsage, []string{"url", "latency"}},
		{"URL without scheme", []string{"--url", "127.0.0.1:80"}, exitUsage, []string{"give http://127.0.0.1:80"}},
		{"empty URL", []string{"--url", ""}, exitUsage, []string{"--url is empty", "not set"}},
		{"empty output", []string{"-o", ""}, exitUsage, []string{"--output is empty"}},
		{"empty interpreter", []string{"--python="}, exitUsage, []string{"--python is empty"}},
		{"a frequency and no profile", []string{"--profile=false", "-F", "99"}, exitUsage, []string{"--frequency and --profile=false"}},
		{"latency of a time-out", []string{"--latency", "20s", "--jitter", "10s"}, exitUsage, []string{"20s", "10s", "fails after 30s"}},
		{"a trial beyond its timeout", []string{"-n", "10000"}, exitUsage, []string{"10000 requests of go-sequential, 1 at once, take 3m20s", "after 2m0s", "--timeout"}},
		{"a rate that makes requests time out", []string{"--rate", "1.5", "-m", "go-threads"}, exitUsage, []string{"50 requests of go-threads at once", "waits 32.687s", "after 30s", "--rate"}},
		{"beyond the host", []string{"-n", "3000000", "-c", "3000000"}, exitLimit, []string{"ulimit -Hn", "ip_local_port_range"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, out, log := weft(t, append([]string{"compare"}, test.args...)...)
			if code != test.code || out != "" {
				t.Errorf("exit %d, want %d; stdout %q", code, test.code, out)
			}
			contains(t, "the message", log, test.says...)
		})
	}
	if left, _ := filepath.Glob("weft-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestReportOfWhatIsNoRecording(t *testing.T) {
	empty, damaged, newer := t.TempDir(), t.TempDir(), t.TempDir()
	write := func(dir, text string) {
		if err := os.WriteFile(filepath.Join(dir, "run.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(damaged, `{"version": 1, "tool": "we`)
	write(newer, `{"version": 99}`)
	for dir, says := range map[string]string{empty: "not a weft recording", damaged: "damaged", newer: "newer weft"} {
		code, out, log := weft(t, "report", dir)
		if code != exitRecording || out != "" {
			t.Errorf("exit %d, stdout %q", code, out)
		}
		contains(t, "the message", log, says, dir)
	}
}

// What is no command of weft's is an error of usage, and says where to read on.
func TestNoSuchCommand(t *testing.T) {
	for _, args := range [][]string{{"foo"}, {"version"}, {"foo", "--bar"}, {"report"}, {"origin", "now"}, {"help", "foo"}, {"help", "compare", "foo"}} {
		code, out, log := weft(t, args...)
		if code != exitUsage || out != "" {
			t.Errorf("%q: exit %d, want %d; stdout %q", args, code, exitUsage, out)
		}
		contains(t, "the message", log, "--help")
	}
}

// A recording that can't be read has one exit code, whatever is in the way, and the message says what to do.
func TestReportOfWhatCannotBeRead(t *testing.T) {
	replace := func(name string, by func(path string) error) func(dir string) string {
		return func(dir string) string {
			path := filepath.Join(dir, name)
			if err := errors.Join(os.RemoveAll(path), by(path)); err != nil {
				t.Fatal(err)
			}
			return dir
		}
	}
	for name, test := range map[string]struct {
		spoil func(dir string) string
		says  string
	}{
		"nothing":              {func(dir string) string { return filepath.Join(dir, "nowhere") }, "name the directory"},
		"a file":               {func(dir string) string { return filepath.Join(dir, "run.json") }, "name the directory"},
		"run.json a directory": {replace("run.json", func(path string) error { return os.Mkdir(path, 0o755) }), "copy the whole directory"},
		"run.json a pipe":      {replace("run.json", func(path string) error { return syscall.Mkfifo(path, 0o644) }), "copy the whole directory"},
		"a trial a link":       {replace("trials/001.json.gz", func(path string) error { return os.Symlink("002.json.gz", path) }), "copy the whole directory"},
		"a trial is missing":   {replace("trials/001.json.gz", func(string) error { return nil }), "copy the whole directory"},
		"a profile is missing": {replace("go-threads.pb.gz", func(string) error { return nil }), "copy the whole directory"},
		"lists without end": {replace("trials/001.json.gz", func(path string) error {
			trial := &recording.Trial{Number: 1, Model: "go-goroutines", Kind: recording.Profiled, Lost: make([]recording.Loss, 200_000)}
			return writeJSON(path, trial)
		}), "damaged or cut off: trial 1: 200000 causes of loss: at most 1000"},
	} {
		dir := test.spoil(stackRecording(t))
		code, out, log := weft(t, "report", dir, "--format", "svg", "--kind", "cpu", "--model", "go-threads")
		if code != exitRecording || out != "" {
			t.Errorf("%s: exit %d, want %d; %d bytes on stdout", name, code, exitRecording, len(out))
		}
		contains(t, name, log, test.says)
	}
}

// Whoever has a good table and a bad profile keeps the table, and one exit code says so whatever the format.
func TestReportWithoutAProfile(t *testing.T) {
	for name, spoil := range map[string]func(profile, other string) error{
		"damaged": func(profile, _ string) error { return os.WriteFile(profile, []byte("x\n"), 0o644) },
		"missing": func(profile, _ string) error { return os.Remove(profile) },
		"swapped": func(profile, other string) error { return errors.Join(os.Remove(profile), os.Link(other, profile)) },
	} {
		dir := stackRecording(t)
		if err := spoil(filepath.Join(dir, "go-threads.pb.gz"), filepath.Join(dir, "go-goroutines.pb.gz")); err != nil {
			t.Fatal(err)
		}
		for _, f := range reports.Formats() {
			args := []string{"report", dir, "--format", f.Name}
			if f.NeedsKind {
				args = append(args, "--kind", "offcpu", "--model", "go-goroutines")
			}
			code, out, log := weft(t, args...)
			if f.NeedsKind {
				if code != exitOK || out == "" || log != "" {
					t.Errorf("%s, %s of another model: exit %d, %d bytes, %s", name, f.Name, code, len(out), log)
				}
				continue
			}
			if code != exitRecording || out == "" {
				t.Errorf("%s, %s: exit %d, want %d; %d bytes on stdout", name, f.Name, code, exitRecording, len(out))
			}
			contains(t, name, log, "profile of go-threads: read go-threads.pb.gz: damaged or cut off")
		}
		code, out, log := weft(t, "report", dir, "--top")
		if code != exitRecording {
			t.Errorf("%s, --top: exit %d, want %d", name, code, exitRecording)
		}
		contains(t, name+", --top", out, "go-threads: its profile cannot be read.", "Who pays in go-goroutines")
		contains(t, name+", --top", log, "profile of go-threads: read go-threads.pb.gz: damaged or cut off")
		if code, out, log := weft(t, "report", dir, "--top", "--model", "go-goroutines"); code != exitOK || log != "" || out == "" {
			t.Errorf("%s, --top of another model: exit %d, %d bytes, %s", name, code, len(out), log)
		}
		if code, out, _ := weft(t, "report", dir, "--top", "--model", "go-threads"); code != exitRecording || out != "" {
			t.Errorf("%s, --top of that model: exit %d, want %d; %d bytes on stdout", name, code, exitRecording, len(out))
		}
	}
}

// writeJSON writes a gzipped file.
func writeJSON(path string, v any) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(f)
	return errors.Join(json.NewEncoder(z).Encode(v), z.Close(), f.Close())
}

// As an ordinary user, compare says what is missing.
func TestNoRoot(t *testing.T) {
	needRoot(t)
	cmd := weftProcess(t, "compare")
	copyForEverybody(t, cmd)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != exitNotSupported {
		t.Errorf("%v: %s", err, out)
	}
	contains(t, "the message", string(out), "CAP_BPF", "sudo")
}

// copyForEverybody lets another user run the test binary, which lies in a directory of root's.
func copyForEverybody(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	dir, err := os.MkdirTemp("", "weft")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	data, err := os.ReadFile(cmd.Path)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path, cmd.Dir = filepath.Join(dir, "weft"), dir
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(cmd.Path, data, 0o755)); err != nil {
		t.Fatal(err)
	}
}

// A user behind sudo who cannot execute weft is told of, and so is a directory for temporary files that is not there.
func TestNoPlaceForChildren(t *testing.T) {
	needRoot(t)
	closed := weftProcess(t, "compare", "-q", "-m", "go-goroutines", "-o", newRecording(t))
	copyForEverybody(t, closed)
	if err := os.Chmod(closed.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	closed.Env = append(closed.Env, "SUDO_UID=65534", "SUDO_GID=65534")
	out, _ := closed.CombinedOutput()
	contains(t, "the message", string(out), "permission denied", "user 65534", "execute "+closed.Path)

	t.Setenv("TMPDIR", "/nonexistent/weft")
	if _, err := workload.OpenPython("/usr/bin/python3"); err == nil || !strings.Contains(err.Error(), "set TMPDIR") {
		t.Errorf("without a directory for temporary files: %v", err)
	}
}

// Behind sudo, the children run as the user who called it, and the files are that user's.
func TestBehindSudo(t *testing.T) {
	needRoot(t)
	dir := newRecording(t)
	cmd := weftProcess(t, "compare", "-q", "-n", "3", "-c", "3", "-r", "1", "-w", "0", "-m", "go-goroutines", "--latency", "300ms", "--hold=false", "-o", dir)
	copyForEverybody(t, cmd)
	cmd.Env = append(cmd.Env, "SUDO_UID=65534", "SUDO_GID=65534")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	child := childOf(t, cmd.Process.Pid, "weft-model")
	var stat unix.Stat_t
	if err := unix.Stat("/proc/"+strconv.Itoa(child), &stat); err != nil || stat.Uid != 65534 {
		t.Errorf("the child runs as %d, %v", stat.Uid, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, file := range append(openRecording(t, dir).Run.Files, ".", "trials") {
		if err := unix.Stat(filepath.Join(dir, file), &stat); err != nil || stat.Uid != 65534 || stat.Gid != 65534 {
			t.Errorf("%s belongs to %d:%d, %v", file, stat.Uid, stat.Gid, err)
		}
	}
}

// childOf waits for a child of a process whose argv[0] is name.
func childOf(t *testing.T, parent int, name string) int {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		tasks, _ := filepath.Glob("/proc/" + strconv.Itoa(parent) + "/task/*/children")
		for _, task := range tasks {
			text, _ := os.ReadFile(task)
			for _, pid := range strings.Fields(string(text)) {
				line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
				if strings.HasPrefix(string(line), name+"\x00") {
					n, err := strconv.Atoi(pid)
					if err != nil {
						t.Fatal(err)
					}
					return n
				}
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("process %d has no child %s", parent, name)
	return 0
}

// A child that is killed is a failed trial; the rest of the plan is carried out and reported.
func TestKilledChild(t *testing.T) {
	needRoot(t)
	dir := newRecording(t)
	cmd := weftProcess(t, "compare", "-q", "-n", "5", "-c", "5", "-r", "2", "-w", "0", "-m", "go-goroutines", "--latency", "500ms", "--hold=false", "--profile=false", "-o", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	child := childOf(t, cmd.Process.Pid, "weft-model")
	time.Sleep(100 * time.Millisecond) // into its work
	if err := unix.Kill(child, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("exit %d, want %d", code, exitFailed)
	}
	contains(t, "the report", string(text), "go-goroutines", "killed")
	failed := 0
	for _, trial := range openRecording(t, dir).Trials {
		if trial.Failure == nil {
			continue
		}
		failed++
		if trial.PID != child || trial.Failure.Cause != "died" || trial.Threads.Made == 0 || trial.Threads.Made != trial.Threads.Gone {
			t.Errorf("failure %+v, threads %d made, %d gone", trial.Failure, trial.Threads.Made, trial.Threads.Gone)
		}
	}
	if failed != 1 {
		t.Errorf("%d failed trials, want 1", failed)
	}
}

// Ctrl-C in the middle: what was finished is reported.
func TestInterrupt(t *testing.T) {
	needRoot(t)
	dir := newRecording(t)
	cmd := weftProcess(t, "compare", "-q", "-n", "5", "-c", "5", "-r", "50", "-w", "0", "-m", "go-goroutines,go-threads", "--latency", "50ms", "-o", dir)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitTrials(t, dir, 5)
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit %d, want %d\n%s", code, exitInterrupted, out.String())
	}
	rec := openRecording(t, dir)
	if n := len(rec.Trials); n < 5 || n >= 100 || !rec.Run.Interrupted {
		t.Errorf("%d trials, interrupted %v", n, rec.Run.Interrupted)
	}
	contains(t, "the report", out.String(), "go-goroutines", "go-threads", "interrupted", dir)
}
