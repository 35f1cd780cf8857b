"""Streak: points for every K-th period in a row that holds at least n matching actions."""

from typing import Any

import pytest

from .world import AwardRow, Row, World, given, points_of, rule, void

pytestmark = pytest.mark.django_db


def streak(**parameters: Any) -> dict[str, Any]:
    return rule("streak") | {"per": "day", "count": 1, "length": 2, "points": 80} | parameters


def on(*days: str) -> list[Row]:
    """One action at noon of each of these days, named by its day."""
    return [(day, f"{day} 11:00") for day in days]


@pytest.mark.parametrize(
    ("per", "length", "days", "gives"),
    [
        ("day", 1, ["11-20", "11-22"], ["11-20", "11-22"]),
        ("day", 2, ["11-20", "11-21", "11-22", "11-23", "11-24"], ["11-21", "11-23"]),
        ("day", 3, ["11-20", "11-21", "11-23", "11-24"], []),  # a gap begins a new run
        ("day", 3, ["11-19", "11-21", "11-22", "11-23"], ["11-23"]),
        ("day", 2, ["10-31", "11-01"], ["11-01"]),
        ("day", 2, ["2024-02-28", "2024-03-01"], []),  # a leap day lies between
        ("day", 2, ["2025-02-28", "2025-03-01"], ["2025-03-01"]),
        ("week", 2, ["11-16", "11-29"], ["11-29"]),  # Monday, and Sunday of the next week
        ("week", 2, ["11-15", "11-23"], []),  # Sunday, and Monday of the week after the next
        ("week", 3, ["2025-12-28", "2025-12-29", "2026-01-05"], ["2026-01-05"]),
        ("month", 2, ["10-01", "11-30"], ["11-30"]),
        ("month", 2, ["09-30", "11-01"], []),
        ("month", 3, ["2025-11-30", "2025-12-01", "2026-01-31"], ["2026-01-31"]),
    ],
)
def test_periods_in_a_row(per: str, length: int, days: list[str], gives: list[str]) -> None:
    assert points_of([streak(per=per, length=length)], on(*days)) == dict.fromkeys(gives, 80)


def test_a_period_qualifies_at_its_nth_action_and_the_award_is_dated_there() -> None:
    world = World(streak(count=2, source="social_media"))
    world.record(
        ("a", "11-22 09:00"),
        ("b", "11-22 10:00"),
        ("c", "11-22 11:00"),
        ("d", "11-23 09:00"),
        ("e", "11-23 10:00"),
        ("f", "11-23 11:00"),
    )
    assert world.rows() == [AwardRow("e", "streak", "social_media", "2026-11-23", 80)]


def test_a_period_with_too_few_ends_the_run() -> None:
    rows: list[Row] = [
        *on("11-19", "11-20", "11-21"),
        ("b", "11-19 10:00"),
        ("d", "11-21 10:00"),
    ]
    assert points_of([streak(count=2)], rows) == {}


def test_only_matching_actions_count() -> None:
    big = [{"field": "quantity", "op": "at_least", "value": 5}]
    rows: list[Row] = [("a", "11-22 10:00", 5), ("b", "11-23 10:00", 4), ("c", "11-23 11:00", 6)]
    assert points_of([streak(conditions=big)], rows) == {"c": 80}


def test_it_sees_what_earned_nothing() -> None:
    capped = rule("earn", points=5, limits=[{"per": "ever", "count": 1}])
    rules = [capped, streak()]
    assert given(rules, on("11-22", "11-23")) == [("11-22", "earn", 5), ("11-23", "streak", 80)]


def test_a_void_breaks_the_run_and_a_late_arrival_mends_it() -> None:
    world = World(streak(length=3))
    world.record(*on("11-18", "11-19", "11-20", "11-21", "11-22", "11-23"))
    assert world.awards() == [("11-20", "streak", 80), ("11-23", "streak", 80)]
    world.record(void("v", "11-19"))
    assert world.awards() == [("11-22", "streak", 80)]
    world.record(("late", "11-19 12:00"))
    assert world.awards() == [("11-20", "streak", 80), ("11-23", "streak", 80)]
    world.verify()


def test_changed_points_wipe_nobodys_progress() -> None:
    rules = [
        streak(length=4, ends="2026-11-22T00:00:00Z"),
        streak(length=4, points=100, starts="2026-11-22T00:00:00Z"),
    ]
    days = ("11-20", "11-21", "11-22", "11-23")
    assert points_of(rules, on(*days)) == {"11-23": 100}


def test_the_stage_in_which_a_period_qualified_decides() -> None:
    rules = [
        streak(length=2, ends="2026-11-22T00:00:00Z"),
        streak(length=3, points=100, starts="2026-11-22T00:00:00Z"),
    ]
    days = ("11-19", "11-20", "11-21", "11-22", "11-23", "11-24")
    # 2nd by the first stage; 4th and 5th are no multiples of 3, the 6th is.
    assert points_of(rules, on(*days)) == {"11-20": 80, "11-24": 100}


def test_the_running_number_of_a_period_includes_all_stages() -> None:
    rules = [
        streak(count=3, length=1, ends="2026-11-22T12:00:00Z"),
        streak(count=3, length=1, points=100, starts="2026-11-22T13:00:00Z"),
    ]
    rows: list[Row] = [
        ("a", "11-22 10:00"),
        ("b", "11-22 11:00"),
        ("in the gap", "11-22 12:30"),
        ("c", "11-22 14:00"),
    ]
    assert points_of(rules, rows) == {"c": 100}


def test_each_action_is_held_against_the_number_of_its_own_stage() -> None:
    rules = [
        streak(count=5, length=1, ends="2026-11-22T12:00:00Z"),
        streak(count=2, length=1, points=100, starts="2026-11-22T12:00:00Z"),
    ]
    rows: list[Row] = [("a", "11-22 10:00"), ("b", "11-22 11:00"), ("c", "11-22 14:00")]
    assert points_of(rules, rows) == {"c": 100}
