"""One of the six sources: what drives it, how it is measured, the awards that make its worth, and its switch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.choices import is_off, switch_source
from accounts.models import Customer
from loyalty.pages.explained import explain_day, read_day
from loyalty.pages.frame import score_page, show
from loyalty.pages.rules import live_rules, sources_of
from loyalty.pages.score import NextTicket, tickets_of
from scoring import queries
from scoring.explain import Line
from scoring.foresee import look_ahead
from scoring.models import Source
from scoring.publication import current_document
from scoring.worth import When

PAGE = 12
AHEAD = timedelta(days=30)
LONGEST_ADDRESS = 6
MOST = 1000


@dataclass(frozen=True, slots=True)
class ActionSum:
    """What one action put into a source: its points there, and their worth."""

    action_id: int
    label: str
    titles: tuple[str, ...]
    local_date: date
    occurred_at: datetime
    points: int
    worth: Decimal


class Others(NamedTuple):
    """The actions that a page does not list one by one, together."""

    number: int
    points: int
    worth: Decimal


class Part(NamedTuple):
    """A page of actions one by one, and those that it does not list together; both sum to ``whole``.

    The first page's whole is all, the next one's what the first did not list, and so on: what is tapped is what opens.
    """

    number: int
    actions: Sequence[ActionSum]
    smaller: Others | None
    whole: Others


def sums_of(lines: Sequence[Line]) -> list[ActionSum]:
    """The lines of a source by action, those worth most first."""
    by_action: dict[int, list[Line]] = {}
    for line in lines:
        if line.points:
            by_action.setdefault(line.action_id, []).append(line)
    sums = [
        ActionSum(
            action_id,
            awards[0].kind_label,
            tuple(dict.fromkeys(award.title for award in awards)),
            awards[0].local_date,
            awards[0].occurred_at,
            sum(award.points for award in awards),
            sum((award.worth for award in awards), Decimal(0)),
        )
        for action_id, awards in by_action.items()
    ]
    return sorted(sums, key=lambda one: (one.worth, one.occurred_at), reverse=True)


def part_of(sums: Sequence[ActionSum], number: int) -> Part:
    """The page of that number, counted from 1."""
    start = (number - 1) * PAGE
    rest = sums[start + PAGE :]
    return Part(
        number,
        sums[start : start + PAGE],
        _together(rest) if rest else None,
        _together(sums[start:]),
    )


def _together(sums: Sequence[ActionSum]) -> Others:
    return Others(
        len(sums),
        sum(one.points for one in sums),
        sum((one.worth for one in sums), Decimal(0)),
    )


def _read_number(text: str) -> int:
    number = int(text) if text.isdecimal() and len(text) < LONGEST_ADDRESS else 0
    if not 1 <= number <= MOST:
        raise Http404
    return number


@require_http_methods(["GET", "HEAD", "POST"])
@score_page
def source(request: HttpRequest, customer: Customer, source_slug: str) -> HttpResponse:
    """What one source is worth and why; ``?page=`` goes on with its lines. Or switch it off, or on again."""
    try:
        wanted = Source.from_slug(source_slug)
    except KeyError:
        raise Http404 from None
    if request.method == "POST":
        if request.POST.get("on") in {"yes", "no"}:
            on = request.POST["on"] == "yes"
            switch_source(customer=customer, source=wanted, on=on, now=timezone.now())
        return redirect(f"{request.path}#share")
    day = read_day(request, customer)
    explanation = explain_day(customer, day)
    receipt = next((part for part in explanation.sources if part.source == wanted), None)
    if receipt is None:
        raise Http404
    lines = part_of(sums_of(receipt.lines), _read_number(request.GET.get("page", "1")))
    if not lines.actions and lines.number > 1:
        raise Http404
    is_whole = day.is_today and lines.number == 1
    later_on = day.today + AHEAD
    later = _worth_later(customer, wanted, later_on) if day.is_today else None
    return show(
        request,
        "pages/source.html",
        customer,
        here="score",
        day=day,
        receipt=receipt,
        is_off=is_off(customer=customer, source=wanted),
        most=receipt.weight * 10,
        factor=Decimal(receipt.weight) / 10,
        lines=lines,
        next_actions=_next_actions(customer, wanted) if is_whole else [],
        rules=[
            rule.stage
            for rule in live_rules(current_document(brand=customer.brand), now=timezone.now())
            if wanted in sources_of(rule.stage)
        ],
        later_on=later_on,
        later=later,
        ages=receipt.worth - later if later is not None else None,
        # The way from points to the sub-score, as numbers that a reader can follow.
        sub_score=Decimal(f"{receipt.sub_score:.3f}"),
        faded=Decimal(repr(receipt.faded)),
    )


def _next_actions(customer: Customer, source: Source) -> list[NextTicket]:
    """What the customer could do for a source now, most gain first."""
    ahead = look_ahead(customer=customer, now=timezone.now())
    actions = [action for action in ahead.actions if action.step.source == source]
    return tickets_of(actions, brand=customer.brand, is_on_source=True)


def _worth_later(customer: Customer, wanted: Source, later_on: date) -> Decimal:
    [worth] = queries.worths(customer=customer, days=[When(later_on)])
    return next((part.worth for part in worth.parts if part.source == wanted), Decimal(0))
