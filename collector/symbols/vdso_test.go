package symbols

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// vdsoOf reads the vDSO of a process in another way than the package does.
func vdsoOf(t testing.TB, pid int) (start uint64, symbols []elf.Symbol) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	var end uint64
	for line := range strings.Lines(string(maps)) {
		if strings.HasSuffix(line, "[vdso]\n") {
			if _, err := fmt.Sscanf(line, "%x-%x", &start, &end); err != nil {
				t.Fatal(err)
			}
		}
	}
	if start == 0 {
		t.Skip("the kernel maps no vDSO")
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	data := make([]byte, end-start)
	if _, err := mem.ReadAt(data, int64(start)); err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	symbols, err = f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	return start, symbols
}

// TestVDSO looks for each of the vDSO's own functions, at its first and last byte, after the process is gone.
func TestVDSO(t *testing.T) {
	program := startCat(t)
	start, symbols := vdsoOf(t, program.PID)
	p := open(t, program.PID)
	program.End()
	var found []string
	for _, s := range symbols {
		if !strings.HasPrefix(s.Name, "__") || elf.ST_TYPE(s.Info) != elf.STT_FUNC || s.Size == 0 {
			continue
		}
		for _, address := range []uint64{s.Value, s.Value + s.Size - 1} {
			frames, cut := p.Stack([]uint64{start + address, 0})
			if len(frames) != 1 || !cut || frames[0].Function != s.Name || frames[0].Binary != "[vdso]" ||
				frames[0].Offset != address || len(frames[0].BuildID) < 8 {
				t.Errorf("%s at %#x: cut %t, %+v", s.Name, address, cut, frames)
			}
		}
		found = append(found, s.Name)
	}
	if !slices.ContainsFunc(found, func(s string) bool { return strings.HasSuffix(s, "clock_gettime") }) {
		t.Errorf("no clock_gettime among %q", found)
	}
	for _, err := range p.Problems() {
		t.Error(err)
	}
}

func TestOtherVDSO(t *testing.T) {
	s := New("/proc")
	own, err := ownVDSOMapping()
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the kernel maps no vDSO")
	}
	if err != nil {
		t.Fatal(err)
	}
	size := own.end - own.start
	for _, start := range []uint64{own.start, 0x7f0000000000} {
		if f, err := s.vdso(mapping{start: start, end: start + size, path: "[vdso]"}); f == nil || err != nil {
			t.Errorf("at %#x: %v, %v", start, f, err)
		}
	}
	for _, m := range []mapping{
		{start: own.start, end: own.end + 4096, path: "[vdso]"},
		{start: 0xf7f00000, end: 0xf7f00000 + size, path: "[vdso]"},
	} {
		if f, err := s.vdso(m); f != nil || !errors.Is(err, errOtherVDSO) {
			t.Errorf("%#x to %#x: %v, %v", m.start, m.end, f, err)
		}
	}
}
