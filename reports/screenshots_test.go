package reports

import (
	"flag"
	"os"
	"path/filepath"
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

func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no -screenshots DIR: nothing to take pictures for")
	}
	v := newNineView(t, 6)
	if *pictured != "" {
		rec, err := recording.Open(*pictured)
		if err != nil {
			t.Fatal(err)
		}
		v = NewView(rec)
	}
	url := writeReport(t, v)
	b := newBrowser(t)
	for _, shot := range []struct {
		name, scheme string
		width        int64
	}{{"report-light", "light", 1280}, {"report-dark", "dark", 1280}, {"report-narrow", "light", 390}} {
		b.open(t, url, shot.scheme, shot.width, 900)
		if shown := eval[bool](t, b, `!!document.getElementById("flame")`); shown {
			b.run(t, chromedp.ScrollIntoView(chromedp.CSS("#flame")), chromedp.WaitVisible(chromedp.CSS("#flame svg")))
		}
		b.run(t, chromedp.Evaluate[chromedp.Void](`scrollTo({ top: 0, behavior: "instant" })`))
		picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*screenshots, shot.name+".png"), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
