"""A slow, literal scorer: the specification read aloud in plain Python, for tests only.

It knows no database and shares no line with the product. Section numbers are those of the
scoring specification; each function quotes what it implements. Quadratic is fine here. Input is
trusted: the product's door, not this module, refuses what is malformed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from math import floor
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

Json = dict[str, Any]
Value = str | bool | date | Fraction | None
Effective = Literal["now", "date", "always"]

SOURCES = (
    "online_engagement",
    "purchases",
    "marketing_attention",
    "physical_visits",
    "social_media",
    "product_usage",
)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DIGITS = 50


@dataclass(frozen=True, eq=False)
class Action:
    """One action that counts, with its corrected quantity and its local time."""

    origin: str
    external_id: str
    customer: str
    kind: str
    source: str
    occurred_at: datetime
    local: datetime
    quantity: Fraction | None
    channel: str | None
    venue: str | None
    attributes: dict[str, Value]

    @property
    def local_date(self) -> date:
        """Section 2: the date of `occurred_at` in the brand's time zone."""
        return self.local.date()

    @property
    def order(self) -> tuple[datetime, bytes, bytes]:
        """Section 2: ordered by (`occurred_at`, `origin`, `external_id`), texts as bytes."""
        return (self.occurred_at, self.origin.encode(), self.external_id.encode())


class Award(NamedTuple):
    """The points, never 0, that one rule gives one action."""

    external_id: str
    origin: str
    rule: str
    source: str
    local_date: date
    points: int


@dataclass(frozen=True)
class Result:
    """What one customer has: the default is the customer of whom nothing is known.

    `sums` holds S and `sub_scores` q of section 6 for each of the six sources, unrounded.
    """

    points: int = 0
    score: Decimal = Decimal("0.000")
    awards: list[Award] = field(default_factory=list)
    sums: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(SOURCES, Decimal(0)))
    sub_scores: dict[str, Decimal] = field(
        default_factory=lambda: dict.fromkeys(SOURCES, Decimal(0))
    )


def score_brand(
    brand: Json,
    rules: Json,
    records: list[Json],
    on: date,
    owner: dict[str, str] | None = None,
) -> dict[str, Result]:
    """Score everyone from nothing: section 1, a pure function of actions, rules and the day.

    `records` are section 12 records in any order, `rules` a section 10 document, `on` the
    brand's local date. `owner` maps an identifier to its customer; an identifier that it does
    not name is a customer of its own. Everyone who owns an identifier, or has an action in any
    state, is in the answer.
    """
    owner = owner or {}
    actions = counting_actions(brand, records, owner)
    customers = set(owner.values())
    for record in records_of(records, "action"):
        customers.add(customer_of(record, owner))
    return {
        customer: score_customer(rules, [a for a in actions if a.customer == customer], on)
        for customer in sorted(customers)
    }


def score_customer(rules: Json, actions: list[Action], on: date) -> Result:
    """Score one customer whose `actions` all count and are in order."""
    awards = award(rules, actions)
    sums, sub_scores, score = fade(rules, awards, on)
    return Result(sum(a.points for a in awards), score, awards, sums, sub_scores)


# Which actions count


def records_of(records: Iterable[Json], kind: str) -> list[Json]:
    """Section 12: "A line without `type` is an action"; section 9: "exactly once".

    The same (origin, external_id) counts once; a repeat with different content is refused, so
    the first one holds.
    """
    seen: dict[tuple[str, str], Json] = {}
    for record in records:
        if record.get("type", "action") == kind:
            seen.setdefault((record["origin"], record["external_id"]), record)
    return list(seen.values())


