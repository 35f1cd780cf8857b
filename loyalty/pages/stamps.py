"""Badges as engraved stamps: guilloché drawn from a slug and a level, the same each time.

A band of guilloché is one wave around a circle, repeated under a few turns so that the copies
weave. The slug decides the waves, the level how many bands there are; the template draws the
paths and gives them the colours of the source.
"""

import hashlib
import math
from functools import lru_cache
from typing import NamedTuple

CENTRE = 60.0
RIM = 54.0
NOTCHES = 32

# Inner and outer radius of the bands, by level.
BANDS = {
    "bronze": ((27.0, 46.0),),
    "silver": ((26.0, 38.0), (36.0, 48.0)),
    "gold": ((25.5, 34.0), (32.5, 41.0), (39.5, 48.5)),
}


class Band(NamedTuple):
    """One wave and the angles under which it is drawn."""

    path: str
    turns: tuple[float, ...]


class Stamp(NamedTuple):
    """The geometry of one stamp in a box of 120 by 120."""

    plate: str
    bands: tuple[Band, ...]


def _wave(*, inner: float, outer: float, lobes: int, phase: float = 0.0) -> str:
    """A closed wave of ``lobes`` periods between two radii, as smooth cubic curves."""
    middle, amplitude = (inner + outer) / 2, (outer - inner) / 2
    knots = lobes * 4
    step = 2 * math.pi / knots

    def at(angle: float) -> tuple[float, float]:
        radius = middle + amplitude * math.cos(lobes * angle + phase)
        return CENTRE + radius * math.cos(angle), CENTRE + radius * math.sin(angle)

    def slope(angle: float) -> tuple[float, float]:
        radius = middle + amplitude * math.cos(lobes * angle + phase)
        growth = -amplitude * lobes * math.sin(lobes * angle + phase)
        return (
            growth * math.cos(angle) - radius * math.sin(angle),
            growth * math.sin(angle) + radius * math.cos(angle),
        )

    x, y = at(0)
    parts = [f"M{x:.1f} {y:.1f}"]
    for knot in range(knots):
        here, there = knot * step, (knot + 1) * step
        (x0, y0), (x1, y1) = at(here), at(there)
        (dx0, dy0), (dx1, dy1) = slope(here), slope(there)
        third = step / 3
        parts.append(
            f"C{x0 + dx0 * third:.1f} {y0 + dy0 * third:.1f} "
            f"{x1 - dx1 * third:.1f} {y1 - dy1 * third:.1f} {x1:.1f} {y1:.1f}"
        )
    return "".join(parts) + "Z"


@lru_cache(maxsize=1)
def _perforated_plate() -> str:
    """A disc whose edge is bitten out like a postage stamp's."""
    step = 2 * math.pi / NOTCHES
    bite = RIM * math.sin(step / 2) * 0.62
    gap = math.asin(bite / RIM)
    parts = []
    for notch in range(NOTCHES):
        start, end = notch * step + gap, (notch + 1) * step - gap
        sx, sy = CENTRE + RIM * math.cos(start), CENTRE + RIM * math.sin(start)
        ex, ey = CENTRE + RIM * math.cos(end), CENTRE + RIM * math.sin(end)
        parts.append(f"{'M' if notch == 0 else f'A{bite:.2f} {bite:.2f} 0 0 0 '}{sx:.1f} {sy:.1f}")
        parts.append(f"A{RIM:g} {RIM:g} 0 0 1 {ex:.1f} {ey:.1f}")
    sx, sy = CENTRE + RIM * math.cos(gap), CENTRE + RIM * math.sin(gap)
    parts.append(f"A{bite:.2f} {bite:.2f} 0 0 0 {sx:.1f} {sy:.1f}Z")
    return "".join(parts)


@lru_cache(maxsize=1024)
def engrave(slug: str, level: str) -> Stamp:
    """The stamp of a badge. The level is one of ``BANDS``; another draws as bronze."""
    seed = hashlib.sha256(slug.encode()).digest()
    bands = []
    for place, (inner, outer) in enumerate(BANDS.get(level, BANDS["bronze"])):
        lobes = 7 + seed[place] % 7 + 2 * place
        weave = 5 + seed[place + 4] % 3
        period = 360 / lobes
        phase = seed[place + 8] / 255 * 2 * math.pi
        bands.append(
            Band(
                path=_wave(inner=inner, outer=outer, lobes=lobes, phase=phase),
                turns=tuple(round(turn * period / weave, 2) for turn in range(weave)),
            )
        )
    return Stamp(plate=_perforated_plate(), bands=tuple(bands))


@lru_cache(maxsize=256)
def brand_mark(slug: str) -> Band:
    """The small rosette beside a brand's name, in a box of 120 by 120."""
    seed = hashlib.sha256(slug.encode()).digest()
    lobes = 6 + seed[0] % 4
    return Band(
        path=_wave(inner=10, outer=46, lobes=lobes),
        turns=tuple(round(turn * 360 / lobes / 3, 2) for turn in range(3)),
    )
