"""What a customer did, and the receipt of each action."""

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.views.decorators.http import require_safe

from accounts.models import Customer, Identifier
from loyalty import access
from loyalty.pages.explained import explain_day, read_day
from loyalty.pages.frame import customer_page, show
from loyalty.theme import SOURCE_SLUGS
from scoring import queries
from scoring.explain import Explanation, Line, explain
from scoring.models import Source
from scoring.queries import ActivityLine

PAGE = 40
# As many as are added up on one page.
MOST = 1000
# No action has a number of more digits.
LONGEST_NUMBER = 18
STATES = ("counted", "pending", "no_points", "reversed", "rejected")


class Filter(NamedTuple):
    """What of the activity is asked for: one source, one state, from which day until which, under which identifier."""

    source: Source | None
    state: str
    since: date | None
    until: date | None
    under: Identifier | None

    @property
    def is_on(self) -> bool:
        """Whether anything is left out."""
        return any(self)


def _read_filter(request: HttpRequest, customer: Customer) -> Filter:
    """The filter in the address; what makes no sense there is not asked for."""
    source, state = request.GET.get("source", ""), request.GET.get("state", "")
    return Filter(
        Source.from_slug(source) if source in SOURCE_SLUGS else None,
        state if state in STATES else "",
        _read_date(request.GET.get("since", "")),
        _read_date(request.GET.get("until", "")),
        access.find_identifier(customer, request.GET.get("under", "")),
    )


def _read_date(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


@require_safe
@customer_page
def activity(request: HttpRequest, customer: Customer) -> HttpResponse:
    """The actions by day, newest first, forty to a page; filtered as the address says.

    With a first day or an identifier in the filter everything is added up below.
    """
    wanted = _read_filter(request, customer)
    adds_up = wanted.since is not None or wanted.under is not None
    before = _read_place(request.GET.get("before", ""))
    lines = queries.activity(
        customer=customer,
        before=before,
        limit=(MOST if adds_up else PAGE) + 1,
        source=wanted.source,
        states=(wanted.state,) if wanted.state else None,
        since=wanted.since,
        until=wanted.until,
        under=wanted.under.pk if wanted.under else None,
    )
    is_summed = adds_up and before is None and len(lines) <= MOST
    shown = lines if is_summed else lines[:PAGE]
    older = shown[-1] if len(lines) > len(shown) else None
    now = timezone.now()
    return show(
        request,
        "pages/activity.html",
        customer,
        here="activity",
        wanted=wanted,
        sources=[Source.from_slug(slug) for slug in SOURCE_SLUGS],
        states=STATES,
        days=[(day, list(of_day)) for day, of_day in groupby(shown, lambda line: line.local_date)],
        capped=_capped(customer, shown, on=now.astimezone(customer.brand.zone).date()),
        is_summed=is_summed,
        points=sum(line.points for line in shown),
        older=f"{older.occurred_at.isoformat()}_{older.action_id}" if older else "",
        is_first=before is None,
        year=now.astimezone(customer.brand.zone).year,
    )


def _capped(customer: Customer, lines: Sequence[ActivityLine], *, on: date) -> set[int]:
    """The actions among these that a rule looked at, and that got nothing because of its limits."""
    empty = {line.action_id for line in lines if line.state == "no_points"}
    if not empty:
        return set()
    limited = {line.action_id for line in explain(customer=customer, on=on).lines if line.taken}
    return empty & limited


def _read_place(text: str) -> tuple[datetime, int] | None:
    if not text:
        return None
    moment, _separator, number = text.rpartition("_")
    try:
        occurred_at = parse_datetime(moment)
    except ValueError:
        occurred_at = None
    if occurred_at is None or timezone.is_naive(occurred_at):
        raise Http404
    if not number.isdecimal() or len(number) > LONGEST_NUMBER:
        raise Http404
    return occurred_at, int(number)


class Award(NamedTuple):
    """A line of a receipt and when its points will have faded by half, and below one; None where they will not."""

    line: Line
    halves_on: date | None
    ends_on: date | None
    has_faded: bool


class SourceSum(NamedTuple):
    """What an action gave one source."""

    source: Source
    points: int
    worth: Decimal


def awards_of(explanation: Explanation) -> list[Award]:
    """The lines with what becomes of them. Those that gave points come first; the others say why not below."""
    awards = []
    for part in explanation.sources:
        half_life = part.half_life_days
        for line in part.lines:
            halves_on = ends_on = None
            if half_life and line.faded >= 1:
                halves_on = explanation.on + timedelta(days=math.ceil(half_life))
                ends_on = explanation.on + timedelta(
                    days=math.floor(float(half_life) * math.log2(line.faded)) + 1
                )
            awards.append(Award(line, halves_on, ends_on, bool(half_life) and line.faded < 1))
    return sorted(awards, key=lambda award: not award.line.points)


@require_safe
@customer_page
def receipt(request: HttpRequest, customer: Customer, action_id: int) -> HttpResponse:
    """One action: what, when, where, which rules, why this many, until when, worth today."""
    action = access.get_action(customer, action_id)
    day = read_day(request, customer)
    explanation = explain_day(customer, day, action_id=action.pk)
    sums = [
        SourceSum(
            part.source,
            sum(line.points for line in part.lines),
            sum((line.worth for line in part.lines), Decimal(0)),
        )
        for part in explanation.sources
        if part.lines
    ]
    return show(
        request,
        "pages/receipt.html",
        customer,
        here="activity",
        day=day,
        action=action,
        line=queries.get_activity(customer=customer, action_id=action.pk),
        awards=awards_of(explanation),
        sums=[one for one in sums if one.points],
        points=sum(one.points for one in sums),
        worth=sum((one.worth for one in sums), Decimal(0)),
        version=explanation.version,
        left_out=explanation.left_out,
        score=queries.get_score(customer=customer, on=day.today),
    )
