"""The faces of boards: small engraved medallions, drawn from a seed, the same each time.

As on banknotes, a rosette is one ellipse turned around its middle; the seed decides how many, how slim, on which plate
and in which ink. The template draws the paths, the style sheet gives the colours.
"""

import math
from functools import lru_cache
from typing import NamedTuple

CENTRE = 20.0
RIM = 19.0
INKS = 6


class Avatar(NamedTuple):
    """One face in a box of 40 by 40: its plate, its lines, the radius of its middle, and the number of its ink."""

    plate: str
    lines: str
    heart: float
    ink: int


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _point(radius: float, angle: float) -> str:
    x, y = CENTRE + radius * math.cos(angle), CENTRE + radius * math.sin(angle)
    return f"{_number(x)} {_number(y)}"


def _plate(corners: int, bulge: float) -> str:
    """A disc whose rim has this many scallops; the larger the ``bulge``, the flatter they are."""
    step = 2 * math.pi / corners
    radius = _number(2 * RIM * math.sin(step / 2) * bulge)
    start = -math.pi / 2
    arcs = "".join(
        f"A{radius} {radius} 0 0 1 {_point(RIM, start + corner * step)}"
        for corner in range(1, corners + 1)
    )
    return f"M{_point(RIM, start)}{arcs}Z"


def _rosette(*, long: float, short: float, turns: int, start: float) -> str:
    """An ellipse of these two radii under so many turns."""
    size = f"A{_number(long)} {_number(short)}"
    paths = []
    for turn in range(turns):
        angle = start + turn * math.pi / turns
        here, there = _point(long, angle), _point(long, angle + math.pi)
        tilt = f"{math.degrees(angle):.0f}"
        paths.append(f"M{here}{size} {tilt} 1 0 {there}{size} {tilt} 1 0 {here}")
    return "".join(paths)


@lru_cache(maxsize=1024)
def engrave_face(seed: str) -> Avatar:
    """The face of a seed, which is at least sixteen hex digits."""
    at = bytes.fromhex(seed[:16])
    corners, bulge = ((1, 0.0), (6, 0.75), (8, 0.55), (12, 0.6))[at[0] % 4]
    outer = 15.5 - at[1] % 3
    return Avatar(
        plate=_plate(corners, bulge) if bulge else _plate(2, 0.5),
        lines=_rosette(
            long=outer, short=3 + at[2] % 8, turns=4 + at[3] % 5, start=at[4] / 256 * math.pi
        )
        + _rosette(long=8.5, short=2 + at[5] % 4, turns=3 + at[6] % 3, start=0),
        heart=2 + at[7] % 3,
        ink=int(seed[:16], 16) % 251 % INKS,
    )
