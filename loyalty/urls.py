"""Every address of the site."""

from allauth.account.decorators import reauthentication_required
from allauth.account.views import password_set
from django.urls import include, path
from django.views.generic import RedirectView

from loyalty.admin import site as staff
from loyalty.health import healthz
from loyalty.pages.security import ReauthenticateByCode, end_session, remove_password

handler403 = "loyalty.pages.errors.forbidden"
handler404 = "loyalty.pages.errors.not_found"
handler500 = "loyalty.pages.errors.broken"

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("", include("loyalty.pages.urls")),
    # People join a brand, on its page.
    path("accounts/signup/", RedirectView.as_view(pattern_name="brands")),
    path(
        "accounts/reauthenticate/code/",
        ReauthenticateByCode.as_view(),
        name="reauthenticate_by_code",
    ),
    path("accounts/sessions/end/", end_session, name="end_session"),
    path("accounts/password/remove/", remove_password, name="remove_password"),
    # Upstream lets whoever finds a browser open set one.
    path(
        "accounts/password/set/",
        reauthentication_required(app="allauth.account")(password_set),
        name="account_set_password",
    ),
    path("accounts/", include("allauth.urls")),
    # Staff come in by the same door as everybody else, with its limits and second factors.
    path("admin/", staff.urls),
]
