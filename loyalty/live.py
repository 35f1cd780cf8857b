"""Live pages: one stream of server-sent events for each open page, which hears of every new score of its customer.

``scoring.ranks`` publishes a customer's revision when it writes it, whoever caused that. A web process holds one
connection to Redis on which it listens for all its streams. What a stream says is a revision and nothing else; the
page then fetches itself. Nothing missed stays missed: whenever a subscription is confirmed, at first or after Redis was
away, the revision is read too, and every beat repeats the last one said.

Nothing here may touch the ORM: a stream would hold its connection for as long as somebody looks at the page.
"""

import asyncio
import logging
import random
import resource
import signal
import threading
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from types import FrameType
from urllib.parse import parse_qs

import redis.asyncio
from a2wsgi.asgi_typing import HTTPScope, Receive, Scope, Send
from django.conf import settings
from django.core import signing

from accounts.models import Customer
from scoring import ranks

log = logging.getLogger(__name__)

SALT = "loyalty.live"
TICKET_SECONDS = 10 * 60
# A stream ends after about this long, and its page asks for a new ticket, with the session it has then.
STREAM_SECONDS = 60 * 60
# So often each stream says what it said last: proxies keep it open, and a page notices one that is dead.
BEAT_SECONDS = 20
MOST_OF_ONE_CUSTOMER = 20
# When very many are scored at once, their pages must not all be fetched in the same moment.
TOLD_AT_ONCE = 25
PACE_SECONDS = 0.25
LONGEST_PAUSE = 2.0
ANSWER_SECONDS = 5
# Beside streams a process opens files, and connections for pages.
OTHER_FILES = 256


def issue_ticket(*, customer: Customer) -> str:
    """Leave to listen for one customer's scores, for a stream to be opened soon."""
    return signing.dumps([customer.brand_id, customer.pk], salt=SALT)


def read_ticket(ticket: str) -> tuple[int, int]:
    """The brand and the customer that a ticket names. Raises BadSignature, also when it has expired."""
    brand_id, customer_id = signing.loads(ticket, salt=SALT, max_age=TICKET_SECONDS)
    return brand_id, customer_id


@dataclass(slots=True, eq=False)
class Stream:
    """One open page."""

    send: Send
    until: float
    said: int = 0
    sending: asyncio.Task[None] | None = None
    is_over: bool = False

    def say(self, revision: int) -> None:
        """Send a revision, or let what is just being sent be followed by it: a slow page is told the newest only."""
        self.said = revision
        if not self.is_over and (self.sending is None or self.sending.done()):
            self.sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        sent = None
        while sent != self.said:
            sent = self.said
            await self.send(
                {"type": "http.response.body", "body": b"data: %d\n\n" % sent, "more_body": True}
            )

    def end(self) -> None:
        """Let the page know that it must connect again."""
        if not self.is_over:
            self.is_over = True
            self.sending = asyncio.create_task(self._end(self.sending))

    async def _end(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})


@dataclass(slots=True, eq=False)
class Audience:
    """The open pages of one customer, and the newest revision heard of."""

    brand_id: int
    customer_id: int
    revision: int = 0
    streams: list[Stream] = field(default_factory=list)


