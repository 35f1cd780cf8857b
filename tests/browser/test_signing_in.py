"""Passkeys in a real browser, with a device of software, under the policy of the site."""

from collections.abc import Iterator

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Brand
from tests.browser.looks import misfits, violations
from tests.browser.pages import WIDTHS, session_cookie
from tests.loyalty.signing_in import PASSWORD, SECRET, code_in_mail, confirmed
from tests.people import join

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PHONE = WIDTHS["phone"]


@pytest.fixture
def page(browser: Browser, live_server: LiveServer) -> Iterator[Page]:
    """A phone that keeps passkeys and knows its owner's finger. Nothing on its console is an error."""
    context = browser.new_context(
        base_url=live_server.url, viewport={"width": PHONE[0], "height": PHONE[1]}
    )
    page = context.new_page()
    device = context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    kept = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    device.send("WebAuthn.addVirtualAuthenticator", {"options": kept})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    yield page
    # A page that is left before it has appeared gives up its transition.
    assert [said for said in problems if not said.startswith("Transition was aborted")] == []
    context.close()


def enter_code(page: Page) -> None:
    page.get_by_label("Code").fill(code_in_mail())
    page.get_by_role("button", name="Go on").click()


def sign_out(page: Page) -> None:
    page.goto("/accounts/logout/")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are logged out.")).to_be_visible()


def test_a_passkey_is_made_signs_in_and_is_the_second_step(page: Page, brand: Brand) -> None:
    page.goto("/b/foxglove/join")
    page.get_by_label("E-mail address").fill("new@example.org")
    page.get_by_role("button", name="Send me the code").click()
    enter_code(page)
    expect(page.get_by_text("Welcome")).to_be_visible()

    page.goto("/accounts/2fa/")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name of the passkey").fill("Phone")
    page.get_by_role("button", name="Make the passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    assert page.locator(".codes li").count() == 10

    sign_out(page)
    page.goto("/b/foxglove/join?next=/b/foxglove/board")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(f"{page.url.split('/b/')[0]}/b/foxglove/board")

    sign_out(page)
    page.goto("/accounts/login/?next=/accounts/2fa/webauthn/")
    page.get_by_label("E-mail address").fill("new@example.org")
    page.get_by_role("button", name="Go on").click()
    enter_code(page)
    expect(page.get_by_role("heading", name="The second step")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("Phone", exact=True)).to_be_visible()

    page.get_by_role("link", name="Remove Phone").click()
    page.get_by_role("button", name="Remove the passkey").click()
    expect(page.get_by_text("You have none yet.")).to_be_visible()
    assert not Authenticator.objects.exists()


def test_a_device_that_does_not_know_the_passkey_says_so_and_the_code_is_still_there(
    page: Page, brand: Brand
) -> None:
    page.goto("/accounts/login/")
    page.evaluate("() => { navigator.credentials.get = () => Promise.reject(new DOMException()); }")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("No passkey was used.")).to_be_visible()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()


def test_without_a_script_no_passkey_is_offered(
    browser: Browser, live_server: LiveServer, brand: Brand
) -> None:
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/accounts/login/")
    expect(page.get_by_role("button", name="Go on")).to_be_visible()
    expect(page.get_by_role("button", name="Use a passkey")).to_be_hidden()
    context.close()


def test_pages_of_the_second_step_are_for_everyone(
    browser: Browser, live_server: LiveServer, brand: Brand
) -> None:
    user = confirmed(join(brand, "rowan@example.org").user)
    TOTP.activate(user, SECRET)
    RecoveryCodes.activate(user)
    context = browser.new_context(
        base_url=live_server.url,
        viewport={"width": PHONE[0], "height": PHONE[1]},
        reduced_motion="reduce",
        # axe is put into the page, which the policy of the site rightly forbids.
        bypass_csp=True,
    )
    page = context.new_page()
    found = {}

    def look(name: str) -> None:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found[f"{name}, {scheme}"] = violations(page)
        for width in (320, 390, 1280):
            page.set_viewport_size({"width": width, "height": 844})
            found[f"{name}, {width}"] = misfits(page)

    page.goto("/accounts/login/")
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_text("I have a password").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="The second step")).to_be_visible()
    look("second step")
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    look("second step, wrong")
    context.add_cookies([session_cookie(user, url=live_server.url)])
    for address in (
        "2fa/recovery-codes/",
        "2fa/recovery-codes/generate/",
        "2fa/totp/deactivate/",
        "2fa/reauthenticate/",
        "reauthenticate/",
        "password/change/",
    ):
        page.goto(f"/accounts/{address}")
        assert page.url.endswith(f"/accounts/{address}")
        look(address)
    context.close()
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
