"""The weekly rhythm: which days are active, which weeks are kept, and that no week of rest is held against anybody."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from accounts.models import Customer
from scoring.models import Rhythm
from scoring.rhythm import RhythmView, WeekState, choose_rhythm, rhythm_of

from .world import BOB, World, action, correction, decision, rule, void

pytestmark = pytest.mark.django_db

MONDAY = date(2026, 11, 30)
NOW = datetime(2026, 12, 3, 12, tzinfo=UTC)
ON = NOW.date()
SPEND = rule("earn", rate=1)


def world_at(now: datetime = NOW, zone: str = "UTC") -> World:
    return World(SPEND, now=now, zone=zone)


def choices(customer: Customer) -> list[tuple[str, int]]:
    found = Rhythm.objects.filter(customer=customer).order_by("starts_on")
    return [(one.starts_on.isoformat(), one.days) for one in found]


def marks(view: RhythmView) -> str:
    """The weeks as letters: Kept, Rest, Open, Free."""
    return "".join(week.state.value[0].upper() for week in view.weeks)


# Which days are active


def test_any_accepted_action_makes_its_local_date_active() -> None:
    world = world_at()
    world.record(
        ("a", "2026-11-30 00:00"),
        ("b", "2026-11-30 23:59", 0),
        ("c", "2026-12-03 11:00", None, {"kind": "visit"}),
        ("before", "2026-11-29 23:59"),
        action(("other", "2026-12-01 10:00"), identifier=BOB),
        action(("pending", "2026-12-01 10:00"), state="pending"),
        action(("rejected", "2026-12-01 11:00"), state="pending"),
        decision("d1", "rejected", accepted=False, at="2026-12-02 09:00"),
        ("void", "2026-12-01 12:00"),
        void("v", "void", at="2026-12-02 09:00"),
        ("empty", "2026-12-02 12:00", 5),
        correction("c1", "empty", 0, at="2026-12-02 13:00"),
    )
    view = rhythm_of(customer=world.customer(), on=ON)
    assert view.active == (0, 2, 3)
    world.send(decision("d2", "pending", accepted=True, at="2026-12-03 09:00"))
    assert rhythm_of(customer=world.customer(), on=ON).active == (0, 1, 2, 3)
    world.send(void("v2", "c", at="2026-12-03 11:30"))
    assert rhythm_of(customer=world.customer(), on=ON).active == (0, 1, 2)


@pytest.mark.parametrize(
    ("zone", "when", "weekday"),
    [
        ("UTC", "2026-12-01T23:30:00+00:00", 1),
        ("Pacific/Kiritimati", "2026-12-01T10:00:00+00:00", 2),
        ("America/St_Johns", "2026-12-01T03:29:00+00:00", 0),
        ("America/St_Johns", "2026-12-01T03:30:00+00:00", 1),
    ],
)
def test_days_are_the_brands_own(zone: str, when: str, weekday: int) -> None:
    world = world_at(zone=zone)
    world.record(("a", when))
    assert rhythm_of(customer=world.customer(), on=ON).active == (weekday,)


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/London", "2026-03-29"),  # 23 hours
        ("Europe/London", "2026-10-25"),  # 25 hours
        ("America/Santiago", "2026-09-06"),  # begins at 01:00
        ("America/Havana", "2026-11-01"),  # midnight comes twice
        ("Africa/Cairo", "2026-04-24"),  # begins at 01:00
        ("Asia/Jerusalem", "2001-09-24"),  # a Monday whose midnight comes twice
        ("Asia/Tehran", "2021-03-22"),  # a Monday that begins at 01:00
        ("Australia/Lord_Howe", "2026-10-04"),  # half an hour
    ],
)
def test_a_day_on_which_the_clocks_change_is_one_day(zone: str, day: str) -> None:
    """Actions all around it, a quarter of an hour apart: as many active days as the calendar has."""
    on = date.fromisoformat(day)
    start = datetime.combine(on, time(), UTC) - timedelta(hours=40)
    moments = [start + timedelta(minutes=15 * n) for n in range(4 * 80)]
    world = world_at(now=moments[-1] + timedelta(minutes=1), zone=zone)
    world.record(*((f"a{n}", at.isoformat()) for n, at in enumerate(moments)))
    days = {at.astimezone(world.brand.zone).date() for at in moments}
    customer = world.customer()
    for today in sorted(days):
        monday = today - timedelta(days=today.weekday())
        expected = sorted((one - monday).days for one in days if monday <= one <= today)
        view = rhythm_of(customer=customer, on=today)
        assert list(view.active) == expected
    choose_rhythm(customer=customer, days=1, on=min(days))
    assert rhythm_of(customer=customer, on=max(days)).is_met


# What is chosen, and from when it holds


def test_without_a_choice_there_is_no_rhythm() -> None:
    world = world_at()
    world.record(("a", "2026-12-01 10:00"))
    view = rhythm_of(customer=world.customer(), on=ON)
    assert (view.days, view.is_met, view.kept, view.days_next) == (0, False, 0, None)
    assert marks(view) == "F" * 12


def test_a_first_choice_holds_for_this_whole_week() -> None:
    world = world_at()
    world.record(("a", "2026-11-30 10:00"), ("b", "2026-12-01 10:00"))
    choose_rhythm(customer=world.customer(), days=2, on=ON)
    assert choices(world.customer()) == [("2026-11-30", 2)]
    view = rhythm_of(customer=world.customer(), on=ON)
    assert (view.days, view.is_met, view.kept) == (2, True, 1)
    assert marks(view) == "F" * 11 + "K"


@pytest.mark.parametrize(
    ("first", "then", "held", "days_next"),
    [
        (2, 1, 1, None),  # lighter: at once
        (2, 0, 0, None),
        (1, 3, 1, 3),  # heavier: no week becomes harder while it runs
        (2, 2, 2, None),
        (0, 3, 3, None),
    ],
)
def test_a_lighter_choice_holds_at_once_and_a_heavier_one_from_monday(
    first: int, then: int, held: int, days_next: int | None
) -> None:
    customer = world_at().customer()
    choose_rhythm(customer=customer, days=first, on=ON - timedelta(days=14))
    for _twice in range(2):
        choose_rhythm(customer=customer, days=then, on=ON)
    view = rhythm_of(customer=customer, on=ON)
    assert (view.days, view.days_next, view.next_on) == (held, days_next, date(2026, 12, 7))
    later = rhythm_of(customer=customer, on=ON + timedelta(days=7))
    assert (later.days, later.days_next) == (then, None)


def test_a_choice_to_come_can_be_taken_back() -> None:
    customer = world_at().customer()
    choose_rhythm(customer=customer, days=1, on=ON)
    choose_rhythm(customer=customer, days=3, on=ON)
    choose_rhythm(customer=customer, days=2, on=ON)
    assert choices(customer) == [("2026-11-30", 1), ("2026-12-07", 2)]
    choose_rhythm(customer=customer, days=1, on=ON)
    assert choices(customer) == [("2026-11-30", 1)]


@pytest.mark.parametrize("days", [-1, 4, 7])
def test_nobody_can_choose_more_than_three_days(days: int) -> None:
    with pytest.raises(ValueError, match="at most 3 days"):
        choose_rhythm(customer=world_at().customer(), days=days, on=ON)


# Which weeks are kept


def lived(weeks: str, *, days: int = 2) -> RhythmView:
    """The rhythm after such weeks, the present one last: how many days of each were active; a dot is none."""
    world = world_at()
    customer = world.customer()
    first = MONDAY - timedelta(days=7 * (len(weeks) - 1))
    rows = [
        (f"w{week}-{day}", f"{first + timedelta(days=7 * week + day)} 10:00")
        for week, active in enumerate(weeks)
        for day in range(0 if active == "." else int(active))
    ]
    if rows:
        world.record(*rows)
    choose_rhythm(customer=customer, days=days, on=first)
    return rhythm_of(customer=customer, on=ON)


@pytest.mark.parametrize(
    ("weeks", "shown", "kept", "rests"),
    [
        ("2", "K", 1, 0),
        (".", "O", 0, 0),
        ("1", "O", 0, 0),
        ("222", "KKK", 3, 0),
        ("322.", "KKKO", 3, 0),  # the present week is open, not lost
        ("2.2", "KRK", 2, 1),
        ("2..2", "KRRK", 2, 2),  # a fortnight away
        ("21222221.", "KRKKKKKRO", 6, 2),  # two of eight
        ("2.222.2.2", "KRKKKRKRK", 1, 0),  # a third within eight: it begins again
        ("2.222222.2.2", "KRKKKKKKRKRK", 9, 3),  # three, but never more than two within eight
        ("2...2", "KRRRK", 1, 0),  # a longer absence
        ("2......2", "KRRRRRRK", 1, 0),
        ("...222", "RRRKKK", 3, 0),  # before it began nothing counts against it
        (".......", "RRRRRRO", 0, 0),
    ],
)
def test_rest_weeks_are_automatic(weeks: str, shown: str, kept: int, rests: int) -> None:
    view = lived(weeks)
    assert marks(view) == "F" * (12 - len(shown)) + shown
    assert (view.kept, view.rests) == (kept, rests)


def test_long_rhythms_show_their_last_twelve_weeks_and_count_all() -> None:
    view = lived("2" * 30 + "." + "2" * 5)
    assert marks(view) == "KKKKKKRKKKKK"
    assert (view.kept, view.rests) == (35, 1)
    assert view.weeks[-1].starts_on == MONDAY
    assert view.weeks[0].starts_on == MONDAY - timedelta(days=77)


def test_a_rhythm_reaches_back_two_years_at_most() -> None:
    assert lived("1" * 110, days=1).kept == 104


def test_a_pause_counts_neither_way() -> None:
    world = world_at()
    customer = world.customer()
    first = MONDAY - timedelta(days=7 * 5)
    world.record(
        *((f"a{week}", f"{first + timedelta(days=7 * week)} 10:00") for week in (0, 1, 4, 5))
    )
    choose_rhythm(customer=customer, days=1, on=first)
    choose_rhythm(customer=customer, days=0, on=first + timedelta(days=14))
    choose_rhythm(customer=customer, days=1, on=first + timedelta(days=28))
    view = rhythm_of(customer=customer, on=ON)
    assert marks(view) == "FFFFFFKKFFKK"
    assert (view.kept, view.rests) == (4, 0)


def test_each_week_is_held_against_what_was_chosen_then() -> None:
    world = world_at()
    customer = world.customer()
    first = MONDAY - timedelta(days=14)
    world.record(*((f"a{week}", f"{first + timedelta(days=7 * week)} 10:00") for week in range(3)))
    choose_rhythm(customer=customer, days=1, on=first)
    choose_rhythm(customer=customer, days=2, on=first)
    view = rhythm_of(customer=customer, on=ON)
    assert [(week.state, week.active, week.days) for week in view.weeks[-3:]] == [
        (WeekState.KEPT, 1, 1),
        (WeekState.REST, 1, 2),
        (WeekState.OPEN, 1, 2),
    ]


def test_an_action_that_moves_to_somebody_else_takes_its_day_along() -> None:
    world = world_at()
    world.record(("a", "2026-12-01 10:00"))
    ann, bob = world.customer(), world.customer(BOB)
    ann.identifiers.exclude(scheme="laurel").update(customer=bob)
    assert rhythm_of(customer=ann, on=ON).active == ()
    assert rhythm_of(customer=bob, on=ON).active == (1,)


def test_a_late_action_keeps_a_week_that_had_rested() -> None:
    world = world_at()
    choose_rhythm(customer=world.customer(), days=1, on=MONDAY - timedelta(days=7))
    assert marks(rhythm_of(customer=world.customer(), on=ON))[-2:] == "RO"
    world.record(("late", "2026-11-24 10:00"))
    assert marks(rhythm_of(customer=world.customer(), on=ON))[-2:] == "KO"
