"""Preview and publish: what is seen is what is published, once, with a reason."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from accounts.models import Brand, StaffRole, User
from scoring import publication
from scoring.models import RuleSet, Score
from tests.loyalty.forms import sent
from tests.people import MONDAY, RULES, Person, join, record, score_all_due

pytestmark = pytest.mark.django_db

NOW = MONDAY + timedelta(days=5)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    """It is NOW."""
    with time_machine.travel(NOW):
        yield


@pytest.fixture
def client(manager: Person) -> Client:
    """A manager's browser, with a draft that gives more for a visit and forgets what was spent."""
    changed = deepcopy(RULES)
    changed["rules"][1]["points"] = 40
    del changed["rules"][0]
    publication.save_draft(brand=manager.brand, document=changed)
    return manager.client()


@pytest.fixture
def history(foxglove: Brand) -> tuple[Person, Person]:
    """One customer who visits, and one who only spends."""
    visitor, spender = join(foxglove, "v@example.org"), join(foxglove, "s@example.org")
    assert visitor.customer is not None
    assert spender.customer is not None
    when = NOW - timedelta(days=3)
    record(visitor.customer, ("check_in", when), now=NOW)
    record(spender.customer, ("purchase", when, 120), now=NOW)
    return visitor, spender


def page_of(brand: Brand) -> str:
    return reverse("admin:publish", kwargs={"slug": brand.slug})


def published(brand: Brand) -> list[RuleSet]:
    return list(RuleSet.objects.filter(brand=brand, version__isnull=False).order_by("version"))


def test_the_preview_says_who_moves(
    client: Client, foxglove: Brand, history: tuple[Person, Person]
) -> None:
    always = client.get(page_of(foxglove), {"effective": "always"})
    seen = always.context["preview"]
    assert (seen["up"], seen["down"], seen["unchanged"]) == (1, 1, 0)
    assert (seen["points_added"], seen["points_taken"]) == (15, 120)
    visitor, spender = history
    assert [move["customer"] for move in seen["rises"]] == [visitor.customer]
    assert [move["customer"] for move in seen["falls"]] == [spender.customer]
    html = always.content.decode()
    for person in history:
        assert person.customer is not None
        assert reverse("admin:accounts_customer_change", args=[person.customer.pk]) in html
    # From now on nothing that was earned changes.
    seen = client.get(page_of(foxglove)).context["preview"]
    assert (seen["up"], seen["down"], seen["unchanged"]) == (0, 0, 2)


@pytest.mark.usefixtures("client")
def test_who_sees_no_customers_sees_in_the_preview_how_many_move_and_not_who(
    foxglove: Brand, history: tuple[Person, Person]
) -> None:
    names = [person.customer.pseudonym for person in history if person.customer]
    for role, sees in ((StaffRole.Role.RULE_EDITOR, False), (StaffRole.Role.REVIEWER, True)):
        user = User.objects.create_user(f"{role}@example.org")
        StaffRole.objects.create(brand=foxglove, user=user, role=role)
        page = Person(user, foxglove).client().get(page_of(foxglove), {"effective": "always"})
        assert len(page.context["preview"]["rises"]) == 1
        assert [name in page.content.decode() for name in names] == [sees, sees], role


def test_looking_publishes_nothing(
    client: Client, foxglove: Brand, history: tuple[Person, Person]
) -> None:
    before = list(Score.objects.values_list("customer", "score", "points"))
    client.get(page_of(foxglove), {"effective": "always"})
    assert list(Score.objects.values_list("customer", "score", "points")) == before
    assert len(published(foxglove)) == 1


@pytest.mark.parametrize("effective", ["now", "always"])
def test_publishing(
    client: Client, foxglove: Brand, manager: Person, history: tuple[Person, Person], effective: str
) -> None:
    page = client.get(page_of(foxglove), {"effective": effective}).content.decode()
    answer = client.post(page_of(foxglove), sent(page, "publish", note="Visits matter more"))
    assert answer.status_code == 302
    version = published(foxglove)[-1]
    assert version.version == 2
    assert version.note == "Visits matter more"
    assert version.published_by == manager.user
    assert version.effective == effective
    score_all_due(foxglove, now=NOW + timedelta(minutes=5))
    points = dict(Score.objects.values_list("customer", "points"))
    visitor, spender = history
    assert visitor.customer is not None
    assert spender.customer is not None
    before_and_after = {"now": (25, 120), "always": (40, 0)}
    assert (points[visitor.customer.pk], points[spender.customer.pk]) == before_and_after[effective]


