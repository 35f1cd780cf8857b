"""Whose an identifier is, how it moves, and that what it earned follows it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.identity import (
    CODE_LETTERS,
    IdentifierError,
    IdentityError,
    Link,
    LinkCodeError,
    MergedError,
    claim_identifier,
    create_customer,
    decide_dispute,
    identifier_moved,
    identifiers_of,
    join_brand,
    link_identifier,
    make_link_code,
    merge_customers,
    moves_of,
    parse_identifier,
    redeem_link_code,
    resolve_identifiers,
    split_customer,
    undo_moves,
    unlink_identifier,
)
from accounts.models import Brand, Customer, Dispute, Identifier, LinkCode, LinkEvent, User
from scoring.models import Due
from tests.scoring.world import ANN, BOB, NOW, World, action, brand_with, rule

pytestmark = pytest.mark.django_db

AT = "11-23 10:00"
CARD = "card:1"
DAY = timedelta(days=1)
YEAR = timedelta(days=365)
Proof = Identifier.Proof


# What identifies


@pytest.mark.parametrize(
    ("text", "scheme", "value"),
    [
        ("email:someone@example.org", "email", "someone@example.org"),
        ("EMail:Some.One@Example.ORG", "email", "some.one@example.org"),
        (" card : 8123 ", "card", "8123"),
        ("card:8123 4567\u00a08", "card", "812345678"),
        ("card:AbC", "card", "AbC"),  # a card's letters may matter
        ("device:AbC", "device", "AbC"),
        ("x:@SomeOne", "x", "@someone"),
        ("mastodon:@Some@Example.Social", "mastodon", "@some@example.social"),
        ("device:a:b:c", "device", "a:b:c"),
        ("laurel:4f1c", "laurel", "4f1c"),
        ("till_2-b:1", "till_2-b", "1"),
        ("card:" + "8" * 254, "card", "8" * 254),
        ("note:naïve 文", "note", "naïve 文"),
        ("phone:+44 20 7946 0000", "phone", "+442079460000"),
        ("phone:+44 (0)20-7946.0000", "phone", "+442079460000"),
        ("phone:0044 20 7946 0000", "phone", "+442079460000"),
        ("phone:+\u0664\u0664 20 7946 0000", "phone", "+442079460000"),
        ("email:MÜLLER@example.org", "email", "müller@example.org"),
        ("email:mu\u0308ller@example.org", "email", "müller@example.org"),  # form D, from a Mac
        ("email:ÅSA@example.org", "email", "åsa@example.org"),
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
        "card:8\x001",
        "card:8\n1",
        "email:a\u200bnn@example.org",  # a space of no width
        "email:\u202eann@example.org",  # written from right to left
        "çard:1",
        "\u212aard:1",
        "phone:020 7946 0000",  # whose country?
        "phone:+44",
        "phone:+44 20 7946 0000 ext 3",
        "email:\u212aate@example.org",  # the Kelvin sign, which is k when small
        "x:@\u212aate",
    ],
)
def test_a_text_that_is_none(text: str) -> None:
    with pytest.raises(IdentifierError):
        parse_identifier(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann@example.org", "ann+shop@example.org"),
        ("ann@example.org", "a.nn@example.org"),
        ("rene@example.org", "rené@example.org"),
        ("ian@example.org", "\u0131an@example.org"),
        ("ian@example.org", "\u0130an@example.org"),
        ("strasse@example.org", "straße@example.org"),
        ("sam@example.org", "\u017fam@example.org"),
        ("ann@example.org", "\u0430nn@example.org"),  # a Cyrillic a
        ("ann@example.org", "ann@example.or\u0261"),
        ("ann@example.org", "\uff41nn@example.org"),  # a letter of full width
    ],
)
def test_addresses_of_different_people_stay_apart(one: str, other: str) -> None:
    assert parse_identifier(f"email:{one}") != parse_identifier(f"email:{other}")
    assert parse_identifier(f"x:@{one}") != parse_identifier(f"x:@{other}")


@given(st.sampled_from(["email:", "x:@", "card:", "note:"]), st.text(min_size=1, max_size=20))
def test_parsing_what_was_parsed_changes_nothing(start: str, rest: str) -> None:
    try:
        scheme, value = parse_identifier(start + rest)
    except IdentifierError:
        return
    assert parse_identifier(f"{scheme}:{value}") == (scheme, value)


def test_no_other_letter_becomes_a_plain_one() -> None:
    """Of all that Unicode has, nothing but ``K`` is read as ``k``, and so for every plain letter."""
    for code in range(128, 0x110000):
        try:
            _scheme, value = parse_identifier(f"email:a{chr(code)}b")
        except IdentifierError:
            continue
        assert not value.isascii(), hex(code)


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
    ann, theirs_ann = joined(ours, "ann"), joined(theirs, "bob")
    link(ann, CARD)
    assert Identifier.objects.get(pk=other).customer != theirs_ann
    with pytest.raises(IdentityError, match="different brands"):
        merge_customers(kept=ann, merged=theirs_ann, by=staff(), reason="", now=NOW)


# Who does what in these tests


def joined(brand: Brand, name: str, now: datetime = NOW) -> Customer:
    user = User.objects.create_user(f"{name}@example.org")
    return join_brand(brand=brand, user=user, now=now)


def staff() -> User:
    return User.objects.get_or_create(email="staff@example.org")[0]


def link(
    customer: Customer, text: str, *, now: datetime = NOW, proof: Proof = Proof.PROVIDER
) -> Link:
    return link_identifier(customer=customer, text=text, proof=proof, now=now)


def get(brand: Brand, text: str) -> Identifier:
    scheme, value = parse_identifier(text)
    return Identifier.objects.select_related("customer").get(
        brand=brand, scheme=scheme, value=value
    )


def unlink(customer: Customer, text: str, *, now: datetime = NOW) -> None:
    unlink_identifier(customer=customer, identifier=get(customer.brand, text), now=now)


def merge(kept: Customer, merged: Customer) -> Any:
    return merge_customers(kept=kept, merged=merged, by=staff(), reason="the same person", now=NOW)


def undo(brand: Brand, group: Any) -> Any:
    return undo_moves(brand=brand, group=group, by=staff(), now=NOW)


@pytest.fixture
def brand() -> Brand:
    return brand_with()


@pytest.fixture
def ann(brand: Brand) -> Customer:
    return joined(brand, "ann")


@pytest.fixture
def bob(brand: Brand) -> Customer:
    return joined(brand, "bob")


@pytest.fixture
def moves() -> Iterator[list[dict[str, Any]]]:
    heard: list[dict[str, Any]] = []

    def hear(**told: Any) -> None:
        heard.append(told)

    identifier_moved.connect(hear)
    yield heard
    identifier_moved.disconnect(hear)


# Linking and unlinking


def test_what_an_identifier_earned_follows_it_and_comes_back_with_it(
    moves: list[dict[str, Any]],
) -> None:
    world = World(rule("earn", rate=1, limits=[{"per": "day", "points": 30}]))
    world.record(("a", AT, 24), action(("c", "11-23 11:00", 10), identifier=CARD))
    ann, card = joined(world.brand, "ann"), world.customer(CARD)
    moves.clear()
    assert link(ann, CARD).moved
    world.score()
    # Together they are one customer's day, of which 30 points count.
    assert world.awards(ANN) == [("a", "earn", 24), ("c", "earn", 6)]
    assert (world.stored(ANN).points, card.score.points) == (30, 0)
    unlink(ann, CARD)
    world.score()
    assert world.awards(ANN) == [("a", "earn", 24)]
    card.score.refresh_from_db()
    assert (world.stored(ANN).points, card.score.points) == (24, 10)
    world.verify()
    events = LinkEvent.objects.filter(identifier=get(world.brand, CARD)).order_by("pk")
    assert list(
        events.values_list("from_customer", "to_customer", "type", "proof", "counts_from")
    ) == [
        (card.pk, ann.pk, "link", "provider", NOW - YEAR),
        (ann.pk, card.pk, "unlink", "", None),
    ]
    assert [(told["from_customer"].pk, told["to_customer"].pk) for told in moves] == [
        (card.pk, ann.pk),
        (ann.pk, card.pk),
    ]
    assert list(moves_of(customer=ann))[:2] == list(events)[::-1]


def test_a_move_marks_both_due_and_moving_nowhere_marks_nobody(brand: Brand, ann: Customer) -> None:
    resolve_identifiers(brand=brand, identifiers=[("card", "1")], now=NOW)
    card = get(brand, CARD).customer
    Due.objects.all().delete()
    link(ann, CARD)
    marks = Due.objects.values_list("customer", "why", "since")
    assert sorted(marks) == sorted([(ann.pk, "identity", None), (card.pk, "identity", None)])
    Due.objects.all().delete()
    assert link(ann, CARD, now=NOW + DAY) == Link(get(brand, CARD), None, moved=False)
    # Nobody knew this one, so nobody's score changes.
    assert link(ann, "card:2").moved
    assert not Due.objects.exists()


def test_an_action_that_arrives_for_a_linked_identifier_is_its_holders() -> None:
    world = World(rule("earn", rate=1))
    ann = joined(world.brand, "ann")
    link(ann, CARD)
    world.record(action(("b", AT, 10), identifier=CARD))
    assert world.stored(CARD).customer_id == ann.pk
    assert world.stored(ANN).points == 10


def test_a_link_counts_the_past_as_far_back_as_the_brand_says(brand: Brand, ann: Customer) -> None:
    brand.credit_days = 30
    brand.save()
    ann = Customer.objects.get(pk=ann.pk)
    resolve_identifiers(brand=brand, identifiers=[("card", "1")], now=NOW)
    for text in (CARD, "card:2"):  # whether it arrived before or will
        link(ann, text)
        linked = get(brand, text)
        assert (linked.counts_from, linked.proven_at, linked.proof) == (
            NOW - 30 * DAY,
            NOW,
            "provider",
        )
    assert ann.identifiers.get(scheme="laurel").counts_from is None


def test_a_window_without_an_end_counts_everything(brand: Brand, ann: Customer) -> None:
    Brand.objects.update(credit_days=2_147_483_647)
    link(Customer.objects.get(pk=ann.pk), CARD)
    assert get(brand, CARD).counts_from is None


def test_linking_again_counts_from_where_it_did_the_first_time(
    brand: Brand, ann: Customer, bob: Customer
) -> None:
    resolve_identifiers(brand=brand, identifiers=[("card", "1")], now=NOW)
    link(ann, CARD)
    unlink(ann, CARD, now=NOW + DAY)
    assert get(brand, CARD).counts_from is None
    link(bob, CARD, now=NOW + 2 * DAY)
    assert get(brand, CARD).counts_from == NOW + 2 * DAY - YEAR
    unlink(bob, CARD, now=NOW + 3 * DAY)
    Brand.objects.update(credit_days=3650)
    ann = Customer.objects.get(pk=ann.pk)
    link(ann, CARD, now=NOW + 4 * DAY)
    assert get(brand, CARD).counts_from == NOW - YEAR


def test_unlinked_it_is_again_the_unclaimed_customers_from_whom_it_came(
    brand: Brand, ann: Customer, bob: Customer
) -> None:
    resolve_identifiers(brand=brand, identifiers=[("card", "1")], now=NOW)
    origin = get(brand, CARD).customer
    for customer in (ann, bob, ann):
        link(customer, CARD)
        unlink(customer, CARD)
        card = get(brand, CARD)
        assert card.customer == origin
        assert (card.proven_at, card.proof, card.counts_from) == (None, "", None)
    assert set(ann.identifiers.values_list("scheme", flat=True)) == {"laurel", "email"}


def test_what_was_linked_before_it_arrived_is_nobodys_after(brand: Brand, ann: Customer) -> None:
    link(ann, CARD)
    unlink(ann, CARD)
    nobody = get(brand, CARD).customer
    assert (nobody.user, nobody.joined_at) == (None, None)
    assert nobody.identifiers.get(scheme="laurel").value == str(nobody.public_id)


def test_what_is_not_theirs_or_is_laurels_own_cannot_be_unlinked(
    brand: Brand, ann: Customer, bob: Customer
) -> None:
    link(bob, CARD)
    with pytest.raises(IdentityError, match="does not belong"):
        unlink(ann, CARD)
    with pytest.raises(IdentityError, match="Laurel"):
        unlink(ann, f"laurel:{ann.public_id}")
    assert get(brand, CARD).customer == bob


@pytest.mark.parametrize("text", ["laurel:4f1c", "erased:1", "nothing"])
def test_what_no_customer_can_have_is_not_linked(ann: Customer, text: str) -> None:
    with pytest.raises(IdentityError):
        link(ann, text)
    with pytest.raises(IdentityError):
        make_link_code(brand=ann.brand, text=text, by=staff(), lasts=DAY, now=NOW)


def test_a_switched_off_source_is_off_for_whatever_comes(brand: Brand, ann: Customer) -> None:
    resolve_identifiers(brand=brand, identifiers=[("card", "1")], now=NOW)
    Customer.objects.filter(pk=ann.pk).update(sources_off=4)
    link(ann, CARD)
    assert get(brand, CARD).sources_off == 4
    unlink(ann, CARD)
    assert get(brand, CARD).sources_off == 0


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
    mine = get(world.brand, ANN)
    assert (mine.proven_at, mine.proof) == (NOW, "sign_in")


def test_joining_twice_is_joining_once() -> None:
    world = World()
    user = User.objects.create_user("ann@example.org")
    first = join_brand(brand=world.brand, user=user, now=NOW)
    again = join_brand(brand=world.brand, user=user, now=NOW + timedelta(days=1))
    assert again == first
    assert (again.joined_at, again.pseudonym) == (NOW, first.pseudonym)
    assert Customer.objects.filter(brand=world.brand).count() == 1


def test_joining_with_an_address_that_another_holds_is_a_dispute(
    brand: Brand, bob: Customer
) -> None:
    link(bob, ANN)
    ann = joined(brand, "ann")
    assert get(brand, ANN).customer == bob
    assert list(Dispute.objects.values_list("claimant", "holder", "proof")) == [
        (ann.pk, bob.pk, "sign_in")
    ]


def test_a_user_has_a_customer_with_each_brand() -> None:
    user = User.objects.create_user("ann@example.org")
    ours, theirs = brand_with(), brand_with(slug="other")
    assert join_brand(brand=ours, user=user, now=NOW) != join_brand(
        brand=theirs, user=user, now=NOW
    )


# Disputes


def test_what_another_customer_holds_stays_and_goes_to_staff_once(
    brand: Brand, ann: Customer, bob: Customer, moves: list[dict[str, Any]]
) -> None:
    mine = link(ann, "x:@ann").identifier
    moves.clear()
    first, again = link(bob, "X:@Ann"), link(bob, "x:@ann", now=NOW + DAY)
    assert first.dispute is not None
    assert first == again
    assert (first.moved, first.dispute.opened_at, first.dispute.holder) == (False, NOW, ann)
    mine.refresh_from_db()
    assert mine.customer_id == ann.pk
    assert not moves


def test_what_staff_gave_to_a_member_nobody_takes_by_proving_it(
    brand: Brand, ann: Customer, bob: Customer
) -> None:
    """Merged in, it was never proved; whoever proves it after that is still to be asked."""
    resolve_identifiers(brand=brand, identifiers=[("card", "1")], now=NOW)
    merge(ann, get(brand, CARD).customer)
    assert link(bob, CARD).dispute is not None
    assert get(brand, CARD).customer == ann
    assert link(ann, CARD) == Link(get(brand, CARD), None, moved=True)
    assert get(brand, CARD).proven_at == NOW


def test_a_claim_opens_a_dispute_and_moves_nothing(
    brand: Brand, ann: Customer, bob: Customer
) -> None:
    def claim() -> Dispute | None:
        return claim_identifier(customer=bob, text=CARD, proof=Proof.PROVIDER, now=NOW)

    assert claim() is None
    resolve_identifiers(brand=brand, identifiers=[("card", "1")], now=NOW)
    assert claim() is None
    link(ann, CARD)
    assert claim() == claim() == Dispute.objects.get()
    unlink(ann, CARD)
    Dispute.objects.all().delete()
    assert claim() is None
    link(bob, CARD)
    assert claim() is None
    assert get(brand, CARD).customer == bob


@pytest.mark.parametrize("move", [True, False])
def test_staff_decide_a_dispute_once(
    brand: Brand, ann: Customer, bob: Customer, move: bool
) -> None:
    link(ann, CARD)
    dispute = link(bob, CARD, now=NOW + DAY).dispute
    assert dispute is not None

    def decide(*, by: User | None) -> None:
        assert by is not None
        decide_dispute(dispute=dispute, move=move, by=by, note="seen", now=NOW + 9 * DAY)

    for own in (ann, bob):
        with pytest.raises(IdentityError, match="own membership"):
            decide(by=own.user)
    decide(by=staff())
    dispute.refresh_from_db()
    assert (dispute.moved, dispute.decided_by, dispute.note) == (move, staff(), "seen")
    card = get(brand, CARD)
    if move:
        assert (card.customer, card.proof, card.proven_at) == (bob, "staff", NOW + 9 * DAY)
        assert card.counts_from == NOW + DAY - YEAR
    else:
        assert (card.customer, card.proof, card.proven_at) == (ann, "provider", NOW)
    with pytest.raises(IdentityError, match="decided before"):
        decide(by=staff())


def test_a_dispute_about_what_was_let_go_is_settled_by_linking(
    brand: Brand, ann: Customer, bob: Customer
) -> None:
    link(ann, CARD)
    link(bob, CARD)
    unlink(ann, CARD)
    assert link(bob, CARD).moved
    assert Dispute.objects.get().moved is True


def test_a_dispute_of_a_merged_customer_is_that_of_whom_they_became(
    brand: Brand, ann: Customer, bob: Customer
) -> None:
    link(ann, CARD)
    dispute = link(bob, CARD).dispute
    assert dispute is not None
    cid = joined(brand, "cid")
    merge(cid, bob)
    two = decide_dispute(dispute=dispute, move=True, by=staff(), note="", now=NOW)
    assert two == (cid, ann)
    assert get(brand, CARD).customer == cid


def test_a_decision_can_be_undone(brand: Brand, ann: Customer, bob: Customer) -> None:
    link(ann, CARD)
    before = get(brand, CARD)
    dispute = link(bob, CARD, now=NOW + DAY).dispute
    assert dispute is not None
    decide_dispute(dispute=dispute, move=True, by=staff(), note="", now=NOW + DAY)
    undo(brand, LinkEvent.objects.latest("pk").group)
    assert held(get(brand, CARD)) == held(before)


def held(identifier: Identifier) -> tuple[int, str, datetime | None, datetime | None]:
    """How an identifier is held."""
    return (
        identifier.customer_id,
        identifier.proof,
        identifier.proven_at,
        identifier.counts_from,
    )


def all_held(brand: Brand) -> dict[str, Any]:
    return {
        str(identifier): held(identifier) for identifier in Identifier.objects.filter(brand=brand)
    }


# Merging, splitting, undoing


def test_a_merge_takes_every_identifier_and_undone_each_is_held_as_before(
    brand: Brand, ann: Customer, bob: Customer
) -> None:
    link(bob, CARD, now=NOW + DAY)
    link(bob, "x:@bob", now=NOW + 2 * DAY)
    Customer.objects.filter(pk=bob.pk).update(on_boards=True)
    before = all_held(brand)
    group = merge(ann, bob)
    assert {str(i) for i in ann.identifiers.all()} == set(before)
    # What bob had proved, and how far it reaches back, is as good as if ann had.
    assert held(get(brand, CARD)) == (ann.pk, *before[CARD][1:])
    bob.refresh_from_db()
    assert (bob.merged_into, bob.on_boards, bob.identifiers.exists()) == (ann, False, False)
    events = LinkEvent.objects.filter(group=group)
    assert {(e.type, e.by, e.reason) for e in events} == {("merge", staff(), "the same person")}
    assert {str(one) for one in identifiers_of(customer=ann)} == {ANN, BOB, CARD, "x:@bob"}
    undoing = undo(brand, group)
    assert all_held(brand) == before
    bob.refresh_from_db()
    assert (bob.merged_into, bob.on_boards) == (None, False)
    assert {event.undoes for event in LinkEvent.objects.filter(group=undoing)} == {group}
    with pytest.raises(IdentityError, match="undone before"):
        undo(brand, group)
    with pytest.raises(IdentityError, match="Only what staff"):
        undo(brand, undoing)


def test_only_what_has_not_moved_since_goes_back(
    brand: Brand, ann: Customer, bob: Customer
) -> None:
    link(bob, CARD)
    link(bob, "card:2")
    group = merge(ann, bob)
    unlink(ann, CARD)
    link(ann, CARD)
    undo(brand, group)
    # Ann showed herself that the card is hers.
    assert get(brand, CARD).customer == ann
    assert get(brand, "card:2").customer == bob


def test_merges_upon_merges_are_undone_the_last_first(
    brand: Brand, ann: Customer, bob: Customer
) -> None:
    cid = joined(brand, "cid")
    before = all_held(brand)
    first, second = merge(bob, cid), merge(ann, bob)
    with pytest.raises(IdentityError, match="later first"):
        undo(brand, first)
    undo(brand, second)
    undo(brand, first)
    assert all_held(brand) == before
    assert not Customer.objects.exclude(merged_into=None).exists()


def test_an_unclaimed_customer_who_is_merged_counts_within_the_window(
    brand: Brand, ann: Customer
) -> None:
    pairs = [("card", "1"), ("card", "2")]
    resolve_identifiers(brand=brand, identifiers=pairs, now=NOW)
    one, two = get(brand, CARD).customer, get(brand, "card:2").customer
    merge(one, two)
    assert get(brand, "card:2").counts_from is None
    merge(ann, one)
    assert {get(brand, text).counts_from for text in (CARD, "card:2")} == {NOW - YEAR}
    # One that came from somebody who is somebody else now goes to them, while they are unclaimed.
    link(ann, CARD)
    unlink(ann, CARD)
    assert get(brand, CARD).customer not in (ann, one, two)


def test_unlinked_it_goes_to_whom_the_unclaimed_customer_became(
    brand: Brand, ann: Customer
) -> None:
    pairs = [("card", "1"), ("card", "2")]
    resolve_identifiers(brand=brand, identifiers=pairs, now=NOW)
    one, two = get(brand, CARD).customer, get(brand, "card:2").customer
    link(ann, CARD)
    merge(two, one)
    unlink(ann, CARD)
    assert get(brand, CARD).customer == two


def test_who_cannot_be_merged(brand: Brand, ann: Customer, bob: Customer) -> None:
    resolve_identifiers(brand=brand, identifiers=[("card", "1")], now=NOW)
    nobody = get(brand, CARD).customer
    with pytest.raises(IdentityError, match="one customer already"):
        merge(ann, ann)
    with pytest.raises(IdentityError, match="who has joined"):
        merge(nobody, ann)
    assert bob.user
    with pytest.raises(IdentityError, match="own membership"):
        merge_customers(kept=ann, merged=bob, by=bob.user, reason="", now=NOW)
    merge(ann, bob)
    with pytest.raises(IdentityError, match="cannot be merged"):
        merge(ann, bob)
    with pytest.raises(MergedError):
        merge(bob, nobody)
    Customer.objects.filter(pk=nobody.pk).update(erased_at=NOW)
    with pytest.raises(IdentityError, match="cannot be merged"):
        merge(ann, nobody)
    with pytest.raises(IdentityError, match="erased"):
        merge(nobody, create_customer(brand=brand, now=NOW))


def test_a_merged_membership_can_no_longer_be_entered(
    brand: Brand, ann: Customer, bob: Customer
) -> None:
    group = merge(ann, bob)
    assert bob.user
    with pytest.raises(MergedError, match="merged into another"):
        join_brand(brand=brand, user=bob.user, now=NOW)
    with pytest.raises(MergedError):
        link(bob, CARD)
    undo(brand, group)
    assert join_brand(brand=brand, user=bob.user, now=NOW) == bob


def test_a_split_gives_identifiers_to_somebody_new_and_can_be_undone(
    brand: Brand, ann: Customer
) -> None:
    link(ann, CARD, now=NOW + DAY)
    link(ann, "card:2", now=NOW + 2 * DAY)
    before = all_held(brand)
    cards = [get(brand, CARD), get(brand, "card:2")]
    new = split_customer(customer=ann, identifiers=cards, by=staff(), reason="lost", now=NOW)
    assert {held(get(brand, text)) for text in (CARD, "card:2")} == {(new.pk, "", None, None)}
    assert (new.user, new.joined_at) == (None, None)
    undo(brand, LinkEvent.objects.latest("pk").group)
    assert {text: held(get(brand, text)) for text in before} == before
    with pytest.raises(IdentityError, match="does not belong"):
        split_customer(customer=new, identifiers=cards, by=staff(), reason="", now=NOW)
    with pytest.raises(IdentityError, match="Choose"):
        split_customer(customer=ann, identifiers=[], by=staff(), reason="", now=NOW)
    own = ann.identifiers.filter(scheme="laurel")
    with pytest.raises(IdentityError, match="Laurel"):
        split_customer(customer=ann, identifiers=own, by=staff(), reason="", now=NOW)


def test_that_staff_unlinked_it_is_kept_and_is_no_proof(brand: Brand, ann: Customer) -> None:
    for by in (None, staff()):
        link(ann, CARD)
        unlink_identifier(customer=ann, identifier=get(brand, CARD), now=NOW, by=by)
    staff().delete()
    unlinked = LinkEvent.objects.filter(type="unlink").order_by("pk")
    assert [(event.by, event.proof) for event in unlinked] == [(None, ""), (None, "staff")]
    before = held(get(brand, CARD))
    assert before[1:] == ("", None, None)
    undo(brand, merge(ann, get(brand, CARD).customer))
    undoing = LinkEvent.objects.filter(type="undo", identifier=get(brand, CARD)).get()
    assert (held(get(brand, CARD)), undoing.proof) == (before, "")


def test_customers_links_and_other_brands_moves_are_not_undone(
    brand: Brand, ann: Customer, bob: Customer
) -> None:
    group = merge(ann, bob)
    with pytest.raises(IdentityError, match="Only what staff"):
        undo(brand_with(slug="other"), group)
    link(ann, CARD)
    with pytest.raises(IdentityError, match="Only what staff"):
        undo(brand, LinkEvent.objects.latest("pk").group)


def test_what_was_undone_between_leaves_no_trace_in_how_it_is_held(
    brand: Brand, ann: Customer, bob: Customer
) -> None:
    link(ann, CARD)
    dispute = link(bob, CARD, now=NOW + DAY).dispute
    assert dispute is not None
    decide_dispute(dispute=dispute, move=True, by=staff(), note="", now=NOW + 2 * DAY)
    undo(brand, LinkEvent.objects.latest("pk").group)
    before = all_held(brand)
    cid = joined(brand, "cid")
    group = merge(cid, ann)
    split_customer(
        customer=cid, identifiers=[get(brand, CARD)], by=staff(), reason="", now=NOW + 3 * DAY
    )
    undo(brand, LinkEvent.objects.latest("pk").group)
    undo(brand, group)
    assert {text: held(get(brand, text)) for text in before} == before


# Linking codes


def code_for(brand: Brand, text: str = CARD, *, by: User | None = None) -> str:
    return make_link_code(brand=brand, text=text, by=by or staff(), lasts=DAY, now=NOW)


def redeem(customer: Customer, code: str, *, now: datetime = NOW) -> Link:
    return redeem_link_code(customer=customer, code=code, now=now)


def test_a_code_links_what_it_was_made_for_once(brand: Brand, ann: Customer, bob: Customer) -> None:
    code = code_for(brand)
    link = redeem(ann, code)
    assert link == Link(get(brand, CARD), None, moved=True)
    assert (link.identifier.customer, link.identifier.proof) == (ann, "code")
    # Sent twice, it is answered twice.
    assert redeem(ann, code) == Link(link.identifier, None, moved=False)
    with pytest.raises(LinkCodeError, match="used before"):
        redeem(bob, code)
    unlink(ann, CARD)
    with pytest.raises(LinkCodeError, match="used before"):
        redeem(ann, code)


def test_a_code_has_ten_letters_that_are_like_no_others_and_is_nowhere_stored(
    brand: Brand, ann: Customer
) -> None:
    codes = {code_for(brand) for _turn in range(50)}
    assert len(codes) == 50
    assert all(len(code) == 10 and set(code) <= set(CODE_LETTERS) for code in codes)
    assert not set(CODE_LETTERS) & set("01OILQZSGBUY")
    kept = str(list(LinkCode.objects.values()))
    assert not any(code in kept for code in codes)


def test_a_code_may_be_typed_in_any_way(brand: Brand, ann: Customer) -> None:
    for number, typed in enumerate(
        (str.lower, " ".join, lambda code: f" {code[:5]}-{code[5:]}\n", wide)
    ):
        text = f"card:{number}"
        assert redeem(ann, typed(code_for(brand, text))).identifier == get(brand, text)


def wide(code: str) -> str:
    """Letters of full width, as keyboards in Japan write them."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in code)


