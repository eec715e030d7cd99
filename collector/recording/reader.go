package recording

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/google/pprof/profile"
)

// What Open says of a directory that it cannot read.
var (
	ErrNotRecording = errors.New("not a weft recording")
	ErrDamaged      = errors.New("damaged or cut off")
	ErrVersion      = errors.New("written by a newer weft")
	ErrUnreadable   = errors.New("cannot be read")
)

// Bounds of what is read: a recording may come from somebody else.
const (
	maxRunBytes    = 16 << 20  // run.json
	maxTrialBytes  = 256 << 20 // one trial, decompressed
	maxAllBytes    = 1 << 30   // all trials together, decompressed
	maxMergedBytes = 128 << 20 // one merged profile, decompressed
	maxObjects     = 2 << 20   // objects in one JSON file: a small text can ask for much memory
	maxValues      = 32 << 20  // values in one JSON file
)

// Recording is a recording that was read.
type Recording struct {
	Dir    string   // where it is
	Run    Run      // run.json
	Trials []*Trial // the finished trials, in the order of Run.Trials
}

// Open reads the recording in dir: run.json and every trial that it names. A recording whose writer was killed
// has the trials that were finished by then. Slices and maps are never nil.
//
// The error is ErrNotRecording, ErrVersion, ErrDamaged, or, where the file system refuses, ErrUnreadable.
func Open(dir string) (*Recording, error) {
	root, err := openRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open recording %s: %w", dir, err)
	}
	defer root.Close()
	r := &Recording{Dir: dir, Trials: []*Trial{}}
	if r.Run, err = readRun(root); err != nil {
		return nil, fmt.Errorf("open recording %s: %w", dir, err)
	}
	budget := int64(maxAllBytes)
	for _, ref := range r.Run.Trials {
		t, size, err := readTrial(root, ref, min(budget, maxTrialBytes))
		if err != nil {
			return nil, fmt.Errorf("open recording %s: read %s: %w", dir, ref.File, err)
		}
		budget -= size
		r.Trials = append(r.Trials, t)
	}
	return r, nil
}

// Profile reads a model's profile. It is fs.ErrNotExist where the recording has none, and ErrDamaged where it has
// another model's in its place.
func (r *Recording) Profile(model string) (*profile.Profile, error) {
	for _, ref := range r.Run.Profiles {
		if ref.Model == model {
			return r.readProfile(ref)
		}
	}
	return nil, fmt.Errorf("profile of model %q in %s: %w", model, r.Dir, fs.ErrNotExist)
}

func (r *Recording) readProfile(ref ProfileRef) (*profile.Profile, error) {
	name := ref.File
	root, err := openRoot(r.Dir)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer root.Close()
	data, err := readFile(root, name, maxMergedBytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, fileError(err))
	}
	if data, err = decompress(data, maxMergedBytes); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	p, err := parseProfile(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if err := checkOwner(p, ref.Model); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return p, nil
}

// checkOwner refuses the profile of another model: its own name is in a comment and in the label of each sample. A
// profile that has neither says nothing.
func checkOwner(p *profile.Profile, model string) error {
	other := func(named string) error {
		return fmt.Errorf("%w: it is the profile of %q and not of %q as %s says: copy the whole directory, or record again",
			ErrDamaged, named, model, runFile)
	}
	for _, comment := range p.Comments {
		if named, ok := strings.CutPrefix(comment, commentModel); ok && named != model {
			return other(named)
		}
	}
	for _, s := range p.Sample {
		for _, named := range s.Label[labelModel] {
			if named != model {
				return other(named)
			}
		}
	}
	return nil
}

func readRun(root *os.Root) (Run, error) {
	data, err := readFile(root, runFile, maxRunBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return Run{}, fmt.Errorf("%w: it has no %s", ErrNotRecording, runFile)
	}
	if err != nil {
		return Run{}, fmt.Errorf("read %s: %w", runFile, fileError(err))
	}
	run, err := parseRun(data)
	if err != nil {
		return Run{}, fmt.Errorf("read %s: %w", runFile, err)
	}
	return run, nil
}

