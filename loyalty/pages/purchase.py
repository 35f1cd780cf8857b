"""Registering a purchase: a claim, pending until staff or a till confirm it."""

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Brand, Customer
from loyalty import access
from loyalty.pages.frame import customer_page, show
from loyalty.pages.money import currency_symbol, parse_money
from loyalty.pages.rules import rules_for
from scoring.actions import ActionRow, record_actions
from scoring.models import Source

OLDEST = timedelta(days=366)
LARGEST = Decimal(1_000_000)
MINUTE = "%Y-%m-%dT%H:%M"


class PurchaseForm(forms.Form):
    """What stands on a paper receipt; ``token`` makes one form count once."""

    total = forms.CharField(
        label=_("Total"),
        max_length=20,
        error_messages={"required": _("Enter the total on your receipt")},
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    venue = forms.ChoiceField(label=_("Where"), required=False)
    occurred_at = forms.DateTimeField(
        label=_("When"),
        help_text=_("As printed on the receipt."),
        input_formats=[MINUTE, f"{MINUTE}:%S"],
        error_messages={
            "required": _("Enter the date and time of your purchase"),
            "invalid": _("Enter the date and time, such as 21.11.2026, 10:30"),
        },
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MINUTE),
    )
    number = forms.CharField(
        label=_("Receipt number"),
        help_text=_("It lets us find your purchase. Leave it out if there is none."),
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def __init__(self, *args: Any, brand: Brand, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.brand, self.now = brand, now
        venue = self.fields["venue"]
        assert isinstance(venue, forms.ChoiceField)
        venue.choices = [
            *((place.slug, place.name) for place in access.venues(brand)),
            ("", _("Somewhere else, or online")),
        ]
        local = now.astimezone(brand.zone)
        self.fields["occurred_at"].widget.attrs["max"] = local.strftime(MINUTE)
        self.fields["occurred_at"].initial = local.strftime(MINUTE)

    def clean_total(self) -> Decimal:
        """The amount, more than nothing."""
        total = parse_money(self.cleaned_data["total"], self.brand.currency)
        if total is None or not 0 < total <= LARGEST:
            example = f"{currency_symbol(self.brand.currency)}24.90"
            raise forms.ValidationError(
                _("Enter the total as an amount, such as %(example)s"), params={"example": example}
            )
        return total

    def clean_occurred_at(self) -> datetime:
        """The moment, typed in the brand's local time: past, and not older than a year."""
        # Read as UTC, which knows no doubtful hours, and then taken for local time.
        typed: datetime = self.cleaned_data["occurred_at"]
        moment = typed.replace(tzinfo=self.brand.zone).astimezone(UTC)
        if moment > self.now:
            raise forms.ValidationError(_("The date and time must not lie in the future"))
        if moment < self.now - OLDEST:
            raise forms.ValidationError(_("Purchases can be registered for one year"))
        return moment

    def external_id(self) -> str:
        """What makes this purchase one: its receipt, or without a number this very form.

        Whoever registers the same receipt again, under whatever name, does not get it twice.
        """
        number = " ".join(self.cleaned_data["number"].split()).upper()
        if not number:
            return f"claim:{self.cleaned_data['token']}"
        day = self.cleaned_data["occurred_at"].astimezone(self.brand.zone).date()
        return f"receipt:{self.cleaned_data['venue']}:{day:%Y-%m-%d}:{number}"


@customer_page
def purchase(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Ask for what stands on the receipt and record it as pending."""
    brand, now = customer.brand, timezone.now()
    kind = access.find_kind(brand, Source.PURCHASES)
    if kind is None:
        raise Http404
    form = PurchaseForm(request.POST or None, brand=brand, now=now)
    if request.method == "POST" and form.is_valid():
        [outcome] = record_actions(
            brand=brand,
            rows=[
                ActionRow(
                    origin="laurel",
                    external_id=form.external_id(),
                    identifier=f"laurel:{customer.public_id}",
                    kind=kind.slug,
                    occurred_at=form.cleaned_data["occurred_at"],
                    quantity=form.cleaned_data["total"],
                    venue=form.cleaned_data["venue"] or None,
                    currency=brand.currency,
                    state="pending",
                )
            ],
            now=now,
        )
        if outcome.status != "refused" and outcome.action_id is not None:
            return redirect("result", brand.slug, outcome.action_id)
        if form.cleaned_data["number"] and outcome.field in ("external_id", ""):
            form.add_error("number", _("This receipt is registered already"))
        else:
            form.add_error(None, outcome.reason)
    return show(
        request,
        "pages/purchase.html",
        customer,
        here="add",
        form=form,
        symbol=currency_symbol(brand.currency),
        rules=rules_for(kind, now=now),
    )
