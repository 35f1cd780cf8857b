"""Limits: what a period lets through, in order. Every case is one rule that would give every action its points."""

from typing import Any

import pytest

from .world import Json, Row, World, correction, points_of, rule, void

pytestmark = pytest.mark.django_db


def capped(*limits: Json, **more: Any) -> Json:
    """A rule that gives a purchase its quantity in points, within limits."""
    return rule("earn", rate=1, limits=list(limits)) | more


def buys(*rows: tuple[str, str, int | None] | tuple[str, str, int | None, Json]) -> list[Row]:
    return list(rows)


# Count


def test_only_the_first_so_many_keep_their_points() -> None:
    rows = buys(
        ("a", "11-23 10:00", 5),
        ("b", "11-23 11:00", 6),
        ("c", "11-23 12:00", 7),
        ("d", "11-24 12:00", 8),
    )
    assert points_of([capped({"per": "day", "count": 2})], rows) == {"a": 5, "b": 6, "d": 8}


@pytest.mark.parametrize(
    ("per", "last", "first_of_next"),
    [
        ("day", "11-22 23:59:59.999999", "11-23 00:00"),
        ("week", "11-22 23:59:59.999999", "11-23 00:00"),  # Sunday, Monday
        ("month", "10-31 23:59:59.999999", "11-01 00:00"),
        ("year", "2025-12-31 23:59:59.999999", "2026-01-01 00:00"),
    ],
)
def test_each_period_counts_anew(per: str, last: str, first_of_next: str) -> None:
    rows = buys(("a", last, 5), ("b", first_of_next, 6), ("c", first_of_next, 7))
    assert points_of([capped({"per": per, "count": 1})], rows) == {"a": 5, "b": 6}


def test_ever_counts_all_there_is() -> None:
    rows = buys(("a", "2015-01-01 10:00", 5), ("b", "11-23 11:00", 6))
    assert points_of([capped({"per": "ever", "count": 1})], rows) == {"a": 5}


def test_an_action_that_earned_nothing_is_one_of_them() -> None:
    rows = buys(("a", "11-23 10:00", None), ("b", "11-23 11:00", 6), ("c", "11-23 12:00", 7))
    assert points_of([capped({"per": "day", "count": 2})], rows) == {"b": 6}


def test_an_action_that_does_not_match_is_none_of_them() -> None:
    big = [{"field": "quantity", "op": "at_least", "value": 6}]
    rows = buys(("a", "11-23 10:00", 5), ("b", "11-23 11:00", 6), ("c", "11-23 12:00", 7))
    limited = capped({"per": "day", "count": 1}, conditions=big)
    assert points_of([limited], rows) == {"b": 6}


def test_equal_times_are_told_apart_by_origin_and_identifier_as_bytes() -> None:
    at = "11-23 10:00"
    rows = buys(
        ("b", at, 1),
        ("B", at, 2),
        ("-", at, 3),
        ("a", at, 4, {"origin": "zoo"}),
        ("ä", at, 5, {"origin": "Till"}),
    )
    limited = capped({"per": "day", "count": 3})
    assert points_of([limited], rows) == {"ä": 5, "-": 3, "B": 2}


# Points


@pytest.mark.parametrize(
    ("most", "incoming", "kept"),
    [
        (10, [4, 4, 4, 4], [4, 4, 2, 0]),  # the one that crosses keeps what still fits
        (10, [5, 5, 5], [5, 5, 0]),
        (10, [12, 3], [10, 0]),
        (10, [10, 1], [10, 0]),
        (10, [0, 9, 0, 2], [0, 9, 0, 1]),
        (1, [1000], [1]),
    ],
)
def test_points_are_kept_until_there_are_so_many(
    most: int, incoming: list[int], kept: list[int]
) -> None:
    rows = buys(*((str(n), f"11-23 10:{n:02}", one) for n, one in enumerate(incoming)))
    expected = {str(n): one for n, one in enumerate(kept) if one}
    assert points_of([capped({"per": "day", "points": most})], rows) == expected


def test_count_comes_before_points_in_one_limit() -> None:
    rows = buys(("a", "11-23 10:00", 3), ("b", "11-23 11:00", 9), ("c", "11-23 12:00", 1))
    both = capped({"per": "day", "count": 2, "points": 10})
    assert points_of([both], rows) == {"a": 3, "b": 7}


def test_what_the_count_drops_takes_no_room_from_the_points() -> None:
    # Two stages, so that an action beyond the count of its own stage is followed by one that is not.
    rules = [
        capped({"per": "day", "count": 1, "points": 10}, ends="2026-11-23T12:00:00Z"),
        capped({"per": "day", "count": 3, "points": 10}, starts="2026-11-23T12:00:00Z"),
    ]
    rows = buys(("a", "11-23 10:00", 3), ("b", "11-23 11:00", 50), ("c", "11-23 12:00", 9))
    assert points_of(rules, rows) == {"a": 3, "c": 7}


# Two limits


