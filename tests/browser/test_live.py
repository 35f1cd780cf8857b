"""Open pages that keep up with their customer's score: real web and worker processes, and a real browser."""

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from accounts.models import Customer
from tests.browser.pages import session_cookie
from tests.browser.site import PATIENCE, Site
from tests.people import FOXGLOVE, join, make_brand, record

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONG = PATIENCE * 1000
NEWS = re.compile(r"^Your score is now (\d+), up (\d+)\.$")


@pytest.fixture(scope="module")
def site(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Web, worker and Redis of these tests."""
    url = urlsplit(os.environ["DATABASE_URL"])
    database = url._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    site = Site(tmp_path_factory.mktemp("site"), database_url=database)
    yield site
    site.close()


@pytest.fixture
def customer(transactional_db: None) -> Customer:
    """Somebody with a score."""
    person = join(make_brand(FOXGLOVE), "rowan@example.org", now=timezone.now())
    assert person.customer
    record(person.customer, ("purchase", timezone.now() - timedelta(hours=3), 40))
    return person.customer


@pytest.fixture
def phone(browser: Browser, site: Site, customer: Customer) -> Iterator[BrowserContext]:
    """A browser in which the customer is signed in."""
    assert customer.user
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(LONG)
    context.add_cookies([session_cookie(customer.user, url=site.url)])
    yield context
    context.close()


def open_page(phone: BrowserContext, site: Site, path: str = "score") -> Page:
    """A page that keeps a list of what its status line said."""
    page = phone.new_page()
    page.goto(f"{site.url}/b/foxglove/{path}")
    page.evaluate(
        """() => {
            const status = document.getElementById("status"), list = document.documentElement.dataset;
            list.said = "";
            new MutationObserver(() => list.said += status.textContent).observe(status, {childList: true});
        }"""
    )
    return page


def check_in(phone: BrowserContext, site: Site, code: str) -> None:
    """Check in, on another page."""
    page = phone.new_page()
    page.goto(f"{site.url}/b/foxglove/check-in")
    page.get_by_label("Code of the venue").fill(code)
    page.get_by_role("button", name="Check in").click()
    page.wait_for_url("**/result")
    page.close()


def hide(page: Page, is_hidden: bool) -> None:
    """Put the page into the background, or back."""
    page.evaluate(
        """isHidden => {
            Object.defineProperty(document, "hidden", {get: () => isHidden, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        is_hidden,
    )


def score_of(page: Page) -> int:
    return int(page.locator(".number [data-roll]").inner_text())


def expect_news(page: Page, before: int) -> None:
    """One sentence was said, it is of the number shown, and in the document that was there before."""
    html = page.locator("html")
    expect(html).to_have_attribute("data-said", NEWS, timeout=LONG)
    news = NEWS.match(html.get_attribute("data-said") or "")
    assert news
    now, up = map(int, news.groups())
    assert now == before + up
    assert up > 0
    expect(page.locator(".number [data-roll]")).to_have_text(str(now), timeout=LONG)
    page.evaluate("document.documentElement.dataset.said = ''")


def test_every_open_page_follows_in_place(phone: BrowserContext, site: Site) -> None:
    one, other, activity = (open_page(phone, site, path) for path in ("score", "score", "activity"))
    before = score_of(one)
    link = one.locator(".bars a").last
    link.focus()
    check_in(phone, site, "SOHO42")
    for page in (one, other):
        expect_news(page, before)
    expect(activity.locator("main")).to_contain_text("Check-in", timeout=LONG)
    expect(link).to_be_focused()
    # And once more, on the same stream.
    before = score_of(one)
    check_in(phone, site, "CAM7")
    expect_news(one, before)
    # A digit that rolled is plain text again.
    expect(one.locator("roll-digit")).to_have_count(0, timeout=LONG)


def test_a_page_outlives_its_server(phone: BrowserContext, site: Site) -> None:
    page = open_page(phone, site)
    before = score_of(page)
    # A stream that is open holds nobody up.
    assert "graceful shutdown exceeded" not in site.end_web()
    site.start_web()
    site.wait_for_web()
    check_in(phone, site, "SOHO42")
    expect_news(page, before)


def test_a_page_outlives_the_worker_and_redis(phone: BrowserContext, site: Site) -> None:
    page = open_page(phone, site)
    before = score_of(page)
    site.kill_worker()
    check_in(phone, site, "SOHO42")
    site.start_worker()
    expect_news(page, before)
    before = score_of(page)
    site.kill_redis()
    check_in(phone, site, "CAM7")
    expect_news(page, before)


def test_a_page_without_a_stream_asks_and_comes_back_with_a_new_ticket(
    phone: BrowserContext, site: Site
) -> None:
    tickets: list[str] = []

    def refuse_the_first(route: Route) -> None:
        tickets.append(route.request.url)
        if len(tickets) == 1:
            route.fulfill(status=403)
        else:
            route.continue_()

    phone.route("**/live?*", refuse_the_first)
    page = open_page(phone, site)
    before = score_of(page)
    with page.expect_request("**/live?*"):
        pass
    check_in(phone, site, "SOHO42")
    expect_news(page, before)
    assert len(tickets) > 1


def test_a_page_that_was_hidden_catches_up(phone: BrowserContext, site: Site) -> None:
    page = open_page(phone, site)
    before = score_of(page)

    asked: list[str] = []
    hide(page, True)
    page.on("request", lambda request: asked.append(request.url))
    other = open_page(phone, site)
    check_in(phone, site, "SOHO42")
    expect_news(other, before)
    assert asked == []
    hide(page, False)
    expect_news(page, before)


def test_a_page_of_who_has_signed_out_is_not_left_standing(
    phone: BrowserContext, site: Site
) -> None:
    page = open_page(phone, site)
    assert score_of(page)
    hide(page, True)
    other = phone.new_page()
    other.goto(f"{site.url}/accounts/logout/")
    other.locator("main button[type=submit]").click()
    other.wait_for_url(f"{site.url}/")
    hide(page, False)
    page.wait_for_url("**/join?next=*")
