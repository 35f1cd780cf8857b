"""Journeys in a real browser, with JavaScript and without."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core import mail
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Brand, Customer
from scoring.models import Badge
from tests.browser.pages import OPEN, OWN, WIDTHS, scoring_of, session_cookie
from tests.people import FOXGLOVE, HARBOUR, join, make_brand, record

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture
def brand(transactional_db: None) -> Brand:
    """A brand that a live server can see."""
    return make_brand(FOXGLOVE)


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A phone."""
    width, height = WIDTHS["phone"]
    context = browser.new_context(
        viewport={"width": width, "height": height}, java_script_enabled=request.param
    )
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


def test_from_the_first_page_to_a_receipt(
    page: Page, live_server: LiveServer, brand: Brand
) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    with scoring_of(brand):
        page.goto(live_server.url)
        page.get_by_role("link", name="Foxglove Coffee").click()
        page.get_by_role("link", name="Join").first.click()
        page.get_by_label("E-mail address").fill("new@example.org")
        page.get_by_role("button", name="Send me the code").click()
        code = re.search(r"^\s+(\S+)$", str(mail.outbox[-1].body), flags=re.MULTILINE)
        assert code
        page.get_by_label("Code").fill(code[1])
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("Welcome")).to_be_visible()

        page.get_by_role("link", name="Add", exact=True).click()
        page.get_by_role("link", name="Check in").click()
        page.get_by_label("Code of the venue").fill("soho42")
        page.get_by_role("button", name="Check in").click()
        expect(page.get_by_role("heading", name="Check-in, Soho")).to_contain_text("+25")
        expect(page.get_by_text("Your score is now")).to_be_visible()

        page.get_by_role("link", name="Add", exact=True).click()
        page.get_by_role("link", name="Register a purchase").click()
        page.get_by_label("Total").fill("24.90")
        page.get_by_label("Where").select_option("Soho")
        page.get_by_label("Receipt number").fill("8123")
        page.get_by_role("button", name="Register it").click()
        expect(page.get_by_role("heading", name="Registered, and pending")).to_be_visible()
        page.get_by_role("link", name="Open the receipt").click()
        expect(page.get_by_role("heading", name="Purchase")).to_be_visible()
        expect(page.get_by_text("£24.90")).to_be_visible()

        page.get_by_role("link", name="Add", exact=True).click()
        page.get_by_role("link", name="Record use: Brew").click()
        expect(page.get_by_label("Day", exact=True)).to_be_hidden()
        page.get_by_label("How much, in cups").fill("2")
        page.get_by_label("Earlier").check()
        page.get_by_role("button", name="Record it").click()
        expect(page.get_by_role("link", name="Enter the day")).to_be_visible()
        expect(page.get_by_label("How much, in cups")).to_have_value("2")
        page.get_by_label("Yesterday").check()
        expect(page.get_by_label("Day", exact=True)).to_be_hidden()
        page.get_by_role("button", name="Record it").click()
        expect(page.get_by_role("heading", name="Brew")).to_be_visible()
        expect(page.get_by_text("Your score is now")).to_be_visible()
        page.get_by_role("link", name="Open the receipt").click()
        expect(page.get_by_text("Cups")).to_be_visible()

        page.get_by_role("link", name="Score", exact=True).click()
        page.get_by_role("link", name=re.compile("see how it adds up")).click()
        expect(page.get_by_role("heading", name="How your score adds up")).to_be_visible()
    # Where a page that reloads itself is left in that moment, the fade between the two is dropped.
    assert [said for said in problems if not said.startswith("Transition was aborted")] == []


