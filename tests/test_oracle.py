"""The oracle against the published vectors, the worked example and cases worked by hand."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.histories import History, PublishStep, final_state, history, published, shrunk, states
from tests.oracle import (
    SOURCES,
    Json,
    Result,
    identity,
    local_midnight,
    moment,
    publish,
    same_rules,
    score_brand,
    window,
)

VECTORS = Path(__file__).resolve().parent.parent.parent / "shared" / "vectors"
SEEDS = range(40)
ANN = "email:ann@example.org"
BOB = "email:bob@example.org"
KINDS = {
    "buy": "purchases",
    "visit": "physical_visits",
    "use": "product_usage",
    "post": "social_media",
}


def brand(zone: str = "UTC") -> Json:
    attributes = {
        "topic": "text",
        "items": "number",
        "new": "yes_no",
        "made_on": "date",
        "size": {"choice": ["S", "s"]},
    }
    kinds = [
        {"slug": slug, "source": source, "attributes": attributes} for slug, source in KINDS.items()
    ]
    return {"time_zone": zone, "kinds": [*kinds, {"slug": "bare", "source": "purchases"}]}


def document(*rules: Json, **shapes: Json) -> Json:
    """The rules, with every source at its weight; `shapes` replace a source's."""
    weights = (10, 30, 10, 20, 10, 20)
    sources = {
        source: {"weight": weight, "halfway_points": 100}
        for source, weight in zip(SOURCES, weights, strict=True)
    }
    return {"sources": sources | shapes, "rules": list(rules)}


def rule(type_: str, key: str = "r", **more: Any) -> Json:
    base: Json = {"key": key, "type": type_, "title": key}
    return base | ({} if type_ == "combo" else {"kinds": ["buy"]}) | more


def act(external_id: str, at: str, quantity: Any = None, **more: Any) -> Json:
    """A purchase by Ann at that moment, in UTC where it names no offset."""
    when = datetime.fromisoformat(at)
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    base = {
        "origin": "till",
        "external_id": external_id,
        "identifier": ANN,
        "kind": "buy",
        "occurred_at": when.isoformat(),
    }
    return base | ({} if quantity is None else {"quantity": quantity}) | more


def change(type_: str, external_id: str, action: str, at: str, **more: Any) -> Json:
    name = "corrected_at" if type_ == "correction" else "at"
    return {
        "type": type_,
        "origin": "till",
        "external_id": external_id,
        "action": action,
        name: at,
        **more,
    }


def score(rules: Json, records: list[Json], zone: str = "UTC", on: str = "2026-12-01") -> Result:
    return score_brand(brand(zone), rules, records, date.fromisoformat(on)).get(ANN, Result())


def given(rules: Json, records: list[Json], zone: str = "UTC") -> list[tuple[str, str, int]]:
    """Ann's awards as (external_id, rule, points), in the order of her actions."""
    return [(one.external_id, one.rule, one.points) for one in score(rules, records, zone).awards]


def points_of(stages: list[Json], records: list[Json], zone: str = "UTC") -> dict[str, int]:
    """What one rule gives each of Ann's actions."""
    return {
        external_id: points for external_id, _, points in given(document(*stages), records, zone)
    }


# The vectors and the worked example


@pytest.mark.parametrize("name", [f"{number}.json" for number in range(1, 11)])
def test_vector_agrees(name: str) -> None:
    if not VECTORS.is_dir():
        pytest.skip("The scoring vectors are not beside this project: nothing was compared.")
    vector = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    results = score_brand(
        vector["brand"], vector["rules"], vector["actions"], date.fromisoformat(vector["on"])
    )
    assert results.keys() == vector["expected"].keys()
    for customer, expected in vector["expected"].items():
        result = results[customer]
        awards = sorted([one.external_id, one.rule, one.points] for one in result.awards)
        assert awards == expected["awards"]
        assert result.points == expected["points"]
        assert abs(result.score - Decimal(str(expected["score"]))) <= Decimal("0.001")


def test_worked_example() -> None:
    shapes = {
        "purchases": (30, 180, 400),
        "physical_visits": (20, 90, 150),
        "product_usage": (20, 60, 200),
        "social_media": (10, 30, 60),
        "online_engagement": (10, 30, 80),
        "marketing_attention": (10, 30, 60),
    }
    sources = {
        source: {"weight": weight, "half_life_days": half_life, "halfway_points": halfway}
        for source, (weight, half_life, halfway) in shapes.items()
    }
    rules = document(
        rule("earn", "spend", points=0, rate="1"),
        rule("earn", "first-buy", points=100, limits=[{"per": "ever", "count": 1}]),
        rule(
            "earn",
            "visit",
            kinds=["visit"],
            points=25,
            limits=[
                {"per": "day", "by": "venue", "count": 1},
                {"per": "week", "points": 100},
            ],
        ),
        rule(
            "bonus",
            "weekend",
            kinds=["buy", "visit"],
            percent=100,
            conditions=[{"field": "weekday", "op": "in", "value": ["sat", "sun"]}],
            starts="2026-11-01T00:00:00+00:00",
            ends=None,
        ),
        rule(
            "combo",
            "see-and-buy",
            source="physical_visits",
            per="week",
            points=50,
            requires=[
                {"kinds": ["visit"], "count": 1},
                {
                    "kinds": ["buy"],
                    "count": 1,
                    "conditions": [{"field": "quantity", "op": "at_least", "value": 10}],
                },
            ],
        ),
        rule(
            "streak",
            "regular",
            source="product_usage",
            kinds=["use"],
            per="week",
            count=1,
            length=4,
            points=80,
        ),
        **sources,
    )
    result = score(
        rules,
        [
            act("11:00", "2026-11-21T11:00", kind="visit", venue="soho"),
            act("10:30", "2026-11-21T10:30", "24.90", channel="shop", venue="soho"),
            act("10:00", "2026-11-21T10:00", kind="visit", venue="soho"),
        ],
        "Europe/London",
        "2026-11-23",
    )
    assert [(one.external_id, one.rule, one.points, one.source) for one in result.awards] == [
        ("10:00", "visit", 25, "physical_visits"),
        ("10:00", "weekend", 25, "physical_visits"),
        ("10:30", "first-buy", 100, "purchases"),
        ("10:30", "see-and-buy", 50, "physical_visits"),
        ("10:30", "spend", 24, "purchases"),
        ("10:30", "weekend", 124, "purchases"),
    ]
    assert {one.local_date for one in result.awards} == {date(2026, 11, 21)}
    assert result.points == 348
    assert result.score == Decimal("177.269")
    assert round(result.sums["purchases"], 3) == Decimal("246.097")
    assert round(result.sub_scores["purchases"], 3) == Decimal("34.718")
    assert round(result.sub_scores["physical_visits"], 3) == Decimal("36.557")


