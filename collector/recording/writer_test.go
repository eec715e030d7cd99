package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

func TestWriteAndOpen(t *testing.T) {
	dir := write(t)
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []*Trial{newTrial(1, "go-threads"), newTrial(2, "py-asyncio")} {
		if !reflect.DeepEqual(r.Trials[i], want) {
			t.Errorf("trial %d\n got %+v\nwant %+v", i+1, r.Trials[i], want)
		}
	}
	want := newRun()
	want.Trials = []TrialRef{{1, "go-threads", Measured, "trials/001.json.gz"}, {2, "py-asyncio", Measured, "trials/002.json.gz"}}
	want.Profiles = []ProfileRef{{"go-threads", "go-threads.pb.gz"}}
	want.Files = []string{"run.json", "trials/001.json.gz", "trials/002.json.gz", "go-threads.pb.gz"}
	if !reflect.DeepEqual(r.Run, want) {
		t.Errorf("run\n got %+v\nwant %+v", r.Run, want)
	}
	p, err := r.Profile("go-threads")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Sample[0].Value[0]; got != 23 {
		t.Errorf("profile has value %d, want 23", got)
	}
	if _, err := r.Profile("py-asyncio"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("profile of py-asyncio: %v, want ErrNotExist", err)
	}
}

// The list of files is what --force may remove: it must be what is there.
func TestFilesListsEverything(t *testing.T) {
	dir := write(t)
	var found []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, err = filepath.Rel(dir, name)
			found = append(found, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	listed := slices.Sorted(slices.Values(r.Run.Files))
	if slices.Sort(found); !slices.Equal(found, listed) {
		t.Errorf("on disk %q, in run.json %q", found, listed)
	}
}

func TestWriteFileIsListedAndReplaced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	w := create(t, dir, Options{})
	if err := w.WriteRun(newRun()); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"old", "new"} {
		err := w.WriteFile("report.md", func(out io.Writer) error {
			_, err := io.WriteString(out, content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil || string(data) != "new" {
		t.Errorf("report.md is %q, %v", data, err)
	}
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"run.json", "report.md"}; !slices.Equal(r.Run.Files, want) {
		t.Errorf("files %q, want %q", r.Run.Files, want)
	}
}

func TestWriteFileKeepsOldOnError(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	w := create(t, dir, Options{})
	if err := w.WriteRun(newRun()); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	err := w.WriteFile("report.md", func(io.Writer) error { return boom })
	if !errors.Is(err, boom) || exists(filepath.Join(dir, "report.md")) {
		t.Errorf("err %v, file there: %v", err, exists(filepath.Join(dir, "report.md")))
	}
}

func TestWriteRefuses(t *testing.T) {
	nothing := func(io.Writer) error { return nil }
	tests := []struct {
		name  string
		write func(w *Writer) error
		want  string
	}{
		{"unknown model", func(w *Writer) error { return w.WriteTrial(newTrial(3, "other")) },
			`write trials/003.json.gz: trial 3: model "other" is not in the plan`},
		{"number again", func(w *Writer) error { return w.WriteTrial(newTrial(2, "go-threads")) },
			"write trials/002.json.gz: trial 2 after trial 2: numbers must rise from 1"},
		{"invalid trial", func(w *Writer) error { return w.WriteTrial(&Trial{Number: 3, Model: "go-threads"}) },
			`trial 3: unknown kind ""`},
		{"profile twice", func(w *Writer) error { return w.WriteProfile("go-threads", newProfile()) },
			`write go-threads.pb.gz: profile: model "go-threads" has two`},
		{"invalid profile", func(w *Writer) error {
			return w.WriteProfile("py-asyncio", &profile.Profile{Sample: []*profile.Sample{{Value: []int64{1}}}})
		}, "write py-asyncio.pb.gz: missing sample type information"},
		{"file above", func(w *Writer) error { return w.WriteFile("../x", nothing) },
			"write ../x: must be in the recording's directory itself"},
		{"file of no name", func(w *Writer) error { return w.WriteFile(".", nothing) },
			`write .: files: file name ".": must be a plain path inside the recording`},
		{"run.json", func(w *Writer) error { return w.WriteFile("run.json", nothing) },
			`write run.json: file name "run.json" is taken`},
		{"profile", func(w *Writer) error { return w.WriteFile("go-threads.pb.gz", nothing) },
			`write go-threads.pb.gz: file name "go-threads.pb.gz" is taken`},
		{"temporary file", func(w *Writer) error { return w.WriteFile(".weft.tmp", nothing) },
			`write .weft.tmp: file name ".weft.tmp" is taken`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := create(t, filepath.Join(t.TempDir(), "r"), Options{})
			for _, err := range []error{w.WriteRun(newRun()), w.WriteTrial(newTrial(2, "go-threads")), w.WriteProfile("go-threads", newProfile())} {
				if err != nil {
					t.Fatal(err)
				}
			}
			before, err := os.ReadFile(filepath.Join(w.Dir(), runFile))
			if err != nil {
				t.Fatal(err)
			}
			if err := test.write(w); err == nil || err.Error() != test.want {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
			after, err := os.ReadFile(filepath.Join(w.Dir(), runFile))
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("run.json changed (%v)", err)
			}
			if exists(filepath.Join(w.Dir(), tempFile)) {
				t.Error("temporary file left behind")
			}
		})
	}
}

func TestRunComesFirst(t *testing.T) {
	w := create(t, filepath.Join(t.TempDir(), "r"), Options{})
	if err := w.WriteTrial(newTrial(1, "go-threads")); err == nil || err.Error() != "write trials/001.json.gz: no run.json yet" {
		t.Errorf("got %v", err)
	}
}

func TestWriteRunKeepsAccount(t *testing.T) {
	w := create(t, filepath.Join(t.TempDir(), "r"), Options{})
	for _, err := range []error{w.WriteRun(newRun()), w.WriteTrial(newTrial(1, "go-threads"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	run := newRun()
	run.Interrupted = true
	if err := w.WriteRun(run); err != nil {
		t.Fatal(err)
	}
	r, err := Open(w.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if !r.Run.Interrupted || len(r.Trials) != 1 {
		t.Errorf("interrupted %v with %d trials", r.Run.Interrupted, len(r.Trials))
	}
}

func TestCreateRefuses(t *testing.T) {
	base := t.TempDir()
	put(t, filepath.Join(base, "file"), "mine")
	for _, dir := range []string{"empty", "foreign", "damaged", "newer"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(base, "foreign", "notes.txt"), "mine")
	put(t, filepath.Join(base, "damaged", runFile), `{"version":1,`)
	put(t, filepath.Join(base, "newer", runFile), `{"version":2}`)
	if err := os.Symlink(write(t), filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path  string
		force bool
		want  error
	}{
		{"empty", false, ErrExists},
		{"file", false, ErrExists},
		{"link", false, ErrExists},
		{"file", true, ErrExists},
		{"link", true, ErrExists},
		{"empty", true, ErrNotRecording},
		{"foreign", true, ErrNotRecording},
		{"damaged", true, ErrDamaged},
		{"newer", true, ErrVersion},
		{"nowhere/r", false, fs.ErrNotExist},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("%s force=%v", test.path, test.force), func(t *testing.T) {
			w, err := Create(filepath.Join(base, test.path), Options{Force: test.force})
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if err == nil {
				w.Close()
			}
		})
	}
	for _, path := range []string{"file", "link"} {
		if _, err := Create(filepath.Join(base, path), Options{Force: true}); err == nil {
			t.Errorf("%s was replaced", path)
		}
	}
	if !exists(filepath.Join(base, "foreign", "notes.txt")) || !exists(filepath.Join(base, "file")) {
		t.Error("a foreign file was removed")
	}
}

func TestForceReplacesOnlyItsOwn(t *testing.T) {
	dir := write(t)
	put(t, filepath.Join(dir, "notes.txt"), "mine")
	put(t, filepath.Join(dir, tempFile), "half of a file")
	create(t, dir, Options{Force: true})
	if !exists(filepath.Join(dir, "notes.txt")) {
		t.Error("notes.txt is gone: it was not weft's")
	}
	for _, name := range []string{runFile, "go-threads.pb.gz", "trials/001.json.gz", tempFile} {
		if exists(filepath.Join(dir, name)) {
			t.Errorf("%s is still there", name)
		}
	}
}

// A run.json can come from somebody else: its list of files must not lead out of the directory.
func TestForceStaysInside(t *testing.T) {
	for _, name := range []string{"../victim", "trials/../../victim", "/victim", "link", "linked/victim", "folder"} {
		t.Run(strings.ReplaceAll(name, "/", "_"), func(t *testing.T) {
			dir := write(t)
			outside := filepath.Join(filepath.Dir(dir), "victim")
			put(t, outside, "mine")
			for link, target := range map[string]string{"link": outside, "linked": filepath.Dir(dir)} {
				if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
				t.Fatal(err)
			}
			run := newRun()
			run.Files = []string{name}
			data, err := json.Marshal(run)
			if err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(dir, runFile), string(data))
			if _, err := Create(dir, Options{Force: true}); err == nil {
				t.Error("accepted")
			}
			if !exists(outside) || !exists(filepath.Join(dir, "folder")) || !exists(filepath.Join(dir, "link")) {
				t.Error("something that is not a file of the recording was removed")
			}
		})
	}
}

func TestOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	w := create(t, dir, Options{Owner: &Owner{UID: os.Getuid(), GID: os.Getgid()}})
	if err := w.WriteRun(newRun()); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		return
	}
	if _, err := Create(filepath.Join(t.TempDir(), "r"), Options{Owner: &Owner{UID: 0, GID: 0}}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("giving files to root as nobody: %v, want ErrPermission", err)
	}
}
