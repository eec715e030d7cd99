package symbols

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
)

// ownTable is the pclntab of the test's own binary.
func ownTable(t testing.TB) *lineTable {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	im, err := newImage(f, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	table, _, err := openLineTable(im)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// realTable is ownTable with its first functions only and as much of each table as these need.
func realTable(t testing.TB, functions uint64) (data, inline string) {
	t.Helper()
	whole := ownTable(t)
	return trim(whole, functions), whole.inline[:min(len(whole.inline), 2048)]
}

func trim(whole *lineTable, functions uint64) string {
	le := binary.LittleEndian
	gone := 8 * (whole.nfunc - functions)
	records := 8*whole.nfunc + 4
	var funcs []byte
	for i := range functions {
		f := whole.function(i)
		funcs = le.AppendUint32(le.AppendUint32(funcs, uint32(f.entry)), uint32(f.record-gone))
	}
	funcs = le.AppendUint32(funcs, uint32(whole.function(functions).entry))
	funcs = append(funcs, whole.funcs[records:records+128*functions]...)

	data := []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, byte(whole.quantum), 8}
	data = le.AppendUint64(data, functions)
	data = le.AppendUint64(le.AppendUint64(data, 0), textAddress)
	parts := []string{whole.names[:4096], whole.units[:1024], whole.files[:2048], whole.pcs[:8192], string(funcs)}
	at := uint64(headerLen)
	for _, part := range parts {
		data = le.AppendUint64(data, at)
		at += uint64(len(part))
	}
	return string(data) + strings.Join(parts, "")
}

// Where smallELF puts things: addresses are offsets in the file plus these.
const (
	textAddress = 0x401000
	textOffset  = 0x1000
	textSize    = 0x4000
)

// smallELF makes an ELF file around a pclntab: code, tables, moduledata. Without relocation moduledata holds
// its pointers, with it they are in relocations only.
func smallELF(table, inline string, relocated bool) []byte {
	le := binary.LittleEndian
	const base = textAddress - textOffset
	tables := uint64(textOffset + textSize)
	gofunc := tables + uint64(len(table))
	data := (gofunc + uint64(len(inline)) + 7) &^ 7
	t, err := newLineTable(table)
	if err != nil {
		panic(err)
	}
	from, _ := t.scan()
	mod := module{moduleHeader: base + tables, moduleNames: base + tables + t.offset(t.names),
		moduleText: textAddress, moduleETEXT: textAddress + textSize, moduleGofunc: base + gofunc - from}

	var memory, relocations []byte
	for i, word := range mod {
		if relocated && word != 0 {
			relocations = le.AppendUint64(relocations, base+data+8*uint64(i))
			relocations = le.AppendUint64(relocations, uint64(elf.R_X86_64_RELATIVE))
			relocations = le.AppendUint64(relocations, word)
			word = 0
		}
		memory = le.AppendUint64(memory, word)
	}
	relocationsAt := data + uint64(len(memory))
	dynamicAt := relocationsAt + uint64(len(relocations))
	var dynamic []byte
	for _, v := range []uint64{uint64(elf.DT_RELA), base + relocationsAt, uint64(elf.DT_RELASZ), uint64(len(relocations)), 0, 0} {
		dynamic = le.AppendUint64(dynamic, v)
	}
	note := []byte("\x04\x00\x00\x00\x04\x00\x00\x00\x03\x00\x00\x00GNU\x00\xde\xad\xbe\xef")
	noteAt := dynamicAt + uint64(len(dynamic))
	size := noteAt + uint64(len(note))

	segments := []elf.Prog64{
		{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Off: textOffset, Vaddr: textAddress, Filesz: textSize, Memsz: textSize},
		{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R), Off: tables, Vaddr: base + tables, Filesz: data - tables, Memsz: data - tables},
		{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W), Off: data, Vaddr: base + data, Filesz: size - data, Memsz: size - data},
		{Type: uint32(elf.PT_DYNAMIC), Off: dynamicAt, Filesz: uint64(len(dynamic))},
		{Type: uint32(elf.PT_NOTE), Off: noteAt, Filesz: uint64(len(note))},
	}
	header := elf.Header64{Machine: uint16(elf.EM_X86_64), Phoff: 64, Phentsize: 56, Phnum: uint16(len(segments)), Shentsize: 64}
	copy(header.Ident[:], "\x7fELF\x02\x01\x01")

	file := make([]byte, size)
	_, err1 := binary.Encode(file, le, header)
	_, err2 := binary.Encode(file[64:], le, segments)
	if err := errors.Join(err1, err2); err != nil {
		panic(err)
	}
	copy(file[tables:], table)
	copy(file[gofunc:], inline)
	copy(file[data:], memory)
	copy(file[relocationsAt:], relocations)
	copy(file[dynamicAt:], dynamic)
	copy(file[noteAt:], note)
	return file
}

func nothing() error { return nil }

