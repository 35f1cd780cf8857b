"""Conditions: every operator on every type, on values that are there and on one that is not.

One rule for each condition, all of them in one brand; what a rule gives points for is what meets its condition.
"""

from typing import Any

import pytest

from scoring.conditions import FIELDS, OPERATORS, operators_of
from scoring.models import Venue

from .world import ATTRIBUTES, Json, Row, World, correction, points_of, rule

pytestmark = pytest.mark.django_db

TRICKY = '100% it\'s %(now)s {x} "C:\\new" _'
# For each field the values that actions have, each the name of its action; None is a missing value.
VALUES: dict[str, list[Any]] = {
    "quantity": ["0", "4.99", "5", "5.00", "5.01", "10", None],
    "channel": ["web", "Web", "web shop", "", None],
    "venue": ["soho", "camden", None],
    "attributes.topic": ["tea", "Tea", "Café CRÈME", "a_b", "axb", TRICKY, "", None],
    "attributes.items": [2, 2.5, 0, -1, 10**9, None],
    "attributes.gift": [True, False, None],
    "attributes.made_on": ["2026-02-28", "2026-03-01", "2025-12-31", None],
    "attributes.size": ["S", "M", "l", None],
}
# What meets a condition, in the order of the values.
CASES: dict[str, list[tuple[str, Any, list[Any]]]] = {
    "quantity": [
        ("is", 5, ["5", "5.00"]),
        ("is", "5.000", ["5", "5.00"]),
        ("is_not", 5, ["0", "4.99", "5.01", "10"]),
        ("in", ["5.010", 0], ["0", "5.01"]),
        ("not_in", [5, 10], ["0", "4.99", "5.01"]),
        ("at_least", 5, ["5", "5.00", "5.01", "10"]),
        ("more_than", "5.00", ["5.01", "10"]),
        ("at_most", 5, ["0", "4.99", "5", "5.00"]),
        ("less_than", 5, ["0", "4.99"]),
        ("at_least", "5.000000001", ["5.01", "10"]),
        ("is_set", None, ["0", "4.99", "5", "5.00", "5.01", "10"]),
        ("is_not_set", None, [None]),
    ],
    "channel": [
        ("is", "web", ["web"]),
        ("is_not", "web", ["Web", "web shop"]),
        ("in", ["web", "Web"], ["web", "Web"]),
        ("not_in", ["web", "WEB"], ["Web", "web shop"]),
        ("contains", "WEB", ["web", "Web", "web shop"]),
        ("contains", "b s", ["web shop"]),
        ("is_set", None, ["web", "Web", "web shop"]),
        ("is_not_set", None, ["", None]),
    ],
    "venue": [
        ("is", "soho", ["soho"]),
        ("is_not", "soho", ["camden"]),
        ("in", ["soho", "camden"], ["soho", "camden"]),
        ("not_in", ["soho"], ["camden"]),
        ("contains", "OHO", ["soho"]),
        ("contains", "mayfair", []),
        ("is_set", None, ["soho", "camden"]),
        ("is_not_set", None, [None]),
    ],
    "attributes.topic": [
        ("is", "tea", ["tea"]),
        ("is", TRICKY, [TRICKY]),
        ("is_not", "tea", ["Tea", "Café CRÈME", "a_b", "axb", TRICKY]),
        ("in", ["tea", TRICKY], ["tea", TRICKY]),
        ("not_in", ["tea", "Tea", TRICKY], ["Café CRÈME", "a_b", "axb"]),
        ("contains", "TEA", ["tea", "Tea"]),
        ("contains", "é crème", ["Café CRÈME"]),
        ("contains", "É", ["Café CRÈME"]),
        ("contains", "a_b", ["a_b"]),  # no pattern
        ("contains", "%", [TRICKY]),
        ("contains", "\\NEW", [TRICKY]),
        ("contains", "IT'S", [TRICKY]),
        ("is_set", None, ["tea", "Tea", "Café CRÈME", "a_b", "axb", TRICKY]),
        ("is_not_set", None, ["", None]),
    ],
    "attributes.items": [
        ("is", "2.0", [2]),
        ("is_not", 2, [2.5, 0, -1, 10**9]),
        ("in", [2, "2.50"], [2, 2.5]),
        ("not_in", [2, 0], [2.5, -1, 10**9]),
        ("at_least", 2, [2, 2.5, 10**9]),
        ("more_than", 2, [2.5, 10**9]),
        ("at_most", 0, [0, -1]),
        ("less_than", 0, [-1]),
        ("is_set", None, [2, 2.5, 0, -1, 10**9]),
        ("is_not_set", None, [None]),
    ],
    "attributes.gift": [
        ("is", True, [True]),
        ("is", False, [False]),
        ("is_not", True, [False]),
        ("in", [False, True], [True, False]),
        ("not_in", [False], [True]),
        ("is_set", None, [True, False]),
        ("is_not_set", None, [None]),
    ],
    "attributes.made_on": [
        ("is", "2026-03-01", ["2026-03-01"]),
        ("is_not", "2026-03-01", ["2026-02-28", "2025-12-31"]),
        ("in", ["2026-03-01", "2025-12-31"], ["2026-03-01", "2025-12-31"]),
        ("not_in", ["2026-03-01"], ["2026-02-28", "2025-12-31"]),
        ("at_least", "2026-02-28", ["2026-02-28", "2026-03-01"]),
        ("more_than", "2026-02-28", ["2026-03-01"]),
        ("at_most", "2026-02-28", ["2026-02-28", "2025-12-31"]),
        ("less_than", "2026-02-28", ["2025-12-31"]),
        ("is_set", None, ["2026-02-28", "2026-03-01", "2025-12-31"]),
        ("is_not_set", None, [None]),
    ],
    "attributes.size": [
        ("is", "S", ["S"]),
        ("is_not", "S", ["M", "l"]),
        ("in", ["S", "l"], ["S", "l"]),
        ("not_in", ["S", "s"], ["M", "l"]),
        ("contains", "L", ["l"]),
        ("is_set", None, ["S", "M", "l"]),
        ("is_not_set", None, [None]),
    ],
}
TYPES = {
    "quantity": "number",
    "channel": "text",
    "venue": "venue",
    "weekday": "weekday",
    "hour": "hour",
    "attributes.topic": "text",
    "attributes.items": "number",
    "attributes.gift": "yes_no",
    "attributes.made_on": "date",
    "attributes.size": "choice",
}
LOCAL: dict[str, list[tuple[str, Any, list[str]]]] = {
    # Three moments in Kolkata, half past five hours ahead: Sunday 23:59, Monday 00:00 and Monday 12:59.
    "weekday": [
        ("is", "mon", ["mon 00:00", "mon 12:59"]),
        ("is_not", "mon", ["sun 23:59"]),
        ("in", ["sat", "sun"], ["sun 23:59"]),
        ("not_in", ["sat", "sun"], ["mon 00:00", "mon 12:59"]),
        ("is_set", None, ["sun 23:59", "mon 00:00", "mon 12:59"]),
        ("is_not_set", None, []),
    ],
    "hour": [
        ("is", 0, ["mon 00:00"]),
        ("is_not", 0, ["sun 23:59", "mon 12:59"]),
        ("in", [23, "12"], ["sun 23:59", "mon 12:59"]),
        ("not_in", [23, 12], ["mon 00:00"]),
        ("at_least", 12, ["sun 23:59", "mon 12:59"]),
        ("more_than", 12, ["sun 23:59"]),
        ("at_most", 12, ["mon 00:00", "mon 12:59"]),
        ("less_than", 12, ["mon 00:00"]),
        ("is_set", None, ["sun 23:59", "mon 00:00", "mon 12:59"]),
        ("is_not_set", None, []),
    ],
}


