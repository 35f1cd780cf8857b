"""A year in the life of Foxglove Coffee, as the rows that its systems would have reported.

Nothing here reads a clock or a database. A month of one person is drawn from its own seed, in full,
and only then cut to the days asked for: the story told tomorrow repeats today's to the letter and goes on.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from loyalty.demo.birdsong.people import BIRDS
from loyalty.demo.foxglove import NEW_SHOP, SHOPS, hours_of, opening_day
from loyalty.demo.people import SEED, Person
from scoring.records import ActionRow, CorrectionRow, DecisionRow, Row, VoidRow

ZONE: Final = ZoneInfo("Europe/London")
ORIGINS: Final = ("till", "web-shop", "site", "mail", "mastodon", "birdsong")
"""The systems that report only what this story tells; our own pages are the reader's too."""

BUSY: Final = (0.8, 0.95, 1, 1, 1.05, 1, 0.9, 0.75, 1, 1.05, 1.1, 1.15)
"""How busy the shops are from January to December."""

PAGES: Final = ("brew guides", "beans", "shops", "jobs", "subscriptions", "the roastery", "water")
BEANS: Final = ("Night Bell", "Hedgerow", "Long Meadow", "First Frost", "Lamplighter")
TOPICS: Final = ("latte art", "new beans", "my filter", "the roastery", "a quiet corner", "tasting")
METHODS: Final = ("filter", "espresso", "french press", "moka")


def moment_of(row: Row) -> datetime:
    """When the row was reported to have happened: what it is sorted and cut by."""
    return row.occurred_at if isinstance(row, ActionRow) else row.at


def rows(
    *,
    people: Sequence[Person],
    laurel: Mapping[int, str],
    anchor: date,
    since: date,
    until: datetime,
) -> list[Row]:
    """Every row of the story from the local day ``since`` up to ``until``, in order of time.

    ``anchor`` is the day from which people's days are counted. ``laurel`` maps the number of each
    person who joined to their identifier on our own pages.
    """
    lives = (
        chain(
            _life(person, laurel.get(person.number), anchor, since, until),
            _scenes(person, laurel.get(person.number), anchor),
        )
        for person in people
    )
    told = [
        row
        for row in chain(_chirps(anchor), *lives)
        if since <= moment_of(row).astimezone(ZONE).date() and moment_of(row) <= until
    ]
    told.sort(key=lambda row: (moment_of(row), row.origin, row.external_id))
    return told


def _life(
    person: Person, laurel: str | None, anchor: date, since: date, until: datetime
) -> Iterator[Row]:
    first = anchor + timedelta(days=person.begins)
    last = min(anchor + timedelta(days=person.ends), until.astimezone(ZONE).date())
    # What follows an action (a refund, a decision) comes up to a fortnight later.
    month = max(first, since - timedelta(days=14)).replace(day=1)
    while month <= last:
        following = (month + timedelta(days=32)).replace(day=1)
        rng = Random(f"{SEED} {person.number} {month}")  # noqa: S311
        for day in range((following - month).days):
            today = month + timedelta(days=day)
            for row in _Day(person, laurel, anchor, today, rng).rows():
                if first <= today <= last:
                    yield row
        month = following


def _scenes(person: Person, laurel: str | None, anchor: date) -> Iterator[Row]:
    """What happens on set days before the anchor, so that every state can be seen whatever the dice say."""
    if laurel is None:
        return

    def day(offset: int) -> "_Day":
        today = anchor + timedelta(days=offset)
        rng = Random(f"{SEED} {person.number} {offset}")  # noqa: S311
        return _Day(person, laurel, anchor, today, rng)

    if person.claims and person.number % 5 == 0 and person.number:
        yield from day(-1 - person.number % 3).claim(11 + person.number % 7, waits=21)
    if person.number == 0:
        yield from day(-46).buys_online(20.3, 72, "equipment")
        yield from day(-33).claim(18.4, waits=2, accepted=False)
        yield from day(-19).buys_online(21.1, 48, "beans", refund_to=24, after=4)
        yield from day(-12).reads(19.2, "survey")
        yield from day(-9).buys(9.1, 11.4, is_void=True)
        yield from day(-6).checks_in(9.4, 13.2)
        yield from day(-5).posts(17.6)
        yield from day(-4).reads(18.2, "newsletter_click")
        yield from day(-1).brews(7.05)
        yield from day(-1).browses(21.5)
        yield from day(0).brews(0.02)


def _chirps(anchor: date) -> Iterator[Row]:
    """What is said of Foxglove on Birdsong. Nearly all of it lies there until somebody says that it was them."""
    for bird in BIRDS:
        for number, chirp in enumerate(bird.chirps):
            if chirp.topic:
                yield ActionRow(
                    origin="birdsong", external_id=f"chirp-{bird.number}-{number}",
                    identifier=bird.identifier, kind="post", occurred_at=chirp.at(anchor).astimezone(UTC),
                    channel="social", attributes={"network": "birdsong", "topic": chirp.topic},
                )  # fmt: skip


