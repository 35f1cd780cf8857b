"""What the browser tests and the screenshots share: the pages there are, signing in, and serving."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib import import_module
from string import Formatter
from threading import Event, Thread
from typing import Any, NamedTuple

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Page

from accounts.models import Brand, Customer, User
from scoring.models import Action, BadgeEarned, BadgeShare
from scoring.run import score_due

WIDTHS = {"phone": (390, 844), "desk": (1280, 900)}

# With some addresses at which things go wrong.
URLS = "tests.browser.urls"


class View(NamedTuple):
    """A page: its address, and what is done there before it is looked at."""

    address: str
    then: Callable[[Page], object] = lambda _page: None

    @property
    def fields(self) -> set[str]:
        """What of ``names_of`` stands in the address."""
        return {field for _text, field, *_rest in Formatter().parse(self.address) if field}

    def is_there(self, names: dict[str, object]) -> bool:
        """Whether a customer with these names has the page."""
        return self.fields <= set(names)


def press(button: str) -> Callable[[Page], None]:
    """Press the first of the buttons, in no language, and wait until its answer has come."""

    def then(page: Page) -> None:
        with page.expect_event("load"):
            page.locator(button).first.click()

    return then


def fill(field: str, text: str, button: str) -> Callable[[Page], None]:
    """Type into a field, and press the button."""

    def then(page: Page) -> None:
        page.locator(field).fill(text)
        press(button)(page)

    return then


SEND = "main form:not(.filter) .shelf button"

OPEN = {
    "brands": View("/"),
    "landing": View("/b/{slug}/"),
    "landing-tried": View("/b/{slug}/?n-check_in=10&n-purchase=20"),
    "sign-in": View("/accounts/login/"),
    "sign-in-wrong": View("/accounts/login/", press(SEND)),
    "sign-in-code": View("/accounts/login/code/"),
    "forgotten-password": View("/accounts/password/reset/"),
    "login-closed": View("/accounts/inactive/"),
    "join": View("/b/{slug}/join"),
    "join-wrong": View("/b/{slug}/join", press(SEND)),
    "join-code": View("/b/{slug}/join", fill("#id_email", "new@example.org", SEND)),
    "help": View("/b/{slug}/help"),
    "rules": View("/b/{slug}/rules"),
    "rule-changes": View("/b/{slug}/rules/changes"),
    "shared-badge": View("/badge/{share}"),
    "nothing-kept": View("/b/{slug}/check-in/kept"),
    "check-in-of-nobody": View("/b/{slug}/check-in?code={code}"),
    "check-in-kept": View("/b/{slug}/check-in?code={code}", press(SEND)),
    "check-in-offline": View("/b/{slug}/check-in/offline"),
    "offline": View("/offline"),
    "not-found": View("/b/{slug}/nowhere"),
    "not-found-at-all": View("/nowhere"),
    "broken": View("/b/{slug}/goes-wrong/broken"),
    "forged": View("/b/{slug}/goes-wrong/forged"),
}
OWN = {
    "score": View("/b/{slug}/score"),
    "moved": View("/b/{slug}/score/moved"),
    "explained": View("/b/{slug}/score/explained"),
    "explained-before": View("/b/{slug}/score/explained?on={before}"),
    "purchases": View("/b/{slug}/score/purchases"),
    "physical-visits": View("/b/{slug}/score/physical_visits"),
    "product-usage": View("/b/{slug}/score/product_usage"),
    "social-media": View("/b/{slug}/score/social_media"),
    "online-engagement": View("/b/{slug}/score/online_engagement"),
    "marketing-attention": View("/b/{slug}/score/marketing_attention"),
    "what-if": View("/b/{slug}/what-if"),
    "what-if-tried": View("/b/{slug}/what-if?n-check_in=2&n-purchase=1"),
    "what-if-wrong": View("/b/{slug}/what-if?n-check_in=2000"),
    "plan": View("/b/{slug}/what-if?goal=300&days=28"),
    "activity": View("/b/{slug}/activity"),
    "activity-filtered": View("/b/{slug}/activity?source=physical_visits&since={before}"),
    "activity-empty": View("/b/{slug}/activity?state=rejected&since=2000-01-01&until=2000-01-02"),
    "receipt": View("/b/{slug}/activity/{action}"),
    "receipt-pending": View("/b/{slug}/activity/{claim}"),
    "objection": View("/b/{slug}/activity/{action}/wrong"),
    "objection-wrong": View("/b/{slug}/activity/{action}/wrong", press(SEND)),
    "result": View("/b/{slug}/activity/{action}/result"),
    "result-pending": View("/b/{slug}/activity/{claim}/result"),
    "add": View("/b/{slug}/add"),
    "check-in": View("/b/{slug}/check-in"),
    "check-in-here": View("/b/{slug}/check-in?code={code}"),
    "check-in-wrong": View("/b/{slug}/check-in", press(SEND)),
    "purchase": View("/b/{slug}/purchase"),
    "purchase-wrong": View("/b/{slug}/purchase", press(SEND)),
    "usage": View("/b/{slug}/usage"),
    "usage-wrong": View("/b/{slug}/usage", press(SEND)),
    "badges": View("/b/{slug}/badges"),
    "badge": View("/b/{slug}/badges/{badge}"),
    "badge-to-come": View("/b/{slug}/badges/{badge_to_come}"),
    "board": View("/b/{slug}/board"),
    "board-wrong": View("/b/{slug}/board", fill("#id_pseudonym", "", "[name=do][value=join]")),
    "board-source": View("/b/{slug}/board?source=purchases"),
    "season": View("/b/{slug}/board?view=season"),
    "venues": View("/b/{slug}/board?view=venues"),
    "board-points": View("/b/{slug}/board/points"),
    "rhythm": View("/b/{slug}/rhythm"),
    "rules-own": View("/b/{slug}/rules"),
    "help-own": View("/b/{slug}/help"),
    "choices": View("/b/{slug}/choices"),
    "choices-wrong": View(
        "/b/{slug}/choices", fill("#id_quiet_from", "22:00", "[name=do][value=contact]")
    ),
    "joining": View("/b/{slug}/choices/joining"),
    "me": View("/b/{slug}/me"),
    "known": View("/b/{slug}/known"),
    "leave": View("/b/{slug}/me/leave"),
    "leave-wrong": View("/b/{slug}/me/leave", press(SEND)),
    "erase-login": View("/accounts/erase/"),
    "erase-login-wrong": View("/accounts/erase/", press(SEND)),
    "linked": View("/b/{slug}/linked"),
    "linked-wrong": View("/b/{slug}/linked", press(SEND)),
    "log-out": View("/accounts/logout/"),
    "security": View("/accounts/2fa/"),
    "addresses": View("/accounts/email/"),
    "devices": View("/accounts/sessions/"),
    "passkeys": View("/accounts/2fa/webauthn/"),
    "passkey-new": View("/accounts/2fa/webauthn/add/"),
    "app-new": View("/accounts/2fa/totp/activate/"),
    "password-new": View("/accounts/password/set/"),
    "is-it-you": View("/accounts/reauthenticate/code/"),
    "not-found-own": View("/b/{slug}/nowhere"),
    "forbidden": View("/b/{slug}/goes-wrong/forbidden"),
    "often": View("/b/{slug}/goes-wrong/often"),
}
# What of loyalty.pages.urls is no page, by the name of its address.
NO_PAGES = {
    "script of the phone": {"worker"},
    "styles": {"look"},
    "about the app": {"manifest", "icon"},
    "pictures": {"claim_photo", "kept_photo", "badge_image", "shared_image", "achievement_image"},
    "data": {"live", "live_state", "explained_json", "explained_csv", "outbox", "download"},
    "credentials": {
        "badge_credential",
        "shared_credential",
        "issuer",
        "issuer_keys",
        "issuer_key",
        "achievement",
        "credential_status",
    },
    "takes a form and leads on": {"share_badge"},
}


def names_of(customer: Customer, *, now: datetime) -> dict[str, object]:
    """What stands in the addresses of a customer's pages, as far as the customer has it."""
    brand = customer.brand
    actions = Action.objects.filter(identifier__customer=customer).order_by("-occurred_at", "pk")
    purchases = actions.filter(kind__slug="purchase")
    claim = purchases.filter(state="pending").first()
    action = purchases.exclude(state="pending").first()
    earned = BadgeEarned.objects.filter(customer=customer, revoked_at=None).order_by("pk")
    held = [one.badge for one in earned.select_related("badge")]
    to_come = brand.badges.exclude(pk__in=[badge.pk for badge in held]).order_by("pk").first()
    share = None
    if held:
        share, _is_new = BadgeShare.objects.get_or_create(
            customer=customer, badge=held[-1], defaults={"shared_at": now}
        )
    found = {
        "slug": brand.slug,
        "code": brand.venues.order_by("pk")[0].check_in_code,
        "before": f"{now - timedelta(days=30):%Y-%m-%d}",
        "action": action and action.pk,
        "claim": claim and claim.pk,
        "badge": held[-1].slug if held else None,
        "badge_to_come": to_come and to_come.slug,
        "share": share and share.public_id,
    }
    return {name: value for name, value in found.items() if value is not None}


def session_cookie(user: User, *, url: str) -> Any:
    """The cookie of a session in which the user is signed in, as Playwright takes it."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    # By a code, just now.
    session["account_authentication_methods"] = [
        {"method": "code", "at": time.time(), "email": user.email, "reauthenticated": True}
    ]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    EmailAddress.objects.get_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )
    return {"name": settings.SESSION_COOKIE_NAME, "value": session.session_key, "url": url}


@contextmanager
def serving() -> Iterator[str]:
    """The site on a port of its own, in threads, with its files as they are in production; gives its address."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
    server.set_app(get_wsgi_application())
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def scoring_of(brand: Brand, *, now: Callable[[], Any] = timezone.now) -> Iterator[None]:
    """A worker for one brand in a thread, as long as the block lasts."""
    is_over = Event()

    def work() -> None:
        try:
            while not is_over.is_set():
                if not score_due(brand=brand, now=now()):
                    time.sleep(0.05)
        finally:
            connection.close()

    worker = Thread(target=work, daemon=True)
    worker.start()
    try:
        yield
    finally:
        is_over.set()
        worker.join()
