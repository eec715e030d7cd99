package symbols

import "encoding/binary"

const (
	funcdataWrapInfo = 7       // abi.FUNCDATA_WrapInfo
	maxWrapped       = 1 << 16 // functions
)

// readWrapped reads what the compiler's wrappers wrap: `go f(x)` begins a goroutine with a function made up that calls
// f, and says so. Keys and values are entries, as ELF addresses.
func readWrapped(im *image, t *lineTable) map[uint64]uint64 {
	wrapped, tries := make(map[uint64]uint64), 0
	for i := range t.nfunc {
		f := t.function(i)
		if t.recordByte(f, funcNFuncData) <= funcdataWrapInfo {
			continue
		}
		at := t.record32(f, funcLen+4*(uint64(t.record32(f, funcNPCData))+funcdataWrapInfo))
		if at == ^uint32(0) {
			continue
		}
		if tries++; tries > maxWrapped {
			break
		}
		b, err := im.readAddress(t.gofunc+uint64(at), 4)
		if err != nil {
			continue
		}
		if target, ok := t.find(t.text + uint64(binary.LittleEndian.Uint32(b))); ok {
			wrapped[t.text+f.entry] = t.text + target.entry
		}
	}
	return wrapped
}
