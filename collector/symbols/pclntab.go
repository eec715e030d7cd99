package symbols

import (
	"fmt"
	"sort"
	"strings"
)

// Words. The pclntab is the table that Go's linker puts into every binary, stripped or not, for its own
// tracebacks. It holds, each with an offset from its header: the names of functions, the compilation units
// (cutab: a unit's files), the names of files, the pc tables (pctab), and at its end the functions: a sorted
// list of (entry, record) and the records themselves, runtime._func.
// A pc table maps pcs to values (line, file, index of the inlined call) as a list of differences.
// The inline tree of a function (runtime.inlinedCall) lies with other data of functions from go:func.* on.

// Layout of the table since Go 1.20; all integers little-endian, pointers 8 bytes.
const (
	magicGo12  = 0xfffffffb
	magicGo116 = 0xfffffffa
	magicGo118 = 0xfffffff0
	magicGo120 = 0xfffffff1

	headerLen = 8 + 8*8 // magic, 0, 0, quantum, pointer size; nfunc, nfiles, text, five offsets

	// runtime._func
	funcNameOff   = 4
	funcPCFile    = 20
	funcPCLine    = 24
	funcNPCData   = 28
	funcCUOff     = 32
	funcStartLine = 36
	funcID        = 40
	funcFlag      = 41
	funcNFuncData = 43
	funcLen       = 44 // followed by npcdata and nfuncdata offsets of 4 bytes

	flagTopFrame = 1 // abi.FuncFlagTopFrame: a traceback ends here

	// runtime.inlinedCall
	inlinedName      = 4
	inlinedParentPC  = 8
	inlinedStartLine = 12
	inlinedLen       = 16

	pcdataInlineIndex  = 2 // abi.PCDATA_InlTreeIndex
	funcdataInlineTree = 3 // abi.FUNCDATA_InlTree
)

// Bounds on the work for one address.
const (
	maxInlined = 128     // calls inlined into one another
	maxSteps   = 1 << 18 // of a pc table
	maxName    = 64 << 10
	maxPrinted = 1 << 10 // bytes of a shortened name; a longer one stays as it is, and costs no memory
)

// lineTable reads a pclntab. All reads are checked: what lies outside reads as zero, what makes no sense ends
// the search.
type lineTable struct {
	size      int64  // bytes of memory held
	text      uint64 // address that entries count from
	gofunc    uint64 // address of go:func.*
	quantum   uint64 // pcs count in this
	names     string
	units     string
	files     string
	pcs       string
	funcs     string // nfunc pairs (entry, record), the last entry's end, the records
	nfunc     uint64
	wrapperID byte // abi.FuncIDWrapper of this Go version

	inline     string // part of go:func.* that holds the inline trees; empty: inlined calls are not known
	inlineFrom uint64 // its offset from go:func.*
}

// codeLine is a function at a line, physical or inlined.
type codeLine struct {
	function  string
	file      string
	line      int
	startLine int
	inlined   bool // in the next one
	root      bool // a stack ends here
}

// newLineTable checks the header of a pclntab.
func newLineTable(data string) (*lineTable, error) {
	if len(data) < headerLen {
		return nil, fmt.Errorf("pclntab: %w: %d bytes", errMalformed, len(data))
	}
	switch magic := u32(data, 0); magic {
	case magicGo120:
	case magicGo12, magicGo116, magicGo118:
		return nil, fmt.Errorf("pclntab: %w: written by Go 1.19 or older (magic %#x)", ErrNotSupported, magic)
	default:
		return nil, fmt.Errorf("pclntab: %w: unknown magic %#x", ErrNotSupported, magic)
	}
	quantum, pointer := data[6], data[7]
	if data[4] != 0 || data[5] != 0 || pointer != 8 || quantum != 1 && quantum != 2 && quantum != 4 {
		return nil, fmt.Errorf("pclntab: %w: header % x", errMalformed, data[:8])
	}
	t := &lineTable{size: int64(len(data)), quantum: uint64(quantum), nfunc: u64(data, 8), text: u64(data, 24)}
	for i, part := range []*string{&t.names, &t.units, &t.files, &t.pcs, &t.funcs} {
		offset := u64(data, 32+8*uint64(i))
		if offset > uint64(len(data)) {
			return nil, fmt.Errorf("pclntab: %w: table %d at %d of %d", errMalformed, i, offset, len(data))
		}
		*part = data[offset:]
	}
	if t.nfunc == 0 || t.nfunc > uint64(len(t.funcs))/8 {
		return nil, fmt.Errorf("pclntab: %w: %d functions in %d bytes", errMalformed, t.nfunc, len(t.funcs))
	}
	return t, nil
}

