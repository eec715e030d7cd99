package recording

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/google/pprof/profile"
)

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, dir string)
		want  error
		text  string
	}{
		{"no run.json", func(t *testing.T, dir string) { remove(t, dir, runFile) }, ErrNotRecording, "it has no run.json"},
		{"run.json cut off", func(t *testing.T, dir string) { truncate(t, dir, runFile) }, ErrDamaged, "read run.json"},
		{"other JSON", func(t *testing.T, dir string) { put(t, filepath.Join(dir, runFile), `{"name":"x"}`) }, ErrNotRecording, "it has no version"},
		{"newer", func(t *testing.T, dir string) { put(t, filepath.Join(dir, runFile), `{"version":3,"trials":"none"}`) }, ErrVersion,
			"recording has version 3, this weft reads up to 1: use a newer weft"},
		{"invalid", func(t *testing.T, dir string) { put(t, filepath.Join(dir, runFile), `{"version":1}`) }, ErrDamaged, "plan: no models"},
		{"trial gone", func(t *testing.T, dir string) { remove(t, dir, "trials/002.json.gz") }, ErrDamaged, "read trials/002.json.gz"},
		{"trial cut off", func(t *testing.T, dir string) { truncate(t, dir, "trials/001.json.gz") }, ErrDamaged, "read trials/001.json.gz"},
		{"not compressed", func(t *testing.T, dir string) { put(t, filepath.Join(dir, "trials/001.json.gz"), "{}") }, ErrDamaged, "read trials/001.json.gz"},
		{"another trial", func(t *testing.T, dir string) {
			if err := os.Rename(filepath.Join(dir, "trials/001.json.gz"), filepath.Join(dir, "trials/002.json.gz")); err != nil {
				t.Fatal(err)
			}
			putTrial(t, dir, "trials/001.json.gz", newTrial(1, "go-threads"))
		}, ErrDamaged, "it is trial 1 (go-threads, measured) and not 2 (py-asyncio, measured) as run.json says"},
		{"symbolic link", func(t *testing.T, dir string) {
			remove(t, dir, "trials/001.json.gz")
			if err := os.Symlink("002.json.gz", filepath.Join(dir, "trials/001.json.gz")); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged, "not a regular file: copy the whole directory"},
		{"named pipe", func(t *testing.T, dir string) {
			remove(t, dir, "trials/001.json.gz")
			if err := syscall.Mkfifo(filepath.Join(dir, "trials/001.json.gz"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged, "not a regular file: copy the whole directory"},
		{"directory for run.json", func(t *testing.T, dir string) {
			remove(t, dir, runFile)
			if err := os.Mkdir(filepath.Join(dir, runFile), 0o755); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged, "read run.json: damaged or cut off: not a regular file: copy"},
		{"file for trials", func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, trialsDir)); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(dir, trialsDir), "")
		}, ErrDamaged, "not a regular file: trials is not a directory: copy"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := write(t)
			test.spoil(t, dir)
			_, err := Open(dir)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v\nwant %v with %q", err, test.want, test.text)
			}
		})
	}
	if _, err := Open(filepath.Join(t.TempDir(), "nowhere")); !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, ErrNotRecording) {
		t.Errorf("no directory: %v", err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(pipe); !errors.Is(err, ErrNotRecording) { // and does not wait for a writer
		t.Errorf("a named pipe: %v", err)
	}
	if _, err := Open(filepath.Join(write(t), runFile)); !errors.Is(err, ErrNotRecording) || !strings.Contains(err.Error(), "name the directory") {
		t.Errorf("a file: %v", err)
	}
}

func TestProfileRefuses(t *testing.T) {
	for name, data := range map[string][]byte{
		"not compressed": []byte("profile"),
		"not a profile":  gzipped(t, []byte("\xff\xff\xff")),
		"no types":       gzipped(t, []byte{0x12, 0x02, 0x10, 0x01}),
	} {
		dir := write(t)
		put(t, filepath.Join(dir, "go-threads.pb.gz"), string(data))
		r, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Profile("go-threads"); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", name, err)
		}
	}
}

