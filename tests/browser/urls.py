"""Every address of the site, and some at which things go wrong."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.csrf import csrf_failure

from loyalty.urls import handler403, handler404, handler500
from loyalty.urls import urlpatterns as site

__all__ = ["handler403", "handler404", "handler500", "urlpatterns"]


def wrong(request: HttpRequest, slug: str, what: str) -> HttpResponse:
    """Go wrong in the way that is asked for."""
    if what == "forbidden":
        raise PermissionDenied
    if what == "forged":
        return csrf_failure(request)
    if what == "often":
        return render(request, "429.html", status=429)
    raise RuntimeError(what)


urlpatterns = [*site, path("b/<slug:slug>/goes-wrong/<slug:what>", wrong)]
