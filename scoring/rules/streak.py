"""Streak: points for every ``length``-th consecutive period that holds ``count`` matching actions."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

from django.utils.translation import gettext, ngettext_lazy
from django.utils.translation import gettext_lazy as _
from psycopg import sql

from scoring.conditions import Condition
from scoring.limits import NO_LIMITS
from scoring.models import Source
from scoring.problems import Reader
from scoring.relations import Compilation, Family, Relation, values, window_of
from scoring.scopes import CHANGED, Days, Scope
from scoring.words import figure, points

from .base import CONDITIONS, KINDS, Field, RuleStage, parse_matching
from .combo import parse_source, period_of

STREAK_PERIODS = ("day", "week", "month")
IN_A_ROW = {
    "day": ngettext_lazy("%(count)s day in a row", "%(count)s days in a row", "count"),
    "week": ngettext_lazy("%(count)s week in a row", "%(count)s weeks in a row", "count"),
    "month": ngettext_lazy("%(count)s month in a row", "%(count)s months in a row", "count"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak(RuleStage):
    """One stage of a streak rule."""

    source: Source
    kinds: tuple[str, ...]
    conditions: tuple[Condition, ...]
    per: str
    count: int
    length: int
    points: int

    type: ClassVar[str] = "streak"
    label: ClassVar[Any] = _("Streak")
    help: ClassVar[Any] = _("Gives points each time so many periods in a row hold enough actions.")
    fields: ClassVar[tuple[Field, ...]] = (
        KINDS,
        CONDITIONS,
        Field("count", "whole", _("actions that make a period count")),
        Field("per", "per", _("period"), choices=STREAK_PERIODS),
        Field("length", "whole", _("periods in a row")),
        Field("points", "whole", _("points")),
        Field("source", "source", _("to the source")),
    )

    @classmethod
    def parse(cls, reader: Reader, common: dict[str, Any]) -> Self:
        kinds, conditions, _found = parse_matching(reader, common["vocabulary"])
        return cls(
            **common,
            source=parse_source(reader),
            kinds=kinds,
            conditions=conditions,
            per=reader.choice("per", STREAK_PERIODS),
            count=reader.whole("count", least=1, default=1),
            length=reader.whole("length", least=1),
            points=reader.whole("points"),
        )

    def parameters_json(self) -> dict[str, Any]:
        return {
            "source": self.source.slug,
            "kinds": list(self.kinds),
            "conditions": [condition.to_json() for condition in self.conditions],
            "per": self.per,
            "count": self.count,
            "length": self.length,
            "points": self.points,
        }

    def lasting_shape(self) -> tuple[Any, ...]:
        return (self.type, self.source, self.per)

    def sentence(self) -> str:
        words = {
            "actions": self.what(self.kinds, self.conditions),
            "periods": IN_A_ROW[self.per] % {"count": self.length},
            "count": figure(self.count),
            "points": points(self.points),
        }
        if self.count == 1:
            return gettext("%(actions)s, %(periods)s: %(points)s") % words
        return gettext("%(actions)s, %(periods)s (%(count)s ×): %(points)s") % words  # noqa: RUF001

    def all_kinds(self) -> tuple[str, ...]:
        return self.kinds

    @classmethod
    def scope(cls, family: Family, compilation: Compilation) -> Scope:
        """A period that comes to qualify, or no longer does, moves the whole run after it."""
        per = cast("Streak", family.stages[0][1]).per
        return Scope(Days(None, None), CHANGED.widened([per]).onwards())

    @classmethod
    def relation(cls, compilation: Compilation) -> Relation:
        compilation.ask("origin", "external_id", "sources_off")
        rows: list[tuple[Any, ...]] = []
        conditions = []
        pers: dict[str, None] = {}
        for family in compilation.families[cls.type]:
            for number, stage in family.stages:
                streak = cast("Streak", stage)
                pers[streak.per] = None
                conditions.append((number, streak.conditions))
                rows += [
                    (
                        compilation.vocabulary.kinds[slug].id,
                        family.rule_id,
                        number,
                        streak.source.value,
                        *window_of(stage),
                        streak.count,
                        streak.length,
                        streak.points,
                        streak.per,
                    )
                    for slug in streak.kinds
                ]
        term = values(
            [
                ("kind_id", "bigint"),
                ("rule_id", "bigint"),
                ("stage", "int"),
                ("source", "int"),
                ("starts", "timestamptz"),
                ("ends", "timestamptz"),
                ("needed", "int"),
                ("length", "int"),
                ("points", "bigint"),
                ("per", "text"),
            ],
            rows,
        )
        # Grain: one matching action; its running number within the period, over all stages.
        place = sql.SQL("""
    SELECT *, row_number() OVER (
        PARTITION BY customer_id, rule_id, period ORDER BY occurred_at, origin, external_id) AS place
    FROM (
        SELECT fact.customer_id, fact.action_id, fact.local_date, fact.occurred_at, fact.origin, fact.external_id,
            {is_written} AS is_written, term.rule_id, term.stage, term.source, term.needed, term.length,
            term.points, {period} AS period
        FROM fact JOIN {term} ON {joined}
        WHERE {where} AND fact.sources_off >> term.source & 1 = 0
    ) AS match
""").format(
            is_written=compilation.is_written(),
            period=period_of(list(pers)),
            term=term,
            joined=compilation.term_join(),
            where=compilation.matches("stage", conditions),
        )
        # Grain: one qualifying period of one rule; the action that made it qualify.
        period = sql.SQL("""
    SELECT DISTINCT ON (customer_id, rule_id, period) *
    FROM streak_place WHERE place >= needed
    ORDER BY customer_id, rule_id, period, occurred_at, origin, external_id
""")
        # Consecutive periods share the difference between ordinal and number.
        run = sql.SQL("""
    SELECT *, period - row_number() OVER (PARTITION BY customer_id, rule_id ORDER BY period) AS run
    FROM streak_period
""")
        nth = sql.SQL("""
    SELECT *, row_number() OVER (PARTITION BY customer_id, rule_id, run ORDER BY period) AS nth
    FROM streak_run
""")
        streak_awards = sql.SQL("""
    SELECT customer_id, action_id, rule_id, stage, source, local_date, is_written, points AS raw, points{nothing}
    FROM streak_nth WHERE nth %% length = 0
""").format(nothing=NO_LIMITS if compilation.with_lines else sql.SQL(""))
        return Relation(
            (
                ("streak_place", place),
                ("streak_period", period),
                ("streak_run", run),
                ("streak_nth", nth),
                (cls.type, streak_awards),
            ),
            cls.type,
        )
