package symbols

import (
	"fmt"
	"strconv"
	"strings"
)

// fieldsOf gives the offsets on amd64 by minor version of Go 1, for binaries without DWARF. Each was read from the DWARF
// of binaries of the first and a late release of that version (docs/accuracy.md says which), all of which agree: what is
// asked for stands before all that patch releases have changed.
var fieldsOf = map[int]Fields{
	20: {M: 48, GoID: 152, GoPC: 296, StartPC: 312, LockedM: 232, CurG: 192},
	21: {M: 48, GoID: 152, Parent: 272, GoPC: 280, StartPC: 296, LockedM: 208, CurG: 192},
	22: {M: 48, GoID: 152, Parent: 272, GoPC: 280, StartPC: 296, LockedM: 208, CurG: 192},
	23: {M: 48, GoID: 160, Parent: 280, GoPC: 288, StartPC: 304, LockedM: 216, CurG: 192},
	24: {M: 48, GoID: 160, Parent: 280, GoPC: 288, StartPC: 304, LockedM: 216, CurG: 192},
	25: {M: 48, GoID: 152, Parent: 272, GoPC: 280, StartPC: 296, LockedM: 208, CurG: 184},
	26: {M: 48, GoID: 152, Parent: 280, GoPC: 288, StartPC: 304, LockedM: 208, CurG: 184},
}

// fieldsByVersion looks a release up: "go1.26.8", "go1.26.8 X:jsonv2", "go1.26.8-custom". A development version is
// nobody's.
func fieldsByVersion(version string) (Fields, error) {
	rest, ok := strings.CutPrefix(version, "go1.")
	digits := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(rest)
	}
	minor, err := strconv.Atoi(rest[:digits])
	fields, known := fieldsOf[minor]
	if !ok || err != nil || !known {
		return Fields{}, fmt.Errorf("%w: no offsets of %.64q are known", ErrNotSupported, version)
	}
	return fields, nil
}
