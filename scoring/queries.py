"""What pages and exports ask: scores, what moved them, activity and top customers.

Everything here reads. Dates are the brand's local dates.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import F, QuerySet, Window
from django.db.models.functions import Rank as RankFunction
from django.utils.translation import gettext as _
from psycopg import sql

from accounts.consent import Audience
from accounts.models import Brand, Customer

from .facts import AMENDED_ACTION, COUNTED
from .models import Action, RuleSet, Score, Source
from .publication import current_rule_set
from .shape import FADED, SUB_SCORE, shape_values, stored_shape
from .statements import brand_time, execute
from .suppose import Supposed
from .worth import When, Worth, worth_on

RECENT = timedelta(days=90)
FETCH = 2000
PENDING_MOST = 20


@dataclass(frozen=True, slots=True)
class SourceView:
    """One source of a score. ``sub_score`` is 0 to 100, ``worth`` its part of the score (0 to weight x 10)."""

    source: Source
    weight: int
    sub_score: float
    points: int
    worth: Decimal
    half_life_days: Decimal | None
    halfway_points: Decimal
    actions_in_90_days: int


@dataclass(frozen=True, slots=True)
class ScoreView:
    """A customer's score on a day. ``is_due``: something arrived that is not in it yet."""

    score: Decimal
    points: int
    sources: tuple[SourceView, ...]
    rule_set_version: int | None
    is_due: bool
    on: date


def get_score(*, customer: Customer, on: date) -> ScoreView:
    """The customer's score on a local date, valued from the awards that the ledger holds; two queries."""
    basis = basis_of(customer=customer, on=on)
    if basis.rule_set_id is None:
        return ScoreView(Decimal(0), 0, (), None, basis.is_due, on)
    [worth] = worth_on(customer_id=customer.pk, rule_set_id=basis.rule_set_id, days=[When(on)])
    return view_of(worth=worth, basis=basis, on=on)


@dataclass(frozen=True, slots=True)
class Basis:
    """What a score is read by: the version in force, whether something waits to be scored, and the actions.

    ``recent`` counts those that count by source; ``pending`` are the latest that wait for review.
    """

    rule_set_id: int | None
    version: int | None
    is_due: bool
    recent: Mapping[Source, int]
    pending: tuple[Supposed, ...]


def basis_of(*, customer: Customer, on: date) -> Basis:
    """The version in force, what waits, and how many actions counted in the 90 days before a local date; one query."""
    since = datetime.combine(on - RECENT, time(), customer.brand.zone)
    [(rule_set_id, version, is_due, recent, pending)] = execute(
        _BASIS,
        {
            "customer": customer.pk,
            "brand": customer.brand_id,
            "since": since,
            "most": PENDING_MOST,
        },
    )
    # Django has documents come as text.
    return Basis(
        rule_set_id,
        version,
        is_due,
        {Source(int(source)): count for source, count in json.loads(recent).items()},
        tuple(_pending(*row) for row in json.loads(pending)),
    )


def _pending(
    kind: str,
    occurred_at: str,
    quantity: str | None,
    venue: str | None,
    channel: str | None,
    attributes: str | None,
) -> Supposed:
    return Supposed(
        kind,
        datetime.fromisoformat(occurred_at),
        None if quantity is None else Decimal(quantity),
        venue,
        channel,
        None if attributes is None else json.loads(attributes),
    )


def view_of(*, worth: Worth, basis: Basis, on: date) -> ScoreView:
    """A score as pages show it."""
    return ScoreView(
        worth.score,
        worth.points,
        tuple(
            SourceView(
                part.source,
                part.shape.weight,
                part.sub_score,
                part.points,
                part.worth,
                part.shape.half_life_days,
                part.shape.halfway_points,
                basis.recent.get(part.source, 0),
            )
            for part in worth.parts
        ),
        basis.version,
        basis.is_due,
        on,
    )


