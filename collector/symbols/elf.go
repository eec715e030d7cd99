package symbols

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// ErrNotSupported says that a file is of a kind this package does not read.
var ErrNotSupported = errors.New("not supported")

var errMalformed = errors.New("malformed")

// Bounds on what is read from one ELF file. Its author may be hostile and its sizes may lie: nothing is
// allocated before it was compared with these.
const (
	maxSegments     = 1 << 10
	maxSections     = 1 << 16
	maxSectionNames = 1 << 20   // bytes
	maxSectionName  = 256       // bytes
	maxNotes        = 64 << 10  // bytes a segment
	maxBuildID      = 256       // bytes
	maxTable        = 128 << 20 // bytes of one table: pclntab, symbols, strings, relocations
)

// image is an ELF file: 64 bits, little-endian. debug/elf is not used as a reader because it allocates and
// decompresses what the file asks for.
type image struct {
	r        io.ReaderAt
	size     int64
	machine  elf.Machine
	segments []elf.Prog64
	sections []section // empty when the section headers are gone
}

type section struct {
	elf.Section64
	name string
}

func newImage(r io.ReaderAt, size int64) (*image, error) {
	im := &image{r: r, size: size}
	var header elf.Header64
	if err := im.decode(0, &header); err != nil {
		return nil, fmt.Errorf("elf header: %w", err)
	}
	if string(header.Ident[:4]) != elf.ELFMAG {
		return nil, fmt.Errorf("%w: no ELF file", ErrNotSupported)
	}
	if class, data := elf.Class(header.Ident[elf.EI_CLASS]), elf.Data(header.Ident[elf.EI_DATA]); class != elf.ELFCLASS64 || data != elf.ELFDATA2LSB {
		return nil, fmt.Errorf("%w: %v, %v", ErrNotSupported, class, data)
	}
	im.machine = elf.Machine(header.Machine)
	if header.Phnum > maxSegments || header.Phnum > 0 && header.Phentsize != 56 {
		return nil, fmt.Errorf("%w: %d program headers of %d bytes", errMalformed, header.Phnum, header.Phentsize)
	}
	im.segments = make([]elf.Prog64, header.Phnum)
	if err := im.decode(header.Phoff, im.segments); err != nil {
		return nil, fmt.Errorf("program headers: %w", err)
	}
	im.sections = im.readSections(&header)
	return im, nil
}

// readSections returns nothing where anything is wrong: a file runs without section headers, and all that
// they tell can be found without them.
func (im *image) readSections(header *elf.Header64) []section {
	if header.Shoff == 0 || header.Shnum == 0 || header.Shentsize != 64 || header.Shstrndx >= header.Shnum {
		return nil
	}
	raw := make([]elf.Section64, header.Shnum)
	if err := im.decode(header.Shoff, raw); err != nil {
		return nil
	}
	table := raw[header.Shstrndx]
	if table.Size > maxSectionNames {
		return nil
	}
	names, err := im.readString(table.Off, table.Size)
	if err != nil {
		return nil
	}
	sections := make([]section, len(raw))
	for i := range raw {
		sections[i] = section{Section64: raw[i], name: cString(names, uint64(raw[i].Name), maxSectionName)}
	}
	return sections
}

// section finds a section with contents by name.
func (im *image) section(names ...string) (section, bool) {
	for _, s := range im.sections {
		if s.Type == uint32(elf.SHT_NOBITS) || s.Flags&uint64(elf.SHF_COMPRESSED) != 0 {
			continue
		}
		for _, name := range names {
			if s.name == name {
				return s, true
			}
		}
	}
	return section{}, false
}

// address turns an offset in the file, taken from an executable mapping, into an address of the ELF file.
// Where segments share a page the executable one is meant.
func (im *image) address(offset uint64) (uint64, bool) {
	for _, s := range im.segments {
		if s.Type != uint32(elf.PT_LOAD) || s.Flags&uint32(elf.PF_X) == 0 {
			continue
		}
		if offset >= s.Off && offset-s.Off < s.Filesz {
			return offset - s.Off + s.Vaddr, true
		}
	}
	return 0, false
}

