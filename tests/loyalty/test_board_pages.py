"""Boards and the weekly rhythm through their addresses, the closing through its task and its command."""

import re
from datetime import date, datetime, timedelta
from hashlib import sha256
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from time_machine import travel

from accounts.models import Brand, Customer, StaffRole
from loyalty import tasks
from loyalty.pages.avatars import INKS, engrave_face
from scoring.boards import around, close_boards
from scoring.models import ClosedBoard, ClosedPlace, HomeVenue, Rhythm, Venue
from tests.people import MONDAY, Person, join, record

from .test_pages import text_of

HOUR = timedelta(hours=1)
BOARD = "/b/foxglove/board"
RHYTHM = "/b/foxglove/rhythm"


@pytest.fixture(autouse=True)
def _on_monday(db: None) -> Any:
    with travel(MONDAY + 8 * HOUR, tick=False):
        yield


@pytest.fixture
def me(customer: Person) -> Customer:
    """The customer as Quiet Heron on the boards, with a purchase of 25 and nobody beside her."""
    assert customer.customer
    record(customer.customer, ("purchase", MONDAY, 25), ("check_in", MONDAY + HOUR))
    appear(customer.customer, "Quiet Heron")
    return customer.customer


@pytest.fixture
def others(me: Customer) -> list[Customer]:
    """Eleven members with 20, 21, ... points."""
    members = []
    for number in range(11):
        member = join(me.brand, f"m{number}@example.org").customer
        assert member
        appear(member, f"Otter {chr(ord('A') + number)}")
        record(member, ("purchase", MONDAY, 20 + number))
        members.append(member)
    return members


def appear(customer: Customer, name: str) -> None:
    customer.pseudonym, customer.on_boards = name, True
    customer.save()


