"""Earn: every matching action gives ``points + floor(rate x quantity)``."""

from typing import Any

import pytest

from .world import AwardRow, Row, World, correction, given, points_of, rule

pytestmark = pytest.mark.django_db

AT = "11-23 10:00"


@pytest.mark.parametrize(
    ("points", "rate", "quantity", "gives"),
    [
        (25, 0, None, 25),
        (25, 0, "24.90", 25),
        (0, 1, "24.90", 24),
        (100, 1, "24.90", 124),
        (7, "0.5", None, 7),  # a missing quantity counts as 0
        (7, "0.5", "", 7),
        (0, "0.29", "100", 29),  # 28.999999999999996 in binary
        (0, "0.1", "30", 3),
        (0, 0.1, 30, 3),  # a JSON number is read as the text that denotes it
        (0, "1.1", "1.1", 1),
        (0, "0.333", "3", 0),
        (0, "1", "0.99999999", 0),
        (0, "0.000000000001", "10000000000", 0),
        (0, "100000", "10000000000", 10**15),
        (10**9, 0, None, 10**9),
    ],
)
def test_points_and_rate(points: int, rate: Any, quantity: Any, gives: int) -> None:
    rules = [rule("earn", points=points, rate=rate)]
    expected = {"a": gives} if gives else {}
    assert points_of(rules, [("a", AT, quantity)]) == expected


def test_each_matching_action_gives_for_the_source_of_its_kind() -> None:
    world = World(rule("earn", points=5, kinds=["buy", "visit"]))
    world.record(
        ("a", AT),
        ("b", AT, None, {"kind": "visit", "venue": "soho"}),
        ("c", AT, None, {"kind": "post"}),
    )
    assert world.rows() == [
        AwardRow("a", "earn", "purchases", "2026-11-23", 5),
        AwardRow("b", "earn", "physical_visits", "2026-11-23", 5),
    ]


def test_every_rule_gives_for_itself() -> None:
    rules = [rule("earn", "spend", rate=1), rule("earn", "thanks", points=3)]
    assert given(rules, [("a", AT, "9.99")]) == [("a", "spend", 9), ("a", "thanks", 3)]


def test_all_conditions_must_hold() -> None:
    conditions = [
        {"field": "quantity", "op": "at_least", "value": 10},
        {"field": "channel", "op": "is", "value": "web"},
    ]
    rows: list[Row] = [
        ("a", AT, "10", {"channel": "web"}),
        ("b", AT, "9.99", {"channel": "web"}),
        ("c", AT, "10", {"channel": "shop"}),
    ]
    assert points_of([rule("earn", points=5, conditions=conditions)], rows) == {"a": 5}


def test_each_action_is_judged_by_the_stage_in_whose_window_it_lies() -> None:
    rules = [
        rule("earn", "welcome", points=1, ends="2026-11-10T00:00:00Z"),
        rule(
            "earn",
            "welcome",
            rate=1,
            starts="2026-11-20T00:00:00Z",
            conditions=[{"field": "quantity", "op": "at_least", "value": 5}],
        ),
    ]
    rows: list[Row] = [
        ("a", "11-09 23:59", "9"),
        ("b", "11-10 00:00", "9"),  # in neither
        ("c", "11-20 00:00", "9"),
        ("d", "11-20 00:00", "4"),  # the second stage has a condition that the first has not
    ]
    assert points_of(rules, rows) == {"a": 1, "c": 9}


def test_a_correction_posts_the_difference_and_changes_nothing_else() -> None:
    world = World(rule("earn", rate=1))
    world.record(("a", AT, "24.90"), ("b", "11-24 10:00", "5"))
    world.record(correction("r", "a", "19.90"))
    assert world.awards() == [("a", "earn", 19), ("b", "earn", 5)]
    assert sorted(posting.points for posting in world.postings()) == [-5, 5, 24]


def test_corrected_to_nothing_it_gives_what_an_action_without_quantity_would() -> None:
    world = World(rule("earn", rate=1, points=2))
    world.record(("a", AT, "24.90"))
    world.record(correction("r", "a", 0))
    assert world.awards() == [("a", "earn", 2)]


def test_the_local_date_is_the_brands() -> None:
    world = World(rule("earn", points=1), zone="Pacific/Kiritimati")
    world.record(("a", "11-23 09:59"), ("b", "11-23 10:00"))
    assert [row.local_date for row in world.rows()] == ["2026-11-23", "2026-11-24"]
