"""What every rule type must pass, whatever it gives points for. A new type needs an example here."""

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from scoring.models import Posting
from scoring.rules import RULE_TYPES
from scoring.run import score_customers

from .world import (
    ANN,
    BOB,
    MICROSECOND,
    NOW,
    Award,
    Json,
    World,
    action,
    correction,
    decision,
    document,
    rule,
    void,
)

pytestmark = pytest.mark.django_db

DAY = date(2026, 11, 22)
BIG = [{"field": "quantity", "op": "at_least", "value": 5}]


class Example(NamedTuple):
    """One rule, the actions that it sees, and what it then gives.

    An action is (name, days from the last day, local time, quantity). A quantity below 5 must not match. What the
    rule gives when the first or the last action does not count is said beside it; ``others`` are rules it needs.
    """

    rule: Json
    actions: list[tuple[str, int, str, int]]
    gives: list[tuple[str, int]]
    without_first: list[tuple[str, int]]
    without_last: list[tuple[str, int]]
    others: tuple[Json, ...] = ()


THREE = [("a", -1, "23:30", 10), ("b", 0, "00:30", 20), ("c", 0, "23:30", 30)]
EXAMPLES = {
    "earn": Example(
        rule("earn", rate=1, points=1, conditions=BIG, limits=[{"per": "day", "points": 30}]),
        THREE,
        gives=[("a", 11), ("b", 21), ("c", 9)],
        without_first=[("b", 21), ("c", 9)],
        without_last=[("a", 11), ("b", 21)],
    ),
    "bonus": Example(
        rule("bonus", percent=50, conditions=BIG, limits=[{"per": "day", "points": 8}]),
        THREE,
        gives=[("a", 5), ("b", 5), ("c", 3)],
        without_first=[("b", 5), ("c", 3)],
        without_last=[("a", 5), ("b", 5)],
        others=(rule("earn", points=10),),
    ),
    "combo": Example(
        rule(
            "combo",
            per="day",
            points=50,
            requires=[{"kinds": ["buy"], "count": 2, "conditions": BIG}],
        ),
        [("a", 0, "00:30", 10), ("b", 0, "23:30", 10)],
        gives=[("b", 50)],
        without_first=[],
        without_last=[],
    ),
    "streak": Example(
        rule("streak", per="day", count=1, length=3, points=80, conditions=BIG),
        [("a", -2, "12:00", 10), ("b", -1, "23:30", 10), ("c", 0, "00:30", 10)],
        gives=[("c", 80)],
        without_first=[],
        without_last=[],
    ),
}


def records(example: Example, last_day: date = DAY, zone: str = "UTC") -> list[Json]:
    """The example's actions, the last of them on this day by the clocks of this zone."""
    found = []
    for name, offset, clock, quantity in example.actions:
        local = datetime.fromisoformat(f"{last_day + timedelta(days=offset)}T{clock}")
        at = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        found.append(action((name, at.isoformat(), quantity)))
    return found


def world_of(example: Example, zone: str = "UTC", **window: str) -> World:
    return World(*example.others, example.rule | window, zone=zone)


def given_by(
    world: World, example: Example, identifier: str | None = None
) -> list[tuple[str, int]]:
    """What the example's own rule gave."""
    awards: list[Award] = world.awards(identifier)
    return [(name, points) for name, key, points in awards if key == example.rule["key"]]


every_type = pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)


def test_every_rule_type_has_an_example() -> None:
    assert list(EXAMPLES) == list(RULE_TYPES)
    assert all(example.rule["type"] == name for name, example in EXAMPLES.items())


@every_type
def test_it_gives_what_its_example_says(example: Example) -> None:
    world = world_of(example)
    world.record(*records(example))
    assert given_by(world, example) == example.gives
    world.verify()


@every_type
def test_sent_and_scored_twice_is_once(example: Example) -> None:
    world = world_of(example)
    world.record(*records(example))
    before = list(Posting.objects.values_list("pk", flat=True))
    assert {outcome.status for outcome in world.send(*records(example))} == {"repeated"}
    score_customers(brand=world.brand, customers=[world.customer().pk], now=NOW)
    assert list(Posting.objects.values_list("pk", flat=True)) == before


@every_type
def test_order_of_arrival_does_not_matter(example: Example) -> None:
    world = world_of(example)
    for record in reversed(records(example)):
        world.record(record)
    assert given_by(world, example) == example.gives
    world.verify()


@every_type
def test_a_late_arrival_takes_its_place(example: Example) -> None:
    first, *others = records(example)
    world = world_of(example)
    world.record(*others)
    assert given_by(world, example) == example.without_first
    world.record(first)
    assert given_by(world, example) == example.gives
    world.verify()


@every_type
def test_a_window_includes_its_start(example: Example) -> None:
    whole = records(example)
    first = datetime.fromisoformat(whole[0]["occurred_at"])
    world = world_of(example, starts=first.isoformat())
    world.record(*whole)
    assert given_by(world, example) == example.gives
    later = example.rule | {"starts": (first + MICROSECOND).isoformat()}
    world.publish(document(*example.others, later), "always")
    assert given_by(world, example) == example.without_first
    world.verify()