def browser(customer: Customer) -> Client:
    client = Client()
    assert customer.user
    client.force_login(customer.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


# Boards


def test_a_board_opens_with_its_tenth_member_and_says_how_many_are_missing(
    me: Customer, others: list[Customer]
) -> None:
    Customer.objects.filter(pk__in=[one.pk for one in others[8:]]).update(on_boards=False)
    page = text_of(browser(me).get(BOARD))
    assert "1 more is needed" in page
    assert "Otter" not in page
    Customer.objects.filter(pk=others[9].pk).update(on_boards=True)
    assert "You · Quiet Heron" in text_of(browser(me).get(BOARD))
    Customer.objects.filter(pk__in=[one.pk for one in others[7:]]).update(on_boards=False)
    assert "2 more are needed" in text_of(browser(me).get(BOARD))


@pytest.mark.parametrize(
    "query", ["", "?view=season", "?source=purchases", "?view=season&source=x"]
)
def test_my_row_is_marked_and_my_number_adds_up(
    query: str, me: Customer, others: list[Customer]
) -> None:
    client = browser(me)
    html = client.get(BOARD + query).content.decode()
    [row] = re.findall(r'<li data-key="\w+" class="me".*?</li>', html, flags=re.DOTALL)
    address, points = re.findall(r'<a href="([^"]+)"><data value="(\d+)">', row)[0]
    receipt = client.get(address.replace("&amp;", "&")).content.decode()
    lines = [int(one) for one in re.findall(r'<data value="(\d+)" data-line="points">', receipt)]
    [total] = re.findall(r'<data value="(\d+)" data-total="points">', receipt)
    assert sum(lines) == int(total) == int(points) == (25 if "purchases" in query else 50)


def test_others_numbers_are_no_numbers_of_mine(me: Customer, others: list[Customer]) -> None:
    html = browser(me).get(BOARD).content.decode()
    assert len(re.findall(r"<data ", html)) == 1
    # Nothing but the pseudonym and the points of others leaves the house.
    for other in others:
        assert str(other.public_id) not in html
        assert other.user
        assert other.user.email not in html


def test_a_season_says_when_it_ends(me: Customer, others: list[Customer]) -> None:
    page = text_of(browser(me).get(BOARD, {"view": "season"}))
    assert "The season ends on 31 December" in page
    Brand.objects.update(season="month")
    assert "The season ends on 30 November" in text_of(browser(me).get(BOARD, {"view": "season"}))
    assert "The week ends on Sunday 29 November" in text_of(browser(me).get(BOARD))


def test_gaps_are_told_in_what_the_customer_does_for_nothing(
    me: Customer, others: list[Customer]
) -> None:
    record(others[0], ("purchase", MONDAY + HOUR, 50))
    page = text_of(browser(me).get(BOARD))
    # Soho gives 25 for the first check-in of a day, and today's was made: the next one gives nothing.
    assert "You are 2 check-ins behind Otter A." in page
    assert "2 check-ins behind you" in page
    assert "last" not in page.lower().replace("the last", "")


@pytest.mark.parametrize(
    "query", ["?view=nonsense", "?source=nonsense", "?view=venues&period=x", "?period=season"]
)
def test_what_makes_no_sense_in_an_address_is_not_asked_for(query: str, me: Customer) -> None:
    client = browser(me)
    assert client.get(BOARD + query).status_code == 200
    assert client.get(BOARD + "/points" + query).status_code == 200


def test_leaving_takes_one_from_every_board_at_once(me: Customer, others: list[Customer]) -> None:
    Brand.objects.update(created_at=MONDAY - timedelta(days=7))
    record(others[10], ("purchase", MONDAY - timedelta(days=3), 500), now=MONDAY + HOUR)
    record(me, ("purchase", MONDAY - timedelta(days=3), 5), now=MONDAY + HOUR)
    close_boards(brand=me.brand, now=MONDAY)
    addresses = [BOARD, f"{BOARD}?view=season", f"{BOARD}?source=purchases", "/b/foxglove/score"]
    client = browser(me)
    assert "Otter K" in text_of(client.get(BOARD))
    browser(others[10]).post(BOARD, {"do": "leave"})
    for address in addresses:
        assert "Otter K" not in text_of(client.get(address))
    closed_for = text_of(browser(others[10]).get(BOARD))
    assert "Weeks that are over" not in closed_for
    # And from those to come.
    with travel(MONDAY + timedelta(days=8), tick=False):
        tasks.close_boards()
        week = ClosedBoard.objects.get(period="week", starts_on=MONDAY.date())
        assert not ClosedPlace.objects.filter(board=week, customer=others[10]).exists()
        assert ClosedPlace.objects.filter(board=week, customer=me).exists()
        assert "You: rank 1" in text_of(client.get(BOARD))


def test_whoever_works_for_the_brand_is_told_why_they_are_on_no_board(
    me: Customer, others: list[Customer]
) -> None:
    assert me.user
    StaffRole.objects.create(brand=me.brand, user=me.user, role="marketer")
    page = text_of(browser(me).get(BOARD))
    assert "Whoever works for Foxglove Coffee is on no board" in page
    assert "Otter" not in page
    assert "Quiet Heron" not in text_of(browser(others[0]).get(BOARD))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Foxglove Staff", "takes for the brand"),
        ("rowan@example.org", "no address"),
        ("Otter 0770012", "at most 4 digits"),
        ("Otter A", "Somebody else has this pseudonym"),
        ("", "Enter a pseudonym"),
    ],
)
def test_a_name_that_will_not_do_says_why_and_changes_nothing(
    name: str, why: str, me: Customer, others: list[Customer]
) -> None:
    page = text_of(browser(me).post(BOARD, {"do": "join", "pseudonym": name}))
    assert why in page
    assert "You · Quiet Heron" in page
    me.refresh_from_db()
    assert (me.pseudonym, me.on_boards) == ("Quiet Heron", True)


def test_changing_the_name_stays_on_the_board_that_was_looked_at(
    me: Customer, others: list[Customer]
) -> None:
    address = f"{BOARD}?view=season"
    page = browser(me).post(address, {"do": "join", "pseudonym": "Calm Wren"}, follow=True)
    assert page.redirect_chain == [(address, 302)]
    assert "You · Calm Wren" in text_of(page)


# Venues


def test_a_customer_plays_for_a_venue_of_the_brand(
    me: Customer, others: list[Customer], harbour: Brand
) -> None:
    address = f"{BOARD}?view=venues"
    for member in others[:5]:
        browser(member).post(address, {"do": "home", "venue": "soho"})
    for member in others[5:7]:
        browser(member).post(address, {"do": "home", "venue": "camden"})
    client = browser(me)
    page = text_of(client.get(address))
    assert "Soho 5 members 22" in page
    assert "Camden 2" not in page
    page = text_of(client.post(address, {"do": "home", "venue": "camden"}, follow=True))
    assert "You play for Camden." in page
    assert "Camden Your venue · 3 members 34" in page  # (25 + 26 + 50) / 3
    page = text_of(client.post(address, {"do": "home", "venue": "dock"}, follow=True))
    assert "Choose one of the venues" in page
    client.post(address, {"do": "home", "venue": ""})
    assert not HomeVenue.objects.filter(customer=me).exists()
    assert Venue.objects.filter(brand=harbour).count() == 1


