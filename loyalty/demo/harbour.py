"""Harbour Cycles: a small bicycle shop in another country, to show a second brand beside the first."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final
from zoneinfo import ZoneInfo

from loyalty.demo.people import SEED, Person
from scoring.models import Source
from scoring.records import ActionRow, Row

SLUG: Final = "harbour-cycles"
ZONE: Final = ZoneInfo("Europe/Amsterdam")
DAYS: Final = 200

BRAND: Final[dict[str, Any]] = {
    "slug": SLUG,
    "name": "Harbour Cycles",
    "time_zone": "Europe/Amsterdam",
    "currency": "EUR",
    "kinds": [
        {
            "slug": "purchase",
            "label": "Purchase",
            "source": "purchases",
            "unit": "money",
            "attributes": {"receipt": "text"},
        },
        {
            "slug": "check_in",
            "label": "Workshop visit",
            "source": "physical_visits",
            "unit": None,
            "attributes": {},
        },
        {
            "slug": "usage",
            "label": "Ride",
            "source": "product_usage",
            "unit": "km",
            "attributes": {},
        },
        {
            "slug": "site_visit",
            "label": "Visit to the site",
            "source": "online_engagement",
            "unit": None,
            "attributes": {},
        },
        {
            "slug": "newsletter_click",
            "label": "Newsletter read",
            "source": "marketing_attention",
            "unit": None,
            "attributes": {},
        },
        {
            "slug": "post",
            "label": "Post",
            "source": "social_media",
            "unit": None,
            "attributes": {},
        },
    ],
    "venues": [{"slug": "quay", "name": "The Quay"}],
}
PROMISE: Final = "Ride more, and let it count."
COLOUR: Final = "#1f6f78"
CHANNELS: Final = ("email",)
PARTNERS: Final = ""
CODES: Final = {"quay": "QUAY-6638"}

RULES: Final[dict[str, Any]] = {
    "sources": {
        "purchases": {"weight": 20, "half_life_days": 365, "halfway_points": 200},
        "physical_visits": {"weight": 20, "half_life_days": 180, "halfway_points": 60},
        "product_usage": {"weight": 30, "half_life_days": 60, "halfway_points": 250},
        "online_engagement": {"weight": 10, "half_life_days": 45, "halfway_points": 30},
        "marketing_attention": {"weight": 10, "half_life_days": 45, "halfway_points": 20},
        "social_media": {"weight": 10, "half_life_days": 60, "halfway_points": 30},
    },
    "rules": [
        {
            "key": "spend",
            "type": "earn",
            "title": "1 point for every 2 euros",
            "kinds": ["purchase"],
            "rate": "0.5",
        },
        {
            "key": "workshop",
            "type": "earn",
            "title": "Bring your bicycle in",
            "kinds": ["check_in"],
            "points": 20,
            "limits": [{"per": "month", "count": 2}],
        },
        {
            "key": "ride",
            "type": "earn",
            "title": "1 point for every kilometre",
            "kinds": ["usage"],
            "rate": "1",
            "limits": [{"per": "day", "points": 40}],
        },
        {
            "key": "every-week",
            "type": "streak",
            "title": "Two rides a week, four weeks in a row",
            "source": "product_usage",
            "kinds": ["usage"],
            "per": "week",
            "count": 2,
            "length": 4,
            "points": 50,
        },
        {
            "key": "online",
            "type": "earn",
            "title": "Look around the site",
            "kinds": ["site_visit"],
            "points": 3,
            "limits": [{"per": "day", "count": 1}],
        },
        {
            "key": "letter",
            "type": "earn",
            "title": "Read the monthly letter",
            "kinds": ["newsletter_click"],
            "points": 10,
            "limits": [{"per": "month", "count": 1}],
        },
        {
            "key": "post",
            "type": "earn",
            "title": "Post about a ride",
            "kinds": ["post"],
            "points": 10,
            "limits": [{"per": "week", "count": 1}],
        },
    ],
}

BADGES: Final[tuple[dict[str, Any], ...]] = (
    {
        "slug": "distance",
        "title": "Going the distance",
        "source": Source.PRODUCT_USAGE,
        "criterion": "quantity",
        "parameters": {"kinds": ["usage"]},
        "levels": [100, 1000, 2500],
    },
    {
        "slug": "long-haul",
        "title": "Long haul",
        "source": Source.PRODUCT_USAGE,
        "criterion": "actions",
        "parameters": {
            "kinds": ["usage"],
            "conditions": [{"field": "quantity", "op": "at_least", "value": 50}],
        },
        "levels": [1, 5, 20],
    },
    {
        "slug": "rain-or-shine",
        "title": "Rain or shine",
        "source": Source.PRODUCT_USAGE,
        "criterion": "streak",
        "parameters": {"kinds": ["usage"], "per": "week"},
        "levels": [4, 12, 26],
    },
    {
        "slug": "well-kept",
        "title": "Well kept",
        "source": Source.PHYSICAL_VISITS,
        "criterion": "combination",
        "parameters": {
            "requires": [{"kinds": ["check_in"]}, {"kinds": ["usage"], "count": 5}],
            "per": "month",
        },
        "levels": [1, 3],
    },
)


def rows(
    *, people: Sequence[Person], laurel: Mapping[int, str], anchor: date, until: datetime
) -> list[Row]:
    """Every row of these riders from two hundred days before ``anchor`` up to ``until``, in order of time."""
    told = [
        row
        for person in people
        if person.number in laurel
        for row in _rides(person, laurel[person.number], anchor, until)
        if row.occurred_at <= until
    ]
    told.sort(key=lambda row: (row.occurred_at, row.external_id))
    return list(told)


def _rides(person: Person, laurel: str, anchor: date, until: datetime) -> Iterator[ActionRow]:
    mail = f"email:{person.email}"
    keen = 0.12 + person.number * 7 % 10 / 20
    day = anchor - timedelta(days=DAYS)
    while day <= until.astimezone(ZONE).date():
        rng = Random(f"{SEED} harbour {person.number} {day}")  # noqa: S311
        chances = [rng.random() for _ in range(6)]
        if chances[0] < keen:
            yield _row("usage", person, day, 17.5, laurel, quantity=Decimal(rng.randint(4, 55)))
        if chances[1] < keen / 25 and day.weekday() < 6:
            yield _row("check_in", person, day, 10.4, laurel, venue="quay")
            price = Decimal(rng.randint(9, 190))
            yield _row("purchase", person, day, 10.9, mail, venue="quay", quantity=price)
        if chances[2] < keen / 5:
            yield _row("site_visit", person, day, 20.6, mail)
        if chances[3] < keen and day.day == 5:
            yield _row("newsletter_click", person, day, 12.3, mail)
        if chances[4] < keen / 12 and person.handle:
            yield _row("post", person, day, 19.2, person.handle)
        day += timedelta(days=1)


def _row(
    kind: str,
    person: Person,
    day: date,
    hour: float,
    identifier: str,
    *,
    venue: str | None = None,
    quantity: Decimal | None = None,
) -> ActionRow:
    minutes = int(hour * 60) + person.number % 25
    when = datetime.combine(day, time(minutes // 60, minutes % 60), ZONE).astimezone(UTC)
    return ActionRow(
        origin="harbour",
        external_id=f"{kind}-{person.number:04d}-{when:%Y%m%d%H%M}",
        identifier=identifier,
        kind=kind,
        occurred_at=when,
        quantity=quantity,
        venue=venue,
    )
