"""Checking in with the code that a venue shows."""

import re
import uuid

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Brand, Customer
from loyalty import access
from loyalty.pages import guesses
from loyalty.pages.frame import customer_page, show
from loyalty.pages.rules import rules_for
from scoring.actions import ActionRow, record_actions
from scoring.models import Source, Venue

WRONG_CODE = _("There is no venue with the code “%(code)s”. Look at the poster by the till again.")
TOO_MANY = _("That was the fifth wrong code. Nothing was lost; try again in ten minutes.")


class CheckInForm(forms.Form):
    """A venue's code; ``token`` makes one form count once, however often it is sent."""

    code = forms.CharField(
        label=_("Code of the venue"),
        help_text=_("It stands on the poster by the till, such as SOHO42."),
        max_length=20,
        error_messages={"required": _("Enter the code of the venue")},
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def __init__(self, *args: object, brand: Brand, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.brand = brand

    def clean_code(self) -> Venue:
        """The venue of the code; small letters, spaces and hyphens do not matter."""
        code = self.cleaned_data["code"]
        venue = find_venue(self.brand, code)
        if venue is None:
            raise forms.ValidationError(WRONG_CODE, code="unknown", params={"code": code})
        return venue


def find_venue(brand: Brand, code: str) -> Venue | None:
    """The brand's venue with that check-in code."""
    plain = re.sub(r"[\s-]", "", code)
    if not plain:
        return None
    return access.venues(brand).filter(check_in_code__iexact=plain).first()


@customer_page
def check_in(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Ask for a venue's code and record the visit; a link may bring the code along."""
    brand = customer.brand
    kind = access.find_kind(brand, Source.PHYSICAL_VISITS)
    if kind is None:
        raise Http404
    code = request.POST.get("code") or request.GET.get("code", "")
    guesser = f"check-in:{customer.pk}"
    if request.method == "POST":
        form = CheckInForm(request.POST, brand=brand)
        if guesses.are_spent(guesser):
            form.errors.clear()
            form.add_error("code", TOO_MANY)
            return show(request, "pages/check_in.html", customer, here="add", form=form, status=429)
        if form.is_valid():
            now = timezone.now()
            [outcome] = record_actions(
                brand=brand,
                rows=[
                    ActionRow(
                        origin="laurel",
                        external_id=f"check-in:{form.cleaned_data['token']}",
                        identifier=f"laurel:{customer.public_id}",
                        kind=kind.slug,
                        occurred_at=now,
                        venue=form.cleaned_data["code"].slug,
                    )
                ],
                now=now,
            )
            if outcome.action_id is not None:
                return redirect("result", brand.slug, outcome.action_id)
            form.add_error(None, outcome.reason)
        elif form.has_error("code", "unknown"):
            guesses.count(guesser)
    else:
        form = CheckInForm(brand=brand, initial={"code": code})
    # The link on a poster is no guess: whoever sees it knows the code.
    venue = find_venue(brand, code) if code and not guesses.are_spent(guesser) else None
    return show(
        request,
        "pages/check_in.html",
        customer,
        here="add",
        form=form,
        venue=venue,
        rules=rules_for(kind, now=timezone.now()),
    )
