package reports

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/weft-profiler/weft/collector/recording"
)

// choose sets a control of the viewer and waits until what it asks for is drawn.
func choose(t *testing.T, b *browser, id, value string) {
	t.Helper()
	eval[bool](t, b, fmt.Sprintf(`(async () => {
	  const control = document.getElementById(%q), value = %q, at = (name) => document.getElementById("flame-" + name);
	  if (control.type === "checkbox") control.checked = value === "on";
	  else control.value = value;
	  control.dispatchEvent(new Event(control.type === "search" ? "input" : "change", { bubbles: true }));
	  const wanted = ["kind", "model", "other", "color"].map((n) => at(n).value).concat(at("top").checked, at("leaves").checked).join(" ");
	  while (control.type !== "search" && control.id.startsWith("flame-") && document.getElementById("flame").dataset.shown !== wanted) {
	    await new Promise((done) => setTimeout(done, 5));
	  }
	  return true;
	})()`, id, value))
}

// frameOf is the class and the rounded width of the frame of a function, and whether it has its name on it.
func frameOf(t *testing.T, b *browser, name string) string {
	t.Helper()
	return eval[string](t, b, fmt.Sprintf(`(() => {
	  const g = [...document.querySelectorAll("#flame g")].find((g) => g.dataset.name === %q), rect = g?.querySelector("rect");
	  return rect ? rect.getAttribute("class") + " " + Math.round(rect.getAttribute("width")) : "none";
	})()`, name))
}

func textOf(t *testing.T, b *browser, id string) string {
	t.Helper()
	return eval[string](t, b, fmt.Sprintf(`document.getElementById(%q).textContent`, id))
}

const parse = "github.com/weft-profiler/weft/workload/page.Parse"

// checkFlames goes through everything that the viewer can do.
func checkFlames(t *testing.T, b *browser, v *View) {
	b.run(t, chromedp.ScrollIntoView(chromedp.CSS("#flame")), chromedp.WaitVisible(chromedp.CSS("#flame svg")))
	t.Run("choice", func(t *testing.T) { checkFlameChoice(t, b) })
	t.Run("zoom", func(t *testing.T) { checkFlameZoom(t, b) })
	t.Run("hover", func(t *testing.T) { checkFlameHover(t, b) })
	t.Run("search", func(t *testing.T) { checkFlameSearch(t, b, v) })
	t.Run("turned", func(t *testing.T) { checkFlameTurned(t, b) })
	t.Run("colors", func(t *testing.T) { checkFlameColors(t, b) })
	t.Run("compare", func(t *testing.T) { checkFlameCompare(t, b) })
	t.Run("as in Go", func(t *testing.T) { checkDifferencesAgree(t, b, v) })
	t.Run("sums", func(t *testing.T) { checkFlameSums(t, b) })
}

// checkFlameChoice: each kind of each model that has one is shown, with its own name, its total and what is wrong with it.
func checkFlameChoice(t *testing.T, b *browser) {
	for _, c := range []struct{ kind, model, title, frame, note string }{
		{"threadcreate", "go-threads", "Threads made: go-threads", "runtime.templateThread", "Total 103 a trial, the mean of 3 profiled trials."},
		{"offcpu", "go-threads", "Time off the CPU: go-threads", "[socket read]", "The stacks add up to the counter of off-CPU time."},
		{"socket", "go-threads", "Socket bytes, sent and received: go-threads", "getaddrinfo", "98.7 % of the socket bytes is in the stacks: 1.3 % in none."},
		{"cpu", "go-threads", "Time on a CPU: go-threads", parse, "samples."},
		{"goroutine", "go-threads", "Goroutines at the hold: go-threads", "syscall.Read", "Total 101 a trial"},
		{"block", "go-threads", "Goroutine waits, by who waited: go-threads", "sync.(*WaitGroup).Wait", "time of goroutines, not of threads"},
		{"mutex", "go-threads", "Lock waits, by who unlocked: go-threads", "sync.(*Mutex).Unlock", "those inside of its runtime too, at the stack that unlocked"},
		{"heap", "go-eventloop", "Heap in use: go-eventloop", "only.In3", "Total"},
	} {
		choose(t, b, "flame-kind", c.kind)
		choose(t, b, "flame-model", c.model)
		if notes := textOf(t, b, "flame-notes"); !strings.HasPrefix(notes, c.title) || !strings.Contains(notes, c.note) {
			t.Errorf("%s of %s: %q", c.kind, c.model, notes)
		}
		if frameOf(t, b, c.frame) == "none" {
			t.Errorf("%s of %s has no %s", c.kind, c.model, c.frame)
		}
	}
	for _, kind := range []string{"goroutine", "block", "mutex"} { // Go's own
		choose(t, b, "flame-kind", kind)
		choose(t, b, "flame-model", "py-asyncio")
		if got := textOf(t, b, "flame"); got != "The profile of py-asyncio has nothing of this kind." {
			t.Errorf("%s of py-asyncio: %q", kind, got)
		}
	}
	choose(t, b, "flame-kind", "heap")
	choose(t, b, "flame-model", "go-eventloop")
}

