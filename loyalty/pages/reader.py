"""How the reader wants the pages: light or dark, and in which language.

Both are kept with the account. Who is not signed in has what the browser asks for, and the theme that was last
chosen on this device.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation

from accounts.models import User

THEME_COOKIE = "theme"
# Those that wear one of the two whatever the device says.
FIXED = (User.Theme.LIGHT, User.Theme.DARK)
# What is the same for every reader, so that no cookie decides whether a kept copy will do.
SAME_FOR_ALL = frozenset(("look", "manifest", "icon", "worker", "healthz"))


def theme(request: HttpRequest) -> dict[str, Any]:
    """Context processor: ``chosen_theme`` is light or dark, or empty where the device decides."""

    def find() -> str:
        user = getattr(request, "user", None)
        chosen = user.theme if isinstance(user, User) else request.COOKIES.get(THEME_COOKIE, "")
        return chosen if chosen in FIXED else ""

    return {"chosen_theme": find}


class LanguageMiddleware:
    """Speaks the language that the account asks for; stands behind Django's own and behind signing in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Go on; the language is chosen once the view is known."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: Any) -> None:
        """Activate the language for this request, which Django's own middleware takes back with the next."""
        match = request.resolver_match
        if match is not None and match.url_name in SAME_FOR_ALL:
            return
        language = request.user.language if isinstance(request.user, User) else ""
        if language in dict(settings.LANGUAGES):
            translation.activate(language)
            request.LANGUAGE_CODE = language
