"""What the browser tests and the screenshots share: signing in, and the pages there are."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Event, Thread
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import connection
from django.utils import timezone

from accounts.models import Brand, User
from scoring.run import score_due

WIDTHS = {"phone": (390, 844), "desk": (1280, 900)}
OPEN = {
    "brands": "/",
    "landing": "/b/{slug}/",
    "join": "/b/{slug}/join",
    "sign-in": "/accounts/login/",
    "help": "/b/{slug}/help",
    "rule-changes": "/b/{slug}/rules/changes",
    "not-found": "/b/{slug}/nowhere",
}
OWN = {
    "score": "/b/{slug}/score",
    "explained": "/b/{slug}/score/explained",
    "explained-before": "/b/{slug}/score/explained?on=2026-09-01",
    "source": "/b/{slug}/score/purchases",
    "what-if": "/b/{slug}/what-if?n-check_in=2&n-purchase=1",
    "plan": "/b/{slug}/what-if?goal=300&days=28",
    "activity": "/b/{slug}/activity",
    "activity-filtered": "/b/{slug}/activity?source=physical_visits&since=2026-01-01",
    "receipt": "/b/{slug}/activity/{action}",
    "result": "/b/{slug}/activity/{action}/result",
    "add": "/b/{slug}/add",
    "check-in": "/b/{slug}/check-in",
    "purchase": "/b/{slug}/purchase",
    "usage": "/b/{slug}/usage",
    "badges": "/b/{slug}/badges",
    "badge": "/b/{slug}/badges/regular",
    "board": "/b/{slug}/board",
    "season": "/b/{slug}/board?view=season",
    "venues": "/b/{slug}/board?view=venues",
    "board-points": "/b/{slug}/board/points",
    "rhythm": "/b/{slug}/rhythm",
    "rules": "/b/{slug}/rules",
    "me": "/b/{slug}/me",
}


def session_cookie(user: User, *, url: str) -> Any:
    """The cookie of a session in which the user is signed in, as Playwright takes it."""
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return {"name": settings.SESSION_COOKIE_NAME, "value": session.session_key, "url": url}


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