# Section 2: which actions count

FIRST_ONLY = rule("earn", points=10, limits=[{"per": "ever", "count": 1}])
RATE = rule("earn", rate="1")


@pytest.mark.parametrize(
    ("name", "changes", "counts"),
    [
        ("nothing decided", [], False),
        ("accepted", [("d1", "2026-11-02T10:00:00+00:00", True)], True),
        ("rejected", [("d1", "2026-11-02T10:00:00+00:00", False)], False),
        (
            "the lowest moment holds, whatever its offset",
            [
                ("d1", "2026-11-02T10:00:00+00:00", False),
                ("d2", "2026-11-02T11:00:00+02:00", True),
            ],
            True,
        ),
        (
            "at one moment the lowest identifier holds, as bytes",
            [
                ("a", "2026-11-02T10:00:00+00:00", False),
                ("B", "2026-11-02T10:00:00+00:00", True),
            ],
            True,
        ),
    ],
)
def test_pending_action(name: str, changes: list[tuple[str, str, bool]], counts: bool) -> None:
    decisions = [change("decision", id_, "a", at, accepted=yes) for id_, at, yes in changes]
    pending = act("a", "2026-11-01T10:00", "3", state="pending")
    assert points_of([RATE], [*decisions, pending]) == ({"a": 3} if counts else {}), name
    assert points_of([RATE], [pending, *reversed(decisions)]) == ({"a": 3} if counts else {}), name


def test_decision_on_an_action_that_was_not_pending_is_ignored() -> None:
    decision = change("decision", "d", "a", "2026-11-02T10:00:00+00:00", accepted=False)
    assert points_of([RATE], [decision, act("a", "2026-11-01T10:00", "3")]) == {"a": 3}


def test_void_is_final_on_a_pending_action_too() -> None:
    at = "2026-11-02T10:00:00+00:00"
    records = [
        act("a", "2026-11-01T10:00", "3", state="pending"),
        change("void", "v", "a", at),
        change("decision", "d", "a", "2026-11-03T10:00:00+00:00", accepted=True),
        change("correction", "c", "a", "2026-11-03T10:00:00+00:00", quantity="5"),
    ]
    assert points_of([RATE], records) == {}


def test_void_frees_the_place_that_a_correction_to_zero_keeps() -> None:
    at = "2026-11-02T10:00:00+00:00"
    stages = [rule("earn", rate="1", limits=[{"per": "ever", "count": 1}])]
    records = [act("a", "2026-11-01T10:00", "3"), act("b", "2026-11-01T11:00", "4")]
    assert points_of(stages, records) == {"a": 3}
    assert points_of(stages, [*records, change("correction", "c", "a", at, quantity="0")]) == {}
    assert points_of(stages, [*records, change("void", "v", "a", at)]) == {"b": 4}


def test_highest_correction_holds_and_only_that_of_the_same_origin() -> None:
    records = [
        change("correction", "z", "a", "2026-11-02T10:00:00+00:00", quantity="5"),
        change("correction", "b", "a", "2026-11-02T12:00:00+01:00", quantity="6"),
        change("correction", "C", "a", "2026-11-02T11:00:00+00:00", quantity="7"),
        change("correction", "x", "a", "2026-11-09T10:00:00+00:00", quantity="8")
        | {"origin": "site"},
        act("a", "2026-11-01T10:00", "3"),
    ]
    assert points_of([RATE], records) == {"a": 6}
    assert points_of([RATE], records[::-1]) == {"a": 6}


def test_correction_is_seen_by_conditions() -> None:
    wants = [{"field": "quantity", "op": "at_least", "value": "10"}]
    stages = [rule("earn", points=1, conditions=wants)]
    records = [
        act("a", "2026-11-01T10:00", "10"),
        change("correction", "c", "a", "2026-11-02T10:00:00+00:00", quantity="9.99"),
    ]
    assert points_of(stages, records[:1]) == {"a": 1}
    assert points_of(stages, records) == {}


def test_equal_times_are_ordered_by_origin_then_identifier_as_bytes() -> None:
    at = "2026-11-01T10:00"
    records = [
        act("a", at, origin="till"),
        act("z9", at, origin="Till"),
        act("z10", at, origin="Till"),
        act("0", at, origin="é"),
    ]
    for last in range(len(records)):
        stages = [rule("earn", points=1, limits=[{"per": "day", "count": last + 1}])]
        wanted = ["z10", "z9", "a", "0"][: last + 1]
        assert list(points_of(stages, records)) == wanted


