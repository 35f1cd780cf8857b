"""Sending the photos that came with claims: to their owner here, and to staff in the admin."""

from csp.constants import NONE
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from accounts.models import Customer
from loyalty import access
from loyalty.intake.photos import thumbnail
from loyalty.pages.frame import customer_page
from scoring.models import Action, Evidence


def get_photo(action: Action) -> bytes:
    """The photo of an action. Raises Http404 where there is none."""
    evidence = Evidence.objects.filter(action=action).first()
    if evidence is None:
        raise Http404
    try:
        with evidence.photo.open("rb") as file:
            photo: bytes = file.read()
    except FileNotFoundError:
        raise Http404 from None
    return photo


def send_photo(photo: bytes, *, small: bool) -> HttpResponse:
    """A photo as nothing but a picture, kept by nobody but the browser that asked."""
    response = HttpResponse(thumbnail(photo) if small else photo, content_type="image/jpeg")
    # What the policy's middleware sends in place of the site's; its decorators are for views only.
    response._csp_config = {"default-src": [NONE], "sandbox": True}  # type: ignore[attr-defined]
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Disposition"] = 'inline; filename="receipt.jpg"'
    patch_cache_control(response, private=True, max_age=3600)
    return response


@require_safe
@customer_page
def photo(request: HttpRequest, customer: Customer, action_id: int) -> HttpResponse:
    """The photo of one's own claim."""
    own = get_photo(access.get_action(customer, action_id))
    return send_photo(own, small="small" in request.GET)
