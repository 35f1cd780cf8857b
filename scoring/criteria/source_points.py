"""So many points in one source."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from psycopg import sql

from scoring.models import Source
from scoring.problems import Reader
from scoring.rules.base import Field
from scoring.rules.combo import parse_source
from scoring.vocabulary import Vocabulary
from scoring.words import figure

from .base import POSTINGS_OF_DAY, Criterion, Judged, open_levels


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePoints(Criterion):
    """The points of a source, of all time and before fading."""

    source: Source

    name: ClassVar[str] = "source_points"
    label: ClassVar[Any] = _("So many points in one source")
    measure: ClassVar[Any] = _("points")
    fields: ClassVar[tuple[Field, ...]] = (Field("source", "source", _("in the source")),)

    @classmethod
    def parse(cls, reader: Reader, vocabulary: Vocabulary) -> Self:
        return cls(source=parse_source(reader))

    def parameters_json(self) -> Mapping[str, Any]:
        return {"source": self.source.slug}

    def sources(self) -> Collection[Source]:
        return (self.source,)

    def sentence(self, target: int, vocabulary: Vocabulary) -> str:
        return ngettext("%(source)s: %(count)s point", "%(source)s: %(count)s points", target) % {
            "source": self.source.label,
            "count": figure(target),
        }

    def reached(self, judged: Judged) -> sql.Composable:
        # The daily sums tell the day; only that day's postings are read for the moment.
        return sql.SQL("""
    WITH daily AS (
        SELECT daily.customer_id, daily.local_date,
            sum(daily.points) OVER (PARTITION BY daily.customer_id ORDER BY daily.local_date)::bigint AS total
        FROM asked CROSS JOIN LATERAL (
            SELECT * FROM scoring_dailypoints AS one
            WHERE one.customer_id = asked.customer_id AND one.source = {source} OFFSET 0
        ) AS daily
        WHERE asked.badge_id = {badge}
    ),
    first_day AS (
        SELECT DISTINCT ON (daily.customer_id, target.needed) daily.*
        FROM daily JOIN {targets} ON target.customer_id = daily.customer_id AND daily.total >= target.needed
        ORDER BY daily.customer_id, target.needed, daily.local_date
    )
    -- Grain: a moment with awards on such a day; its total without what came later on that day.
    SELECT day.customer_id, action.occurred_at AS at, (day.total - coalesce(sum(sum(posting.points)) OVER (
            PARTITION BY day.customer_id, day.local_date ORDER BY action.occurred_at DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0))::bigint AS reached
    FROM (SELECT DISTINCT * FROM first_day) AS day
    CROSS JOIN LATERAL ({postings}) AS posting
    CROSS JOIN LATERAL (
        SELECT one.occurred_at FROM scoring_action AS one WHERE one.id = posting.action_id OFFSET 0
    ) AS action
    WHERE posting.source = {source}
    GROUP BY day.customer_id, day.local_date, day.total, action.occurred_at
    HAVING sum(posting.points) <> 0
    UNION ALL
    SELECT customer_id, NULL, max(total) FROM daily GROUP BY customer_id
""").format(
            badge=sql.Literal(judged.badge_id),
            source=sql.Literal(self.source.value),
            targets=open_levels(judged),
            postings=POSTINGS_OF_DAY,
        )
