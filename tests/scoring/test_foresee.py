"""The next best actions, what-if and plans: all of them what doing it would give."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product

import pytest

from scoring.actions import ActionRow, record_actions
from scoring.foresee import (
    HORIZONS,
    Ahead,
    Plan,
    Step,
    goal_to_pass,
    look_ahead,
    plans,
    steps_of,
    what_if,
)
from scoring.models import Source
from scoring.queries import get_score

from .world import ANN, BOB, NOW, World, rule

pytestmark = pytest.mark.django_db

ON = NOW.date()
RULES = (
    rule("earn", "spend", rate="1"),
    rule("earn", "visit", kinds=["visit"], points=25, limits=[{"per": "week", "count": 2}]),
    rule("earn", "post", kinds=["post"], points=10, limits=[{"per": "day", "count": 1}]),
    rule("earn", "use", kinds=["use"], rate="2"),
)


def visit(name: str, at: str, venue: str = "camden") -> tuple[str, str, None, dict[str, str]]:
    """A visit as a short tuple."""
    return name, at, None, {"kind": "visit", "venue": venue}


def test_a_step_is_what_the_customer_usually_does() -> None:
    world = World(*RULES)
    world.record(
        ("a", "11-01 10:00", "5"),
        ("b", "11-02 10:00", "80", {"channel": "web"}),
        ("c", "11-03 10:00", "7.50", {"attributes": {"size": "S"}, "channel": "shop"}),
        visit("d", "11-04 10:00", "soho"),
        visit("e", "11-05 10:00"),
    )
    steps = {
        step.kind: step for step in steps_of(brand=world.brand, customer=world.customer(), now=NOW)
    }
    assert list(steps) == ["buy", "visit", "post", "use"]
    buy = steps["buy"]
    assert (buy.quantity, buy.channel, buy.attributes, buy.times) == (
        Decimal("7.5"),
        "shop",
        {"size": "S"},
        3,
    )
    assert (steps["visit"].venue, steps["visit"].venue_name) == ("camden", "Camden")
    assert (steps["use"].quantity, steps["use"].times) == (Decimal(1), 0)
    assert [step.is_free for step in steps.values()] == [False, True, True, True]


def test_who_did_nothing_yet_has_steps_too() -> None:
    world = World(*RULES)
    steps = steps_of(brand=world.brand, customer=None, now=NOW)
    assert [(step.kind, step.quantity, step.venue) for step in steps] == [
        ("buy", Decimal(10), None),
        ("visit", None, "soho"),
        ("post", None, None),
        ("use", Decimal(1), None),
    ]


def test_a_rule_that_is_over_offers_nothing() -> None:
    world = World(rule("earn", points=1, ends="2026-11-30T00:00:00+00:00"))
    assert steps_of(brand=world.brand, customer=None, now=NOW) == []


def test_the_next_best_actions_say_exactly_what_they_give() -> None:
    world = World(*RULES)
    world.record(("a", "11-20 10:00", "40"), visit("b", "11-30 10:00"), visit("c", "12-01 10:00"))
    customer = world.customer()
    before = get_score(customer=customer, on=ON).score
    ahead = look_ahead(customer=customer, now=NOW)
    told = {action.step.kind: action for action in ahead.actions}
    assert {kind: action.points for kind, action in told.items()} == {
        "buy": 40,
        "post": 10,
        "use": 2,
        "visit": 0,
    }
    assert told["visit"].why == "Limit reached: at most 2 times a week"
    assert told["visit"].until == date(2026, 12, 7)
    assert told["buy"].why == ""
    gains = [action.gain for action in ahead.actions]
    assert gains == sorted(gains, reverse=True)
    post = told["post"]
    world.send(("d", NOW.isoformat(), None, {"kind": "post"}))
    assert get_score(customer=customer, on=ON).score - before == post.gain > 0


def test_one_of_the_best_costs_nothing() -> None:
    world = World(
        *(rule("earn", f"spend{n}", kinds=["buy"], points=50) for n in range(2)),
        rule("earn", "post", kinds=["post"], points=1),
    )
    ahead = look_ahead(customer=world.customer(), now=NOW)
    assert [action.step.kind for action in ahead.best(1)] == ["post"]
    assert [action.step.kind for action in ahead.best()] == ["buy", "post"]
    assert Ahead((), None).best() == []


def test_a_gap_is_told_in_what_the_customer_does_most() -> None:
    world = World(*RULES)
    world.record(visit("a", "11-10 10:00"), visit("b", "11-11 10:00"))
    unit = look_ahead(customer=world.customer(), now=NOW).unit
    assert unit is not None
    # Tuesday: the first two of the week give points, later ones do not.
    assert (unit.kind, unit.points) == ("visit", [25, 50, 50, 50, 50])


@pytest.mark.parametrize("days", HORIZONS)
@pytest.mark.parametrize(
    "counts", [{"buy": 1}, {"visit": 3, "post": 2}, {"use": 5, "buy": 2, "visit": 1}]
)
def test_doing_what_was_asked_gives_what_it_said(days: int, counts: dict[str, int]) -> None:
    """The days pass, everything is done as the what-if spread it, and the score is that of its last day."""
    world = World(*RULES, zone="America/New_York", shapes={"purchases": {"half_life_days": 30}})
    world.record(("a", "11-20 10:00", "40"), visit("b", "11-30 10:00"))
    customer = world.customer()
    said = what_if(
        brand=world.brand, customer=customer, counts=counts, days=days, now=NOW,
        quantities={"use": Decimal(3)},
    )  # fmt: skip
    assert said.on == ON + timedelta(days=days - 1)
    assert said.today.score == get_score(customer=customer, on=ON).score
    assert said.otherwise.score == get_score(customer=customer, on=said.on).score
    local = NOW.astimezone(world.brand.zone)
    done = sorted(
        (number * days // count, kind, number)
        for kind, count in counts.items()
        for number in range(count)
    )
    rows = [
        ActionRow(
            origin="laurel",
            external_id=f"{kind}{number}",
            identifier=ANN,
            kind=kind,
            occurred_at=(local.replace(tzinfo=None) + timedelta(days=day)).replace(
                tzinfo=world.brand.zone
            ),
            quantity={"buy": Decimal(40), "use": Decimal(3)}.get(kind),
            venue="camden" if kind == "visit" else None,
        )
        for day, kind, number in done
    ]
    record_actions(brand=world.brand, rows=rows, now=NOW + timedelta(days=days))
    world.score()
    then = get_score(customer=customer, on=said.on)
    assert (then.score, then.points) == (said.then.score, said.then.points)
    assert sum(line.points for line in said.lines) == said.then.points - said.today.points


def test_a_what_if_says_why_some_give_nothing() -> None:
    world = World(*RULES)
    said = what_if(
        brand=world.brand, customer=None, counts={"visit": 3, "nonsense": 2, "post": -1}, days=1, now=NOW
    )  # fmt: skip
    assert [(line.step.kind, line.count, line.points, line.why) for line in said.lines] == [
        ("visit", 3, 50, "Limit reached: at most 2 times a week")
    ]
    assert said.today.score == 0 < said.then.score


def test_a_what_if_does_not_go_on_for_ever() -> None:
    world = World(*RULES)
    said = what_if(brand=world.brand, customer=None, counts={"use": 10**9}, days=28, now=NOW)
    assert said.lines[0].count == 60


def shown(plan: Plan | None) -> dict[str, int] | None:
    """A plan as counts by kind."""
    return None if plan is None else {step.kind: count for step, count in plan.counts}


@pytest.mark.parametrize("goal", [1, 60, 130, 150, 210])
def test_no_plan_is_shorter_than_the_one_proposed(goal: int) -> None:
    world = World(*RULES)
    world.record(("a", "11-20 10:00", "40"))
    customer = world.customer()
    score = get_score(customer=customer, on=ON).score + goal
    found = plans(customer=customer, goal=score, days=7, now=NOW)
    outcomes = [
        (sum(counts), Decimal(counts[0] * 40))
        for counts in product(range(5), repeat=4)
        if sum(counts) <= 4
        and what_if(
            brand=world.brand,
            customer=customer,
            counts=dict(zip(("buy", "visit", "post", "use"), counts, strict=True)),
            days=7,
            now=NOW,
        ).then.score
        >= score
    ]
    free = [outcome for outcome in outcomes if not outcome[1]]
    for plan, among in ((found.cheapest, outcomes), (found.without_buying, free)):
        if among:
            assert plan is not None
            assert (plan.effort, plan.spend) == min(among)
        else:
            assert plan is None or plan.effort > 4
        if plan is not None:
            assert plan.then.score >= score
    assert found.without_buying is None or found.without_buying.spend == 0


def test_a_long_plan_has_nothing_needless() -> None:
    world = World(*RULES)
    customer = world.customer()
    goal = Decimal(230)
    plan = plans(customer=customer, goal=goal, days=28, now=NOW).without_buying
    assert plan is not None
    assert plan.effort > 4
    for step, count in plan.counts:
        fewer = {one.kind: n for one, n in plan.counts} | {step.kind: count - 1}
        said = what_if(brand=world.brand, customer=customer, counts=fewer, days=28, now=NOW)
        assert said.then.score < goal
    doing = what_if(
        brand=world.brand,
        customer=customer,
        counts={one.kind: n for one, n in plan.counts},
        days=28,
        now=NOW,
    )
    assert doing.then.score == plan.then.score >= goal


def test_what_cannot_be_reached_has_no_plan() -> None:
    world = World(*RULES)
    found = plans(customer=world.customer(), goal=Decimal(999), days=1, now=NOW)
    assert (found.cheapest, found.without_buying) == (None, None)


def test_what_comes_by_itself_needs_nothing_done() -> None:
    world = World(*RULES)
    world.record(("a", "11-20 10:00", "40"))
    found = plans(customer=world.customer(), goal=Decimal(1), days=1, now=NOW)
    assert shown(found.cheapest) == shown(found.without_buying) == {}


def test_passing_the_next_one() -> None:
    world = World(*RULES)
    world.record(("a", "11-20 10:00", "40"), ("b", "11-20 10:00", "60", {"identifier": BOB}))
    ann, bob = world.stored(ANN), world.stored(BOB)
    goal = goal_to_pass(customer=world.customer(ANN), score=ann.score)
    assert goal == bob.score + Decimal("0.001")
    assert goal_to_pass(customer=world.customer(BOB), score=bob.score) is None
    found = plans(customer=world.customer(ANN), goal=goal or Decimal(0), days=1, now=NOW)
    assert found.cheapest is not None
    assert found.cheapest.then.score > bob.score


def test_the_hour_that_the_clocks_leave_out_keeps_its_day() -> None:
    """Supposed for half past midnight on a day that begins at one."""
    now = datetime(2025, 9, 4, 4, 30, tzinfo=UTC)  # 00:30 in Santiago
    world = World(*RULES, zone="America/Santiago", now=datetime(2025, 10, 1, tzinfo=UTC))
    said = what_if(brand=world.brand, customer=None, counts={"post": 7}, days=7, now=now)
    # Once a day at most, on each of seven days.
    assert said.lines[0].points == 70


def test_steps_are_told_apart_by_what_they_are() -> None:
    step = Step("buy", "Buy", Source.PURCHASES, "money", attributes={"size": "S"})
    assert {step: 1}[step] == 1
