"""The door: what Laurel adds to the ways of signing in that django-allauth brings.

Whoever guesses is counted by what is guessed at, and the sixth guess is answered with 429: from wherever it comes, and
however the address is spelled. Whoever has neither a password nor a second step confirms with a code by mail, as
others do with those, before they change how they sign in.
"""

import time
import unicodedata
from typing import Any, NoReturn

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from allauth.core.internal import ratelimit
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from accounts.models import User


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

        Whoever has just signed in need not say it again. Upstream asks nothing of those who have neither a password
        nor a second step; here, a code by mail.
        """
        required = bool(super().is_reauthentication_required(app=app, **kwargs))
        user = context.request.user
        if not required or not isinstance(user, User):
            return required
        records = get_authentication_records(context.request, user)
        at = records[-1]["at"] if records else 0
        if time.time() - at < app_settings.REAUTHENTICATION_TIMEOUT:
            return False
        if not get_reauthentication_flows(user):
            raise ReauthenticationRequired
        return True

    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        """Upstream's in our words, and a code by mail for those who have none of them."""
        words = {
            "reauthenticate": _("Use the password"),
            "mfa_reauthenticate": _("Use a code of the app, or a recovery code"),
            "mfa_reauthenticate:webauthn": _("Use a passkey"),
        }
        methods = [
            method | {"description": words[method["id"]]}
            for method in super().get_reauthentication_methods(user)
        ]
        if not methods and user.is_authenticated:
            url = reverse("reauthenticate_by_code")
            return [{"id": "code", "description": _("Use a code by mail"), "url": url}]
        return methods


def address_of(user: User) -> EmailAddress:
    """The row for the user's own address, made when there is none; what is made is unproven."""
    has_any = EmailAddress.objects.filter(user=user).exists()
    address, _is_new = EmailAddress.objects.get_or_create(
        user=user, email=user.email, defaults={"primary": not has_any}
    )
    return address
