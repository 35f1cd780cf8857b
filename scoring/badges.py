"""Badges: who earned which level, by which action, and how near the others are.

The facts decide, as they do for points. A level is earned at the moment of the action that reached its target, in
whatever order the facts arrived; where they no longer reach it, it is revoked with the reason, and never deleted.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import redis
from django.conf import settings
from django.utils.translation import gettext
from psycopg import sql

from accounts.models import Brand, Customer

from .actions import mark_due
from .criteria import CRITERIA, Criterion, Judged
from .facts import amended, facts
from .models import Badge, BadgeEarned, RuleSet
from .problems import Problem, Reader
from .ranks import redis_client
from .shape import stored_shape
from .statements import brand_time, execute, set_locally
from .vocabulary import Vocabulary

LEVELS_MAX = len(Badge.Level)
# Up to so many members holders are counted anew each time; of a larger brand the count may be this old.
MEMBERS_COUNTED = 2000
HOLDERS_SECONDS = 300


class BadgeError(ValueError):
    """A badge that cannot be used; ``problems`` lists (place, reason)."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = [(problem.place, problem.reason) for problem in problems]


class Parsed(NamedTuple):
    """What a badge is earned for, and how much of it earns bronze, silver and gold."""

    criterion: Criterion
    levels: tuple[int, ...]

    def sentence(self, level: int, vocabulary: Vocabulary) -> str:
        """What a level (1 to 3) takes, in the language in force."""
        return self.criterion.sentence(self.levels[level - 1], vocabulary)


def parse_badge(*, criterion: str, parameters: Any, levels: Any, vocabulary: Vocabulary) -> Parsed:
    """The criterion of a badge with its parameters, and its levels. Raises BadgeError with every problem."""
    problems: list[Problem] = []
    if criterion not in CRITERIA:
        raise BadgeError(
            [
                Problem(
                    "criterion",
                    gettext("must be one of %(choices)s") % {"choices": ", ".join(CRITERIA)},
                )
            ]
        )
    reader = Reader.of("parameters", parameters, problems)
    parsed = CRITERIA[criterion].parse(reader, vocabulary)
    reader.done()
    targets = _parse_levels(levels, CRITERIA[criterion].most, problems)
    if problems:
        raise BadgeError(problems)
    return Parsed(parsed, targets)


def _parse_levels(levels: Any, most: int, problems: list[Problem]) -> tuple[int, ...]:
    items = list(levels) if isinstance(levels, list | tuple) else []
    if not 1 <= len(items) <= LEVELS_MAX:
        problems.append(
            Problem(
                "levels",
                gettext("one to %(most)s whole numbers are needed here") % {"most": LEVELS_MAX},
            )
        )
        return ()
    # One after the other, so that each problem stands at its own number.
    targets: list[int] = []
    for place, item in enumerate(items):
        reader = Reader("", {f"levels[{place}]": item}, problems)
        target = reader.whole(f"levels[{place}]", least=1, most=most)
        if targets and target <= targets[-1] and not reader.has_problem(f"levels[{place}]"):
            reader.problem(
                f"levels[{place}]",
                gettext("must be more than %(before)s") % {"before": targets[-1]},
            )
        targets.append(target)
    return tuple(targets)


def parsed_badge(badge: Badge, *, vocabulary: Vocabulary) -> Parsed:
    """What a stored badge says. Raises BadgeError, for example when a kind of it is gone."""
    return parse_badge(
        criterion=badge.criterion,
        parameters=badge.parameters,
        levels=badge.levels,
        vocabulary=vocabulary,
    )


# --- awarding


class Change(NamedTuple):
    """What moved for a customer from the local date ``since`` on (None: anything, at any time).

    Facts of these kinds, and points in these sources, one bit each.
    """

    customer_id: int
    why: str
    since: date | None = None
    kinds: Collection[int] | None = None
    sources: int = 0


