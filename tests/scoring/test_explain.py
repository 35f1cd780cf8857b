"""A score as a receipt: what each rule gave, what limits took and why, and what it is worth."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from accounts.choices import switch_source
from accounts.identity import join_brand, link_identifier, unlink_identifier
from accounts.models import Brand, Identifier, User
from scoring.explain import Taken, explain
from scoring.models import Source

from .world import (
    ANN,
    NOW,
    Json,
    Row,
    World,
    action,
    brand_with,
    correction,
    decision,
    document,
    rule,
    void,
)

pytestmark = pytest.mark.django_db

ON = NOW.date()
AT = "11-23 10:00"


def taken(limits: list[Json], *rows: Row) -> dict[str, list[Taken]]:
    """What limits took of purchases that would give their quantity in points."""
    world = World(rule("earn", rate=1, limits=limits))
    world.record(*rows)
    found = explain(customer=world.customer(), on=ON)
    return {line.external_id: list(line.taken) for line in found.lines}


def test_a_limit_that_took_something_says_so() -> None:
    assert taken(
        [{"per": "day", "count": 1}], ("a", "11-23 10:00", 5), ("b", "11-23 11:00", 7)
    ) == {
        "a": [],
        "b": [Taken(7, "Limit reached: at most once a day", date(2026, 11, 24))],
    }


def test_what_still_fitted_is_not_taken() -> None:
    assert taken(
        [{"per": "week", "points": 10}],
        ("a", "11-23 10:00", 8),
        ("b", "11-24 10:00", 8),
        ("c", "11-25 10:00", 8),
    ) == {
        "a": [],
        "b": [Taken(6, "Limit reached: at most 10 points a week", date(2026, 11, 30))],
        "c": [Taken(8, "Limit reached: at most 10 points a week", date(2026, 11, 30))],
    }


def test_each_of_two_limits_says_what_it_took() -> None:
    assert taken(
        [{"per": "day", "points": 5}, {"per": "month", "count": 3, "points": 8}],
        ("a", "11-23 10:00", 7),
        ("b", "11-24 10:00", 6),
        ("c", "11-25 10:00", 1),
        ("d", "11-26 10:00", 2),
    ) == {
        "a": [Taken(2, "Limit reached: at most 5 points a day", date(2026, 11, 24))],
        "b": [
            Taken(1, "Limit reached: at most 5 points a day", date(2026, 11, 25)),
            Taken(2, "Limit reached: at most 3 times and 8 points a month", date(2026, 12, 1)),
        ],
        "c": [Taken(1, "Limit reached: at most 3 times and 8 points a month", date(2026, 12, 1))],
        "d": [Taken(2, "Limit reached: at most 3 times and 8 points a month", date(2026, 12, 1))],
    }


def test_a_bonus_is_explained_like_an_earn() -> None:
    world = World(
        rule("earn", rate=1), rule("bonus", percent=50, limits=[{"per": "ever", "points": 8}])
    )
    world.record(("a", "11-23 10:00", 10), ("b", "11-23 11:00", 10))
    lines = explain(customer=world.customer(), on=ON).lines
    assert [(one.external_id, one.rule_key, one.earned, one.points) for one in lines] == [
        ("b", "earn", 10, 10),
        ("b", "bonus", 5, 3),
        ("a", "earn", 10, 10),
        ("a", "bonus", 5, 5),
    ]
    assert lines[1].taken == (Taken(2, "Limit reached: at most 8 points in all", None),)


def test_a_line_says_where_it_comes_from() -> None:
    world = World(rule("earn", points=1))
    world.publish(document(rule("earn", points=5)), "always")
    [pk] = world.record(("a", "11-23 23:30", None, {"venue": "soho"}))
    [line] = explain(customer=world.customer(), on=ON).lines
    assert (line.action_id, line.origin, line.external_id, line.kind_label) == (
        pk,
        "till",
        "a",
        "buy",
    )
    assert (line.local_date, line.rule_key, line.title, line.type, line.version) == (
        date(2026, 11, 23),
        "earn",
        "Earn",
        "earn",
        2,
    )
    assert line.sentence == "buy: 5 points"


def test_a_rule_that_gave_nothing_has_its_line_and_what_does_not_count_has_none() -> None:
    world = World(rule("earn", rate=1))
    world.record(
        ("nothing", AT),
        ("void", AT, 5),
        void("v", "void"),
        action(("pending", AT, 5), state="pending"),
        action(("rejected", AT, 5), state="pending"),
        decision("d", "rejected", accepted=False),
        ("corrected", AT, 5),
        correction("c", "corrected", 3),
    )
    lines = explain(customer=world.customer(), on=ON).lines
    assert {(one.external_id, one.earned, one.points, one.taken) for one in lines} == {
        ("nothing", 0, 0, ()),
        ("corrected", 3, 3, ()),
    }


def test_it_sums_to_the_number_that_it_explains() -> None:
    world = World(
        rule("earn", rate="0.7"),
        rule("earn", "visit", points=7, kinds=["visit"]),
        rule("streak", per="day", length=2, points=11, source="product_usage"),
        shapes={"purchases": {"half_life_days": 10}, "physical_visits": {"half_life_days": 3}},
    )
    world.record(
        *((f"a{n}", f"11-{n} 10:00", 10 + n) for n in range(11, 29)),
        *((f"v{n}", f"11-{n} 10:00", None, {"kind": "visit"}) for n in range(11, 29)),
    )
    found = explain(customer=world.customer(), on=ON)
    stored = world.stored()
    assert (found.score, found.points) == (stored.score, stored.points)
    assert sum(source.worth for source in found.sources) == found.score
    assert [source.points for source in found.sources] == stored.source_points
    assert [source.sub_score for source in found.sources] == pytest.approx(stored.sub_scores)
    for source in found.sources:
        assert sum(line.worth for line in source.lines) == source.worth
        assert sum(line.points for line in source.lines) == source.points
        assert sum(line.faded for line in source.lines) == pytest.approx(source.faded)


def test_of_one_action_only_its_lines_are_told_at_their_worth_in_the_whole() -> None:
    world = World(rule("earn", rate=1), rule("bonus", percent=100))
    first, _second = world.record(("a", AT, 50), ("b", AT, 50))
    whole = explain(customer=world.customer(), on=ON)
    part = explain(customer=world.customer(), on=ON, action_id=first)
    assert part.score == whole.score
    assert part.lines == [line for line in whole.lines if line.action_id == first]
    assert len(part.lines) == 2


def test_another_day_has_another_worth() -> None:
    world = World(rule("earn", rate=1), shapes={"purchases": {"half_life_days": 8}})
    world.record(("a", AT, 100))
    later = explain(customer=world.customer(), on=date(2026, 12, 1))
    [line] = later.lines
    assert line.faded == 50
    # 300 x (1 - 2^(-50/100))
    assert later.score == line.worth == Decimal("87.868")
    same_day = explain(customer=world.customer(), on=date(2026, 11, 23))
    assert same_day.score == Decimal("150.000")


def test_it_is_right_while_a_recomputation_is_under_way() -> None:
    """It is computed from the facts, not read from what was scored."""
    world = World(rule("earn", rate=1))
    world.score = lambda: None  # type: ignore[method-assign]  # nobody works
    world.record(("a", AT, 100))
    assert explain(customer=world.customer(), on=ON).points == 100


def test_without_rules_there_is_nothing_to_explain() -> None:
    world = World(rule("earn", points=1))
    other = brand_with(slug="other")
    customer = world.customer()
    customer.brand = other
    found = explain(customer=customer, on=ON)
    assert (found.score, found.points, found.version) == (Decimal(0), 0, None)
    assert found.lines == []


def test_as_plain_values() -> None:
    world = World(rule("earn", rate=1, limits=[{"per": "ever", "points": 100}]))
    world.record(("a", AT, 101))
    plain: dict[str, Any] = explain(customer=world.customer(), on=ON).to_json()
    assert (plain["on"], plain["score"], plain["points"], plain["rule_set_version"]) == (
        "2026-12-01",
        "150.000",
        100,
        1,
    )
    purchases = next(one for one in plain["sources"] if one["source"] == "purchases")
    assert purchases["lines"] == [
        {
            "origin": "till",
            "external_id": "a",
            "kind": "buy",
            "occurred_at": "2026-11-23T10:00:00+00:00",
            "on": "2026-11-23",
            "rule": "earn",
            "title": "Earn",
            "earned": 101,
            "points": 100,
            "taken": [{"points": 1, "reason": "Limit reached: at most 100 points in all"}],
            "points_after_fading": 100.0,
            "worth": "150.000",
        }
    ]


# What rules never see


def test_what_came_before_the_window_says_so_and_gives_nothing() -> None:
    world = World(rule("earn", rate=1), zone="Europe/Paris")
    Brand.objects.update(credit_days=8)
    [old, new] = world.record(
        action(("a", "11-23 11:59:59", 5), identifier="card:1"),
        action(("b", "11-23 12:00", 7), identifier="card:1"),
    )
    nobody = world.customer("card:1")
    ann = join_brand(brand=world.brand, user=User.objects.create_user(ANN[6:]), now=NOW)
    link_identifier(customer=ann, text="card:1", proof=Identifier.Proof.CODE, now=NOW)
    world.score()
    assert world.awards() == [("b", "earn", 7)]
    assert explain(customer=ann, on=ON).points == world.stored().points == 7
    found = explain(customer=ann, on=ON, action_id=old)
    assert found.left_out == (
        "This is too old to count: of what came before you linked card:1, "
        "only what is from Nov. 23, 2026, 1 p.m. or later does."
    )
    assert (found.lines, found.points) == ([], 7)
    assert explain(customer=ann, on=ON, action_id=new).left_out == ""
    # What is somebody else's is nobody's business.
    assert explain(customer=nobody, on=ON, action_id=old).left_out == ""
    card = Identifier.objects.get(scheme="card")
    unlink_identifier(customer=ann, identifier=card, now=NOW)
    world.score()
    assert explain(customer=nobody, on=ON, action_id=old).left_out == ""
    assert world.awards("card:1") == [("a", "earn", 5), ("b", "earn", 7)]
    world.verify()


def test_what_belongs_to_a_switched_off_source_says_so() -> None:
    world = World(rule("earn", rate=1))
    [bought] = world.record(("a", AT, 5))
    ann = world.customer()
    switch_source(customer=ann, source=Source.PURCHASES, on=False, now=NOW)
    world.score()
    found = explain(customer=ann, on=ON, action_id=bought)
    assert (found.points, found.left_out) == (
        0,
        "You switched off the source Purchases. This is kept, and counts again once you switch it on.",
    )
    switch_source(customer=ann, source=Source.PURCHASES, on=True, now=NOW)
    world.score()
    assert explain(customer=ann, on=ON, action_id=bought).left_out == ""
    world.verify()
