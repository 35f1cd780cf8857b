"""Whose an identifier is, how it moves, and that what it earned follows it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from accounts.identity import (
    IdentifierError,
    identifier_moved,
    join_brand,
    link_identifier,
    parse_identifier,
    propose_pseudonym,
    prove_identifier,
    resolve_identifiers,
)
from accounts.models import Customer, Identifier, LinkEvent, User
from scoring.models import Due
from tests.scoring.world import ANN, BOB, NOW, World, action, brand_with, rule

pytestmark = pytest.mark.django_db

AT = "11-23 10:00"


@pytest.mark.parametrize(
    ("text", "scheme", "value"),
    [
        ("email:someone@example.org", "email", "someone@example.org"),
        ("EMail:Some.One@Example.ORG", "email", "some.one@example.org"),
        (" card : 8123 ", "card", "8123"),
        ("card:AbC", "card", "AbC"),  # only addresses lose their case
        ("x:@someone", "x", "@someone"),
        ("device:a:b:c", "device", "a:b:c"),
        ("laurel:4f1c", "laurel", "4f1c"),
        ("till_2-b:1", "till_2-b", "1"),
        ("card:" + "8" * 254, "card", "8" * 254),
        ("card:naïve 文", "card", "naïve 文"),
    ],
)
def test_a_text_that_is_an_identifier(text: str, scheme: str, value: str) -> None:
    assert parse_identifier(text) == (scheme, value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "someone@example.org",
        ":8123",
        "card:",
        "card: ",
        "2card:8123",
        "ca rd:8123",
        "c" * 33 + ":1",
        "card:" + "8" * 255,
        "card:8\n1",
        "card:8\x001",
        "çard:1",
    ],
)
def test_a_text_that_is_none(text: str) -> None:
    with pytest.raises(IdentifierError):
        parse_identifier(text)


def test_unknown_identifiers_get_customers_of_their_own_and_known_ones_theirs() -> None:
    brand = brand_with()
    pairs = [("card", "1"), ("card", "2"), ("email", "ann@example.org")]
    first = resolve_identifiers(brand=brand, identifiers=pairs, now=NOW)
    again = resolve_identifiers(brand=brand, identifiers=[*pairs, ("card", "3")], now=NOW)
    assert {pair: again[pair] for pair in pairs} == first
    assert len(set(again.values())) == 4
    customers = Customer.objects.filter(brand=brand)
    assert customers.count() == 4
    for customer in customers:
        own = customer.identifiers.get(scheme="laurel")
        assert (own.value, own.proven_at) == (str(customer.public_id), NOW)
        assert (customer.user, customer.joined_at, customer.on_boards) == (None, None, False)
    assert not Identifier.objects.exclude(scheme="laurel").filter(proven_at__isnull=False).exists()


def test_identifiers_belong_to_one_brand() -> None:
    ours, theirs = brand_with(), brand_with(slug="other")
    pair = ("card", "1")
    one = resolve_identifiers(brand=ours, identifiers=[pair], now=NOW)[pair]
    other = resolve_identifiers(brand=theirs, identifiers=[pair], now=NOW)[pair]
    assert one != other
    with pytest.raises(IdentifierError, match="stays within its brand"):
        link_identifier(
            identifier=Identifier.objects.get(pk=one),
            customer=Identifier.objects.get(pk=other).customer,
            reason="a test",
            now=NOW,
        )


@pytest.fixture
def moves() -> Iterator[list[dict[str, Any]]]:
    heard: list[dict[str, Any]] = []

    def hear(**told: Any) -> None:
        heard.append(told)

    identifier_moved.connect(hear)
    yield heard
    identifier_moved.disconnect(hear)


def identifier(world: World, text: str) -> Identifier:
    world.customer(text)
    scheme, value = parse_identifier(text)
    return Identifier.objects.get(brand=world.brand, scheme=scheme, value=value)


def test_what_an_identifier_earned_follows_it_and_comes_back_with_it(
    moves: list[dict[str, Any]],
) -> None:
    world = World(rule("earn", rate=1, limits=[{"per": "day", "points": 30}]))
    world.record(("a", AT, 24), action(("c", "11-23 11:00", 10), identifier="card:1"))
    ann, card = world.customer(ANN), world.customer("card:1")
    moved = identifier(world, "card:1")
    link_identifier(identifier=moved, customer=ann, reason="the till said so", now=NOW)
    assert not LinkEvent.objects.filter(from_customer=ann).exists()
    world.score()
    # Together they are one customer's day, of which 30 points count.
    assert world.awards(ANN) == [("a", "earn", 24), ("c", "earn", 6)]
    assert (world.stored(ANN).points, card.score.points) == (30, 0)
    link_identifier(identifier=moved, customer=card, reason="it was a mistake", now=NOW)
    world.score()
    assert world.awards(ANN) == [("a", "earn", 24)]
    card.score.refresh_from_db()
    assert (world.stored(ANN).points, card.score.points) == (24, 10)
    world.verify()
    events = LinkEvent.objects.order_by("pk").values_list("from_customer", "to_customer", "reason")
    assert list(events) == [
        (card.pk, ann.pk, "the till said so"),
        (ann.pk, card.pk, "it was a mistake"),
    ]
    assert [(told["from_customer"].pk, told["to_customer"].pk) for told in moves] == [
        (card.pk, ann.pk),
        (ann.pk, card.pk),
    ]


def test_a_move_marks_both_due_and_moving_nowhere_marks_nobody() -> None:
    world = World(rule("earn", rate=1))
    world.record(("a", AT, 24), action(("b", AT, 10), identifier=BOB))
    ann, bob = world.customer(ANN), world.customer(BOB)
    mine = identifier(world, ANN)
    link_identifier(identifier=mine, customer=ann, reason="hers already", now=NOW)
    assert not Due.objects.exists()
    assert not LinkEvent.objects.exists()
    link_identifier(identifier=mine, customer=bob, reason="a test", now=NOW)
    marks = Due.objects.values_list("customer", "why", "since")
    assert sorted(marks) == sorted([(ann.pk, "identity", None), (bob.pk, "identity", None)])


def test_an_action_that_arrives_for_a_moved_identifier_is_its_holders() -> None:
    world = World(rule("earn", rate=1))
    world.record(("a", AT, 24))
    card = identifier(world, "card:1")
    link_identifier(identifier=card, customer=world.customer(ANN), reason="a test", now=NOW)
    world.record(action(("b", AT, 10), identifier="card:1"))
    assert world.stored(ANN).points == 34


# Joining


def test_joining_takes_what_arrived_for_the_address_before() -> None:
    world = World(rule("earn", rate=1))
    world.record(("a", AT, 24))
    stranger = world.customer(ANN)
    user = User.objects.create_user("Ann@Example.org")
    customer = join_brand(brand=world.brand, user=user, now=NOW)
    assert customer.pk != stranger.pk
    assert (customer.user, customer.joined_at, customer.on_boards) == (user, NOW, False)
    assert customer.pseudonym
    world.score()
    assert world.awards(ANN) == [("a", "earn", 24)]
    assert world.stored(ANN).customer_id == customer.pk
    assert identifier(world, ANN).proven_at == NOW


def test_joining_twice_is_joining_once() -> None:
    world = World()
    user = User.objects.create_user("ann@example.org")
    first = join_brand(brand=world.brand, user=user, now=NOW)
    again = join_brand(brand=world.brand, user=user, now=NOW + timedelta(days=1))
    assert again == first
    assert (again.joined_at, again.pseudonym) == (NOW, first.pseudonym)
    assert Customer.objects.filter(brand=world.brand).count() == 1


def test_a_user_has_a_customer_with_each_brand() -> None:
    user = User.objects.create_user("ann@example.org")
    ours, theirs = brand_with(), brand_with(slug="other")
    assert join_brand(brand=ours, user=user, now=NOW) != join_brand(
        brand=theirs, user=user, now=NOW
    )


def test_what_one_customer_proved_no_other_can() -> None:
    brand = brand_with()
    ann = join_brand(brand=brand, user=User.objects.create_user("ann@example.org"), now=NOW)
    bob = join_brand(brand=brand, user=User.objects.create_user("bob@example.org"), now=NOW)
    mine = prove_identifier(brand=brand, text="x:@ann", customer=ann, now=NOW)
    assert prove_identifier(brand=brand, text="X:@ann", customer=ann, now=NOW) == mine
    with pytest.raises(IdentifierError, match="another customer has proved"):
        prove_identifier(brand=brand, text="x:@ann", customer=bob, now=NOW)
    with pytest.raises(IdentifierError, match="another customer has proved"):
        prove_identifier(brand=brand, text=ANN, customer=bob, now=NOW)
    mine.refresh_from_db()
    assert mine.customer_id == ann.pk


def test_proving_what_only_arrived_takes_it_over() -> None:
    world = World(rule("earn", rate=1))
    world.record(action(("a", AT, 24), identifier="card:1"))
    ann = join_brand(brand=world.brand, user=User.objects.create_user("ann@example.org"), now=NOW)
    proven = prove_identifier(brand=world.brand, text="card:1", customer=ann, now=NOW)
    proven.refresh_from_db()
    assert (proven.customer_id, proven.proven_at) == (ann.pk, NOW)
    world.score()
    assert world.stored("card:1").points == 24
    assert LinkEvent.objects.get(identifier=proven).reason == "proved"


def test_a_pseudonym_is_the_same_for_the_same_seed_and_says_nothing() -> None:
    names = {propose_pseudonym(seed=f"1:{n}") for n in range(200)}
    assert propose_pseudonym(seed="1:1") == propose_pseudonym(seed="1:1")
    assert len(names) > 100
    assert all(len(name) <= 40 for name in names)