// offset of one of the five tables from the header.
func (t *lineTable) offset(table string) uint64 { return uint64(t.size) - uint64(len(table)) }

// function is a record with the range of its code, offsets from the text.
type function struct {
	record     uint64 // offset in lineTable.funcs
	entry, end uint64
}

func (t *lineTable) function(i uint64) function {
	return function{
		record: uint64(u32(t.funcs, 8*i+4)),
		entry:  uint64(u32(t.funcs, 8*i)),
		end:    uint64(u32(t.funcs, 8*i+8)),
	}
}

// find returns the function that holds an address.
func (t *lineTable) find(address uint64) (function, bool) {
	pc := address - t.text
	if address < t.text || pc >= uint64(u32(t.funcs, 8*t.nfunc)) {
		return function{}, false
	}
	after := sort.Search(int(t.nfunc), func(i int) bool { return uint64(u32(t.funcs, 8*uint64(i))) > pc })
	if after == 0 {
		return function{}, false
	}
	f := t.function(uint64(after - 1))
	return f, pc < f.end
}

// lookup returns what stands at an address, innermost inlined call first; ok is false where the table knows
// no function. The lines of Go code may be empty: wrappers that the compiler made are left out, as Go's own
// tracebacks leave them out. isGo is false for C code that Go's linker put in: it has a name and nothing else.
func (t *lineTable) lookup(address uint64) (lines []codeLine, isGo, ok bool) {
	f, ok := t.find(address)
	if !ok {
		return nil, false, false
	}
	if t.record32(f, funcPCLine) == 0 {
		return []codeLine{{function: cString(t.names, uint64(t.record32(f, funcNameOff)), maxName)}}, false, true
	}
	pc := address - t.text
	tree, hasTree := t.inlineTree(f)
	for range maxInlined {
		index := int64(-1)
		if hasTree {
			index = t.pcdata(f, pcdataInlineIndex, pc)
		}
		call, ok := t.inlinedCall(tree, index)
		if !ok {
			break
		}
		if !t.isWrapper(call.id) {
			lines = append(lines, t.position(f, pc, call.name, call.startLine, true))
		}
		pc = f.entry + call.parentPC
	}
	if !t.isWrapper(t.recordByte(f, funcID)) {
		lines = append(lines, t.position(f, pc, t.record32(f, funcNameOff), t.record32(f, funcStartLine), false))
		return lines, true, true
	}
	if len(lines) > 0 {
		lines[len(lines)-1].inlined = false
	}
	return lines, true, true
}

// position names the function and finds file and line of a pc.
func (t *lineTable) position(f function, pc uint64, name, startLine uint32, inlined bool) codeLine {
	l := codeLine{startLine: int(int32(startLine)), inlined: inlined}
	full := cString(t.names, uint64(name), maxName)
	l.function = printedName(full)
	l.root = !inlined && (t.recordByte(f, funcFlag)&flagTopFrame != 0 || isRoot(full))
	line := t.pcvalue(f, t.record32(f, funcPCLine), pc)
	file := t.pcvalue(f, t.record32(f, funcPCFile), pc)
	if line < 0 || file < 0 {
		return l
	}
	unit := uint64(t.record32(f, funcCUOff)) + uint64(file)
	if at := u32(t.units, 4*unit); at != ^uint32(0) {
		l.file, l.line = cString(t.files, uint64(at), maxName), int(line)
	}
	return l
}

// isWrapper says whether a FuncID marks code that the compiler made up; 0 is an ordinary function.
func (t *lineTable) isWrapper(id byte) bool { return id != 0 && id == t.wrapperID }

func (t *lineTable) record32(f function, at uint64) uint32 { return u32(t.funcs, f.record+at) }

func (t *lineTable) recordByte(f function, at uint64) byte {
	if f.record+at >= uint64(len(t.funcs)) {
		return 0
	}
	return t.funcs[f.record+at]
}

// printedName shortens type arguments to "[...]", as runtime.Frame.Function and heap profiles have it: the
// same function is then the same in both.
func printedName(name string) string {
	open, shut := strings.IndexByte(name, '['), strings.LastIndexByte(name, ']')
	if open < 0 || shut <= open || open+len(name)-shut > maxPrinted {
		return name
	}
	return name[:open] + "[...]" + name[shut+1:]
}

// u32 and u64 read as zero what lies outside.
func u32(s string, at uint64) uint32 {
	if at >= uint64(len(s)) || uint64(len(s))-at < 4 {
		return 0
	}
	return uint32(s[at]) | uint32(s[at+1])<<8 | uint32(s[at+2])<<16 | uint32(s[at+3])<<24
}

func u64(s string, at uint64) uint64 {
	return uint64(u32(s, at)) | uint64(u32(s, at+4))<<32
}
