"""What a simulation says is exactly what doing it then gives."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from accounts.models import Customer, Identifier
from scoring.actions import ActionRow, parse_record, record_actions
from scoring.models import Action, Amendment, Due, Posting, Score
from scoring.queries import score_on
from scoring.run import is_due, score_due
from scoring.suppose import Scenario, Supposed, suppose
from tests.histories import history
from tests.oracle import moment as oracle_moment

from .test_properties import World as Played
from .world import World, rule

pytestmark = pytest.mark.django_db
RULES = (
    rule("earn", points=10, rate="1", limits=[{"per": "day", "count": 2}]),
    rule("bonus", percent=100),
    rule("combo", per="week", points=50, requires=[{"kinds": ["buy"], "count": 3}]),
    rule("streak", per="day", count=1, length=2, points=7),
)


def buying(at: datetime, *amounts: str) -> list[Supposed]:
    """Purchases one second apart."""
    return [
        Supposed("buy", at + timedelta(seconds=number), Decimal(amount))
        for number, amount in enumerate(amounts)
    ]


def test_scenarios_of_one_call_do_not_see_each_other() -> None:
    world = World(*RULES)
    world.record(("z", "11-30 09:00", "5"), ("a", "12-01 09:00", "5"))
    at = world.now
    nothing, one, two, again = suppose(
        brand=world.brand,
        customer=world.customer(),
        scenarios=[
            Scenario(actions, at.date())
            for actions in ([], buying(at, "4.90"), buying(at, "4.90", "3"), buying(at, "4.90"))
        ],
    )
    assert nothing.worth.score == world.stored().score
    assert nothing.worth.points == world.stored().points == 67
    # The third of its week, which completes the combo.
    assert [gain.points for gain in one.gains] == [28 + 50]
    # One more is the third of its day, which the limit drops, and the fourth of its week, which completes nothing.
    assert [gain.points for gain in two.gains] == [28 + 50, 0]
    assert two.worth.points == one.worth.points == 67 + 78
    assert (again.worth, again.gains) == (one.worth, one.gains)


def test_why_a_supposed_action_gives_nothing() -> None:
    world = World(*RULES)
    world.record(("a", "12-01 09:00", "5"), ("b", "12-01 09:30", "5"))
    [outcome] = suppose(
        brand=world.brand,
        customer=world.customer(),
        scenarios=[Scenario(buying(world.now, "1"), world.now.date())],
    )
    lines = {line.title: line for line in outcome.gains[0].lines}
    # The combo is met by it.
    assert lines["Combo"].points == 50
    assert lines["Earn"].points == 0
    [taken] = lines["Earn"].taken
    assert (taken.points, str(taken.until)) == (11, "2026-12-02")
    assert taken.reason == "Limit reached: at most 2 times a day"


def test_somebody_who_did_nothing_yet_begins_at_nothing() -> None:
    world = World(*RULES)
    world.record(("a", "12-01 09:00", "5"))
    nothing, first = suppose(
        brand=world.brand,
        customer=None,
        scenarios=[
            Scenario([], world.now.date()),
            Scenario(buying(world.now, "5"), world.now.date()),
        ],
    )
    assert nothing.worth.score == nothing.worth.points == 0
    assert first.worth.score == world.stored().score


def test_another_day_is_valued_as_that_day() -> None:
    world = World(*RULES, shapes={"purchases": {"half_life_days": 10}})
    world.record(("a", "12-01 09:00", "5"))
    later = world.now.date() + timedelta(days=10)
    [outcome] = suppose(
        brand=world.brand, customer=world.customer(), scenarios=[Scenario([], later)]
    )
    assert outcome.worth.score == score_on(customer=world.customer(), on=later)
    assert outcome.worth.score < world.stored().score


def test_supposing_stores_nothing() -> None:
    world = World(*RULES)
    world.record(("a", "12-01 09:00", "5"))
    tables = (Action, Amendment, Posting, Score, Due)
    before = [list(table.objects.values_list()) for table in tables]
    suppose(
        brand=world.brand,
        customer=world.customer(),
        scenarios=[Scenario(buying(world.now, "5"), world.now.date())],
    )
    assert [list(table.objects.values_list()) for table in tables] == before


def test_a_brand_without_rules_gives_nothing() -> None:
    world = World()
    [outcome] = suppose(
        brand=world.brand,
        customer=world.customer(),
        scenarios=[Scenario(buying(world.now, "5"), world.now.date())],
    )
    assert outcome.worth.score == outcome.gains[0].points == 0


def action_row(record: dict[str, Any]) -> ActionRow:
    """A record of an action as the door takes it."""
    row = parse_record(record)
    assert isinstance(row, ActionRow)
    return row


def supposed(row: ActionRow, at: datetime) -> Supposed:
    """An action of a history as something that might be done."""
    return Supposed(row.kind, at, row.quantity, row.venue, row.channel, row.attributes)


@pytest.mark.parametrize("seed", range(1, 41))
def test_doing_what_was_supposed_gives_what_it_said(seed: int) -> None:
    """Random rule sets and histories; some actions more, on the last day, are supposed, then done."""
    whole = history(seed)
    world = Played(whole)
    for step in whole.steps:
        world.take(step)
    draw = Random(seed)  # noqa: S311
    records = [
        record
        for step in whole.steps
        if step[0] == "record"
        for record in step[1]
        if "identifier" in record
    ]
    name = draw.choice(sorted(world.customers))
    identifier = Identifier.objects.get(pk=world.identifiers[name])
    customer = Customer.objects.get(pk=identifier.customer_id)
    begins = max(world.at, oracle_moment(records[-1]["occurred_at"]))
    chosen = [
        (action_row(draw.choice(records)), begins + timedelta(minutes=number))
        for number in range(draw.randint(1, 4))
    ]
    scenario = Scenario([supposed(row, at) for row, at in chosen], whole.on)
    [said] = suppose(brand=world.brand, customer=customer, scenarios=[scenario])
    rows = [
        replace(
            row,
            origin="laurel",
            external_id=f"~{number:09}",
            identifier=f"{identifier.scheme}:{identifier.value}",
            occurred_at=at,
            state="accepted",
        )
        for number, (row, at) in enumerate(chosen, start=1)
    ]
    outcomes = record_actions(brand=world.brand, rows=rows, now=begins + timedelta(hours=1))
    assert [outcome.status for outcome in outcomes] == ["accepted"] * len(rows)
    while is_due(brand=world.brand):
        score_due(brand=world.brand, now=world.at)
    score = Score.objects.get(customer=customer)
    assert (said.worth.score, said.worth.points) == (score.score, score.points)
    for gain, outcome in zip(said.gains, outcomes, strict=True):
        held = Posting.objects.filter(customer=customer, action=outcome.action_id)
        assert gain.points == sum(posting.points for posting in held)
