package symbols

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sectionsELF makes an ELF file with the build id deadbeef, one function and the name of a debug file.
func sectionsELF(function, debugLink string) []byte {
	le := binary.LittleEndian
	note := "\x04\x00\x00\x00\x04\x00\x00\x00\x03\x00\x00\x00GNU\x00\xde\xad\xbe\xef"
	names := "\x00.symtab\x00.strtab\x00.gnu_debuglink\x00.shstrtab\x00"
	symbol := le.AppendUint32(nil, 1)
	symbol = append(symbol, byte(elf.STT_FUNC), 0, 1, 0)
	symbol = le.AppendUint64(le.AppendUint64(symbol, textAddress), 16)
	sections := []struct {
		name     string
		kind     elf.SectionType
		link     uint32
		contents string
	}{
		{"", elf.SHT_NULL, 0, ""},
		{".symtab", elf.SHT_SYMTAB, 2, string(symbol)},
		{".strtab", elf.SHT_STRTAB, 0, "\x00" + function + "\x00"},
		{".gnu_debuglink", elf.SHT_PROGBITS, 0, debugLink + "\x00\x00\x00\x00\x00"},
		{".shstrtab", elf.SHT_STRTAB, 0, names},
	}
	header := elf.Header64{
		Machine: uint16(elf.EM_X86_64), Phoff: 64, Phentsize: 56, Phnum: 1,
		Shoff: 64 + 56, Shentsize: 64, Shnum: uint16(len(sections)), Shstrndx: uint16(len(sections) - 1),
	}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")
	at := header.Shoff + 64*uint64(len(sections))
	contents := []byte(note)
	headers := []elf.Section64{}
	for _, s := range sections {
		headers = append(headers, elf.Section64{
			Name: uint32(max(0, strings.Index(names, s.name))), Type: uint32(s.kind), Link: s.link,
			Off: at + uint64(len(contents)), Size: uint64(len(s.contents)),
		})
		contents = append(contents, s.contents...)
	}
	var file bytes.Buffer
	segment := elf.Prog64{Type: uint32(elf.PT_NOTE), Off: at, Filesz: uint64(len(note))}
	for _, part := range []any{header, segment, headers, contents} {
		if err := binary.Write(&file, le, part); err != nil {
			panic(err)
		}
	}
	return file.Bytes()
}

func everything(uint64) bool { return true }

func TestDebugPaths(t *testing.T) {
	d := debugFiles{dirs: []string{"/a", "/b"}}
	for _, tt := range []struct {
		link, id, binary string
		want             []string
	}{
		{"x.debug", "deadbeef", "/usr/bin/x", []string{
			"/a/.build-id/de/adbeef.debug", "/b/.build-id/de/adbeef.debug",
			"/usr/bin/.debug/x.debug", "/usr/bin/x.debug", "/a/usr/bin/x.debug", "/b/usr/bin/x.debug",
		}},
		{"x.debug", "deadbeef", "/../../etc/x", []string{
			"/a/.build-id/de/adbeef.debug", "/b/.build-id/de/adbeef.debug",
			"/etc/.debug/x.debug", "/etc/x.debug", "/a/etc/x.debug", "/b/etc/x.debug",
		}},
		{"x.debug", "deadbeef", "[anon]", []string{"/a/.build-id/de/adbeef.debug", "/b/.build-id/de/adbeef.debug"}},
		{"..", "deadbeef", "/x", []string{"/a/.build-id/de/adbeef.debug", "/b/.build-id/de/adbeef.debug"}},
		{"../../etc/shadow", "deadbeef", "/x", []string{"/a/.build-id/de/adbeef.debug", "/b/.build-id/de/adbeef.debug"}},
		{"x.debug", "../../../etc", "/x", nil},
		{"x.debug", "8Qm1T/goes/own/id", "/x", nil},
		{"x.debug", "de", "/x", nil},
		{"x.debug", "", "/x", nil},
	} {
		data := sectionsELF("f", tt.link)
		im, err := newImage(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		if got := d.paths(im, tt.id, tt.binary); !slices.Equal(got, tt.want) {
			t.Errorf("%q of %q, %q: %q, want %q", tt.link, tt.binary, tt.id, got, tt.want)
		}
	}
}

func FuzzDebugFile(f *testing.F) {
	f.Add(sectionsELF("main", "main.debug"), "/usr/bin/main", uint64(textAddress))
	f.Add(sectionsELF("_ZN4weft4growEv", "../main.debug"), "/../main", uint64(textAddress+15))
	if vdso, err := readVDSO(); err == nil {
		f.Add(vdso, "[vdso]", uint64(0xc00))
	}
	f.Fuzz(func(t *testing.T, data []byte, path string, address uint64) {
		im, err := newImage(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for _, p := range (debugFiles{dirs: []string{"/debug"}}).paths(im, im.buildID(), path) {
			if p != filepath.Clean(p) || !filepath.IsAbs(p) {
				t.Errorf("path %q", p)
			}
		}
		table, err := readDebugSymbols(bytes.NewReader(data), int64(len(data)), im.buildID(), everything)
		if err != nil {
			return
		}
		if name, ok := table.lookup(address); ok && (name == "" || len(name) > len(data)) {
			t.Errorf("%q", name)
		}
		if table.size > 3*int64(len(data))+1<<10 {
			t.Errorf("%d bytes held of %d", table.size, len(data))
		}
	})
}
