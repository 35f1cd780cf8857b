"""Birdsong's pages: everybody, one person's chirps, and signing in."""

from datetime import date
from pathlib import Path
from typing import Any

from django import forms
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import include, path
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from loyalty.demo.birdsong.people import BIRDS, PASSWORD

STYLE = (Path(__file__).parent / "birdsong.css").read_bytes()


class SignInForm(forms.Form):
    """Who one wants to be, and the password that the page shows."""

    handle = forms.ChoiceField(
        choices=[(bird.handle, f"{bird.name} @{bird.handle}") for bird in BIRDS],
        widget=forms.RadioSelect,
        error_messages={"required": "Choose who you are"},
    )
    password = forms.CharField(widget=forms.PasswordInput)
    user: Any = None

    def clean(self) -> dict[str, Any]:
        """Find the person."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        self.user = authenticate(username=cleaned.get("handle"), password=cleaned.get("password"))
        if self.user is None and not self.errors:
            self.add_error("password", f"That is not it. The password here is {PASSWORD}")
        return cleaned


@require_safe
def everybody(request: HttpRequest) -> HttpResponse:
    """Who is on Birdsong."""
    return render(request, "birdsong/everybody.html", {"birds": BIRDS})


@require_safe
def profile(request: HttpRequest, handle: str) -> HttpResponse:
    """What one person chirped."""
    bird = next((bird for bird in BIRDS if bird.handle == handle), None)
    if bird is None:
        raise Http404
    chirps = [(chirp.at(_anchor()), chirp) for chirp in bird.chirps]
    return render(request, "birdsong/profile.html", {"bird": bird, "chirps": chirps})


def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask who is there."""
    form = SignInForm(request.POST or None)
    back = request.POST.get("next") or request.GET.get("next") or ""
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = ""
    if request.method == "POST" and form.is_valid():
        login(request, form.user)
        return redirect(back or "/")
    context = {"form": form, "next": back, "password": PASSWORD}
    return render(request, "birdsong/sign_in.html", context)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Be nobody again."""
    logout(request)
    return redirect("/")


def style(_request: HttpRequest) -> HttpResponse:
    """The one style sheet."""
    return HttpResponse(STYLE, content_type="text/css")


def _anchor() -> date:
    """The day from which chirps are counted: when Birdsong's people were made."""
    made = User.objects.order_by("pk").values_list("date_joined", flat=True).first()
    return timezone.localdate(made)


urlpatterns = [
    path("", everybody, name="everybody"),
    path("birdsong.css", style, name="style"),
    path("@<slug:handle>", profile, name="profile"),
    path("sign-in", sign_in, name="account_login"),
    path("sign-in-again", sign_in, name="account_reauthenticate"),
    path("sign-out", sign_out, name="sign_out"),
    path("", include("allauth.idp.urls")),
]
