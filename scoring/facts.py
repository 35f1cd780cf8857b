"""The relation ``fact``: the actions that count, as rules see them.

Grain: one accepted action of a customer in ``subject``. Columns: customer_id, action_id,
kind_id, occurred_at and local_date, and where asked for origin, external_id (which order equal
times), quantity (after corrections), channel, venue_id, attributes and local_at (wall clock).

What lies before an identifier's ``counts_from``, and what belongs to a source that is switched off, does not count.

Local dates are of the session's time zone, which ``scoring.statements.brand_time`` makes the brand's: PostgreSQL
converts a time to it four times as fast as to a zone that is named in the statement.
"""

from collections.abc import Collection
from typing import LiteralString

from psycopg import sql

# What later records make of an action: a void is final, the highest correction and the lowest decision hold.
_OUTCOME = """
        bool_or(amendment.type = 'void') AS is_void,
        (array_agg(amendment.quantity ORDER BY amendment.at DESC, amendment.external_id DESC)
            FILTER (WHERE amendment.type = 'correction'))[1] AS quantity,
        (array_agg(amendment.accepted ORDER BY amendment.at, amendment.external_id)
            FILTER (WHERE amendment.type = 'decision'))[1] AS is_accepted"""
# The same of the one row called ``action``, in a lateral join. Index: amendment by action.
AMENDED_ACTION = f"""SELECT{_OUTCOME}
        FROM scoring_amendment AS amendment WHERE amendment.action_id = action.id"""
# Grain: one amended action of a subject. Index: amendment by identifier.
_AMENDED = sql.SQL(f"""
amended AS (
    SELECT amendment.action_id,{_OUTCOME}
    FROM {{amendments}}
    WHERE amendment.action_id IS NOT NULL
    GROUP BY amendment.action_id
)""")  # noqa: S608
_ALL_AMENDMENTS = sql.SQL("""{whose}
    JOIN accounts_identifier AS identifier ON identifier.customer_id = subject.customer_id
    JOIN scoring_amendment AS amendment ON amendment.identifier_id = identifier.id""")
# Looked up by index, one subject after the other; the fences leave the planner no other way (see SCOPED_FACTS).
_SCOPED_AMENDMENTS = sql.SQL("""subject
    CROSS JOIN LATERAL (
        SELECT one.id FROM accounts_identifier AS one WHERE one.customer_id = subject.customer_id OFFSET 0
    ) AS identifier
    CROSS JOIN LATERAL (
        SELECT one.* FROM scoring_amendment AS one WHERE one.identifier_id = identifier.id OFFSET 0
    ) AS amendment""")

# What a fact may be asked for beyond who did what when. A column that no rule looks at is not read.
_ASKED = {
    "quantity": "CASE WHEN amended.quantity IS NULL THEN action.quantity ELSE amended.quantity END AS quantity",
    "channel": "action.channel",
    "venue_id": "action.venue_id",
    "attributes": "action.attributes",
    "local_at": "action.occurred_at::timestamp AS local_at",
    "origin": "action.origin",
    "external_id": "action.external_id",
    "sources_off": "identifier.sources_off",
}

# The same of what is only supposed, which nothing has amended.
_SUPPOSED = {name: f"action.{name}" for name in _ASKED} | {
    "local_at": "action.occurred_at::timestamp",
    "sources_off": "switched.off",
}

# Whether an action counts for whoever holds its identifier. The kind is looked up only where something is switched off.
COUNTED = """(identifier.counts_from IS NULL OR action.occurred_at >= identifier.counts_from)
        AND (identifier.sources_off = 0 OR NOT EXISTS (
            SELECT FROM scoring_actionkind AS switched_kind
            WHERE switched_kind.id = action.kind_id AND identifier.sources_off >> switched_kind.source & 1 = 1))"""

_COUNTS = sql.SQL(f"""{COUNTED} AND
        CASE action.state WHEN 'accepted' THEN amended.is_void IS NOT TRUE
            ELSE amended.is_accepted AND NOT amended.is_void END""")

# Every action of the subjects that one of the rules can see. Index: action by identifier.
ALL_FACTS = sql.SQL("""
fact AS MATERIALIZED (
    SELECT subject.customer_id, action.id AS action_id, action.kind_id, action.occurred_at,
        action.occurred_at::date AS local_date{columns}
    FROM subject
    JOIN accounts_identifier AS identifier ON identifier.customer_id = subject.customer_id
    JOIN scoring_action AS action ON action.identifier_id = identifier.id
    LEFT JOIN amended ON amended.action_id = action.id
    WHERE {counts} AND action.kind_id IN ({kinds})
)""")

