"""Foxglove Coffee: a roastery with four shops in London. Its brand document, its rules over a year, its badges."""

from datetime import UTC, date, datetime
from typing import Any, Final

from scoring.models import Source

SLUG: Final = "foxglove"
SHOPS: Final = ("exmouth-row", "canal-lane", "lavender-yard", "tannery-arches")
NEW_SHOP: Final = SHOPS[-1]
"""The shop that opened in May."""

BRAND: Final[dict[str, Any]] = {
    "slug": SLUG,
    "name": "Foxglove Coffee",
    "time_zone": "Europe/London",
    "currency": "GBP",
    "kinds": [
        {
            "slug": "purchase",
            "label": "Purchase",
            "source": "purchases",
            "unit": "money",
            "attributes": {
                "category": {"choice": ["drinks", "food", "beans", "gift", "equipment"]},
                "items": "number",
                "receipt": "text",
            },
        },
        {
            "slug": "check_in",
            "label": "Check-in",
            "source": "physical_visits",
            "unit": None,
            "attributes": {},
        },
        {
            "slug": "tasting",
            "label": "Tasting",
            "source": "physical_visits",
            "unit": None,
            "attributes": {"topic": "text"},
        },
        {
            "slug": "usage",
            "label": "Home brew",
            "source": "product_usage",
            "unit": "cups",
            "attributes": {"method": {"choice": ["filter", "espresso", "french press", "moka"]}},
        },
        {
            "slug": "site_visit",
            "label": "Visit to the site",
            "source": "online_engagement",
            "unit": "pages",
            "attributes": {"topic": "text"},
        },
        {
            "slug": "review",
            "label": "Review",
            "source": "online_engagement",
            "unit": None,
            "attributes": {"product": "text", "with_photo": "yes_no"},
        },
        {
            "slug": "newsletter_click",
            "label": "Newsletter read",
            "source": "marketing_attention",
            "unit": None,
            "attributes": {"campaign": "text"},
        },
        {
            "slug": "survey",
            "label": "Survey answered",
            "source": "marketing_attention",
            "unit": None,
            "attributes": {"campaign": "text"},
        },
        {
            "slug": "post",
            "label": "Post",
            "source": "social_media",
            "unit": None,
            "attributes": {"network": {"choice": ["mastodon", "birdsong"]}, "topic": "text"},
        },
    ],
    "venues": [
        {"slug": "exmouth-row", "name": "Exmouth Row"},
        {"slug": "canal-lane", "name": "Canal Lane"},
        {"slug": "lavender-yard", "name": "Lavender Yard"},
        {"slug": "tannery-arches", "name": "Tannery Arches"},
    ],
}
PROMISE: Final = "Good coffee, remembered."
COLOUR: Final = "#7b3f6e"
CHANNELS: Final = ("email", "push", "sms", "post")
PARTNERS: Final = "Ember & Lark Bakery"
CODES: Final = {
    "exmouth-row": "ROW-4172",
    "canal-lane": "CANAL-8306",
    "lavender-yard": "YARD-5941",
    "tannery-arches": "ARCH-2750",
}

SOURCES: Final[dict[str, Any]] = {
    "purchases": {"weight": 25, "half_life_days": 180, "halfway_points": 260},
    "physical_visits": {"weight": 25, "half_life_days": 90, "halfway_points": 240},
    "product_usage": {"weight": 15, "half_life_days": 60, "halfway_points": 110},
    "online_engagement": {"weight": 15, "half_life_days": 45, "halfway_points": 42},
    "marketing_attention": {"weight": 10, "half_life_days": 45, "halfway_points": 25},
    "social_media": {"weight": 10, "half_life_days": 60, "halfway_points": 36},
}


