"""A brand's whole palette, derived from the one colour that its staff chose.

Every text reaches 4.5:1 and every meaningful part 3:1 against what it lies on, in light and in
dark, whatever the brand colour: each colour starts from its wished lightness and walks towards
more contrast until it passes. ``contrast_problems`` measures the outcome.
"""

import hashlib
from functools import lru_cache
from typing import NamedTuple

from coloraide import Color

TEXT = 4.5
PART = 3.0

# Warm paper is Laurel's own; a brand only leans it a little towards its hue.
PAPER_HUE = 82.0
PAPER_LEAN = 0.06

# Where a brand colour has no hue (grey, black, white), its inks and sources use this one.
GREY_HUE = 40.0

# The order of the ring, in which neighbouring hues are told apart most easily.
SOURCE_SLUGS = (
    "purchases",
    "physical_visits",
    "product_usage",
    "social_media",
    "online_engagement",
    "marketing_attention",
)
SOURCE_STEP = 360 / len(SOURCE_SLUGS)


class Pair(NamedTuple):
    """What lies on what, and the contrast that it must reach."""

    front: str
    back: str
    target: float


PAIRS = (
    *(
        Pair(front, back, TEXT)
        for front in ("ink", "ink-2", "brand", "alert")
        for back in ("paper", "sheet")
    ),
    Pair("ink", "track", TEXT),
    Pair("ink-2", "track", TEXT),
    Pair("brand", "track", PART),
    Pair("paper", "ink", TEXT),
    Pair("brand-ink", "brand", TEXT),
    *(Pair("edge", back, PART) for back in ("paper", "sheet")),
    *(
        Pair(f"source-{slug}", back, PART)
        for slug in SOURCE_SLUGS
        for back in ("paper", "sheet", "track")
    ),
)


def _oklch(lightness: float, chroma: float, hue: float) -> Color:
    """The colour, fitted into sRGB and rounded as it will be written."""
    fitted = Color("oklch", [lightness, chroma, hue % 360]).fit("srgb")
    lightness, chroma, hue = fitted.coords(nans=False)
    return Color("oklch", [round(lightness, 3), round(chroma, 3), round(hue, 1)])


def _luminance(colour: Color) -> float:
    return float(colour.convert("srgb").clip().luminance())


def _contrast(first: float, second: float) -> float:
    bright, dark = max(first, second), min(first, second)
    return (bright + 0.05) / (dark + 0.05)


def _standing_out(
    lightness: float, chroma: float, hue: float, *, on: list[Color], target: float
) -> Color:
    """The colour nearest to the wished lightness that reaches ``target`` on every background."""
    backs = [_luminance(back) for back in on]
    # A margin, because browsers round to eight bits.
    target += 0.06
    step = -0.01 if sum(backs) / len(backs) > 0.18 else 0.01
    while True:
        colour = _oklch(lightness, chroma, hue)
        if all(_contrast(_luminance(colour), back) >= target for back in backs):
            return colour
        lightness += step
        if not 0 <= lightness <= 1:
            return _oklch(min(1.0, max(0.0, lightness)), 0, hue)


def _mode(brand: Color, *, dark: bool) -> dict[str, Color]:
    lightness, chroma, hue = brand.coords(nans=False)
    if chroma < 0.02:
        hue, brand_chroma, tint = GREY_HUE, chroma, 0.008
    else:
        brand_chroma, tint = chroma, 0.025
    lean = ((hue - PAPER_HUE + 180) % 360 - 180) * PAPER_LEAN
    warm = PAPER_HUE + lean

    if dark:
        paper, sheet = _oklch(0.19, 0.012, warm - 25), _oklch(0.235, 0.014, warm - 25)
        track, hair = _oklch(0.31, 0.014, warm - 25), _oklch(0.36, 0.018, warm - 22)
        wish = {
            "ink": 0.945,
            "ink-2": 0.77,
            "edge": 0.6,
            "brand": 0.7,
            "source": 0.74,
            "alert": 0.74,
        }
        brand_lightness, source_chroma = max(lightness, wish["brand"]), 0.115
    else:
        paper, sheet = _oklch(0.965, 0.012, warm), _oklch(0.995, 0.004, warm)
        track, hair = _oklch(0.905, 0.016, warm - 4), _oklch(0.85, 0.018, warm - 7)
        wish = {"ink": 0.24, "ink-2": 0.45, "edge": 0.62, "source": 0.56, "alert": 0.5}
        brand_lightness, source_chroma = lightness, 0.125

    grounds = [paper, sheet]
    colours = {"paper": paper, "sheet": sheet, "track": track, "hair": hair}
    colours["ink"] = _standing_out(
        wish["ink"], tint if not dark else 0.012, hue, on=[*grounds, track], target=TEXT
    )
    colours["ink-2"] = _standing_out(wish["ink-2"], 0.022, hue, on=[*grounds, track], target=TEXT)
    colours["edge"] = _standing_out(wish["edge"], 0.02, warm, on=grounds, target=PART)
    colours["brand"] = _standing_out(brand_lightness, brand_chroma, hue, on=grounds, target=TEXT)
    colours["alert"] = _standing_out(wish["alert"], 0.17, 27, on=grounds, target=TEXT)
    on_brand = [_oklch(0.99, 0.008, warm), _oklch(0.17, 0.015, hue)]
    colours["brand-ink"] = max(
        on_brand, key=lambda ink: _contrast(_luminance(ink), _luminance(colours["brand"]))
    )
    for place, slug in enumerate(SOURCE_SLUGS):
        colours[f"source-{slug}"] = _standing_out(
            wish["source"],
            source_chroma,
            hue + place * SOURCE_STEP,
            on=[*grounds, track],
            target=PART,
        )
    return colours


@lru_cache(maxsize=256)
def palettes(colour: str) -> dict[str, dict[str, str]]:
    """The ``light`` and ``dark`` palette of a brand colour (``#rrggbb``): token → CSS colour."""
    brand = Color(colour).convert("oklch")
    return {
        mode: {
            name: "oklch({:g} {:g} {:g})".format(*made.coords(nans=False))
            for name, made in _mode(brand, dark=mode == "dark").items()
        }
        for mode in ("light", "dark")
    }


def contrast_problems(colour: str) -> list[str]:
    """What in the palette of this brand colour cannot be read; empty when it may be saved."""
    problems = []
    for mode, palette in palettes(colour).items():
        luminances = {name: _luminance(Color(value)) for name, value in palette.items()}
        for front, back, target in PAIRS:
            reached = _contrast(luminances[front], luminances[back])
            if reached < target:
                problems.append(f"{mode}: {front} on {back} is {reached:.2f}:1, below {target}:1")
    return problems


@lru_cache(maxsize=256)
def stylesheet(colour: str) -> str:
    """The style sheet that lays a brand's palette over Laurel's own tokens."""
    light, dark = palettes(colour)["light"], palettes(colour)["dark"]
    lines = "".join(f"--{name}:light-dark({light[name]},{dark[name]});" for name in light)
    return f"@layer brand{{:root{{{lines}}}}}"


@lru_cache(maxsize=256)
def fingerprint(colour: str) -> str:
    """Names one content of ``stylesheet`` in its URL, so that browsers may keep it for ever."""
    return hashlib.sha256(stylesheet(colour).encode()).hexdigest()[:12]