// parseRun looks at the version before the rest, which another version may mean differently.
func parseRun(data []byte) (Run, error) {
	var head struct {
		Version *int `json:"version"`
	}
	if err := parseJSON(data, &head); err != nil {
		return Run{}, err
	}
	if head.Version == nil || *head.Version < 1 {
		return Run{}, fmt.Errorf("%w: it has no version", ErrNotRecording)
	}
	if *head.Version > Version {
		return Run{}, fmt.Errorf("%w: recording has version %d, this weft reads up to %d: use a newer weft",
			ErrVersion, *head.Version, Version)
	}
	var run Run
	if err := parseJSON(data, &run); err != nil {
		return Run{}, err
	}
	run.normalize()
	if err := run.CheckValid(); err != nil {
		return Run{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return run, nil
}

// readTrial reads the trial that ref names, and says how large it was.
func readTrial(root *os.Root, ref TrialRef, limit int64) (*Trial, int64, error) {
	data, err := readFile(root, ref.File, limit)
	if err != nil {
		return nil, 0, fileError(err)
	}
	if data, err = decompress(data, limit); err != nil {
		return nil, 0, err
	}
	t, err := parseTrial(data)
	if err != nil {
		return nil, 0, err
	}
	if t.Number != ref.Number || t.Model != ref.Model || t.Kind != ref.Kind {
		return nil, 0, fmt.Errorf("%w: it is trial %d (%s, %s) and not %d (%s, %s) as %s says", ErrDamaged,
			t.Number, t.Model, t.Kind, ref.Number, ref.Model, ref.Kind, runFile)
	}
	return t, int64(len(data)), nil
}

func parseTrial(data []byte) (*Trial, error) {
	t := new(Trial)
	if err := parseJSON(data, t); err != nil {
		return nil, err
	}
	t.normalize()
	if err := t.CheckValid(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return t, nil
}

func parseProfile(data []byte) (*profile.Profile, error) {
	if err := checkSize(data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	p, err := profile.ParseUncompressed(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := p.CheckValid(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return p, nil
}

// checkSize refuses an encoded profile that would not fit into memory once decoded.
func checkSize(data []byte) error {
	if len(data) > maxMergedBytes {
		return fmt.Errorf("profile of more than %d bytes", maxMergedBytes)
	}
	if countRecords(data) > maxProfileRecords {
		return fmt.Errorf("profile of more than %d records", maxProfileRecords)
	}
	return nil
}

// parseJSON refuses a text that would need much more memory than it has bytes.
func parseJSON(data []byte, v any) error {
	if bytes.Count(data, []byte("{")) > maxObjects || bytes.Count(data, []byte(",")) > maxValues {
		return fmt.Errorf("%w: more than %d objects or %d values", ErrDamaged, maxObjects, maxValues)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return nil
}

// readFile reads a regular file of the recording, of at most limit bytes. Anything else by that name is
// refused before it is opened: to open a named pipe could wait for ever.
func readFile(root *os.Root, name string, limit int64) ([]byte, error) {
	if err := checkRegular(root, name); err != nil {
		return nil, err
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := readBounded(f, limit)
	return data, errors.Join(err, f.Close())
}

// openRoot opens the directory of a recording. Anything else is refused before it is opened.
func openRoot(dir string) (*os.Root, error) {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%w: not a directory: name the directory that weft wrote", ErrNotRecording)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w: name the directory that weft wrote", ErrNotRecording, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w: name a directory that you may read", ErrUnreadable, err)
	}
	return root, nil
}

// fileError says what it means that a file of a recording is not there or can't be read, and what to do.
func fileError(err error) error {
	switch {
	case errors.Is(err, ErrDamaged):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errNotRegular):
		return fmt.Errorf("%w: %w: copy the whole directory, or record again", ErrDamaged, err)
	}
	return fmt.Errorf("%w: %w: see that you may read all of the directory", ErrUnreadable, err)
}

func decompress(data []byte, limit int64) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	data, err = readBounded(z, limit)
	if err != nil && !errors.Is(err, ErrDamaged) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return data, err
}

func readBounded(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrDamaged, limit)
	}
	return data, nil
}
