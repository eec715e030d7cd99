package symbols

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/weft-profiler/weft/collector/recording"
)

// Bounds on a Kernel.
const (
	maxLastSymbol = 64 << 10 // bytes that a binary's last symbol may span: nothing tells where it ends
	maxReloads    = 1        // times that the table is read again, for code that is newer than it
)

// Kernel knows the functions of the running kernel, of its modules and of loaded BPF programs. It holds about
// 3 MB, so open it when kernel stacks are to be named and let go of it afterwards.
// It may be used by several goroutines.
type Kernel struct {
	root string

	mu      sync.Mutex // guards all below
	table   *kernelTable
	ids     map[string]string // build ids by binary, those asked for
	reloads int
}

// OpenKernel reads root/kallsyms, where root is "/proc" or a copy of its files; beside it is "sys". Addresses are
// shown to those with CAP_SYSLOG, unless the sysctl kernel.kptr_restrict is 2: where they are hidden the error
// names it.
func OpenKernel(root string) (*Kernel, error) {
	table, err := readKernel(root)
	if err != nil {
		return nil, err
	}
	return &Kernel{root: root, table: table, ids: make(map[string]string)}, nil
}

func readKernel(root string) (*kernelTable, error) {
	f, err := os.Open(filepath.Join(root, "kallsyms"))
	if err != nil {
		return nil, fmt.Errorf("kernel symbols: %w", err)
	}
	table, err := parseKallsyms(f)
	err = errors.Join(err, f.Close())
	if errors.Is(err, errHidden) {
		knob, _ := os.ReadFile(filepath.Join(root, "sys/kernel/kptr_restrict"))
		err = fmt.Errorf("%w: CAP_SYSLOG is needed, and kernel.kptr_restrict below 2; it is %q", err, strings.TrimSpace(string(knob)))
	}
	if err != nil {
		return nil, fmt.Errorf("kernel symbols: %w", err)
	}
	return table, nil
}

// Sample names a kernel stack whose first address is where the CPU was, leaf first. From the second on they are
// return addresses, which belong to the call before them.
//
// Function is the kernel's symbol, Binary the module in brackets or [recording.KernelBinary], and Offset counts
// from the kernel's _text or the module's first function, so that it is the same wherever the kernel was put
// (KASLR). BuildID is the kernel's or the module's own. A frame without a symbol is "[kernel]+0xoffset".
func (k *Kernel) Sample(addresses []uint64) []recording.Frame {
	k.mu.Lock()
	defer k.mu.Unlock()
	frames := make([]recording.Frame, len(addresses))
	for i, address := range addresses {
		found := recording.FoundRegister
		if i > 0 {
			address--
			found = recording.FoundUnwinder
		}
		frames[i] = k.frame(address)
		frames[i].Found = found
	}
	return frames
}

// Stack names a kernel stack that a probe took, as Sample does, without the probe's own frames: see withoutProbe.
func (k *Kernel) Stack(addresses []uint64) []recording.Frame {
	return withoutProbe(k.Sample(addresses))
}

func (k *Kernel) frame(address uint64) recording.Frame {
	s, ok := k.table.lookup(address)
	if !ok && k.reloads < maxReloads {
		k.reloads++
		if table, err := readKernel(k.root); err == nil {
			k.table, k.ids = table, make(map[string]string)
			s, ok = table.lookup(address)
		}
	}
	if !ok {
		offset := address - k.table.base[0]
		return recording.Frame{
			Function: fmt.Sprintf("%s+%#x", recording.KernelBinary, offset),
			Binary:   recording.KernelBinary,
			BuildID:  k.buildID(recording.KernelBinary),
			Offset:   offset,
		}
	}
	binary := k.table.binaries[s.binary]
	return recording.Frame{
		Function: k.table.name(s),
		Binary:   binary,
		BuildID:  k.buildID(binary),
		Offset:   address - k.table.base[s.binary],
	}
}