# Faces


def test_faces_are_small_and_differ() -> None:
    seeds = [sha256(bytes([number])).hexdigest()[:16] for number in range(250)]
    faces = [engrave_face(seed) for seed in seeds]
    assert len({face[:3] for face in faces}) > 200
    assert {face.ink for face in faces} == set(range(INKS))
    assert max(len(face.plate) + len(face.lines) for face in faces) < 1100
    assert engrave_face(seeds[0]) == faces[0]


# Closing, through its doors


@pytest.mark.parametrize("times", [0, 1, 2, 5])
def test_the_closing_task_may_come_any_number_of_times(
    times: int, me: Customer, others: list[Customer]
) -> None:
    Brand.objects.update(created_at=MONDAY)
    for turn in range(times):
        with travel(MONDAY + timedelta(days=7, minutes=5 * turn), tick=False):
            tasks.close_boards()
    assert ClosedBoard.objects.count() == (1 if times else 0)
    with travel(MONDAY + timedelta(days=14), tick=False):
        tasks.close_boards()
    assert ClosedBoard.objects.filter(period="week").count() == 2


def test_the_command_does_what_the_task_does(me: Customer, others: list[Customer]) -> None:
    Brand.objects.update(created_at=MONDAY)
    said = StringIO()
    with travel(datetime(2027, 1, 1, 0, 0, tzinfo=MONDAY.tzinfo), tick=False):
        call_command("close_boards", "foxglove", stdout=said)
        call_command("close_boards", "foxglove", stdout=said)
    assert said.getvalue().splitlines() == [
        *(
            f"week {start} to {start + timedelta(days=6)}: closed."
            for start in (MONDAY.date() + timedelta(days=7 * n) for n in range(5))
        ),
        "season 2026-10-01 to 2026-12-31: closed.",
    ]


def test_a_brand_without_members_closes_too(foxglove: Brand) -> None:
    Brand.objects.update(created_at=MONDAY)
    with travel(MONDAY + timedelta(days=7), tick=False):
        tasks.close_boards()
    assert not ClosedPlace.objects.exists()
    assert ClosedBoard.objects.get().ends_on == date(2026, 11, 29)


# The rhythm


def test_a_rhythm_is_chosen_and_given_up(me: Customer) -> None:
    client = browser(me)
    assert "No rhythm is chosen" in text_of(client.get(RHYTHM))
    page = text_of(client.post(RHYTHM, {"days": "1"}, follow=True))
    assert "Your choice is kept." in page
    assert "This week is kept." in page
    assert "Monday: active" in page
    page = text_of(client.post(RHYTHM, {"days": "3"}, follow=True))
    assert "From Monday 30 November: 3 days a week." in page
    assert "This week is kept." in page
    page = text_of(client.post(RHYTHM, {"days": "0"}, follow=True))
    assert "No rhythm is chosen" in page
    assert list(Rhythm.objects.values_list("days", flat=True)) == [0]


def test_a_rhythm_says_what_is_and_never_what_is_lost(me: Customer) -> None:
    client = browser(me)
    with travel(MONDAY - timedelta(days=20), tick=False):
        client.post(RHYTHM, {"days": "2"})
    page = text_of(client.get(RHYTHM))
    assert "1 of 2 days this week." in page
    assert "It begins with the first week that you keep." in page
    assert "Week of 2 November: rest week" in page
    assert not re.search(r"streak|lost|miss|fail|only \d|hurry|left\b", page.lower())


@pytest.mark.parametrize("days", ["", "4", "-1", "x"])
def test_a_rhythm_that_is_none_is_refused(days: str, me: Customer) -> None:
    page = browser(me).post(RHYTHM, {"days": days})
    assert page.status_code == 200
    assert "There is a problem" in text_of(page)
    assert not Rhythm.objects.exists()


def test_the_board_of_the_score_page_is_the_same(me: Customer, others: list[Customer]) -> None:
    board = around(customer=me, on=MONDAY.date())
    assert board is not None
    page = text_of(browser(me).get("/b/foxglove/score"))
    for row in board.rows:
        assert row.pseudonym in page
