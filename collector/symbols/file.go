package symbols

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
)

// file is one ELF file that some process has mapped. It is opened at first sight, because the process may be
// gone when a name is asked for, and read at the first question, because most files are never asked.
type file struct {
	source  io.ReaderAt // nil once read
	path    string      // as the process sees it that was the first to have it
	close   func() error
	size    int64
	image   *image
	id      string // build id
	lines   *lineTable
	symbols *symbolTable
	problem error    // why names are missing
	program *program // of a main program that was asked for its goroutines
}

func newFile(source io.ReaderAt, size int64, close func() error) *file {
	return &file{source: source, close: close, size: size}
}

// load reads the file unless that is done, and returns how many bytes it now holds. Symbols that were split off
// are looked for in debug, also below root, which may be nil.
func (f *file) load(debug debugFiles, root *os.File) int64 {
	if f.source == nil {
		return 0
	}
	f.problem = errors.Join(f.read(debug, root), f.shut())
	var held int64
	if f.lines != nil {
		held += f.lines.size
	}
	if f.symbols != nil {
		held += f.symbols.size
	}
	return held
}

func (f *file) read(debug debugFiles, root *os.File) error {
	im, err := newImage(f.source, f.size)
	if err != nil {
		return err
	}
	f.image, f.id = im, im.buildID()
	lines, _, goErr := openLineTable(im)
	f.lines = lines
	notGo := func(address uint64) bool {
		if lines == nil {
			return true
		}
		_, ok := lines.find(address)
		return !ok
	}
	symbols, err := openSymbols(im, notGo, elf.SHT_SYMTAB, elf.SHT_DYNSYM)
	if !im.hasSymtab() {
		split, splitErr := debug.symbols(im, f.id, f.path, root, notGo)
		if split != nil {
			symbols = split
		}
		err = errors.Join(err, splitErr)
	}
	f.symbols = symbols
	return errors.Join(goErr, err)
}

// shut closes the file. What was read stays.
func (f *file) shut() error {
	if f.source == nil {
		return nil
	}
	f.source = nil
	if f.image != nil {
		f.image.r, f.image.sections = nil, nil
	}
	return f.close()
}

// lookup returns what stands at an address of the ELF file, innermost inlined call first, and whether it is
// Go code, which keeps frame pointers. Go code without lines is a compiler's wrapper.
func (f *file) lookup(address uint64, name string) (lines []codeLine, isGo bool) {
	if f.lines != nil {
		if lines, isGo, ok := f.lines.lookup(address); ok {
			for i := range lines {
				if !isGo {
					lines[i].function = demangled(lines[i].function)
				}
			}
			return lines, isGo
		}
	}
	if f.symbols != nil {
		if function, ok := f.symbols.lookup(address); ok {
			return []codeLine{{function: demangled(function)}}, false
		}
	}
	return []codeLine{{function: offsetName(name, address)}}, false
}

// offsetName is what code without a symbol is called.
func offsetName(binary string, offset uint64) string {
	return fmt.Sprintf("%s+%#x", path.Base(binary), offset)
}
