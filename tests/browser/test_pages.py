"""Every page for everyone: what axe finds, in light and dark and any brand's colours, and whether all of it fits."""

import os
import random
import re
from collections.abc import Iterator
from typing import Any, Literal
from uuid import UUID

import pytest
from django.urls import Resolver404, resolve
from django.utils import timezone, translation
from playwright.sync_api import Browser, Page
from pytest_django.live_server_helper import LiveServer

from accounts.models import Customer
from loyalty import theme
from loyalty.pages.urls import urlpatterns
from tests.browser.looks import COLOUR_RULES, LAYOUT_RULES, misfits, use_big_text, violations
from tests.browser.pages import NO_PAGES, OPEN, OWN, URLS, WIDTHS, View, names_of, session_cookie

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PHONE, DESK, NARROW = WIDTHS["phone"], WIDTHS["desk"], (320, 568)
SEED = int(os.environ.get("LAUREL_TEST_SEED") or random.SystemRandom().randrange(10**6))
PAGES = {**OPEN, **OWN}


def name_at(address: str) -> str:
    """The name under which the site knows an address."""
    path = address.split("?", maxsplit=1)[0]
    path = path.replace("{share}", str(UUID(int=0)))
    path = re.sub(r"\{(slug|badge|badge_to_come)\}", "word", path)
    try:
        return resolve(re.sub(r"\{\w+\}", "1", path), URLS).url_name or ""
    except Resolver404:
        return ""


def test_every_page_of_the_site_is_looked_at(settings: Any) -> None:
    looked_at = {name_at(view.address) for view in PAGES.values()}
    excused = set().union(*NO_PAGES.values())
    there_are = {pattern.name for pattern in urlpatterns}
    assert there_are - looked_at - excused == set()
    assert excused <= there_are
    assert not looked_at & excused


def test_the_story_has_what_every_page_needs(story: Customer) -> None:
    names = names_of(story, now=timezone.now())
    assert [name for name, view in PAGES.items() if not view.is_there(names)] == []


class Visitor:
    """Two phones, one of them signed in, that open every page."""

    def __init__(self, browser: Browser, live_server: LiveServer, story: Customer) -> None:
        self.browser, self.url, self.customer = browser, live_server.url, story
        self.names = names_of(story, now=timezone.now())

    def visit(self, *wanted: dict[str, View], **options: Any) -> Iterator[tuple[str, Page]]:
        """Every page, or those of one kind, opened and brought into the state in which it is to be looked at."""
        assert self.customer.user
        for views in wanted or (OPEN, OWN):
            context = self.browser.new_context(
                viewport={"width": PHONE[0], "height": PHONE[1]},
                reduced_motion="reduce",
                # axe is put into the page, which the policy of the site rightly forbids.
                bypass_csp=True,
                service_workers="block",
                **options,
            )
            context.set_default_timeout(15_000)
            if views is not OPEN:
                context.add_cookies([session_cookie(self.customer.user, url=self.url)])
            page = context.new_page()
            for name, view in views.items():
                address = self.url + view.address.format(**self.names)
                page.goto(address)
                assert page.url == address, f"{name} leads elsewhere"
                view.then(page)
                yield name, page
            context.close()


@pytest.fixture
def visitor(browser: Browser, live_server: LiveServer, story: Customer) -> Visitor:
    """Whoever opens every page."""
    return Visitor(browser, live_server, story)


class Findings(dict[str, list[str]]):
    """What is wrong, by page and how it was looked at."""

    def note(self, where: str, wrong: list[str]) -> None:
        """Keep it if there is something."""
        if wrong:
            self[where] = wrong


def resize(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})


@pytest.mark.parametrize("views", [OPEN, OWN], ids=["open", "own"])
def test_every_page_is_for_everyone(views: dict[str, View], visitor: Visitor) -> None:
    """One visit to each, because opening a page takes longer than looking at it in one more way."""
    chance = random.Random(SEED)  # noqa: S311
    colours = [f"#{chance.randrange(1 << 24):06x}" for _ in range(2)]
    found = Findings()
    for name, page in visitor.visit(views):
        found.note(f"{name}", violations(page) + misfits(page))
        resize(page, DESK)
        found.note(f"{name}, desk", violations(page, rules=LAYOUT_RULES) + misfits(page))
        page.emulate_media(color_scheme="dark")
        found.note(f"{name}, desk, dark", violations(page, rules=COLOUR_RULES))
        resize(page, PHONE)
        found.note(f"{name}, dark", violations(page, rules=COLOUR_RULES))
        fits_everybody(name, page, found)
        for colour in colours:
            page.add_style_tag(content=theme.stylesheet(colour))
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                wrong = violations(page, rules=COLOUR_RULES)
                found.note(f"{name}, {colour}, {scheme}", wrong)
        page.emulate_media(color_scheme="light")
    assert found == {}, f"repeat it with LAUREL_TEST_SEED={SEED}"


def fits_everybody(name: str, page: Page, found: Findings) -> None:
    """See that a page fits the smallest phone, text twice as big, and lines from right to left."""
    for size in (NARROW, PHONE, DESK):
        resize(page, size)
        use_big_text(page, 200)
        found.note(f"{name}, big text, {size[0]}", misfits(page))
        use_big_text(page, 100)
        found.note(f"{name}, {size[0]}", misfits(page))
        page.evaluate("document.documentElement.dir = 'rtl'")
        found.note(f"{name}, right to left, {size[0]}", misfits(page))
        page.evaluate("document.documentElement.dir = 'ltr'")
    resize(page, PHONE)


def test_every_page_has_room_for_longer_words(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    stretch_words(monkeypatch)
    found = Findings()
    for name, page in visitor.visit():
        for size in (PHONE, NARROW, DESK):
            resize(page, size)
            found.note(f"{name}, {size[0]}", misfits(page))
        resize(page, PHONE)
    assert found == {}


# What in a text is not to be read: placeholders, tags and entities.
FIXED = re.compile(r"(%\(\w+\)[sd]|%[%sd]|<[^>]*>|&\w+;)")


def longer(text: str) -> str:
    """The text with its vowels drawn out, four tenths longer than before."""
    if not text.strip():
        return text
    parts = FIXED.split(text)
    parts[::2] = [re.sub(r"([aeiouy])", r"\1\1", part, flags=re.IGNORECASE) for part in parts[::2]]
    drawn = "".join(parts)
    return drawn + " ooooo" * (max(0, round(len(text) * 1.4) - len(drawn)) // 6)


def stretch_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every text that is translated come out longer."""
    spoken = translation._trans  # type: ignore[attr-defined]
    kept = {
        name: getattr(spoken, name) for name in ("gettext", "pgettext", "ngettext", "npgettext")
    }
    for name, speak in kept.items():
        monkeypatch.setattr(spoken, name, lambda *given, speak=speak: longer(speak(*given)))
