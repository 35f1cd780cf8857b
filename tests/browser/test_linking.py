"""Linking an account for real: the authorization-code flow of OpenID Connect between Laurel and Birdsong, in a browser.

Birdsong is the demo's network, in a process of its own, started once for these tests.
"""

import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from django.conf import settings as django_settings
from django.core import mail
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Brand, Customer, Dispute, Identifier, User
from accounts.networks import allauth_providers, birdsong
from loyalty import embedded
from loyalty.demo.birdsong import CLIENT_ID, client_secret
from loyalty.demo.birdsong.people import PASSWORD
from scoring.actions import ActionRow, record_actions
from scoring.models import Score
from tests.browser.looks import misfits, violations
from tests.browser.pages import WIDTHS, scoring_of, session_cookie
from tests.browser.site import wait_until
from tests.people import Person, join, score_all_due

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

DATABASE = f"birdsong_{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"


@contextmanager
def singing(log: Path, laurel: str, **environment: str) -> Iterator[str]:
    """Birdsong as ``manage.py up`` starts it, for a Laurel at this address; gives its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://localhost:{probe.getsockname()[1]}"
    about = {"LAUREL_BIRDSONG_URL": url, "LAUREL_SITE_URL": laurel, "BIRDSONG_DATABASE": DATABASE}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "loyalty.demo.birdsong"],
            cwd=embedded.TREE,
            env=os.environ | about | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            with closing(urllib.request.urlopen(url)) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    try:
        wait_until(answers, "Birdsong")
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def tree(live_server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where Birdsong is, for all tests of this file."""
    with singing(tmp_path_factory.mktemp("birdsong") / "log", live_server.url) as url:
        yield url
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def switch_on(settings: Any, url: str) -> None:
    """Let Laurel know of the Birdsong at this address."""
    network = birdsong(
        url=url, client_id=CLIENT_ID, secret=client_secret(django_settings.SECRET_KEY)
    )
    settings.LAUREL_NETWORKS = {"birdsong": network}
    settings.SOCIALACCOUNT_PROVIDERS = allauth_providers(settings.LAUREL_NETWORKS)


@pytest.fixture(autouse=True)
def _on(tree: str, settings: Any) -> None:
    switch_on(settings, tree)


@pytest.fixture
def rowan(brand: Brand) -> Person:
    """A customer of Foxglove, which has heard of @sorrel three times."""
    now = timezone.now()
    rows = [
        ActionRow(
            origin="birdsong",
            external_id=f"chirp-{day}",
            identifier="birdsong:@sorrel",
            kind="check_in",
            occurred_at=now - timedelta(days=day),
            venue="soho",
        )
        for day in (2, 5, 9)
    ]
    assert all(outcome.action_id for outcome in record_actions(brand=brand, rows=rows, now=now))
    person = join(brand, "rowan@example.org", now=now)
    score_all_due(brand, now=now)
    return person


@contextmanager
def phone(
    browser: Browser, live_server: LiveServer, user: User | None, **how: Any
) -> Iterator[Page]:
    """A phone in which the user has just said who they are."""
    width, height = WIDTHS["phone"]
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": height}, **how
    )
    if user is not None:
        context.add_cookies([session_cookie(user, url=live_server.url)])
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


def leave_for_birdsong(page: Page, live_server: LiveServer) -> None:
    """From the page of what is linked to Birdsong's door."""
    page.goto(f"{live_server.url}/b/foxglove/linked")
    page.get_by_role("button", name="Link Birdsong").click()


def come_in(page: Page, name: str = "Sorrel Eastry @sorrel") -> None:
    """Sign in to Birdsong as somebody."""
    page.get_by_label(name).check()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def say_yes(page: Page) -> None:
    page.get_by_role("button", name="Yes, tell Laurel").click()


def score_of(customer: Customer | None) -> tuple[Any, ...]:
    """The stored score and points, once nothing waits."""
    assert customer
    score_all_due(customer.brand, now=timezone.now())
    return Score.objects.filter(customer=customer).values_list("score", "points").first() or (0, 0)


