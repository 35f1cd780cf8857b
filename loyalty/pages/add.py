"""The ways to add to the score by hand."""

from datetime import datetime
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Brand, Customer
from loyalty.intake.check_ins import get_check_in_kind, offers_check_ins
from loyalty.intake.purchases import get_purchase_kind
from loyalty.intake.usage import get_usage_kind
from loyalty.pages.frame import customer_page, show
from loyalty.pages.rules import LiveRule, live_rules
from scoring.models import ActionKind
from scoring.publication import current_document


class Way(NamedTuple):
    """Something that customers report themselves: its page, its kind and the rules that will judge it."""

    name: str
    icon: str
    kind: ActionKind
    rules: list[LiveRule]


def ways_to_add(brand: Brand, *, now: datetime) -> list[Way]:
    """What customers of the brand can report themselves."""
    rules = live_rules(current_document(brand=brand), now=now)
    # Without a code on a poster there is nothing to type.
    check_in = get_check_in_kind(brand=brand) if offers_check_ins(brand=brand) else None
    return [
        Way(name, icon, kind, [rule for rule in rules if kind.slug in rule.stage.all_kinds()])
        for name, icon, kind in (
            ("check_in", "visit", check_in),
            ("purchase", "purchase", get_purchase_kind(brand=brand)),
            ("usage", "usage", get_usage_kind(brand=brand)),
        )
        if kind is not None
    ]


@require_safe
@customer_page
def add(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Check in, register a purchase or record use, each with the rules that will judge it."""
    ways = ways_to_add(customer.brand, now=timezone.now())
    return show(request, "pages/add.html", customer, here="add", ways=ways)
