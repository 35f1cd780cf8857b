"""Going on to another site after a form was sent.

Our policy lets forms be sent to ourselves only, and browsers hold that against redirects too. So a form that leads
elsewhere, which is to a network, is answered by a page that goes on by itself.
"""

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render


class LeavingMiddleware:
    """Turns the redirect of a form to another site into a page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request; a redirect within the site stays one."""
        was_sent = request.method == "POST"
        response = self.get_response(request)
        if not was_sent or not isinstance(response, HttpResponseRedirect):
            return response
        there = urlsplit(response.url)
        if not there.netloc or there.netloc == request.get_host():
            return response
        page = render(request, "pages/leaving.html", {"to": response.url, "host": there.netloc})
        page.cookies = response.cookies
        page.status_code = HTTPStatus.OK
        return page
