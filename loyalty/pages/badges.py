"""A customer's badges: earned ones, and how far the others are."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts.models import Customer
from loyalty.pages.frame import customer_page, show
from scoring.badges import badges_of


@require_safe
@customer_page
def badges(request: HttpRequest, customer: Customer) -> HttpResponse:
    """All badges of the brand with their criteria."""
    views = badges_of(customer=customer)
    return show(
        request,
        "pages/badges.html",
        customer,
        here="badges",
        earned=[view for view in views if view.level],
        to_come=[view for view in views if not view.level],
    )
