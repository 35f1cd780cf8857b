"""Combo: points for meeting several requirements within one period, once per period."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from psycopg import sql

from scoring.conditions import Condition
from scoring.limits import BUCKET, NO_LIMITS
from scoring.models import Source
from scoring.periods import PERIODS, ordinal_of
from scoring.problems import Reader
from scoring.relations import Compilation, Family, Relation, values, window_of
from scoring.scopes import CHANGED, Days, Scope
from scoring.vocabulary import Vocabulary
from scoring.words import points, times

from .base import Field, RuleStage, parse_matching

TOGETHER = {
    "day": _("%(actions)s on one day: %(points)s"),
    "week": _("%(actions)s in one week: %(points)s"),
    "month": _("%(actions)s in one month: %(points)s"),
    "year": _("%(actions)s in one year: %(points)s"),
    "ever": _("%(actions)s at any time: %(points)s"),
}


@dataclass(frozen=True, slots=True)
class Requirement:
    """At least ``count`` actions of these kinds that meet the conditions."""

    kinds: tuple[str, ...]
    conditions: tuple[Condition, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Combo(RuleStage):
    """One stage of a combo rule."""

    source: Source
    per: str
    points: int
    requires: tuple[Requirement, ...]

    type: ClassVar[str] = "combo"
    label: ClassVar[Any] = _("Combo")
    help: ClassVar[Any] = _("Gives points once per period, when several things were done in it.")
    fields: ClassVar[tuple[Field, ...]] = (
        Field("requires", "requires", _("when a customer does all of these")),
        Field("per", "per", _("within one"), choices=PERIODS),
        Field("points", "whole", _("points")),
        Field("source", "source", _("to the source")),
    )

    @classmethod
    def parse(cls, reader: Reader, common: dict[str, Any]) -> Self:
        requires = parse_requirements(reader, common["vocabulary"])
        return cls(
            **common,
            source=parse_source(reader),
            per=reader.choice("per", PERIODS),
            points=reader.whole("points"),
            requires=requires,
        )

    def parameters_json(self) -> dict[str, Any]:
        return {
            "source": self.source.slug,
            "per": self.per,
            "points": self.points,
            "requires": requirements_json(self.requires),
        }

    def lasting_shape(self) -> tuple[Any, ...]:
        return (self.type, self.source, self.per)

    def sentence(self) -> str:
        parts = [
            times(requirement.count, self.what(requirement.kinds, requirement.conditions))
            for requirement in self.requires
        ]
        words = {"actions": " + ".join(parts), "points": points(self.points)}
        return str(TOGETHER[self.per] % words)

    def all_kinds(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(k for requirement in self.requires for k in requirement.kinds))

    @classmethod
    def scope(cls, family: Family, compilation: Compilation) -> Scope:
        per = cast("Combo", family.stages[0][1]).per
        if per == "ever":
            return Scope(Days(None, None), CHANGED.onwards())
        days = CHANGED.widened([per])
        return Scope(days, days)

    @classmethod
    def relation(cls, compilation: Compilation) -> Relation:
        compilation.ask("origin", "external_id", "sources_off")
        rows: list[tuple[Any, ...]] = []
        conditions = []
        part = 0
        pers: dict[str, None] = {}
        for family in compilation.families[cls.type]:
            for number, stage in family.stages:
                combo = cast("Combo", stage)
                pers[combo.per] = None
                for requirement in combo.requires:
                    part += 1
                    conditions.append((part, requirement.conditions))
                    rows += [
                        (
                            compilation.vocabulary.kinds[slug].id,
                            family.rule_id,
                            number,
                            combo.source.value,
                            *window_of(stage),
                            part,
                            requirement.count,
                            len(combo.requires),
                            combo.points,
                            combo.per,
                        )
                        for slug in requirement.kinds
                    ]
        term = values(
            [
                ("kind_id", "bigint"),
                ("rule_id", "bigint"),
                ("stage", "int"),
                ("source", "int"),
                ("starts", "timestamptz"),
                ("ends", "timestamptz"),
                ("part", "int"),
                ("needed", "int"),
                ("parts", "int"),
                ("points", "bigint"),
                ("per", "text"),
            ],
            rows,
        )
        match = sql.SQL("""
    SELECT fact.customer_id, term.part * {bucket}::bigint + {period} AS bucket, fact.occurred_at, fact.action_id,
        fact.local_date, {is_written} AS is_written, term.rule_id, term.stage, term.source, term.needed, term.parts,
        term.points, {period} AS period, fact.origin, fact.external_id
    FROM fact JOIN {term} ON {joined}
    WHERE {where} AND fact.sources_off >> term.source & 1 = 0
