"""The pages before joining: all brands, one brand's landing, and its look."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Brand
from loyalty import access, theme
from loyalty.pages.add import ways_to_add
from loyalty.pages.rules import live_rules
from loyalty.pages.sample import find_sample
from scoring.publication import current_document

FIRST_RULES = 4
YEAR = 365 * 24 * 3600


@require_safe
def brands(request: HttpRequest) -> HttpResponse:
    """All brands of this installation; the user's own first."""
    mine = [customer.brand for customer in access.memberships(request.user)]
    others = Brand.objects.exclude(pk__in=[brand.pk for brand in mine]).order_by("name", "pk")
    return render(request, "pages/brands.html", {"mine": mine, "others": others, "brand": None})


@require_safe
def landing(request: HttpRequest, slug: str) -> HttpResponse:
    """What a brand promises, a sample score to play with, and how the first points are earned."""
    brand, now = access.get_brand(slug), timezone.now()
    ways = ways_to_add(brand, now=now)
    return render(
        request,
        "pages/landing.html",
        {
            "brand": brand,
            "customer": access.find_customer(request.user, slug),
            "sample": find_sample(request, brand, now=now),
            "ways": ways,
            # Where customers report nothing themselves, what systems report for them.
            "rules": []
            if ways
            else live_rules(current_document(brand=brand), now=now)[:FIRST_RULES],
        },
    )


@require_safe
def look(request: HttpRequest, slug: str, fingerprint: str) -> HttpResponse:
    """The brand's colours as a style sheet. Its address names its content, so it is kept for ever."""
    colour = access.get_brand(slug).colour
    response = HttpResponse(theme.stylesheet(colour), content_type="text/css; charset=utf-8")
    if fingerprint == theme.fingerprint(colour):
        response["Cache-Control"] = f"public, max-age={YEAR}, immutable"
    else:
        # A page from before the colour changed: right, but not for long.
        response["Cache-Control"] = "public, max-age=60"
    return response