def test_a_repeat_counts_once_and_the_same_identifier_of_another_origin_is_another() -> None:
    one = act("a", "2026-11-01T10:00", "3")
    rules = document(RATE)
    assert score(rules, [one, dict(one), one]).points == 3
    assert score(rules, [one, one | {"origin": "site"}]).points == 6


def test_moved_identifier_counts_with_its_new_customer() -> None:
    records = [act("a", "2026-11-02T10:00"), act("b", "2026-11-01T10:00", identifier=BOB)]
    rules, on = document(FIRST_ONLY), date(2026, 12, 1)
    apart = score_brand(brand(), rules, records, on)
    assert {name: result.points for name, result in apart.items()} == {ANN: 10, BOB: 10}
    together = score_brand(brand(), rules, records, on, {ANN: "one", BOB: "one"})
    assert list(together) == ["one"]
    assert [award.external_id for award in together["one"].awards] == ["b"]


# Section 3: conditions and windows

FULL: Json = {
    "quantity": "24.90",
    "channel": "Shop",
    "venue": "soho",
    "attributes": {
        "topic": "Café 50% off",
        "items": 2.0,
        "new": False,
        "made_on": "2025-06-15",
        "size": "s",
    },
}
EMPTY: Json = {
    "quantity": "",
    "channel": "",
    "venue": None,
    "attributes": {"topic": "", "items": None, "new": None, "made_on": None, "size": None},
}


@pytest.mark.parametrize(
    ("field", "op", "value", "true"),
    [
        ("quantity", "is", "24.9", True),
        ("quantity", "is_not", "24.9", False),
        ("quantity", "in", [1, "24.900"], True),
        ("quantity", "more_than", "24.9", False),
        ("quantity", "at_least", 24.9, True),
        ("quantity", "at_most", 3, False),
        ("quantity", "less_than", 100, True),
        ("channel", "is", "shop", False),
        ("channel", "contains", "HOP", True),
        ("channel", "not_in", ["shop", "web"], True),
        ("venue", "in", ["york", "soho"], True),
        ("attributes.topic", "contains", "CAFÉ", True),
        ("attributes.topic", "contains", "0% O", True),
        ("attributes.topic", "contains", "5%f", False),
        ("attributes.topic", "contains", "50_", False),
        ("attributes.items", "is", 2, True),
        ("attributes.items", "in", [2], True),
        ("attributes.items", "more_than", 1.5, True),
        ("attributes.new", "is", False, True),
        ("attributes.new", "is_not", True, True),
        ("attributes.new", "is_set", None, True),
        ("attributes.made_on", "at_least", "2025-06-15", True),
        ("attributes.made_on", "less_than", "2025-06-15", False),
        ("attributes.size", "is", "S", False),
        ("attributes.size", "in", ["S", "s"], True),
        ("attributes.unheard", "is_set", None, False),
        ("attributes.unheard", "is_not", "x", False),
        ("attributes.unheard", "is_not_set", None, True),
        ("weekday", "is", "sun", True),
        ("weekday", "not_in", ["sat", "mon"], True),
        ("hour", "is", 0, True),
        ("hour", "less_than", 1, True),
    ],
)
def test_condition(field: str, op: str, value: Any, true: bool) -> None:
    stages = [rule("earn", points=1, conditions=[{"field": field, "op": op, "value": value}])]
    late_saturday_in_utc = act("a", "2026-10-31T19:00", **FULL)
    assert points_of(stages, [late_saturday_in_utc], "Asia/Kathmandu") == ({"a": 1} if true else {})


@pytest.mark.parametrize(
    "name", ["quantity", "channel", "venue", *(f"attributes.{a}" for a in FULL["attributes"])]
)
@pytest.mark.parametrize("record", [EMPTY, {}, {"kind": "bare", "attributes": {}}])
@pytest.mark.parametrize(
    "op", ["is", "is_not", "in", "not_in", "at_least", "less_than", "contains"]
)
def test_condition_on_a_missing_value_is_false(name: str, record: Json, op: str) -> None:
    def one_if(condition: Json) -> dict[str, int]:
        stages = [rule("earn", kinds=["buy", "bare"], points=1, conditions=[condition])]
        return points_of(stages, [act("a", "2026-11-01T10:00", **record)])

    value = ["x"] if op in ("in", "not_in") else "x"
    assert one_if({"field": name, "op": op, "value": value}) == {}
    assert one_if({"field": name, "op": "is_set"}) == {}
    assert one_if({"field": name, "op": "is_not_set"}) == {"a": 1}


def test_window_holds_its_start_and_not_its_end() -> None:
    stages = [
        rule("earn", points=1, starts="2026-11-01T10:00:00+00:00", ends="2026-11-01T12:00:00+01:00")
    ]
    records = [
        act("before", "2026-11-01T09:59:59.999999"),
        act("start", "2026-11-01T10:00"),
        act("inside", "2026-11-01T10:59:59.999999"),
        act("end", "2026-11-01T11:00"),
    ]
    assert points_of(stages, records) == {"start": 1, "inside": 1}


def test_stages_judge_each_action_and_see_nothing_in_the_gap() -> None:
    stages = [
        rule("earn", points=1, ends="2026-11-02T00:00:00+00:00"),
        rule("earn", points=5, kinds=["visit"], starts="2026-11-03T00:00:00+00:00"),
    ]
    records = [
        act("early buy", "2026-11-01T10:00"),
        act("early visit", "2026-11-01T10:00", kind="visit"),
        act("gap buy", "2026-11-02T10:00"),
        act("gap visit", "2026-11-02T10:00", kind="visit"),
        act("late buy", "2026-11-03T10:00"),
        act("late visit", "2026-11-03T10:00", kind="visit"),
    ]
    assert points_of(stages, records) == {"early buy": 1, "late visit": 5}


# Section 4: rule types


