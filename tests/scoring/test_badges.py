"""Badges: the facts decide who holds which level, and since when. A new criterion needs an example here."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.identity import join_brand, link_identifier
from accounts.models import Customer, Identifier, User
from scoring import badges as engine
from scoring.badges import (
    BadgeError,
    Rarity,
    badges_of,
    mark_badge_changed,
    parse_badge,
    parsed_badge,
    rarity_of,
)
from scoring.criteria import CRITERIA
from scoring.models import Badge, BadgeEarned, Source
from scoring.run import score_all, score_day
from scoring.statements import execute
from scoring.verify import verify_ledger
from scoring.vocabulary import Vocabulary
from tests.badge_oracle import COURSES, earned
from tests.histories import Maker, State, history, states
from tests.oracle import counting_actions

from . import test_properties
from .world import (
    ANN,
    BOB,
    NOW,
    Json,
    Row,
    World,
    action,
    brand_with,
    correction,
    decision,
    document,
    moment,
    rule,
    void,
)

HISTORIES = int(os.environ.get("LAUREL_HISTORIES", "200")) // 4
FIRST_SEED = int(os.environ.get("LAUREL_FIRST_SEED", "1"))

pytestmark = pytest.mark.django_db

SPEND = rule("earn", rate=1)


def visit(name: str, when: str, venue: str | None) -> Row:
    return (name, when, None, {"kind": "visit", "venue": venue})


class Example(NamedTuple):
    """A criterion, actions of which the last reaches the target, and what progress stands before it."""

    parameters: Json
    target: int
    actions: list[Row]
    before: int
    sentence: str


EXAMPLES = {
    "actions": Example(
        {
            "kinds": ["buy", "use"],
            "conditions": [{"field": "hour", "op": "less_than", "value": 12}],
        },
        3,
        [
            ("a", "11-20 10:00"),
            ("b", "11-20 11:00", None, {"kind": "use"}),
            ("other", "11-20 11:30", None, {"kind": "post"}),
            ("noon", "11-20 12:00"),
            ("c", "11-21 10:00"),
        ],
        before=2,
        sentence="3 \N{MULTIPLICATION SIGN} buy or use before 12:00",
    ),
    "quantity": Example(
        {"kinds": ["buy"], "conditions": []},
        1000,
        [("a", "11-20 10:00", "999.99"), ("none", "11-20 10:30"), ("b", "11-21 10:00", "0.01")],
        before=999,
        sentence="buy: 1,000 GBP in all",
    ),
    "venues": Example(
        {"kinds": ["visit"], "conditions": []},
        2,
        [
            visit("a", "11-20 10:00", "soho"),
            visit("again", "11-20 11:00", "soho"),
            visit("nowhere", "11-20 12:00", None),
            ("no visit", "11-20 13:00", None, {"venue": "camden"}),
            visit("b", "11-21 10:00", "camden"),
        ],
        before=1,
        sentence="visit at 2 different venues",
    ),
    "streak": Example(
        {"kinds": ["buy"], "conditions": [], "count": 2, "per": "day"},
        2,
        [
            ("long ago", "11-17 10:00"),
            ("a", "11-20 10:00"),
            ("b", "11-20 11:00"),
            ("c", "11-21 09:00"),
            ("d", "11-21 10:00"),
        ],
        before=1,
        sentence="2 \N{MULTIPLICATION SIGN} buy on 2 days in a row",
    ),
    "combination": Example(
        {
            "requires": [
                {"kinds": ["buy"], "count": 2, "conditions": []},
                {"kinds": ["visit"], "count": 1, "conditions": []},
            ],
            "per": "week",
        },
        2,
        [
            ("a", "11-10 10:00"),
            visit("b", "11-10 11:00", None),
            ("c", "11-11 10:00"),
            ("more", "11-11 11:00"),
            ("d", "11-20 10:00"),
            visit("e", "11-20 11:00", None),
            ("f", "11-21 10:00"),
        ],
        before=1,
        sentence="2 \N{MULTIPLICATION SIGN} buy + visit, in each of 2 weeks",
    ),
    "source_points": Example(
        {"source": "purchases"},
        50,
        [("a", "11-20 10:00", 30), ("b", "11-20 11:00", 19), ("c", "11-21 10:00", 1)],
        before=49,
        sentence="Purchases: 50 points",
    ),
    "score": Example(
        {},
        100,
        # Purchases weigh 30, and half of them is there at 100 points: 150. The rest is for nothing.
        [("a", "11-20 10:00", 40), ("b", "11-20 11:00", 18), ("c", "11-21 10:00", 2)],
        before=99,
        sentence="Reach a score of 100",
    ),
}


def badge(
    world: World, criterion: str, parameters: Json, *levels: int, slug: str = "badge"
) -> Badge:
    return Badge.objects.create(
        brand=world.brand,
        slug=slug,
        title=slug.title(),
        source=Source.PURCHASES,
        criterion=criterion,
        parameters=parameters,
        levels=list(levels),
    )


def with_badge(name: str, **world: Any) -> World:
    """A world with the example's badge of one level."""
    made = World(SPEND, **world)
    badge(made, name, EXAMPLES[name].parameters, EXAMPLES[name].target)
    return made