# Grain: one customer. Of the recent actions only those that count. Index: action by identifier.
_BASIS = f"""
SELECT rule_set.id, rule_set.version,
    EXISTS (
        SELECT FROM scoring_due AS due LEFT JOIN accounts_identifier AS identifier ON identifier.id = due.identifier_id
        WHERE due.brand_id = %(brand)s AND coalesce(due.customer_id, identifier.customer_id) = %(customer)s),
    (SELECT coalesce(jsonb_object_agg(source, actions), '{{}}') FROM (
        SELECT kind.source, count(*) AS actions
        FROM accounts_identifier AS identifier
        JOIN scoring_action AS action ON action.identifier_id = identifier.id
        JOIN scoring_actionkind AS kind ON kind.id = action.kind_id
        WHERE identifier.customer_id = %(customer)s AND action.occurred_at >= %(since)s AND {COUNTED}
            AND NOT EXISTS (
                SELECT FROM scoring_amendment AS amendment
                WHERE amendment.action_id = action.id AND amendment.type = 'void')
            AND (action.state = 'accepted' OR (
                SELECT amendment.accepted FROM scoring_amendment AS amendment
                WHERE amendment.action_id = action.id AND amendment.type = 'decision'
                ORDER BY amendment.at, amendment.external_id LIMIT 1))
        GROUP BY kind.source
    ) AS recent),
    (SELECT coalesce(jsonb_agg(jsonb_build_array(kind, occurred_at, quantity, venue, channel, attributes)), '[]') FROM (
        SELECT kind.slug AS kind, action.occurred_at, action.quantity::text, venue.slug AS venue, action.channel,
            action.attributes::text
        FROM accounts_identifier AS identifier
        JOIN scoring_action AS action ON action.identifier_id = identifier.id AND action.state = 'pending'
        JOIN scoring_actionkind AS kind ON kind.id = action.kind_id
        LEFT JOIN scoring_venue AS venue ON venue.id = action.venue_id
        WHERE identifier.customer_id = %(customer)s AND {COUNTED} AND NOT EXISTS (
            SELECT FROM scoring_amendment AS amendment
            WHERE amendment.action_id = action.id AND amendment.type IN ('void', 'decision'))
        ORDER BY action.occurred_at DESC LIMIT %(most)s
    ) AS waiting)
FROM (SELECT) AS one
LEFT JOIN LATERAL (
    SELECT id, version FROM scoring_ruleset WHERE brand_id = %(brand)s AND version IS NOT NULL
    ORDER BY version DESC LIMIT 1
) AS rule_set ON TRUE
"""  # noqa: S608


def worths(*, customer: Customer, days: Sequence[When]) -> list[Worth]:
    """What the customer's awards are worth on each of these days, source by source; one query."""
    rule_set = current_rule_set(brand=customer.brand)
    if rule_set is None:
        return [Worth(Decimal(0), 0, ()) for _day in days]
    return worth_on(customer_id=customer.pk, rule_set_id=rule_set.pk, days=days)


def score_on(*, customer: Customer, on: date) -> Decimal:
    """What the awards of today are worth on another day, as a score."""
    return worths(customer=customer, days=[When(on)])[0].score


@dataclass(frozen=True, slots=True)
class MovedLine:
    """What one action did to the points since a day. A pending one has no points yet."""

    action_id: int
    local_date: date
    label: str
    why: str
    points: int
    pending: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """How a score came from ``before`` to ``after``: ``before`` + ``earned`` - ``faded`` = ``after``."""

    lines: tuple[MovedLine, ...]
    points: int
    before: Decimal
    after: Decimal
    earned: Decimal
    faded: Decimal


def what_moved(*, customer: Customer, since: date, on: date) -> Moved:
    """What moved a customer's score between two local dates, newest first.

    ``before`` is the score that the awards before ``since`` had on that day; what arrived late counts where it belongs.
    """
    values = worths(customer=customer, days=days_of_move(since=since, on=on))
    return moved_of(customer=customer, since=since, worths=values)


def days_of_move(*, since: date, on: date) -> list[When]:
    """The days whose worths ``moved_of`` is told: before, what is left of that, and after."""
    return [When(since, since), When(on, since), When(on)]


def moved_of(*, customer: Customer, since: date, worths: Sequence[Worth]) -> Moved:
    """What moved a score whose worths on ``days_of_move`` are known already; one query."""
    before, aged, after = worths
    with brand_time(customer.brand):
        rows = execute(_MOVED, {"customer": customer.pk, "since": since})
    return Moved(
        lines=tuple(
            MovedLine(
                action_id,
                local_date,
                label if venue is None else f"{label}, {venue}",
                _("Waiting for review") if is_pending else ", ".join(titles),
                points,
                is_pending,
            )
            for action_id, local_date, label, venue, titles, points, is_pending in rows
        ),
        points=sum(row[5] for row in rows),
        before=before.score,
        after=after.score,
        earned=after.score - aged.score,
        faded=before.score - aged.score,
    )


