"""Badges as engraved stamps: guilloché drawn from a slug and a level, the same each time.

A guilloché is one closed curve that runs several times around, swinging between an inner and an outer
circle, so that it crosses itself into a lattice, as the lathes for banknotes drew it. The slug decides how
often it swings and how its tips rise into petals; the level decides how many curves there are and the edge
of the plate. Pages write the curves as SVG paths, the share image draws the same curves as polylines.
"""

import hashlib
import math
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

BOX = 240
CENTRE = BOX / 2
LEVELS = 3

# How far a handle of a cubic curve must reach to draw half a wave of a cosine.
HANDLE = 0.3642


class Detail(IntEnum):
    """How much is engraved, by the size that the stamp is meant for."""

    SMALL = 0  # about 24 px: the plate and its picture
    USUAL = 1  # about 64 px
    LARGE = 2  # from 128 px on


class Point(NamedTuple):
    """A place in the box of the stamp, x to the right and y down."""

    x: float
    y: float


class Half(NamedTuple):
    """Half a wave, as a cubic curve that goes on smoothly from the half before."""

    into: Point
    end: Point


class Curve(NamedTuple):
    """A closed curve of half waves; ``out`` is the handle with which the first one begins."""

    start: Point
    out: Point
    halves: tuple[Half, ...]

    def path(self, places: int) -> str:
        """The curve as an SVG path with so many decimal places."""
        at = _Written(self.start, places)
        parts = [f"M{at.here}"]
        for place, (into, end) in enumerate(self.halves):
            handles = [self.out, into] if place == 0 else [into]
            parts.append(("c" if place == 0 else "s") + at.to(*handles, end))
        return "".join(parts)

    def points(self, each: int) -> list[Point]:
        """The curve as a polyline, each half wave in so many steps."""
        line, here, out = [self.start], self.start, self.out
        for into, end in self.halves:
            line += [_bezier(here, out, into, end, step / each) for step in range(1, each + 1)]
            here, out = end, Point(2 * end.x - into.x, 2 * end.y - into.y)
        return line


class Edge(NamedTuple):
    """The edge of a plate: ``number`` small circles around a large one, bitten out or laid on."""

    number: int
    radius: float
    small: float
    is_bitten: bool

    @property
    def cusp(self) -> float:
        """How far from the middle small circles that are laid on meet."""
        half = math.pi / self.number
        reach = self.small**2 - (math.sin(half) * self.radius) ** 2
        return math.cos(half) * self.radius + math.sqrt(max(0.0, reach))

    def centres(self) -> list[Point]:
        """The centres of the small circles."""
        return [
            _polar(self.radius, 2 * math.pi * turn / self.number) for turn in range(self.number)
        ]

    def path(self) -> str:
        """The plate's outline as an SVG path of arcs."""
        half = math.pi / self.number
        if not self.is_bitten:
            at = _Written(_polar(self.cusp, -half), 1)
            arc = f"a{_number(self.small, 1)} {_number(self.small, 1)} 0 0 1"
            return f"M{at.here}" + "".join(
                arc + at.to(_polar(self.cusp, (2 * turn + 1) * half)) for turn in range(self.number)
            )
        gap = 2 * math.asin(self.small / 2 / self.radius)
        at = _Written(_polar(self.radius, -gap), 1)
        small, large = _number(self.small, 1), _number(self.radius, 1)
        parts = [f"M{at.here}"]
        for turn in range(self.number):
            middle = 2 * turn * half
            parts.append(f"a{small} {small} 0 0 0" + at.to(_polar(self.radius, middle + gap)))
            parts.append(
                f"a{large} {large} 0 0 1" + at.to(_polar(self.radius, middle + 2 * half - gap))
            )
        return "".join(parts)


class Dashes(NamedTuple):
    """A ring of ``number`` strokes, ``wide`` along it and ``long`` across; dots where they are 0 wide."""

    radius: float
    number: int
    wide: float
    long: float

    @property
    def pattern(self) -> str:
        """The dash pattern that draws them on a circle."""
        each = 2 * math.pi * self.radius / self.number
        return f"{_number(self.wide, 2)} {_number(each - self.wide, 3)}"

    def strokes(self) -> list[tuple[Point, Point]]:
        """Each stroke from its inner to its outer end."""
        return [
            (
                _polar(self.radius - self.long / 2, angle),
                _polar(self.radius + self.long / 2, angle),
            )
            for angle in (2 * math.pi * place / self.number for place in range(self.number))
        ]


class Stamp(NamedTuple):
    """The geometry of one stamp in a box of 240 by 240."""

    edge: Edge
    rings: tuple[float, ...]
    dashes: tuple[Dashes, ...]
    curves: tuple[Curve, ...]
    heart: float
    detail: Detail

    @property
    def plate(self) -> str:
        """The outline of the plate as an SVG path."""
        return self.edge.path()

    @property
    def engraving(self) -> str:
        """All curves as one SVG path."""
        return "".join(curve.path(1 if self.detail == Detail.LARGE else 0) for curve in self.curves)


SMALL_EDGES = (
    Edge(number=12, radius=114, small=11, is_bitten=True),
    Edge(number=9, radius=82, small=36, is_bitten=False),
    Edge(number=16, radius=96, small=22, is_bitten=False),
)
SMALL_HEART = 82.0
HEART = 44.0


