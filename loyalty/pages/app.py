"""What makes the site an app on a phone: manifest and icons of each brand, the service worker, the offline page."""

import hashlib
import io
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from coloraide import Color
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe
from PIL import Image, ImageDraw

from accounts.models import Brand
from loyalty import access, theme
from loyalty.pages.stamps import BOX, CENTRE, brand_curve

YEAR = 365 * 24 * 3600
ICON_SIZES = (192, 512)
# An icon that the system cuts to its own shape keeps what matters within the inner four fifths.
SAFE = 0.62
SMOOTH = 4
ICON_COLOURS = 64
CURVE_STEPS = 24

# What stays on the phone so that pages without a connection look like the others. Nothing of anybody is in it.
KEPT_FILES = (
    "css/tokens.css",
    "css/base.css",
    "css/frame.css",
    "css/tickets.css",
    "css/forms.css",
    "css/landing.css",
    "fonts/instrument-sans-latin-wght-normal.woff2",
    "fonts/bricolage-grotesque-latin-wght-normal.woff2",
    "icons/laurel.svg",
    "js/outbox.js",
)


def hex_colour(colour: str) -> str:
    """A colour as #rrggbb, for what reads nothing newer."""
    return str(Color(colour).convert("srgb").fit("srgb").to_string(hex=True))


@require_safe
def manifest(request: HttpRequest, slug: str) -> HttpResponse:
    """The brand as an app: its name, colours and icons, and where it begins."""
    brand = access.get_brand(slug)
    paper = hex_colour(theme.palettes(brand.colour)["light"]["paper"])
    mark = icon_mark(brand)
    content = {
        "id": reverse("landing", args=[slug]),
        "name": brand.name,
        "short_name": brand.name if len(brand.name) <= 12 else brand.name.split()[0][:12],
        "description": brand.promise,
        "start_url": reverse("score", args=[slug]),
        # Signing in happens outside the brand's own addresses.
        "scope": "/",
        "display": "standalone",
        "background_color": paper,
        "theme_color": paper,
        "icons": [
            {
                "src": reverse("icon", args=[slug, purpose, size, mark]),
                "sizes": f"{size}x{size}",
                "type": "image/png",
                "purpose": purpose,
            }
            for purpose in ("any", "maskable")
            for size in ICON_SIZES
        ],
        "shortcuts": [
            {"name": _("Check in"), "url": reverse("check_in", args=[slug])},
            {"name": pgettext("something to the score", "Add"), "url": reverse("add", args=[slug])},
        ],
    }
    response = JsonResponse(content, content_type="application/manifest+json")
    patch_cache_control(response, public=True, max_age=3600)
    return response


def icon_mark(brand: Brand) -> str:
    """Names one drawing of the brand's icons in their addresses, so that browsers may keep them for ever."""
    return hashlib.sha256(f"{brand.slug} {theme.fingerprint(brand.colour)}".encode()).hexdigest()[
        :12
    ]


@require_safe
def icon(request: HttpRequest, slug: str, purpose: str, size: int, mark: str) -> HttpResponse:
    """The brand's mark as a PNG: ``any`` is a disc, ``maskable`` fills its square."""
    brand = access.get_brand(slug)
    if size not in ICON_SIZES or purpose not in ("any", "maskable"):
        raise Http404
    response = HttpResponse(
        draw_icon(brand.slug, brand.colour, size, fills=purpose == "maskable"),
        content_type="image/png",
    )
    if mark == icon_mark(brand):
        response["Cache-Control"] = f"public, max-age={YEAR}, immutable"
    else:
        response["Cache-Control"] = "public, max-age=60"
    return response


@lru_cache(maxsize=64)
def draw_icon(slug: str, colour: str, size: int, *, fills: bool) -> bytes:
    """The rosette beside the brand's name, in the brand's light colours."""
    palette = theme.palettes(colour)["light"]
    disc, lines = hex_colour(palette["brand"]), hex_colour(palette["brand-ink"])
    side = size * SMOOTH
    image = Image.new("RGBA", (side, side), disc if fills else "#00000000")
    draw = ImageDraw.Draw(image)
    if not fills:
        draw.ellipse((0, 0, side - 1, side - 1), fill=disc)
    # The curve's tips reach 92 of the 120 from the middle of its box to the edge.
    scale = side / BOX * (SAFE * CENTRE / 92 if fills else 1)
    line = [
        (side / 2 + (x - CENTRE) * scale, side / 2 + (y - CENTRE) * scale)
        for x, y in brand_curve(slug).points(CURVE_STEPS)
    ]
    draw.line([*line, line[1]], fill=lines, width=max(1, round(3 * scale)), joint="curve")
    out = io.BytesIO()
    # A disc, its lines and what lies between them: few colours, and a tenth of the bytes.
    drawn = image.resize((size, size), Image.Resampling.LANCZOS).quantize(
        colors=ICON_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
    )
    drawn.save(out, "PNG", optimize=True)
    return out.getvalue()


@require_safe
def worker(request: HttpRequest) -> HttpResponse:
    """The service worker of the whole site. Asked for anew each time, so that no phone keeps an old one."""
    response = render(request, "sw.js", worker_context(), content_type="text/javascript")
    response["Cache-Control"] = "no-cache"
    return response


@lru_cache(maxsize=1)
def worker_context() -> dict[str, Any]:
    """The addresses that the worker keeps, and a name for this version of what is behind them."""
    digest = hashlib.sha256()
    for name in KEPT_FILES:
        found = finders.find(name)
        if found:
            digest.update(Path(str(found)).read_bytes())
    files = [static(name) for name in KEPT_FILES]
    digest.update(json.dumps(files).encode())
    return {
        "version": digest.hexdigest()[:12],
        "files": json.dumps([*files, reverse("offline")]),
        "offline": json.dumps(reverse("offline")),
        "outbox": json.dumps(static("js/outbox.js")),
        "logout": json.dumps(reverse("account_logout")),
    }


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """What a page that cannot be reached says; phones keep it."""
    response = render(request, "pages/offline.html", {"brand": None})
    patch_cache_control(response, public=True, max_age=300)
    return response