def counting_actions(brand: Json, records: list[Json], owner: dict[str, str]) -> list[Action]:
    """Section 2: only accepted actions that are not void, in order, quantities corrected."""
    zone = ZoneInfo(brand["time_zone"])
    kinds = {kind["slug"]: kind for kind in brand["kinds"]}
    actions = []
    for record in records_of(records, "action"):
        if is_void(record, records) or not is_accepted(record, records):
            continue
        kind = kinds[record["kind"]]
        occurred_at = moment(record["occurred_at"])
        sent = record.get("attributes") or {}
        actions.append(
            Action(
                origin=record["origin"],
                external_id=record["external_id"],
                customer=customer_of(record, owner),
                kind=kind["slug"],
                source=kind["source"],
                occurred_at=occurred_at,
                local=occurred_at.astimezone(zone),
                quantity=number(corrected_quantity(record, records)),
                channel=record.get("channel") or None,
                venue=record.get("venue") or None,
                attributes={
                    name: typed(declared, sent.get(name))
                    for name, declared in kind.get("attributes", {}).items()
                },
            )
        )
    return sorted(actions, key=lambda action: action.order)


def customer_of(action: Json, owner: dict[str, str]) -> str:
    """Section 1: an action is its identifier's "and so" its customer's."""
    identifier: str = action["identifier"]
    return owner.get(identifier, identifier)


def about(action: Json, records: list[Json], kind: str) -> list[Json]:
    """Section 12: "`action` names the `external_id` of an action of the same origin"."""
    return [
        record
        for record in records_of(records, kind)
        if (record["origin"], record["action"]) == (action["origin"], action["external_id"])
    ]


def is_void(action: Json, records: list[Json]) -> bool:
    """Section 2: "a void is final"; section 12: "also on a pending action"."""
    return bool(about(action, records, "void"))


def is_accepted(action: Json, records: list[Json]) -> bool:
    """Section 12: "`state` is `accepted` unless it says `pending`".

    "Of several decisions on a pending action the one with the lowest (`at`, `external_id`)
    holds; a decision on an action that was not pending is ignored".
    """
    if action.get("state") != "pending":
        return True
    decisions = about(action, records, "decision")
    if not decisions:
        return False
    first = min(decisions, key=lambda d: (moment(d["at"]), d["external_id"].encode()))
    return bool(first["accepted"])


def corrected_quantity(action: Json, records: list[Json]) -> Any:
    """Section 2: a correction "replaces the quantity of an action and keeps its time".

    "Of several, the one with the highest (`corrected_at`, `external_id`) holds".
    """
    corrections = about(action, records, "correction")
    if not corrections:
        return action.get("quantity")
    last = max(corrections, key=lambda c: (moment(c["corrected_at"]), c["external_id"].encode()))
    return last["quantity"]


# Values, moments and periods


def moment(text: str) -> datetime:
    """A moment as the records write it, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def number(value: Any) -> Fraction | None:
    """An exact number from a JSON number or text; section 2: empty or null is missing."""
    return None if value is None or value == "" else Fraction(str(value))


def typed(declared: str | Json, value: Any) -> Value:
    """Section 3: an attribute's value as its kind declares it; empty or null is missing."""
    if value is None or value == "":
        return None
    if declared == "number":
        return number(value)
    if declared == "date":
        return date.fromisoformat(value)
    return bool(value) if declared == "yes_no" else str(value)


def field_value(action: Action, name: str) -> Value:
    """Section 3: `quantity`, `channel`, `venue`, `weekday`, `hour` "both local", attributes.

    A field that the action's kind does not declare is a missing value.
    """
    if name == "quantity":
        return action.quantity
    if name == "channel":
        return action.channel
    if name == "venue":
        return action.venue
    if name == "weekday":
        return WEEKDAYS[action.local.weekday()]
    if name == "hour":
        return Fraction(action.local.hour)
    prefix, _, attribute = name.partition(".")
    if prefix != "attributes":
        raise ValueError(f"unknown field {name!r}")
    return action.attributes.get(attribute)


def period_of(per: str, day: date) -> date:
    """Section 2: `day`, `week` (Monday to Sunday), `month`, `year`, `ever`; its first day."""
    if per == "day":
        return day
    if per == "week":
        return day - timedelta(days=day.weekday())
    if per == "month":
        return day.replace(day=1)
    if per == "year":
        return day.replace(month=1, day=1)
    if per == "ever":
        return date.min
    raise ValueError(f"unknown period {per!r}")


