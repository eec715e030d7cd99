package origin

import (
	"container/list"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
)

// question is what a page is asked for by.
type question struct{ from, to, date string }

// seed makes numbers that depend on the question and nothing else.
func (q question) seed() uint64 {
	h := fnv.New64a()
	// A hash never fails. The separator keeps two questions from running
	// into each other.
	fmt.Fprintf(h, "%s\n%s\n%s", q.from, q.to, q.date)
	return h.Sum64()
}

// Sizes of a page's parts, in bytes.
const (
	mostDepartures = 60
	leastArticle   = 350 // no departure without its stops is longer
)

// words that make a departure look like one, and a page as long as it has to
// be.
var (
	operators = [...]string{
		"Autolux", "Carpathian Lines", "Dnipro Express", "EastBus", "Günsel", "Galicia Tours",
		"NightRider", "Orlan Trans", "Podillia & Sons", "Steppe Coaches",
	}
	stops = [...]string{
		"Brody", "Dubno", "Fastiv", "Horodok", "Kovel", "Lubny", "Myrhorod", "Novohrad", "Pryluky",
		"Stryi", "Uman", "Zolochiv",
	}
)

// renderPage writes the page for q, exactly size bytes of HTML (size is at
// least MinPageBytes): up to sixty departures in order of time, each as long
// as its share of the page, and a comment that fills the rest.
func renderPage(q question, size int) []byte {
	random := rand.New(rand.NewPCG(q.seed(), 1))
	left := size - len(pageHead(q, mostDepartures)) - len(pageFoot)
	count := min(mostDepartures, max(1, left/leastArticle))
	var page strings.Builder
	page.Grow(size)
	page.WriteString(pageHead(q, count))
	for i := range count {
		writeDeparture(&page, random, i, count, left/count)
	}
	page.WriteString(pageFoot)
	fill(&page, size)
	return []byte(page.String())
}

func pageHead(q question, departures int) string {
	return fmt.Sprintf(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>%[1]s to %[2]s, %[3]s</title>
<style>.departure{border:1px solid #ccc}.price{font-weight:bold}</style></head>
<body><h1>Buses from %[1]s to %[2]s</h1>
<main data-from="%[1]s" data-to="%[2]s" data-date="%[3]s" data-departures="%[4]d">
`, q.from, q.to, q.date, departures)
}

const pageFoot = "</main></body></html>\n"

// writeDeparture writes one article of at most about share bytes.
func writeDeparture(page *strings.Builder, random *rand.Rand, i, count, share int) {
	begin := page.Len()
	const day = 24 * 60
	departs := i*day/count + random.IntN(day/count)
	minutes := 180 + random.IntN(600)
	arrives := (departs + minutes) % day
	cents := 690 + random.IntN(4000)
	operator := strings.ReplaceAll(operators[random.IntN(len(operators))], "&", "&amp;")
	seats := random.IntN(50)
	fmt.Fprintf(page, `<article class="departure" data-operator="%s" data-seats="%d">
<time class="dep">%02d:%02d</time> to <time class="arr">%02d:%02d</time> in %d h %02d min
with %s, %d seats left, from <span class="price">&euro;&nbsp;%d.%02d</span>`,
		operator, seats, departs/60, departs%60, arrives/60, arrives%60, minutes/60, minutes%60,
		operator, seats, cents/100, cents%100)
	const opening, stop, closing = "\nStops:", 38, "\n</article>\n"
	page.WriteString(opening)
	for page.Len()-begin+stop+len(closing) < share {
		at := (departs + random.IntN(minutes)) % day
		fmt.Fprintf(page, " %s, bus station, at %02d:%02d;\n", stops[random.IntN(len(stops))], at/60, at%60)
	}
	page.WriteString(closing)
}

// fill ends the page with a comment, so that it has its size to the byte.
func fill(page *strings.Builder, size int) {
	const opening, closing = "<!-- ", " -->"
	if missing := size - page.Len() - len(opening) - len(closing); missing >= 0 {
		page.WriteString(opening)
		page.WriteString(strings.Repeat(".", missing))
		page.WriteString(closing)
		return
	}
	page.WriteString(strings.Repeat("\n", max(0, size-page.Len())))
}

// cacheBytes bounds the pages that are kept.
const cacheBytes = 64 << 20

// cache keeps the pages asked for last, all of one size.
type cache struct {
	size int // bytes of a page
	most int // pages kept

	mu    sync.Mutex
	pages map[question]*list.Element
	order *list.List // of *cached, the one asked for last in front
}

type cached struct {
	question question
	page     []byte
}

func newCache(size int) *cache {
	return &cache{
		size: size, most: max(1, cacheBytes/size),
		pages: make(map[question]*list.Element), order: list.New(),
	}
}

// page returns the page for q. It must not be changed.
func (c *cache) page(q question) []byte {
	if page := c.lookup(q); page != nil {
		return page
	}
	page := renderPage(q, c.size)
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.pages[q]; at != nil {
		return at.Value.(*cached).page // another request was faster
	}
	c.pages[q] = c.order.PushFront(&cached{q, page})
	for c.order.Len() > c.most {
		oldest := c.order.Remove(c.order.Back()).(*cached)
		delete(c.pages, oldest.question)
	}
	return page
}

func (c *cache) lookup(q question) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.pages[q]
	if at == nil {
		return nil
	}
	c.order.MoveToFront(at)
	return at.Value.(*cached).page
}
