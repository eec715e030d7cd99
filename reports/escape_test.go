package reports

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	tests := []struct {
		name   string
		escape func(string) string
		in     string
		want   string
	}{
		{"plain", escapeTerminal, "main.(*T).run größe 世界", "main.(*T).run größe 世界"},
		{"colour", escapeTerminal, "a\x1b[31mb", `a\x1b[31mb`},
		{"title", escapeTerminal, "\x1b]0;owned\x07", `\x1b]0;owned\a`},
		{"8 bit escape", escapeTerminal, "\u009b31m", `\u009b31m`},
		{"lines", escapeTerminal, "a\r\nb\tc", `a\r\nb\tc`},
		{"bidi", escapeTerminal, "user\u202etxt.exe", `user\u202etxt.exe`},
		{"isolate", escapeTerminal, "\u2066x\u2069", `\u2066x\u2069`},
		{"zero width", escapeTerminal, "a\u200bb", `a\u200bb`},
		{"no break space", escapeTerminal, "a\u00a0b", `a\u00a0b`},
		{"invalid", escapeTerminal, "a\xffb", `a\xffb`},
		{"invalid low", escapeTerminal, "a\x80b", `a\x80b`},
		{"replacement", escapeTerminal, "a\ufffdb", "a\ufffdb"},
		{"backslash", escapeTerminal, `a\x1bb`, `a\\x1bb`},
		{"markdown", escapeMarkdown, "a|b*c_d`e`", "a\\|b\\*c\\_d\\`e\\`"},
		{"markdown link", escapeMarkdown, "[x](http://y) <b>", `\[x\](http&#58;//y) &lt;b&gt;`},
		{"markdown mention", escapeMarkdown, "@all www.x.y &amp;", "&#64;all www&#46;x.y &amp;amp;"},
		{"markdown line", escapeMarkdown, "a\n# b", `a\\n\# b`},
		{"markdown formula", escapeMarkdown, "$x$ $`y`$", "&#36;x&#36; &#36;\\`y\\`&#36;"},
		{"csv full width", escapeCSV, "＝1+1", "'＝1+1"},
		{"csv full width plus", escapeCSV, "＋1", "'＋1"},
		{"csv full width minus", escapeCSV, "－1", "'－1"},
		{"csv full width at", escapeCSV, "＠SUM(A1)", "'＠SUM(A1)"},
		{"csv wide", escapeCSV, "世界", "世界"},
		{"csv formula", escapeCSV, "=1+1", "'=1+1"},
		{"csv at", escapeCSV, "@SUM(A1)", "'@SUM(A1)"},
		{"csv minus", escapeCSV, "-2", "'-2"},
		{"csv tab", escapeCSV, "\t=1", `\t=1`},
		{"csv plain", escapeCSV, "a=1", "a=1"},
		{"csv empty", escapeCSV, "", ""},
		{"xml", escapeXML, `<a href="x">&'`, "&lt;a href=&#34;x&#34;&gt;&amp;&#39;"},
		{"xml control", escapeXML, "a\x00b\x1b", `a\x00b\x1b`},
		{"xml not a character", escapeXML, "a\uffffb", `a\uffffb`},
		{"folded", escapeFolded, "a;b\nc", `a:b\nc`},
	}
	for _, test := range tests {
		if got := test.escape(test.in); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// Whatever a process calls its functions, the text stays printable and the XML well-formed.
func FuzzEscape(f *testing.F) {
	f.Add("a\x1b[31m\u202e\xff<&>;`|")
	f.Fuzz(func(t *testing.T, s string) {
		if got := escapeTerminal(s); !utf8.ValidString(got) || strings.ContainsAny(got, "\x1b\n\r\u202e\u2066") {
			t.Errorf("terminal: %q", got)
		}
		if got := escapeFolded(s); strings.ContainsAny(got, ";\n") {
			t.Errorf("folded: %q", got)
		}
		d := xml.NewDecoder(strings.NewReader("<t>" + escapeXML(s) + "</t>"))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("xml: %v", err)
			}
		}
	})
}
