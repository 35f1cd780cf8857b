"""What is kept of how a reader wants the pages, the rule book with its changes, help, and pages that say no."""

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from pytest_django.fixtures import Settings
from time_machine import travel

from accounts.models import Brand, User
from loyalty import access
from scoring.models import ActionKind
from scoring.publication import publish
from tests.loyalty.test_pages import text_of
from tests.people import MONDAY, RULES, Person

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _on_monday(db: None) -> Any:
    with travel(MONDAY + 8 * HOUR, tick=False):
        yield


# --- theme and language


def test_theme_and_language_are_kept_with_the_account(customer: Person, settings: Settings) -> None:
    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    client = customer.client()
    assert "Deutsch" in text_of(client.get("/b/foxglove/me"))
    client.post("/b/foxglove/me", {"theme": "dark", "language": "de"})
    user = User.objects.get(pk=customer.user.pk)
    assert (user.theme, user.language) == ("dark", "de")
    elsewhere = customer.client().get("/b/foxglove/score")
    assert '<html lang="de" dir="ltr" data-theme="dark">' in elsewhere.content.decode()
    assert elsewhere["Content-Language"] == "de"


def test_the_browser_decides_where_the_account_does_not(
    customer: Person, settings: Settings
) -> None:
    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    german = {"Accept-Language": "de"}
    assert (
        'lang="de"' in customer.client().get("/b/foxglove/score", headers=german).content.decode()
    )
    User.objects.filter(pk=customer.user.pk).update(language="en")
    assert (
        'lang="en"' in customer.client().get("/b/foxglove/score", headers=german).content.decode()
    )
    # One that is no longer shipped is as if nothing had been chosen.
    User.objects.filter(pk=customer.user.pk).update(language="la")
    assert (
        'lang="de"' in customer.client().get("/b/foxglove/score", headers=german).content.decode()
    )


def test_the_device_remembers_the_theme_for_who_is_not_signed_in(customer: Person) -> None:
    client = customer.client()
    client.post("/b/foxglove/me", {"theme": "dark", "language": ""})
    client.post("/accounts/logout/")
    assert 'data-theme="dark"' in client.get("/b/foxglove/").content.decode()
    client.cookies["theme"] = '"><script>'
    assert "data-theme" not in client.get("/b/foxglove/").content.decode()
    # Whoever is signed in has their own.
    User.objects.filter(pk=customer.user.pk).update(theme="light")
    client = customer.client()
    client.cookies["theme"] = "dark"
    assert 'data-theme="light"' in client.get("/b/foxglove/").content.decode()


def test_a_choice_that_there_is_not_is_refused_and_changes_nothing(customer: Person) -> None:
    page = customer.client().post("/b/foxglove/me", {"theme": "dark", "language": "tlh"})
    assert page.status_code == 200
    assert "There is a problem" in text_of(page)
    assert "data-theme" not in page.content.decode()
    assert User.objects.get(pk=customer.user.pk).theme == "auto"


def test_no_cookie_decides_over_a_kept_style_sheet(customer: Person) -> None:
    client = customer.client()
    page = client.get("/b/foxglove/score").content.decode()
    look = page.partition('href="/b/foxglove/look.')[2].partition('"')[0]
    assert "Cookie" not in client.get(f"/b/foxglove/look.{look}").get("Vary", "")


def test_me_leads_on(customer: Person) -> None:
    page = customer.client().get("/b/foxglove/me").content.decode()
    for name in ("help", "rules", "linked", "known", "board", "rhythm"):
        assert f'href="/b/foxglove/{name}"' in page


# --- the rule book


def change(brand: Brand, effective: Any = "now", note: str = "", **changes: Any) -> None:
    """Publish the rules with parts of the rules of these keys replaced; None takes a rule away."""
    document = deepcopy(RULES)
    document["rules"] = [
        rule | (changes.get(rule["key"]) or {})
        for rule in document["rules"]
        if changes.get(rule["key"], {}) is not None
    ]
    document["rules"] += changes.get("more", [])
    publish(brand=brand, document=document, effective=effective, note=note, now=MONDAY + HOUR)


def test_the_rule_book_has_each_rule_under_its_source_and_since_when(foxglove: Brand) -> None:
    both = {
        "key": "both",
        "type": "bonus",
        "title": "Ten percent more",
        "kinds": ["purchase", "check_in"],
        "percent": 10,
    }
    change(foxglove, visit={"points": 30}, more=[both])
    response = Client().get("/b/foxglove/rules")
    chapters = {chapter.source.slug: chapter.rules for chapter in response.context["chapters"]}
    assert [stage.key for stage in chapters["purchases"]] == ["spend", "both"]
    assert [stage.key for stage in chapters["physical_visits"]] == ["visit", "both"]
    page = text_of(response)
    assert "30 points" in page
    assert "25 points" not in page
    assert "From the beginning" in page
    assert "Since 23 November 2026" in page


