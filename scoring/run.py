"""Scoring: compute the awards that should hold, compare with the ledger, post the difference, write scores.

``score_due`` is what a worker calls; ``score_all`` recomputes everyone. Both run the same statement
and may run any number of times: the second finds no difference.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.db import transaction
from psycopg import sql

from accounts.models import Brand

from .badges import Change, award_badges
from .chunks import CHUNK_MEMORY, Progress, in_chunks
from .compiler import CompiledRules, compile_rules
from .documents import RuleSetDocument, SourceShape, parse_rule_set
from .models import Due, Posting, RuleKey, RuleSet, Score, Source
from .publication import document_of
from .ranks import write_ranks
from .shape import FADED, SUB_SCORE, shape_values
from .statements import brand_time, execute, set_locally

BATCH = 1000
FEW = 10
DAY_CHUNK = 5000


@dataclass(frozen=True, slots=True)
class Scored:
    """A customer whose score was written: what pages, ranks and webhooks are told. None: it is paused."""

    customer_id: int
    score: Decimal | None
    revision: int


# What a customer's two checksums grow by, and the sources in which points were posted, one bit each.
Posted = tuple[Decimal, Decimal, int]


@dataclass(frozen=True, slots=True)
class Rules:
    """A published rule set made ready to run; texts are kept, since a version never changes."""

    rule_set_id: int
    document: RuleSetDocument
    scoped: str
    full: str
    check: str
    write: str


@lru_cache(maxsize=64)
def _ready(rule_set_id: int) -> Rules:
    rule_set = RuleSet.objects.select_related("brand").get(pk=rule_set_id)
    document = parse_rule_set(document_of(rule_set), brand=rule_set.brand)
    rule_ids = dict(RuleKey.objects.filter(brand=rule_set.brand).values_list("key", "id"))
    whole = compile_rules(document, rule_ids=rule_ids)
    return Rules(
        rule_set_id,
        document,
        scoped=_text(post_scoped(compile_rules(document, rule_ids=rule_ids, scoped=True))),
        full=_text(post_full(whole)),
        check=_text(check(whole)),
        write=_text(write_scores(document.sources)),
    )


def _text(statement: sql.Composable) -> str:
    return statement.as_string(None)


def _in_force(brand_id: int) -> tuple[Brand, Rules] | None:
    """The brand as scoring needs it (its key and time zone), and its rules, as they are at this moment."""
    rows = execute(_IN_FORCE, {"brand": brand_id})
    if not rows:
        return None
    rule_set_id, time_zone = rows[0]
    return Brand(pk=brand_id, time_zone=time_zone), _ready(rule_set_id)


def score_due(*, brand: Brand, now: datetime, limit: int = BATCH) -> list[Scored]:
    """Claim up to ``limit`` customers that are due, score them, and return what was written.

    Several callers at once claim different customers. Call until ``is_due`` is False.
    """
    with transaction.atomic():
        # What is not fenced to an index joins by hash; the planner would guess one row, and try each.
        set_locally(enable_nestloop="off")
        marks = execute(_CLAIM, {"brand": brand.pk, "limit": limit})
        # Read after the claim: who published these marks published their rules, or the brand's time zone, before.
        in_force = _in_force(brand.pk) if marks else None
        if in_force is None:
            return []
        brand, rules = in_force
        scoped = [mark for mark in marks if mark[1] is not None]
        everything = [mark for mark in marks if mark[1] is None]
        with _scoring(brand, customers=len(marks)):
            posted = _post(rules.scoped, scoped, rules, now)
            set_locally(enable_nestloop="on")
            posted |= _post(rules.full, everything, rules, now)
            written = _write(brand, rules, [mark[0] for mark in marks], posted, now)
            changes = [_change(mark, posted) for mark in marks]
            award_badges(brand=brand, rule_set_id=rules.rule_set_id, changes=changes, now=now)
            return written


def is_due(*, brand: Brand) -> bool:
    """Whether anybody of the brand waits to be scored."""
    return Due.objects.filter(brand=brand).exists()


def score_day(*, brand: Brand, now: datetime, progress: Progress | None = None) -> int:
    """Begin the brand's local day: write the scores that are of an earlier day anew.

    No award moves with the day, only what is left of each. Idempotent per local date, and right whatever the clocks
    did: it asks for the date, not for midnight. Returns how many scores were written.
    """
    on = now.astimezone(brand.zone).date()
    done = 0
    total = Score.objects.filter(brand=brand, scored_on__lt=on).count()
    while True:
        with _scoring(brand, customers=DAY_CHUNK):
            in_force = _in_force(brand.pk)
            stale = [
                row[0] for row in execute(_STALE, {"brand": brand.pk, "on": on, "limit": DAY_CHUNK})
            ]
            if in_force is None or not stale:
                return done
            _write(brand, in_force[1], stale, {}, now)
        done += len(stale)
        if progress is not None:
            progress(done, total)


def score_all(
    *, brand: Brand, now: datetime, progress: Progress | None = None, workers: int = 1
) -> int:
    """Recompute every customer of a brand from nothing, in chunks; returns how many scores were written.

    Each chunk is a transaction of its own, so that a run that was stopped can begin again. ``progress`` is
    called with (done, of). ``workers`` chunks run at once, each on a connection of its own.
    """

    def one(chunk: list[int]) -> int:
        return len(score_customers(brand=brand, customers=chunk, now=now))

    return sum(in_chunks(brand=brand, work=one, workers=workers, progress=progress))


def score_customers(
    *, brand: Brand, customers: Sequence[int], now: datetime, why: str = Posting.Why.FACTS
) -> list[Scored]:
    """Score these customers from nothing, whether or not they are due.

    Only those whose awards do not add up to their checksums are compared with the ledger line by line. Erased ones are
    left as they are.
    """
    with _scoring(brand, customers=len(customers)):
        customers = [row[0] for row in execute(_LOCK, {"customers": list(customers)})]
        set_locally(work_mem=CHUNK_MEMORY)
        in_force = _in_force(brand.pk)
        if in_force is None:
            return []
        rules = in_force[1]
        checked = execute(
            rules.check,
            {
                "customers": list(customers),
                "rule_set": rules.rule_set_id,
                "on": now.astimezone(brand.zone).date(),
            },
        )
        marks: list[tuple[Any, ...]] = [
            (customer, None, None, str(why), []) for customer, differs in checked if differs
        ]
        posted = _post(rules.full, marks, rules, now)
        written = _write(brand, rules, [customer for customer, _differs in checked], posted, now)
        changes = [Change(customer, str(why)) for customer in customers]
        award_badges(brand=brand, rule_set_id=rules.rule_set_id, changes=changes, now=now)
        return written


@contextmanager
def _scoring(brand: Brand, *, customers: int) -> Iterator[None]:
    """A transaction in which to score so many customers.

    A crash may lose its last moments, but then its marks are back. Planning these statements takes ten times as long as
    scoring one customer, so for a few they are planned once; a plan made for a few takes for ever over many.
    """
    plans = "force_generic_plan" if customers <= FEW else "force_custom_plan"
    with brand_time(brand, synchronous_commit="off", plan_cache_mode=plans):
        yield


def _post(
    statement: str, marks: Sequence[tuple[Any, ...]], rules: Rules, now: datetime
) -> dict[int, Posted]:
    """Post the differences of marked customers (customer, since, until, why, kinds), whom the caller has locked.

    Returns what the checksums of those who had any grow by, and which of their sources moved.
    """
    if not marks:
        return {}
    rows = execute(
        statement,
        {
            "customers": [mark[0] for mark in marks],
            "since": [mark[1] for mark in marks],
            "until": [mark[2] for mark in marks],
            "whys": [mark[3] for mark in marks],
            "changed_customers": [mark[0] for mark in marks for _kind in mark[4] or []],
            "changed_kinds": [kind for mark in marks for kind in mark[4] or []],
            "rule_set": rules.rule_set_id,
            "now": now,
        },
    )
    return {customer: (a, b, moved) for customer, a, b, moved in rows}


def _change(mark: tuple[Any, ...], posted: Mapping[int, Posted]) -> Change:
    """What a claimed mark says, and what was posted by it, as badges are told."""
    customer, since, _until, why, kinds = mark
    moved = posted[customer][2] if customer in posted else 0
    return Change(customer, why, since, kinds, moved)


def _write(
    brand: Brand,
    rules: Rules,
    customers: Sequence[int],
    posted: dict[int, Posted],
    now: datetime,
) -> list[Scored]:
    if not customers:
        return []
    nothing: Posted = (Decimal(0), Decimal(0), 0)
    posts = [posted.get(customer, nothing) for customer in customers]
    written = execute(
        rules.write,
        {
            "brand": brand.pk,
            "customers": customers,
            "checksums_a": [post[0] for post in posts],
            "checksums_b": [post[1] for post in posts],
            "moved": [post[2] for post in posts],
            "rule_set": rules.rule_set_id,
            "on": now.astimezone(brand.zone).date(),
        },
    )

    def publish() -> None:
        write_ranks(brand_id=brand.pk, rows=written)

    # A Redis that is away is caught up with later; the scores stand.
    transaction.on_commit(publish, robust=True)
    return [Scored(*row) for row in written]


# Grain: the version in force. Raw, as all that a worker does for each batch.
_IN_FORCE = """
SELECT rule_set.id, brand.time_zone
FROM scoring_ruleset AS rule_set JOIN accounts_brand AS brand ON brand.id = rule_set.brand_id
WHERE rule_set.brand_id = %(brand)s AND rule_set.version IS NOT NULL
ORDER BY rule_set.version DESC LIMIT 1
"""
# Grain: one due customer who was not erased, with the days between which facts of these kinds changed (NULL: anything
# may have). Locks the customer, not the mark: intake adds marks without waiting, and nobody else scores the same
# customer. All that is looked up by index is fenced, as in scoring.facts: a table of marks is empty one moment and long
# the next, and no statistics of it are ever right. Index: due by brand, by identifier and by customer.
_CLAIM = """
WITH waiting AS (
    SELECT DISTINCT coalesce(due.customer_id, identifier.customer_id) AS customer_id
    FROM (
        SELECT * FROM scoring_due WHERE brand_id = %(brand)s ORDER BY id LIMIT 4 * %(limit)s
    ) AS due
    LEFT JOIN LATERAL (
        SELECT one.customer_id FROM accounts_identifier AS one WHERE one.id = due.identifier_id OFFSET 0
    ) AS identifier ON TRUE
),
claimed AS MATERIALIZED (
    SELECT customer.id, customer.erased_at
    FROM waiting CROSS JOIN LATERAL (
        SELECT one.id, one.erased_at FROM accounts_customer AS one WHERE one.id = waiting.customer_id
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS customer
    LIMIT %(limit)s
),
held AS MATERIALIZED (
    SELECT due.id, claimed.id AS customer_id, claimed.erased_at
    FROM claimed
    CROSS JOIN LATERAL (
        SELECT one.id FROM accounts_identifier AS one WHERE one.customer_id = claimed.id OFFSET 0
    ) AS identifier
    CROSS JOIN LATERAL (
        SELECT one.id FROM scoring_due AS one WHERE one.identifier_id = identifier.id OFFSET 0
    ) AS due
    UNION ALL
    SELECT due.id, claimed.id, claimed.erased_at
    FROM claimed CROSS JOIN LATERAL (
        SELECT one.id FROM scoring_due AS one WHERE one.customer_id = claimed.id OFFSET 0
    ) AS due
),
deleted AS (
    DELETE FROM scoring_due WHERE id = ANY(ARRAY(SELECT held.id FROM held))
    RETURNING id, since, until, kinds, why
),
taken AS (
    SELECT held.customer_id, deleted.since, deleted.until, deleted.kinds, deleted.why
    FROM deleted JOIN held ON held.id = deleted.id
    WHERE held.erased_at IS NULL
)
SELECT customer_id,
    CASE WHEN bool_or(since IS NULL) THEN NULL ELSE min(since) END,
    CASE WHEN bool_or(since IS NULL) THEN NULL ELSE max(until) END,
    max(why),
    array_agg(DISTINCT kind_id) FILTER (WHERE kind_id IS NOT NULL)
FROM taken LEFT JOIN LATERAL unnest(taken.kinds) AS kind_id ON TRUE
GROUP BY customer_id
"""
# Grain: one customer whose score is of an earlier day. Who is being scored now is written by that.
_STALE = """
SELECT customer.id FROM accounts_customer AS customer
JOIN scoring_score AS score ON score.customer_id = customer.id
WHERE score.brand_id = %(brand)s AND score.scored_on < %(on)s
ORDER BY customer.id LIMIT %(limit)s FOR NO KEY UPDATE OF customer SKIP LOCKED
"""
_LOCK = """
SELECT id FROM accounts_customer WHERE id = ANY(%(customers)s) AND erased_at IS NULL ORDER BY id FOR NO KEY UPDATE
"""

# What a posting adds to the two sums by which a ledger is compared without being read: its points
# times a number drawn from what it is about, all modulo a prime, so that no award is too large. Each sum
# misses a difference once in two thousand million times.
PRIME = 2_147_483_647
_DRAWN = (
    "hashint8extended({row}.action_id, (({row}.local_date - DATE '0001-01-01')::bigint << 40)"
    " # (({row}.rule_id)::bigint << 3) # ({row}.source)::bigint)"
)


def checksum(row: str, half: int) -> sql.Composable:
    """SQL for what one award or posting named ``row`` adds to checksum a (half 0) or b (half 1)."""
    drawn = sql.SQL(_DRAWN).format(row=sql.Identifier(row))
    shift = sql.SQL(" >> 31") if half else sql.SQL("")
    return sql.SQL("({}.points %% {prime}) * (({}{}) & {prime})").format(
        sql.Identifier(row), drawn, shift, prime=sql.Literal(PRIME)
    )


# Grain: one change of one award. Writes the ledger and the daily sums that fading is computed from,
# and answers with what each customer's checksums grow by, and the sources that moved, one bit each.
_POST = sql.SQL("""
difference AS (
    SELECT customer_id, action_id, rule_id, source, local_date, sum(points)::bigint AS points
    FROM (
        SELECT customer_id, action_id, rule_id, source, local_date, points FROM award
        UNION ALL
        SELECT customer_id, action_id, rule_id, source, local_date, -points FROM held
    ) AS side
    GROUP BY customer_id, action_id, rule_id, source, local_date
    HAVING sum(points) <> 0
),
posted AS (
    INSERT INTO scoring_posting
        (customer_id, action_id, rule_id, rule_set_id, points, posted_at, local_date, source, why)
    SELECT difference.customer_id, difference.action_id, difference.rule_id, %(rule_set)s, difference.points,
        %(now)s, difference.local_date, difference.source, subject.why
    FROM difference JOIN subject ON subject.customer_id = difference.customer_id
    RETURNING customer_id, action_id, rule_id, source, local_date, points
),
summed_by_day AS (
    INSERT INTO scoring_dailypoints AS daily (customer_id, source, local_date, points)
    SELECT customer_id, source, local_date, sum(points) FROM posted
    GROUP BY customer_id, source, local_date
    ON CONFLICT (customer_id, source, local_date) DO UPDATE SET points = daily.points + excluded.points
)
SELECT posted.customer_id, sum({a}), sum({b}), bit_or(1 << posted.source) FROM posted GROUP BY posted.customer_id
""").format(a=checksum("posted", 0), b=checksum("posted", 1))


def post_scoped(compiled: CompiledRules) -> sql.Composable:
    """The statement that posts what changed between two days, for the customers of ``subject``."""
    return sql.SQL("""
WITH subject AS MATERIALIZED (
    SELECT * FROM unnest(%(customers)s::bigint[], %(since)s::date[], %(until)s::date[], %(whys)s::text[])
        AS subject (customer_id, since, until, why)
),
changed_kind AS (
    SELECT * FROM unnest(%(changed_customers)s::bigint[], %(changed_kinds)s::bigint[])
        AS changed_kind (customer_id, kind_id)
),{ctes},
held AS (
    SELECT posting.customer_id, posting.action_id, posting.rule_id, posting.source, posting.local_date, posting.points
    FROM key_scope CROSS JOIN LATERAL (
        SELECT * FROM scoring_posting AS one
        WHERE one.customer_id = key_scope.customer_id AND one.rule_id = key_scope.rule_id
            AND one.local_date BETWEEN key_scope.write_from AND key_scope.write_until
        OFFSET 0
    ) AS posting
),{post}""").format(ctes=compiled.ctes, post=_POST)


def post_full(compiled: CompiledRules) -> sql.Composable:
    """The statement that posts every difference of the customers of ``subject``."""
    return sql.SQL("""
WITH subject AS MATERIALIZED (
    SELECT * FROM unnest(%(customers)s::bigint[], %(whys)s::text[]) AS subject (customer_id, why)
),{ctes},
held AS (
    SELECT posting.customer_id, posting.action_id, posting.rule_id, posting.source, posting.local_date, posting.points
    FROM subject JOIN scoring_posting AS posting ON posting.customer_id = subject.customer_id
),{post}""").format(ctes=compiled.ctes, post=_POST)


def check(compiled: CompiledRules) -> sql.Composable:
    """The statement that recomputes the customers of ``subject`` and tells who is not as written.

    Answers with (customer, whether the ledger differs) for those whose ledger differs, and those whose score is of
    another day or version.
    """
    return sql.SQL("""
WITH subject AS MATERIALIZED (
    SELECT unnest(%(customers)s::bigint[]) AS customer_id
),{ctes},
checksum AS (
    SELECT award.customer_id, sum({a}) AS a, sum({b}) AS b, sum(award.points) AS points
    FROM award GROUP BY award.customer_id
),
checked AS (
    SELECT subject.customer_id,
        coalesce(checksum.points, 0) <> coalesce(score.points, 0)
            OR mod(coalesce(checksum.a, 0) - coalesce(score.checksum_a, 0), {prime}) <> 0
            OR mod(coalesce(checksum.b, 0) - coalesce(score.checksum_b, 0), {prime}) <> 0 AS differs,
        score.customer_id IS NULL OR score.scored_on <> %(on)s
            OR score.rule_set_id IS DISTINCT FROM %(rule_set)s AND customer.paused_at IS NULL AS is_stale
    FROM subject JOIN accounts_customer AS customer ON customer.id = subject.customer_id
    LEFT JOIN checksum ON checksum.customer_id = subject.customer_id
    LEFT JOIN scoring_score AS score ON score.customer_id = subject.customer_id
)
SELECT customer_id, differs FROM checked WHERE differs OR is_stale
""").format(
        ctes=compiled.ctes,
        a=checksum("award", 0),
        b=checksum("award", 1),
        prime=sql.Literal(PRIME),
    )


def write_scores(sources: Mapping[Source, SourceShape]) -> sql.Composable:
    """The statement that writes scores from daily points. Grain: one customer.

    Who has paused has points and no score: what is written then is of no rule set, and so none of it is kept later.

    See docs/scoring.md, “From points to the score”.
    """
    return sql.SQL("""
WITH subject AS MATERIALIZED (
    SELECT * FROM unnest(
        %(customers)s::bigint[], %(checksums_a)s::numeric[], %(checksums_b)s::numeric[], %(moved)s::int[])
        AS subject (customer_id, a, b, moved)
),
-- A source in which nothing moved keeps what it is worth as long as the day and the version are the same.
kept AS (
    SELECT subject.customer_id, shape.source, shape.weight, shape.halfway, shape.half_life,
        score.source_points[shape.source] AS points, score.sub_scores[shape.source] AS sub_score
    FROM subject CROSS JOIN {shape}
    LEFT JOIN scoring_score AS score ON score.customer_id = subject.customer_id AND score.scored_on = %(on)s
        AND score.rule_set_id = %(rule_set)s AND subject.moved & (1 << shape.source) = 0
),
part AS (
    SELECT shape.customer_id, shape.source, shape.weight,
        coalesce(shape.points, summed.points, 0)::bigint AS points,
        coalesce(shape.sub_score, {sub_score}) AS sub_score
    FROM kept AS shape
    LEFT JOIN LATERAL (
        SELECT sum(daily.points) AS points, sum({faded}) AS faded
        FROM scoring_dailypoints AS daily
        WHERE shape.points IS NULL AND daily.customer_id = shape.customer_id AND daily.source = shape.source
    ) AS summed ON TRUE
),
whole AS (
    SELECT customer_id, round((sum(weight * sub_score) / 10)::numeric, 3) AS score, sum(points)::bigint AS points,
        array_agg(sub_score ORDER BY source) AS sub_scores, array_agg(points ORDER BY source) AS source_points
    FROM part GROUP BY customer_id
)
INSERT INTO scoring_score AS score (customer_id, brand_id, score, points, sub_scores, source_points, rule_set_id,
    scored_on, scored_at, revision, checksum_a, checksum_b)
SELECT whole.customer_id, %(brand)s, CASE WHEN paused.is_so THEN 0 ELSE whole.score END, whole.points,
    CASE WHEN paused.is_so THEN '{{0,0,0,0,0,0}}' ELSE whole.sub_scores END, whole.source_points,
    CASE WHEN paused.is_so THEN NULL ELSE %(rule_set)s::bigint END, %(on)s, clock_timestamp(), 1, subject.a, subject.b
FROM whole JOIN subject ON subject.customer_id = whole.customer_id
CROSS JOIN LATERAL (
    SELECT one.paused_at IS NOT NULL AS is_so FROM accounts_customer AS one WHERE one.id = whole.customer_id OFFSET 0
) AS paused
ON CONFLICT (customer_id) DO UPDATE SET
    score = excluded.score, points = excluded.points, sub_scores = excluded.sub_scores,
    source_points = excluded.source_points, rule_set_id = excluded.rule_set_id, scored_on = excluded.scored_on,
    scored_at = excluded.scored_at, revision = score.revision + 1,
    checksum_a = mod(score.checksum_a + excluded.checksum_a, {prime}),
    checksum_b = mod(score.checksum_b + excluded.checksum_b, {prime})
RETURNING customer_id, CASE WHEN rule_set_id IS NULL THEN NULL ELSE score.score END, revision
""").format(
        shape=shape_values(sources),
        prime=sql.Literal(PRIME),
        faded=FADED.format(
            points=sql.SQL("daily.points"),
            on=sql.SQL("%(on)s::date"),
            date=sql.SQL("daily.local_date"),
        ),
        sub_score=SUB_SCORE.format(faded=sql.SQL("coalesce(summed.faded, 0)")),
    )
