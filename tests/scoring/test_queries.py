"""What pages ask: each answer against one worked by hand."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.consent import audience
from accounts.models import Purpose, User
from scoring.actions import parse_record, record_actions
from scoring.models import Source
from scoring.queries import (
    activity,
    get_activity,
    get_score,
    iter_awards,
    iter_scores,
    score_on,
    top_customers,
    what_moved,
)
from scoring.run import score_day

from .world import (
    ANN,
    BOB,
    NOW,
    Json,
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
FADING = {"purchases": {"half_life_days": 8}, "physical_visits": {"half_life_days": 8}}
SPEND = rule("earn", rate=1)


# The score


def test_a_score_is_told_source_by_source() -> None:
    world = World(SPEND, shapes=FADING)
    world.record(("a", "11-23 10:00", 100), ("old", "2026-06-01 10:00", None))
    view = get_score(customer=world.customer(), on=ON)
    # 50 of 100 points are left after one half-life: 300 x (1 - 2^(-50/100)).
    assert (view.score, view.points, view.rule_set_version) == (Decimal("87.868"), 100, 1)
    assert not view.is_due
    assert [source.source for source in view.sources] == list(Source)
    purchases = view.sources[Source.PURCHASES - 1]
    assert (purchases.weight, purchases.points, purchases.worth) == (30, 100, Decimal("87.868"))
    assert purchases.sub_score == pytest.approx(29.289, abs=0.001)
    assert (purchases.half_life_days, purchases.halfway_points) == (Decimal(8), Decimal(100))
    # Of the last 90 days; the one of June is not among them.
    assert purchases.actions_in_90_days == 1
    assert sum((source.worth for source in view.sources), Decimal(0)) == view.score


def test_only_actions_that_count_are_counted_as_recent() -> None:
    world = World(SPEND)
    world.record(
        ("a", "11-23 10:00"),
        ("v", "11-23 10:00"),
        void("v1", "v"),
        action(("p", "11-23 10:00"), state="pending"),
        action(("r", "11-23 10:00"), state="pending"),
        decision("d1", "r", accepted=False),
        action(("k", "11-23 10:00"), state="pending"),
        decision("d2", "k", accepted=True),
    )
    view = get_score(customer=world.customer(), on=ON)
    assert view.sources[Source.PURCHASES - 1].actions_in_90_days == 2


def test_who_waits_to_be_scored_is_told_so() -> None:
    world = World(SPEND)
    rows = [parse_record(action(("a", "11-23 10:00", 100)))]
    record_actions(brand=world.brand, rows=rows, now=NOW)
    assert get_score(customer=world.customer(), on=ON).is_due
    assert not get_score(customer=world.customer(BOB), on=ON).is_due
    world.score()
    assert not get_score(customer=world.customer(), on=ON).is_due


def test_without_rules_a_score_is_nothing() -> None:
    world = World()
    customer = world.customer()
    customer.brand = brand_with(slug="other")
    view = get_score(customer=customer, on=ON)
    assert (view.score, view.points) == (Decimal(0), 0)
    assert (view.sources, view.rule_set_version) == ((), None)


@pytest.mark.parametrize(
    ("on", "score"),
    [
        ("2026-11-22", "150.000"),  # before it: in full
        ("2026-11-23", "150.000"),
        ("2026-12-01", "87.868"),
        ("2026-12-09", "47.731"),  # 25 left: 300 x (1 - 2^(-1/4))
        ("2036-01-01", "0.000"),
    ],
)
def test_what_the_awards_of_today_are_worth_on_another_day(on: str, score: str) -> None:
    world = World(SPEND, shapes=FADING)
    world.record(("a", "11-23 10:00", 100))
    assert score_on(customer=world.customer(), on=date.fromisoformat(on)) == Decimal(score)


def test_the_day_begins_with_what_is_left_and_only_once() -> None:
    world = World(SPEND, shapes=FADING, zone="Pacific/Kiritimati")
    world.record(("a", "11-30 10:00", 100))
    assert world.stored().scored_on == date(2026, 12, 2)
    revision = world.stored().revision
    later = NOW + timedelta(days=8)
    assert score_day(brand=world.brand, now=later) == 1
    assert score_day(brand=world.brand, now=later) == 0
    stored = world.stored()
    assert (stored.revision, stored.scored_on) == (revision + 1, date(2026, 12, 10))
    assert stored.score == score_on(customer=world.customer(), on=date(2026, 12, 10))
    assert len(world.postings()) == 1
    world.verify()


# What moved it


def test_before_and_earned_less_faded_is_after() -> None:
    world = World(SPEND, rule("earn", "thanks", points=1, kinds=["post"]), shapes=FADING)
    world.record(
        ("old", "11-01 10:00", 100),
        ("new", "11-28 10:00", 60),
        ("late", "11-10 10:00", 40),
        action(("pending", "11-29 10:00", 40), state="pending"),
        ("free", "11-29 10:00", 0),
        ("void", "11-29 10:00", 10),
        void("v", "void"),
    )
    moved = what_moved(customer=world.customer(), since=date(2026, 11, 24), on=ON)
    assert moved.before + moved.earned - moved.faded == moved.after
    assert moved.after == world.stored().score
    assert min(moved.earned, moved.faded) > 0
    assert moved.points == 60
    assert [(line.label, line.points, line.why, line.pending) for line in moved.lines] == [
        ("buy", 0, "Waiting for review", True),
        ("buy", 60, "Earn", False),
    ]


def test_what_moved_names_the_venue_and_the_rules_as_they_read_today() -> None:
    world = World(SPEND, rule("bonus", percent=50))
    world.record(("a", "11-28 10:00", 60, {"venue": "soho"}))
    world.publish(document(SPEND | {"title": "Better"}, rule("bonus", percent=50)), "now")
    [line] = what_moved(customer=world.customer(), since=date(2026, 11, 24), on=ON).lines
    assert (line.label, line.why, line.points) == ("buy, Soho", "Better, Bonus", 90)
    assert line.local_date == date(2026, 11, 28)


def test_a_day_on_which_nothing_moved() -> None:
    world = World(SPEND)
    world.record(("a", "11-01 10:00", 60))
    moved = what_moved(customer=world.customer(), since=date(2026, 11, 24), on=ON)
    assert (moved.lines, moved.points) == ((), 0)
    assert moved.earned == moved.faded == 0
    assert moved.before == moved.after == world.stored().score


# Activity


def test_every_action_is_told_with_what_became_of_it() -> None:
    world = World(SPEND)
    world.record(
        ("counted", "11-23 10:00", 5, {"venue": "soho"}),
        ("no_points", "11-23 11:00", 0),
        action(("pending", "11-23 12:00", 5), state="pending"),
        action(("rejected", "11-23 13:00", 5), state="pending"),
        decision("d", "rejected", accepted=False),
        ("reversed", "11-23 14:00", 5),
        void("v", "reversed"),
        ("corrected", "11-23 15:00", 5),
        correction("c", "corrected", 3),
    )
    lines = activity(customer=world.customer(), limit=10)
    assert [(line.state, line.points, int(line.quantity or 0), line.titles) for line in lines] == [
        ("counted", 3, 3, ["Earn"]),
        ("reversed", 0, 5, []),
        ("rejected", 0, 5, []),
        ("pending", 0, 5, []),
        ("no_points", 0, 0, []),
        ("counted", 5, 5, ["Earn"]),
    ]
    last = lines[-1]
    assert (last.kind_label, last.source, last.venue_name, last.unit) == (
        "buy",
        Source.PURCHASES,
        "Soho",
        "GBP",
    )


def test_activity_goes_on_from_the_last_line_seen() -> None:
    world = World(SPEND)
    ids = world.record(*((f"a{n}", "11-23 10:00", n) for n in range(5)))
    first = activity(customer=world.customer(), limit=2)
    then = activity(
        customer=world.customer(), limit=9, before=(first[-1].occurred_at, first[-1].action_id)
    )
    assert [line.action_id for line in (*first, *then)] == sorted(ids, reverse=True)


def test_activity_of_some_states_and_days_looks_past_all_others() -> None:
    world = World(SPEND)
    world.record(
        ("old", "11-20 10:00", 5),
        *((f"n{n}", f"11-21 1{n}:00", 0) for n in range(5)),
        action(("pending", "11-22 12:00", 5), state="pending"),
        ("late", "11-22 23:30", 7),
    )
    customer = world.customer()

    def points(**asked: Any) -> list[int]:
        return [line.points for line in activity(customer=customer, limit=2, **asked)]

    assert points(states=("counted",)) == [7, 5]
    assert points(states=("pending", "counted")) == [7, 0]
    assert points(states=("reversed",)) == []
    assert points(since=date(2026, 11, 22)) == [7, 0]
    assert points(until=date(2026, 11, 20)) == [5]
    assert points(since=date(2026, 11, 21), until=date(2026, 11, 21), states=("counted",)) == []


def test_activity_of_a_source_has_the_points_that_were_given_there() -> None:
    world = World(
        SPEND,
        rule(
            "combo",
            source="social_media",
            points=9,
            per="day",
            requires=[{"kinds": ["buy"], "count": 2}],
        ),
    )
    world.record(("a", "11-23 10:00", 5), ("b", "11-23 11:00", 6))
    customer = world.customer()
    bought = activity(customer=customer, limit=9, source=Source.PURCHASES)
    social = activity(customer=customer, limit=9, source=Source.SOCIAL_MEDIA)
    assert [line.points for line in bought] == [6, 5]
    assert [line.points for line in social] == [9]
    assert activity(customer=customer, limit=9, source=Source.PRODUCT_USAGE) == []


def test_one_of_ones_own_actions_and_nobody_elses() -> None:
    world = World(SPEND)
    mine, theirs = world.record(
        ("a", "11-23 10:00", 5), action(("b", "11-23 10:00", 5), identifier=BOB)
    )
    line = get_activity(customer=world.customer(), action_id=mine)
    assert line is not None
    assert line.action_id == mine
    assert get_activity(customer=world.customer(), action_id=theirs) is None
    assert get_activity(customer=world.customer(), action_id=0) is None
    assert len(activity(customer=world.customer(), limit=9)) == 1


# Lists


def test_top_customers_share_ranks() -> None:
    world = World(SPEND)
    other = World(SPEND, slug="other")
    other.record(("a", "11-23 10:00", 999))
    records: list[Json] = [
        action((f"a{n}", "11-23 10:00", points), identifier=f"card:{n}")
        for n, points in enumerate([50, 90, 90, 10])
    ]
    world.record(*records)
    scores = list(top_customers(audience=audience(brand=world.brand, purpose=Purpose.SCORE)))
    assert [(score.points, score.rank) for score in scores] == [  # type: ignore[attr-defined]
        (90, 1),
        (90, 1),
        (50, 3),
        (10, 4),
    ]


def test_everybody_is_exported_with_their_identifiers_and_parts() -> None:
    world = World(SPEND, shapes=FADING)
    world.record(("a", "11-23 10:00", 100))
    idle = world.customer("card:8123")
    claimed = world.customer()
    claimed.user = User.objects.create_user("ann@example.org")
    claimed.save()
    first, second = iter_scores(audience=audience(brand=world.brand, purpose=Purpose.SCORE), on=ON)
    assert first.identifiers == [ANN, f"laurel:{claimed.public_id}"]
    assert (first.customer_id, first.email, first.points, first.score) == (
        claimed.pk,
        "ann@example.org",
        100,
        Decimal("87.868"),
    )
    assert first.source_points == [0, 100, 0, 0, 0, 0]
    assert first.sub_scores == pytest.approx([0, 29.289, 0, 0, 0, 0], abs=0.001)
    assert (second.customer_id, second.email, second.score) == (idle.pk, None, Decimal(0))


def test_every_award_that_holds_is_exported() -> None:
    world = World(SPEND, rule("bonus", percent=50))
    world.record(("a", "11-23 10:00", 100), ("b", "11-23 10:00", 10), void("v", "b"))
    assert [
        (row.external_id, row.rule, row.source, row.on, row.points)
        for row in iter_awards(brand=world.brand)
    ] == [
        ("a", "bonus", Source.PURCHASES, date(2026, 11, 23), 50),
        ("a", "earn", Source.PURCHASES, date(2026, 11, 23), 100),
    ]
