"""Me, from where everything of one's own is found, and what a brand knows about a customer."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from time_machine import travel

from accounts import identity
from accounts.choices import pause_score, switch_source
from accounts.consent import record_consents, texts_of
from accounts.models import Consent, Customer, DataUse, Dispute, Identifier, Purpose, User
from accounts.uses import record_look, record_use
from scoring.models import Source
from tests.people import MONDAY, Person, join, record, score_all_due
from tests.statements import counted

pytestmark = pytest.mark.django_db

NOW = MONDAY + timedelta(hours=8)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _on_monday(db: None) -> Iterator[None]:
    with travel(NOW, tick=False):
        yield


@pytest.fixture
def rowan(customer: Person) -> Customer:
    """Foxglove's customer, with a purchase and a check-in."""
    assert customer.customer
    record(customer.customer, ("purchase", MONDAY, "24.90"), ("check_in", MONDAY + HOUR))
    return customer.customer


def text_of(response: Any) -> str:
    """What a page says, without its tags."""
    text = re.sub(
        r"<(script|style|svg).*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL
    )
    return " ".join(unescape(text).split())


def agree(customer: Customer, purpose: Purpose, channel: str) -> None:
    """As the page of choices does."""
    shown = {
        one: text.version for one, text in texts_of(brand=customer.brand, language="en").items()
    }
    choices = {(purpose, channel): True}
    way = Consent.Way.PAGE
    record_consents(
        customer=customer, choices=choices, shown=shown, language="en", way=way, now=NOW
    )


# --- Me


def test_me_says_how_each_thing_stands(rowan: Customer, customer: Person) -> None:
    client = customer.client()
    said = text_of(client.get("/b/foxglove/me"))
    for wanted in (
        rowan.pseudonym,
        customer.user.email,
        "1 linked",
        "Nobody used it in the last 30 days",
        "No news, no offers",
        "You do not appear",
        "Code by mail",
        "As this device",
    ):
        assert wanted in said, wanted
    identity.link_identifier(customer=rowan, text="card:1", proof=Identifier.Proof.CODE, now=NOW)
    manager = User.objects.create_user("m@example.org")
    record_look(customer=rowan, by=manager, role="manager", now=NOW)
    agree(rowan, Purpose.NEWS, "email")
    switch_source(customer=rowan, source=Source.PHYSICAL_VISITS, on=False, now=NOW)
    pause_score(customer=rowan, now=NOW)
    customer.user.set_password("a long password, for tests")
    customer.user.language = "de"
    customer.user.save()
    client = customer.client()
    said = text_of(client.get("/b/foxglove/me", headers={"accept-language": "en"}))
    assert "Deutsch" in said
    User.objects.filter(pk=customer.user.pk).update(language="en")
    said = text_of(client.get("/b/foxglove/me"))
    for wanted in (
        "2 linked",
        "Used once in the last 30 days",
        "Score paused · Off: Visits · General news: E-mail",
        "Code by mail · Password",
    ):
        assert wanted in said, wanted


def test_me_leads_to_all_that_is_ones_own(rowan: Customer, customer: Person) -> None:
    page = customer.client().get("/b/foxglove/me").content.decode()
    for address in (
        "/b/foxglove/linked",
        "/b/foxglove/known",
        "/b/foxglove/choices",
        "/b/foxglove/board",
        "/accounts/2fa/",
        "/b/foxglove/me/download.zip",
        "/b/foxglove/me/download.json",
        "/b/foxglove/me/leave",
        "/accounts/erase/",
    ):
        assert f'href="{address}"' in page, address
    assert 'action="/accounts/logout/"' in page


def test_both_are_told_of_a_dispute_and_of_the_decision(rowan: Customer, customer: Person) -> None:
    lee = join(rowan.brand, "lee@example.org")
    assert lee.customer
    proof = Identifier.Proof.CODE
    identity.link_identifier(customer=rowan, text="card:8123", proof=proof, now=NOW)
    link = identity.link_identifier(customer=lee.customer, text="card:8123", proof=proof, now=NOW)
    assert link.dispute
    holder, claimant = customer.client(), lee.client()
    assert "Somebody else proved Card 8123" in text_of(holder.get("/b/foxglove/me"))
    assert "You proved Card 8123, and so did somebody else" in text_of(
        claimant.get("/b/foxglove/me")
    )
    identity.decide_dispute(
        dispute=link.dispute,
        move=True,
        by=User.objects.create_user("m@example.org"),
        note="Her name is on it",
        now=NOW,
    )
    lost, won = text_of(holder.get("/b/foxglove/me")), text_of(claimant.get("/b/foxglove/me"))
    assert "Card 8123 belongs to somebody else, and does not count for you" in lost
    assert "Card 8123 is yours" in won
    for said in (lost, won):
        assert "Their note: Her name is on it" in said
    with travel(NOW + timedelta(days=40), tick=False):
        assert "8123" not in text_of(customer.client().get("/b/foxglove/me"))
    assert Dispute.objects.get().moved