// checkFlameZoom: a click makes a frame as wide as the graph, keeps its callers, hides the rest; the button brings all
// back. A graph is one stop of the Tab key, arrow keys go from frame to frame, Enter and space enlarge the one that has
// the focus, Escape brings all back.
func checkFlameZoom(t *testing.T, b *browser) {
	shape := func() string {
		return eval[string](t, b, `document.querySelectorAll("#flame g").length + " "`) + frameOf(t, b, "only.In3")
	}
	width := eval[int](t, b, `document.getElementById("flame").clientWidth - 20`)
	whole := shape()
	eval[bool](t, b, `[...document.querySelectorAll("#flame g")].find((g) => g.dataset.name === "only.In3").dispatchEvent(new Event("click", { bubbles: true }))`)
	if got := shape(); !strings.HasPrefix(got, "3 ") || !strings.HasSuffix(got, fmt.Sprint(" ", width)) { // all, main.main, itself
		t.Errorf("enlarged: %s, before %s", got, whole)
	}
	b.click(t, "#flame-back")
	if got := shape(); got != whole {
		t.Errorf("back: %s, want %s", got, whole)
	}
	stops := eval[[]string](t, b, `[...document.querySelectorAll("#flame g")].filter((g) => g.tabIndex === 0).map((g) => g.dataset.name)`)
	roles := eval[string](t, b, `document.querySelector("#flame svg").getAttribute("role") + " " + new Set([...document.querySelectorAll("#flame g")].map((g) => g.getAttribute("role"))).size`)
	if !slices.Equal(stops, []string{"all"}) || roles != "group 1" {
		t.Errorf("stops of the Tab key: %q; roles: %s", stops, roles)
	}
	checkFlameKeys(t, b)
	if got := shape(); got != whole {
		t.Errorf("after Escape: %s, want %s", got, whole)
	}
}

func checkFlameKeys(t *testing.T, b *browser) {
	b.run(t, chromedp.Evaluate[chromedp.Void](`document.querySelector("#flame g").focus()`))
	focused := `document.activeElement.dataset.name + " " + document.querySelectorAll('#flame g[tabindex="0"]').length`
	for _, step := range []struct {
		key, name, focused string
		enlarged           bool
	}{
		{kb.ArrowUp, "up", "runtime.main 1", false},
		{kb.ArrowRight, "right", "runtime.mstart 1", false},
		{kb.ArrowLeft, "left", "runtime.main 1", false},
		{kb.ArrowUp, "up", "main.main 1", false},
		{kb.Enter, "Enter", "main.main 1", true},
		{kb.ArrowDown, "down", "runtime.main 1", true},
		{kb.ArrowUp, "up again", "main.main 1", true},
		{kb.Escape, "Escape", "all 1", false},
		{kb.ArrowUp, "up from the root", "runtime.main 1", false},
		{" ", "space", "runtime.main 1", true},
		{kb.Home, "Home", "all 1", true},
		{kb.Escape, "Escape again", "all 1", false},
	} {
		b.run(t, chromedp.KeyEvent(step.key))
		if got := eval[string](t, b, focused); got != step.focused {
			t.Fatalf("%s: the focus is on %q, want %q", step.name, got, step.focused)
		}
		name, _, _ := strings.Cut(step.focused, " ")
		if got := textOf(t, b, "flame-details"); !strings.HasPrefix(got, name+": ") {
			t.Errorf("%s: details %q", step.name, got)
		}
		if enlarged := eval[bool](t, b, `!document.getElementById("flame-back").hidden`); enlarged != step.enlarged {
			t.Errorf("%s: enlarged %v", step.name, enlarged)
		}
	}
}

