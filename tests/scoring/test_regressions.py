"""Cases that were wrong once, each the smallest that shows it."""

import pytest
from django.db import DatabaseError, transaction

from scoring.models import RuleSet
from scoring.publication import get_draft

from .test_scopes import CROSSING, try_changes
from .world import World, rule, void

pytestmark = pytest.mark.django_db


def test_month_then_week_limit_reaches_into_the_next_month() -> None:
    """Freeing a place in July keeps b (30 July), which takes the week's one place from c (1 August)."""
    limits = [{"per": "month", "count": 1}, {"per": "week", "count": 1}]
    world = World(rule("earn", points=5, limits=limits))
    world.record(("a", "07-10 10:00"), ("b", "07-30 10:00"), ("c", "08-01 10:00"))
    assert world.awards() == [("a", "earn", 5), ("c", "earn", 5)]
    world.record(void("v", "a"))
    assert world.awards() == [("b", "earn", 5)]
    world.verify()


def test_week_then_month_limit_reaches_into_the_next_month() -> None:
    """Without a (31 July), b (1 August) is the first of its week, and takes August's one place from c."""
    limits = [{"per": "week", "count": 1}, {"per": "month", "count": 1}]
    world = World(rule("earn", points=5, limits=limits))
    world.record(("a", "07-31 10:00"), ("b", "08-01 10:00"), ("c", "08-20 10:00"))
    assert world.awards() == [("a", "earn", 5), ("c", "earn", 5)]
    world.record(void("v", "a"))
    assert world.awards() == [("b", "earn", 5)]
    world.verify()


def test_one_change_where_weeks_cross_months_equals_a_recomputation() -> None:
    assert try_changes(World(*CROSSING)) == {one["key"] for one in CROSSING}


def test_no_rule_moves_out_of_a_published_rule_set() -> None:
    world = World(rule("earn", points=5))
    draft, published = get_draft(brand=world.brand), RuleSet.objects.get(version=1)
    theirs = published.rules.get()
    theirs.position, theirs.rule_set = 9, draft
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        theirs.save()


@pytest.mark.parametrize("text", ["%(now)s", "100 %(customers)s"])
def test_a_rule_may_have_what_looks_like_a_parameter_in_its_text(text: str) -> None:
    condition = {"field": "attributes.topic", "op": "is", "value": text}
    world = World(rule("earn", points=5, conditions=[condition]))
    world.record(("a", "11-23 10:00", None, {"attributes": {"topic": text}}))
    assert world.awards() == [("a", "earn", 5)]
