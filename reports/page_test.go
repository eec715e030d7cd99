package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	printing "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/weft-profiler/weft/collector/recording"
)

// What a browser makes of the page. A recording of nine models with everything there is, and names that try to act.
func TestPageInBrowser(t *testing.T) {
	b := newBrowser(t)
	v := newNineView(t, 6)
	url := writeReport(t, v)
	b.open(t, url, "light", 1280, 900)
	t.Run("print", func(t *testing.T) { checkPrint(t, b) })
	t.Run("curves", func(t *testing.T) { checkCurves(t, b, v) })
	t.Run("legend", func(t *testing.T) { checkLegend(t, b) })
	t.Run("axes", func(t *testing.T) { checkAxes(t, b, v) })
	t.Run("columns", func(t *testing.T) { checkColumns(t, b, url) })
	t.Run("sorting", func(t *testing.T) { checkSorting(t, b, v) })
	t.Run("controls", func(t *testing.T) { checkControls(t, b, v) })
	t.Run("flames", func(t *testing.T) { checkFlames(t, b, v) })
	t.Run("payers", func(t *testing.T) { checkPayers(t, b, v) })
	t.Run("downloads", func(t *testing.T) { checkUnpack(t, b, v) })
	t.Run("themes", func(t *testing.T) { checkThemes(t, b, url) })
	t.Run("narrow", func(t *testing.T) { checkNarrow(t, b, url) })
	b.calm(t, url)
}

// A page full of hostile names runs nothing, asks for nothing and stays inside of a narrow window.
func TestHostilePageInBrowser(t *testing.T) {
	b := newBrowser(t)
	url := writeReport(t, namedView(t, evil))
	b.open(t, url, "dark", 390, 844)
	checkFits(t, b)
	b.run(t, chromedp.ScrollIntoView(chromedp.CSS("#flame")), chromedp.WaitVisible(chromedp.CSS("#flame svg")))
	choose(t, b, "flame-kind", recording.KindHeap)
	choose(t, b, "flame-other", "go-threads") // with itself: of one trial nothing is known
	if got := textOf(t, b, "flame-legend") + textOf(t, b, "flame-notes"); !strings.Contains(got, "noise not known") || !strings.Contains(got, "2 trials of each, and there are 1 and 1.") {
		t.Errorf("of one trial it says %q", got)
	}
	for _, id := range []string{"flame-leaves", "flame-top"} {
		choose(t, b, id, "on")
	}
	choose(t, b, "flame-search", "<script>")
	if n := eval[int](t, b, `document.querySelectorAll("img, #flame script, [onerror], [onload], [onmouseover]").length`); n > 0 {
		t.Errorf("%d elements made of names", n)
	}
	b.calm(t, url)
}

// A recording whose run was ended before its first trial has a page too.
func TestEmptyPageInBrowser(t *testing.T) {
	r := newRecording()
	r.Run.Interrupted, r.Trials, r.Run.Trials = true, nil, nil
	b := newBrowser(t)
	url := writeReport(t, NewView(save(t, r, nil)))
	b.open(t, url, "light", 390, 844)
	checkFits(t, b)
	if n := eval[int](t, b, `document.querySelectorAll(".absent").length`); n < 6 {
		t.Errorf("%d sections say that they have nothing, want 6", n)
	}
	b.calm(t, url)
}

// readGreatest shows one curve and finds its highest pixel of its own color: the top of the dot at its greatest
// value. It gives the value there by the scale that the axis shows, and what a pixel is worth.
const readGreatest = `(async () => {
  const u = weft.plots[%q], n = %d;
  for (let i = 1; i < u.series.length; i++) u.setSeries(i, { show: i === n });
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const { left, top, width, height } = u.bbox, pixels = u.ctx.getImageData(left, 0, width, top + height).data;
  const [r, g, b] = u.series[n].stroke(u, n).match(/[\d.]+/g).map(Number);
  const near = (i) => pixels[i + 3] > 128 && Math.abs(pixels[i] - r) + Math.abs(pixels[i + 1] - g) + Math.abs(pixels[i + 2] - b) < 24;
  let first = 0;
  while (first < pixels.length && !near(first)) first += 4;
  const row = Math.floor(first / 4 / width), { min, max } = u.scales.y, pixel = (max - min) / height;
  const center = row + dotSize * devicePixelRatio / 2;
  return { value: max - (center - top) * pixel, pixel: pixel * devicePixelRatio };
})()`

