package reports

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// What Draw says of a report that it cannot make.
var (
	ErrFormat     = errors.New("unknown format")
	ErrKind       = errors.New("unknown kind")
	ErrModel      = errors.New("unknown model")
	ErrNoEvidence = errors.New("no evidence")
)

// Options say how a report is drawn. Each format takes what concerns it.
type Options struct {
	Color bool   // colours for a terminal
	Width int    // of the terminal, in columns; 0 where there is none
	Paths Paths  // files named at the end of the terminal report
	Kind  string // what a flame graph or folded stacks show: one of Kinds
	Model string // whose profile; may be empty where only one model has one

	Top int // instead of the terminal report: who pays, so many functions a model; 0 for the report

	CompareWith string // another model: how a flame graph or folded stacks differ from its own
}

// Format is one way to draw a View.
type Format struct {
	Name      string // what --format takes
	Ext       string // of a file in it
	NeedsKind bool   // it draws the stacks of one model: Options.Kind must be set, Model and CompareWith may be
	Write     func(io.Writer, *View, Options) error
}

// Formats is the table of formats.
func Formats() []Format {
	return []Format{
		{Name: "text", Ext: ".txt", Write: Terminal},
		{Name: "html", Ext: ".html", Write: HTML},
		{Name: "md", Ext: ".md", Write: Markdown},
		{Name: "json", Ext: ".json", Write: JSON},
		{Name: "csv", Ext: ".csv", Write: CSV},
		{Name: "benchstat", Ext: ".bench", Write: Benchstat},
		{Name: "svg", Ext: ".svg", NeedsKind: true, Write: SVG},
		{Name: "folded", Ext: ".folded", NeedsKind: true, Write: Folded},
	}
}

// Draw writes a report in the format of that name.
func Draw(w io.Writer, v *View, format string, opts Options) error {
	formats := Formats()
	i := slices.IndexFunc(formats, func(f Format) bool { return f.Name == format })
	if i < 0 {
		var names []string
		for _, f := range formats {
			names = append(names, f.Name)
		}
		return fmt.Errorf("%w %q: use one of %s", ErrFormat, format, strings.Join(names, ", "))
	}
	return formats[i].Write(w, v, opts)
}