@pytest.mark.parametrize(
    ("points", "rate", "quantity", "earned"),
    [
        (0, "0.29", "100", 29),
        (0, "0.1", "29.99", 2),
        (7, "0.1", None, 7),
        (3, "1", "0.99", 3),
        (0, "0.3333", "3", 0),
        (1, "2.50", "2", 6),
    ],
)
def test_earn_is_exact(points: int, rate: str, quantity: str | None, earned: int) -> None:
    stages = [rule("earn", points=points, rate=rate)]
    expected = {"a": earned} if earned else {}
    assert points_of(stages, [act("a", "2026-11-01T10:00", quantity)]) == expected


def test_bonus_works_on_all_earn_rules_after_their_limits_and_on_no_bonus() -> None:
    rules = document(
        rule("bonus", "third", percent=33),
        rule("bonus", "double", percent=100),
        rule("earn", "spend", rate="1", limits=[{"per": "day", "points": 12}]),
        rule("earn", "first", points=5, limits=[{"per": "ever", "count": 1}]),
        rule(
            "combo",
            per="day",
            points=50,
            source="purchases",
            requires=[{"kinds": ["buy"], "count": 1}],
        ),
    )
    records = [act("a", "2026-11-01T10:00", "10"), act("b", "2026-11-01T11:00", "10")]
    assert given(rules, records) == [
        ("a", "double", 15),
        ("a", "first", 5),
        ("a", "r", 50),
        ("a", "spend", 10),
        ("a", "third", 4),
        ("b", "double", 2),
        ("b", "spend", 2),
    ]


def test_bonus_of_nothing_still_takes_a_place_in_its_limit() -> None:
    rules = document(
        rule("earn", "spend", rate="1"),
        rule("bonus", "double", percent=100, limits=[{"per": "ever", "count": 1}]),
    )
    records = [act("a", "2026-11-01T10:00", "0"), act("b", "2026-11-01T11:00", "10")]
    assert given(rules, records) == [("b", "spend", 10)]


def test_bonus_belongs_to_the_source_of_the_kind() -> None:
    rules = document(
        rule("earn", "e", kinds=["visit", "post"], points=10),
        rule("bonus", "b", kinds=["visit"], percent=50),
    )
    records = [
        act("a", "2026-11-01T10:00", kind="visit"),
        act("b", "2026-11-01T11:00", kind="post"),
    ]
    awards = score(rules, records).awards
    assert [(one.external_id, one.rule, one.source, one.points) for one in awards] == [
        ("a", "b", "physical_visits", 5),
        ("a", "e", "physical_visits", 10),
        ("b", "e", "social_media", 10),
    ]


SEE_AND_BUY = rule(
    "combo",
    per="week",
    points=50,
    source="social_media",
    requires=[{"kinds": ["visit"], "count": 1}, {"kinds": ["buy", "visit"], "count": 2}],
)


def test_combo_is_dated_at_the_last_requirement_and_given_once_a_period() -> None:
    records = [
        act("sun", "2026-11-01T10:00", kind="visit"),  # the week before
        act("mon", "2026-11-02T10:00"),
        act("tue", "2026-11-03T10:00"),
        act("wed", "2026-11-04T10:00", kind="visit"),  # serves both
        act("thu", "2026-11-05T10:00", kind="visit"),
        act("next 1", "2026-11-09T10:00", kind="visit"),
        act("next 2", "2026-11-10T10:00", kind="visit"),
    ]
    assert points_of([SEE_AND_BUY], records) == {"wed": 50, "next 2": 50}
    assert points_of([SEE_AND_BUY | {"per": "ever"}], records) == {"mon": 50}
    assert points_of([SEE_AND_BUY | {"per": "year"}], records) == {"mon": 50}


def test_combo_stage_counts_only_the_actions_in_its_own_window() -> None:
    turn = "2026-11-04T00:00:00+00:00"
    stages = [SEE_AND_BUY | {"ends": turn}, SEE_AND_BUY | {"points": 70, "starts": turn}]
    records = [act("mon", "2026-11-02T10:00", kind="visit"), act("thu", "2026-11-05T10:00")]
    assert points_of([SEE_AND_BUY], records) == {"thu": 50}
    assert points_of(stages, records) == {}
    assert points_of(stages, [*records, act("fri", "2026-11-06T10:00", kind="visit")]) == {
        "fri": 70
    }


def test_combo_completed_in_two_stages_counts_once_even_where_the_first_gives_nothing() -> None:
    turn = "2026-11-04T00:00:00+00:00"
    records = [
        act("mon", "2026-11-02T10:00", kind="visit"),
        act("tue", "2026-11-03T10:00", kind="visit"),
        act("thu", "2026-11-05T10:00", kind="visit"),
        act("fri", "2026-11-06T10:00", kind="visit"),
    ]
    later = SEE_AND_BUY | {"points": 70, "starts": turn}
    assert points_of([later, SEE_AND_BUY | {"ends": turn}], records) == {"tue": 50}
    assert points_of([later, SEE_AND_BUY | {"ends": turn, "points": 0}], records) == {}
    assert points_of([later], records) == {"fri": 70}


def streak(**more: Any) -> Json:
    return rule("streak", per="week", count=1, length=2, points=50, source="social_media") | more


def weekly(*days: int, kind: str = "buy") -> list[Json]:
    """Actions at noon so many days after Monday 2 November 2026, named by the day."""
    monday = datetime(2026, 11, 2, 12, tzinfo=UTC)
    return [act(f"{day}", (monday + timedelta(days=day)).isoformat(), kind=kind) for day in days]


