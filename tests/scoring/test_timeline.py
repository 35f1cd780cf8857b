"""One customer over every channel: each kind of event, paging, and what a customer's choices leave out."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from accounts.models import Consent, Customer, Dispute, Identifier, LinkEvent, Purpose
from scoring.models import Action, Badge, BadgeEarned, Objection, Source
from scoring.timeline import TYPES, Event, actions_by_identifier, known_sources, timeline
from tests.statements import counted

from .world import NOW, World, correction, rule, void

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


@pytest.fixture
def world() -> World:
    """Ann, who bought thrice and checked in once under two names."""
    world = World(rule("earn", rate=1), zone="Europe/London")
    world.record(
        ("a", "06-23 10:00", 10, {"channel": "shop"}),
        ("b", "11-23 10:00", 20),
        ("c", "11-24 10:00", None, {"kind": "visit", "venue": "soho"}),
    )
    world.record(correction("k", "b", 25), void("v", "a"))
    return world


def said(events: list[Event]) -> list[str]:
    """The types, newest first."""
    return [event.type for event in events]


def everything(customer: Customer) -> None:
    """One of each event that is no action or amendment."""
    other = Customer.objects.create(brand=customer.brand)
    held = customer.identifiers.first()
    assert held
    moved = {"identifier": held, "from_customer": other, "to_customer": customer}
    LinkEvent.objects.create(**moved, type="merge", reason="same person", at=NOW - 5 * DAY)
    Consent.objects.create(
        customer=customer,
        purpose=Purpose.NEWS,
        channel="email",
        given=True,
        wording="News?",
        version="1",
        language="en",
        way="page",
        at=NOW - 4 * DAY,
    )
    Dispute.objects.create(
        brand=customer.brand,
        identifier=held,
        claimant=other,
        holder=customer,
        proof=Identifier.Proof.CODE,
        opened_at=NOW - 3 * DAY,
        decided_at=NOW - 2 * DAY,
        moved=False,
        note="The card is hers",
    )
    badge = Badge.objects.create(
        brand=customer.brand,
        slug="b",
        title="Regular",
        source=2,
        criterion="actions",
        parameters={"kinds": ["buy"]},
        levels=[1],
    )
    BadgeEarned.objects.create(
        customer=customer,
        badge=badge,
        level=1,
        earned_at=NOW - 9 * DAY,
        revoked_at=NOW - 8 * DAY,
        revoked_why="facts",
    )
    action = Action.objects.get(external_id="b")
    Objection.objects.create(action=action, text="It was 40", made_at=NOW - DAY)
    user = get_user_model().objects.create_user("ann@example.org")
    Customer.objects.filter(pk=customer.pk).update(user=user, joined_at=NOW - 7 * DAY)


def test_everything_comes_newest_first_and_says_what_it_was(world: World) -> None:
    customer = world.customer()
    everything(customer)
    events = timeline(customer=customer, limit=100)
    assert set(said(events)) == set(TYPES)
    assert [event.at for event in events] == sorted((e.at for e in events), reverse=True)
    by_type: dict[str, Any] = {event.type: event.detail for event in events}
    first = next(e for e in events if e.type == "action" and e.detail["kind"] == "visit")
    assert first.at == Action.objects.get(external_id="c").occurred_at
    assert first.detail["venue"] == "Soho"
    [corrected] = [e.detail for e in events if e.detail.get("quantity") == "25.00000000"][:1]
    assert corrected["kind"] == "buy"
    [cancelled] = [e for e in events if e.type == "action" and e.detail["state"] == "void"]
    assert (cancelled.detail["points"], cancelled.detail["channel"]) == (0, "shop")
    [bought] = [e for e in events if e.type == "action" and e.detail["points"]]
    assert (bought.detail["points"], bought.detail["quantity"]) == (25, "25.00000000")
    assert by_type["link"]["came"]
    assert by_type["link"]["reason"] == "same person"
    assert by_type["consent"] == {
        "purpose": "news",
        "channel": "email",
        "given": True,
        "way": "page",
        "version": "1",
    }
    assert (by_type["settled"]["claims"], by_type["settled"]["moved"]) == (False, False)
    assert by_type["revoked"]["why"] == "facts"
    assert by_type["objection"]["text"] == "It was 40"


def test_pages_follow_one_another_without_a_gap_or_a_line_twice(world: World) -> None:
    customer = world.customer()
    everything(customer)
    # Many of one moment, in summer.
    world.record(*((f"s{n}", "06-25 12:00", 1) for n in range(9)))
    whole = [event.place for event in timeline(customer=customer, limit=100)]
    paged, place = [], None
    while page := timeline(customer=customer, limit=4, before=place):
        place = page[-1].place
        paged += [event.place for event in page]
    assert paged == whole
    assert len(set(paged)) == len(paged) > 20


def test_only_what_is_asked_for_comes(world: World) -> None:
    everything(world.customer())
    only = {"link", "consent"}
    assert said(timeline(customer=world.customer(), limit=9, only=only)) == ["consent", "link"]


def test_what_a_customer_switched_off_is_not_told(world: World) -> None:
    customer = world.customer()
    everything(customer)
    Customer.objects.filter(pk=customer.pk).update(sources_off=1 << Source.PURCHASES)
    events = timeline(customer=world.customer(), limit=100)
    assert {e.detail["kind"] for e in events if "kind" in e.detail} == {"visit"}
    Customer.objects.filter(pk=customer.pk).update(paused_at=NOW)
    events = timeline(customer=world.customer(), limit=100)
    assert set(said(events)) == {"joined", "link", "consent", "disputed", "settled"}


def test_nothing_of_another_customer_is_told(world: World) -> None:
    everything(world.customer())
    world.record(("x", "11-23 10:00", 1, {"identifier": "card:9"}))
    other = world.customer("card:9")
    assert said(timeline(customer=other, limit=9)) == ["earned", "action"]
    assert [one.actions for one in known_sources(customer=other)] == [1]
    assert list(actions_by_identifier(customer=other).values()) == [(1, NOW.date() - 8 * DAY)]


def test_what_is_known_is_told_by_source(world: World) -> None:
    Customer.objects.filter(pk=world.customer().pk).update(sources_off=1 << Source.PURCHASES)
    bought, visited = known_sources(customer=world.customer())
    assert (bought.source, bought.actions, bought.is_off) == (Source.PURCHASES, 2, True)
    assert (str(bought.first_on), str(bought.last_on)) == ("2026-06-23", "2026-11-23")
    assert (bought.kinds, bought.origins, bought.channels) == (["buy"], ["till"], ["shop"])
    assert (visited.source, visited.actions, visited.is_off) == (Source.PHYSICAL_VISITS, 1, False)


def test_one_statement_however_long_the_history_is(world: World) -> None:
    world.record(*((f"m{n}", f"11-{n:02d} 12:00", 1) for n in range(1, 20)))
    customer = world.customer()
    assert customer.brand.time_zone == "Europe/London"
    with counted() as statements:
        assert len(timeline(customer=customer, limit=100)) > 20
    assert len(statements) == 1