def test_what_comes_later_is_in_the_rule_book_as_such(foxglove: Brand) -> None:
    change(foxglove, effective=(MONDAY + 8 * DAY).date(), visit={"points": 30})
    page = text_of(Client().get("/b/foxglove/rules"))
    assert "What comes next" in page
    assert "From 1 December 2026" in page


def test_what_changed_is_told_version_by_version(foxglove: Brand) -> None:
    change(foxglove, note="Visits count for more", visit={"points": 30})
    entries = Client().get("/b/foxglove/rules/changes").context["entries"]
    assert [entry.rule_set.version for entry in entries] == [2, 1]
    [told] = entries[0].changes
    assert (told.what, told.name) == ("changed", "Check in")
    assert told.was == ["Check-in: 25 points, at most once a day and venue"]
    assert told.now == ["Check-in: 30 points, at most once a day and venue"]
    assert {told.what for told in entries[1].changes} == {"new", "shape"}
    page = text_of(Client().get("/b/foxglove/rules/changes"))
    assert "Visits count for more" in page
    assert "what was earned before stays" in page
    assert "Acts for the whole past as well" in page


def test_a_rule_that_went_came_or_was_renamed_is_told_as_such(foxglove: Brand) -> None:
    brew = {"key": "brew", "type": "earn", "title": "Brew", "kinds": ["usage"], "points": 3}
    change(foxglove, visit=None, spend={"title": "A point a pound"}, more=[brew])
    told = Client().get("/b/foxglove/rules/changes").context["entries"][0].changes
    assert {(one.what, one.name): (one.was, one.now) for one in told} == {
        ("retitled", "A point a pound"): (["1 point for every pound"], ["A point a pound"]),
        ("gone", "Check in"): (["Check-in: 25 points, at most once a day and venue"], []),
        ("new", "Brew"): ([], ["Brew: 3 points"]),
    }


def test_changes_go_back_page_by_page(foxglove: Brand) -> None:
    for points in range(26, 40):
        change(foxglove, effective="always", visit={"points": points})
    client = Client()
    first = client.get("/b/foxglove/rules/changes")
    assert [entry.rule_set.version for entry in first.context["entries"]] == list(range(15, 5, -1))
    rest = client.get("/b/foxglove/rules/changes", {"before": first.context["older"]})
    assert [entry.rule_set.version for entry in rest.context["entries"]] == list(range(5, 0, -1))
    assert len(first.context["entries"][-1].changes) == 1
    assert client.get("/b/foxglove/rules/changes", {"before": "x"}).status_code == 404


def test_a_version_about_things_that_are_gone_says_so(foxglove: Brand) -> None:
    change(foxglove, spend=None, visit=None)
    ActionKind.objects.filter(brand=foxglove, slug="purchase").update(slug="sale")
    assert "cannot be compared" in text_of(Client().get("/b/foxglove/rules/changes"))


# --- help, and pages that say no


def test_help_answers_for_anyone_and_every_page_of_a_brand_leads_there(customer: Person) -> None:
    for client in (Client(), customer.client()):
        page = text_of(client.get("/b/foxglove/help"))
        assert "What is the score?" in page
        assert "The words" in page
        assert 'href="/b/foxglove/help"' in client.get("/b/foxglove/rules").content.decode()


def test_not_found_leads_on_in_the_brand_that_the_address_names(customer: Person) -> None:
    for client, words in ((Client(), "To Foxglove Coffee"), (customer.client(), "To my score")):
        page = client.get("/b/foxglove/nowhere")
        assert page.status_code == 404
        assert words in text_of(page)
        assert "/b/foxglove/look." in page.content.decode()
    assert "To the first page" in text_of(Client().get("/b/nowhere/score"))


def test_not_allowed_gives_a_reference(
    customer: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise PermissionDenied

    monkeypatch.setattr(access, "get_brand", refuse)
    page = customer.client().get("/b/foxglove/help")
    assert page.status_code == 403
    assert page.context["reference"] in text_of(page)
    assert page.context["reference"] in caplog.text


def test_broken_gives_a_reference_and_asks_nothing_of_the_database(
    customer: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*_arguments: Any) -> None:
        raise RuntimeError("no database")

    monkeypatch.setattr(access, "get_brand", break_down)
    client = Client(raise_request_exception=False)
    page = client.get("/b/foxglove/help")
    assert page.status_code == 500
    words = text_of(page)
    assert "Something broke" in words
    assert 'href="/b/foxglove/help"' in page.content.decode()
    reference = words.partition("tell us this reference: ")[2].split()[0].rstrip(".")
    assert len(reference) == 9
    assert reference in caplog.text
