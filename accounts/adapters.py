"""What happens when somebody comes back from a network: allauth's flows, and what Laurel makes of them.

A network proves one thing, that the person holds the account there. It opens no login by an e-mail address, makes no
login, and what it tells is forgotten but for a name and a handle.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
from allauth.account.models import EmailAddress
from allauth.account.signals import email_removed
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from allauth.socialaccount.providers.base import AuthError, AuthProcess
from allauth.socialaccount.signals import social_account_added, social_account_removed
from django.conf import settings
from django.contrib import messages
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import identity, social
from accounts.models import Customer, Dispute, User
from accounts.networks import Network

# What a brand's page leaves in the state of a flow: where the account is to count once it is linked.
BRAND = "brand"


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Laurel's part in allauth's flows with networks."""

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: Any) -> User:
        """Keep of what the network told a name and a handle; called before any of it is stored.

        An account that somebody has may be known by another handle now: that one counts from here on.
        """
        network: Network = settings.LAUREL_NETWORKS[sociallogin.account.provider]
        told = _told(sociallogin.account.extra_data)
        handle = network.handle_of(sociallogin.account.uid, told)
        name = str(data.get("name") or "").strip() or " ".join(
            part for key in ("first_name", "last_name") if (part := str(data.get(key) or ""))
        )
        try:
            text = social.normal(f"{network.scheme}:{handle}")
        except identity.IdentifierError:
            # It did not say, or in a way that nobody can be known by: the account signs in, and counts nowhere.
            text = handle = ""
        known = SocialAccount.objects.filter(
            provider=sociallogin.account.provider, uid=sociallogin.account.uid
        ).first()
        if known is not None:
            social.follow_handle(account=known, text=text, now=timezone.now())
        sociallogin.account.extra_data = {
            social.IDENTIFIER: text,
            social.HANDLE: handle,
            social.NAME: name[:150],
        }
        # Addresses are proved by a code that we send, and by nothing else.
        sociallogin.email_addresses = []
        user: User = sociallogin.user
        return user

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Nobody gets a login from a network: the mail that it names may be somebody else's."""
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Send strangers to the door, and take note of an account that is already somebody's."""
        process = sociallogin.state.get("process")
        if process == AuthProcess.LOGIN and not sociallogin.is_existing:
            messages.info(
                request,
                _(
                    "No login here uses that %(network)s account yet. Sign in or join with your e-mail address, "
                    "then link it: it stays linked."
                )
                % {"network": sociallogin.provider.name},
            )
            raise ImmediateHttpResponse(redirect(_back(sociallogin.state) or "account_login"))
        if process != AuthProcess.CONNECT or not sociallogin.is_existing:
            return
        customer = _customer_of(request, sociallogin)
        if customer is None:
            return
        if sociallogin.user == request.user:
            _count(request, sociallogin, customer)
            return
        # allauth itself refuses what another login has.
        dispute = social.claim_social_account(
            customer=customer, account=sociallogin.account, now=timezone.now()
        )
        if dispute is not None:
            say_that_staff_decide(request, dispute)

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: Mapping[str, Any] | None = None,
    ) -> None:
        """Lead back to where a flow began, where that is known; else allauth says that it went wrong."""
        state = (extra_context or {}).get("state")
        if not state or not _back(state):
            return
        if error == AuthError.CANCELLED:
            said = _("You said no at %(network)s. Nothing was linked and nothing has changed.")
        else:
            said = _("%(network)s did not confirm that. Nothing has changed; you can try again.")
        messages.error(request, said % {"network": provider.name})
        raise ImmediateHttpResponse(redirect(_back(state)))

    def get_requests_session(self) -> requests.Session:
        """What networks are asked through. One that does not answer gets a page, and not an error of ours."""
        return _Session(self.request or context.request)


