"""What a score would be if: actions that nobody did yet, judged by the engine that judges those that were done.

A scenario is a customer's history with some actions supposed on top. All scenarios of a call are computed by one
statement, the one that explains a score, over ``fact`` as ``scoring.facts`` makes it of history and supposition.
Nothing is stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any

from django.db.backends.postgresql.psycopg_any import Jsonb
from psycopg import sql

from accounts.models import Brand, Customer

from .compiler import compile_lines
from .documents import RuleSetDocument
from .explain import Taken, taken_by
from .limits import LINE_COLUMNS
from .models import RuleKey, Source
from .publication import current_id, published_document
from .rules import RuleStage
from .shape import FADED, SUB_SCORE, shape_values
from .statements import brand_time, execute
from .worth import Worth, add_up

FEW = 24


@dataclass(frozen=True, slots=True)
class Supposed:
    """An action that somebody might do: its kind and venue by slug, as in ``scoring.actions.ActionRow``."""

    kind: str
    occurred_at: datetime
    quantity: Decimal | None = None
    venue: str | None = None
    channel: str | None = None
    attributes: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Actions to suppose, and the local date on which to value the score."""

    actions: Sequence[Supposed]
    on: date


@dataclass(frozen=True, slots=True)
class GainLine:
    """What one rule would make of one supposed action."""

    title: str
    sentence: str
    source: Source
    points: int
    taken: tuple[Taken, ...]


@dataclass(frozen=True, slots=True)
class Gain:
    """The points that one supposed action would be given, by all rules together."""

    lines: tuple[GainLine, ...]

    @property
    def points(self) -> int:
        """The points that are kept."""
        return sum(line.points for line in self.lines)

    @property
    def held_back(self) -> Taken | None:
        """The limit that took most of an action that is given nothing; None where no limit is why."""
        taken = [taken for line in self.lines for taken in line.taken]
        return None if self.points else max(taken, key=lambda one: one.points, default=None)


@dataclass(frozen=True)
class Supposition:
    """A scenario's outcome: the score with its parts, and the gain of each supposed action, in their order."""

    worth: Worth
    _actions: int
    _stages: tuple[RuleStage, ...]
    _lines: tuple[tuple[Any, ...], ...]

    @cached_property
    def gains(self) -> tuple[Gain, ...]:
        """What the rules would make of each supposed action. Told only when asked: a search asks for scores alone."""
        lines: dict[int, list[GainLine]] = {}
        for number, source, points, on, stage_number, earned, *seen in self._lines:
            stage = self._stages[stage_number]
            lines.setdefault(number, []).append(
                GainLine(
                    stage.title,
                    str(stage.sentence()),
                    Source(source),
                    points,
                    taken_by(
                        getattr(stage, "limits", ()),
                        earned=earned,
                        on=on,
                        seen=dict(zip(LINE_COLUMNS, seen, strict=True)),
                    ),
                )
            )
        return tuple(Gain(tuple(lines.get(number, ()))) for number in range(1, self._actions + 1))


@dataclass(frozen=True, slots=True)
class _Ready:
    document: RuleSetDocument
    statement: str


def suppose(
    *,
    brand: Brand,
    customer: Customer | None,
    scenarios: Sequence[Scenario],
    rule_set_id: int | None = None,
) -> list[Supposition]:
    """The outcome of each scenario for a customer, or for somebody who did nothing yet. One query.

    ``rule_set_id`` is the version in force, where the caller knows it.

    Recording these actions at these moments would give exactly these points, and on that day this score, if
    nothing else happens. A kind that the rules do not know gives nothing.
    """
    rule_set_id = rule_set_id or current_id(brand=brand)
    if rule_set_id is None:
        nothing = Worth(Decimal(0), 0, ())
        return [Supposition(nothing, len(one.actions), (), ()) for one in scenarios]
    ready = _ready(rule_set_id)
    kinds = ready.document.vocabulary.kinds
    supposed = [
        (place, number, one)
        for place, scenario in enumerate(scenarios)
        for number, one in enumerate(scenario.actions, start=1)
        if one.kind in kinds
    ]
    # Planning costs as much as several scenarios; for many a plan that knows how many there are is twice as fast.
    plans = "force_generic_plan" if len(scenarios) <= FEW else "force_custom_plan"
    with brand_time(brand, plan_cache_mode=plans):
        rows = execute(
            ready.statement,
            {
                "brand": brand.pk,
                "customer": customer.pk if customer else None,
                "days": [scenario.on for scenario in scenarios],
                "scenarios": [place for place, _number, _one in supposed],
                "numbers": [number for _place, number, _one in supposed],
                "kinds": [kinds[one.kind].id for _place, _number, one in supposed],
                "moments": [one.occurred_at for _place, _number, one in supposed],
                "quantities": [one.quantity for _place, _number, one in supposed],
                "venues": [one.venue for _place, _number, one in supposed],
                "channels": [one.channel for _place, _number, one in supposed],
                "attributes": [
                    None if one.attributes is None else Jsonb(dict(one.attributes))
                    for _place, _number, one in supposed
                ],
            },
        )
    of_scenario: list[list[tuple[Any, ...]]] = [[] for _scenario in scenarios]
    for place, *row in rows:
        of_scenario[place].append(tuple(row))
    return [
        Supposition(
            add_up(ready.document.sources, [row[1:5] for row in found if row[0] is None]),
            len(scenario.actions),
            ready.document.rules,
            tuple(row[:3] + row[5:] for row in found if row[0] is not None),
        )
        for scenario, found in zip(scenarios, of_scenario, strict=True)
    ]


