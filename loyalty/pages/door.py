"""The door: what Laurel adds to the ways of signing in that django-allauth brings.

Whoever guesses is counted by what is guessed at, and the sixth guess is answered with 429: from wherever it comes, and
however the address is spelled. Whoever has neither a password nor a second step confirms with a code by mail, as
others do with those, before they change how they sign in.
"""

import time
import unicodedata
from typing import Any, NoReturn

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from allauth.account.forms import (
    ConfirmEmailVerificationCodeForm,
    ConfirmLoginCodeForm,
    ConfirmPasswordResetCodeForm,
)
from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.account.internal.flows.password_reset_by_code import PasswordResetVerificationProcess
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from allauth.account.models import EmailAddress
from allauth.account.views import BaseReauthenticateView
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from allauth.core.internal import ratelimit
from allauth.core.internal.cryptokit import compare_user_code
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from accounts.models import User
from loyalty.pages.reader import SAME_FOR_ALL

# How often a session notes down that it was used, in seconds.
SEEN_EVERY = 60 * 60
SEEN_AT = "seen_at"
# Kept in place of an address from which a session came.
NO_ADDRESS = "0.0.0.0"  # noqa: S104
FRESH_CODE = "fresh_code"


def same_for_all_spellings(address: str) -> str:
    """One text for an e-mail address in any case and with any accents: under it, guesses are counted."""
    letters = unicodedata.normalize("NFKD", address.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def is_own_address(request: HttpRequest, address: str) -> bool:
    """Whether an address to go on to is a path of this site, and nothing that leads elsewhere."""
    return address.startswith("/") and url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )


class Guess:
    """One guess at something, used up before it is looked at, so that those sent at once count too.

    Raises ImmediateHttpResponse with 429 where none is left. One that was right is to be given back.
    """

    def __init__(self, at: str) -> None:
        self._usage = ratelimit.consume(
            context.request, app="allauth.account", action="login_failed", key=at
        )
        if not self._usage:
            refuse()

    def give_back(self) -> None:
        """The guess was right."""
        assert self._usage
        self._usage.rollback()


def refuse() -> NoReturn:
    """Answer with 429 whatever is being asked."""
    raise ImmediateHttpResponse(ratelimit.respond_429(context.request))


class DoorAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """What django-allauth asks the site about signing in."""

    def validation_error(self, code: str, *args: Any) -> Any:
        """Too many tries are no mistake in a form: they are answered with 429."""
        if code in {"too_many_login_attempts", "rate_limited"}:
            refuse()
        return super().validation_error(code, *args)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # Not by the host, as upstream: a request may name it with any port.
        return f"password:{same_for_all_spellings(str(credentials.get('email', '')))}"

    def is_safe_url(self, url: str) -> bool:
        """Only paths of this site are gone on to."""
        return bool(url) and is_own_address(context.request, url)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Whether to ask once more who it is, before something that matters.

        Upstream asks nothing of those who have neither a password nor a second step. They need a code by mail,
        unless they have just come in by one.
        """
        required = bool(super().is_reauthentication_required(app=app, **kwargs))
        user = context.request.user
        if required and isinstance(user, User) and not get_reauthentication_flows(user):
            records = get_authentication_records(context.request, user)
            at = records[-1]["at"] if records else 0
            if time.time() - at > app_settings.REAUTHENTICATION_TIMEOUT:
                raise ReauthenticationRequired
        return required

    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        """Upstream's, and a code by mail for those who have none of them."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if not methods and user.is_authenticated:
            url = reverse("reauthenticate_by_code")
            return [{"id": "code", "description": _("Use a code by mail"), "url": url}]
        return methods


class GuessedCode(forms.Form):
    """A code that was mailed to an address, which guesses at it are counted by."""

    def guessed_at(self) -> str:
        """The address."""
        raise NotImplementedError

    def clean_code(self) -> str:
        """Accept the code that was sent."""
        guess = Guess(f"code:{same_for_all_spellings(self.guessed_at())}")
        code = str(super().clean_code())  # type: ignore[misc]
        guess.give_back()
        return code


class LoginCodeForm(GuessedCode, ConfirmLoginCodeForm):  # type: ignore[misc]
    """The code for signing in."""

    def guessed_at(self) -> str:
        return str(context.request._login_stage.state.get("email", ""))


class AddressCodeForm(GuessedCode, ConfirmEmailVerificationCodeForm):  # type: ignore[misc]
    """The code that confirms an address."""

    def guessed_at(self) -> str:
        return str(self.email)


class ResetCodeForm(GuessedCode, ConfirmPasswordResetCodeForm):  # type: ignore[misc]
    """The code for a new password."""

    def guessed_at(self) -> str:
        process = PasswordResetVerificationProcess.resume(context.request)
        return str(process.state["email"]) if process else ""


class FreshCodeForm(forms.Form):
    """The code by which somebody who is signed in shows that it is still them."""

    code = forms.CharField(
        label=gettext_lazy("Code"),
        error_messages={"required": gettext_lazy("Enter the code that is in the mail")},
        widget=forms.TextInput({"autocomplete": "one-time-code"}),
    )

    def __init__(self, *args: Any, user: User, expected: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user, self._expected = user, expected

    def clean_code(self) -> str:
        """Accept the code that was sent."""
        guess = Guess(f"code:{same_for_all_spellings(self._user.email)}")
        code = str(self.cleaned_data["code"])
        if not compare_user_code(actual=code, expected=self._expected):
            raise get_adapter().validation_error("incorrect_code")
        guess.give_back()
        return code


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
    """Notes down when a session was last used, about once an hour; stands behind signing in."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Go on; it is noted once the view is known."""
        response: HttpResponse = self.get_response(request)
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


def address_of(user: User) -> EmailAddress:
    """The row for the user's own address, made when there is none; what is made is unproven."""
    has_any = EmailAddress.objects.filter(user=user).exists()
    address, _is_new = EmailAddress.objects.get_or_create(
        user=user, email=user.email, defaults={"primary": not has_any}
    )
    return address
