"""What people send arrives in full before a thread is busy with it.

A thread that reads from a connection waits for it, so that as many slow connections as there are threads would stop
all pages. Nobody needs to sign in for that.
"""

import asyncio
from tempfile import SpooledTemporaryFile
from typing import IO

from a2wsgi.asgi_typing import ASGIApp, Receive, ReceiveEvent, Scope, Send
from django.utils.translation import gettext as _

# More than any form of ours with its photo; one that is too large for the form is told so by the form.
MOST_BYTES = 64 * 1024 * 1024
IN_MEMORY = 64 * 1024
PIECE = 256 * 1024
# Longer than a phone tries, see static/js/outbox.js.
SECONDS = 120


class BodyFirst:
    """An ASGI application that hands requests on to another one once they are complete."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Receive the body, within bounds of size and time, and go on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with SpooledTemporaryFile(IN_MEMORY) as body:
            try:
                async with asyncio.timeout(SECONDS):
                    refusal = await _receive_all(receive, body)
            except TimeoutError:
                refusal = 408
            if refusal:
                await _refuse(send, refusal)
            else:
                await self.app(scope, _read_from(body, receive), send)


async def _receive_all(receive: Receive, body: IO[bytes]) -> int:
    """Write what arrives to the file; 0, or the status with which it is refused."""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return 400  # nobody is there to hear it
        body.write(message["body"])
        if body.tell() > MOST_BYTES:
            return 413
        if not message.get("more_body"):
            body.seek(0)
            return 0


def _read_from(body: IO[bytes], receive: Receive) -> Receive:
    """Give what was received again, piece by piece, and after that what happens to the connection."""
    is_read = False

    async def receive_again() -> ReceiveEvent:
        nonlocal is_read
        if is_read:
            return await receive()
        piece = body.read(PIECE)
        is_read = len(piece) < PIECE
        return {"type": "http.request", "body": piece, "more_body": not is_read}

    return receive_again


async def _refuse(send: Send, status: int) -> None:
    said = {
        408: _("It took too long to arrive. Try again on a better connection."),
        413: _("That is too much at once. Send a smaller photo."),
    }.get(status, "")
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": said.encode(), "more_body": False})
