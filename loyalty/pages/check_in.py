"""Checking in with the code that a venue shows."""

import uuid

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer
from loyalty.intake.check_ins import get_check_in_kind, get_venue, record_check_in
from loyalty.pages import guesses
from loyalty.pages.frame import customer_page, show
from loyalty.pages.rules import rules_for

TOO_MANY = _("That was the fifth wrong code. Nothing was lost; try again in ten minutes.")


class CheckInForm(forms.Form):
    """A venue's code; ``token`` makes one form count once, however often it is sent."""

    code = forms.CharField(
        label=_("Code of the venue"),
        help_text=_("It is on the poster by the till."),
        max_length=20,
        error_messages={"required": _("Enter the code of the venue")},
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)


@customer_page
def check_in(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Ask for a venue's code and record the visit; a link may bring the code along."""
    brand, now = customer.brand, timezone.now()
    kind = get_check_in_kind(brand=brand)
    if kind is None:
        raise Http404
    guesser = f"check-in:{customer.pk}"
    is_over = guesses.are_spent(guesser)
    form = CheckInForm(request.POST or None, initial={"code": request.GET.get("code", "")})
    if request.method == "POST" and form.is_valid():
        if is_over:
            form.add_error("code", TOO_MANY)
        else:
            outcome = record_check_in(
                customer=customer,
                code=form.cleaned_data["code"],
                token=str(form.cleaned_data["token"]),
                now=now,
            )
            if outcome.status != "refused" and outcome.action_id is not None:
                return redirect("result", brand.slug, outcome.action_id)
            if outcome.field == "code":
                guesses.count(guesser)
            form.add_error(outcome.field if outcome.field in form.fields else None, outcome.reason)
    code = str(form["code"].value() or "")
    return show(
        request,
        "pages/check_in.html",
        customer,
        here="add",
        form=form,
        # The name of a venue is an answer too, so it is told no longer than guesses are left.
        venue=None if is_over or form.errors else get_venue(brand=brand, code=code),
        rules=rules_for(kind, brand=brand, now=now),
        status=429 if is_over and request.method == "POST" else 200,
    )
