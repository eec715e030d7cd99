package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/weft-profiler/weft/workload/origin"
)

const onePage = `<!DOCTYPE html><title>x</title>
<main data-from="kyiv" data-to="lviv" data-date="2018-03-01" data-departures="2">
<article id=1 data-operator="Podillia &amp; Sons" class="departure" data-seats="23">
<time class="dep">06:15</time> &rarr; <time class=arr>13:40</time>
<span class="price">&euro;&nbsp;12.90</span>
</article>
<article class="advert" data-seats="free!"><span class="price">free!</span></article>
<article class="departure" data-operator=Günsel data-seats=0><span class="price">€&#160;100.05</span>
<time class="arr">00:10</time><time class="dep">23:59</time></article>
</main>`

func kyivLviv() Page { return Page{From: "kyiv", To: "lviv", Date: "2018-03-01"} }

func TestParsePage(t *testing.T) {
	want := []Departure{
		{Operator: "Podillia & Sons", Departs: 6*60 + 15, Arrives: 13*60 + 40, Seats: 23, Cents: 1290},
		{Operator: "Günsel", Departs: 23*60 + 59, Arrives: 10, Seats: 0, Cents: 10005},
	}
	for _, r := range []io.Reader{strings.NewReader(onePage), iotest.OneByteReader(strings.NewReader(onePage))} {
		got, err := ParsePage(r, kyivLviv())
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, %v", got, err)
		}
	}
	cut := io.MultiReader(strings.NewReader(onePage[:200]), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := ParsePage(cut, kyivLviv()); !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrContent) {
		t.Errorf("cut page: %v", err)
	}
}

// wrongPages are the changes that make onePage wrong: what to replace, and by what.
func wrongPages() map[string][2]string {
	return map[string][2]string{
		"another route":     {`data-to="lviv"`, `data-to="odesa"`},
		"another day":       {"2018-03-01", "2018-03-02"},
		"no route":          {`data-from="kyiv"`, ""},
		"fewer stated":      {`departures="2"`, `departures="1"`},
		"more stated":       {`departures="2"`, `departures="3"`},
		"endless":           {`departures="2"`, `departures="2001"`},
		"uncounted":         {`departures="2"`, `departures="-2"`},
		"no price":          {"&euro;&nbsp;12.90", ""},
		"other money":       {"&euro;", "$"},
		"no cents":          {"12.90", "12"},
		"negative":          {"12.90", "-2.90"},
		"huge":              {"12.90", "1234567.90"},
		"no time":           {"06:15", "soon!"},
		"25 o'clock":        {"06:15", "25:15"},
		"many seats":        {`"23"`, `"23000"`},
		"no seats":          {`"23"`, `"sold out"`},
		"seats not told":    {`data-seats="23"`, "data-seats"},
		"no operator":       {"data-operator=Günsel", ""},
		"two prices":        {"&rarr;", "<span class=price>€&nbsp;1.00</span>"},
		"long name":         {"Podillia", strings.Repeat("Podillia", 20)},
		"two statements":    {"</main>", strings.SplitAfter(onePage, "\n")[1]},
		"list before route": {"<main", "<article class=departure></article><main"},
		"huge token":        {"<title>", "<title>" + strings.Repeat("x", maxToken+1)},
		"nothing":           {onePage, ""},
	}
}