def award_badges(
    *, brand: Brand, rule_set_id: int, changes: Sequence[Change], now: datetime
) -> None:
    """Bring the badges that these changes can touch up to date. May run twice.

    To be called last in ``brand_time``, by whoever holds the locks of the customers, once their points are posted.
    """
    if not changes:
        return
    [[fingerprint]] = execute(_FINGERPRINT, {"brand": brand.pk})
    if fingerprint is None:
        return
    ready = _ready(brand.pk, fingerprint, rule_set_id)
    asked = [
        (change.customer_id, seen.badge_id, change.why, change.since)
        for change in changes
        for seen in ready.seen
        if change.since is None
        or change.kinds is None
        or change.sources & seen.sources
        or seen.kinds & set(change.kinds)
    ]
    if asked:
        # As scoring itself: what is looked up by index is fenced, and all else joins by hash.
        set_locally(enable_nestloop="off")
        execute(
            ready.award,
            {
                "customers": [customer for customer, _badge, _why, _since in asked],
                "badges": [badge for _customer, badge, _why, _since in asked],
                "whys": [why for _customer, _badge, why, _since in asked],
                "since": [since for _customer, _badge, _why, since in asked],
                "now": now,
            },
        )


def mark_badge_changed(*, badge: Badge, now: datetime) -> None:
    """Have everyone of the brand judged by what a badge says now. Call it where the badge is saved."""
    mark_due(brand=badge.brand, customers=None, why=BadgeEarned.Why.BADGE, now=now)


class WrongBadge(NamedTuple):
    """A level that is held otherwise than a recomputation has it: since when it should be, and since when it is."""

    customer_id: int
    slug: str
    level: int
    expected: datetime | None
    found: datetime | None


def wrong_badges(*, brand: Brand, customers: Sequence[int]) -> list[WrongBadge]:
    """Where the badges of those who are not due differ from a recomputation. Reads only; in ``brand_time``."""
    [[fingerprint, rule_set_id]] = execute(_BRAND_BADGES, {"brand": brand.pk})
    if fingerprint is None:
        return []
    ready = _ready(brand.pk, fingerprint, rule_set_id)
    return [WrongBadge(*row) for row in execute(ready.compare, _asked_all(customers, ready))]


# --- asking


class Rarity(NamedTuple):
    """How many of a brand's members hold a level of a badge, or a higher one."""

    holders: int
    members: int

    @property
    def percent(self) -> int:
        """Their share in whole per cent, rounded; 0 where it is under 1."""
        if not self.members or 100 * self.holders < self.members:
            return 0
        return (200 * self.holders + self.members) // (2 * self.members)

    @property
    def sentence(self) -> str:
        """The share in words."""
        if not self.holders:
            return gettext("Nobody has it yet")
        if not self.percent:
            return gettext("Under 1 % of members have it")
        return gettext("%(percent)d %% of members have it") % {"percent": self.percent}


@dataclass(frozen=True, slots=True)
class BadgeView:
    """A badge as one customer sees it.

    ``level`` is the highest held, 0 for none; ``earned_at`` and ``earned_id`` are of that level. ``progress`` (at most
    ``target``), ``target`` and ``sentence`` are of ``next_level``, or of the last where there is none to come.
    ``sentences`` has one sentence for each level. ``rarity`` is of the level held, or of the first.
    """

    badge: Badge
    level: int
    earned_at: datetime | None
    earned_id: int | None
    progress: int
    target: int
    next_level: int | None
    sentences: tuple[str, ...]
    rarity: Rarity

    @property
    def sentence(self) -> str:
        """What the next level takes, or what the last one took."""
        return self.sentences[(self.next_level or len(self.sentences)) - 1]