# Only the actions that can bear on the days that changed: ``kind_scope`` says how far each kind is read. What is
# looked up by index is fenced, since the planner knows nothing of how many rows the lists of a run become: it can
# then be told to join all else by hash (``run.score_due``), which is never far from the best. A local date lies
# within a day and a bit of its UTC date, so the range is cut wide here and exactly later.
SCOPED_FACTS = sql.SQL("""
fact AS MATERIALIZED (
    SELECT kind_scope.customer_id, action.id AS action_id, action.kind_id, action.occurred_at,
        action.occurred_at::date AS local_date{columns}
    FROM kind_scope
    CROSS JOIN LATERAL (
        SELECT one.id, one.counts_from, one.sources_off
        FROM accounts_identifier AS one WHERE one.customer_id = kind_scope.customer_id OFFSET 0
    ) AS identifier
    CROSS JOIN LATERAL (
        SELECT * FROM scoring_action AS one
        WHERE one.identifier_id = identifier.id AND one.kind_id = kind_scope.kind_id
            AND one.occurred_at >= kind_scope.read_from::timestamp AT TIME ZONE 'UTC' - INTERVAL '2 days'
            AND one.occurred_at < kind_scope.read_until::timestamp AT TIME ZONE 'UTC' + INTERVAL '3 days'
        OFFSET 0
    ) AS action
    LEFT JOIN amended ON amended.action_id = action.id
    WHERE {counts}
)""")

# What one customer did (or nobody, who did nothing), once for each scenario, and what each supposes besides. Rules
# tell actions by their id alone, so the same action is another one in each scenario; a supposed one's id is negative,
# and its lowest bits are its number. Grain: a scenario and one of its actions.
SUPPOSED_FACTS = sql.SQL("""
switched AS MATERIALIZED (
    SELECT coalesce(bit_or(identifier.sources_off), 0) AS off
    FROM person JOIN accounts_identifier AS identifier ON identifier.customer_id = person.customer_id
),
past AS MATERIALIZED (
    SELECT action.id AS action_id, action.kind_id, action.occurred_at, action.occurred_at::date AS local_date{columns}
    FROM person AS subject
    JOIN accounts_identifier AS identifier ON identifier.customer_id = subject.customer_id
    JOIN scoring_action AS action ON action.identifier_id = identifier.id
    LEFT JOIN amended ON amended.action_id = action.id
    WHERE {counts} AND action.kind_id IN ({kinds})
),
fact AS MATERIALIZED (
    SELECT subject.customer_id, subject.customer_id << 44 | past.action_id AS action_id, past.kind_id,
        past.occurred_at, past.local_date{past}
    FROM subject CROSS JOIN past
    UNION ALL
    SELECT action.scenario, -(action.scenario << 44 | action.number), action.kind_id, action.occurred_at,
        action.occurred_at::date{supposed}
    FROM supposed AS action CROSS JOIN switched
    WHERE switched.off = 0 OR NOT EXISTS (
        SELECT FROM scoring_actionkind AS kind WHERE kind.id = action.kind_id AND switched.off >> kind.source & 1 = 1)
)""")

# What lies before the facts that are read, for limits that count for ever; cut where ``relations.SEEDED_AT`` says.
EARLIER_FACTS = sql.SQL("""
            SELECT action.kind_id, action.occurred_at, action.occurred_at::date AS local_date{columns}
            FROM (
                SELECT one.id, one.counts_from, one.sources_off FROM accounts_identifier AS one
                WHERE one.customer_id = key_scope.customer_id OFFSET 0
            ) AS identifier
            CROSS JOIN LATERAL (
                SELECT * FROM scoring_action AS one
                WHERE one.identifier_id = identifier.id AND one.kind_id IN ({kinds})
                    AND one.occurred_at < key_scope.read_from::timestamp AT TIME ZONE 'UTC' - INTERVAL '2 days'
                OFFSET 0
            ) AS action
            LEFT JOIN amended ON amended.action_id = action.id
            WHERE {counts}""")


def amended(*, scoped: bool, whose: LiteralString = "subject") -> sql.Composable:
    """The CTE ``amended``, which ``fact`` reads: of the customers in ``whose``, known as ``subject``."""
    return _AMENDED.format(
        amendments=_SCOPED_AMENDMENTS if scoped else _ALL_AMENDMENTS.format(whose=sql.SQL(whose))
    )


def supposed_facts(*, kinds: list[int], columns: Collection[str]) -> sql.Composable:
    """The CTE ``fact`` of scenarios: what the customer in ``person`` did, and what ``supposed`` adds to it."""
    return SUPPOSED_FACTS.format(
        columns=_asked(columns),
        counts=_COUNTS,
        kinds=_ids(kinds),
        past=sql.SQL("").join(
            sql.SQL(", ") + sql.Identifier("past", name) for name in _ASKED if name in columns
        ),
        supposed=sql.SQL("").join(
            sql.SQL(", " + _SUPPOSED[name]) for name in _ASKED if name in columns
        ),
    )


def facts(*, kinds: list[int], columns: Collection[str], scoped: bool) -> sql.Composable:
    """The CTE ``fact``, of every kind in use, or cut by ``kind_scope`` where only some days changed.

    ``columns`` are those that somebody asks for, of ``_ASKED``.
    """
    template = SCOPED_FACTS if scoped else ALL_FACTS
    return template.format(columns=_asked(columns), counts=_COUNTS, kinds=_ids(kinds))


def earlier_facts(*, kinds: list[int], columns: Collection[str]) -> sql.Composable:
    """A subquery of the facts before ``SEEDED_AT`` of ``key_scope``."""
    return EARLIER_FACTS.format(columns=_asked(columns), counts=_COUNTS, kinds=_ids(kinds))


def _asked(columns: Collection[str]) -> sql.Composable:
    return sql.SQL("").join(
        sql.SQL(", " + text) for name, text in _ASKED.items() if name in columns
    )


def _ids(kinds: list[int]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Literal, kinds)) if kinds else sql.SQL("NULL")
