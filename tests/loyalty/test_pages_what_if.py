"""What if, and the sample on a brand's first page: the engine's answers to what nobody did yet."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from time_machine import travel

from loyalty.pages import sample, what_if
from loyalty.pages.what_if import next_round
from scoring.brands import setup_brand
from scoring.models import Action, Posting
from scoring.queries import score_on
from tests.loyalty.test_pages import text_of
from tests.people import FOXGLOVE, MONDAY, Person, join, record

HOUR = timedelta(hours=1)
NOW = MONDAY + 8 * HOUR
ADDRESS = "/b/foxglove/what-if"


@pytest.fixture(autouse=True)
def _on_monday(db: None) -> Any:
    with travel(NOW, tick=False):
        yield


@pytest.fixture
def active(customer: Person) -> Person:
    """A customer with a purchase and a check-in."""
    assert customer.customer
    record(customer.customer, ("purchase", MONDAY, "24.90"), ("check_in", MONDAY - 24 * HOUR))
    return customer


# --- forwards


def test_doing_what_was_asked_makes_what_was_said(active: Person) -> None:
    assert active.customer
    asked = {"days": "1", "n-purchase": "1", "q-purchase": "12.50", "n-check_in": "1"}
    found = active.client().get(ADDRESS, asked).context["found"]
    record(active.customer, ("purchase", NOW, "12.50"), ("check_in", NOW), now=NOW)
    assert score_on(customer=active.customer, on=NOW.date()) == found.then.score
    assert [line.points for line in found.lines] == [12, 25]


def test_a_limit_is_told_and_nothing_is_recorded(active: Person) -> None:
    before = (Action.objects.count(), Posting.objects.count())
    page = active.client().get(ADDRESS, {"days": 1, "n-check_in": 3})
    assert "3 \N{MULTIPLICATION SIGN} Check-in, Soho +25" in text_of(page)
    assert "Limit reached: at most once a day and venue" in text_of(page)
    assert (Action.objects.count(), Posting.objects.count()) == before


def test_the_day_and_the_score_if_nothing_happens_are_told(active: Person) -> None:
    response = active.client().get(ADDRESS, {"days": 28})
    found = response.context["found"]
    assert (found.on - NOW.date()).days == 27
    assert found.then.score == found.otherwise.score < found.today.score
    assert "if nothing happens" in text_of(response)


def test_more_and_less_work_by_sending_the_form(active: Person) -> None:
    client = active.client()

    def count(**asked: Any) -> int:
        rows = client.get(ADDRESS, asked).context["steppers"]
        return next(int(row.value) for row in rows if row.step.kind == "check_in")

    assert count(more="check_in") == 1
    assert count(**{"n-check_in": 2, "more": "check_in"}) == 3
    assert count(**{"n-check_in": 2, "less": "check_in"}) == 1
    assert count(less="check_in") == 0
    assert count(**{"n-check_in": 60, "more": "check_in"}) == 60
    assert count(more="nothing") == 0


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"n-check_in": "two"}, "Enter how often, as a whole number"),
        ({"n-check_in": "-1"}, "Enter 0 or more"),
        ({"n-check_in": "61"}, "Enter at most 60"),
        ({"n-purchase": "1", "q-purchase": "lots"}, "Enter an amount, such as 24.90"),
        ({"n-purchase": "1", "q-purchase": "0"}, "Enter an amount, such as 24.90"),
        ({"n-purchase": "1", "q-purchase": "99999"}, "Enter an amount, such as 24.90"),
    ],
)
def test_what_cannot_be_worked_out_is_told_on_top_and_at_its_field(
    asked: dict[str, str], sentence: str, active: Person
) -> None:
    response = active.client().get(ADDRESS, asked)
    html = response.content.decode()
    assert response.status_code == 200
    assert html.count(sentence) == 2
    for target in re.findall(r'<li><a href="#([^"]+)"', html):
        assert f'id="{target}"' in html


def test_without_rules_there_is_nothing_to_work_out(db: None) -> None:
    person = join(setup_brand(document=FOXGLOVE | {"slug": "bare"}), "rowan@example.org")
    page = text_of(person.client().get("/b/bare/what-if"))
    assert "nothing to work out" in page
    assert "How to reach a goal" not in page


# --- backwards


def test_a_plan_that_is_followed_reaches_its_goal(active: Person) -> None:
    assert active.customer
    response = active.client().get(ADDRESS, {"goal": 60, "days": 1})
    plan = response.context["aim"].plans.cheapest
    assert plan.then.score >= 60
    assert f"Then you have {plan.then.score}" in text_of(response)
    record(
        active.customer,
        *((step.kind, NOW, step.quantity) for step, count in plan.counts for _n in range(count)),
        now=NOW,
    )
    assert score_on(customer=active.customer, on=NOW.date()) == plan.then.score


def test_a_goal_out_of_reach_is_said_to_be(active: Person) -> None:
    page = text_of(active.client().get(ADDRESS, {"goal": 990, "days": 7}))
    assert "Nothing that can be done in this time reaches 990" in page
    assert "Try four weeks" in page


def test_a_goal_that_comes_by_itself_needs_nothing(active: Person) -> None:
    page = text_of(active.client().get(ADDRESS, {"goal": 1, "days": 7}))
    assert "You will have 1 by then without doing anything" in page


def test_a_hasty_reader_is_asked_to_wait(active: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(what_if, "ALLOWED", 1)
    client = active.client()
    assert "Wait a moment" not in text_of(client.get(ADDRESS, {"goal": 60}))
    assert "Wait a moment" in text_of(client.get(ADDRESS, {"goal": 60}))
    assert "Wait a moment" not in text_of(client.get(ADDRESS, {"n-check_in": 1}))


def test_who_is_ahead_of_all_passes_nobody(active: Person) -> None:
    assert "Nobody is ahead of you" in text_of(active.client().get(ADDRESS, {"aim": "pass"}))


@pytest.mark.parametrize("goal", ["0", "1001", "many", "9" * 5000])
def test_a_goal_that_is_none_is_asked_for_again(goal: str, active: Person) -> None:
    page = text_of(active.client().get(ADDRESS, {"goal": goal}))
    assert "Enter a whole number from 1 to 1000" in page


@pytest.mark.parametrize(
    ("score", "goal"),
    [("0", 50), ("49.999", 50), ("50", 100), ("602.936", 650), ("949", 950), ("950", None)],
)
def test_the_next_round_number(score: str, goal: int | None) -> None:
    assert next_round(Decimal(score)) == goal


# --- the sample


def test_the_sliders_run_the_engine_for_nobody(active: Person) -> None:
    before = (Action.objects.count(), Posting.objects.count())
    few = Client().get("/b/foxglove/", {"n-check_in": 0, "n-purchase": 0}).context["sample"]
    many = Client().get("/b/foxglove/", {"n-check_in": 8, "n-purchase": 0}).context["sample"]
    assert few.score == 0
    # Eight visits of 25 points, a check-in every third or fourth day.
    assert 90 < many.score < 120
    assert sum(part.worth for part in many.parts) == many.score
    assert (Action.objects.count(), Posting.objects.count()) == before


@pytest.mark.parametrize("count", ["lots", "-4", "9" * 5000, ""])
def test_a_slider_that_was_never_moved_stands_where_it_stood(count: str, active: Person) -> None:
    sliders = Client().get("/b/foxglove/", {"n-check_in": count}).context["sample"].sliders
    assert {slider.count for slider in sliders} == {sample.USUAL}


def test_a_sample_is_worked_out_once_and_not_for_ever(
    active: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "ALLOWED", 2)
    client = Client()
    for count in (1, 2, 1, 2, 1):
        assert client.get("/b/foxglove/", {"n-check_in": count}).context["sample"].parts
    page = client.get("/b/foxglove/", {"n-check_in": 3})
    assert page.status_code == 200
    assert "Many are trying this just now" in text_of(page)
    cache.clear()
    assert client.get("/b/foxglove/", {"n-check_in": 3}).context["sample"].parts


def test_a_brand_without_rules_shows_no_sample(db: None) -> None:
    setup_brand(document=FOXGLOVE | {"slug": "bare"})
    page = Client().get("/b/bare/")
    assert page.context["sample"] is None
    assert "Try it" not in text_of(page)
