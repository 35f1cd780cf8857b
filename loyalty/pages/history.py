"""The score over time as a line: past weeks, and how it fades if nothing happens.

Only geometry, in a box of 360 by 176; the numbers come from the engine, the colours from the style sheet.
"""

import math
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

WIDTH, HEIGHT = 360, 176
LEFT, RIGHT, TOP, BOTTOM = 4, 324, 18, 148
# A scale whose upper end is one of these is read at a glance.
ENDS = (100, 200, 300, 400, 500, 600, 700, 800, 1000)


class Mark(NamedTuple):
    """A place on an axis, and what is written there."""

    at: float
    label: str


class MonthMark(NamedTuple):
    """Where a month begins."""

    at: float
    month: date


class Drawing(NamedTuple):
    """The paths of one history. ``here`` is where today's score stands."""

    line: str
    area: str
    ahead: str
    here: tuple[float, float]
    heights: tuple[Mark, ...]
    months: tuple[MonthMark, ...]


def draw_history(
    past: Sequence[tuple[date, Decimal]], ahead: Sequence[tuple[date, Decimal]]
) -> Drawing:
    """The drawing of past days, the last of them today, and of days to come; both in order."""
    days = [*past, *ahead]
    first, last = days[0][0], days[-1][0]
    span = max(1, (last - first).days)
    highest = max(score for _day, score in days)
    end = next((end for end in ENDS if highest <= end), ENDS[-1])

    def across(day: date) -> float:
        return LEFT + (RIGHT - LEFT) * (day - first).days / span

    def down(score: Decimal) -> float:
        return BOTTOM - (BOTTOM - TOP) * float(score) / end

    def path(points: Sequence[tuple[date, Decimal]]) -> str:
        return "M" + "L".join(f"{across(day):.1f} {down(score):.1f}" for day, score in points)

    today, score = past[-1]
    line = path(past)
    months = [
        date(first.year + (first.month + number - 1) // 12, (first.month + number - 1) % 12 + 1, 1)
        for number in range(1, math.ceil(span / 28) + 1)
    ]
    return Drawing(
        line=line,
        area=f"{line}L{across(today):.1f} {BOTTOM}L{LEFT} {BOTTOM}Z",
        ahead=path([past[-1], *ahead]),
        here=(round(across(today), 1), round(down(score), 1)),
        heights=tuple(
            Mark(round(down(Decimal(height)), 1), str(height)) for height in (0, end // 2, end)
        ),
        months=tuple(
            MonthMark(round(across(month), 1), month) for month in months if month <= last
        ),
    )