def previous_period(per: str, first_day: date) -> date:
    """The period just before the one that begins on `first_day`; calendar days, all of them."""
    return period_of(per, first_day - timedelta(days=1))


def local_midnight(day: date, time_zone: str) -> datetime:
    """Section 7: "the local midnight at which that date begins", in UTC.

    Where that midnight does not exist it is the first moment of the date, where it comes twice
    the first one; a date that a zone leaves out begins when the next one does.
    """
    zone = ZoneInfo(time_zone)
    start = datetime.combine(day, time(), UTC) - timedelta(hours=15)
    for minute in range(48 * 60):
        candidate = start + timedelta(minutes=minute)
        if candidate.astimezone(zone).date() >= day:
            while (candidate - timedelta(seconds=1)).astimezone(zone).date() >= day:
                candidate -= timedelta(seconds=1)
            return candidate
    raise ValueError(f"{day} does not begin in {time_zone}")


# Conditions


def holds(action: Action, condition: Json) -> bool:
    """Section 3: `field operator value`.

    "A condition on a value that the action does not have is false, `is_not_set` alone is then
    true." "`contains` ignores case; the others compare exactly. `at_least` and its kin compare
    numbers and dates."
    """
    value, op = field_value(action, condition["field"]), condition["op"]
    if op == "is_set":
        return value is not None
    if op == "is_not_set":
        return value is None
    if value is None:
        return False
    if op in ("in", "not_in"):
        listed = value in [same_type(value, wanted) for wanted in condition["value"]]
        return listed is (op == "in")
    wanted = same_type(value, condition["value"])
    if op == "is":
        return value == wanted
    if op == "is_not":
        return value != wanted
    if op == "contains":
        if not isinstance(value, str):
            raise TypeError("only a text contains another")
        return str(wanted).lower() in value.lower()
    return compares(value, op, wanted)


def same_type(value: Value, wanted: Any) -> Value:
    """The condition's JSON value read as the type that the action's value has."""
    if isinstance(value, Fraction):
        return number(wanted)
    if isinstance(value, date):
        return date.fromisoformat(wanted)
    return bool(wanted) if isinstance(value, bool) else str(wanted)


def compares(value: Value, op: str, wanted: Value) -> bool:
    """Section 3: `at_least`, `more_than`, `at_most`, `less_than`."""
    if isinstance(value, Fraction) and isinstance(wanted, Fraction):
        difference = value - wanted
    elif isinstance(value, date) and isinstance(wanted, date):
        difference = Fraction((value - wanted).days)
    else:
        raise TypeError(f"{op!r} compares numbers and dates")
    return {
        "at_least": difference >= 0,
        "more_than": difference > 0,
        "at_most": difference <= 0,
        "less_than": difference < 0,
    }[op]


def matches(action: Action, wanted: Json) -> bool:
    """Section 3: "one or more action kinds and a list of conditions; all must hold"."""
    return action.kind in wanted["kinds"] and all(
        holds(action, condition) for condition in wanted.get("conditions", [])
    )


def in_window(action: Action, stage: Json) -> bool:
    """Section 3: "`starts <= occurred_at < ends`; either end may be open"."""
    starts, ends = window(stage)
    return starts <= action.occurred_at < ends


def window(stage: Json) -> tuple[datetime, datetime]:
    """The stage's first moment and the moment after its last; an open end is endless."""
    starts, ends = stage.get("starts"), stage.get("ends")
    return (
        moment(starts) if starts else datetime.min.replace(tzinfo=UTC),
        moment(ends) if ends else datetime.max.replace(tzinfo=UTC),
    )


def stage_of(action: Action, stages: list[Json]) -> Json | None:
    """Section 3: "Each action is judged by the stage in whose window it lies"."""
    return next((stage for stage in stages if in_window(action, stage)), None)