class _Day:
    """One day of one person. It draws the same whether or not its rows are wanted."""

    def __init__(
        self, person: Person, laurel: str | None, anchor: date, today: date, rng: Random
    ) -> None:
        self.person = person
        self.laurel = laurel
        self.today = today
        self.anchor = anchor
        self.rng = rng
        self.age = (today - anchor).days
        self.has_joined = person.joins is not None and self.age > person.joins

    def rows(self) -> Iterator[Row]:
        is_away = self.person.away[0] <= self.age <= self.person.away[1]
        if not is_away:
            yield from self._visit()
        yield from self._order()
        yield from self._at_home()
        if not is_away:
            yield from self._tasting()

    # In the shop

    def _visit(self) -> Iterator[Row]:
        person, rng = self.person, self.rng
        chance = person.visits[self.today.weekday()] * BUSY[self.today.month - 1]
        if person.term_only and self.today.month in (7, 8, 9):
            chance = 0
        opening = hours_of(day=self.today)
        goes, roams, hour = rng.random() < chance, rng.random() < person.roams, rng.random()
        checks_in, takes_beans, twice = rng.random(), rng.random(), rng.random()
        if not goes or opening is None:
            return
        shop = self._shop(roams=roams)
        early, late = person.hours
        hour = min(max(early + hour * (late - early), opening[0] + 0.05), opening[1] - 0.4)
        if checks_in < person.checks_in:
            yield from self.checks_in(hour, shop=shop)
        if not person.card:
            return
        total = rng.uniform(*person.basket)
        category = "food" if total > 9 else "drinks"
        if takes_beans < person.takes_beans:
            total, category = total + rng.choice((9.5, 11, 12.5)), "beans"
        hour += rng.uniform(0.03, 0.12)
        yield from self.buys(hour, total, category, shop=shop, is_void=twice < 0.006)

    def checks_in(self, *hours: float, shop: str = "") -> Iterator[Row]:
        if self.has_joined and self.laurel:
            for hour in hours:
                yield self._action(
                    "laurel", "check_in", hour, self.laurel, channel="web",
                    venue=shop or self.person.home,
                )  # fmt: skip

    def buys(
        self, hour: float, total: float, category: str = "food", *, shop: str = "", is_void: bool
    ) -> Iterator[Row]:
        bought = self._action(
            "till", "purchase", hour, self.person.card, channel="shop", venue=shop or self.person.home,
            quantity=_money(total), attributes={"category": category, "items": 1 + int(total // 5)},
        )  # fmt: skip
        yield bought
        if is_void:
            yield self._void(bought, timedelta(minutes=3), "rung up twice")

    def _shop(self, *, roams: bool) -> str:
        is_open = self.today >= opening_day(anchor=self.anchor)
        if roams:
            return self.rng.choice(SHOPS if is_open else SHOPS[:-1])
        # Some people live round the corner of the new shop, and it becomes theirs.
        moves = self.person.number % 5 == 2 and is_open
        return NEW_SHOP if moves else self.person.home

    def _tasting(self) -> Iterator[Row]:
        """The first Saturday of the month, at each of the old shops in turn."""
        if self.today.weekday() != 5 or self.today.day > 7:
            return
        if self.rng.random() < self.person.tastes and self.has_joined and self.person.card:
            yield self._action(
                "till", "tasting", 14.6 + self.rng.random() * 0.4, self.person.card, channel="shop",
                venue=SHOPS[self.today.month % 3],
                attributes={"topic": BEANS[self.today.month % len(BEANS)]},
            )  # fmt: skip

    # From afar

    def _order(self) -> Iterator[Row]:
        person, rng = self.person, self.rng
        chance, category = person.orders, "beans"
        if person.gifts:
            category = "gift"
            is_christmas = self.today.month == 12 and self.today.day <= 21
            is_mothers_day = self.today.month == 3 and 5 <= self.today.day <= 25
            chance = 0.14 if is_christmas else 0.03 if is_mothers_day else 0.001
        if person.subscribes_on == self.today.day:
            chance = 0.95
        orders, hour, refunds, cancels = rng.random(), rng.random(), rng.random(), rng.random()
        if orders >= chance or not person.email:
            return
        total = rng.choice(
            (18, 24, 27.5, 36, 48) if category == "beans" else (22, 29.5, 35, 52, 75)
        )
        yield from self.buys_online(
            8 + hour * 14, total, category, refund_to=total * 0.6 if refunds < 0.06 else None,
            after=rng.randint(1, 9), is_cancelled=cancels < 0.03,
        )  # fmt: skip

    def buys_online(
        self, hour: float, total: float, category: str, *, refund_to: float | None = None,
        after: int = 0, is_cancelled: bool = False,
    ) -> Iterator[Row]:  # fmt: skip
        bought = self._action(
            "web-shop", "purchase", hour, self.mail, channel="web", quantity=_money(total),
            attributes={"category": category, "items": 1 + int(total // 25)},
        )  # fmt: skip
        yield bought
        if refund_to is not None:
            yield CorrectionRow(
                origin=bought.origin, external_id=f"r-{bought.external_id}", action=bought.external_id,
                quantity=_money(refund_to), at=bought.occurred_at + timedelta(days=after, minutes=74),
            )  # fmt: skip
        elif is_cancelled:
            yield self._void(bought, timedelta(hours=2), "cancelled by the customer")

    def _at_home(self) -> Iterator[Row]:
        person, rng = self.person, self.rng
        brews, browses, clicks, posts, reviews, claims = (rng.random() for _ in range(6))
        hour = rng.random()
        if brews < person.brews:
            yield from self.brews(6.6 + hour * 2)
        if browses < person.browses:
            yield from self.browses(11.5 + hour * 11)
        if self.today.weekday() == 3 and clicks < person.clicks:
            yield from self.reads(10.2 + hour * 13, "newsletter_click")
        if self.today.day == 14 and self.today.month % 3 == 2 and clicks < person.clicks * 0.6:
            yield from self.reads(12 + hour * 9, "survey")
        if posts < person.posts:
            yield from self.posts(8 + hour * 14)
        if reviews < person.reviews and self.has_joined:
            yield self._action(
                "web-shop", "review", 18 + hour * 4, self.mail, channel="web",
                attributes={"product": rng.choice(BEANS), "with_photo": rng.random() < 0.3},
            )  # fmt: skip
        if claims < person.claims:
            yield from self.claim(
                17 + hour * 4, waits=rng.randint(2, 12), accepted=rng.random() < 0.8
            )

    def brews(self, hour: float) -> Iterator[Row]:
        if self.has_joined and self.laurel:
            yield self._action(
                "laurel", "usage", hour, self.laurel, channel="web",
                quantity=Decimal(self.rng.randint(1, 3)),
                attributes={"method": METHODS[self.person.number % len(METHODS)]},
            )  # fmt: skip

    def browses(self, hour: float) -> Iterator[Row]:
        if self.person.email:
            yield self._action(
                "site", "site_visit", hour, self.mail, channel="web",
                quantity=Decimal(self.rng.randint(1, 9)),
                attributes={"topic": self.rng.choice(PAGES)},
            )  # fmt: skip

    def reads(self, hour: float, kind: str) -> Iterator[Row]:
        if self.person.email:
            what = (
                f"survey {self.today:%Y-%m}" if kind == "survey" else f"letter {self.today:%G-W%V}"
            )
            yield self._action(
                "mail", kind, hour, self.mail, channel="email", attributes={"campaign": what}
            )

    def posts(self, hour: float) -> Iterator[Row]:
        if self.person.handle:
            yield self._action(
                "mastodon", "post", hour, self.person.handle, channel="social",
                attributes={"network": "mastodon", "topic": self.rng.choice(TOPICS)},
            )  # fmt: skip

    def claim(self, hour: float, *, waits: int, accepted: bool = True) -> Iterator[Row]:
        """A purchase without the card, claimed by its receipt, and what staff decide days later."""
        if not self.has_joined or not self.laurel:
            return
        rng = self.rng
        receipt = f"{rng.randint(1000, 9999)}-{rng.randint(10, 99)}"
        claim = self._action(
            "laurel", "purchase", hour, self.laurel, channel="web", venue=self._shop(roams=False),
            quantity=_money(rng.uniform(6, 28)), attributes={"receipt": receipt}, state="pending",
        )  # fmt: skip
        yield claim
        yield DecisionRow(
            origin="laurel", external_id=f"d-{claim.external_id}", action=claim.external_id,
            accepted=accepted, at=claim.occurred_at + timedelta(days=waits, hours=-6),
            reason="" if accepted else "The receipt is from another shop.",
        )  # fmt: skip

    # Rows

    @property
    def mail(self) -> str:
        return f"email:{self.person.email}"

    def _action(
        self, origin: str, kind: str, hour: float, identifier: str, *, state: str = "accepted",
        quantity: Decimal | None = None, channel: str | None = None, venue: str | None = None,
        attributes: dict[str, object] | None = None,
    ) -> ActionRow:  # fmt: skip
        seconds = int(hour * 3600)
        clock = time(seconds // 3600, seconds // 60 % 60, seconds % 60)
        when = datetime.combine(self.today, clock, ZONE).astimezone(UTC)
        return ActionRow(
            origin=origin, external_id=f"{kind}-{self.person.number:04d}-{when:%Y%m%d%H%M%S}",
            identifier=identifier, kind=kind, occurred_at=when, quantity=quantity, channel=channel,
            venue=venue, attributes=attributes, state=state,
        )  # fmt: skip

    def _void(self, bought: ActionRow, later: timedelta, reason: str) -> VoidRow:
        return VoidRow(
            origin=bought.origin, external_id=f"v-{bought.external_id}", action=bought.external_id,
            at=bought.occurred_at + later, reason=reason,
        )  # fmt: skip


def _money(amount: float) -> Decimal:
    return Decimal(round(amount * 20)) / 20