// checkFlameHover: the details are those of the frame that the mouse goes to, not of one that is drawn under it.
func checkFlameHover(t *testing.T, b *browser) {
	b.click(t, "#flame-details")
	at := eval[[]float64](t, b, `(() => {
	  const frame = document.querySelector('#flame g[data-name="main.main"] rect');
	  frame.scrollIntoView({ block: "center", behavior: "instant" }); // the click may have scrolled it away
	  const box = frame.getBoundingClientRect();
	  return [Math.floor(box.x + box.width / 2), Math.floor(box.y + box.height / 2), innerHeight];
	})()`)
	if at[1] < 0 || at[1] > at[2] {
		t.Fatalf("main.main is at %v of %v, not in view", at[1], at[2])
	}
	b.run(t, chromedp.MouseEvent("mouseMoved", at[0], at[1]))
	if got := textOf(t, b, "flame-details"); !strings.HasPrefix(got, "main.main: ") {
		t.Errorf("the mouse is on main.main, details %q", got)
	}
	for _, step := range []struct {
		by   float64
		want string
	}{{0, "main.main: "}, {1, "only.In3: "}} {
		eval[bool](t, b, fmt.Sprintf(`document.querySelector('#flame g[data-name="only.In3"]').dispatchEvent(
		  new MouseEvent("mouseover", { bubbles: true, clientX: %v, clientY: %v }))`, at[0]+step.by, at[1]))
		if got := textOf(t, b, "flame-details"); !strings.HasPrefix(got, step.want) {
			t.Errorf("only.In3 is under the mouse, which has moved by %v: details %q", step.by, got)
		}
	}
}

// checkFlameSearch: what matches is marked, and its share is that of the stacks that go through it, each counted once.
func checkFlameSearch(t *testing.T, b *browser, v *View) {
	choose(t, b, "flame-kind", "cpu")
	choose(t, b, "flame-model", "go-threads")
	s, err := stacksOf(v, Options{Kind: recording.KindCPU, Model: "go-threads"})
	if err != nil {
		t.Fatal(err)
	}
	for _, term := range []string{"PARSE", "http1", "main.", "nothing at all"} {
		choose(t, b, "flame-search", term)
		var matched int64
		for i, sample := range s.profile.Sample {
			if slices.ContainsFunc(s.calls.stacks[i], func(call int32) bool {
				return strings.Contains(strings.ToLower(s.calls.calls[call].name), strings.ToLower(term))
			}) {
				matched += s.value(sample)
			}
		}
		want := formatShare(float64(matched)/float64(s.total())) + " matched"
		if got := textOf(t, b, "flame-found"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %s", term, got, want)
		}
		if hits := eval[int](t, b, `document.querySelectorAll("#flame rect.hit").length`); (hits > 0) != (matched > 0) {
			t.Errorf("%s: %d frames are marked", term, hits)
		}
	}
	choose(t, b, "flame-search", "")
	if got := textOf(t, b, "flame-found"); got != "" || eval[int](t, b, `document.querySelectorAll("#flame rect.hit").length`) != 0 {
		t.Errorf("after the search: %q", got)
	}
}

// checkFlameTurned: the root goes from the bottom to the top, and stacks turn round.
func checkFlameTurned(t *testing.T, b *browser) {
	rootAbove := `(() => {
	  const y = (name) => Number([...document.querySelectorAll("#flame g")].find((g) => g.dataset.name === name).querySelector("rect").getAttribute("y"));
	  return y("all") < y("runtime.main");
	})()`
	before := eval[bool](t, b, rootAbove)
	choose(t, b, "flame-top", "on")
	if after := eval[bool](t, b, rootAbove); before || !after {
		t.Errorf("the root is above its callees: %v, then %v", before, after)
	}
	b.run(t, chromedp.Evaluate[chromedp.Void](`document.querySelector("#flame g").focus()`), chromedp.KeyEvent(kb.ArrowDown))
	if got := eval[string](t, b, `document.activeElement.dataset.name`); got != "runtime.main" {
		t.Errorf("down from a root on top: %q", got)
	}
	choose(t, b, "flame-top", "off")
	choose(t, b, "flame-kind", "offcpu")
	choose(t, b, "flame-leaves", "on")
	first := eval[[]string](t, b, `(() => {
	  const row = (g) => Number(g.querySelector("rect").getAttribute("y")), all = [...document.querySelectorAll("#flame g")];
	  return all.filter((g) => row(g) === row(all[0]) - 18).map((g) => g.dataset.name).sort();
	})()`)
	if want := []string{"[futex]", "[runnable]", "[socket read]"}; !slices.Equal(first, want) {
		t.Errorf("leaves on the root: %q, want %q", first, want)
	}
	choose(t, b, "flame-leaves", "off")
}

