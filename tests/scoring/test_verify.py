"""The proof can fail: whatever is not as a recomputation has it is found, and named with its place."""

from datetime import date

import pytest
from django.db import connection

from scoring.actions import parse_record, record_actions
from scoring.models import Posting, Score
from scoring.run import score_customers
from scoring.verify import verify_ledger

from .world import ANN, BOB, NOW, World, action, brand_with, rule

pytestmark = pytest.mark.django_db

AT = "11-23 10:00"


@pytest.fixture
def world(db: None) -> World:
    world = World(rule("earn", rate=1), rule("earn", "thanks", points=3))
    world.record(("a", AT, 24), action(("b", AT, 10), identifier=BOB))
    world.verify()
    return world


def run(statement: str, *parameters: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        assert cursor.rowcount == 1


def found(world: World) -> list[tuple[str, int, str | None, int, int]]:
    """The differences as (what, customer, rule, expected, found)."""
    return [
        (one.what, one.customer, one.rule, int(one.expected), int(one.found))
        for one in verify_ledger(brand=world.brand).differences
    ]


def test_it_counts_what_it_checked(world: World) -> None:
    assert verify_ledger(brand=world.brand).checked == {
        "customers": 2,
        "customers_due": 0,
        "actions": 2,
        "awards": 4,
        "scores": 2,
        "badges": 0,
    }


def forged(world: World, **changed: object) -> Posting:
    """A posting that nobody earned, like one that somebody did."""
    like = world.postings()[0]
    values = {
        field.attname: getattr(like, field.attname)
        for field in Posting._meta.concrete_fields
        if field.name != "id"
    }
    return Posting.objects.create(**(values | changed))


def test_a_posting_that_nobody_earned(world: World) -> None:
    posting = forged(world, points=5)
    [difference] = verify_ledger(brand=world.brand).differences
    assert (difference.what, difference.customer, difference.action, difference.rule) == (
        "award",
        posting.customer_id,
        posting.action_id,
        posting.rule.key,
    )
    assert (difference.local_date, difference.source) == (date(2026, 11, 23), 2)
    assert difference.found - difference.expected == 5


def test_a_posting_on_another_customers_action(world: World) -> None:
    bob = world.customer(BOB)
    ann = world.postings()[0]
    assert ann.customer_id != bob.pk
    forged(world, customer_id=bob.pk)
    assert found(world) == [("award", bob.pk, ann.rule.key, 0, ann.points)]


@pytest.mark.parametrize("field", ["source", "local_date"])
def test_a_posting_in_another_place(world: World, field: str) -> None:
    forged(world, **{field: 5 if field == "source" else date(2026, 11, 24)})
    [difference] = verify_ledger(brand=world.brand).differences
    assert (difference.what, int(difference.expected)) == ("award", 0)


def test_a_posting_that_is_missing(world: World) -> None:
    like = world.postings()[0]
    forged(world, points=-like.points)
    assert found(world) == [("award", like.customer_id, like.rule.key, like.points, 0)]


def test_daily_points_that_are_wrong(world: World) -> None:
    ann = world.customer(ANN).pk
    run("UPDATE scoring_dailypoints SET points = points + 1 WHERE customer_id = %s", ann)
    assert found(world) == [("daily points", ann, None, 27, 28)]


def test_daily_points_that_are_missing_or_of_another_day(world: World) -> None:
    ann = world.customer(ANN).pk
    run("UPDATE scoring_dailypoints SET local_date = local_date + 1 WHERE customer_id = %s", ann)
    assert sorted(found(world)) == [
        ("daily points", ann, None, 0, 27),
        ("daily points", ann, None, 27, 0),
    ]


def test_a_score_that_is_wrong(world: World) -> None:
    ann = world.customer(ANN).pk
    run("UPDATE scoring_score SET score = score + 0.001 WHERE customer_id = %s", ann)
    [difference] = verify_ledger(brand=world.brand).differences
    assert (difference.what, difference.customer) == ("score", ann)
    assert str(difference.found - difference.expected) == "0.001"
    assert difference.local_date == NOW.date()


def test_points_that_are_wrong(world: World) -> None:
    ann = world.customer(ANN).pk
    run("UPDATE scoring_score SET points = 28 WHERE customer_id = %s", ann)
    assert found(world) == [("points", ann, None, 27, 28)]


@pytest.mark.parametrize("column", ["checksum_a", "checksum_b"])
def test_a_checksum_that_is_wrong(world: World, column: str) -> None:
    ann = world.customer(ANN).pk
    run(f"UPDATE scoring_score SET {column} = {column} + 1 WHERE customer_id = %s", ann)  # noqa: S608
    [(what, customer, _rule, _expected, _found)] = found(world)
    assert (what, customer) == ("checksum", ann)


def test_a_score_that_is_missing(world: World) -> None:
    ann = world.customer(ANN).pk
    run("DELETE FROM scoring_score WHERE customer_id = %s", ann)
    assert found(world) == [("score", ann, None, 27, 0)]


def test_who_is_due_is_counted_and_left_out(world: World) -> None:
    ann = world.customer(ANN).pk
    run("UPDATE scoring_score SET points = 28 WHERE customer_id = %s", ann)
    rows = [parse_record(action(("late", AT, 5)))]
    record_actions(brand=world.brand, rows=rows, now=NOW)
    verification = verify_ledger(brand=world.brand)
    assert verification.differences == []
    assert verification.checked["customers_due"] == 1


def test_a_recomputation_finds_a_wrong_ledger_by_its_checksum(world: World) -> None:
    """A forged posting stays, as all do; what it says is reversed."""
    ann = world.customer(ANN).pk
    run("UPDATE scoring_score SET checksum_a = checksum_a + 1 WHERE customer_id = %s", ann)
    score_customers(brand=world.brand, customers=[ann], now=NOW)
    assert len(world.postings()) == 4


def test_one_brand_is_checked_at_a_time(world: World) -> None:
    other = World(rule("earn", rate=1), slug="other")
    other.record(("a", AT, 24))
    Score.objects.filter(brand=world.brand).update(points=1)
    other.verify()
    assert len(found(world)) == 2


def test_a_brand_without_rules_has_nothing_to_check() -> None:
    verification = verify_ledger(brand=brand_with(slug="empty"))
    assert (verification.differences, verification.checked["customers"]) == ([], 0)


def test_as_plain_values(world: World) -> None:
    ann = world.customer(ANN).pk
    run("UPDATE scoring_score SET points = 28 WHERE customer_id = %s", ann)
    told: list[tuple[int, int]] = []
    verification = verify_ledger(
        brand=world.brand, progress=lambda done, of: told.append((done, of))
    )
    assert verification.to_json()["differences"] == [
        {
            "what": "points",
            "customer": str(ann),
            "action": None,
            "rule": None,
            "source": None,
            "local_date": None,
            "expected": "27",
            "found": "28",
        }
    ]
    assert told == [(2, 2)]
