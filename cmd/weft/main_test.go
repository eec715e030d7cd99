package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/collector"
	"github.com/weft-profiler/weft/collector/recording"
	"github.com/weft-profiler/weft/workload"
	"github.com/weft-profiler/weft/workload/origin"
)

// mainEnv makes the test binary be weft, so that it can be sent signals and run as another user.
const mainEnv = "WEFT_TEST_MAIN"

func TestMain(m *testing.M) {
	if workload.IsChild(os.Args) || origin.IsChild(os.Args) || os.Getenv(mainEnv) != "" {
		os.Exit(start(os.Args))
	}
	os.Exit(m.Run())
}

func needRoot(t *testing.T) {
	t.Helper()
	if err := collector.Supported(); err != nil {
		t.Skip(err)
	}
}

// weft runs the real command in this process.
func weft(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	code = run(args, &out, &log)
	return code, out.String(), log.String()
}

// weftProcess is weft in a process of its own.
func weftProcess(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), mainEnv+"=1")
	return cmd
}

// newRecording gives the path of a recording that is not there yet.
func newRecording(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "recording")
}

func openRecording(t *testing.T, dir string) *recording.Recording {
	t.Helper()
	rec, err := recording.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func contains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %q:\n%s", what, part, text)
		}
	}
}
