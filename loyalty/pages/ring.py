"""The score ring: six arcs, each as long as its source's weight, filled as far as its sub-score.

Only geometry: the numbers come from the engine, the colours from the style sheet.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from loyalty.theme import SOURCE_SLUGS
from scoring.models import Source

SIZE = 300
CENTRE = SIZE / 2
RADIUS = 128
HALF_WIDTH = 8
GHOST_RADIUS = RADIUS + 16
GAP = 5.0
# Every segment of the ring is worth the same: this share of the score, in percent.
SEGMENT = 2


class Part(Protocol):
    """What the ring needs to know of a source."""

    @property
    def source(self) -> int: ...
    @property
    def weight(self) -> int: ...
    @property
    def sub_score(self) -> float: ...


class Arc(NamedTuple):
    """One source on the ring: paths in a box of 300 by 300; ``fill``, ``pending`` and ``ghost`` may be empty."""

    slug: str
    track: str
    ticks: str
    fill: str
    pending: str
    ghost: str


def place_of(source: int) -> int:
    """Where a source stands on the ring, counted from the top."""
    return SOURCE_SLUGS.index(Source(source).slug)


def _point(radius: float, degrees: float) -> str:
    angle = math.radians(degrees - 90)
    x, y = CENTRE + radius * math.cos(angle), CENTRE + radius * math.sin(angle)
    return f"{x:.2f} {y:.2f}"


def _arc(radius: float, start: float, end: float) -> str:
    # A whole circle has no direction: stop just short of it.
    end = min(end, start + 359.9)
    large = int(end - start > 180)
    return f"M{_point(radius, start)}A{radius} {radius} 0 {large} 1 {_point(radius, end)}"


def draw_ring(
    sources: Sequence[Part],
    *,
    later: Sequence[float] | None = None,
    accepted: Sequence[float] | None = None,
) -> list[Arc]:
    """The arcs of these sources, clockwise from the top; a source without weight has none.

    ``later`` gives what each sub-score will be if nothing happens; what it loses is the ghost. ``accepted`` gives what
    it would be if all that waits for review were accepted; what it would gain is pending.
    """
    shown = [
        (
            source,
            later[place] if later else source.sub_score,
            accepted[place] if accepted else source.sub_score,
        )
        for place, source in enumerate(sources)
        if source.weight > 0
    ]
    gap = GAP if len(shown) > 1 else 0.0
    arcs, at = [], gap / 2
    for source, then, hoped in shown:
        span = 360 * source.weight / 100 - gap
        segments = max(1, source.weight // SEGMENT)
        now = max(0.0, min(100.0, source.sub_score))
        arcs.append(
            Arc(
                slug=Source(source.source).slug,
                track=_arc(RADIUS, at, at + span),
                ticks="".join(
                    f"M{_point(RADIUS - HALF_WIDTH - 1, at + span * tick / segments)}"
                    f"L{_point(RADIUS + HALF_WIDTH + 1, at + span * tick / segments)}"
                    for tick in range(1, segments)
                ),
                fill=_arc(RADIUS, at, at + span * now / 100) if now >= 0.1 else "",
                pending=(
                    _arc(RADIUS, at + span * now / 100, at + span * min(100.0, hoped) / 100)
                    if hoped - now >= 0.1
                    else ""
                ),
                ghost=(
                    _arc(GHOST_RADIUS, at + span * max(0.0, then) / 100, at + span * now / 100)
                    if now - then >= 1
                    else ""
                ),
            )
        )
        at += span + gap
    return arcs