func TestParsePageWrong(t *testing.T) {
	for name, change := range wrongPages() {
		text := strings.Replace(onePage, change[0], change[1], 1)
		if text == onePage {
			t.Errorf("%s: no change", name)
		}
		got, err := ParsePage(strings.NewReader(text), kyivLviv())
		if !errors.Is(err, ErrContent) || got != nil || len(err.Error()) > maxErrorText+100 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func FuzzParsePage(f *testing.F) {
	f.Add([]byte(onePage))
	f.Add([]byte(strings.ReplaceAll(onePage, "<span", "<SPAN")))
	f.Add([]byte(`<main data-departures=0 data-from=kyiv data-to=lviv data-date=2018-03-01 />`))
	f.Add([]byte("<script><main"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := ParsePage(bytes.NewReader(text), kyivLviv())
		if err != nil {
			if !errors.Is(err, ErrContent) || got != nil {
				t.Fatalf("%d departures and %v", len(got), err)
			}
			return
		}
		slow, err := ParsePage(iotest.OneByteReader(bytes.NewReader(text)), kyivLviv())
		if err != nil || fmt.Sprint(slow) != fmt.Sprint(got) {
			t.Fatalf("in pieces %v, %v; whole %v", slow, err, got)
		}
		if len(got) > maxDepartures {
			t.Fatalf("%d departures", len(got))
		}
		for _, d := range got {
			if d.Departs < 0 || d.Departs >= dayMinutes || d.Arrives < 0 || d.Arrives >= dayMinutes || d.Cents < 0 || d.Seats < 0 || len(d.Operator) > maxText {
				t.Fatalf("departure %+v", d)
			}
		}
	})
}

func TestPageAt(t *testing.T) {
	for i, want := range map[int]string{
		0: "kyiv to lviv on 2018-03-01", 99: "kyiv to lviv on 2018-06-08", 100: "kyiv to odesa on 2018-03-01",
		2299: "kyiv to vienna on 2018-06-08", 2300: "lviv to kyiv on 2018-03-01", 55_199: "vienna to budapest on 2018-06-08",
		55_200: "kyiv to lviv on 2018-03-01",
	} {
		if got := PageAt(i).String(); got != want {
			t.Errorf("page %d is %s, want %s", i, got, want)
		}
	}
	seen := make(map[string]bool)
	for i := range 55_200 {
		seen[PageAt(i).Target()] = true
	}
	if len(seen) != 55_200 {
		t.Errorf("%d different pages", len(seen))
	}
}

// TestDigest: the canonical text, by hand, and no dependence on the order in
// which pages were listed.
func TestDigest(t *testing.T) {
	p := Page{From: "kyiv", To: "lviv", Date: "2018-03-01"}
	d := Departure{Operator: "Günsel", Departs: 375, Arrives: 10, Seats: 7, Cents: 1290}
	if got, want := string(appendCanonical(nil, p, d)), "2018-03-01\tkyiv\tlviv\t06:15\t00:10\t1290\t7\tGünsel\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	later := Departure{Operator: "A", Departs: 376}
	a := fetched{page: p, list: []Departure{later, d}}
	b := fetched{page: Page{From: "brno", To: "lviv", Date: "2018-03-02"}, list: []Departure{d}}
	one := &fetch{pages: []fetched{a, {}, b}}
	two := &fetch{pages: []fetched{b, a}}
	if one.digest() != two.digest() {
		t.Error("digest depends on order")
	}
	two.pages[0].list[0].Cents++
	if one.digest() == (&fetch{pages: []fetched{a}}).digest() {
		t.Error("digest does not see a page")
	}
	var order []string
	for _, e := range one.sorted() {
		order = append(order, one.pages[e.page].page.Date+" "+one.pages[e.page].list[e.departure].Operator)
	}
	if got := strings.Join(order, ", "); got != "2018-03-01 Günsel, 2018-03-01 A, 2018-03-02 Günsel" {
		t.Errorf("order %s", got)
	}
}

func TestResolve(t *testing.T) {
	for url, want := range map[string]string{
		"http://127.0.0.1:8080": "127.0.0.1:8080", "http://10.1.2.3": "10.1.2.3:80",
		"http://[::1]:23": "[::1]:23", "http://[::ffff:1.2.3.4]:5": "1.2.3.4:5",
	} {
		u, err := CheckURL(url)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := resolve(context.Background(), u); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v", url, got, err)
		}
	}
}

// TestRealPage: what the origin writes is what the parser reads.
func TestRealPage(t *testing.T) {
	page := PageAt(1)
	list, err := ParsePage(bytes.NewReader(fetchPage(t, origin.DefaultPageBytes, page)), page)
	if err != nil || len(list) != 60 {
		t.Fatalf("%d departures, %v", len(list), err)
	}
	for i := 1; i < len(list); i++ {
		if list[i].Departs < list[i-1].Departs {
			t.Errorf("departure %d is before the one above it", i)
		}
	}
}

func BenchmarkParsePage(b *testing.B) {
	page := PageAt(0)
	text := fetchPage(b, origin.DefaultPageBytes, page)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParsePage(bytes.NewReader(text), page); err != nil {
			b.Fatal(err)
		}
	}
}
