"""Bonus: for every matching action, adds ``floor(percent / 100 x E)``.

E is what all earn rules, after their limits, gave that action. Bonuses do not compound.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Self

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from psycopg import sql

from scoring.conditions import Condition
from scoring.limits import Limit, limited_relation, parse_limits, scope_of
from scoring.problems import Reader
from scoring.relations import Compilation, Family, Relation
from scoring.scopes import CHANGED, Scope, hull
from scoring.words import figure

from .base import CONDITIONS, KINDS, Field, RuleStage, parse_matching

PERCENT_MAX = Decimal(10**5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bonus(RuleStage):
    """One stage of a bonus rule."""

    kinds: tuple[str, ...]
    conditions: tuple[Condition, ...]
    limits: tuple[Limit, ...]
    percent: Decimal

    type: ClassVar[str] = "bonus"
    label: ClassVar[Any] = _("Bonus")
    help: ClassVar[Any] = _(
        "Adds a percentage to what the earn rules gave an action; 100 doubles the points."
    )
    fields: ClassVar[tuple[Field, ...]] = (
        KINDS,
        CONDITIONS,
        Field("percent", "decimal", _("percent on top"), _("100 means double points.")),
        Field("limits", "limits", _("but at most"), required=False),
    )

    @classmethod
    def parse(cls, reader: Reader, common: dict[str, Any]) -> Self:
        kinds, conditions, found = parse_matching(reader, common["vocabulary"])
        return cls(
            **common,
            kinds=kinds,
            conditions=conditions,
            limits=parse_limits(
                reader.items("limits"), found, common["vocabulary"], reader.problems
            ),
            percent=reader.decimal("percent", most=PERCENT_MAX),
        )

    def parameters_json(self) -> dict[str, Any]:
        return {
            "kinds": list(self.kinds),
            "conditions": [condition.to_json() for condition in self.conditions],
            "percent": f"{self.percent.normalize():f}",
            "limits": [limit.to_json() for limit in self.limits],
        }

    def sentence(self) -> str:
        said = gettext("%(actions)s: +%(percent)s %% on the points earned") % {  # noqa: RUF001
            "actions": self.what(self.kinds, self.conditions),
            "percent": figure(self.percent.normalize()),
        }
        return self.with_limits(said, self.limits)

    def all_kinds(self) -> tuple[str, ...]:
        return self.kinds

    @classmethod
    def scope(cls, family: Family, compilation: Compilation) -> Scope:
        """A bonus moves where any earn rule on its actions moves."""
        kinds = family.kind_ids(compilation.vocabulary)
        changed = [
            compilation.scopes[earn.key].writes
            for earn in compilation.families["earn"]
            if earn.kind_ids(compilation.vocabulary) & kinds
        ]
        return scope_of(family, hull([CHANGED, *changed]))

    @classmethod
    def relation(cls, compilation: Compilation) -> Relation:
        kinds = sorted(
            {k for f in compilation.families[cls.type] for k in f.kind_ids(compilation.vocabulary)}
        )
        earn = sql.SQL("earn")
        if "earn" not in compilation.relations:
            earn = sql.SQL(
                "(VALUES (0::bigint, 0::bigint, 0)) AS earn (action_id, kind_id, points)"
            )
        earned = sql.SQL("""
        LEFT JOIN (
            SELECT action_id, sum(points)::bigint AS points
            FROM {earn} WHERE points > 0 AND kind_id IN ({kinds})
            GROUP BY action_id
        ) AS earned ON earned.action_id = fact.action_id""").format(
            earn=earn, kinds=sql.SQL(", ").join(map(sql.Literal, kinds))
        )
        return limited_relation(
            cls.type,
            compilation,
            columns=[("percent", "numeric")],
            cells=_cells,
            raw=sql.SQL("floor(term.percent * coalesce(earned.points, 0) * 0.01)::bigint"),
            joins=earned,
        )


def _cells(stage: RuleStage) -> tuple[Decimal]:
    assert isinstance(stage, Bonus)
    return (stage.percent,)
