"""Every request is within the second wall from before its first statement: ``accounts.walls`` says what that is.

A page of a brand is within that brand's; a page of the admin within those for which the person works; a page of the
login within those with which the person is a customer; anything else within no brand's.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from accounts import walls
from accounts.models import User
from loyalty import access

# Each gives one array.
EVERY = "SELECT array_agg(id) FROM accounts_brand"
OF_CUSTOMER = "SELECT array_agg(brand_id) FROM accounts_customer WHERE user_id = %s"


class WallMiddleware:
    """Stands before whatever may ask the database of something."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer within the wall; what is sent piece by piece is within it too, while it is sent."""
        with _of_path(request.path_info):
            response = self.get_response(request)
            here = walls.place() or walls.NOWHERE
        if isinstance(response, StreamingHttpResponse):
            response.streaming_content = _within(here, iter(response))
        return response

    def process_view(self, request: HttpRequest, *_view: object) -> None:
        """Widen the wall to the brands of the person, where the page is about more than one."""
        match = request.resolver_match
        if match is None:
            return
        if "admin" in match.namespaces and isinstance(request.user, User):
            if request.user.is_superuser:
                walls.stand_where(EVERY, [])
            else:
                walls.stand(tuple(sorted(request.user.roles)))
        elif match.route.startswith("accounts/") and isinstance(request.user, User):
            walls.stand_where(OF_CUSTOMER, [request.user.pk])


def _of_path(path: str) -> AbstractContextManager[None]:
    slug = access.slug_in(path)
    return walls.within_those(access.BY_SLUG, [slug]) if slug else walls.within(walls.NOWHERE)


def _within(brands: tuple[int, ...], content: Iterator[bytes]) -> Iterator[bytes]:
    with walls.within(brands):
        yield from content
