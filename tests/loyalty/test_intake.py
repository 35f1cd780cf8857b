"""The doors of our own pages: what a form becomes, what is refused, and that a form sent twice counts once."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest

from accounts.identity import create_customer
from accounts.models import Brand, Customer
from loyalty.intake import check_ins, purchases, usage
from scoring.actions import DecisionRow, Outcome, record_actions
from scoring.models import Action, ActionKind, Source, Venue

NOW = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(seconds=2)
FORM = "t1"

pytestmark = pytest.mark.django_db


def make_brand(slug: str = "corner", kinds: tuple[tuple[str, Source], ...] = ()) -> Brand:
    """A brand far from Greenwich, so that its days are not UTC's."""
    brand = Brand.objects.create(
        slug=slug, name="The Corner", time_zone="Pacific/Auckland", currency="NZD"
    )
    for kind, source in kinds:
        attributes = {"purchase": {"receipt": "text"}, "usage": {"method": "text"}}.get(kind, {})
        ActionKind.objects.create(
            brand=brand, slug=kind, label=kind, source=source, attributes=attributes
        )
    return brand


@pytest.fixture
def brand() -> Brand:
    """A brand that offers all three doors."""
    brand = make_brand(
        kinds=(
            ("purchase", Source.PURCHASES),
            ("check_in", Source.PHYSICAL_VISITS),
            ("usage", Source.PRODUCT_USAGE),
        )
    )
    Venue.objects.create(brand=brand, slug="quay", name="Quay", check_in_code="QUAY-12")
    Venue.objects.create(brand=brand, slug="depot", name="Depot")
    return brand


@pytest.fixture
def customer(brand: Brand) -> Customer:
    """Somebody who joined."""
    return create_customer(brand=brand, now=NOW)


@pytest.fixture
def bare() -> Customer:
    """A customer of a brand whose kinds only share a name or a source with what the doors record."""
    brand = make_brand(
        "bare",
        kinds=(
            ("purchase", Source.ONLINE_ENGAGEMENT),
            ("door_sensor", Source.PHYSICAL_VISITS),
            ("telemetry", Source.PRODUCT_USAGE),
        ),
    )
    Venue.objects.create(brand=brand, slug="quay", name="Quay", check_in_code="QUAY-12")
    return create_customer(brand=brand, now=NOW)


# Which doors a brand has


def test_a_brand_with_the_kinds_offers_every_door(brand: Brand) -> None:
    """The kind's slug and source both agree, and a venue has a code."""
    assert check_ins.offers_check_ins(brand=brand)
    assert purchases.offers_purchase_claims(brand=brand)
    assert usage.offers_usage(brand=brand)


def test_without_a_code_at_any_venue_there_is_no_check_in(brand: Brand) -> None:
    """A kind alone is no door."""
    Venue.objects.update(check_in_code="")
    assert not check_ins.offers_check_ins(brand=brand)
    assert check_ins.get_venue(brand=brand, code="") is None


def test_a_brand_without_the_kinds_offers_no_door_and_says_so(bare: Customer) -> None:
    """A kind that systems report is not opened to customers because it shares a source."""
    assert not check_ins.offers_check_ins(brand=bare.brand)
    assert not purchases.offers_purchase_claims(brand=bare.brand)
    assert not usage.offers_usage(brand=bare.brand)
    outcomes = [
        check_ins.record_check_in(customer=bare, code="QUAY-12", token="t", now=NOW),
        purchases.record_purchase_claim(
            customer=bare,
            claim=purchases.Claim(amount=Decimal(5), bought_on=date(2026, 3, 9)),
            token="t",
            now=NOW,
        ),
        usage.record_usage(customer=bare, token="t", now=NOW),
    ]
    assert [outcome.status for outcome in outcomes] == ["refused"] * 3
    assert all("The Corner does not" in outcome.reason for outcome in outcomes)
    assert not Action.objects.exists()


# Check-ins


@pytest.mark.parametrize("code", ["QUAY-12", "quay12", " quay 12\n", "Q-u-a-y-1-2"])
def test_a_check_in_is_recorded_at_the_venue_of_its_code(customer: Customer, code: str) -> None:
    """Case, blanks and hyphens make no difference; it happens now, under Laurel's own identifier."""
    outcome = check_ins.record_check_in(customer=customer, code=code, token="t1", now=NOW)
    action = Action.objects.get()
    assert (outcome.status, outcome.action_id) == ("accepted", action.pk)
    assert (action.origin, action.external_id, action.state) == ("laurel", "t1", "accepted")
    assert (action.kind.slug, action.occurred_at) == ("check_in", NOW)
    assert action.venue is not None
    assert action.venue.slug == "quay"
    assert str(action.identifier) == f"laurel:{customer.public_id}"


