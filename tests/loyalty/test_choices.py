"""The page of choices: what it shows, what a tap does, and what stands on the other pages then."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from time_machine import travel

from accounts.consent import asked_for, consents_of, history_of, texts_of, write_text
from accounts.models import Brand, Consent, ContactRules, Customer, Purpose
from scoring.models import Posting, Score
from tests.people import MONDAY, Person, record, score_all_due

pytestmark = pytest.mark.django_db

NOW = MONDAY + timedelta(days=1)
PAGE = "/b/foxglove/choices"
JOINING = "/b/foxglove/choices/joining"


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    """It is NOW."""
    with travel(NOW, tick=False):
        yield


@pytest.fixture
def me(customer: Person) -> Customer:
    """Foxglove's customer, who is asked for everything and has bought and checked in."""
    brand = customer.brand
    brand.channels, brand.partners = list(Brand.Channel.values), "Roast & Co"
    brand.save()
    assert customer.customer is not None
    bought, came = ("purchase", MONDAY, 40), ("check_in", MONDAY + timedelta(hours=1))
    record(customer.customer, bought, came, now=NOW)
    return customer.customer


def text_of(page: Any) -> str:
    """What a reader sees."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())


def forms_of(page: Any) -> list[dict[str, str]]:
    """The hidden fields of each form of a switch, in their order."""
    forms = re.findall(r'<form method="post">.*?</form>', page.content.decode(), re.DOTALL)
    return [
        dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
        for form in forms
        if 'role="switch"' in form
    ]


def tap(client: Client, address: str, **wanted: str) -> Any:
    """Tap the switch whose form has these fields; the page that comes."""
    [form] = [one for one in forms_of(client.get(address)) if wanted.items() <= one.items()]
    return client.post(address, form, follow=True)


def test_everything_is_off_and_every_switch_tells_its_state_and_consequence(
    customer: Person, me: Customer
) -> None:
    page = customer.client().get(PAGE)
    consents = [form for form in forms_of(page) if form["do"] == "consent"]
    assert {(one["purpose"], one["channel"]) for one in consents} == {
        (purpose.value, channel) for purpose, channel in asked_for(brand=me.brand)
    }
    assert {one["given"] for one in consents} == {"yes"}, "each tap would give"
    html = page.content.decode()
    assert html.count('aria-checked="false"') == len(consents) == 9
    assert html.count('aria-checked="true"') == 7, "the score and its sources"
    for wording in texts_of(brand=me.brand, language="en").values():
        for line in wording.shown("").splitlines():
            assert line.replace("&", "&amp;") in html


def test_one_tap_gives_a_consent_and_one_takes_it_back(customer: Person, me: Customer) -> None:
    client = customer.client()
    page = tap(client, PAGE, purpose="news", channel="sms")
    assert page.redirect_chain == [(f"{PAGE}#news-sms", 302)]
    assert 'id="news-sms" aria-checked="true"' in page.content.decode()
    assert "On since 24 November 2026" in text_of(page)
    [given] = history_of(customer=me)
    # The proof is what stood on the page.
    shown = text_of(page)
    assert all(line in shown for line in given.wording.splitlines())
    assert (given.given, given.way, given.language, given.at) == (True, "page", "en", NOW)
    page = tap(client, PAGE, purpose="news", channel="sms")
    assert "Off since 24 November 2026" in text_of(page)
    assert [one.given for one in history_of(customer=me)] == [False, True]
    assert "Withdrawn: General news, Text message" in text_of(page)


def test_words_that_changed_meanwhile_are_read_again_first(customer: Person, me: Customer) -> None:
    client = customer.client()
    [form] = [one for one in forms_of(client.get(PAGE)) if one.get("purpose") == "partners"]
    write_text(brand=me.brand, purpose=Purpose.PARTNERS, text="Sell it?", by=None, now=NOW)
    page = client.post(PAGE, form, follow=True)
    assert "The words have changed since you read them." in text_of(page)
    assert history_of(customer=me) == []
    tap(client, PAGE, purpose="partners")
    [given] = history_of(customer=me)
    assert "Sell it? Partners: Roast & Co." in given.wording


def test_proofs_are_not_made_without_end(
    customer: Person, me: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loyalty.pages.choices.GIVEN", 2)
    client = customer.client()
    for _tap in range(4):
        tap(client, PAGE, purpose="news", channel="email")
    page = tap(client, PAGE, purpose="news", channel="email")
    assert "You have switched this very often." in text_of(page)
    assert [one.given for one in history_of(customer=me)] == [False, True, False, True]


@pytest.mark.parametrize(
    "form",
    [
        {"do": "consent", "purpose": "everything", "channel": "email", "given": "yes"},
        {"do": "consent", "purpose": "score", "channel": "", "given": "yes"},
        {"do": "consent", "purpose": "news", "channel": "pigeon", "given": "yes"},
        {"do": "consent", "purpose": "news", "channel": "email", "given": "yes"},
        {"do": "consent", "purpose": "news", "channel": "email"},
        {"do": "source", "source": "purchases"},
        {"do": "source", "source": "money", "on": "no"},
        {"do": "dance"},
    ],
)
def test_nonsense_changes_nothing(customer: Person, me: Customer, form: dict[str, str]) -> None:
    for address in (PAGE, JOINING):
        page = customer.client().post(address, form, follow=True)
        assert page.status_code == 200
    assert not Consent.objects.exists()
    me.refresh_from_db()
    assert (me.sources_off, me.paused_at) == (0, None)


def test_a_pause_says_what_it_does_and_is_one_tap_either_way(
    customer: Person, me: Customer
) -> None:
    client = customer.client()
    before = Score.objects.get(customer=me)
    assert before.score > 0
    says = "Paused: no score, no rank, off the boards, not in the brand"
    assert says in text_of(client.get(PAGE))
    page = tap(client, PAGE, do="pause")
    assert "Paused since 24 November 2026" in text_of(page)
    assert "While your score is paused, nothing is sent and nothing is shared" in text_of(page)
    assert "Your score is paused" in text_of(client.get("/b/foxglove/activity"))
    score_all_due(me.brand, now=NOW)
    paused = Score.objects.get(customer=me)
    assert paused.score == 0
    assert paused.points == before.points
    page = tap(client, PAGE, do="resume")
    assert "Paused since" not in text_of(page)
    score_all_due(me.brand, now=NOW)
    assert Score.objects.get(customer=me).score == before.score


@pytest.mark.parametrize("address", [PAGE, "/b/foxglove/score/purchases"])
def test_a_source_is_switched_off_and_on_as_if_it_had_never_been_off(
    customer: Person, me: Customer, address: str
) -> None:
    client = customer.client()
    wanted = {"source": "purchases"} if address == PAGE else {}
    before = Score.objects.get(customer=me)
    tap(client, address, **wanted, on="no")
    score_all_due(me.brand, now=NOW)
    off = Score.objects.get(customer=me)
    assert 0 < off.score < before.score
    assert off.points == before.points - 40
    activity = text_of(client.get("/b/foxglove/activity"))
    assert "Switched off by you: Purchases." in activity
    assert "Purchase " not in activity.replace("Purchases", "")
    assert "Switched off ·" in text_of(client.get("/b/foxglove/score"))
    page = text_of(client.get("/b/foxglove/score/purchases"))
    assert "You have switched this source off." in page
    assert "Off: kept, not scored" in page
    assert "What makes it up" not in page
    tap(client, address, **wanted, on="yes")
    score_all_due(me.brand, now=NOW)
    again = Score.objects.get(customer=me)
    assert (again.score, again.points, again.sub_scores) == (
        before.score,
        before.points,
        before.sub_scores,
    )
    assert sum(Posting.objects.filter(customer=me).values_list("points", flat=True)) == again.points
    assert "Switched off" not in text_of(client.get("/b/foxglove/activity"))


def test_quiet_hours_and_how_often_are_kept(customer: Person, me: Customer) -> None:
    client = customer.client()
    form = {"do": "contact", "quiet_from": "22:00", "quiet_until": "07:30", "weekly_most": "2"}
    page = client.post(PAGE, form, follow=True)
    assert "It holds for every message from now on." in text_of(page)
    html = page.content.decode()
    assert 'value="22:00"' in html
    assert 'value="07:30"' in html
    assert '<option value="2" selected>' in html
    for wrong in ({"quiet_until": ""}, {"quiet_from": "25:99"}, {"weekly_most": "0"}):
        assert client.post(PAGE, form | wrong).status_code == 422
    assert ContactRules.objects.get(customer=me).weekly_most == 2
    client.post(PAGE, {"do": "contact"})
    rules = ContactRules.objects.get(customer=me)
    assert (rules.quiet_from, rules.quiet_until, rules.weekly_most) == (None, None, None)


def test_after_joining_all_is_off_and_one_tap_leads_on(foxglove: Brand, stranger: Person) -> None:
    client = stranger.client()
    page = client.post("/b/foxglove/join", {"next": "/b/foxglove/badges"}, follow=True)
    address = f"{JOINING}?next=%2Fb%2Ffoxglove%2Fbadges"
    assert page.redirect_chain == [(address, 302)]
    assert 'aria-checked="true"' not in page.content.decode()
    assert '<a class="button" href="/b/foxglove/badges">' in page.content.decode()
    page = tap(client, address, purpose="news", channel="email")
    assert page.redirect_chain == [(f"{address}#news-email", 302)]
    joined = Customer.objects.get(brand=foxglove, user=stranger.user)
    said = consents_of(customer=joined)[Purpose.NEWS, "email"]
    assert said is not None
    assert (said.given, said.way) == (True, "join")
    # Nobody is asked again.
    for path in ("score", "me", "activity"):
        page = client.get(f"/b/foxglove/{path}", follow=True)
        assert page.redirect_chain == []
    assert client.post("/b/foxglove/join")["Location"] == reverse("score", args=["foxglove"])


def test_who_asks_for_nothing_shows_no_page_of_consents(foxglove: Brand, stranger: Person) -> None:
    foxglove.channels = []
    foxglove.save()
    client = stranger.client()
    assert client.post("/b/foxglove/join")["Location"] == "/b/foxglove/score"
    page = text_of(client.get(PAGE))
    assert "news" not in page
    assert "At most" not in page


def test_the_page_after_joining_leads_to_no_other_site(customer: Person) -> None:
    page = customer.client().get(JOINING, {"next": "https://evil.example/"})
    assert "evil.example" not in page.content.decode()


def test_the_page_takes_few_queries(
    customer: Person, me: Customer, django_assert_max_num_queries: Any
) -> None:
    client = customer.client()
    for purpose, channel in asked_for(brand=me.brand):
        tap(client, PAGE, purpose=purpose, channel=channel)
    with django_assert_max_num_queries(12):
        client.get(PAGE)
    assert len(history_of(customer=me)) == 9
