package symbols

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/bpf/exectest"
)

// walked is what testdata/walk prints of one stack.
type walked struct {
	Name      string
	Addresses []uint64
	Frames    []struct {
		Function string
		File     string
		Line     int
	}
}

// variant is a way to build a program of testdata.
type variant struct {
	name string
	cgo  bool
	args []string
	edit func(t testing.TB, binary string)
}

// variants are those whose stacks must all read the same.
var variants = []variant{
	{name: "plain"},
	{name: "stripped", args: []string{"-ldflags=-s -w"}},
	{name: "pie", args: []string{"-buildmode=pie"}},
	{name: "pie stripped", args: []string{"-buildmode=pie", "-ldflags=-s -w"}},
	{name: "cgo pie stripped", cgo: true, args: []string{"-buildmode=pie", "-ldflags=-linkmode=external -s -w"}},
	{name: "cgo stripped", cgo: true, args: []string{"-ldflags=-linkmode=external -s -w"}},
	{name: "cgo internal", cgo: true, args: []string{"-ldflags=-linkmode=internal"}},
	{name: "no section headers", edit: cutSectionHeaders},
	{name: "pie, no section headers", args: []string{"-buildmode=pie"}, edit: cutSectionHeaders},
}

// cutSectionHeaders makes the ELF header say that there are none.
func cutSectionHeaders(t testing.TB, binary string) {
	f, err := os.OpenFile(binary, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err1 := f.WriteAt(make([]byte, 8), 40) // e_shoff
	_, err2 := f.WriteAt(make([]byte, 4), 60) // e_shnum, e_shstrndx
	if err := errors.Join(err1, err2, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func (v variant) build(t testing.TB, program string) string {
	t.Helper()
	binary := exectest.Build(t, "testdata/"+program, v.cgo, v.args...)
	if v.edit != nil {
		v.edit(t, binary)
	}
	return binary
}

// run starts a program and returns the JSON that it prints. The program lives until the test ends, or has
// it end.
func run[T any](t testing.TB, cmd *exec.Cmd) (program *exectest.Program, printed T) {
	t.Helper()
	program = exectest.Start(t, cmd)
	t.Cleanup(program.End)
	program.Decode(&printed)
	return program, printed
}

// walk starts a build of testdata/walk and returns its stacks.
func walk(t testing.TB, binary string) (*exectest.Program, []walked) {
	t.Helper()
	return run[[]walked](t, exec.Command(binary))
}

func open(t testing.TB, pid int, debugDirs ...string) *Process {
	t.Helper()
	s := New("/proc", debugDirs...)
	p, err := s.Process(pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// leafFirst makes the walked return addresses a stack as the kernel has it, whose first address is no
// return address.
func leafFirst(addresses []uint64) []uint64 {
	stack := slices.Clone(addresses)
	stack[0]--
	return stack
}

func TestStackEqualsRuntime(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			binary := v.build(t, "walk")
			program, stacks := walk(t, binary)
			p := open(t, program.PID)
			compare(t, p, binary, stacks)
			compareDetails(t, p, slices.Contains(v.args, "-buildmode=pie"), stacks[0])
		})
	}
}

// compare requires function, file and line of each frame to be what the runtime said itself.
func compare(t *testing.T, p *Process, binary string, stacks []walked) {
	t.Helper()
	if len(stacks) != 5 {
		t.Fatalf("%d stacks, want 5", len(stacks))
	}
	for _, w := range stacks {
		frames, cut := p.Stack(leafFirst(w.Addresses))
		if cut {
			t.Errorf("%s: cut", w.Name)
		}
		var got, want []string
		for i, f := range frames {
			got = append(got, fmt.Sprintf("%s %s:%d", f.Function, f.File, f.Line))
			if f.Inlined && (i+1 == len(frames) || frames[i+1].Offset != f.Offset) {
				t.Errorf("%s: %s is inlined into nothing", w.Name, f.Function)
			}
			if f.Binary != binary {
				t.Errorf("%s: binary %q, want %q", w.Name, f.Binary, binary)
			}
		}
		for _, f := range w.Frames {
			want = append(want, fmt.Sprintf("%s %s:%d", f.Function, f.File, f.Line))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got\n  %s\nwant\n  %s", w.Name, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
		}
	}
	for _, err := range p.Problems() {
		t.Error(err)
	}
}

// TestOlderGo needs toolchains that are not part of the build: WEFT_TEST_TOOLCHAINS="go1.20.14 go1.24.9".
func TestOlderGo(t *testing.T) {
	toolchains := strings.Fields(os.Getenv("WEFT_TEST_TOOLCHAINS"))
	if len(toolchains) == 0 {
		t.Skip("WEFT_TEST_TOOLCHAINS names no toolchains")
	}
	for _, toolchain := range toolchains {
		t.Setenv("GOTOOLCHAIN", toolchain)
		for _, v := range variants {
			t.Run(toolchain+" "+v.name, func(t *testing.T) {
				binary := v.build(t, "walk")
				program, stacks := walk(t, binary)
				p := open(t, program.PID)
				compare(t, p, binary, stacks)
				compareDetails(t, p, slices.Contains(v.args, "-buildmode=pie"), stacks[0])
			})
		}
	}
}

// compareDetails requires what the runtime does not say: which frames are inlined, and where in the file.
func compareDetails(t *testing.T, p *Process, pie bool, w walked) {
	t.Helper()
	type detail struct {
		function  string
		startLine int
		inlined   bool
		found     string
	}
	want := []detail{
		{"main.leaf", lineOf(t, "func leaf()"), false, "register"},
		{"main.inlinedTwice", lineOf(t, "func inlinedTwice()"), true, "inline table"},
		{"main.inlinedOnce", lineOf(t, "func inlinedOnce()"), true, "inline table"},
		{"main.middle", lineOf(t, "func middle()"), true, "inline table"},
		{"main.outer", lineOf(t, "func outer()"), false, "frame pointer"},
	}
	frames, _ := p.Stack(leafFirst(w.Addresses))
	var got []detail
	for _, f := range frames {
		got = append(got, detail{f.Function, f.StartLine, f.Inlined, f.Found})
		if f.BuildID != frames[0].BuildID || f.BuildID == "" {
			t.Errorf("%s: build id %q", f.Function, f.BuildID)
		}
	}
	if len(got) < 5 || !slices.Equal(got[:5], want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
	// Where the binary is not position-independent its ELF addresses are those of the process.
	address := w.Addresses[1] - 1
	if c, _ := p.find(address); pie {
		address -= c.start - c.offset - offsetOfText(t, c)
	}
	if frames[1].Offset != address || frames[4].Offset != address {
		t.Errorf("offsets %#x and %#x, want %#x", frames[1].Offset, frames[4].Offset, address)
	}
}

// offsetOfText is the distance of ELF addresses of code from its offsets in the file.
func offsetOfText(t *testing.T, c code) uint64 {
	t.Helper()
	f, err := elf.Open(c.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 {
			return p.Vaddr - p.Off
		}
	}
	t.Fatal("no code")
	return 0
}

// TestCgoEndsStack: C code in a Go program need not keep frame pointers, so what the walk found behind it is no
// frame, in whatever way the two were linked.
func TestCgoEndsStack(t *testing.T) {
	for _, args := range [][]string{
		{"-ldflags=-linkmode=external"},
		{"-ldflags=-linkmode=external -s -w"},
		{"-buildmode=pie", "-ldflags=-linkmode=external"},
		{"-buildmode=pie", "-ldflags=-linkmode=external -s -w"},
	} {
		binary := exectest.Build(t, "testdata/walk", true, args...)
		f, err := elf.Open(binary)
		if err != nil {
			t.Fatal(err)
		}
		section := f.Section(".fini")
		f.Close()
		if section == nil {
			t.Skip("this libc has no section .fini")
		}
		program, stacks := walk(t, binary)
		p := open(t, program.PID)
		c, _ := p.find(stacks[0].Addresses[0])
		inC := section.Offset - c.offset + c.start
		goes := stacks[0].Addresses
		frames, cut := p.Stack([]uint64{inC, goes[0], goes[1]})
		if len(frames) != 1 || !cut || strings.Contains(frames[0].Function, "main.") || frames[0].Line != 0 {
			t.Errorf("%q: from C: cut %t, %+v", args, cut, frames)
		}
		frames, cut = p.Stack([]uint64{goes[0], inC + 1, goes[1]})
		if len(frames) != 2 || !cut || frames[1].Offset != section.Addr {
			t.Errorf("%q: through C: cut %t, %+v", args, cut, frames)
		}
	}
}

func lineOf(t *testing.T, text string) int {
	t.Helper()
	source, err := os.ReadFile("testdata/walk/main.go")
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(source), "\n"+text)
	if !found {
		t.Fatalf("no %q in the source", text)
	}
	return strings.Count(before, "\n") + 2
}

func TestCut(t *testing.T) {
	program, stacks := walk(t, exectest.Build(t, "testdata/walk", false))
	p := open(t, program.PID)
	whole := leafFirst(stacks[0].Addresses)
	elsewhere := slices.Clone(whole)
	elsewhere[2] = 0xdead0000dead
	for _, tt := range []struct {
		name   string
		stack  []uint64
		frames int
		cut    bool
	}{
		{"whole", whole, 8, false},
		{"beyond the root", append(slices.Clone(whole), 0xdead, whole[0]), 8, false},
		{"root missing", whole[:len(whole)-1], 7, true},
		{"middle elsewhere", elsewhere, 5, true},
		{"nothing", nil, 0, true},
		{"nowhere", []uint64{0}, 0, true},
		{"last address", []uint64{^uint64(0)}, 0, true},
	} {
		frames, cut := p.Stack(tt.stack)
		if len(frames) != tt.frames || cut != tt.cut {
			t.Errorf("%s: %d frames, cut %t, want %d, %t", tt.name, len(frames), cut, tt.frames, tt.cut)
		}
	}
}

// TestGone removes the binary and ends the process before the first name is asked for.
func TestGone(t *testing.T) {
	binary := exectest.Build(t, "testdata/walk", false)
	program, stacks := walk(t, binary)
	if err := os.Remove(binary); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, []byte("another file"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := open(t, program.PID)
	program.End()
	if err := p.Refresh(); err == nil {
		t.Error("refresh of a process that is gone: no error")
	}
	compare(t, p, binary, stacks)
}

// TestNotGo names C code by its symbols and never walks on from it.
func TestNotGo(t *testing.T) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc:", err)
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "c.c")
	code := "#include <stdio.h>\nstatic int here(void){return getchar();}\n" +
		"int main(void){printf(\"%lu\\n\", (unsigned long)here+4); fflush(stdout); return here()>0;}\n"
	if err := os.WriteFile(source, []byte(code), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ flag, function string }{{"-g", "here"}, {"-s", "c program+0x"}} {
		binary := filepath.Join(dir, "c program")
		if out, err := exec.Command(gcc, "-O0", tt.flag, "-o", binary, source).CombinedOutput(); err != nil {
			t.Fatalf("gcc: %v\n%s", err, out)
		}
		program, address := run[uint64](t, exec.Command(binary))
		frames, cut := open(t, program.PID).Stack([]uint64{address, address})
		if len(frames) != 1 || !cut || !strings.HasPrefix(frames[0].Function, tt.function) || frames[0].Binary != binary {
			t.Errorf("%s: cut %t, frames %+v, want one, %q", tt.flag, cut, frames, tt.function)
		}
		if len(frames) > 0 && (frames[0].Offset == 0 || frames[0].Offset >= 1<<20 || len(frames[0].BuildID) != 40) {
			t.Errorf("%s: offset %#x, build id %q", tt.flag, frames[0].Offset, frames[0].BuildID)
		}
		program.End()
	}
}

// TestForeign: C code that Go's linker put in stands in the pclntab, and is not walked on from either.
func TestForeign(t *testing.T) {
	program, stacks := walk(t, exectest.Build(t, "testdata/walk", true, "-ldflags=-linkmode=internal"))
	p := open(t, program.PID)
	if _, cut := p.Stack(leafFirst(stacks[0].Addresses)); cut { // reads the tables
		t.Fatal("cut")
	}
	const name = "x_cgo_init" // of runtime/cgo
	c, _ := p.find(stacks[0].Addresses[0])
	table := c.file.lines
	for i := range table.nfunc {
		f := table.function(i)
		if cString(table.names, uint64(table.record32(f, funcNameOff)), maxName) != name {
			continue
		}
		frames, cut := p.Stack(append([]uint64{table.text + f.entry}, stacks[0].Addresses...))
		if len(frames) != 1 || frames[0].Function != name || !cut {
			t.Errorf("cut %t, frames %+v, want one, %s", cut, frames, name)
		}
		return
	}
	t.Errorf("no %s in the pclntab", name)
}

// TestOneFileForAll checks that processes of one binary share its tables.
func TestOneFileForAll(t *testing.T) {
	binary := exectest.Build(t, "testdata/walk", false)
	s := New("/proc")
	for range 3 {
		program, stacks := walk(t, binary)
		p, err := s.Process(program.PID)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, p, binary, stacks)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(s.files) != 1 || len(s.open) != 0 {
		t.Errorf("%d files known, %d open, want 1 and 0", len(s.files), len(s.open))
	}
	if s.memory == 0 || s.memory > 8<<20 {
		t.Errorf("%d bytes of tables", s.memory)
	}
}

// BenchmarkStack names 100,000 addresses of the test's own code a run, none of them twice: ns/op is what that
// costs with nothing remembered but the file's tables.
func BenchmarkStack(b *testing.B) {
	const count = 100_000
	p := open(b, os.Getpid())
	start := textOf(b, p)
	for b.Loop() {
		p.symbolizer.cache, p.symbolizer.lines = make(map[place]answer), 0
		named := 0
		for i := range uint64(count) {
			frames, _ := p.Stack([]uint64{start + 16*i})
			named += min(len(frames), 1)
		}
		if named < count*9/10 { // the rest are wrappers
			b.Fatalf("%d of %d addresses named", named, count)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/address")
}

// textOf is where the Go code of the process's main program begins.
func textOf(t testing.TB, p *Process) uint64 {
	t.Helper()
	for _, c := range p.code {
		if c.file == nil {
			continue
		}
		p.symbolizer.load(c.file, nil)
		if c.file.lines != nil {
			return c.file.lines.text
		}
	}
	t.Fatal("no Go code")
	return 0
}
