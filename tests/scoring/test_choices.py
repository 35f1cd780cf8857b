"""What customers choose: a score that is paused, sources that are switched off; and whoever was erased."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Customer, Identifier
from scoring.actions import mark_due
from scoring.models import DailyPoints, Due, Posting, Score, Source
from scoring.ranks import catch_up, get_rank, keys_of, redis_client
from scoring.run import score_all
from scoring.verify import verify_ledger

from .world import ANN, BOB, NOW, Json, World, action, correction, document, moment, rule

pytestmark = pytest.mark.django_db

COMBO: Json = rule(
    "combo",
    source="social_media",
    per="week",
    points=70,
    requires=[{"kinds": ["buy"]}, {"kinds": ["visit"]}],
)
RULES = (
    rule("earn", key="spend", rate=1),
    rule("earn", key="visit", kinds=["visit"], points=25),
    COMBO,
)


@pytest.fixture
def world(db: None) -> World:
    """Ann bought for 24, came by, and so did both within a week; Bob bought for 10."""
    world = World(*RULES)
    world.record(
        ("a", "11-23 10:00", "24"),
        action(("b", "11-23 11:00", None), kind="visit"),
        action(("c", "11-23 12:00", "10"), identifier=BOB),
    )
    return world


# Scores bear the database's clock, which the tests' moments may be ahead of.
BEFORE = moment("2026-01-01 00:00")


def choose(world: World, identifier: str = ANN, **what: Any) -> None:
    """Choose as accounts.choices does: the customer, the copy of identifiers, and the mark."""
    customer = world.customer(identifier)
    Customer.objects.filter(pk=customer.pk).update(**what)
    if "sources_off" in what:
        Identifier.objects.filter(customer=customer).update(sources_off=what["sources_off"])
    mark_due(brand=world.brand, customers=[customer.pk], why=Posting.Why.CHOICE, now=world.now)
    world.score()


def score_of(world: World, identifier: str = ANN) -> Score:
    return Score.objects.get(customer=world.customer(identifier))


def net(world: World) -> dict[tuple[Any, ...], int]:
    """What the ledger holds."""
    held: dict[tuple[Any, ...], int] = {}
    for one in world.postings():
        key = (one.customer_id, one.action_id, one.rule_id, one.source, one.local_date)
        held[key] = held.get(key, 0) + one.points
    return {key: points for key, points in held.items() if points}


def assert_agrees(world: World) -> None:
    found = verify_ledger(brand=world.brand)
    assert found.differences == []
    before = net(world)
    score_all(brand=world.brand, now=world.now)
    assert net(world) == before


def test_a_paused_customer_has_points_and_neither_score_nor_rank(world: World) -> None:
    catch_up(brand_id=world.brand.pk, now=BEFORE)
    before = score_of(world)
    assert before.score > 0
    choose(world, paused_at=NOW)
    paused = score_of(world)
    assert paused.rule_set_id is None
    assert (paused.score, paused.sub_scores) == (Decimal(0), [0.0] * 6)
    assert (paused.points, paused.source_points) == (before.points, before.source_points)
    catch_up(brand_id=world.brand.pk, now=BEFORE)
    assert get_rank(brand=world.brand, score=Decimal(1)).of == 1, "out of a set that was complete"
    redis_client().delete(*keys_of(world.brand.pk))
    assert get_rank(brand=world.brand, score=Decimal(1)).of == 1, "PostgreSQL counts the same"
    catch_up(brand_id=world.brand.pk, now=BEFORE)
    assert get_rank(brand=world.brand, score=Decimal(1)).of == 1, "and so does a rebuilt set"
    assert_agrees(world)


def test_what_comes_while_paused_counts_afterwards(world: World) -> None:
    choose(world, paused_at=NOW)
    world.record(("d", "11-24 10:00", "100"))
    assert score_of(world).score == 0
    assert score_of(world).points == 24 + 25 + 70 + 100
    assert_agrees(world)
    choose(world, paused_at=None)
    never = World(*RULES, slug="never")
    never.record(
        ("a", "11-23 10:00", "24"),
        action(("b", "11-23 11:00", None), kind="visit"),
        ("d", "11-24 10:00", "100"),
    )
    assert score_of(world).score == score_of(never).score > 0
    assert score_of(world).sub_scores == score_of(never).sub_scores
    assert_agrees(world)


OFF = [
    (Source.PURCHASES, {"b": 25}),
    (Source.PHYSICAL_VISITS, {"a": 24}),
    # What a combo gives to a source that is off it does not give; what it looks at counts on.
    (Source.SOCIAL_MEDIA, {"a": 24, "b": 25}),
    (Source.PRODUCT_USAGE, {"a": 24, "b": 25 + 70}),
]


@pytest.mark.parametrize(("source", "left"), OFF)
def test_a_source_that_is_off_counts_nowhere_and_comes_back_as_it_was(
    world: World, source: Source, left: dict[str, int]
) -> None:
    before, score = net(world), score_of(world)
    choose(world, sources_off=1 << source)
    points: dict[str, int] = {}
    for award in world.rows(ANN):
        points[award.action] = points.get(award.action, 0) + award.points
    assert points == left
    assert score_of(world).source_points[source - 1] == 0
    assert world.awards(BOB) == [("c", "spend", 10)], "it is Ann's choice alone"
    assert_agrees(world)
    choose(world, sources_off=0)
    after = score_of(world)
    assert net(world) == before
    assert (after.score, after.points, after.sub_scores) == (
        score.score,
        score.points,
        score.sub_scores,
    )
    assert {one.why for one in world.postings()} <= {Posting.Why.FACTS, Posting.Why.CHOICE}
    assert_agrees(world)


def test_what_comes_while_a_source_is_off_counts_once_it_is_on(world: World) -> None:
    choose(world, sources_off=1 << Source.PURCHASES)
    world.record(("d", "11-24 10:00", "100"))
    assert world.awards(ANN) == [("b", "visit", 25)]
    choose(world, sources_off=0)
    assert ("d", "spend", 100) in world.awards(ANN)
    assert_agrees(world)


def test_what_lies_before_the_window_of_an_identifier_does_not_count(world: World) -> None:
    identifier = Identifier.objects.get(customer=world.customer(), scheme="email")
    Identifier.objects.filter(pk=identifier.pk).update(counts_from=moment("11-23 10:30"))
    mark_due(brand=world.brand, customers=[identifier.customer_id], why="identity", now=NOW)
    world.score()
    assert world.awards(ANN) == [("b", "visit", 25)]
    assert_agrees(world)
    world.record(correction("e", "a", "50"))
    assert world.awards(ANN) == [("b", "visit", 25)], "what is corrected lies before it too"
    assert_agrees(world)


def test_of_an_erased_customer_nothing_is_scored_again(world: World) -> None:
    ann = world.customer()
    Score.objects.filter(customer=ann).delete()
    DailyPoints.objects.filter(customer=ann).delete()
    before = net(world)
    Identifier.objects.filter(customer=ann, scheme="email").update(scheme="erased", value="4f1c")
    Customer.objects.filter(pk=ann.pk).update(erased_at=NOW)
    world.record(correction("e", "a", "50"))
    assert not Due.objects.exists(), "the mark is taken, and nothing is done"
    score_all(brand=world.brand, now=NOW)
    world.publish(document(rule("earn", key="spend", rate=9)), "always")
    assert {key: points for key, points in net(world).items() if key[0] == ann.pk} == {
        key: points for key, points in before.items() if key[0] == ann.pk
    }
    assert not Score.objects.filter(customer=ann).exists()
    assert verify_ledger(brand=world.brand).differences == []


def test_what_an_erased_customer_did_is_known_when_it_is_sent_again(world: World) -> None:
    ann = world.customer()
    Identifier.objects.filter(customer=ann, scheme="email").update(scheme="erased", value="4f1c")
    Customer.objects.filter(pk=ann.pk).update(erased_at=NOW)
    assert [one.status for one in world.send(("a", "11-23 10:00", "24"))] == ["repeated"]
