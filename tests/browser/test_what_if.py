"""Trying things out in a real browser: steppers and sliders answer in place, and by their buttons without scripts."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.pages import WIDTHS, session_cookie
from tests.people import FOXGLOVE, Person, join, make_brand, record

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def rowan(transactional_db: None) -> Person:
    """A customer who bought something an hour ago."""
    person = join(make_brand(FOXGLOVE), "rowan@example.org")
    assert person.customer
    now = timezone.now()
    record(person.customer, ("purchase", now - timedelta(hours=1), 20), now=now)
    return person


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A phone; it knows whether it runs scripts."""
    width, height = WIDTHS["phone"]
    context = browser.new_context(
        viewport={"width": width, "height": height}, java_script_enabled=request.param
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


def test_one_more_answers_and_keeps_its_address(
    page: Page, live_server: LiveServer, rowan: Person, request: pytest.FixtureRequest
) -> None:
    has_script = request.node.callspec.params["page"]
    page.context.add_cookies([session_cookie(rowan.user, url=live_server.url)])
    page.goto(f"{live_server.url}/b/foxglove/what-if?days=1")
    if has_script:
        page.evaluate("window.isTheSamePage = true")
    page.get_by_role("button", name="One more: Check-in").click()
    expect(
        page.locator("#reckoning").get_by_text("1 \N{MULTIPLICATION SIGN} Check-in, Soho")
    ).to_be_visible()
    page.get_by_role("button", name="One more: Check-in").click()
    expect(
        page.locator("#reckoning").get_by_text("2 \N{MULTIPLICATION SIGN} Check-in, Soho")
    ).to_be_visible()
    expect(page.locator("#reckoning").get_by_text("Limit reached")).to_be_visible()
    expect(page.get_by_label("Check-in, Soho", exact=True)).to_have_value("2")
    if has_script:
        assert page.evaluate("window.isTheSamePage")
        expect(page).to_have_url(re.compile(r"n-check_in=2"))
        expect(page.locator("#status")).to_have_text(re.compile(r"if you do nothing\.$"))
        page.reload()
        expect(page.get_by_label("Check-in, Soho", exact=True)).to_have_value("2")


def test_the_outcome_covers_nothing_below_the_steppers(
    page: Page, live_server: LiveServer, rowan: Person
) -> None:
    page.context.add_cookies([session_cookie(rowan.user, url=live_server.url)])
    page.set_viewport_size({"width": WIDTHS["phone"][0], "height": 300})
    page.goto(f"{live_server.url}/b/foxglove/what-if?goal=50&days=7#aim")
    expect(page.locator("#aim")).to_be_in_viewport()
    outcome = page.locator("#outcome").bounding_box()
    goal = page.locator("#aim").bounding_box()
    assert outcome
    assert goal
    assert outcome["y"] + outcome["height"] <= goal["y"]


def test_a_slider_makes_a_sample_score_before_anybody_joined(
    page: Page, live_server: LiveServer, rowan: Person, request: pytest.FixtureRequest
) -> None:
    page.goto(f"{live_server.url}/b/foxglove/")
    number = page.locator("#sample-dial data")
    before = number.inner_text()
    slider = page.get_by_label("Check-in, Soho", exact=True)
    slider.focus()
    for _press in range(6):
        slider.press("ArrowRight")
    if request.node.callspec.params["page"]:
        expect(page.locator("output[for='n-check_in']")).to_have_text("10")
        expect(number).not_to_have_text(before)
        expect(page.locator("#status")).to_have_text(re.compile(r"^That makes \d+ of 1000\.$"))
    else:
        page.get_by_role("button", name="Work it out").click()
        expect(page.locator("output[for='n-check_in']")).to_have_text("10")
        expect(page.locator("#sample-dial data")).not_to_have_text(before)


def test_many_changes_at_once_end_with_the_last(
    browser: Browser, live_server: LiveServer, rowan: Person
) -> None:
    context = browser.new_context()
    context.add_cookies([session_cookie(rowan.user, url=live_server.url)])
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url) if "n-check_in" in sent.url else None)
    page.goto(f"{live_server.url}/b/foxglove/what-if")
    more = page.get_by_role("button", name="One more: Check-in")
    for _press in range(7):
        more.click()
    expect(
        page.locator("#reckoning").get_by_text("7 \N{MULTIPLICATION SIGN} Check-in, Soho")
    ).to_be_visible()
    page.wait_for_timeout(500)
    expect(
        page.locator("#reckoning").get_by_text("7 \N{MULTIPLICATION SIGN} Check-in, Soho")
    ).to_be_visible()
    assert len(asked) < 7
    context.close()
