"""Identifiers that several move at the same instant, while others score: nobody waits for ever, and no move is lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import pairwise
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet

from accounts.choices import switch_source
from accounts.identity import (
    IdentityError,
    Link,
    claim_identifier,
    decide_dispute,
    identifiers_of,
    join_brand,
    link_identifier,
    make_link_code,
    merge_customers,
    redeem_link_code,
    split_customer,
    undo_moves,
    unlink_identifier,
)
from accounts.models import Customer, Dispute, Identifier, LinkCode, LinkEvent, User
from scoring.actions import parse_record, record_actions
from scoring.models import Source
from scoring.run import score_due

from .test_at_once import at_once
from .world import NOW, World, action, rule

pytestmark = pytest.mark.usefixtures("committing")

AT = "11-23 10:00"
CARDS = [f"card:{n}" for n in range(4)]
CARD = CARDS[0]
REFUSED = "refused"


@pytest.fixture
def world(committing: None) -> World:
    return World(rule("earn", rate=1))


@pytest.fixture
def members(world: World) -> list[Customer]:
    users = [User.objects.create_user(f"c{n}@example.org") for n in range(6)]
    return [join_brand(brand=world.brand, user=user, now=NOW) for user in users]


@pytest.fixture
def staff(committing: None) -> User:
    return User.objects.create_user("staff@example.org")


def link(customer: Customer, text: str = CARD) -> Link:
    return link_identifier(customer=customer, text=text, proof=Identifier.Proof.PROVIDER, now=NOW)


def holder(text: str = CARD) -> Customer:
    return Identifier.objects.get(value=text.partition(":")[2]).customer


def unless_refused(act: Callable[[], object]) -> Callable[[], object]:
    """The act, which says so where it is refused."""

    def acted() -> object:
        try:
            return act()
        except IdentityError:
            return REFUSED

    return acted


def the_history_is_whole() -> None:
    """Each identifier went from hand to hand, and lies where its last move put it."""
    for identifier in Identifier.objects.all():
        events = list(LinkEvent.objects.filter(identifier=identifier).order_by("pk"))
        for one, following in pairwise(events):
            assert following.from_customer_id == one.to_customer_id
        assert not events or events[-1].to_customer_id == identifier.customer_id


@pytest.mark.parametrize("is_known", [True, False])
def test_of_all_who_link_the_same_at_once_one_has_it(
    world: World, members: list[Customer], is_known: bool
) -> None:
    if is_known:
        world.record(action(("a", AT, 5), identifier=CARD))
    links = at_once([partial(link, one) for one in members])
    assert [one.moved for one in links].count(True) == 1
    assert Dispute.objects.count() == len(members) - 1
    assert holder() == members[[one.moved for one in links].index(True)]
    assert LinkEvent.objects.filter(identifier__scheme="card").count() == 1
    world.score()
    world.verify()


def test_linked_eight_times_at_once_it_is_linked_once(
    world: World, members: list[Customer]
) -> None:
    links = at_once([lambda: link(members[0])] * 8)
    assert sorted(one.moved for one in links) == [False] * 7 + [True]
    assert not Dispute.objects.exists()
    assert LinkEvent.objects.filter(identifier__scheme="card").count() == 1


def test_who_waits_for_an_identifier_sees_where_it_went(
    world: World, members: list[Customer]
) -> None:
    """The case itself: while one waits for its holder, it gets another one."""
    world.record(action(("a", AT, 5), identifier=CARD))

    def link_second() -> Link:
        try:
            return link(members[1])
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            link(members[0])
            second = pool.submit(link_second)
            while not somebody_waits():
                assert not second.done()
        assert second.result().dispute == Dispute.objects.get(claimant=members[1])
    assert holder() == members[0]


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("way", ["link", "claim", "merge", "merge into", "unlink"])
def test_customers_are_locked_in_the_order_of_their_ids(
    world: World, members: list[Customer], staff: User, place: int, way: str
) -> None:
    """While the first is held by another, the second is free; while the second is, the first is locked."""
    world.record(action(("a", AT, 5), identifier=CARD))
    one, other = members[0], holder()
    merge = partial(merge_customers, by=staff, reason="", now=NOW)
    acts: dict[str, Callable[[], object]] = {
        "link": partial(link, one),
        "claim": partial(
            claim_identifier, customer=one, text=CARD, proof=Identifier.Proof.CODE, now=NOW
        ),
        "merge": partial(merge, kept=members[1], merged=one),
        "merge into": partial(merge, kept=one, merged=members[1]),
    }
    if way == "unlink":
        identifier = link(one).identifier
        acts[way] = partial(unlink_identifier, customer=one, identifier=identifier, now=NOW)
    if way.startswith("merge"):
        other = members[1]
    first, second = sorted([one.pk, other.pk])
    held, asked = (first, second) if place == 0 else (second, first)

    def act() -> object:
        try:
            return acts[way]()
        finally:
            connection.close()

    locked = Customer.objects.select_for_update(no_key=True, skip_locked=True)
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        assert len(locked.filter(pk=held)) == 1
        acting = pool.submit(act)
        while not somebody_waits():
            assert not acting.done()
        assert len(locked.filter(pk=asked)) == 1 - place
        transaction.set_rollback(True)


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT EXISTS (
                SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
                WHERE NOT granted AND datname = current_database()
            )
            """
        )
        return bool(cursor.fetchone()[0])


