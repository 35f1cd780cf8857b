"""Whether this process can do its work, for whoever watches over it."""

from collections.abc import Callable

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_redis() -> None:
    cache.get("health")


PARTS: dict[str, Callable[[], None]] = {"database": _ask_database, "redis": _ask_redis}


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 and ``{"database": "ok", "redis": "ok"}``; 503, and "away" for each part that does not answer."""
    states = {}
    for name, ask in PARTS.items():
        try:
            ask()
        except Exception:  # noqa: BLE001 - whatever it is, the part does not answer
            states[name] = "away"
        else:
            states[name] = "ok"
    # Without Redis, actions are still taken in and scored: that is a reason to look, not to take the site away.
    return JsonResponse(states, status=200 if states["database"] == "ok" else 503)