def test_streak_gives_at_each_multiple_of_its_length_in_every_run() -> None:
    records = weekly(0, 1, 7, 14, 21, 28, 42, 49, 50)
    assert points_of([streak()], records) == {"7": 50, "21": 50, "49": 50}
    assert points_of([streak(length=1)], records).keys() == {"0", "7", "14", "21", "28", "42", "49"}
    assert points_of([streak(length=3)], records) == {"14": 50}
    assert points_of([streak(count=2, length=1)], records) == {"1": 50, "50": 50}


def test_streak_over_months_and_a_new_year() -> None:
    records = weekly(0, 28 + 30, 60)  # 2 November, 30 December, 1 January
    records += weekly(40)  # 12 December
    assert points_of([streak(per="month", length=3)], records) == {"60": 50}


def test_streak_counts_on_across_stages() -> None:
    turn, later = "2026-11-17T00:00:00+00:00", "2026-11-20T00:00:00+00:00"
    stages = [streak(ends=turn), streak(starts=later, length=3, points=70)]
    # 18 November lies in the gap, so week three qualifies on the 20th
    assert points_of(stages, weekly(0, 7, 16, 18, 21, 28, 35)) == {"7": 50, "18": 70, "35": 70}


def test_streak_period_qualifies_at_the_number_of_the_stage_that_reaches_it() -> None:
    turn = "2026-11-05T00:00:00+00:00"
    fewer = [
        streak(count=5, length=1, ends=turn),
        streak(count=2, length=1, points=70, starts=turn),
    ]
    assert points_of(fewer, weekly(0, 1, 2, 3, 4)) == {"3": 70}
    more = [streak(count=2, length=1, ends=turn), streak(count=4, length=1, points=70, starts=turn)]
    assert points_of(more, weekly(0, 1, 2, 3, 4)) == {"1": 50}
    assert points_of(more, weekly(0, 3, 4)) == {}
    assert points_of(more, weekly(0, 3, 4, 5)) == {"5": 70}


# Section 5: limits

DAY = "2026-11-01T"


def spend(*limits: Json, **more: Any) -> Json:
    return rule("earn", rate="1", limits=list(limits)) | more


def bought(*quantities: Any, day: str = "2026-11-01") -> list[Json]:
    """Purchases of these quantities, an hour apart, named a, b, c ..."""
    return [
        act("abcdefgh"[place], f"{day}T{10 + place}:00", quantity)
        for place, quantity in enumerate(quantities)
    ]


@pytest.mark.parametrize(
    ("name", "limits", "quantities", "kept"),
    [
        (
            "the crossing action keeps what fits",
            [{"points": 10}],
            [4, 5, 3, 2],
            {"a": 4, "b": 5, "c": 1},
        ),
        ("count before points", [{"count": 2, "points": 10}], [8, 8, 1], {"a": 8, "b": 2}),
        (
            "the uncounted are not in the running total",
            [{"by": "venue", "count": 1}, {"points": 10}],
            [8, 8, 1],
            {"a": 8},
        ),
        ("nothing earned still takes a place", [{"count": 2}], [0, 3, 4], {"b": 3}),
        ("nothing earned is not dropped by points", [{"points": 5}, {"count": 2}], [0, 0, 5], {}),
        (
            "what did not fit is not seen by the second",
            [{"points": 5}, {"per": "ever", "count": 2}],
            [5, 3, 0, 2],
            {"a": 5},
        ),
        (
            "what partly fitted goes on as what was kept",
            [{"points": 7}, {"points": 9}],
            [5, 5],
            {"a": 5, "b": 2},
        ),
        (
            "what came in counts, not what was kept",
            [{"per": "ever", "count": 3}, {"points": 6}],
            [4, 4, 4, 1],
            {"a": 4, "b": 2},
        ),
        ("a correction's zero", [{"count": 1}], [0, 1], {}),
    ],
)
def test_limits(name: str, limits: list[Json], quantities: list[int], kept: dict[str, int]) -> None:
    stages = [spend(*({"per": "day", **limit} for limit in limits))]
    assert points_of(stages, bought(*map(str, quantities))) == kept, name


def test_second_limit_counts_only_what_the_first_left() -> None:
    limits = [{"per": "day", "by": "venue", "count": 1}, {"per": "day", "count": 2}]
    records = [
        record | {"venue": venue}
        for record, venue in zip(
            bought("1", "1", "1", "1"), ["soho", "soho", "york", "camden"], strict=True
        )
    ]
    assert points_of([spend(*limits)], records) == {"a": 1, "c": 1}
    assert points_of([spend(*reversed(limits))], records) == {"a": 1}


def test_dropped_by_points_frees_a_place_in_the_second_limit() -> None:
    limits = [{"per": "day", "points": 5}, {"per": "ever", "count": 2}]
    records = bought("5", "3")
    records += [act("x", "2026-11-02T10:00", "4"), act("y", "2026-11-03T10:00", "4")]
    assert points_of([spend(*limits)], records) == {"a": 5, "x": 4}


@pytest.mark.parametrize(
    ("by", "values", "kept"),
    [
        ("venue", [{}, {"venue": ""}, {"venue": None}, {"venue": "none"}], "ad"),
        ("channel", [{"channel": "web"}, {"channel": "Web"}, {"channel": "web"}], "ab"),
        (
            "attributes.items",
            [{"attributes": {"items": items}} for items in (2, 2.0, 3, None)] + [{}],
            "acd",
        ),
        ("attributes.new", [{"attributes": {"new": new}} for new in (True, False, True)], "ab"),
        ("attributes.unheard", [{}, {"kind": "bare"}, {}], "a"),
        ("quantity", [{"quantity": text} for text in ("2", "2.00", "3", "")], "acd"),
        ("hour", [{}, {"occurred_at": "2026-11-01T11:20:00+01:00"}, {}], "ac"),
    ],
)
def test_limit_by_a_field(by: str, values: list[Json], kept: str) -> None:
    stages = [
        rule("earn", kinds=["buy", "bare"], points=1, limits=[{"per": "day", "by": by, "count": 1}])
    ]
    records = [
        act("abcdefgh"[place], f"2026-11-01T{10 + place}:00") | value
        for place, value in enumerate(values)
    ]
    assert points_of(stages, records) == dict.fromkeys(kept, 1)


