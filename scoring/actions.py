"""The only door through which facts enter. What comes in is validated, stored and marked due at once.

A record is one record for ever: the same (brand, origin, external_id) again is a repeat if it says
the same, and is refused if it says anything else. Facts may arrive in any order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from django.db import connection, transaction
from django.dispatch import Signal
from django.utils.translation import gettext as _

from accounts.identity import OWN_SCHEME, find_identifiers, resolve_identifiers
from accounts.models import Brand

from .models import Posting
from .records import (
    ActionRow,
    AmendmentRow,
    CorrectionRow,
    DecisionRow,
    RecordError,
    Row,
    VoidRow,
    checked_action,
    checked_amendment,
    parse_record,
)
from .vocabulary import Kind, Vocabulary

__all__ = [
    "ActionRow",
    "CorrectionRow",
    "DecisionRow",
    "Outcome",
    "RecordError",
    "VoidRow",
    "attach_waiting",
    "customers_due",
    "mark_due",
    "parse_record",
    "record_actions",
]

# Sent after the commit that laid due marks, with: brand_id. Losing it costs seconds, never an action.
customers_due = Signal()

_json = msgspec.json.Encoder(decimal_format="number")
_Record = TypeVar("_Record")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row: ``accepted``, ``repeated`` (known already) or ``refused`` with a reason.

    ``action_id`` is the action's number; of an amendment that waits for its action, None.
    """

    status: str
    field: str = ""
    reason: str = ""
    action_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Checked:
    row: ActionRow
    kind: Kind
    identifier: tuple[str, str]


def record_actions(*, brand: Brand, rows: Sequence[Row], now: datetime) -> list[Outcome]:
    """Store actions, corrections, voids and decisions, in any order, in one transaction.

    Returns one outcome per row, in the order of the rows. Good rows are kept whatever the others
    are. May run twice: what is known already is ``repeated``. ``now`` is the moment of arrival.
    """
    vocabulary = Vocabulary.of(brand)
    outcomes: list[Outcome | None] = [None] * len(rows)
    actions: dict[int, _Checked] = {}
    amendments: dict[int, AmendmentRow] = {}
    for place, row in enumerate(rows):
        try:
            if isinstance(row, ActionRow):
                actions[place] = _Checked(*checked_action(row, vocabulary=vocabulary, now=now))
            else:
                amendments[place] = checked_amendment(row, vocabulary=vocabulary)
        except RecordError as error:
            outcomes[place] = Outcome("refused", error.field, error.reason)
    with transaction.atomic():
        if actions:
            _store_actions(brand, vocabulary, actions, outcomes, now)
        if amendments:
            _store_amendments(brand, amendments, outcomes, now)
        if actions or amendments:
            _ring_on_commit(brand.pk)
    return [outcome for outcome in outcomes if outcome is not None]


def _store_actions(
    brand: Brand,
    vocabulary: Vocabulary,
    actions: dict[int, _Checked],
    outcomes: list[Outcome | None],
    now: datetime,
) -> None:
    identifiers = _identified(brand, actions, outcomes, now)
    if not actions:
        return
    firsts = _first_of_each(
        {place: checked.row for place, checked in actions.items()},
        lambda row: (row.origin, row.external_id),
    )
    columns: list[tuple[Any, ...]] = []
    # In one order everywhere, so that two callers with the same rows cannot wait for each other.
    for place in sorted(firsts, key=lambda p: (actions[p].row.origin, actions[p].row.external_id)):
        row = actions[place].row
        columns.append(
            (
                place,
                identifiers[actions[place].identifier],
                actions[place].kind.id,
                vocabulary.venues[row.venue] if row.venue else None,
                row.occurred_at,
                row.quantity,
                row.state,
                row.channel,
                row.origin,
                row.external_id,
                _json.encode(row.attributes).decode() if row.attributes else None,
            )
        )
    parameters: dict[str, Any] = {
        name: [line[number] for line in columns]
        for number, name in enumerate(
            (
                "place",
                "identifier",
                "kind",
                "venue",
                "occurred_at",
                "quantity",
                "state",
                "channel",
                "origin",
                "external_id",
                "attributes",
            )
        )
    } | {"brand": brand.pk, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_ACTIONS, parameters)
        new = {(origin, external_id): pk for pk, origin, external_id in cursor.fetchall()}
        known: dict[int, tuple[int, str | None]] = {}
        if len(new) < len(columns):
            cursor.execute(_COMPARE_ACTIONS, parameters)
            known = {place: (pk, field) for place, pk, field in cursor.fetchall()}
        for place in firsts:
            row = actions[place].row
            pk = new.get((row.origin, row.external_id))
            if pk is not None:
                outcomes[place] = Outcome("accepted", action_id=pk)
            else:
                outcomes[place] = _repeat(*known[place])
        _settle_repeats(firsts, {p: c.row for p, c in actions.items()}, outcomes)
        if new:
            cursor.execute(_ATTACH, {"brand": brand.pk, "actions": list(new.values())})
            cursor.execute(
                _MARK_ACTIONS,
                {**_mark_parameters(brand, now), "actions": list(new.values())},
            )


