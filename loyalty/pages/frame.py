"""What every customer page does before and after its own part."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.functional import SimpleLazyObject

from accounts.models import Brand, Customer
from loyalty import access
from loyalty.pages.kept import record_kept

Parameters = ParamSpec("Parameters")

# The brand that somebody is about to join, while they fetch the code from their mail.
JOINING = "joining"


def customer_page(
    view: Callable[Concatenate[HttpRequest, Customer, Parameters], HttpResponseBase],
) -> Callable[..., HttpResponseBase]:
    """Give the view the user's customer with the brand in the address.

    Whoever has not joined that brand is sent to its join page, and comes back afterwards. An
    unknown brand is a 404. The page is kept out of shared caches.
    """

    @wraps(view)
    def page(
        request: HttpRequest, slug: str, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> HttpResponseBase:
        customer = access.find_customer(request.user, slug)
        if customer is None:
            access.get_brand(slug)
            back = request.get_full_path() if request.method == "GET" else ""
            query = f"?{urlencode({'next': back})}" if back else ""
            return redirect(reverse("join", args=[slug]) + query)
        # Whichever way they came in: by joining, or by signing in on a page of their own.
        record_kept(request, customer=customer, now=timezone.now())
        response = view(request, customer, *args, **kwargs)
        patch_cache_control(response, private=True, no_cache=True)
        return response

    return page


def score_page(
    view: Callable[Concatenate[HttpRequest, Customer, Parameters], HttpResponse],
) -> Callable[..., HttpResponseBase]:
    """A customer page about the score: while it is paused, every such page says so instead."""

    @customer_page
    @wraps(view)
    def page(
        request: HttpRequest,
        customer: Customer,
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> HttpResponse:
        if customer.paused_at is not None:
            return show(request, "pages/paused.html", customer, here="score")
        return view(request, customer, *args, **kwargs)

    return page


def show(
    request: HttpRequest,
    template: str,
    customer: Customer,
    *,
    here: str = "",
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """Render a customer's page; ``here`` marks its place in the navigation."""
    context |= {"customer": customer, "brand": customer.brand, "here": here}
    return render(request, template, context, status=status)


def revision_of(customer: Customer) -> int:
    """How often the customer's score was written, as of when the customer was loaded; 0 before the first."""
    return customer.score.revision if hasattr(customer, "score") else 0


def brand_at_the_door(request: HttpRequest) -> dict[str, Any]:
    """Context processor: sign-in pages wear the look of the brand that is being joined."""

    def find() -> Brand | None:
        slug = request.session.get(JOINING) if hasattr(request, "session") else None
        return Brand.objects.filter(slug=slug).first() if slug else None

    return {"brand": SimpleLazyObject(find)}
