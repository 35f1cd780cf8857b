"""What the first view of each page weighs, in the bytes that a browser fetches from files as they are in production."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as configured
from django.utils import timezone
from playwright.sync_api import Browser, Page, Request

from accounts.models import Customer
from loyalty.static_files import collect
from tests.browser.pages import OPEN, OWN, WIDTHS, names_of, serving, session_cookie

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Bytes, as sent. The last is a number of requests.
MOST = {"whole": 150_000, "script": 25_000, "stylesheet": 20_000, "font": 75_000, "requests": 25}


@pytest.fixture
def site(story: Customer, settings: Any, tmp_path: Path) -> Iterator[str]:
    """The address of a site whose files are collected and compressed; the admin's are left out."""
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_USE_FINDERS = False
    settings.STORAGES = configured.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }
    collect(tmp_path)
    with serving() as url:
        yield url


def fetched_by(page: Page, address: str) -> list[Request]:
    """All that a page asks for before it stands there whole; the stream of news goes on for ever."""
    asked: list[Request] = []

    def note(request: Request) -> None:
        asked.append(request)

    page.on("request", note)
    page.goto(address)
    page.evaluate("document.fonts.ready")
    page.remove_listener("request", note)
    # What was given up, as a question that the next page made needless, weighed nothing.
    return [
        request
        for request in asked
        if request.resource_type != "eventsource" and request.failure is None
    ]


def weigh(fetched: list[Request]) -> dict[str, int]:
    """The bytes of all, and those of each kind, headers included; and how many there were."""
    weight = dict.fromkeys(MOST, 0) | {"requests": len(fetched)}
    for request in fetched:
        sizes = request.sizes()
        size = sizes["responseBodySize"] + sizes["responseHeadersSize"]
        weight["whole"] += size
        if request.resource_type in MOST:
            weight[request.resource_type] += size
    return weight


def test_every_first_view_is_light_and_asks_nobody_else(
    browser: Browser, site: str, story: Customer
) -> None:
    names = names_of(story, now=timezone.now())
    assert story.user
    heavy: dict[str, dict[str, int]] = {}
    heaviest = dict.fromkeys(MOST, 0)
    for views in (OPEN, OWN):
        context = browser.new_context(
            viewport={"width": WIDTHS["phone"][0], "height": WIDTHS["phone"][1]},
            service_workers="block",
        )
        if views is OWN:
            context.add_cookies([session_cookie(story.user, url=site)])
        page = context.new_page()
        # Each view is the first.
        context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
        for name, view in views.items():
            fetched = fetched_by(page, site + view.address.format(**names))
            hosts = {urlsplit(request.url).netloc for request in fetched}
            assert hosts - {""} == {urlsplit(site).netloc}, name
            weight = weigh(fetched)
            heaviest = {what: max(most, weight[what]) for what, most in heaviest.items()}
            if over := {what: n for what, n in weight.items() if n > MOST[what]}:
                heavy[name] = over
        context.close()
    print(f"The heaviest of each: {heaviest}")
    assert heavy == {}
    # Something was weighed.
    assert min(heaviest.values()) > 0
