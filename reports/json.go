package reports

import (
	"encoding/json"
	"io"
)

// JSON draws the whole View: base units, raw values, definitions.
func JSON(w io.Writer, v *View, _ Options) error {
	v.Totals()
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
