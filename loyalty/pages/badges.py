"""A customer's badges, one badge with its levels, and the page that shows one to anybody while it is shared."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Brand, Customer
from loyalty import access, credentials
from loyalty.pages import share_image
from loyalty.pages.frame import customer_page, show
from loyalty.pages.icons import SOURCE_ICONS, shapes_of
from scoring.badges import BadgeView, badges_of
from scoring.models import Badge, BadgeEarned, BadgeShare, Source

NEAREST = 3
DRAWN_FOR = 600
ENDINGS = ("jwt", "png")
"""A credential alone, or inside the share image."""


class Level(NamedTuple):
    """A level of a badge, and since when the customer holds it, if they do."""

    number: int
    label: str
    target: int
    sentence: str
    earned_at: datetime | None


@require_safe
@customer_page
def badges(request: HttpRequest, customer: Customer) -> HttpResponse:
    """All badges of the brand: the nearest, those earned, and all with what they take."""
    views = badges_of(customer=customer)
    return show(
        request,
        "pages/badges.html",
        customer,
        here="badges",
        nearest=[view for view in nearest_badges(views) if view.progress],
        earned=[view for view in views if view.level],
        views=views,
    )


def nearest_badges(views: list[BadgeView]) -> list[BadgeView]:
    """Those of which the customer is nearest to the next level, three at most."""
    to_come = [view for view in views if view.next_level]
    return sorted(to_come, key=lambda view: -view.progress / view.target)[:NEAREST]


@require_safe
@customer_page
def badge(request: HttpRequest, customer: Customer, badge_slug: str) -> HttpResponse:
    """One badge as the customer has it: what it takes, its levels, and who may see it."""
    view = _own(customer, badge_slug)
    rows = list(BadgeEarned.objects.filter(customer=customer, badge=view.badge).order_by("pk"))
    share = BadgeShare.objects.filter(customer=customer, badge=view.badge).first()
    return show(
        request,
        "pages/badge.html",
        customer,
        here="badges",
        view=view,
        levels=_levels(view, rows),
        revoked=[row for row in rows if row.revoked_at],
        share=share,
        share_url=_shared_url(share.public_id) if share else "",
    )


@require_POST
@customer_page
def share_badge(request: HttpRequest, customer: Customer, badge_slug: str) -> HttpResponse:
    """Show a badge to anyone who knows its address, or (``stop``) to nobody any more."""
    view = _own(customer, badge_slug)
    if "stop" in request.POST:
        BadgeShare.objects.filter(customer=customer, badge=view.badge).delete()
        messages.success(request, _("Nobody else sees this badge now. Its address is gone."))
    elif view.level:
        BadgeShare.objects.get_or_create(
            customer=customer, badge=view.badge, defaults={"shared_at": timezone.now()}
        )
        messages.success(request, _("Whoever has its address can see this badge now."))
    return redirect("badge", customer.brand.slug, badge_slug)


@require_safe
@customer_page
def own_image(request: HttpRequest, customer: Customer, badge_slug: str) -> HttpResponse:
    """The share image of a badge that the customer holds."""
    return _image(request, customer, _held(_own(customer, badge_slug)))


@require_safe
@customer_page
def own_credential(
    request: HttpRequest, customer: Customer, badge_slug: str, ending: str
) -> HttpResponse:
    """The credential of a badge that the customer holds."""
    return _credential(customer, _held(_own(customer, badge_slug)), ending)


# --- for anybody, while it is shared ---------------------------------------------------------------


@require_safe
def shared(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """A badge that somebody shows. It tells nothing of them but what they are called on the boards, if they are."""
    customer, view = _shared(public_id)
    address = _shared_url(public_id)
    context = {
        "brand": customer.brand,
        "view": view,
        "sentence": _sentence(view),
        "pseudonym": customer.pseudonym if customer.on_boards else "",
        "address": address,
        "image": f"{address}/image.png?level={view.level}",
        "public_id": public_id,
    }
    response = render(request, "pages/shared_badge.html", context)
    patch_cache_control(response, no_cache=True)
    return response


@require_safe
def shared_image(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The share image of a badge that somebody shows."""
    customer, view = _shared(public_id)
    return _image(request, customer, view)