def test_limit_periods_are_local_and_weeks_begin_on_monday() -> None:
    records = [
        act("thu", "2026-12-31T12:00"),
        act("fri", "2027-01-01T12:00"),
        act("sun", "2027-01-03T12:00"),
        act("mon", "2027-01-04T12:00"),
        act("feb", "2027-02-01T12:00"),
    ]
    kept = {
        "day": ["thu", "fri", "sun", "mon", "feb"],
        "week": ["thu", "mon", "feb"],
        "month": ["thu", "fri", "feb"],
        "year": ["thu", "fri"],
        "ever": ["thu"],
    }
    for per, wanted in kept.items():
        stages = [rule("earn", points=1, limits=[{"per": per, "count": 1}])]
        assert list(points_of(stages, records)) == wanted


TURN = "2026-11-01T12:00:00+00:00"  # between b and c


@pytest.mark.parametrize(
    ("name", "before", "after", "quantities", "kept"),
    [
        ("one counter", [{"count": 1}], [{"count": 1}], [1, 1, 1], {"a": 1}),
        (
            "each held against its own N",
            [{"count": 1}],
            [{"count": 3}],
            [1, 1, 1, 1],
            {"a": 1, "c": 1},
        ),
        (
            "each held against its own M",
            [{"points": 5}],
            [{"points": 10}],
            [8, 0, 4],
            {"a": 5, "c": 2},
        ),
        ("a lower M is already full", [{"points": 10}], [{"points": 5}], [8, 0, 4], {"a": 8}),
        (
            "a stage without the limit adds nothing",
            [],
            [{"count": 1}],
            [1, 1, 1, 1],
            {"a": 1, "b": 1, "c": 1},
        ),
        (
            "a stage without a count adds nothing to it",
            [{"points": 50}],
            [{"count": 1, "points": 50}],
            [4, 4, 4, 4],
            {"a": 4, "b": 4, "c": 4},
        ),
        (
            "but its points are counted on",
            [{"points": 50}],
            [{"count": 2, "points": 10}],
            [4, 4, 4, 4],
            {"a": 4, "b": 4, "c": 2},
        ),
        (
            "another period, another counter",
            [{"per": "day", "count": 1}],
            [{"per": "month", "count": 1}],
            [1, 1, 1],
            {"a": 1, "c": 1},
        ),
        (
            "another group, another counter",
            [{"by": "venue", "count": 1}],
            [{"count": 1}],
            [1, 1, 1],
            {"a": 1, "c": 1},
        ),
        (
            "customer is the default group",
            [{"by": "customer", "count": 1}],
            [{"count": 1}],
            [1, 1, 1],
            {"a": 1},
        ),
        (
            "another place, another counter",
            [{"per": "ever", "count": 1}],
            [{"per": "month", "count": 9}, {"per": "ever", "count": 1}],
            [1, 1, 1, 1],
            {"a": 1, "c": 1},
        ),
        (
            "a stage without points adds nothing to them",
            [{"count": 5}],
            [{"count": 5, "points": 5}],
            [4, 4, 4, 4],
            {"a": 4, "b": 4, "c": 4, "d": 1},
        ),
        (
            "what did not fit has taken its place, for count comes first",
            [{"count": 2, "points": 5}],
            [{"count": 2, "points": 20}],
            [8, 3, 4],
            {"a": 5},
        ),
        (
            "dropped in one stage, still in the running number",
            [{"count": 1}],
            [{"count": 2}],
            [1, 1, 1],
            {"a": 1},
        ),
    ],
)
def test_limits_over_stages(
    name: str,
    before: list[Json],
    after: list[Json],
    quantities: list[int],
    kept: dict[str, int],
) -> None:
    stages = [
        spend(*({"per": "day", **limit} for limit in after), starts=TURN),
        spend(*({"per": "day", **limit} for limit in before), ends=TURN),
    ]
    assert points_of(stages, bought(*map(str, quantities))) == kept, name


# Odd days


def test_day_without_a_midnight_begins_when_its_first_moment_does() -> None:
    stages = [rule("earn", points=1, limits=[{"per": "day", "count": 1}])]
    records = [
        act("23:59:59", "2025-09-07T03:59:59"),
        act("01:00", "2025-09-07T04:00"),
        act("23:59", "2025-09-08T02:59"),
    ]
    assert list(points_of(stages, records, "America/Santiago")) == ["23:59:59", "01:00"]


def test_local_date_that_runs_backwards_is_still_the_date_of_each_action() -> None:
    stages = [rule("earn", points=1, limits=[{"per": "day", "count": 1}])]
    records = [
        act("7th, 00:00:30", "2010-11-07T02:30:30"),
        act("6th, 23:01", "2010-11-07T02:31"),
        act("7th again, 00:00", "2010-11-07T03:30"),
    ]
    kept = points_of(stages, records, "America/St_Johns")
    assert list(kept) == ["7th, 00:00:30", "6th, 23:01"]


def test_streak_of_days_does_not_bridge_a_date_that_the_zone_left_out() -> None:
    records = [
        act("29th", "2011-12-30T09:00"),
        act("31st", "2011-12-30T11:00"),
        act("1st", "2011-12-31T11:00"),
    ]
    assert points_of([streak(per="day")], records, "Pacific/Apia") == {"1st": 50}


