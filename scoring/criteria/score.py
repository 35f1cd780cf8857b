"""A score that was reached."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from psycopg import sql

from scoring.models import Source
from scoring.problems import Reader
from scoring.rules.base import Field
from scoring.shape import FADED, SUB_SCORE, shape_values
from scoring.vocabulary import Vocabulary
from scoring.words import figure

from .base import POSTINGS_OF_DAY, Criterion, Judged, open_levels

# Half-lives to a block: a power of two that is as large, and its reciprocal twice over, are still doubles.
BLOCK = 450


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreReached(Criterion):
    """The highest score, by today's rules and shape, that a customer ever had at the moment of an award."""

    name: ClassVar[str] = "score"
    label: ClassVar[Any] = _("A score reached")
    measure: ClassVar[Any] = _("score")
    fields: ClassVar[tuple[Field, ...]] = ()
    most: ClassVar[int] = 999

    @classmethod
    def parse(cls, reader: Reader, vocabulary: Vocabulary) -> Self:
        return cls()

    def parameters_json(self) -> Mapping[str, Any]:
        return {}

    def sources(self) -> Collection[Source]:
        return tuple(Source)

    def sentence(self, target: int, vocabulary: Vocabulary) -> str:
        return gettext("Reach a score of %(count)s") % {"count": figure(target)}

    def reached(self, judged: Judged) -> sql.Composable:
        shape = {source: one for source, one in judged.shape.items() if one.weight}
        if not shape:
            return sql.SQL(
                "SELECT NULL::bigint AS customer_id, NULL::timestamptz AS at, NULL::bigint AS reached WHERE FALSE"
            )
        # What is left of all earlier points is summed up as points x 2^(age of the customer's first day in half-lives),
        # so that one running sum serves every day: the score of each day in one pass. In blocks, because a power of two
        # ends at 1023; what is older than the block before is as good as nothing. What lies before the days asked about
        # is faded to the day before them. Only the days on which a target was first reached are then looked into, award
        # by award.
        return sql.SQL("""
    WITH point AS MATERIALIZED (
        SELECT daily.customer_id, daily.source, daily.local_date, daily.points, asked.since - 1 AS since
        FROM asked CROSS JOIN LATERAL (
            SELECT * FROM scoring_dailypoints AS one WHERE one.customer_id = asked.customer_id OFFSET 0
        ) AS daily
        WHERE asked.badge_id = {badge} AND daily.points <> 0
    ),
    daily AS MATERIALIZED (
        SELECT customer_id, source, local_date, points, is_asked,
            local_date - min(local_date) OVER (PARTITION BY customer_id) AS day
        FROM (
            SELECT customer_id, source, local_date, points::float8 AS points, TRUE AS is_asked
            FROM point WHERE since IS NULL OR local_date >= since
            UNION ALL
            SELECT point.customer_id, point.source, point.since - 1, sum({faded}), FALSE
            FROM point JOIN {shape} ON shape.source = point.source
            WHERE point.local_date < point.since
            GROUP BY point.customer_id, point.source, point.since
        ) AS either
    ),
    -- Grain: a day with awards, and a source.
    part AS (
        SELECT day.customer_id, day.local_date, day.is_asked, shape.source, shape.weight, shape.halfway,
            coalesce(daily.points, 0) AS points, coalesce(floor(day.day / shape.half_life / {block}), 0)::int AS block,
            coalesce(day.day / shape.half_life - floor(day.day / shape.half_life / {block}) * {block}, 0) AS age
        FROM (SELECT DISTINCT customer_id, local_date, day, is_asked FROM daily) AS day
        CROSS JOIN {shape}
        LEFT JOIN daily ON daily.customer_id = day.customer_id AND daily.local_date = day.local_date
            AND daily.source = shape.source
    ),
    faded AS MATERIALIZED (
        SELECT customer_id, local_date, is_asked, source, weight, halfway, power(2, -age) * (
            sum(points * power(2, age)) OVER (PARTITION BY customer_id, source, block ORDER BY local_date)
            + power(2, -{block}::float8) * coalesce(sum(points * power(2, age)) OVER (
                PARTITION BY customer_id, source ORDER BY block RANGE BETWEEN 1 PRECEDING AND 1 PRECEDING), 0)
            ) AS points
        FROM part
    ),
    daily_score AS MATERIALIZED (
        SELECT customer_id, local_date, {score} AS score FROM faded AS shape
        WHERE is_asked GROUP BY customer_id, local_date
    ),
    first_day AS (
        SELECT DISTINCT customer_id, local_date FROM (
            SELECT daily_score.customer_id, min(daily_score.local_date) AS local_date
            FROM daily_score JOIN {targets} ON target.customer_id = daily_score.customer_id
                AND daily_score.score >= target.needed
            GROUP BY daily_score.customer_id, target.needed
        ) AS first_of_each
    ),
    -- Grain: a moment with awards on such a day, and a source.
    award AS (
        SELECT day.customer_id, day.local_date, action.occurred_at AS at, posting.source, sum(posting.points) AS points
        FROM first_day AS day
        CROSS JOIN LATERAL ({postings}) AS posting
        CROSS JOIN LATERAL (
            SELECT one.occurred_at FROM scoring_action AS one WHERE one.id = posting.action_id OFFSET 0
        ) AS action
        GROUP BY day.customer_id, day.local_date, action.occurred_at, posting.source
        HAVING sum(posting.points) <> 0
    ),
    -- What the day has at its end, without what came later on it.
    so_far AS (
        SELECT moment.customer_id, moment.at, faded.weight, faded.halfway,
            greatest(0, faded.points - coalesce(sum(award.points) OVER (
                PARTITION BY moment.customer_id, moment.local_date, faded.source ORDER BY moment.at DESC
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)) AS points
        FROM (SELECT DISTINCT customer_id, local_date, at FROM award) AS moment
        JOIN faded ON faded.customer_id = moment.customer_id AND faded.local_date = moment.local_date
        LEFT JOIN award ON award.customer_id = moment.customer_id AND award.local_date = moment.local_date
            AND award.at = moment.at AND award.source = faded.source
    )
    SELECT customer_id, at, floor({score})::bigint AS reached FROM so_far AS shape GROUP BY customer_id, at
    UNION ALL
    SELECT customer_id, NULL, floor(max(score))::bigint FROM daily_score GROUP BY customer_id
""").format(
            badge=sql.Literal(judged.badge_id),
            block=sql.Literal(BLOCK),
            shape=shape_values(shape),
            score=sql.SQL("round((sum(weight * {}) / 10)::numeric, 3)").format(
                SUB_SCORE.format(faded=sql.SQL("shape.points"))
            ),
            targets=open_levels(judged),
            faded=FADED.format(
                points=sql.SQL("point.points"),
                on=sql.SQL("(point.since - 1)"),
                date=sql.SQL("point.local_date"),
            ),
            postings=POSTINGS_OF_DAY,
        )
