package workload

import (
	"net/url"
	"time"
)

// Page is one unit of the scenario: the prices of one route on one day.
type Page struct {
	From, To string // towns
	Date     string // "2018-03-01"
}

// String returns "kyiv to lviv on 2018-03-01".
func (p Page) String() string { return p.From + " to " + p.To + " on " + p.Date }

// Target returns the path and query that ask an origin for the page.
func (p Page) Target() string {
	return "/prices?from=" + url.QueryEscape(p.From) + "&to=" + url.QueryEscape(p.To) + "&date=" + url.QueryEscape(p.Date)
}

// The days of the article: a route is asked for a hundred days ahead, then
// the next route.
const daysAhead = 100

func firstDay() time.Time { return time.Date(2018, time.March, 1, 0, 0, 0, 0, time.UTC) }

// towns are the ends of the routes, every ordered pair of two.
var towns = [...]string{
	"kyiv", "lviv", "odesa", "kharkiv", "dnipro", "vinnytsia", "poltava", "uzhhorod",
	"chernivtsi", "ternopil", "lutsk", "rivne", "zhytomyr", "cherkasy", "sumy", "mykolaiv",
	"krakow", "warsaw", "wroclaw", "lublin", "prague", "brno", "budapest", "vienna",
}

// PageAt returns page i of the list, counted from 0, the same in every model
// and language: day i mod 100 from 2018-03-01, of route i div 100. Routes go
// through the towns in order, each to every other; after the last comes the
// first again.
func PageAt(i int) Page {
	others := len(towns) - 1
	route := i / daysAhead % (len(towns) * others)
	from, to := route/others, route%others
	if to >= from {
		to++
	}
	day := firstDay().AddDate(0, 0, i%daysAhead)
	return Page{From: towns[from], To: towns[to], Date: day.Format(time.DateOnly)}
}
