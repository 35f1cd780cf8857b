"""What people come for, in a real browser: join, check in, claim, look up why, leave a board; each in every way."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Brand, Customer
from tests.browser.hands import HANDS, Holding
from tests.browser.pages import WIDTHS, scoring_of, session_cookie
from tests.people import join, record

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# The limits of a claim: what is tapped from the score to the answer, and what is to be filled in.
MOST_TAPS, MOST_FIELDS = 5, 4


@pytest.fixture
def crowd(brand: Brand) -> Brand:
    """A brand whose boards are open."""
    now = timezone.now()
    for number in range(10):
        member = join(brand, f"m{number}@example.org", now=now).customer
        assert member
        Customer.objects.filter(pk=member.pk).update(on_boards=True, pseudonym=f"Otter {number}")
        record(member, ("purchase", now - timedelta(hours=1), 20 + number), now=now)
    return brand


@pytest.mark.parametrize("way", HANDS)
def test_join_check_in_buy_look_up_why_and_leave_a_board(
    way: str, browser: Browser, live_server: LiveServer, crowd: Brand, settings: object
) -> None:
    problems: list[str] = []
    with HANDS[way].hold(browser, settings) as held, scoring_of(crowd):
        page = held.page
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console", lambda said: problems.append(said.text) if said.type == "error" else None
        )
        page.goto(live_server.url)
        join_brand(held)
        check_in(held)
        buy(held)
        record_use(held)
        look_up_why(held)
        leave_board(held)
    # Where a page that reloads itself is left in that moment, the fade between the two is dropped.
    assert [said for said in problems if not said.startswith("Transition was aborted")] == []


def join_brand(held: Holding) -> None:
    page = held.page
    held.press(page.get_by_role("link", name="Foxglove Coffee"))
    held.press(page.get_by_role("link", name="Join").first)
    held.type(page.get_by_label("E-mail address"), "new@example.org")
    held.look()
    held.press(page.get_by_role("button", name="Send me the code"))
    expect(page.get_by_role("heading", name="Enter the code")).to_be_visible()
    code = re.search(r"^\s+(\S+)$", str(mail.outbox[-1].body), flags=re.MULTILINE)
    assert code
    held.look()
    held.type(page.get_by_label("Code"), code[1])
    held.press(page.get_by_role("button", name="Go on"))
    expect(page.get_by_text("Welcome")).to_be_visible()
    held.look()
    held.press(page.get_by_role("link", name="Go on to your score"))


def check_in(held: Holding) -> None:
    page = held.page
    held.press(page.get_by_role("link", name="Add", exact=True))
    held.press(page.get_by_role("link", name="Check in"))
    held.type(page.get_by_label("Code of the venue"), "soho42")
    held.look()
    held.press(page.get_by_role("button", name="Check in"))
    expect(page.get_by_role("heading", name="Check-in, Soho")).to_contain_text("+25")
    expect(page.get_by_text("Your score is now")).to_be_visible()
    held.look()


def buy(held: Holding) -> None:
    page = held.page
    held.press(page.get_by_role("link", name="Add", exact=True))
    held.press(page.get_by_role("link", name="Register a purchase"))
    held.type(page.get_by_label("Total"), "24.90")
    held.choose(page.get_by_label("Where"), "Soho")
    held.type(page.get_by_label("Receipt number"), "8123")
    held.look()
    held.press(page.get_by_role("button", name="Register it"))
    expect(page.get_by_role("heading", name="Registered, and pending")).to_be_visible()
    held.look()
    held.press(page.get_by_role("link", name="Open the receipt"))
    expect(page.get_by_role("heading", name="Purchase")).to_be_visible()
    expect(page.get_by_text("£24.90")).to_be_visible()
    held.look()


def record_use(held: Holding) -> None:
    page = held.page
    held.press(page.get_by_role("link", name="Add", exact=True))
    held.press(page.get_by_role("link", name="Record use: Brew"))
    held.press(page.get_by_role("button", name="Record it"))
    expect(page.get_by_role("link", name="Enter how much")).to_be_visible()
    held.look()
    held.type(page.get_by_label("How much, in cups"), "2")
    held.press(page.get_by_role("button", name="Record it"))
    expect(page.get_by_role("heading", name="Brew")).to_be_visible()
    expect(page.get_by_text("Your score is now")).to_be_visible()


def look_up_why(held: Holding) -> None:
    """Number, source, action: each is one tap, and the number's own receipt is the first."""
    page = held.page
    held.press(page.get_by_role("link", name="Score", exact=True))
    held.look()
    held.press(page.get_by_role("link", name=re.compile("see how it adds up")))
    expect(page.get_by_role("heading", name="How your score adds up")).to_be_visible()
    held.look()
    held.press(page.locator("main a[href$='/score/physical_visits']").first)
    expect(page.get_by_role("heading", name="What makes it up")).to_be_visible()
    held.look()
    held.press(page.locator("main a[href*='/activity/']").first)
    expect(page.get_by_role("heading", name="Check-in")).to_be_visible()
    expect(page.locator("main .sum data").first).to_have_text("+25")
    held.look()


def leave_board(held: Holding) -> None:
    page = held.page
    held.press(page.get_by_role("link", name="Score", exact=True))
    held.press(page.get_by_role("link", name="The board"))
    held.press(page.get_by_role("button", name="Join the boards"))
    expect(page.get_by_text("You appear on the board as")).to_be_visible()
    expect(page.locator(".board .me")).to_be_visible()
    held.look()
    held.press(page.get_by_role("button", name="Leave the boards"))
    expect(page.get_by_text("You are on no board now")).to_be_visible()
    expect(page.locator(".board")).to_have_count(0)


@pytest.fixture
def page(browser: Browser, live_server: LiveServer, brand: Brand) -> Page:
    """A phone of somebody who has joined, at their score."""
    width, height = WIDTHS["phone"]
    context = browser.new_context(viewport={"width": width, "height": height})
    person = join(brand, "rowan@example.org", now=timezone.now())
    context.add_cookies([session_cookie(person.user, url=live_server.url)])
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.goto(f"{live_server.url}/b/foxglove/score")
    return page


def test_a_check_in_by_the_code_at_the_till_is_one_tap(
    page: Page, live_server: LiveServer, brand: Brand
) -> None:
    page.goto(f"{live_server.url}/b/foxglove/check-in?code=SOHO42")
    with scoring_of(brand):
        page.get_by_role("button", name="Check in").click()
        expect(page.get_by_role("heading", name="Check-in, Soho")).to_contain_text("+25")
    page.context.close()


def test_a_claim_takes_few_taps_and_fields(page: Page) -> None:
    taps = [
        page.get_by_role("link", name="Add", exact=True),
        page.get_by_role("link", name="Register a purchase"),
        page.get_by_label("Total"),
        page.get_by_label("Receipt number"),
        page.get_by_role("button", name="Register it"),
    ]
    for tap in taps[:3]:
        tap.click()
    fields = page.locator("main form :is(input:not([type=hidden]), select, textarea):visible")
    empty = fields.evaluate_all("fields => fields.filter((field) => !field.value).length")
    page.keyboard.type("24.90")
    taps[3].click()
    page.keyboard.type("8123")
    taps[4].click()
    expect(page.get_by_role("heading", name="Registered, and pending")).to_be_visible()
    assert len(taps) <= MOST_TAPS
    # Day and time are there already.
    assert 0 < empty <= MOST_FIELDS
    page.context.close()