def held(world: World, slug: str = "badge") -> dict[int, datetime]:
    """The levels of one badge that Ann holds, and since when."""
    rows = BadgeEarned.objects.filter(customer=world.customer(), badge__slug=slug, revoked_at=None)
    return dict(rows.values_list("level", "earned_at"))


def revoked(world: World) -> list[tuple[int, str]]:
    """The levels that Ann no longer holds, and why, in the order in which they were earned."""
    rows = BadgeEarned.objects.filter(customer=world.customer()).exclude(revoked_at=None)
    return list(rows.order_by("pk").values_list("level", "revoked_why"))


every_criterion = pytest.mark.parametrize("name", EXAMPLES)
LAST = moment("11-21 10:00")


def test_every_criterion_has_an_example_and_is_in_the_oracle() -> None:
    assert list(EXAMPLES) == list(CRITERIA)
    assert set(COURSES) == set(CRITERIA)


@every_criterion
def test_it_is_earned_at_the_moment_of_the_action_that_completes_it(name: str) -> None:
    example, world = EXAMPLES[name], with_badge(name)
    *others, last = example.actions
    world.record(*others)
    assert held(world) == {}
    [view] = badges_of(customer=world.customer())
    assert (view.level, view.progress, view.target) == (0, example.before, example.target)
    assert (view.next_level, view.earned_at, view.earned_id) == (1, None, None)
    assert view.sentence == example.sentence
    world.record(last)
    assert held(world) == {1: LAST}
    [view] = badges_of(customer=world.customer())
    assert (view.level, view.progress, view.next_level) == (1, example.target, None)
    assert (view.earned_at, view.earned_id) == (LAST, BadgeEarned.objects.get().pk)
    assert view.sentence == example.sentence
    world.verify()


@every_criterion
def test_a_void_revokes_it_and_earned_anew_it_is_a_new_record(name: str) -> None:
    world = with_badge(name)
    world.record(*EXAMPLES[name].actions)
    first = BadgeEarned.objects.get()
    external_id, _when, *rest = EXAMPLES[name].actions[-1]
    world.record(void("v", external_id))
    first.refresh_from_db()
    assert (first.earned_at, first.revoked_at, first.revoked_why) == (LAST, world.now, "facts")
    assert [view.level for view in badges_of(customer=world.customer())] == [0]
    world.record(("anew", "11-21 12:00" if name != "actions" else "11-21 11:00", *rest))
    assert set(held(world)) == {1}
    assert BadgeEarned.objects.count() == 2
    first.refresh_from_db()
    assert first.earned_at == LAST
    world.verify()


@every_criterion
def test_a_late_action_moves_the_moment_of_the_same_record(name: str) -> None:
    world = with_badge(name)
    world.record(*EXAMPLES[name].actions)
    record = BadgeEarned.objects.get().pk
    _external_id, _when, *rest = EXAMPLES[name].actions[-1]
    # A minute earlier: whatever completed it, this does so sooner.
    world.record(("late", "11-21 09:59", *rest))
    assert held(world) == {1: moment("11-21 09:59")}
    world.record(void("v", "late"))
    assert held(world) == {1: LAST}
    assert [row.pk for row in BadgeEarned.objects.all()] == [record]


