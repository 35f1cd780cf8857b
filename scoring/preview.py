"""What a rule set would do to every customer before it is published. Stores nothing."""

from copy import copy
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg import sql

from accounts.models import Brand, validate_time_zone

from .chunks import CHUNK_MEMORY, Progress, in_chunks
from .compiler import CompiledRules, compile_rules
from .documents import RuleSetDocument
from .models import RuleKey
from .publication import (
    STARTING_SOURCES,
    Effective,
    current_rule_set,
    document_of,
    effective_document,
)
from .shape import FADED, SUB_SCORE, shape_values
from .statements import brand_time, execute

LARGEST = 10
# The edges of the distribution, in points of the score (0 to 1000); moves beyond lie in the outermost.
EDGES = (-1000, -200, -100, -50, -20, -10, -5, 0, 5, 10, 20, 50, 100, 200, 1000)


@dataclass(frozen=True, slots=True)
class Move:
    """One customer's score and points, now and under the draft."""

    customer_id: int
    before: Decimal
    after: Decimal
    points_before: int
    points_after: int


@dataclass(frozen=True, slots=True)
class Preview:
    """The effect of a draft: how many rise and fall, by how much, and who most.

    ``distribution`` lists (from, to, customers): changes above ``from`` and up to ``to``, or on the falling side
    from ``from`` and below ``to``; who does not change is in none. ``points_taken`` is positive.
    """

    up: int
    down: int
    unchanged: int
    points_added: int
    points_taken: int
    distribution: list[tuple[int, int, int]]
    rises: list[Move]
    falls: list[Move]

    def to_json(self) -> dict[str, Any]:
        """The same as plain values; scores as numbers with 3 decimals."""
        return {
            "customers": {"up": self.up, "down": self.down, "unchanged": self.unchanged},
            "points": {"added": self.points_added, "taken": self.points_taken},
            "distribution": [
                {"from": low, "to": high, "customers": count}
                for low, high, count in self.distribution
            ],
            "rises": [_move_json(move) for move in self.rises],
            "falls": [_move_json(move) for move in self.falls],
        }


def _move_json(move: Move) -> dict[str, Any]:
    return {
        key: float(value) if isinstance(value, Decimal) else value
        for key, value in asdict(move).items()
    }


def preview(
    *,
    brand: Brand,
    document: dict[str, Any],
    effective: Effective = "now",
    now: datetime,
    progress: Progress | None = None,
    workers: int = 1,
) -> Preview:
    """Compute everyone under a draft as if it were published now, and compare with the scores as they stand.

    Raises RuleSetError. Each customer is compared on the day of their stored score. ``workers`` connections are used.
    """
    draft = effective_document(brand=brand, document=document, effective=effective, now=now)
    on = now.astimezone(brand.zone).date()
    statement = _statement(compile_rules(draft, rule_ids=_rule_ids(brand, draft))).as_string(None)

    def one(chunk: list[int]) -> tuple[int, list[tuple[Any, ...]]]:
        with brand_time(brand, work_mem=CHUNK_MEMORY):
            return len(chunk), execute(statement, {"customers": chunk, "on": on})

    customers = up = down = added = taken = 0
    counts = [0] * (len(EDGES) - 1)
    rises: list[Move] = []
    falls: list[Move] = []
    for count, rows in in_chunks(brand=brand, work=one, workers=workers, progress=progress):
        customers += count
        for row in rows:
            move = Move(*row[:5])
            change = move.after - move.before
            added += row[5]
            taken += row[6]
            if change > 0:
                up += 1
                rises.append(move)
            elif change < 0:
                down += 1
                falls.append(move)
            if change:
                counts[_bin(change)] += 1
        rises = sorted(rises, key=lambda m: m.before - m.after)[:LARGEST]
        falls = sorted(falls, key=lambda m: m.after - m.before)[:LARGEST]
    return Preview(
        up,
        down,
        customers - up - down,
        added,
        taken,
        [(EDGES[n], EDGES[n + 1], count) for n, count in enumerate(counts)],
        rises,
        falls,
    )


