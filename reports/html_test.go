package reports

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/weft-profiler/weft/collector/recording"
)

// evil are names as a process could give itself: markup, marks of writing direction, separators that end a line of
// JavaScript, bytes that are no text.
var evil = []string{
	"</script><script>alert(1)</script>", `<img src=x onerror=alert(1)>`, `"onmouseover="alert(1)`, "'-alert(1)-'",
	"\u202egnp.exe", "line\u2028separator\u2029", "]]><svg/onload=alert(1)>", "{{.Style}}", "\xff\xfe\x00", "&lt;b&gt;",
}

// hostileRecording has them wherever a string can come from a profiled process or from somebody else's files.
func hostileRecording() (*recording.Recording, *profile.Profile) {
	r := newNine(6)
	name := func(i int) string { return evil[i%len(evil)] }
	r.Run.Command = evil
	r.Run.Host.CPUModel, r.Run.Host.OS, r.Run.Plan.URL = name(0), name(1), name(2)
	for i, t := range r.Trials {
		t.Work.Digest = name(i)
		t.Missing = []recording.Missing{{Probe: name(i), Reason: name(i + 1)}}
		t.Lost = []recording.Loss{{Cause: name(i), Count: 1, Detail: name(i + 2)}}
		if i%9 == 0 {
			t.Failure = &recording.Failure{Cause: name(i / 9), Error: name(i/9 + 1)}
		}
		t.Sched.Wakers = []recording.Waker{{TID: 1, Name: name(i), Count: 2}}
		for point, s := range t.Snapshots {
			s.Cost[recording.ByProc] = append(s.Cost[recording.ByProc], recording.Part{Name: name(i), Bytes: 4096, Source: name(i + 1)})
			t.Snapshots[point] = s
		}
	}
	var stacks []stackSpec
	for _, n := range evil {
		n = strings.ToValidUTF8(n, "?") // a profile has valid strings only
		stacks = append(stacks, stackSpec{frames: []string{"main", n}, heap: 1000, threads: 1, sent: 10})
	}
	return r, newProfile(stacks)
}

func hostileView(t testing.TB) *View {
	t.Helper()
	r, p := hostileRecording()
	return NewView(save(t, r, map[string]*profile.Profile{"go-threads": p}))
}

// No name acts: no tag, attribute or script beside those of the template, and nothing that hides.
func TestHTMLIsPlain(t *testing.T) {
	page := draw(t, hostileView(t), "html", Options{})
	clean := draw(t, newNineView(t, 6), "html", Options{})
	for _, tag := range []string{"<script", "<style", "<img", "<iframe", "<object", "<link", "<meta", "<form", "<base"} {
		want := strings.Count(clean, tag) // the template's own
		if tag == "<script" {
			want += strings.Count(page, `class="flame-data"`) - strings.Count(clean, `class="flame-data"`)
		}
		if got := strings.Count(page, tag); got != want {
			t.Errorf("%d of %s, want %d", got, tag, want)
		}
	}
	if found := regexp.MustCompile(`<[^>]*\son[a-z]+\s*=`).FindString(markup(page)); found != "" {
		t.Errorf("a handler: %.200s", found)
	}
	if i := strings.IndexAny(page, "\u202e\u2028\u2029\x00"); i >= 0 {
		t.Errorf("a character that hides or ends a line: %q", page[max(0, i-80):i+10])
	}
	var data pageData
	if err := json.Unmarshal([]byte(between(t, page, `<script type="application/json" id="data">`, "</script>")), &data); err != nil {
		t.Errorf("the data for the script: %v", err)
	}
	for _, packed := range regexp.MustCompile(`(?s)<script type="text/plain" class="flame-data"[^>]*>(.*?)</script>`).FindAllStringSubmatch(page, -1) {
		svg := unpacked(t, packed[1])
		if strings.Contains(svg, "<script") || strings.Contains(svg, "<img") || strings.ContainsAny(svg, "\u202e\u2028") {
			t.Errorf("a name acts in a flame graph")
		}
	}
}

// markup is the page without what a browser takes for text only.
func markup(page string) string {
	return regexp.MustCompile(`(?s)<(script|style)[^>]*>.*?</(script|style)>`).ReplaceAllString(page, "")
}

func between(t *testing.T, s, from, to string) string {
	t.Helper()
	_, after, found := strings.Cut(s, from)
	inner, _, ended := strings.Cut(after, to)
	if !found || !ended {
		t.Fatalf("the page has no %s", from)
	}
	return inner
}

func unpacked(t *testing.T, text string) string {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// The policy names exactly the script and the style that the page has.
func TestHTMLPolicy(t *testing.T) {
	page := draw(t, newView(t), "html", Options{})
	policy := between(t, page, `http-equiv="Content-Security-Policy" content="`, `"`)
	policy = strings.NewReplacer("&#39;", "'", "&#43;", "+").Replace(policy)
	want := "default-src 'none'; script-src '" + hashSource(between(t, page, "<script>", "</script>")) +
		"'; style-src '" + hashSource(between(t, page, "<style>", "</style>")) + "'; img-src data:; base-uri 'none'; form-action 'none'"
	if policy != want {
		t.Errorf("policy %s\nwant   %s", policy, want)
	}
	if !strings.Contains(page, "The MIT License (MIT)\n\nCopyright (c) 2022 Leon Sorokin") {
		t.Error("the page has uPlot without its licence")
	}
	for _, address := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(address[1], "#") && address[1] != "data:," {
			t.Errorf("the page names %q", address[1])
		}
	}
}

// A section without evidence says so, and no figure is made up.
func TestHTMLWithoutEvidence(t *testing.T) {
	r := newRecording()
	for _, trial := range r.Trials {
		trial.Curves, trial.Sched, trial.Memory, trial.GoMemory = nil, nil, nil, nil
		trial.Snapshots, trial.Sockets = nil, recording.Sockets{}
	}
	page := draw(t, NewView(save(t, r, nil)), "html", Options{})
	if n := strings.Count(page, "Not in this recording"); n < 6 {
		t.Errorf("%d sections say that they have nothing, want 6: three gauges, threads, memory, run queue", n)
	}
	for _, id := range []string{`id="flames"`, `id="connections"`, `data-gauge=`, `class="bar"`, `class="histogram`} {
		if strings.Contains(markup(page), id) {
			t.Errorf("the page has %s without evidence", id)
		}
	}
}

// What can be saved from the page is what the formats draw.
func TestHTMLDownloads(t *testing.T) {
	v := newView(t)
	page := draw(t, v, "html", Options{})
	for _, format := range []string{"json", "csv", "benchstat"} {
		packed := regexp.MustCompile(`(?s)id="download-` + format + `"[^>]*>(.*?)</script>`).FindStringSubmatch(page)
		if packed == nil || unpacked(t, packed[1]) != draw(t, v, format, Options{}) {
			t.Errorf("the page's %s is not that of the format", format)
		}
	}
}
