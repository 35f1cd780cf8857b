"""Who I am here, and the way to everything that is mine to decide; how the pages look and speak."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from allauth.mfa.models import Authenticator
from django import forms
from django.conf import settings
from django.contrib import messages
from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone, translation
from django.utils.translation import get_language_info, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from accounts.consent import consents_of
from accounts.identity import identifiers_of
from accounts.models import Brand, Consent, Customer, DataUse, Dispute, Purpose, User
from loyalty import access
from loyalty.identifiers import scheme_word
from loyalty.pages.frame import customer_page, show
from loyalty.pages.reader import THEME_COOKIE
from scoring.models import Source

YEAR = 365 * 24 * 3600
MONTH = timedelta(days=30)


class PagesForm(forms.ModelForm[User]):
    """Light or dark, and the language; kept with the account."""

    class Meta:
        model = User
        fields = ["theme", "language"]
        widgets = {"theme": forms.RadioSelect}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"] = forms.ChoiceField(
            label=gettext_lazy("Language"),
            required=False,
            choices=[
                ("", gettext_lazy("As this device")),
                *((code, get_language_info(code)["name_local"]) for code, _n in settings.LANGUAGES),
            ],
        )


@customer_page
def me(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Show the way to what is the customer's own, each with its state, and take how the pages should be."""
    assert customer.user is not None
    form = PagesForm(request.POST or None, instance=customer.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        if customer.user.language:
            # So that the answer is in it already.
            translation.activate(customer.user.language)
        messages.success(request, _("The pages are as you chose, wherever you sign in."))
        response = redirect("me", customer.brand.slug)
        # For this device after signing out.
        response.set_cookie(
            THEME_COOKIE,
            customer.user.theme,
            max_age=YEAR,
            secure=request.is_secure(),
            httponly=True,
            samesite="Lax",
        )
        return response
    if request.method == "POST":
        customer.user.refresh_from_db(fields=["theme", "language"])
    now = timezone.now()
    language = customer.user.language
    return show(
        request,
        "pages/me.html",
        customer,
        here="me",
        form=form,
        news=news_of(customer, now=now),
        linked=identifiers_of(customer=customer).count(),
        uses=DataUse.objects.filter(members__customer=customer, at__gt=now - MONTH).count(),
        choices=choices_in_words(customer),
        sign_in=_ways_in(customer.user),
        language=get_language_info(language)["name_local"] if language else "",
        others=[other for other in access.memberships(request.user) if other.pk != customer.pk],
    )


class News(NamedTuple):
    """What became of a dispute. ``is_theirs`` is None until it is decided; ``claims``: the customer proved it last."""

    identifier: str
    claims: bool
    is_theirs: bool | None
    at: datetime
    note: str


def news_of(customer: Customer, *, now: datetime) -> list[News]:
    """The disputes about identifiers of a customer that are open, or were decided in the last month; one query."""
    disputes = (
        Dispute.objects.filter(Q(claimant=customer) | Q(holder=customer), brand=customer.brand_id)
        .filter(Q(decided_at=None) | Q(decided_at__gt=now - MONTH))
        .annotate(scheme=F("identifier__scheme"), value=F("identifier__value"))
        .order_by("-pk")
    )
    return [
        News(
            identifier=f"{scheme_word(dispute.scheme)} {dispute.value}",
            claims=dispute.claimant_id == customer.pk,
            is_theirs=None
            if dispute.moved is None
            else dispute.moved == (dispute.claimant_id == customer.pk),
            at=dispute.decided_at or dispute.opened_at,
            note=dispute.note,
        )
        for dispute in disputes
    ]


def choices_in_words(customer: Customer) -> str:
    """What a customer chose, in a line: what is paused or off, and what they agreed to."""
    words = [_("Score paused")] if customer.paused_at else []
    off = [str(source.label) for source in Source if customer.sources_off >> source & 1]
    if off:
        words.append(_("Off: %(sources)s") % {"sources": ", ".join(off)})
    agreed = agreed_to(consents_of(customer=customer).values())
    return " · ".join([*words, *(agreed or [_("No news, no offers")])])


def agreed_to(consents: Iterable[Consent | None]) -> list[str]:
    """What is agreed to among these, a purpose each with its channels."""
    channels: dict[str, list[str]] = {}
    for consent in consents:
        if consent is not None and consent.given:
            held = channels.setdefault(consent.purpose, [])
            if consent.channel:
                held.append(str(Brand.Channel(consent.channel).label))
    return [
        _("%(purpose)s: %(channels)s")
        % {"purpose": Purpose(purpose).label, "channels": ", ".join(by)}
        if by
        else str(Purpose(purpose).label)
        for purpose, by in channels.items()
    ]


def _ways_in(user: User) -> str:
    """How somebody signs in, in a line."""
    held = list(Authenticator.objects.filter(user=user).values_list("type", flat=True))
    passkeys = held.count(Authenticator.Type.WEBAUTHN)
    words = [_("Code by mail")]
    if user.has_usable_password():
        words.append(_("Password"))
    if passkeys:
        words.append(
            ngettext("%(count)s passkey", "%(count)s passkeys", passkeys) % {"count": passkeys}
        )
    if Authenticator.Type.TOTP in held:
        words.append(_("Second step"))
    return " · ".join(words)