func TestSmallELF(t *testing.T) {
	table, inline := realTable(t, 16)
	for _, relocated := range []bool{false, true} {
		data := smallELF(table, inline, relocated)
		f := newFile(bytes.NewReader(data), int64(len(data)), nothing)
		held := f.load(debugFiles{}, nil)
		if f.lines == nil {
			t.Fatalf("relocated %t: no lines: %v", relocated, f.problem)
		}
		if f.id != "deadbeef" || held < int64(len(table)) || f.source != nil {
			t.Errorf("relocated %t: build id %q, %d bytes held", relocated, f.id, held)
		}
		lines, isGo := f.lookup(textAddress, "x")
		// With the race detector the first functions are C's.
		if len(lines) != 1 || lines[0].function == "" || isGo != strings.Contains(lines[0].function, ".") || isGo != (lines[0].line > 0) {
			t.Errorf("relocated %t: first function is %+v", relocated, lines)
		}
		lines, isGo = f.lookup(textAddress+textSize-1, "/a/x")
		if isGo || len(lines) != 1 || lines[0].function != "x+0x404fff" {
			t.Errorf("relocated %t: behind the last function is %+v", relocated, lines)
		}
	}
}

// TestOldTable: an unknown format is told, and does not hide what symbols there are.
func TestOldTable(t *testing.T) {
	table, _ := realTable(t, 4)
	for magic, text := range map[uint32]string{magicGo118: "Go 1.19 or older", 0xfffffff2: "unknown magic"} {
		old := binary.LittleEndian.AppendUint32(nil, magic)
		_, err := newLineTable(string(old) + table[4:])
		if !errors.Is(err, ErrNotSupported) || !strings.Contains(err.Error(), text) {
			t.Errorf("magic %#x: %v", magic, err)
		}
	}
	for _, n := range []int{0, 1, headerLen - 1, headerLen} {
		if _, err := newLineTable(table[:n]); !errors.Is(err, errMalformed) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// TestLyingSizes: what a file says of itself is compared with what it is before memory is asked for.
func TestLyingSizes(t *testing.T) {
	table, inline := realTable(t, 4)
	good := smallELF(table, inline, false)
	for _, at := range []int{32, 40, 54, 56, 60, 64 + 8, 64 + 32, 120 + 8, 120 + 32, 176 + 32, 232 + 8, 232 + 32, 288 + 32} {
		bad := bytes.Clone(good)
		for i := range 8 {
			bad[at+i] |= 0x7f
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f := newFile(bytes.NewReader(bad), int64(len(bad)), nothing)
		held := f.load(debugFiles{}, nil)
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; held > 1<<20 || allocated > 8<<20 {
			t.Errorf("byte %d: %d bytes held, %d allocated for a file of %d", at, held, allocated, len(bad))
		}
	}
}

// TestRoots compares the comment of isRoot with what the runtime of this Go version marks.
func TestRoots(t *testing.T) {
	marked := map[string]bool{"runtime.goexit": true, "runtime.rt0_go": true, "runtime.mstart": true,
		"runtime.sigtramp": true, "runtime.mcall": false, "runtime.morestack": false}
	table := ownTable(t)
	found := 0
	for i := range table.nfunc {
		f := table.function(i)
		name := cString(table.names, uint64(table.record32(f, funcNameOff)), maxName)
		mark := table.recordByte(f, funcFlag)&flagTopFrame != 0
		want, known := marked[name]
		if known {
			found++
		}
		if mark != want || known != isRoot(name) {
			t.Errorf("%s: marked %t, want %t; a root %t, want %t", name, mark, want, isRoot(name), known)
		}
	}
	if found != len(marked) {
		t.Errorf("%d roots in the binary, want %d", found, len(marked))
	}
}

func FuzzFile(f *testing.F) {
	table, inline := realTable(f, 4)
	f.Add(smallELF(table, inline, false), uint64(textAddress+1))
	f.Add(smallELF(table, inline, true), uint64(textAddress+100))
	f.Fuzz(func(t *testing.T, data []byte, address uint64) {
		file := newFile(bytes.NewReader(data), int64(len(data)), nothing)
		if held := file.load(debugFiles{}, nil); held > 3*int64(len(data))+1<<16 {
			t.Errorf("%d bytes held of a file of %d", held, len(data))
		}
		lines, isGo := file.lookup(address, "/x")
		if !isGo && len(lines) != 1 || len(lines) > maxInlined+1 {
			t.Errorf("%d lines", len(lines))
		}
		if file.image != nil {
			file.image.address(address)
		}
	})
}

func FuzzLineTable(f *testing.F) {
	table, inline := realTable(f, 16)
	for _, pc := range []uint64{0, 1, 100, 1000, 5000} {
		f.Add([]byte(table), []byte(inline), textAddress+pc)
	}
	f.Fuzz(func(t *testing.T, data, inline []byte, address uint64) {
		table, err := newLineTable(string(data))
		if err != nil {
			return
		}
		table.inline = string(inline)
		table.inlineFrom, _ = table.scan()
		for _, a := range []uint64{address, table.text, address + table.text} {
			lines, isGo, ok := table.lookup(a)
			if !ok && (isGo || len(lines) > 0) || len(lines) > maxInlined+1 {
				t.Errorf("%d lines, ok %t", len(lines), ok)
			}
			for i, l := range lines {
				if last := i == len(lines)-1; last && l.inlined {
					t.Errorf("the last line is inlined into nothing: %+v", lines)
				}
			}
		}
	})
}
