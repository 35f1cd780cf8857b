"""The pages before joining: all brands, one brand's landing, and its look."""

from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Brand
from loyalty import access, theme
from loyalty.pages.rules import live_rules
from scoring.models import Source
from scoring.publication import current_document

FIRST_RULES = 4
YEAR = 365 * 24 * 3600


class Share(NamedTuple):
    """A source as the landing shows it: all of its weight, filled."""

    source: Source
    weight: int
    sub_score: float = 100.0


@require_safe
def brands(request: HttpRequest) -> HttpResponse:
    """All brands of this installation; the user's own first."""
    mine = [customer.brand for customer in access.memberships(request.user)]
    others = Brand.objects.exclude(pk__in=[brand.pk for brand in mine]).order_by("name", "pk")
    return render(request, "pages/brands.html", {"mine": mine, "others": others, "brand": None})


@require_safe
def landing(request: HttpRequest, slug: str) -> HttpResponse:
    """What a brand promises, what the score is made of, and how the first points are earned."""
    brand = access.get_brand(slug)
    document = current_document(brand=brand)
    shapes = document.sources if document else {}
    shares = [
        Share(source, shapes[source].weight)
        for source in map(Source.from_slug, theme.SOURCE_SLUGS)
        if source in shapes and shapes[source].weight
    ]
    return render(
        request,
        "pages/landing.html",
        {
            "brand": brand,
            "customer": access.find_customer(request.user, slug),
            "shares": shares,
            "rules": live_rules(document, now=timezone.now())[:FIRST_RULES],
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
