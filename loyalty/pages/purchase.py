"""Registering a purchase: a claim, pending until staff decide."""

import uuid
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Brand, Customer
from loyalty import access
from loyalty.intake.purchases import get_purchase_kind, record_purchase_claim
from loyalty.pages.frame import customer_page, show
from loyalty.pages.money import currency_symbol, format_money, parse_money
from loyalty.pages.rules import rules_for

OLDEST = timedelta(days=366)
EXAMPLE = Decimal("24.90")


class PurchaseForm(forms.Form):
    """What stands on a paper receipt; ``token`` makes one form count once."""

    amount = forms.CharField(
        label=_("Total"),
        max_length=20,
        error_messages={"required": _("Enter the total on your receipt")},
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    venue = forms.ChoiceField(label=_("Where"), required=False)
    bought_on = forms.DateField(
        label=_("Day"),
        input_formats=["%Y-%m-%d"],
        error_messages={
            "required": _("Enter the day on your receipt"),
            "invalid": _("Enter the day as year, month and day, such as 2026-11-21"),
        },
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    receipt_number = forms.CharField(
        label=_("Receipt number"),
        help_text=_("It lets the shop find your purchase. Leave it empty if there is none."),
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def __init__(self, *args: Any, brand: Brand, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.brand, self.today = brand, now.astimezone(brand.zone).date()
        venue, day = self.fields["venue"], self.fields["bought_on"]
        assert isinstance(venue, forms.ChoiceField)
        venue.choices = [
            ("", _("Somewhere else, or online")),
            *((place.slug, place.name) for place in access.venues(brand)),
        ]
        day.widget.attrs |= {"max": f"{self.today}", "min": f"{self.today - OLDEST}"}
        day.initial = self.today

    def clean_amount(self) -> Decimal:
        """The amount, as people write it."""
        amount = parse_money(self.cleaned_data["amount"], self.brand.currency)
        if amount is None:
            raise forms.ValidationError(
                _("Enter the total as an amount, such as %(example)s"),
                params={"example": format_money(EXAMPLE, self.brand.currency)},
            )
        return amount

    def clean_bought_on(self) -> date:
        """The day, not older than a year."""
        day: date = self.cleaned_data["bought_on"]
        if day < self.today - OLDEST:
            raise forms.ValidationError(_("Purchases can be registered for one year"))
        return day


@customer_page
def purchase(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Ask for what stands on the receipt and record it as pending."""
    brand, now = customer.brand, timezone.now()
    kind = get_purchase_kind(brand=brand)
    if kind is None:
        raise Http404
    form = PurchaseForm(request.POST or None, brand=brand, now=now)
    if request.method == "POST" and form.is_valid():
        outcome = record_purchase_claim(
            customer=customer,
            amount=form.cleaned_data["amount"],
            bought_on=form.cleaned_data["bought_on"],
            venue=form.cleaned_data["venue"] or None,
            receipt_number=form.cleaned_data["receipt_number"],
            token=str(form.cleaned_data["token"]),
            now=now,
        )
        if outcome.status != "refused" and outcome.action_id is not None:
            return redirect("result", brand.slug, outcome.action_id)
        form.add_error(outcome.field if outcome.field in form.fields else None, outcome.reason)
    return show(
        request,
        "pages/purchase.html",
        customer,
        here="add",
        form=form,
        symbol=currency_symbol(brand.currency),
        rules=rules_for(kind, brand=brand, now=now),
    )
