package symbols

import (
	"encoding/binary"
	"iter"
)

// pcdata is the value of one of a function's pc tables, -1 where it has none.
func (t *lineTable) pcdata(f function, table uint32, pc uint64) int64 {
	if table >= t.record32(f, funcNPCData) {
		return -1
	}
	return t.pcvalue(f, t.record32(f, funcLen+4*uint64(table)), pc)
}

// pcvalue searches a pc table for a pc. -1 where it says nothing.
func (t *lineTable) pcvalue(f function, table uint32, pc uint64) int64 {
	for value, until := range t.steps(f, table) {
		if pc < until {
			return value
		}
	}
	return -1
}

// steps walks a pc table: each value with the pc where it ends. A value is a signed, a pc an unsigned
// difference to the one before, both variable-length; a difference of 0 after the first ends the table.
func (t *lineTable) steps(f function, table uint32) iter.Seq2[int64, uint64] {
	return func(yield func(int64, uint64) bool) {
		if table == 0 || uint64(table) >= uint64(len(t.pcs)) {
			return
		}
		b, value, pc := t.pcs[table:], int32(-1), f.entry
		for i := range maxSteps {
			difference, n := uvarint(b)
			if n == 0 || difference == 0 && i > 0 {
				return
			}
			b = b[n:]
			value += int32(difference>>1) ^ -int32(difference&1)
			length, n := uvarint(b)
			if n == 0 {
				return
			}
			b = b[n:]
			pc += uint64(length) * t.quantum
			if !yield(int64(value), pc) || pc >= f.end {
				return
			}
		}
	}
}

// uvarint reads 7 bits a byte, lowest first; n is 0 where the table ends.
func uvarint(s string) (v uint32, n int) {
	for n < len(s) && n < binary.MaxVarintLen32 {
		b := s[n]
		v |= uint32(b&0x7f) << (7 * n)
		n++
		if b < 0x80 {
			return v, n
		}
	}
	return 0, 0
}