# Grain: one action since a day that holds points or waits for review. The title is that of the rule as it reads today.
_MOVED = """
WITH current AS (
    SELECT id FROM scoring_ruleset
    WHERE brand_id = (SELECT brand_id FROM accounts_customer WHERE id = %(customer)s) AND version IS NOT NULL
    ORDER BY version DESC LIMIT 1
),
title AS (
    SELECT DISTINCT ON (key) key, title FROM scoring_rule
    WHERE rule_set_id = (SELECT id FROM current) ORDER BY key, starts DESC NULLS LAST, position DESC
),
held AS (
    SELECT action_id, rule_id, sum(points)::bigint AS points FROM scoring_posting
    WHERE customer_id = %(customer)s AND local_date >= %(since)s
    GROUP BY action_id, rule_id HAVING sum(points) <> 0
),
moved AS (
    SELECT held.action_id, array_agg(coalesce(title.title, rule_key.key) ORDER BY held.points DESC) AS titles,
        sum(held.points)::bigint AS points, FALSE AS is_pending
    FROM held JOIN scoring_rulekey AS rule_key ON rule_key.id = held.rule_id
    LEFT JOIN title ON title.key = rule_key.key
    GROUP BY held.action_id
    UNION ALL
    SELECT action.id, ARRAY[]::text[], 0, TRUE
    FROM accounts_identifier AS identifier JOIN scoring_action AS action ON action.identifier_id = identifier.id
    WHERE identifier.customer_id = %(customer)s AND action.state = 'pending' AND action.occurred_at >= %(since)s::date
        AND NOT EXISTS (
            SELECT FROM scoring_amendment AS amendment
            WHERE amendment.action_id = action.id AND amendment.type IN ('void', 'decision'))
)
SELECT action.id, action.occurred_at::date, kind.label, venue.name, moved.titles, moved.points, moved.is_pending
FROM moved JOIN scoring_action AS action ON action.id = moved.action_id
JOIN scoring_actionkind AS kind ON kind.id = action.kind_id
LEFT JOIN scoring_venue AS venue ON venue.id = action.venue_id
ORDER BY action.occurred_at DESC, action.id DESC
"""


@dataclass(frozen=True, slots=True)
class ActivityLine:
    """One action as its customer sees it.

    ``state`` is ``counted``, ``no_points``, ``pending``, ``rejected`` or ``reversed``.
    """

    action_id: int
    occurred_at: datetime
    local_date: date
    kind_label: str
    source: Source
    venue_name: str | None
    quantity: Decimal | None
    unit: str
    state: str
    points: int
    titles: list[str]


def activity(
    *,
    customer: Customer,
    limit: int | None,
    before: tuple[datetime, int] | None = None,
    source: Source | None = None,
    states: Collection[str] | None = None,
    since: date | None = None,
    until: date | None = None,
    under: int | None = None,
    with_off: bool = False,
) -> list[ActivityLine]:
    """A customer's actions, newest first; ``before`` is the (occurred_at, action_id) of the last line seen.

    Those of a source that is switched off come only ``with_off``.
    Of a ``source`` come the actions of its kinds and those that were given points in it, with their points there.
    ``since`` and ``until`` are the first and the last local date, ``under`` is the number of an identifier.
    """
    with brand_time(customer.brand):
        rows = execute(
            _ACTIVITY,
            {
                "customer": customer.pk,
                "limit": limit,
                # A state is known only once an action was looked at; without one, no more than are wanted are.
                "looked_at": limit if states is None else None,
                "states": None if states is None else list(states),
                "source": source,
                "with_off": with_off,
                "since": since,
                "until": until,
                "under": under,
                "before_at": before[0] if before else None,
                "before_id": before[1] if before else None,
            },
        )
    return [
        ActivityLine(
            action_id=row[0],
            occurred_at=row[1],
            local_date=row[2],
            kind_label=row[3],
            source=Source(row[4]),
            venue_name=row[5],
            quantity=row[6],
            unit=customer.brand.currency if row[7] == "money" else row[7],
            state=row[8],
            points=row[9],
            titles=row[10],
        )
        for row in rows
    ]


def get_activity(*, customer: Customer, action_id: int) -> ActivityLine | None:
    """One of the customer's own actions, or None."""
    occurred_at = (
        Action.objects.filter(pk=action_id, identifier__customer=customer)
        .values_list("occurred_at", flat=True)
        .first()
    )
    if occurred_at is None:
        return None
    lines = activity(customer=customer, limit=1, before=(occurred_at, action_id + 1), with_off=True)
    return lines[0] if lines and lines[0].action_id == action_id else None


