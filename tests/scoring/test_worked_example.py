"""The worked example of the specification, to the last point and the third decimal."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from accounts.models import Customer
from scoring.actions import parse_record, record_actions
from scoring.brands import setup_brand
from scoring.explain import explain
from scoring.models import Score, Source
from scoring.publication import publish
from scoring.queries import get_score, iter_awards
from scoring.run import score_due

from .world import Json

pytestmark = pytest.mark.django_db

BRAND: Json = {
    "slug": "example",
    "name": "Example",
    "time_zone": "Europe/London",
    "currency": "GBP",
    "kinds": [
        {"slug": "purchase", "source": "purchases", "unit": "money"},
        {"slug": "check_in", "source": "physical_visits"},
        {"slug": "usage", "source": "product_usage"},
    ],
    "venues": [{"slug": "soho", "name": "Soho"}],
}
RULES: Json = {
    "sources": {
        "purchases": {"weight": 30, "half_life_days": 180, "halfway_points": 400},
        "physical_visits": {"weight": 20, "half_life_days": 90, "halfway_points": 150},
        "product_usage": {"weight": 20, "half_life_days": 60, "halfway_points": 200},
        "social_media": {"weight": 10, "half_life_days": 30, "halfway_points": 60},
        "online_engagement": {"weight": 10, "half_life_days": 30, "halfway_points": 80},
        "marketing_attention": {"weight": 10, "half_life_days": 30, "halfway_points": 60},
    },
    "rules": [
        {
            "key": "spend",
            "type": "earn",
            "title": "1 point for every pound",
            "kinds": ["purchase"],
            "points": 0,
            "rate": "1",
        },
        {
            "key": "first-buy",
            "type": "earn",
            "title": "Welcome: first purchase",
            "kinds": ["purchase"],
            "points": 100,
            "limits": [{"per": "ever", "count": 1}],
        },
        {
            "key": "visit",
            "type": "earn",
            "title": "Check in",
            "kinds": ["check_in"],
            "points": 25,
            "limits": [
                {"per": "day", "by": "venue", "count": 1},
                {"per": "week", "points": 100},
            ],
        },
        {
            "key": "weekend",
            "type": "bonus",
            "title": "Double points at weekends",
            "kinds": ["purchase", "check_in"],
            "percent": 100,
            "conditions": [{"field": "weekday", "op": "in", "value": ["sat", "sun"]}],
            "starts": "2026-11-01T00:00:00+00:00",
            "ends": None,
        },
        {
            "key": "see-and-buy",
            "type": "combo",
            "title": "Visit and buy in one week",
            "source": "physical_visits",
            "per": "week",
            "points": 50,
            "requires": [
                {"kinds": ["check_in"], "count": 1},
                {
                    "kinds": ["purchase"],
                    "count": 1,
                    "conditions": [{"field": "quantity", "op": "at_least", "value": 10}],
                },
            ],
        },
        {
            "key": "regular",
            "type": "streak",
            "title": "Four weeks in a row",
            "source": "product_usage",
            "kinds": ["usage"],
            "per": "week",
            "count": 1,
            "length": 4,
            "points": 80,
        },
    ],
}
DAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def customer(db: None) -> Customer:
    brand = setup_brand(document=BRAND)
    publish(brand=brand, document=RULES, effective="always", now=NOW)
    base = {"origin": "till", "identifier": "email:someone@example.org"}
    records: list[Json] = [
        {
            "external_id": "1000",
            "kind": "check_in",
            "venue": "soho",
            "occurred_at": "2026-11-21T10:00:00+00:00",
        },
        {
            "external_id": "1030",
            "kind": "purchase",
            "quantity": "24.90",
            "occurred_at": "2026-11-21T10:30:00+00:00",
        },
        {
            "external_id": "1100",
            "kind": "check_in",
            "venue": "soho",
            "occurred_at": "2026-11-21T11:00:00+00:00",
        },
    ]
    outcomes = record_actions(
        brand=brand, rows=[parse_record(base | record) for record in records], now=NOW
    )
    assert [outcome.status for outcome in outcomes] == ["accepted"] * 3
    score_due(brand=brand, now=NOW)
    return Customer.objects.get(brand=brand)


def test_each_award(customer: Customer) -> None:
    assert [
        (row.rule, row.external_id, row.points, row.source.slug, row.on)
        for row in iter_awards(brand=customer.brand)
    ] == [
        ("visit", "1000", 25, "physical_visits", date(2026, 11, 21)),
        ("weekend", "1000", 25, "physical_visits", date(2026, 11, 21)),
        ("first-buy", "1030", 100, "purchases", date(2026, 11, 21)),
        ("see-and-buy", "1030", 50, "physical_visits", date(2026, 11, 21)),
        ("spend", "1030", 24, "purchases", date(2026, 11, 21)),
        ("weekend", "1030", 124, "purchases", date(2026, 11, 21)),
    ]


def test_points_and_score(customer: Customer) -> None:
    score = Score.objects.get(customer=customer)
    assert (score.points, score.score) == (348, Decimal("177.269"))
    assert score.scored_on == DAY
    assert score.source_points == [0, 248, 0, 100, 0, 0]


def test_how_each_source_comes_to_its_part(customer: Customer) -> None:
    parts = {part.source: part for part in get_score(customer=customer, on=DAY).sources}
    purchases, visits = parts[Source.PURCHASES], parts[Source.PHYSICAL_VISITS]
    assert (purchases.points, round(purchases.sub_score, 3)) == (248, 34.718)
    assert (visits.points, round(visits.sub_score, 3)) == (100, 36.557)
    assert purchases.worth + visits.worth == Decimal("177.269")
    receipt = {one.source: one for one in explain(customer=customer, on=DAY).sources}
    assert round(receipt[Source.PURCHASES].faded, 3) == 246.097


def test_why_the_second_visit_gave_nothing(customer: Customer) -> None:
    lines = {
        (line.external_id, line.rule_key): line for line in explain(customer=customer, on=DAY).lines
    }
    assert [taken.points for taken in lines["1000", "visit"].taken] == []
    second = lines["1100", "visit"]
    assert (second.earned, second.points) == (25, 0)
    assert [(taken.points, taken.reason) for taken in second.taken] == [
        (25, "Limit reached: at most once a day and venue")
    ]
