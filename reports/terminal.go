package reports

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Widths of a line, in columns.
const (
	terminalWidth = 100 // at most
	leastWidth    = 40  // on a terminal that is narrower still, lines are broken by it
)

// columns is how wide the report for a terminal is.
func (o Options) columns() int {
	if o.Width <= 0 {
		return terminalWidth
	}
	return min(max(o.Width, leastWidth), terminalWidth)
}

// Paths are the files that the last lines of the terminal report name. An empty one is left out.
type Paths struct {
	Report  string // the report to open
	Raw     string // run.json
	Profile string // a profile, for go tool pprof
}

// Terminal draws the report for a person at a terminal, at most 100 columns wide, or as wide as the terminal is.
func Terminal(w io.Writer, v *View, opts Options) error {
	if opts.Top > 0 {
		return Top(w, v, opts)
	}
	v.Totals()
	out := screen{bufio.NewWriter(w), opts.columns()}
	paint := painter(opts.Color)
	out.writeWrapped(headline(v), "  ", nil)
	out.WriteString("\n")
	if line := settingsLine(&v.Run); line != "" {
		out.writeWrapped(line, "  ", nil)
		out.WriteString("\n")
	}
	if missing := v.Evidence.Extent.missingText(); missing != "" {
		out.writeWrapped("INCOMPLETE  "+missing, "      ", paint(text.Bold, text.FgRed))
		out.WriteString("\n")
	}
	if v.Evidence.LostEvents > 0 {
		out.writeWrapped("LOST  "+plural(v.Evidence.LostEvents, "event")+": "+v.Evidence.lostText(), "      ", paint(text.Bold, text.FgRed))
		out.WriteString("\n")
	}
	drawn, left := terminalTable(v, opts)
	out.WriteString(drawn)
	if len(left) > 0 && out.width < terminalWidth {
		out.writeWrapped(leftOutText(out.width, left)+"--format json has all.", "  ", nil)
	}
	out.WriteString("\n")
	writeFindings(out, v, paint)
	for _, note := range v.Notes {
		if !slices.ContainsFunc(left, func(header string) bool { return strings.HasPrefix(note, header+" ") }) { // on its column
			out.writeWrapped(note, "  ", nil)
		}
	}
	out.writeWrapped(v.Evidence.String(), "  ", nil)
	for _, line := range totalsLines(v) {
		out.writeWrapped(line, "  ", nil)
	}
	out.writeWrapped(v.Evidence.Cost(), "  ", nil)
	writePaths(out, opts.Paths)
	return out.Flush()
}

// leftOutText says which columns a narrow terminal has no room for.
func leftOutText(width int, columns []string) string {
	return fmt.Sprintf("%d columns: left out %s; ", width, strings.Join(columns, ", "))
}

func writeFindings(out screen, v *View, paint func(...text.Color) decorate) {
	if len(v.Findings) == 0 {
		return
	}
	marks := map[Severity]string{Warning: " ! ", Remark: " * "}
	out.WriteString("Findings\n")
	for _, f := range v.Findings {
		var decoration decorate
		if f.Severity == Warning {
			decoration = paint(text.FgYellow)
		}
		out.writeWrapped(marks[f.Severity]+f.Text, "   ", decoration)
		out.writeWrapped("   "+join(" ", parenthesis(f.Evidence), f.Advice), "   ", nil)
	}
	out.WriteString("\n")
}

func parenthesis(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

func writePaths(out screen, p Paths) {
	lines := []struct{ label, path string }{
		{"Report   ", p.Report},
		{"Raw      ", p.Raw},
		{"Profile  go tool pprof -http=: ", p.Profile},
	}
	first := true
	for _, line := range lines {
		if line.path == "" {
			continue
		}
		if first {
			out.WriteString("\n")
			first = false
		}
		out.WriteString(line.label + escapeTerminal(line.path) + "\n") // never cut: it is there to be copied
	}
}

// decorate colours a whole line.
type decorate = func(string) string

// painter gives the colours of a terminal, or none.
func painter(color bool) func(...text.Color) decorate {
	return func(colors ...text.Color) decorate {
		if !color {
			return nil
		}
		var b strings.Builder
		for _, c := range colors {
			fmt.Fprintf(&b, "\x1b[%dm", int(c))
		}
		return func(s string) string { return b.String() + s + "\x1b[0m" }
	}
}
