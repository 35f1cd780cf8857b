"""What a customer did, and the receipt of each action."""

from datetime import datetime
from decimal import Decimal
from itertools import groupby

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_safe

from accounts.models import Customer
from loyalty import access
from loyalty.pages.frame import customer_page, show
from scoring import queries
from scoring.explain import explain

PAGE = 40


@require_safe
@customer_page
def activity(request: HttpRequest, customer: Customer) -> HttpResponse:
    """The actions by day, newest first, forty to a page."""
    before = _read_place(request.GET.get("before", ""))
    lines = queries.activity(customer=customer, before=before, limit=PAGE + 1)
    older = lines[PAGE - 1] if len(lines) > PAGE else None
    days = [
        (day, list(of_day)) for day, of_day in groupby(lines[:PAGE], lambda line: line.local_date)
    ]
    return show(
        request,
        "pages/activity.html",
        customer,
        here="activity",
        days=days,
        older=f"{older.occurred_at.isoformat()}_{older.action_id}" if older else "",
        is_first=before is None,
        year=timezone.now().astimezone(customer.brand.zone).year,
    )


def _read_place(text: str) -> tuple[datetime, int] | None:
    if not text:
        return None
    moment, _separator, number = text.rpartition("_")
    try:
        occurred_at = parse_datetime(moment)
    except ValueError:
        occurred_at = None
    if occurred_at is None or timezone.is_naive(occurred_at) or not number.isdecimal():
        raise Http404
    return occurred_at, int(number)


@require_safe
@customer_page
def receipt(request: HttpRequest, customer: Customer, action_id: int) -> HttpResponse:
    """One action: what, when, where, which rules, why this many, worth today."""
    action = access.get_action(customer, action_id)
    today = timezone.now().astimezone(customer.brand.zone).date()
    explanation = explain(customer=customer, on=today, action_id=action.pk)
    return show(
        request,
        "pages/receipt.html",
        customer,
        here="activity",
        action=action,
        line=queries.get_activity(customer=customer, action_id=action.pk),
        # What gave points comes first; what did not says why below it.
        lines=sorted(explanation.lines, key=lambda line: not line.points),
        points=sum(line.points for line in explanation.lines),
        worth=sum((line.worth for line in explanation.lines), Decimal(0)),
        score=queries.get_score(customer=customer, on=today),
    )


@require_safe
@customer_page
def result(request: HttpRequest, customer: Customer, action_id: int) -> HttpResponse:
    """What an action that was just recorded gave; says "being counted" until that is known."""
    action = access.get_action(customer, action_id)
    today = timezone.now().astimezone(customer.brand.zone).date()
    view = queries.get_score(customer=customer, on=today)
    lines = [] if view.is_due else explain(customer=customer, on=today, action_id=action.pk).lines
    return show(
        request,
        "pages/result.html",
        customer,
        here="add",
        action=action,
        line=queries.get_activity(customer=customer, action_id=action.pk),
        lines=lines,
        points=sum(line.points for line in lines),
        score=view,
    )
