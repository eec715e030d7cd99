package reports

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/weft-profiler/weft/collector/recording"
)

// The file by itself in a browser: a click and the Enter key enlarge a frame, Escape goes back, a search marks what
// matches and says its share.
func TestSVGInBrowser(t *testing.T) {
	file := filepath.Join(t.TempDir(), "heap.svg")
	if err := os.WriteFile(file, []byte(draw(t, newView(t), "svg", Options{Kind: recording.KindHeap})), 0o644); err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	b.run(t, chromedp.EmulateViewport(1280, 900), chromedp.Navigate("file://"+file))
	const frame = `[...document.querySelectorAll("g[data-name]")].find((g) => g.dataset.name.endsWith("page.Parse"))`
	state := func() string {
		return eval[string](t, b, `(() => {
		  const g = `+frame+`, shown = [...document.querySelectorAll("g[data-name]")].filter((g) => g.style.display !== "none");
		  return shown.length + " " + Math.round(g.querySelector("rect").getAttribute("width")) + " " + g.querySelector("text").textContent;
		})()`)
	}
	whole := state()
	enlarged := "9 1180 github.com/weft-profiler/weft/workload/page.Parse"
	eval[bool](t, b, frame+`.dispatchEvent(new Event("click", { bubbles: true }))`)
	if got := state(); got != enlarged {
		t.Errorf("a click makes of %q %q, want %q", whole, got, enlarged)
	}
	b.run(t, chromedp.KeyEvent(kb.Escape))
	if got := state(); !strings.HasPrefix(got, strings.Join(strings.Fields(whole)[:2], " ")) {
		t.Errorf("after Escape %q, before %q", got, whole)
	}
	eval[bool](t, b, frame+`.focus() ?? true`)
	b.run(t, chromedp.KeyEvent(kb.Enter))
	if got := state(); got != enlarged {
		t.Errorf("Enter makes %q, want %q", got, enlarged)
	}
	eval[bool](t, b, `(window.prompt = () => "PAGE.parse", document.getElementById("search").dispatchEvent(new Event("click")))`)
	share := 100 * float64(2_310_000+40_000) / float64(1_638_400+210_000+98_000+2_310_000+40_000+180_000)
	if got := textOf(t, b, "search"); got != fmt.Sprintf("Search: %.1f %% matched", share) {
		t.Errorf("search says %q, want %.1f %%", got, share)
	}
	if n := eval[int](t, b, `document.querySelectorAll("rect.hit").length`); n != 1 {
		t.Errorf("%d frames are marked, want 1", n)
	}
	b.calm(t, "file://"+file)
	if *screenshots != "" {
		picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*screenshots, "svg-enlarged.png"), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
