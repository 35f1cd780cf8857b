"""Every number opens its receipt in at most two taps, and the receipt's lines add up to the number."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urldefrag, urljoin

import pytest
from django.test import Client
from time_machine import travel

from accounts.models import Customer
from tests.people import FOXGLOVE, MONDAY, RULES, Person, join, make_brand, record, score_all_due

VOID = frozenset(("br", "hr", "img", "input", "link", "meta", "path", "rect", "circle", "source"))
# A number that is nobody's, such as a sample's, is marked with this.
EXAMPLE = "data-example"
# From which every page of a customer is found.
START = ("/b/foxglove/score", "/b/foxglove/activity", "/b/foxglove/me", "/b/foxglove/what-if")
OURS = "/b/foxglove/"
# Pages as of another day are all alike: so many of them are looked at.
OTHER_DAYS = 4


class Number:
    """A number marked on a page: its value, where it leads, and its part in a sum of the page."""

    def __init__(self, attributes: dict[str, str | None], link: str | None) -> None:
        self.value = Decimal(attributes["value"] or "")
        self.link = link
        # Without a name a total is that of all lines without one.
        self.total = (attributes["data-total"] or "") if "data-total" in attributes else None
        self.lines = (attributes.get("data-line") or "").split()


class Page(HTMLParser):
    """The numbers and links of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.numbers: list[Number] = []
        self.links: list[str] = []
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"] or "")
        if tag not in VOID:
            self.open.append((tag, attributes))
        if tag == "data" and EXAMPLE not in attributes:
            self.numbers.append(Number(attributes, self._link()))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        while self.open and self.open.pop()[0] != tag:
            pass

    def _link(self) -> str | None:
        links = [found.get("href") for tag, found in self.open if tag == "a"]
        return links[-1] if links else None

    def sums(self) -> Iterator[tuple[str, Decimal, Decimal | None]]:
        """Each total of the page with the sum of its lines; None where it has no lines."""
        for number in self.numbers:
            if number.total is not None:
                lines = [
                    one.value
                    for one in self.numbers
                    if one.total is None
                    and (number.total in one.lines if number.total else not one.lines)
                ]
                yield number.total, number.value, sum(lines, Decimal(0)) if lines else None


