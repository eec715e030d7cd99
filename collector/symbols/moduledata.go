package symbols

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
)

// Words of runtime.moduledata, the same from Go 1.20 to 1.26. A binary has one, in a writable segment, and
// its first word points to the pclntab; that is how it is found without symbols.
const (
	moduleHeader = 0 // pcHeader
	moduleNames  = 1 // funcnametab, pointer
	moduleText   = 22
	moduleETEXT  = 23
	moduleGofunc = 40 // go:func.*
	moduleWords  = 41
)

// Bounds on the search.
const (
	maxScan  = 512 << 20 // bytes of segments
	scanStep = 1 << 20
	maxTries = 1 << 10 // places looked at
)

type module [moduleWords]uint64

// openLineTable finds the pclntab of a Go binary and all that belongs to it. ok is false, without an error,
// where the binary is not Go's.
func openLineTable(im *image) (t *lineTable, ok bool, err error) {
	offset, size, ok := findLineTable(im)
	if !ok {
		return nil, false, nil
	}
	data, err := im.readString(offset, size)
	if err != nil {
		return nil, true, fmt.Errorf("read pclntab: %w", err)
	}
	if t, err = newLineTable(data); err != nil {
		return nil, true, err
	}
	mod, err := findModule(im, offset, t)
	if err != nil {
		return nil, true, err
	}
	t.text, t.gofunc = mod[moduleText], mod[moduleGofunc]
	return t, true, readInline(im, t, mod[moduleGofunc])
}

// readInline reads the inline trees. They are few among the data that begins at go:func.*.
func readInline(im *image, t *lineTable, gofunc uint64) error {
	from, to := t.scan()
	if to <= from {
		return nil
	}
	s, ok := im.segment(gofunc + from)
	if !ok || to-from > s.Filesz-(gofunc+from-s.Vaddr) {
		return fmt.Errorf("inline trees: %w: %#x to %#x from %#x", errMalformed, from, to, gofunc)
	}
	data, err := im.readString(s.Off+(gofunc+from-s.Vaddr), to-from)
	if err != nil {
		return fmt.Errorf("inline trees: %w", err)
	}
	t.inline, t.inlineFrom = data, from
	t.size += int64(len(data))
	return nil
}

// findLineTable finds the pclntab in the file: by its section, else by its magic number.
func findLineTable(im *image) (offset, size uint64, ok bool) {
	if s, ok := im.section(".gopclntab", ".data.rel.ro.gopclntab"); ok {
		return s.Off, s.Size, true
	}
	if len(im.sections) > 0 {
		// A linker script may have put it anywhere, but a file with sections and without this one is
		// hardly ever Go's: shared libraries are not searched through.
		if _, ok := im.section(".go.buildinfo"); !ok {
			return 0, 0, false
		}
	}
	magic := binary.LittleEndian.AppendUint32(nil, magicGo120)
	anywhere := func(elf.Prog64) bool { return true }
	for s, offset := range im.search(magic, anywhere) {
		size := min(s.Off+s.Filesz-offset, maxTable)
		if im.looksLikeLineTable(offset, size) {
			return offset, size, true
		}
	}
	return 0, 0, false
}

// looksLikeLineTable checks a header and its distance to the tables, which lie in a known order.
func (im *image) looksLikeLineTable(offset, size uint64) bool {
	header, err := im.readString(offset, min(size, headerLen))
	if err != nil || len(header) < headerLen || u32(header, 0) != magicGo120 ||
		header[4] != 0 || header[5] != 0 || header[7] != 8 {
		return false
	}
	before := uint64(headerLen)
	for i := range uint64(5) {
		at := u64(header, 32+8*i)
		if at < before || at > size {
			return false
		}
		before = at
	}
	nfunc := u64(header, 8)
	return nfunc > 0 && nfunc <= (size-before)/8
}

// findModule finds moduledata. In a position-independent binary its pointers may be zero in the file, with
// their values in the relocations.
func findModule(im *image, tableOffset uint64, t *lineTable) (module, error) {
	for _, s := range im.segments {
		if s.Type != uint32(elf.PT_LOAD) || tableOffset < s.Off || tableOffset-s.Off >= s.Filesz {
			continue
		}
		table := tableOffset - s.Off + s.Vaddr
		if m, ok := im.moduleInData(table, t); ok {
			return m, nil
		}
		if m, ok := im.moduleInRelocations(table, t); ok {
			return m, nil
		}
	}
	return module{}, fmt.Errorf("moduledata: %w: nothing points to the pclntab", ErrNotSupported)
}

// valid tells moduledata from another pointer to the pclntab.
func (m *module) valid(im *image, table uint64, t *lineTable) bool {
	text, ok := im.segment(m[moduleText])
	return ok && text.Flags&uint32(elf.PF_X) != 0 &&
		m[moduleHeader] == table && m[moduleNames] == table+t.offset(t.names) &&
		m[moduleETEXT] > m[moduleText] && m[moduleETEXT]-text.Vaddr <= text.Memsz
}