@every_criterion
def test_in_the_other_order_of_arrival_the_moment_is_the_same(name: str) -> None:
    world = with_badge(name)
    for one in reversed(EXAMPLES[name].actions):
        world.record(one)
    assert held(world) == {1: LAST}
    world.verify()


@every_criterion
def test_pending_actions_and_those_of_others_do_not_count(name: str) -> None:
    world = with_badge(name)
    *others, last = EXAMPLES[name].actions
    world.record(*others, action(last, state="pending"))
    world.record(action(("bob", *last[1:]), identifier=BOB))
    assert held(world) == {}
    world.record(decision("d", last[0], accepted=True))
    assert held(world) == {1: LAST}


@every_criterion
def test_a_moved_identifier_takes_it_along(name: str) -> None:
    world = with_badge(name)
    world.record(*EXAMPLES[name].actions)
    ann, bob = world.customer(), world.customer(BOB)
    link_identifier(text=ANN, customer=bob, proof=Identifier.Proof.STAFF, now=world.now)
    world.score()
    [old, new] = BadgeEarned.objects.order_by("pk")
    assert (old.customer_id, old.revoked_why) == (ann.pk, "identity")
    assert (new.customer_id, new.earned_at, new.revoked_at) == (bob.pk, LAST, None)


@every_criterion
def test_its_parameters_come_back_as_they_were_written(name: str) -> None:
    parsed = parse_badge(
        criterion=name,
        parameters=EXAMPLES[name].parameters,
        levels=[EXAMPLES[name].target],
        vocabulary=Vocabulary.of(brand_with()),
    )
    assert parsed.criterion.parameters_json() == EXAMPLES[name].parameters
    assert {one.name for one in parsed.criterion.fields} == set(EXAMPLES[name].parameters)


@every_criterion
def test_the_same_facts_are_judged_anew_to_the_same_records(name: str) -> None:
    world = with_badge(name)
    world.record(*EXAMPLES[name].actions)
    before = list(BadgeEarned.objects.values())
    score_all(brand=world.brand, now=world.now)
    score_day(brand=world.brand, now=world.now + timedelta(days=40))
    assert list(BadgeEarned.objects.values()) == before


# --- levels


def test_levels_are_earned_one_after_the_other_and_lost_from_the_top() -> None:
    world = World(SPEND)
    badge(world, "actions", {"kinds": ["buy"]}, 1, 3, 4)
    world.record(*((str(day), f"11-{day} 10:00") for day in (20, 21, 22, 23)))
    assert held(world) == {
        level: moment(f"11-{day} 10:00") for level, day in ((1, 20), (2, 22), (3, 23))
    }
    world.record(void("v", "20"), void("w", "23"))
    assert held(world) == {1: moment("11-21 10:00")}
    assert revoked(world) == [(2, "facts"), (3, "facts")]
    [view] = badges_of(customer=world.customer())
    assert (view.level, view.progress, view.target, view.next_level) == (1, 2, 3, 2)
    assert view.earned_at == moment("11-21 10:00")
    assert view.sentences == (
        "buy",
        "3 \N{MULTIPLICATION SIGN} buy",
        "4 \N{MULTIPLICATION SIGN} buy",
    )
    assert view.sentence == view.sentences[1]


def test_held_badges_come_first_and_then_the_nearest() -> None:
    world = World(SPEND)
    for slug, target in (("far", 100), ("near", 4), ("had", 2)):
        badge(world, "actions", {"kinds": ["buy"]}, target, slug=slug)
    world.record(("a", "11-20 10:00"), ("b", "11-21 10:00"), ("c", "11-22 10:00"))
    views = badges_of(customer=world.customer())
    assert [(view.badge.slug, view.progress) for view in views] == [
        ("had", 2),
        ("near", 3),
        ("far", 3),
    ]


@pytest.mark.parametrize("levels", [[], [0], [2, 2], [3, 1], [1, 2, 3, 4], [1, 3, 2]])
def test_the_database_refuses_levels_that_do_not_ascend(levels: list[int]) -> None:
    world = World(SPEND)
    with pytest.raises(IntegrityError), transaction.atomic():
        badge(world, "actions", {"kinds": ["buy"]}, *levels)


