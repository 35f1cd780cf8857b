"""Recording that a product was used: how much, and on which of the last days."""

import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer
from loyalty.intake.usage import get_usage_kind, record_usage
from loyalty.pages import outbox
from loyalty.pages.frame import customer_page, show
from loyalty.pages.money import parse_number
from loyalty.pages.rules import rules_for
from scoring.models import ActionKind

# Nobody has to prove a use, so it can be made up for a few days only.
OLDEST = timedelta(days=7)
MOST = 10_000
PLACES = 2
TODAY, YESTERDAY, EARLIER = "today", "yesterday", "earlier"


class UsageForm(forms.Form):
    """How much and when; ``token`` makes one form count once. A kind without a unit asks only when."""

    quantity = forms.CharField(
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    when = forms.ChoiceField(
        label=_("When"),
        choices=[(TODAY, _("Today")), (YESTERDAY, _("Yesterday")), (EARLIER, _("Earlier"))],
        initial=TODAY,
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose when it was")},
    )
    used_on = forms.DateField(
        label=_("Day"),
        help_text=_("One of the last seven days."),
        required=False,
        input_formats=["%Y-%m-%d"],
        error_messages={
            "invalid": _("Enter the day as year, month and day, such as 2026-11-21"),
        },
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def __init__(self, *args: Any, kind: ActionKind, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now, self.zone = now, kind.brand.zone
        self.today = now.astimezone(self.zone).date()
        if kind.unit:
            unit = {"unit": kind.brand.currency if kind.unit == ActionKind.MONEY else kind.unit}
            quantity = self.fields["quantity"]
            quantity.label = _("How much, in %(unit)s") % unit
            quantity.error_messages["required"] = _("Enter how much, in %(unit)s") % unit
        else:
            del self.fields["quantity"]
        day = self.fields["used_on"]
        day.widget.attrs |= {"max": f"{self.today}", "min": f"{self.today - OLDEST}"}

    def clean_quantity(self) -> Decimal:
        """The number, as people write it."""
        number = parse_number(self.cleaned_data["quantity"], places=PLACES)
        if number is None or not number:
            raise forms.ValidationError(_("Enter a number more than 0, such as 2 or 2.5"))
        if number > MOST:
            raise forms.ValidationError(
                _("Enter at most %(most)s at a time"), params={"most": f"{MOST:,}"}
            )
        return number

    def clean_used_on(self) -> date | None:
        """The day, if it is one of the last; asked for only where "Earlier" was chosen."""
        if self.cleaned_data.get("when") != EARLIER:
            return None
        day: date | None = self.cleaned_data["used_on"]
        if day is None:
            raise forms.ValidationError(_("Enter the day"))
        if day > self.today:
            raise forms.ValidationError(_("That day is still to come"))
        if day < self.today - OLDEST:
            raise forms.ValidationError(_("Enter one of the last seven days"))
        return day

    def moment(self) -> datetime:
        """When it was: now if today, else noon of that day, since nobody is asked for the hour."""
        if self.cleaned_data["when"] == YESTERDAY:
            day = self.today - timedelta(days=1)
        else:
            day = self.cleaned_data["used_on"] or self.today
        return self.now if day == self.today else datetime.combine(day, time(12), self.zone)


@customer_page
def usage(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Ask how much and when, and record it; it counts at once."""
    brand, now = customer.brand, timezone.now()
    kind = get_usage_kind(brand=brand)
    if kind is None:
        raise Http404
    form = UsageForm(request.POST or None, kind=kind, now=now)
    if request.method == "POST" and form.is_valid():
        outcome = record_usage(
            customer=customer,
            token=str(form.cleaned_data["token"]),
            used_at=form.moment(),
            quantity=form.cleaned_data.get("quantity"),
            now=now,
        )
        if outcome.status != "refused" and outcome.action_id is not None:
            address = reverse("result", args=[brand.slug, outcome.action_id])
            return outbox.received(request, address)
        form.add_error(outcome.field if outcome.field in form.fields else None, outcome.reason)
    if request.method == "POST" and outbox.asks_for_json(request):
        reasons = [str(reason) for errors in form.errors.values() for reason in errors]
        return outbox.not_taken(reasons[0])
    return show(
        request,
        "pages/usage.html",
        customer,
        here="add",
        form=form,
        kind=kind,
        rules=rules_for(kind, brand=brand, now=now),
    )
