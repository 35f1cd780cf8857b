"""What lies ahead: the next best actions, what-if, and plans to reach a goal.

Every number here comes from ``scoring.suppose``, the engine over actions that nobody did yet. What a customer would
do is taken from what they usually do: the middle of their last quantities, their last venue.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import combinations_with_replacement
from typing import Any

from accounts.models import Brand, Customer

from .boards import GapUnit
from .models import ActionKind, Score, Source
from .publication import current_id, published_document
from .statements import execute
from .suppose import Gain, Scenario, Supposed, Supposition, suppose
from .worth import THOUSANDTH, Worth

# What is supposed of somebody who never did a thing: so much money, or one of whatever else is counted.
FIRST_AMOUNT = Decimal(10)
FIRST_QUANTITY = Decimal(1)
# So many actions are told as a gap on a board.
GAP_ACTIONS = 5
# Over how many days a what-if may go, and how many actions a plan for them has at most.
HORIZONS = {1: 8, 7: 30, 28: 60}
# A plan is looked for among so many scenarios, and then by adding to the best.
SEARCHED = 200
KEPT = 2
COUNT_MAX = 60


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a customer can do, as they usually do it.

    ``quantity`` is in the kind's ``unit``. ``times`` is how often it was done of late (at most 10).
    """

    kind: str
    label: str
    source: Source
    unit: str
    quantity: Decimal | None = None
    venue: str | None = None
    venue_name: str | None = None
    channel: str | None = None
    attributes: Mapping[str, Any] | None = field(default=None, hash=False)
    times: int = 0

    @property
    def is_free(self) -> bool:
        """Whether it costs no money."""
        return self.unit != ActionKind.MONEY

    def at(self, moment: datetime, quantity: Decimal | None = None) -> Supposed:
        """The step, supposed at a moment; ``quantity`` replaces the usual one."""
        return Supposed(
            self.kind,
            moment,
            self.quantity if quantity is None else quantity,
            self.venue,
            self.channel,
            self.attributes,
        )


def steps_of(
    *, brand: Brand, customer: Customer | None, now: datetime, rule_set_id: int | None = None
) -> list[Step]:
    """What a live rule would look at if the customer did it, each as they usually do it; one query.

    Nothing of a source that the customer has switched off. ``rule_set_id`` is the version in force, where the caller
    knows it.
    """
    rule_set_id = rule_set_id or current_id(brand=brand)
    if rule_set_id is None:
        return []
    document = published_document(rule_set_id)
    kinds = dict.fromkeys(
        slug
        for stage in document.rules
        if (stage.starts is None or stage.starts <= now)
        and (stage.ends is None or now < stage.ends)
        for slug in stage.all_kinds()
    )
    rows = execute(_USUAL, {"brand": brand.pk, "customer": customer.pk if customer else None})
    usual = {row[0]: row[1:] for row in rows}
    vocabulary = document.vocabulary
    off = customer.sources_off if customer else 0
    steps = []
    for slug in kinds:
        kind = vocabulary.kinds[slug]
        if off >> kind.source & 1:
            continue
        times, quantity, venue, venue_name, channel, attributes = usual[kind.id]
        if kind.unit and quantity is None:
            quantity = FIRST_AMOUNT if kind.unit == ActionKind.MONEY else FIRST_QUANTITY
        steps.append(
            Step(
                slug,
                kind.label,
                kind.source,
                kind.unit,
                quantity,
                venue if times or kind.source == Source.PHYSICAL_VISITS else None,
                venue_name if times or kind.source == Source.PHYSICAL_VISITS else None,
                channel,
                # Django has documents come as text.
                None if attributes is None else json.loads(attributes),
                times,
            )
        )
    return steps