# Grain: one action of the customer, newest first. Index: action by identifier, posting by action.
_ACTIVITY = f"""
WITH current AS (
    SELECT id FROM scoring_ruleset
    WHERE brand_id = (SELECT brand_id FROM accounts_customer WHERE id = %(customer)s) AND version IS NOT NULL
    ORDER BY version DESC LIMIT 1
),
title AS (
    SELECT DISTINCT ON (key) key, title FROM scoring_rule
    WHERE rule_set_id = (SELECT id FROM current) ORDER BY key, starts DESC NULLS LAST, position DESC
),
line AS (
    SELECT action.id, action.occurred_at, action.occurred_at::date AS local_date, kind.label, kind.source::int,
        venue.name, coalesce(amended.quantity, action.quantity) AS quantity, kind.unit,
        CASE
            WHEN amended.is_void THEN 'reversed'
            WHEN action.state = 'pending' AND amended.is_accepted IS NULL THEN 'pending'
            WHEN action.state = 'pending' AND NOT amended.is_accepted THEN 'rejected'
            WHEN coalesce(held.points, 0) > 0 THEN 'counted'
            ELSE 'no_points'
        END AS state,
        coalesce(held.points, 0) AS points, coalesce(held.titles, ARRAY[]::text[]) AS titles
    FROM (
        SELECT action.* FROM accounts_identifier AS identifier
        JOIN scoring_action AS action ON action.identifier_id = identifier.id
        JOIN scoring_actionkind AS kind ON kind.id = action.kind_id
        WHERE identifier.customer_id = %(customer)s AND (%(under)s::bigint IS NULL OR identifier.id = %(under)s)
            AND (%(before_at)s::timestamptz IS NULL
            OR (action.occurred_at, action.id) < (%(before_at)s::timestamptz, %(before_id)s::bigint))
            AND (%(since)s::date IS NULL OR action.occurred_at >= %(since)s::date)
            AND (%(until)s::date IS NULL OR action.occurred_at < %(until)s::date + 1)
            AND (%(with_off)s OR identifier.sources_off >> kind.source & 1 = 0)
            AND (%(source)s::int IS NULL OR kind.source = %(source)s OR EXISTS (
                SELECT FROM scoring_posting AS posting WHERE posting.action_id = action.id
                    AND posting.customer_id = %(customer)s AND posting.source = %(source)s))
        ORDER BY action.occurred_at DESC, action.id DESC LIMIT %(looked_at)s::bigint
    ) AS action
    JOIN scoring_actionkind AS kind ON kind.id = action.kind_id
    LEFT JOIN scoring_venue AS venue ON venue.id = action.venue_id
    LEFT JOIN LATERAL (
        {AMENDED_ACTION}
    ) AS amended ON TRUE
    LEFT JOIN LATERAL (
        SELECT sum(award.points)::bigint AS points,
            array_agg(coalesce(title.title, rule_key.key) ORDER BY award.points DESC) AS titles
        FROM (
            SELECT posting.rule_id, sum(posting.points) AS points FROM scoring_posting AS posting
            WHERE posting.action_id = action.id AND posting.customer_id = %(customer)s
                AND (%(source)s::int IS NULL OR posting.source = %(source)s)
            GROUP BY posting.rule_id HAVING sum(posting.points) <> 0
        ) AS award
        JOIN scoring_rulekey AS rule_key ON rule_key.id = award.rule_id
        LEFT JOIN title ON title.key = rule_key.key
    ) AS held ON TRUE
)
SELECT * FROM line WHERE %(states)s::text[] IS NULL OR state = ANY (%(states)s::text[])
ORDER BY occurred_at DESC, id DESC LIMIT %(limit)s::bigint
"""  # noqa: S608


def top_customers(*, audience: Audience) -> QuerySet[Score]:
    """The scores of an audience, highest first, each with its ``rank`` among them (equal scores share one)."""
    return (
        Score.objects.filter(brand=audience.brand, customer__in=audience.customers)
        .select_related("customer__user")
        .annotate(rank=Window(RankFunction(), order_by=F("score").desc()))
        .order_by("-score", "customer_id")
    )