def test_a_record_is_never_deleted_and_held_once() -> None:
    world = with_badge("actions")
    world.record(*EXAMPLES["actions"].actions)
    row = BadgeEarned.objects.get()
    with pytest.raises(Exception, match="Cannot delete"), transaction.atomic():
        row.delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        BadgeEarned.objects.create(
            customer=row.customer, badge=row.badge, level=1, earned_at=row.earned_at
        )


# --- particular criteria


def test_a_streak_that_broke_off_still_counts_and_grows_together_late() -> None:
    world = World(SPEND)
    badge(world, "streak", {"kinds": ["buy"], "per": "week"}, 2, 4)
    for day in ("10-26", "11-02", "11-16"):
        world.record((day, f"{day} 10:00"))
    [view] = badges_of(customer=world.customer())
    assert (view.level, view.progress, view.target) == (1, 2, 4)
    world.record(("late", "11-15 23:59"))
    assert held(world) == {1: moment("11-02 10:00"), 2: moment("11-16 10:00")}


def test_a_combination_for_ever_counts_times_over() -> None:
    world = World(SPEND)
    needs = [{"kinds": ["buy"], "count": 2}, {"kinds": ["visit"]}]
    badge(world, "combination", {"requires": needs, "per": "ever"}, 1, 2)
    world.record(*((f"b{n}", f"11-2{n} 10:00") for n in range(4)))
    world.record(visit("v", "11-01 10:00", None), visit("w", "11-22 12:00", None))
    assert held(world) == {1: moment("11-21 10:00"), 2: moment("11-23 10:00")}


def test_one_action_may_serve_several_requirements() -> None:
    world = World(SPEND)
    needs = [
        {"kinds": ["buy"]},
        {"kinds": ["buy"], "conditions": [{"field": "venue", "op": "is", "value": "soho"}]},
    ]
    badge(world, "combination", {"requires": needs, "per": "day"}, 1)
    world.record(("a", "11-20 10:00", None, {"venue": "soho"}))
    assert held(world) == {1: moment("11-20 10:00")}


def test_points_follow_corrections_and_rules() -> None:
    world = World(SPEND)
    badge(world, "source_points", {"source": "purchases"}, 50)
    world.record(("a", "11-20 10:00", 30), ("b", "11-21 10:00", 30))
    assert held(world) == {1: LAST}
    world.record(correction("c", "a", 19))
    assert revoked(world) == [(1, "facts")]
    world.publish(document(rule("earn", rate=5)), "always")
    assert held(world) == {1: moment("11-20 10:00")}
    world.publish(document(rule("earn", rate=1)), "always")
    assert revoked(world) == [(1, "facts"), (1, "rules")]
    world.verify()


def test_the_moment_of_points_is_that_of_the_award_among_those_of_its_day() -> None:
    world = World(SPEND, rule("earn", "visits", kinds=["visit"], points=7))
    badge(world, "source_points", {"source": "purchases"}, 50)
    badge(world, "score", {}, 98, slug="score")
    world.record(
        ("a", "11-20 09:00", 40),
        visit("v", "11-20 09:30", None),
        ("b", "11-20 10:00", 10),
        ("c", "11-20 10:00", 1),
        ("d", "11-20 11:00", 400),
    )
    assert held(world) == {1: moment("11-20 10:00")}
    assert held(world, "score") == {1: moment("11-20 10:00")}


FADING = {"purchases": {"half_life_days": 10}}


def test_a_score_that_was_reached_stays_reached_when_it_fades() -> None:
    world = World(SPEND, shapes=FADING)
    badge(world, "score", {}, 150, 180)
    world.record(("a", "11-01 10:00", 100))
    assert held(world) == {1: moment("11-01 10:00")}
    score_day(brand=world.brand, now=world.now + timedelta(days=100))
    # Half of the first hundred is left: 110 of it again make 160, and 190.
    world.record(("b", "11-11 10:00", 110))
    assert held(world) == {1: moment("11-01 10:00"), 2: moment("11-11 10:00")}
    world.record(void("v", "a"))
    assert held(world) == {1: moment("11-11 10:00")}
    [view] = badges_of(customer=world.customer())
    assert (view.progress, view.target) == (160, 180)


