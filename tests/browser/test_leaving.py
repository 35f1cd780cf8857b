"""Taking everything along and leaving, in a real browser, in every way, and what the last page looks like."""

import zipfile
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import pytest
from django.conf import settings as site_settings
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Brand, Customer, User
from tests.browser.hands import HANDS, Holding
from tests.browser.looks import misfits, violations
from tests.browser.pages import WIDTHS, session_cookie
from tests.loyalty.signing_in import PASSWORD
from tests.people import join, record

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def _places(settings: Any, tmp_path: Path) -> None:
    settings.LAUREL_ERASURES = tmp_path / "erasures.jsonl"
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def user(brand: Brand) -> User:
    """Somebody with a purchase."""
    now = timezone.now()
    person = join(brand, "rowan@example.org", now=now)
    assert person.customer
    record(person.customer, ("purchase", now - timedelta(hours=1), 24), now=now)
    return person.user


@pytest.mark.parametrize("way", HANDS)
def test_take_it_along_leave_the_brand_and_erase_the_login(
    way: str,
    browser: Browser,
    live_server: LiveServer,
    user: User,
    settings: Any,
) -> None:
    with HANDS[way].hold(browser, settings) as held:
        page = held.page
        page.context.add_cookies([session_cookie(user, url=live_server.url)])
        page.goto(f"{live_server.url}/b/foxglove/me/leave")
        held.look()
        take_along(held)
        go(held, "Leave Foxglove Coffee")
        expect(page.get_by_role("heading", name="You have left Foxglove Coffee")).to_be_visible()
        assert not Customer.objects.filter(user=user).exists()
        held.look()
        page.goto(f"{live_server.url}/accounts/erase/")
        held.look()
        go(held, "Erase my login")
        expect(page.get_by_role("heading", name="Your login is erased")).to_be_visible()
        held.look()
        assert not User.objects.filter(pk=user.pk).exists()
        assert page.context.cookies() == []
        page.goto(f"{live_server.url}/b/foxglove/me")
        expect(page.get_by_role("heading", name="Join Foxglove Coffee")).to_be_visible()


def take_along(held: Holding) -> None:
    with held.page.expect_download() as downloaded:
        held.press(held.page.get_by_role("link", name="as a ZIP file"))
    with zipfile.ZipFile(downloaded.value.path()) as archive:
        assert b"rowan@example.org" in archive.read("login.csv")
    assert downloaded.value.suggested_filename.endswith(".zip")


def go(held: Holding, button: str) -> None:
    """What happens without the tick, and with it."""
    page = held.page
    held.press(page.get_by_role("button", name=button))
    expect(page.get_by_role("link", name="Tick the box if you are sure")).to_be_visible()
    held.look()
    held.tick(page.get_by_role("checkbox"))
    held.press(page.get_by_role("button", name=button))


@pytest.mark.parametrize("way", HANDS)
def test_after_a_while_a_download_asks_who_it_is_and_then_comes(
    way: str, browser: Browser, live_server: LiveServer, user: User, settings: Any
) -> None:
    user.set_password(PASSWORD)
    user.save()
    with HANDS[way].hold(browser, settings) as held:
        page = held.page
        page.context.add_cookies([_of_an_hour_ago(session_cookie(user, url=live_server.url))])
        page.goto(f"{live_server.url}/b/foxglove/me")
        held.press(page.get_by_role("link", name="Download everything"))
        expect(page.get_by_role("heading", name="Is it still you?")).to_be_visible()
        held.look()
        held.type(page.get_by_label("Password"), PASSWORD)
        with page.expect_download() as downloaded:
            held.press(page.get_by_role("button", name="It is me"))
        with zipfile.ZipFile(downloaded.value.path()) as archive:
            assert b"rowan@example.org" in archive.read("login.csv")
        # And now every file comes at once.
        page.goto(f"{live_server.url}/b/foxglove/me/leave")
        take_along(held)


def _of_an_hour_ago(cookie: Any) -> Any:
    session = import_module(site_settings.SESSION_ENGINE).SessionStore(cookie["value"])
    records = session["account_authentication_methods"]
    session["account_authentication_methods"] = [
        record | {"at": record["at"] - 60 * 60} for record in records
    ]
    session.save()
    return cookie


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_last_page_is_for_everyone(
    scheme: Literal["light", "dark"], browser: Browser, live_server: LiveServer, user: User
) -> None:
    context = browser.new_context(
        color_scheme=scheme, bypass_csp=True, service_workers="block", reduced_motion="reduce"
    )
    context.add_cookies([session_cookie(user, url=live_server.url)])
    page: Page = context.new_page()
    page.goto(f"{live_server.url}/accounts/erase/")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Erase my login").click()
    expect(page.get_by_role("heading", name="Your login is erased")).to_be_visible()
    for size in (*WIDTHS.values(), (320, 568)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        assert violations(page) + misfits(page) == []
    context.close()
