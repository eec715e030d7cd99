package symbols

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weft-profiler/weft/collector/recording"
)

func openKernel(t testing.TB) *Kernel {
	t.Helper()
	k, err := OpenKernel("/proc")
	if errors.Is(err, errHidden) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// kernelLine is a line of /proc/kallsyms.
type kernelLine struct {
	address      uint64
	name, binary string
}

// readKallsyms reads functions in another way than the package does.
func readKallsyms(t testing.TB) []kernelLine {
	t.Helper()
	text, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		t.Fatal(err)
	}
	var lines []kernelLine
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		address, err := strconv.ParseUint(f[0], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains("tTwW", f[1]) {
			continue
		}
		f = append(f, recording.KernelBinary)
		lines = append(lines, kernelLine{address, f[2], f[3]})
	}
	slices.SortStableFunc(lines, func(a, b kernelLine) int {
		if a.address < b.address {
			return -1
		}
		return min(1, int(a.address-b.address))
	})
	return lines
}

// TestKernelFunctions looks for the first, a middle and the last byte of functions taken at random, and of some
// that are in every kernel.
func TestKernelFunctions(t *testing.T) {
	k := openKernel(t)
	lines := readKallsyms(t)
	id := kernelID(t)
	text := lines[slices.IndexFunc(lines, func(l kernelLine) bool { return l.name == "_text" })].address
	always := []string{"ksys_read", "do_sys_poll", "tcp_sendmsg", "schedule"}
	tried := 0
	for i := 1; i+1 < len(lines); i++ {
		l := lines[i]
		alone := l.address != lines[i-1].address && l.address != lines[i+1].address
		if !alone || l.binary != recording.KernelBinary || l.address < text || strings.HasPrefix(l.name, "_") {
			continue
		}
		known := slices.Contains(always, l.name)
		if known {
			always = slices.DeleteFunc(always, func(s string) bool { return s == l.name })
		} else if rand.IntN(100) > 0 {
			continue
		}
		tried++
		last := lines[i+1].address - 1
		for _, address := range []uint64{l.address, l.address + (last-l.address)/2, last} {
			want := recording.Frame{Function: l.name, Binary: "[kernel]", Offset: address - text, BuildID: id, Found: "register"}
			if got := k.Sample([]uint64{address}); got[0] != want {
				t.Errorf("%#x is %+v, want %+v", address, got[0], want)
			}
		}
	}
	if len(always) > 0 || tried < 100 {
		t.Errorf("%d functions tried, without %q", tried, always)
	}
}

// kernelID is the kernel's build id, read in another way than the package does.
func kernelID(t testing.TB) string {
	t.Helper()
	notes, err := os.ReadFile("/sys/kernel/notes")
	if err != nil {
		t.Skip("no /sys/kernel/notes:", err)
	}
	_, id, ok := bytes.Cut(notes, []byte("\x14\x00\x00\x00\x03\x00\x00\x00GNU\x00")) // of SHA-1
	if !ok {
		return ""
	}
	return hex.EncodeToString(id[:20])
}