def rules_at_the_start() -> list[dict[str, Any]]:
    """The rules that the programme began with, in three shops."""
    return [
        {
            "key": "spend",
            "type": "earn",
            "title": "1 point for every pound",
            "kinds": ["purchase"],
            "rate": "1",
        },
        {
            "key": "first-purchase",
            "type": "earn",
            "title": "Welcome: first purchase",
            "kinds": ["purchase"],
            "points": 50,
            "limits": [{"per": "ever", "count": 1}],
        },
        {
            "key": "beans",
            "type": "earn",
            "title": "Beans to take home",
            "kinds": ["purchase"],
            "points": 10,
            "conditions": [{"field": "attributes.category", "op": "is", "value": "beans"}],
            "limits": [{"per": "month", "count": 4}],
        },
        {
            "key": "check-in",
            "type": "earn",
            "title": "Check in at a shop",
            "kinds": ["check_in"],
            "points": 15,
            "limits": [
                {"per": "day", "by": "venue", "count": 1},
                {"per": "week", "points": 75},
            ],
        },
        {
            "key": "tasting",
            "type": "earn",
            "title": "Come to a tasting",
            "kinds": ["tasting"],
            "points": 40,
            "limits": [{"per": "month", "count": 2}],
        },
        {
            "key": "weekend",
            "type": "bonus",
            "title": "Half as much again at weekends",
            "kinds": ["purchase", "check_in"],
            "percent": 50,
            "conditions": [{"field": "weekday", "op": "in", "value": ["sat", "sun"]}],
            "limits": [{"per": "month", "points": 100}],
        },
        {
            "key": "early-bird",
            "type": "bonus",
            "title": "Early bird: a quarter more before nine",
            "kinds": ["purchase"],
            "percent": 25,
            "conditions": [{"field": "hour", "op": "less_than", "value": 9}],
        },
        {
            "key": "grand-tour",
            "type": "combo",
            "title": "All three shops in a month",
            "source": "physical_visits",
            "per": "month",
            "points": 80,
            "requires": [_check_in_at(shop) for shop in SHOPS[:-1]],
        },
        {
            "key": "browse",
            "type": "earn",
            "title": "Look around the site",
            "kinds": ["site_visit"],
            "points": 2,
            "limits": [{"per": "day", "points": 4}],
        },
        {
            "key": "review",
            "type": "earn",
            "title": "Write a review",
            "kinds": ["review"],
            "points": 15,
            "limits": [{"per": "week", "count": 1}],
        },
        {
            "key": "newsletter",
            "type": "earn",
            "title": "Read the Thursday letter",
            "kinds": ["newsletter_click"],
            "points": 5,
            "limits": [{"per": "week", "count": 1}],
        },
        {
            "key": "survey",
            "type": "earn",
            "title": "Tell us what you think",
            "kinds": ["survey"],
            "points": 20,
            "limits": [{"per": "month", "count": 1}],
        },
        {
            "key": "post",
            "type": "earn",
            "title": "Post about your coffee",
            "kinds": ["post"],
            "points": 12,
            "limits": [{"per": "day", "count": 1}, {"per": "week", "points": 36}],
        },
        {
            "key": "brew",
            "type": "earn",
            "title": "Brew at home",
            "kinds": ["usage"],
            "points": 3,
            "limits": [{"per": "day", "count": 2}],
        },
        {
            "key": "home-barista",
            "type": "streak",
            "title": "Three brews a week, four weeks in a row",
            "source": "product_usage",
            "kinds": ["usage"],
            "per": "week",
            "count": 3,
            "length": 4,
            "points": 60,
        },
        {
            "key": "bean-to-cup",
            "type": "combo",
            "title": "Buy beans and brew them in the same week",
            "source": "purchases",
            "per": "week",
            "points": 20,
            "requires": [
                {
                    "kinds": ["purchase"],
                    "count": 1,
                    "conditions": [{"field": "attributes.category", "op": "is", "value": "beans"}],
                },
                {"kinds": ["usage"], "count": 2},
            ],
        },
    ]


def rules_with_four_shops() -> list[dict[str, Any]]:
    """From the day that the fourth shop opened: the tour grows, and checking in is worth more."""
    rules = {rule["key"]: rule for rule in rules_at_the_start()}
    rules["check-in"] |= {
        "points": 20,
        "limits": [{"per": "day", "by": "venue", "count": 1}, {"per": "week", "points": 100}],
    }
    rules["grand-tour"] |= {
        "title": "All four shops in a month",
        "points": 120,
        "requires": [_check_in_at(shop) for shop in SHOPS],
    }
    return list(rules.values())


