"""What a customer's awards are worth on a day: today, last week, or in a month.

One statement values the daily points with the shape of the current rule set; it is the formula that
scoring writes with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from psycopg import sql

from .documents import SourceShape
from .models import RuleSet, Source
from .shape import FADED, SUB_SCORE, shape_values, stored_shape
from .statements import execute

THOUSANDTH = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Part:
    """One source's part of a score: its points, what is left of them, and what that is worth (0 to weight x 10)."""

    source: Source
    shape: SourceShape
    points: int
    faded: float
    sub_score: float
    worth: Decimal


@dataclass(frozen=True, slots=True)
class Worth:
    """A score on a day with its six parts, whose worths sum to it exactly."""

    score: Decimal
    points: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class When:
    """A day to value on, and the day before which an award must lie to be seen; None sees all."""

    on: date
    awarded_before: date | None = None


@lru_cache(maxsize=64)
def _statement(rule_set_id: int) -> tuple[dict[Source, SourceShape], str]:
    sources = stored_shape(RuleSet.objects.only("sources").get(pk=rule_set_id).sources)
    # Grain: one day asked for and one source. Index: daily points by customer.
    statement = sql.SQL("""
WITH asked AS (
    SELECT * FROM unnest(%(days)s::date[], %(before)s::date[]) WITH ORDINALITY AS asked (on_day, before, place)
),
shape AS (
    SELECT asked.place, shape.source, shape.halfway, coalesce(sum(daily.points), 0)::bigint AS points,
        coalesce(sum({faded}), 0)::float8 AS faded
    FROM asked CROSS JOIN {shape}
    LEFT JOIN scoring_dailypoints AS daily ON daily.customer_id = %(customer)s AND daily.source = shape.source
        AND daily.local_date < asked.before
    GROUP BY asked.place, shape.source, shape.halfway
)
SELECT place, source, points, faded, {sub_score} FROM shape ORDER BY place, source
""").format(
        faded=FADED.format(
            points=sql.SQL("daily.points"),
            on=sql.SQL("asked.on_day"),
            date=sql.SQL("daily.local_date"),
        ),
        shape=shape_values(sources),
        sub_score=SUB_SCORE.format(faded=sql.SQL("shape.faded")),
    )
    return sources, statement.as_string(None)


def worth_on(*, customer_id: int, rule_set_id: int | None, days: Sequence[When]) -> list[Worth]:
    """What the customer's awards are worth on each of these days under a version; without one, nothing. One query."""
    if rule_set_id is None:
        return [Worth(Decimal(0), 0, ()) for _day in days]
    sources, statement = _statement(rule_set_id)
    rows = execute(
        statement,
        {
            "customer": customer_id,
            "days": [day.on for day in days],
            "before": [day.awarded_before or date.max for day in days],
        },
    )
    return [
        add_up(sources, [row[1:] for row in rows if row[0] == place])
        for place in range(1, len(days) + 1)
    ]


def add_up(sources: Mapping[Source, SourceShape], rows: Sequence[tuple[Any, ...]]) -> Worth:
    """The score that six rows (source, points, faded, sub-score) make, in the order of ``Source``."""
    raw = [sources[Source(row[0])].weight * row[3] for row in rows]
    # As the database does it: a double has 15 digits that can be trusted.
    score = Decimal(f"{sum(raw) / 10:.15g}").quantize(THOUSANDTH, ROUND_HALF_UP)
    worths = share_out(score, raw)
    return Worth(
        score,
        sum(row[1] for row in rows),
        tuple(
            Part(Source(row[0]), sources[Source(row[0])], row[1], row[2], row[3], worth)
            for row, worth in zip(rows, worths, strict=True)
        ),
    )


def share_out(total: Decimal, weights: Sequence[float]) -> list[Decimal]:
    """Divide a number of thousandths by weight, so that the shares sum to it exactly.

    Largest remainders: what rounding down leaves goes to those who lost most by it.
    """
    units = int(total / THOUSANDTH)
    whole = sum(weights)
    if whole <= 0:
        return [Decimal(0)] * len(weights)
    exact = [units * weight / whole for weight in weights]
    shares = [int(share) for share in exact]
    by_remainder = sorted(range(len(weights)), key=lambda place: shares[place] - exact[place])
    for place in by_remainder[: units - sum(shares)]:
        shares[place] += 1
    return [share * THOUSANDTH for share in shares]
