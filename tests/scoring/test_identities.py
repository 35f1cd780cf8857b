"""Linked, unlinked, merged, split and undone in any way: everybody's score is that of the final links.

Random histories over several customers and identifiers, with actions, corrections, voids and late arrivals in between,
scored at random moments. At the end each customer's postings, daily points, score and badges are those of a twin brand
in which the final links had always held, and those of the oracle; and a recomputation finds no difference.
"""

import os
from collections import Counter
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.choices import switch_source
from accounts.identity import (
    OWN_SCHEME,
    IdentityError,
    can_be_undone,
    create_customer,
    decide_dispute,
    identifiers_of,
    join_brand,
    link_identifier,
    merge_customers,
    parse_identifier,
    split_customer,
    undo_moves,
    unlink_identifier,
)
from accounts.models import Brand, Customer, Dispute, Identifier, LinkEvent, User
from scoring.actions import parse_record, record_actions
from scoring.brands import setup_brand
from scoring.models import Badge, BadgeEarned, DailyPoints, Posting, Score
from scoring.publication import publish
from scoring.run import is_due, score_all, score_due
from scoring.verify import verify_ledger
from tests.histories import Maker
from tests.oracle import Json, Result, moment, score_brand

from .test_badges import some_badges
from .world import ANN, BOB, NOW, World, action, rule

AT = "11-23 10:00"

# How many histories a run tries. Another number than usual tries others than usual.
HISTORIES = int(os.environ.get("LAUREL_HISTORIES", "20"))
ADDRESSES = [f"email:c{n}@example.org" for n in range(3)]
NAMES = [*ADDRESSES, "card:1", "card:2", "birdsong:@c3", "phone:+442079460000"]
# How far back a link counts: nothing of the past, some of it, all of it.
WINDOWS = (0, 3, 7, 20, 3650)

pytestmark = pytest.mark.django_db

Picture = dict[str, Any]


