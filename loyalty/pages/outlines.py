"""The shapes of our icons as lines, for what draws them without a browser."""

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from xml.etree import ElementTree

Place = tuple[float, float]

STEPS = 12
TOKEN = re.compile(r"[A-Za-z]|-?(?:\d+\.?\d*|\.\d+)")


@lru_cache(maxsize=64)
def outlines(shapes: str) -> tuple[tuple[Place, ...], ...]:
    """The ``path`` and ``circle`` elements of an icon as polylines. The icon is one of our own."""
    lines: list[tuple[Place, ...]] = []
    for element in ElementTree.fromstring(f"<g>{shapes}</g>"):  # noqa: S314
        if element.tag == "circle":
            x, y, radius = (float(element.attrib[name]) for name in ("cx", "cy", "r"))
            angles = [2 * math.pi * step / (4 * STEPS) for step in range(4 * STEPS + 1)]
            lines.append(
                tuple((x + radius * math.cos(one), y + radius * math.sin(one)) for one in angles)
            )
        elif element.tag == "path":
            lines += [tuple(line) for line in _trace(element.attrib["d"])]
        else:
            raise ValueError(f"Icons are made of path and circle, not of {element.tag}.")
    return tuple(lines)


# How many numbers each command takes.
LENGTHS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "A": 7, "Z": 0}


def _trace(path: str) -> Iterator[list[Place]]:
    tokens = TOKEN.findall(path)
    line: list[Place] = []
    command, at = "", 0
    while at < len(tokens):
        if tokens[at].isalpha():
            command, at = tokens[at], at + 1
        kind, is_relative = command.upper(), command.islower()
        numbers = [float(token) for token in tokens[at : at + LENGTHS[kind]]]
        at += len(numbers)
        x, y = line[-1] if line else (0.0, 0.0)
        left, top = (x, y) if is_relative else (0.0, 0.0)
        if kind == "M":
            if len(line) > 1:
                yield line
            line = [(left + numbers[0], top + numbers[1])]
            command = "l" if is_relative else "L"
        elif kind == "L":
            line.append((left + numbers[0], top + numbers[1]))
        elif kind == "H":
            line.append((left + numbers[0], y))
        elif kind == "V":
            line.append((x, top + numbers[0]))
        elif kind == "C":
            knots = [(left + numbers[place], top + numbers[place + 1]) for place in (0, 2, 4)]
            line += _cubic((x, y), *knots)
        elif kind == "A":
            rx, _ry, _turn, is_large, is_clockwise = numbers[:5]
            end = (left + numbers[5], top + numbers[6])
            line += _arc((x, y), end, rx, is_large=bool(is_large), is_clockwise=bool(is_clockwise))
        else:
            line.append(line[0])
            yield line
            line = line[:1]
    if len(line) > 1:
        yield line


def _cubic(start: Place, out: Place, into: Place, end: Place) -> Iterator[Place]:
    for step in range(1, STEPS + 1):
        at = step / STEPS
        weights = ((1 - at) ** 3, 3 * (1 - at) ** 2 * at, 3 * (1 - at) * at**2, at**3)
        knots = list(zip(weights, (start, out, into, end), strict=True))
        yield (
            sum(weight * knot[0] for weight, knot in knots),
            sum(weight * knot[1] for weight, knot in knots),
        )


def _arc(
    start: Place, end: Place, radius: float, *, is_large: bool, is_clockwise: bool
) -> Iterator[Place]:
    """An arc of a circle, as SVG describes it by its two ends."""
    half = (end[0] - start[0]) / 2, (end[1] - start[1]) / 2
    chord = math.hypot(*half)
    radius = max(radius, chord)
    away = math.sqrt(radius**2 - chord**2) / chord * (1 if is_large == is_clockwise else -1)
    centre = (start[0] + half[0] + away * half[1], start[1] + half[1] - away * half[0])
    first = math.atan2(start[1] - centre[1], start[0] - centre[0])
    sweep = math.atan2(end[1] - centre[1], end[0] - centre[0]) - first
    sweep %= 2 * math.pi
    if not is_clockwise:
        sweep -= 2 * math.pi
    for step in range(1, 2 * STEPS + 1):
        angle = first + sweep * step / (2 * STEPS)
        yield centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)
