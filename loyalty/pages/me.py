"""Who I am here, what is known of me, and how the pages look."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Customer
from loyalty import access
from loyalty.pages.frame import customer_page, show

YEAR = 365 * 24 * 3600


class ThemeForm(forms.Form):
    """Light, dark, or as the device says; kept on this device."""

    theme = forms.ChoiceField(
        choices=[
            ("auto", gettext_lazy("As this device")),
            ("light", gettext_lazy("Light")),
            ("dark", gettext_lazy("Dark")),
        ]
    )


@customer_page
def me(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Show the customer's own data and take the choice of theme."""
    if request.method == "POST":
        form = ThemeForm(request.POST)
        response = redirect("me", customer.brand.slug)
        if form.is_valid():
            response.set_cookie(
                "theme",
                form.cleaned_data["theme"],
                max_age=YEAR,
                secure=request.is_secure(),
                httponly=True,
                samesite="Lax",
            )
            messages.success(request, _("The pages look as you chose."))
        return response
    theme = request.COOKIES.get("theme", "auto")
    return show(
        request,
        "pages/me.html",
        customer,
        here="me",
        identifiers=customer.identifiers.exclude(scheme="laurel").order_by("scheme", "value"),
        others=access.memberships(request.user).exclude(pk=customer.pk),
        theme=theme if theme in ("light", "dark") else "auto",
    )