def judged(actions: list[Action], stages: list[Json]) -> list[tuple[Action, Json]]:
    """The actions that match a rule, each with the stage that judges it, in order."""
    pairs = [(action, stage_of(action, stages)) for action in actions]
    return [(a, stage) for a, stage in pairs if stage is not None and matches(a, stage)]


# Rules


def award(rules: Json, actions: list[Action]) -> list[Award]:
    """Section 4: everything that the rules give one customer's actions, in their order.

    Section 5: "An award of 0 is not stored".
    """
    keyed: dict[str, list[Json]] = {}
    for stage in rules["rules"]:
        keyed.setdefault(stage["key"], []).append(stage)
    earned: dict[Action, int] = {}
    given: list[tuple[Action, str, str, int]] = []
    for key, stages in keyed.items():
        if stages[0]["type"] == "earn":
            for action, points in earn(stages, actions):
                given.append((action, key, action.source, points))
                earned[action] = earned.get(action, 0) + points
    for key, stages in keyed.items():
        if stages[0]["type"] == "bonus":
            for action, points in bonus(stages, actions, earned):
                given.append((action, key, action.source, points))
        elif stages[0]["type"] == "combo":
            for action, stage in combo(stages, actions):
                given.append((action, key, stage["source"], stage.get("points", 0)))
        elif stages[0]["type"] == "streak":
            for action, stage in streak(stages, actions):
                given.append((action, key, stage["source"], stage.get("points", 0)))
    given.sort(key=lambda one: (one[0].order, one[1]))
    return [
        Award(action.external_id, action.origin, key, source, action.local_date, points)
        for action, key, source, points in given
        if points > 0
    ]


def earn(stages: list[Json], actions: list[Action]) -> list[tuple[Action, int]]:
    """Section 4: "every matching action gives `points + floor(rate x quantity)`".

    "A missing quantity counts as 0."
    """
    return limit(
        [
            Seen(
                action,
                stage,
                stage.get("points", 0)
                + floor(Fraction(str(stage.get("rate", 0))) * (action.quantity or 0)),
            )
            for action, stage in judged(actions, stages)
        ]
    )


def bonus(
    stages: list[Json], actions: list[Action], earned: dict[Action, int]
) -> list[tuple[Action, int]]:
    """Section 4: "for every matching action, adds `floor(percent / 100 x E)`".

    "E is the sum of the points that all earn rules, after their limits, gave that action."
    """
    return limit(
        [
            Seen(
                action,
                stage,
                floor(Fraction(str(stage["percent"])) / 100 * earned.get(action, 0)),
            )
            for action, stage in judged(actions, stages)
        ]
    )


def combo(stages: list[Json], actions: list[Action]) -> Iterator[tuple[Action, Json]]:
    """Section 4: requirements, each "at least n of these kinds", all within one period.

    "The first time in a period that all are met, it gives `points`, dated at the action that
    met the last of them. One action may serve several requirements. Each stage counts only the
    actions in its own window. Once per period and key: where two stages are met in one period,
    the earlier completion counts."
    """
    per = stages[0]["per"]
    for period in sorted({period_of(per, action.local_date) for action in actions}):
        within = [a for a in actions if period_of(per, a.local_date) == period]
        completions = []
        for stage in stages:
            mine = [action for action in within if in_window(action, stage)]
            for place, action in enumerate(mine, 1):
                if all(
                    sum(matches(before, wanted) for before in mine[:place]) >= wanted["count"]
                    for wanted in stage["requires"]
                ):
                    completions.append((action, stage))
                    break
        if completions:
            yield min(completions, key=lambda completion: completion[0].order)