def test_the_second_limit_sees_only_what_the_count_of_the_first_left() -> None:
    rows = buys(
        ("a", "11-23 10:00", 5),
        ("dropped", "11-23 11:00", 5),
        ("b", "11-24 10:00", 5),
        ("dropped too", "11-24 11:00", 5),
        ("c", "11-25 10:00", 5),
    )
    two = capped({"per": "day", "count": 1}, {"per": "week", "count": 2})
    assert points_of([two], rows) == {"a": 5, "b": 5}


def test_an_action_of_whose_points_none_fitted_is_dropped() -> None:
    rows = buys(
        ("a", "11-23 10:00", 5),
        ("dropped", "11-23 11:00", 5),
        ("b", "11-24 10:00", 5),
        ("c", "11-25 10:00", 5),
    )
    two = capped({"per": "day", "points": 5}, {"per": "week", "count": 2})
    assert points_of([two], rows) == {"a": 5, "b": 5}


def test_an_action_that_earned_nothing_from_the_start_is_not_dropped_by_points() -> None:
    rows = buys(("a", "11-23 10:00", None), ("b", "11-23 11:00", 5), ("c", "11-24 10:00", 5))
    two = capped({"per": "day", "points": 5}, {"per": "week", "count": 2})
    assert points_of([two], rows) == {"b": 5}


def test_one_that_earned_nothing_after_the_points_are_full_is_not_dropped_either() -> None:
    rows = buys(("a", "11-23 10:00", 5), ("b", "11-23 11:00", None), ("c", "11-24 10:00", 5))
    two = capped({"per": "day", "points": 5}, {"per": "week", "count": 2})
    assert points_of([two], rows) == {"a": 5}


def test_the_second_limit_sums_what_the_first_kept() -> None:
    rows = buys(("a", "11-23 10:00", 7), ("b", "11-24 10:00", 7), ("c", "11-25 10:00", 7))
    two = capped({"per": "day", "points": 5}, {"per": "week", "points": 8})
    assert points_of([two], rows) == {"a": 5, "b": 3}


def test_the_first_limit_does_not_know_what_the_second_takes() -> None:
    rows = buys(("a", "11-23 10:00", 5), ("b", "11-24 10:00", 5), ("c", "11-30 10:00", 5))
    two = capped({"per": "month", "count": 2}, {"per": "week", "count": 1})
    # b is the second of the month though the week takes it, so nothing is left for c.
    assert points_of([two], rows) == {"a": 5}


# By


def test_a_field_divides_the_customers_actions() -> None:
    rows = buys(
        ("a", "11-23 10:00", 5, {"venue": "soho"}),
        ("b", "11-23 11:00", 5, {"venue": "soho"}),
        ("c", "11-23 12:00", 5, {"venue": "camden"}),
        ("d", "11-23 13:00", 5),  # without one: a group of its own
        ("e", "11-23 14:00", 5),
    )
    limited = capped({"per": "day", "by": "venue", "count": 1})
    assert points_of([limited], rows) == {"a": 5, "c": 5, "d": 5}


@pytest.mark.parametrize(
    ("by", "values", "groups"),
    [
        ("channel", ["web", "Web", "web", None, ""], [0, 1, 0, 2, 2]),  # exactly; empty is missing
        ("quantity", ["5", "5.00", "5.01"], [0, 0, 1]),  # by value
        ("attributes.items", [2, 2.0, 3, "", None], [0, 0, 1, 2, 2]),
        ("attributes.topic", ["tea", "Tea", "tea "], [0, 1, 2]),
        ("attributes.gift", [True, False, True, None], [0, 1, 0, 2]),
        ("attributes.made_on", ["2026-11-01", "2026-11-02", "2026-11-01"], [0, 1, 0]),
        ("attributes.size", ["S", "M", "S"], [0, 1, 0]),
    ],
)
def test_which_actions_are_one_group(by: str, values: list[Any], groups: list[int]) -> None:
    name = by.removeprefix("attributes.")
    rows: list[Row] = []
    for n, value in enumerate(values):
        more = {"attributes": {name: value}} if name != by else {name: value}
        rows.append((str(n), f"11-23 10:{n:02}", 5, more))
    firsts = {str(groups.index(group)) for group in groups}
    limited = rule("earn", points=5, limits=[{"per": "day", "by": by, "count": 1}])
    assert set(points_of([limited], rows)) == firsts


def test_weekday_and_hour_are_local() -> None:
    rows = buys(
        ("a", "11-23 18:29", 5),  # 23:59 on Monday in Kolkata
        ("b", "11-23 18:30", 5),
        ("c", "11-23 19:29", 5),
        ("d", "11-23 19:30", 5),
    )
    by_hour = capped({"per": "ever", "by": "hour", "count": 1})
    by_weekday = capped({"per": "ever", "by": "weekday", "count": 1}, key="weekday")
    world = World(by_hour, by_weekday, zone="Asia/Kolkata")
    world.record(*rows)
    assert [(name, key) for name, key, _points in world.awards()] == [
        ("a", "earn"),
        ("a", "weekday"),
        ("b", "earn"),
        ("b", "weekday"),
        ("d", "earn"),
    ]