def condition(field: str, op: str, value: Any) -> Json:
    return {"field": field, "op": op} | ({} if value is None else {"value": value})


def met_by(
    field: str, cases: list[tuple[str, Any, list[Any]]], rows: list[Row], zone: str = "UTC"
) -> list[tuple[str, Any, list[str]]]:
    """Each case with the names of the actions that really meet it."""
    rules = [
        rule("earn", f"r{n}", points=1, conditions=[condition(field, op, value)])
        for n, (op, value, _meets) in enumerate(cases)
    ]
    world = World(*rules, zone=zone)
    world.record(*rows)
    met: dict[str, list[str]] = {}
    for name, key, _points in world.awards():
        met.setdefault(key, []).append(name)
    return [(op, value, met.get(f"r{n}", [])) for n, (op, value, _meets) in enumerate(cases)]


@pytest.mark.parametrize("field", VALUES)
def test_what_meets_a_condition(field: str) -> None:
    name = field.removeprefix("attributes.")
    rows: list[Row] = []
    for n, value in enumerate(VALUES[field]):
        more: Json = {} if value is None else {name: value}
        if name != field and more:
            more = {"attributes": more}
        rows.append((repr(value), f"11-23 10:{n:02}", None, more))
    assert met_by(field, CASES[field], rows) == [
        (op, value, [repr(one) for one in meets]) for op, value, meets in CASES[field]
    ]


