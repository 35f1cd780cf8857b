"""Joining a brand, or signing in to it: an e-mail address and the code that arrives there."""

from typing import Any

from allauth.account.forms import LoginForm, RequestLoginCodeForm
from allauth.account.internal.flows.login_by_code import LoginCodeVerificationProcess
from allauth.account.models import EmailAddress
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from accounts import identity
from accounts.models import Brand, User
from loyalty import access
from loyalty.pages.frame import JOINING


class EmailForm(RequestLoginCodeForm):  # type: ignore[misc]
    """Asks for an address. A known and an unknown one get the same answer: a code."""

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
            EmailAddress.objects.get_or_create(
                user=user,
                email=email,
                defaults={"primary": not EmailAddress.objects.filter(user=user).exists()},
            )
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

    def _setup_password_field(self) -> None:
        # The maker would drop the field, since nobody signs up with a password.
        self.fields["password"].required = False


@never_cache
def join(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for an address and send a code to it; with a user already signed in, ask only once."""
    brand = access.get_brand(slug)
    back = _own_address(request, request.POST.get("next") or request.GET.get("next", ""))
    if isinstance(request.user, User):
        return _join_signed_in(request, brand, request.user, back)
    form = EmailForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        request.session[JOINING] = slug
        LoginCodeVerificationProcess.initiate(
            request=request, user=form.user(), email=form.cleaned_data["email"]
        )
        here = reverse("join", args=[slug]) + (f"?{urlencode({'next': back})}" if back else "")
        return redirect(f"{reverse('account_confirm_login_code')}?{urlencode({'next': here})}")
    return render(request, "pages/join.html", {"brand": brand, "form": form, "next": back})


def _join_signed_in(request: HttpRequest, brand: Brand, user: User, back: str) -> HttpResponse:
    # The session remembers that this browser asked to join; a mere link joins nobody.
    asked = request.session.pop(JOINING, None) == brand.slug
    customer = access.find_customer(user, brand.slug)
    if customer is None:
        if not asked and request.method != "POST":
            return render(request, "pages/join.html", {"brand": brand, "next": back})
        identity.join_brand(brand=brand, user=user, now=timezone.now())
        messages.success(
            request, _("Welcome. Your score with %(brand)s starts here.") % {"brand": brand}
        )
    return redirect(back or reverse("score", args=[brand.slug]))


def _own_address(request: HttpRequest, address: str) -> str:
    is_ours = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    # What does not begin like this, Django might take for the name of a view.
    return address if is_ours and address.startswith("/") else ""
