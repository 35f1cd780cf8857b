"""Consents, the pause and the sources in a real browser: one tap to give, one to take back, in every way."""

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.consent import history_of
from accounts.models import Brand, Customer
from tests.browser.hands import HANDS, Holding
from tests.browser.pages import session_cookie
from tests.people import join

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


class Taps:
    """Presses switches, and counts."""

    def __init__(self, held: Holding) -> None:
        self.held, self.count = held, 0

    def switch(self, name: str, *, on: bool) -> None:
        """Press the switch of that name, and see that it is so then."""
        switch = self.held.page.get_by_role("switch", name=name, exact=True)
        expect(switch).to_be_checked(checked=not on)
        with self.held.page.expect_event("load"):
            self.held.press(switch)
        self.count += 1
        expect(switch).to_be_checked(checked=on)
        # Where one was, so that it can be pressed again at once.
        expect(switch).to_be_focused()
        self.held.look()


def open_choices(page: Page, customer: Customer, url: str) -> None:
    """Sign in, and go to the choices."""
    assert customer.user
    page.context.add_cookies([session_cookie(customer.user, url=url)])
    page.goto(f"{url}/b/{customer.brand.slug}/choices")


@pytest.mark.parametrize("way", HANDS)
def test_taking_back_takes_as_many_taps_as_giving(
    way: str, browser: Browser, live_server: LiveServer, brand: Brand, settings: object
) -> None:
    brand.channels, brand.partners = ["email", "sms"], "Roast & Co"
    brand.save()
    customer = join(brand, "rowan@example.org", now=timezone.now()).customer
    assert customer
    with HANDS[way].hold(browser, settings) as held:
        open_choices(held.page, customer, live_server.url)
        held.look()
        for name in (
            "General news E-mail",
            "Personalised offers Text message",
            "Sharing with partners Share it",
        ):
            taps = [Taps(held), Taps(held)]
            taps[0].switch(name, on=True)
            taps[1].switch(name, on=False)
            assert [one.count for one in taps] == [1, 1]
        for name in ("Score and profile Keep my score", "What is scored Visits"):
            taps = [Taps(held), Taps(held)]
            taps[0].switch(name, on=False)
            taps[1].switch(name, on=True)
            assert [one.count for one in taps] == [1, 1]
    assert [one.given for one in reversed(history_of(customer=customer))] == [True, False] * 3


def test_a_switch_is_as_wide_as_its_line(
    browser: Browser, live_server: LiveServer, brand: Brand, settings: object
) -> None:
    """The words beside a switch are a part of it: a thumb need not meet the knob."""
    customer = join(brand, "rowan@example.org", now=timezone.now()).customer
    assert customer
    with HANDS["finger"].hold(browser, settings) as held:
        open_choices(held.page, customer, live_server.url)
        with held.page.expect_event("load"):
            held.page.locator("label[for=news-email]").click()
        expect(held.page.get_by_role("switch", name="General news E-mail")).to_be_checked()
