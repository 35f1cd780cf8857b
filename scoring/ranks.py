"""Ranks: one Redis sorted set per brand, which can be thrown away and is rebuilt from PostgreSQL.

Scores stand in it as whole thousandths; who has paused is not in it. Beside the set stands, per customer, the revision
that was written, so that two workers who finish in the other order than they began leave the newer score; and the
moment up to which the set is known to be complete. Where that is missing, PostgreSQL answers.

A revision that is written is also published, on a channel of that customer's own. Nobody need listen.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any

import redis
from django.conf import settings
from django.db.models import Case, Count, F, Q, When

from accounts.models import Brand

from .models import Score

# How long a transaction that writes scores may take from its first write to its end.
MARGIN = timedelta(minutes=2)
BATCH = 2000
# A rebuild that died holds others up no longer than this.
REBUILD_SECONDS = 120

Row = tuple[int, Decimal | None, int]
# What stands for the score of somebody who has none.
NO_SCORE = -1
# No score is ever written as often; as large as Redis and browsers count exactly.
LAST_REVISION = 2**53 - 1

_WRITE = """
for i = 1, #ARGV, 3 do
    local known = redis.call('HGET', KEYS[2], ARGV[i])
    if not known or tonumber(known) < tonumber(ARGV[i + 2]) then
        redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 2])
        if ARGV[i + 1] == '-1' then
            redis.call('ZREM', KEYS[1], ARGV[i])
        else
            redis.call('ZADD', KEYS[1], ARGV[i + 1], ARGV[i])
        end
        redis.call('PUBLISH', KEYS[2] .. ':' .. ARGV[i], ARGV[i + 2])
    end
end
return 0
"""
_RANK = """
if redis.call('EXISTS', KEYS[2]) == 0 then return nil end
return {
    redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[1], '+inf'),
    redis.call('ZCOUNT', KEYS[1], ARGV[1], ARGV[1]),
    redis.call('ZCARD', KEYS[1]),
}
"""


@dataclass(frozen=True, slots=True)
class Rank:
    """Competition rank: one more than the customers with a higher score; equal scores share it."""

    rank: int
    of: int
    shared: bool


@lru_cache(maxsize=1)
def redis_client() -> redis.Redis:
    """The client of this process; fails within a second where Redis is away."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1)


def _run(script: str, keys: Sequence[str], arguments: Sequence[int]) -> Any:
    """Run a script that the server usually knows already."""
    client = redis_client()
    try:
        return client.evalsha(_sha(script), len(keys), *keys, *arguments)
    except redis.exceptions.NoScriptError:
        return client.eval(script, len(keys), *keys, *arguments)


@lru_cache(maxsize=2)
def _sha(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def keys_of(brand_id: int) -> tuple[str, str, str]:
    """The Redis keys of a brand: its scores, their revisions, and until when both are complete."""
    stem = f"{settings.LAUREL_REDIS_PREFIX}ranks:{brand_id}"
    return f"{stem}:scores", f"{stem}:revisions", f"{stem}:complete"


def channel_of(*, brand_id: int, customer_id: int) -> str:
    """The channel on which a customer's revisions are published, once their scores and ranks are written."""
    return f"{keys_of(brand_id)[1]}:{customer_id}"


def _thousandths(score: Decimal | None) -> int:
    return NO_SCORE if score is None else int(score * 1000)


def get_rank(*, brand: Brand, score: Decimal) -> Rank:
    """Where a score stands among all customers of the brand.

    From Redis in one round trip; from PostgreSQL while Redis is away or not yet rebuilt.
    """
    scores, _revisions, complete = keys_of(brand.pk)
    try:
        found = _run(_RANK, [scores, complete], [_thousandths(score)])
    except redis.RedisError:
        found = None
    if found is not None:
        return Rank(rank=1 + found[0], shared=found[1] > 1, of=found[2])
    counts = Score.objects.filter(brand=brand, rule_set__isnull=False).aggregate(
        higher=Count("pk", filter=Q(score__gt=score)),
        equal=Count("pk", filter=Q(score=score)),
        of=Count("pk"),
    )
    return Rank(rank=1 + counts["higher"], shared=counts["equal"] > 1, of=counts["of"])


def write_ranks(*, brand_id: int, rows: Iterable[Row]) -> None:
    """Write (customer, score, revision); an older revision than the written one changes nothing. No score: no rank.

    Raises redis.RedisError where Redis is away; ``catch_up`` then brings it in later.
    """
    scores, revisions, _complete = keys_of(brand_id)
    for batch in _batches(rows):
        arguments = [
            cell
            for customer, score, revision in batch
            for cell in (customer, _thousandths(score), revision)
        ]
        _run(_WRITE, [scores, revisions], arguments)


def catch_up(*, brand_id: int, now: datetime) -> int:
    """Write what a worker that died, or a Redis that was away, left out; rebuild a set that is gone.

    Returns how many scores were written. May run at any time and from several processes at once.
    """
    scores, revisions, complete = keys_of(brand_id)
    client = redis_client()
    known = client.get(complete)
    rows = Score.objects.filter(brand=brand_id)
    if known is None:
        # One rebuilds at a time: another would empty what this one has said is complete.
        if not client.set(f"{complete}:rebuilding", 1, nx=True, ex=REBUILD_SECONDS):
            return 0
        client.delete(scores, revisions)
    else:
        until = known.decode() if isinstance(known, bytes) else known
        rows = rows.filter(scored_at__gte=datetime.fromisoformat(until) - MARGIN)
    count = 0
    for batch in _batches(
        rows.annotate(ranked=Case(When(rule_set__isnull=False, then=F("score"))))
        .values_list("customer_id", "ranked", "revision")
        .iterator(chunk_size=BATCH)
    ):
        write_ranks(brand_id=brand_id, rows=batch)
        count += len(batch)
    client.set(complete, now.isoformat())
    if known is None:
        client.delete(f"{complete}:rebuilding")
    return count


def forget_rank(*, brand_id: int, customer_id: int) -> None:
    """Take a customer who is erased out of the ranks. Raises redis.RedisError where Redis is away.

    The last of all revisions stays: whatever a worker that is late still writes is older.
    """
    write_ranks(brand_id=brand_id, rows=[(customer_id, None, LAST_REVISION)])


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while batch := list(islice(left, BATCH)):
        yield batch
