"""What is shown where there is nothing to show: not found, not allowed, and broken."""

import secrets
import sys
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from accounts.models import Brand
from loyalty import access

log = structlog.get_logger(__name__)

# Without those that are mistaken for one another when read out over the telephone.
LETTERS = "ACDEFHJKLMNPRTUVWXY3479"


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """There is no such page, or it is somebody else's; a brand's own way on where the address names one."""
    return render(request, "404.html", _around(request), status=404)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Signed in, but not for this; with a reference under which the log has it."""
    reference = _reference()
    log.warning("forbidden", reference=reference, path=request.path)
    return render(request, "403.html", {"reference": reference, **_around(request)}, status=403)


def broken(request: HttpRequest) -> HttpResponse:
    """Our fault; asks nothing of the database, which may be what broke."""
    reference = _reference()
    log.error("broken", reference=reference, path=request.path, exc_info=sys.exc_info())
    again = request.get_full_path() if request.method == "GET" else ""
    return HttpResponse(
        render_to_string("500.html", {"reference": reference, "again": again}), status=500
    )


def _reference() -> str:
    text = "".join(secrets.choice(LETTERS) for _letter in range(8))
    return f"{text[:4]}-{text[4:]}"


def _around(request: HttpRequest) -> dict[str, Any]:
    slug = access.slug_in(request.path_info)
    if not slug:
        return {}
    customer = access.find_customer(request.user, slug)
    brand = customer.brand if customer else Brand.objects.filter(slug=slug).first()
    return {"brand": brand, "customer": customer}
