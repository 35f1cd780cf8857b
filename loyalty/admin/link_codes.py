"""Linking codes: who hands over a card or shows a phone at the till gets a code that proves it is theirs."""

import csv
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import identity
from accounts.models import Customer, Identifier, LinkCode
from accounts.uses import record_look
from loyalty import access
from loyalty.access import Task
from loyalty.admin.base import BrandChoice, BrandPage, dress, page_url
from loyalty.admin.customers import reads_in_full
from loyalty.admin.ledger import local_moment
from loyalty.exports.formats.csv import FORMULA_STARTS
from loyalty.identifiers import SCHEMES, masked, scheme_word
from loyalty.pages import guesses

AT_THE_TILL = timedelta(minutes=15)
ON_A_CARD = timedelta(days=2 * 365)
MOST_CARDS = 1000
PER_PAGE = 50
# By one member of staff in ten minutes: more than come to a till, and too few to go through a list of addresses.
MOST_LOOK_UPS = 60
# What somebody can show at a till.
SHOWABLE = ("card", "phone", "email")


def grouped(code: str) -> str:
    """A code as it is read out and printed."""
    return f"{code[:5]}-{code[5:]}"


class TillForm(forms.Form):
    """What the customer shows, in full."""

    scheme = forms.ChoiceField(
        label=gettext_lazy("What they show"),
        choices=[(scheme, SCHEMES[scheme]) for scheme in SHOWABLE],
    )
    value = forms.CharField(
        max_length=254,
        label=gettext_lazy("Number or address, in full"),
        error_messages={"required": gettext_lazy("Type what is on the card or the phone.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.use_required_attribute = False
        self.fields["value"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
        dress(self)

    def clean(self) -> dict[str, Any]:
        """The identifier, written as it is compared."""
        cleaned = super().clean() or {}
        if cleaned.get("scheme") and cleaned.get("value"):
            text = f"{cleaned['scheme']}:{cleaned['value']}"
            try:
                cleaned["pair"] = identity.parse_identifier(text)
            except identity.IdentifierError as error:
                self.add_error("value", str(error))
        return cleaned


class CardsForm(forms.Form):
    """Numbers of cards, one a line."""

    cards = forms.CharField(
        max_length=100_000,
        label=gettext_lazy("Card numbers"),
        help_text=gettext_lazy("One a line, at most 1,000."),
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        error_messages={"required": gettext_lazy("Paste the numbers of the cards.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.use_required_attribute = False
        dress(self)

    def clean_cards(self) -> list[str]:
        """The numbers, each once."""
        lines = [line.strip() for line in self.cleaned_data["cards"].splitlines() if line.strip()]
        cards = list(dict.fromkeys(lines))
        if len(cards) > MOST_CARDS:
            raise forms.ValidationError(
                _("These are %(count)s numbers; at most 1,000 fit at once."),
                params={"count": f"{len(cards):,}"},
            )
        for number, card in enumerate(cards, start=1):
            try:
                identity.parse_identifier(f"card:{card}")
            except identity.IdentifierError as error:
                raise forms.ValidationError(
                    _("Number %(number)s: %(reason)s"),
                    params={"number": number, "reason": str(error)},
                ) from error
        return cards


class LinkCodesPage(BrandPage):
    """At the till: whose a card is, and a code for it. In the office: codes to print on cards, and what is open."""

    task = Task.MAKE_LINK_CODES
    template = "admin/link_codes.html"
    title = gettext_lazy("Linking codes")
    switch_to = "link_codes"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.answer()

    def post(self, request: HttpRequest) -> HttpResponse:
        if "print" in request.POST:
            return self.print_cards(CardsForm(request.POST))
        form = TillForm(request.POST)
        if not form.is_valid():
            return self.answer(form=form, status=422)
        if not guesses.take(f"till:{self.user.pk}", allowed=MOST_LOOK_UPS):
            form.add_error(None, _("These were too many in ten minutes. Try again in ten minutes."))
            return self.answer(form=form, status=429)
        scheme, value = form.cleaned_data["pair"]
        holder = Customer.objects.filter(
            identifiers__brand=self.brand, identifiers__scheme=scheme, identifiers__value=value
        ).first()
        now = timezone.now()
        if holder is not None and not access.is_own(self.user, holder):
            holder.brand = self.brand
            role = access.role_of(self.user, self.brand)
            record_look(customer=holder, by=self.user, role=role, now=now)
        code = ""
        if "make" in request.POST:
            try:
                code = identity.make_link_code(
                    brand=self.brand,
                    text=f"{scheme}:{value}",
                    by=self.user,
                    lasts=AT_THE_TILL,
                    now=now,
                )
            except identity.IdentityError as error:
                form.add_error("value", str(error))
                return self.answer(form=form, status=422)
        return self.answer(
            form=form,
            sought={
                "word": scheme_word(scheme),
                "value": value,
                "holder": holder,
                "is_proven": Identifier.objects.filter(
                    brand=self.brand, scheme=scheme, value=value, proven_at__isnull=False
                ).exists(),
                "code": grouped(code) if code else "",
                "until": local_moment(now + AT_THE_TILL, self.brand),
            },
        )

    def print_cards(self, form: CardsForm) -> HttpResponse:
        """A file of numbers and codes, which nobody sees a second time; not for everybody at a till."""
        if not self.may(Task.MERGE_CUSTOMERS):
            raise PermissionDenied
        if not form.is_valid():
            return self.answer(cards=form, status=422)
        now = timezone.now()
        response = HttpResponse(content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{self.brand.slug}-codes.csv"'
        writer = csv.writer(response)
        writer.writerow(["card", "code", "expires_on"])
        expires_on = (now + ON_A_CARD).astimezone(self.brand.zone).date().isoformat()
        # All or none: a file that ends in the middle would leave codes that nobody has.
        with transaction.atomic():
            for card in form.cleaned_data["cards"]:
                code = identity.make_link_code(
                    brand=self.brand, text=f"card:{card}", by=self.user, lasts=ON_A_CARD, now=now
                )
                shown = f"'{card}" if card.startswith(FORMULA_STARTS) else card
                writer.writerow([shown, grouped(code), expires_on])
        return response

    def answer(
        self,
        *,
        form: TillForm | None = None,
        cards: CardsForm | None = None,
        sought: dict[str, Any] | None = None,
        status: int = 200,
    ) -> HttpResponse:
        """The page. Like everything in the admin it is stored nowhere, which a page with a code on it relies on."""
        paginator = Paginator(open_codes(self), PER_PAGE)
        shown = paginator.get_page(self.request.GET.get("page"))
        in_full = reads_in_full(self.user, self.brand)
        return self.page(
            {
                "form": form or TillForm(),
                "cards": cards or CardsForm(),
                "sought": sought,
                "may_see_customers": self.may(Task.SEE_CUSTOMERS),
                "may_print": self.may(Task.MERGE_CUSTOMERS),
                "open": [
                    {
                        "word": scheme_word(code.scheme),
                        "value": code.value if in_full else masked(code.scheme, code.value),
                        "by": code.made_by,
                        "made": local_moment(code.made_at, self.brand),
                        "expires": local_moment(code.expires_at, self.brand),
                    }
                    for code in shown
                ],
                "pages": shown,
            },
            status=status,
        )


def open_codes(page: LinkCodesPage) -> QuerySet[LinkCode]:
    """The brand's codes that can still be used, the newest first."""
    return (
        LinkCode.objects.filter(brand=page.brand, used_at=None, expires_at__gt=timezone.now())
        .select_related("made_by")
        .order_by("-made_at", "-pk")
    )


def urls() -> list[URLPattern]:
    """The pages of this area."""
    choice = BrandChoice.to(
        task=Task.MAKE_LINK_CODES, page="link_codes", title=gettext_lazy("Linking codes")
    )
    return [
        page_url("link-codes/", choice, "link_codes_choice"),
        page_url("brands/<slug:slug>/link-codes/", LinkCodesPage, "link_codes"),
    ]
