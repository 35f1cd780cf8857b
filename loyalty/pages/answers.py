"""The help page of a brand, which anyone may read."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from loyalty import access


@require_safe
def answers(request: HttpRequest, slug: str) -> HttpResponse:
    """How the score works in six answers, and what the words mean."""
    return render(
        request,
        "pages/help.html",
        {"brand": access.get_brand(slug), "customer": access.find_customer(request.user, slug)},
    )
