"""The engine against a slow, literal scorer, over random rule sets and histories.

After every step (records in any order, corrections, voids, decisions, moved identifiers, publications) the points,
awards and scores of all customers equal those of the oracle, which knows only the facts so far; and a recomputation
from nothing finds no difference to what the steps left.
"""

import os
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum

from accounts.identity import link_identifier, parse_identifier, resolve_identifiers
from accounts.models import Brand, Customer, Identifier
from scoring.actions import parse_record, record_actions
from scoring.brands import setup_brand
from scoring.explain import explain
from scoring.models import Posting, Score
from scoring.publication import publish
from scoring.run import is_due, score_customers, score_due
from scoring.verify import verify_ledger
from tests.histories import History, State, history, states
from tests.oracle import Result, moment, score_brand

# How many histories a run tries, and where it begins; another beginning tries others.
HISTORIES = int(os.environ.get("LAUREL_HISTORIES", "200"))
FIRST_SEED = int(os.environ.get("LAUREL_FIRST_SEED", "1"))

pytestmark = pytest.mark.django_db


class World:
    """One history on the real engine. Customers go by the identifier that they began with."""

    def __init__(self, whole: History) -> None:
        self.history = whole
        self.brand: Brand = setup_brand(document=whole.brand)
        # Half of a second to midnight or a second past it is as good as noon: the date decides.
        self.at = datetime.combine(whole.on, time(12), tzinfo=self.brand.zone)
        publish(brand=self.brand, document=whole.rules, effective="always", now=self.at)
        names = sorted(
            {name for step in whole.steps if step[0] == "move" for name in step[1:]}
            | {
                record["identifier"]
                for step in whole.steps
                if step[0] == "record"
                for record in step[1]
                if "identifier" in record
            }
        )
        pairs = {name: parse_identifier(name) for name in names}
        ids = resolve_identifiers(brand=self.brand, identifiers=pairs.values(), now=self.at)
        self.identifiers = {name: ids[pair] for name, pair in pairs.items()}
        self.customers = {
            name: Identifier.objects.get(pk=pk).customer_id for name, pk in self.identifiers.items()
        }

    def take(self, step: tuple) -> None:  # type: ignore[type-arg]
        """One step, and all the scoring that it makes due."""
        if step[0] == "record":
            rows = [parse_record(record) for record in step[1]]
            outcomes = record_actions(brand=self.brand, rows=rows, now=self.history.now)
            refused = [outcome for outcome in outcomes if outcome.status == "refused"]
            assert not refused
        elif step[0] == "move":
            link_identifier(
                text=step[1],
                customer=Customer.objects.get(pk=self.customers[step[2]]),
                proof=Identifier.Proof.STAFF,
                now=self.at,
            )
        else:
            _publish, draft, effective, at = step
            publish(
                brand=self.brand,
                document=draft,
                effective=effective
                if effective in ("now", "always")
                else date.fromisoformat(effective),
                now=moment(at),
            )
        while is_due(brand=self.brand):
            score_due(brand=self.brand, now=self.at, limit=3)

    def agree(self, state: State) -> None:
        """The stored points, awards and scores are those of the oracle."""
        expected = score_brand(
            self.history.brand, state.rules, state.records, self.history.on, state.owner
        )
        awards: dict[int, list[tuple[str, str, str, date, int]]] = defaultdict(list)
        for customer, external_id, origin, rule, on, points in (
            Posting.objects.filter(customer__brand=self.brand)
            .values_list(
                "customer_id", "action__external_id", "action__origin", "rule__key", "local_date"
            )
            .annotate(sum=Sum("points"))
        ):
            if points:
                awards[customer].append((external_id, origin, rule, on, points))
        scores = {score.customer_id: score for score in Score.objects.filter(brand=self.brand)}
        for name, pk in self.customers.items():
            result = expected.get(name, Result())
            assert sorted(awards[pk]) == sorted(
                (award.external_id, award.origin, award.rule, award.local_date, award.points)
                for award in result.awards
            ), name
            score = scores.get(pk)
            assert (score.points if score else 0) == result.points, name
            assert (score.score if score else Decimal(0)) == result.score, name


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + HISTORIES))
def test_incremental_equals_full_equals_the_oracle(seed: int) -> None:
    whole = history(seed)
    world = World(whole)
    for step, state in zip([None, *whole.steps], states(whole), strict=True):
        if step is not None:
            world.take(step)
            world.agree(state)
    customers = sorted(world.customers.values())
    before = Posting.objects.count()
    score_customers(brand=world.brand, customers=customers, now=world.at)
    assert Posting.objects.count() == before
    verification = verify_ledger(brand=world.brand)
    assert verification.differences == []
    assert verification.checked["customers_due"] == 0
    assert verification.checked["actions"] > 0
    for pk in customers[:2]:
        customer = Customer.objects.get(pk=pk)
        explanation = explain(customer=customer, on=whole.on)
        score = Score.objects.filter(pk=pk).first()
        assert explanation.score == (score.score if score else 0)
        assert explanation.points == (score.points if score else 0)
        assert sum(source.worth for source in explanation.sources) == explanation.score
        for source in explanation.sources:
            assert sum(line.worth for line in source.lines) == source.worth
            assert sum(line.points for line in source.lines) == source.points


def test_order_of_arrival_does_not_matter() -> None:
    """The same facts in the other order, one by one, end in the same ledger."""
    whole = history(7)
    records = [record for step in whole.steps if step[0] == "record" for record in step[1]]
    world = World(whole)
    for record in reversed(records):
        world.take(("record", [record]))
    world.agree(
        State(
            whole.rules,
            records,
            {r["identifier"]: r["identifier"] for r in records if "identifier" in r},
        )
    )


def test_a_ledger_that_is_wrong_is_found() -> None:
    """The check can fail: a posting that no action earned is named with its place."""
    whole = history(3)
    world = World(whole)
    for step in whole.steps:
        world.take(step)
    posting = Posting.objects.filter(customer__brand=world.brand, points__gt=0).latest("pk")
    Posting.objects.create(
        customer=posting.customer,
        action=posting.action,
        rule=posting.rule,
        rule_set=posting.rule_set,
        points=5,
        posted_at=world.at + timedelta(seconds=1),
        local_date=posting.local_date,
        source=posting.source,
        why=Posting.Why.FACTS,
    )
    differences = verify_ledger(brand=world.brand).differences
    assert [(one.what, one.customer, one.action, one.rule) for one in differences] == [
        ("award", posting.customer_id, posting.action_id, posting.rule.key)
    ]
    assert differences[0].found - differences[0].expected == 5
