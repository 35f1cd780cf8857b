"""So many periods in a row, each with enough actions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from psycopg import sql

from scoring.periods import ordinal_of
from scoring.problems import Reader
from scoring.rules.base import CONDITIONS, KINDS, Field, parse_matching
from scoring.rules.streak import STREAK_PERIODS
from scoring.vocabulary import Vocabulary
from scoring.words import figure, times

from .base import Judged, MatchingActions, matching_json


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodsInARow(MatchingActions):
    """The longest run of consecutive periods of which each holds ``count`` matching actions."""

    count: int
    per: str

    name: ClassVar[str] = "streak"
    label: ClassVar[Any] = _("So many periods in a row")
    measure: ClassVar[Any] = _("periods in a row")
    fields: ClassVar[tuple[Field, ...]] = (
        KINDS,
        CONDITIONS,
        Field("count", "whole", _("actions that make a period count")),
        Field("per", "per", _("period"), choices=STREAK_PERIODS),
    )

    @classmethod
    def parse(cls, reader: Reader, vocabulary: Vocabulary) -> Self:
        kinds, conditions, _found = parse_matching(reader, vocabulary)
        return cls(
            kind_slugs=kinds,
            conditions=conditions,
            count=reader.whole("count", least=1, default=1),
            per=reader.choice("per", STREAK_PERIODS),
        )

    def parameters_json(self) -> Mapping[str, Any]:
        return {
            **matching_json(self.kind_slugs, self.conditions),
            "count": self.count,
            "per": self.per,
        }

    def sentence(self, target: int, vocabulary: Vocabulary) -> str:
        words = {
            "actions": times(self.count, self.what(vocabulary)),
            "count": figure(target),
        }
        if self.per == "day":
            return (
                ngettext(
                    "%(actions)s on %(count)s day",
                    "%(actions)s on %(count)s days in a row",
                    target,
                )
                % words
            )
        if self.per == "week":
            return (
                ngettext(
                    "%(actions)s in %(count)s week",
                    "%(actions)s in each of %(count)s weeks in a row",
                    target,
                )
                % words
            )
        return (
            ngettext(
                "%(actions)s in %(count)s month",
                "%(actions)s in each of %(count)s months in a row",
                target,
            )
            % words
        )

    def reached(self, judged: Judged) -> sql.Composable:
        # Consecutive periods share the difference between ordinal and number. A period counts from the moment of its
        # ``count``-th action. Where clocks are put back over midnight a day can be full before the day before it is: a
        # run is complete when the last of its periods is, in time, and each alone is a run of one.
        return sql.SQL("""
    SELECT run.customer_id, reached.at, reached.reached
    FROM (
        SELECT customer_id, at, max(at) OVER so_far AS complete_at, row_number() OVER so_far AS length
        FROM (
            SELECT customer_id, at, period,
                period - row_number() OVER (PARTITION BY customer_id ORDER BY period) AS run
            FROM (
                SELECT customer_id, occurred_at AS at, {period} AS period,
                    row_number() OVER (PARTITION BY customer_id, {period} ORDER BY occurred_at) AS place
                FROM fact WHERE {matches}
            ) AS placed
            WHERE place = {count}
        ) AS full_period
        WINDOW so_far AS (PARTITION BY customer_id, run ORDER BY period)
    ) AS run CROSS JOIN LATERAL (VALUES (run.at, 1), (run.complete_at, run.length)) AS reached (at, reached)
""").format(
            period=ordinal_of(self.per, sql.SQL("local_date")),
            matches=self.matches(judged.vocabulary),
            count=sql.Literal(self.count),
        )