// A profile says whose it is: another model's in its place is found out. One that says nothing is taken.
func TestProfileOfAnotherModel(t *testing.T) {
	built := func(model string) *profile.Profile {
		b := NewProfileBuilder("weft", model)
		b.AddStacks(1, []Stack{{Frames: []Frame{{Function: "main.main"}}, Values: Values{Calls: 1}}})
		p, err := b.Profile()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	byLabel := built("py-asyncio")
	byLabel.Comments = nil
	for name, test := range map[string]struct {
		profile *profile.Profile
		damaged bool
	}{
		"its own":         {built("go-threads"), false},
		"by no name":      {newProfile(), false},
		"another's":       {built("py-asyncio"), true},
		"by labels alone": {byLabel, true},
	} {
		dir := write(t)
		put(t, filepath.Join(dir, "go-threads.pb.gz"), string(encoded(t, test.profile)))
		r, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Profile("go-threads")
		if errors.Is(err, ErrDamaged) != test.damaged || test.damaged && !strings.Contains(err.Error(), `of "py-asyncio" and not of "go-threads"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProfileGone(t *testing.T) {
	dir := write(t)
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	remove(t, dir, "go-threads.pb.gz")
	if _, err := r.Profile("go-threads"); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "copy the whole directory") {
		t.Errorf("gone: %v", err)
	}
	if err := os.Symlink("run.json", filepath.Join(dir, "go-threads.pb.gz")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Profile("go-threads"); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a link: %v", err)
	}
}

// A killed writer leaves files that run.json does not name yet: they do not count.
func TestOpenUnfinished(t *testing.T) {
	dir := write(t)
	put(t, filepath.Join(dir, tempFile), "half of a fi")
	putTrial(t, dir, "trials/003.json.gz", newTrial(3, "go-threads"))
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Trials) != 2 {
		t.Errorf("%d trials, want 2", len(r.Trials))
	}
}

func TestOpenNothingIsNil(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "r")
	w := create(t, dir, Options{})
	trial := &Trial{Number: 1, Model: "go-threads", Kind: Control, Origin: &Origin{}, Curves: map[string]Curve{CurveThreads: {}}}
	for _, err := range []error{w.WriteRun(Run{Plan: Plan{Models: []string{"go-threads"}}}), w.WriteTrial(trial)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	checkNotNil(t, "run", reflect.ValueOf(r.Run))
	checkNotNil(t, "trial", reflect.ValueOf(*r.Trials[0]))
}

// checkNotNil looks for nil slices and maps, all the way down.
func checkNotNil(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			checkNotNil(t, path, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				checkNotNil(t, path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		}
	case reflect.Slice, reflect.Map:
		if v.IsNil() {
			t.Errorf("%s is nil", path)
		}
		if v.Kind() == reflect.Map {
			for _, key := range v.MapKeys() {
				checkNotNil(t, path+"."+key.String(), v.MapIndex(key))
			}
		}
	}
}

func TestBounds(t *testing.T) {
	bomb := gzipped(t, bytes.Repeat([]byte(" "), 2<<20))
	if len(bomb) > 4096 {
		t.Fatalf("the bomb has %d bytes: it proves nothing", len(bomb))
	}
	if _, err := decompress(bomb, 1<<20); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
		t.Errorf("bomb: %v", err)
	}
	objects := `{"number":1,"lost":[` + strings.Repeat("{},", maxObjects) + `{}]}`
	if _, err := parseTrial([]byte(objects)); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "objects") {
		t.Errorf("objects: %v", err)
	}
	samples := bytes.Repeat([]byte{0x12, 0}, maxProfileRecords+1)
	if _, err := parseProfile(samples); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "records") {
		t.Errorf("samples: %v", err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// truncate cuts a file in its middle.
func truncate(t *testing.T, dir, name string) {
	t.Helper()
	name = filepath.Join(dir, name)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	put(t, name, string(data[:len(data)/2]))
}

func putTrial(t *testing.T, dir, name string, trial *Trial) {
	t.Helper()
	data, err := encodeTrial(trial)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, name), string(data))
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	data, err := compress(data)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
