package reports

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"golang.org/x/net/html"

	"github.com/weft-profiler/weft/collector/recording"
)

// evil are names as a process could give itself: markup, marks of writing direction, separators that end a line of
// JavaScript, bytes that are no text.
var evil = []string{
	"</script><script>alert(1)</script>", `<img src=x onerror=alert(1)>`, `"onmouseover="alert(1)`, "'-alert(1)-'",
	"\u202egnp.exe", "line\u2028separator\u2029", "]]><svg/onload=alert(1)>", "{{.Style}}", "\xff\xfe\x00", "&lt;b&gt;",
}

// harmless are as many names that mean nothing to a browser.
func harmless() []string {
	var list []string
	for i := range evil {
		list = append(list, fmt.Sprintf("name %c", 'a'+i))
	}
	return list
}

// namedRecording has names wherever a string can come from a profiled process or from somebody else's files.
func namedRecording(names []string) (*recording.Recording, *profile.Profile) {
	r := newNine(6)
	name := func(i int) string { return names[i%len(names)] }
	r.Run.Command = names
	r.Run.Host.CPUModel, r.Run.Host.OS, r.Run.Plan.URL = name(0), name(1), name(2)
	for i := range r.Run.Plan.Details {
		r.Run.Plan.Details[i].Summary, r.Run.Plan.Details[i].Runtime = name(i), name(i+1)
	}
	for i := range names {
		r.Run.Skipped = append(r.Run.Skipped, recording.Skipped{Model: fmt.Sprint("skipped", i), Reason: name(i), Advice: name(i + 1)})
	}
	for i, t := range r.Trials {
		nameTrial(t, i, name)
	}
	var stacks []stackSpec
	for _, n := range names {
		n = strings.ToValidUTF8(n, "?") // a profile has valid strings only
		stacks = append(stacks, stackSpec{frames: []string{"main", n}, heap: 1000, threads: 1, sent: 10})
	}
	return r, newProfile(stacks)
}

func nameTrial(t *recording.Trial, i int, name func(int) string) {
	t.Work.Digest = name(i)
	t.Missing = []recording.Missing{{Probe: name(i), Reason: name(i + 1)}}
	t.Lost = []recording.Loss{{Cause: name(i), Count: 1, Detail: name(i + 2)}}
	if i%9 == 0 {
		t.Failure = &recording.Failure{Cause: name(i / 9), Error: name(i/9 + 1)}
	}
	if i%7 == 0 {
		t.Work.Failed = map[string]int{name(i / 7): 1}
		t.Work.Errors = []string{name(i/7 + 1)}
	}
	for j := range t.Threads.List {
		t.Threads.List[j].Name = name(i + j)
	}
	t.Sched.Wakers = []recording.Waker{{TID: 1, Name: name(i), Count: 2}}
	for point, s := range t.Snapshots {
		s.Cost[recording.ByProc] = append(s.Cost[recording.ByProc], recording.Part{Name: name(i), Bytes: 4096, Source: name(i + 1)})
		t.Snapshots[point] = s
	}
}

func namedView(t testing.TB, names []string) *View {
	t.Helper()
	r, p := namedRecording(names)
	return NewView(save(t, r, map[string]*profile.Profile{"go-threads": p}))
}

// shape counts the elements that a browser makes of a text, each with the names of its attributes, and with the values
// of those that act.
func shape(t *testing.T, text string) map[string]int {
	t.Helper()
	root, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for n := range root.Descendants() {
		if n.Type == html.CommentNode || n.Type == html.DoctypeNode {
			counts[fmt.Sprint("node ", n.Type)]++
		}
		if n.Type != html.ElementNode {
			continue
		}
		element := "<" + n.Data
		for _, a := range n.Attr {
			element += " " + a.Key
			if slices.Contains([]string{"id", "href", "src", "class", "type", "http-equiv"}, a.Key) {
				element += "=" + a.Val
			}
		}
		counts[element]++
	}
	return counts
}

// differ says which elements two texts do not have equally often.
func differ(a, b map[string]int) []string {
	var list []string
	for element, n := range a {
		if n != b[element] {
			list = append(list, fmt.Sprintf("%d and %d of %.200s", n, b[element], element))
		}
	}
	for element, n := range b {
		if a[element] == 0 {
			list = append(list, fmt.Sprintf("0 and %d of %.200s", n, element))
		}
	}
	return list
}

// No name acts: whatever names there are, a browser makes the same elements and attributes of the page and of the
// flame graphs in it, and nothing hides.
func TestHTMLIsPlain(t *testing.T) {
	page := draw(t, namedView(t, evil), "html", Options{})
	clean := draw(t, namedView(t, harmless()), "html", Options{})
	if list := differ(shape(t, page), shape(t, clean)); len(list) > 0 {
		t.Errorf("with hostile and with harmless names: %q", list)
	}
	if i := strings.IndexAny(page, "\u202e\u2028\u2029\x00"); i >= 0 {
		t.Errorf("a character that hides or ends a line: %q", page[max(0, i-80):i+10])
	}
	var data pageData
	if err := json.Unmarshal([]byte(between(t, page, `<script type="application/json" id="data">`, "</script>")), &data); err != nil {
		t.Errorf("the data for the script: %v", err)
	}
	graphs, cleanGraphs := flameTexts(t, page), flameTexts(t, clean)
	if len(graphs) != len(cleanGraphs) || len(graphs) < 3 {
		t.Fatalf("%d and %d flame graphs", len(graphs), len(cleanGraphs))
	}
	for i := range graphs { // colors go by the names
		if list := differ(shape(t, uncolored(graphs[i])), shape(t, uncolored(cleanGraphs[i]))); len(list) > 0 {
			t.Errorf("flame graph %d with hostile and with harmless names: %q", i, list)
		}
		if strings.ContainsAny(graphs[i], "\u202e\u2028\x00") {
			t.Errorf("flame graph %d has a character that hides", i)
		}
	}
}

func flameTexts(t *testing.T, page string) []string {
	t.Helper()
	var list []string
	for _, packed := range regexp.MustCompile(`(?s)<script type="text/plain" class="flame-data"[^>]*>(.*?)</script>`).FindAllStringSubmatch(page, -1) {
		list = append(list, unpacked(t, packed[1]))
	}
	return list
}

func uncolored(svg string) string {
	return regexp.MustCompile(`class="c\d`).ReplaceAllString(svg, `class="c`)
}

// What TestHTMLIsPlain compares by sees every name that is markup, wherever the page would let it in.
func TestShapeSeesMarkup(t *testing.T) {
	for _, name := range evil {
		for place, acts := range map[string]bool{"<p>%s</p>": strings.Contains(name, "<"), `<p title="%s">`: strings.Contains(name, `"`)} {
			list := differ(shape(t, fmt.Sprintf(place, name)), shape(t, fmt.Sprintf(place, "harmless")))
			if (len(list) > 0) != acts {
				t.Errorf("%q in %s: %q", name, place, list)
			}
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

func TestHTMLOfOneModel(t *testing.T) {
	r := newRecording()
	r.Run.Plan.Models, r.Run.Plan.Details = []string{"go-threads"}, r.Run.Plan.Details[1:2]
	r.Trials = slices.DeleteFunc(r.Trials, func(t *recording.Trial) bool { return t.Model != "go-threads" })
	r.Run.Trials = slices.DeleteFunc(r.Run.Trials, func(ref recording.TrialRef) bool { return ref.Model != "go-threads" })
	if title := between(t, draw(t, NewView(save(t, r, nil)), "html", Options{}), "<h1>", "</h1>"); title != "fetch, 1 model" {
		t.Errorf("title %q", title)
	}
}
