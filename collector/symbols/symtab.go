package symbols

import (
	"cmp"
	"debug/elf"
	"fmt"
	"slices"
	"sort"
	"strings"
)

const (
	symbolLen  = 24 // elf.Sym64
	maxSymbols = 1 << 20
)

// symbol is a function by the ELF file's own account, for code that Go's linker did not write.
type symbol struct {
	address uint64
	size    uint64 // 0: not known
	name    string
}

// symbolTable is sorted by address, one name an address.
type symbolTable struct {
	symbols []symbol
	size    int64 // bytes of memory held
}

// openSymbols reads the first kind of table that is there. wanted chooses by address.
func openSymbols(im *image, wanted func(address uint64) bool, kinds ...elf.SectionType) (*symbolTable, error) {
	for _, kind := range kinds {
		for _, s := range im.sections {
			if elf.SectionType(s.Type) == kind && int(s.Link) < len(im.sections) {
				return readSymbols(im, s, im.sections[s.Link], wanted)
			}
		}
	}
	return &symbolTable{}, nil
}

// hasSymtab says whether the file was not stripped.
func (im *image) hasSymtab() bool {
	return slices.ContainsFunc(im.sections, func(s section) bool { return elf.SectionType(s.Type) == elf.SHT_SYMTAB })
}

func readSymbols(im *image, table, names section, wanted func(uint64) bool) (*symbolTable, error) {
	data, err := im.readString(table.Off, min(table.Size, maxSymbols*symbolLen))
	if err != nil {
		return nil, fmt.Errorf("read symbols: %w", err)
	}
	text, err := im.readString(names.Off, names.Size)
	if err != nil {
		return nil, fmt.Errorf("read names of symbols: %w", err)
	}
	t := &symbolTable{}
	for at := uint64(0); at+symbolLen <= uint64(len(data)); at += symbolLen {
		// name 4, info 1, other 1, section 2, value 8, size 8
		kind, section := elf.ST_TYPE(data[at+4]), elf.SectionIndex(u32(data, at+4)>>16)
		isFunction := kind == elf.STT_FUNC || kind == elf.STT_GNU_IFUNC
		address := u64(data, at+8)
		if !isFunction || section == elf.SHN_UNDEF || !wanted(address) {
			continue
		}
		name := cString(text, uint64(u32(data, at)), maxName)
		if name != "" {
			t.symbols = append(t.symbols, symbol{address: address, size: u64(data, at+16), name: name})
		}
	}
	t.sort()
	if len(t.symbols) > 0 {
		t.size = int64(len(text)) + int64(cap(t.symbols))*48
	}
	return t, nil
}

// sort orders by address and keeps one name for each: the one with a size, then the one for people, which
// has fewer underscores in front ("send", not "__send").
func (t *symbolTable) sort() {
	slices.SortFunc(t.symbols, func(a, b symbol) int {
		return cmp.Or(
			cmp.Compare(a.address, b.address),
			-cmp.Compare(min(a.size, 1), min(b.size, 1)),
			cmp.Compare(underscores(a.name), underscores(b.name)),
			cmp.Compare(a.name, b.name),
		)
	})
	t.symbols = slices.CompactFunc(t.symbols, func(a, b symbol) bool { return a.address == b.address })
}

// underscores counts those in front. The vDSO's own names count as having none, so that they win over their
// aliases, which are libc's names.
func underscores(name string) int {
	name = strings.TrimPrefix(name, "__vdso_")
	return len(name) - len(strings.TrimLeft(name, "_"))
}

// lookup returns the name of the function that holds an address, or nothing.
func (t *symbolTable) lookup(address uint64) (string, bool) {
	after := sort.Search(len(t.symbols), func(i int) bool { return t.symbols[i].address > address })
	if after == 0 {
		return "", false
	}
	s := t.symbols[after-1]
	if s.size > 0 && address-s.address >= s.size {
		return "", false
	}
	return s.name, true
}
