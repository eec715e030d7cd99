package workload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// Departure is one bus of a price page.
type Departure struct {
	Operator string
	Departs  int16 // minutes after midnight
	Arrives  int16 // minutes after midnight, of the next day when less than Departs
	Seats    int16 // left to sell
	Cents    int32 // price of one seat in euro cents
}

const (
	maxDepartures = 2000    // of one page
	maxToken      = 1 << 20 // bytes of one HTML token
	maxText       = 128     // bytes of one value
	dayMinutes    = 24 * 60
)

// ParsePage reads a price page and returns its departures in the order in
// which it lists them. The page has to be the one for the given route and day,
// and has to list as many departures as it says; otherwise the error is
// ErrContent. An error of r is passed on as it is.
func ParsePage(r io.Reader, page Page) ([]Departure, error) {
	p := parser{page: page, tokens: html.NewTokenizer(r)}
	p.tokens.SetMaxBuf(maxToken)
	for {
		switch p.tokens.Next() {
		case html.ErrorToken:
			return p.end(p.tokens.Err())
		case html.StartTagToken:
			if err := p.open(); err != nil {
				return nil, err
			}
		case html.TextToken:
			if this := p.field; this != noField {
				p.field = noField // only the first text of a field counts
				if err := p.value(this, p.tokens.Text()); err != nil {
					return nil, err
				}
			}
		case html.EndTagToken:
			p.field = noField
			if p.inside && string(rawName(p.tokens.Raw())) == "article" {
				if err := p.close(); err != nil {
					return nil, err
				}
			}
		}
	}
}

// field is a bit for each value that a departure must have.
type field uint8

const (
	noField    field = 0
	departs    field = 1 << 0
	arrives    field = 1 << 1
	operator   field = 1 << 2
	price      field = 1 << 3
	seats      field = 1 << 4
	everyField       = departs | arrives | operator | price | seats
)

// fieldOf finds the field by the class attribute of its element.
func fieldOf(class []byte) field {
	switch string(class) {
	case "dep":
		return departs
	case "arr":
		return arrives
	case "price":
		return price
	}
	return noField
}

type parser struct {
	page   Page
	tokens *html.Tokenizer

	stated int  // departures that the page says it has
	found  bool // the element that says so was there
	list   []Departure

	inside bool  // an article of the list
	field  field // whose text comes next
	have   field // fields of the current departure
	now    Departure
}

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrContent, fmt.Errorf(format, args...))
}

// open handles a start tag: the element with the page's own account of
// itself, the article of a departure, or one of its fields.
func (p *parser) open() error {
	switch string(rawName(p.tokens.Raw())) {
	case "main":
		return p.statement()
	case "article":
		return p.article()
	case "time", "span":
		p.element()
	}
	return nil
}

// article begins a departure, whose operator and seats are attributes.
func (p *parser) article() error {
	var class, operates, left []byte
	for more := true; more; {
		var key, value []byte
		key, value, more = p.tokens.TagAttr()
		switch string(key) {
		case "class":
			class = value
		case "data-operator":
			operates = value
		case "data-seats":
			left = value
		}
	}
	if string(class) != "departure" {
		return nil
	}
	if !p.found {
		return wrong("departure before the page says what it is")
	}
	p.inside, p.have, p.now = true, 0, Departure{}
	if err := p.attribute(operator, operates); err != nil {
		return err
	}
	return p.attribute(seats, left)
}

// attribute stores the value of a field, if there is one.
func (p *parser) attribute(this field, value []byte) error {
	if len(value) == 0 {
		return nil
	}
	return p.value(this, value)
}

// element looks whether the text that follows is a field's.
func (p *parser) element() {
	for more := p.inside; more; {
		var key, value []byte
		key, value, more = p.tokens.TagAttr()
		if string(key) == "class" {
			p.field = fieldOf(value)
		}
	}
}

// rawName returns the name of a tag as it is written. Most tags of a page are
// of no interest, and the tokenizer's TagName would copy the name of each.
func rawName(raw []byte) []byte {
	name := bytes.TrimPrefix(bytes.TrimPrefix(raw, []byte("<")), []byte("/"))
	for i, c := range name {
		if c <= ' ' || c == '>' || c == '/' {
			return name[:i]
		}
	}
	return name
}