# Grain: one kind of the brand, with the last ten actions of it that the customer did and nobody took back. The venue of
# who never was anywhere is the brand's first. Index: action by identifier.
_USUAL = """
SELECT kind.id, count(action.id)::int, percentile_disc(0.5) WITHIN GROUP (ORDER BY action.quantity),
    coalesce((array_agg(venue.slug ORDER BY action.occurred_at DESC) FILTER (WHERE venue.id IS NOT NULL))[1],
        CASE WHEN count(action.id) = 0 THEN first_venue.slug END),
    coalesce((array_agg(venue.name ORDER BY action.occurred_at DESC) FILTER (WHERE venue.id IS NOT NULL))[1],
        CASE WHEN count(action.id) = 0 THEN first_venue.name END),
    (array_agg(action.channel ORDER BY action.occurred_at DESC))[1],
    (array_agg(action.attributes ORDER BY action.occurred_at DESC))[1]
FROM scoring_actionkind AS kind
LEFT JOIN LATERAL (
    SELECT action.* FROM accounts_identifier AS identifier
    JOIN scoring_action AS action ON action.identifier_id = identifier.id AND action.kind_id = kind.id
    WHERE identifier.customer_id = %(customer)s::bigint AND NOT EXISTS (
        SELECT FROM scoring_amendment AS amendment WHERE amendment.action_id = action.id AND amendment.type = 'void')
    ORDER BY action.occurred_at DESC LIMIT 10
) AS action ON TRUE
LEFT JOIN scoring_venue AS venue ON venue.id = action.venue_id
LEFT JOIN LATERAL (
    SELECT slug, name FROM scoring_venue WHERE brand_id = %(brand)s ORDER BY id LIMIT 1
) AS first_venue ON TRUE
WHERE kind.brand_id = %(brand)s
GROUP BY kind.id, first_venue.slug, first_venue.name
"""


@dataclass(frozen=True, slots=True)
class NextAction:
    """What doing a step now would give: points, and so much more score.

    Where limits leave it nothing, ``why`` says which took most, and ``until`` from which day that one gives again.
    """

    step: Step
    points: int
    gain: Decimal
    why: str
    until: date | None


@dataclass(frozen=True, slots=True)
class Ahead:
    """All that a customer's pages say of what could be done now.

    ``unit`` is what distances on this week's board are told in: the free thing that the customer does most.
    ``accepted`` is the score if all that waits for review were accepted, None where nothing waits.
    """

    actions: tuple[NextAction, ...]
    unit: GapUnit | None
    accepted: Worth | None = None

    def best(self, limit: int = 3) -> list[NextAction]:
        """Those that gain most, one of them free of charge where there is any; then those that a limit holds back."""
        gaining = [action for action in self.actions if action.points]
        best = gaining[:limit]
        free = next((action for action in gaining if action.step.is_free), None)
        if free is not None and len(best) == limit and free not in best:
            best[-1] = free
        held_back = [action for action in self.actions if not action.points and action.until]
        return (best + held_back)[:limit]


def look_ahead(
    *,
    customer: Customer,
    now: datetime,
    rule_set_id: int | None = None,
    pending: Sequence[Supposed] = (),
) -> Ahead:
    """What each thing that the customer can do would give now, most gain first; two queries.

    ``rule_set_id`` is the version in force, where the caller knows it; ``pending`` are actions that wait for review.
    """
    rule_set_id = rule_set_id or current_id(brand=customer.brand)
    brand = customer.brand
    on = now.astimezone(brand.zone).date()
    steps = steps_of(brand=brand, customer=customer, now=now, rule_set_id=rule_set_id)
    unit = max((step for step in steps if step.is_free), key=lambda step: step.times, default=None)
    week = 7 - on.weekday()
    counts = [{step: 1} for step in steps]
    repeats = [{unit: times} for times in range(1, GAP_ACTIONS + 1)] if unit else []
    found = suppose(
        brand=brand,
        customer=customer,
        scenarios=[
            Scenario([], on),
            *(_scenario(brand, one, days=1, now=now) for one in counts),
            *(_scenario(brand, one, days=week, now=now) for one in repeats),
            *([Scenario(pending, on)] if pending else []),
        ],
        rule_set_id=rule_set_id,
    )
    accepted = found.pop().worth if pending else None
    before, singles, more = found[0], found[1 : len(steps) + 1], found[len(steps) + 1 :]
    actions = [
        _next_action(step, before, after) for step, after in zip(steps, singles, strict=True)
    ]
    return Ahead(
        tuple(sorted(actions, key=lambda action: (-action.gain, -action.points))),
        _gap_unit(unit, [one.worth.points - before.worth.points for one in more]),
        accepted,
    )


def _gap_unit(step: Step | None, points: Sequence[int]) -> GapUnit | None:
    if step is None or not any(points):
        return None
    return GapUnit(step.kind, step.label, step.source, points)


def _next_action(step: Step, before: Supposition, after: Supposition) -> NextAction:
    [gain] = after.gains
    limit = gain.held_back
    return NextAction(
        step,
        gain.points,
        after.worth.score - before.worth.score,
        limit.reason if limit else "",
        limit.until if limit else None,
    )


