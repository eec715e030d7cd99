// Package symbols turns addresses of a live process into functions, files and lines.
//
// The stage before is the kernel, where stacks are walked by frame pointers; the stage after is package
// recording, whose frames hold names, so that a recording needs neither the process nor its binaries.
//
// Words: an address is virtual and belongs to a process; an offset belongs to a file; an ELF address is what
// a file's own tables speak of. mappings.go leads from address to offset, elf.go on to the ELF address,
// pclntab.go and symtab.go from there to names. The kernel's addresses have a table of their own: kernel.go.
//
// Everything read here comes from the profiled process and its files, and weft runs as root: every length is
// bounded before it is believed, and no input panics. Names are data: escape them where they are shown.
package symbols

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Bounds on what a Symbolizer holds, over all processes.
const (
	maxFiles  = 1 << 12   // files known
	maxOpen   = 256       // files open; one more is read at once
	maxMemory = 512 << 20 // bytes of tables
	maxLines  = 1 << 18   // lines of addresses asked for before; then all are forgotten
)

var (
	errTooManyFiles = errors.New("too many files")
	errMemory       = errors.New("no memory left for tables")
)

// Symbolizer remembers the files that processes have mapped, each once for all processes that share it.
// It and its Processes may be used by several goroutines.
type Symbolizer struct {
	root  string
	debug debugFiles

	mu      sync.Mutex // guards everything below, and all Processes
	files   map[fileID]*file
	open    []*file // not read yet, oldest first
	ownVDSO *file   // nil until a process with one was seen
	memory  int64   // bytes of tables held
	cache   map[place]answer
	lines   int // in cache
}

// place is an address of an ELF file, answer what lookup said of it.
type (
	place struct {
		file    *file
		address uint64
	}
	answer struct {
		lines []codeLine
		isGo  bool
	}
)

// New returns a Symbolizer that finds processes below root, "/proc" or a copy of its files, and symbols that
// were split off their binaries below debugDirs: without any below [DebugDir].
func New(root string, debugDirs ...string) *Symbolizer {
	if len(debugDirs) == 0 {
		debugDirs = []string{DebugDir}
	}
	return &Symbolizer{
		root:  root,
		debug: debugFiles{dirs: debugDirs},
		files: make(map[fileID]*file),
		cache: make(map[place]answer),
	}
}

// Process looks at a process: it reads its executable mappings and opens the files behind them, so that its
// stacks can be named after it is gone. The process must be alive, and is not held up.
func (s *Symbolizer) Process(pid int) (*Process, error) {
	dir, err := unix.Open(filepath.Join(s.root, strconv.Itoa(pid)), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	p := &Process{symbolizer: s, pid: pid, dir: os.NewFile(uintptr(dir), "proc")}
	if err := p.Refresh(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Close closes the files that are still open. Names already read can still be asked for.
func (s *Symbolizer) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, f := range s.open {
		errs = append(errs, f.shut())
	}
	s.open = nil
	return errors.Join(errs...)
}

// file finds or makes the file behind a mapping.
func (s *Symbolizer) file(dir int, m mapping) (*file, error) {
	opened, id, err := openMapped(dir, m)
	if err != nil {
		return nil, err
	}
	if f, ok := s.files[id]; ok {
		return f, opened.Close()
	}
	if len(s.files) >= maxFiles {
		return nil, errors.Join(errTooManyFiles, opened.Close())
	}
	f := newFile(opened, id.size, opened.Close)
	f.path = m.name()
	s.files[id] = f
	s.open = append(s.open, f)
	if len(s.open) > maxOpen {
		s.load(s.open[0], nil)
	}
	return f, nil
}

// load reads a file unless that is done or there is no room. root is the root directory of a process that has
// it, or nil.
func (s *Symbolizer) load(f *file, root *os.File) {
	if f.source == nil {
		return
	}
	for i, other := range s.open {
		if other == f {
			s.open = append(s.open[:i], s.open[i+1:]...)
			break
		}
	}
	if s.memory >= maxMemory {
		f.problem = errors.Join(errMemory, f.shut())
		return
	}
	s.memory += f.load(s.debug, root)
}

// lookup is file.lookup, remembered: most stacks share most of their addresses.
func (s *Symbolizer) lookup(f *file, address uint64, name string) (lines []codeLine, isGo bool) {
	at := place{f, address}
	if known, ok := s.cache[at]; ok {
		return known.lines, known.isGo
	}
	lines, isGo = f.lookup(address, name)
	if s.lines > maxLines {
		s.cache, s.lines = make(map[place]answer), 0
	}
	s.cache[at] = answer{lines, isGo}
	s.lines += len(lines) + 1
	return lines, isGo
}
