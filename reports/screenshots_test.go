package reports

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/weft-profiler/weft/collector/recording"
)

// These flags are for people: go test ./reports -run TestScreenshots -screenshots DIR -recording DIR takes
// pictures of a recording's report.html. Without -recording it is the synthetic one.
var (
	screenshots = flag.String("screenshots", "", "directory for pictures of report.html")
	pictured    = flag.String("recording", "", "recording to take pictures of")
)

// shot is one picture.
type shot struct {
	name   string
	scheme string
	width  int64
	from   string // id of the element at the window's top; empty: the whole page, however long
	set    string // what is chosen before: "id=value …"
}

func shots() []shot {
	return []shot{
		{"report-whole.png", "light", 1280, "", ""},
		{"report-whole-dark.png", "dark", 1280, "", ""},
		{"report-whole-narrow.png", "light", 390, "", ""},
		{"report.png", "light", 1280, "findings", ""},
		{"report-over-time.png", "dark", 1280, "over-time", ""},
		{"report-memory.png", "light", 1280, "memory-parts", ""},
		{"report-flames.png", "light", 1280, "flames", "flame-kind=offcpu flame-model=go-threads flame-color=code"},
		{"report-flames-compared.png", "light", 1280, "flames", "flame-kind=heap flame-model=go-threads flame-other=go-sequential"},
		{"report-flames-dark.png", "dark", 1280, "flames", "flame-kind=cpu flame-model=go-threads flame-search=http1 flame-top=on"},
		{"report-flames-compared-dark.png", "dark", 1280, "flames", "flame-kind=heap flame-model=go-sequential flame-other=go-threads"},
		{"report-flames-narrow.png", "light", 390, "flames", "flame-kind=offcpu flame-model=go-threads flame-leaves=on"},
		{"report-payers.png", "light", 1280, "who-pays", "payers-model=go-threads"},
		{"report-payers-narrow.png", "dark", 390, "who-pays", "payers-model=go-threads"},
	}
}

func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no -screenshots DIR: nothing to take pictures for")
	}
	url := writeReport(t, picturedView(t))
	b := newBrowser(t)
	for _, s := range shots() {
		b.open(t, url, s.scheme, s.width, 1000)
		if eval[bool](t, b, `!!document.getElementById("flame")`) { // it is drawn when it comes near
			b.run(t, chromedp.ScrollIntoView(chromedp.CSS("#flame")), chromedp.WaitVisible(chromedp.CSS("#flame svg")))
		}
		for _, setting := range strings.Fields(s.set) {
			id, value, _ := strings.Cut(setting, "=")
			choose(t, b, id, value)
		}
		take := chromedp.CaptureScreenshot()
		if s.from == "" {
			take = chromedp.FullScreenshot(100)
		}
		eval[bool](t, b, fmt.Sprintf(`(document.getElementById(%q) ?? document.body).scrollIntoView({ behavior: "instant" }), true`, s.from))
		picture, err := chromedp.Run(b.ctx, take)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*screenshots, s.name), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func picturedView(t *testing.T) *View {
	if *pictured == "" {
		return newNineView(t, 6)
	}
	rec, err := recording.Open(*pictured)
	if err != nil {
		t.Fatal(err)
	}
	return NewView(rec)
}