// checkFlameColors: code of the kernel, inlined calls, the scheduler and what waits for a CPU can be told apart.
func checkFlameColors(t *testing.T, b *browser) {
	choose(t, b, "flame-color", "code")
	for name, class := range map[string]string{"tcp_recvmsg": "kernel", "runtime.findRunnable": "sched", "[scheduler]": "sched",
		"syscall.read": "inline", "main.main": "user", "[socket read]": "wait"} {
		if got := frameOf(t, b, name); !strings.HasPrefix(got, class+" ") {
			t.Errorf("%s is %q, want %s", name, got, class)
		}
	}
	if got := textOf(t, b, "flame-legend"); !strings.Contains(got, "kernel") || !strings.Contains(got, "Go scheduler") {
		t.Errorf("legend %q", got)
	}
	choose(t, b, "flame-color", "package")
	if got := frameOf(t, b, "main.main"); !strings.HasPrefix(got, "c") {
		t.Errorf("by package main.main is %q", got)
	}
}

// checkFlameCompare: only what differs by more than the noise has a color. page.Parse costs twice as much in go-threads.
func checkFlameCompare(t *testing.T, b *browser) {
	choose(t, b, "flame-kind", "heap")
	choose(t, b, "flame-model", "go-threads")
	choose(t, b, "flame-other", "go-sequential")
	if got := frameOf(t, b, parse); !strings.HasPrefix(got, "more2 ") {
		t.Errorf("%s is %q, want more2", parse, got)
	}
	const dial = "github.com/weft-profiler/weft/workload/http1.Dial"
	if got := frameOf(t, b, dial); !strings.HasPrefix(got, "same ") {
		t.Errorf("%s is %q, want same", dial, got)
	}
	if got := textOf(t, b, "flame-notes"); !strings.Contains(got, "Compared with go-sequential: red has more") {
		t.Errorf("notes %q", got)
	}
	b.run(t, chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("#flame g")].find((g) => g.dataset.name === "`+parse+`").focus()`))
	if got := textOf(t, b, "flame-details"); !strings.Contains(got, "in go-sequential") || !strings.Contains(got, "grew 2.00x") {
		t.Errorf("details %q", got)
	}
	choose(t, b, "flame-model", "go-sequential")
	choose(t, b, "flame-other", "go-threads")
	if got := frameOf(t, b, parse); !strings.HasPrefix(got, "less2 ") {
		t.Errorf("the other way round %s is %q, want less2", parse, got)
	}
	choose(t, b, "flame-other", "")
	if got := frameOf(t, b, parse); strings.HasPrefix(got, "less") {
		t.Errorf("compared with nothing it is %q", got)
	}
}

// checkDifferencesAgree: the page and the SVG color alike.
func checkDifferencesAgree(t *testing.T, b *browser, v *View) {
	for _, test := range differenceCases() {
		got := eval[string](t, b, fmt.Sprintf(`(() => {
		  const graph = (values) => ({ nodes: [{ name: "all", values, callees: [] }], data: { count: values.length, units: null, least: 0 } });
		  const mine = graph([%s]), theirs = graph([%s]);
		  return differenceClass(compared(mine.nodes, mine.data, theirs.nodes, theirs.data).differences.get(mine.nodes[0]));
		})()`, joined(test.mine), joined(test.theirs)))
		if got != test.want {
			t.Errorf("%s: the page has %s, want %s", test.name, got, test.want)
		}
	}
	for _, kind := range Kinds() {
		drawn := eval[map[string]string](t, b, fmt.Sprintf(`(async () => {
		  const of = async (model) => JSON.parse(await unpack([...document.querySelectorAll(".flame-data")].find((s) => s.dataset.kind === %q && s.dataset.model === model)));
		  const data = await of("go-threads"), other = await of("go-nethttp"), nodes = topDown(data);
		  const { differences } = compared(nodes, data, topDown(other), other);
		  return Object.fromEntries(nodes.map((n) => [pathOf(n).join(";"), differenceClass(differences.get(n))]));
		})()`, kind.Name))
		s, err := stacksOf(v, Options{Kind: kind.Name, Model: "go-threads"})
		if err != nil {
			t.Fatal(err)
		}
		with, err := stacksOf(v, Options{Kind: kind.Name, Model: "go-nethttp"})
		if err != nil {
			t.Fatal(err)
		}
		g := newFlameGraph(s)
		boxes, _ := g.layout(1, 0, newComparing(v, g, s, with))
		want := map[string]string{}
		var path []string
		for _, box := range boxes {
			path = append(path[:max(0, box.depth-1)], escapeTerminal(box.name))
			if box.depth == 0 {
				path = path[:0]
			}
			want[strings.Join(path, ";")] = box.diff.class()
		}
		if !maps.Equal(drawn, want) {
			t.Errorf("%s: the page has %v\nGo has %v", kind.Name, drawn, want)
		}
	}
}

func joined(values []int64) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(values), " ", ","), "[]")
}

// checkFlameSums: in what the page holds a caller is at least as much as its callees, whichever way it is turned.
func checkFlameSums(t *testing.T, b *browser) {
	wrong := eval[[]string](t, b, `(async () => {
	  const wrong = [];
	  for (const script of document.querySelectorAll(".flame-data")) {
	    const data = JSON.parse(await unpack(script));
	    for (const nodes of [topDown(data), leavesFirst(data)]) {
	      for (const n of nodes) {
	        n.values.forEach((value, i) => {
	          const sum = n.callees.reduce((rest, c) => rest + c.values[i], 0);
	          if (sum > value || (n.depth === 0 && sum !== value)) wrong.push(data.title + ": " + n.name + " " + value + " < " + sum);
	        });
	      }
	    }
	  }
	  return wrong;
	})()`)
	if len(wrong) > 0 {
		t.Errorf("%q", wrong[:min(5, len(wrong))])
	}
}

// checkPayers: one table for all kinds, sorted by any.
func checkPayers(t *testing.T, b *browser, v *View) {
	heads := eval[[]string](t, b, `[...document.querySelector("#who-pays table").tHead.querySelectorAll("th")].map((e) => e.textContent)`)
	want := []string{"FUNCTION", "HEAP in use", "THREADS made", "SOCKET bytes", "REPLY wait", "OFF-CPU time", "RSS grown", "CPU time"}
	if !slices.Equal(heads, want) {
		t.Errorf("columns %q, want %q", heads, want)
	}
	if n := eval[int](t, b, `[...document.querySelectorAll("#who-pays table")].filter((e) => e.offsetParent).length`); n != 1 {
		t.Errorf("%d tables are shown, want 1", n)
	}
	choose(t, b, "payers-model", "go-threads")
	b.click(t, `#who-pays [data-payers="go-threads"] th:nth-child(7) button`) // ascending
	b.click(t, `#who-pays [data-payers="go-threads"] th:nth-child(7) button`)
	grown := eval[[]string](t, b, `[...document.querySelectorAll('#who-pays [data-payers="go-threads"] tbody td:nth-child(7)')].map((e) => e.dataset.sort).filter((s) => s !== "")`)
	last := math.Inf(1)
	for _, text := range grown {
		var x float64
		if _, err := fmt.Sscan(text, &x); err != nil || x > last {
			t.Fatalf("sorted by RSS grown: %q", grown)
		}
		last = x
	}
	list, err := newPayers(v, "go-threads", mostPayers)
	if err != nil || len(grown) < 2 {
		t.Fatalf("%d rows, %v", len(grown), err)
	}
	if first := eval[string](t, b, `document.querySelector('#who-pays [data-payers="go-threads"] tbody th').dataset.sort`); !slices.ContainsFunc(list.Rows, func(p payer) bool { return p.Name == first }) {
		t.Errorf("the first is %q", first)
	}
}
