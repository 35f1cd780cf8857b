"""What counts for a customer: accounts elsewhere, addresses, cards. Linking, unlinking and codes from the till."""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from allauth.account.decorators import reauthentication_required
from allauth.account.models import EmailAddress
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.forms import DisconnectForm as AnyDisconnectForm
from allauth.socialaccount.models import SocialAccount
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.signals import social_account_removed
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import identity, social
from accounts.adapters import BRAND, say_what_became_of_it
from accounts.models import Customer, Dispute, Identifier
from accounts.networks import Network
from loyalty import access
from loyalty.identifiers import scheme_word
from loyalty.pages import guesses
from loyalty.pages.frame import customer_page, show
from scoring.timeline import actions_by_identifier

# So many wrong codes at all of a brand's customers together.
BRAND_ALLOWED = 100
LONGEST_CODE = 40
TOO_MANY = gettext_lazy(
    "That was the fifth wrong code. Nothing was lost; try again in ten minutes."
)
# What is read of what is no network's.
READS: dict[str, Promise] = {
    "email": gettext_lazy("What is reported for this address. Nobody reads your mail."),
    "phone": gettext_lazy("What is reported for this number. Nobody reads your messages."),
    "card": gettext_lazy("What the till reports when you show it."),
}
ICONS = {"email": "mail", "card": "purchase", "phone": "usage"}


class CodeForm(forms.Form):
    """The code on a card, or from the till."""

    code = forms.CharField(
        label=gettext_lazy("Code on your card or from the till"),
        help_text=gettext_lazy("Ten letters and digits. It links the card it stands on."),
        max_length=LONGEST_CODE,
        error_messages={"required": gettext_lazy("Enter the code")},
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )


class DisconnectForm(AnyDisconnectForm):  # type: ignore[misc]
    """Takes any account off a login: everybody has a confirmed address, and signs in by a code to it."""

    def clean(self) -> dict[str, Any]:
        """Leave out what is asked of people who would have no way in without the account."""
        cleaned: dict[str, Any] = self.cleaned_data
        return cleaned

    def save(self) -> None:
        """Take it off; upstream cannot where the network is switched off by now."""
        account = self.cleaned_data["account"]
        if account.provider in settings.LAUREL_NETWORKS:
            super().save()
            return
        account.delete()
        social_account_removed.send(
            sender=SocialAccount, request=self.request, socialaccount=account
        )


class Linked(NamedTuple):
    """One thing under which the brand hears of the customer."""

    identifier: Identifier
    word: str
    icon: str
    reads: str | Promise
    actions: int
    last_on: date | None


class Uncounted(NamedTuple):
    """Something of the login's that does not count with this brand yet; ``field`` and ``pk`` name it in the form."""

    field: str
    pk: int
    word: str
    icon: str
    name: str


