"""Pages about one's own sign-in, beside those of django-allauth: a code to confirm with, and ending a session.

Of a session are kept the browser as it calls itself, when it began and when it was last used, to the hour. From which
network address it came is not kept: it says where somebody was, and helps hardly anybody to know their own sessions.
"""

import re
import time
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.login import record_authentication
from allauth.account.views import BaseReauthenticateView
from allauth.core.internal import ratelimit
from allauth.usersessions.internal.flows.sessions import end_sessions
from allauth.usersessions.models import UserSession
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.models import User
from loyalty import access
from loyalty.pages.door import refuse
from loyalty.pages.door_forms import FreshCodeForm
from loyalty.pages.reader import SAME_FOR_ALL

# How often a session notes down that it was used, in seconds.
SEEN_EVERY = 60 * 60
SEEN_AT = "seen_at"
# Kept in place of the address from which a session came.
NO_ADDRESS = "0.0.0.0"  # noqa: S104
FRESH_CODE = "fresh_code"
ACCOUNTS = "/accounts/"

# What a browser that calls itself so is, the first that fits: most call themselves by several names.
BROWSERS = (
    ("Edge", r"Edg(e|A|iOS)?/"),
    ("Opera", r"OPR/|Opera"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"Firefox/|FxiOS/"),
    ("Chrome", r"Chrome/|CriOS/|Chromium/"),
    ("Safari", r"Safari/"),
)
SYSTEMS = (
    ("iPhone", r"iPhone|iPod"),
    ("iPad", r"iPad"),
    ("Android", r"Android"),
    ("Windows", r"Windows"),
    ("ChromeOS", r"CrOS"),
    ("Mac", r"Macintosh|Mac OS X"),
    ("Linux", r"Linux|X11"),
)


def device_of(user_agent: str) -> str:
    """Browser and system in words, as far as the browser says: “Firefox, Android”."""
    known = [
        next((name for name, pattern in names if re.search(pattern, user_agent)), "")
        for names in (BROWSERS, SYSTEMS)
    ]
    return ", ".join(name for name in known if name) or _("A device that does not say what it is")


@method_decorator(login_required, name="dispatch")
@method_decorator(never_cache, name="dispatch")
class ReauthenticateByCode(BaseReauthenticateView):  # type: ignore[misc]
    """Sends a code to the user's own address, and takes it."""

    form_class = FreshCodeForm
    template_name = "account/reauthenticate_by_code.html"

    def _sent(self) -> dict[str, Any]:
        sent = self.request.session.get(FRESH_CODE) or {}
        is_good = time.time() - sent.get("at", 0) < app_settings.LOGIN_BY_CODE_TIMEOUT
        return dict(sent) if is_good else {}

    def get_form_kwargs(self) -> dict[str, Any]:
        user = self.request.user
        given: dict[str, Any] = super().get_form_kwargs()
        return given | {"user": user, "expected": self._sent().get("code", "")}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Send a code, or take the one that was sent."""
        if request.POST.get("action") == "send":
            self._send()
            return HttpResponseRedirect(self.passthrough_next_url(request.path))
        response: HttpResponse = super().post(request, *args, **kwargs)
        return response

    def _send(self) -> None:
        adapter, email = get_adapter(), self.request.user.email
        if not ratelimit.consume(
            self.request, app="allauth.account", action="request_login_code", key=email
        ):
            refuse()
        code = adapter.generate_login_code()
        self.request.session[FRESH_CODE] = {"code": code, "at": time.time()}
        adapter.send_mail("account/email/fresh_code", email, {"code": code})

    def form_valid(self, form: FreshCodeForm) -> HttpResponse:
        """Note down that it is them, and go on with what they were about to do."""
        del self.request.session[FRESH_CODE]
        record_authentication(
            self.request,
            self.request.user,
            method="code",
            email=self.request.user.email,
            reauthenticated=True,
        )
        response: HttpResponse = super().form_valid(form)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context_data: dict[str, Any] = super().get_context_data(**kwargs)
        return context_data | {"is_sent": bool(self._sent()), "email": self.request.user.email}


class SeenMiddleware:
    """Notes down when a session was last used, about once an hour; stands behind signing in.

    It also sees to it that browsers keep none of the pages about signing in: there are codes and secrets on them.
    """

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Go on; it is noted once the view is known."""
        response: HttpResponse = self.get_response(request)
        if request.path.startswith(ACCOUNTS):
            add_never_cache_headers(response)
        return response

    def process_view(self, request: HttpRequest, *_view: Any) -> None:
        """Note it, unless the answer is the same for all: looking at the session would make it depend on cookies."""
        match = request.resolver_match
        if match is not None and match.url_name in SAME_FOR_ALL:
            return
        seen_at = request.session.get(SEEN_AT)
        if seen_at and request.user.is_authenticated and time.time() - seen_at > SEEN_EVERY:
            note_session(request)


def note_session(request: HttpRequest) -> None:
    """Note down that the request's session is used now, and by which browser."""
    request.session[SEEN_AT] = time.time()
    UserSession.objects.create_from_request(request)


def note_sign_in(*, request: HttpRequest, **_signal: Any) -> None:
    """Begin to note down when the session is used. Hears allauth's user_logged_in."""
    request.session[SEEN_AT] = time.time()


def forget_address(*, instance: UserSession, **_signal: Any) -> None:
    """Keep no network address of a session. Hears pre_save of UserSession."""
    instance.ip = NO_ADDRESS


def forget_session(*, instance: Session, **_signal: Any) -> None:
    """What is noted down of a session goes with it. Hears post_delete of Session."""
    UserSession.objects.filter(session_key=instance.session_key).delete()


@login_required
@require_POST
def end_session(request: HttpRequest) -> HttpResponse:
    """End one of one's own sessions; one's present one, too. Raises Http404 for anybody else's."""
    wanted = request.POST.get("session", "")
    is_number = wanted.isdecimal() and len(wanted) <= access.LONGEST_NUMBER
    session = get_object_or_404(UserSession, user=request.user, pk=int(wanted) if is_number else 0)
    device = device_of(session.user_agent)
    end_sessions(request, [session])
    messages.success(request, _("Signed out: %(device)s.") % {"device": device})
    return redirect("usersessions_list")


@reauthentication_required(app="allauth.account")  # type: ignore[untyped-decorator]
@require_POST
def remove_password(request: HttpRequest) -> HttpResponse:
    """Do without a password from now on. Every other session of the user ends with it."""
    assert isinstance(request.user, User)
    request.user.set_unusable_password()
    request.user.save(update_fields=["password"])
    update_session_auth_hash(request, request.user)
    note_session(request)
    get_adapter().send_notification_mail("account/email/password_removed", request.user)
    messages.success(request, _("You have no password any more."))
    return redirect("mfa_index")