def _identified(
    brand: Brand,
    actions: dict[int, _Checked],
    outcomes: list[Outcome | None],
    now: datetime,
) -> dict[tuple[str, str], int]:
    """The ids of the actions' identifiers, made where nobody has them.

    Two kinds of rows make none, and are answered and taken out: a repeat of what somebody did who was erased, which
    must not bring their identifier back; and what names a number of Laurel's own that nobody has, or no more.
    """
    found = find_identifiers(
        brand=brand, identifiers=[checked.identifier for checked in actions.values()]
    )
    unknown = {place: row for place, row in actions.items() if row.identifier not in found}
    if not unknown:
        return found
    repeats = _repeats_of_erased(brand, unknown)
    for place, checked in unknown.items():
        if place in repeats:
            outcomes[place] = Outcome("repeated", action_id=repeats[place])
        elif checked.identifier[0] == OWN_SCHEME:
            outcomes[place] = Outcome("refused", "identifier", _("nobody has this number"))
        else:
            continue
        del actions[place]
    left = [checked.identifier for place, checked in unknown.items() if place in actions]
    return found | resolve_identifiers(brand=brand, identifiers=left, now=now)


def _repeats_of_erased(brand: Brand, actions: dict[int, _Checked]) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            _REPEATS_OF_ERASED,
            {
                "brand": brand.pk,
                "place": list(actions),
                "origin": [checked.row.origin for checked in actions.values()],
                "external_id": [checked.row.external_id for checked in actions.values()],
            },
        )
        return dict(cursor.fetchall())


def _store_amendments(
    brand: Brand,
    amendments: dict[int, AmendmentRow],
    outcomes: list[Outcome | None],
    now: datetime,
) -> None:
    firsts = _first_of_each(amendments, lambda row: (row.type, row.origin, row.external_id))
    columns: list[tuple[Any, ...]] = []
    for place in sorted(
        firsts, key=lambda p: (amendments[p].type, amendments[p].origin, amendments[p].external_id)
    ):
        row = amendments[place]
        columns.append(
            (
                place,
                row.type,
                row.origin,
                row.external_id,
                row.action,
                row.at,
                row.quantity if isinstance(row, CorrectionRow) else None,
                row.accepted if isinstance(row, DecisionRow) else None,
                "" if isinstance(row, CorrectionRow) else row.reason,
            )
        )
    parameters: dict[str, Any] = {
        name: [line[number] for line in columns]
        for number, name in enumerate(
            (
                "place",
                "type",
                "origin",
                "external_id",
                "action",
                "at",
                "quantity",
                "accepted",
                "reason",
            )
        )
    } | {"brand": brand.pk, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_AMENDMENTS, parameters)
        new = {tuple(line[2:]): (line[0], line[1]) for line in cursor.fetchall()}
        known: dict[int, tuple[int | None, str | None]] = {}
        if len(new) < len(columns):
            cursor.execute(_COMPARE_AMENDMENTS, parameters)
            known = {place: (pk, field) for place, pk, field in cursor.fetchall()}
        for place in firsts:
            row = amendments[place]
            found = new.get((row.type, row.origin, row.external_id))
            if found is not None:
                outcomes[place] = Outcome("accepted", action_id=found[1])
            else:
                outcomes[place] = _repeat(*known[place])
        _settle_repeats(firsts, amendments, outcomes)
        amended = [action for _pk, action in new.values() if action is not None]
        if amended:
            cursor.execute(_MARK_ACTIONS, {**_mark_parameters(brand, now), "actions": amended})


def _first_of_each(rows: dict[int, _Record], key: Any) -> dict[int, list[int]]:
    """The places of rows that come first with their key, each with the places of those that repeat it."""
    seen: dict[Any, int] = {}
    firsts: dict[int, list[int]] = {}
    for place, row in rows.items():
        first = seen.setdefault(key(row), place)
        if first == place:
            firsts[place] = []
        else:
            firsts[first].append(place)
    return firsts


