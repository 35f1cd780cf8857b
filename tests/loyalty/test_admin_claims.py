"""Claims: who decides on which, that a decision counts once, and that the customer learns why."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts.identity import join_brand, unlink_identifier
from accounts.models import Brand, Identifier, StaffRole, User
from scoring.actions import ActionRow, record_actions
from scoring.models import Action, Amendment, Score
from tests.people import MONDAY, Person, join, record, score_all_due

pytestmark = pytest.mark.django_db

NOW = MONDAY + timedelta(days=5)
PAGE = "/admin/claims/"


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    """It is NOW."""
    with time_machine.travel(NOW):
        yield


@pytest.fixture
def client(manager: Person) -> Client:
    """A manager's browser."""
    return manager.client()


@pytest.fixture
def claims(customer: Person) -> list[int]:
    """Three purchases without proof."""
    assert customer.customer is not None
    rows = [("purchase", NOW - timedelta(hours=n), 10 * n, "pending") for n in (3, 2, 1)]
    return record(customer.customer, *rows, now=NOW)


def points(brand: Brand) -> int:
    score_all_due(brand, now=NOW + timedelta(minutes=5))
    return sum(Score.objects.filter(brand=brand).values_list("points", flat=True))


def decisions() -> list[tuple[int | None, bool | None, str]]:
    return list(Amendment.objects.order_by("action").values_list("action", "accepted", "reason"))


def test_the_queue_shows_what_waits(client: Client, claims: list[int]) -> None:
    html = client.get(PAGE).content.decode()
    assert all(f'value="{claim}"' in html for claim in claims)
    assert "30.00 GBP" in html


def test_accepting_one_with_its_own_button(
    client: Client, foxglove: Brand, claims: list[int]
) -> None:
    # The others are ticked, and stay undecided all the same.
    client.post(PAGE, {"accept_one": claims[0], "claims": claims, "refuse": ""})
    assert decisions() == [(claims[0], True, "")]
    assert points(foxglove) == 30


def test_deciding_on_several(client: Client, foxglove: Brand, claims: list[int]) -> None:
    client.post(PAGE, {"claims": claims[:2], "accept": "1"})
    answer = client.post(
        PAGE, {"claims": claims[2:], "refuse": "1", "reason": "The receipt is of another shop"}
    )
    assert answer.status_code == 302
    assert decisions() == [
        (claims[0], True, ""),
        (claims[1], True, ""),
        (claims[2], False, "The receipt is of another shop"),
    ]
    assert points(foxglove) == 50
    log = LogEntry.objects.order_by("object_id").values_list("object_id", "change_message")
    assert [(int(pk or 0), message) for pk, message in log] == [
        (claims[0], "accepted"),
        (claims[1], "accepted"),
        (claims[2], "refused: The receipt is of another shop"),
    ]
    assert "No claim is waiting" in client.get(PAGE).content.decode()


def test_a_refusal_needs_its_reason(client: Client, claims: list[int]) -> None:
    answer = client.post(PAGE, {"claims": claims, "refuse": "1"})
    assert answer.status_code == 422
    html = answer.content.decode()
    assert "Say why" in html
    assert html.count("checked") == 3
    assert decisions() == []


def test_nothing_ticked_and_both_buttons(client: Client, claims: list[int]) -> None:
    assert client.post(PAGE, {"accept": "1"}).status_code == 422
    both = {"claims": claims, "accept": "1", "refuse": "1", "reason": "x"}
    assert client.post(PAGE, both).status_code == 422
    odd = {"claims": ["x", "-1", "9" * 30], "accept": "1"}
    assert client.post(PAGE, odd).status_code in {302, 422}
    assert decisions() == []


def test_a_second_press_decides_nothing_again(client: Client, claims: list[int]) -> None:
    for _press in range(2):
        client.post(PAGE, {"claims": claims[:1], "accept": "1"})
    answer = client.post(
        PAGE, {"claims": claims[:1], "refuse": "1", "reason": "Too late"}, follow=True
    )
    assert "decided by somebody else" in answer.content.decode()
    assert decisions() == [(claims[0], True, "")]


def test_nobody_decides_on_another_brands_claims(harbour: Brand, claims: list[int]) -> None:
    user = User.objects.create_user("h@example.org")
    StaffRole.objects.create(brand=harbour, user=user, role=StaffRole.Role.MANAGER)
    other = Person(user, harbour).client()
    assert "No claim is waiting" in other.get(PAGE).content.decode()
    other.post(PAGE, {"claims": claims, "accept": "1"})
    assert decisions() == []


def test_unlinked_for_a_while_a_claim_is_no_less_ones_own(foxglove: Brand) -> None:
    person = join(foxglove, "reviewer@example.org")
    assert person.customer
    role = StaffRole.Role.REVIEWER
    StaffRole.objects.create(brand=foxglove, user=person.user, role=role)
    row = ActionRow(
        origin="till",
        external_id="1",
        identifier="email:reviewer@example.org",
        kind="purchase",
        occurred_at=MONDAY,
        quantity=Decimal(500),
        state="pending",
    )
    [outcome] = record_actions(brand=foxglove, rows=[row], now=NOW)
    own = Identifier.objects.get(scheme="email", value="reviewer@example.org")
    unlink_identifier(customer=person.customer, identifier=own, now=NOW)
    client = person.client()
    assert f'value="{outcome.action_id}"' not in client.get(PAGE).content.decode()
    client.post(PAGE, {"accept_one": str(outcome.action_id)})
    assert decisions() == []


def test_nobody_decides_on_their_own_claims(manager: Person, claims: list[int]) -> None:
    own = join_brand(brand=manager.brand, user=manager.user, now=NOW)
    (mine,) = record(own, ("purchase", NOW - timedelta(hours=1), 500, "pending"), now=NOW)
    client = manager.client()
    assert f'value="{mine}"' not in client.get(PAGE).content.decode()
    client.post(PAGE, {"claims": [mine, claims[0]], "accept": "1"})
    assert decisions() == [(claims[0], True, "")]


def test_claims_of_two_brands_at_once(manager: Person, harbour: Brand, claims: list[int]) -> None:
    StaffRole.objects.create(brand=harbour, user=manager.user, role=StaffRole.Role.MANAGER)
    sam = join(harbour, "sam@example.org").customer
    assert sam is not None
    theirs = record(sam, ("purchase", NOW - timedelta(hours=1), 7, "pending"), now=NOW)
    client = manager.client()
    html = client.get(PAGE).content.decode()
    assert "Harbour Cycles" in html
    client.post(PAGE, {"claims": [*claims, *theirs], "accept": "1"})
    assert Amendment.objects.count() == 4
    assert set(Action.objects.values_list("origin", flat=True)) == {"till"}