@dataclass(frozen=True, slots=True)
class WhatIfLine:
    """One step of a what-if, done ``count`` times: the points of all, and why some of them give nothing."""

    step: Step
    count: int
    points: int
    why: str


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A score today, what it is on a day if nothing happens, and what it is if all this is done until then."""

    today: Worth
    otherwise: Worth
    then: Worth
    on: date
    lines: tuple[WhatIfLine, ...]


def what_if(
    *,
    brand: Brand,
    customer: Customer | None,
    counts: Mapping[str, int],
    quantities: Mapping[str, Decimal] | None = None,
    days: int,
    now: datetime,
) -> WhatIf:
    """What doing each kind of thing so many times would make of a score, spread evenly over days that begin now.

    ``counts`` and ``quantities`` are by kind; a kind that no live rule looks at counts for nothing, and more than
    ``COUNT_MAX`` times is held to be that many. The score is that of the last of the ``days``.
    """
    steps = steps_of(brand=brand, customer=customer, now=now)
    done = {step: min(max(counts.get(step.kind, 0), 0), COUNT_MAX) for step in steps}
    done = {step: count for step, count in done.items() if count}
    on = now.astimezone(brand.zone).date()
    scenario = _scenario(brand, done, days=days, now=now, quantities=quantities or {})
    today, otherwise, then = suppose(
        brand=brand,
        customer=customer,
        scenarios=[Scenario([], on), Scenario([], scenario.on), scenario],
    )
    gains: dict[str, list[Gain]] = {}
    for action, gain in zip(scenario.actions, then.gains, strict=True):
        gains.setdefault(action.kind, []).append(gain)
    return WhatIf(
        today.worth,
        otherwise.worth,
        then.worth,
        scenario.on,
        tuple(
            WhatIfLine(
                step,
                count,
                sum(gain.points for gain in gains[step.kind]),
                next((one.held_back.reason for one in gains[step.kind] if one.held_back), ""),
            )
            for step, count in done.items()
        ),
    )


def _scenario(
    brand: Brand,
    counts: Mapping[Step, int],
    *,
    days: int,
    now: datetime,
    quantities: Mapping[str, Decimal] | None = None,
) -> Scenario:
    """Each step so many times, evenly over the days, the first of each at once; at this hour on every day."""
    local = now.astimezone(brand.zone)
    planned = sorted(
        (number * days // count, place, number, step)
        for place, (step, count) in enumerate(counts.items())
        for number in range(count)
    )
    actions = []
    for order, (day, _place, _number, step) in enumerate(planned):
        moment = now
        if day:
            later: date = local.date() + timedelta(days=day)
            moment = datetime.combine(later, local.time().replace(fold=0), brand.zone)
        # A microsecond apart, so that their order is told.
        quantity = (quantities or {}).get(step.kind)
        actions.append(step.at(moment + timedelta(microseconds=order), quantity))
    return Scenario(
        sorted(actions, key=lambda action: action.occurred_at),
        local.date() + timedelta(days=days - 1),
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """Things to do, each so many times, evenly over the days until ``on``, and what the score then is.

    ``effort`` is the number of actions, ``spend`` the money they cost in the brand's currency.
    """

    counts: tuple[tuple[Step, int], ...]
    then: Worth
    on: date

    @property
    def effort(self) -> int:
        """How many actions it takes."""
        return sum(count for _step, count in self.counts)

    @property
    def spend(self) -> Decimal:
        """The money that it costs."""
        return _spend(self.counts)


@dataclass(frozen=True, slots=True)
class Plans:
    """The plan of fewest actions (of those, the one that costs least), and the one that costs nothing.

    None where no plan of as many actions as ``HORIZONS`` allows was found. An empty plan says that the goal is
    reached by itself.
    """

    cheapest: Plan | None
    without_buying: Plan | None


def plans(*, customer: Customer, goal: Decimal, days: int, now: datetime) -> Plans:
    """How to have at least ``goal`` on the last of ``days`` (one of ``HORIZONS``) that begin now.

    Plans of few actions are all tried, so that none with fewer exists; beyond ``SEARCHED`` of them the best are
    added to, and what proves needless is left out again.
    """
    steps = steps_of(brand=customer.brand, customer=customer, now=now)
    search = _Search(customer, goal, days, now)
    any_way = search.plan(steps)
    if any_way is not None and not any_way.spend:
        return Plans(any_way, any_way)
    free = search.plan([step for step in steps if step.is_free])
    found = [plan for plan in (any_way, free) if plan is not None]
    return Plans(min(found, key=lambda plan: (plan.effort, plan.spend), default=None), free)


def _spend(counts: Iterable[tuple[Step, int]]) -> Decimal:
    return sum(
        (count * (step.quantity or Decimal(0)) for step, count in counts if not step.is_free),
        Decimal(0),
    )


Counts = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Search:
    customer: Customer
    goal: Decimal
    days: int
    now: datetime

    def plan(self, steps: Sequence[Step]) -> Plan | None:
        nothing: Counts = (0,) * len(steps)
        # Not even each step as often as a plan may have it: there is no need to look.
        found, most = self._try(steps, [nothing, (HORIZONS[self.days],) * len(steps)])
        if found.worth.score >= self.goal:
            return self._plan(steps, nothing, found)
        if most.worth.score < self.goal:
            return None
        tried = 0
        effort = 0
        best = [(nothing, found)]
        while steps:
            effort += 1
            options = [
                _tally(chosen, len(steps))
                for chosen in combinations_with_replacement(range(len(steps)), effort)
            ]
            tried += len(options)
            if tried > SEARCHED:
                break
            outcomes = self._ranked(steps, options)
            if reaching := [one for one in outcomes if one[1].worth.score >= self.goal]:
                return self._cheapest(steps, reaching)
            best = outcomes[:KEPT]
        return self._grow(steps, best)

    def _grow(self, steps: Sequence[Step], best: list[tuple[Counts, Supposition]]) -> Plan | None:
        while steps and sum(best[0][0]) < HORIZONS[self.days]:
            # The longer the plan, the longer the stride; what is too much is left out again.
            done = sum(best[0][0])
            stride = min(1 + done // 5, HORIZONS[self.days] - done)
            options = {
                _plus(counts, place, stride)
                for counts, _outcome in best
                for place in range(len(steps))
            }
            outcomes = self._ranked(steps, options)
            if reaching := [one for one in outcomes if one[1].worth.score >= self.goal]:
                return self._trimmed(
                    steps, min(reaching, key=lambda one: self._cost(steps, one[0]))
                )
            if outcomes[0][1].worth.score <= best[0][1].worth.score:
                return None
            best = outcomes[:KEPT]
        return None

    def _trimmed(self, steps: Sequence[Step], found: tuple[Counts, Supposition]) -> Plan:
        """Leave out, one by one, what the goal is reached without."""
        while True:
            options = [
                _plus(found[0], place, -1) for place in range(len(steps)) if found[0][place] > 0
            ]
            reaching = [
                one for one in self._ranked(steps, options) if one[1].worth.score >= self.goal
            ]
            if not reaching:
                return self._plan(steps, *found)
            found = min(reaching, key=lambda one: self._cost(steps, one[0]))

    def _cheapest(
        self, steps: Sequence[Step], reaching: Iterable[tuple[Counts, Supposition]]
    ) -> Plan:
        counts, outcome = min(
            reaching, key=lambda one: (self._cost(steps, one[0]), -one[1].worth.score)
        )
        return self._plan(steps, counts, outcome)

    def _cost(self, steps: Sequence[Step], counts: Counts) -> tuple[int, Decimal]:
        spend = _spend(zip(steps, counts, strict=True))
        return sum(counts), spend

    def _ranked(
        self, steps: Sequence[Step], options: Iterable[Counts]
    ) -> list[tuple[Counts, Supposition]]:
        listed = sorted(set(options))
        outcomes = zip(listed, self._try(steps, listed), strict=True)
        return sorted(outcomes, key=lambda one: one[1].worth.score, reverse=True)

    def _try(self, steps: Sequence[Step], options: Sequence[Counts]) -> list[Supposition]:
        return suppose(
            brand=self.customer.brand,
            customer=self.customer,
            scenarios=[
                _scenario(
                    self.customer.brand,
                    {step: n for step, n in zip(steps, counts, strict=True) if n},
                    days=self.days,
                    now=self.now,
                )
                for counts in options
            ],
        )

    def _plan(self, steps: Sequence[Step], counts: Counts, outcome: Supposition) -> Plan:
        on = self.now.astimezone(self.customer.brand.zone).date() + timedelta(days=self.days - 1)
        return Plan(
            tuple((step, n) for step, n in zip(steps, counts, strict=True) if n),
            outcome.worth,
            on,
        )


def _tally(chosen: Iterable[int], length: int) -> Counts:
    counts = [0] * length
    for place in chosen:
        counts[place] += 1
    return tuple(counts)


def _plus(counts: Counts, place: int, more: int) -> Counts:
    return tuple(n + more if at == place else n for at, n in enumerate(counts))


def goal_to_pass(*, customer: Customer, score: Decimal) -> Decimal | None:
    """The least score that passes the next customer of the brand above ``score``, as scores stand; None at the top."""
    ahead = (
        Score.objects.filter(brand=customer.brand_id, score__gt=score)
        .order_by("score")
        .values_list("score", flat=True)
        .first()
    )
    return None if ahead is None else ahead + THOUSANDTH
