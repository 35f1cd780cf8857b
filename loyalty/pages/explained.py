"""How a score adds up on a day: the sum, its history, what ages out when, and the same as files."""

import csv
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any, NamedTuple

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe

from accounts.models import Customer
from loyalty.exports.formats.csv import FORMULA_STARTS
from loyalty.pages import ring
from loyalty.pages.frame import score_page, show
from loyalty.pages.history import draw_history
from scoring import queries
from scoring.explain import Explanation, explain
from scoring.worth import When, Worth

WEEKS = 26
DRAWN_AHEAD = (10, 20, 30)
AGES = (30, 60, 90)
LAST_DAY = timedelta(days=366)
FIRST_YEAR = 2000
COLUMNS = (
    *("source", "on", "occurred_at", "action", "origin", "number", "rule", "title"),
    *("earned", "points", "points_after_fading", "worth"),
)


class Day(NamedTuple):
    """The day as of which a page speaks: today, or one that the address names."""

    on: date
    today: date

    @property
    def is_today(self) -> bool:
        """Whether the page speaks of today."""
        return self.on == self.today

    @property
    def awarded_before(self) -> date | None:
        """For a day that is over, the awards until then; None sees all."""
        return self.on + timedelta(days=1) if self.on < self.today else None

    @property
    def query(self) -> str:
        """What carries the day on to another page's address; empty for today."""
        return "" if self.is_today else f"?on={self.on.isoformat()}"


def read_day(request: HttpRequest, customer: Customer) -> Day:
    """The day that ``?on=`` names, from long ago until in a year; today without one."""
    today = timezone.now().astimezone(customer.brand.zone).date()
    text = request.GET.get("on")
    if not text:
        return Day(today, today)
    try:
        on = parse_date(text)
    except ValueError:
        on = None
    if on is None or on.year < FIRST_YEAR or on > today + LAST_DAY:
        raise Http404
    return Day(on, today)


def explain_day(customer: Customer, day: Day, *, action_id: int | None = None) -> Explanation:
    """The receipt of the score on that day; with ``action_id``, only the lines of that action."""
    return explain(
        customer=customer,
        on=day.on,
        awarded_before=day.awarded_before,
        action_id=action_id,
    )


@require_safe
@score_page
def explained(request: HttpRequest, customer: Customer) -> HttpResponse:
    """The sum source by source to the total, the score's history, and what ages out when."""
    day = read_day(request, customer)
    explanation = explain_day(customer, day)
    return show(
        request,
        "pages/explained.html",
        customer,
        here="score",
        day=day,
        explanation=explanation,
        sources=sorted(
            (part for part in explanation.sources if part.weight or part.points),
            key=lambda part: ring.place_of(part.source),
        ),
        **(_over_time(customer, day.today) if day.is_today else {}),
    )


def _over_time(customer: Customer, today: date) -> dict[str, Any]:
    """The history with its drawing, and the table of what ages out; one query."""
    past_days = [today - timedelta(weeks=week) for week in range(WEEKS, 0, -1)]
    coming = [today + timedelta(days=days) for days in sorted({*DRAWN_AHEAD, *AGES})]
    *worths, now = queries.worths(
        customer=customer,
        days=[
            *(When(day, awarded_before=day + timedelta(days=1)) for day in past_days),
            *map(When, (*coming, today)),
        ],
    )
    past = [*zip(past_days, worths, strict=False), (today, now)]
    later = dict(zip(coming, worths[len(past_days) :], strict=True))
    ahead = [(day, later[day]) for day in coming if (day - today).days in DRAWN_AHEAD]
    ageing = [(day, later[day]) for day in coming if (day - today).days in AGES]
    if not any(worth.score for _day, worth in past):
        return {}
    return {
        "past": past,
        "ahead": ahead,
        "drawing": draw_history(
            [(day, worth.score) for day, worth in past],
            [(day, worth.score) for day, worth in ahead],
        ),
        "ageing": [(today, now), *ageing],
        "ageing_rows": ageing_rows(now, [worth for _day, worth in ageing]),
        "fades": now.score != ageing[-1][1].score,
    }


def ageing_rows(now: Worth, later: list[Worth]) -> list[tuple[int, list[Decimal]]]:
    """Each source that is worth something, with its worth now and on each later day."""
    return [
        (part.source, [part.worth, *(worth.parts[place].worth for worth in later)])
        for place, part in sorted(
            enumerate(now.parts), key=lambda entry: ring.place_of(entry[1].source)
        )
        if part.worth
    ]


@require_safe
@score_page
def explained_json(request: HttpRequest, customer: Customer) -> HttpResponse:
    """The same sum as a file to keep."""
    day = read_day(request, customer)
    response = JsonResponse(explain_day(customer, day).to_json(), json_dumps_params={"indent": 2})
    return _as_file(response, customer, day, "json")


@require_safe
@score_page
def explained_csv(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Every award behind the score, one a line; the column ``worth`` sums to the score."""
    day = read_day(request, customer)
    file = StringIO()
    table = csv.writer(file)
    table.writerow(COLUMNS)
    for line in explain_day(customer, day).lines:
        table.writerow(
            (
                line.source.slug,
                line.local_date.isoformat(),
                line.occurred_at.isoformat(),
                _text_cell(line.kind_label),
                _text_cell(line.origin),
                _text_cell(line.external_id),
                _text_cell(line.rule_key),
                _text_cell(line.title),
                line.earned,
                line.points,
                line.faded,
                f"{line.worth:.3f}",
            )
        )
    response = HttpResponse(file.getvalue(), content_type="text/csv; charset=utf-8")
    return _as_file(response, customer, day, "csv")


def _text_cell(text: str) -> str:
    # Spreadsheet programs would take such a text for a formula.
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _as_file(response: HttpResponse, customer: Customer, day: Day, ending: str) -> HttpResponse:
    name = f"{customer.brand.slug}-score-{day.on.isoformat()}.{ending}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
