"""Bonus: adds ``floor(percent / 100 x E)``, E being what all earn rules, after their limits, gave the action."""

from typing import Any

import pytest

from .world import AwardRow, Row, World, correction, given, points_of, rule

pytestmark = pytest.mark.django_db

AT = "11-23 10:00"
SPEND = rule("earn", "spend", rate=1)


@pytest.mark.parametrize(
    ("percent", "earned", "gives"),
    [
        (100, "15", 15),
        (50, "15", 7),
        ("33.3", "10", 3),
        ("0.1", "1000", 1),
        ("0.1", "999", 0),
        ("29", "100", 29),
        (300, "7", 21),
        (0, "100", 0),
        ("100000", "3", 3000),
    ],
)
def test_percentages_are_exact_and_rounded_down(percent: Any, earned: str, gives: int) -> None:
    expected = {"a": gives} if gives else {}
    assert points_of([SPEND, rule("bonus", percent=percent)], [("a", AT, earned)]) == expected


def test_it_works_on_what_all_earn_rules_gave_together() -> None:
    rules = [SPEND, rule("earn", "thanks", points=4), rule("bonus", percent=50)]
    # floor(50 % of 11), not floor(50 % of 7) + floor(50 % of 4)
    assert points_of(rules, [("a", AT, "7")]) == {"a": 5}


def test_it_works_on_what_their_limits_left() -> None:
    limited = rule("earn", "spend", rate=1, limits=[{"per": "day", "points": 10}])
    rows: list[Row] = [("a", AT, "8"), ("b", "11-23 11:00", "8"), ("c", "11-23 12:00", "8")]
    assert given([limited, rule("bonus", percent=100)], rows) == [
        ("a", "bonus", 8),
        ("a", "spend", 8),
        ("b", "bonus", 2),
        ("b", "spend", 2),
    ]


def test_bonuses_do_not_compound() -> None:
    rules = [SPEND, rule("bonus", "double", percent=100), rule("bonus", "more", percent=100)]
    assert given(rules, [("a", AT, "10")]) == [
        ("a", "double", 10),
        ("a", "more", 10),
        ("a", "spend", 10),
    ]


def test_combos_and_streaks_are_not_what_it_works_on() -> None:
    rules = [
        rule("combo", per="day", points=50, requires=[{"kinds": ["buy"], "count": 1}]),
        rule("streak", per="day", count=1, length=1, points=80),
        rule("bonus", percent=100),
    ]
    assert points_of(rules, [("a", AT, "10")]) == {}


def test_it_belongs_to_the_source_of_the_actions_kind() -> None:
    world = World(
        rule("earn", points=5, kinds=["buy", "visit"]),
        rule("bonus", percent=100, kinds=["visit", "buy"]),
    )
    world.record(("a", AT, None, {"kind": "visit"}))
    assert AwardRow("a", "bonus", "physical_visits", "2026-11-23", 5) in world.rows()


def test_only_matching_actions_get_it() -> None:
    weekend = [{"field": "weekday", "op": "in", "value": ["sat", "sun"]}]
    rows: list[Row] = [("fri", "11-20 23:59", "7"), ("sat", "11-21 00:00", "7")]
    rules = [SPEND, rule("bonus", percent=100, conditions=weekend)]
    assert points_of(rules, rows) == {"sat": 7}


def test_its_own_limits_cut_it() -> None:
    limits = [{"per": "day", "count": 2, "points": 12}]
    rows: list[Row] = [
        ("a", "11-23 10:00", "8"),
        ("b", "11-23 11:00", "8"),
        ("c", "11-23 12:00", "8"),
        ("d", "11-24 10:00", "8"),
    ]
    rules = [SPEND, rule("bonus", percent=100, limits=limits)]
    assert points_of(rules, rows) == {"a": 8, "b": 4, "d": 8}


def test_an_action_that_earned_nothing_takes_a_place_in_its_limit() -> None:
    rows: list[Row] = [("a", "11-23 10:00"), ("b", "11-23 11:00", "8"), ("c", "11-23 12:00", "8")]
    rules = [SPEND, rule("bonus", percent=100, limits=[{"per": "day", "count": 2}])]
    assert points_of(rules, rows) == {"b": 8}


def test_it_follows_a_correction_of_what_was_earned() -> None:
    world = World(SPEND, rule("bonus", percent=50))
    world.record(("a", AT, "20"))
    world.record(correction("r", "a", "11"))
    assert world.awards() == [("a", "bonus", 5), ("a", "spend", 11)]
    world.verify()
