package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakePython is an interpreter that says of itself what a probe asks for.
func fakePython(t *testing.T, told string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "python")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+told+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	withoutLibraries = `{"version": "3.12.1", "venv": true, "module": "requests", "missing": true}`
	tooOld           = `{"version": "3.8.10", "old": true}`
)

// A model that was named has to run; nothing is made where it can't.
func TestNamedModelLacksItsLibrary(t *testing.T) {
	needRoot(t)
	bare, old := fakePython(t, withoutLibraries), fakePython(t, tooOld)
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	for _, test := range []struct {
		name, python string
		code         int
		says         []string
	}{
		{"no library", bare, exitLimit, []string{"py-threads", "has no requests", bare + " -m pip install requests"}},
		{"too old", old, exitLimit, []string{"py-threads", "Python 3.8.10", "3.9 or newer", "--python"}},
		{"no interpreter", "/nonexistent/python", exitUsage, []string{"/nonexistent/python", "--python"}},
		{"no Python", "/bin/true", exitLimit, []string{"/bin/true", "no Python"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := newRecording(t)
			code, out, log := weft(t, "compare", "-q", "-m", "go-threads,py-threads", "--python", test.python, "-o", dir)
			if code != test.code || out != "" {
				t.Errorf("exit %d, want %d; stdout %q", code, test.code, out)
			}
			contains(t, "the message", log, test.says...)
			if _, err := os.Stat(dir); err == nil {
				t.Error("a recording was made")
			}
		})
	}
	if left, _ := filepath.Glob(filepath.Join(temporary, "weft-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// One that is in the plan because all are is skipped, and every report says so.
func TestSkippedModels(t *testing.T) {
	needRoot(t)
	dir := newRecording(t)
	code, out, log := weft(t, "compare", "-q", "-n", "2", "-c", "2", "-r", "1", "-w", "0", "--latency", "0", "--hold=false", "--profile=false",
		"--python", fakePython(t, withoutLibraries), "-o", dir)
	if code != exitOK {
		t.Fatalf("exit %d: %s\n%s", code, log, out)
	}
	contains(t, "the report", out, "go-nethttp", "py-sequential was skipped", "py-asyncio was skipped", "has no requests", "pip install")
	run := openRecording(t, dir).Run
	if len(run.Plan.Models) != 5 || len(run.Skipped) != 4 || run.Skipped[0].Model != "py-sequential" {
		t.Errorf("models %v, skipped %+v", run.Plan.Models, run.Skipped)
	}
	if trials := len(openRecording(t, dir).Trials); trials != 5*2 || len(run.Profiles) != 0 { // one measured, and a control
		t.Errorf("%d trials and %d profiles without holding and profiling", trials, len(run.Profiles))
	}
	for _, format := range []string{"md", "json"} {
		_, out, _ := weft(t, "report", dir, "--format", format)
		contains(t, format, out, "was skipped", "pip install")
	}
}

// --list says what can run here and what the rest lacks; it needs no root.
func TestListSaysWhatCanRun(t *testing.T) {
	code, out, log := weft(t, "compare", "--list", "--python", fakePython(t, withoutLibraries))
	if code != exitOK || strings.Count(out, "\n") != 9+1 || strings.Count(out, "not available: ") != 4 {
		t.Errorf("exit %d: %s\n%s", code, log, out)
	}
	contains(t, "the list", out, "has no requests", "pip install aiohttp", "go1.", "py-threads.own, py-gevent.own, py-asyncio.own: the same")
	code, out, _ = weft(t, "compare", "--list", "--python", fakePython(t, `{"version": "3.13.1", "versions": ["aiohttp 3.11"]}`))
	if code != exitOK || strings.Contains(out, "not available") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	contains(t, "the list", out, "Python 3.13.1, aiohttp 3.11")
}