def test_a_score_survives_half_lives_without_number() -> None:
    """Powers of two beyond what a double holds, over years of history."""
    world = World(SPEND, shapes={"purchases": {"half_life_days": "0.01"}})
    badge(world, "score", {}, 150, 200)
    world.record(("a", "2020-01-01 10:00", 100), ("b", "11-01 10:00", 99), ("c", "11-02 10:00", 1))
    assert held(world) == {1: moment("2020-01-01 10:00")}
    world.record(("d", "11-01 11:00", 60))
    assert held(world) == {1: moment("2020-01-01 10:00"), 2: moment("11-01 11:00")}
    world.verify()


def test_without_published_rules_nobody_has_a_score() -> None:
    brand = brand_with()
    user = User.objects.create_user("ann@example.org")
    customer = join_brand(brand=brand, user=user, now=NOW)
    Badge.objects.create(
        brand=brand, slug="s", title="S", source=2, criterion="score", parameters={}, levels=[1]
    )
    [view] = badges_of(customer=customer)
    assert (view.level, view.progress, view.target) == (0, 0, 1)


def test_periods_are_those_of_the_brand() -> None:
    world = World(SPEND, zone="Pacific/Kiritimati")
    badge(world, "streak", {"kinds": ["buy"], "per": "day"}, 2)
    world.record(("a", "11-20 09:59"), ("b", "11-20 10:01"))
    assert held(world) == {1: moment("11-20 10:01")}


# --- when a badge changes


def test_a_badge_that_changes_is_awarded_by_what_it_says_now() -> None:
    world = World(SPEND)
    mine = badge(world, "actions", {"kinds": ["buy"]}, 1, 2)
    world.record(("a", "11-20 10:00"), ("b", "11-21 10:00"))
    mine.levels = [2]
    mine.save()
    mark_badge_changed(badge=mine, now=world.now)
    world.score()
    assert held(world) == {1: LAST}
    assert revoked(world) == [(2, "badge")]
    mine.parameters = {"kinds": ["post"]}
    mine.save()
    mark_badge_changed(badge=mine, now=world.now)
    world.score()
    assert held(world) == {}


def test_a_badge_that_comes_later_is_given_for_what_was_done_before() -> None:
    world = World(SPEND)
    world.record(("a", "11-20 10:00"))
    mark_badge_changed(badge=badge(world, "actions", {"kinds": ["buy"]}, 1), now=world.now)
    world.score()
    assert held(world) == {1: moment("11-20 10:00")}


def test_a_badge_whose_words_are_gone_is_left_alone() -> None:
    world = World(SPEND)
    soho = {"field": "venue", "op": "is", "value": "soho"}
    mine = badge(world, "actions", {"kinds": ["buy"], "conditions": [soho]}, 1)
    world.record(("a", "11-20 10:00", None, {"venue": "soho"}))
    world.brand.venues.filter(slug="soho").update(slug="old-soho")
    world.record(("b", "11-21 10:00"))
    assert held(world) == {1: moment("11-20 10:00")}
    assert badges_of(customer=world.customer()) == []
    with pytest.raises(BadgeError):
        parsed_badge(mine, vocabulary=Vocabulary.of(world.brand))


# --- rarity


def test_rarity_is_the_share_of_members_with_the_level_or_a_higher_one() -> None:
    world = World(SPEND)
    mine = badge(world, "actions", {"kinds": ["buy"]}, 1, 2)
    for n in range(3):
        user = User.objects.create_user(f"c{n}@example.org")
        customer = join_brand(brand=world.brand, user=user, now=world.now)
        mail = f"laurel:{customer.public_id}"
        world.record(*(action((f"{n}.{m}", "11-20 10:00"), identifier=mail) for m in range(n)))
    world.record(("ann", "11-20 10:00"))  # who did not join
    assert rarity_of(badge=mine, level=1) == Rarity(2, 3)
    assert rarity_of(badge=mine, level=2) == Rarity(1, 3)
    view = badges_of(customer=Customer.objects.get(user__email="c2@example.org"))[0]
    assert (view.level, view.rarity) == (2, Rarity(1, 3))
    view = badges_of(customer=Customer.objects.get(user__email="c0@example.org"))[0]
    assert (view.level, view.rarity) == (0, Rarity(2, 3))