// checkCurves reads each curve's greatest value from the drawing and compares with the recording.
func checkCurves(t *testing.T, b *browser, v *View) {
	seen := 0
	for _, g := range gauges(v) {
		for i, c := range g.Curves {
			read := eval[struct{ Value, Pixel float64 }](t, b, fmt.Sprintf(readGreatest, g.Name, i+1))
			model := v.Models[c.Model].Name
			want := float64(slices.Max(medianTrial(v, model).Curves[g.Name].Greatest))
			if math.Abs(read.Value-want) > read.Pixel {
				t.Errorf("%s of %s: %.1f in the drawing, %.1f in the recording; a pixel is %.2f", g.Name, model, read.Value, want, read.Pixel)
			}
			seen++
		}
	}
	if seen != 27 {
		t.Errorf("%d curves were read, want 3 of 9 models", seen)
	}
}

// checkLegend: a button takes a model out of all charts, and brings it back.
func checkLegend(t *testing.T, b *browser) {
	shown := `Object.values(weft.plots).map((u) => u.series[2].show).join()`
	const button = `.legend [data-model="1"]`
	b.run(t, chromedp.Evaluate[chromedp.Void](`for (const u of Object.values(weft.plots)) for (let i = 1; i < u.series.length; i++) u.setSeries(i, { show: true })`))
	b.click(t, button)
	if got := eval[string](t, b, shown); got != "false,false,false" {
		t.Errorf("after a click: %s", got)
	}
	b.run(t, chromedp.Focus(chromedp.CSS(button)), chromedp.KeyEvent(kb.Enter))
	if got := eval[string](t, b, shown); got != "true,true,true" {
		t.Errorf("after Enter: %s", got)
	}
}

// checkAxes: all charts have the time that was chosen or dragged, from the gate on.
func checkAxes(t *testing.T, b *browser, v *View) {
	ranges := `Object.values(weft.plots).map((u) => u.scales.x.min + " " + u.scales.x.max)`
	for i, want := range []string{"0", ""} { // linear, then as it was: logarithmic
		eval[bool](t, b, fmt.Sprintf(`(() => { const s = document.getElementById("axis"); s.value = %d; return s.dispatchEvent(new Event("change")) })()`, i))
		got := eval[[]string](t, b, ranges)
		if len(got) != 3 || got[0] != got[1] || got[1] != got[2] || !strings.HasPrefix(got[0], want) {
			t.Errorf("axis %d: %q", i, got)
		}
	}
	eval[bool](t, b, `(() => { weft.plots.threads.setScale("x", { min: 1e6, max: 2e8 }); return true })()`)
	if got := eval[[]string](t, b, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(`+ranges+`))))`); got[0] != got[2] || !strings.HasSuffix(got[0], " 200000000") {
		t.Errorf("after a part was chosen: %q", got)
	}
}

// checkColumns: the table of models has its first columns in a window of 1280 pixels, a scroll bar of 15 beside it.
func checkColumns(t *testing.T, b *browser, url string) {
	b.open(t, url, "light", 1265, 900)
	box := eval[struct{ Width, Wide, Shown int }](t, b, `(() => {
	  const table = document.getElementById("table"), box = table.parentElement;
	  return { width: box.clientWidth, wide: box.scrollWidth, shown: [...table.tHead.rows[0].cells].filter((th) => th.offsetWidth > 0).length };
	})()`)
	if box.Wide > box.Width || box.Shown != 9 {
		t.Errorf("%d columns are %d pixels wide in %d, want 9: model, three headline metrics, held, threads, in flight, switches, wait", box.Shown, box.Wide, box.Width)
	}
	held := eval[[]string](t, b, `[...document.querySelectorAll("#table .figure")].map((e) => e.textContent).filter((s) => /^[-.\d]+\+[-.?\d]+ (B|KiB|MiB)$/.test(s))`)
	if len(held) != 7 {
		t.Errorf("user+kern of a held task: %q, want that of 7 models", held)
	}
	b.open(t, url, "light", 1280, 900)
}

// order is the models in the order of the table.
const order = `[...document.querySelectorAll("#table tbody th")].map((th) => th.dataset.sort)`

// checkSorting sorts by click and by keys, both ways.
func checkSorting(t *testing.T, b *browser, v *View) {
	sorted := func(metric string) []string {
		var list []*Model
		for i := range v.Models {
			list = append(list, &v.Models[i])
		}
		slices.SortStableFunc(list, func(a, b *Model) int {
			return int(math.Copysign(1, a.Figure(metric).Median-b.Figure(metric).Median))
		})
		var names []string
		for _, m := range list {
			names = append(names, m.Name)
		}
		return names
	}
	heading := func(n int) chromedp.CSS { return chromedp.CSS(fmt.Sprintf("#table thead th:nth-child(%d) button", n)) }
	b.click(t, "#table thead th:nth-child(2) button") // the page does not move any more
	wall, cpu := sorted("wall-ns"), sorted("cpu-ns/unit")
	down := slices.Clone(cpu)
	slices.Reverse(down)
	for _, step := range []struct {
		name, state string
		column      int
		do          []chromedp.Action[chromedp.Void]
		want        []string
	}{
		{"click", "ascending", 2, nil, wall},
		{"Enter", "ascending", 3, []chromedp.Action[chromedp.Void]{chromedp.Focus(heading(3)), chromedp.KeyEvent(kb.Enter)}, cpu},
		{"space", "descending", 3, []chromedp.Action[chromedp.Void]{chromedp.KeyEvent(" ")}, down},
	} {
		b.run(t, step.do...)
		if got := eval[[]string](t, b, order); !slices.Equal(got, step.want) {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
		states := eval[[]string](t, b, `[...document.querySelectorAll("#table thead th")].map((th) => th.ariaSort)`)
		if states[step.column-1] != step.state || strings.Count(strings.Join(states, " "), "none") != len(states)-1 {
			t.Errorf("%s: aria-sort %q", step.name, states)
		}
	}
}

// checkControls: the switches show what they say.
func checkControls(t *testing.T, b *browser, v *View) {
	visible := `[...document.querySelectorAll("#table thead th")].filter((th) => th.offsetWidth > 0).length`
	before := eval[int](t, b, visible)
	b.click(t, "#more")
	if after := eval[int](t, b, visible); after != 2+len(v.Metrics) || after <= before {
		t.Errorf("%d columns, then %d; there are %d metrics", before, after, len(v.Metrics))
	}
	b.click(t, "#more")
	b.click(t, `[data-show="threads-share"]`)
	if got := eval[string](t, b, `["threads-sum", "threads-share"].map((id) => document.getElementById(id).hidden).join()`); got != "true,false" {
		t.Errorf("hidden: %s", got)
	}
	b.run(t, chromedp.Evaluate[chromedp.Void](`location.hash = "#definitions"`))
	eval[bool](t, b, `(async () => {
	  while (!document.getElementById("definitions").open) await new Promise((done) => setTimeout(done, 5));
	  return true;
	})()`) // or the link does not open them
	// The first stop of the Tab key leads past everything that comes before the findings.
	b.run(t, chromedp.Evaluate[chromedp.Void](`document.activeElement.blur(), getSelection().removeAllRanges(), scrollTo(0, 0)`))
	if got := eval[string](t, b, `[...document.querySelectorAll("a, button, select, summary, [tabindex]")][0].getAttribute("href")`); got != "#findings" {
		t.Errorf("the first link leads to %q", got)
	}
}

// checkPrint: who prints the page without having seen the flame graph has it on paper.
func checkPrint(t *testing.T, b *browser) {
	if eval[bool](t, b, `!!document.querySelector("#flame svg")`) {
		t.Fatal("the graph is drawn before anybody came near: the test shows nothing")
	}
	eval[bool](t, b, `(async () => {
	  while (performance.getEntriesByName("weft-unpacked").length === 0) await new Promise((done) => setTimeout(done, 10));
	  return true;
	})()`)
	b.run(t, chromedp.Evaluate[chromedp.Void](`addEventListener("beforeprint", () => { document.body.dataset.printed = !!document.querySelector("#flame svg") })`))
	if _, err := chromedp.Call(b.ctx, printing.PrintToPDF, printing.PrintToPDFParams{}); err != nil {
		t.Fatal(err)
	}
	if got := eval[string](t, b, `document.body.dataset.printed`); got != "true" {
		t.Errorf("printed with the flame graph: %q", got)
	}
}

// checkUnpack: a download is what the format is, unpacked by the browser itself.
func checkUnpack(t *testing.T, b *browser, v *View) {
	got := eval[string](t, b, `unpack(document.getElementById("download-csv"))`)
	if want := draw(t, v, "csv", Options{}); got != want {
		t.Errorf("the browser unpacks %d bytes, want %d", len(got), len(want))
	}
}

// lowContrast finds text that is hard to read: WCAG's ratio below 4.5 against what is behind it.
const lowContrast = `(() => {
  const channel = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const rgba = (text) => { const n = text.match(/[\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; } return [255, 255, 255]; };
  const found = [];
  let checked = 0;
  for (const e of document.querySelectorAll("body *")) {
    if (e.closest(".flame, noscript, script") || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    const s = getComputedStyle(e), back = behind(e), ink = rgba(e instanceof SVGElement ? s.fill : s.color);
    if (e.tagName === "title" || e.offsetWidth === 0) continue;
    let opacity = ink[3];
    for (let p = e; p; p = p.parentElement) opacity *= getComputedStyle(p).opacity;
    const mixed = ink.slice(0, 3).map((c, i) => c * opacity + back[i] * (1 - opacity));
    const [hi, lo] = [luminance(mixed), luminance(back)].sort((a, b) => b - a);
    checked++;
    if ((hi + 0.05) / (lo + 0.05) < 4.5) found.push(e.tagName + "." + e.className + " " + e.textContent.slice(0, 30) + ": " + ((hi + 0.05) / (lo + 0.05)).toFixed(2));
  }
  return { found, checked };
})()`

// checkThemes: the system's theme is followed, the button overrules it, charts follow too, and text can be read.
func checkThemes(t *testing.T, b *browser, url string) {
	state := func() [3]string {
		return [3]string(eval[[]string](t, b, `[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color, weft.plots.rss.series[1].stroke()]`))
	}
	colors := map[string][3]string{}
	for _, scheme := range []string{"light", "dark"} {
		b.open(t, url, scheme, 1280, 900)
		b.run(t, chromedp.Evaluate[chromedp.Void](`for (const d of document.querySelectorAll("details")) d.open = true`))
		colors[scheme] = state()
		low := eval[struct {
			Found   []string
			Checked int
		}](t, b, lowContrast)
		if len(low.Found) > 0 || low.Checked < 1000 {
			t.Errorf("%s: %d texts looked at, hard to read: %q", scheme, low.Checked, low.Found[:min(8, len(low.Found))])
		}
	}
	for i := range 3 {
		if colors["light"][i] == colors["dark"][i] {
			t.Errorf("the same in both themes: %q", colors["light"][i])
		}
	}
	b.click(t, "#theme")
	if got := state(); got != colors["light"] {
		t.Errorf("after the button: %q, want %q", got, colors["light"])
	}
}

// checkNarrow: nothing reaches beyond a telephone's window, folded parts opened too.
func checkNarrow(t *testing.T, b *browser, url string) {
	b.open(t, url, "light", 390, 844)
	checkFits(t, b)
	if got := eval[[]string](t, b, `[...document.querySelectorAll(".queue .sum")].map((e) => e.innerText.replace(/\s+/g, " "))`); len(got) != 9 || !strings.HasPrefix(got[0], "half ≤") || !strings.Contains(got[0], "99 % ≤") {
		t.Errorf("half and 99 %% of the waits: %q", got)
	}
	// The flame graph is as wide as its box, and its root can be seen.
	b.run(t, chromedp.ScrollIntoView(chromedp.CSS("#flame")), chromedp.WaitVisible(chromedp.CSS("#flame svg")))
	if got := eval[string](t, b, `(() => {
	  const box = document.getElementById("flame"), root = box.querySelector("g rect").getBoundingClientRect(), edge = box.getBoundingClientRect();
	  return (box.scrollWidth === box.clientWidth) + " " + (root.bottom <= edge.bottom && root.top >= edge.top) + " " + (root.width > 300);
	})()`); got != "true true true" {
		t.Errorf("within its box, root in view, wide: %s", got)
	}
}

func checkFits(t *testing.T, b *browser) {
	t.Helper()
	b.run(t, chromedp.Evaluate[chromedp.Void](`for (const d of document.querySelectorAll("details")) d.open = true`))
	if wide := eval[int](t, b, `document.documentElement.scrollWidth`); wide > 390 {
		t.Errorf("the page is %d pixels wide in a window of 390", wide)
	}
	beyond := eval[[]string](t, b, `[...document.querySelectorAll("body *")].filter((e) => !e.closest(".scroll, pre, .hidden, .skip, svg") && e.getBoundingClientRect().right > 390.5)
	  .map((e) => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 30))`)
	if len(beyond) > 0 {
		t.Errorf("beyond the window: %q", beyond[:min(8, len(beyond))])
	}
}