def badges_of(*, customer: Customer) -> list[BadgeView]:
    """Every badge of the brand, with how far the customer is: held ones first, then the nearest."""
    brand = customer.brand
    fingerprint, rule_set_id, holders = _brand_badges(brand.pk)
    if fingerprint is None:
        return []
    ready = _ready(brand.pk, fingerprint, rule_set_id)
    # Planning costs many times what running for one customer does.
    with brand_time(brand, plan_cache_mode="force_generic_plan", enable_nestloop="off"):
        rows = execute(ready.progress, _asked_all([customer.pk], ready))
    return sorted(
        (_view(ready, holders, *row) for row in rows),
        key=lambda view: (not view.level, -view.progress / view.target, view.badge.position),
    )


def rarity_of(*, badge: Badge, level: int) -> Rarity:
    """How many members of the badge's brand hold this level of it, or a higher one."""
    return _brand_badges(badge.brand_id)[2].of(badge.pk, level)


class Holders(NamedTuple):
    """How many members a brand has, and how many of them hold each level; a higher level includes the lower ones."""

    members: int
    counts: Mapping[str, int]

    def of(self, badge_id: int, level: int) -> Rarity:
        """Of one level."""
        return Rarity(self.counts.get(f"{badge_id}.{level}", 0), self.members)


def _view(
    ready: "Ready",
    holders: Holders,
    badge_id: int,
    reached: int,
    level: int,
    earned_at: datetime | None,
    earned_id: int | None,
) -> BadgeView:
    badge, parsed = ready.badges[badge_id]
    next_level = level + 1 if level < len(badge.levels) else None
    target = badge.levels[(next_level or len(badge.levels)) - 1]
    return BadgeView(
        badge=badge,
        level=level,
        earned_at=earned_at,
        earned_id=earned_id,
        progress=min(reached, target),
        target=target,
        next_level=next_level,
        sentences=tuple(
            parsed.sentence(number, ready.vocabulary) for number in range(1, len(badge.levels) + 1)
        ),
        rarity=holders.of(badge_id, max(1, level)),
    )


def _asked_all(customers: Sequence[int], ready: "Ready") -> dict[str, Any]:
    return {
        "customers": [customer for customer in customers for _seen in ready.seen],
        "badges": [seen.badge_id for _customer in customers for seen in ready.seen],
        "whys": ["" for _customer in customers for _seen in ready.seen],
        "since": [None for _customer in customers for _seen in ready.seen],
    }


def _brand_badges(brand_id: int) -> tuple[str | None, int | None, Holders]:
    """The fingerprint of a brand's badges, its rule set in force, and who holds what, in one statement."""
    key = f"{settings.LAUREL_REDIS_PREFIX}badge-holders:{brand_id}"
    try:
        known = redis_client().get(key)
    except redis.RedisError:
        known = None
    if known is not None:
        [[fingerprint, rule_set_id]] = execute(_BRAND_BADGES, {"brand": brand_id})
        members, counts = json.loads(known)
        return fingerprint, rule_set_id, Holders(members, counts)
    [[fingerprint, rule_set_id, members, counts]] = execute(_COUNTED_BADGES, {"brand": brand_id})
    if members > MEMBERS_COUNTED:
        with suppress(redis.RedisError):
            redis_client().set(key, f"[{members}, {counts}]", ex=HOLDERS_SECONDS)
    return fingerprint, rule_set_id, Holders(members, json.loads(counts))


# --- statements


class Seen(NamedTuple):
    """What a badge looks at."""

    badge_id: int
    kinds: frozenset[int]
    sources: int


@dataclass(frozen=True, slots=True)
class Ready:
    """The badges of a brand made ready to run."""

    vocabulary: Vocabulary
    badges: Mapping[int, tuple[Badge, Parsed]]
    seen: tuple[Seen, ...]
    award: str
    compare: str
    progress: str


