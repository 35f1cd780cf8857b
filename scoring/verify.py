"""Proof that incremental equals full: everything recomputed from the actions, and every difference named."""

from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from psycopg import sql

from accounts.models import Brand

from .badges import WrongBadge, wrong_badges
from .chunks import Progress, in_chunks
from .compiler import CompiledRules, compile_rules
from .models import RuleKey
from .publication import current_document
from .run import PRIME, checksum
from .shape import FADED, SUB_SCORE, shape_values
from .statements import brand_time, execute


@dataclass(frozen=True, slots=True)
class Difference:
    """One place that is not as a recomputation has it.

    ``what`` is ``award``, ``daily points``, ``points``, ``checksum``, ``score`` or ``badge``; the fields that do not
    apply are None. Of a badge, ``rule`` names it with its level, and expected and found are the moments since when it
    is held, in seconds since 1970, 0 for not at all.
    """

    what: str
    customer: int
    action: int | None
    rule: str | None
    source: int | None
    local_date: date | None
    expected: Decimal
    found: Decimal


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked, and every difference that was found."""

    checked: dict[str, int]
    differences: list[Difference]

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "checked": self.checked,
            "differences": [
                {key: None if value is None else str(value) for key, value in asdict(one).items()}
                for one in self.differences
            ],
        }


def verify_ledger(*, brand: Brand, progress: Progress | None = None) -> Verification:
    """Recompute every customer of a brand from the actions and compare; writes nothing.

    Compared are the awards with the sums of the postings, the daily points with the postings, the checksums, the scores
    on the day on which each was written, and the badges that are held. Customers who are marked due are counted and
    left out: their scores are known to be behind.
    """
    document = current_document(brand=brand)
    counted = ("customers", "customers_due", "actions", "awards", "scores", "badges")
    checked = dict.fromkeys(counted, 0)
    if document is None:
        return Verification(checked, [])
    keys = dict(RuleKey.objects.filter(brand=brand).values_list("key", "id"))
    statement = _statement(compile_rules(document, rule_ids=keys)).as_string(None)
    names = {pk: key for key, pk in keys.items()}

    def one(chunk: list[int]) -> tuple[list[tuple[Any, ...]], list[WrongBadge]]:
        with brand_time(brand):
            return (
                execute(statement, {"customers": chunk}),
                wrong_badges(brand=brand, customers=chunk),
            )

    differences = []
    for rows, badges in in_chunks(brand=brand, work=one, progress=progress):
        for what, customer, action, rule, source, local_date, expected, found in rows:
            if what in checked:
                checked[what] += int(found)
            else:
                differences.append(
                    Difference(
                        what,
                        customer,
                        action,
                        names.get(rule),
                        source,
                        local_date,
                        Decimal(expected),
                        Decimal(found),
                    )
                )
        differences += [_of_badge(brand, one) for one in badges]
    return Verification(checked, differences)


def _of_badge(brand: Brand, wrong: WrongBadge) -> Difference:
    moments = [moment for moment in (wrong.expected, wrong.found) if moment is not None]
    return Difference(
        "badge",
        wrong.customer_id,
        None,
        f"{wrong.slug} level {wrong.level}",
        None,
        moments[0].astimezone(brand.zone).date(),
        Decimal(str(wrong.expected.timestamp() if wrong.expected else 0)),
        Decimal(str(wrong.found.timestamp() if wrong.found else 0)),
    )


def _statement(compiled: CompiledRules) -> sql.Composable:
    return sql.SQL("""
