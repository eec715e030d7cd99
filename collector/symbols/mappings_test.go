package symbols

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseMappings(t *testing.T) {
	f, err := os.Open("testdata/maps/hostile")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := parseMappings(f)
	if err != nil {
		t.Fatal(err)
	}
	want := []mapping{
		{0x401000, 0x48b000, 0x1000, unix.Mkdev(8, 1), 131075, "/usr/bin/plain"},
		{0x55d0c8a00000, 0x55d0c8b00000, 0, unix.Mkdev(0x103, 5), 9, "/tmp/two  words and trailing "},
		{0x55d0c8c00000, 0x55d0c8d00000, 0x2000, unix.Mkdev(0, 0x2f), 1<<64 - 1, "/tmp/line\nbreak (deleted)"},
		{0x7f0000000000, 0x7f0000001000, 0, 0, 0, ""},
		{0x7f0000002000, 0x7f0000003000, 0, 0, 0, "[anon:<script>alert(1)</script>]"},
		{0x7f0000004000, 0x7f0000005000, 0, unix.Mkdev(0, 1), 1025, "/memfd:jit (deleted)"},
		{0x7ffd5aa60000, 0x7ffd5aa62000, 0, 0, 0, "[vdso]"},
		{0xffffffffff600000, 0xffffffffff601000, 0, 0, 0, "[vsyscall]"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	var names []string
	for _, m := range got {
		names = append(names, m.name())
	}
	if names[2] != "/tmp/line\nbreak" || names[3] != "[anon]" || names[6] != "[vdso]" {
		t.Errorf("names %q", names)
	}
}

func TestParseMappingMalformed(t *testing.T) {
	for _, line := range []string{
		"", " ", "-", "1-2", "1-2 r-xp", "1-2 r-xp 0", "1-2 r-xp 0 08:01", "1-2 r-xp 0 0801 1", "12 r-xp 0 08:01 1",
		"2-1 r-xp 0 08:01 1", "1-1 r-xp 0 08:01 1", "x-2 r-xp 0 08:01 1", "1-2 rx 0 08:01 1", "1-2 r-xp 0 08:01 -1",
		"1-2 r-xp 0 100000000:01 1", "1-10000000000000000 r-xp 0 08:01 1", "0-ffffffffffffffff r-xp 2 08:01 1",
	} {
		if _, _, err := parseMapping(line); !errors.Is(err, errMapsLine) {
			t.Errorf("%q: error %v, want %v", line, err, errMapsLine)
		}
	}
}

func TestParseMappingsBounds(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "1000-2000 r-xp 00000000 08:01 7 /%s\n", strings.Repeat("x", 3*maxMapsLineLen))
	for i := range maxExecutable + 10 {
		fmt.Fprintf(&b, "%x-%x r-xp 00000000 08:01 8 /y\n", 0x2000+i<<12, 0x3000+i<<12)
	}
	got, err := parseMappings(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != maxExecutable {
		t.Errorf("%d mappings, want %d", len(got), maxExecutable)
	}
	if n := len(got[0].path); n == 0 || n > maxMapsLineLen || got[1].path != "/y" {
		t.Errorf("path of %d bytes, then %q", n, got[1].path)
	}
}

// TestProcessFixture reads a copy of /proc, and takes a file only where it is the one that was mapped.
func TestProcessFixture(t *testing.T) {
	root := t.TempDir()
	inside := filepath.Join(root, "7", "root", "lib")
	if err := os.MkdirAll(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	lib := filepath.Join(inside, "so")
	if err := os.WriteFile(lib, []byte(strings.Repeat("no ELF ", 10)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Stat(lib, &st); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(inside, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	var fifo unix.Stat_t
	if err := unix.Stat(filepath.Join(inside, "fifo"), &fifo); err != nil {
		t.Fatal(err)
	}
	device := fmt.Sprintf("%02x:%02x", unix.Major(st.Dev), unix.Minor(st.Dev))
	maps := fmt.Sprintf("1000-2000 r-xp 0 %s %d /lib/so\n", device, st.Ino) +
		fmt.Sprintf("2000-3000 r-xp 5000 %s %d /lib/../lib/so\n", device, st.Ino+1<<40) +
		fmt.Sprintf("3000-4000 r-xp 0 %s %d /lib/fifo\n", device, fifo.Ino) +
		"4000-5000 r-xp 0 00:00 0\n"
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(root, "7", "maps"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(maps)
	s := New(root)
	p, err := s.Process(7)
	if err != nil {
		t.Fatal(err)
	}
	check := func(address uint64, function string, problem error) {
		t.Helper()
		frames, cut := p.Stack([]uint64{address})
		if len(frames) != 1 || frames[0].Function != function || !cut {
			t.Errorf("%#x: %+v, cut %t, want %q", address, frames, cut, function)
		}
		if err := errors.Join(p.Problems()...); problem != nil && !errors.Is(err, problem) {
			t.Errorf("%#x: problems %v, want %v", address, err, problem)
		}
	}
	check(0x1010, "so+0x10", ErrNotSupported)
	check(0x2010, "so+0x5010", errOtherFile)
	check(0x3010, "fifo+0x10", errNotRegular)
	check(0x4010, "[anon]+0x10", nil)

	// Unloaded code stays known, code in its place replaces it.
	write("3800-4800 r-xp 0 00:00 0 [new]\n")
	if err := p.Refresh(); err != nil {
		t.Fatal(err)
	}
	check(0x1010, "so+0x10", nil)
	check(0x3810, "[new]+0x10", nil)
	if frames, _ := p.Stack([]uint64{0x3010}); len(frames) != 0 {
		t.Errorf("replaced code is still known: %+v", frames)
	}
	if _, err := s.Process(8); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such process: %v", err)
	}
	if err := errors.Join(p.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := p.Refresh(); err == nil {
		t.Error("refresh after close: no error")
	}
}

func FuzzParseMapping(f *testing.F) {
	text, err := os.ReadFile("testdata/maps/hostile")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		mappings, err := parseMappings(strings.NewReader(text))
		if err != nil {
			return
		}
		for i, m := range mappings {
			if m.start >= m.end || m.offset+(m.end-m.start) < m.offset || m.name() == "" && m.path == "" {
				t.Errorf("mapping %+v", m)
			}
			if i > 0 && mappings[i-1].start > m.start {
				t.Errorf("not sorted: %+v", mappings)
			}
		}
	})
}