@pytest.mark.parametrize(
    ("rarity", "percent", "sentence"),
    [
        (Rarity(0, 0), 0, "Nobody has it yet"),
        (Rarity(0, 10), 0, "Nobody has it yet"),
        (Rarity(1, 101), 0, "Under 1 % of members have it"),
        (Rarity(1, 100), 1, "1 % of members have it"),
        (Rarity(1, 8), 13, "13 % of members have it"),
        (Rarity(3, 3), 100, "100 % of members have it"),
    ],
)
def test_rarity_in_words(rarity: Rarity, percent: int, sentence: str) -> None:
    assert (rarity.percent, rarity.sentence) == (percent, sentence)


def test_the_holders_of_a_large_brand_are_not_counted_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "MEMBERS_COUNTED", 0)
    world = World(SPEND)
    mine = badge(world, "actions", {"kinds": ["buy"]}, 1)
    user = User.objects.create_user("c@example.org")
    customer = join_brand(brand=world.brand, user=user, now=world.now)
    assert rarity_of(badge=mine, level=1) == Rarity(0, 1)
    world.record(action(("a", "11-20 10:00"), identifier=f"laurel:{customer.public_id}"))
    assert rarity_of(badge=mine, level=1) == Rarity(0, 1)
    [view] = badges_of(customer=customer)
    assert (view.level, view.rarity) == (1, Rarity(0, 1))