WITH asked AS (SELECT unnest(%(customers)s::bigint[]) AS customer_id),
waiting AS (
    SELECT due.customer_id FROM scoring_due AS due WHERE due.customer_id IN (SELECT customer_id FROM asked)
    UNION
    SELECT identifier.customer_id FROM scoring_due AS due
    JOIN accounts_identifier AS identifier ON identifier.id = due.identifier_id
    WHERE identifier.customer_id IN (SELECT customer_id FROM asked)
),
subject AS MATERIALIZED (
    SELECT customer_id FROM asked WHERE customer_id NOT IN (SELECT customer_id FROM waiting)
),{ctes},
posting AS MATERIALIZED (
    SELECT posting.customer_id, posting.action_id, posting.rule_id, posting.source, posting.local_date,
        sum(posting.points) AS points
    FROM subject JOIN scoring_posting AS posting ON posting.customer_id = subject.customer_id
    GROUP BY posting.customer_id, posting.action_id, posting.rule_id, posting.source, posting.local_date
),
-- Grain: one award, held or due.
awards AS (
    SELECT customer_id, action_id, rule_id, source, local_date,
        coalesce(award.points, 0) AS expected, coalesce(posting.points, 0) AS found
    FROM award FULL JOIN posting USING (customer_id, action_id, rule_id, source, local_date)
    WHERE coalesce(award.points, 0) <> coalesce(posting.points, 0)
),
-- Grain: one customer, source and local date.
days AS (
    SELECT customer_id, source, local_date,
        coalesce(expected.points, 0) AS expected, coalesce(daily.points, 0) AS found
    FROM (
        SELECT customer_id, source, local_date, sum(points) AS points FROM award
        GROUP BY customer_id, source, local_date
    ) AS expected
    FULL JOIN (
        SELECT daily.* FROM subject JOIN scoring_dailypoints AS daily ON daily.customer_id = subject.customer_id
    ) AS daily USING (customer_id, source, local_date)
    WHERE coalesce(expected.points, 0) <> coalesce(daily.points, 0)
),
-- Grain: one customer: the score of the awards on the day on which it was written.
part AS (
    SELECT shape.customer_id, shape.weight, {sub_score} AS sub_score
    FROM (
        SELECT score.customer_id, shape.source, shape.weight, shape.halfway, coalesce(sum({faded}), 0) AS faded
        FROM subject JOIN scoring_score AS score ON score.customer_id = subject.customer_id
        CROSS JOIN {shape}
        LEFT JOIN award ON award.customer_id = score.customer_id AND award.source = shape.source
        GROUP BY score.customer_id, shape.source, shape.weight, shape.halfway
    ) AS shape
),
whole AS (
    SELECT part.customer_id, CASE WHEN customer.paused_at IS NULL
        THEN round((sum(weight * sub_score) / 10)::numeric, 3) ELSE 0 END AS score
    FROM part JOIN accounts_customer AS customer ON customer.id = part.customer_id
    GROUP BY part.customer_id, customer.paused_at
),
checksum AS (
    SELECT award.customer_id, sum({a}) AS a, sum({b}) AS b, sum(award.points) AS points
    FROM award GROUP BY award.customer_id
),
expected AS (
    SELECT subject.customer_id, coalesce(whole.score, 0) AS score, coalesce(checksum.a, 0) AS a,
        coalesce(checksum.b, 0) AS b, coalesce(checksum.points, 0) AS points
    FROM subject
    LEFT JOIN whole ON whole.customer_id = subject.customer_id
    LEFT JOIN checksum ON checksum.customer_id = subject.customer_id
)
SELECT 'award', customer_id, action_id, rule_id, source::int, local_date, expected::text, found::text FROM awards
UNION ALL
SELECT 'daily points', customer_id, NULL, NULL, source::int, local_date, expected::text, found::text FROM days
UNION ALL
SELECT 'score', score.customer_id, NULL, NULL, NULL, score.scored_on, expected.score::text, score.score::text
FROM expected JOIN scoring_score AS score ON score.customer_id = expected.customer_id
WHERE expected.score <> score.score
UNION ALL
SELECT 'points', score.customer_id, NULL, NULL, NULL, NULL, expected.points::text, score.points::text
FROM expected JOIN scoring_score AS score ON score.customer_id = expected.customer_id
WHERE expected.points <> score.points
UNION ALL
SELECT 'score', expected.customer_id, NULL, NULL, NULL, NULL, expected.points::text, '0'
FROM expected LEFT JOIN scoring_score AS score ON score.customer_id = expected.customer_id
WHERE score.customer_id IS NULL AND expected.points <> 0
UNION ALL
SELECT 'checksum', score.customer_id, NULL, NULL, NULL, NULL, expected.a::text, score.checksum_a::text
FROM expected JOIN scoring_score AS score ON score.customer_id = expected.customer_id
WHERE mod(expected.a - score.checksum_a, {prime}) <> 0 OR mod(expected.b - score.checksum_b, {prime}) <> 0
UNION ALL
SELECT 'customers', NULL, NULL, NULL, NULL, NULL, NULL, (SELECT count(*) FROM asked)::text
UNION ALL
SELECT 'customers_due', NULL, NULL, NULL, NULL, NULL, NULL, (SELECT count(*) FROM waiting)::text
UNION ALL
SELECT 'actions', NULL, NULL, NULL, NULL, NULL, NULL,
    (SELECT count(*) FROM subject JOIN accounts_identifier AS i ON i.customer_id = subject.customer_id
        JOIN scoring_action AS a ON a.identifier_id = i.id)::text
UNION ALL
SELECT 'awards', NULL, NULL, NULL, NULL, NULL, NULL, (SELECT count(*) FROM award)::text
UNION ALL
SELECT 'badges', NULL, NULL, NULL, NULL, NULL, NULL,
    (SELECT count(*) FROM subject JOIN scoring_badgeearned AS held ON held.customer_id = subject.customer_id
        AND held.revoked_at IS NULL)::text
UNION ALL
SELECT 'scores', NULL, NULL, NULL, NULL, NULL, NULL,
    (SELECT count(*) FROM subject JOIN scoring_score AS score ON score.customer_id = subject.customer_id)::text
""").format(
        ctes=compiled.ctes,
        sub_score=SUB_SCORE.format(faded=sql.SQL("shape.faded")),
        faded=FADED.format(
            points=sql.SQL("award.points"),
            on=sql.SQL("score.scored_on"),
            date=sql.SQL("award.local_date"),
        ),
        shape=shape_values(compiled.document.sources),
        a=checksum("award", 0),
        b=checksum("award", 1),
        prime=sql.Literal(PRIME),
    )
