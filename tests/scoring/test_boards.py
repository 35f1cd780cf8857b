"""Boards: who stands around whom, what is told of the gaps, and how weeks and seasons close."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from random import Random
from typing import NamedTuple

import pytest
from django.db.models import Sum

from accounts.models import Brand, Customer, StaffRole, User
from scoring.boards import (
    Board,
    GapUnit,
    Period,
    Span,
    VenueBoard,
    around,
    board_points,
    choose_home,
    close_boards,
    closed,
    span_of,
    venues,
)
from scoring.models import ClosedBoard, ClosedPlace, Posting, Source, Venue

from .world import BOB, NOW, World, action, brand_with, correction, rule, void

pytestmark = pytest.mark.django_db

ON = NOW.date()
SPEND = rule("earn", rate=1)
VISIT = rule("earn", "visit", kinds=["visit"], points=25)
POINTS = [90, 80, 70, 70, 50, 40, 30, 20, 10, 0]


def board_of(points: list[int], *, hidden: int = 0, world: World | None = None) -> list[Customer]:
    """Claimed customers with these points this week; the last ``hidden`` of them do not appear on boards."""
    world = world or World(SPEND)
    customers = []
    for n, one in enumerate(points):
        world.record(action((f"a{n}", "2026-11-30 09:00", one), identifier=f"card:{n}"))
        customers.append(member(world, n, on_boards=n < len(points) - hidden))
    return customers


def member(world: World, n: int, *, on_boards: bool = True) -> Customer:
    """The holder of ``card:n``, with a login, a pseudonym and a day on which they joined."""
    customer = world.customer(f"card:{n}")
    customer.user = User.objects.create_user(f"c{n}@{world.brand.slug}.example.org")
    customer.pseudonym = f"Heron {n}"
    customer.on_boards = on_boards
    customer.joined_at = datetime(2026, 1, 1, tzinfo=UTC)
    customer.save()
    return customer


def hire(customer: Customer) -> None:
    assert customer.user
    StaffRole.objects.create(brand=customer.brand, user=customer.user, role="marketer")


def leave(customer: Customer) -> None:
    customer.on_boards = False
    customer.save()


def seen(board: Board | None) -> list[tuple[int, bool, str, int, bool, str]]:
    assert board is not None
    return [
        (row.rank, row.shared, row.pseudonym, row.points, row.is_me, row.gap) for row in board.rows
    ]


def names(board: Board | None) -> list[str]:
    return [row[2] for row in seen(board)]


# Around me


def test_a_board_shows_who_is_just_above_and_below() -> None:
    customers = board_of(POINTS)
    board = around(customer=customers[4], on=ON, size=2)
    assert seen(board) == [
        (3, True, "Heron 2", 70, False, "20 points ahead of you"),
        (3, True, "Heron 3", 70, False, "20 points ahead of you"),
        (5, False, "Heron 4", 50, True, ""),
        (6, False, "Heron 5", 40, False, "10 points behind you"),
        (7, False, "Heron 6", 30, False, "20 points behind you"),
    ]
    assert board is not None
    assert (board.members, board.missing) == (10, 0)
    assert board.span == Span(Period.WEEK, date(2026, 11, 30), date(2026, 12, 6))
    assert board.ahead == "You are 20 points behind Heron 3."


def test_three_above_me_and_three_below() -> None:
    customers = board_of(POINTS)
    assert names(around(customer=customers[4], on=ON)) == [f"Heron {n}" for n in range(1, 8)]


def test_who_is_level_shares_the_rank() -> None:
    customers = board_of(POINTS)
    assert seen(around(customer=customers[3], on=ON, size=1)) == [
        (2, False, "Heron 1", 80, False, "10 points ahead of you"),
        (3, True, "Heron 3", 70, True, ""),
        (3, True, "Heron 2", 70, False, "level with you"),
    ]


def test_a_board_ends_with_its_first() -> None:
    customers = board_of(POINTS)
    board = around(customer=customers[0], on=ON, size=1)
    assert names(board) == ["Heron 0", "Heron 1"]
    assert board is not None
    assert board.ahead == ""


def test_nobody_without_points_is_told_a_rank() -> None:
    """On a Monday morning everyone would be first and last at once."""
    customers = board_of([5, *[0] * 10])
    rows = seen(around(customer=customers[4], on=ON, size=9))
    assert rows[0][:2] == (1, False)
    assert {row[:2] for row in rows[1:]} == {(0, False)}


def test_the_first_can_be_shown_above_and_what_is_left_out_between() -> None:
    customers = board_of([100 - 5 * n for n in range(15)])
    board = around(customer=customers[10], on=ON, size=1, top=3)
    assert board is not None
    assert [(row.rank, row.skips) for row in board.rows] == [
        (1, False),
        (2, False),
        (3, False),
        (10, True),
        (11, False),
        (12, False),
    ]
    board = around(customer=customers[3], on=ON, size=1, top=3)
    assert board is not None
    assert [(row.rank, row.skips) for row in board.rows] == [(n, False) for n in range(1, 6)]


def test_a_board_of_one_source_counts_its_points_alone() -> None:
    world = World(SPEND, VISIT)
    customers = board_of(POINTS, world=world)
    world.record(
        action(("v", "2026-11-30 10:00", None), identifier="card:8", kind="visit"),
    )
    board = around(customer=customers[8], on=ON, source=Source.PHYSICAL_VISITS, size=1)
    assert [row[:4] for row in seen(board)] == [
        (1, False, "Heron 8", 25),
        (0, False, "Heron 0", 0),
    ]
    board = around(customer=customers[8], on=ON, source=Source.PURCHASES, size=0)
    assert [row[:4] for row in seen(board)] == [(9, False, "Heron 8", 10)]
    board = around(customer=customers[8], on=ON, size=0)
    assert [row[:4] for row in seen(board)] == [(7, False, "Heron 8", 35)]


def test_only_points_of_this_week_so_far_count() -> None:
    world = World(SPEND)
    customers = board_of(POINTS, world=world)
    world.now = NOW + timedelta(days=3)
    world.record(
        action(("last week", "2026-11-29 23:59", 500), identifier="card:8"),
        action(("today", "2026-12-01 09:00", 3), identifier="card:8"),
        action(("tomorrow", "2026-12-02 09:00", 500), identifier="card:8"),
    )
    [mine] = [row for row in seen(around(customer=customers[8], on=ON)) if row[4]]
    assert mine[3] == 13
    [mine] = [row for row in seen(around(customer=customers[8], on=ON, period="season")) if row[4]]
    assert mine[3] == 513


def test_an_avatar_is_the_same_each_time_and_another_under_another_name() -> None:
    customers = board_of(POINTS)

    def seeds() -> list[str]:
        board = around(customer=customers[4], on=ON)
        assert board is not None
        return [row.seed for row in board.rows]

    first = seeds()
    assert seeds() == first
    assert len(set(first)) == 7
    assert not any(str(customer.public_id) in first for customer in customers)
    Customer.objects.filter(pk=customers[4].pk).update(pseudonym="Heron X")
    assert [old == new for old, new in zip(first, seeds(), strict=True)].count(False) == 1


# Who is on it


def test_fewer_than_ten_are_no_board_and_it_says_how_many_are_missing() -> None:
    customers = board_of([*POINTS, 5], hidden=1)
    assert len(names(around(customer=customers[0], on=ON))) == 4
    assert around(customer=customers[10], on=ON) is None
    leave(customers[9])
    board = around(customer=customers[0], on=ON)
    assert board is not None
    assert (board.rows, board.missing, board.ahead) == ((), 1, "")


def test_who_leaves_is_gone_at_once_from_every_board() -> None:
    customers = board_of([*POINTS, 5])
    leave(customers[3])
    for period in Period:
        for source in (None, Source.PURCHASES):
            board = around(
                customer=customers[4], on=ON, period=period, source=source, size=20, top=3
            )
            assert "Heron 3" not in names(board)
            assert board is not None
            assert (board.members, board.rows[2].shared) == (10, False)


def test_staff_of_the_brand_are_not_on_it() -> None:
    customers = board_of([*POINTS, 5])
    hire(customers[1])
    board = around(customer=customers[0], on=ON, size=10)
    assert "Heron 1" not in names(board)
    assert board is not None
    assert board.members == 10
    assert around(customer=customers[1], on=ON) is None
    # Staff of another brand are customers like others here.
    assert customers[2].user is not None
    StaffRole.objects.create(brand=brand_with(slug="other"), user=customers[2].user, role="manager")
    assert "Heron 2" in names(around(customer=customers[0], on=ON))


def test_unclaimed_customers_and_those_of_other_brands_are_on_no_board() -> None:
    world = World(SPEND)
    customers = board_of(POINTS, world=world)
    world.record(action(("b", "2026-11-30 09:00", 1000), identifier=BOB))
    other = World(SPEND, slug="other")
    board_of([500, 400], world=other)
    board = around(customer=customers[0], on=ON)
    assert board is not None
    assert (board.members, board.rows[0].pseudonym) == (10, "Heron 0")


# Gaps as actions

VISITS = GapUnit("check_in", "Check-in", Source.PHYSICAL_VISITS, (25, 50, 50, 60))


@pytest.mark.parametrize(
    ("points", "gap"),
    [
        (51, "1 check-in ahead of you"),
        (75, "1 check-in ahead of you"),
        (76, "2 check-ins ahead of you"),
        (101, "4 check-ins ahead of you"),  # the third gives nothing: a limit
        (111, "61 points ahead of you"),  # beyond what was foreseen
        (50, "level with you"),
        (49, "1 check-in behind you"),
        (24, "2 check-ins behind you"),
    ],
)
def test_a_gap_is_told_in_actions(points: int, gap: str) -> None:
    customers = board_of([50, points, *[0] * 8])
    board = around(customer=customers[0], on=ON, unit=VISITS)
    assert [row[5] for row in seen(board) if row[2] == "Heron 1"] == [gap]


@pytest.mark.parametrize(
    ("unit", "points", "sentence"),
    [
        (None, 51, "You are 1 point behind Heron 1."),
        (None, 60, "You are 10 points behind Heron 1."),
        (VISITS, 60, "You are 1 check-in behind Heron 1."),
        (VISITS, 100, "You are 2 check-ins behind Heron 1."),
        (VISITS, 500, "You are 450 points behind Heron 1."),
        (VISITS, 50, ""),
    ],
)
def test_the_next_one_above_is_told_in_a_sentence(
    unit: GapUnit | None, points: int, sentence: str
) -> None:
    customers = board_of([50, points, *[0] * 8])
    board = around(customer=customers[0], on=ON, unit=unit)
    assert board is not None
    assert board.ahead == sentence


@pytest.mark.parametrize(
    ("points", "gap", "sentence"),
    [
        (51, "ahead of you by one “Brew”", "You are one “Brew” behind Heron 1."),
        (60, "ahead of you by 2 times “Brew”", "You are 2 times “Brew” behind Heron 1."),
        (49, "behind you by one “Brew”", ""),
        (40, "behind you by 2 times “Brew”", ""),
    ],
)
def test_actions_of_the_brands_own_kinds_are_called_by_their_label(
    points: int, gap: str, sentence: str
) -> None:
    customers = board_of([50, points, *[0] * 8])
    unit = GapUnit("usage", "Brew", Source.PRODUCT_USAGE, (5, 10))
    board = around(customer=customers[0], on=ON, unit=unit)
    assert board is not None
    assert [row[5] for row in seen(board) if row[2] == "Heron 1"] == [gap]
    assert board.ahead == sentence


def test_an_action_of_another_source_moves_nothing_on_the_board_of_one() -> None:
    customers = board_of([50, 60, *[0] * 8])
    board = around(customer=customers[0], on=ON, source=Source.PURCHASES, unit=VISITS)
    assert board is not None
    assert board.ahead == "You are 10 points behind Heron 1."


# What is behind the number


def test_my_points_are_the_sum_of_their_actions() -> None:
    world = World(SPEND, rule("bonus", percent=50), VISIT)
    customers = board_of(POINTS, world=world)
    world.record(
        action(("b", "2026-12-01 09:00", 40, {"venue": "soho"}), identifier="card:4"),
        action(("v", "2026-12-01 10:00", None), identifier="card:4", kind="visit"),
        action(("old", "2026-11-29 10:00", 7), identifier="card:4"),
        action(("gone", "2026-12-01 09:00", 9), identifier="card:4"),
        void("void", "gone"),
        correction("c", "a4", 20),
    )
    behind = board_points(customer=customers[4], on=ON)
    assert [(line.label, line.points) for line in behind.lines] == [
        ("visit", 25),
        ("buy, Soho", 60),
        ("buy", 30),
    ]
    for source in (None, Source.PURCHASES, Source.SOCIAL_MEDIA):
        for period in Period:
            board = around(customer=customers[4], on=ON, period=period, source=source, size=0)
            behind = board_points(customer=customers[4], on=ON, period=period, source=source)
            assert board is not None
            assert (
                behind.points == board.rows[0].points == sum(line.points for line in behind.lines)
            )
            assert behind.span == board.span


# Seasons


@pytest.mark.parametrize(
    ("season", "on", "since", "until"),
    [
        ("month", "2026-02-28", "2026-02-01", "2026-02-28"),
        ("month", "2028-02-01", "2028-02-01", "2028-02-29"),
        ("month", "2026-12-31", "2026-12-01", "2026-12-31"),
        ("quarter", "2026-01-01", "2026-01-01", "2026-03-31"),
        ("quarter", "2026-06-30", "2026-04-01", "2026-06-30"),
        ("quarter", "2026-08-15", "2026-07-01", "2026-09-30"),
        ("quarter", "2026-12-31", "2026-10-01", "2026-12-31"),
    ],
)
def test_a_season_is_a_month_or_a_quarter(season: str, on: str, since: str, until: str) -> None:
    brand = brand_with()
    brand.season = season
    span = span_of(brand=brand, on=date.fromisoformat(on), period="season")
    assert (span.since.isoformat(), span.until.isoformat()) == (since, until)


@pytest.mark.parametrize("months", range(1, 13))
@pytest.mark.parametrize("season", Brand.Season)
def test_seasons_and_weeks_leave_no_day_out(season: str, months: int) -> None:
    brand = brand_with()
    brand.season = season
    on = date(2027, months, 1)
    for period in Period:
        span = span_of(brand=brand, on=on, period=period)
        assert span.since <= on <= span.until
        after = span_of(brand=brand, on=span.until + timedelta(days=1), period=period)
        assert after.since == span.until + timedelta(days=1)


def test_a_brand_that_changes_its_seasons_counts_no_day_twice() -> None:
    brand = founded(brand_with(), "2026-09-01")
    set_season(brand, "month")
    close_boards(brand=brand, now=datetime(2026, 11, 5, tzinfo=UTC))
    set_season(brand, "quarter")
    span = span_of(brand=brand, on=date(2026, 11, 20), period="season")
    assert (span.since, span.until) == (date(2026, 11, 1), date(2026, 12, 31))
    close_boards(brand=brand, now=datetime(2027, 1, 2, tzinfo=UTC))
    set_season(brand, "month")
    close_boards(brand=brand, now=datetime(2027, 2, 2, tzinfo=UTC))
    assert spans(brand, Period.SEASON) == [
        ("2026-09-01", "2026-09-30"),
        ("2026-10-01", "2026-10-31"),
        ("2026-11-01", "2026-12-31"),
        ("2027-01-01", "2027-01-31"),
    ]


# Venue against venue


def test_venues_play_by_points_per_member() -> None:
    world = World(SPEND)
    customers = board_of([90, 80, 71, 70, 50, 40, 30, 20, 10, 0], world=world)
    soho, camden = Venue.objects.filter(brand=world.brand).order_by("-slug")
    small = Venue.objects.create(brand=world.brand, slug="york", name="York")
    for customer, venue in zip(
        customers, [soho] * 3 + [camden] * 4 + [small] * 2 + [None], strict=True
    ):
        choose_home(customer=customer, venue=venue)
    board = venues(brand=world.brand, on=ON, home=camden.pk)
    assert venues_seen(board) == [
        (1, False, "Soho", "80", 3, False),
        (2, False, "Camden", "48", 4, True),  # 190 / 4 = 47.5
    ]
    # A third member brings a venue onto the board; who leaves or works there takes it off.
    choose_home(customer=customers[9], venue=small)
    assert len(venues(brand=world.brand, on=ON).rows) == 3
    for customer in board_of([0, 0], world=World(SPEND, slug="other")):
        customer.brand = world.brand
    hire(customers[9])
    Customer.objects.filter(pk=customers[9].pk).update(on_boards=True)
    assert venues(brand=world.brand, on=ON).missing == 1


def venues_seen(board: VenueBoard) -> list[tuple[int, bool, str, str, int, bool]]:
    return [
        (row.rank, row.shared, row.name, str(row.shown), row.members, row.is_mine)
        for row in board.rows
    ]


@pytest.mark.parametrize(
    ("points", "shown"),
    [
        ([10, 10, 11, 10, 10, 10], ["10.3", "10.0"]),
        ([10, 10, 10, 10, 10, 10], ["10", "10"]),
        ([11, 11, 10, 10, 10, 10], ["11", "10"]),
        ([0, 0, 0, 0, 0, 0], ["0", "0"]),
    ],
)
def test_a_decimal_is_shown_where_two_would_look_the_same(
    points: list[int], shown: list[str]
) -> None:
    world = World(SPEND)
    customers = board_of([*points, 1, 1, 1, 1], world=world)
    soho, camden = Venue.objects.filter(brand=world.brand).order_by("-slug")
    for customer, venue in zip(customers, [soho] * 3 + [camden] * 3, strict=False):
        choose_home(customer=customer, venue=venue)
    board = venues(brand=world.brand, on=ON)
    assert [str(row.shown) for row in board.rows] == shown
    is_tie = shown[0] == shown[1]
    has_points = max(points) > 0
    assert [(row.rank, row.shared) for row in board.rows] == (
        [(1, is_tie), (1 if is_tie else 2, is_tie)] if has_points else [(0, False)] * 2
    )


def test_a_home_is_a_venue_of_ones_own_brand_and_can_be_given_up() -> None:
    world = World(SPEND)
    [customer, *_others] = board_of(POINTS, world=world)
    elsewhere = Venue.objects.create(brand=brand_with(slug="other"), slug="leeds", name="Leeds")
    with pytest.raises(ValueError, match="home venue"):
        choose_home(customer=customer, venue=elsewhere)
    soho = Venue.objects.get(brand=world.brand, slug="soho")
    for venue in (soho, soho, None, None):
        choose_home(customer=customer, venue=venue)
    assert not hasattr(Customer.objects.get(pk=customer.pk), "home")


def test_with_fewer_than_ten_members_venues_do_not_play_either() -> None:
    world = World(SPEND)
    customers = board_of(POINTS[:9], world=world)
    soho = Venue.objects.get(brand=world.brand, slug="soho")
    for customer in customers:
        choose_home(customer=customer, venue=soho)
    board = venues(brand=world.brand, on=ON)
    assert (board.rows, board.missing) == ((), 1)


# Closing


def founded(brand: Brand, day: str) -> Brand:
    brand.created_at = datetime.combine(date.fromisoformat(day), time(12), brand.zone)
    brand.save()
    return brand


def set_season(brand: Brand, season: str) -> None:
    brand.season = season
    brand.save()


def spans(brand: Brand, period: Period) -> list[tuple[str, str]]:
    found = ClosedBoard.objects.filter(brand=brand, period=period).order_by("starts_on")
    return [(one.starts_on.isoformat(), one.ends_on.isoformat()) for one in found]


def places(board: ClosedBoard) -> list[tuple[int, str, int]]:
    found = ClosedPlace.objects.filter(board=board).order_by("rank", "customer_id")
    return [(one.rank, one.customer.pseudonym, one.points) for one in found]


SUNDAY = datetime(2026, 12, 6, 23, 59, 59, 999999, tzinfo=UTC)
NEXT_MONDAY = datetime(2026, 12, 7, tzinfo=UTC)


def test_a_week_closes_at_its_end_once_with_the_places_as_they_are() -> None:
    world = World(SPEND)
    founded(world.brand, "2026-11-30")
    customers = board_of(POINTS, world=world)
    assert close_boards(brand=world.brand, now=SUNDAY) == []
    [board] = close_boards(brand=world.brand, now=NEXT_MONDAY)
    assert (board.period, board.closed_at) == (Period.WEEK, NEXT_MONDAY)
    assert spans(world.brand, Period.WEEK) == [("2026-11-30", "2026-12-06")]
    kept = places(board)
    # Whoever had no points has no place: it was no week of theirs.
    assert kept == [
        (rank, f"Heron {n}", POINTS[n]) for n, rank in enumerate([1, 2, 3, 3, 5, 6, 7, 8, 9])
    ]
    # What arrives later, and who leaves, changes nothing that is kept.
    world.now = NEXT_MONDAY
    world.record(action(("late", "2026-12-05 09:00", 500), identifier="card:8"), void("v", "a0"))
    leave(customers[2])
    for hours in (0, 1, 100):
        assert close_boards(brand=world.brand, now=NEXT_MONDAY + timedelta(hours=hours)) == []
    assert places(board) == kept


def test_periods_that_were_missed_are_caught_up_with_the_awards_as_they_are_now() -> None:
    world = World(SPEND)
    founded(world.brand, "2026-11-10")
    board_of(POINTS, world=world)
    world.record(action(("b", "2026-11-18 09:00", 7), identifier="card:3"))
    boards = close_boards(brand=world.brand, now=datetime(2027, 1, 4, tzinfo=UTC))
    assert [board.period for board in boards] == [Period.WEEK] * 8 + [Period.SEASON]
    weeks = [board for board in boards if board.period == Period.WEEK]
    assert [board.starts_on.isoformat() for board in weeks][:3] == [
        "2026-11-09",
        "2026-11-16",
        "2026-11-23",
    ]
    assert [places(board)[:1] for board in weeks[:4]] == [
        [],
        [(1, "Heron 3", 7)],
        [],
        [(1, "Heron 0", 90)],
    ]
    season = boards[-1]
    assert (season.starts_on, season.ends_on) == (date(2026, 10, 1), date(2026, 12, 31))
    assert (3, "Heron 3", 77) in places(season)


def test_with_fewer_than_ten_members_a_period_closes_without_places() -> None:
    world = World(SPEND)
    founded(world.brand, "2026-11-30")
    customers = board_of(POINTS, world=world, hidden=1)
    [board] = close_boards(brand=world.brand, now=NEXT_MONDAY)
    assert places(board) == []
    Customer.objects.update(on_boards=True)
    assert closed(customer=customers[0]) == []
    assert close_boards(brand=world.brand, now=NEXT_MONDAY) == []


def test_who_left_works_there_or_joined_later_gets_no_place() -> None:
    world = World(SPEND)
    founded(world.brand, "2026-11-30")
    customers = board_of([*POINTS, 55, 45, 35], world=world)
    leave(customers[0])
    hire(customers[1])
    Customer.objects.filter(pk=customers[10].pk).update(joined_at=NEXT_MONDAY)
    [board] = close_boards(brand=world.brand, now=NEXT_MONDAY)
    assert [name for _rank, name, _points in places(board)][:2] == ["Heron 2", "Heron 3"]
    assert not {"Heron 0", "Heron 1", "Heron 10"} & {name for _rank, name, _p in places(board)}


def test_a_closed_week_shows_my_place_and_the_first_three() -> None:
    world = World(SPEND)
    founded(world.brand, "2026-11-30")
    customers = board_of([*POINTS, 5, 4, 3], world=world)
    close_boards(brand=world.brand, now=NEXT_MONDAY)

    def first(customer: Customer) -> list[tuple[int, bool, str, bool]]:
        [view] = closed(customer=customer)
        return [(row.rank, row.shared, row.pseudonym, row.is_me) for row in view.first]

    [view] = closed(customer=customers[3])
    assert (view.since, view.until) == (date(2026, 11, 30), date(2026, 12, 6))
    assert (view.rank, view.shared) == (3, True)
    assert first(customers[3]) == [
        (1, False, "Heron 0", False),
        (2, False, "Heron 1", False),
        (3, True, "Heron 2", False),
    ]
    [view] = closed(customer=customers[9])
    assert (view.rank, view.shared) == (None, False)
    # Whoever leaves or is hired is gone from it, and comes back when they do.
    leave(customers[0])
    hire(customers[2])
    assert first(customers[3]) == [
        (2, False, "Heron 1", False),
        (3, True, "Heron 3", True),
        (5, False, "Heron 4", False),
    ]
    assert closed(customer=customers[0]) == closed(customer=customers[2]) == []
    Customer.objects.filter(pk=customers[0].pk).update(on_boards=True)
    assert first(customers[3])[0] == (1, False, "Heron 0", False)
    # The name is the one of today.
    Customer.objects.filter(pk=customers[0].pk).update(pseudonym="Otter")
    assert first(customers[3])[0] == (1, False, "Otter", False)
    # With fewer than ten members left nobody is shown.
    for customer in customers[10:]:
        leave(customer)
    assert closed(customer=customers[3]) == []


def test_closed_boards_are_told_newest_first_and_those_of_the_own_brand() -> None:
    world, other = World(SPEND), World(SPEND, slug="other")
    for one in (world, other):
        founded(one.brand, "2026-11-30")
    customers = board_of(POINTS, world=world)
    board_of(POINTS, world=other)
    world.now = NOW + timedelta(days=10)
    world.record(action(("b", "2026-12-08 09:00", 7), identifier="card:3"))
    for one in (world, other):
        close_boards(brand=one.brand, now=NEXT_MONDAY + timedelta(days=28))
    assert [view.since.isoformat() for view in closed(customer=customers[0])] == [
        "2026-12-07",
        "2026-11-30",
    ]
    assert len(closed(customer=customers[0], limit=1)) == 1
    [season] = closed(customer=customers[3], period="season")
    assert (season.rank, season.until) == (3, date(2026, 12, 31))


# A zone, and the Monday or first of a month on whose night its clocks do something.
NIGHTS = [
    ("UTC", "2026-12-07", "UTC"),
    ("Europe/London", "2026-03-30", "the Sunday before has 23 hours"),
    ("Europe/London", "2026-10-26", "the Sunday before has 25 hours"),
    ("America/Santiago", "2026-09-07", "the Sunday before begins at 01:00"),
    ("America/Havana", "2026-11-02", "the Sunday before has midnight twice"),
    ("Africa/Cairo", "2026-05-01", "a month; the Friday before began at 01:00"),
    ("Asia/Tehran", "2021-03-22", "this Monday begins at 01:00"),
    ("America/Asuncion", "2019-10-07", "the Sunday before begins at 01:00"),
    ("Pacific/Apia", "2011-12-31", "the day before was left out"),
    ("Asia/Jerusalem", "2001-09-24", "its own midnight comes twice"),
    ("America/Asuncion", "2017-10-01", "a month; it begins at 01:00"),
    ("Australia/Lord_Howe", "2026-10-05", "half an hour"),
    ("Pacific/Kiritimati", "2026-06-01", "+14:00"),
    ("Pacific/Niue", "2026-06-01", "-11:00"),
]


@pytest.mark.parametrize("times", [0, 1, 2, 5])
@pytest.mark.parametrize(("zone", "day", "_why"), NIGHTS)
def test_each_period_closes_once_however_often_it_is_tried(
    zone: str, day: str, _why: str, times: int
) -> None:
    """Tried so many times on the odd day, and once a week later: every period before has closed exactly once."""
    brand = brand_with(time_zone=zone)
    begins = date.fromisoformat(day)
    founded(brand, (begins - timedelta(days=40)).isoformat())
    set_season(brand, "month")
    noon = datetime.combine(begins, time(12), brand.zone)
    for turn in range(times):
        close_boards(brand=brand, now=noon + timedelta(minutes=5 * turn))
    if times:
        check_all_closed(brand, begins)
    close_boards(brand=brand, now=noon + timedelta(days=7))
    check_all_closed(brand, begins + timedelta(days=7))


def check_all_closed(brand: Brand, today: date) -> None:
    for period in Period:
        found = ClosedBoard.objects.filter(brand=brand, period=period).order_by("starts_on")
        assert found
        for before, after in pairwise(found):
            assert after.starts_on == before.ends_on + timedelta(days=1)
        assert max(one.ends_on for one in found) < today
        assert span_of(brand=brand, on=today, period=period).since == max(
            one.ends_on for one in found
        ) + timedelta(days=1)


@pytest.mark.parametrize(("zone", "day", "_why"), NIGHTS)
def test_tried_every_few_minutes_a_period_closes_at_its_local_midnight(
    zone: str, day: str, _why: str
) -> None:
    brand = brand_with(time_zone=zone)
    founded(brand, (date.fromisoformat(day) - timedelta(days=40)).isoformat())
    set_season(brand, "month")
    start = datetime.combine(date.fromisoformat(day), time(), UTC) - timedelta(hours=30)
    step = timedelta(minutes=30)
    for turn in range(2 * 60):
        at = start + turn * step
        for board in close_boards(brand=brand, now=at):
            if turn == 0:
                continue
            local, earlier = (moment.astimezone(brand.zone) for moment in (at, at - step))
            assert earlier.date() <= board.ends_on < local.date()
    check_all_closed(brand, (start + 2 * 60 * step).astimezone(brand.zone).date())


# A board served equals the board recomputed


class Standing(NamedTuple):
    rank: int
    shared: bool
    pseudonym: str
    points: int
    is_me: bool


def recomputed(
    brand: Brand, me: Customer, since: date, until: date, source: Source | None
) -> list[Standing]:
    """The whole board by hand from the ledger, in the order in which it is shown; slowly and plainly."""
    staff = set(StaffRole.objects.filter(brand=brand).values_list("user_id", flat=True))
    postings = Posting.objects.filter(local_date__gte=since, local_date__lte=until)
    if source:
        postings = postings.filter(source=source)
    held = dict(
        postings.values_list("customer").annotate(sum=Sum("points")).values_list("customer", "sum")
    )
    members = [
        (held.get(one.pk, 0), one)
        for one in Customer.objects.filter(brand=brand)
        if one.on_boards and one.user_id not in staff
    ]
    members.sort(key=lambda pair: (-pair[0], pair[1] != me, pair[1].pseudonym, pair[1].pk))
    points = [pair[0] for pair in members]
    return [
        Standing(
            1 + sum(other > mine for other in points) if mine > 0 else 0,
            mine > 0 and points.count(mine) > 1,
            one.pseudonym,
            mine,
            one == me,
        )
        for mine, one in members
    ]


@pytest.mark.parametrize("seed", range(12))
def test_a_board_served_is_the_board_recomputed(seed: int) -> None:
    chance = Random(seed)  # noqa: S311
    zone = chance.choice(["UTC", "Pacific/Kiritimati", "America/St_Johns", "Pacific/Niue"])
    world = World(SPEND, VISIT, rule("bonus", percent=50), zone=zone)
    set_season(world.brand, chance.choice(["month", "quarter"]))
    other = World(SPEND, slug="other")
    customers = [member(world, n, on_boards=False) for n in range(chance.randint(12, 24))]
    strangers = [member(other, n) for n in range(11)]
    sites = [*Venue.objects.filter(brand=world.brand), None]
    until = datetime(2026, 11, 30, tzinfo=UTC)
    number = 0
    for _step in range(6):
        until += timedelta(hours=chance.randint(5, 40))
        world.now = other.now = until + timedelta(minutes=5)
        records = []
        for _record in range(chance.randint(5, 40)):
            number += 1
            at = until - timedelta(hours=chance.choice([0, 1, 5, 20, 30, 170, 900, 2200]))
            kind = chance.choice(["buy", "buy", "visit"])
            records.append(
                action(
                    (f"r{number}", at.isoformat(), chance.choice([0, 1, 10, 10, 25])),
                    identifier=f"card:{chance.randrange(len(customers))}",
                    kind=kind,
                )
            )
            if chance.random() < 0.1:
                records.append(void(f"v{number}", f"r{chance.randint(1, number)}"))
            if chance.random() < 0.1:
                records.append(correction(f"c{number}", f"r{chance.randint(1, number)}", 5))
        world.record(*records)
        for customer in chance.sample(customers, 6):
            customer.on_boards = chance.random() < 0.9
            customer.save()
        for customer in chance.sample(customers, len(customers) // 2):
            choose_home(customer=customer, venue=chance.choice(sites))
        if chance.random() < 0.5:
            fan = chance.choice(customers)
            if not StaffRole.objects.filter(brand=world.brand, user=fan.user).exists():
                hire(fan)
        other.record(action((f"o{number}", until.isoformat(), 50), identifier="card:3"))
        check_boards(world, customers, chance, until.astimezone(world.brand.zone).date())
    check_closing(world, customers)
    assert around(customer=strangers[0], on=ON) is not None


def check_boards(world: World, customers: list[Customer], chance: Random, on: date) -> None:
    staff = set(StaffRole.objects.filter(brand=world.brand).values_list("user_id", flat=True))
    for period in Period:
        span = span_of(brand=world.brand, on=on, period=period)
        for source in (None, chance.choice(list(Source)), Source.PURCHASES):
            for me in chance.sample(customers, 4):
                whole = recomputed(world.brand, me, span.since, on, source)
                size, top = chance.randint(0, 4), chance.choice([0, 3])
                board = around(customer=me, on=on, period=period, source=source, size=size, top=top)
                if not me.on_boards or me.user_id in staff:
                    assert board is None
                    continue
                assert board is not None
                assert board.members == len(whole)
                place = [one.is_me for one in whole].index(True)
                expected = [
                    one
                    for at, one in enumerate(whole)
                    if at < top or place - size <= at <= place + size
                ]
                served = [Standing(*row[:5]) for row in seen(board)]
                assert served == (expected if len(whole) >= 10 else [])
            check_venues(world.brand, customers[0], span, on, source)


def check_venues(
    brand: Brand, anyone: Customer, span: Span, on: date, source: Source | None
) -> None:
    whole = recomputed(brand, anyone, span.since, on, source)
    homes = dict(
        Customer.objects.filter(brand=brand, home__isnull=False).values_list(
            "pseudonym", "home__venue__name"
        )
    )
    by_venue: dict[str, list[int]] = {}
    for one in whole:
        if one.pseudonym in homes:
            by_venue.setdefault(homes[one.pseudonym], []).append(one.points)
    averages = {
        name: (Decimal(sum(points)) / len(points)).quantize(Decimal("0.1"), ROUND_HALF_UP)
        for name, points in by_venue.items()
        if len(points) >= 3
    }
    expected = sorted(
        (
            (1 + sum(other > average for other in averages.values()) if average else 0, name)
            for name, average in averages.items()
        ),
        key=lambda pair: (-averages[pair[1]], pair[1]),
    )
    board = venues(brand=brand, on=on, period=span.period, source=source)
    assert [(row.rank, row.name) for row in board.rows] == (expected if len(whole) >= 10 else [])


def check_closing(world: World, customers: list[Customer]) -> None:
    founded(world.brand, "2026-11-01")
    for board in close_boards(brand=world.brand, now=datetime(2027, 1, 5, tzinfo=UTC)):
        whole = recomputed(world.brand, customers[0], board.starts_on, board.ends_on, None)
        assert sorted(places(board)) == sorted(
            (one.rank, one.pseudonym, one.points)
            for one in whole
            if one.points and len(whole) >= 10
        )