# --- how it runs


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is asked of the database about badges."""
    seen: list[str] = []

    def noted(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        seen.append(statement)
        return execute(statement, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "execute", noted)
        yield seen


def test_badges_are_judged_in_one_statement_and_only_if_they_can_have_changed() -> None:
    world = World(SPEND)
    with statements() as seen:
        world.record(("a", "11-20 10:00", 1))
    assert len(seen) == 1, "without badges there is only the question"
    for name, example in EXAMPLES.items():
        badge(world, name, example.parameters, example.target, slug=name)
    with statements() as seen:
        world.record(("b", "11-20 10:00", 1))
    assert len(seen) == 2
    with statements() as seen:
        world.record(("c", "11-20 10:00", None, {"kind": "post"}))
    assert len(seen) == 1


def test_a_page_asks_for_badges_in_two_statements() -> None:
    world = World(SPEND)
    for name, example in EXAMPLES.items():
        badge(world, name, example.parameters, example.target, slug=name)
    world.record(*EXAMPLES["streak"].actions)
    customer = world.customer()
    customer = Customer.objects.select_related("brand").get(pk=customer.pk)
    badges_of(customer=customer)
    with CaptureQueriesContext(connection) as captured, statements() as seen:
        assert len(badges_of(customer=customer)) == len(EXAMPLES)
    assert len(seen) == 2
    assert not [query for query in captured if "SAVEPOINT" not in query["sql"]]


def test_badges_that_are_wrong_are_found() -> None:
    world = World(SPEND)
    badge(world, "actions", {"kinds": ["buy"]}, 1, 2)
    world.record(("a", "11-20 10:00"), ("b", "11-21 10:00"))
    assert verify_ledger(brand=world.brand).checked["badges"] == 2
    BadgeEarned.objects.filter(level=1).update(earned_at=moment("11-19 10:00"))
    BadgeEarned.objects.filter(level=2).update(revoked_at=world.now, revoked_why="facts")
    differences = verify_ledger(brand=world.brand).differences
    assert [(one.what, one.rule, one.local_date) for one in differences] == [
        ("badge", "badge level 1", moment("11-20 10:00").date()),
        ("badge", "badge level 2", moment("11-21 10:00").date()),
    ]
    assert [(one.expected == 0, one.found == 0) for one in differences] == [
        (False, False),
        (False, True),
    ]
    score_all(brand=world.brand, now=world.now)
    world.verify()


# --- against the oracle


def some_badges(seed: int, kinds: list[Json]) -> list[Json]:
    """Random badges over what a history does: one of each criterion, some of two."""
    maker, random = Maker(seed), Random(seed)  # noqa: S311  # it must repeat itself
    units = {kind["slug"]: kind.get("unit") or "" for kind in kinds}
    made = []
    for name in [*CRITERIA, *random.sample(list(CRITERIA), 2)]:
        levels = sorted(random.sample((1, 2, 3, 5, 8, 13, 21), random.randint(1, 3)))
        parameters: Json
        if name == "score":
            parameters, levels = {}, sorted(random.sample(range(1, 1000), random.randint(1, 3)))
        elif name == "source_points":
            parameters = {"source": random.choice(list(Source)).slug}
            levels = [level * 5 for level in levels]
        elif name == "combination":
            requires = [
                maker.make_match(0.4) | {"count": random.choice([1, 1, 2, 3])}
                for _ in range(random.randint(1, 3))
            ]
            per = random.choice(["day", "week", "week", "month", "year", "ever", "ever"])
            parameters = {"requires": requires, "per": per}
        else:
            parameters = maker.make_match(0.4)
            if name == "streak":
                parameters |= {"per": random.choice(["day", "week", "week", "month"])}
                parameters |= {"count": random.choice([1, 1, 2])}
            if name == "quantity":
                unit = units[parameters["kinds"][0]]
                parameters["kinds"] = [one for one in parameters["kinds"] if units[one] == unit]
                levels = [level * 10 for level in levels]
        made.append({"criterion": name, "parameters": parameters, "levels": levels})
    return made


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + HISTORIES))
def test_badges_are_those_of_the_oracle_after_every_step(seed: int) -> None:
    whole = history(seed)
    world = test_properties.World(whole)
    told = some_badges(seed, whole.brand["kinds"])
    for n, one in enumerate(told):
        Badge.objects.create(brand=world.brand, slug=f"b{n}", title="B", source=1, **one)
    for step, state in zip([None, *whole.steps], states(whole), strict=True):
        if step is not None:
            world.take(step)
            agree(world, told, state)
    before = list(BadgeEarned.objects.order_by("pk").values())
    score_all(brand=world.brand, now=world.at)
    assert list(BadgeEarned.objects.order_by("pk").values()) == before
    assert verify_ledger(brand=world.brand).differences == []


def agree(world: test_properties.World, told: list[Json], state: State) -> None:
    """Everybody holds, since the same moment, what the oracle says, and is as far as it says."""
    actions = counting_actions(world.history.brand, state.records, state.owner)
    for name, pk in world.customers.items():
        own = [one for one in actions if one.customer == name]
        rows = BadgeEarned.objects.filter(customer_id=pk, revoked_at=None)
        found = {(row.badge.slug, row.level): row.earned_at for row in rows.select_related("badge")}
        customer = Customer.objects.select_related("brand").get(pk=pk)
        views = {view.badge.slug: view for view in badges_of(customer=customer)}
        expected: dict[tuple[str, int], datetime] = {}
        for n, one in enumerate(told):
            progress, moments = earned(one, own, state.rules)
            expected |= {(f"b{n}", level): at for level, at in moments.items()}
            view = views[f"b{n}"]
            assert view.level == len(moments), (name, one)
            assert view.progress == min(progress, view.target), (name, one)
            assert (view.progress >= view.target) == (view.next_level is None)
        assert found == expected, name


# --- what is wrong with one


@pytest.mark.parametrize(
    ("criterion", "parameters", "levels", "problem"),
    [
        (
            "luck",
            {},
            [1],
            (
                "criterion",
                "must be one of actions, quantity, venues, streak, combination, source_points, score",
            ),
        ),
        (
            "actions",
            {"kinds": ["gift"]},
            [1],
            ("parameters.kinds[0]", "the brand has no action kind 'gift'"),
        ),
        ("actions", {}, [1], ("parameters.kinds", "at least one action kind is needed here")),
        (
            "actions",
            {"kinds": ["buy"], "conditions": [{"field": "hour", "op": "is", "value": 24}]},
            [1],
            (
                "parameters.conditions[0].value",
                "must be an hour from 0 to 23; it is 24",
            ),
        ),
        (
            "quantity",
            {"kinds": ["buy", "use"]},
            [1],
            ("parameters.kinds", "quantities of different units cannot be added up"),
        ),
        (
            "streak",
            {"kinds": ["buy"], "per": "year"},
            [1],
            ("parameters.per", "must be one of day, week, month; it is 'year'"),
        ),
        (
            "combination",
            {"per": "week"},
            [1],
            ("parameters.requires", "at least one requirement is needed here"),
        ),
        ("score", {}, [1000], ("levels[0]", "must be between 1 and 999; it is 1000")),
        ("score", {}, [], ("levels", "one to 3 whole numbers are needed here")),
        ("score", {}, [1, 2, 3, 4], ("levels", "one to 3 whole numbers are needed here")),
        ("score", {}, 5, ("levels", "one to 3 whole numbers are needed here")),
        ("score", {}, [0], ("levels[0]", "must be between 1 and 999; it is 0")),
        ("score", {}, [5, 5], ("levels[1]", "must be more than 5")),
        ("score", {}, [5, None, 6], ("levels[1]", "a whole number is needed here")),
        ("score", {"city": "London"}, [1], ("parameters.city", "this key is not known here")),
        ("score", [], [1], ("parameters", "this must be an object")),
    ],
)
def test_what_is_wrong_with_a_badge_is_named(
    criterion: str, parameters: Json, levels: Any, problem: tuple[str, str]
) -> None:
    vocabulary = Vocabulary.of(brand_with())
    with pytest.raises(BadgeError) as raised:
        parse_badge(
            criterion=criterion, parameters=parameters, levels=levels, vocabulary=vocabulary
        )
    assert problem in raised.value.problems


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        ([("venue", "is", "soho")], "buy at Soho"),
        ([("venue", "in", ["soho", "camden"])], "buy at Soho or Camden"),
        ([("weekday", "in", ["sat", "sun"])], "buy on Saturday or Sunday"),
        ([("hour", "at_least", 18), ("venue", "is", "soho")], "buy from 18:00 on at Soho"),
        ([("hour", "at_most", 9)], "buy, when hour is at most 9:00"),
        (
            [("quantity", "at_least", 5), ("venue", "is", "soho"), ("channel", "is_set", None)],
            "buy at Soho, when quantity is at least 5 and channel is given",
        ),
    ],
)
def test_what_it_takes_is_said_in_words(
    conditions: list[tuple[str, str, Any]], sentence: str
) -> None:
    vocabulary = Vocabulary.of(brand_with())
    parsed = parse_badge(
        criterion="actions",
        parameters={
            "kinds": ["buy"],
            "conditions": [
                {"field": field, "op": op, "value": value} for field, op, value in conditions
            ],
        },
        levels=[1],
        vocabulary=vocabulary,
    )
    assert parsed.sentence(1, vocabulary) == sentence


@pytest.mark.parametrize(
    ("per", "sentences"),
    [
        ("day", ("buy + visit, on one day", "buy + visit, on each of 2 days")),
        ("month", ("buy + visit, in one month", "buy + visit, in each of 2 months")),
        ("year", ("buy + visit, in one year", "buy + visit, in each of 2 years")),
        ("ever", ("buy + visit", "buy + visit, 2 times over")),
    ],
)
def test_a_combination_in_words(per: str, sentences: tuple[str, str]) -> None:
    vocabulary = Vocabulary.of(brand_with())
    parsed = parse_badge(
        criterion="combination",
        parameters={"requires": [{"kinds": ["buy"]}, {"kinds": ["visit"]}], "per": per},
        levels=[1, 2],
        vocabulary=vocabulary,
    )
    assert (parsed.sentence(1, vocabulary), parsed.sentence(2, vocabulary)) == sentences


def test_a_streak_and_a_quantity_in_words() -> None:
    vocabulary = Vocabulary.of(brand_with())
    said = [
        parse_badge(
            criterion=criterion, parameters=parameters, levels=[1, 2], vocabulary=vocabulary
        ).sentence(level, vocabulary)
        for criterion, parameters in (
            ("streak", {"kinds": ["buy"], "per": "week"}),
            ("streak", {"kinds": ["buy"], "per": "month"}),
            ("quantity", {"kinds": ["use"]}),
            ("quantity", {"kinds": ["visit"]}),
        )
        for level in (1, 2)
    ]
    assert said == [
        "buy in 1 week",
        "buy in each of 2 weeks in a row",
        "buy in 1 month",
        "buy in each of 2 months in a row",
        "use: 1 km in all",
        "use: 2 km in all",
        "visit: 1 in all",
        "visit: 2 in all",
    ]