class Site:
    """A customer's pages, each read once."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.pages: dict[str, Page | None] = {}

    def page(self, address: str) -> Page | None:
        """The page of an address; None for what is no page to read."""
        if address not in self.pages:
            response = self.client.get(address)
            is_page = response.status_code == 200 and "html" in response["Content-Type"]
            self.pages[address] = Page(response.content.decode()) if is_page else None
        return self.pages[address]

    def walk(self) -> dict[str, Page]:
        """Every page that can be reached by links from where a customer begins."""
        waiting, seen, other_days = list(START), set(START), 0
        while waiting:
            address = waiting.pop()
            page = self.page(address)
            for link in page.links if page else ():
                target = urldefrag(urljoin(address, link)).url
                if not target.startswith(OURS) or target in seen:
                    continue
                if "on=" in target:
                    other_days += 1
                    if other_days > OTHER_DAYS:
                        continue
                seen.add(target)
                waiting.append(target)
        return {address: page for address, page in self.pages.items() if page}


@pytest.fixture
def active(db: None) -> Iterator[Person]:
    """A customer with something of everything: bonuses, limits, combos, claims, a refund, a refusal, a board."""
    with travel(MONDAY + timedelta(hours=8), tick=False):
        brand = make_brand(FOXGLOVE, RULES | {"rules": [*RULES["rules"], *MORE_RULES]})
        person = join(brand, "rowan@example.org")
        assert person.customer
        day = timedelta(days=1)
        record(
            person.customer,
            *(("purchase", MONDAY - 9 * number * day, f"{7 + number}.50") for number in range(30)),
            *(("check_in", MONDAY - number * day) for number in range(12)),
            *(("check_in", MONDAY - number * day + timedelta(hours=1)) for number in range(3)),
            *(("usage", MONDAY - number * day, 1) for number in range(20)),
            ("purchase", MONDAY + timedelta(hours=1), "31", "pending"),
            now=MONDAY + timedelta(hours=2),
        )
        for number in range(11):
            member = join(brand, f"m{number}@example.org").customer
            assert member
            Customer.objects.filter(pk=member.pk).update(on_boards=True)
            record(member, ("purchase", MONDAY, 20 + number))
        Customer.objects.filter(pk=person.customer.pk).update(on_boards=True)
        score_all_due(brand, now=MONDAY + timedelta(hours=3))
        yield person


MORE_RULES: list[dict[str, Any]] = [
    {
        "key": "weekend",
        "type": "bonus",
        "title": "Half as much again at weekends",
        "kinds": ["purchase", "check_in"],
        "percent": 50,
        "conditions": [{"field": "weekday", "op": "in", "value": ["sat", "sun"]}],
        "limits": [{"per": "month", "points": 30}],
    },
    {
        "key": "see-and-buy",
        "type": "combo",
        "title": "Visit and buy in one week",
        "source": "social_media",
        "per": "week",
        "points": 40,
        "requires": [{"kinds": ["check_in"], "count": 1}, {"kinds": ["purchase"], "count": 1}],
    },
    {
        "key": "brew",
        "type": "earn",
        "title": "Brew at home",
        "kinds": ["usage"],
        "points": 3,
        "limits": [{"per": "week", "count": 4}],
    },
]


def test_every_number_opens_its_receipt_and_its_lines_add_up(active: Person) -> None:
    site = Site(active.client())
    pages = site.walk()
    faults = []
    followed = 0
    for address, page in pages.items():
        for name, total, lines in page.sums():
            if name != "sub-score" and (lines or 0) != total:
                faults.append(f"{address}: the lines of “{name}” sum to {lines} and not {total}")
        totals = {number.value for number in page.numbers if number.total is not None}
        names = {number.total for number in page.numbers}
        for number in page.numbers:
            if number.lines and names.isdisjoint(number.lines):
                faults.append(f"{address}: {number.value} is a line of no sum")
            if number.total is not None or (number.lines and number.link is None):
                continue
            followed += 1
            if not opens(site, address, number, totals):
                faults.append(f"{address}: {number.value} leads to {number.link}")
    assert not faults, "\n".join(faults)
    assert len(pages) > 100
    assert followed > 200


def opens(site: Site, address: str, number: Number, here: set[Decimal]) -> bool:
    """Whether a number's link leads in one tap or two to a page whose total it is."""
    if number.link is None:
        return False
    if number.link.startswith("#"):
        return number.value in here
    first = site.page(urldefrag(urljoin(address, number.link)).url)
    if first is None:
        return False
    if number.value in {one.value for one in first.numbers if one.total is not None}:
        return True
    return any(
        one.value == number.value and opens_there(site, urljoin(address, number.link), one)
        for one in first.numbers
        if one.link
    )


def opens_there(site: Site, address: str, number: Number) -> bool:
    page = site.page(urldefrag(urljoin(address, number.link or "")).url)
    return page is not None and number.value in {
        one.value for one in page.numbers if one.total is not None
    }


def test_a_source_adds_up_on_each_of_its_pages_and_in_its_measure(active: Person) -> None:
    client = active.client()
    response = client.get("/b/foxglove/score/purchases")
    sums = sums_on(response)
    assert sums["worth"][0] == sums["worth"][1] == response.context["receipt"].worth
    assert sums["points"][0] == sums["points"][1] == response.context["receipt"].points
    # 30 % of the score: each of the hundred counts 3.
    assert abs(sums["sub-score"][0] * 3 - sums["worth"][0]) < Decimal("0.01")
    for number in (2, 3):
        before = response.context["lines"].smaller
        response = client.get("/b/foxglove/score/purchases", {"page": number})
        sums = sums_on(response)
        assert sums["worth"][0] == sums["worth"][1] == before.worth
        assert sums["points"][0] == sums["points"][1] == before.points
    assert client.get("/b/foxglove/score/purchases", {"page": 4}).status_code == 404


def sums_on(response: Any) -> dict[str, tuple[Decimal, Decimal | None]]:
    """The totals of a page and what their lines sum to."""
    return {name: (total, lines) for name, total, lines in Page(response.content.decode()).sums()}


def test_a_day_that_is_over_adds_up_as_the_history_says(active: Person) -> None:
    client = active.client()
    past = client.get("/b/foxglove/score/explained").context["past"]
    assert len(past) == 27
    for day, worth in past[::6]:
        response = client.get("/b/foxglove/score/explained", {"on": day.isoformat()})
        assert response.context["explanation"].score == worth.score
        assert response.context["explanation"].points == worth.points
