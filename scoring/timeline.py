"""One customer over every channel: what happened, newest first, and what is known by source.

Everything here reads. What a customer switched off is left out of what staff see, and a paused customer has no profile.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from accounts.models import Customer

from .facts import AMENDED_ACTION
from .models import Source
from .statements import brand_time, execute


class Place(NamedTuple):
    """Where in a timeline an event stands: its moment, its type and its number there."""

    at: datetime
    type: str
    id: int


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a customer.

    ``type`` is ``action``, ``amendment``, ``objection``, ``earned`` or ``revoked`` (a badge), ``link``, ``consent``,
    ``disputed``, ``settled`` or ``joined``; ``detail`` is what there is to say about it, by type, as plain values.
    """

    at: datetime
    type: str
    id: int
    detail: Mapping[str, Any]

    @property
    def place(self) -> Place:
        """What to ask ``timeline`` for the events after this one by."""
        return Place(self.at, self.type, self.id)


# As they come when several are of one moment; the last is the newest.
TYPES = (
    "joined",
    "link",
    "consent",
    "action",
    "amendment",
    "objection",
    "earned",
    "revoked",
    "disputed",
    "settled",
)


def timeline(
    *,
    customer: Customer,
    limit: int,
    before: Place | None = None,
    only: Collection[str] = TYPES,
) -> list[Event]:
    """What happened to a customer under every identifier, newest first; ``before`` is the last event seen. One query.

    ``only`` are the types wanted. Actions of sources that the customer switched off are left out; of a paused one, all
    actions and badges.
    """
    with brand_time(customer.brand):
        rows = execute(
            _TIMELINE,
            {
                "customer": customer.pk,
                "brand": customer.brand_id,
                "has_profile": customer.paused_at is None,
                "types": list(TYPES),
                "only": list(only),
                "limit": limit,
                "before_at": before.at if before else None,
                "before_type": before.type if before else None,
                "before_id": before.id if before else None,
            },
        )
    return [Event(at, type_, pk, json.loads(detail)) for at, type_, pk, detail in rows]