def best_customer(*, audience: Audience) -> Score | None:
    """The highest score of an audience; None where nobody has one. Index: scores of a brand in their order."""
    return (
        Score.objects.filter(brand=audience.brand, customer__in=audience.customers)
        .select_related("customer")
        .order_by("-score")
        .first()
    )


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One customer in an export of scores. The six values of a list are in the order of ``Source``."""

    customer_id: int
    public_id: str
    identifiers: list[str]
    email: str | None
    points: int
    score: Decimal
    sub_scores: list[float]
    source_points: list[int]


def iter_scores(*, audience: Audience, on: date) -> Iterator[ScoreRow]:
    """The score of every customer of an audience on a local date, in flat memory; by customer number."""
    rule_set = current_rule_set(brand=audience.brand)
    if rule_set is None:
        return
    parameters = {"brand": audience.brand.pk, "on": on}
    for row in _stream(_scores_statement(rule_set, audience), parameters):
        yield ScoreRow(*row)


def _scores_statement(rule_set: RuleSet, audience: Audience) -> str:
    # Grain: one customer. Index: daily points by customer.
    return (
        sql.SQL("""
WITH shape AS (
    SELECT customer.id AS customer_id, shape.source, shape.weight, shape.halfway,
        coalesce(sum(daily.points), 0)::bigint AS points, coalesce(sum({faded}), 0) AS faded
    FROM accounts_customer AS customer CROSS JOIN {shape}
    LEFT JOIN scoring_dailypoints AS daily ON daily.customer_id = customer.id AND daily.source = shape.source
    WHERE customer.brand_id = %(brand)s AND {is_member}
    GROUP BY customer.id, shape.source, shape.weight, shape.halfway
),
part AS (SELECT *, ({sub_score})::float8 AS sub_score FROM shape),
whole AS (
    SELECT customer_id, sum(points)::bigint AS points, round((sum(weight * sub_score) / 10)::numeric, 3) AS score,
        array_agg(sub_score ORDER BY source) AS sub_scores, array_agg(points ORDER BY source) AS source_points
    FROM part GROUP BY customer_id
),
identity AS (
    SELECT customer_id, array_agg(scheme || ':' || value ORDER BY scheme = 'laurel', scheme, value) AS identifiers
    FROM accounts_identifier WHERE brand_id = %(brand)s GROUP BY customer_id
)
SELECT whole.customer_id, customer.public_id::text, coalesce(identity.identifiers, ARRAY[]::text[]), person.email,
    whole.points, whole.score, whole.sub_scores, whole.source_points
FROM whole
JOIN accounts_customer AS customer ON customer.id = whole.customer_id
LEFT JOIN accounts_user AS person ON person.id = customer.user_id
LEFT JOIN identity ON identity.customer_id = whole.customer_id
ORDER BY whole.customer_id
""")
        .format(
            faded=FADED.format(
                points=sql.SQL("daily.points"),
                on=sql.SQL("%(on)s::date"),
                date=sql.SQL("daily.local_date"),
            ),
            shape=shape_values(stored_shape(rule_set.sources)),
            sub_score=SUB_SCORE.format(faded=sql.SQL("shape.faded")),
            is_member=audience.is_member,
        )
        .as_string(None)
    )


@dataclass(frozen=True, slots=True)
class AwardRow:
    """One award that holds: which action, which rule, and the points."""

    origin: str
    external_id: str
    rule: str
    source: Source
    on: date
    points: int


def iter_awards(*, brand: Brand) -> Iterator[AwardRow]:
    """Every award that the ledger holds now, in flat memory; by customer and action."""
    for origin, external_id, rule, source, on, points in _stream(_AWARDS, {"brand": brand.pk}):
        yield AwardRow(origin, external_id, rule, Source(source), on, points)


# Grain: one award: the sum of its postings.
_AWARDS = """
SELECT action.origin, action.external_id, rule.key, posting.source, posting.local_date,
    sum(posting.points)::bigint AS points
FROM accounts_customer AS customer
JOIN scoring_posting AS posting ON posting.customer_id = customer.id
JOIN scoring_action AS action ON action.id = posting.action_id
JOIN scoring_rulekey AS rule ON rule.id = posting.rule_id
WHERE customer.brand_id = %(brand)s
GROUP BY posting.customer_id, action.id, rule.key, posting.source, posting.local_date
HAVING sum(posting.points) <> 0
ORDER BY posting.customer_id, action.id, rule.key
"""


def _stream(statement: str, parameters: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of a statement through a cursor of the server, some thousand at a time."""
    with transaction.atomic():
        connection.ensure_connection()
        with connection.connection.cursor(name="laurel_export") as cursor:
            cursor.execute(statement, parameters)
            while rows := cursor.fetchmany(FETCH):
                yield from rows