@require_safe
def shared_credential(request: HttpRequest, public_id: UUID, ending: str) -> HttpResponse:
    """The credential of a badge that somebody shows."""
    customer, view = _shared(public_id)
    return _credential(customer, view, ending)


# --- parts -----------------------------------------------------------------------------------------


def _own(customer: Customer, slug: str) -> BadgeView:
    for view in badges_of(customer=customer):
        if view.badge.slug == slug:
            return view
    raise Http404


def _held(view: BadgeView) -> BadgeView:
    if not view.level:
        raise Http404
    return view


def _shared(public_id: UUID) -> tuple[Customer, BadgeView]:
    share = access.get_badge_share(public_id)
    return share.customer, _held(_own(share.customer, share.badge.slug))


def _shared_url(public_id: UUID) -> str:
    return settings.LAUREL_SITE_URL + reverse("shared_badge", args=[public_id])


def _sentence(view: BadgeView) -> str:
    """What the level that is held took; of one that staff removed just now, what the last one takes."""
    return view.sentences[min(view.level, len(view.sentences)) - 1]


def _levels(view: BadgeView, rows: list[BadgeEarned]) -> list[Level]:
    held = {row.level: row.earned_at for row in rows if not row.revoked_at}
    return [
        Level(number, str(Badge.Level(number).label), target, sentence, held.get(number))
        for number, (target, sentence) in enumerate(
            zip(view.badge.levels, view.sentences, strict=True), 1
        )
    ]


def picture_of(
    brand: Brand, badge: Badge, *, level: int, tally: str = "", sentence: str = ""
) -> share_image.Picture:
    """What a picture of a badge at a level shows."""
    source = Source(badge.source)
    return share_image.Picture(
        slug=badge.slug,
        level=level,
        source=source.slug,
        shapes=shapes_of(SOURCE_ICONS[source]),
        colour=brand.colour,
        brand=brand.name,
        title=badge.title,
        tally=tally,
        sentence=sentence,
    )


def _picture(brand: Brand, view: BadgeView) -> share_image.Picture:
    assert view.earned_at
    day = date_format(timezone.localdate(view.earned_at, brand.zone), "DATE_FORMAT")
    tally = _("Earned %(day)s") % {"day": day}
    if len(view.sentences) > 1:
        tally = f"{capfirst(Badge.Level(view.level).label)} · {tally}"
    return picture_of(brand, view.badge, level=view.level, tally=tally, sentence=_sentence(view))


Draw = Callable[[share_image.Picture], bytes]


def drawn(request: HttpRequest, picture: share_image.Picture, draw: Draw) -> HttpResponse:
    """A picture, sent only where the browser does not have it yet."""
    etag = f'"{_mark(picture, draw)}"'
    response = get_conditional_response(request, etag=etag)
    if response is None:
        response = HttpResponse(_png(picture, draw), content_type="image/png")
    response["ETag"] = etag
    patch_cache_control(response, no_cache=True)
    return response


def _mark(picture: share_image.Picture, draw: Draw) -> str:
    content = f"{draw.__name__} {share_image.EDITION} {picture!r}"
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _png(picture: share_image.Picture, draw: Draw) -> bytes:
    """The picture, drawn once in a while however many ask: it takes a fifth of a second."""
    key = f"picture:{_mark(picture, draw)}"
    png: bytes | None = cache.get(key)
    if png is None:
        png = draw(picture)
        cache.set(key, png, DRAWN_FOR)
    return png


def _image(request: HttpRequest, customer: Customer, view: BadgeView) -> HttpResponse:
    return drawn(request, _picture(customer.brand, view), share_image.draw)


def _credential(customer: Customer, view: BadgeView, ending: str) -> HttpResponse:
    if ending not in ENDINGS:
        raise Http404
    assert view.earned_id
    earned = BadgeEarned.objects.select_related("badge__brand", "customer").get(pk=view.earned_id)
    token = credentials.issue(earned=earned, now=timezone.now())
    if ending == "png":
        png = _png(_picture(customer.brand, view), share_image.draw)
        response = HttpResponse(share_image.bake(png, token), content_type="image/png")
    else:
        response = HttpResponse(token, content_type="application/vc+jwt")
    name = f"{customer.brand.slug}-{view.badge.slug}.{ending}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    patch_cache_control(response, no_cache=True)
    return response
