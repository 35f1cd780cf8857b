"""Scoring by itself: a real Celery worker in a process of its own, the doorbell, the sweep and the roll of the day."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from threading import Barrier
from urllib.parse import urlsplit

import pytest
import time_machine
from django.conf import LazySettings, settings
from django.db import connection

from accounts.models import Identifier
from loyalty import embedded, tasks
from scoring import ranks
from scoring.actions import Outcome, parse_record, record_actions
from scoring.models import Amendment, Due, Posting, Score
from scoring.queries import score_on
from scoring.ranks import Rank, get_rank, keys_of
from scoring.run import is_due, score_due
from tests.scoring.world import ANN, Json, World, action, correction, rule, void, without_redis

# Long past by every clock: the worker's own is the real one.
AT = "2020-02-03 10:00"
SPEND = rule("earn", rate=1)
PATIENCE = 30


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE} seconds for {what}"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def worker(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker as production has it, on the database and the Redis database of this process."""
    name = connection.settings_dict["NAME"]
    environment = os.environ | {
        "DATABASE_URL": urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl(),
        "REDIS_URL": settings.REDIS_URL,
        "LAUREL_REDIS_PREFIX": settings.LAUREL_REDIS_PREFIX,
    }
    log = tmp_path_factory.mktemp("worker") / "log"
    command = [
        *(sys.executable, "-m", "celery", "-q", "-A", "loyalty.celery", "worker"),
        *("--pool", "prefork", "--concurrency", "1", "--loglevel", "WARNING"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=embedded.TREE, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=PATIENCE)
        finally:
            process.kill()


@pytest.fixture
def world(committing: None) -> World:
    world = World(SPEND)
    # That its rules were published has rung.
    ranks.redis_client().flushdb()
    return world


def messages() -> int:
    """How many doorbells lie in the queue."""
    return int(ranks.redis_client().llen(f"{settings.LAUREL_REDIS_PREFIX}celery:celery"))


def bell(world: World) -> str:
    return f"{settings.LAUREL_REDIS_PREFIX}bell:{world.brand.pk}"


def wait_until_quiet(world: World) -> None:
    """Until the worker has heard the bell, and has done what it was rung for."""
    redis = ranks.redis_client()
    unacked = f"{settings.LAUREL_REDIS_PREFIX}celery:unacked"
    wait_until(lambda: not redis.exists(bell(world)), "the bell to be heard")
    wait_until(lambda: not messages() and not redis.hlen(unacked), "the worker to be done")


@pytest.fixture
def live_world(committing: None, worker: subprocess.Popen[bytes]) -> Iterator[World]:
    """The same, with a worker who scores by itself."""
    world = World(SPEND)
    wait_until_quiet(world)
    yield world
    wait_until_quiet(world)


def bring(world: World, *records: Json) -> list[Outcome]:
    """Records at the door, and nobody scores them here."""
    rows = [parse_record(record) for record in records]
    return record_actions(brand=world.brand, rows=rows, now=world.now)


def points_of(world: World, identifier: str = ANN) -> int:
    scheme, _colon, value = identifier.partition(":")
    found = Identifier.objects.filter(brand=world.brand, scheme=scheme, value=value).first()
    score = found and Score.objects.filter(customer=found.customer_id).first()
    return score.points if score else 0


# The doorbell


def test_one_message_stands_for_all_until_it_is_heard(world: World) -> None:
    for n in range(5):
        bring(world, action((f"a{n}", AT, 1)))
    assert messages() == 1
    tasks.score_due(brand_id=world.brand.pk)
    assert points_of(world) == 5
    bring(world, action(("late", AT, 1)))
    assert messages() == 2


def test_nothing_that_was_refused_rings(world: World) -> None:
    bring(world, action(("a", AT, -1)))
    assert messages() == 0


def test_without_redis_an_action_is_taken_all_the_same(
    world: World, settings: LazySettings, caplog: pytest.LogCaptureFixture
) -> None:
    with without_redis(settings):
        [outcome] = bring(world, action(("a", AT, 100)))
        assert outcome.status == "accepted"
        assert "doorbell is out of order" in caplog.text
        while score_due(brand=world.brand, now=world.now):
            pass
        assert points_of(world) == 100
        assert get_rank(brand=world.brand, score=Decimal(0)).of == 1
    assert ranks.redis_client().zcard(keys_of(world.brand.pk)[0]) == 0
    tasks.sweep()
    assert ranks.redis_client().zcard(keys_of(world.brand.pk)[0]) == 1


# The sweep


def test_the_sweep_joins_amendments_that_waited(world: World) -> None:
    bring(world, void("v", "a"))
    bring(world, action(("a", AT, 100)), action(("b", AT, 1)))
    # As if both had arrived in the same instant, unseen by each other.
    Amendment.objects.update(action=None, identifier=None)
    tasks.sweep()
    tasks.score_due(brand_id=world.brand.pk)
    assert points_of(world) == 1


def test_the_sweep_rebuilds_ranks_that_are_gone(world: World) -> None:
    world.record(("a", AT, 100), action(("b", AT, 40), identifier="card:1"))
    ranks.redis_client().flushdb()
    tasks.sweep()
    assert ranks.redis_client().exists(*keys_of(world.brand.pk)) == 3
    stored = world.stored().score
    assert get_rank(brand=world.brand, score=stored) == Rank(rank=1, of=2, shared=False)


def test_the_sweep_rings_only_for_brands_with_somebody_due(world: World) -> None:
    World(SPEND, slug="other")
    ranks.redis_client().flushdb()
    tasks.sweep()
    assert messages() == 0
    bring(world, action(("a", AT, 1)))
    assert messages() == 1
    for _turn in range(3):
        tasks.sweep()
    tasks.score_due(brand_id=world.brand.pk)
    assert not Due.objects.exists()


# Two workers


def test_two_workers_never_score_the_same_customer_twice(world: World) -> None:
    records = [action((f"a{n}", AT, 1), identifier=f"card:{n}") for n in range(40)]
    bring(world, *records)
    gate = Barrier(2)

    def work(_number: int) -> None:
        gate.wait(timeout=PATIENCE)
        tasks.score_due(brand_id=world.brand.pk)
        connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    assert not is_due(brand=world.brand)
    assert Posting.objects.count() == 40
    assert set(Score.objects.values_list("revision", flat=True)) == {1}
    world.verify()


# The roll of the day

# A zone, and a night in it on which the clocks do something.
NIGHTS = [
    ("UTC", "2026-11-23"),
    ("Europe/London", "2026-03-29"),  # 23 hours
    ("Europe/London", "2026-10-25"),  # 25 hours
    ("America/Santiago", "2026-09-06"),  # begins at 01:00
    ("America/Havana", "2026-11-01"),  # midnight comes twice
    ("Australia/Lord_Howe", "2026-10-04"),  # half an hour
]


@pytest.mark.django_db
@pytest.mark.parametrize("times", [0, 1, 2, 5])
@pytest.mark.parametrize(("zone", "day"), NIGHTS)
def test_each_day_begins_once_however_often_it_is_rolled(zone: str, day: str, times: int) -> None:
    """Rolled so many times on the odd day, and once on the next: the same score, written as often as days began."""
    odd = date.fromisoformat(day)
    noon = datetime(odd.year, odd.month, odd.day, 12, tzinfo=UTC)
    world = World(
        SPEND, zone=zone, now=noon - timedelta(days=1), shapes={"purchases": {"half_life_days": 8}}
    )
    before = (odd - timedelta(days=4)).isoformat()
    world.record(("a", f"{before} 12:00", 100))
    revision = world.stored().revision
    for turn in range(times):
        with time_machine.travel(noon + timedelta(minutes=turn), tick=False):
            tasks.roll()
    stored = world.stored()
    assert stored.revision == revision + (1 if times else 0)
    if times:
        assert stored.scored_on == noon.astimezone(world.brand.zone).date()
    with time_machine.travel(noon + timedelta(days=1), tick=False):
        tasks.roll()
    stored = world.stored()
    assert stored.scored_on == (noon + timedelta(days=1)).astimezone(world.brand.zone).date()
    assert stored.score == score_on(customer=world.customer(), on=stored.scored_on)
    assert len(world.postings()) == 1
    world.verify()


@pytest.mark.django_db
@pytest.mark.parametrize(("zone", "day"), NIGHTS)
def test_rolled_every_quarter_of_an_hour_a_day_begins_at_its_first_moment(
    zone: str, day: str
) -> None:
    odd = date.fromisoformat(day)
    start = datetime(odd.year, odd.month, odd.day, tzinfo=UTC) - timedelta(hours=16)
    world = World(SPEND, zone=zone, now=start)
    world.record(("a", (start - timedelta(days=2)).isoformat(), 100))
    seen = [world.stored().scored_on]
    for quarter in range(4 * 36):
        at = start + timedelta(minutes=15 * quarter)
        with time_machine.travel(at, tick=False):
            tasks.roll()
        on = world.stored().scored_on
        if on != seen[-1]:
            local = at.astimezone(world.brand.zone)
            earlier = (at - timedelta(minutes=15)).astimezone(world.brand.zone)
            assert (earlier.date(), local.date()) == (seen[-1], on)
            seen.append(on)
    assert odd in seen
    assert all(after == before + timedelta(days=1) for before, after in pairwise(seen))


# The worker. These come last: it takes every message from here on.


def test_an_action_is_in_score_and_rank_by_itself(live_world: World) -> None:
    world = live_world
    bring(world, action(("a", AT, 100)), action(("b", AT, 40), identifier="card:1"))
    wait_until(lambda: not is_due(brand=world.brand), "the worker")
    wait_until(lambda: points_of(world) == 100, "the score")
    scores = keys_of(world.brand.pk)[0]
    wait_until(lambda: ranks.redis_client().zcard(scores) == 2, "the ranks")
    world.verify()


def test_what_comes_later_is_in_it_too(live_world: World) -> None:
    """Each arrives while the one before may still be in work."""
    world = live_world
    for n in range(10):
        bring(world, action((f"a{n}", AT, 10)))
    wait_until(lambda: points_of(world) == 100, "all ten")
    bring(world, void("v", "a0"), correction("c", "a1", 4))
    wait_until(lambda: points_of(world) == 84, "the void and the correction")
    world.verify()


def test_a_lost_doorbell_is_made_good_by_the_sweep(live_world: World) -> None:
    world = live_world
    # Somebody rang, and the message was lost: nobody rings again until the bell is silent.
    ranks.redis_client().set(bell(world), 1)
    bring(world, action(("a", AT, 100)))
    assert messages() == 0
    assert is_due(brand=world.brand)
    tasks.sweep()
    wait_until(lambda: points_of(world) == 100, "the sweep's bell")