@customer_page
def linked(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Show what is linked; link another, count it here, unlink it, or take a code."""
    if request.method != "POST":
        return _show(request, customer, CodeForm())
    if network := request.POST.get("connect"):
        there: HttpResponse = _connect(request, customer, network)
        return there
    if "unlink" in request.POST:
        return _unlink(request, customer, request.POST["unlink"])
    if "account" in request.POST:
        return _count_account(request, customer)
    if "address" in request.POST:
        return _count_address(request, customer)
    return _redeem(request, customer)


# Whoever found a signed-in browser shall not link an account of their own.
@reauthentication_required(app="allauth.socialaccount")  # type: ignore[untyped-decorator]
def _connect(request: HttpRequest, customer: Customer, name: str) -> HttpResponse:
    if name not in settings.LAUREL_NETWORKS:
        raise Http404
    provider = get_adapter(request).get_provider(request, name)
    slug = customer.brand.slug
    response: HttpResponse = provider.redirect(
        request,
        process=AuthProcess.CONNECT,
        next_url=reverse("linked", args=[slug]),
        data={BRAND: slug},
    )
    return response


def _unlink(request: HttpRequest, customer: Customer, number: str) -> HttpResponse:
    identifier = access.get_identifier(customer, number)
    try:
        is_gone = social.stop_counting(customer=customer, identifier=identifier, now=timezone.now())
    except identity.IdentityError as error:
        messages.error(request, f"{error}")
    else:
        said = (
            _("%(name)s is unlinked here, and taken off your login: no other brand counts it.")
            if is_gone
            else _("%(name)s is unlinked. What came under it does not count here any more.")
        )
        messages.success(request, said % {"name": identifier.value})
    return redirect("linked", customer.brand.slug)


def _count_account(request: HttpRequest, customer: Customer) -> HttpResponse:
    account = access.get_social_account(request.user, request.POST["account"])
    try:
        link = social.count_social_account(customer=customer, account=account, now=timezone.now())
    except social.StaleProofError as error:
        if account.provider in settings.LAUREL_NETWORKS:
            there: HttpResponse = _connect(request, customer, account.provider)
            return there
        messages.error(request, f"{error}")
    except identity.IdentityError as error:
        messages.error(request, f"{error}")
    else:
        say_what_became_of_it(request, link)
    return redirect("linked", customer.brand.slug)


def _count_address(request: HttpRequest, customer: Customer) -> HttpResponse:
    address = access.get_address(request.user, request.POST["address"])
    try:
        link = social.count_address(customer=customer, address=address, now=timezone.now())
    except identity.IdentityError as error:
        messages.error(request, f"{error}")
    else:
        say_what_became_of_it(request, link)
    return redirect("linked", customer.brand.slug)


def _redeem(request: HttpRequest, customer: Customer) -> HttpResponse:
    form = CodeForm(request.POST)
    guesser, all_guessers = f"link-code:{customer.pk}", f"link-code-of:{customer.brand_id}"
    status = 200
    if form.is_valid():
        if guesses.take(guesser) and guesses.take(all_guessers, allowed=BRAND_ALLOWED):
            try:
                link = identity.redeem_link_code(
                    customer=customer, code=form.cleaned_data["code"], now=timezone.now()
                )
            except identity.IdentityError as error:
                form.add_error("code", f"{error}")
            else:
                guesses.give_back(guesser)
                guesses.give_back(all_guessers)
                say_what_became_of_it(request, link)
                return redirect("linked", customer.brand.slug)
        else:
            form.add_error("code", TOO_MANY)
            status = 429
    return _show(request, customer, form, status=status)


def _show(
    request: HttpRequest, customer: Customer, form: CodeForm, *, status: int = 200
) -> HttpResponse:
    networks: Mapping[str, Network] = settings.LAUREL_NETWORKS
    by_scheme = {network.scheme: network for network in networks.values()}
    used = actions_by_identifier(customer=customer)
    accounts, addresses = social.uncounted(customer=customer)
    disputes = list(
        Dispute.objects.filter(claimant=customer, decided_at=None)
        .select_related("identifier")
        .order_by("pk")
    )
    disputed = {str(dispute.identifier) for dispute in disputes}
    return show(
        request,
        "pages/linked.html",
        customer,
        here="me",
        status=status,
        form=form,
        linked=[
            _linked(one, by_scheme.get(one.scheme), *used.get(one.pk, (0, None)))
            for one in identity.identifiers_of(customer=customer)
        ],
        uncounted=[
            *(
                _uncounted_account(one, networks)
                for one in accounts
                if social.identifier_of(one) not in disputed
            ),
            *(_uncounted_address(one) for one in addresses),
        ],
        disputes=disputes,
        networks=list(networks.values()),
    )


def _linked(
    identifier: Identifier, network: Network | None, actions: int, last_on: date | None
) -> Linked:
    scheme = identifier.scheme
    return Linked(
        identifier,
        network.name if network else scheme_word(scheme),
        ICONS.get(scheme, "social"),
        network.reads if network else READS.get(scheme, _("What is reported under it.")),
        actions,
        last_on,
    )


def _uncounted_account(account: SocialAccount, networks: Mapping[str, Network]) -> Uncounted:
    network = networks.get(account.provider)
    word = network.name if network else account.provider.capitalize()
    return Uncounted("account", account.pk, word, "social", account.extra_data[social.HANDLE])


def _uncounted_address(address: EmailAddress) -> Uncounted:
    return Uncounted("address", address.pk, scheme_word("email"), "mail", address.email)
