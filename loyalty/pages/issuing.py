"""What a stranger reads to check a credential: who issued it, for what, by which key, and whether it still holds."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from accounts.models import Brand
from loyalty import access, credentials
from loyalty.pages import badges, share_image

Parameters = ParamSpec("Parameters")

# A status list may be this old, so that a revocation is known soon; a key set or a profile too, which is simpler.
SECONDS = 300


def document(
    view: Callable[Concatenate[HttpRequest, Brand, Parameters], HttpResponse],
) -> Callable[..., HttpResponse]:
    """Give the view the brand in the address; any program anywhere may read what it answers."""

    @require_safe
    @wraps(view)
    def page(
        request: HttpRequest, slug: str, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> HttpResponse:
        response = view(request, access.get_brand(slug), *args, **kwargs)
        response["Access-Control-Allow-Origin"] = "*"
        if not response.has_header("Cache-Control"):
            patch_cache_control(response, public=True, max_age=SECONDS)
        return response

    return page


@document
def issuer(request: HttpRequest, brand: Brand) -> HttpResponse:
    """The brand's profile as an issuer."""
    return _json(credentials.issuer_of(brand))


@document
def keys(request: HttpRequest, brand: Brand) -> HttpResponse:
    """The brand's public keys as a JWK Set."""
    return _json(credentials.keys_of(brand=brand, now=timezone.now()), "application/jwk-set+json")


@document
def key(request: HttpRequest, brand: Brand, thumbprint: str) -> HttpResponse:
    """One public key of the brand, at the address that credentials name."""
    found = credentials.find_key(brand=brand, thumbprint=thumbprint)
    if found is None:
        raise Http404
    return _json(credentials.public_jwk(found), "application/jwk+json")


@document
def achievement(request: HttpRequest, brand: Brand, badge_slug: str, level: int) -> HttpResponse:
    """A level of a badge as an achievement."""
    badge = access.get_badge_level(brand, badge_slug, level)
    return _json(credentials.achievement_of(badge=badge, level=level))


@document
def achievement_image(
    request: HttpRequest, brand: Brand, badge_slug: str, level: int
) -> HttpResponse:
    """The stamp of a level of a badge."""
    badge = access.get_badge_level(brand, badge_slug, level)
    return badges.drawn(
        request, badges.picture_of(brand, badge, level=level), share_image.draw_stamp
    )


@document
def status(request: HttpRequest, brand: Brand, number: int) -> HttpResponse:
    """The list that says which credentials were revoked."""
    token = credentials.status_list(brand=brand, number=number, now=timezone.now())
    if token is None:
        raise Http404
    return HttpResponse(token, content_type="application/vc+jwt")


def _json(content: dict[str, Any], content_type: str = "application/json") -> HttpResponse:
    return JsonResponse(content, content_type=content_type)
