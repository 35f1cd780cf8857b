"""Several connections at the same instant, on a database in which they really commit."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import TypeVar

import pytest
from django.db import connection, transaction

from accounts.models import Customer, Identifier
from scoring.actions import Outcome, attach_waiting, mark_due, parse_record, record_actions
from scoring.boards import Period, close_boards
from scoring.models import Action, Amendment, ClosedBoard, Due, Posting, RuleSet
from scoring.publication import publish
from scoring.run import Scored, is_due, score_due

from .test_boards import NEXT_MONDAY, POINTS, board_of, founded, places
from .world import BRAND, NOW, Json, World, action, correction, document, rule, void

pytestmark = pytest.mark.usefixtures("committing")

AT = "11-23 10:00"
Answer = TypeVar("Answer")


def at_once(acts: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """Run each in a thread and on a connection of its own, all of them let go together."""
    gate = Barrier(len(acts))

    def one(act: Callable[[], Answer]) -> Answer:
        try:
            connection.ensure_connection()
            gate.wait(timeout=30)
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


@pytest.fixture
def world(committing: None) -> World:
    return World(rule("earn", rate=1))


def bring(world: World, *records: Json) -> list[Outcome]:
    rows = [parse_record(record) for record in records]
    return record_actions(brand=world.brand, rows=rows, now=NOW)


def test_the_same_record_from_eight_connections_is_one_action(world: World) -> None:
    """Each brings the same twenty records of five new customers, in an order of its own."""
    records = [
        action((f"a{n}", AT, n + 1), identifier=f"card:{n % 5}") | {"channel": "web"}
        for n in range(20)
    ]
    outcomes = at_once(
        [
            lambda turn=turn: bring(world, *records[turn:], *records[:turn])  # type: ignore[misc]
            for turn in range(8)
        ]
    )
    statuses = sorted(outcome.status for group in outcomes for outcome in group)
    assert statuses == ["accepted"] * 20 + ["repeated"] * 140
    assert Action.objects.count() == 20
    assert Customer.objects.count() == 5
    assert Identifier.objects.count() == 10
    world.score()
    assert len(world.awards()) == 20
    assert Posting.objects.count() == 20
    world.verify()


def test_of_different_contents_under_one_key_exactly_one_is_taken(world: World) -> None:
    outcomes = at_once(
        [lambda n=n: bring(world, action(("a", AT, n + 1)))[0] for n in range(8)]  # type: ignore[misc]
    )
    taken = [n for n, outcome in enumerate(outcomes) if outcome.status == "accepted"]
    assert len(taken) == 1
    assert sorted(outcome.status for outcome in outcomes) == ["accepted"] + ["refused"] * 7
    assert {outcome.action_id for outcome in outcomes} == {Action.objects.get().pk}
    world.score()
    assert world.awards() == [("a", "earn", taken[0] + 1)]


def test_an_action_and_its_amendments_at_the_same_instant_find_each_other(world: World) -> None:
    """Neither sees the other while both are uncommitted; the sweep joins what they missed."""

    def pair(n: int) -> list[Callable[[], list[Outcome]]]:
        return [
            lambda: bring(world, action((f"a{n}", AT, 10))),
            lambda: bring(world, correction(f"c{n}", f"a{n}", 4)),
        ]

    at_once([act for n in range(4) for act in pair(n)])
    attach_waiting(brand=world.brand, now=NOW)
    assert not Amendment.objects.filter(action=None).exists()
    world.score()
    assert world.awards() == [(f"a{n}", "earn", 4) for n in range(4)]
    assert attach_waiting(brand=world.brand, now=NOW) == 0


def test_an_amendment_that_could_not_see_its_action_is_joined_later(world: World) -> None:
    """The case itself: the void comes and goes while its action is not committed yet."""
    with transaction.atomic():
        bring(world, action(("a", AT, 10)))
        [[outcome]] = at_once([lambda: bring(world, void("v", "a"))])
        assert outcome == Outcome("accepted", action_id=None)
    world.score()
    assert world.awards() == [("a", "earn", 10)]
    assert attach_waiting(brand=world.brand, now=NOW) == 1
    assert is_due(brand=world.brand)
    world.score()
    assert world.awards() == []
    world.verify()


def test_workers_score_different_customers_and_nobody_twice(world: World) -> None:
    records = [action((f"a{n}", AT, n + 1), identifier=f"card:{n % 40}") for n in range(120)]
    bring(world, *records)
    assert Due.objects.count() == 40

    def work() -> list[int]:
        scored: list[int] = []
        while is_due(brand=world.brand):
            scored += [one.customer_id for one in score_due(brand=world.brand, now=NOW, limit=4)]
        return scored

    scored = at_once([work] * 4)
    everyone = [customer for group in scored for customer in group]
    assert len(everyone) == len(set(everyone)) == 40
    assert Posting.objects.count() == 120
    world.verify()


def test_whoever_is_being_scored_is_left_to_whoever_began(world: World) -> None:
    """A second worker would not see what the first has posted, and would post it again."""

    def arrive_and_work() -> list[Scored]:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        bring(world, action(("b", AT, 7)), action(("c", AT, 1), identifier="card:1"))
        return score_due(brand=world.brand, now=NOW)

    ann = world.customer().pk
    bring(world, action(("a", AT, 10)))
    with transaction.atomic():
        assert [one.customer_id for one in score_due(brand=world.brand, now=NOW)] == [ann]
        [others] = at_once([arrive_and_work])
    assert [one.customer_id for one in others] == [world.customer("card:1").pk]
    assert is_due(brand=world.brand)
    world.score()
    assert world.awards() == [("a", "earn", 10), ("b", "earn", 7), ("c", "earn", 1)]
    assert Posting.objects.count() == 3
    world.verify()


def test_facts_that_arrive_while_everyone_is_scored_are_not_lost(world: World) -> None:
    records = [action((f"a{n}", AT, 1), identifier=f"card:{n % 10}") for n in range(100)]

    def arrive() -> None:
        for start in range(0, 100, 10):
            bring(world, *records[start : start + 10])

    def work() -> None:
        for _turn in range(30):
            score_due(brand=world.brand, now=NOW, limit=3)

    def everyone_again() -> None:
        for _turn in range(3):
            mark_due(brand=world.brand, customers=None, why="rules", now=NOW)

    at_once([arrive, work, work, everyone_again])
    world.score()
    assert Posting.objects.count() == 100
    world.verify()


def test_publications_at_once_become_versions_without_gaps(world: World) -> None:
    bring(world, action(("a", AT, 10)))

    def put(rate: int) -> RuleSet:
        rules = document(rule("earn", rate=rate))
        return publish(brand=world.brand, document=rules, effective="always", now=NOW)

    published = at_once([lambda rate=rate: put(rate) for rate in range(2, 8)])  # type: ignore[misc]
    assert sorted(one.version or 0 for one in published) == [2, 3, 4, 5, 6, 7]
    last = max(published, key=lambda one: one.version or 0)
    world.score()
    rate = int(last.rules.get().definition["rate"])
    assert world.awards() == [("a", "earn", 10 * rate)]
    world.verify()


def test_brands_do_not_wait_for_each_other(world: World) -> None:
    other = World(rule("earn", rate=1), slug=f"{BRAND['slug']}-2")
    bring(world, action(("a", AT, 10)))
    with transaction.atomic():
        score_due(brand=world.brand, now=NOW)

        def bring_and_score() -> None:
            bring(other, action(("a", AT, 7)))
            other.score()

        at_once([bring_and_score])
        assert other.awards() == [("a", "earn", 7)]
    assert world.awards() == [("a", "earn", 10)]


def test_a_week_that_several_close_at_once_is_closed_once(world: World) -> None:
    founded(world.brand, "2026-11-30")
    board_of(POINTS, world=world)
    later = NEXT_MONDAY + timedelta(days=28)
    boards = at_once([lambda: close_boards(brand=world.brand, now=later)] * 4)
    assert sum(map(len, boards)) == ClosedBoard.objects.count() == 6
    week = ClosedBoard.objects.get(period=Period.WEEK, starts_on="2026-11-30")
    assert len(places(week)) == 9