""").format(
            bucket=sql.Literal(BUCKET),
            is_written=compilation.is_written(),
            period=period_of(list(pers)),
            term=term,
            joined=compilation.term_join(),
            where=compilation.matches("part", conditions),
        )
        # Grain: one action that may meet a requirement in a period; its place among these.
        place = sql.SQL("""
    SELECT *, row_number() OVER (
        PARTITION BY customer_id, bucket ORDER BY occurred_at, origin, external_id) AS place
    FROM combo_match
""")
        # Grain: one period in which a stage was met; the action that met the last requirement.
        met = sql.SQL("""
    SELECT DISTINCT ON (customer_id, stage, period) *,
        count(*) OVER (PARTITION BY customer_id, stage, period) AS parts_met
    FROM combo_place WHERE place = needed
    ORDER BY customer_id, stage, period, occurred_at DESC, origin DESC, external_id DESC
""")
        # Grain: one period of one rule; where two stages were met, the earlier completion.
        combo_awards = sql.SQL("""
    SELECT DISTINCT ON (customer_id, rule_id, period)
        customer_id, action_id, rule_id, stage, source, local_date, is_written, points AS raw, points{nothing}
    FROM combo_met WHERE parts_met = parts
    ORDER BY customer_id, rule_id, period, occurred_at, origin, external_id
""").format(nothing=NO_LIMITS if compilation.with_lines else sql.SQL(""))
        return Relation(
            (
                ("combo_match", match),
                ("combo_place", place),
                ("combo_met", met),
                (cls.type, combo_awards),
            ),
            cls.type,
        )


def period_of(pers: Sequence[str]) -> sql.Composable:
    """SQL for the ordinal of the period of ``term.per`` that holds a fact's local date."""
    date = sql.SQL("fact.local_date")
    if len(pers) == 1:
        return ordinal_of(pers[0], date)
    return sql.SQL("CASE term.per {} END").format(
        sql.SQL(" ").join(
            sql.SQL("WHEN {} THEN {}").format(sql.Literal(per), ordinal_of(per, date))
            for per in pers
        )
    )


def parse_requirements(reader: Reader, vocabulary: Vocabulary) -> tuple[Requirement, ...]:
    """The requirements of a combo: at least one."""
    requires = []
    items = reader.items("requires")
    if not items:
        reader.problem("requires", gettext("at least one requirement is needed here"))
    for place, item in items:
        part = Reader.of(place, item, reader.problems)
        kinds, conditions, _found = parse_matching(part, vocabulary)
        requires.append(Requirement(kinds, conditions, part.whole("count", least=1, default=1)))
        part.done()
    return tuple(requires)


def requirements_json(requires: Sequence[Requirement]) -> list[dict[str, Any]]:
    """Requirements as they stand in a document."""
    return [
        {
            "kinds": list(requirement.kinds),
            "count": requirement.count,
            "conditions": [condition.to_json() for condition in requirement.conditions],
        }
        for requirement in requires
    ]


def parse_source(reader: Reader) -> Source:
    """The source that a combo or streak names."""
    return Source.from_slug(reader.choice("source", [source.slug for source in Source]))
