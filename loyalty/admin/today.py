"""Today: what waits for a person, brand by brand."""

from typing import Any, cast

from django.http import HttpRequest
from django.utils import timezone

from accounts.consent import audience
from accounts.models import Brand, Purpose, User
from loyalty import access
from loyalty.access import Task
from loyalty.admin.base import CappedPaginator
from loyalty.admin.claims import claims_of
from loyalty.admin.disputes import disputes_of
from scoring import publication, queries
from scoring.models import RuleSet

BRANDS = 30


def overview(request: HttpRequest) -> dict[str, Any]:
    """What the index shows: a card for each of the person's brands."""
    brands = access.workplaces(request.user)[: BRANDS + 1]
    return {
        "cards": [card(request, brand) for brand in brands[:BRANDS]],
        "more": len(brands) > BRANDS,
    }


def card(request: HttpRequest, brand: Brand) -> dict[str, Any]:
    """The figures of one brand, each None where the person may not see it."""

    def may(task: Task) -> bool:
        return access.staff_may(request.user, task, brand=brand)

    today = timezone.now().astimezone(brand.zone).date()
    current = publication.current_rule_set(brand=brand)
    draft = RuleSet.objects.filter(brand=brand, version=None).first()
    customers = access.customers_of(brand).order_by("pk")
    return {
        "brand": brand,
        "today": today,
        "may_see_customers": may(Task.SEE_CUSTOMERS),
        "may_decide": may(Task.DECIDE_CLAIMS),
        "may_edit": may(Task.EDIT_RULES),
        "may_set_up": may(Task.EDIT_SETUP),
        "may_choose": may(Task.EXPORT_CUSTOMERS),
        "may_see_rules": may(Task.SEE_RULES),
        "may_make_codes": may(Task.MAKE_LINK_CODES),
        "may_decide_disputes": may(Task.DECIDE_DISPUTES),
        "disputes": disputes_of(cast("User", request.user), brand)[:100].count()
        if may(Task.DECIDE_DISPUTES)
        else 0,
        "claims": claims_of(request.user).filter(brand=brand)[:100].count(),
        "customers": CappedPaginator(customers, 1).count,
        "joined": CappedPaginator(customers.filter(user__isnull=False), 1).count,
        "cap": CappedPaginator.CAP,
        "best": queries.best_customer(audience=audience(brand=brand, purpose=Purpose.SCORE))
        if may(Task.SEE_CUSTOMERS)
        else None,
        "current": current,
        "has_draft": draft is not None,
    }