def _settle_repeats(
    firsts: dict[int, list[int]],
    rows: dict[int, Any],
    outcomes: list[Outcome | None],
) -> None:
    """Rows that come again within one call: repeats where they say the same as the first."""
    for first, others in firsts.items():
        outcome = outcomes[first]
        assert outcome is not None
        for place in others:
            if outcome.status == "refused" or rows[place] != rows[first]:
                outcomes[place] = _conflict(outcome.action_id, "external_id")
            else:
                outcomes[place] = Outcome("repeated", action_id=outcome.action_id)


def _repeat(pk: int | None, field: str | None) -> Outcome:
    return Outcome("repeated", action_id=pk) if field is None else _conflict(pk, field)


def _conflict(pk: int | None, field: str) -> Outcome:
    return Outcome(
        "refused",
        field,
        f"this external_id is already recorded with another {field}; the first record holds",
        pk,
    )


def _mark_parameters(brand: Brand, now: datetime) -> dict[str, Any]:
    return {
        "brand": brand.pk,
        "now": now,
        "why": Posting.Why.FACTS.value,
    }


def attach_waiting(*, brand: Brand, now: datetime) -> int:
    """Join amendments that wait to actions that have come meanwhile; returns how many.

    Two callers that bring an action and its amendment in the same instant do not see each other; this
    finds what they missed. May run at any time, as often as one likes.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_ATTACH, {"brand": brand.pk, "actions": None})
        attached = [row[0] for row in cursor.fetchall()]
        if attached:
            cursor.execute(_MARK_ACTIONS, {**_mark_parameters(brand, now), "actions": attached})
            _ring_on_commit(brand.pk)
    return len(attached)


def mark_due(*, brand: Brand, customers: Iterable[int] | None, why: str, now: datetime) -> None:
    """Mark customers, or with None everyone of the brand, to be scored from nothing."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _MARK_CUSTOMERS,
            {
                "brand": brand.pk,
                "customers": None if customers is None else list(customers),
                "why": why,
                "now": now,
            },
        )
        _ring_on_commit(brand.pk)


def _ring_on_commit(brand_id: int) -> None:
    def ring() -> None:
        customers_due.send(sender=Outcome, brand_id=brand_id)

    # What is committed is committed: a bell that fails is nobody's error.
    transaction.on_commit(ring, robust=True)


# Grain: one new action. The unique key (brand, origin, external_id) makes it harmless to run twice.
_INSERT_ACTIONS = """
INSERT INTO scoring_action (brand_id, identifier_id, kind_id, venue_id, occurred_at, received_at,
    quantity, state, channel, origin, external_id, attributes)
SELECT %(brand)s, identifier_id, kind_id, venue_id, occurred_at, %(now)s,
    quantity, state, channel, origin, external_id, attributes::jsonb
FROM unnest(%(identifier)s::bigint[], %(kind)s::bigint[], %(venue)s::bigint[], %(occurred_at)s::timestamptz[],
    %(quantity)s::numeric[], %(state)s::text[], %(channel)s::text[], %(origin)s::text[],
    %(external_id)s::text[], %(attributes)s::text[])
    AS row (identifier_id, kind_id, venue_id, occurred_at, quantity, state, channel, origin, external_id, attributes)
ON CONFLICT (brand_id, origin, external_id) DO NOTHING
RETURNING id, origin, external_id
"""

# Grain: one row whose key is taken; the first field in which it differs from the record, or NULL. Of an action whose
# customer was erased too little is left to differ from.
_COMPARE_ACTIONS = """
SELECT row.place, action.id, CASE
    WHEN identifier.scheme = 'erased' THEN NULL
    WHEN action.identifier_id <> row.identifier_id THEN 'identifier'
    WHEN action.kind_id <> row.kind_id THEN 'kind'
    WHEN action.occurred_at <> row.occurred_at THEN 'occurred_at'
    WHEN action.quantity IS DISTINCT FROM row.quantity THEN 'quantity'
    WHEN action.venue_id IS DISTINCT FROM row.venue_id THEN 'venue'
    WHEN action.channel IS DISTINCT FROM row.channel THEN 'channel'
    WHEN action.state <> row.state THEN 'state'
    WHEN action.attributes IS DISTINCT FROM row.attributes::jsonb THEN 'attributes'
    END
FROM unnest(%(place)s::int[], %(identifier)s::bigint[], %(kind)s::bigint[], %(venue)s::bigint[],
    %(occurred_at)s::timestamptz[], %(quantity)s::numeric[], %(state)s::text[], %(channel)s::text[],
    %(origin)s::text[], %(external_id)s::text[], %(attributes)s::text[])
    AS row (place, identifier_id, kind_id, venue_id, occurred_at, quantity, state, channel, origin, external_id,
        attributes)
JOIN scoring_action AS action ON action.brand_id = %(brand)s AND action.origin = row.origin
    AND action.external_id = row.external_id
JOIN accounts_identifier AS identifier ON identifier.id = action.identifier_id
"""

