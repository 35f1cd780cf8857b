"""Live pages without a browser: tickets, what a stream says and when, and what a page says of itself."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
import time_machine
from django.conf import LazySettings, settings
from django.core import signing
from django.test import Client
from redis.client import PubSub

from accounts.models import Customer
from loyalty import live
from loyalty.embedded import Valkey
from loyalty.live import Live, issue_ticket, read_ticket
from loyalty.templatetags.live import tell_news
from scoring import ranks
from tests.people import MONDAY, Person, record

PATIENCE = 20
ANN, BOB = (Customer(pk=pk, brand_id=7) for pk in (1, 2))


def write(customer: Customer, revision: int) -> None:
    """Write a score as scoring does."""
    row = (customer.pk, Decimal(revision), revision)
    ranks.write_ranks(brand_id=customer.brand_id, rows=[row])


class Page:
    """The other end of a stream, in the place of the web server."""

    def __init__(self, stream: Live, ticket: str) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.said: asyncio.Queue[int | None] = asyncio.Queue()
        self.is_reading = asyncio.Event()
        self.is_reading.set()
        self.is_gone = asyncio.Event()
        query = f"ticket={ticket}".encode()
        scope: Any = {"type": "http", "path": "/live", "query_string": query}
        self.running = asyncio.create_task(stream(scope, self.receive, self.send))

    async def receive(self) -> Any:
        await self.is_gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        await self.is_reading.wait()
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        elif message["body"]:
            self.said.put_nowait(int(message["body"].removeprefix(b"data: ")))
        if not message.get("more_body", True):
            self.said.put_nowait(None)
            self.is_gone.set()

    async def hears(self, revision: int | None) -> list[int | None]:
        """Read until this is said, or the end as None; returns what was said before."""
        before = []
        while (said := await self.said.get()) != revision:
            before.append(said)
        return before

    async def goes(self) -> None:
        self.is_gone.set()
        await self.running


@asynccontextmanager
async def streams(
    *, most: int = 100, url: str = ""
) -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """A process with streams; gives a function that opens one and waits for its first word."""
    stream = Live(most=most, redis_url=url or settings.REDIS_URL)
    pages = []

    async def open_page(customer: Customer = ANN, *, ticket: str = "") -> Page:
        page = Page(stream, ticket or issue_ticket(customer=customer))
        pages.append(page)
        await page.said.get()
        return page

    yield open_page
    stream.close()
    for page in pages:
        await page.goes()
    if stream.work is not None:
        await asyncio.wait([stream.work])


def run(scenario: Callable[[], Any]) -> None:
    """Run it in a thread of its own: Playwright's loop may be running in this one."""

    async def patient() -> None:
        await asyncio.wait_for(scenario(), PATIENCE)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, patient()).result()


@pytest.fixture(autouse=True)
def _empty() -> None:
    ranks.redis_client().flushdb()


@pytest.fixture
def valkey(tmp_path: Path, settings: LazySettings) -> Iterator[Valkey]:
    """A server of this test's own, which it may kill; the whole process uses it."""
    server = Valkey(tmp_path, durable=False)
    server.acquire()
    settings.REDIS_URL = server.url
    ranks.redis_client.cache_clear()
    yield server
    ranks.redis_client.cache_clear()
    server.release()


# Tickets


def test_a_ticket_names_its_customer() -> None:
    assert read_ticket(issue_ticket(customer=BOB)) == (7, 2)


def test_an_old_ticket_a_changed_one_or_another_signature_opens_nothing() -> None:
    with time_machine.travel(MONDAY - timedelta(hours=1)):
        old = issue_ticket(customer=ANN)
    good = issue_ticket(customer=ANN)
    other = issue_ticket(customer=BOB)
    swapped = ":".join([other.split(":")[0], *good.split(":")[1:]])

    async def scenario() -> None:
        async with streams() as open_page:
            for ticket in (old, swapped, good + "x", signing.dumps([7, 1], salt="x"), "nonsense"):
                page = await open_page(ticket=ticket)
                assert page.status == 403
            page = await open_page(ticket=good)
            assert page.status == 200

    run(scenario)


# What a stream says


def test_every_open_page_of_a_customer_hears_of_a_new_score_and_no_other_customers() -> None:
    async def scenario() -> None:
        async with streams() as open_page:
            one, another, bobs = await open_page(), await open_page(), await open_page(BOB)
            write(ANN, 3)
            for page in (one, another):
                assert await page.hears(3) == []
            write(BOB, 8)
            assert await bobs.hears(8) == []
            write(ANN, 4)
            assert await one.hears(4) == []

    run(scenario)