@pytest.fixture
def story(brand: Brand) -> Customer:
    """A customer with something on every page."""
    make_brand(HARBOUR)
    person = join(brand, "rowan@example.org", now=timezone.now())
    assert person.customer
    now = timezone.now()
    hour = timedelta(hours=1)
    record(
        person.customer,
        ("purchase", now - 50 * hour, "24.90"),
        ("check_in", now - 49 * hour),
        ("check_in", now - 48.5 * hour),
        ("usage", now - 30 * hour, 2),
        ("purchase", now - 2 * hour, "8.50", "pending"),
        now=now,
    )
    for slug, source, levels in (("three-shops", 4, [2]), ("regular", 2, [20, 50, 100])):
        Badge.objects.create(
            brand=brand,
            slug=slug,
            title=slug.replace("-", " ").capitalize(),
            source=source,
            criterion="actions",
            parameters={"kinds": ["check_in"]},
            levels=levels,
        )
    for number in range(11):
        member = join(brand, f"m{number}@example.org", now=now).customer
        assert member
        Customer.objects.filter(pk=member.pk).update(on_boards=True, pseudonym=f"Otter {number}")
        record(member, ("purchase", now - hour, 20 + number), now=now)
    Customer.objects.filter(pk=person.customer.pk).update(on_boards=True)
    record(person.customer, ("check_in", now), now=now)
    person.customer.refresh_from_db()
    return person.customer


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_accessible(
    scheme: Any, width: str, browser: Browser, live_server: LiveServer, story: Customer
) -> None:
    wide, high = WIDTHS[width]

    def open_context() -> BrowserContext:
        return browser.new_context(
            viewport={"width": wide, "height": high},
            color_scheme=scheme,
            reduced_motion="reduce",
            # axe is put into the page, which the policy of the site rightly forbids.
            bypass_csp=True,
        )

    assert story.user
    anonymous, signed_in = open_context(), open_context()
    signed_in.add_cookies([session_cookie(story.user, url=live_server.url)])
    action = story.identifiers.get(scheme="laurel").actions.order_by("pk")[0]
    found = {}

    def look(page: Page, name: str) -> None:
        results = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
        assert results.response["passes"], f"axe saw nothing on {name}"
        if results.violations_count:
            found[name] = results.generate_report()
        overflow = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not overflow, f"{name} is wider than the window"

    for context, addresses in ((anonymous, OPEN), (signed_in, OWN)):
        page = context.new_page()
        for name, address in addresses.items():
            page.goto(live_server.url + address.format(slug=story.brand.slug, action=action.pk))
            look(page, name)
    page.goto(f"{live_server.url}/b/{story.brand.slug}/purchase")
    page.get_by_role("button", name="Register it").click()
    expect(page.get_by_text("There is a problem")).to_be_visible()
    look(page, "a purchase with errors")
    page.goto(f"{live_server.url}/b/{story.brand.slug}/usage")
    page.get_by_label("Earlier").check()
    page.get_by_role("button", name="Record it").click()
    expect(page.get_by_text("There is a problem")).to_be_visible()
    look(page, "a use with errors")
    page = anonymous.new_page()
    page.goto(f"{live_server.url}/b/{story.brand.slug}/join")
    page.get_by_label("E-mail address").fill("new@example.org")
    page.get_by_role("button", name="Send me the code").click()
    expect(page.get_by_role("heading", name="Enter the code")).to_be_visible()
    look(page, "the code")
    anonymous.close()
    signed_in.close()
    assert found == {}


@pytest.mark.parametrize("text", [100, 200])
def test_every_page_fits_the_smallest_phone(
    text: int, browser: Browser, live_server: LiveServer, story: Customer
) -> None:
    assert story.user
    context = browser.new_context(viewport={"width": 320, "height": 568})
    context.add_cookies([session_cookie(story.user, url=live_server.url)])
    action = story.identifiers.get(scheme="laurel").actions.order_by("pk")[0]
    page = context.new_page()
    for address in (*OPEN.values(), *OWN.values()):
        page.goto(live_server.url + address.format(slug=story.brand.slug, action=action.pk))
        page.evaluate("size => document.documentElement.style.fontSize = `${size}%`", text)
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), address
    context.close()