@pytest.mark.parametrize("code", ["", " ", "QUAY-13", "quay", "12", "depot", "'; --", "\x00"])
def test_a_wrong_code_is_refused_with_a_sentence(customer: Customer, code: str) -> None:
    """The sentence belongs to the field, and nothing is kept."""
    outcome = check_ins.record_check_in(customer=customer, code=code, token="t1", now=NOW)
    assert (outcome.status, outcome.field) == ("refused", "code")
    assert "poster" in outcome.reason
    assert not Action.objects.exists()


def test_a_code_of_another_brand_is_a_wrong_code(customer: Customer, bare: Customer) -> None:
    """Codes are looked up within the customer's brand only."""
    Venue.objects.filter(brand=bare.brand).update(check_in_code="BARE-77")
    outcome = check_ins.record_check_in(customer=customer, code="BARE-77", token="t1", now=NOW)
    assert outcome.status == "refused"


def test_a_check_in_sent_twice_counts_once(customer: Customer) -> None:
    """The second submit comes two seconds later; both are answered with the same action."""
    first = check_ins.record_check_in(customer=customer, code="QUAY-12", token="t1", now=NOW)
    second = check_ins.record_check_in(customer=customer, code="quay12", token="t1", now=LATER)
    assert (second.status, second.action_id) == ("repeated", first.action_id)
    assert Action.objects.count() == 1
    third = check_ins.record_check_in(customer=customer, code="QUAY-12", token="t2", now=LATER)
    assert third.status == "accepted"


def test_a_token_of_somebody_else_is_refused(customer: Customer) -> None:
    """Nobody learns or gains anything from another customer's token."""
    other = create_customer(brand=customer.brand, now=NOW)
    check_ins.record_check_in(customer=other, code="QUAY-12", token="t1", now=NOW)
    outcome = check_ins.record_check_in(customer=customer, code="QUAY-12", token="t1", now=LATER)
    assert (outcome.status, outcome.action_id) == ("refused", None)
    assert Action.objects.count() == 1


