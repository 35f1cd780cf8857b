"""What an action that was just recorded gave, on one screen."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Customer
from loyalty import access
from loyalty.intake.purchases import usual_wait
from loyalty.pages.frame import customer_page, show
from loyalty.pages.score import DOORS
from scoring import queries
from scoring.explain import explain
from scoring.foresee import look_ahead


@require_safe
@customer_page
def result(request: HttpRequest, customer: Customer, action_id: int) -> HttpResponse:
    """The points, the new score and one next thing; says "being counted" until that is known."""
    now = timezone.now()
    action = access.get_action(customer, action_id)
    today = now.astimezone(customer.brand.zone).date()
    view = queries.get_score(customer=customer, on=today)
    line = queries.get_activity(customer=customer, action_id=action.pk)
    lines = [] if view.is_due else explain(customer=customer, on=today, action_id=action.pk).lines
    next_action = None
    if not view.is_due:
        best = [one for one in look_ahead(customer=customer, now=now).best() if one.points]
        others = [one for one in best if one.step.kind != action.kind.slug]
        next_action = next(iter([*others, *best]), None)
    return show(
        request,
        "pages/result.html",
        customer,
        here="add",
        action=action,
        line=line,
        lines=lines,
        points=sum(line.points for line in lines),
        score=view,
        next=next_action,
        next_page=DOORS.get(next_action.step.kind) if next_action else None,
        wait=usual_wait(brand=customer.brand) if line and line.state == "pending" else "",
    )
