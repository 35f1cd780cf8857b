"""The shapes of our icons, and which one stands for a source."""

from functools import lru_cache

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from scoring.models import Source

SOURCE_ICONS = {
    Source.PURCHASES: "purchase",
    Source.PHYSICAL_VISITS: "visit",
    Source.PRODUCT_USAGE: "usage",
    Source.SOCIAL_MEDIA: "social",
    Source.ONLINE_ENGAGEMENT: "online",
    Source.MARKETING_ATTENTION: "attention",
}


@lru_cache(maxsize=64)
def shapes_of(name: str) -> SafeString:
    """What is inside an icon's SVG, in a box of 24 by 24."""
    # The files are our own, and hold shapes only.
    return mark_safe(render_to_string(f"parts/icons/{name}.svg").strip())  # noqa: S308
