"""The web process: pages run as WSGI in threads; what streams is ASGI itself and touches no ORM.

A connection to the database belongs to a thread and is used again. A streaming view would hold one for as long as
its reader stays.
"""

import os
from collections.abc import Mapping
from typing import cast

from a2wsgi import WSGIMiddleware
from a2wsgi.asgi_typing import ASGIApp, Receive, Scope, Send
from a2wsgi.wsgi_typing import WSGIApp
from django.core.wsgi import get_wsgi_application

from loyalty.bodies import BodyFirst

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty.settings")

pages = BodyFirst(WSGIMiddleware(cast("WSGIApp", get_wsgi_application()), workers=10))


def open_streams() -> Mapping[str, ASGIApp]:
    """Path to ASGI application; everything else is a page."""
    # Their modules may be imported once Django is set up.
    from django.conf import settings
    from django.urls import reverse

    from loyalty.live import Live

    return {reverse("live"): Live(most=settings.LAUREL_STREAMS, redis_url=settings.REDIS_URL)}


streams = open_streams()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Hand a request to the stream at its path, or to Django."""
    stream = streams.get(scope["path"]) if scope["type"] == "http" else None
    await (stream or pages)(scope, receive, send)