@pytest.mark.parametrize("has_scripts", [True, False], ids=["scripts", "no scripts"])
def test_link_unlink_and_link_again(
    has_scripts: bool, browser: Browser, live_server: LiveServer, rowan: Person
) -> None:
    """A newcomer says again who they are, says yes at Birdsong, and what lay there counts at once."""
    assert rowan.customer
    without = score_of(rowan.customer)
    with phone(browser, live_server, None, java_script_enabled=has_scripts) as page:
        # They signed in long ago.
        cookie = session_cookie(rowan.user, url=live_server.url)
        page.context.add_cookies([cookie | {"value": rowan.client().session.session_key}])
        leave_for_birdsong(page, live_server)
        # Whoever only has this browser does not get past this.
        page.get_by_role("button", name="Send me the code").click()
        expect(page.get_by_label("Code")).to_be_visible()
        code = re.search(r"^\s+(\S+)$", str(mail.outbox[-1].body), flags=re.MULTILINE)
        assert code
        page.get_by_label("Code").fill(code[1])
        page.get_by_role("button", name="It is me").click()
        expect(page.get_by_role("heading", name="Sign in to Birdsong")).to_be_visible()
        assert violations(page) == [] if has_scripts else True
        come_in(page)
        expect(page.get_by_role("heading", name="May Laurel know")).to_be_visible()
        assert violations(page) == [] if has_scripts else True
        say_yes(page)
        expect(page.get_by_text("@sorrel is linked. What was reported under it")).to_be_visible()
        if has_scripts:
            assert violations(page) == []
            assert misfits(page) == []
        with_it = score_of(rowan.customer)
        assert with_it > without
        for _time in range(2):
            page.get_by_role("button", name="Unlink @sorrel").click()
            expect(page.get_by_text("@sorrel is unlinked here")).to_be_visible()
            assert score_of(rowan.customer) == without
            page.get_by_role("button", name="Link Birdsong").click()
            say_yes(page)
            expect(page.get_by_text("@sorrel is linked.")).to_be_visible()
            assert score_of(rowan.customer) == with_it


def test_an_open_page_sees_the_score_jump(
    browser: Browser, live_server: LiveServer, rowan: Person, brand: Brand
) -> None:
    with phone(browser, live_server, rowan.user) as page, scoring_of(brand):
        page.goto(f"{live_server.url}/b/foxglove/score")
        leave_for_birdsong(page, live_server)
        come_in(page)
        say_yes(page)
        expect(page.get_by_text("@sorrel is linked.")).to_be_visible()
        wait_until(lambda: score_is_there(rowan), "the score")
        page.goto(f"{live_server.url}/b/foxglove/score")
        expect(page.get_by_role("link", name=re.compile("Check-in")).first).to_be_visible()


def score_is_there(person: Person) -> bool:
    return Score.objects.filter(customer=person.customer, points__gt=0).exists()


def test_denial(browser: Browser, live_server: LiveServer, rowan: Person) -> None:
    with phone(browser, live_server, rowan.user) as page:
        leave_for_birdsong(page, live_server)
        come_in(page)
        page.get_by_role("button", name="No", exact=True).click()
        expect(page.get_by_text("You said no at Birdsong.")).to_be_visible()
        assert urlsplit(page.url).path == "/b/foxglove/linked"
    assert not SocialAccount.objects.exists()


def test_a_changed_state(browser: Browser, live_server: LiveServer, rowan: Person) -> None:
    with phone(browser, live_server, rowan.user) as page:
        page.route(
            re.compile(r"/identity/o/authorize\?"),
            lambda route: route.continue_(
                url=re.sub(r"state=\w+", "state=AAAAAAAAAAAAAAAA", route.request.url)
            ),
        )
        leave_for_birdsong(page, live_server)
        come_in(page)
        say_yes(page)
        expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
    assert not SocialAccount.objects.exists()


def test_an_address_that_was_used_is_worth_nothing(
    browser: Browser, live_server: LiveServer, rowan: Person
) -> None:
    used: list[str] = []
    with phone(browser, live_server, rowan.user) as page:
        page.on("request", lambda sent: used.append(sent.url) if "/callback/" in sent.url else None)
        leave_for_birdsong(page, live_server)
        come_in(page)
        say_yes(page)
        expect(page.get_by_text("@sorrel is linked.")).to_be_visible()
        page.get_by_role("button", name="Unlink @sorrel").click()
        page.goto(used[0])
        expect(page.get_by_role("heading", name="That did not work")).to_be_visible()
    assert not SocialAccount.objects.exists()