def test_two_submits_at_once_are_one_action(
    customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other request stores the token between our look and our record."""
    from loyalty.intake import forms

    def other_first(**call: object) -> object:
        monkeypatch.setattr(forms, "record_actions", record_actions)
        check_ins.record_check_in(customer=customer, code="QUAY-12", token="t1", now=LATER)
        return record_actions(**call)  # type: ignore[arg-type]

    monkeypatch.setattr(forms, "record_actions", other_first)
    outcome = check_ins.record_check_in(customer=customer, code="QUAY-12", token="t1", now=NOW)
    assert (outcome.status, Action.objects.count()) == ("repeated", 1)


# Purchases


def claim(
    customer: Customer, *, token: str = FORM, now: datetime = NOW, **fields: object
) -> Outcome:
    """A claim of 24.90 bought yesterday, but for what is said."""
    return purchases.record_purchase_claim(
        customer=customer, claim=made(**fields), token=token, now=now
    )


def made(**fields: object) -> purchases.Claim:
    """What is claimed."""
    given = {"amount": Decimal("24.90"), "bought_on": date(2026, 3, 9), **fields}
    return purchases.Claim(**given)  # type: ignore[arg-type]


def test_a_claim_is_pending_and_dated_at_noon_of_its_local_day(customer: Customer) -> None:
    """Noon in Auckland, whatever the day is in Greenwich."""
    outcome = claim(customer, venue="depot", receipt_number=" 55-1 ")
    action = Action.objects.get()
    assert (outcome.status, outcome.action_id, action.state) == ("accepted", action.pk, "pending")
    assert action.occurred_at == datetime(2026, 3, 8, 23, tzinfo=UTC)
    assert action.quantity == Decimal("24.90")
    assert action.attributes == {"receipt": "55-1"}
    assert action.venue is not None
    assert action.venue.slug == "depot"


def test_a_purchase_of_today_happened_now(customer: Customer) -> None:
    """It is the tenth in Auckland, and noon may still be to come."""
    assert claim(customer, bought_on=date(2026, 3, 10)).status == "accepted"
    assert Action.objects.get().occurred_at == NOW


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"amount": Decimal(0)}, "amount"),
        ({"amount": Decimal(-3)}, "amount"),
        ({"amount": Decimal("NaN")}, "amount"),
        ({"amount": Decimal("Infinity")}, "amount"),
        ({"amount": Decimal("1e12")}, "amount"),
        ({"bought_on": date(2026, 3, 11)}, "bought_on"),
        ({"venue": "nowhere"}, "venue"),
    ],
)
def test_a_claim_that_cannot_be_is_refused_at_its_field(
    customer: Customer, fields: dict[str, object], field: str
) -> None:
    """With a sentence, and nothing kept."""
    outcome = claim(customer, **fields)  # type: ignore[arg-type]
    assert (outcome.status, outcome.field) == ("refused", field)
    assert outcome.reason
    assert not Action.objects.exists()


@pytest.mark.parametrize(
    ("fields", "is_alike"),
    [
        ({"receipt_number": "9"}, True),  # same day, same total
        ({"bought_on": date(2026, 3, 8)}, False),
        ({"amount": Decimal(3)}, False),
        ({"amount": Decimal(3), "bought_on": date(2026, 3, 1), "receipt_number": " 55-1"}, True),
        ({"amount": Decimal(3), "receipt_number": "55-1", "venue": "depot"}, False),
        ({"amount": Decimal(3), "receipt_number": ""}, False),
    ],
)
def test_what_may_be_the_same_purchase_is_found(
    customer: Customer, fields: dict[str, object], is_alike: bool
) -> None:
    """By total and day, or by number and venue; among the customer's own only."""
    first = claim(customer, receipt_number="55-1", venue="quay")
    other = made(**{"venue": "quay", **fields})
    found = purchases.find_alike(customer=customer, claim=other, token="t2")
    assert (found is not None and found.pk == first.action_id) == is_alike
    neighbour = create_customer(brand=customer.brand, now=NOW)
    assert purchases.find_alike(customer=neighbour, claim=other, token="t2") is None


def test_a_form_sent_again_is_not_alike_to_itself(customer: Customer) -> None:
    """The same form again is a repeat, and no question is asked."""
    first = claim(customer, receipt_number="55-1")
    again = made(receipt_number="55-1")
    assert purchases.find_alike(customer=customer, claim=again, token="t1") is None
    assert claim(customer, receipt_number="55-1", now=LATER) == Outcome(
        "repeated", action_id=first.action_id
    )


def test_staff_see_a_number_that_somebody_else_used(customer: Customer) -> None:
    """Among all claims of the brand, and of no other brand."""
    neighbour = create_customer(brand=customer.brand, now=NOW)
    elsewhere = make_brand("other", kinds=(("purchase", Source.PURCHASES),))
    stranger = create_customer(brand=elsewhere, now=NOW)
    mine = claim(customer, token="t1", receipt_number="55-1").action_id
    theirs = claim(neighbour, token="t2", receipt_number="55-1", amount=Decimal(7)).action_id
    claim(neighbour, token="t3", receipt_number="55-2")
    claim(stranger, token="t4", receipt_number="55-1")
    waiting = list(
        Action.objects.select_related("brand", "identifier__customer").filter(brand=customer.brand)
    )
    alike = purchases.alike_for_staff(claims=waiting)
    assert {pk: [one.pk for one in others] for pk, others in alike.items()} == {
        mine: [theirs],
        theirs: [mine],
    }


def test_a_time_places_the_purchase_in_its_day(customer: Customer) -> None:
    """Local time, and none that is still to come."""
    later = claim(customer, bought_on=date(2026, 3, 10), bought_at=time(23))
    assert (later.status, later.field) == ("refused", "bought_at")
    claim(customer, bought_at=time(8, 15))
    assert Action.objects.get().occurred_at == datetime(2026, 3, 8, 19, 15, tzinfo=UTC)


def test_the_usual_wait_is_the_median_of_the_last_decisions(customer: Customer) -> None:
    """Two days until enough was decided to tell."""
    assert purchases.usual_wait(brand=customer.brand) == "Usually decided within two days."
    for number, hours in enumerate((1, 2, 5, 30, 40)):
        claim(customer, token=f"t{number}", amount=Decimal(number + 1))
        decision = DecisionRow("laurel", f"d{number}", f"t{number}", accepted=True, at=NOW)
        record_actions(
            brand=customer.brand, rows=[decision], now=NOW + timedelta(hours=hours, minutes=-5)
        )
    assert purchases.usual_wait(brand=customer.brand) == "Usually decided within 5 hours."


def test_one_token_with_two_amounts_is_refused(customer: Customer) -> None:
    """The first record stays as it is."""
    first = claim(customer)
    outcome = claim(customer, amount=Decimal(99))
    assert (outcome.status, outcome.action_id) == ("refused", first.action_id)
    assert Action.objects.get().quantity == Decimal("24.90")


# Product use


def test_a_use_is_recorded_with_quantity_and_attributes(customer: Customer) -> None:
    """Accepted at once; sent twice it counts once."""
    for now, status in ((NOW, "accepted"), (LATER, "repeated")):
        outcome = usage.record_usage(
            customer=customer,
            token="t1",
            now=now,
            quantity=Decimal(2),
            attributes={"method": "filter"},
        )
        assert outcome.status == status
    action = Action.objects.get()
    assert (action.state, action.quantity) == ("accepted", Decimal(2))
    assert action.attributes == {"method": "filter"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"quantity": Decimal(-1)}, "quantity"),
        ({"quantity": Decimal("NaN")}, "quantity"),
        ({"attributes": {"size": "L"}}, "attributes.size"),
        ({"attributes": {"method": 3}}, "attributes.method"),
    ],
)
def test_a_use_that_cannot_be_is_refused_at_its_field(
    customer: Customer, fields: dict[str, object], field: str
) -> None:
    """With a sentence, and nothing kept."""
    outcome = usage.record_usage(customer=customer, token="t1", now=NOW, **fields)  # type: ignore[arg-type]
    assert (outcome.status, outcome.field) == ("refused", field)
    assert not Action.objects.exists()
