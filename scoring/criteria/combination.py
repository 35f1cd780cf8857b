"""Several things together: requirements that are all met within one period, or over time."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from psycopg import sql

from scoring.periods import PERIODS, ordinal_of
from scoring.problems import Reader
from scoring.relations import column_of
from scoring.rules.base import Field
from scoring.rules.combo import Requirement, parse_requirements, requirements_json
from scoring.vocabulary import Vocabulary
from scoring.words import figure, times

from .base import Criterion, Judged, matches, what


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination(Criterion):
    """In how many periods all requirements were met; with ``ever``, how many times over they were met in all."""

    requires: tuple[Requirement, ...]
    per: str

    name: ClassVar[str] = "combination"
    label: ClassVar[Any] = _("Several things together")
    measure: ClassVar[Any] = _("times that all of it was done")
    fields: ClassVar[tuple[Field, ...]] = (
        Field("requires", "requires", _("when a customer does all of these")),
        Field("per", "per", _("within one"), choices=PERIODS),
    )

    @classmethod
    def parse(cls, reader: Reader, vocabulary: Vocabulary) -> Self:
        return cls(
            requires=parse_requirements(reader, vocabulary), per=reader.choice("per", PERIODS)
        )

    def parameters_json(self) -> Mapping[str, Any]:
        return {"requires": requirements_json(self.requires), "per": self.per}

    def kinds(self, vocabulary: Vocabulary) -> Collection[int]:
        return {vocabulary.kinds[slug].id for one in self.requires for slug in one.kinds}

    def columns(self) -> Collection[str]:
        return {column_of(each.field) for one in self.requires for each in one.conditions}

    def sentence(self, target: int, vocabulary: Vocabulary) -> str:
        words = {
            "actions": " + ".join(
                times(one.count, what(one.kinds, one.conditions, vocabulary))
                for one in self.requires
            ),
            "count": figure(target),
        }
        if self.per == "day":
            said = ngettext(
                "%(actions)s, on one day", "%(actions)s, on each of %(count)s days", target
            )
        elif self.per == "week":
            said = ngettext(
                "%(actions)s, in one week", "%(actions)s, in each of %(count)s weeks", target
            )
        elif self.per == "month":
            said = ngettext(
                "%(actions)s, in one month", "%(actions)s, in each of %(count)s months", target
            )
        elif self.per == "year":
            said = ngettext(
                "%(actions)s, in one year", "%(actions)s, in each of %(count)s years", target
            )
        else:
            said = ngettext("%(actions)s", "%(actions)s, %(count)s times over", target)
        return said % words

    def reached(self, judged: Judged) -> sql.Composable:
        # Grain: one time (of a period, the first) that all requirements were met, at the action that met the last.
        place = "place %% {needed} = 0" if self.per == "ever" else "place = {needed}"
        return sql.SQL("""
    SELECT customer_id, at, row_number() OVER (PARTITION BY customer_id ORDER BY at) AS reached
    FROM (
        SELECT customer_id, max(at) AS at FROM ({met}) AS met
        GROUP BY customer_id, period, turn HAVING count(*) = {parts}
    ) AS together
""").format(
            met=sql.SQL("\n        UNION ALL ").join(
                sql.SQL("""
        SELECT customer_id, at, period, place / {needed} AS turn
        FROM (
            SELECT customer_id, occurred_at AS at, {period} AS period,
                row_number() OVER (PARTITION BY customer_id, {period} ORDER BY occurred_at) AS place
            FROM fact WHERE {matches}
        ) AS placed
        WHERE {place}""").format(
                    needed=sql.Literal(one.count),
                    period=ordinal_of(self.per, sql.SQL("local_date")),
                    matches=matches(one.kinds, one.conditions, judged.vocabulary),
                    place=sql.SQL(place).format(needed=sql.Literal(one.count)),
                )
                for one in self.requires
            ),
            parts=sql.Literal(len(self.requires)),
        )
