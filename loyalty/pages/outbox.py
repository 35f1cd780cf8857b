"""What forms may be kept on the phone until they were received, and how they are answered there.

``static/js/outbox.js`` keeps a form in the browser's own store before it is sent, and sends it until it was answered.
It asks for JSON; a browser without scripts sends the same form and gets pages.
"""

from datetime import timedelta

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.utils.crypto import salted_hmac
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.models import Customer
from loyalty import access

# How long something may have waited on a phone and still count at its own time.
LONGEST_WAIT = timedelta(hours=48)


def asks_for_json(request: HttpRequest) -> bool:
    """Whether the outbox sent this form, and not a person who wants a page."""
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def received(request: HttpRequest, address: str) -> HttpResponse:
    """The form was received: on to the page that says what became of it."""
    return JsonResponse({"url": address}) if asks_for_json(request) else redirect(address)


def not_taken(reason: str, *, status: int = 200) -> JsonResponse:
    """The form was read and not taken: it stays on the phone, with the reason, until a person has seen to it.

    An answer like any other, and no error that the browser would write down. With a status of 429 it
    is sent again later.
    """
    return JsonResponse({"reason": reason}, status=status)


def waited(text: str) -> timedelta | None:
    """For how long the form lay on the phone, from its seconds; None where that cannot be or is too long.

    The phone measures the time that passed and does not tell the hour, so that its clock may be wrong.
    """
    if not text:
        return timedelta()
    if not (text.isascii() and text.isdecimal() and len(text) < 9):
        return None
    duration = timedelta(seconds=int(text))
    return duration if duration <= LONGEST_WAIT else None


def owner_mark(customer: Customer | None) -> str:
    """Tells one customer's phone from another's, and says nothing about who that is; empty for nobody."""
    if customer is None:
        return ""
    return salted_hmac("outbox", str(customer.public_id)).hexdigest()[:20]


@require_safe
@never_cache
def outbox(request: HttpRequest, slug: str) -> HttpResponse:
    """What a phone needs to send what it kept: whose forms it may send now, and the token against forgery."""
    access.get_brand(slug)
    customer = access.find_customer(request.user, slug)
    return JsonResponse({"owner": owner_mark(customer), "csrf": get_token(request)})
