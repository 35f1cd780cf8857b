"""Live pages: what an idle stream costs, how soon one is told among many, and how soon a page has changed."""

import asyncio
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import redis.asyncio
from django.conf import settings
from django.test import Client

from accounts.identity import join_brand
from accounts.models import Customer, User
from loyalty.live import BEAT_SECONDS, PACE_SECONDS, issue_ticket
from scoring import ranks
from scoring.run import score_all

from . import world
from .measure import Figure, Sizes, a_worker
from .rules import RULES, earn

# None of these exists: a stream asks nobody but Redis.
BRAND = 2_000_000_000
SINGLES = 100


@contextmanager
def a_web_process(application: str) -> Iterator[tuple[int, int]]:
    """uvicorn with an application, as ``manage.py up`` runs it; gives its process id and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", application, "--port", str(port)),
            *("--lifespan", "off", "--no-access-log", "--log-level", "warning"),
            *("--timeout-graceful-shutdown", "3"),
        ],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "loyalty.settings"},
    )
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(30)


def memory_of(pid: int) -> float:
    """What a process holds for itself, in kB."""
    found = re.findall(
        r"^Private_\w+: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE
    )
    return float(sum(map(int, found)))


def seconds_of(pid: int) -> float:
    """How long a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def open_stream(
    port: int, customer: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream that has said its first word."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ticket = issue_ticket(customer=Customer(pk=customer, brand_id=BRAND))
    writer.write(f"GET /live?ticket={ticket} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await reader.readuntil(b"data: ")
    return reader, writer


async def hear(reader: asyncio.StreamReader, revision: int) -> None:
    """Return once a stream has said it."""
    await reader.readuntil(b"data: %d\n" % revision)


def idle(application: str, streams: int, singles: int) -> tuple[float, float, list[float]]:
    """Memory of one of many idle streams in kB, computing in a second for all, and how soon one of them is told."""

    async def measure(pid: int, port: int) -> tuple[float, float, list[float]]:
        # What a process needs for the first few it needs once.
        warm = [await open_stream(port, customer) for customer in range(1, 51)]
        await asyncio.sleep(1)
        before = memory_of(pid)
        held = [await open_stream(port, customer) for customer in range(51, streams + 51)]
        await asyncio.sleep(2)
        each = (memory_of(pid) - before) / streams
        begun = seconds_of(pid)
        await asyncio.sleep(2 * BEAT_SECONDS)
        computing = (seconds_of(pid) - begun) / (2 * BEAT_SECONDS)
        told = []
        if application != "bench.bare:application":
            for turn in range(singles):
                customer = 51 + turn % streams
                revision = 1 + turn // streams
                begun = time.perf_counter()
                ranks.write_ranks(brand_id=BRAND, rows=[(customer, Decimal(1), revision)])
                await hear(held[turn % streams][0], revision)
                told.append(time.perf_counter() - begun)
                await asyncio.sleep(PACE_SECONDS)
        for _reader, writer in warm + held:
            writer.close()
        return each, computing, told

    with a_web_process(application) as (pid, port):
        return asyncio.run(measure(pid, port))


def published(singles: int) -> list[float]:
    """How long a message takes from PUBLISH to a bare subscriber in another connection."""

    async def measure() -> list[float]:
        took = []
        async with (
            redis.asyncio.Redis.from_url(settings.REDIS_URL) as client,
            client.pubsub() as pubsub,
        ):
            await pubsub.subscribe("bench")
            await pubsub.get_message(timeout=5)
            for _turn in range(singles):
                begun = time.perf_counter()
                ranks.redis_client().publish("bench", "1")
                while await pubsub.get_message(timeout=5) is None:
                    pass
                took.append(time.perf_counter() - begun)
        return took

    return asyncio.run(measure())


def p95(values: list[float]) -> float:
    """What one in twenty exceeds."""
    return sorted(values)[int(len(values) * 0.95)]


def a_reader(now: datetime) -> tuple[str, Any]:
    """A customer with a history, whose every use of the product counts; the brand's slug and the session's cookie."""
    rules = {**RULES, "rules": [*RULES["rules"], earn("used", "usage", points=15)]}
    brand = world.brand_with(slug="bench-live", rules=rules, now=now)
    user = User.objects.create_user("reader@example.org")
    customer = join_brand(brand=brand, user=user, now=now)
    others = world.add_customers(brand=brand, count=500, now=now)
    world.add_actions(
        brand=brand,
        customers=[customer.pk, *others],
        count=25_000,
        days=365,
        until=now,
        origin="bench",
    )
    score_all(brand=brand, now=now)
    ranks.catch_up(brand_id=brand.pk, now=now)
    world.settle()
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return brand.slug, client.cookies[settings.SESSION_COOKIE_NAME].value


def in_a_browser(changes: int) -> tuple[list[float], list[float]]:
    """From a form sent on one page to two other open pages having changed; and how long one of them takes to fetch."""
    from playwright.sync_api import Page, sync_playwright

    now = datetime.now(UTC) - timedelta(seconds=1)
    slug, session = a_reader(now)
    took: list[float] = []
    fetched: list[float] = []

    def watch(page: Page) -> None:
        page.evaluate(
            """() => {
                const status = document.getElementById("status");
                window.changed = new Promise((resolve) => {
                    new MutationObserver((_, observer) => { observer.disconnect(); resolve(Date.now()); })
                        .observe(status, { childList: true });
                });
            }"""
        )

    with (
        a_worker(),
        a_web_process("loyalty.asgi:application") as (_pid, port),
        sync_playwright() as play,
    ):
        url = f"http://localhost:{port}"
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        phone = browser.new_context(viewport={"width": 390, "height": 844})
        phone.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": url}])
        form = phone.new_page()
        open_pages = [phone.new_page(), phone.new_page()]
        for page, path in zip(open_pages, ("score", "activity"), strict=True):
            page.goto(f"{url}/b/{slug}/{path}")
        for turn in range(changes + 5):
            form.goto(f"{url}/b/{slug}/usage")
            for page in open_pages:
                watch(page)
            # So that this is not held back for the sake of the change before.
            time.sleep(1)
            begun = time.time()
            form.locator("main form button[type=submit]").click(no_wait_after=True)
            ends = [page.evaluate("window.changed") / 1000 for page in open_pages]
            form.wait_for_url("**/result")
            fetch = """async () => {
                const begun = performance.now();
                await (await fetch(location.href, { cache: "no-store" })).text();
                return performance.now() - begun;
            }"""
            if turn >= 5:
                took.append(max(ends) - begun)
                fetched.append(open_pages[0].evaluate(fetch) / 1000)
        browser.close()
    return took, fetched


def live(sizes: Sizes) -> Iterator[Figure]:
    """Live pages."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, sizes.streams + 200)), hard))
    bare, bare_computing, _told = idle("bench.bare:application", sizes.streams, 0)
    each, computing, told = idle("loyalty.asgi:application", sizes.streams, SINGLES)
    name = f"{sizes.streams:,} idle streams in one process"
    yield Figure(
        f"{name}, memory of each",
        "as many bare ASGI streams in the same server",
        "kB",
        each,
        bare,
        "at most 1.5",
        f"a beat every {BEAT_SECONDS} s; computing: {100 * computing:.1f} % of a core, bare {100 * bare_computing:.1f} %",
    )
    yield Figure(
        f"one of {sizes.streams:,} streams is told of a written score, p95",
        "from PUBLISH to a bare subscriber, p95",
        "ms",
        1000 * p95(told),
        1000 * p95(published(SINGLES)),
        "not set",
        f"{len(told)} times; median {1000 * statistics.median(told):.1f} ms",
    )
    took, fetched = in_a_browser(sizes.changes)
    yield Figure(
        "an action, from its form sent to two other open pages changed, p95",
        "the Score page fetched by the same browser, p95",
        "ms",
        1000 * p95(took),
        1000 * p95(fetched),
        "at most 2,000 ms",
        f"{len(took)} actions, Chromium, real worker; median {1000 * statistics.median(took):.0f} ms, "
        f"longest {1000 * max(took):.0f} ms",
    )
