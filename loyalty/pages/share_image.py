"""A badge as a picture to share: the same engraving as on the pages, drawn by Pillow.

No browser draws it, so the colours are those of the brand's light palette, and the text is set in our own
fonts. What those cannot write (they are Latin) is left out: the page that shows the picture says it too.
"""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from coloraide import Color
from PIL import Image, ImageChops, ImageDraw, ImageFont

from loyalty import theme
from loyalty.embedded import TREE
from loyalty.pages import stamps
from loyalty.pages.outlines import outlines

# To be counted up whenever equal pictures come out otherwise than before.
EDITION = 1

SIZE = (1200, 630)
STAMP_SIZE = 480
FINER = 3
# The signature of a PNG, and its first chunk.
HEADER = 8 + 25

DISPLAY = "bricolage-grotesque-latin-wght-normal"
TEXT = "instrument-sans-latin-wght-normal"
BOLD, MEDIUM, PLAIN = 700, 600, 450

Ink = tuple[int, int, int]


class Picture(NamedTuple):
    """All that a share image shows. Equal ones are drawn to equal bytes."""

    slug: str
    level: int
    source: str
    shapes: str
    colour: str
    brand: str
    title: str
    tally: str
    sentence: str


def draw(picture: Picture) -> bytes:
    """The share image, a PNG of 1200 by 630."""
    palette = _palette(picture.colour)
    brand, sheet, ink, quiet = (palette[name] for name in ("brand", "sheet", "ink", "ink-2"))
    image = Image.new("RGB", SIZE, brand)
    image.paste(sheet, mask=_perforated())
    engraved, mask = _engrave(picture, STAMP_SIZE)
    image.paste(engraved, (84, (SIZE[1] - STAMP_SIZE) // 2), mask)

    pen = ImageDraw.Draw(image)
    left, wide = 612, 500
    lines: list[tuple[str, ImageFont.FreeTypeFont, Ink, int]] = []
    lines += _set(picture.brand, (TEXT, MEDIUM), (30,), brand, wide, most=1, gap=22)
    lines += _set(picture.title, (DISPLAY, BOLD), (76, 64, 54, 44), ink, wide, most=3, gap=20)
    lines += _set(picture.tally, (TEXT, MEDIUM), (30, 26), ink, wide, most=2, gap=16)
    lines += _set(picture.sentence, (TEXT, PLAIN), (28, 25), quiet, wide, most=3, gap=0)
    top = (SIZE[1] - sum(height for *_rest, height in lines)) / 2
    for text, font, colour, height in lines:
        pen.text((left, top), text, font=font, fill=colour)
        top += height
    return _png(image)


def draw_stamp(picture: Picture, size: int = 600) -> bytes:
    """The stamp alone on the brand's paper, a square PNG."""
    image = Image.new("RGB", (size, size), _palette(picture.colour)["sheet"])
    engraved, mask = _engrave(picture, size * 9 // 10)
    image.paste(engraved, (size // 20, size // 20), mask)
    return _png(image)


def bake(png: bytes, credential: str) -> bytes:
    """The picture with an Open Badges credential inside, where wallets look for it."""
    # An iTXt chunk (PNG, section 11.3.3.4), neither compressed nor translated, before anything else but the header.
    chunk = b"iTXt" + b"openbadgecredential" + bytes(5) + credential.encode()
    length, check = len(chunk) - 4, zlib.crc32(chunk)
    baked = struct.pack(">I", length) + chunk + struct.pack(">I", check)
    return png[:HEADER] + baked + png[HEADER:]


def _png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    # A few inks and what lies between them: a palette shows no difference, and weighs a third.
    reduced = image.quantize(64, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    reduced.save(written, "PNG", optimize=True)
    return written.getvalue()


def _engrave(picture: Picture, size: int) -> tuple[Image.Image, Image.Image]:
    """The stamp in its colours, and the mask of its plate."""
    stamp = stamps.engrave(picture.slug, picture.level, stamps.Detail.LARGE)
    palette = _palette(picture.colour)
    hue, sheet = palette[f"source-{picture.source}"], palette["sheet"]
    tint = tuple(round(0.8 * one + 0.2 * other) for one, other in zip(hue, sheet, strict=True))
    scale = size * FINER / stamps.BOX
    fine = (size * FINER, size * FINER)

    def scaled(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(x * scale, y * scale) for x, y in points]

    def around(
        radius: float, at: tuple[float, float] = (stamps.CENTRE, stamps.CENTRE)
    ) -> list[float]:
        return [scale * (place + way * radius) for way in (-1, 1) for place in at]

    mask = Image.new("L", fine, 0)
    cutter = ImageDraw.Draw(mask)
    cutter.ellipse(around(stamp.edge.radius), fill=255)
    for centre in stamp.edge.centres():
        cutter.ellipse(around(stamp.edge.small, centre), fill=0 if stamp.edge.is_bitten else 255)

    image = Image.new("RGB", fine, hue)
    pen = ImageDraw.Draw(image)
    line = round(0.8 * scale)
    shade = Image.new("1", fine)
    for curve in stamp.curves:
        turn = Image.new("1", fine)
        # Pillow fills where a line from outside crosses an odd number of times, as the style sheet asks for.
        ImageDraw.Draw(turn).polygon(scaled(curve.points(8)), fill=1)
        shade = ImageChops.logical_xor(shade, turn)
    image.paste(tint, mask=shade)
    for curve in stamp.curves:
        pen.line(scaled(curve.points(16)), fill=sheet, width=line, joint="curve")
    for ring in stamp.rings:
        pen.ellipse(around(ring), outline=sheet, width=round(1.4 * scale))
    pen.ellipse(around(stamp.heart), fill=hue, outline=sheet, width=round(1.4 * scale))
    for dashes in stamp.dashes:
        for stroke in dashes.strokes():
            if dashes.wide:
                pen.line(scaled(stroke), fill=sheet, width=round(dashes.wide * scale))
            else:
                pen.ellipse(around(dashes.long / 2, stroke[0]), fill=sheet)
    for outline in outlines(picture.shapes):
        placed = scaled([(90 + 2.5 * x, 90 + 2.5 * y) for x, y in outline])
        width = round(1.8 * 2.5 * scale)
        pen.line(placed, fill=sheet, width=width, joint="curve")
        for x, y in (placed[0], placed[-1]):
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=sheet)
    reduced = (size, size)
    return (
        image.resize(reduced, Image.Resampling.LANCZOS),
        mask.resize(reduced, Image.Resampling.LANCZOS),
    )


@lru_cache(maxsize=1)
def _perforated() -> Image.Image:
    """The mask of the sheet: the picture is a postage stamp on the brand's colour."""
    margin, bite, holes = 24, 9, (40, 20)
    wide, high = (FINER * side for side in SIZE)
    margin, bite = margin * FINER, bite * FINER
    mask = Image.new("L", (wide, high), 0)
    pen = ImageDraw.Draw(mask)
    pen.rectangle((margin, margin, wide - margin, high - margin), fill=255)
    across, down = (wide - 2 * margin) / holes[0], (high - 2 * margin) / holes[1]
    centres = [
        (margin + across * place, side)
        for place in range(holes[0] + 1)
        for side in (margin, high - margin)
    ] + [
        (side, margin + down * place)
        for place in range(holes[1] + 1)
        for side in (margin, wide - margin)
    ]
    for x, y in centres:
        pen.ellipse((x - bite, y - bite, x + bite, y + bite), fill=0)
    return mask.resize(SIZE, Image.Resampling.LANCZOS)


@lru_cache(maxsize=64)
def _palette(colour: str) -> dict[str, Ink]:
    palette = theme.palettes(colour)["light"]
    return {name: _ink(value) for name, value in palette.items()}


def _ink(colour: str) -> Ink:
    red, green, blue = Color(colour).convert("srgb").clip().coords()
    return round(255 * red), round(255 * green), round(255 * blue)


# --- text ----------------------------------------------------------------------------------------


@lru_cache(maxsize=32)
def _font(name: str, weight: int, size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(TREE / "static/fonts" / f"{name}.woff2", size)
    font.set_variation_by_axes([weight])
    return font


def _can_write(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Whether the font has every letter; what it lacks is drawn as the same empty box."""
    missing = bytes(font.getmask("\uffff"))
    return all(letter.isspace() or bytes(font.getmask(letter)) != missing for letter in set(text))


def _set(
    text: str,
    face: tuple[str, int],
    sizes: Sequence[int],
    ink: Ink,
    wide: int,
    *,
    most: int,
    gap: int,
) -> list[tuple[str, ImageFont.FreeTypeFont, Ink, int]]:
    """The text in lines of at most ``wide``, in the largest size in which it needs no more than ``most``."""
    for size in sizes:
        font = _font(*face, size)
        if not text or not _can_write(font, text):
            return []
        lines = list(_broken(text, font, wide))
        if len(lines) <= most:
            break
    kept = lines[:most]
    if len(lines) > most:
        kept[-1] = kept[-1].rstrip(" .,;") + "…"
    height = round(size * (1.1 if size > 40 else 1.35))
    return [
        (line, font, ink, height + (gap if place == len(kept) - 1 else 0))
        for place, line in enumerate(kept)
    ]


def _broken(text: str, font: ImageFont.FreeTypeFont, wide: int) -> Iterator[str]:
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and font.getlength(longer) > wide:
            yield line
            line = word
        else:
            line = longer
    yield line
