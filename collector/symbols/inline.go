package symbols

// inlined is one entry of an inline tree.
type inlined struct {
	id        byte
	name      uint32
	startLine uint32
	parentPC  uint64 // of the call, from the entry of the function it was inlined into
}

// inlineTree returns where the function's tree begins, as an offset in lineTable.inline.
func (t *lineTable) inlineTree(f function) (uint64, bool) {
	at, ok := t.inlineTreeOffset(f)
	if !ok || at < t.inlineFrom || at-t.inlineFrom >= uint64(len(t.inline)) {
		return 0, false
	}
	return at - t.inlineFrom, true
}

// inlineTreeOffset is the same from go:func.* on, as the function's record has it.
func (t *lineTable) inlineTreeOffset(f function) (uint64, bool) {
	if t.recordByte(f, funcNFuncData) <= funcdataInlineTree {
		return 0, false
	}
	npcdata := uint64(t.record32(f, funcNPCData))
	at := t.record32(f, funcLen+4*(npcdata+funcdataInlineTree))
	return uint64(at), at != ^uint32(0)
}

func (t *lineTable) inlinedCall(tree uint64, index int64) (inlined, bool) {
	if index < 0 {
		return inlined{}, false
	}
	at := tree + inlinedLen*uint64(index)
	if at+inlinedLen > uint64(len(t.inline)) {
		return inlined{}, false
	}
	return inlined{
		id:        t.inline[at],
		name:      u32(t.inline, at+inlinedName),
		parentPC:  uint64(u32(t.inline, at+inlinedParentPC)),
		startLine: u32(t.inline, at+inlinedStartLine),
	}, true
}

// scan goes once over all functions. It learns the number that marks wrappers (always the last FuncID of a
// Go version, and the runtime always has some) and the part of go:func.* that holds inline trees.
func (t *lineTable) scan() (from, to uint64) {
	from = ^uint64(0)
	var last function
	var lastAt uint64
	for i := range t.nfunc {
		f := t.function(i)
		t.wrapperID = max(t.wrapperID, t.recordByte(f, funcID))
		at, ok := t.inlineTreeOffset(f)
		if !ok {
			continue
		}
		from = min(from, at)
		if at >= lastAt {
			last, lastAt = f, at
		}
	}
	if from == ^uint64(0) {
		return 0, 0
	}
	greatest := int64(-1)
	if t.record32(last, funcNPCData) > pcdataInlineIndex {
		for value := range t.steps(last, t.record32(last, funcLen+4*pcdataInlineIndex)) {
			greatest = max(greatest, value)
		}
	}
	return from, lastAt + inlinedLen*uint64(greatest+1)
}
