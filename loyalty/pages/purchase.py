"""Registering a purchase: a claim with its photo, pending until staff decide."""

import uuid
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django import forms
from django.core.cache import cache
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from accounts.models import Customer
from loyalty import access
from loyalty.intake.photos import PhotoError, read_photo
from loyalty.intake.purchases import (
    Claim,
    find_alike,
    get_purchase_kind,
    keeps_receipt_number,
    record_purchase_claim,
    usual_wait,
)
from loyalty.pages import outbox
from loyalty.pages.frame import customer_page, show
from loyalty.pages.money import currency_symbol, format_money, parse_money
from loyalty.pages.patience import is_within
from loyalty.pages.photo import send_photo
from loyalty.pages.rules import rules_for
from scoring.models import ActionKind

OLDEST = timedelta(days=366)
EXAMPLE = Decimal("24.90")
KEPT_FOR = 2 * 3600
# So many photos of one customer are looked at in a day, for each costs a second at worst.
PHOTOS, DAY = 40, 24 * 3600


class PurchaseForm(forms.Form):
    """What stands on a paper receipt; ``token`` makes one form count once.

    ``kept`` names the photo that came with an earlier try of the form, ``again`` answers the question whether
    this is another purchase than one that looks alike.
    """

    photo = forms.FileField(
        label=_("Photo of the receipt"),
        help_text=_("Not needed, but it makes a yes quicker. Only you and the shop see it."),
        required=False,
        widget=forms.FileInput(
            attrs={"accept": "image/jpeg,image/png,image/webp", "capture": "environment"}
        ),
        error_messages={"empty": _("That photo is empty. Take it again, or go on without.")},
    )
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
    bought_at = forms.TimeField(
        label=_("Time, if it is there"),
        required=False,
        input_formats=["%H:%M", "%H:%M:%S"],
        error_messages={"invalid": _("Enter the time as hours and minutes, such as 14:05")},
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    receipt_number = forms.CharField(
        label=_("Receipt number"),
        help_text=_("It lets the shop find your purchase. Leave it empty if there is none."),
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    kept = forms.UUIDField(widget=forms.HiddenInput, required=False)
    again = forms.BooleanField(required=False)

    def __init__(self, *args: Any, kind: ActionKind, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        brand = kind.brand
        here = now.astimezone(brand.zone)
        self.brand, self.today = brand, here.date()
        if not keeps_receipt_number(kind=kind):
            del self.fields["receipt_number"]
        venue, day = self.fields["venue"], self.fields["bought_on"]
        assert isinstance(venue, forms.ChoiceField)
        venue.choices = [
            ("", _("Somewhere else, or online")),
            *((place.slug, place.name) for place in access.venues(brand)),
        ]
        day.widget.attrs |= {"max": f"{self.today}", "min": f"{self.today - OLDEST}"}
        day.initial = self.today
        self.fields["bought_at"].initial = here.time().replace(second=0, microsecond=0)

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

    def claim(self, photo: bytes | None) -> Claim:
        """What is claimed, once the form is valid."""
        return Claim(
            amount=self.cleaned_data["amount"],
            bought_on=self.cleaned_data["bought_on"],
            bought_at=self.cleaned_data["bought_at"],
            venue=self.cleaned_data["venue"] or None,
            receipt_number=self.cleaned_data.get("receipt_number", ""),
            photo=photo,
        )


class KeptPhoto(NamedTuple):
    """A photo that waits for the rest of its form: one for each customer, under a name that nobody can guess."""

    name: str
    photo: bytes


def keep_photo(customer: Customer, photo: bytes) -> KeptPhoto:
    """Keep a photo for two hours; the customer's one before it is dropped."""
    kept = KeptPhoto(str(uuid.uuid4()), photo)
    cache.set(f"photo:{customer.pk}", tuple(kept), KEPT_FOR)
    return kept


def find_kept_photo(customer: Customer, name: str) -> KeptPhoto | None:
    """The customer's own kept photo, if it is still that one."""
    kept = cache.get(f"photo:{customer.pk}")
    return KeptPhoto(*kept) if kept and kept[0] == name else None


def drop_kept_photo(customer_id: int) -> None:
    """Drop the photo that a customer's form kept, if there is one."""
    cache.delete(f"photo:{customer_id}")


@require_safe
@customer_page
def kept_photo(request: HttpRequest, customer: Customer, name: uuid.UUID) -> HttpResponse:
    """The photo that waits for the rest of its form, to its owner."""
    kept = find_kept_photo(customer, str(name))
    if kept is None:
        raise Http404
    return send_photo(kept.photo, small="small" in request.GET)


@customer_page
def purchase(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Ask for what stands on the receipt and record it as pending."""
    brand, now = customer.brand, timezone.now()
    kind = get_purchase_kind(brand=brand)
    if kind is None:
        raise Http404
    form = PurchaseForm(request.POST or None, request.FILES or None, kind=kind, now=now)
    kept, alike = None, None
    if request.method == "POST":
        kept = _photo_of(form, customer)
        if form.is_valid():
            claim = form.claim(kept.photo if kept else None)
            token = str(form.cleaned_data["token"])
            if not form.cleaned_data["again"]:
                alike = find_alike(customer=customer, claim=claim, token=token)
            if alike is None:
                outcome = record_purchase_claim(
                    customer=customer, claim=claim, token=token, now=now
                )
                if outcome.status != "refused" and outcome.action_id is not None:
                    drop_kept_photo(customer.pk)
                    address = reverse("result", args=[brand.slug, outcome.action_id])
                    return outbox.received(request, address)
                field = outcome.field if outcome.field in form.fields else None
                form.add_error(field, outcome.reason)
        if outbox.asks_for_json(request):
            return outbox.not_taken(_first_reason(form))
    return show(
        request,
        "pages/purchase.html",
        customer,
        here="add",
        form=form,
        kept=kept,
        alike=alike,
        symbol=currency_symbol(brand.currency),
        rules=rules_for(kind, brand=brand, now=now),
        wait=usual_wait(brand=brand),
    )


def _photo_of(form: PurchaseForm, customer: Customer) -> KeptPhoto | None:
    """The form's photo: the one that came along, or else the one that was kept from an earlier try."""
    file = form.files.get("photo")
    if isinstance(file, UploadedFile) and file.size:
        if not is_within(f"photos:{customer.pk}", allowed=PHOTOS, window=DAY):
            form.add_error(
                "photo",
                _("You sent very many photos today. Go on without one. What you typed was kept."),
            )
            return None
        try:
            return keep_photo(customer, read_photo(file))
        except PhotoError as error:
            form.add_error("photo", _("%(reason)s What you typed was kept.") % {"reason": error})
            return None
    name = form.data.get("kept", "")
    kept = find_kept_photo(customer, name)
    if name and kept is None:
        form.add_error(
            "photo",
            _("Your photo is gone. Choose it again, or go on without. What you typed was kept."),
        )
    return kept


def _first_reason(form: PurchaseForm) -> str:
    reasons = [str(reason) for errors in form.errors.values() for reason in errors]
    return reasons[0] if reasons else str(_("It looks like one that you registered before."))
