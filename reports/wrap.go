package reports

import (
	"bufio"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// writeWrapped escapes a sentence and breaks it between words at the terminal's width; lines after the first
// are indented. A word that is longer than a line is broken inside.
func writeWrapped(out *bufio.Writer, sentence, indent string, decoration decorate) {
	for _, line := range wrap(escapeTerminal(sentence), indent) {
		if decoration != nil {
			line = decoration(line)
		}
		out.WriteString(line + "\n")
	}
}

func wrap(sentence, indent string) []string {
	lead := sentence[:len(sentence)-len(strings.TrimLeft(sentence, " "))]
	lines := []string{lead}
	empty := true
	for _, word := range strings.SplitAfter(sentence[len(lead):], " ") {
		for word != "" {
			last := &lines[len(lines)-1]
			room := terminalWidth - text.StringWidth(*last)
			if text.StringWidth(strings.TrimRight(word, " ")) <= room {
				*last += word
				empty = false
				break
			}
			if empty {
				head := text.Trim(word, room)
				*last += head
				word = word[len(head):]
			}
			lines = append(lines, indent)
			empty = true
		}
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// fit cuts a string that is wider than a number of columns.
func fit(s string, width int) string {
	if text.StringWidth(s) <= width {
		return s
	}
	return text.Trim(s, width-1) + "…"
}
