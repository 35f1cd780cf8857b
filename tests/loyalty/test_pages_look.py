"""The look: a palette for any brand colour, stamps, and the ring."""

import math
import random
import re
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from loyalty import theme
from loyalty.pages import ring, stamps
from loyalty.pages.money import format_money, parse_money, parse_number
from scoring.models import Source
from tests.people import Person

OWN_COLOUR = "#9b3a26"


def test_any_brand_colour_makes_a_palette_that_can_be_read() -> None:
    chance = random.Random(1000)  # noqa: S311
    colours = [f"#{chance.randrange(1 << 24):06x}" for _ in range(1000)]
    colours += ["#000000", "#ffffff", "#808080", "#ffff00", "#0000ff", "#00ff00", "#ff0000"]
    assert {colour: p for colour in colours if (p := theme.contrast_problems(colour))} == {}


def test_a_palette_keeps_the_brand_colour_where_it_can() -> None:
    light = theme.palettes(OWN_COLOUR)["light"]
    assert light["brand"] == "oklch(0.481 0.134 33.4)"


def test_the_tokens_are_the_palette_of_laurels_own_colour() -> None:
    css = _read("css/tokens.css").decode()
    palettes = theme.palettes(OWN_COLOUR)
    for name, light in palettes["light"].items():
        assert f"--{name}: light-dark({light}, {palettes['dark'][name]});" in css


def test_the_address_of_a_look_changes_with_its_content() -> None:
    assert theme.fingerprint(OWN_COLOUR) == theme.fingerprint(OWN_COLOUR)
    assert theme.fingerprint(OWN_COLOUR) != theme.fingerprint("#0a5f8a")


def test_a_look_is_kept_for_ever_under_its_own_address_only(
    client: Client, customer: Person
) -> None:
    brand = customer.brand
    right = client.get(f"/b/{brand.slug}/look.{theme.fingerprint(brand.colour)}.css")
    assert right["Content-Type"] == "text/css; charset=utf-8"
    assert "immutable" in right["Cache-Control"]
    old = client.get(f"/b/{brand.slug}/look.0123456789ab.css")
    assert old.content == right.content
    assert "immutable" not in old["Cache-Control"]


@pytest.mark.parametrize("detail", stamps.Detail)
def test_a_stamp_is_the_same_each_time(detail: stamps.Detail) -> None:
    stamps.engrave.cache_clear()
    drawn = [stamps.engrave("regular", level, detail) for level in (1, 2, 3)]
    stamps.engrave.cache_clear()
    assert [stamps.engrave("regular", level, detail) for level in (1, 2, 3)] == drawn
    assert len({stamp.plate for stamp in drawn}) == 3


def test_each_badge_has_a_stamp_of_its_own_and_each_level_one_more_curve() -> None:
    for level in (1, 2, 3):
        slugs = [f"badge-{number}" for number in range(200)]
        assert len({stamps.engrave(slug, level).engraving for slug in slugs}) == 200
        assert {len(stamps.engrave(slug, level).curves) for slug in slugs} == {level}


def test_a_stamp_is_light() -> None:
    slugs = [f"badge-{number}" for number in range(50)]
    for detail, most in ((stamps.Detail.SMALL, 700), (stamps.Detail.USUAL, 2600)):
        for level in (1, 2, 3):
            drawn = [stamps.engrave(slug, level, detail) for slug in slugs]
            assert max(len(stamp.plate + stamp.engraving) for stamp in drawn) < most


def test_a_curve_is_written_as_it_is_drawn() -> None:
    """The path, read back number by number, ends where the curve began, and passes its points."""
    curve = stamps.engrave("regular", 3, stamps.Detail.LARGE).curves[1]
    numbers = [float(one) for one in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", curve.path(1))]
    here, offsets = stamps.Point(*numbers[:2]), numbers[4:]
    ends = zip(offsets[2::4], offsets[3::4], strict=True)
    for half, (x, y) in zip(curve.halves, ends, strict=True):
        here = stamps.Point(here.x + x, here.y + y)
        assert math.dist(here, half.end) < 0.1
    assert math.dist(curve.points(4)[-1], curve.start) < 0.001
    assert all(44 < math.dist(point, (120, 120)) < 120 for point in curve.points(4))


def test_the_ring_gives_each_source_its_share_and_leaves_out_those_without() -> None:
    sources = [
        SimpleNamespace(source=Source.PURCHASES, weight=60, sub_score=100.0),
        SimpleNamespace(source=Source.PHYSICAL_VISITS, weight=40, sub_score=0.0),
        SimpleNamespace(source=Source.SOCIAL_MEDIA, weight=0, sub_score=50.0),
    ]
    arcs = ring.draw_ring(sources, later=[50.0, 0.0, 50.0])
    assert [arc.slug for arc in arcs] == ["purchases", "physical_visits"]
    assert arcs[0].fill == arcs[0].track
    assert arcs[0].ghost
    assert arcs[1].fill == arcs[1].ghost == ""


def test_one_source_alone_is_a_whole_ring() -> None:
    [arc] = ring.draw_ring([SimpleNamespace(source=Source.PURCHASES, weight=100, sub_score=100.0)])
    assert arc.fill
    assert " 0 1 1 " in arc.fill


@pytest.mark.parametrize(
    ("typed", "currency", "amount"),
    [
        ("24.90", "GBP", "24.90"),
        ("24,9", "GBP", "24.9"),
        ("£ 24.90", "GBP", "24.90"),
        ("24.90 GBP", "GBP", "24.90"),
        ("1,234.50", "GBP", "1234.50"),
        ("1.234,50", "EUR", "1234.50"),
        ("1 234,50 €", "EUR", "1234.50"),
        ("1,234", "GBP", None),
        ("1,234,567", "GBP", "1234567"),
        ("1 234", "GBP", "1234"),
        ("1,234", "JPY", "1234"),
        ("1200", "JPY", "1200"),
        ("12.50", "JPY", None),
        ("24.905", "GBP", None),
        ("24.9055", "GBP", None),
        ("-5", "GBP", None),
        ("five", "GBP", None),
        ("", "GBP", None),
    ],
)
def test_money_is_read_as_people_write_it(typed: str, currency: str, amount: str | None) -> None:
    assert parse_money(typed, currency) == (None if amount is None else Decimal(amount))


@pytest.mark.parametrize(
    ("typed", "number"),
    [("2", "2"), (" 2,5 ", "2.5"), ("0", "0"), ("2.555", None), ("1,234", None), ("1e9", None)],
)
def test_a_number_is_read_as_people_write_it(typed: str, number: str | None) -> None:
    assert parse_number(typed, places=2) == (None if number is None else Decimal(number))


def test_money_is_written_with_its_currency() -> None:
    assert format_money(Decimal("1234.5"), "GBP") == "£1,234.50"
    assert format_money(Decimal(120), "SEK") == "SEK\N{NO-BREAK SPACE}120.00"
    assert format_money(Decimal(1200), "JPY") == "¥1,200"


def _read(name: str) -> bytes:
    path = finders.find(name)
    assert path is not None, name
    return Path(path).read_bytes()