def test_a_reused_code(browser: Browser, live_server: LiveServer, rowan: Person, tree: str) -> None:
    """Whoever was quicker with the code, and knew its verifier: it is good once, and PKCE is on."""
    caught: list[str] = []

    def hold(route: Route) -> None:
        caught.append(route.fetch(max_redirects=0).headers["location"])
        route.fulfill(body="held")

    with phone(browser, live_server, rowan.user) as page:
        leave_for_birdsong(page, live_server)
        come_in(page)
        page.route("**/identity/o/authorize", hold)
        say_yes(page)
        expect(page.get_by_text("held")).to_be_visible()
        [cookie] = [
            c for c in page.context.cookies() if c["name"] == django_settings.SESSION_COOKIE_NAME
        ]
        session = import_module(django_settings.SESSION_ENGINE).SessionStore(cookie["value"])
        [(state, _at, _network)] = session["socialaccount_states"].values()
        form = {
            "grant_type": "authorization_code",
            "code": parse_qs(urlsplit(caught[0]).query)["code"][0],
            "redirect_uri": f"{live_server.url}/accounts/oidc/birdsong/login/callback/",
            "client_id": CLIENT_ID,
            "client_secret": client_secret(django_settings.SECRET_KEY),
        }
        verifier = {"code_verifier": state["pkce_code_verifier"]}

        def exchange(**more: str) -> int:
            answer = requests.post(f"{tree}/identity/o/api/token", form | more, timeout=10)
            return answer.status_code

        assert exchange() == 400
        assert exchange(code_verifier="x" * 48) == 400
        assert exchange(**verifier) == 200
        assert exchange(**verifier) == 400
        page.goto(caught[0])
        expect(page.get_by_text("Birdsong did not confirm that.")).to_be_visible()
    assert not SocialAccount.objects.exists()


def test_an_expired_code(
    browser: Browser, live_server: LiveServer, rowan: Person, settings: Any, tmp_path: Path
) -> None:
    """At a Birdsong whose codes are good for no time at all."""
    with singing(tmp_path / "log", live_server.url, BIRDSONG_CODE_SECONDS="0") as url:
        switch_on(settings, url)
        with phone(browser, live_server, rowan.user) as page:
            leave_for_birdsong(page, live_server)
            come_in(page)
            say_yes(page)
            expect(page.get_by_text("Birdsong did not confirm that.")).to_be_visible()
    assert not SocialAccount.objects.exists()


def test_a_second_customer_is_refused_and_staff_decide(
    browser: Browser, live_server: LiveServer, rowan: Person, brand: Brand
) -> None:
    for user in (rowan.user, join(brand, "otter@example.org").user):
        with phone(browser, live_server, user) as page:
            leave_for_birdsong(page, live_server)
            come_in(page)
            say_yes(page)
            page.wait_for_url("**/b/foxglove/linked")
            said = page.locator(".told").inner_text()
    assert "That Birdsong account signs in to another login here" in said
    assert "staff decide whose it is" in said
    assert Identifier.objects.get(scheme="birdsong").customer == rowan.customer
    assert Dispute.objects.get().claimant.user == user


def test_a_linked_account_signs_in(
    browser: Browser, live_server: LiveServer, rowan: Person
) -> None:
    with phone(browser, live_server, rowan.user) as page:
        leave_for_birdsong(page, live_server)
        come_in(page)
        say_yes(page)
        expect(page.get_by_text("@sorrel is linked.")).to_be_visible()
    with phone(browser, live_server, None) as page:
        page.goto(f"{live_server.url}/b/foxglove/join")
        page.get_by_role("button", name="Sign in with Birdsong").click()
        come_in(page)
        say_yes(page)
        page.wait_for_url("**/b/foxglove/score")


def test_somebody_whom_nobody_linked_is_sent_to_the_door(
    browser: Browser, live_server: LiveServer, rowan: Person
) -> None:
    with phone(browser, live_server, None) as page:
        page.goto(f"{live_server.url}/b/foxglove/join")
        page.get_by_role("button", name="Sign in with Birdsong").click()
        come_in(page, "Pip Marlstone @pipit")
        say_yes(page)
        expect(page.get_by_text("No login here uses that Birdsong account yet.")).to_be_visible()
        assert urlsplit(page.url).path == "/b/foxglove/join"
    assert User.objects.count() == 1


def test_birdsong_looks_as_a_site_should(browser: Browser, tree: str) -> None:
    for width, height in WIDTHS.values():
        page = browser.new_page(viewport={"width": width, "height": height})
        for address in ("/", "/@sorrel", "/sign-in"):
            page.goto(tree + address)
            assert violations(page) == [], address
            assert misfits(page) == [], address
        page.close()
