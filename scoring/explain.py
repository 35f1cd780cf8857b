"""A score as a receipt: every award, what limits took away and why, and what each is worth today.

The lines come from the same SELECT that scores; they sum to their source, and the sources to the score, exactly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from psycopg import sql

from accounts.models import Customer

from .compiler import compile_lines
from .documents import RuleSetDocument, parse_rule_set
from .limits import LINE_COLUMNS, Limit
from .models import Action, RuleKey, RuleSet, Source
from .periods import next_start
from .publication import current_rule_set, document_of
from .rules import RuleStage
from .shape import FADED, SUB_SCORE, shape_values
from .statements import brand_time, execute
from .worth import THOUSANDTH, share_out


@dataclass(frozen=True, slots=True)
class Taken:
    """Points that a limit took away, and why in a sentence; ``until`` is the day on which it begins to count anew."""

    points: int
    reason: str
    until: date | None


@dataclass(frozen=True, slots=True)
class Line:
    """What one rule made of one action.

    ``earned`` is before limits and ``points`` after them; ``faded`` is what is left of the points today and
    ``worth`` its share of the score, in points of the score (0 to 1000).
    """

    action_id: int
    origin: str
    external_id: str
    kind_label: str
    occurred_at: datetime
    local_date: date
    rule_key: str
    title: str
    sentence: str
    type: str
    version: int
    source: Source
    earned: int
    points: int
    taken: tuple[Taken, ...]
    faded: float
    worth: Decimal


@dataclass(frozen=True, slots=True)
class SourceReceipt:
    """One source's part of a score. ``worth`` is what its lines sum to."""

    source: Source
    weight: int
    half_life_days: Decimal | None
    halfway_points: Decimal
    points: int
    faded: float
    sub_score: float
    worth: Decimal
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A customer's score on a day, down to its lines, newest first.

    ``left_out`` is why the one action that was asked for counts for nothing whatever the rules are, in a sentence;
    empty where the rules decide.
    """

    score: Decimal
    points: int
    version: int | None
    on: date
    sources: tuple[SourceReceipt, ...]
    left_out: str = ""

    @property
    def lines(self) -> list[Line]:
        """Every line, newest first."""
        return sorted(
            (line for source in self.sources for line in source.lines),
            key=lambda line: (line.occurred_at, line.action_id),
            reverse=True,
        )

    def to_json(self) -> dict[str, Any]:
        """The receipt as plain values; decimals as numbers with 3 places written as text."""
        return {
            "on": self.on.isoformat(),
            "score": f"{self.score:.3f}",
            "points": self.points,
            "rule_set_version": self.version,
            "sources": [
                {
                    "source": receipt.source.slug,
                    "weight": receipt.weight,
                    "half_life_days": None
                    if receipt.half_life_days is None
                    else float(receipt.half_life_days),
                    "halfway_points": float(receipt.halfway_points),
                    "points": receipt.points,
                    "points_after_fading": receipt.faded,
                    "sub_score": receipt.sub_score,
                    "worth": f"{receipt.worth:.3f}",
                    "lines": [_line_json(line) for line in receipt.lines],
                }
                for receipt in self.sources
            ],
        }


def _line_json(line: Line) -> dict[str, Any]:
    return {
        "origin": line.origin,
        "external_id": line.external_id,
        "kind": line.kind_label,
        "occurred_at": line.occurred_at.isoformat(),
        "on": line.local_date.isoformat(),
        "rule": line.rule_key,
        "title": line.title,
        "earned": line.earned,
        "points": line.points,
        "taken": [{"points": taken.points, "reason": taken.reason} for taken in line.taken],
        "points_after_fading": line.faded,
        "worth": f"{line.worth:.3f}",
    }


@lru_cache(maxsize=64)
def _ready(rule_set_id: int) -> tuple[RuleSetDocument, int, dict[int, str], str]:
    rule_set = RuleSet.objects.select_related("brand").get(pk=rule_set_id)
    document = parse_rule_set(document_of(rule_set), brand=rule_set.brand)
    keys = dict(RuleKey.objects.filter(brand=rule_set.brand).values_list("key", "id"))
    # Grain: one rule and one action that it looked at.
    statement = sql.SQL("""
WITH subject AS MATERIALIZED (SELECT unnest(%(customers)s::bigint[]) AS customer_id),{ctes}
SELECT line.action_id, action.origin, action.external_id, kind.label, action.occurred_at, line.local_date,
    line.rule_id, line.stage, line.source, line.raw, line.points, ({faded})::float8, {columns}