class Live:
    """The ASGI application of the streams of one process."""

    def __init__(self, *, most: int, redis_url: str) -> None:
        """``most`` streams are open at once; whoever comes then is sent away, and asks every few seconds instead."""
        self.most = most
        self.count = 0
        # No socket_timeout: redis-py would send by asyncio.wait_for, which loses a cancellation now and then.
        self._redis = redis.asyncio.Redis.from_url(
            redis_url, socket_connect_timeout=ANSWER_SECONDS, socket_timeout=None
        )
        self._own_channel = f"{settings.LAUREL_REDIS_PREFIX}live"
        self._audiences: dict[str, Audience] = {}
        self._is_changed = asyncio.Event()
        self._unread: set[str] = set()
        self._is_unread = asyncio.Event()
        self._late: dict[Stream, Audience] = {}
        self._is_late = asyncio.Event()
        self.work: asyncio.Task[None] | None = None
        self._is_closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open a stream for the ticket in the address, until its page goes or its time is over."""
        assert scope["type"] == "http"
        try:
            brand_id, customer_id = read_ticket(_ticket_in(scope))
        except signing.BadSignature:
            return await _refuse(send, 403)
        channel = ranks.channel_of(brand_id=brand_id, customer_id=customer_id)
        if self._is_closing or self.count >= self.most:
            return await _refuse(send, 503)
        if channel in self._audiences and len(self._audiences[channel].streams) >= (
            MOST_OF_ONE_CUSTOMER
        ):
            return await _refuse(send, 429)
        if self.work is None:
            self._begin()
        until = asyncio.get_running_loop().time() + STREAM_SECONDS * random.uniform(0.9, 1.1)  # noqa: S311
        stream = Stream(send, until)
        audience = self._audiences.setdefault(channel, Audience(brand_id, customer_id))
        audience.streams.append(stream)
        self.count += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            stream.say(audience.revision)
            self._is_changed.set()
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            stream.is_over = True
            self.count -= 1
            self._late.pop(stream, None)
            audience.streams.remove(stream)
            if not audience.streams:
                del self._audiences[channel]
                self._is_changed.set()

    def close(self) -> None:
        """End all streams and open no more."""
        self._is_closing = True
        if self.work is not None:
            self.work.cancel()
        for audience in self._audiences.values():
            for stream in audience.streams:
                stream.end()

    def _begin(self) -> None:
        self.work = asyncio.create_task(self._work())
        self.most = min(self.most, _room_for(self.most))
        self._close_on_signals()

    async def _work(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for task in (self._listen(), self._read(), self._tell(), self._beat()):
                    group.create_task(task)
        except ExceptionGroup:
            log.exception("Streams have failed; pages ask every few seconds instead.")
            self.close()
        finally:
            await self._redis.aclose()

    def _close_on_signals(self) -> None:
        """Let streams end when the server is asked to stop; it would wait for them, and tells nobody before."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()

        def also_close(number: signal.Signals) -> None:
            before = signal.getsignal(number)
            if not callable(before):
                return

            def stop(signal_number: int, frame: FrameType | None) -> None:
                if not loop.is_closed():
                    loop.call_soon_threadsafe(self.close)
                before(signal_number, frame)

            signal.signal(number, stop)

        also_close(signal.SIGINT)
        also_close(signal.SIGTERM)

    async def _listen(self) -> None:
        """Hear what is published, on one connection for all streams, and connect again when it is lost."""
        pause = 0.1
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.subscribe(self._own_channel)
                    pause = 0.1
                    async with asyncio.TaskGroup() as group:
                        group.create_task(self._follow(pubsub))
                        group.create_task(self._hear(pubsub))
            except* (redis.RedisError, OSError) as errors:
                log.warning(
                    "Redis is away (%s); open pages are told when it is back.", errors.exceptions[0]
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _follow(self, pubsub: redis.asyncio.client.PubSub) -> None:
        """Keep the subscriptions of a connection those of the open pages."""
        subscribed: set[str] = set()
        while True:
            self._is_changed.clear()
            wanted = set(self._audiences)
            if wanted - subscribed:
                await pubsub.subscribe(*(wanted - subscribed))
            if subscribed - wanted:
                await pubsub.unsubscribe(*(subscribed - wanted))
            subscribed = wanted
            await self._is_changed.wait()

    async def _hear(self, pubsub: redis.asyncio.client.PubSub) -> None:
        is_asked = False
        while True:
            message = await pubsub.get_message(timeout=BEAT_SECONDS)
            if message is None:
                if is_asked:
                    raise redis.ConnectionError("it does not answer")
                await pubsub.ping()
                is_asked = True
                continue
            is_asked = False
            if message["type"] == "message":
                audience = self._audiences.get(message["channel"].decode())
                if audience is not None:
                    self._heard(audience, int(message["data"]))
            elif message["type"] == "subscribe":
                # From here on nothing is missed; what was before is to be read.
                self._unread.add(message["channel"].decode())
                self._is_unread.set()

    async def _read(self) -> None:
        """Read the revisions of those who have just been subscribed to."""
        while True:
            await self._is_unread.wait()
            self._is_unread.clear()
            found = [self._audiences[name] for name in self._unread if name in self._audiences]
            self._unread.clear()
            of_brand = defaultdict(list)
            for audience in found:
                of_brand[audience.brand_id].append(audience)
            # Where Redis goes away meanwhile, all are subscribed to anew, and so read.
            with suppress(redis.RedisError, OSError):
                for brand_id, audiences in of_brand.items():
                    _scores, revisions, _complete = ranks.keys_of(brand_id)
                    numbers = [str(audience.customer_id) for audience in audiences]
                    async with asyncio.timeout(ANSWER_SECONDS):
                        read = await self._redis.hmget(revisions, numbers)
                    for audience, revision in zip(audiences, read, strict=True):
                        self._heard(audience, int(revision or 0))

    def _heard(self, audience: Audience, revision: int) -> None:
        # What was read may be older than what was published meanwhile.
        if revision > audience.revision:
            audience.revision = revision
            self._late |= dict.fromkeys(audience.streams, audience)
            self._is_late.set()

    async def _tell(self) -> None:
        """Tell whoever knows an older revision, first come first told, at a pace."""
        while True:
            await self._is_late.wait()
            self._is_late.clear()
            while self._late:
                for stream in list(islice(self._late, TOLD_AT_ONCE)):
                    stream.say(self._late.pop(stream).revision)
                await asyncio.sleep(PACE_SECONDS)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            now = asyncio.get_running_loop().time()
            for audience in list(self._audiences.values()):
                for stream in audience.streams:
                    if stream.until < now:
                        stream.end()
                    else:
                        stream.say(stream.said)
                await asyncio.sleep(0)


HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


def _ticket_in(scope: HTTPScope) -> str:
    [ticket, *_more] = parse_qs(scope["query_string"].decode("ascii", "replace")).get(
        "ticket", [""]
    )
    return ticket


async def _refuse(send: Send, status: int) -> None:
    headers = [(b"content-length", b"0"), (b"cache-control", b"no-store")]
    if status != 403:
        headers.append((b"retry-after", b"%d" % random.randint(30, 60)))  # noqa: S311
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _room_for(streams: int) -> int:
    """How many streams the limit of open files leaves room for; raises that limit as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < streams + OTHER_FILES:
        soft = streams + OTHER_FILES
        if hard != resource.RLIM_INFINITY:
            soft = min(soft, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return streams if soft == resource.RLIM_INFINITY else soft - OTHER_FILES