@lru_cache(maxsize=64)
def _ready(brand_id: int, _fingerprint: str, rule_set_id: int | None) -> Ready:
    vocabulary = Vocabulary.of(Brand.objects.get(pk=brand_id))
    shape = (
        {}
        if rule_set_id is None
        else stored_shape(RuleSet.objects.only("sources").get(pk=rule_set_id).sources)
    )
    badges: dict[int, tuple[Badge, Parsed]] = {}
    for badge in Badge.objects.filter(brand_id=brand_id):
        try:
            badges[badge.pk] = badge, parsed_badge(badge, vocabulary=vocabulary)
        except BadgeError:
            continue  # What it is for is gone; who has it keeps it, and staff are told on its page.
    seen = tuple(
        Seen(
            badge_id,
            frozenset(parsed.criterion.kinds(vocabulary)),
            sum(1 << source for source in parsed.criterion.sources()),
        )
        for badge_id, (_badge, parsed) in badges.items()
    )
    judged = [
        (
            parsed.criterion,
            Judged(badge_id=badge_id, levels=parsed.levels, vocabulary=vocabulary, shape=shape),
        )
        for badge_id, (_badge, parsed) in badges.items()
    ]
    head = _reached(judged, seen)
    earned = _earned(judged)
    return Ready(
        vocabulary,
        badges,
        seen,
        award=(head + earned + _AWARD).as_string(None),
        compare=(head + earned + _COMPARE).as_string(None),
        progress=(head + _PROGRESS).as_string(None),
    )


# Grain: a brand. What its statements are made from: the badges, and the words that they may use.
_WORDS = """
SELECT md5(badges.text || words.text) FROM
    (SELECT string_agg(badge::text, '|' ORDER BY badge.id) AS text FROM scoring_badge AS badge
        WHERE badge.brand_id = brand.id) AS badges,
    (SELECT concat((SELECT string_agg(kind::text, '|' ORDER BY kind.id) FROM scoring_actionkind AS kind
            WHERE kind.brand_id = brand.id),
        (SELECT string_agg(concat_ws(' ', venue.id, venue.slug, venue.name), '|' ORDER BY venue.id)
            FROM scoring_venue AS venue WHERE venue.brand_id = brand.id),
        brand.time_zone, brand.currency) AS text) AS words
"""
_FINGERPRINT = f"SELECT ({_WORDS}) FROM accounts_brand AS brand WHERE brand.id = %(brand)s"  # noqa: S608
_RULE_SET = """
SELECT id FROM scoring_ruleset WHERE brand_id = brand.id AND version IS NOT NULL ORDER BY version DESC LIMIT 1
"""
_BRAND_BADGES = (
    f"SELECT ({_WORDS}), ({_RULE_SET}) FROM accounts_brand AS brand WHERE brand.id = %(brand)s"  # noqa: S608
)
# Grain: a brand. Reads everyone who holds a badge. Index: holders by badge and level.
_COUNTED_BADGES = f"""
SELECT ({_WORDS}), ({_RULE_SET}),
    (SELECT count(*) FROM accounts_customer AS member WHERE member.brand_id = brand.id AND member.user_id IS NOT NULL),
    (SELECT coalesce(json_object_agg(badge_id || '.' || level, holders), '{{}}')::text FROM (
        SELECT held.badge_id, held.level, count(*) AS holders
        FROM scoring_badge AS badge
        JOIN scoring_badgeearned AS held ON held.badge_id = badge.id AND held.revoked_at IS NULL
        JOIN accounts_customer AS member ON member.id = held.customer_id AND member.user_id IS NOT NULL
        WHERE badge.brand_id = brand.id
        GROUP BY held.badge_id, held.level
    ) AS counted)
FROM accounts_brand AS brand WHERE brand.id = %(brand)s
"""  # noqa: S608


