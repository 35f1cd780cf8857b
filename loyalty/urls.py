"""Every address of the site."""

from django.urls import include, path

from loyalty.admin import site as staff
from loyalty.health import healthz

handler403 = "loyalty.pages.errors.forbidden"
handler404 = "loyalty.pages.errors.not_found"
handler500 = "loyalty.pages.errors.broken"

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("", include("loyalty.pages.urls")),
    path("accounts/", include("allauth.urls")),
    # Staff come in by the same door as everybody else, with its limits and second factors.
    path("admin/", staff.urls),
]
