"""The least that a stream can be: what Laurel's streams are compared with."""

from a2wsgi.asgi_typing import Receive, Scope, Send


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Open a stream, say one thing, and wait until its reader goes."""
    assert scope["type"] == "http"
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"data: 0\n\n", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass
