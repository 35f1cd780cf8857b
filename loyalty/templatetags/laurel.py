"""How the pages write numbers, and how they draw icons, stamps and rings."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils.formats import number_format

from accounts.choices import is_off
from accounts.models import Brand, Customer
from loyalty import theme
from loyalty.pages import ring, stamps
from loyalty.pages.icons import SOURCE_ICONS, shapes_of
from loyalty.pages.money import format_money
from scoring.models import ActionKind, Badge, Source
from scoring.words import all_of

register = template.Library()

MINUS = "\N{MINUS SIGN}"
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"

# Units that stand after their number and never change with it; "cups" would, so it stands before: "cups: 1".
SYMBOLS = frozenset(
    ("%", "g", "h", "kg", "km", "kWh", "l", "lb", "m", "mi", "min", "ml", "mm", "s")
)


@register.inclusion_tag("parts/icon.html")
def icon(name: str, kind: str = "") -> dict[str, Any]:
    """An icon beside a word."""
    return {"shapes": shapes_of(name), "kind": kind}


@register.inclusion_tag("parts/stamp.html")
def stamp(badge: Any, *, level: int = 1, earned: bool, size: str = "usual") -> dict[str, Any]:
    """A badge as an engraved stamp, an outline until it is earned; ``size`` is small, usual or large."""
    detail = stamps.Detail[size.upper()]
    return {
        "source": Source(badge.source).slug,
        "stamp": stamps.engrave(badge.slug, level, detail),
        "shapes": shapes_of(SOURCE_ICONS[Source(badge.source)]),
        "size": size,
        "earned": earned,
    }


@register.inclusion_tag("parts/mark.html")
def mark(slug: str, colour: str = "") -> dict[str, Any]:
    """The rosette beside a brand's name; with a colour where the page has another brand's look."""
    colours = {}
    if colour:
        light, dark = theme.palettes(colour)["light"], theme.palettes(colour)["dark"]
        colours = {
            name: f"light-dark({light[token]}, {dark[token]})"
            for name, token in (("disc", "brand"), ("lines", "brand-ink"))
        }
    return {"path": stamps.brand_mark(slug), **colours}


@register.inclusion_tag("parts/ring.html")
def score_ring(
    sources: Sequence[Any],
    label: str,
    later: Sequence[float] | None = None,
    accepted: Sequence[float] | None = None,
) -> dict[str, Any]:
    """The ring of these sources; ``label`` is what it says to who cannot see it."""
    return {"arcs": ring.draw_ring(sources, later=later, accepted=accepted), "label": label}


@register.inclusion_tag("parts/bar.html")
def bar(value: float, of: float = 100) -> dict[str, Any]:
    """A bar that is filled as far as ``value`` goes of ``of``."""
    return {"width": f"{max(0.0, min(100.0, 100 * float(value) / float(of or 1))):.1f}"}


@register.inclusion_tag("parts/rise_bar.html")
def rise_bar(otherwise: float, then: float) -> dict[str, Any]:
    """A bar of a hundred that is filled as it would be, and paler as far as it would rise."""
    return {"otherwise": f"{otherwise:.1f}", "then": f"{then:.1f}"}


@register.inclusion_tag("parts/switched_off.html")
def switched_off(customer: Customer) -> dict[str, Any]:
    """That the score is paused, and which sources are switched off, a line each; nothing where all is on."""
    labels = [str(source.label) for source in sources_off(customer)]
    return {
        "is_paused": customer.paused_at is not None,
        "sources": all_of(labels),
        "slug": customer.brand.slug,
    }


@register.simple_tag
def look_url(brand: Brand) -> str:
    """The address of the brand's style sheet; it changes when the colour does."""
    return reverse("look", args=[brand.slug, theme.fingerprint(brand.colour)])


@register.filter
def stylesheets(names: str) -> list[str]:
    """The addresses of our own style sheets of these names."""
    return [static(f"css/{name}.css") for name in names.split()]


@register.filter
def source_slug(number: int) -> str:
    """The name of a source, as in the style sheets."""
    return Source(number).slug


@register.filter
def source_label(number: int) -> str:
    """The name of a source for people."""
    return str(Source(number).label)


@register.filter
def sources_off(customer: Customer) -> list[Source]:
    """The sources that the customer has switched off."""
    return [source for source in Source if is_off(customer=customer, source=source)]


@register.filter
def badge_level(number: int) -> str:
    """A level of a badge in a word."""
    return str(Badge.Level(number).label)


@register.filter
def signed(points: int | None) -> str:
    """Points with their sign: +25, 0, -4 with a true minus."""
    points = points or 0
    sign = "+" if points > 0 else MINUS if points < 0 else ""
    return sign + number_format(abs(points), force_grouping=True)


@register.filter
def grouped(number: Any) -> str:
    """A whole number with its thousands set apart."""
    return number_format(number, force_grouping=True)


@register.filter
def whole(number: Any) -> str:
    """A score or sub-score as it is shown: a whole number, halves rounded up."""
    exact = number if isinstance(number, Decimal) else Decimal(repr(float(number)))
    return number_format(exact.quantize(Decimal(1), ROUND_HALF_UP), force_grouping=True)


@register.filter
def tenths(number: Any) -> str:
    """A small difference of scores with one decimal."""
    return number_format(Decimal(number).quantize(Decimal("0.1"), ROUND_HALF_UP), 1)


@register.filter
def exact(number: Any) -> str:
    """A score or a part of it with its three decimals; a negative one with a true minus."""
    value = Decimal(number).quantize(Decimal("0.001"), ROUND_HALF_UP)
    return (MINUS if value < 0 else "") + number_format(abs(value), 3, force_grouping=True)


@register.filter
def is_word(unit: str) -> bool:
    """Whether a unit is a word that stands before its number, and not a symbol that follows it."""
    return bool(unit) and unit not in SYMBOLS


@register.simple_tag
def quantity(amount: Decimal | None, unit: str, brand: Brand, *, named: bool = False) -> str:
    """An action's quantity with its unit, money in the brand's currency; empty when there is none.

    ``named`` where the page has named the unit beside it already, if it is a word.
    """
    if amount is None:
        return ""
    if unit in (ActionKind.MONEY, brand.currency):
        return format_money(amount, brand.currency)
    plain = amount.normalize()
    places = max(0, -int(plain.as_tuple().exponent))
    number = number_format(plain, places, force_grouping=True)
    if is_word(unit):
        return number if named else f"{unit}:{NO_BREAK_SPACE}{number}"
    return f"{number}{NO_BREAK_SPACE}{unit}" if unit else number