def streak(stages: list[Json], actions: list[Action]) -> Iterator[tuple[Action, Json]]:
    """Section 4: "the K-th, 2K-th, 3K-th ... gives `points`" in every run of periods.

    "The running number of matching actions of a period includes all stages; the period
    qualifies at the first action whose running number reaches the n of its own stage; that
    stage's K and points decide."
    """
    per = stages[0]["per"]
    qualified: dict[date, tuple[Action, Json]] = {}
    running: dict[date, int] = {}
    for action, stage in judged(actions, stages):
        period = period_of(per, action.local_date)
        running[period] = running.get(period, 0) + 1
        if period not in qualified and running[period] >= stage["count"]:
            qualified[period] = (action, stage)
    for period, (action, stage) in qualified.items():
        place, before = 1, previous_period(per, period)
        while before in qualified:
            place, before = place + 1, previous_period(per, before)
        if place % stage["length"] == 0:
            yield action, stage


# Limits


@dataclass
class Seen:
    """An action that a limit sees: the stage that judges it, the points it has by now."""

    action: Action
    stage: Json
    points: int


def limit(seen: list[Seen]) -> list[tuple[Action, int]]:
    """Section 5: "up to two limits, applied in order: the second sees only what the first left".

    In one limit "`count` is applied first".
    """
    kept = seen
    for place in range(2):
        kept = keep_count(kept, place)
        kept = keep_points(kept, place)
    return [(one.action, one.points) for one in kept]


def limit_at(stage: Json, place: int, wanted: str) -> Json | None:
    """The stage's limit at this place in its list, if it limits what is `wanted`."""
    limits = stage.get("limits") or []
    found: Json | None = limits[place] if place < len(limits) else None
    return found if found is not None and found.get(wanted) is not None else None


def counter(action: Action, rule: Json) -> tuple[str, str, date, Value]:
    """Section 5: which counter this is: "within each group and period".

    "Limits with equal place in the list, `per` and `by` share one counter"; "missing is one
    group of its own".
    """
    by = rule.get("by", "customer")
    group = None if by == "customer" else field_value(action, by)
    return (rule["per"], by, period_of(rule["per"], action.local_date), group)


def keep_count(seen: list[Seen], place: int) -> list[Seen]:
    """Section 5: "only the first N matching actions keep their points".

    "An action that matched but earned 0 still counts as one of the N." One "is dropped, and no
    longer seen by the next limit, when its place is beyond N". "A stage that lacks the limit, or
    its `count`, adds nothing to that counter."
    """
    places: dict[tuple[str, str, date, Value], int] = {}
    kept = []
    for one in seen:
        rule = limit_at(one.stage, place, "count")
        if rule is not None:
            this = counter(one.action, rule)
            places[this] = places.get(this, 0) + 1
            if places[this] > rule["count"]:
                continue
        kept.append(one)
    return kept


def keep_points(seen: list[Seen], place: int) -> list[Seen]:
    """Section 5: "kept_i = min(M, c_i) - min(M, c_(i-1)), M in both terms that of the stage".

    c_i is "the running total of what came in (never of what was kept)". One is dropped "when
    none of its positive points fitted under M. One that earned 0 from the start is not dropped".
    """
    totals: dict[tuple[str, str, date, Value], int] = {}
    kept = []
    for one in seen:
        rule = limit_at(one.stage, place, "points")
        if rule is None:
            kept.append(one)
            continue
        this, most = counter(one.action, rule), rule["points"]
        before = totals.get(this, 0)
        totals[this] = before + one.points
        fits = min(most, totals[this]) - min(most, before)
        if fits > 0 or one.points == 0:
            kept.append(Seen(one.action, one.stage, fits))
    return kept


# From points to the score