@lru_cache(maxsize=64)
def _ready(rule_set_id: int) -> _Ready:
    document = published_document(rule_set_id)
    brand_id = document.vocabulary.brand_id
    rule_ids = dict(RuleKey.objects.filter(brand=brand_id).values_list("key", "id"))
    # Grain: a scenario and a source (number NULL), and a rule and a supposed action that it looked at. Points of a day
    # are summed before they fade, as where scores are written. Each scenario's day is taken from the list by its place:
    # a join would be planned for a few scenarios and grow with their square.
    statement = sql.SQL("""
WITH person AS MATERIALIZED (SELECT %(customer)s::bigint AS customer_id),
subject AS MATERIALIZED (
    SELECT generate_series(0, cardinality(%(days)s::date[]) - 1)::bigint AS customer_id
),
supposed AS MATERIALIZED (
    SELECT one.scenario, one.number, one.kind_id, one.occurred_at, one.quantity, venue.id AS venue_id,
        one.channel COLLATE "C" AS channel, one.attributes, 'laurel' COLLATE "C" AS origin,
        ('~' || lpad(one.number::text, 9, '0')) COLLATE "C" AS external_id
    FROM unnest(%(scenarios)s::bigint[], %(numbers)s::bigint[], %(kinds)s::bigint[], %(moments)s::timestamptz[],
        %(quantities)s::numeric[], %(venues)s::text[], %(channels)s::text[], %(attributes)s::jsonb[])
        AS one (scenario, number, kind_id, occurred_at, quantity, venue, channel, attributes)
    LEFT JOIN scoring_venue AS venue ON venue.brand_id = %(brand)s AND venue.slug = one.venue
),{ctes},
daily AS (
    SELECT customer_id, source, local_date, sum(points) AS points FROM line
    WHERE points > 0 GROUP BY customer_id, source, local_date
),
summed AS MATERIALIZED (
    SELECT daily.customer_id, daily.source, sum(daily.points)::bigint AS points, sum({faded})::float8 AS faded
    FROM daily JOIN {shape} ON shape.source = daily.source
    GROUP BY daily.customer_id, daily.source
),
part AS (
    SELECT subject.customer_id, shape.source, shape.halfway, coalesce(summed.points, 0) AS points,
        coalesce(summed.faded, 0) AS faded
    FROM subject CROSS JOIN {shape}
    LEFT JOIN summed ON summed.customer_id = subject.customer_id AND summed.source = shape.source
)
SELECT shape.customer_id, NULL::bigint, shape.source::int, shape.points, shape.faded, ({sub_score})::float8,
    NULL::date, NULL::int, NULL::bigint, {none}
FROM part AS shape
UNION ALL
SELECT customer_id, -action_id & (1::bigint << 44) - 1, source::int, points, NULL, NULL, local_date, stage, raw,
    {columns}
FROM line WHERE action_id < 0
ORDER BY 1, 2, 3, 8
""").format(
        ctes=compile_lines(document, rule_ids=rule_ids, supposed=True).ctes,
        faded=FADED.format(
            points=sql.SQL("daily.points"),
            on=sql.SQL("(%(days)s::date[])[daily.customer_id + 1]"),
            date=sql.SQL("daily.local_date"),
        ),
        shape=shape_values(document.sources),
        sub_score=SUB_SCORE.format(faded=sql.SQL("shape.faded")),
        none=sql.SQL(", ").join([sql.SQL("NULL::bigint")] * len(LINE_COLUMNS)),
        columns=sql.SQL(", ").join(sql.Identifier(column) for column in LINE_COLUMNS),
    )
    return _Ready(document, statement.as_string(None))
