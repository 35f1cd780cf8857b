"""The ways to add to the score by hand."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Customer
from loyalty import access
from loyalty.pages.frame import customer_page, show
from loyalty.pages.rules import live_rules
from scoring.models import Source
from scoring.publication import current_document


@require_safe
@customer_page
def add(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Check in or register a purchase, each with the rules that will judge it."""
    document = current_document(brand=customer.brand)
    rules = live_rules(document, now=timezone.now())
    ways = [
        (name, icon, [rule for rule in rules if kind.slug in rule.stage.all_kinds()])
        for name, icon, source in (
            ("check_in", "visit", Source.PHYSICAL_VISITS),
            ("purchase", "purchase", Source.PURCHASES),
        )
        if (kind := access.find_kind(customer.brand, source))
    ]
    return show(request, "pages/add.html", customer, here="add", ways=ways)