def test_publishing_from_a_date(client: Client, foxglove: Brand) -> None:
    day = (NOW + timedelta(days=10)).date()
    chosen = {"effective": "date", "on": day.isoformat()}
    page = client.get(page_of(foxglove), chosen).content.decode()
    answer = client.post(page_of(foxglove), sent(page, "publish", note="From then on"), follow=True)
    assert answer.status_code == 200
    assert published(foxglove)[-1].effective == day.isoformat()
    ends = {
        rule.ends.astimezone(foxglove.zone)
        for rule in published(foxglove)[-1].rules.all()
        if rule.ends
    }
    assert {(end.date(), end.hour, end.minute) for end in ends} == {(day, 0, 0)}


@pytest.mark.parametrize(
    ("changes", "status", "sentence"),
    [
        ({"note": ""}, 422, "what changes, and why"),
        ({"note": "x" * 201}, 422, "at most 200 characters"),
        ({"effective": "date", "on": ""}, 422, "Choose the date"),
        ({"effective": "yesterday"}, 422, "not one of the available choices"),
        ({"mark": "0" * 16}, 409, "Nothing was published"),
    ],
)
def test_what_cannot_be_published_is_not(
    client: Client, foxglove: Brand, changes: dict[str, Any], status: int, sentence: str
) -> None:
    page = client.get(page_of(foxglove)).content.decode()
    data = sent(page, "publish", note="Because") | changes
    answer = client.post(page_of(foxglove), data)
    assert answer.status_code == status
    assert sentence in answer.content.decode()
    assert len(published(foxglove)) == 1


def test_a_draft_changed_by_somebody_else_is_looked_at_again(
    client: Client, foxglove: Brand
) -> None:
    page = client.get(page_of(foxglove)).content.decode()
    publication.save_draft(brand=foxglove, document=RULES | {"rules": []})
    answer = client.post(page_of(foxglove), sent(page, "publish", note="Because"))
    assert answer.status_code == 409
    assert len(published(foxglove)) == 1


def test_a_second_press_publishes_nothing_twice(client: Client, foxglove: Brand) -> None:
    data = sent(client.get(page_of(foxglove)).content.decode(), "publish", note="Because")
    assert client.post(page_of(foxglove), data).status_code == 302
    assert client.post(page_of(foxglove), data).status_code in {409, 422}
    assert len(published(foxglove)) == 2


def test_a_marketer_looks_and_does_not_publish(client: Client, foxglove: Brand) -> None:
    user = User.objects.create_user("m@example.org")
    StaffRole.objects.create(brand=foxglove, user=user, role=StaffRole.Role.MARKETER)
    marketer = Person(user, foxglove).client()
    page = marketer.get(page_of(foxglove)).content.decode()
    assert "What it does to everyone" in page
    assert 'id="publish"' not in page
    data = sent(client.get(page_of(foxglove)).content.decode(), "publish", note="Because")
    assert marketer.post(page_of(foxglove), data).status_code == 403
    assert len(published(foxglove)) == 1


def test_who_publishes_is_warned(client: Client, foxglove: Brand) -> None:
    changed = deepcopy(RULES)
    changed["sources"]["purchases"]["weight"] = 29
    changed["sources"]["physical_visits"]["weight"] = 21
    changed["rules"].append(
        {
            "key": "welcome",
            "type": "earn",
            "title": "Welcome",
            "kinds": ["purchase"],
            "points": 100,
            "limits": [{"per": "ever", "count": 1}],
        }
    )
    publication.save_draft(brand=foxglove, document=changed)
    html = client.get(page_of(foxglove)).content.decode()
    assert "hold for everyone at once" in html
    assert "greets customers who have long been with you" in html


def test_without_a_difference_there_is_nothing_to_publish(manager: Person) -> None:
    html = manager.client().get(page_of(manager.brand)).content.decode()
    assert "nothing to preview" in html
    assert 'id="publish"' not in html
