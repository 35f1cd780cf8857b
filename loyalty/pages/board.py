"""The board around me: joined under a pseudonym, left at once."""

import re

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import identity
from accounts.models import Customer
from loyalty.pages.frame import customer_page, show
from scoring import boards

SHORTEST = 3


class PseudonymForm(forms.ModelForm[Customer]):
    """The name under which a customer appears to others."""

    class Meta:
        model = Customer
        fields = ["pseudonym"]
        labels = {"pseudonym": gettext_lazy("Pseudonym")}
        help_texts = {
            "pseudonym": gettext_lazy("What others see instead of you. Best not your own name.")
        }
        error_messages = {
            "pseudonym": {"max_length": gettext_lazy("Use at most 40 letters")},
        }
        widgets = {"pseudonym": forms.TextInput(attrs={"autocomplete": "off"})}

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["pseudonym"].required = True
        self.fields["pseudonym"].error_messages["required"] = gettext_lazy("Enter a pseudonym")

    def clean_pseudonym(self) -> str:
        """Letters and digits with single spaces, that nobody else of the brand uses."""
        name = " ".join(str(self.cleaned_data["pseudonym"]).split())
        if len(name) < SHORTEST:
            raise forms.ValidationError(gettext_lazy("Use at least 3 letters"))
        if not re.fullmatch(r"[\w .'\u2019-]+", name) or "_" in name:
            raise forms.ValidationError(gettext_lazy("Use letters, digits and spaces only"))
        others = Customer.objects.filter(brand_id=self.instance.brand_id).exclude(
            pk=self.instance.pk
        )
        if others.filter(pseudonym__iexact=name).exists():
            raise forms.ValidationError(gettext_lazy("Somebody else has this pseudonym"))
        return name


@customer_page
def board(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Show the board around the customer; join it, change the pseudonym, or leave."""
    form = PseudonymForm(instance=customer)
    if request.method == "POST":
        if request.POST.get("do") == "leave":
            customer.on_boards = False
            customer.save(update_fields=["on_boards"])
            messages.success(request, _("You are on no board now. Nobody sees you there."))
            return redirect("board", customer.brand.slug)
        form = PseudonymForm(request.POST, instance=customer)
        if form.is_valid():
            customer.on_boards = True
            customer.save(update_fields=["pseudonym", "on_boards"])
            messages.success(
                request, _("You appear on the board as %(name)s.") % {"name": customer.pseudonym}
            )
            return redirect("board", customer.brand.slug)
        customer.refresh_from_db(fields=["pseudonym"])
    elif not customer.on_boards:
        form.initial["pseudonym"] = identity.propose_free_pseudonym(customer=customer)
    today = timezone.now().astimezone(customer.brand.zone).date()
    around = boards.around(customer=customer, on=today)
    return show(request, "pages/board.html", customer, here="score", form=form, board=around)
