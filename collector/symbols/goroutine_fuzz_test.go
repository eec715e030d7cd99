package symbols

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

// smallDWARF is a unit with runtime.g and runtime.m, as DWARF 4 has it. Each field's place is one byte: a number, or with
// operation an operation that adds it.
func smallDWARF(unit string, operation bool) (abbrev, info []byte) {
	place := []byte{0x38, 0x0f} // data_member_location, udata
	if operation {
		place = []byte{0x38, 0x0a} // block1
	}
	abbrev = slices.Concat(
		[]byte{1, 0x11, 1, 0x03, 0x08, 0, 0},                           // compile unit, with children: name, string
		[]byte{2, 0x13, 1, 0x03, 0x08, 0, 0},                           // structure
		[]byte{3, 0x0d, 0, 0x03, 0x08}, place, []byte{0, 0}, []byte{0}) // member
	entries := append([]byte{1}, unit+"\x00"...)
	for _, s := range []struct {
		name   string
		fields map[string]byte
	}{
		{"runtime.g", map[string]byte{"m": 48, "goid": 100, "parentGoid": 101, "gopc": 102, "startpc": 103, "lockedm": 105}},
		{"runtime.m", map[string]byte{"curg": 104}},
	} {
		entries = append(append(entries, 2), s.name+"\x00"...)
		for name, offset := range s.fields {
			entries = append(append(entries, 3), name+"\x00"...)
			if operation {
				entries = append(entries, 2, 0x23)
			}
			entries = append(entries, offset)
		}
		entries = append(entries, 0)
	}
	entries = append(entries, 0)
	info = binary.LittleEndian.AppendUint32(nil, uint32(7+len(entries)))
	info = append(info, 4, 0, 0, 0, 0, 0, 8) // version, place of the abbreviations, size of an address
	return abbrev, append(info, entries...)
}

func TestFieldsInDWARF(t *testing.T) {
	whole := Fields{M: 48, GoID: 100, Parent: 101, GoPC: 102, StartPC: 103, LockedM: 105, CurG: 104}
	for _, tt := range []struct {
		name string
		edit func(abbrev, info []byte) ([]byte, []byte)
		unit string
		want Fields
		err  error
	}{
		{"whole", nil, "runtime", whole, nil},
		{"another package", nil, "runtimes", Fields{}, errNoFields},
		{"behind another unit", func(abbrev, info []byte) ([]byte, []byte) {
			_, other := smallDWARF("other", false)
			return abbrev, append(other, info...)
		}, "runtime", whole, nil},
		{"a field is missing", func(abbrev, info []byte) ([]byte, []byte) {
			return abbrev, bytes.Replace(info, []byte("curg"), []byte("gruc"), 1)
		}, "runtime", Fields{}, errNoFields},
		{"no sections", func(_, _ []byte) ([]byte, []byte) { return nil, nil }, "runtime", Fields{}, ErrNotSupported},
		{"long abbreviations", func(_, info []byte) ([]byte, []byte) { return make([]byte, maxAbbrev+1), info }, "runtime", Fields{}, ErrNotSupported},
	} {
		for _, operation := range []bool{false, true} {
			abbrev, info := smallDWARF(tt.unit, operation)
			if operation && strings.HasPrefix(tt.name, "behind") {
				continue // it would want abbreviations of its own
			}
			if tt.edit != nil {
				abbrev, info = tt.edit(abbrev, info)
			}
			got, err := fieldsIn(map[string][]byte{".debug_abbrev": abbrev, ".debug_info": info})
			if got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("%s: %+v, %v, want %+v, %v", tt.name, got, err, tt.want, tt.err)
			}
		}
	}
}

func TestFieldsByVersion(t *testing.T) {
	for _, tt := range []struct {
		version string
		curG    uint32 // 0: not known
	}{
		{"go1.20", 192}, {"go1.24.9", 192}, {"go1.25rc1", 184}, {"go1.26.8 X:jsonv2", 184}, {"go1.26-custom", 184},
		{"go1.19.13", 0}, {"go1.27", 0}, {"go1.2", 0}, {"go1.", 0}, {"go1.99999999999999999999", 0},
		{"devel go1.26-abcdef", 0}, {"go2.26", 0}, {"", 0}, {"\xff\x00", 0},
	} {
		fields, err := fieldsByVersion(tt.version)
		if fields.CurG != tt.curG || errors.Is(err, ErrNotSupported) != (tt.curG == 0) {
			t.Errorf("%q: %+v, %v, want m.curg at %d", tt.version, fields, err, tt.curG)
		}
	}
}

func TestDecodeTLS(t *testing.T) {
	for _, tt := range []struct {
		code string
		want int64 // 0: none
	}{
		{"\x64\x48\x89\x14\x25\xf8\xff\xff\xff\x49\x89\xd6", -8},
		{"\x64\x48\x89\x14\x25\x58\xff\xff\xff", -168},
		{"\x48\xc7\xc1\xf8\xff\xff\xff\x64\x48\x89\x11", -8},
		{"\x48\xc7\xc1\xf8\xff\xff\xff\x64\x48\x89\x12", 0},
		{"\x48\xc7\xc1\xf8\xff", 0},
		{"\x64\x48\x89\x14\x25\xf8", 0},
		{"", 0},
	} {
		if got, ok := decodeTLS(tt.code); got != tt.want || ok != (tt.want != 0) {
			t.Errorf("% x: %d, %t, want %d", tt.code, got, ok, tt.want)
		}
	}
}

func FuzzFieldsInDWARF(f *testing.F) {
	for _, operation := range []bool{false, true} {
		abbrev, info := smallDWARF("runtime", operation)
		f.Add(abbrev, info)
	}
	f.Fuzz(func(t *testing.T, abbrev, info []byte) {
		fields, err := fieldsIn(map[string][]byte{".debug_abbrev": abbrev, ".debug_info": info})
		if err != nil && fields != (Fields{}) {
			t.Errorf("%+v, %v", fields, err)
		}
		if greatest := max(fields.M, fields.GoID, fields.Parent, fields.GoPC, fields.StartPC, fields.LockedM, fields.CurG); greatest >= 1<<16 {
			t.Errorf("an offset of %d", greatest)
		}
	})
}

// FuzzProgram reads all that tells goroutines from a whole file.
func FuzzProgram(f *testing.F) {
	table, inline := realTable(f, 4)
	f.Add(smallELF(table, inline, false))
	info := append([]byte(buildInfoMagic), 8, buildInfoInline)
	info = append(append(info, make([]byte, 16)...), "\x08go1.26.8"...)
	f.Add(append(smallELF(table, inline, true), info...))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := newFile(bytes.NewReader(data), int64(len(data)), nothing)
		file.load(debugFiles{}, nil)
		var g program
		if err := g.read(bytes.NewReader(data), int64(len(data)), file); err == nil && g.runtime.Source == "" {
			t.Errorf("%+v without a source", g.runtime)
		}
	})
}