class _Session(requests.Session):
    def __init__(self, request: HttpRequest) -> None:
        super().__init__()
        self.page = request

    def request(
        self, method: str, url: str | bytes, *arguments: Any, **options: Any
    ) -> requests.Response:
        options.setdefault("timeout", settings.SOCIALACCOUNT_REQUESTS_TIMEOUT)
        # No proxy stands between this machine and itself.
        self.trust_env = urlsplit(str(url)).hostname not in {"localhost", "127.0.0.1"}
        # An address that a network did not name itself is none to send a secret to.
        options["allow_redirects"] = False
        try:
            answer = super().request(method, url, *arguments, **options)
        except requests.RequestException as error:
            raise ImmediateHttpResponse(_does_not_answer(self.page)) from error
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ImmediateHttpResponse(_does_not_answer(self.page))
        return answer


def _does_not_answer(request: HttpRequest) -> HttpResponse:
    return render(request, "socialaccount/authentication_error.html", {"is_away": True}, status=502)


def _told(extra_data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the network told: OpenID Connect has it twice, in the ID token and at an address of its own."""
    told: Mapping[str, Any] = extra_data.get("userinfo") or extra_data.get("id_token") or extra_data
    return told


def _back(state: Mapping[str, Any]) -> str:
    """The page that began a flow; allauth has seen to it that it is ours."""
    address: str = state.get("next") or ""
    return address


def _customer_of(request: HttpRequest, sociallogin: SocialLogin) -> Customer | None:
    """The customer on whose page the flow began; None where it began elsewhere."""
    slug = (sociallogin.state.get("data") or {}).get(BRAND)
    if not slug or not isinstance(request.user, User):
        return None
    return Customer.objects.filter(
        user=request.user, brand__slug=slug, merged_into=None, erased_at=None
    ).first()


def _count(request: HttpRequest, sociallogin: SocialLogin, customer: Customer) -> None:
    try:
        link = social.count_social_account(
            customer=customer, account=sociallogin.account, now=timezone.now()
        )
    except identity.IdentityError as error:
        messages.error(request, f"{error}")
        return
    say_what_became_of_it(request, link)


def say_what_became_of_it(request: HttpRequest, link: identity.Link) -> None:
    """Tell on the next page what linking did."""
    name = {"name": link.identifier.value}
    if link.dispute is not None:
        say_that_staff_decide(request, link.dispute)
    elif not link.moved:
        messages.info(request, _("%(name)s was linked already. Nothing has changed.") % name)
    else:
        said = _("%(name)s is linked. What was reported under it counts for you.")
        messages.success(request, said % name)


def say_that_staff_decide(request: HttpRequest, dispute: Dispute) -> None:
    """Tell on the next page that somebody else holds what was proved."""
    said = _(
        "%(name)s counts for somebody else here. You have proved that it is yours too, so staff decide "
        "whose it is. Until then nothing changes."
    )
    messages.warning(request, said % {"name": dispute.identifier.value})


@receiver(social_account_added, dispatch_uid="count_where_it_began")
def count_where_it_began(request: HttpRequest, sociallogin: SocialLogin, **_rest: Any) -> None:
    """A newly linked account counts with the brand on whose page it was linked, and nowhere else."""
    customer = _customer_of(request, sociallogin)
    if customer is not None:
        _count(request, sociallogin, customer)


@receiver(social_account_removed, dispatch_uid="stop_counting_account")
def stop_counting_account(request: HttpRequest, socialaccount: SocialAccount, **_rest: Any) -> None:
    """An account that is disconnected from the login counts with no brand any more."""
    social.stop_counting_everywhere(
        user=socialaccount.user, text=social.identifier_of(socialaccount), now=timezone.now()
    )


@receiver(email_removed, dispatch_uid="stop_counting_address")
def stop_counting_address(user: User, email_address: EmailAddress, **_rest: Any) -> None:
    """An address that is taken off the login counts with no brand any more."""
    social.stop_counting_everywhere(
        user=user, text=f"email:{email_address.email}", now=timezone.now()
    )
