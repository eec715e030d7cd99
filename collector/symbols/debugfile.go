package symbols

import (
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// DebugDir is where distributions install the symbols that they split off their binaries.
const DebugDir = "/usr/lib/debug"

// debugFiles finds the symbols of stripped files.
type debugFiles struct {
	dirs []string // absolute
}

// symbols reads the symbol table that was split off a stripped file with a build id. It is looked for on the
// host first, then below root, the process's own, if that is known: a build id names the same file wherever it
// is, and the host's is the one that no profiled process can have made up.
func (d debugFiles) symbols(stripped *image, id, binary string, root *os.File, wanted func(uint64) bool) (*symbolTable, error) {
	roots := []*os.File{nil}
	if root != nil {
		roots = append(roots, root)
	}
	var errs []error
	for _, path := range d.paths(stripped, id, binary) {
		for _, r := range roots {
			f, size, err := openBelow(r, path)
			if err != nil {
				continue // not there, in most places
			}
			t, err := readDebugSymbols(f, size, id, wanted)
			if err = errors.Join(err, f.Close()); err == nil {
				return t, nil
			}
			errs = append(errs, fmt.Errorf("debug file %q: %w", path, err))
		}
	}
	return nil, errors.Join(errs...)
}

var (
	errOtherBuild = errors.New("of another build")
	errNoSymtab   = errors.New("no symbols")
)

func readDebugSymbols(f io.ReaderAt, size int64, id string, wanted func(uint64) bool) (*symbolTable, error) {
	im, err := newImage(f, size)
	if err != nil {
		return nil, err
	}
	if im.buildID() != id {
		return nil, errOtherBuild
	}
	t, err := openSymbols(im, wanted, elf.SHT_SYMTAB)
	if err == nil && len(t.symbols) == 0 {
		err = errNoSymtab
	}
	return t, err
}

// paths are where the debug file may be: by build id, and as the section .gnu_debuglink says, which is a name
// for the directory of the binary (GDB's manual, "Separate Debug Files").
func (d debugFiles) paths(stripped *image, id, binary string) []string {
	if !isBuildID(id) {
		return nil // Go's own, which is no path, or none
	}
	var paths []string
	for _, dir := range d.dirs {
		paths = append(paths, filepath.Join(dir, ".build-id", id[:2], id[2:]+".debug"))
	}
	name, ok := stripped.debugLink()
	if !ok || !strings.HasPrefix(binary, "/") {
		return paths
	}
	near := filepath.Dir(filepath.Clean(binary))
	paths = append(paths, filepath.Join(near, ".debug", name), filepath.Join(near, name))
	for _, dir := range d.dirs {
		paths = append(paths, filepath.Join(dir, near, name))
	}
	return paths
}

// isBuildID says whether an id is a GNU build id in hex, which may become part of a path.
func isBuildID(id string) bool {
	raw, err := hex.DecodeString(id)
	return err == nil && len(raw) >= 2
}

// debugLink is the name in .gnu_debuglink. Its checksum is not used: the build id is compared.
func (im *image) debugLink() (string, bool) {
	s, ok := im.section(".gnu_debuglink")
	if !ok {
		return "", false
	}
	data, err := im.readString(s.Off, min(s.Size, unix.NAME_MAX+1))
	if err != nil {
		return "", false
	}
	name := cString(data, 0, uint64(len(data)))
	return name, name != "" && name != "." && name != ".." && !strings.Contains(name, "/")
}

// openBelow opens a regular file below a directory, as a process would that has it as its root; nil is weft's
// own. The links of /proc to what a process has open are not followed. Symbolic links do not lead out of a
// process's root, and no mount in it is entered: a file system that the process answers for itself (FUSE) may
// never answer.
func openBelow(root *os.File, path string) (*os.File, int64, error) {
	at, how := unix.AT_FDCWD, unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
	if root != nil {
		at = int(root.Fd())
		how.Resolve |= unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_XDEV
	}
	fd, err := unix.Openat2(at, path, &how)
	if err != nil {
		return nil, 0, err
	}
	defer unix.Close(fd)
	st, f, err := reopen(fd, path)
	if err != nil {
		return nil, 0, err
	}
	return f, st.Size, nil
}
