"""The weekly rhythm: chosen, seen and given up on one page."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Customer
from loyalty.pages.frame import customer_page, show
from scoring.rhythm import DAYS_MOST, choose_rhythm, rhythm_of


class RhythmForm(forms.Form):
    """On how many days a week; 0 for none."""

    days = forms.TypedChoiceField(
        coerce=int,
        choices=[(days, str(days)) for days in range(DAYS_MOST + 1)],
        error_messages={"required": gettext_lazy("Choose a number of days")},
    )


@customer_page
def rhythm(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Show how the rhythm goes, and take a choice."""
    today = timezone.now().astimezone(customer.brand.zone).date()
    form = RhythmForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        choose_rhythm(customer=customer, days=form.cleaned_data["days"], on=today)
        messages.success(request, _("Your choice is kept."))
        return redirect("rhythm", customer.brand.slug)
    view = rhythm_of(customer=customer, on=today)
    return show(
        request,
        "pages/rhythm.html",
        customer,
        here="score",
        form=form,
        rhythm=view,
        chosen=view.days if view.days_next is None else view.days_next,
    )
