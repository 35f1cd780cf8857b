"""What a customer sees who paused the score: points, and nowhere a score."""

import re
from typing import Any

import pytest

from accounts.choices import pause_score, resume_score
from scoring.models import Action
from scoring.run import score_due
from tests.people import MONDAY, Person, record

pytestmark = pytest.mark.django_db
OF_THE_SCORE = (
    "score",
    "score/moved",
    "score/explained",
    "score/explained.json",
    "score/explained.csv",
    "score/physical_visits",
    "what-if",
    "board",
    "board/points",
)


@pytest.fixture
def paused(customer: Person) -> Person:
    assert customer.customer
    record(customer.customer, ("check_in", MONDAY))
    pause_score(customer=customer.customer, now=MONDAY)
    score_due(brand=customer.brand, now=MONDAY)
    return customer


@pytest.mark.parametrize("page", OF_THE_SCORE)
def test_pages_of_the_score_say_that_it_is_paused(paused: Person, page: str) -> None:
    client = paused.client()
    answer = client.get(f"/b/foxglove/{page}")
    assert answer.status_code == 200
    assert "Your score is paused" in answer.content.decode()
    assert paused.customer
    resume_score(customer=paused.customer, now=MONDAY)
    assert "Your score is paused" not in client.get(f"/b/foxglove/{page}").content.decode()


def test_nobody_joins_the_boards_while_paused(paused: Person) -> None:
    paused.client().post("/b/foxglove/board", {"do": "join", "pseudonym": "Quiet Heron"})
    assert paused.customer
    paused.customer.refresh_from_db()
    assert not paused.customer.on_boards


def test_a_receipt_has_points_and_no_worth(paused: Person) -> None:
    action = Action.objects.get()
    page: Any = paused.client().get(f"/b/foxglove/activity/{action.pk}").content.decode()
    assert re.search(r'value="25" data-total="points"', page)
    assert "worth" not in page
    page = paused.client().get(f"/b/foxglove/activity/{action.pk}/result").content.decode()
    assert "Your score is paused. The points are kept." in page
    assert "Your score is now" not in page