@pytest.mark.parametrize("field", LOCAL)
def test_weekday_and_hour_are_of_the_local_wall_clock(field: str) -> None:
    rows: list[Row] = [
        ("sun 23:59", "11-22 18:29"),
        ("mon 00:00", "11-22 18:30"),
        ("mon 12:59", "11-23 07:29"),
    ]
    assert met_by(field, LOCAL[field], rows, zone="Asia/Kolkata") == LOCAL[field]


def test_the_hour_follows_the_clocks_when_they_change() -> None:
    rows: list[Row] = [("one", "03-29 00:59"), ("two", "03-29 01:00")]
    cases: list[tuple[str, Any, list[Any]]] = [
        ("is", 0, ["one"]),
        ("is", 1, []),
        ("is", 2, ["two"]),
    ]
    assert met_by("hour", cases, rows, zone="Europe/London") == cases


def test_every_operator_is_tried_on_every_type_that_takes_it() -> None:
    tried = {(TYPES[field], case[0]) for field, cases in (CASES | LOCAL).items() for case in cases}
    types = set(TYPES.values())
    assert tried == {(type_name, op) for type_name in types for op in operators_of(type_name)}
    assert {op for _type, op in tried} == set(OPERATORS)
    assert set(TYPES) == {*FIELDS, *(f"attributes.{name}" for name in ATTRIBUTES)}


def test_a_kind_that_does_not_declare_the_attribute_lacks_it() -> None:
    rows: list[Row] = [
        ("buy", "11-23 10:00", None, {"attributes": {"topic": "tea"}}),
        ("visit", "11-23 11:00", None, {"kind": "visit"}),
    ]
    missing = rule(
        "earn",
        points=1,
        kinds=["buy", "visit"],
        conditions=[condition("attributes.topic", "is_not_set", None)],
    )
    other = rule(
        "earn",
        "other",
        points=1,
        kinds=["buy", "visit"],
        conditions=[condition("attributes.topic", "is_not", "coffee")],
    )
    assert points_of([missing, other], rows, "earn") == {"visit": 1}
    assert points_of([missing, other], rows, "other") == {"buy": 1}


def test_a_venue_that_opens_later_is_seen_by_contains() -> None:
    world = World(rule("earn", points=1, conditions=[condition("venue", "contains", "mark")]))
    world.record(("a", "11-23 10:00", None, {"venue": "soho"}))
    Venue.objects.create(brand=world.brand, slug="market", name="Market")
    world.record(("b", "11-23 11:00", None, {"venue": "market"}))
    assert world.awards() == [("b", "earn", 1)]


def test_a_corrected_quantity_is_what_a_condition_sees() -> None:
    world = World(rule("earn", points=1, conditions=[condition("quantity", "more_than", 10)]))
    world.record(("a", "11-23 10:00", 5), ("b", "11-23 11:00", 15))
    world.record(correction("r1", "a", 11), correction("r2", "b", 10))
    assert world.awards() == [("a", "earn", 1)]
