package reports

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a Chromium of its own that hears of everything that goes wrong in a page.
type browser struct {
	ctx      context.Context
	mu       sync.Mutex
	troubles []string // console errors, exceptions, refused policies
	requests []string // addresses asked for
}

// newBrowser starts Chromium, with nothing from a person's own.
func newBrowser(t testing.TB) *browser {
	t.Helper()
	path := chromium(t)
	opts := append([]chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir())}, chromiumFlags()...)
	allocated, cancelAllocator := chromedp.NewExecAllocator(context.Background(), opts...)
	b := &browser{}
	var cancel context.CancelFunc
	b.ctx, cancel = chromedp.NewContext(allocated)
	t.Cleanup(func() {
		if err := chromedp.Cancel(b.ctx); err != nil {
			t.Logf("end chromium: %v", err)
		}
		cancel()
		cancelAllocator()
	})
	if err := errors.Join(chromedp.Listen(b.ctx, b.hear), b.enable()); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return b
}

// enable asks for the events that hear wants.
func (b *browser) enable() error {
	_, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{})
	for _, command := range []cdp.Command[cdp.Empty, cdp.Empty]{log.Enable, runtime.Enable} {
		_, e := chromedp.Call(b.ctx, command, cdp.Empty{})
		err = errors.Join(err, e)
	}
	return err
}

// chromium is where the browser is; without one the test cannot be.
func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no browser: install Debian's package chromium")
	return ""
}

func chromiumFlags() []chromedp.ExecAllocatorOption {
	var list []chromedp.ExecAllocatorOption
	for _, name := range []string{"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
		"disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage",
		"hide-scrollbars", "mute-audio"} {
		list = append(list, chromedp.Flag(name, true))
	}
	return append(list, chromedp.Flag("force-color-profile", "srgb"))
}

func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.troubles = append(b.troubles, "exception: "+e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.troubles = append(b.troubles, fmt.Sprintf("console.%s: %s", e.Type, e.Args[0].Value))
		}
	case *log.EventEntryAdded:
		if strings.Contains(e.Entry.Text, "willReadFrequently") {
			return // advice to the test itself, which reads the drawing
		}
		b.troubles = append(b.troubles, fmt.Sprintf("log %s: %s", e.Entry.Level, e.Entry.Text))
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// calm fails where the page had troubles, or asked for anything but itself.
func (b *browser) calm(t *testing.T, url string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, trouble := range b.troubles {
		t.Error(trouble)
	}
	for _, request := range b.requests {
		if request != url && request != "data:," {
			t.Errorf("asked for %.120s", request)
		}
	}
	if len(b.requests) == 0 {
		t.Error("no request was seen, not even that for the page: the test shows nothing")
	}
}

// patience is for a page that never answers: beside other tests a browser takes ten times as long as alone.
const patience = 2 * time.Minute

// run fails with the action's error.
func (b *browser) run(t testing.TB, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// click presses the mouse on an element once the page has stopped moving under it: charts are drawn when they come
// into view.
func (b *browser) click(t testing.TB, selector string) {
	t.Helper()
	eval[bool](t, b, fmt.Sprintf(`(async () => {
	  const at = () => JSON.stringify(document.querySelector(%q).getBoundingClientRect());
	  document.querySelector(%q).scrollIntoView({ block: "center", behavior: "instant" });
	  for (let before = "", still = 0; still < 3; before = at()) {
	    await new Promise((done) => setTimeout(done, 30));
	    still = at() === before ? still + 1 : 0;
	  }
	  return true;
	})()`, selector, selector))
	b.run(t, chromedp.Click(chromedp.CSS(selector)))
}

// eval is the value of an expression of JavaScript in the page, or what its promise comes to.
func eval[T any](t testing.TB, b *browser, expression string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%.200s: %v", expression, err)
	}
	return value
}

// writeReport puts report.html into a file and gives its address.
func writeReport(t testing.TB, v *View) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, []byte(draw(t, v, "html", Options{})), 0o644); err != nil {
		t.Fatal(err)
	}
	return "file://" + strings.ReplaceAll(file, "#", "%23")
}

// open shows a page in a window of a size and a scheme of colors, and waits until it is drawn.
func (b *browser) open(t testing.TB, url, scheme string, width, height int64) {
	t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatal(err)
	}
	b.run(t, chromedp.EmulateViewport(width, height), chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS("body[data-drawn]")))
}
