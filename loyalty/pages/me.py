"""Who I am here, what is known of me, and how the pages look and speak."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import translation
from django.utils.translation import get_language_info, gettext_lazy
from django.utils.translation import gettext as _

from accounts.models import Customer, User
from loyalty import access
from loyalty.pages.frame import customer_page, show
from loyalty.pages.reader import THEME_COOKIE

YEAR = 365 * 24 * 3600


class PagesForm(forms.ModelForm[User]):
    """Light or dark, and the language; kept with the account."""

    class Meta:
        model = User
        fields = ["theme", "language"]
        widgets = {"theme": forms.RadioSelect}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"] = forms.ChoiceField(
            label=gettext_lazy("Language"),
            required=False,
            choices=[
                ("", gettext_lazy("As this device")),
                *((code, get_language_info(code)["name_local"]) for code, _n in settings.LANGUAGES),
            ],
        )


@customer_page
def me(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Show the customer's own data and take how the pages should be."""
    assert customer.user is not None
    form = PagesForm(request.POST or None, instance=customer.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        if customer.user.language:
            # So that the answer is in it already.
            translation.activate(customer.user.language)
        messages.success(request, _("The pages are as you chose, wherever you sign in."))
        response = redirect("me", customer.brand.slug)
        # For this device after signing out.
        response.set_cookie(
            THEME_COOKIE,
            customer.user.theme,
            max_age=YEAR,
            secure=request.is_secure(),
            httponly=True,
            samesite="Lax",
        )
        return response
    if request.method == "POST":
        customer.user.refresh_from_db(fields=["theme", "language"])
    return show(
        request,
        "pages/me.html",
        customer,
        here="me",
        form=form,
        identifiers=customer.identifiers.exclude(scheme="laurel").order_by("scheme", "value"),
        others=access.memberships(request.user).exclude(pk=customer.pk),
    )
