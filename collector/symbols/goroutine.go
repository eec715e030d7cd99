package symbols

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNotGo says that a program is not Go's, so that there are no goroutines to know.
var ErrNotGo = errors.New("not a Go program")

// Runtime says where a Go program keeps what tells its goroutines. Offsets are in bytes.
//
// A thread's g is found from its thread pointer; g.m leads to the thread's m, m.curg to the g of the goroutine on it.
type Runtime struct {
	Version string // as the build info has it: "go1.26.8"
	Source  string // of the offsets: "dwarf", the binary's own account, or "table", by version
	TLS     int64  // of g from the thread pointer, fs base on amd64
	Fields
}

// Fields are the offsets of fields of runtime.g, and of one of runtime.m.
type Fields struct {
	M       uint32 // g.m
	GoID    uint32 // g.goid
	Parent  uint32 // g.parentGoid, from Go 1.21; else 0
	GoPC    uint32 // g.gopc
	StartPC uint32 // g.startpc
	LockedM uint32 // g.lockedm
	CurG    uint32 // m.curg
}

// program is what is known of a Go program besides its names.
type program struct {
	runtime Runtime
	wrapped map[uint64]uint64 // see readWrapped
	err     error
}

// GoRuntime says where the process's main program keeps its goroutines. The error is ErrNotGo for a program in another
// language, and wraps ErrNotSupported for one whose goroutines can't be told: older than Go 1.20, of an unknown version
// without DWARF, or not of amd64.
//
// Sources: /proc/PID/exe; its build info, DWARF and pclntab.
func (p *Process) GoRuntime() (Runtime, error) {
	exe, info, err := p.exe()
	if err != nil {
		return Runtime{}, fmt.Errorf("process %d: %w", p.pid, err)
	}
	p.symbolizer.mu.Lock()
	defer p.symbolizer.mu.Unlock()
	f := p.fileOf(&info)
	if f == nil {
		return Runtime{}, errors.Join(fmt.Errorf("process %d: its program is not mapped", p.pid), exe.Close())
	}
	if f.program == nil {
		p.symbolizer.load(f, p.root)
		f.program = &program{}
		f.program.err = f.program.read(exe, info.Size, f)
	}
	if err := exe.Close(); err != nil {
		return Runtime{}, fmt.Errorf("process %d: %w", p.pid, err)
	}
	return f.program.runtime, f.program.err
}

// exe opens the main program. It is a regular file: the kernel runs nothing else.
func (p *Process) exe() (*os.File, unix.Stat_t, error) {
	var info unix.Stat_t
	fd, err := unix.Openat(int(p.dir.Fd()), "exe", unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, info, fmt.Errorf("open exe: %w", err)
	}
	f := os.NewFile(uintptr(fd), "exe")
	if err := unix.Fstat(fd, &info); err != nil {
		return nil, info, errors.Join(fmt.Errorf("stat exe: %w", err), f.Close())
	}
	return f, info, nil
}

// fileOf finds a file among those that the process has mapped.
func (p *Process) fileOf(info *unix.Stat_t) *file {
	for _, c := range p.code {
		if c.file != nil && sameFile(info, c.mapping) {
			return c.file
		}
	}
	return nil
}

func (g *program) read(exe io.ReaderAt, size int64, f *file) error {
	if f.lines == nil {
		if f.problem != nil {
			return fmt.Errorf("%w: %w", ErrNotGo, f.problem)
		}
		return ErrNotGo
	}
	im, err := newImage(exe, size)
	if err != nil {
		return err
	}
	g.wrapped = readWrapped(im, f.lines)
	if im.machine != elf.EM_X86_64 {
		return fmt.Errorf("goroutines: %w: %v", ErrNotSupported, im.machine)
	}
	if g.runtime.Version, err = goVersion(im); err != nil {
		return fmt.Errorf("goroutines: %w", err)
	}
	if g.runtime.TLS, err = findTLS(im, f.lines); err != nil {
		return fmt.Errorf("goroutines: %w", err)
	}
	if g.runtime.Fields, g.runtime.Source, err = findFields(im, g.runtime.Version); err != nil {
		return fmt.Errorf("goroutines: %w", err)
	}
	return nil
}

