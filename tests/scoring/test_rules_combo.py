"""Combo: points once per period, when several requirements are met within it."""

import pytest

from .world import AwardRow, Row, World, given, points_of, rule, void

pytestmark = pytest.mark.django_db


def visit(name: str, when: str) -> Row:
    return (name, when, None, {"kind": "visit"})


BOTH = [{"kinds": ["visit"], "count": 1}, {"kinds": ["buy"], "count": 1}]
SEE_AND_BUY = rule("combo", per="week", points=50, requires=BOTH)


@pytest.mark.parametrize(
    ("per", "one", "other", "met"),
    [
        ("day", "11-23 00:00", "11-23 23:59", True),
        ("day", "11-23 23:59", "11-24 00:00", False),
        ("week", "11-16 00:00", "11-22 23:59", True),  # Monday to Sunday
        ("week", "11-22 23:59", "11-23 00:00", False),
        ("week", "2025-12-29 12:00", "2026-01-04 12:00", True),  # across a new year
        ("month", "11-01 00:00", "11-30 11:59", True),
        ("month", "10-31 23:59", "11-01 00:00", False),
        ("month", "2025-11-10 12:00", "2026-11-10 12:00", False),
        ("year", "01-01 00:00", "11-30 11:59", True),
        ("year", "2025-12-31 23:59", "2026-01-01 00:00", False),
        ("ever", "2019-01-01 00:00", "11-30 11:59", True),
    ],
)
def test_all_requirements_are_met_within_one_period(
    per: str, one: str, other: str, met: bool
) -> None:
    rules = [rule("combo", per=per, points=50, requires=BOTH)]
    assert points_of(rules, [visit("a", one), ("b", other)]) == ({"b": 50} if met else {})


def test_it_is_dated_at_the_action_that_met_the_last_and_names_its_source() -> None:
    world = World(rule("combo", source="social_media", per="week", points=50, requires=BOTH))
    world.record(("a", "11-17 10:00"), visit("b", "11-18 10:00"), ("c", "11-19 10:00"))
    assert world.rows() == [AwardRow("b", "combo", "social_media", "2026-11-18", 50)]


def test_once_per_period() -> None:
    rows = [
        visit("a", "11-16 10:00"),
        ("b", "11-16 11:00"),
        visit("c", "11-17 10:00"),
        ("d", "11-17 11:00"),
        ("e", "11-23 10:00"),
        visit("f", "11-23 11:00"),
    ]
    assert points_of([SEE_AND_BUY], rows) == {"b": 50, "f": 50}


def test_at_least_so_many() -> None:
    requires = [{"kinds": ["buy", "visit"], "count": 3}]
    rows = [("a", "11-23 10:00"), visit("b", "11-23 11:00"), ("c", "11-23 12:00")]
    world = World(rule("combo", per="day", points=50, requires=requires))
    world.record(*rows[:2])
    assert world.awards() == []
    world.record(rows[2])
    assert world.awards() == [("c", "combo", 50)]


def test_one_action_may_serve_several_requirements() -> None:
    requires = [
        {"kinds": ["buy"], "count": 1},
        {
            "kinds": ["buy"],
            "count": 2,
            "conditions": [{"field": "quantity", "op": "at_least", "value": 10}],
        },
    ]
    rows: list[Row] = [("a", "11-23 10:00", 10), ("b", "11-23 11:00", 9), ("c", "11-23 12:00", 11)]
    assert points_of([rule("combo", per="day", points=50, requires=requires)], rows) == {"c": 50}


def test_it_sees_what_earned_nothing() -> None:
    capped = rule("earn", points=5, limits=[{"per": "ever", "count": 1}])
    requires = [{"kinds": ["buy"], "count": 3}]
    rows: list[Row] = [("a", "11-23 10:00"), ("b", "11-23 11:00"), ("c", "11-23 12:00")]
    rules = [capped, rule("combo", per="day", points=50, requires=requires)]
    assert given(rules, rows) == [("a", "earn", 5), ("c", "combo", 50)]


def test_each_stage_counts_only_what_lies_in_its_own_window() -> None:
    requires = [{"kinds": ["buy"], "count": 2}]
    rules = [
        rule("combo", per="week", points=50, requires=requires, ends="2026-11-18T00:00:00Z"),
        rule("combo", per="week", points=70, requires=requires, starts="2026-11-18T00:00:00Z"),
    ]
    apart: list[Row] = [("a", "11-17 10:00"), ("b", "11-18 10:00")]
    world = World(*rules)
    world.record(*apart)
    assert world.awards() == []
    world.record(("c", "11-18 11:00"))
    assert world.awards() == [("c", "combo", 70)]


def test_where_two_stages_are_met_in_one_period_the_earlier_completion_counts() -> None:
    one = [{"kinds": ["buy"], "count": 1}]
    rules = [
        rule("combo", per="week", points=70, requires=one, starts="2026-11-18T00:00:00Z"),
        rule("combo", per="week", points=50, requires=one, ends="2026-11-18T00:00:00Z"),
    ]
    rows: list[Row] = [("a", "11-17 10:00"), ("b", "11-18 10:00"), ("c", "11-24 10:00")]
    assert points_of(rules, rows) == {"a": 50, "c": 70}


def test_equal_times_are_ordered_by_origin_and_identifier_as_bytes() -> None:
    requires = [{"kinds": ["buy"], "count": 3}]
    at = "11-23 10:00"
    rows: list[Row] = [
        ("b", at, None, {"origin": "till"}),
        ("a", at, None, {"origin": "till"}),
        ("z", at, None, {"origin": "Till"}),  # capitals come before small letters
        ("ä", at, None, {"origin": "till"}),  # and both before ä
    ]
    rules = [rule("combo", per="day", points=50, requires=requires)]
    assert points_of(rules, rows) == {"b": 50}


def test_it_moves_to_another_action_when_one_is_void() -> None:
    world = World(SEE_AND_BUY)
    world.record(visit("a", "11-16 10:00"), ("b", "11-16 11:00"), ("c", "11-17 11:00"))
    assert world.awards() == [("b", "combo", 50)]
    world.record(void("v", "b"))
    assert world.awards() == [("c", "combo", 50)]
    world.verify()
