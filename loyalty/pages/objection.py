"""“This is wrong”: a customer's one objection to how an action of theirs was counted or decided."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Customer
from loyalty import access
from loyalty.intake.objections import LONGEST, record_objection
from loyalty.pages.frame import customer_page, show
from scoring.models import Objection


class ObjectionForm(forms.Form):
    """What is wrong, in the customer's words."""

    text = forms.CharField(
        label=gettext_lazy("What is wrong"),
        help_text=gettext_lazy("At most 500 letters."),
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 5}),
        error_messages={
            "required": gettext_lazy("Say what is wrong"),
            "max_length": gettext_lazy("Use at most 500 letters. What you wrote was kept."),
        },
    )


@customer_page
def objection(request: HttpRequest, customer: Customer, action_id: int) -> HttpResponse:
    """Ask what is wrong with an action and keep it for staff; once for each action."""
    action = access.get_action(customer, action_id)
    if Objection.objects.filter(action=action).exists():
        return redirect("receipt", customer.brand.slug, action.pk)
    form = ObjectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        kept = record_objection(
            customer=customer, action=action, text=form.cleaned_data["text"], now=timezone.now()
        )
        if kept is not None:
            messages.success(
                request,
                _("%(brand)s has it and answers here, on the receipt.") % {"brand": customer.brand},
            )
            return redirect("receipt", customer.brand.slug, action.pk)
        form.add_error("text", _("You sent very many of these today. Send this one tomorrow."))
    return show(request, "pages/object.html", customer, here="activity", form=form, action=action)