def fade(
    rules: Json, awards: list[Award], on: date
) -> tuple[dict[str, Decimal], dict[str, Decimal], Decimal]:
    """Section 6: S and q of each source, and the score "rounded half up to 3 decimals".

    S = sum of points x 2^(-max(0, D - local date) / h), q = 100 x (1 - 2^(-S / k)) and 0 where
    S <= 0, score = sum of (w / 100 x q) x 10. All in decimals of 50 digits.
    """
    sums: dict[str, Decimal] = {}
    sub_scores: dict[str, Decimal] = {}
    with localcontext() as context:
        context.prec = DIGITS
        total = Decimal(0)
        for source in SOURCES:
            shape = rules["sources"][source]
            sums[source] = Decimal(0)
            for one in awards:
                if one.source == source:
                    age = max(0, (on - one.local_date).days)
                    sums[source] += one.points * half(age, shape.get("half_life_days"))
            full = 1 - half(sums[source], shape["halfway_points"])
            sub_scores[source] = 100 * full if sums[source] > 0 else Decimal(0)
            total += Decimal(shape["weight"]) / 100 * sub_scores[source] * 10
        return sums, sub_scores, total.quantize(Decimal("0.001"), rounding=ROUND_HALF_UP)


def half(amount: int | Decimal, each: Any) -> Decimal:
    """2^(-amount / each): what is left when each such amount halves it; 1 without `each`."""
    return Decimal(1) if each is None else Decimal(2) ** -(Decimal(amount) / Decimal(str(each)))


# Publishing


def publish(current: Json, draft: Json, effective: Effective, at: datetime) -> Json:
    """Section 7: the document that publishing `draft` over `current` makes current.

    `at` is T: the moment of publishing for "now", the local midnight for "date" (see
    `local_midnight`); "always" rewrites the past and ignores it. Every old stage that is not in
    the draft as it stands (its title aside) is carried as "a copy of the old stage that ends at
    min(its end, T)"; every stage of the draft that is not in the current document "starts at
    max(its start, T)"; "an empty stage vanishes". Weights and their like are the draft's.
    """
    if effective == "always":
        return draft
    old_stages = [identity(stage) for stage in current["rules"]]
    new_stages = [identity(stage) for stage in draft["rules"]]
    went = [stage for stage in current["rules"] if identity(stage) not in new_stages]
    rules = [clip(stage, datetime.min.replace(tzinfo=UTC), at) for stage in went]
    for stage in draft["rules"]:
        unchanged = identity(stage) in old_stages
        rules.append(stage if unchanged else clip(stage, at, datetime.max.replace(tzinfo=UTC)))
    return {"sources": draft["sources"], "rules": [stage for stage in rules if stage is not None]}


def clip(stage: Json, earliest: datetime, latest: datetime) -> Json | None:
    """The stage within these two moments, or None where nothing of its window is left."""
    starts, ends = window(stage)
    if max(starts, earliest) >= min(ends, latest):
        return None
    clipped = dict(stage)
    if earliest > starts:
        clipped["starts"] = earliest.isoformat()
    if latest < ends:
        clipped["ends"] = latest.isoformat()
    return clipped


def identity(stage: Json) -> Json:
    """What makes a stage the same stage; section 7: "a change of title alone" does not.

    Section 10: what is left out means its default. Numbers and moments compare by value, lists
    by their order.
    """
    same = {name: value for name, value in stage.items() if name != "title"}
    same["starts"], same["ends"] = window(stage)
    if stage["type"] == "combo":
        same["requires"] = [
            {**wanted, "conditions": wanted.get("conditions", [])} for wanted in stage["requires"]
        ]
    else:
        same["conditions"] = stage.get("conditions", [])
    if stage["type"] != "bonus":
        same["points"] = stage.get("points", 0)
    if stage["type"] == "earn":
        same["rate"] = Fraction(str(stage.get("rate", 0)))
    if stage["type"] in ("earn", "bonus"):
        same["limits"] = [{"by": "customer", **one} for one in stage.get("limits") or []]
    return same


def same_rules(one: Json, other: Json) -> bool:
    """Whether two documents say the same, whatever the order of their rules; titles count."""

    def said(document: Json) -> tuple[Json, list[Json]]:
        rules = [{**identity(stage), "title": stage["title"]} for stage in document["rules"]]
        shapes = {
            source: {"half_life_days": None, **shape}
            for source, shape in document["sources"].items()
        }
        return shapes, sorted(rules, key=lambda stage: (stage["key"], stage["starts"]))

    return said(one) == said(other)