def test_a_stream_begins_with_the_score_that_was_written_before() -> None:
    async def scenario() -> None:
        write(ANN, 5)
        async with streams() as open_page:
            await (await open_page()).hears(5)
            # The second finds it known.
            page = await open_page()
            write(ANN, 6)
            assert set(await page.hears(6)) <= {5}

    run(scenario)


def test_a_slow_page_is_told_the_newest_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PACE_SECONDS", 0)

    async def scenario() -> None:
        async with streams() as open_page:
            slow, quick = await open_page(), await open_page()
            slow.is_reading.clear()
            for revision in range(1, 50):
                write(ANN, revision)
                await quick.hears(revision)
            slow.is_reading.set()
            assert await slow.hears(49) in ([], [1])

    run(scenario)


def test_changes_at_once_are_one_event() -> None:
    async def scenario() -> None:
        async with streams() as open_page:
            page = await open_page()
            write(ANN, 1)
            await page.hears(1)
            for revision in range(2, 40):
                write(ANN, revision)
            assert len(await page.hears(39)) <= 1

    run(scenario)


def test_when_very_many_are_scored_at_once_all_hear_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "PACE_SECONDS", 0.01)
    monkeypatch.setattr(live, "TOLD_AT_ONCE", 7)
    people = [Customer(pk=pk, brand_id=7) for pk in range(1, 61)]

    async def scenario() -> None:
        async with streams() as open_page:
            pages = [await open_page(customer) for customer in people]
            rows = [(customer.pk, Decimal(1), 1) for customer in people]
            ranks.write_ranks(brand_id=7, rows=rows)
            for page in pages:
                assert await page.hears(1) == []

    run(scenario)


def test_a_stream_repeats_itself_so_that_a_page_notices_when_it_is_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "BEAT_SECONDS", 0.05)

    async def scenario() -> None:
        async with streams() as open_page:
            page = await open_page()
            write(ANN, 1)
            await page.hears(1)
            assert [await page.said.get() for _beat in range(3)] == [1, 1, 1]

    run(scenario)


def test_a_stream_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(live, "STREAM_SECONDS", 0.1)

    async def scenario() -> None:
        async with streams() as open_page:
            page = await open_page()
            await page.hears(None)
            await page.running

    run(scenario)


def test_nobody_is_listened_for_who_looks_no_more() -> None:
    channel = ranks.channel_of(brand_id=7, customer_id=1)

    def listeners() -> int:
        [(_name, count)] = ranks.redis_client().pubsub_numsub(channel)
        return int(count)

    async def scenario() -> None:
        async with streams() as open_page:
            one, another = await open_page(), await open_page()
            write(ANN, 1)
            await another.hears(1)
            await one.goes()
            assert listeners() == 1
            await another.goes()
            while listeners():
                await asyncio.sleep(0.01)
            # And again, at once.
            again = await open_page()
            write(ANN, 2)
            await again.hears(2)

    run(scenario)


# Limits


def test_a_full_process_sends_further_pages_away_for_a_while() -> None:
    async def scenario() -> None:
        async with streams(most=2) as open_page:
            one, _other = await open_page(), await open_page(BOB)
            refused = await open_page()
            assert refused.status == 503
            assert int(refused.headers[b"retry-after"]) > 0
            await one.goes()
            assert (await open_page()).status == 200

    run(scenario)


def test_one_customer_holds_so_many_streams_and_no_more() -> None:
    async def scenario() -> None:
        async with streams() as open_page:
            for _page in range(live.MOST_OF_ONE_CUSTOMER):
                assert (await open_page()).status == 200
            assert (await open_page()).status == 429
            assert (await open_page(BOB)).status == 200

    run(scenario)


# Redis goes away


def test_after_a_restart_of_redis_pages_hear_again(valkey: Valkey) -> None:
    async def scenario() -> None:
        async with streams(url=valkey.url) as open_page:
            page = await open_page()
            write(ANN, 1)
            await page.hears(1)
            os.kill(int(valkey.pid_file.read_text()), signal.SIGKILL)
            late = await open_page(BOB)
            while True:
                try:
                    write(ANN, 2)
                    write(BOB, 2)
                    break
                except redis.RedisError:
                    await asyncio.sleep(0.02)
            # The first write after a restart may come before anybody listens, and is read then.
            await page.hears(2)
            await late.hears(2)

    run(scenario)