def test_two_who_are_merged_into_each_other_become_one(
    world: World, members: list[Customer], staff: User
) -> None:
    one, other = members[:2]

    def merge(kept: Customer, merged: Customer) -> Callable[[], object]:
        return unless_refused(
            lambda: merge_customers(kept=kept, merged=merged, by=staff, reason="", now=NOW)
        )

    for _turn in range(5):
        groups = at_once([merge(one, other), merge(other, one)])
        assert groups.count(REFUSED) == 1
        assert Customer.objects.filter(merged_into=None).count() == len(members) - 1
        [group] = [group for group in groups if isinstance(group, UUID)]
        undo = partial(undo_moves, brand=world.brand, group=group, by=staff, now=NOW)
        undone = at_once([unless_refused(undo)] * 4)
        assert undone.count(REFUSED) == 3
        assert not Customer.objects.exclude(merged_into=None).exists()
    the_history_is_whole()


def test_a_code_and_a_decision_are_used_once(
    world: World, members: list[Customer], staff: User
) -> None:
    code = make_link_code(brand=world.brand, text=CARD, by=staff, lasts=timedelta(days=1), now=NOW)
    links = at_once(
        [
            unless_refused(partial(redeem_link_code, customer=one, code=code, now=NOW))
            for one in members
        ]
    )
    assert links.count(REFUSED) == len(members) - 1
    assert LinkCode.objects.get().used_by == holder()
    # Who was refused left nothing behind.
    assert not Dispute.objects.exists()
    claimant = next(one for one in members if one != holder())
    dispute = link(claimant).dispute
    assert dispute is not None
    decide = partial(decide_dispute, by=staff, note="", now=NOW)
    decided = at_once(
        [
            unless_refused(partial(decide, dispute=Dispute.objects.get(), move=move))
            for move in (True, False, True, False)
        ]
    )
    assert decided.count(REFUSED) == 3
    dispute.refresh_from_db()
    assert (holder() == claimant) == dispute.moved


def test_a_source_that_is_switched_while_something_is_linked_is_off_for_all(
    world: World, members: list[Customer]
) -> None:
    for turn in range(10):
        switch = partial(switch_source, customer=members[0], source=Source.PURCHASES, now=NOW)
        acts: list[Callable[[], object]] = [
            partial(switch, on=bool(turn % 2)),
            partial(link, members[0], f"card:{turn}"),
        ]
        at_once(acts)
        off = Customer.objects.get(pk=members[0].pk).sources_off
        assert {one.sources_off for one in members[0].identifiers.all()} == {off}


def bring(world: World, turn: int) -> None:
    """Fifteen times, an action for each card."""
    for n in range(15):
        rows = [
            parse_record(action((f"{turn}-{n}-{card}", AT, 1), identifier=card)) for card in CARDS
        ]
        record_actions(brand=world.brand, rows=rows, now=NOW)


def work(world: World) -> None:
    for _turn in range(40):
        score_due(brand=world.brand, now=NOW, limit=2)


def link_and_unlink(members: list[Customer], turn: int) -> None:
    """Link one card after the other to one member after the other, and take two back each time."""
    for n in range(24):
        member = members[(turn + n) % 4]
        link(member, CARDS[(turn * 3 + n) % len(CARDS)])
        for identifier in list(cards_of(member))[:2]:
            unless_refused(
                partial(unlink_identifier, customer=member, identifier=identifier, now=NOW)
            )()


def merge_and_undo(world: World, members: list[Customer], staff: User) -> None:
    for n in range(12):
        kept, merged = members[4 + n % 2], members[5 - n % 2]
        group = merge_customers(kept=kept, merged=merged, by=staff, reason="", now=NOW)
        link(kept, "card:9")
        undo_moves(brand=world.brand, group=group, by=staff, now=NOW)


def split(members: list[Customer], staff: User) -> None:
    for n in range(16):
        member = members[n % 4]
        unless_refused(
            partial(
                split_customer,
                customer=member,
                identifiers=cards_of(member),
                by=staff,
                reason="",
                now=NOW,
            )
        )()


def cards_of(member: Customer) -> QuerySet[Identifier]:
    return identifiers_of(customer=member).filter(scheme="card")


def test_moves_arrivals_and_scoring_cross_and_nothing_is_lost(
    world: World, members: list[Customer], staff: User
) -> None:
    """Each of many moves at once takes the customers in another order; workers and arrivals run against them."""
    at_once(
        [
            partial(bring, world, 0),
            *(partial(link_and_unlink, members, turn) for turn in range(3)),
            partial(work, world),
            partial(work, world),
            partial(merge_and_undo, world, members, staff),
            partial(split, members, staff),
        ]
    )
    the_history_is_whole()
    assert LinkEvent.objects.count() > 100
    world.score()
    world.verify()
    assert len(world.awards()) == 60


def test_a_customer_who_is_being_scored_is_moved_after(
    world: World, members: list[Customer]
) -> None:
    """The scorer's facts and the move never mix: who moves waits until the score is written."""
    world.record(action(("a", AT, 5), identifier=CARD))

    def link_card() -> Link:
        try:
            return link(members[0])
        finally:
            connection.close()

    record_actions(
        brand=world.brand, rows=[parse_record(action(("b", AT, 7), identifier=CARD))], now=NOW
    )
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            scored = score_due(brand=world.brand, now=NOW)
            moved = pool.submit(link_card)
            while not somebody_waits():
                assert not moved.done()
        assert moved.result().moved
    assert len(scored) == 1
    world.score()
    assert world.awards(CARD) == [("a", "earn", 5), ("b", "earn", 7)]
    world.verify()
