"""What rule types add to the statement: families of stages, terms, and relations.

``fact`` is what happened (see ``scoring.facts``), ``term`` is a list of what rules ask for, and a
relation is what comes of joining them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import sql

from .conditions import Condition, literal
from .scopes import Scope
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    from .rules.base import RuleStage


@dataclass(frozen=True, slots=True)
class Family:
    """All stages of one rule: what it was and what it became."""

    key: str
    rule_id: int
    stages: tuple[tuple[int, "RuleStage"], ...]

    def kind_ids(self, vocabulary: Vocabulary) -> set[int]:
        """Every kind that any stage looks at."""
        return {
            vocabulary.kinds[slug].id
            for _number, stage in self.stages
            for slug in stage.all_kinds()
        }


@dataclass(frozen=True, slots=True)
class Relation:
    """What a rule type adds: CTEs as (name, body), and the name of the last.

    The last holds customer_id, action_id, rule_id, source, local_date and points; where only some
    days are scored also is_written (lies in the days that the rule writes); and with lines also
    stage, raw (before limits) and what each limit saw (``limits.LINE_COLUMNS``).
    """

    ctes: tuple[tuple[str, sql.Composable], ...]
    name: str


@dataclass(slots=True)
class Compilation:
    """What the rule types need while a rule set is being compiled."""

    vocabulary: Vocabulary
    is_scoped: bool
    families: Mapping[str, Sequence[Family]]
    scopes: dict[str, Scope] = field(default_factory=dict)
    relations: dict[str, Relation] = field(default_factory=dict)
    counters: int = 0
    columns: set[str] = field(default_factory=set)
    with_lines: bool = False
    is_supposed: bool = False

    @property
    def has_windows(self) -> bool:
        """Whether any stage begins or ends at all."""
        return any(
            stage.starts or stage.ends
            for families in self.families.values()
            for family in families
            for _number, stage in family.stages
        )

    def ask(self, *columns: str) -> None:
        """Have ``fact`` hold these columns."""
        self.columns.update(columns)

    def ask_for(self, field: str) -> None:
        """Have ``fact`` hold what a field of a rule is read from."""
        self.ask(column_of(field))

    def next_counter(self) -> int:
        """A number that no other counter of this statement has."""
        self.counters += 1
        return self.counters

    def term_join(self) -> sql.Composable:
        """Joins ``fact`` to ``term``: kind and window and, where only some days are read, those."""
        joined = TERM_MATCHES if self.has_windows else TERM_HAS_KIND
        if not self.is_scoped:
            return joined
        return joined + sql.SQL(
            """
        JOIN key_scope ON key_scope.customer_id = fact.customer_id AND key_scope.rule_id = term.rule_id
            AND fact.local_date <= key_scope.read_until
            AND CASE WHEN key_scope.is_seeded THEN fact.occurred_at >= {seeded_at}
                ELSE fact.local_date >= key_scope.read_from END"""
        ).format(seeded_at=SEEDED_AT)

    def is_written(self) -> sql.Composable:
        """Whether a fact's local date lies in the days that its rule writes."""
        if not self.is_scoped:
            return sql.SQL("TRUE")
        return sql.SQL("fact.local_date BETWEEN key_scope.write_from AND key_scope.write_until")

    def matches(
        self, column: str, parts: Iterable[tuple[int, Sequence[Condition]]]
    ) -> sql.Composable:
        """A predicate that holds each fact against the conditions of its own part."""
        cases = []
        for number, conditions in parts:
            for condition in conditions:
                self.ask_for(condition.field)
            if conditions:
                holds = sql.SQL(" AND ").join(one.to_sql(self.vocabulary) for one in conditions)
                cases.append(sql.SQL("WHEN {} THEN {}").format(sql.Literal(number), holds))
        if not cases:
            return sql.SQL("TRUE")
        return sql.SQL("CASE term.{} {} ELSE TRUE END").format(
            sql.Identifier(column), sql.SQL(" ").join(cases)
        )


# Where what is read ends and what is only counted begins. A moment, not a date: where clocks are put back over
# midnight an earlier action may have the later date. Two days before, so that every date that is read is whole.
SEEDED_AT = sql.SQL("key_scope.read_from::timestamp AT TIME ZONE 'UTC' - INTERVAL '2 days'")
TERM_HAS_KIND = sql.SQL("term.kind_id = fact.kind_id")
TERM_MATCHES = sql.SQL(
    "term.kind_id = fact.kind_id AND fact.occurred_at >= term.starts AND fact.occurred_at < term.ends"
)
_COLUMN_OF = {
    "quantity": "quantity",
    "channel": "channel",
    "venue": "venue_id",
    "weekday": "local_at",
    "hour": "local_at",
}


def column_of(field: str) -> str:
    """The column of ``fact`` from which a field of a condition is read."""
    return _COLUMN_OF.get(field, "attributes")


def values(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> sql.Composable:
    """``(VALUES ...) AS term (...)``; the first row is cast, so that a column of nulls has a type."""
    lines = []
    for number, row in enumerate(rows):
        cells = [
            sql.SQL("{}::{}").format(literal(cell), sql.SQL(type_name))
            if number == 0
            else literal(cell)
            for cell, (_name, type_name) in zip(row, columns, strict=True)
        ]
        lines.append(sql.SQL("({})").format(sql.SQL(", ").join(cells)))
    return sql.SQL("(VALUES {}) AS term ({})").format(
        sql.SQL(", ").join(lines),
        sql.SQL(", ").join(sql.Identifier(name) for name, _type in columns),
    )


def window_of(stage: "RuleStage") -> tuple[Any, Any]:
    """The stage's window as the ``starts`` and ``ends`` of ``term``; open ends are infinite."""
    return (
        stage.starts.isoformat() if stage.starts else "-infinity",
        stage.ends.isoformat() if stage.ends else "infinity",
    )
