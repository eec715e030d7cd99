package reports

import (
	"bufio"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// screen is what a report for a terminal is written to.
type screen struct {
	*bufio.Writer
	width int // of a line, in columns
}

// writeWrapped escapes a sentence and breaks it between words at the screen's width; lines after the first
// are indented. A word that is longer than a line is broken inside.
func (s screen) writeWrapped(sentence, indent string, decoration decorate) {
	for _, line := range wrap(escapeTerminal(sentence), indent, s.width) {
		if decoration != nil {
			line = decoration(line)
		}
		s.WriteString(line + "\n")
	}
}

func wrap(sentence, indent string, width int) []string {
	lead := sentence[:len(sentence)-len(strings.TrimLeft(sentence, " "))]
	lines := []string{lead}
	room, empty := width-text.StringWidth(lead), true
	for _, word := range strings.SplitAfter(sentence[len(lead):], " ") {
		for word != "" {
			last := &lines[len(lines)-1]
			bare := strings.TrimRight(word, " ")
			head, left := headOf(bare, room)
			if len(head) == len(bare) {
				*last += word
				room, empty = left-(len(word)-len(bare)), false
				break
			}
			if empty {
				*last += head
				word = word[len(head):]
			}
			lines = append(lines, indent)
			room, empty = width-text.StringWidth(indent), true
		}
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// headOf is as much of a word as fits, and the room that is left. It looks at no more than that: a word may be very long.
func headOf(word string, room int) (head string, left int) {
	for i, r := range word {
		width := text.RuneWidth(r)
		if width > room {
			return word[:i], room
		}
		room -= width
	}
	return word, room
}

// fit cuts a string that is wider than a number of columns.
func fit(s string, width int) string {
	if text.StringWidth(s) <= width {
		return s
	}
	return text.Trim(s, width-1) + "…"
}
