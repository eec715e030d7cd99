package workload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// askPython runs a program with the modules of the scripts, and reads what it
// says as JSON.
func askPython(t *testing.T, program string, input, answer any) {
	t.Helper()
	p, err := scripts()
	if errors.Is(err, ErrInterpreter) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(p.interpreter, "-B", "-c", "import json, sys\nsys.path.insert(0, sys.argv[1])\n"+program, p.dir)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, answer); err != nil {
		t.Fatalf("%v: %.300s", err, out)
	}
}

// TestPythonParser: Python's parser reads what Go's reads, and refuses what it
// refuses.
func TestPythonParser(t *testing.T) {
	texts := map[string]string{"right": onePage}
	for name, change := range wrongPages() {
		if name != "huge token" { // bounded in Go only, whose tokenizer would keep it all
			texts[name] = strings.Replace(onePage, change[0], change[1], 1)
		}
	}
	const program = `
import weft_page
page, answer = weft_page.page_at(0), {}
for name, text in json.load(sys.stdin).items():
    try:
        answer[name] = str([(d.operator, *d[:2], d.seats, d.cents) for d in weft_page.read_page(text.encode(), page)])
    except weft_page.ContentError as error:
        answer[name] = "refused: %s" % error
json.dump(answer, sys.stdout)`
	var answer map[string]string
	askPython(t, program, texts, &answer)
	if got, want := answer["right"], "[('Podillia & Sons', 375, 820, 23, 1290), ('Günsel', 1439, 10, 0, 10005)]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for name := range texts {
		if got := answer[name]; strings.HasPrefix(got, "refused") != (name != "right") || len(got) > maxErrorText {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestPythonPages: the list of pages is the same.
func TestPythonPages(t *testing.T) {
	const pages = 55_203
	var got []string
	askPython(t, `
import weft_page
json.dump([weft_page.page_at(i).target() for i in range(json.load(sys.stdin))], sys.stdout)`, pages, &got)
	if len(got) != pages {
		t.Fatalf("%d pages", len(got))
	}
	for i, target := range got {
		if want := PageAt(i).Target(); target != want {
			t.Fatalf("page %d is %s, want %s", i, target, want)
		}
	}
}

// TestPythonDigest: the order and the text of the list, where pages do not come
// in theirs.
func TestPythonDigest(t *testing.T) {
	d := Departure{Operator: "Günsel", Departs: 375, Arrives: 10, Seats: 7, Cents: 1290}
	early, other := d, d
	early.Departs, other.Operator = 5, "Ünsel"
	f := &fetch{pages: []fetched{
		{page: PageAt(101), list: []Departure{d, early}}, {page: PageAt(1), list: []Departure{other, d, d}}, {page: PageAt(0), list: []Departure{d}},
	}}
	rows := [][]any{}
	for i, n := range []int{101, 1, 0} {
		for _, d := range f.pages[i].list {
			rows = append(rows, []any{n, d.Departs, d.Arrives, d.Operator, d.Cents, d.Seats})
		}
	}
	var got string
	askPython(t, `
import os
os.dup2(0, 3), os.dup2(1, 4)
import weft_child, weft_page
trial = weft_child.Trial(None)
for number, *values in json.load(sys.stdin):
    unit = weft_child.Unit(trial, number)
    unit.departures = [weft_page.Departure(*values)]
    trial.done.append(unit)
json.dump(trial.digest(), sys.stdout)`, rows, &got)
	if want := f.digest(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestScriptsForAnybody: a child that runs as another user can read its script,
// nobody writes beside it, and Close leaves nothing.
func TestScriptsForAnybody(t *testing.T) {
	m, err := Lookup("py-sequential")
	if err != nil {
		t.Fatal(err)
	}
	needModel(t, m)
	old := syscall.Umask(0o077)
	p, err := OpenPython(SystemPython)
	syscall.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	h := spawnOrigin(t, nil)
	command := p.Command(m, Config{URL: h.URL(), Requests: 3, Concurrency: 1})
	if os.Geteuid() == 0 {
		command.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	} else {
		t.Log("not root: the child runs as the same user")
	}
	ctx := within(t, time.Minute)
	child, err := Start(ctx, command)
	if err != nil {
		t.Fatal(err)
	}
	err = letGo(child, ctx)
	result, doneErr := child.Done(ctx)
	if err := errors.Join(err, doneErr, child.Release()); err != nil || result.Units != 3 {
		t.Errorf("%+v, %v", result, err)
	}
	if _, err := child.Wait(); err != nil {
		t.Error(err)
	}
	files, err := filepath.Glob(filepath.Join(p.dir, "*"))
	if want := 8; err != nil || len(files) != want {
		t.Errorf("%v, %v, want %d scripts and no more", files, err, want)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the scripts are still there: %v", err)
	}
}

// scriptedPython is a Python for a test: it runs scripts of its own beside the
// real modules.
func scriptedPython(t *testing.T, script string) (*Python, Model) {
	t.Helper()
	interpreter, err := FindPython(os.Getenv(pythonEnv))
	if err != nil {
		t.Skip(err)
	}
	p, err := OpenPython(interpreter)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	if err := os.WriteFile(p.path("py_test.py"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	return p, Model{Name: "py-test", script: "py_test.py"}
}

// TestPythonDies: what a script dies of is told, with the line.
func TestPythonDies(t *testing.T) {
	for _, c := range []struct {
		name, script string
		want         error
		texts        []string
	}{
		{"at an import", "import weft_child\nimport weft_no_such_library\n", ErrSetup, []string{"ModuleNotFoundError: No module named 'weft_no_such_library'"}},
		{"before weft's module", "import weft_no_such_library\n", ErrDied, []string{"exit code 1", "py_test.py", "line 1", "weft_no_such_library"}},
		{"at a syntax error", "import weft_child\ndef work(:\n", ErrDied, []string{"SyntaxError", "py_test.py"}},
		{"without a word", "import weft_child, os\nos._exit(7)\n", ErrDied, []string{"exit code 7"}},
		{"in its work", "import weft_child\n\ndef work(trial):\n    raise KeyError('lost')\n\nweft_child.main(work)\n", ErrDied, []string{"exit code 1", "line 4", "raise KeyError('lost')"}},
		{"with work undone", "import weft_child\nweft_child.main(lambda trial: None)\n", ErrProtocol, []string{"3 of 3 requests unaccounted for"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, m := scriptedPython(t, c.script)
			ctx := within(t, time.Minute)
			child, err := Start(ctx, p.Command(m, Config{URL: "http://127.0.0.1:1", Requests: 3, Concurrency: 1}))
			if err != nil {
				t.Fatal(err)
			}
			defer child.Wait()
			defer child.Kill()
			if err = letGo(child, ctx); err == nil {
				_, err = child.Done(ctx)
			}
			checkError(t, err, c.want, c.texts...)
		})
	}
}

// TestPythonOrphan: a child in Python ends when weft is gone, at the gate and
// after its work.
func TestPythonOrphan(t *testing.T) {
	for _, profile := range []bool{false, true} {
		for _, worked := range []bool{false, true} {
			t.Run(fmt.Sprintf("profile=%v/worked=%v", profile, worked), func(t *testing.T) {
				t.Parallel()
				p, m := scriptedPython(t, "import weft_child\nweft_child.main(lambda trial: None)\n")
				ctx := within(t, time.Minute)
				child, err := Start(ctx, p.Command(m, Config{URL: "http://127.0.0.1:1", Concurrency: 1, Profile: profile}))
				if err != nil {
					t.Fatal(err)
				}
				_, err = child.Ready(ctx)
				if worked {
					err = errors.Join(err, child.Go())
					_, doneErr := child.Done(ctx)
					err = errors.Join(err, doneErr)
				}
				if err := errors.Join(err, child.toChild.Close()); err != nil {
					t.Fatal(err)
				}
				if status, _ := child.Wait(); status.Code != exitOrphan {
					t.Errorf("ended with %v, want exit code %d", status, exitOrphan)
				}
			})
		}
	}
}

// TestScriptsLeftBehind: the scripts of a weft that was killed go when the next
// one begins, and no others.
func TestScriptsLeftBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	made := func(name string, age time.Duration) string {
		dir := filepath.Join(os.Getenv("TMPDIR"), name)
		then := time.Now().Add(-age)
		if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "x.py"), nil, 0o644), os.Chtimes(dir, then, then)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	left, young, others := made(scriptsPrefix+"1", time.Hour), made(scriptsPrefix+"2", time.Second), made("python", time.Hour)
	link := filepath.Join(os.Getenv("TMPDIR"), scriptsPrefix+"3")
	if err := os.Symlink(others, link); err != nil {
		t.Fatal(err)
	}
	running, err := OpenPython(SystemPython)
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(running.dir, long, long); err != nil {
		t.Fatal(err)
	}
	next, err := OpenPython(SystemPython)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	for path, want := range map[string]bool{
		left: false, young: true, filepath.Join(others, "x.py"): true, link: true,
		running.path("py_threads.py"): true, next.path("py_threads.py"): true,
	} {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s: there is %v, want %v", path, err == nil, want)
		}
	}
}