// smallKallsyms has what a kernel of another build may have.
const smallKallsyms = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T _text
ffffffff81000000 T _stext
ffffffff81000040 T __pfx___schedule
ffffffff81000050 T __schedule
ffffffff81000060 t $x
ffffffff81000100 T __pfx_vfs_read
ffffffff81000110 T vfs_read
ffffffff81000200 T __do_alias
ffffffff81000200 T do_alias
ffffffff81000300 t __traceiter_sched_switch
ffffffff81000400 T bpf_trace_run4
ffffffff81000500 T bpf_prog_free
ffffffff81000600 t call_trace_sock_send_length.constprop.0
ffffffff81000600 D jiffies
ffffffff81000700 t sock_write_iter
ffffffff81001000 T _etext
ffffffffc0202000 t nft_second	[nf_tables]
ffffffffc0201000 t nft_first	[nf_tables]
ffffffffc0300000 t veth_xmit	[veth]
ffffffffc0400000 t bpf_prog_0123456789abcdef_on_switch	[bpf]
ffffffffc0400100 t bpf_prog_fedcba9876543210_take_stack	[bpf]
`

func smallKernel(t testing.TB, text string) *Kernel {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "proc")
	const other, id = "\x04\x00\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00Xen\x00abcd", "\x04\x00\x00\x00\x04\x00\x00\x00\x03\x00\x00\x00GNU\x00"
	writeFiles(t, dir, map[string]string{
		"proc/kallsyms":    text,
		"sys/kernel/notes": other + id + "\xde\xad\xbe\xef",
		"sys/module/nf_tables/notes/.note.gnu.build-id": id + "\x12\x34\x56\x78",
	})
	k, err := OpenKernel(root)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKernelSmall(t *testing.T) {
	k := smallKernel(t, smallKallsyms)
	ids := map[string]string{"[kernel]": "deadbeef", "[nf_tables]": "12345678"}
	for _, tt := range []struct {
		address          uint64
		function, binary string
		offset           uint64
	}{
		{0xffffffff81000000, "_stext", "[kernel]", 0},
		{0xffffffff81000045, "__schedule", "[kernel]", 0x45},
		{0xffffffff810000ff, "__schedule", "[kernel]", 0xff},
		{0xffffffff81000100, "vfs_read", "[kernel]", 0x100},
		{0xffffffff81000210, "do_alias", "[kernel]", 0x210},
		{0xffffffff81000fff, "sock_write_iter", "[kernel]", 0xfff},
		{0xffffffff81001000, "[kernel]+0x1000", "[kernel]", 0x1000},
		{0xffffffffc0201004, "nft_first", "[nf_tables]", 4},
		{0xffffffffc0202004, "nft_second", "[nf_tables]", 0x1004},
		{0xffffffffc0300004, "veth_xmit", "[veth]", 4},
		{0xffffffffc0310000, "[kernel]+0x3f310000", "[kernel]", 0x3f310000},
		{0x1000, "[kernel]+0x7f001000", "[kernel]", 0x7f001000},
	} {
		want := recording.Frame{Function: tt.function, Binary: tt.binary, Offset: tt.offset, BuildID: ids[tt.binary], Found: "register"}
		if got := k.Sample([]uint64{tt.address}); len(got) != 1 || got[0] != want {
			t.Errorf("%#x is %+v, want %+v", tt.address, got, want)
		}
	}
}

func functions(frames []recording.Frame) string {
	var names []string
	for _, f := range frames {
		names = append(names, f.Function)
	}
	return strings.Join(names, " ")
}

func TestKernelProbeFrames(t *testing.T) {
	const (
		schedule, read = 0xffffffff81000060, 0xffffffff81000120
		iter, run      = 0xffffffff81000310, 0xffffffff81000410
		program, stack = 0xffffffffc0400020, 0xffffffffc0400120
		nameless       = 0xffffffff80000000
		free           = 0xffffffff81000510
		call, write    = 0xffffffff81000610, 0xffffffff81000710
	)
	k := smallKernel(t, smallKallsyms)
	for _, tt := range []struct {
		name      string
		addresses []uint64
		want      string
	}{
		{"in a program", []uint64{stack, program, run, iter, schedule, read}, "__schedule vfs_read"},
		{"programs without names", []uint64{nameless, nameless, run, iter, schedule}, "__schedule"},
		{"a tracepoint in a function of its own", []uint64{program, run, iter, call, write}, "sock_write_iter"},
		{"no probe", []uint64{schedule, read}, "__schedule vfs_read"},
		{"no name and no probe", []uint64{nameless, schedule}, "[kernel]+0xffffffffff000000 __schedule"},
		{"the kernel's own function", []uint64{free, read}, "bpf_prog_free vfs_read"},
		{"a probe in the middle", []uint64{read, run, iter, schedule}, "vfs_read bpf_trace_run4 __traceiter_sched_switch __schedule"},
		{"nothing else", []uint64{stack, run}, ""},
		{"nothing", nil, ""},
	} {
		if got := functions(k.Stack(tt.addresses)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	if got := functions(k.Sample([]uint64{program, run, schedule})); !strings.HasPrefix(got, "bpf_prog_0123456789abcdef_on_switch bpf_trace_run4 ") {
		t.Errorf("a sample inside the probe: %q", got)
	}
	// A return address behind a function's last instruction belongs to that function, a sample there does not.
	const next = 0xffffffff81000100
	if got := functions(k.Stack([]uint64{next, next})); got != "vfs_read __schedule" {
		t.Errorf("return address: %q", got)
	}
}

func TestKernelHidden(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{
		"kallsyms":                 "0000000000000000 T _text\n0000000000000000 T vfs_read\t[veth]\n",
		"sys/kernel/kptr_restrict": "2\n",
	})
	_, err := OpenKernel(root)
	if !errors.Is(err, errHidden) || !strings.Contains(err.Error(), `kernel.kptr_restrict below 2; it is "2"`) {
		t.Errorf("error %v", err)
	}
}

func TestKallsymsMalformed(t *testing.T) {
	long := strings.Repeat("x", kallsymsLine)
	for text, want := range map[string]error{
		"":                        errHidden,
		"ffffffff81000000 D data": errNoSymbols,
		"x T name":                errKallsyms,
		"1 T":                     errKallsyms,
		"1 T ":                    errKallsyms,
		"1":                       errKallsyms,
		"1 Tt name":               errKallsyms,
		"\n":                      errKallsyms,
		"1 T " + long:             bufio.ErrTooLong,
		strings.Repeat("1 T a\n", maxKernelSymbols+1): errTooLarge,
	} {
		if _, err := parseKallsyms(strings.NewReader(text)); !errors.Is(err, want) {
			t.Errorf("%.40q: %v, want %v", text, err, want)
		}
	}
}

// TestKernelReload: a module that came after the table was read is found.
func TestKernelReload(t *testing.T) {
	k := smallKernel(t, smallKallsyms)
	const address = 0xffffffffc0800008
	more := smallKallsyms + "ffffffffc0800000 t new_function\t[new]\n"
	if err := os.WriteFile(filepath.Join(k.root, "kallsyms"), []byte(more), 0o644); err != nil {
		t.Fatal(err)
	}
	want := recording.Frame{Function: "new_function", Binary: "[new]", Offset: 8, Found: "register"}
	if got := k.Sample([]uint64{address}); got[0] != want {
		t.Errorf("got %+v, want %+v", got[0], want)
	}
}

// TestKernelMemory holds what weft's budget of memory leaves for it.
func TestKernelMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	k := openKernel(t)
	runtime.ReadMemStats(&after)
	t.Logf("allocated %d KiB for %d functions", (after.TotalAlloc-before.TotalAlloc)>>10, len(k.table.symbols))
	runtime.GC()
	runtime.ReadMemStats(&after)
	held := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	if perFunction := held / int64(len(k.table.symbols)); perFunction > 80 {
		t.Errorf("%d bytes held, %d a function", held, perFunction)
	}
	t.Logf("held %d KiB", held>>10)
	runtime.KeepAlive(k)
}

func BenchmarkOpenKernel(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		openKernel(b)
	}
}

func FuzzKallsyms(f *testing.F) {
	f.Add([]byte(smallKallsyms), uint64(0xffffffff81000200))
	f.Add([]byte("1 T __pfx_\n2 t a\t[\n"), uint64(1))
	f.Fuzz(func(t *testing.T, data []byte, address uint64) {
		table, err := parseKallsyms(strings.NewReader(string(data)))
		if err != nil {
			return
		}
		if held := len(table.names); held > len(data) {
			t.Errorf("%d bytes of names of %d", held, len(data))
		}
		k := &Kernel{root: "/nowhere/proc", table: table, ids: make(map[string]string), reloads: maxReloads}
		for _, a := range []uint64{address, table.symbols[0].address, table.base[len(table.base)-1] + 1} {
			if frames := k.Sample([]uint64{a, a}); len(frames) != 2 || frames[0].Function == "" || frames[0].Binary == "" {
				t.Errorf("%+v", frames)
			}
			k.Stack([]uint64{a, a})
		}
	})
}
