"""Pausing the score, switching sources off, and the gate."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.choices import choice_made, is_off, pause_score, resume_score, switch_source
from accounts.consent import LeftOut, audience, texts_of
from accounts.identity import create_customer
from accounts.models import Brand, Consent, Customer, Purpose
from accounts.pseudonyms import join_boards
from scoring.models import Source
from tests.people import MONDAY, Person, join

LATER = MONDAY + timedelta(hours=1)


@pytest.fixture
def made() -> Any:
    """What was told of choices."""
    told: list[int] = []

    def hear(*, customer: Customer, **_more: Any) -> None:
        told.append(customer.pk)

    choice_made.connect(hear)
    yield told
    choice_made.disconnect(hear)


def test_a_paused_customer_is_off_the_boards_and_told_of_once(
    customer: Person, made: list[int]
) -> None:
    me = customer.customer
    assert me is not None
    join_boards(customer=me, name="Amber Otter")
    for _twice in range(2):
        pause_score(customer=me, now=LATER)
    assert (me.paused_at, me.on_boards) == (LATER, False)
    assert made == [me.pk]
    for _twice in range(2):
        resume_score(customer=me, now=LATER)
    me.refresh_from_db()
    # Coming back to the boards is a choice of its own.
    assert (me.paused_at, me.on_boards, me.pseudonym) == (None, False, "Amber Otter")
    assert made == [me.pk, me.pk]


def test_a_source_is_off_for_every_identifier(customer: Person, made: list[int]) -> None:
    me = customer.customer
    assert me is not None
    for _twice in range(2):
        switch_source(customer=me, source=Source.PURCHASES, on=False, now=LATER)
    switch_source(customer=me, source=Source.SOCIAL_MEDIA, on=False, now=LATER)
    bits = 1 << Source.PURCHASES | 1 << Source.SOCIAL_MEDIA
    assert me.sources_off == bits
    assert is_off(customer=me, source=Source.PURCHASES)
    assert not is_off(customer=me, source=Source.PRODUCT_USAGE)
    assert set(me.identifiers.values_list("sources_off", flat=True)) == {bits}
    switch_source(customer=me, source=Source.PURCHASES, on=True, now=LATER)
    me.refresh_from_db()
    assert me.sources_off == 1 << Source.SOCIAL_MEDIA
    assert made == [me.pk] * 3


def give(customer: Customer, purpose: Purpose, channel: str, *, given: bool = True) -> None:
    Consent.objects.create(
        customer=customer,
        purpose=purpose,
        channel=channel,
        given=given,
        wording="May Roast & Co have it?",
        version=texts_of(brand=customer.brand, language="en")[purpose].version,
        language="en",
        way=Consent.Way.PAGE,
        at=LATER,
    )


@pytest.mark.parametrize(
    ("purpose", "channel"),
    [(Purpose.NEWS, "email"), (Purpose.OFFERS, "sms"), (Purpose.PARTNERS, "")],
)
def test_the_gate_lets_those_through_who_agreed(
    foxglove: Brand, stranger: Person, purpose: Purpose, channel: str
) -> None:
    for brand in (foxglove, stranger.brand):
        brand.channels, brand.partners = ["email", "sms"], "Roast & Co"
        brand.save()
    people = {
        name: join(foxglove, f"{name}@example.org").customer for name in ("yes", "no", "gone")
    }
    paused, other = join(foxglove, "paused@example.org").customer, stranger.customer
    unclaimed = create_customer(brand=foxglove, now=MONDAY)
    for one in (people["yes"], people["gone"], paused, other):
        assert one is not None
        give(one, purpose, channel)
    assert people["gone"] is not None
    assert paused is not None
    give(people["gone"], purpose, channel, given=False)
    pause_score(customer=paused, now=LATER)
    nobody = create_customer(brand=foxglove, now=MONDAY)
    Customer.objects.filter(pk=nobody.pk).update(erased_at=LATER)
    merged = create_customer(brand=foxglove, now=MONDAY)
    Customer.objects.filter(pk=merged.pk).update(merged_into=people["yes"])

    found = audience(brand=foxglove, purpose=purpose, channel=channel)
    assert list(found.customers) == [people["yes"]]
    assert found.left_out() == {
        LeftOut.PAUSED: 1,
        LeftOut.NOT_JOINED: 1,
        LeftOut.NO_CONSENT: 2,
    }
    everyone = audience(brand=foxglove, purpose=Purpose.SCORE)
    assert set(everyone.customers) == {people["yes"], people["no"], people["gone"], unclaimed}
    assert everyone.left_out() == {LeftOut.PAUSED: 1}
