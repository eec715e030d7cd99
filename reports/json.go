package reports

import (
	"bytes"
	"encoding/json"
	"io"
)

// JSON draws the whole View: base units, raw values, definitions. People look at it too: what escapeTerminal escapes is
// escaped as JSON does, which changes no value.
func JSON(w io.Writer, v *View, _ Options) error {
	v.Totals()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escapeJSON(b.Bytes()))
	return err
}