// findFields asks the binary, then the table.
func findFields(im *image, version string) (fields Fields, source string, err error) {
	fields, dwarfErr := fieldsByDWARF(im)
	if dwarfErr == nil {
		return fields, "dwarf", nil
	}
	fields, err = fieldsByVersion(version)
	if err != nil {
		return Fields{}, "", fmt.Errorf("%w; DWARF: %w", err, dwarfErr)
	}
	return fields, "table", nil
}

// Function names the function that a goroutine began with, by g.startpc. `go f(x)` begins with a wrapper that the
// compiler made: f is meant. It is empty where no function is known.
func (p *Process) Function(startPC uint64) string {
	p.symbolizer.mu.Lock()
	defer p.symbolizer.mu.Unlock()
	f, address, ok := p.goCode(startPC)
	if !ok {
		return ""
	}
	if f.program != nil {
		if target, ok := f.program.wrapped[address]; ok {
			address = target
		}
	}
	function, ok := f.lines.find(address)
	if !ok {
		return ""
	}
	return printedName(cString(f.lines.names, uint64(f.lines.record32(function, funcNameOff)), maxName))
}

// Creator names the function whose go statement made a goroutine, by g.gopc, the return address of that statement. It is
// empty where no function is known, and of the main goroutine: assembly makes it.
func (p *Process) Creator(goPC uint64) string {
	p.symbolizer.mu.Lock()
	defer p.symbolizer.mu.Unlock()
	f, address, ok := p.goCode(goPC - 1)
	if !ok {
		return ""
	}
	lines, _ := p.symbolizer.lookup(f, address, "")
	if len(lines) == 0 {
		return ""
	}
	return lines[0].function // the innermost: it may have been inlined
}

// goCode finds the Go file behind an address, with its address in it.
func (p *Process) goCode(pc uint64) (f *file, address uint64, ok bool) {
	c, ok := p.find(pc)
	if !ok || c.file == nil {
		return nil, 0, false
	}
	p.symbolizer.load(c.file, p.root)
	if c.file.image == nil || c.file.lines == nil {
		return nil, 0, false
	}
	address, ok = c.file.image.address(pc - c.start + c.offset)
	return c.file, address, ok
}

// Build info: cmd/link writes it, aligned to 16 bytes.
const (
	buildInfoMagic  = "\xff Go buildinf:"
	buildInfoHeader = 32 // magic, size of a pointer, flags; from Go 1.18 the version follows, its length first
	buildInfoInline = 2  // of the flags: it does
	maxVersion      = 256
)

// goVersion reads the version from the build info.
func goVersion(im *image) (string, error) {
	if s, ok := im.section(".go.buildinfo"); ok {
		return im.versionAt(s.Off)
	}
	for s, offset := range im.search([]byte(buildInfoMagic), func(s elf.Prog64) bool { return true }) {
		if (offset-s.Off+s.Vaddr)%16 != 0 {
			continue
		}
		if version, err := im.versionAt(offset); err == nil {
			return version, nil
		}
	}
	return "", fmt.Errorf("build info: %w: there is none", ErrNotSupported)
}

func (im *image) versionAt(offset uint64) (string, error) {
	if offset >= uint64(im.size) {
		return "", fmt.Errorf("build info: %w", errMalformed)
	}
	b, err := im.readString(offset, min(uint64(im.size)-offset, buildInfoHeader+maxVersion))
	if err != nil {
		return "", fmt.Errorf("build info: %w", err)
	}
	if len(b) < buildInfoHeader || !strings.HasPrefix(b, buildInfoMagic) || b[15]&buildInfoInline == 0 {
		return "", fmt.Errorf("build info: %w", errMalformed)
	}
	length, n := uvarint(b[buildInfoHeader:])
	rest := b[buildInfoHeader+n:]
	if n == 0 || length == 0 || uint64(length) > uint64(len(rest)) {
		return "", fmt.Errorf("build info: %w: a version of %d bytes", errMalformed, length)
	}
	return rest[:length], nil
}
