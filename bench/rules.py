"""The rule set that is measured: 20 rules, of them 8 with limits, 2 bonuses, 2 combos and a streak."""

from typing import Any

SOURCES = (
    "online_engagement",
    "purchases",
    "marketing_attention",
    "physical_visits",
    "social_media",
    "product_usage",
)
KINDS = ("page_view", "purchase", "letter", "check_in", "post", "usage")
VENUES = tuple(f"venue-{number}" for number in range(1, 9))

BRAND: dict[str, Any] = {
    "slug": "bench",
    "name": "Bench",
    "time_zone": "Europe/London",
    "currency": "GBP",
    "kinds": [
        {
            "slug": kind,
            "label": kind,
            "source": source,
            "unit": "money" if kind == "purchase" else "",
            "attributes": {"items": "number"},
        }
        for kind, source in zip(KINDS, SOURCES, strict=True)
    ],
    "venues": [{"slug": venue, "name": venue} for venue in VENUES],
}


def earn(key: str, kind: str, **parameters: Any) -> dict[str, Any]:
    """One earn rule on one kind."""
    return {"key": key, "type": "earn", "title": key, "kinds": [kind], **parameters}


def condition(field: str, op: str, value: Any) -> dict[str, Any]:
    """One condition."""
    return {"field": field, "op": op, "value": value}


RULES: dict[str, Any] = {
    "sources": {
        "purchases": {"weight": 30, "half_life_days": 180, "halfway_points": 400},
        "physical_visits": {"weight": 20, "half_life_days": 90, "halfway_points": 150},
        "product_usage": {"weight": 20, "half_life_days": 60, "halfway_points": 200},
        "social_media": {"weight": 10, "half_life_days": 30, "halfway_points": 60},
        "online_engagement": {"weight": 10, "half_life_days": 30, "halfway_points": 80},
        "marketing_attention": {"weight": 10, "half_life_days": 30, "halfway_points": 60},
    },
    "rules": [
        earn("spend", "purchase", rate="1"),
        earn("first", "purchase", points=100, limits=[{"per": "ever", "count": 1}]),
        earn(
            "big",
            "purchase",
            points=20,
            conditions=[condition("quantity", "at_least", 50)],
            limits=[{"per": "month", "count": 2}],
        ),
        earn(
            "visit",
            "check_in",
            points=25,
            limits=[{"per": "day", "by": "venue", "count": 1}, {"per": "week", "points": 100}],
        ),
        earn(
            "early",
            "check_in",
            points=5,
            conditions=[condition("hour", "less_than", 10)],
            limits=[{"per": "week", "count": 3}],
        ),
        earn("home", "check_in", points=10, conditions=[condition("venue", "is", VENUES[0])]),
        earn("view", "page_view", points=2, limits=[{"per": "day", "count": 3}]),
        earn("app", "page_view", points=3, conditions=[condition("channel", "is", "app")]),
        earn("long", "page_view", points=1, conditions=[condition("quantity", "more_than", 10)]),
        earn("letter", "letter", points=5, limits=[{"per": "week", "count": 2}]),
        earn(
            "answers",
            "letter",
            points=15,
            conditions=[condition("attributes.items", "at_least", 3)],
        ),
        earn(
            "post",
            "post",
            points=10,
            limits=[{"per": "day", "count": 1}, {"per": "month", "points": 60}],
        ),
        earn("share", "post", points=4),
        earn("use", "usage", points=5, limits=[{"per": "day", "points": 10}]),
        earn("amount", "usage", rate="0.5"),
        {
            "key": "weekend",
            "type": "bonus",
            "title": "weekend",
            "kinds": ["purchase", "check_in"],
            "percent": 100,
            "conditions": [condition("weekday", "in", ["sat", "sun"])],
        },
        {
            "key": "new-venue",
            "type": "bonus",
            "title": "new-venue",
            "kinds": ["check_in"],
            "percent": 50,
            "conditions": [condition("venue", "is", VENUES[1])],
        },
        {
            "key": "see-and-buy",
            "type": "combo",
            "title": "see-and-buy",
            "source": "physical_visits",
            "per": "week",
            "points": 50,
            "requires": [
                {"kinds": ["check_in"], "count": 1},
                {
                    "kinds": ["purchase"],
                    "count": 1,
                    "conditions": [condition("quantity", "at_least", 10)],
                },
            ],
        },
        {
            "key": "read-and-post",
            "type": "combo",
            "title": "read-and-post",
            "source": "online_engagement",
            "per": "month",
            "points": 30,
            "requires": [{"kinds": ["page_view"], "count": 2}, {"kinds": ["post"], "count": 1}],
        },
        {
            "key": "regular",
            "type": "streak",
            "title": "regular",
            "source": "product_usage",
            "kinds": ["usage"],
            "per": "week",
            "count": 1,
            "length": 4,
            "points": 80,
        },
    ],
}


def changed() -> dict[str, Any]:
    """The same with one rule changed: what a preview is asked about."""
    rules = [dict(rule) for rule in RULES["rules"]]
    rules[3] = {**rules[3], "points": 30}
    return {**RULES, "rules": rules}


# For one customer with a long history: limits from day to month, and one first-ever.
LONG_RULES: dict[str, Any] = {
    "sources": RULES["sources"],
    "rules": [rule for rule in RULES["rules"] if rule["type"] == "earn"],
}
