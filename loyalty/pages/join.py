"""Joining a brand, or signing in to it: an e-mail address and the code that arrives there."""

from typing import Any

from allauth.account.forms import LoginForm, RequestLoginCodeForm
from allauth.account.internal.flows.login_by_code import LoginCodeVerificationProcess
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from accounts import identity
from accounts.consent import asked_for
from accounts.models import Brand, User
from loyalty import access
from loyalty.pages.choices import joining_address
from loyalty.pages.door import address_of, is_own_address
from loyalty.pages.frame import JOINING


class CodeForm(RequestLoginCodeForm):  # type: ignore[misc]
    """Asks for the address to which a code for signing in goes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["email"]
        field.label = gettext_lazy("E-mail address")
        field.help_text = gettext_lazy("We send you a code to type in. No password.")
        field.error_messages = {
            "required": gettext_lazy("Enter your e-mail address"),
            "invalid": gettext_lazy("Enter an e-mail address like name@example.org"),
        }
        field.widget.attrs.update(autocomplete="email", inputmode="email", spellcheck="false")
        field.widget.attrs.pop("placeholder", None)

    def clean_email(self) -> str:
        """See to it that the code proves the address, also where staff made the login."""
        email = str(super().clean_email())
        if self._user and self._user.email == email:
            address_of(self._user)
        return email


class EmailForm(CodeForm):
    """Asks for an address. A known and an unknown one get the same answer: a code."""

    def user(self) -> User | None:
        """The user of the address, made when there is none; None for one who may not sign in.

        Until the code comes back, a new user can do nothing and the address counts as unproven.
        """
        email = self.cleaned_data["email"].lower()
        user: User | None = self._user
        with transaction.atomic():
            if user is None:
                user, is_new = User.objects.get_or_create(email=email)
                if not is_new:
                    return None
                user.set_unusable_password()
                user.save(update_fields=["password"])
                # The code proves this address; where it is noted down, no second code is asked for.
                address_of(user)
        return user


class SignInForm(LoginForm):  # type: ignore[misc]
    """Signing in without a brand in sight: by code, or by password for those who have one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        login, password = self.fields["login"], self.fields["password"]
        login.label = gettext_lazy("E-mail address")
        login.error_messages["required"] = gettext_lazy("Enter your e-mail address")
        login.widget.attrs.update(autocomplete="email", inputmode="email", spellcheck="false")
        password.label = gettext_lazy("Password")
        password.help_text = gettext_lazy("Leave it empty to get a code.")
        for field in (login, password):
            field.widget.attrs.pop("placeholder", None)

    def _clean_without_password(self, email: str | None, phone: str | None) -> dict[str, Any]:
        cleaned: dict[str, Any] = super()._clean_without_password(email, phone)
        if self.user and self.user.email == email:
            address_of(self.user)
        return cleaned

    def _setup_password_field(self) -> None:
        # The maker would drop the field, since nobody signs up with a password.
        self.fields["password"].required = False


@never_cache
def join(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for an address and send a code to it; with a user already signed in, ask only once."""
    brand = access.get_brand(slug)
    back = request.POST.get("next") or request.GET.get("next", "")
    back = back if is_own_address(request, back) else ""
    if isinstance(request.user, User):
        return _join_signed_in(request, brand, request.user, back)
    here = reverse("join", args=[slug]) + (f"?{urlencode({'next': back})}" if back else "")
    form = EmailForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        request.session[JOINING] = slug
        LoginCodeVerificationProcess.initiate(
            request=request, user=form.user(), email=form.cleaned_data["email"]
        )
        return redirect(f"{reverse('account_confirm_login_code')}?{urlencode({'next': here})}")
    asked = {"brand": brand, "form": form, "next": back, "here": here}
    return render(request, "pages/join.html", asked)


def _join_signed_in(request: HttpRequest, brand: Brand, user: User, back: str) -> HttpResponse:
    # The session remembers that this browser asked to join; a mere link joins nobody.
    asked = request.session.pop(JOINING, None) == brand.slug
    customer = access.find_customer(user, brand.slug)
    if customer is None:
        if not asked and request.method != "POST":
            return render(request, "pages/join.html", {"brand": brand, "next": back})
        try:
            identity.join_brand(brand=brand, user=user, now=timezone.now())
        except identity.MergedError as error:
            merged = {"brand": brand, "merged": str(error)}
            return render(request, "pages/join.html", merged, status=409)
        messages.success(
            request, _("Welcome. Your score with %(brand)s starts here.") % {"brand": brand}
        )
        if asked_for(brand=brand):
            return redirect(joining_address(brand, back))
    return redirect(back or reverse("score", args=[brand.slug]))
