"""A phone without a connection: what is kept on it, for whom, and that it counts once."""

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Brand
from scoring.models import Action, Evidence
from tests.browser.looks import TAGS
from tests.browser.pages import WIDTHS, session_cookie
from tests.people import FOXGLOVE, Person, join, make_brand

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CSRF_COOKIE = "laurel_csrf"
KEPT = re.compile("Kept. It is sent as soon as there is a connection")


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Any) -> None:
    """Photos go to a folder of their own."""
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def brand(transactional_db: None) -> Brand:
    """A brand that a live server can see."""
    return make_brand(FOXGLOVE)


@pytest.fixture
def person(brand: Brand) -> Person:
    """Somebody who has joined."""
    return join(brand, "rowan@example.org", now=timezone.now())


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A phone."""
    width, height = WIDTHS["phone"]
    context = browser.new_context(viewport={"width": width, "height": height})
    context.set_default_timeout(15_000)
    yield context
    context.set_offline(False)
    context.close()


def signed_in(context: BrowserContext, person: Person, live_server: LiveServer) -> Page:
    context.add_cookies([session_cookie(person.user, url=live_server.url)])
    return context.new_page()


def with_worker(page: Page, address: str) -> None:
    """Open a page and wait until the phone has kept what it needs without a connection."""
    page.goto(address)
    page.evaluate(
        """async () => {
            await navigator.serviceWorker.ready;
            while (!(await caches.match("/b/foxglove/check-in/offline"))) {
                await new Promise((resolve) => setTimeout(resolve, 50));
            }
        }"""
    )


def test_a_check_in_made_without_a_connection_counts_once_at_its_time(
    context: BrowserContext, live_server: LiveServer, person: Person
) -> None:
    page = signed_in(context, person, live_server)
    with_worker(page, f"{live_server.url}/b/foxglove/score")
    context.set_offline(True)
    page.goto(f"{live_server.url}/b/foxglove/check-in?code=SOHO42")
    expect(page.get_by_text("There is no connection just now")).to_be_visible()
    expect(page.get_by_label("Code of the venue")).to_have_value("SOHO42")
    page.get_by_role("button", name="Check in").click()
    tapped_at = timezone.now()
    expect(page.get_by_text(KEPT)).to_be_visible()
    expect(page.get_by_role("heading", name="Waiting on this phone")).to_be_focused()
    page.reload()
    expect(page.get_by_text(KEPT)).to_be_visible()
    assert not Action.objects.exists()

    context.set_offline(False)
    expect(page.get_by_role("link", name="It was sent. See what it gave")).to_be_visible()
    action = Action.objects.get()
    assert abs((action.occurred_at - tapped_at).total_seconds()) < 5
    page.goto(f"{live_server.url}/b/foxglove/score")
    expect(page.get_by_text("Waiting on this phone")).to_be_hidden()
    assert Action.objects.count() == 1


def test_an_answer_that_was_lost_counts_once(
    browser: Browser, live_server: LiveServer, person: Person
) -> None:
    # Without a worker, which would send it at once, and not by ways that a test sees.
    context = browser.new_context(service_workers="block")
    page = signed_in(context, person, live_server)
    lost: list[str] = []

    def lose(route: Route) -> None:
        if route.request.method != "POST" or lost:
            route.continue_()
            return
        # The server has it, and the phone does not hear that it has.
        route.fetch()
        lost.append(route.request.url)
        route.abort()

    page.goto(f"{live_server.url}/b/foxglove/check-in?code=SOHO42")
    page.route("**/check-in", lose)
    page.get_by_role("button", name="Check in").click()
    expect(page.get_by_text(KEPT)).to_be_visible()
    page.goto(f"{live_server.url}/b/foxglove/add")
    expect(page.get_by_role("link", name="It was sent. See what it gave")).to_be_visible()
    assert lost
    assert Action.objects.count() == 1
    context.close()


def test_a_check_in_page_from_before_signing_in_still_checks_in(
    context: BrowserContext, live_server: LiveServer, person: Person
) -> None:
    page = context.new_page()
    page.goto(f"{live_server.url}/b/foxglove/check-in?code=SOHO42")
    # In another tab they sign in, which gives forms a new secret.
    context.add_cookies([{"name": CSRF_COOKIE, "value": "0" * 32, "url": live_server.url}])
    context.add_cookies([session_cookie(person.user, url=live_server.url)])
    page.get_by_role("button", name="Check in").click()
    page.wait_for_url("**/result")
    assert Action.objects.count() == 1


def photo() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((3000, 1500), 90).convert("RGB").save(out, "JPEG", quality=95)
    return out.getvalue()


def test_a_claim_with_its_photo_survives_a_bad_connection(
    context: BrowserContext, live_server: LiveServer, person: Person
) -> None:
    page = signed_in(context, person, live_server)
    with_worker(page, f"{live_server.url}/b/foxglove/purchase")
    given = photo()
    page.get_by_label("Photo of the receipt").set_input_files(
        {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": given}
    )
    expect(page.get_by_alt_text("Your photo of the receipt")).to_be_visible()
    # Made smaller before it is sent.
    page.wait_for_function(
        "() => document.querySelector('[name=photo]').files[0].name === 'receipt.jpg'"
    )
    page.get_by_label("Total").fill("24.90")
    context.set_offline(True)
    page.get_by_role("button", name="Register it").click()
    expect(page.get_by_text(KEPT)).to_be_visible()
    page.goto(f"{live_server.url}/b/foxglove/activity")
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    context.set_offline(False)
    page.goto(f"{live_server.url}/b/foxglove/activity")
    expect(page.get_by_role("link", name="It was sent. See what it gave")).to_be_visible()
    assert Action.objects.get().state == "pending"
    with Evidence.objects.get().photo.open() as file, Image.open(file) as image:
        assert image.size == (2000, 1000)


def test_a_claim_that_was_not_taken_comes_back_into_the_form(
    context: BrowserContext, live_server: LiveServer, person: Person
) -> None:
    page = signed_in(context, person, live_server)
    with_worker(page, f"{live_server.url}/b/foxglove/purchase")
    page.get_by_label("Photo of the receipt").set_input_files(
        {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": photo()}
    )
    page.get_by_label("Total").fill("lots")
    context.set_offline(True)
    page.get_by_role("button", name="Register it").click()
    expect(page.get_by_text(KEPT)).to_be_visible()
    context.set_offline(False)
    expect(page.get_by_text("Enter the total as an amount")).to_be_visible()
    page.get_by_role("link", name="Look at it again").click()
    page.reload()
    expect(page.get_by_label("Total")).to_have_value("lots")
    expect(page.get_by_alt_text("Your photo of the receipt")).to_be_visible()
    page.get_by_label("Total").fill("24.90")
    page.get_by_role("button", name="Register it").click()
    expect(page.get_by_role("heading", name="Registered, and pending")).to_be_visible()
    expect(page.get_by_text("Waiting on this phone")).to_be_hidden()
    assert Evidence.objects.count() == 1


def test_what_one_person_kept_comes_back_into_no_form_of_another(
    context: BrowserContext, live_server: LiveServer, person: Person
) -> None:
    page = signed_in(context, person, live_server)
    with_worker(page, f"{live_server.url}/b/foxglove/purchase")
    page.get_by_label("Total").fill("lots")
    context.set_offline(True)
    page.get_by_role("button", name="Register it").click()
    expect(page.get_by_text(KEPT)).to_be_visible()
    context.set_offline(False)
    page.get_by_role("link", name="Look at it again").click()
    page.reload()
    expect(page.get_by_label("Total")).to_have_value("lots")
    address = page.url
    assert "#" in address
    context.clear_cookies()
    other = join(person.brand, "lee@example.org", now=timezone.now())
    context.add_cookies([session_cookie(other.user, url=live_server.url)])
    page.goto("about:blank")
    page.goto(address, wait_until="networkidle")
    expect(page.get_by_label("Total")).to_have_value("")


def test_what_one_person_kept_is_not_sent_for_another(
    context: BrowserContext, live_server: LiveServer, person: Person
) -> None:
    page = signed_in(context, person, live_server)
    with_worker(page, f"{live_server.url}/b/foxglove/check-in?code=SOHO42")
    context.set_offline(True)
    page.get_by_role("button", name="Check in").click()
    expect(page.get_by_text(KEPT)).to_be_visible()
    context.clear_cookies()
    other = join(person.brand, "lee@example.org", now=timezone.now())
    context.add_cookies([session_cookie(other.user, url=live_server.url)])
    context.set_offline(False)
    page.goto(f"{live_server.url}/b/foxglove/add", wait_until="networkidle")
    expect(page.get_by_text("Waiting on this phone")).to_be_hidden()
    assert not Action.objects.exists()
    context.clear_cookies()
    context.add_cookies([session_cookie(person.user, url=live_server.url)])
    page.goto(f"{live_server.url}/b/foxglove/add")
    expect(page.get_by_role("link", name="It was sent. See what it gave")).to_be_visible()
    assert person.customer
    assert Action.objects.get().identifier.customer_id == person.customer.pk


def test_no_page_of_anybody_is_kept_on_the_phone(
    context: BrowserContext, live_server: LiveServer, person: Person
) -> None:
    page = signed_in(context, person, live_server)
    with_worker(page, f"{live_server.url}/b/foxglove/score")
    for name in ("activity", "me", "add", "check-in"):
        page.goto(f"{live_server.url}/b/foxglove/{name}")
    kept = page.evaluate(
        """async () => {
            const found = [];
            for (const name of await caches.keys()) {
                for (const request of await (await caches.open(name)).keys()) {
                    const answer = await caches.match(request);
                    found.push([new URL(request.url).pathname, await answer.text()]);
                }
            }
            return found;
        }"""
    )
    pages = sorted(address for address, _text in kept if "/static/" not in address)
    assert [re.sub(r"look\.\w+", "look", address) for address in pages] == [
        "/b/foxglove/check-in/offline",
        "/b/foxglove/look.css",
        "/offline",
    ]
    assert person.customer
    for _address, text in kept:
        assert person.user.email not in text
        assert str(person.customer.public_id) not in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_the_doors_are_accessible(
    scheme: Any, browser: Browser, live_server: LiveServer, person: Person
) -> None:
    context = browser.new_context(
        viewport={"width": 320, "height": 700},
        color_scheme=scheme,
        bypass_csp=True,
        service_workers="block",
    )
    found = {}

    def look(page: Page, name: str) -> None:
        results = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
        assert results.response["passes"]
        if results.violations_count:
            found[name] = results.generate_report()
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), name

    page = context.new_page()
    for address in ("/offline", "/b/foxglove/check-in/offline", "/b/foxglove/check-in?code=SOHO42"):
        page.goto(live_server.url + address)
        look(page, address)
    page.get_by_role("button", name="Check in").click()
    expect(page.get_by_role("heading", name="Kept. Join to have it count")).to_be_visible()
    look(page, "kept")
    context.add_cookies([session_cookie(person.user, url=live_server.url)])
    page.goto(f"{live_server.url}/b/foxglove/purchase")
    page.get_by_label("Total").fill("24.90")
    page.get_by_role("button", name="Register it").click()
    expect(page.get_by_role("heading", name="Registered, and pending")).to_be_visible()
    page.goto(f"{live_server.url}/b/foxglove/purchase")
    page.get_by_label("Total").fill("24.90")
    page.get_by_role("button", name="Register it").click()
    expect(page.get_by_role("heading", name="Is this another purchase?")).to_be_visible()
    look(page, "alike")
    action = Action.objects.get(kind__slug="purchase")
    page.goto(f"{live_server.url}/b/foxglove/activity/{action.pk}/wrong")
    look(page, "wrong")
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_text("There is a problem")).to_be_visible()
    look(page, "wrong, with errors")
    page.goto(f"{live_server.url}/b/foxglove/check-in")
    page.route("**/check-in", lambda route: route.abort())
    page.get_by_label("Code of the venue").fill("SOHO42")
    page.get_by_role("button", name="Check in").click()
    expect(page.get_by_text(KEPT)).to_be_visible()
    look(page, "waiting on the phone")
    context.close()
    assert found == {}
