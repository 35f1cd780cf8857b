"""What pages that cannot hold a stream ask for instead, and where a server has no streams at all."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from accounts.models import Customer
from loyalty.live import issue_ticket
from loyalty.pages.frame import customer_page, revision_of


@require_safe
@customer_page
def state(_request: HttpRequest, customer: Customer) -> HttpResponse:
    """The revision of the customer's score, and a new ticket for a stream."""
    return JsonResponse(
        {"revision": revision_of(customer), "ticket": issue_ticket(customer=customer)}
    )


@require_safe
def no_streams(_request: HttpRequest) -> HttpResponse:
    """Where streams are when Django runs by itself, such as under ``runserver``: nothing, so pages ask."""
    return HttpResponse(status=204)
