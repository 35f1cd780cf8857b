"""One fact in the middle of a long history: what scoring only the days around it posts equals a recomputation.

Every way in which a rule's periods can reach is one rule here. After each change the whole ledger is recomputed and
compared, and a difference names its rule.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from scoring.periods import PERIODS
from scoring.rules.streak import STREAK_PERIODS

from .world import (
    NOW,
    Json,
    Row,
    World,
    action,
    correction,
    decision,
    rule,
    void,
)

pytestmark = pytest.mark.django_db

FIRST_DAY = datetime(2025, 10, 1, tzinfo=UTC)
DAYS = 420


def limited(key: str, *limits: Json, type_name: str = "earn", **more: object) -> Json:
    base = rule(type_name, key, limits=list(limits))
    base |= {"rate": 1} if type_name == "earn" else {"percent": 50}
    return base | more


def per(period: str, by: str = "customer", **amounts: int) -> Json:
    return {"per": period, "by": by} | amounts


PLAIN = [
    *(limited(f"count-{one}", per(one, count=2)) for one in PERIODS),
    *(limited(f"points-{one}", per(one, points=25)) for one in PERIODS),
    *(limited(f"venue-{one}", per(one, "venue", count=1)) for one in PERIODS),
    limited("day-ever", per("day", count=1), per("ever", count=9)),
    limited("ever-week", per("ever", count=20), per("week", count=1)),  # the first is seeded
    limited("ever-month-venue", per("ever", count=20), per("month", "venue", points=9)),
    limited("ever-points-day", per("ever", points=200), per("day", count=1)),
    limited("old", per("ever", count=3), ends="2026-03-01T00:00:00Z"),
    limited("old", per("ever", count=9), starts="2026-04-01T00:00:00Z"),
    limited(
        "some",
        per("ever", count=5),
        conditions=[
            {"field": "quantity", "op": "at_least", "value": 6},
        ],
    ),
    *(
        rule(
            "combo",
            f"combo-{one}",
            per=one,
            points=50,
            requires=[
                {"kinds": ["buy"], "count": 1},
                {
                    "kinds": ["buy"],
                    "count": 2,
                    "conditions": [
                        {"field": "venue", "op": "is", "value": "soho"},
                    ],
                },
            ],
        )
        for one in PERIODS
    ),
    *(
        rule("streak", f"streak-{one}", per=one, count=count, length=length, points=80)
        for one, count, length in zip(STREAK_PERIODS, (1, 1, 3), (2, 3, 2), strict=True)
    ),
]
# Weeks lie across the ends of months and years: a change runs on from one to the next.
CROSSING = [
    limited("week-month", per("week", count=1), per("month", count=2)),
    limited("month-week", per("month", count=3), per("week", points=9)),
    limited("month-week-venue", per("month", points=30), per("week", "venue", count=1)),
    limited("week-year", per("week", points=9), per("year", points=60)),
    limited("year-week", per("year", points=300), per("week", points=9)),
]
# What a bonus adds depends on the limits of the rules that it works on, and on its own.
BONUSES = {
    "unlimited": [
        limited("earn", per("month", points=30)),
        limited("bonus", type_name="bonus"),
    ],
    "week over month": [
        limited("earn", per("month", points=30)),
        limited("bonus", per("week", count=1), type_name="bonus"),
    ],
    "month over week": [
        limited("earn", per("week", points=9)),
        limited("bonus", per("month", points=10), type_name="bonus"),
    ],
    "day over ever": [
        limited("earn", per("ever", count=20)),
        limited("bonus", per("day", points=3), type_name="bonus"),
    ],
    "ever over day": [
        limited("earn", per("day", points=7)),
        limited("bonus", per("ever", count=20), type_name="bonus"),
    ],
    "ever over ever, and two rules": [
        limited("earn", per("ever", count=12)),
        limited("week", per("week", "venue", count=1)),
        limited("bonus", per("ever", points=60), per("week", count=1), type_name="bonus"),
    ],
    "year by venue over week": [
        limited("earn", per("week", count=1)),
        limited("bonus", per("year", "venue", points=12), type_name="bonus"),
    ],
}


# What was changed is of one kind, and moves what is given for another.
KINDS = {
    "a limit that kinds share": [
        limited("earn", per("day", count=1), per("month", points=30), kinds=["buy", "visit"]),
        limited("bonus", per("week", points=3), type_name="bonus", kinds=["visit"]),
        limited("alone", kinds=["visit"]),
    ],
    "a bonus whose limit kinds share": [
        limited("earn", per("week", count=2)),
        limited("other", per("month", points=20), kinds=["visit"]),
        limited("bonus", per("ever", points=40), type_name="bonus", kinds=["visit", "buy"]),
    ],
    "combos and streaks of both": [
        rule(
            "combo",
            per="month",
            points=50,
            requires=[{"kinds": ["visit"], "count": 2}, {"kinds": ["buy", "visit"], "count": 4}],
        ),
        rule("streak", kinds=["visit", "buy"], per="week", count=2, length=2, points=80),
        rule("streak", "visits", kinds=["visit"], per="day", count=1, length=1, points=80),
    ],
}


def history(kinds: Sequence[str]) -> tuple[list[Row], Random]:
    """Seventy actions over fourteen months, most of them in bunches; and the chance that made them."""
    chance = Random(20261123)  # noqa: S311  # it must repeat itself, it guards nothing
    rows: list[Row] = []
    for n in range(70):
        day = chance.choice([chance.randrange(DAYS), 150 + chance.randrange(9)])
        at = FIRST_DAY + timedelta(days=day, hours=chance.randrange(24))
        venue = chance.choice(["soho", "camden", None])
        kind = chance.choice(kinds)
        rows.append(
            (f"a{n}", at.isoformat(), chance.randrange(1, 12), {"venue": venue, "kind": kind})
        )
    return rows, chance


def changes(rows: list[Row], chance: Random) -> Iterator[Json]:
    """Late arrivals, voids, corrections and decisions, all over the history."""
    names = [row[0] for row in rows]
    chance.shuffle(names)
    for n in range(6):
        at = FIRST_DAY + timedelta(days=65 * n + chance.randrange(20), hours=chance.randrange(24))
        yield action((f"late{n}", at.isoformat(), 7, {"venue": "soho"}))
        yield action((f"later{n}", at.isoformat(), 2, {"venue": "soho"}))
        yield void(f"v{n}", names.pop())
        yield correction(f"c{n}", names.pop(), chance.choice([0, 1, 20]))
        at += timedelta(days=20)
        pending = action((f"p{n}", at.isoformat(), 8, {"venue": "camden"}), state="pending")
        yield pending
        yield decision(f"d{n}", f"p{n}", accepted=True)


def try_changes(world: World, kinds: Sequence[str] = ("buy",)) -> set[str]:
    """Bring one change after the other; returns the rules whose points they moved."""
    rows, chance = history(kinds)
    world.record(*rows)
    world.verify()
    seen = len(world.postings())
    for change in changes(rows, chance):
        world.record(change)
        world.verify()
    return {posting.rule.key for posting in world.postings()[seen:]}


def test_one_change_in_a_long_history_equals_a_recomputation() -> None:
    assert try_changes(World(*PLAIN)) == {one["key"] for one in PLAIN}


@pytest.mark.parametrize("rules", BONUSES.values(), ids=BONUSES)
def test_a_bonus_follows_the_limits_of_what_it_works_on(rules: list[Json]) -> None:
    world = World(*rules)
    assert try_changes(world) == {one["key"] for one in rules}


@pytest.mark.parametrize("rules", KINDS.values(), ids=KINDS)
def test_a_change_of_one_kind_moves_what_is_given_for_another(rules: list[Json]) -> None:
    assert try_changes(World(*rules), ["buy", "visit", "visit"]) == {one["key"] for one in rules}


def test_a_place_that_is_long_past_makes_room_for_ever() -> None:
    """A limit for ever counts what lies before the days that are read."""
    world = World(rule("earn", points=5, limits=[{"per": "ever", "count": 3}]))
    world.record(*((f"a{year}", f"{year}-06-01 10:00") for year in range(2019, 2026)))
    assert [name for name, _key, _points in world.awards()] == ["a2019", "a2020", "a2021"]
    world.record(void("v", "a2020"))
    assert [name for name, _key, _points in world.awards()] == ["a2019", "a2021", "a2022"]
    world.record(("late", "2020-12-31 23:59"))
    assert [name for name, _key, _points in world.awards()] == ["a2019", "late", "a2021"]
    world.record(("new", "11-23 10:00"))
    assert [name for name, _key, _points in world.awards()] == ["a2019", "late", "a2021"]


def test_several_changes_at_once_reach_as_far_as_each_of_them() -> None:
    world = World(*PLAIN)
    rows, chance = history(["buy", "visit"])
    world.record(*rows)
    world.record(*changes(rows, chance))
    world.verify()


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue", "America/Havana"])
def test_the_days_that_are_read_are_local(zone: str) -> None:
    rules = [limited(f"count-{one}", per(one, count=1)) for one in PERIODS]
    world = World(*rules, zone=zone, now=NOW)
    # Every second hour of three days, about the end of a month that is the end of a week too.
    start = datetime(2026, 5, 30, tzinfo=UTC)
    hours = [start + timedelta(hours=2 * n) for n in range(36)]
    for n, at in enumerate(reversed(hours)):
        world.record((f"a{n:02}", at.isoformat(), 3))
    world.verify()