@pytest.mark.parametrize(
    ("day", "zone", "begins"),
    [
        ("2026-11-21", "Europe/London", "2026-11-21T00:00:00+00:00"),
        ("2026-06-21", "Europe/London", "2026-06-20T23:00:00+00:00"),
        ("2025-09-07", "America/Santiago", "2025-09-07T04:00:00+00:00"),
        ("2025-04-25", "Africa/Cairo", "2025-04-24T22:00:00+00:00"),
        ("2026-03-08", "America/Havana", "2026-03-08T05:00:00+00:00"),
        ("2025-11-02", "America/Havana", "2025-11-02T04:00:00+00:00"),
        ("2010-11-07", "America/St_Johns", "2010-11-07T02:30:00+00:00"),
        ("2026-01-01", "Asia/Kathmandu", "2025-12-31T18:15:00+00:00"),
        ("2026-01-01", "Pacific/Kiritimati", "2025-12-31T10:00:00+00:00"),
        ("2011-12-30", "Pacific/Apia", "2011-12-30T10:00:00+00:00"),
        ("2011-12-31", "Pacific/Apia", "2011-12-30T10:00:00+00:00"),
        ("1919-03-31", "America/Toronto", "1919-03-31T04:30:00+00:00"),  # 23:30 to 00:30
    ],
)
def test_local_midnight(day: str, zone: str, begins: str) -> None:
    assert local_midnight(date.fromisoformat(day), zone) == moment(begins)


# Section 6: from points to the score


def test_fading_halves_with_each_half_life_and_never_lifts_what_lies_ahead() -> None:
    shape = {"weight": 30, "half_life_days": 10, "halfway_points": 8}
    rules = document(rule("earn", points=8), purchases=shape)
    records = [act("a", "2026-11-01T10:00")]
    for on, left in (("2026-10-01", 8), ("2026-11-01", 8), ("2026-11-11", 4), ("2026-11-21", 2)):
        assert score(rules, records, on=on).sums["purchases"] == left
    assert score(rules, records, on="2026-11-01").sub_scores["purchases"] == 50
    assert score(rules, records, on="2026-11-01").score == Decimal("150.000")


def test_score_is_rounded_half_up_as_an_exact_decimal() -> None:
    shape = {"weight": 11, "half_life_days": None, "halfway_points": 2}
    result = score(document(rule("earn", points=10), purchases=shape), [act("a", f"{DAY}10:00")])
    assert result.sub_scores["purchases"] == Decimal("96.875")
    assert result.score == Decimal("106.563")  # 106.5625


def test_nobody_has_nothing() -> None:
    records = [act("a", f"{DAY}10:00", state="pending")]
    assert score_brand(brand(), document(RATE), records, date(2026, 12, 1)) == {ANN: Result()}
    assert Result().score == score(document(RATE), []).score == 0


# Section 7: publishing

OLD = rule("earn", points=1, ends=None)
NEW = OLD | {"points": 2}
T = datetime(2026, 11, 1, 12, tzinfo=UTC)
AT = T.isoformat()
EARLIER, LATER = "2026-10-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("name", "current", "draft", "wanted"),
    [
        ("nothing changed", [OLD], [OLD], [OLD]),
        ("said in other words", [OLD], [OLD | {"rate": "0.0", "limits": []}], [OLD]),
        ("a change of title alone", [OLD], [OLD | {"title": "New"}], [OLD | {"title": "New"}]),
        (
            "changed; the old copy keeps its title",
            [OLD],
            [NEW | {"title": "New"}],
            [OLD | {"ends": AT}, NEW | {"title": "New", "starts": AT}],
        ),
        ("gone", [OLD], [], [OLD | {"ends": AT}]),
        ("wholly new", [], [NEW], [NEW | {"starts": AT}]),
        (
            "wholly new, later",
            [],
            [NEW | {"starts": LATER}],
            [NEW | {"starts": LATER}],
        ),
        ("wholly new, over already", [], [NEW | {"ends": EARLIER}], []),
        (
            "an old end before T stays",
            [OLD | {"ends": EARLIER}],
            [],
            [OLD | {"ends": EARLIER}],
        ),
        ("a stage to come that goes was never there", [OLD | {"starts": LATER}], [], []),
        (
            "a stage to come that changes is replaced",
            [OLD | {"ends": LATER}, NEW | {"starts": LATER}],
            [OLD | {"ends": LATER}, OLD | {"points": 9, "starts": LATER}],
            [OLD | {"ends": LATER}, OLD | {"points": 9, "starts": LATER}],
        ),
        (
            "only the present stage changes",
            [NEW | {"ends": EARLIER}, OLD | {"starts": EARLIER}],
            [NEW | {"ends": EARLIER}, OLD | {"starts": EARLIER, "points": 9}],
            [
                NEW | {"ends": EARLIER},
                OLD | {"starts": EARLIER, "ends": AT},
                OLD | {"starts": AT, "points": 9},
            ],
        ),
        (
            "a past stage cannot change",
            [NEW | {"ends": EARLIER}, OLD | {"starts": EARLIER}],
            [NEW | {"ends": EARLIER, "points": 9}, OLD | {"starts": EARLIER}],
            [NEW | {"ends": EARLIER}, OLD | {"starts": EARLIER}],
        ),
        (
            "an end set in the future is a change of the stage",
            [OLD],
            [OLD | {"ends": LATER}],
            [OLD | {"ends": AT}, OLD | {"starts": AT, "ends": LATER}],
        ),
        (
            "an end at T leaves nothing for the next stage",
            [OLD],
            [OLD | {"ends": AT}],
            [OLD | {"ends": AT}],
        ),
    ],
)
def test_publish_from_now_on(
    name: str, current: list[Json], draft: list[Json], wanted: list[Json]
) -> None:
    outcome = publish(document(*current), document(*draft), "now", T)
    assert same_rules(outcome, document(*wanted)), name
    assert publish(document(*current), document(*draft), "date", T) == outcome
    assert publish(document(*current), document(*draft), "always", T) == document(*draft)