// statement checks the route and day the page is for.
func (p *parser) statement() error {
	var got Page
	count := -1
	for more := true; more; {
		var key, value []byte
		key, value, more = p.tokens.TagAttr()
		switch string(key) {
		case "data-from":
			got.From = string(value)
		case "data-to":
			got.To = string(value)
		case "data-date":
			got.Date = string(value)
		case "data-departures":
			n, err := strconv.ParseUint(string(value), 10, 16)
			if err != nil || n > maxDepartures {
				return wrong("%q departures", clip(value))
			}
			count = int(n)
		}
	}
	if p.found || got != p.page || count < 0 {
		return wrong("page for %.60q to %.60q on %.60q, want %v", got.From, got.To, got.Date, p.page)
	}
	p.found, p.stated = true, count
	p.list = make([]Departure, 0, count)
	return nil
}

// value stores the text of one field, which a departure has once.
func (p *parser) value(this field, text []byte) error {
	if len(text) > maxText || p.have&this != 0 {
		return wrong("value %q", clip(text))
	}
	p.have |= this
	var err error
	switch this {
	case departs:
		p.now.Departs, err = parseClock(text)
	case arrives:
		p.now.Arrives, err = parseClock(text)
	case operator:
		p.now.Operator = string(text)
	case price:
		p.now.Cents, err = parsePrice(text)
	case seats:
		p.now.Seats, err = parseSeats(text)
	}
	if err != nil {
		return wrong("value %q: %w", clip(text), err)
	}
	return nil
}

func (p *parser) close() error {
	if p.have != everyField {
		return wrong("departure %d is incomplete", len(p.list)+1)
	}
	if len(p.list) == p.stated {
		return wrong("more than the %d departures stated", p.stated)
	}
	p.list = append(p.list, p.now)
	p.inside = false
	return nil
}

func (p *parser) end(err error) ([]Departure, error) {
	switch {
	case errors.Is(err, html.ErrBufferExceeded):
		return nil, wrong("%w", err)
	case err != io.EOF:
		return nil, err
	case !p.found:
		return nil, wrong("not a price page")
	case len(p.list) != p.stated:
		return nil, wrong("%d departures, %d stated", len(p.list), p.stated)
	}
	return p.list, nil
}

// parseClock reads "06:15" as minutes after midnight.
func parseClock(text []byte) (int16, error) {
	if len(text) != 5 || text[2] != ':' {
		return 0, errors.New("not a time of day")
	}
	hours, ok1 := parseDigits(text[:2])
	minutes, ok2 := parseDigits(text[3:])
	if !ok1 || !ok2 || hours > 23 || minutes > 59 {
		return 0, errors.New("not a time of day")
	}
	return int16(hours*60 + minutes), nil
}

// parsePrice reads "€ 12.90", whose blank is a no-break space, as cents.
func parsePrice(text []byte) (int32, error) {
	amount, ok := bytes.CutPrefix(text, []byte("€\u00a0"))
	euros, cents, point := bytes.Cut(amount, []byte("."))
	if !ok || !point || len(euros) > 6 || len(cents) != 2 {
		return 0, errors.New("not a price")
	}
	e, ok1 := parseDigits(euros)
	c, ok2 := parseDigits(cents)
	if !ok1 || !ok2 {
		return 0, errors.New("not a price")
	}
	return int32(e*100 + c), nil
}

// parseSeats reads "23".
func parseSeats(text []byte) (int16, error) {
	n, ok := parseDigits(text)
	if !ok || len(text) > 4 {
		return 0, errors.New("not a number of seats")
	}
	return int16(n), nil
}

// parseDigits reads up to nine decimal digits and nothing else.
func parseDigits(text []byte) (n int, ok bool) {
	if len(text) == 0 || len(text) > 9 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// clip keeps what an error may repeat of a page.
func clip(text []byte) string { return strings.ToValidUTF8(string(text[:min(len(text), 60)]), "") }
