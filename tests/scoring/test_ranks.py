"""Ranks, on a real Valkey that is thrown away, missed and emptied."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
import redis
from django.conf import LazySettings

from accounts.models import Brand, Customer
from scoring import ranks
from scoring.models import RuleSet, Score
from scoring.ranks import Rank, catch_up, get_rank, keys_of, write_ranks

from .world import NOW, brand_with, without_redis

pytestmark = pytest.mark.django_db


def ranked(brand: Brand, *scores: str) -> list[Score]:
    """Scores of new customers, as scoring would have written them an hour ago."""
    rule_set, _is_new = RuleSet.objects.get_or_create(brand=brand, defaults={"sources": {}})
    return [
        Score.objects.create(
            customer=Customer.objects.create(brand=brand),
            brand=brand,
            rule_set=rule_set,
            score=Decimal(score),
            sub_scores=[0.0] * 6,
            source_points=[0] * 6,
            scored_on=NOW.date(),
            scored_at=NOW - timedelta(hours=1),
            revision=1,
        )
        for score in scores
    ]


@pytest.fixture
def brand(db: None) -> Iterator[Brand]:
    brand = brand_with()
    yield brand
    ranks.redis_client().delete(*keys_of(brand.pk))


def of(brand: Brand, *scores: str) -> list[tuple[int, bool]]:
    found = [get_rank(brand=brand, score=Decimal(score)) for score in scores]
    return [(one.rank, one.shared) for one in found]


SCORES = ("900", "700.5", "700.5", "700.499", "0", "0")


@pytest.mark.parametrize("is_rebuilt", [True, False], ids=["from Redis", "from PostgreSQL"])
def test_equal_scores_share_a_rank_and_the_next_is_as_many_lower(
    brand: Brand, is_rebuilt: bool
) -> None:
    ranked(brand, *SCORES)
    if is_rebuilt:
        assert catch_up(brand_id=brand.pk, now=NOW) == 6
    assert of(brand, *SCORES) == [
        (1, False),
        (2, True),
        (2, True),
        (4, False),
        (5, True),
        (5, True),
    ]
    assert get_rank(brand=brand, score=Decimal("700.499")) == Rank(rank=4, of=6, shared=False)
    assert of(brand, "1000", "800", "0.001") == [(1, False), (2, False), (5, False)]


def test_while_redis_is_away_postgresql_gives_the_same_answer(
    brand: Brand, settings: LazySettings
) -> None:
    ranked(brand, *SCORES)
    catch_up(brand_id=brand.pk, now=NOW)
    before = of(brand, *SCORES)
    with without_redis(settings):
        assert of(brand, *SCORES) == before
        with pytest.raises(redis.RedisError):
            write_ranks(brand_id=brand.pk, rows=[(1, Decimal(1), 1)])


def test_a_set_that_is_not_complete_is_not_asked(brand: Brand) -> None:
    """Redis came back empty, and a worker has written one score since."""
    first, *_others = ranked(brand, "100", "200", "300")
    write_ranks(brand_id=brand.pk, rows=[(first.pk, first.score, 1)])
    assert get_rank(brand=brand, score=Decimal(100)) == Rank(rank=3, of=3, shared=False)


def test_an_older_revision_loses(brand: Brand) -> None:
    [one] = ranked(brand, "100")
    catch_up(brand_id=brand.pk, now=NOW)
    write_ranks(brand_id=brand.pk, rows=[(one.pk, Decimal(300), 3)])
    write_ranks(brand_id=brand.pk, rows=[(one.pk, Decimal(200), 2), (one.pk, Decimal(250), 3)])
    assert of(brand, "299", "300") == [(2, False), (1, False)]
    assert get_rank(brand=brand, score=Decimal(300)).of == 1


def test_what_was_lost_is_rebuilt(brand: Brand) -> None:
    ranked(brand, *SCORES)
    catch_up(brand_id=brand.pk, now=NOW)
    before = of(brand, *SCORES)
    ranks.redis_client().flushdb()
    assert of(brand, *SCORES) == before
    assert catch_up(brand_id=brand.pk, now=NOW) == 6
    assert ranks.redis_client().zcard(keys_of(brand.pk)[0]) == 6
    assert of(brand, *SCORES) == before


def test_a_rebuilt_set_holds_nobody_who_is_gone(brand: Brand) -> None:
    ranked(brand, "100")
    write_ranks(brand_id=brand.pk, rows=[(10**9, Decimal(500), 1)])
    catch_up(brand_id=brand.pk, now=NOW)
    assert get_rank(brand=brand, score=Decimal(100)) == Rank(rank=1, of=1, shared=False)


def test_what_redis_missed_is_brought_in(brand: Brand) -> None:
    one, _other = ranked(brand, "100", "200")
    catch_up(brand_id=brand.pk, now=NOW)
    # A worker commits while Redis is away.
    Score.objects.filter(pk=one.pk).update(
        score=300, revision=2, scored_at=NOW + timedelta(minutes=5)
    )
    assert of(brand, "300") == [(1, False)]
    assert get_rank(brand=brand, score=Decimal(200)).rank == 1
    assert catch_up(brand_id=brand.pk, now=NOW + timedelta(minutes=6)) == 1
    assert get_rank(brand=brand, score=Decimal(200)).rank == 2


def test_catching_up_may_run_as_often_as_one_likes(brand: Brand) -> None:
    ranked(brand, *SCORES)
    for minutes in (0, 0, 1, 10, 10):
        catch_up(brand_id=brand.pk, now=NOW + timedelta(minutes=minutes))
        assert of(brand, *SCORES[:2]) == [(1, False), (2, True)]


def test_a_rebuild_that_died_is_done_again_by_another(brand: Brand) -> None:
    ranked(brand, "100", "200")
    _scores, _revisions, complete = keys_of(brand.pk)
    ranks.redis_client().set(f"{complete}:rebuilding", 1, ex=120)
    assert catch_up(brand_id=brand.pk, now=NOW) == 0
    assert of(brand, "100") == [(2, False)]
    ranks.redis_client().delete(f"{complete}:rebuilding")
    assert catch_up(brand_id=brand.pk, now=NOW) == 2


def test_brands_are_ranked_apart(brand: Brand) -> None:
    other = brand_with(slug="other")
    ranked(brand, "100")
    ranked(other, "500", "400")
    catch_up(brand_id=brand.pk, now=NOW)
    catch_up(brand_id=other.pk, now=NOW)
    assert get_rank(brand=brand, score=Decimal(100)) == Rank(rank=1, of=1, shared=False)
    assert get_rank(brand=other, score=Decimal(400)) == Rank(rank=2, of=2, shared=False)
    ranks.redis_client().delete(*keys_of(other.pk))