def preview_time_zone(
    *, brand: Brand, time_zone: str, now: datetime, progress: Progress | None = None
) -> Preview:
    """What another time zone would do to every customer, under the rules in force. Stores nothing.

    Raises ValidationError for a name that is no time zone.
    """
    validate_time_zone(time_zone)
    rule_set = current_rule_set(brand=brand)
    document = (
        {"sources": STARTING_SOURCES, "rules": []} if rule_set is None else document_of(rule_set)
    )
    elsewhere = copy(brand)
    elsewhere.time_zone = time_zone
    return preview(
        brand=elsewhere, document=document, effective="always", now=now, progress=progress
    )


def _rule_ids(brand: Brand, draft: RuleSetDocument) -> dict[str, int]:
    """The numbers of known rules; new ones get numbers that no ledger has."""
    known = dict(RuleKey.objects.filter(brand=brand).values_list("key", "id"))
    new = [key for key in dict.fromkeys(stage.key for stage in draft.rules) if key not in known]
    return known | {key: -number for number, key in enumerate(new, start=1)}


def _bin(change: Decimal) -> int:
    """The place of a change among the edges; 0 itself divides rises from falls."""
    for place in range(len(EDGES) - 1):
        low, high = EDGES[place], EDGES[place + 1]
        if (change < 0 and low <= change < high) or (change > 0 and low < change <= high):
            return place
    return 0 if change < 0 else len(EDGES) - 2


# Grain: one customer who differs. The stored side is read, not recomputed: it is what the ledger holds.
def _statement(compiled: CompiledRules) -> sql.Composable:
    return sql.SQL("""
WITH subject AS MATERIALIZED (SELECT unnest(%(customers)s::bigint[]) AS customer_id),{ctes},
stored AS (
    SELECT subject.customer_id, coalesce(score.score, 0) AS score, coalesce(score.points, 0) AS points,
        coalesce(score.source_points, '{{0,0,0,0,0,0}}') AS source_points, coalesce(score.scored_on, %(on)s) AS on_day
    FROM subject LEFT JOIN scoring_score AS score ON score.customer_id = subject.customer_id
),
summed AS (
    SELECT award.customer_id, award.source, sum(award.points)::bigint AS points, sum({faded}) AS faded
    FROM award
    JOIN stored ON stored.customer_id = award.customer_id
    JOIN {shape} ON shape.source = award.source
    GROUP BY award.customer_id, award.source
),
part AS (
    SELECT shape.customer_id, shape.source, shape.weight, shape.points, {sub_score} AS sub_score
    FROM (
        SELECT summed.*, shape.weight, shape.halfway FROM summed JOIN {shape} ON shape.source = summed.source
    ) AS shape
),
draft AS (
    SELECT part.customer_id, round((sum(part.weight * part.sub_score) / 10)::numeric, 3) AS score,
        sum(part.points)::bigint AS points,
        sum(greatest(part.points - stored.source_points[part.source], 0))::bigint AS added,
        sum(greatest(stored.source_points[part.source] - part.points, 0))::bigint AS taken,
        sum(stored.source_points[part.source])::bigint AS compared
    FROM part JOIN stored ON stored.customer_id = part.customer_id
    GROUP BY part.customer_id
)
SELECT stored.customer_id, stored.score, coalesce(draft.score, 0), stored.points, coalesce(draft.points, 0),
    coalesce(draft.added, 0), coalesce(draft.taken, 0) + stored.points - coalesce(draft.compared, 0)
FROM stored LEFT JOIN draft ON draft.customer_id = stored.customer_id
WHERE stored.score <> coalesce(draft.score, 0) OR draft.added > 0 OR draft.taken > 0
    OR stored.points <> coalesce(draft.points, 0)
""").format(
        ctes=compiled.ctes,
        faded=FADED.format(
            points=sql.SQL("award.points"),
            on=sql.SQL("stored.on_day"),
            date=sql.SQL("award.local_date"),
        ),
        shape=shape_values(compiled.document.sources),
        sub_score=SUB_SCORE.format(faded=sql.SQL("shape.faded")),
    )
