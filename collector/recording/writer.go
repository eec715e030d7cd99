package recording

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/google/pprof/profile"
)

// ErrExists says that the path of a new recording is taken.
var ErrExists = errors.New("path exists")

// Options say how Create makes a recording.
type Options struct {
	// Force replaces a recording that is there: the files that its own run.json lists are removed, and
	// nothing else.
	Force bool
	// Owner receives every file and directory; nil leaves them to the user who runs weft. It is the user
	// behind sudo.
	Owner *Owner
}

// Owner is the user and the group of a file.
type Owner struct{ UID, GID int }

// Writer writes one recording. Every file is whole or not there: it is written under another name in the same
// directory, synced and renamed. Nothing outside the directory is touched, even where somebody else may change
// the directory meanwhile. A Writer is not safe for concurrent use.
type Writer struct {
	dir   string
	root  *os.Root
	owner *Owner
	run   Run
	begun bool // run was set by WriteRun
}

// Create makes the directory of a new recording and checks that files can be written there. The directory
// above must exist. Without Force an existing path is ErrExists; with it a path that is not a recording of this
// version or an older one is refused. Close releases the Writer.
func Create(dir string, opts Options) (*Writer, error) {
	root, err := makeDir(dir, opts.Force)
	if err != nil {
		return nil, fmt.Errorf("create recording %s: %w", dir, err)
	}
	w := &Writer{dir: dir, root: root, owner: opts.Owner}
	if err := w.prepare(); err != nil {
		return nil, fmt.Errorf("create recording %s: %w", dir, errors.Join(err, root.Close()))
	}
	return w, nil
}

// prepare makes what every recording has and writes a file to see that it can.
func (w *Writer) prepare() error {
	if err := w.root.Mkdir(trialsDir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: choose a path where you may write", err)
	}
	for _, dir := range []string{".", trialsDir} {
		if err := w.giveDir(dir); err != nil {
			return err
		}
	}
	// What a killed weft left half written is of no use to anybody.
	if err := w.root.Remove(tempFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := w.writeTemp([]byte("weft checks that it can write here\n")); err != nil {
		return fmt.Errorf("%w: choose a path where you may write", err)
	}
	return w.root.Remove(tempFile)
}

// giveDir gives a directory to the owner by its descriptor: the name may mean something else by now.
func (w *Writer) giveDir(name string) error {
	if w.owner == nil {
		return nil
	}
	if info, err := w.root.Lstat(name); err != nil || !info.IsDir() {
		return errors.Join(fmt.Errorf("%s is not a directory", name), err)
	}
	dir, err := w.root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Chown(w.owner.UID, w.owner.GID), dir.Close())
}

// Dir is the recording's directory, as it was given to Create.
func (w *Writer) Dir() string { return w.dir }

// WriteRun writes run.json. It may be called again to say more. Trials, Profiles, Files and Version are the
// writer's own account: what run says of them is ignored.
func (w *Writer) WriteRun(run Run) error {
	run.Version = Version
	run.Trials, run.Profiles, run.Files = w.run.Trials, w.run.Profiles, w.run.Files
	if len(run.Files) == 0 {
		run.Files = []string{runFile}
	}
	return w.commit(run)
}

// WriteTrial writes a finished trial and names it in run.json. WriteRun comes first.
func (w *Writer) WriteTrial(t *Trial) error {
	if err := t.CheckValid(); err != nil {
		return err
	}
	name := trialPath(t.Number)
	run := w.run
	run.Trials = append(slices.Clone(run.Trials), TrialRef{Number: t.Number, Model: t.Model, Kind: t.Kind, File: name})
	return w.writeListed(run, name, func() ([]byte, error) { return encodeTrial(t) })
}

// WriteProfile writes a model's merged profile and names it in run.json. WriteRun comes first.
func (w *Writer) WriteProfile(model string, p *profile.Profile) error {
	name := profilePath(model)
	run := w.run
	run.Profiles = append(slices.Clone(run.Profiles), ProfileRef{Model: model, File: name})
	return w.writeListed(run, name, func() ([]byte, error) { return encodeProfile(p) })
}

// WriteFile writes another file of the recording, such as a report, and lists it in run.json. WriteRun comes
// first. A file written before by the same name is replaced.
func (w *Writer) WriteFile(name string, write func(io.Writer) error) error {
	if path.Dir(name) != "." {
		return fmt.Errorf("write %s: must be in the recording's directory itself", name)
	}
	isProfile := func(ref ProfileRef) bool { return ref.File == name }
	if name == runFile || name == tempFile || slices.ContainsFunc(w.run.Profiles, isProfile) {
		return fmt.Errorf("write %s: file name %q is taken", name, name)
	}
	return w.writeListed(w.run, name, func() ([]byte, error) {
		var buf bytes.Buffer
		err := write(&buf)
		return buf.Bytes(), err
	})
}

// Close releases the directory. What was written stays.
func (w *Writer) Close() error { return w.root.Close() }

// writeListed writes a file, and then run.json with the file in its list.
func (w *Writer) writeListed(run Run, name string, encode func() ([]byte, error)) error {
	if !w.begun {
		return fmt.Errorf("write %s: no run.json yet", name)
	}
	if !slices.Contains(run.Files, name) {
		run.Files = append(slices.Clone(run.Files), name)
	}
	if err := run.CheckValid(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	data, err := encode()
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := w.writeWhole(name, data); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return w.commit(run)
}

// commit writes run.json, and remembers what it says once it is on disk.
func (w *Writer) commit(run Run) error {
	run.normalize()
	if err := run.CheckValid(); err != nil {
		return fmt.Errorf("write %s: %w", runFile, err)
	}
	data, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", runFile, err)
	}
	if err := w.writeWhole(runFile, append(data, '\n')); err != nil {
		return fmt.Errorf("write %s: %w", runFile, err)
	}
	w.run, w.begun = run, true
	return nil
}

// writeWhole puts data under a name in one step.
func (w *Writer) writeWhole(name string, data []byte) error {
	if err := w.writeTemp(data); err != nil {
		return err
	}
	if err := w.root.Rename(tempFile, name); err != nil {
		return errors.Join(err, w.root.Remove(tempFile))
	}
	dir, err := w.root.Open(path.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// writeTemp writes, owns and syncs the temporary file, and removes it where that goes wrong.
func (w *Writer) writeTemp(data []byte) error {
	f, err := w.root.OpenFile(tempFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && w.owner != nil {
		err = f.Chown(w.owner.UID, w.owner.GID)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, w.root.Remove(tempFile))
	}
	return nil
}