def test_me_takes_as_many_statements_for_much_as_for_little(
    rowan: Customer, customer: Person
) -> None:
    client = customer.client()

    def statements(page: str) -> int:
        with counted() as seen:
            assert client.get(f"/b/foxglove/{page}").status_code == 200
        return len(seen)

    for page in ("me", "known"):
        client.get(f"/b/foxglove/{page}")
    few = statements("me"), statements("known")
    manager = User.objects.create_user("m@example.org")
    lee = join(rowan.brand, "lee@example.org").customer
    assert lee
    for number in range(8):
        text, proof = f"card:{number}", Identifier.Proof.CODE
        identity.link_identifier(customer=rowan, text=text, proof=proof, now=NOW)
        identity.link_identifier(customer=lee, text=text, proof=proof, now=NOW)
        record_use(
            brand=rowan.brand,
            type=DataUse.Type.EXPORT,
            purpose=Purpose.SCORE,
            title=f"List {number}",
            by=manager,
            role="manager",
            customers=[rowan.pk],
            now=NOW,
        )
    record(rowan, *(("usage", MONDAY - n * HOUR, 1) for n in range(20)), now=NOW)
    agree(rowan, Purpose.NEWS, "email")
    score_all_due(rowan.brand, now=NOW)
    assert (statements("me"), statements("known")) == few
    assert few[0] <= 14
    assert few[1] <= 16


# --- what is known


def test_known_says_everything_and_where_it_came_from(rowan: Customer, customer: Person) -> None:
    page = customer.client().get("/b/foxglove/known")
    said = text_of(page)
    for wanted in (
        "What Foxglove Coffee knows about you",
        rowan.pseudonym,
        "rowan@example.org E-mail",
        "signed in with it",
        f"{rowan.public_id} Laurel number",
        "Purchases 1 action",
        "Visits 1 action",
        "Reported by till",
        "Place 1 of 1",
        "may not write to you",
        "Nobody has opened your page",
        "Backups are overwritten after",
    ):
        assert wanted in said, wanted
    for address in ("linked", "activity", "score/explained", "badges", "board", "choices#score"):
        assert f'href="/b/foxglove/{address}"' in page.content.decode(), address


def test_known_follows_what_a_customer_chose(rowan: Customer, customer: Person) -> None:
    switch_source(customer=rowan, source=Source.PURCHASES, on=False, now=NOW)
    agree(rowan, Purpose.OFFERS, "email")
    pause_score(customer=rowan, now=NOW)
    said = text_of(customer.client().get("/b/foxglove/known"))
    assert "Switched off: kept, and neither counted nor shown to staff" in said
    assert "Personalised offers E-mail Since" in said
    assert "no score, no rank, no lists" in said
    assert "Place" not in said


def test_known_says_who_used_it_and_for_what(rowan: Customer, customer: Person) -> None:
    manager = User.objects.create_user("imke@example.org")
    record_look(customer=rowan, by=manager, role="manager", now=NOW - HOUR)
    for number in range(11):
        record_use(
            brand=rowan.brand,
            type=DataUse.Type.EXPORT,
            purpose=Purpose.OFFERS,
            channel="email",
            title=f"Best of week {number}",
            by=manager,
            role="marketer",
            customers=[rowan.pk],
            now=NOW,
        )
    record_use(
        brand=rowan.brand,
        type=DataUse.Type.CHANGE,
        purpose=Purpose.SCORE,
        title="merge",
        by=None,
        role="",
        customers=[rowan.pk],
        now=NOW,
    )
    said = text_of(customer.client().get("/b/foxglove/known"))
    assert "Two customers were made one 23 Nov 2026 Operator of the site" in said
    assert "You were on a list: Best of week 10" in said
    assert "Marketer · Personalised offers, E-mail · 1 person on it" in said
    assert "3 earlier uses are in the download" in said
    assert "imke" not in said
    # The look was before all those.
    assert "Your data were looked at" not in said


def test_nobody_else_reads_what_is_known(rowan: Customer, stranger: Person) -> None:
    other = join(rowan.brand, "lee@example.org")
    said = text_of(other.client().get("/b/foxglove/known"))
    assert "rowan@example.org" not in said
    assert "Nothing was reported yet" in said
    assert stranger.client().get("/b/foxglove/known").status_code == 302