def _reached(judged: Sequence[tuple[Criterion, Judged]], seen: Sequence[Seen]) -> sql.Composed:
    """How far the customers of ``asked`` came with its badges, and when.

    A level that is held since before anything changed is ``settled``: what happens later moves no earlier moment.
    Badges of which all levels are settled are not asked about at all. ``fact`` holds only the kinds that the badges
    asked about look at, and so ``reached`` may hold other badges, of a part of their kinds: every use joins it to
    ``asked``. Points are gone through by local date and then by moment (``on_day``), facts by moment alone; it is not
    the same where clocks are put back over midnight.
    """
    kinds = [(one.badge_id, kind) for one in seen for kind in sorted(one.kinds)]
    columns = {column for criterion, _one in judged for column in criterion.columns()}
    nothing = sql.SQL(
        "SELECT NULL::bigint, NULL::bigint, NULL::timestamptz, NULL::bigint, NULL::date WHERE FALSE"
    )
    return sql.SQL("""
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(%(customers)s::bigint[], %(badges)s::bigint[], %(whys)s::text[], %(since)s::date[])
        AS given (customer_id, badge_id, why, since)
),
-- Grain: a level that is held. Where clocks are put back over midnight, an earlier action can have the later date.
held AS MATERIALIZED (
    SELECT one.id, one.customer_id, one.badge_id, one.level, one.earned_at, given.why,
        coalesce(one.earned_at::date < given.since - 1, FALSE) AS is_settled
    FROM given CROSS JOIN LATERAL (
        SELECT * FROM scoring_badgeearned AS one
        WHERE one.customer_id = given.customer_id AND one.badge_id = given.badge_id AND one.revoked_at IS NULL OFFSET 0
    ) AS one
),
settled AS MATERIALIZED (
    SELECT customer_id, badge_id, level FROM held WHERE is_settled
),
asked AS MATERIALIZED (
    SELECT given.customer_id, given.badge_id, given.since
    FROM given JOIN (VALUES {levels}) AS badge (badge_id, levels) ON badge.badge_id = given.badge_id
    WHERE (
        SELECT count(*) FROM settled WHERE settled.customer_id = given.customer_id AND settled.badge_id = given.badge_id
    ) < badge.levels
),
subject AS MATERIALIZED (SELECT DISTINCT customer_id FROM asked),
kind_scope AS MATERIALIZED (
    SELECT DISTINCT asked.customer_id, seen.kind_id, DATE '-infinity' AS read_from, DATE 'infinity' AS read_until
    FROM asked JOIN {kinds} AS seen (badge_id, kind_id) ON seen.badge_id = asked.badge_id
),{amended},{facts},
reached (badge_id, customer_id, at, reached, on_day) AS MATERIALIZED ({branches})""").format(
        levels=sql.SQL(", ").join(
            sql.SQL("({}::bigint, {})").format(
                sql.Literal(one.badge_id), sql.Literal(len(one.levels))
            )
            for _criterion, one in judged
        )
        if judged
        else sql.SQL("(0::bigint, 0)"),
        kinds=sql.SQL("(VALUES {})").format(
            sql.SQL(", ").join(
                sql.SQL("({}::bigint, {}::bigint)").format(sql.Literal(badge), sql.Literal(kind))
                for badge, kind in kinds
            )
        )
        if kinds
        else sql.SQL("(SELECT NULL::bigint, NULL::bigint WHERE FALSE)"),
        amended=amended(scoped=True),
        facts=facts(kinds=[], columns=columns, scoped=True),
        branches=sql.SQL("\n    UNION ALL ").join(
            sql.SQL(
                "SELECT {}::bigint, one.customer_id, one.at, one.reached, {} FROM ({}) AS one"
            ).format(
                sql.Literal(one.badge_id),
                sql.SQL("one.at::date" if criterion.sources() else "NULL::date"),
                criterion.reached(one),
            )
            for criterion, one in judged
        )
        if judged
        else nothing,
    )


