package workload

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// fakeInterpreter is an executable that stands for a Python.
func fakeInterpreter(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "python")
	// Others than this process may fork while it is open for writing, and then
	// it could not be executed: written by another process, it never is here.
	cmd := exec.Command("/bin/sh", "-c", `cat >"$0" && chmod 755 "$0"`, path)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// TestCheckPython: what an interpreter can lack, each in words that say what to
// do.
func TestCheckPython(t *testing.T) {
	gevent, err := Lookup("py-gevent")
	if err != nil {
		t.Fatal(err)
	}
	const complete = `{"version": "3.13.1", "versions": ["requests 2.32.3", "gevent 25.1"]}`
	says := func(json string) string { return "#!/bin/sh\necho 'noise of an import'\necho '" + json + "'\n" }
	for _, c := range []struct {
		name, interpreter string
		reason, advice    string // with PYTHON for the path; no reason: it can run
	}{
		{"leaves a process", "#!/bin/sh\nsleep 5 &\necho '" + complete + "'\n", "", ""},
		{"complete", says(complete), "", ""},
		{"old", says(`{"version": "3.7.3", "old": true}`), "PYTHON is Python 3.7.3, and 3.9 or newer is needed", "name another interpreter by --python"},
		{"missing", says(`{"version": "3.13.1", "module": "gevent", "missing": true}`), "PYTHON has no gevent", "PYTHON -m pip install requests gevent"},
		{"broken", says(`{"version": "3.13.1", "module": "gevent", "error": "ImportError: libev.so.4: cannot open"}`),
			"gevent does not import into PYTHON: ImportError: libev.so.4: cannot open", "see why: PYTHON -c 'import gevent'"},
		{"dies", "#!/bin/sh\necho 'Fatal Python error: init_fs_encoding' >&2\nexit 1\n", `PYTHON: exit status 1: "Fatal Python error: init_fs_encoding"`, "name another interpreter by --python"},
		{"killed", "#!/bin/sh\nkill -9 $$\n", "PYTHON: signal: killed", "name another interpreter by --python"},
		{"no Python", "#!/bin/sh\necho hello\n", `PYTHON: it is no Python: it said "hello"`, "name another interpreter by --python"},
		{"silent", "#!/bin/sh\n", `PYTHON: it is no Python: it said ""`, "name another interpreter by --python"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := fakeInterpreter(t, c.interpreter)
			got := CheckPython(t.Context(), path, nil, []Model{gevent})["py-gevent"]
			if c.reason == "" {
				if got.Lacks != nil || got.Runtime != "Python 3.13.1, requests 2.32.3, gevent 25.1" {
					t.Errorf("%+v", got)
				}
				return
			}
			if got.Lacks == nil || !errors.Is(got.Lacks, ErrUnavailable) {
				t.Fatalf("%+v", got)
			}
			reason := strings.ReplaceAll(got.Lacks.Reason, path, "PYTHON")
			advice := strings.ReplaceAll(got.Lacks.Advice, path, "PYTHON")
			if reason != c.reason || advice != c.advice || !strings.Contains(got.Lacks.Error(), "py-gevent") {
				t.Errorf("reason %q, want %q; advice %q, want %q", reason, c.reason, advice, c.advice)
			}
		})
	}
}

// TestCheckInterpreter: a real one that lacks libraries: a virtual environment.
func TestCheckVirtualEnvironment(t *testing.T) {
	if _, err := os.Stat(SystemPython); err != nil {
		t.Skip(err)
	}
	dir := filepath.Join(t.TempDir(), "venv")
	if out, err := exec.Command(SystemPython, "-m", "venv", "--without-pip", dir).CombinedOutput(); err != nil {
		t.Skipf("no virtual environment: %v: %s", err, out)
	}
	python, err := FindPython(filepath.Join(dir, "bin", "python"))
	if err != nil {
		t.Fatal(err)
	}
	found := CheckPython(t.Context(), python, nil, Models())
	if len(found) != 4 {
		t.Fatalf("%+v", found)
	}
	for name, want := range map[string][2]string{
		"py-sequential": {python + " has no requests", python + " -m pip install requests"},
		"py-threads":    {python + " has no requests", python + " -m pip install requests"},
		"py-gevent":     {python + " has no requests", python + " -m pip install requests gevent"},
		"py-asyncio":    {python + " has no aiohttp", python + " -m pip install aiohttp"},
	} {
		if got := found[name].Lacks; got == nil || got.Reason != want[0] || got.Advice != want[1] {
			t.Errorf("%s: %+v, want %q", name, got, want)
		}
	}
	// A library that is there and does not import.
	site, err := filepath.Glob(filepath.Join(dir, "lib", "python3*", "site-packages"))
	if err != nil || len(site) == 0 {
		t.Fatal(site, err)
	}
	if err := os.WriteFile(filepath.Join(site[0], "aiohttp.py"), []byte("import weft_no_such_library\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := CheckPython(t.Context(), python, nil, Models())["py-asyncio"].Lacks
	if got == nil || !strings.Contains(got.Reason, "does not import") || !strings.Contains(got.Reason, "No module named 'weft_no_such_library'") {
		t.Errorf("%+v", got)
	}
	// A library that ends its interpreter.
	if err := os.WriteFile(filepath.Join(site[0], "aiohttp.py"), []byte("import os\nos._exit(9)\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := CheckPython(t.Context(), python, nil, Models())["py-asyncio"].Lacks; got == nil || !strings.Contains(got.Reason, "exit status 9") {
		t.Errorf("%+v", got)
	}
}

func TestCheckPythonAsAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can run a process as another user")
	}
	asyncio, err := Lookup("py-asyncio")
	if err != nil {
		t.Fatal(err)
	}
	path := fakeInterpreter(t, "#!/bin/sh\necho '{\"version\": \"3.9.2\"}'\n") // in a directory of root's
	got := CheckPython(t.Context(), path, &syscall.Credential{Uid: 65534, Gid: 65534}, []Model{asyncio})["py-asyncio"]
	if got.Lacks == nil || !strings.Contains(got.Lacks.Reason, "permission denied") {
		t.Errorf("%+v", got)
	}
}

func TestFindPython(t *testing.T) {
	path := fakeInterpreter(t, "#!/bin/sh\n")
	t.Setenv("PATH", filepath.Dir(path))
	for name, want := range map[string]string{"": SystemPython, path: path, "python": path} {
		if got, err := FindPython(name); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"weft-no-such-python", "/nonexistent/python", "/etc/passwd", "/tmp"} {
		if _, err := FindPython(name); !errors.Is(err, ErrInterpreter) || !strings.Contains(err.Error(), "--python") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
