package workload

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// fetch is the scenario in one trial: the pages to get, and what has become
// of them. Workers take pages from it and hand them back finished, from any
// number of goroutines or threads.
type fetch struct {
	cfg  Config
	addr netip.AddrPort // of the origin
	host string         // for the Host header

	next     atomic.Int64 // pages taken
	finished atomic.Int64 // pages handed back
	pages    []fetched    // by page number; each written by its one worker

	// Set when the last page is handed back, read after the workers ended.
	endNS, endCPUNS int64

	mu       sync.Mutex
	failures map[string]Failure
}

// fetched is a page and the departures found on it, in the page's order.
type fetched struct {
	page Page
	list []Departure
	ok   bool
}

// newFetch does what can be done before the gate.
func newFetch(ctx context.Context, cfg Config) (*fetch, error) {
	if err := cfg.CheckValid(); err != nil {
		return nil, err
	}
	u, err := CheckURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	addr, err := resolve(ctx, u)
	if err != nil {
		return nil, err
	}
	return &fetch{
		cfg: cfg, addr: addr, host: u.Host,
		pages:    make([]fetched, cfg.Requests),
		failures: make(map[string]Failure),
	}, nil
}

// take gives out the next page; ok is false when all are taken.
func (f *fetch) take() (i int, page Page, ok bool) {
	i = int(f.next.Add(1)) - 1
	if i >= len(f.pages) {
		return 0, Page{}, false
	}
	return i, PageAt(i), true
}

// finish hands page i back, fetched and parsed or failed. The trial's time
// ends with the last one.
func (f *fetch) finish(i int, page Page, list []Departure, err error) {
	if err != nil {
		f.fail(err)
	} else {
		f.pages[i] = fetched{page: page, list: list, ok: true}
	}
	if int(f.finished.Add(1)) == len(f.pages) {
		f.endNS, f.endCPUNS = monotonicNS(), processCPUNS()
	}
}

// abandon fails every page that is not finished, for a model that cannot go on.
// Nobody else may be at work.
func (f *fetch) abandon(err error) {
	for int(f.finished.Load()) < len(f.pages) {
		f.finish(0, Page{}, nil, err)
	}
}

func (f *fetch) fail(err error) {
	cause := Cause(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	failure := f.failures[cause]
	if failure.Count++; failure.Count == 1 {
		failure.First = boundedText(err)
	}
	f.failures[cause] = failure
}

// boundedText is an error's text, valid UTF-8 of at most maxErrorText bytes.
func boundedText(err error) string {
	text := strings.ToValidUTF8(err.Error(), "?")
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "")
	}
	return text
}

// deadline is when a request that begins now has failed.
func (f *fetch) deadline() time.Time { return time.Now().Add(f.cfg.Timeout()) }

// units counts the pages that were fetched.
func (f *fetch) units() int64 {
	var n int64
	for i := range f.pages {
		if f.pages[i].ok {
			n++
		}
	}
	return n
}

// entry finds one departure by its page and its place on it.
type entry struct{ page, departure int32 }

// sorted orders all departures by date and departure time, then by what makes
// the order complete: route, arrival, operator, price.
func (f *fetch) sorted() []entry {
	total := 0
	for i := range f.pages {
		total += len(f.pages[i].list)
	}
	list := make([]entry, 0, total)
	for i := range f.pages {
		for j := range f.pages[i].list {
			list = append(list, entry{int32(i), int32(j)})
		}
	}
	slices.SortStableFunc(list, func(a, b entry) int {
		p, q := &f.pages[a.page], &f.pages[b.page]
		d, e := &p.list[a.departure], &q.list[b.departure]
		return cmp.Or(
			cmp.Compare(p.page.Date, q.page.Date),
			cmp.Compare(d.Departs, e.Departs),
			cmp.Compare(p.page.From, q.page.From),
			cmp.Compare(p.page.To, q.page.To),
			cmp.Compare(d.Arrives, e.Arrives),
			cmp.Compare(d.Operator, e.Operator),
			cmp.Compare(d.Cents, e.Cents),
		)
	})
	return list
}

// digest is the SHA-256, in hexadecimal, of the sorted list in its canonical
// text: one line a departure, its values separated by tabs,
//
//	2018-03-01	kyiv	lviv	06:15	13:40	1290	23	Operator
//
// that is date, from, to, departure, arrival, cents, seats, operator, in UTF-8
// with LF after every line. It does not depend on the order of arrival, so
// models that did the same work have the same digest. It is computed after the
// trial's time has ended.
func (f *fetch) digest() string {
	sum := sha256.New()
	var line []byte
	for _, e := range f.sorted() {
		p := &f.pages[e.page]
		line = appendCanonical(line[:0], p.page, p.list[e.departure])
		sum.Write(line) // a hash never fails
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func appendCanonical(dst []byte, p Page, d Departure) []byte {
	dst = append(dst, p.Date...)
	dst = append(append(dst, '\t'), p.From...)
	dst = append(append(dst, '\t'), p.To...)
	dst = appendClock(append(dst, '\t'), d.Departs)
	dst = appendClock(append(dst, '\t'), d.Arrives)
	dst = strconv.AppendInt(append(dst, '\t'), int64(d.Cents), 10)
	dst = strconv.AppendInt(append(dst, '\t'), int64(d.Seats), 10)
	dst = append(append(dst, '\t'), d.Operator...)
	return append(dst, '\n')
}

func appendClock(dst []byte, minutes int16) []byte {
	h, m := minutes/60, minutes%60
	return append(dst, byte('0'+h/10), byte('0'+h%10), ':', byte('0'+m/10), byte('0'+m%10))
}
