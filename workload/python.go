package workload

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// pythonFiles are the models in Python: a script each, and the modules that
// they share.
//
//go:embed python/*.py
var pythonFiles embed.FS

// library is a Python package that is not in the standard library.
type library struct {
	module string // as it is imported
	debian string // the package of Debian that has it, for the system's Python
	pypi   string // the distribution that pip installs, for any other
}

var (
	requests = library{"requests", "python3-requests", "requests"}
	gevent   = library{"gevent", "python3-gevent", "gevent"}
	aiohttp  = library{"aiohttp", "python3-aiohttp", "aiohttp"}
)

// SystemPython is the interpreter that the distribution's packages belong to.
// It is the default, and not the first python3 of PATH: root's PATH is not that
// of the user behind sudo, and may have a Python of its own in front, for which
// nobody packages libraries.
const SystemPython = "/usr/bin/python3"

// ErrInterpreter is a Python interpreter that is not there.
var ErrInterpreter = errors.New("no such Python interpreter")

// FindPython returns the path of the interpreter that name names: a path, a
// command of PATH, or nothing, which is [SystemPython], or python3 of PATH where
// that does not exist.
func FindPython(name string) (string, error) {
	if name == "" {
		if _, err := exec.LookPath(SystemPython); err == nil {
			return SystemPython, nil
		}
		name = "python3"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w: %w: install python3, or name one by --python", ErrInterpreter, err)
	}
	// Not with its symbolic links resolved: a virtual environment's interpreter
	// is one, and knows itself by its path.
	path, err = filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find Python interpreter: %w", err)
	}
	return path, nil
}

// Python runs models by an interpreter. The scripts lie in a directory of their
// own under the directory for temporary files, which everybody may read and only
// its maker write, because a child may run as another user: there Python finds
// modules and, for a traceback, source lines as it always does. Close removes it.
type Python struct {
	interpreter string
	dir         string
	inUse       *os.File // the directory, locked for as long as this process lives
}

const (
	scriptsPrefix = "weft-python-" // of the directory's name
	scriptsAge    = time.Minute    // before it, a directory may be about to be locked
)

// OpenPython writes the scripts for an interpreter, a path of [FindPython].
// Those that a killed weft has left behind are removed.
func OpenPython(interpreter string) (*Python, error) {
	sweepScripts(os.TempDir())
	dir, err := os.MkdirTemp("", scriptsPrefix)
	if err != nil {
		return nil, fmt.Errorf("make directory of scripts: %w: set TMPDIR to a directory in which files can be made", err)
	}
	p := &Python{interpreter: interpreter, dir: dir}
	if p.inUse, err = lockDirectory(dir); err == nil {
		err = p.writeScripts()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write scripts: %w: set TMPDIR to a directory with room for them", err), p.Close())
	}
	return p, nil
}

// sweepScripts removes directories of scripts that nobody has in use. What cannot
// be removed stays.
func sweepScripts(parent string) {
	found, err := filepath.Glob(filepath.Join(parent, scriptsPrefix+"*"))
	if err != nil {
		return // parent is a pattern that is none
	}
	for _, dir := range found {
		var st unix.Stat_t
		if unix.Lstat(dir, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() ||
			time.Since(time.Unix(st.Mtim.Unix())) < scriptsAge {
			continue
		}
		if lock, err := lockDirectory(dir); err == nil {
			os.RemoveAll(dir)
			lock.Close()
		}
	}
}

// lockDirectory locks a directory that nobody else has locked.
func lockDirectory(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
	}
	return f, nil
}

func (p *Python) writeScripts() error {
	// Whatever the umask is.
	if err := os.Chmod(p.dir, 0o755); err != nil {
		return err
	}
	names, err := fs.Glob(pythonFiles, "python/*.py")
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := pythonFiles.ReadFile(name)
		if err != nil {
			return err
		}
		path := p.path(filepath.Base(name))
		if err := errors.Join(os.WriteFile(path, text, 0o644), os.Chmod(path, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

func (p *Python) path(script string) string { return filepath.Join(p.dir, script) }

// Command returns the command that runs a model in Python. argv[0] is the
// interpreter's path, by which it finds its virtual environment; -B keeps it
// from writing compiled modules beside the scripts.
func (p *Python) Command(m Model, cfg Config) Command {
	return Command{
		Path: p.interpreter, Args: []string{p.interpreter, "-B", p.path(m.script)}, Config: cfg,
	}
}

// Close removes the scripts.
func (p *Python) Close() error {
	err := os.RemoveAll(p.dir)
	if p.inUse != nil {
		err = errors.Join(err, p.inUse.Close())
	}
	if err != nil {
		return fmt.Errorf("remove scripts: %w", err)
	}
	return nil
}