# Grain: one row whose key is that of an action of somebody who was erased. Index: the key of actions.
_REPEATS_OF_ERASED = """
SELECT row.place, action.id
FROM unnest(%(place)s::int[], %(origin)s::text[], %(external_id)s::text[]) AS row (place, origin, external_id)
JOIN scoring_action AS action ON action.brand_id = %(brand)s AND action.origin = row.origin
    AND action.external_id = row.external_id
JOIN accounts_identifier AS identifier ON identifier.id = action.identifier_id AND identifier.scheme = 'erased'
"""

# Grain: one new amendment, with its action where that has come already.
_INSERT_AMENDMENTS = """
INSERT INTO scoring_amendment (brand_id, type, origin, external_id, action_external_id, action_id,
    identifier_id, at, quantity, accepted, reason, received_at)
SELECT %(brand)s, row.type, row.origin, row.external_id, row.action, action.id, action.identifier_id,
    row.at, row.quantity, row.accepted, row.reason, %(now)s
FROM unnest(%(type)s::text[], %(origin)s::text[], %(external_id)s::text[], %(action)s::text[],
    %(at)s::timestamptz[], %(quantity)s::numeric[], %(accepted)s::boolean[], %(reason)s::text[])
    AS row (type, origin, external_id, action, at, quantity, accepted, reason)
LEFT JOIN scoring_action AS action ON action.brand_id = %(brand)s AND action.origin = row.origin
    AND action.external_id = row.action
ON CONFLICT (brand_id, origin, type, external_id) DO NOTHING
RETURNING id, action_id, type, origin, external_id
"""

_COMPARE_AMENDMENTS = """
SELECT row.place, amendment.action_id, CASE
    WHEN amendment.action_external_id <> row.action THEN 'action'
    WHEN amendment.at <> row.at THEN 'at'
    WHEN amendment.quantity IS DISTINCT FROM row.quantity THEN 'quantity'
    WHEN amendment.accepted IS DISTINCT FROM row.accepted THEN 'accepted'
    WHEN amendment.reason <> row.reason AND identifier.scheme IS DISTINCT FROM 'erased' THEN 'reason'
    END
FROM unnest(%(place)s::int[], %(type)s::text[], %(origin)s::text[], %(external_id)s::text[], %(action)s::text[],
    %(at)s::timestamptz[], %(quantity)s::numeric[], %(accepted)s::boolean[], %(reason)s::text[])
    AS row (place, type, origin, external_id, action, at, quantity, accepted, reason)
JOIN scoring_amendment AS amendment ON amendment.brand_id = %(brand)s AND amendment.origin = row.origin
    AND amendment.type = row.type AND amendment.external_id = row.external_id
LEFT JOIN accounts_identifier AS identifier ON identifier.id = amendment.identifier_id
"""

# Grain: one amendment that waited for an action. Index: amendments that wait.
_ATTACH = """
UPDATE scoring_amendment AS amendment SET action_id = action.id, identifier_id = action.identifier_id
FROM scoring_action AS action
WHERE amendment.brand_id = %(brand)s AND amendment.action_id IS NULL
    AND action.brand_id = amendment.brand_id AND action.origin = amendment.origin
    AND action.external_id = amendment.action_external_id
    AND (%(actions)s::bigint[] IS NULL OR action.id = ANY(%(actions)s::bigint[]))
RETURNING action.id
"""

# Grain: one identifier whose actions changed, with their kinds and the local dates between which they did.
_MARK_ACTIONS = """
INSERT INTO scoring_due (brand_id, identifier_id, since, until, kinds, why, marked_at)
SELECT %(brand)s, identifier_id, min(local_date), max(local_date), array_agg(DISTINCT kind_id), %(why)s, %(now)s
FROM (
    SELECT identifier_id, kind_id, (occurred_at AT TIME ZONE brand.time_zone)::date AS local_date
    FROM scoring_action JOIN accounts_brand AS brand ON brand.id = %(brand)s
    WHERE scoring_action.id = ANY(%(actions)s)
) AS changed
GROUP BY identifier_id
"""

_MARK_CUSTOMERS = """
INSERT INTO scoring_due (brand_id, customer_id, why, marked_at)
SELECT brand_id, id, %(why)s, %(now)s FROM accounts_customer
WHERE brand_id = %(brand)s AND erased_at IS NULL
    AND (%(customers)s::bigint[] IS NULL OR id = ANY(%(customers)s::bigint[]))
"""