FROM line
JOIN {shape} ON shape.source = line.source
JOIN scoring_action AS action ON action.id = line.action_id
JOIN scoring_actionkind AS kind ON kind.id = action.kind_id
ORDER BY action.occurred_at DESC, action.origin DESC, action.external_id DESC, line.stage
""").format(
        ctes=compile_lines(document, rule_ids=keys).ctes,
        faded=FADED.format(
            points=sql.SQL("line.points"),
            on=sql.SQL("%(on)s::date"),
            date=sql.SQL("line.local_date"),
        ),
        columns=sql.SQL(", ").join(sql.Identifier("line", column) for column in LINE_COLUMNS),
        shape=shape_values(document.sources),
    )
    assert rule_set.version is not None
    return (
        document,
        rule_set.version,
        {pk: key for key, pk in keys.items()},
        statement.as_string(None),
    )


def explain(
    *,
    customer: Customer,
    on: date,
    awarded_before: date | None = None,
    action_id: int | None = None,
) -> Explanation:
    """The receipt of a customer's score on a local date; with ``action_id``, only the lines of that action.

    ``awarded_before`` leaves out the awards of that day and later, as ``worth.When`` does.
    Computed from the actions at this moment, so that it is right even while a recomputation is under way.
    """
    left_out = "" if action_id is None else _left_out(customer, action_id)
    rule_set = current_rule_set(brand=customer.brand)
    if rule_set is None:
        return Explanation(Decimal(0), 0, None, on, (), left_out)
    document, version, keys, statement = _ready(rule_set.pk)
    with brand_time(customer.brand):
        rows = execute(statement, {"customers": [customer.pk], "on": on})
    if awarded_before is not None:
        rows = [row for row in rows if row[5] < awarded_before]
    by_source: dict[int, list[tuple[Any, ...]]] = {source.value: [] for source in Source}
    for row in rows:
        by_source[row[8]].append(row)
    faded = {source: sum((row[11] for row in found), 0.0) for source, found in by_source.items()}
    sub_scores = _sub_scores(document, faded)
    raw = [document.sources[source].weight * sub_scores[source.value] for source in Source]
    score = Decimal(f"{sum(raw) / 10:.15g}").quantize(THOUSANDTH, ROUND_HALF_UP)
    receipts = []
    for source, worth in zip(Source, share_out(score, raw), strict=True):
        shape = document.sources[source]
        found = by_source[source.value]
        shares = share_out(worth, [row[11] for row in found])
        receipts.append(
            SourceReceipt(
                source,
                shape.weight,
                shape.half_life_days,
                shape.halfway_points,
                sum(row[10] for row in found),
                faded[source.value],
                sub_scores[source.value],
                worth,
                tuple(
                    _line(row, document.rules[row[7]], keys[row[6]], version, share)
                    for row, share in zip(found, shares, strict=True)
                    if action_id is None or row[0] == action_id
                ),
            )
        )
    return Explanation(
        score, sum(receipt.points for receipt in receipts), version, on, tuple(receipts), left_out
    )


def _left_out(customer: Customer, action_id: int) -> str:
    """Why rules never see an action of the customer: ``facts.COUNTED`` in words."""
    actions = Action.objects.select_related("identifier", "kind")
    action = actions.filter(pk=action_id, identifier__customer=customer).first()
    if action is None:
        return ""
    identifier, source = action.identifier, Source(action.kind.source)
    if identifier.sources_off >> source & 1:
        return _(
            "You switched off the source %(source)s. This is kept, and counts again once you switch it on."
        ) % {"source": source.label}
    if identifier.counts_from is not None and action.occurred_at < identifier.counts_from:
        moment = identifier.counts_from.astimezone(customer.brand.zone)
        return _(
            "This is too old to count: of what came before you linked %(identifier)s, "
            "only what is from %(moment)s or later does."
        ) % {"identifier": identifier, "moment": date_format(moment, "DATETIME_FORMAT")}
    return ""


def _sub_scores(document: RuleSetDocument, faded: dict[int, float]) -> dict[int, float]:
    """The sub-scores of given sums, by the database, which is where a rule's arithmetic is done."""
    rows = execute(
        _SUB_SCORES,
        {
            "source": list(faded),
            "faded": list(faded.values()),
            "halfway": [float(document.sources[Source(source)].halfway_points) for source in faded],
        },
    )
    return dict(rows)


_SUB_SCORES = (
    sql.SQL(
        "SELECT shape.source, ({})::float8 FROM unnest(%(source)s::int[], %(faded)s::float8[], %(halfway)s::float8[])"
        " AS shape (source, faded, halfway)"
    )
    .format(SUB_SCORE.format(faded=sql.SQL("shape.faded")))
    .as_string(None)
)


def _line(row: tuple[Any, ...], stage: RuleStage, key: str, version: int, worth: Decimal) -> Line:
    seen = dict(zip(LINE_COLUMNS, row[12:], strict=True))
    return Line(
        action_id=row[0],
        origin=row[1],
        external_id=row[2],
        kind_label=row[3],
        occurred_at=row[4],
        local_date=row[5],
        rule_key=key,
        title=stage.title,
        sentence=str(stage.sentence()),
        type=stage.type,
        version=version,
        source=Source(row[8]),
        earned=row[9],
        points=row[10],
        taken=taken_by(getattr(stage, "limits", ()), earned=row[9], on=row[5], seen=seen),
        faded=row[11],
        worth=worth,
    )


def taken_by(
    limits: Sequence[Limit], *, earned: int, on: date, seen: Mapping[str, int | None]
) -> tuple[Taken, ...]:
    """What each limit took of the points of an action on a local date; one that took nothing is silent.

    ``seen`` holds the ``limits.LINE_COLUMNS`` of its line.
    """
    taken = []
    incoming = earned
    for place, limit in enumerate(limits, start=1):
        kept = seen[f"kept_{place}"] or 0
        if kept < incoming:
            reason = _("Limit reached: %(limit)s") % {"limit": limit.sentence()}
            taken.append(Taken(incoming - kept, reason, next_start(limit.per, on)))
        incoming = kept
    return tuple(taken)