def test_what_was_written_while_nobody_listened_is_read(valkey: Valkey) -> None:
    async def scenario() -> None:
        async with streams(url=valkey.url) as open_page:
            page = await open_page()
            write(ANN, 1)
            await page.hears(1)
            ranks.redis_client().client_kill_filter(_type="pubsub")
            write(ANN, 2)
            await page.hears(2)

    run(scenario)


# Who publishes


@contextmanager
def listening(customer: Customer) -> Iterator[Callable[[], list[int]]]:
    """Gives a function that returns what was published for a customer since."""
    pubsub: PubSub
    with ranks.redis_client().pubsub() as pubsub:  # type: ignore[no-untyped-call]
        channel = ranks.channel_of(brand_id=customer.brand_id, customer_id=customer.pk)
        pubsub.subscribe(channel)
        assert pubsub.get_message(timeout=PATIENCE)

        def heard() -> list[int]:
            pubsub.ping()
            found: list[int] = []
            while (message := pubsub.get_message(timeout=PATIENCE))["type"] != "pong":
                found.append(int(message["data"]))
            return found

        yield heard


def test_a_score_is_published_once_and_an_older_one_never() -> None:
    with listening(ANN) as heard:
        write(ANN, 2)
        write(ANN, 1)
        write(ANN, 2)
        write(BOB, 9)
        assert heard() == [2]


def test_scoring_publishes_what_it_wrote(
    customer: Person, django_capture_on_commit_callbacks: Any
) -> None:
    assert customer.customer
    with listening(customer.customer) as heard:
        with django_capture_on_commit_callbacks(execute=True):
            record(customer.customer, ("check_in", MONDAY))
        assert heard() == [1]


# What a page says of itself


def live_of(client: Client, **headers: str) -> SimpleNamespace:
    """What the Score page tells its script."""
    page = client.get("/b/foxglove/score", headers=headers).content.decode()
    script = re.search(r'<script type="module" id="live"[^>]*>', page)
    assert script
    return SimpleNamespace(**dict(re.findall(r'data-(\w+)="([^"]*)"', script[0])))


def test_a_page_carries_a_ticket_and_the_revision_that_it_shows(customer: Person) -> None:
    assert customer.customer
    page = live_of(customer.client())
    assert read_ticket(page.ticket) == (customer.brand.pk, customer.customer.pk)
    assert page.revision == "0"
    record(customer.customer, ("check_in", MONDAY))
    assert live_of(customer.client()).revision == "1"


def test_a_page_that_fetches_itself_gets_one_sentence(customer: Person) -> None:
    assert customer.customer
    client = customer.client()
    before = live_of(client)
    assert before.news == ""
    record(customer.customer, ("check_in", MONDAY))
    assert live_of(client, laurel_shown=before.score).news.startswith("Your score is now ")
    assert live_of(client, laurel_shown="nonsense").news == ""


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("174.6", "187.2", "Your score is now 187, up 12."),
        ("187.2", "186.4", "Your score is now 186, down 1."),
        ("187.2", "186.6", "Counted: your score is still 187."),
        ("0", "1000", "Your score is now 1,000, up 1,000."),
    ],
)
def test_the_sentence_adds_up_with_what_was_seen(before: str, after: str, sentence: str) -> None:
    assert tell_news(Decimal(before), Decimal(after)) == sentence


def test_what_the_next_page_is_to_say_is_left_for_it(customer: Person) -> None:
    client = customer.client()
    client.post("/b/foxglove/board", {"do": "join", "pseudonym": "Brave Otter"})
    live_of(client, laurel_shown="0.000")
    assert b'class="said"' in client.get("/b/foxglove/me").content


def test_who_cannot_hold_a_stream_asks(customer: Person, stranger: Person) -> None:
    assert customer.customer
    record(customer.customer, ("check_in", MONDAY))
    answer = customer.client().get("/b/foxglove/live/state")
    assert answer.json()["revision"] == 1
    assert read_ticket(answer.json()["ticket"]) == (customer.brand.pk, customer.customer.pk)
    assert "no-cache" in answer["Cache-Control"]
    for client in (stranger.client(), Client()):
        assert client.get("/b/foxglove/live/state").status_code == 302


def test_without_a_server_for_streams_their_address_says_nothing(customer: Person) -> None:
    assert customer.client().get("/live").status_code == 204