// segment finds the loaded segment with contents at an address.
func (im *image) segment(address uint64) (elf.Prog64, bool) {
	for _, s := range im.segments {
		if s.Type == uint32(elf.PT_LOAD) && address >= s.Vaddr && address-s.Vaddr < s.Filesz {
			return s, true
		}
	}
	return elf.Prog64{}, false
}

// readAddress reads memory as the file defines it, before relocation.
func (im *image) readAddress(address, n uint64) ([]byte, error) {
	s, ok := im.segment(address)
	if !ok || n > s.Filesz-(address-s.Vaddr) {
		return nil, fmt.Errorf("%w: no contents at %#x", errMalformed, address)
	}
	return im.read(s.Off+(address-s.Vaddr), n)
}

// check says whether the file holds n bytes at an offset and a table of n bytes is acceptable.
func (im *image) check(offset, n uint64) error {
	if offset > uint64(im.size) || n > uint64(im.size)-offset {
		return fmt.Errorf("%w: %d bytes at %d of %d", errMalformed, n, offset, im.size)
	}
	if n > maxTable {
		return fmt.Errorf("%w: a table of %d bytes", ErrNotSupported, n)
	}
	return nil
}

func (im *image) read(offset, n uint64) ([]byte, error) {
	if err := im.check(offset, n); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if _, err := im.r.ReadAt(b, int64(offset)); err != nil && !(errors.Is(err, io.EOF) && n == 0) {
		return nil, err
	}
	return b, nil
}

// readString is read for a table that stays: names are then parts of it and cost nothing.
func (im *image) readString(offset, n uint64) (string, error) {
	if err := im.check(offset, n); err != nil {
		return "", err
	}
	var b strings.Builder
	b.Grow(int(n))
	if _, err := io.CopyN(&b, io.NewSectionReader(im.r, int64(offset), int64(n)), int64(n)); err != nil {
		return "", err
	}
	return b.String(), nil
}

// decode fills fixed-size values.
func (im *image) decode(offset uint64, into any) error {
	b, err := im.read(offset, uint64(binary.Size(into)))
	if err != nil {
		return err
	}
	_, err = binary.Decode(b, binary.LittleEndian, into)
	return err
}

// buildID is the GNU build id in hex, else Go's as it is, else empty.
func (im *image) buildID() string {
	var goID string
	for _, s := range im.segments {
		if s.Type != uint32(elf.PT_NOTE) {
			continue
		}
		notes, err := im.read(s.Off, min(s.Filesz, maxNotes))
		if err != nil {
			continue
		}
		if id := gnuBuildID(notes); id != "" {
			return id
		}
		for n := range eachNote(notes) {
			if n.name == "Go" && n.kind == 4 { // cmd/link's ELF_NOTE_GOBUILDID_TAG
				goID = string(n.contents)
			}
		}
	}
	return goID
}

// gnuBuildID finds the GNU build id among notes, in hex.
func gnuBuildID(notes []byte) string {
	for n := range eachNote(notes) {
		if n.name == "GNU" && n.kind == 3 { // NT_GNU_BUILD_ID
			return hex.EncodeToString(n.contents)
		}
	}
	return ""
}

type note struct {
	name     string
	kind     uint32
	contents []byte
}

// eachNote walks ELF notes: three words (length of the name, length of the contents, kind), then both,
// each padded to 4 bytes.
func eachNote(b []byte) iter.Seq[note] {
	return func(yield func(note) bool) {
		for len(b) >= 12 {
			nameLen := uint64(binary.LittleEndian.Uint32(b))
			length := uint64(binary.LittleEndian.Uint32(b[4:]))
			kind := binary.LittleEndian.Uint32(b[8:])
			at := 12 + (nameLen+3)&^3
			if at+length > uint64(len(b)) {
				return
			}
			name := string(bytes.TrimRight(b[12:12+min(nameLen, 16)], "\x00"))
			if length <= maxBuildID && !yield(note{name, kind, b[at : at+length]}) {
				return
			}
			b = b[min(at+(length+3)&^3, uint64(len(b))):]
		}
	}
}

// cString is the string of at most limit bytes that ends with a zero byte; empty where there is none.
func cString(table string, at, limit uint64) string {
	if at >= uint64(len(table)) {
		return ""
	}
	table = table[at:]
	table = table[:min(limit, uint64(len(table)))]
	return table[:max(0, strings.IndexByte(table, 0))]
}
