"""Earn: every matching action gives ``points + floor(rate x quantity)``."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar, Self

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from psycopg import sql

from scoring.conditions import Condition
from scoring.limits import Limit, limited_relation, parse_limits, read_for, scope_of
from scoring.models import ActionKind
from scoring.problems import RATE_MAX, Reader
from scoring.relations import Compilation, Family, Relation
from scoring.scopes import CHANGED, Scope, hull
from scoring.words import all_of, figure, points

from .base import CONDITIONS, KINDS, Field, RuleStage, parse_matching


@dataclass(frozen=True, slots=True, kw_only=True)
class Earn(RuleStage):
    """One stage of an earn rule."""

    kinds: tuple[str, ...]
    conditions: tuple[Condition, ...]
    limits: tuple[Limit, ...]
    points: int
    rate: Decimal

    type: ClassVar[str] = "earn"
    label: ClassVar[Any] = _("Earn")
    help: ClassVar[Any] = _("Every matching action gives points, a number for each unit, or both.")
    fields: ClassVar[tuple[Field, ...]] = (
        KINDS,
        CONDITIONS,
        Field("points", "whole", _("points for each action")),
        Field(
            "rate",
            "decimal",
            _("points for each unit of the quantity"),
            _("1 gives 24 points for a purchase of 24.90."),
        ),
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
            points=reader.whole("points", default=0),
            rate=reader.decimal("rate", most=RATE_MAX, default=Decimal(0)),
        )

    def parameters_json(self) -> dict[str, Any]:
        return {
            "kinds": list(self.kinds),
            "conditions": [condition.to_json() for condition in self.conditions],
            "points": self.points,
            "rate": f"{self.rate.normalize():f}",
            "limits": [limit.to_json() for limit in self.limits],
        }

    def sentence(self) -> str:
        gives = []
        if self.points or not self.rate:
            gives.append(points(self.points))
        if self.rate:
            gives.append(self._rate_sentence())
        said = gettext("%(actions)s: %(points)s") % {
            "actions": self.what(self.kinds, self.conditions),
            "points": all_of(gives),
        }
        return self.with_limits(said, self.limits)

    def all_kinds(self) -> tuple[str, ...]:
        return self.kinds

    @classmethod
    def scope(cls, family: Family, compilation: Compilation) -> Scope:
        return scope_of(family, CHANGED)

    @classmethod
    def widened_scope(cls, family: Family, compilation: Compilation) -> Scope:
        """What the rule reads itself, and what the bonuses on its actions must know of it."""
        scope = compilation.scopes[family.key]
        kinds = family.kind_ids(compilation.vocabulary)
        needed = [
            read_for(family, compilation.scopes[bonus.key].reads, is_seeded=scope.is_seeded)
            for bonus in compilation.families["bonus"]
            if bonus.kind_ids(compilation.vocabulary) & kinds
        ]
        return replace(scope, reads=hull([scope.reads, *needed]))

    @classmethod
    def relation(cls, compilation: Compilation) -> Relation:
        compilation.ask("quantity")
        return limited_relation(
            cls.type,
            compilation,
            columns=[("points", "bigint"), ("rate", "numeric")],
            cells=_cells,
            raw=sql.SQL(
                "CASE WHEN term.rate IS NULL THEN term.points "
                "ELSE term.points + floor(term.rate * coalesce(fact.quantity, 0))::bigint END"
            ),
        )

    def _rate_sentence(self) -> str:
        unit = self.vocabulary.kinds[self.kinds[0]].unit if self.kinds else ""
        words = {"count": figure(self.rate.normalize()), "unit": unit}
        many = 1 if self.rate == 1 else 2
        if unit == ActionKind.MONEY:
            words["unit"] = self.vocabulary.currency
            said = ngettext(
                "%(count)s point for each %(unit)s", "%(count)s points for each %(unit)s", many
            )
        elif unit:
            said = ngettext(
                "%(count)s point for each unit (%(unit)s)",
                "%(count)s points for each unit (%(unit)s)",
                many,
            )
        else:
            said = ngettext("%(count)s point for each unit", "%(count)s points for each unit", many)
        return said % words


def _cells(stage: RuleStage) -> tuple[int, Decimal | None]:
    assert isinstance(stage, Earn)
    # Without a rate there is no exact arithmetic to do, which most actions are spared.
    return stage.points, stage.rate or None
