package reports

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
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

// A name from a recording neither steers the terminal that JSON is printed on nor hides what stands there, and is the
// same for a program.
func TestJSONHides(t *testing.T) {
	name := "\u0080\u009b31m\u009f\x7f\x1b\u061c\u200b\u200e\u202atxt\u202e\u2066x\u2069\u2028\ufeff\U000e0041 größe 世界 <b>"
	r := troubled()
	r.Trials[11].Failure.Error = name
	r.Run.Host.OS = name
	drawn := draw(t, NewView(r), "json", Options{})
	for _, c := range drawn {
		if c != '\n' && !isShown(c) {
			t.Fatalf("%U is not escaped", c)
		}
	}
	for _, want := range []string{`\u0080\u009b31m\u009f\u007f\u001b`, `\u202atxt\u202e\u2066x\u2069\u2028\ufeff\udb40\udc41 größe 世界`} {
		if !strings.Contains(drawn, want) {
			t.Errorf("it does not have %s", want)
		}
	}
	var back View
	if err := json.Unmarshal([]byte(drawn), &back); err != nil || back.Run.Host.OS != name {
		t.Errorf("%q comes back as %q, %v", name, back.Run.Host.OS, err)
	}
}

// Names of functions and files come from a profile, which may be somebody else's: no format of stacks, and none of the
// whole recording, shows them as they are.
func TestNamesOfProfiles(t *testing.T) {
	name := "evil\x1b[31m\u009b31m\x7f\x07\u202egnp\u2066"
	p := newProfile([]stackSpec{
		{frames: []string{"main.main", name}, heap: 2 << 20, cpu: 5, samples: 5, threads: 4, sent: 100, goroutine: name},
		{frames: []string{name, "*" + name}, blocked: 5 * ms, wait: name, heap: 1 << 20},
	})
	for _, f := range p.Function {
		f.Filename = "/src/" + name
	}
	v := NewView(save(t, newRecording(), map[string]*profile.Profile{"go-threads": p}))
	drawn := map[string]string{"top": draw(t, v, "text", Options{Top: 9})}
	for _, f := range Formats() {
		if !f.NeedsKind {
			drawn[f.Name] = draw(t, v, f.Name, Options{})
			continue
		}
		for _, kind := range []string{recording.KindHeap, recording.KindOffCPU} {
			drawn[f.Name+" of "+kind] = draw(t, v, f.Name, Options{Kind: kind})
		}
	}
	for i, graph := range flameTexts(t, drawn["html"]) {
		drawn[fmt.Sprint("graph ", i)] = graph
	}
	for format, text := range drawn {
		for _, c := range text {
			if (c < ' ' && c != '\n' && c != '\t') || c == 0x7f || c >= 0x80 && c < 0xa0 || unicode.Is(unicode.Bidi_Control, c) {
				t.Errorf("%s has %U", format, c)
				break
			}
		}
	}
	for _, format := range []string{"top", "svg of heap", "folded of offcpu", "graph 0"} {
		if !strings.Contains(drawn[format], `evil\`) {
			t.Errorf("%s does not name the function", format)
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