def test_publish_takes_the_shape_of_the_score_from_the_draft() -> None:
    draft = document(OLD, purchases={"weight": 30, "halfway_points": 7})
    outcome = publish(document(OLD), draft, "now", T)
    assert outcome["sources"] == draft["sources"]
    assert outcome["rules"] == [OLD]


def test_publish_does_not_cut_a_combo_that_only_got_a_new_title() -> None:
    records = [
        act("a", "2026-10-31T10:00", kind="visit"),
        act("b", "2026-11-01T13:00"),
    ]
    current, title = document(SEE_AND_BUY), SEE_AND_BUY | {"title": "See, buy"}
    assert given(publish(current, document(title), "now", T), records) == [("b", "r", 50)]
    more = SEE_AND_BUY | {"points": 60}
    assert given(publish(current, document(more), "now", T), records) == []


# Random histories


def publications(one: History) -> list[tuple[Json, PublishStep, datetime]]:
    """For each publication of the history: the document before it, itself, and T."""
    found = []
    for before, step in zip(states(one), one.steps, strict=False):
        if step[0] == "publish" and step[2] != "always":
            at = moment(step[3])
            if step[2] != "now":
                at = local_midnight(date.fromisoformat(step[2]), one.brand["time_zone"])
            found.append((before.rules, step, at))
    return found


def score_state(one: History, records: list[Json] | None = None) -> dict[str, Result]:
    state = final_state(one)
    return score_brand(
        one.brand, state.rules, state.records if records is None else records, one.on, state.owner
    )


def stage_at(document_: Json, key: str, at: datetime) -> Json | None:
    """What the stage of that key that is in force at the moment says, its window aside."""
    for stage in document_["rules"]:
        starts, ends = window(stage)
        if stage["key"] == key and starts <= at < ends:
            return identity(stage) | {"starts": None, "ends": None}
    return None


@pytest.mark.parametrize("seed", SEEDS)
def test_published_rules_are_the_old_ones_before_t_and_the_drafts_from_t(seed: int) -> None:
    one = history(seed)
    for current, step, t in publications(one):
        outcome = published(one.brand, current, step[1], step[2], moment(step[3]))
        stages = [stage for rules in (current, step[1], outcome) for stage in rules["rules"]]
        bounds = {t} | {bound for stage in stages for bound in window(stage)}
        tick = timedelta(microseconds=1)
        moments = {bound for bound in bounds if bound.year not in (1, 9999)}
        moments |= {bound - tick for bound in moments}
        for key in {stage["key"] for stage in stages}:
            for at in moments:
                in_force = step[1] if at >= t else current
                assert stage_at(outcome, key, at) == stage_at(in_force, key, at)


@pytest.mark.parametrize("seed", SEEDS)
def test_documents_keep_what_stages_must_share(seed: int) -> None:
    for state in states(history(seed)):
        keyed: dict[str, list[Json]] = {}
        for stage in state.rules["rules"]:
            keyed.setdefault(stage["key"], []).append(stage)
        for stages in keyed.values():
            traits = {(stage["type"], stage.get("source"), stage.get("per")) for stage in stages}
            assert len(traits) == 1
            for before, after in pairwise(sorted(map(window, stages))):
                assert before[0] < before[1] <= after[0]
        assert sum(shape["weight"] for shape in state.rules["sources"].values()) == 100


@pytest.mark.parametrize("seed", SEEDS)
def test_order_of_arrival_and_repeats_do_not_matter(seed: int) -> None:
    one = history(seed)
    records = list(final_state(one).records)
    before = score_state(one)
    Random(seed).shuffle(records)  # noqa: S311  # it must repeat itself
    assert score_state(one, records + records[::3]) == before


@pytest.mark.parametrize("seed", SEEDS)
def test_history_is_the_same_for_the_same_seed_and_goes_through_json(seed: int) -> None:
    one = history(seed)
    assert one == history(seed)
    plain = [one.brand, one.rules, [list(step) for step in one.steps]]
    assert json.loads(json.dumps(plain)) == plain
    latest = max(moment(r["occurred_at"]) for r in final_state(one).records if "kind" in r)
    assert latest <= one.now + timedelta(minutes=5)


def test_histories_are_worth_scoring() -> None:
    """At least half of the rules give something, each type often, each way of publishing."""
    rules: dict[str, list[bool]] = {}
    effective: set[str] = set()
    for seed in range(100):
        one = history(seed)
        awarded = {award.rule for result in score_state(one).values() for award in result.awards}
        for stage in final_state(one).rules["rules"]:
            rules.setdefault(stage["type"], []).append(stage["key"] in awarded)
        effective |= {
            step[2] if step[2] in ("now", "always") else "date"
            for step in one.steps
            if step[0] == "publish"
        }
    assert rules.keys() == {"earn", "bonus", "combo", "streak"}
    assert all(sum(gave) * 3 > len(gave) for gave in rules.values())
    assert sum(map(sum, rules.values())) * 2 >= sum(map(len, rules.values()))
    assert effective == {"now", "always", "date"}


def test_shrunk_history_is_small_and_still_fails() -> None:
    def fails(one: History) -> bool:
        return sum(result.points for result in score_state(one).values()) >= 5

    whole = next(one for one in map(history, SEEDS) if fails(one))
    small = shrunk(whole, fails)
    assert fails(small)
    assert len(final_state(small).records) <= 3
    assert len(small.rules["rules"]) <= 2