@lru_cache(maxsize=1024)
def engrave(slug: str, level: int, detail: Detail = Detail.USUAL) -> Stamp:
    """The stamp of a badge: at level 1 a perforated disc with one rosette; at 2 scalloped, with beads and
    a border; at 3 a flower of a plate, whose border follows its petals, and a second border inside.
    """
    level = min(max(level, 1), LEVELS)
    if detail == Detail.SMALL:
        return Stamp(SMALL_EDGES[level - 1], (SMALL_HEART,), (), (), SMALL_HEART, detail)
    seed = hashlib.sha256(slug.encode()).digest()
    finer = 1.5 if detail == Detail.LARGE else 1.0
    petals = 5 + seed[0] % 5

    def rosette(inner: float, outer: float) -> Curve:
        depth = 0.2 + seed[2] / 256 * 0.25
        return _guilloche(
            inner=inner,
            outer=outer,
            waves=petals * max(2, round(12 * finer / petals)),
            turns=3 + seed[1] % 2,
            petals=petals,
            depth=depth * (outer - inner),
            phase=seed[3] / 256 * 2 * math.pi / petals,
        )

    def border(inner: float, outer: float, lobes: int, depth: float = 0.0) -> Curve:
        waves = lobes * max(1, round(30 * finer / lobes))
        return _guilloche(inner=inner, outer=outer, waves=waves, turns=5, petals=lobes, depth=depth)

    if level == 1:
        edge = Edge(number=30, radius=114, small=4.6, is_bitten=True)
        return Stamp(edge, (104,), (), (rosette(46, 99),), HEART, detail)
    if level == 2:
        edge = Edge(number=18 + 2 * (seed[4] % 3), radius=97, small=18, is_bitten=False)
        beads = Dashes(radius=105.5, number=3 * edge.number, wide=0, long=2.8)
        both = (rosette(46, 79), border(82, 99, petals))
        return Stamp(edge, (81, 101), (beads,), both, HEART, detail)
    lobes = 10 + seed[5] % 5
    edge = Edge(number=lobes, radius=88, small=30, is_bitten=False)
    curves = (
        border(46, 58, petals),
        rosette(60, 87),
        border(90, 114, lobes, depth=117 - edge.cusp),
    )
    milling = Dashes(radius=HEART - 3, number=60, wide=1.5, long=4.5)
    return Stamp(edge, (59, 89), (milling,), curves, HEART, detail)


@lru_cache(maxsize=256)
def brand_mark(slug: str) -> str:
    """The small rosette beside a brand's name, as an SVG path in the same box."""
    return brand_curve(slug).path(0)


def brand_curve(slug: str) -> Curve:
    """The curve of that rosette."""
    lobes = 6 + hashlib.sha256(slug.encode()).digest()[0] % 4
    return _guilloche(inner=20, outer=92, waves=3 * lobes + 1, turns=3)


def _guilloche(
    *,
    inner: float,
    outer: float,
    waves: int,
    turns: int,
    petals: int = 1,
    depth: float = 0.0,
    phase: float = 0.0,
) -> Curve:
    """A curve of so many waves that closes after that many turns, or the next number that shares no divisor.

    Its tips fall back from the outer circle by up to ``depth`` between the petals.
    """
    while math.gcd(turns, waves) > 1:
        turns += 1
    step = math.pi * turns / waves

    def knot(place: int) -> tuple[float, float]:
        angle = place * step
        if place % 2:
            return angle, inner
        return angle, outer - depth * (1 - math.cos(petals * angle)) / 2

    def handle(place: int, side: int) -> Point:
        angle, radius = knot(place)
        reach = side * HANDLE * step * radius
        x, y = _polar(radius, angle + phase)
        return Point(x - reach * math.sin(angle + phase), y + reach * math.cos(angle + phase))

    def at(place: int) -> Point:
        angle, radius = knot(place)
        return _polar(radius, angle + phase)

    return Curve(
        start=at(0),
        out=handle(0, 1),
        halves=tuple(Half(handle(place, -1), at(place)) for place in range(1, 2 * waves + 1)),
    )


def _polar(radius: float, angle: float) -> Point:
    return Point(CENTRE + radius * math.cos(angle), CENTRE + radius * math.sin(angle))


def _bezier(start: Point, out: Point, into: Point, end: Point, at: float) -> Point:
    before = 1 - at
    weights = (before**3, 3 * before**2 * at, 3 * before * at**2, at**3)
    knots = (start, out, into, end)
    return Point(
        sum(weight * knot.x for weight, knot in zip(weights, knots, strict=True)),
        sum(weight * knot.y for weight, knot in zip(weights, knots, strict=True)),
    )


class _Written:
    """Where an SVG path has come to, in the rounded numbers that were written, so that errors do not add up."""

    def __init__(self, start: Point, places: int) -> None:
        self.places = places
        self.x, self.y = round(start.x, places), round(start.y, places)

    @property
    def here(self) -> str:
        """The place as absolute coordinates."""
        return _numbers((self.x, self.y), self.places)

    def to(self, *points: Point) -> str:
        """The points as offsets; the last one is where the path goes on."""
        offsets = [
            round(offset, self.places)
            for point in points
            for offset in (point.x - self.x, point.y - self.y)
        ]
        self.x, self.y = self.x + offsets[-2], self.y + offsets[-1]
        return _numbers(offsets, self.places)


def _numbers(values: Sequence[float], places: int) -> str:
    """Numbers as an SVG path takes them, with a space only where one is needed."""
    written = ""
    for value in values:
        number = _number(value, places)
        written += number if not written or number.startswith("-") else f" {number}"
    return written


def _number(value: float, places: int) -> str:
    number = f"{value:.{places}f}"
    if places:
        number = number.rstrip("0").rstrip(".")
    if number in ("-0", ""):
        return "0"
    return number.replace("0.", ".", 1) if number.startswith(("0.", "-0.")) else number
