package symbols

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// Bounds on /proc/kallsyms. A kernel with all its modules has some 250,000 symbols.
const (
	maxKernelLines   = 1 << 22
	maxKernelSymbols = 1 << 20  // functions kept
	maxKernelNames   = 64 << 20 // bytes
	maxKernelName    = 512      // bytes; KSYM_NAME_LEN since Linux 6.1
	maxModules       = 1 << 14
	kallsymsLine     = 4 << 10
)

var (
	errHidden    = errors.New("the kernel hides its addresses")
	errKallsyms  = errors.New("malformed kallsyms line")
	errNoSymbols = errors.New("kallsyms has no functions")
	errTooLarge  = errors.New("kallsyms is too large")
)

// endMarks are symbols of the kernel's linker script at which code ends. No function lies there.
var endMarks = []string{"_etext", "_einittext"}

// padding are prefixes of symbols for the bytes before a function, which are part of it: room for tracers
// (CONFIG_PREFIX_SYMBOLS), type hashes (CONFIG_CFI_CLANG).
var padding = []string{"__pfx_", "__cfi_"}

// kallsyms collects the functions of /proc/kallsyms.
type kallsyms struct {
	table    *kernelTable
	names    strings.Builder
	modules  map[string]uint16
	text     uint64 // address of _text, else of _stext
	shown    bool   // an address was not 0
	textRank int    // of the name that text has
	padded   []byte // the function whose padding the line before was
}

// parseKallsyms reads lines "ADDRESS TYPE NAME" or "ADDRESS TYPE NAME\t[MODULE]" (kernel/kallsyms.c, s_show).
func parseKallsyms(r io.Reader) (*kernelTable, error) {
	k := &kallsyms{
		table:   &kernelTable{binaries: []string{recording.KernelBinary}},
		modules: map[string]uint16{"": 0},
	}
	// What most kernels need, so that growing leaves little behind.
	k.table.symbols = make([]kernelSymbol, 0, 3<<15)
	k.names.Grow(2 << 20)
	lines := bufio.NewScanner(io.LimitReader(r, maxKernelLines*kallsymsLine))
	lines.Buffer(make([]byte, kallsymsLine), kallsymsLine)
	for n := 0; lines.Scan(); n++ {
		if n == maxKernelLines {
			return nil, errTooLarge
		}
		if err := k.add(lines.Bytes()); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	return k.finish()
}

// add keeps nothing of the line.
func (k *kallsyms) add(line []byte) error {
	hex, rest, ok1 := bytes.Cut(line, []byte(" "))
	kind, rest, ok2 := bytes.Cut(rest, []byte(" "))
	name, module, _ := bytes.Cut(rest, []byte("\t"))
	address, err := strconv.ParseUint(string(hex), 16, 64)
	if err != nil || !ok1 || !ok2 || len(kind) != 1 || len(name) == 0 {
		return fmt.Errorf("%w: %.80q", errKallsyms, line)
	}
	k.shown = k.shown || address != 0
	k.findText(name, address)
	isCode := bytes.Contains([]byte("tTwW"), kind) && name[0] != '$' // $x and $d mark code and data of arm64
	if !isCode || address == 0 || k.inPadding(&name) {
		return nil
	}
	return k.keep(address, name[:min(len(name), maxKernelName)], module)
}

// findText remembers what offsets count from: _text, else _stext.
func (k *kallsyms) findText(name []byte, address uint64) {
	for i, want := range []string{"_stext", "_text"} {
		if string(name) == want && i+1 > k.textRank {
			k.text, k.textRank = address, i+1
		}
	}
}

// inPadding lets a function begin where its padding begins: it takes the prefix off the padding's name, and is
// true for the function itself, which follows.
func (k *kallsyms) inPadding(name *[]byte) bool {
	if len(k.padded) > 0 && bytes.Equal(*name, k.padded) {
		k.padded = k.padded[:0]
		return true
	}
	k.padded = k.padded[:0]
	for _, prefix := range padding {
		if function, ok := bytes.CutPrefix(*name, []byte(prefix)); ok && len(function) > 0 {
			*name, k.padded = function, append(k.padded, function...)
		}
	}
	return false
}

func (k *kallsyms) keep(address uint64, name, module []byte) error {
	t := k.table
	if len(t.symbols) == maxKernelSymbols || k.names.Len() > maxKernelNames {
		return fmt.Errorf("%w: %d functions", errTooLarge, len(t.symbols))
	}
	binary, ok := k.modules[string(module)]
	if !ok {
		if len(k.modules) == maxModules {
			return fmt.Errorf("%w: %d modules", errTooLarge, maxModules)
		}
		binary = uint16(len(k.modules))
		k.modules[string(module)] = binary
		t.binaries = append(t.binaries, string(module))
	}
	t.symbols = append(t.symbols, kernelSymbol{
		address: address, name: uint32(k.names.Len()), length: uint16(len(name)), binary: binary,
	})
	k.names.Write(name)
	return nil
}

// finish sorts, keeps one name an address, the one for people, and finds what offsets count from.
func (k *kallsyms) finish() (*kernelTable, error) {
	t := k.table
	if len(t.symbols) == 0 && !k.shown {
		return nil, errHidden
	}
	if len(t.symbols) == 0 {
		return nil, errNoSymbols
	}
	t.names = k.names.String()
	slices.SortFunc(t.symbols, func(a, b kernelSymbol) int {
		if a.address != b.address {
			return cmp.Compare(a.address, b.address)
		}
		nameA, nameB := t.name(a), t.name(b)
		return cmp.Or(
			cmp.Compare(underscores(nameA), underscores(nameB)),
			strings.Compare(nameA, nameB),
			cmp.Compare(a.binary, b.binary),
		)
	})
	t.symbols = slices.CompactFunc(t.symbols, func(a, b kernelSymbol) bool { return a.address == b.address })
	t.base = make([]uint64, len(t.binaries))
	for _, s := range t.symbols {
		if t.base[s.binary] == 0 {
			t.base[s.binary] = s.address
		}
	}
	if k.textRank > 0 {
		t.base[0] = k.text
	}
	return t, nil
}