// buildID reads the ELF notes of the kernel (/sys/kernel/notes) or of a module. What is no module, such as code
// of BPF, has none.
func (k *Kernel) buildID(binary string) string {
	id, ok := k.ids[binary]
	if !ok {
		id = readKernelID(filepath.Join(k.root, "../sys"), strings.Trim(binary, "[]"))
		k.ids[binary] = id
	}
	return id
}

func readKernelID(sys, module string) string {
	path := filepath.Join(sys, "kernel/notes")
	if "["+module+"]" != recording.KernelBinary {
		path = filepath.Join(sys, "module", filepath.Base(module), "notes/.note.gnu.build-id")
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	notes, err := io.ReadAll(io.LimitReader(f, maxNotes))
	if err != nil {
		return ""
	}
	return gnuBuildID(notes)
}

// probeFrames are beginnings of the names of functions between a tracepoint, or another hook, and the stack
// walk of a BPF program attached to it. bpf is of code that was loaded as BPF: the kernel has functions of its
// own called bpf_prog_free and so on.
var probeFrames = []struct {
	prefix string
	bpf    bool
}{
	{"bpf_prog_", true},       // the program and its functions
	{"bpf_trampoline_", true}, // fentry, fexit
	{"bpf_dispatcher_", true},
	{"__bpf_prog_run", false}, // the interpreter
	{"___bpf_prog_run", false},
	{"bpf_dispatcher_", false},
	{"bpf_get_stack", false}, // the helper, and below it
	{"get_perf_callchain", false},
	{"perf_callchain_kernel", false},
	{"bpf_trace_run", false}, // tp_btf and raw tracepoints
	{"__bpf_trace_", false},
	{"__traceiter_", false},
	{"__probestub_", false},
	{"call_trace_sock_", false}, // functions that do nothing but pass the tracepoint (net/socket.c, mm/memory.c)
	{"mm_trace_rss_stat", false},
	{"trace_call_bpf", false}, // classic tracepoints, kprobes
	{"perf_trace_", false},
	{"trace_event_raw_event_", false},
	{"kprobe_perf_func", false},
	{"kprobe_dispatcher", false},
	{"bpf_overflow_handler", false}, // perf events
	{"__perf_event_overflow", false},
	{"perf_event_overflow", false},
}

// withoutProbe cuts away the leading frames that are the probe's: a stack that was taken inside a tracepoint
// begins in the BPF program, and the frame of interest is the function with the tracepoint. Frames without a
// symbol before one of the probe's are its too (without net.core.bpf_jit_kallsyms BPF programs have no names).
func withoutProbe(frames []recording.Frame) []recording.Frame {
	own := 0
	for i, f := range frames {
		if isProbe(f) {
			own = i + 1
		} else if !strings.HasPrefix(f.Function, recording.KernelBinary) {
			break
		}
	}
	return frames[own:]
}

func isProbe(f recording.Frame) bool {
	for _, p := range probeFrames {
		if strings.HasPrefix(f.Function, p.prefix) && p.bpf == (f.Binary == "[bpf]") {
			return true
		}
	}
	return false
}

// kernelSymbol is a function of the kernel's.
type kernelSymbol struct {
	address uint64
	name    uint32 // place in kernelTable.names
	length  uint16 // of the name
	binary  uint16 // index of kernelTable.binaries
}

// kernelTable is sorted by address, one name an address.
type kernelTable struct {
	symbols  []kernelSymbol
	names    string
	binaries []string // the kernel is the first
	base     []uint64 // of each binary: what offsets count from
}

func (t *kernelTable) name(s kernelSymbol) string {
	return t.names[s.name : s.name+uint32(s.length)]
}

// lookup finds the function that holds an address. A function ends where the next begins.
func (t *kernelTable) lookup(address uint64) (kernelSymbol, bool) {
	after := sort.Search(len(t.symbols), func(i int) bool { return t.symbols[i].address > address })
	if after == 0 {
		return kernelSymbol{}, false
	}
	s := t.symbols[after-1]
	if last := after == len(t.symbols) || t.symbols[after].binary != s.binary; last && address-s.address >= maxLastSymbol {
		return kernelSymbol{}, false
	}
	return s, !slices.Contains(endMarks, t.name(s))
}
