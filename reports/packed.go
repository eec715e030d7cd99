package reports

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"html/template"
)

// packed is a text that the page holds and unpacks only when somebody wants to see it: gzip, then base64, whose
// characters mean nothing to a browser.
type packed struct {
	ID   string
	Name string // of the file that it can be saved as
	Type string // its media type
	Note string // what it is
	Size string // unpacked
	Text template.HTML
}

func pack(id, name, mediaType, note string, text []byte) (packed, error) {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(text); err != nil {
		return packed{}, fmt.Errorf("pack %s: %w", name, err)
	}
	if err := z.Close(); err != nil {
		return packed{}, fmt.Errorf("pack %s: %w", name, err)
	}
	return packed{id, name, mediaType, note, formatBytes(float64(len(text))), template.HTML(base64.StdEncoding.EncodeToString(buf.Bytes()))}, nil
}

// downloads are the View in the formats that other programs read.
func downloads(v *View) ([]packed, error) {
	var list []packed
	for _, d := range []struct{ format, mediaType, note string }{
		{"json", "application/json", "everything that this page says, in base units, with each trial's values"},
		{"csv", "text/csv", "a row a trial, a column a metric"},
		{"benchstat", "text/plain", "Go's benchmark format: benchstat -col /model FILE"},
	} {
		var buf bytes.Buffer
		if err := Draw(&buf, v, d.format, Options{}); err != nil {
			return nil, fmt.Errorf("%s for download: %w", d.format, err)
		}
		p, err := pack("download-"+d.format, "weft"+extension(d.format), d.mediaType, d.note, buf.Bytes())
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

func extension(format string) string {
	for _, f := range Formats() {
		if f.Name == format {
			return f.Ext
		}
	}
	return ""
}