func (im *image) moduleInData(table uint64, t *lineTable) (module, bool) {
	pointer := binary.LittleEndian.AppendUint64(nil, table)
	writable := func(s elf.Prog64) bool { return s.Flags&uint32(elf.PF_W) != 0 }
	for s, offset := range im.search(pointer, writable) {
		m, ok := im.moduleAt(offset - s.Off + s.Vaddr)
		if ok && m.valid(im, table, t) {
			return m, true
		}
	}
	return module{}, false
}

func (im *image) moduleAt(address uint64) (m module, ok bool) {
	b, err := im.readAddress(address, 8*moduleWords)
	if err != nil {
		return module{}, false
	}
	_, err = binary.Decode(b, binary.LittleEndian, &m)
	return m, err == nil
}

// moduleInRelocations goes twice over the relative relocations: for places that point to the pclntab, and
// for the words behind the first of them that is moduledata.
func (im *image) moduleInRelocations(table uint64, t *lineTable) (module, bool) {
	relocations, err := im.relocations()
	if err != nil {
		return module{}, false
	}
	const candidates = 16 // moduledata is the only one in fact
	var places []uint64
	for place, value := range relocations {
		if value == table && len(places) < candidates {
			places = append(places, place)
		}
	}
	for _, start := range places {
		m, ok := im.moduleAt(start)
		if !ok {
			continue
		}
		for place, value := range relocations {
			if word := (place - start) / 8; place >= start && word < moduleWords {
				m[word] = value
			}
		}
		if m.valid(im, table, t) {
			return m, true
		}
	}
	return module{}, false
}

// relocations reads the relocations that only add the load address: place and value of each.
func (im *image) relocations() (iter.Seq2[uint64, uint64], error) {
	var address, size uint64
	for tag, value := range im.dynamic() {
		switch tag {
		case elf.DT_RELA:
			address = value
		case elf.DT_RELASZ:
			size = value
		}
	}
	data, err := im.readAddress(address, size)
	if err != nil {
		return nil, fmt.Errorf("relocations: %w", err)
	}
	relative := uint32(elf.R_X86_64_RELATIVE)
	if im.machine == elf.EM_AARCH64 {
		relative = uint32(elf.R_AARCH64_RELATIVE)
	}
	le := binary.LittleEndian
	return func(yield func(uint64, uint64) bool) {
		for b := data; len(b) >= 24; b = b[24:] {
			if le.Uint32(b[8:]) == relative && !yield(le.Uint64(b), le.Uint64(b[16:])) {
				return
			}
		}
	}, nil
}

// dynamic reads the dynamic section: pairs of tag and value.
func (im *image) dynamic() iter.Seq2[elf.DynTag, uint64] {
	return func(yield func(elf.DynTag, uint64) bool) {
		for _, s := range im.segments {
			if s.Type != uint32(elf.PT_DYNAMIC) {
				continue
			}
			b, err := im.read(s.Off, min(s.Filesz, maxNotes))
			for err == nil && len(b) >= 16 {
				tag, value := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
				if elf.DynTag(tag) == elf.DT_NULL || !yield(elf.DynTag(tag), value) {
					return
				}
				b = b[16:]
			}
		}
	}
}

// search yields the places where the chosen loaded segments hold a few bytes, as offsets in the file.
func (im *image) search(what []byte, chosen func(elf.Prog64) bool) iter.Seq2[elf.Prog64, uint64] {
	return func(yield func(elf.Prog64, uint64) bool) {
		tries := 0
		for s, c := range im.chunks(len(what), chosen) {
			for at := 0; ; at++ {
				next := bytes.Index(c.data[at:], what)
				if next < 0 {
					break
				}
				at += next
				if tries++; tries > maxTries || !yield(s, c.offset+uint64(at)) {
					return
				}
			}
		}
	}
}

// chunk is a part of a segment.
type chunk struct {
	offset uint64 // in the file
	data   []byte // shared with the next chunk: not to be kept
}

// chunks reads through the chosen loaded segments. Chunks overlap so that n bytes together are not missed.
func (im *image) chunks(n int, chosen func(elf.Prog64) bool) iter.Seq2[elf.Prog64, chunk] {
	return func(yield func(elf.Prog64, chunk) bool) {
		buf := make([]byte, scanStep+n-1)
		left := uint64(maxScan)
		for _, s := range im.segments {
			if s.Type != uint32(elf.PT_LOAD) || !chosen(s) || s.Off > uint64(im.size) {
				continue
			}
			end := s.Off + min(s.Filesz, uint64(im.size)-s.Off, left)
			left -= end - s.Off
			for at := s.Off; at < end; at += scanStep {
				b := buf[:min(uint64(len(buf)), end-at)]
				if _, err := im.r.ReadAt(b, int64(at)); err != nil && !errors.Is(err, io.EOF) {
					break
				}
				if !yield(s, chunk{offset: at, data: b}) {
					return
				}
			}
		}
	}
}
