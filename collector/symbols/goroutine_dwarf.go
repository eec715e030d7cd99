package symbols

import (
	"bytes"
	"compress/zlib"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Bounds on DWARF, which is the longest part of a binary. Beyond them the table has to do.
const (
	maxDWARF       = 64 << 20 // bytes of a section, decompressed
	maxAbbrev      = 1 << 20  // bytes of .debug_abbrev: what an entry consists of, of which it has any number
	maxDWARFUnits  = 1 << 16  // compilation units
	maxDWARFFields = 8 << 20  // entries and their attributes looked at
)

var dwarfSections = []string{
	".debug_abbrev", ".debug_info", ".debug_str", ".debug_line_str", ".debug_str_offsets", ".debug_addr", ".debug_rnglists",
}

var errNoFields = errors.New("no runtime.g and runtime.m")

// fieldsByDWARF reads the offsets from the types of the package runtime.
func fieldsByDWARF(im *image) (Fields, error) {
	sections := map[string][]byte{}
	for _, name := range dwarfSections {
		b, err := im.debugSection(name)
		if err != nil {
			return Fields{}, fmt.Errorf("%s: %w", name, err)
		}
		sections[name] = b
	}
	return fieldsIn(sections)
}

func fieldsIn(sections map[string][]byte) (Fields, error) {
	data, err := newDWARF(sections)
	if err != nil {
		return Fields{}, err
	}
	reader := entries{Reader: data.Reader(), left: maxDWARFFields}
	for at := range units(sections[".debug_info"]) {
		reader.Seek(at)
		unit, err := reader.next()
		if err != nil {
			return Fields{}, fmt.Errorf("unit at %#x: %w", at, err)
		}
		if unit == nil || unit.Tag != dwarf.TagCompileUnit || unit.Val(dwarf.AttrName) != "runtime" {
			continue
		}
		offsets, err := structs(&reader)
		if err != nil {
			return Fields{}, err
		}
		if fields, ok := fieldsFrom(offsets); ok {
			return fields, nil
		}
	}
	return Fields{}, errNoFields
}

// entries reads so many and no more.
type entries struct {
	*dwarf.Reader
	left int
}

func (r *entries) next() (*dwarf.Entry, error) {
	if r.left < 0 {
		return nil, fmt.Errorf("%w: more than %d entries and attributes", ErrNotSupported, maxDWARFFields)
	}
	e, err := r.Next()
	if e != nil {
		r.left -= 1 + len(e.Field)
	}
	return e, err
}

func newDWARF(sections map[string][]byte) (*dwarf.Data, error) {
	abbrev, info := sections[".debug_abbrev"], sections[".debug_info"]
	if info == nil || abbrev == nil {
		return nil, fmt.Errorf("%w: there is none", ErrNotSupported)
	}
	if len(abbrev) > maxAbbrev {
		return nil, fmt.Errorf("%w: .debug_abbrev of %d bytes", ErrNotSupported, len(abbrev))
	}
	data, err := dwarf.New(abbrev, nil, nil, info, nil, nil, nil, sections[".debug_str"])
	if err != nil {
		return nil, err
	}
	for _, name := range dwarfSections[3:] { // those of DWARF 5
		if err := data.AddSection(name, sections[name]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return data, nil
}

// debugSection reads a section that may be compressed, nil where there is none.
func (im *image) debugSection(name string) ([]byte, error) {
	for _, s := range im.sections {
		if s.name != name || s.Type == uint32(elf.SHT_NOBITS) {
			continue
		}
		if s.Size > maxDWARF {
			return nil, fmt.Errorf("%w: %d bytes", ErrNotSupported, s.Size)
		}
		b, err := im.read(s.Off, s.Size)
		if err != nil || s.Flags&uint64(elf.SHF_COMPRESSED) == 0 {
			return b, err
		}
		return decompressSection(b)
	}
	return nil, nil
}

// decompressSection unpacks what stands behind an elf.Chdr64.
func decompressSection(b []byte) ([]byte, error) {
	const headerLen = 24 // type 4, reserved 4, size 8, alignment 8
	if len(b) < headerLen {
		return nil, fmt.Errorf("%w: compressed, %d bytes", errMalformed, len(b))
	}
	kind, size := elf.CompressionType(binary.LittleEndian.Uint32(b)), binary.LittleEndian.Uint64(b[8:])
	if kind != elf.COMPRESS_ZLIB || size > maxDWARF {
		return nil, fmt.Errorf("%w: %d bytes by %v", ErrNotSupported, size, kind)
	}
	r, err := zlib.NewReader(bytes.NewReader(b[headerLen:]))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer // grows with what is there, not with what is said
	if _, err := io.Copy(&out, io.LimitReader(r, int64(size))); err != nil {
		return nil, err
	}
	if uint64(out.Len()) != size {
		return nil, fmt.Errorf("%w: %d bytes, %d are said", errMalformed, out.Len(), size)
	}
	return out.Bytes(), nil
}

// units gives the place of the first entry of each unit: their headers tell how long they are, so that one can be passed
// over unread.
func units(info []byte) func(yield func(dwarf.Offset) bool) {
	return func(yield func(dwarf.Offset) bool) {
		at := uint64(0)
		for range maxDWARFUnits {
			if at+12 > uint64(len(info)) {
				return
			}
			length, version := uint64(binary.LittleEndian.Uint32(info[at:])), binary.LittleEndian.Uint16(info[at+4:])
			header := uint64(11) // length 4, version 2, place of abbreviations 4, size of an address 1
			if version >= 5 {
				header = 12 // and a type
			}
			if length >= 0xfffffff0 || length < header-4 { // DWARF of 64 bits: Go writes none
				return
			}
			if at+4+length > uint64(len(info)) || !yield(dwarf.Offset(at+header)) {
				return
			}
			at += 4 + length
		}
	}
}

// structs reads a unit's children: of runtime.g and runtime.m, each field's offset by "g.name" and "m.name".
func structs(r *entries) (map[string]uint32, error) {
	offsets := map[string]uint32{}
	depth, in := 1, ""
	for depth > 0 {
		e, err := r.next()
		if err != nil {
			return nil, err
		}
		if e == nil {
			break
		}
		switch {
		case e.Tag == 0:
			depth--
			if depth == 1 {
				in = ""
			}
		case depth == 1 && e.Tag == dwarf.TagStructType:
			name, _ := e.Val(dwarf.AttrName).(string)
			in = map[string]string{"runtime.g": "g.", "runtime.m": "m."}[name]
		case depth == 2 && in != "" && e.Tag == dwarf.TagMember:
			name, _ := e.Val(dwarf.AttrName).(string)
			if offset, ok := memberOffset(e.Val(dwarf.AttrDataMemberLoc)); ok {
				offsets[in+name] = offset
			}
		}
		if e.Children {
			depth++
		}
	}
	return offsets, nil
}

// memberOffset reads a member's place: a number, or until DWARF 3 the operation that adds it.
func memberOffset(v any) (uint32, bool) {
	const (
		plus      = 0x23    // DW_OP_plus_uconst
		maxOffset = 1 << 16 // of runtime.g or runtime.m
	)
	offset := int64(-1)
	switch v := v.(type) {
	case int64:
		offset = v
	case []byte:
		if len(v) > 1 && v[0] == plus {
			if n, length := uvarint(string(v[1:])); length == len(v)-1 {
				offset = int64(n)
			}
		}
	}
	return uint32(offset), offset >= 0 && offset < maxOffset
}

func fieldsFrom(offsets map[string]uint32) (Fields, bool) {
	fields, found := Fields{Parent: offsets["g.parentGoid"]}, 0
	for name, field := range map[string]*uint32{
		"g.m": &fields.M, "g.goid": &fields.GoID, "g.gopc": &fields.GoPC, "g.startpc": &fields.StartPC,
		"g.lockedm": &fields.LockedM, "m.curg": &fields.CurG,
	} {
		if offset, ok := offsets[name]; ok {
			*field = offset
			found++
		}
	}
	return fields, found == 6
}