def _earned(judged: Sequence[tuple[Criterion, Judged]]) -> sql.Composed:
    """The CTE ``earned``. Grain: a level of a badge that a customer of ``asked`` reached."""
    rows = [
        (one.badge_id, level, needed)
        for _criterion, one in judged
        for level, needed in enumerate(one.levels, start=1)
    ] or [(0, 0, 0)]
    return sql.SQL(""",
earned AS MATERIALIZED (
    SELECT DISTINCT ON (reached.customer_id, reached.badge_id, target.level)
        reached.customer_id, reached.badge_id, target.level, reached.at AS earned_at
    FROM asked JOIN reached ON reached.customer_id = asked.customer_id AND reached.badge_id = asked.badge_id
    JOIN (VALUES {targets}) AS target (badge_id, level, needed)
        ON target.badge_id = reached.badge_id AND reached.reached >= target.needed
    WHERE reached.at IS NOT NULL
    ORDER BY reached.customer_id, reached.badge_id, target.level, reached.on_day, reached.at
)""").format(
        targets=sql.SQL(", ").join(
            sql.SQL("({}::bigint, {}::smallint, {}::bigint)").format(*map(sql.Literal, row))
            for row in rows
        )
    )


# Grain: a level that is gained, lost or moved. What stays as it was is not written.
_AWARD = sql.SQL(""",
lost AS (
    SELECT held.id, held.why FROM held WHERE NOT held.is_settled AND NOT EXISTS (
        SELECT FROM earned WHERE earned.customer_id = held.customer_id AND earned.badge_id = held.badge_id
            AND earned.level = held.level)
),
revoked AS (
    UPDATE scoring_badgeearned AS row
    SET revoked_at = %(now)s, revoked_why = (SELECT lost.why FROM lost WHERE lost.id = row.id)
    WHERE row.id = ANY(ARRAY(SELECT lost.id FROM lost))
)
INSERT INTO scoring_badgeearned (customer_id, badge_id, level, earned_at, revoked_why)
SELECT earned.customer_id, earned.badge_id, earned.level, earned.earned_at, '' FROM earned
WHERE NOT EXISTS (
    SELECT FROM held WHERE held.customer_id = earned.customer_id AND held.badge_id = earned.badge_id
        AND held.level = earned.level AND (held.is_settled OR held.earned_at = earned.earned_at))
ORDER BY earned.customer_id, earned.badge_id, earned.level
ON CONFLICT (customer_id, badge_id, level) WHERE revoked_at IS NULL DO UPDATE SET earned_at = excluded.earned_at
""")
# Grain: a level that is held otherwise than a recomputation has it. Who is due is known to be behind.
_COMPARE = sql.SQL("""
SELECT customer_id, badge.slug, level, earned.earned_at, held.earned_at
FROM earned FULL JOIN held USING (customer_id, badge_id, level)
JOIN scoring_badge AS badge ON badge.id = badge_id
WHERE earned.earned_at IS DISTINCT FROM held.earned_at
    AND NOT EXISTS (
        SELECT FROM scoring_due AS due WHERE due.customer_id = coalesce(earned.customer_id, held.customer_id))
    AND NOT EXISTS (
        SELECT FROM scoring_due AS due JOIN accounts_identifier AS identifier ON identifier.id = due.identifier_id
        WHERE identifier.customer_id = coalesce(earned.customer_id, held.customer_id))
ORDER BY customer_id, badge.slug, level
""")
# Grain: a badge that is asked for, of one customer.
_PROGRESS = sql.SQL("""
SELECT asked.badge_id, coalesce(progress.reached, 0), coalesce(highest.level, 0)::int, highest.earned_at, highest.id
FROM asked
LEFT JOIN (
    SELECT customer_id, badge_id, max(reached) AS reached FROM reached GROUP BY customer_id, badge_id
) AS progress ON progress.customer_id = asked.customer_id AND progress.badge_id = asked.badge_id
LEFT JOIN (
    SELECT DISTINCT ON (customer_id, badge_id) * FROM held ORDER BY customer_id, badge_id, level DESC
) AS highest ON highest.customer_id = asked.customer_id AND highest.badge_id = asked.badge_id
""")