def test_every_slip_of_a_letter_and_every_swap_is_found(brand: Brand, ann: Customer) -> None:
    code = code_for(brand)
    slips = {
        code[:place] + letter + code[place + 1 :] for place in range(10) for letter in CODE_LETTERS
    }
    for one in range(10):
        for other in range(one):
            swapped = list(code)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            slips.add("".join(swapped))
    for wrong in {*slips, code[1:], code + code[0], "", "-", code[:9] + "!"} - {code}:
        with pytest.raises(LinkCodeError, match="missing or wrong"):
            redeem(ann, wrong)


def test_a_code_runs_out(brand: Brand, ann: Customer) -> None:
    code = code_for(brand)
    with pytest.raises(LinkCodeError, match="run out"):
        redeem(ann, code, now=NOW + DAY)
    assert redeem(ann, code, now=NOW + DAY - timedelta(seconds=1)).moved


def test_a_code_is_of_one_brand(brand: Brand, ann: Customer) -> None:
    with pytest.raises(LinkCodeError, match="given out"):
        redeem(ann, code_for(brand_with(slug="other")))


def test_nobody_uses_a_code_of_their_own_making(brand: Brand, ann: Customer) -> None:
    code = code_for(brand, by=ann.user)
    with pytest.raises(LinkCodeError, match="colleague"):
        redeem(ann, code)


def test_no_code_proves_an_address(brand: Brand) -> None:
    with pytest.raises(IdentityError, match="sent to it"):
        code_for(brand, ANN)


def test_a_code_for_what_another_holds_opens_a_dispute(
    brand: Brand, ann: Customer, bob: Customer
) -> None:
    link(bob, CARD)
    code = code_for(brand)
    assert redeem(ann, code).dispute == Dispute.objects.get()
    assert get(brand, CARD).customer == bob
    with pytest.raises(LinkCodeError, match="used before"):
        redeem(ann, code)


def test_a_code_outlives_the_secret_key_it_was_kept_under(
    brand: Brand, ann: Customer, settings: Any
) -> None:
    kept, lost = code_for(brand), code_for(brand, "card:2")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert redeem(ann, kept).moved
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(LinkCodeError, match="given out"):
        redeem(ann, lost)
