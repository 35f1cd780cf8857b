"""The ways to add to the score by hand."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Customer
from loyalty.intake.check_ins import get_check_in_kind
from loyalty.intake.purchases import get_purchase_kind
from loyalty.pages.frame import customer_page, show
from loyalty.pages.rules import live_rules
from scoring.publication import current_document


@require_safe
@customer_page
def add(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Check in or register a purchase, each with the rules that will judge it."""
    document = current_document(brand=customer.brand)
    rules = live_rules(document, now=timezone.now())
    ways = [
        (name, icon, [rule for rule in rules if kind.slug in rule.stage.all_kinds()])
        for name, icon, kind in (
            ("check_in", "visit", get_check_in_kind(brand=customer.brand)),
            ("purchase", "purchase", get_purchase_kind(brand=customer.brand)),
        )
        if kind is not None
    ]
    return show(request, "pages/add.html", customer, here="add", ways=ways)
