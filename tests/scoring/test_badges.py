"""Badges: the facts decide who holds one, and since when. A new criterion needs an example here."""

from datetime import date
from typing import NamedTuple

import pytest

from scoring.badges import BadgeError, criterion_of, parse_criterion
from scoring.criteria import CRITERIA
from scoring.models import Badge, BadgeEarned, Source
from scoring.queries import badges_of
from scoring.vocabulary import Vocabulary

from .world import (
    BOB,
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

SPEND = rule("earn", rate=1)


def visit(name: str, when: str, venue: str | None) -> Row:
    return (name, when, None, {"kind": "visit", "venue": venue})


class Example(NamedTuple):
    """A criterion, actions of which the last earns the badge, and what progress stands before it."""

    parameters: Json
    actions: list[Row]
    before: int
    target: int
    sentence: str


EXAMPLES = {
    "actions": Example(
        {"kinds": ["buy", "use"], "count": 3},
        [
            ("a", "11-20 10:00"),
            ("b", "11-20 11:00", None, {"kind": "use"}),
            ("other", "11-20 12:00", None, {"kind": "post"}),
            ("c", "11-21 10:00"),
        ],
        before=2,
        target=3,
        sentence="3 \N{MULTIPLICATION SIGN} buy or use",
    ),
    "venues": Example(
        {"count": 2},
        [
            visit("a", "11-20 10:00", "soho"),
            visit("again", "11-20 11:00", "soho"),
            visit("nowhere", "11-20 12:00", None),
            ("no visit", "11-20 13:00", None, {"venue": "camden"}),
            visit("b", "11-21 10:00", "camden"),
        ],
        before=1,
        target=2,
        sentence="Visit 2 different venues",
    ),
    "source_points": Example(
        {"source": "purchases", "count": 50},
        [("a", "11-20 10:00", 30), ("b", "11-20 11:00", 19), ("c", "11-21 10:00", 1)],
        before=49,
        target=50,
        sentence="Purchases: 50 points",
    ),
}


def badge(world: World, criterion: str, parameters: Json, slug: str = "badge") -> Badge:
    return Badge.objects.create(
        brand=world.brand,
        slug=slug,
        title=slug.title(),
        source=Source.PURCHASES,
        criterion=criterion,
        parameters=parameters,
    )


def held(world: World) -> dict[str, date]:
    earned = BadgeEarned.objects.filter(customer=world.customer())
    return dict(earned.values_list("badge__slug", "earned_on"))


every_criterion = pytest.mark.parametrize("name", EXAMPLES)


def test_every_criterion_has_an_example() -> None:
    assert list(EXAMPLES) == list(CRITERIA)


@every_criterion
def test_it_is_earned_on_the_day_of_the_action_that_completes_it(name: str) -> None:
    example = EXAMPLES[name]
    world = World(SPEND)
    badge(world, name, example.parameters)
    *others, last = example.actions
    world.record(*others)
    assert held(world) == {}
    [view] = badges_of(customer=world.customer())
    assert (view.progress, view.target, view.earned_on) == (example.before, example.target, None)
    assert view.sentence == example.sentence
    world.record(last)
    assert held(world) == {"badge": date(2026, 11, 21)}
    [view] = badges_of(customer=world.customer())
    assert (view.progress, view.earned_on) == (example.target, date(2026, 11, 21))


@every_criterion
def test_a_void_takes_it_back(name: str) -> None:
    example = EXAMPLES[name]
    world = World(SPEND)
    badge(world, name, example.parameters)
    world.record(*example.actions)
    assert held(world)
    world.record(void("v", example.actions[-1][0]))
    assert held(world) == {}


@every_criterion
def test_a_late_action_moves_the_day(name: str) -> None:
    example = EXAMPLES[name]
    world = World(SPEND)
    badge(world, name, example.parameters)
    world.record(*example.actions)
    _external_id, when, *rest = example.actions[-1]
    world.record(("late", when.replace("11-21", "11-20"), *rest))
    assert held(world) == {"badge": date(2026, 11, 20)}
    world.record(void("v", "late"))
    assert held(world) == {"badge": date(2026, 11, 21)}


@every_criterion
def test_pending_actions_and_those_of_others_do_not_count(name: str) -> None:
    example = EXAMPLES[name]
    world = World(SPEND)
    badge(world, name, example.parameters)
    *others, last = example.actions
    world.record(*others, action(last, state="pending"))
    world.record(action(("bob", *last[1:]), identifier=BOB))
    assert held(world) == {}
    world.record(decision("d", last[0], accepted=True))
    assert held(world) == {"badge": date(2026, 11, 21)}


@every_criterion
def test_the_day_is_the_brands(name: str) -> None:
    example = EXAMPLES[name]
    world = World(SPEND, zone="Pacific/Kiritimati")
    badge(world, name, example.parameters)
    world.record(*example.actions)
    assert held(world) == {"badge": date(2026, 11, 22)}


@every_criterion
def test_its_parameters_come_back_as_they_were_written(name: str) -> None:
    vocabulary = Vocabulary.of(brand_with())
    parameters = EXAMPLES[name].parameters
    criterion = parse_criterion(criterion=name, parameters=parameters, vocabulary=vocabulary)
    assert criterion.parameters_json() == parameters
    assert {field.name for field in criterion.fields} == set(parameters)


def test_scoring_twice_gives_a_badge_once() -> None:
    world = World(SPEND)
    badge(world, "actions", {"kinds": ["buy"], "count": 1})
    world.record(("a", "11-20 10:00"))
    world.record(("b", "11-21 10:00"))
    assert held(world) == {"badge": date(2026, 11, 20)}
    assert BadgeEarned.objects.count() == 1


def test_points_follow_corrections_and_rules() -> None:
    world = World(SPEND)
    badge(world, "source_points", {"source": "purchases", "count": 50})
    world.record(("a", "11-20 10:00", 30), ("b", "11-21 10:00", 30))
    assert held(world) == {"badge": date(2026, 11, 21)}
    world.record(correction("c", "a", 19))
    assert held(world) == {}
    world.publish(document(rule("earn", rate=5)), "always")
    assert held(world) == {"badge": date(2026, 11, 20)}


def test_earned_badges_come_first_and_then_the_nearest() -> None:
    world = World(SPEND)
    badge(world, "actions", {"kinds": ["buy"], "count": 100}, "far")
    badge(world, "actions", {"kinds": ["buy"], "count": 4}, "near")
    badge(world, "actions", {"kinds": ["buy"], "count": 2}, "had")
    world.record(("a", "11-20 10:00"), ("b", "11-21 10:00"), ("c", "11-22 10:00"))
    views = badges_of(customer=world.customer())
    assert [(view.badge.slug, view.progress) for view in views] == [
        ("had", 2),
        ("near", 3),
        ("far", 3),
    ]


def test_a_badge_that_changes_is_awarded_by_what_it_says_now() -> None:
    world = World(SPEND)
    mine = badge(world, "actions", {"kinds": ["buy"], "count": 1})
    world.record(("a", "11-20 10:00"))
    mine.parameters = {"kinds": ["buy"], "count": 2}
    mine.save()
    world.record(("p", "11-20 10:00", None, {"kind": "post"}))
    assert held(world) == {}


@pytest.mark.parametrize(
    ("criterion", "parameters", "problem"),
    [
        ("luck", {}, ("criterion", "must be one of actions, venues, source_points")),
        (
            "actions",
            {"kinds": ["gift"], "count": 1},
            ("parameters.kinds[0]", "the brand has no action kind 'gift'"),
        ),
        (
            "actions",
            {"count": 1},
            ("parameters.kinds", "at least one action kind is needed here"),
        ),
        (
            "venues",
            {"count": 0},
            ("parameters.count", "must be between 1 and 1000000000; it is 0"),
        ),
        ("venues", {}, ("parameters.count", "a whole number is needed here")),
        (
            "venues",
            {"count": 1, "city": "London"},
            ("parameters.city", "this key is not known here"),
        ),
        ("venues", [], ("parameters", "this must be an object")),
    ],
)
def test_what_is_wrong_with_a_criterion_is_named(
    criterion: str, parameters: Json, problem: tuple[str, str]
) -> None:
    vocabulary = Vocabulary.of(brand_with())
    with pytest.raises(BadgeError) as raised:
        parse_criterion(criterion=criterion, parameters=parameters, vocabulary=vocabulary)
    assert problem in raised.value.problems


def test_a_stored_badge_knows_its_criterion() -> None:
    world = World(SPEND)
    stored = badge(world, "venues", {"count": 2})
    criterion = criterion_of(stored, vocabulary=Vocabulary.of(world.brand))
    assert (criterion.name, criterion.count) == ("venues", 2)