class Story:
    """A brand with three members and seven identifiers, and records that have not arrived yet."""

    def __init__(self, seed: int) -> None:
        maker, chance = Maker(seed), Random(seed)  # noqa: S311  # it must repeat itself
        self.seed = seed
        self.rules = maker.make_document()
        self.design = maker.brand
        for record in maker.actions:
            record["identifier"] = chance.choice(NAMES)
        self.records = [*maker.actions, *maker.make_changes()]
        self.records += chance.sample(self.records, len(self.records) // 10)
        chance.shuffle(self.records)
        self.arrived = 0
        self.now = maker.now
        self.on = maker.now.astimezone(maker.zone).date()
        self.at = datetime.combine(self.on, time(12), tzinfo=maker.zone)
        # Links are made while the actions happen, so that windows cut some of them off.
        self.clock = maker.odd - timedelta(days=35)
        self.days = chance.choice(WINDOWS)
        # The oracle knows nothing of sources that are switched off, so half of the stories have none.
        self.may_switch = chance.choice([True, False])
        self.brand = self.found(self.design)
        self.staff = User.objects.create_user("staff@example.org")
        self.members = [
            join_brand(brand=self.brand, user=User.objects.create_user(name[6:]), now=self.clock).pk
            for name in ADDRESSES
        ]

    def found(self, design: Json) -> Brand:
        """A brand with the rules and badges of this story."""
        brand = setup_brand(document=design)
        brand.credit_days = self.days
        brand.save()
        publish(brand=brand, document=self.rules, effective="always", now=self.at)
        for n, one in enumerate(some_badges(self.seed, design["kinds"])):
            Badge.objects.create(brand=brand, slug=f"b{n}", title="B", source=1, **one)
        return brand

    def bring(self, brand: Brand, records: list[Json]) -> None:
        """Records arrive."""
        rows = [parse_record(record) for record in records]
        outcomes = record_actions(brand=brand, rows=rows, now=self.now)
        assert "refused" not in {outcome.status for outcome in outcomes}

    def score(self) -> None:
        """All that is due."""
        while is_due(brand=self.brand):
            score_due(brand=self.brand, now=self.at, limit=3)

    def happen(self, steps: list[tuple[Any, ...]]) -> Counter[str]:
        """One thing after the other; returns how often each was not refused."""
        done: Counter[str] = Counter()
        for name, *how in steps:
            self.clock += timedelta(days=1)
            try:
                with transaction.atomic():
                    getattr(self, name)(*how)
            except IdentityError:
                continue
            done[name] += 1
        return done

    # What can happen. Each may be refused, which changes nothing.

    def record(self, count: int) -> None:
        self.bring(self.brand, self.records[self.arrived : self.arrived + count])
        self.arrived += count

    def work(self, limit: int) -> None:
        score_due(brand=self.brand, now=self.at, limit=limit)

    def link(self, member: int, name: int) -> None:
        link_identifier(
            customer=Customer.objects.get(pk=self.members[member]),
            text=NAMES[name],
            proof=Identifier.Proof.PROVIDER,
            now=self.clock,
        )

    def unlink(self, name: int) -> None:
        identifier = self.identifier(NAMES[name])
        unlink_identifier(customer=identifier.customer, identifier=identifier, now=self.clock)

    def merge(self, one: int, other: int) -> None:
        kept, merged = self.some(one), self.some(other)
        if kept.joined_at is None:
            kept, merged = merged, kept
        merge_customers(kept=kept, merged=merged, by=self.staff, reason="", now=self.clock)

    def split(self, one: int, which: int) -> None:
        customer = self.some(one)
        split_customer(
            customer=customer,
            identifiers=[
                identifier
                for place, identifier in enumerate(identifiers_of(customer=customer))
                if which >> place & 1
            ],
            by=self.staff,
            reason="",
            now=self.clock,
        )

    def undo(self, which: int) -> None:
        groups = {e.group: None for e in LinkEvent.objects.order_by("pk") if can_be_undone(event=e)}
        if not groups:
            raise IdentityError("nothing to undo")
        group = list(groups)[-1 - which % len(groups)]
        undo_moves(brand=self.brand, group=group, by=self.staff, now=self.clock)

    def decide(self, move: bool) -> None:
        dispute = Dispute.objects.filter(decided_at=None).order_by("pk").first()
        if dispute is None:
            raise IdentityError("nothing to decide")
        decide_dispute(dispute=dispute, move=move, by=self.staff, note="", now=self.clock)

    def switch(self, member: int, source: int, on: bool) -> None:
        if not self.may_switch:
            raise IdentityError("nobody switches anything off here")
        customer = Customer.objects.get(pk=self.members[member])
        switch_source(customer=customer, source=source, on=on, now=self.clock)

    def some(self, which: int) -> Customer:
        """One of the customers who hold more than their own identifier."""
        found = Customer.objects.filter(brand=self.brand, identifiers__scheme__in=SCHEMES)
        customers = list(found.distinct().order_by("pk"))
        return customers[which % len(customers)]

    def identifier(self, text: str) -> Identifier:
        scheme, value = parse_identifier(text)
        found = Identifier.objects.select_related("customer").filter(
            brand=self.brand, scheme=scheme, value=value
        )
        identifier = found.first()
        if identifier is None:
            raise IdentityError("nobody knows it")
        return identifier

    # How it ends

    def twin(self) -> dict[int, int]:
        """A brand in which every identifier was always where it is now; whose customers are whose."""
        brand = self.found(self.design | {"slug": f"{self.design['slug']}-twin"})
        twins: dict[int, int] = {}
        for one in Identifier.objects.filter(brand=self.brand).exclude(scheme=OWN_SCHEME):
            if one.customer_id not in twins:
                twins[one.customer_id] = create_customer(brand=brand, now=self.clock).pk
            Identifier.objects.create(
                brand=brand,
                customer_id=twins[one.customer_id],
                scheme=one.scheme,
                value=one.value,
                counts_from=one.counts_from,
                sources_off=one.customer.sources_off,
            )
        for pk, twin in twins.items():
            off = Customer.objects.get(pk=pk).sources_off
            Customer.objects.filter(pk=twin).update(sources_off=off)
        self.bring(brand, self.records)
        score_all(brand=brand, now=self.at)
        assert verify_ledger(brand=brand).differences == []
        return twins

    def agree_with_the_twin(self) -> None:
        twins = self.twin()
        for customer in Customer.objects.filter(brand=self.brand):
            found = picture(customer.pk)
            expected = picture(twins[customer.pk]) if customer.pk in twins else NOTHING
            assert found == expected, customer

    def agree_with_the_oracle(self) -> None:
        held = {str(one): one for one in Identifier.objects.filter(brand=self.brand)}
        records = [record for record in self.records if "type" in record]
        records += [record for identifier, record in self.uses() if counts(identifier, record)]
        owner = {text: str(one.customer_id) for text, one in held.items()}
        expected = score_brand(self.design, self.rules, records, self.on, owner)
        for pk in Customer.objects.filter(brand=self.brand).values_list("pk", flat=True):
            result = expected.get(str(pk), Result())
            score = Score.objects.filter(pk=pk).first()
            assert (score.points if score else 0) == result.points
            assert (score.score if score else Decimal(0)) == result.score

    def uses(self) -> list[tuple[Identifier, Json]]:
        """Every action with its identifier as it is held now."""
        held = {str(one): one for one in Identifier.objects.filter(brand=self.brand)}
        return [(held[one["identifier"]], one) for one in self.records if "type" not in one]

    def the_history_is_whole(self) -> None:
        """Every identifier went from hand to hand, and is held as its last move says."""
        for identifier in Identifier.objects.filter(brand=self.brand):
            events = list(LinkEvent.objects.filter(identifier=identifier).order_by("pk"))
            for one, following in pairwise(events):
                assert following.from_customer_id == one.to_customer_id
            if events:
                last = events[-1]
                assert (last.to_customer_id, last.proof, last.counts_from) == (
                    identifier.customer_id,
                    identifier.proof,
                    identifier.counts_from,
                )
            assert (identifier.proven_at is None) == (identifier.proof == "")
            assert identifier.sources_off == identifier.customer.sources_off
            assert identifier.customer.merged_into_id is None
        for customer in Customer.objects.filter(brand=self.brand, merged_into=None):
            assert customer.identifiers.filter(scheme=OWN_SCHEME, value=customer.public_id).exists()


SCHEMES = {parse_identifier(name)[0] for name in NAMES}
NOTHING: Picture = {
    "awards": [],
    "days": [],
    "badges": [],
    "score": (Decimal(0), 0, [0.0] * 6, [0] * 6),
}


def counts(identifier: Identifier, record: Json) -> bool:
    since = identifier.counts_from
    return since is None or moment(record["occurred_at"]) >= since


def picture(customer: int) -> Picture:
    """All that scoring says of a customer."""
    postings = Posting.objects.filter(customer=customer)
    whats = ("action__origin", "action__external_id", "rule__key", "source", "local_date")
    awards = postings.values_list(*whats).annotate(sum=Sum("points")).exclude(sum=0)
    days = DailyPoints.objects.filter(customer=customer).exclude(points=0)
    badges = BadgeEarned.objects.filter(customer=customer, revoked_at=None)
    scores = Score.objects.filter(customer=customer)
    known = ("score", "points", "sub_scores", "source_points")
    return {
        "awards": sorted(awards),
        "days": sorted(days.values_list("source", "local_date", "points")),
        "badges": sorted(badges.values_list("badge__slug", "level", "earned_at")),
        "score": scores.values_list(*known).first() or NOTHING["score"],
    }


def pictures(brand: Brand) -> dict[str, Picture]:
    """The same of all customers who hold something, by what they hold."""
    told = {}
    for customer in Customer.objects.filter(brand=brand):
        held = " ".join(sorted(map(str, identifiers_of(customer=customer))))
        if held:
            told[held] = picture(customer.pk)
        else:
            assert picture(customer.pk) == NOTHING
    return told


MEMBER, NAME, ONE = st.integers(0, 2), st.integers(0, len(NAMES) - 1), st.integers(0, 9)
STEPS = st.one_of(
    st.tuples(st.just("record"), st.integers(1, 40)),
    st.tuples(st.just("work"), st.sampled_from([1, 2, 50, 50])),
    st.tuples(st.just("link"), MEMBER, NAME),
    st.tuples(st.just("unlink"), NAME),
    st.tuples(st.just("merge"), ONE, ONE),
    st.tuples(st.just("split"), ONE, st.integers(1, 31)),
    st.tuples(st.just("undo"), ONE),
    st.tuples(st.just("decide"), st.booleans()),
    st.tuples(st.just("switch"), MEMBER, st.integers(1, 6), st.booleans()),
)


def test_whatever_was_linked_before_scores_are_those_of_the_final_links() -> None:
    done: Counter[str] = Counter()

    @settings(
        max_examples=HISTORIES,
        deadline=None,
        database=None,
        derandomize="LAUREL_HISTORIES" not in os.environ,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(1, 100_000), st.lists(STEPS, min_size=12, max_size=40))
    def check(seed: int, steps: list[tuple[Any, ...]]) -> None:
        with transaction.atomic():
            story = Story(seed)
            go_on(story)
            half = len(steps) // 2
            done.update(story.happen(steps[:half]))
            # What moves from here on is marked by nothing but its move.
            story.record(len(story.records))
            story.score()
            done.update(story.happen(steps[half:]))
            story.score()
            story.the_history_is_whole()
            story.agree_with_the_twin()
            if not story.may_switch:
                story.agree_with_the_oracle()
                done["cut"] += any(not counts(*one) for one in story.uses())
            before = Posting.objects.count()
            score_all(brand=story.brand, now=story.at)
            assert Posting.objects.count() == before
            assert verify_ledger(brand=story.brand).differences == []
            transaction.set_rollback(True)

    check()
    # Histories in which everything is refused would prove nothing.
    for name in ("link", "unlink", "merge", "split", "undo"):
        assert done[name] >= HISTORIES // 4, name
    assert done["decide"]
    assert done["cut"] >= HISTORIES // 20


# What can be said of one move


@pytest.fixture(params=range(1, 7))
def story(request: pytest.FixtureRequest) -> Story:
    """A story of which a third has arrived and is scored."""
    story = Story(request.param)
    go_on(story)
    return story


def go_on(story: Story) -> None:
    """Another third arrives, and is scored."""
    story.record(len(story.records) // 3)
    story.score()


def told_without(story: Story) -> dict[str, Picture]:
    """How the story would go on if nothing were linked."""
    with transaction.atomic():
        arrived = story.arrived
        go_on(story)
        told = pictures(story.brand)
        story.arrived = arrived
        transaction.set_rollback(True)
    return told


def test_linked_and_unlinked_both_scores_are_what_they_would_have_been(story: Story) -> None:
    expected = told_without(story)
    unlinked = pictures(story.brand)
    for name in (3, 4, 5):
        story.link(0, name)
    story.score()
    assert pictures(story.brand) != unlinked
    go_on(story)
    for name in (4, 3, 5):
        story.unlink(name)
    story.score()
    assert pictures(story.brand) == expected


def test_linked_anew_it_gives_nothing_new(story: Story) -> None:
    story.link(0, 3)
    go_on(story)
    linked = pictures(story.brand)
    for days in (1, 400):
        story.unlink(3)
        story.score()
        story.clock += timedelta(days=days)
        story.link(0, 3)
        story.score()
        assert pictures(story.brand) == linked


def test_merged_and_undone_both_scores_are_what_they_would_have_been(story: Story) -> None:
    story.link(1, 3)
    story.link(0, 4)
    story.score()
    expected = told_without(story)
    one, other = (Customer.objects.get(pk=story.members[place]) for place in (0, 1))
    group = merge_customers(
        kept=one, merged=other, by=story.staff, reason="one person", now=story.clock
    )
    story.score()
    assert picture(other.pk) == NOTHING
    go_on(story)
    undo_moves(brand=story.brand, group=group, by=story.staff, now=story.clock)
    story.score()
    assert pictures(story.brand) == expected


def test_a_customer_with_thirty_identities() -> None:
    """One limit holds for all of them together; each can be taken away and given back, and all at once."""
    world = World(rule("earn", rate=1, limits=[{"per": "day", "points": 100}]))
    cards = [f"card:{n}" for n in range(30)]
    world.record(*(action((f"a{n}", AT, n), identifier=card) for n, card in enumerate(cards)))
    ann = join_brand(brand=world.brand, user=User.objects.create_user(ANN[6:]), now=NOW)
    apart = pictures(world.brand)
    for card in cards:
        link_identifier(customer=ann, text=card, proof=Identifier.Proof.CODE, now=NOW)
    world.score()
    # In the order of their numbers as texts: 1 and 10 to 16 make 92, and of the 17 there is room for 8.
    assert (world.stored(ANN).points, len(world.awards(ANN))) == (100, 9)
    together = pictures(world.brand)
    world.verify()

    staff = User.objects.create_user("staff@example.org")
    kept = join_brand(brand=world.brand, user=User.objects.create_user(BOB[6:]), now=NOW)
    group = merge_customers(kept=kept, merged=ann, by=staff, reason="", now=NOW)
    world.score()
    assert (world.stored(ANN).customer_id, world.stored(ANN).points) == (kept.pk, 100)
    assert kept.identifiers.count() == 34
    world.verify()
    undo_moves(brand=world.brand, group=group, by=staff, now=NOW)
    world.score()
    assert pictures(world.brand) == together | {BOB: NOTHING}

    for card in reversed(cards):
        identifier = Identifier.objects.get(brand=world.brand, value=card[5:], scheme="card")
        unlink_identifier(customer=ann, identifier=identifier, now=NOW)
    world.score()
    assert pictures(world.brand) == apart | {BOB: NOTHING}
    world.verify()
