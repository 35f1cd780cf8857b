"""What a draft would do: nothing is stored, and publishing it then does exactly that."""

from copy import deepcopy
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection

from accounts.models import Customer
from scoring.actions import parse_record, record_actions
from scoring.brands import setup_brand
from scoring.documents import RuleSetError
from scoring.models import Score
from scoring.preview import EDGES, Move, preview
from scoring.publication import Effective, publish
from scoring.run import is_due, score_due
from tests.histories import history

from .world import NOW, World, action, document, rule

pytestmark = pytest.mark.django_db

AT = "11-23 10:00"


def rows_by_table() -> dict[str, int]:
    """How many rows every table has."""
    with connection.cursor() as cursor:
        counts = {}
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT count(*) FROM "{table}"')  # noqa: S608
            counts[table] = cursor.fetchone()[0]
    return counts


def test_who_rises_who_falls_and_by_how_much() -> None:
    world = World(rule("earn", rate=1), rule("earn", "visit", points=100, kinds=["visit"]))
    people = {name: f"card:{name}" for name in ("rises", "falls", "stays", "idle")}
    world.record(
        action(("a", AT, 100), identifier=people["rises"]),
        action(("b", AT, None, {"kind": "visit"}), identifier=people["falls"]),
        action(("c", AT, None, {"kind": "post"}), identifier=people["stays"]),
    )
    ids = {name: world.customer(identifier).pk for name, identifier in people.items()}
    draft = document(rule("earn", rate=2), rule("earn", "visit", points=50, kinds=["visit"]))
    before = rows_by_table()
    found = preview(brand=world.brand, document=draft, effective="always", now=NOW)
    assert rows_by_table() == before
    assert (found.up, found.down, found.unchanged) == (1, 1, 2)
    assert (found.points_added, found.points_taken) == (100, 50)
    assert found.rises == [Move(ids["rises"], Decimal("150.000"), Decimal("225.000"), 100, 200)]
    assert found.falls == [Move(ids["falls"], Decimal("100.000"), Decimal("58.579"), 100, 50)]
    changes = {(low, high): count for low, high, count in found.distribution if count}
    assert changes == {(50, 100): 1, (-50, -20): 1}


def test_points_that_move_between_sources_are_added_and_taken() -> None:
    combo = rule("combo", per="day", points=40, requires=[{"kinds": ["buy"], "count": 1}])
    world = World(combo)
    world.record(("a", AT))
    draft = document(combo | {"source": "social_media"})
    found = preview(brand=world.brand, document=draft, effective="always", now=NOW)
    assert (found.points_added, found.points_taken) == (40, 40)
    assert found.falls[0].points_before == found.falls[0].points_after == 40


def test_from_now_on_nothing_moves_yet() -> None:
    world = World(rule("earn", rate=1))
    world.record(("a", AT, 100))
    found = preview(brand=world.brand, document=document(rule("earn", rate=9)), now=NOW)
    assert (found.up, found.down, found.unchanged) == (0, 0, 1)
    assert sum(count for _low, _high, count in found.distribution) == 0


def test_a_document_that_is_wrong_is_refused() -> None:
    world = World()
    with pytest.raises(RuleSetError):
        preview(brand=world.brand, document={}, now=NOW)


def test_the_ten_largest_moves_are_named_and_all_are_counted() -> None:
    world = World()
    world.record(*(action((f"a{n}", AT, n), identifier=f"card:{n}") for n in range(1, 15)))
    told: list[tuple[int, int]] = []
    found = preview(
        brand=world.brand,
        document=document(rule("earn", rate=1)),
        effective="always",
        now=NOW,
        progress=lambda done, of: told.append((done, of)),
    )
    assert found.up == 14
    assert [move.points_after for move in found.rises] == list(range(14, 4, -1))
    assert sum(count for _low, _high, count in found.distribution) == 14
    assert told[-1] == (14, 14)
    assert [low for low, _high, _count in found.distribution] == list(EDGES[:-1])
    plain = found.to_json()
    assert plain["customers"] == {"up": 14, "down": 0, "unchanged": 0}
    assert plain["rises"][0]["points_after"] == 14


@pytest.mark.parametrize("seed", range(12))
def test_publishing_does_what_the_preview_said(seed: int) -> None:
    """Customer by customer, over random brands, histories and drafts."""
    whole = history(seed)
    brand = setup_brand(document=whole.brand)
    publish(brand=brand, document=whole.rules, effective="always", now=whole.now)
    rows = [
        parse_record(record) for step in whole.steps if step[0] == "record" for record in step[1]
    ]
    record_actions(brand=brand, rows=rows, now=whole.now)

    def score() -> None:
        while is_due(brand=brand):
            score_due(brand=brand, now=whole.now)

    score()
    drafts = [(step[1], step[2]) for step in whole.steps if step[0] == "publish"]
    for draft, named in drafts or [(history(seed + 100).rules, "always")]:
        effective: Effective = named if named in ("now", "always") else date.fromisoformat(named)  # type: ignore[assignment]
        stored = {one.customer_id: (one.score, one.points) for one in Score.objects.all()}
        before = rows_by_table()
        found = preview(brand=brand, document=deepcopy(draft), effective=effective, now=whole.now)
        assert rows_by_table() == before
        publish(brand=brand, document=deepcopy(draft), effective=effective, now=whole.now)
        score()
        said = {
            move.customer_id: (move.before, move.after, move.points_before, move.points_after)
            for move in (*found.rises, *found.falls)
        }
        nothing = (Decimal(0), 0)
        done = {}
        for pk in Customer.objects.filter(brand=brand).values_list("pk", flat=True):
            now = Score.objects.get(pk=pk)
            was, points = stored.get(pk, nothing)
            if now.score != was:
                done[pk] = (was, now.score, points, now.points)
        assert said == done
        assert found.up + found.down == len(done)