# Grain: one event of the customer; details are looked up only for those shown. Index: action by identifier,
# amendment by identifier, badge by customer, link event by customer, consent by customer. Disputes are few.
_TIMELINE = f"""
WITH subject AS (SELECT * FROM accounts_customer WHERE id = %(customer)s),
identity AS (SELECT id, counts_from FROM accounts_identifier WHERE customer_id = %(customer)s),
event AS (
    SELECT action.occurred_at AS at, 'action' AS type, action.id
    FROM identity JOIN scoring_action AS action ON action.identifier_id = identity.id
    JOIN scoring_actionkind AS kind ON kind.id = action.kind_id CROSS JOIN subject
    WHERE %(has_profile)s AND subject.sources_off & (1 << kind.source) = 0
    UNION ALL
    SELECT amendment.at, 'amendment', amendment.id
    FROM identity JOIN scoring_amendment AS amendment ON amendment.identifier_id = identity.id
    JOIN scoring_action AS action ON action.id = amendment.action_id
    JOIN scoring_actionkind AS kind ON kind.id = action.kind_id CROSS JOIN subject
    WHERE %(has_profile)s AND subject.sources_off & (1 << kind.source) = 0
    UNION ALL
    SELECT objection.made_at, 'objection', objection.action_id
    FROM identity JOIN scoring_action AS action ON action.identifier_id = identity.id
    JOIN scoring_objection AS objection ON objection.action_id = action.id
    JOIN scoring_actionkind AS kind ON kind.id = action.kind_id CROSS JOIN subject
    WHERE %(has_profile)s AND subject.sources_off & (1 << kind.source) = 0
    UNION ALL
    SELECT earned_at, 'earned', id FROM scoring_badgeearned WHERE %(has_profile)s AND customer_id = %(customer)s
    UNION ALL
    SELECT revoked_at, 'revoked', id FROM scoring_badgeearned
    WHERE %(has_profile)s AND customer_id = %(customer)s AND revoked_at IS NOT NULL
    UNION ALL
    SELECT at, 'link', id FROM accounts_linkevent WHERE %(customer)s IN (from_customer_id, to_customer_id)
    UNION ALL
    SELECT at, 'consent', id FROM accounts_consent WHERE customer_id = %(customer)s
    UNION ALL
    SELECT opened_at, 'disputed', id FROM accounts_dispute
    WHERE brand_id = %(brand)s AND %(customer)s IN (claimant_id, holder_id)
    UNION ALL
    SELECT decided_at, 'settled', id FROM accounts_dispute
    WHERE brand_id = %(brand)s AND %(customer)s IN (claimant_id, holder_id) AND decided_at IS NOT NULL
    UNION ALL
    SELECT joined_at, 'joined', id FROM subject WHERE joined_at IS NOT NULL
),
shown AS (
    SELECT at, type, id FROM event
    WHERE type = ANY (%(only)s::text[]) AND (%(before_at)s::timestamptz IS NULL
        OR (at, array_position(%(types)s::text[], type), id) < (%(before_at)s::timestamptz,
            array_position(%(types)s::text[], %(before_type)s::text), %(before_id)s::bigint))
    ORDER BY at DESC, array_position(%(types)s::text[], type) DESC, id DESC LIMIT %(limit)s::bigint
)
SELECT shown.at, shown.type, shown.id, coalesce(detail.value, '{{}}')::text
FROM shown
LEFT JOIN LATERAL (
    SELECT jsonb_build_object('kind', kind.label, 'source', kind.source, 'unit', kind.unit,
        'quantity', coalesce(amended.quantity, action.quantity)::text, 'venue', venue.name, 'channel', action.channel,
        'origin', action.origin, 'scheme', identifier.scheme, 'points', held.points, 'state',
        CASE
            WHEN amended.is_void THEN 'void'
            WHEN action.state = 'pending' AND amended.is_accepted IS NULL THEN 'pending'
            WHEN action.state = 'pending' AND NOT amended.is_accepted THEN 'rejected'
            WHEN action.occurred_at < identifier.counts_from THEN 'before'
            ELSE 'accepted'
        END) AS value
    FROM scoring_action AS action
    JOIN scoring_actionkind AS kind ON kind.id = action.kind_id
    JOIN accounts_identifier AS identifier ON identifier.id = action.identifier_id
    LEFT JOIN scoring_venue AS venue ON venue.id = action.venue_id
    CROSS JOIN LATERAL (
        {AMENDED_ACTION}
    ) AS amended
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(posting.points), 0)::bigint AS points FROM scoring_posting AS posting
        WHERE posting.action_id = action.id AND posting.customer_id = %(customer)s
    ) AS held
    WHERE shown.type = 'action' AND action.id = shown.id
    UNION ALL
    SELECT jsonb_build_object('what', amendment.type, 'action', amendment.action_id, 'kind', kind.label,
        'source', kind.source, 'unit', kind.unit, 'quantity', amendment.quantity::text,
        'accepted', amendment.accepted, 'reason', amendment.reason)
    FROM scoring_amendment AS amendment
    JOIN scoring_action AS action ON action.id = amendment.action_id
    JOIN scoring_actionkind AS kind ON kind.id = action.kind_id
    WHERE shown.type = 'amendment' AND amendment.id = shown.id
    UNION ALL
    SELECT jsonb_build_object('action', objection.action_id, 'kind', kind.label, 'source', kind.source,
        'text', objection.text, 'is_answered', objection.answered_at IS NOT NULL)
    FROM scoring_objection AS objection
    JOIN scoring_action AS action ON action.id = objection.action_id
    JOIN scoring_actionkind AS kind ON kind.id = action.kind_id
    WHERE shown.type = 'objection' AND objection.action_id = shown.id
    UNION ALL
    SELECT jsonb_build_object('badge', badge.title, 'source', badge.source, 'level', earned.level,
        'why', earned.revoked_why)
    FROM scoring_badgeearned AS earned JOIN scoring_badge AS badge ON badge.id = earned.badge_id
    WHERE shown.type IN ('earned', 'revoked') AND earned.id = shown.id
    UNION ALL
    SELECT jsonb_build_object('scheme', identifier.scheme, 'value', identifier.value, 'what', link.type,
        'proof', link.proof, 'counts_from', link.counts_from, 'reason', link.reason, 'by', staff.email,
        'came', link.to_customer_id = %(customer)s, 'other', CASE
            WHEN link.to_customer_id = %(customer)s THEN link.from_customer_id ELSE link.to_customer_id END)
    FROM accounts_linkevent AS link
    JOIN accounts_identifier AS identifier ON identifier.id = link.identifier_id
    LEFT JOIN accounts_user AS staff ON staff.id = link.by_id
    WHERE shown.type = 'link' AND link.id = shown.id
    UNION ALL
    SELECT jsonb_build_object('purpose', consent.purpose, 'channel', consent.channel, 'given', consent.given,
        'way', consent.way, 'version', consent.version)
    FROM accounts_consent AS consent WHERE shown.type = 'consent' AND consent.id = shown.id
    UNION ALL
    SELECT jsonb_build_object('scheme', identifier.scheme, 'value', identifier.value, 'proof', dispute.proof,
        'claims', dispute.claimant_id = %(customer)s, 'moved', dispute.moved, 'note', dispute.note, 'other', CASE
            WHEN dispute.claimant_id = %(customer)s THEN dispute.holder_id ELSE dispute.claimant_id END)
    FROM accounts_dispute AS dispute JOIN accounts_identifier AS identifier ON identifier.id = dispute.identifier_id
    WHERE shown.type IN ('disputed', 'settled') AND dispute.id = shown.id
) AS detail ON TRUE
ORDER BY shown.at DESC, array_position(%(types)s::text[], shown.type) DESC, shown.id DESC
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class KnownSource:
    """What is known of a customer in one source: how many actions, of which kinds, from when to when, reported by whom.

    ``is_off``: the customer switched the source off, so that none of it is scored.
    """

    source: Source
    is_off: bool
    actions: int
    first_on: date
    last_on: date
    kinds: list[str]
    origins: list[str]
    channels: list[str]


def known_sources(*, customer: Customer) -> list[KnownSource]:
    """What is known of a customer, a row for each source of which there is anything; one query."""
    with brand_time(customer.brand):
        rows = execute(_KNOWN, {"customer": customer.pk})
    return [
        KnownSource(
            source=Source(row[0]),
            is_off=bool(customer.sources_off >> row[0] & 1),
            actions=row[1],
            first_on=row[2],
            last_on=row[3],
            kinds=row[4],
            origins=row[5],
            channels=row[6],
        )
        for row in rows
    ]


# Grain: one source. Index: action by identifier.
_KNOWN = """
SELECT kind.source::int, count(*), min(action.occurred_at)::date, max(action.occurred_at)::date,
    array_agg(DISTINCT kind.label), array_agg(DISTINCT action.origin::text),
    coalesce(array_agg(DISTINCT action.channel::text) FILTER (WHERE action.channel <> ''), ARRAY[]::text[])
FROM accounts_identifier AS identifier
JOIN scoring_action AS action ON action.identifier_id = identifier.id
JOIN scoring_actionkind AS kind ON kind.id = action.kind_id
WHERE identifier.customer_id = %(customer)s
GROUP BY kind.source ORDER BY kind.source
"""


def actions_by_identifier(*, customer: Customer) -> dict[int, tuple[int, date]]:
    """How many actions were reported under each of a customer's identifiers, and when last; one query."""
    with brand_time(customer.brand):
        rows = execute(_BY_IDENTIFIER, {"customer": customer.pk})
    return {row[0]: (row[1], row[2]) for row in rows}


# Grain: one identifier that has actions. Index: action by identifier.
_BY_IDENTIFIER = """
SELECT identifier.id, count(*), max(action.occurred_at)::date
FROM accounts_identifier AS identifier JOIN scoring_action AS action ON action.identifier_id = identifier.id
WHERE identifier.customer_id = %(customer)s GROUP BY identifier.id
"""
