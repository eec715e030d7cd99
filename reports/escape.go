package reports

import (
	"bytes"
	"fmt"
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// escapeTerminal makes a string safe for a terminal and for lines of text: what cannot be seen or would steer
// the terminal (control characters, escape sequences, marks of writing direction, invalid UTF-8) is shown as
// Go quotes it, and so is the backslash, so that nothing can pose as quoted.
func escapeTerminal(s string) string {
	if isOf(s, &plainTerminal) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0])|0x100, 16)[1:])
		case r == '\\':
			b.WriteString(`\\`)
		case isShown(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[size:]
	}
	return b.String()
}

// isShown says that a character shows as what it is. Control characters, those of the upper half (U+0080 to U+009F) too,
// marks of writing direction, and what takes no room do not.
func isShown(r rune) bool { return unicode.IsPrint(r) }

// escapeJSON escapes in JSON text what is not shown. The encoder has done so for what JSON allows in no string; what is left is
// in strings, but for the white space between.
func escapeJSON(text []byte) []byte {
	hidden := func(r rune) bool { return r >= 0x7f && !isShown(r) }
	if !bytes.ContainsFunc(text, hidden) {
		return text
	}
	escaped := make([]byte, 0, len(text)+len(text)/8)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case !hidden(r):
			escaped = append(escaped, text[:size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
		text = text[size:]
	}
	return escaped
}

// asciiWithout is the printable characters of ASCII without some.
func asciiWithout(some string) (set [256]bool) {
	for c := ' '; c <= '~'; c++ {
		set[c] = !strings.ContainsRune(some, c)
	}
	return set
}

// Nearly all names are of these characters, which need no escaping, and there are many names.
var plainTerminal, plainXML = asciiWithout(`\`), asciiWithout(`<>&'"`)

func isOf(s string, set *[256]bool) bool {
	for i := range len(s) {
		if !set[s[i]] {
			return false
		}
	}
	return true
}

// escapeMarkdown makes a string plain text in Markdown, in a table's cell too: no markup, no HTML, no link, no formula.
func escapeMarkdown(s string) string {
	return markdownReplacer().Replace(escapeTerminal(s))
}

func markdownReplacer() *strings.Replacer {
	return strings.NewReplacer(
		`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "|", `\|`, "~", `\~`, "#", `\#`, "!", `\!`,
		"&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "&#64;", "$", "&#36;", "://", "&#58;//", "www.", "www&#46;",
	)
}

// escapeCSV keeps a spreadsheet from taking a text for a formula, one in full-width signs too, which some read alike.
// Quoting is encoding/csv's.
func escapeCSV(s string) string {
	s = escapeTerminal(s)
	if first, _ := utf8.DecodeRuneInString(s); s != "" && strings.ContainsRune("=+-@＝＋－＠", first) {
		return "'" + s
	}
	return s
}

// escapeXML makes a string valid text of an XML element or attribute.
func escapeXML(s string) string {
	return xmlText(escapeTerminal(s))
}

// xmlText escapes what is escaped for a terminal already, so that it could be cut to a width. HTML's five are written as
// encoding/xml writes them, many times faster; what else that escapes is no plain text of a terminal.
func xmlText(s string) string {
	if isOf(s, &plainXML) {
		return s
	}
	return html.EscapeString(s)
}

// escapeFolded makes a name one frame of a folded stack: a semicolon would end it.
func escapeFolded(s string) string {
	return strings.ReplaceAll(escapeTerminal(s), ";", ":")
}