@every_type
def test_a_window_excludes_its_end(example: Example) -> None:
    whole = records(example)
    last = datetime.fromisoformat(whole[-1]["occurred_at"])
    world = world_of(example, ends=last.isoformat())
    world.record(*whole)
    assert given_by(world, example) == example.without_last
    later = example.rule | {"ends": (last + MICROSECOND).isoformat()}
    world.publish(document(*example.others, later), "always")
    assert given_by(world, example) == example.gives
    world.verify()


@every_type
def test_a_void_action_does_not_count(example: Example) -> None:
    *others, last = records(example)
    world = world_of(example)
    world.record(*others, last)
    world.record(void("v", last["external_id"]))
    assert given_by(world, example) == example.without_last
    world.record(void("w", others[0]["external_id"]))
    assert len(given_by(world, example)) < len(example.gives)
    world.verify()


@every_type
def test_a_pending_action_counts_once_it_is_accepted(example: Example) -> None:
    *others, last = records(example)
    world = world_of(example)
    world.record(*others, last | {"state": "pending"})
    assert given_by(world, example) == example.without_last
    world.record(decision("d", last["external_id"], accepted=True))
    assert given_by(world, example) == example.gives
    world.verify()


@every_type
def test_a_rejected_action_does_not_count(example: Example) -> None:
    *others, last = records(example)
    world = world_of(example)
    world.record(*others, last | {"state": "pending"})
    world.record(decision("d", last["external_id"], accepted=False))
    assert given_by(world, example) == example.without_last


@every_type
def test_a_corrected_quantity_is_the_one_that_counts(example: Example) -> None:
    *others, last = records(example)
    world = world_of(example)
    world.record(*others, last)
    world.record(correction("c1", last["external_id"], 1))
    assert given_by(world, example) == example.without_last
    world.record(correction("c2", last["external_id"], last["quantity"]))
    assert given_by(world, example) == example.gives
    world.verify()


@every_type
def test_another_brands_action_is_not_seen(example: Example) -> None:
    *others, last = records(example)
    ours, theirs = world_of(example), World(slug="other")
    ours.record(*others)
    theirs.record(last)
    ours.score()
    assert given_by(ours, example) == example.without_last
    assert theirs.rows() == []
    ours.record(last)
    assert given_by(ours, example) == example.gives
    assert theirs.rows() == []


@every_type
def test_another_customers_action_is_not_seen(example: Example) -> None:
    *others, last = records(example)
    world = world_of(example)
    world.record(*others, last | {"identifier": BOB, "external_id": "bob"})
    assert given_by(world, example, ANN) == example.without_last
    world.verify()


@every_type
def test_a_future_action_is_refused_and_one_that_is_nearly_now_counts(example: Example) -> None:
    *others, last = records(example)
    at = datetime.fromisoformat(last["occurred_at"])
    world = world_of(example)
    world.now = at - timedelta(minutes=5, microseconds=1)
    assert [outcome.field for outcome in world.send(*others, last)][-1] == "occurred_at"
    assert given_by(world, example) == example.without_last
    world.now = at - timedelta(minutes=5)
    world.record(last)
    assert given_by(world, example) == example.gives


# A zone and a day on which its clocks do something; what they do.
ODD_DAYS = [
    ("Europe/London", "2026-03-29"),  # 23 hours
    ("Europe/London", "2025-10-26"),  # 25 hours
    ("America/Santiago", "2025-09-07"),  # begins at 01:00
    ("America/Santiago", "2026-04-04"),  # 23:00 to 24:00 comes twice
    ("Africa/Cairo", "2025-04-25"),  # begins at 01:00
    ("America/Havana", "2025-11-02"),  # 00:00 to 01:00 comes twice
    ("Australia/Lord_Howe", "2025-10-05"),  # 23.5 hours
    ("Australia/Lord_Howe", "2026-04-05"),  # 24.5 hours
    ("Asia/Kathmandu", "2026-01-01"),  # at a quarter to the hour
    ("Pacific/Kiritimati", "2025-06-01"),  # 14 hours ahead
    ("Pacific/Niue", "2024-02-29"),  # 11 hours behind, a leap day
]


@pytest.mark.parametrize(("zone", "day"), ODD_DAYS)
@every_type
def test_days_are_the_brands_whatever_its_clocks_do(example: Example, zone: str, day: str) -> None:
    world = world_of(example, zone)
    last_day = date.fromisoformat(day)
    world.record(*records(example, last_day, zone))
    offsets = {name: offset for name, offset, _clock, _quantity in example.actions}
    assert [
        (row.action, row.local_date, row.points)
        for row in world.rows()
        if row.rule == example.rule["key"]
    ] == [
        (name, (last_day + timedelta(days=offsets[name])).isoformat(), points)
        for name, points in example.gives
    ]
