"""The pages of the scenario and how they are read: page.go and prices.go, in Python."""
from __future__ import annotations

import re
from collections import namedtuple
from datetime import date, timedelta
from html.parser import HTMLParser

FIRST_DAY = date(2018, 3, 1)
DAYS_AHEAD = 100
TOWNS = (
    "kyiv", "lviv", "odesa", "kharkiv", "dnipro", "vinnytsia", "poltava", "uzhhorod",
    "chernivtsi", "ternopil", "lutsk", "rivne", "zhytomyr", "cherkasy", "sumy", "mykolaiv",
    "krakow", "warsaw", "wroclaw", "lublin", "prague", "brno", "budapest", "vienna",
)
MAX_DEPARTURES = 2000  # of one page
MAX_TEXT = 128  # characters of one value


class ContentError(Exception):
    """Not the price page that was asked for."""


class Page(namedtuple("Page", "start end date")):
    """One unit: the prices from one town to another on one day."""

    __slots__ = ()

    def target(self) -> str:
        return f"/prices?from={self.start}&to={self.end}&date={self.date}"


# Times are minutes after midnight, a price is in euro cents.
Departure = namedtuple("Departure", "departs arrives operator cents seats")


def page_at(number: int) -> Page:
    """Page `number` of the list, the same in every model.

    It has a hundred days of a route, then those of the next route.
    """
    others = len(TOWNS) - 1
    route = number // DAYS_AHEAD % (len(TOWNS) * others)
    start, end = divmod(route, others)
    if end >= start:
        end += 1
    day = FIRST_DAY + timedelta(days=number % DAYS_AHEAD)
    return Page(TOWNS[start], TOWNS[end], day.isoformat())


CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
PRICE = re.compile("€\u00a0([0-9]{1,6})\\.([0-9]{2})")
SEATS = re.compile(r"([0-9]{1,4})")


def clock(text: str) -> int:
    hours, minutes = match(CLOCK, text)
    return int(hours) * 60 + int(minutes)


def price(text: str) -> int:
    euros, cents = match(PRICE, text)
    return int(euros) * 100 + int(cents)


def seats(text: str) -> int:
    (number,) = match(SEATS, text)
    return int(number)


def match(pattern: re.Pattern, text: str) -> tuple:
    found = pattern.fullmatch(text)
    if not found:
        raise ContentError(f"value {text[:60]!r}")
    return found.groups()


# By the class of its element: the field of a departure, and how its text is read.
FIELDS = {
    "dep": ("departs", clock),
    "arr": ("arrives", clock),
    "price": ("cents", price),
}
# The same by the attribute of the departure itself.
ATTRIBUTES = {
    "data-operator": ("operator", str),
    "data-seats": ("seats", seats),
}


class PageParser(HTMLParser):
    """Reads the departures out of one page."""

    def __init__(self, page: Page):
        super().__init__(convert_charrefs=True)
        self.page = page
        self.stated = None  # departures that the page says it has
        self.departures: list[Departure] = []
        self.values = None  # of the departure that is open
        self.field = None  # whose text comes next

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag == "main":
            self.read_statement(dict(attrs))
        elif tag == "article":
            self.begin(dict(attrs))
        elif tag in ("time", "span") and self.values is not None:
            self.field = FIELDS.get(dict(attrs).get("class"))

    def begin(self, told: dict) -> None:
        """Begins a departure."""
        if told.get("class") != "departure":
            return
        if self.stated is None:
            raise ContentError("departure before the page says what it is")
        self.values = {}
        for attribute, (name, read) in ATTRIBUTES.items():
            if told.get(attribute):
                self.keep(name, read, told[attribute])

    def handle_data(self, data: str) -> None:
        if self.field is not None:
            (name, read), self.field = self.field, None
            self.keep(name, read, data)

    def keep(self, name: str, read, text: str) -> None:
        if name in self.values or len(text) > MAX_TEXT:
            raise ContentError(f"value {text[:60]!r}")
        self.values[name] = read(text)

    def handle_endtag(self, tag: str) -> None:
        self.field = None
        if tag == "article" and self.values is not None:
            if len(self.values) < len(FIELDS) + len(ATTRIBUTES):
                raise ContentError(f"departure {len(self.departures) + 1} is incomplete")
            self.departures.append(Departure(**self.values))
            self.values = None

    def updatepos(self, i: int, j: int) -> int:
        """Keeps no line numbers (getpos), which nobody asks for and which take an eighth of the parsing."""
        return j

    def read_statement(self, told: dict) -> None:
        """Checks the page's own account of itself."""
        count = told.get("data-departures") or ""
        page = Page(told.get("data-from"), told.get("data-to"), told.get("data-date"))
        if self.stated is not None or page != self.page or not re.fullmatch("[0-9]{1,4}", count):
            raise ContentError(f"page for {str(tuple(page))[:200]}, want {tuple(self.page)}")
        self.stated = int(count)
        if self.stated > MAX_DEPARTURES:
            raise ContentError(f"{self.stated} departures")


def read_page(body: bytes, page: Page) -> list[Departure]:
    """The departures of a page in its own order; ContentError if it is another page."""
    parser = PageParser(page)
    parser.feed(body.decode("utf-8", "replace"))
    parser.close()
    if parser.stated is None:
        raise ContentError("not a price page")
    if len(parser.departures) != parser.stated:
        raise ContentError(f"{len(parser.departures)} departures, {parser.stated} stated")
    return parser.departures
