package symbols

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"

	"golang.org/x/sys/unix"

	"github.com/weft-profiler/weft/collector/recording"
)

// Process is what is known of one process: where its code lies.
type Process struct {
	symbolizer *Symbolizer
	pid        int
	dir        *os.File // its /proc directory: fails, rather than show another process, once it is gone
	root       *os.File // its root directory where that is another than weft's, else nil
	code       []code   // sorted by address, not overlapping
}

// code is an executable mapping and the file behind it.
type code struct {
	mapping
	file    *file // nil where there is none, or it could not be opened
	problem error // why it could not
}

// Refresh reads the mappings again: call it when the process may have loaded code, and at its end. Code that
// is no longer there stays known unless other code lies in its place, so that stacks from before an unload or
// an exec keep their names. Once the process is gone Refresh fails, and what was known stays.
func (p *Process) Refresh() error {
	now, err := p.mappings()
	if err != nil {
		return fmt.Errorf("process %d: %w", p.pid, err)
	}
	p.symbolizer.mu.Lock()
	defer p.symbolizer.mu.Unlock()
	if p.root == nil {
		p.root = otherRoot(int(p.dir.Fd()))
	}
	fresh := make([]code, 0, len(now))
	for _, m := range now {
		c, known := p.find(m.start)
		if !known || c.mapping != m {
			c = code{mapping: m}
			c.file, c.problem = p.open(m)
		}
		fresh = append(fresh, c)
	}
	for _, old := range p.code {
		if len(fresh) < 2*maxExecutable && !overlaps(fresh[:len(now)], old.mapping) {
			fresh = append(fresh, old)
		}
	}
	slices.SortFunc(fresh, func(a, b code) int { return compareMappings(a.mapping, b.mapping) })
	p.code = fresh
	return nil
}

func (p *Process) mappings() ([]mapping, error) {
	fd, err := unix.Openat(int(p.dir.Fd()), "maps", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open maps: %w", err)
	}
	f := os.NewFile(uintptr(fd), "maps")
	m, err := parseMappings(f)
	return m, errors.Join(err, f.Close())
}

func (p *Process) open(m mapping) (*file, error) {
	switch {
	case m.path == vdsoName && m.inode == 0:
		return p.symbolizer.vdso(m)
	case m.inode == 0:
		return nil, nil
	}
	return p.symbolizer.file(int(p.dir.Fd()), m)
}

// otherRoot opens the root directory of the process whose /proc directory is dir, so that it is at hand when the
// process is gone. It is nil where it is weft's own, or is not to be had.
func otherRoot(dir int) *os.File {
	var own, other unix.Stat_t
	fd, err := unix.Openat(dir, "root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), "root")
	err = errors.Join(unix.Fstat(fd, &other), unix.Stat("/", &own))
	if err != nil || own.Dev == other.Dev && own.Ino == other.Ino {
		f.Close()
		return nil
	}
	return f
}

// overlaps says whether a mapping lies in the place of one of the sorted others.
func overlaps(sorted []code, m mapping) bool {
	i := sort.Search(len(sorted), func(i int) bool { return sorted[i].end > m.start })
	return i < len(sorted) && sorted[i].start < m.end
}

// find returns the code at an address.
func (p *Process) find(address uint64) (code, bool) {
	i := sort.Search(len(p.code), func(i int) bool { return p.code[i].end > address })
	if i == len(p.code) || address < p.code[i].start {
		return code{}, false
	}
	return p.code[i], true
}

// Stack names a stack of addresses, leaf first: where the thread was, then return addresses. A return address
// belongs to the call before it, so from the second on the address before is looked up. Calls that were
// inlined become frames of their own, wrappers made by the compiler are left out.
//
// cut says that the root was not reached: the walk left the code of the process, or it ended before one of
// Go's roots (isRoot), or it passed code that is not Go's. Such code need not keep frame pointers, so the
// frames above it would be guesses: its frame is the last.
//
// The names are parts of the files' tables, which stay in memory for as long as a frame does.
func (p *Process) Stack(addresses []uint64) (frames []recording.Frame, cut bool) {
	p.symbolizer.mu.Lock()
	defer p.symbolizer.mu.Unlock()
	for i, address := range addresses {
		found := recording.FoundRegister
		if i > 0 {
			address--
			found = recording.FoundFramePointer
		}
		c, ok := p.find(address)
		if !ok {
			return frames, true
		}
		lines, offset, isGo := p.lookup(c, address)
		root := false
		for _, l := range lines {
			frames = append(frames, c.frame(l, offset, found))
			root = root || l.root
		}
		if root || !isGo {
			return frames, !root
		}
	}
	return frames, true
}

// lookup returns the lines at an address with its ELF address, or its offset where there is no ELF file.
func (p *Process) lookup(c code, address uint64) (lines []codeLine, offset uint64, isGo bool) {
	offset = address - c.start + c.offset
	if c.file != nil {
		p.symbolizer.load(c.file, p.root)
		if c.file.image != nil {
			if elfAddress, ok := c.file.image.address(offset); ok {
				lines, isGo = p.symbolizer.lookup(c.file, elfAddress, c.name())
				return lines, elfAddress, isGo
			}
		}
	}
	return []codeLine{{function: offsetName(c.name(), offset)}}, offset, false
}

func (c code) frame(l codeLine, offset uint64, found string) recording.Frame {
	if l.inlined {
		found = recording.FoundInlined
	}
	f := recording.Frame{
		Function:  l.function,
		File:      l.file,
		Line:      l.line,
		StartLine: l.startLine,
		Inlined:   l.inlined,
		Binary:    c.name(),
		Offset:    offset,
		Found:     found,
	}
	if c.file != nil {
		f.BuildID = c.file.id
	}
	return f
}

// Problems says why names are missing, one error a file: it could not be opened, or is not of a kind that
// this package reads. Files that no stack led to are not read and have none.
func (p *Process) Problems() []error {
	p.symbolizer.mu.Lock()
	defer p.symbolizer.mu.Unlock()
	var errs []error
	seen := make(map[string]bool)
	for _, c := range p.code {
		problem := c.problem
		if c.file != nil {
			problem = errors.Join(problem, c.file.problem)
		}
		if problem != nil && !seen[c.path] {
			seen[c.path] = true
			errs = append(errs, fmt.Errorf("%q: %w", c.path, problem))
		}
	}
	return errs
}

// Close lets go of the process. Its stacks can still be named, Refresh no longer works.
func (p *Process) Close() error {
	p.symbolizer.mu.Lock()
	defer p.symbolizer.mu.Unlock()
	err := p.dir.Close()
	if p.root != nil {
		err = errors.Join(err, p.root.Close())
		p.root = nil
	}
	if err != nil {
		return fmt.Errorf("process %d: %w", p.pid, err)
	}
	return nil
}