def rules_of_today(*, opened_at: datetime) -> list[dict[str, Any]]:
    """The latest: no early bird any more, and one more point for a brew.

    What changed when the fourth shop opened keeps its two stages, before and after ``opened_at``.
    """
    before = {rule["key"]: rule for rule in rules_at_the_start()}
    rules = []
    for rule in rules_with_four_shops():
        if rule["key"] in ("check-in", "grand-tour"):
            moment = opened_at.astimezone(UTC).isoformat()
            rules += [{**before[rule["key"]], "ends": moment}, {**rule, "starts": moment}]
        elif rule["key"] == "brew":
            rules.append({**rule, "points": 4})
        elif rule["key"] != "early-bird":
            rules.append(rule)
    return rules


def _check_in_at(shop: str) -> dict[str, Any]:
    conditions = [{"field": "venue", "op": "is", "value": shop}]
    return {"kinds": ["check_in"], "count": 1, "conditions": conditions}


def opening_day(*, anchor: date) -> date:
    """The second of May before the day when the demo was first made: the fourth shop opens."""
    opens = date(anchor.year, 5, 2)
    return opens if opens < anchor else date(anchor.year - 1, 5, 2)


def hours_of(*, day: date) -> tuple[float, float] | None:
    """When the shops are open on that day, in hours, or None when they are closed."""
    if (day.month, day.day) in ((12, 25), (12, 26), (1, 1)):
        return None
    if (day.month, day.day) in ((12, 24), (12, 31)):
        return 8, 15
    return ((7, 18), (7, 18), (7, 18), (7, 18), (7, 19), (8, 18), (9, 16))[day.weekday()]


BADGES: Final[tuple[dict[str, Any], ...]] = (
    {
        "slug": "early-bird",
        "title": "Early bird",
        "source": Source.PURCHASES,
        "criterion": "actions",
        "parameters": {
            "kinds": ["purchase"],
            "conditions": [{"field": "hour", "op": "less_than", "value": 9}],
        },
        "levels": [5, 25, 75],
    },
    {
        "slug": "regular",
        "title": "Regular",
        "source": Source.PHYSICAL_VISITS,
        "criterion": "actions",
        "parameters": {"kinds": ["check_in"]},
        "levels": [10, 50, 150],
    },
    {
        "slug": "out-and-about",
        "title": "Out and about",
        "source": Source.PHYSICAL_VISITS,
        "criterion": "venues",
        "parameters": {"kinds": ["check_in", "tasting"]},
        "levels": [2, 3, 4],
    },
    {
        "slug": "grand-tour",
        "title": "Grand tour",
        "source": Source.PHYSICAL_VISITS,
        "criterion": "combination",
        "parameters": {"requires": [_check_in_at(shop) for shop in SHOPS], "per": "month"},
        "levels": [1, 3, 6],
    },
    {
        "slug": "good-nose",
        "title": "Good nose",
        "source": Source.PHYSICAL_VISITS,
        "criterion": "actions",
        "parameters": {"kinds": ["tasting"]},
        "levels": [1, 4, 10],
    },
    {
        "slug": "bean-by-bean",
        "title": "Bean by bean",
        "source": Source.PURCHASES,
        "criterion": "quantity",
        "parameters": {
            "kinds": ["purchase"],
            "conditions": [{"field": "attributes.category", "op": "is", "value": "beans"}],
        },
        "levels": [50, 200, 500],
    },
    {
        "slug": "home-barista",
        "title": "Home barista",
        "source": Source.PRODUCT_USAGE,
        "criterion": "streak",
        "parameters": {"kinds": ["usage"], "count": 3, "per": "week"},
        "levels": [2, 6, 12],
    },
    {
        "slug": "pen-pal",
        "title": "Pen pal",
        "source": Source.MARKETING_ATTENTION,
        "criterion": "actions",
        "parameters": {"kinds": ["newsletter_click", "survey"]},
        "levels": [5, 20, 50],
    },
    {
        "slug": "patron",
        "title": "Patron",
        "source": Source.PURCHASES,
        "criterion": "source_points",
        "parameters": {"source": "purchases"},
        "levels": [250, 750, 2000],
    },
    {
        "slug": "all-rounder",
        "title": "All-rounder",
        "source": Source.ONLINE_ENGAGEMENT,
        "criterion": "score",
        "parameters": {},
        "levels": [300, 550, 800],
    },
)
