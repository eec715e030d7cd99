package symbols

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
)

// findTLS finds where a thread's g is, from the thread pointer. cmd/link puts it at -8 where it lays the threads' memory
// out alone; with C's linker it may be anywhere. What the code itself says is asked first, since it is also there in
// stripped binaries.
func findTLS(im *image, t *lineTable) (int64, error) {
	if offset, ok := tlsByCode(im, t); ok {
		return offset, nil
	}
	if offset, ok := tlsBySymbol(im); ok {
		return offset, nil
	}
	return 0, fmt.Errorf("%w: the thread's g is not found", ErrNotSupported)
}

// tlsByCode decodes the begin of gogo, which switches a thread to a goroutine: in each Go version its first statement
// stores the g. The linkers know two ways on amd64 to write that.
func tlsByCode(im *image, t *lineTable) (int64, bool) {
	address, ok := t.entryOf("gogo", "runtime.gogo")
	if !ok {
		return 0, false
	}
	code, err := im.readAddress(address, 16)
	if err != nil {
		return 0, false
	}
	return decodeTLS(string(code))
}

// decodeTLS reads the offset from the code.
func decodeTLS(code string) (int64, bool) {
	const (
		direct = "\x64\x48\x89\x14\x25" // MOVQ DX, FS:disp32
		load   = "\x48\xc7\xc1"         // MOVQ $imm32, CX
		store  = "\x64\x48\x89\x11"     // MOVQ DX, FS:(CX)
	)
	if rest, ok := strings.CutPrefix(code, direct); ok && len(rest) >= 4 {
		return int64(int32(u32(rest, 0))), true
	}
	if rest, ok := strings.CutPrefix(code, load); ok && len(rest) >= 4 && strings.HasPrefix(rest[4:], store) {
		return int64(int32(u32(rest, 0))), true
	}
	return 0, false
}

// entryOf finds a function by its name: the address of its code.
func (t *lineTable) entryOf(names ...string) (uint64, bool) {
	for i := range t.nfunc {
		f := t.function(i)
		at := uint64(t.record32(f, funcNameOff))
		for _, name := range names {
			// Compared in place: there may be 100,000 of them.
			if at < uint64(len(t.names)) && strings.HasPrefix(t.names[at:], name) && cString(t.names, at, uint64(len(name))+1) == name {
				return t.text + f.entry, true
			}
		}
	}
	return 0, false
}

// tlsBySymbol takes runtime.tlsg, an offset in the program's part of each thread's memory, which on amd64 ends at the
// thread pointer (ELF handling for thread-local storage, variant II).
func tlsBySymbol(im *image) (int64, bool) {
	offset, ok := symbolValue(im, "runtime.tlsg", elf.STT_TLS)
	if !ok {
		return 0, false
	}
	for _, s := range im.segments {
		if s.Type != uint32(elf.PT_TLS) {
			continue
		}
		align := max(s.Align, 1)
		if align&(align-1) != 0 || s.Memsz > 1<<30 || align > 1<<20 || offset >= s.Memsz {
			return 0, false
		}
		return int64(offset) - int64((s.Memsz+align-1)&^(align-1)), true
	}
	return 0, false
}

// symbolValue looks for one symbol in .symtab.
func symbolValue(im *image, name string, kind elf.SymType) (uint64, bool) {
	for _, s := range im.sections {
		if elf.SectionType(s.Type) != elf.SHT_SYMTAB || int(s.Link) >= len(im.sections) {
			continue
		}
		names := im.sections[s.Link]
		data, err := im.read(s.Off, min(s.Size, maxSymbols*symbolLen))
		if err != nil {
			return 0, false
		}
		text, err := im.readString(names.Off, names.Size)
		if err != nil {
			return 0, false
		}
		for ; len(data) >= symbolLen; data = data[symbolLen:] {
			if elf.ST_TYPE(data[4]) == kind && cString(text, uint64(binary.LittleEndian.Uint32(data)), uint64(len(name))+1) == name {
				return binary.LittleEndian.Uint64(data[8:]), true
			}
		}
	}
	return 0, false
}
