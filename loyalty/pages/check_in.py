"""Checking in with the code that a venue shows: signed in, before joining, and without a connection."""

import uuid
from datetime import datetime, timedelta

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from accounts.models import Brand, Customer
from loyalty import access
from loyalty.intake.check_ins import (
    get_check_in_kind,
    get_venue,
    record_check_in,
    refuse_code,
)
from loyalty.intake.forms import CHANNEL
from loyalty.pages import guesses, outbox
from loyalty.pages.kept import keep_check_in, kept_check_ins, record_kept
from loyalty.pages.offers import offers_of
from loyalty.pages.patience import neighbourhood
from loyalty.pages.rules import rules_for
from scoring.actions import Outcome
from scoring.models import Venue
from scoring.suppose import Supposed

TOO_MANY = gettext_lazy(
    "That was the fifth wrong code. Nothing was lost; try again in ten minutes."
)


class CheckInForm(forms.Form):
    """A venue's code; ``token`` makes one form count once, however often it is sent.

    ``waited`` says for how many seconds the form lay on the phone before it could be sent.
    """

    code = forms.CharField(
        label=gettext_lazy("Code of the venue"),
        help_text=gettext_lazy("It is on the poster by the till."),
        max_length=20,
        error_messages={"required": gettext_lazy("Enter the code of the venue")},
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "enterkeyhint": "go",
            }
        ),
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)
    waited = forms.CharField(required=False, max_length=20)


def check_in(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for a venue's code and record the visit; a link may bring the code along.

    For whoever has not joined, the visit is kept in this browser until they do.
    """
    customer = access.find_customer(request.user, slug)
    brand, now = customer.brand if customer else access.get_brand(slug), timezone.now()
    if get_check_in_kind(brand=brand) is None:
        raise Http404
    if customer is not None:
        record_kept(request, customer=customer, now=now)
    guesser = _guesser(request, customer)
    is_over = guesses.are_spent(guesser)
    form = CheckInForm(request.POST or None, initial={"code": request.GET.get("code", "")})
    if request.method == "POST":
        if form.is_valid() and not is_over and guesses.take(guesser):
            address = _take(request, form, brand, customer, now)
            if not form.has_error("code"):
                guesses.give_back(guesser)
            if address:
                return _private(outbox.received(request, address))
        elif form.is_valid():
            is_over = True
            form.add_error("code", TOO_MANY)
        if outbox.asks_for_json(request):
            # Later there may be guesses again: what waits on a phone is not lost by them.
            return outbox.not_taken(_first_reason(form), status=429 if is_over else 200)
    venue = None
    code = str(form["code"].value() or "")
    # The name of a venue is an answer too, so it is told no longer than guesses are left.
    if request.method != "POST" and code and not is_over and guesses.take(guesser):
        venue = get_venue(brand=brand, code=code)
        if venue is not None:
            guesses.give_back(guesser)
        else:
            form = _with_error(code, str(refuse_code(brand=brand).reason))
    return _show(request, brand, customer, form, venue, now, is_over=is_over)


def _take(
    request: HttpRequest, form: CheckInForm, brand: Brand, customer: Customer | None, now: datetime
) -> str | None:
    """Record or keep the visit; the address to go on to, or None where the form says why not."""
    waited = outbox.waited(form.cleaned_data["waited"])
    visited_at = now - (waited or timedelta())
    code, token = form.cleaned_data["code"], str(form.cleaned_data["token"])
    if customer is not None:
        outcome = record_check_in(
            customer=customer, code=code, token=token, visited_at=visited_at, now=now
        )
        address = (
            reverse("result", args=[brand.slug, outcome.action_id]) if outcome.action_id else ""
        )
    else:
        outcome = _keep(request, brand, code, token, visited_at)
        address = reverse("check_in_kept", args=[brand.slug])
    if outcome.status == "refused":
        form.add_error(outcome.field if outcome.field in form.fields else None, outcome.reason)
        return None
    if waited is None:
        messages.warning(
            request, _("It waited for too long on your phone, so it counts as of now.")
        )
    return address


def _keep(
    request: HttpRequest, brand: Brand, code: str, token: str, visited_at: datetime
) -> Outcome:
    venue = get_venue(brand=brand, code=code)
    if venue is None:
        return refuse_code(brand=brand)
    if keep_check_in(request.session, venue=venue, brand=brand, token=token, visited_at=visited_at):
        return Outcome("accepted")
    return Outcome(
        "refused", reason=_("This browser keeps five check-ins already. Join to have them count.")
    )


def _show(
    request: HttpRequest,
    brand: Brand,
    customer: Customer | None,
    form: CheckInForm,
    venue: Venue | None,
    now: datetime,
    *,
    is_over: bool,
) -> HttpResponse:
    kind = get_check_in_kind(brand=brand)
    assert kind is not None
    offer = None
    if customer is not None and venue is not None:
        supposed = Supposed(kind.slug, now, venue=venue.slug, channel=CHANNEL)
        [offer] = offers_of(customer=customer, supposed=[supposed])
    context = {
        "customer": customer,
        "brand": brand,
        "here": "add",
        "form": form,
        "venue": venue,
        "offer": offer,
        "rules": rules_for(kind, brand=brand, now=now),
    }
    status = 429 if is_over and request.method == "POST" else 200
    return _private(render(request, "pages/check_in.html", context, status=status))


@require_safe
def kept(request: HttpRequest, slug: str) -> HttpResponse:
    """What this browser keeps for the brand until its owner joins."""
    brand, now = access.get_brand(slug), timezone.now()
    waiting = kept_check_ins(request.session, brand=brand, now=now)
    names = dict(brand.venues.values_list("slug", "name"))
    return _private(
        render(
            request,
            "pages/check_in_kept.html",
            {
                "brand": brand,
                "kept": [(names.get(one.venue, one.venue), one.visited_at) for one in waiting],
            },
        )
    )


@require_safe
def offline(request: HttpRequest, slug: str) -> HttpResponse:
    """The check-in that phones keep for when there is no connection: the same for everyone, with nothing of anybody."""
    brand = access.get_brand(slug)
    if get_check_in_kind(brand=brand) is None:
        raise Http404
    response = render(request, "pages/check_in_offline.html", {"brand": brand})
    patch_cache_control(response, public=True, max_age=300)
    return response


def _with_error(code: str, reason: str) -> CheckInForm:
    form = CheckInForm({"code": code, "token": str(uuid.uuid4())})
    form.add_error("code", reason)
    return form


def _first_reason(form: CheckInForm) -> str:
    return next(str(reason) for errors in form.errors.values() for reason in errors)


def _guesser(request: HttpRequest, customer: Customer | None) -> str:
    """Whose wrong codes are counted together: a customer's, or those from one address."""
    return f"check-in:{customer.pk if customer is not None else neighbourhood(request)}"


def _private(response: HttpResponse) -> HttpResponse:
    patch_cache_control(response, private=True, no_cache=True)
    return response
