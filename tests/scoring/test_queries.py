"""What pages ask: each answer against one worked by hand."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from accounts.models import Customer, StaffRole, User
from scoring.actions import parse_record, record_actions
from scoring.models import Source
from scoring.queries import (
    Board,
    activity,
    board_around,
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


# Boards


def board_of(
    points: list[int], *, slug: str = "brand", hidden: int = 0
) -> tuple[World, list[Customer]]:
    """A board of claimed customers with these points this week; the last ``hidden`` of them do not appear."""
    world = World(SPEND, slug=slug)
    customers = []
    for n, one in enumerate(points):
        world.record(action((f"a{n}", "2026-11-30 09:00", one), identifier=f"card:{n}"))
        customer = world.customer(f"card:{n}")
        customer.user = User.objects.create_user(f"c{n}@{slug}.example.org")
        customer.pseudonym = f"Heron {n}"
        customer.on_boards = n < len(points) - hidden
        customer.save()
        customers.append(customer)
    return world, customers


def seen(board: Board | None) -> list[tuple[int, bool, str, int, bool, str]]:
    assert board is not None
    return [
        (row.rank, row.shared, row.pseudonym, row.points, row.is_me, row.gap) for row in board.rows
    ]


POINTS = [90, 80, 70, 70, 50, 40, 30, 20, 10, 0]


def test_a_board_shows_who_is_just_above_and_below() -> None:
    _world, customers = board_of(POINTS)
    board = board_around(customer=customers[4], on=ON, size=2)
    assert seen(board) == [
        (3, True, "Heron 2", 70, False, "20 points ahead"),
        (3, True, "Heron 3", 70, False, "20 points ahead"),
        (5, False, "Heron 4", 50, True, ""),
        (6, False, "Heron 5", 40, False, "10 points behind"),
        (7, False, "Heron 6", 30, False, "20 points behind"),
    ]
    assert board is not None
    assert (board.since, board.members) == (date(2026, 11, 30), 10)


def test_who_is_level_shares_the_rank() -> None:
    _world, customers = board_of(POINTS)
    assert seen(board_around(customer=customers[3], on=ON, size=1)) == [
        (2, False, "Heron 1", 80, False, "10 points ahead"),
        (3, True, "Heron 3", 70, True, ""),
        (3, True, "Heron 2", 70, False, "level with you"),
    ]


def test_a_board_ends_with_its_first_and_last() -> None:
    _world, customers = board_of(POINTS)
    assert [row[2] for row in seen(board_around(customer=customers[0], on=ON, size=1))] == [
        "Heron 0",
        "Heron 1",
    ]
    assert [row[2] for row in seen(board_around(customer=customers[9], on=ON, size=1))] == [
        "Heron 8",
        "Heron 9",
    ]


def test_fewer_than_ten_are_no_board_and_who_is_not_on_it_sees_none() -> None:
    _world, customers = board_of([*POINTS, 5], hidden=1)
    assert board_around(customer=customers[0], on=ON) is not None
    assert board_around(customer=customers[10], on=ON) is None
    customers[9].on_boards = False
    customers[9].save()
    assert board_around(customer=customers[0], on=ON) is None


def test_staff_of_the_brand_are_not_on_it() -> None:
    world, customers = board_of([*POINTS, 5])
    assert customers[1].user is not None
    StaffRole.objects.create(brand=world.brand, user=customers[1].user, role="marketer")
    board = board_around(customer=customers[0], on=ON, size=10)
    assert "Heron 1" not in {row[2] for row in seen(board)}
    assert board is not None
    assert board.members == 10
    # Staff of another brand are customers like others here.
    assert customers[2].user is not None
    StaffRole.objects.create(brand=brand_with(slug="other"), user=customers[2].user, role="manager")
    assert "Heron 2" in {row[2] for row in seen(board_around(customer=customers[0], on=ON))}


def test_only_points_of_this_week_so_far_count() -> None:
    world, customers = board_of(POINTS)
    world.now = NOW + timedelta(days=3)
    world.record(
        action(("last week", "2026-11-29 23:59", 500), identifier="card:8"),
        action(("today", "2026-12-01 09:00", 3), identifier="card:8"),
        action(("tomorrow", "2026-12-02 09:00", 500), identifier="card:8"),
    )
    [mine] = [row for row in seen(board_around(customer=customers[8], on=ON)) if row[4]]
    assert mine[3] == 13


def test_unclaimed_customers_are_on_no_board() -> None:
    world, customers = board_of(POINTS)
    world.record(action(("b", "2026-11-30 09:00", 1000), identifier=BOB))
    board = board_around(customer=customers[0], on=ON)
    assert board is not None
    assert board.members == 10


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
    scores = list(top_customers(brand=world.brand))
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
    first, second = iter_scores(brand=world.brand, on=ON)
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
