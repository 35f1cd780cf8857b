"""What never changes, because the database itself refuses it, whoever asks."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F, ProtectedError

from accounts.identity import link_identifier
from accounts.models import Identifier, LinkEvent
from scoring.models import Action, Posting, Rule, RuleSet
from scoring.publication import get_draft

from .world import ANN, BOB, NOW, World, rule

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db: None) -> World:
    world = World(rule("earn", rate=1))
    world.record(("a", "11-23 10:00", "24.90"))
    customer = world.customer(BOB)
    link_identifier(text=ANN, customer=customer, proof=Identifier.Proof.STAFF, now=NOW)
    world.score()
    # What is checked at the end of a transaction is checked now, as if each of these tests began a new one.
    run("SET CONSTRAINTS ALL IMMEDIATE")
    return world


def refused(act: Callable[[], object], says: str) -> None:
    with pytest.raises(DatabaseError, match=says), transaction.atomic():
        act()


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "table",
    ["scoring_posting", "scoring_action", "accounts_linkevent"],
)
def test_rows_are_never_changed_or_deleted(world: World, table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
        assert cursor.fetchone()[0] > 0
    refused(lambda: run(f"UPDATE {table} SET id = id"), f"update rows from {table}")  # noqa: S608
    refused(lambda: run(f"DELETE FROM {table}"), f"delete rows from {table}")  # noqa: S608


@pytest.mark.parametrize("how", ["", " CASCADE", " RESTART IDENTITY CASCADE"])
def test_the_ledger_is_never_emptied(world: World, how: str) -> None:
    refused(lambda: run(f"TRUNCATE scoring_posting{how}"), "append-only")


@pytest.mark.parametrize("table", ["accounts_customer", "scoring_action", "scoring_rulekey"])
def test_emptying_another_table_does_not_empty_the_ledger(world: World, table: str) -> None:
    refused(lambda: run(f"TRUNCATE {table} CASCADE"), "append-only")
    refused(lambda: run(f"TRUNCATE {table}"), "foreign key constraint")


def test_nor_by_way_of_the_models(world: World) -> None:
    posting, action = Posting.objects.earliest("pk"), Action.objects.get()
    refused(lambda: Posting.objects.update(points=F("points") + 1), "(update|delete) rows")
    refused(posting.delete, "(update|delete) rows")
    refused(lambda: Action.objects.update(quantity=1), "(update|delete) rows")
    refused(lambda: LinkEvent.objects.all().delete(), "(update|delete) rows")
    with pytest.raises(ProtectedError):
        action.delete()
    with pytest.raises(ProtectedError):
        world.customer().delete()


def test_of_an_action_only_what_says_who_is_forgotten(world: World) -> None:
    action = Action.objects.get()
    action.pk, action.external_id, action.attributes = None, "another", {"receipt": "R1"}
    action.save(force_insert=True)
    refused(lambda: Action.objects.filter(pk=action.pk).update(attributes={}), "update rows")
    Action.objects.filter(pk=action.pk).update(attributes=None)
    assert not Action.objects.exclude(attributes=None).exists()
    refused(lambda: Action.objects.update(attributes={"receipt": "another"}), "update rows")
    refused(lambda: Action.objects.update(attributes=None, channel="app"), "update rows")


def test_a_published_rule_set_never_changes(world: World) -> None:
    published = RuleSet.objects.get(version=1)
    refused(lambda: RuleSet.objects.update(note="better"), "(update|delete) rows")
    refused(lambda: RuleSet.objects.update(sources={}), "(update|delete) rows")
    refused(lambda: run("UPDATE scoring_ruleset SET version = NULL"), "(update|delete) rows")
    refused(lambda: run("DELETE FROM scoring_ruleset"), "foreign key|delete rows|never changes")
    rule_row = published.rules.get()
    refused(lambda: Rule.objects.update(title="Better"), "never changes")
    refused(rule_row.delete, "never changes")
    refused(
        lambda: Rule.objects.create(
            rule_set=published, position=9, key="more", type="earn", title="More", definition={}
        ),
        "never changes",
    )


def test_no_rule_moves_into_a_published_rule_set(world: World) -> None:
    mine = get_draft(brand=world.brand).rules.get()
    mine.position = 9
    mine.rule_set = RuleSet.objects.get(version=1)
    refused(mine.save, "never changes")


def test_a_posting_moves_points(world: World) -> None:
    with pytest.raises(IntegrityError, match="posting_moves_points"), transaction.atomic():
        run(
            "INSERT INTO scoring_posting (customer_id, action_id, rule_id, rule_set_id, points, posted_at,"
            " local_date, source, why) SELECT customer_id, action_id, rule_id, rule_set_id, 0, posted_at,"
            " local_date, source, why FROM scoring_posting LIMIT 1"
        )


def test_what_holds_is_the_sum_of_what_was_posted(world: World) -> None:
    """Ann's purchase became Bob's: hers was reversed, and his posted, and both can be read for ever."""
    assert sorted((one.points, one.why) for one in world.postings()) == [
        (-24, "identity"),
        (24, "facts"),
        (24, "identity"),
    ]
    assert world.awards(BOB) == [("a", "earn", 24)]