def test_a_kind_that_does_not_declare_the_attribute_lacks_it() -> None:
    both = ["buy", "visit"]
    limited = rule(
        "earn", points=5, kinds=both, limits=[{"per": "day", "by": "attributes.items", "count": 1}]
    )
    rows: list[Row] = [
        ("a", "11-23 10:00", None, {"attributes": {"items": 1}}),
        ("b", "11-23 11:00", None, {"kind": "visit"}),
        ("c", "11-23 12:00"),
    ]
    assert points_of([limited], rows) == {"a": 5, "b": 5}


# Stages


def stages(first: Json, second: Json, *, gap: bool = False) -> list[Json]:
    """A rule that was limited by ``first`` until noon, and by ``second`` from then on (or from one o'clock)."""
    return [
        capped(first, ends="2026-11-23T12:00:00Z"),
        capped(second, starts=f"2026-11-23T1{3 if gap else 2}:00:00Z"),
    ]


def test_changing_a_welcome_greets_nobody_twice() -> None:
    once = {"per": "ever", "count": 1}
    rows = buys(("a", "11-23 11:00", 5), ("b", "11-23 12:00", 6))
    assert points_of(stages(once, once), rows) == {"a": 5}


def test_each_action_is_held_against_the_number_of_its_own_stage() -> None:
    rows = buys(
        ("a", "11-23 10:00", 5),
        ("b", "11-23 11:00", 6),
        ("c", "11-23 12:00", 7),
        ("d", "11-23 13:00", 8),
        ("e", "11-23 14:00", 9),
    )
    more = stages({"per": "day", "count": 1}, {"per": "day", "count": 4})
    assert points_of(more, rows) == {"a": 5, "c": 7, "d": 8}


def test_what_lies_in_the_gap_between_stages_is_not_counted() -> None:
    twice = {"per": "day", "count": 2}
    rows = buys(("a", "11-23 10:00", 5), ("b", "11-23 12:30", 6), ("c", "11-23 13:00", 7))
    assert points_of(stages(twice, twice, gap=True), rows) == {"a": 5, "c": 7}


@pytest.mark.parametrize(
    ("most", "then", "incoming", "kept"),
    [
        (10, 10, [8, 8], [8, 2]),
        (10, 20, [8, 8], [8, 8]),
        (5, 20, [8, 8], [5, 8]),  # what came in counts, not what was kept: 16 of 20
        (5, 12, [8, 8], [5, 4]),
        (20, 5, [8, 8], [8, 0]),
    ],
)
def test_stages_share_one_running_total(
    most: int, then: int, incoming: list[int], kept: list[int]
) -> None:
    rows = buys(("a", "11-23 11:00", incoming[0]), ("b", "11-23 12:00", incoming[1]))
    expected = {name: one for name, one in zip("ab", kept, strict=True) if one}
    both = stages({"per": "day", "points": most}, {"per": "day", "points": then})
    assert points_of(both, rows) == expected


@pytest.mark.parametrize(
    "other",
    [
        {"per": "week", "count": 1},
        {"per": "day", "by": "venue", "count": 1},
        {"per": "day", "points": 100},  # has no count to share
    ],
)
def test_limits_that_differ_in_more_than_their_numbers_share_nothing(other: Json) -> None:
    rows = buys(("a", "11-23 11:00", 5), ("b", "11-23 12:00", 6))
    assert points_of(stages(other, {"per": "day", "count": 1}), rows) == {"a": 5, "b": 6}


def test_a_stage_without_the_limit_adds_nothing_to_the_counter() -> None:
    rules = [
        capped(ends="2026-11-23T12:00:00Z"),
        capped({"per": "day", "count": 1}, starts="2026-11-23T12:00:00Z"),
    ]
    rows = buys(("a", "11-23 10:00", 5), ("b", "11-23 11:00", 6), ("c", "11-23 12:00", 7))
    assert points_of(rules, rows) == {"a": 5, "b": 6, "c": 7}


def test_equal_limits_at_another_place_share_nothing() -> None:
    day, week = {"per": "day", "count": 1}, {"per": "week", "count": 9}
    rules = [
        capped(day, week, ends="2026-11-23T12:00:00Z"),
        capped(week, day, starts="2026-11-23T12:00:00Z"),
    ]
    rows = buys(("a", "11-23 11:00", 5), ("b", "11-23 12:00", 6))
    assert points_of(rules, rows) == {"a": 5, "b": 6}


# Changes


def test_a_void_gives_its_place_to_the_next() -> None:
    world = World(capped({"per": "day", "count": 1}))
    world.record(("a", "11-23 10:00", 5), ("b", "11-23 11:00", 6))
    assert world.awards() == [("a", "earn", 5)]
    world.record(void("v", "a"))
    assert world.awards() == [("b", "earn", 6)]


def test_a_correction_to_nothing_keeps_its_place() -> None:
    world = World(capped({"per": "day", "count": 1}))
    world.record(("a", "11-23 10:00", 5), ("b", "11-23 11:00", 6))
    world.record(correction("r", "a", 0))
    assert world.awards() == []
