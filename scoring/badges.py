"""Badges: who has earned which, since when, and how near the others are.

The facts decide, as they do for points: a badge whose actions were voided is no longer held, and a
late action can move the day on which one was earned.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from psycopg import sql

from accounts.models import Brand

from .criteria import CRITERIA, Criterion
from .facts import amended, facts
from .models import Badge
from .problems import Problem, Reader
from .statements import brand_time, execute
from .vocabulary import Vocabulary


class BadgeError(ValueError):
    """A criterion that cannot be used; ``problems`` lists (place, reason)."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = [(problem.place, problem.reason) for problem in problems]


def parse_criterion(*, criterion: str, parameters: Any, vocabulary: Vocabulary) -> Criterion:
    """The criterion of a badge with its parameters. Raises BadgeError."""
    problems: list[Problem] = []
    if criterion not in CRITERIA:
        raise BadgeError([Problem("criterion", f"must be one of {', '.join(CRITERIA)}")])
    reader = Reader.of("parameters", parameters, problems)
    parsed = CRITERIA[criterion].parse(reader, vocabulary)
    reader.done()
    if problems:
        raise BadgeError(problems)
    return parsed


def criterion_of(badge: Badge, *, vocabulary: Vocabulary) -> Criterion:
    """The criterion of a stored badge."""
    return parse_criterion(
        criterion=badge.criterion, parameters=badge.parameters, vocabulary=vocabulary
    )


def award_badges(*, brand: Brand, customers: Sequence[int]) -> None:
    """Bring the badges of these customers up to date with their facts, in ``brand_time``. May run twice."""
    badges = _fingerprint(brand)
    if badges:
        execute(_award_statement(brand.pk, badges), {"customers": list(customers)})


def progress_of(
    *, brand: Brand, customer_id: int, badges: Sequence[Badge], vocabulary: Vocabulary
) -> dict[int, int]:
    """How far one customer is with each of these badges of a brand, by the badge's id."""
    if not badges:
        return {}
    statement = sql.SQL(
        "{head} SELECT badge_id, sum(step)::bigint FROM step GROUP BY badge_id"
    ).format(head=_steps(badges, vocabulary))
    with brand_time(brand):
        rows = execute(statement.as_string(None), {"customers": [customer_id]})
    return dict.fromkeys((badge.pk for badge in badges), 0) | {row[0]: row[1] for row in rows}


def _fingerprint(brand: Brand) -> tuple[tuple[Any, ...], ...]:
    """What the statement of a brand's badges is made from: the badges, and the kinds they may look at."""
    return tuple(execute(_FINGERPRINT, {"brand": brand.pk}))


_FINGERPRINT = """
SELECT badge.id, badge.criterion, badge.parameters::text, (
    SELECT string_agg(kind.id || ' ' || kind.source, ',' ORDER BY kind.id) FROM scoring_actionkind AS kind
    WHERE kind.brand_id = badge.brand_id)
FROM scoring_badge AS badge WHERE badge.brand_id = %(brand)s ORDER BY badge.id
"""


@lru_cache(maxsize=64)
def _award_statement(brand_id: int, _badges: tuple[tuple[Any, ...], ...]) -> str:
    badges = list(Badge.objects.filter(brand_id=brand_id).select_related("brand"))
    vocabulary = Vocabulary.of(badges[0].brand)
    # Grain: one badge of one customer. A running sum may fall on the same day as it rises; the day counts as a whole.
    return (
        sql.SQL("""
{head},
running AS (
    SELECT customer_id, badge_id, local_date,
        sum(sum(step)) OVER (PARTITION BY customer_id, badge_id ORDER BY local_date) AS done
    FROM step GROUP BY customer_id, badge_id, local_date
),
earned AS (
    SELECT running.customer_id, running.badge_id, min(running.local_date) AS earned_on
    FROM running JOIN (VALUES {targets}) AS target (badge_id, needed) ON target.badge_id = running.badge_id
    WHERE running.done >= target.needed
    GROUP BY running.customer_id, running.badge_id
),
lost AS (
    DELETE FROM scoring_badgeearned AS held USING subject
    WHERE held.customer_id = subject.customer_id AND NOT EXISTS (
        SELECT FROM earned WHERE earned.customer_id = held.customer_id AND earned.badge_id = held.badge_id)
)
INSERT INTO scoring_badgeearned AS held (customer_id, badge_id, earned_on)
SELECT customer_id, badge_id, earned_on FROM earned
ON CONFLICT (customer_id, badge_id) DO UPDATE SET earned_on = excluded.earned_on
WHERE held.earned_on <> excluded.earned_on
""")
        .format(
            head=_steps(badges, vocabulary),
            targets=sql.SQL(", ").join(
                sql.SQL("({}, {})").format(
                    sql.Literal(badge.pk),
                    sql.Literal(criterion_of(badge, vocabulary=vocabulary).count),
                )
                for badge in badges
            ),
        )
        .as_string(None)
    )


def _steps(badges: Sequence[Badge], vocabulary: Vocabulary) -> sql.Composable:
    criteria = [(badge, criterion_of(badge, vocabulary=vocabulary)) for badge in badges]
    kinds = sorted({kind for _badge, one in criteria for kind in one.kinds(vocabulary)})
    return sql.SQL("""
WITH subject AS MATERIALIZED (SELECT unnest(%(customers)s::bigint[]) AS customer_id),{amended},{facts},
step AS ({steps})""").format(
        amended=amended(scoped=False),
        facts=facts(
            kinds=kinds,
            columns={column for _badge, one in criteria for column in one.columns},
            scoped=False,
        ),
        steps=sql.SQL("\n    UNION ALL ").join(
            sql.SQL("SELECT {} AS badge_id, steps.* FROM ({}) AS steps").format(
                sql.Literal(badge.pk), criterion.steps(vocabulary)
            )
            for badge, criterion in criteria
        ),
    )
