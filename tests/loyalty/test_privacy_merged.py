"""Erasing who was merged into somebody else: what names them goes, and the other one is as without the merge."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.management import call_command
from time_machine import travel

from accounts.identity import (
    IdentityError,
    link_identifier,
    merge_customers,
    undo_moves,
    unlink_identifier,
)
from accounts.models import Brand, Customer, Identifier, User
from loyalty.privacy.erase import erase_user
from scoring.actions import mark_due
from scoring.models import Action, Score
from scoring.verify import verify_ledger
from tests.loyalty.planted import found_anywhere
from tests.people import MONDAY, Person, join, record, score_all_due

pytestmark = pytest.mark.django_db

NOW = MONDAY + timedelta(hours=8)
LATER = NOW + timedelta(days=1)
NAMES = {"heron@example.org", "@heron", "H-8123"}


@pytest.fixture(autouse=True)
def _site(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.LAUREL_ERASURES = tmp_path / "erasures.jsonl"
    with travel(NOW, tick=False):
        yield


@pytest.fixture
def heron(foxglove: Brand) -> Person:
    """Who will be merged: with an address, a handle, a card and purchases."""
    person = join(foxglove, "heron@example.org", now=NOW)
    EmailAddress.objects.create(user=person.user, email=person.user.email, verified=True)
    for text, proof in (
        ("birdsong:@heron", Identifier.Proof.PROVIDER),
        ("card:H-8123", Identifier.Proof.CODE),
    ):
        link_identifier(customer=mine(person), text=text, proof=proof, now=NOW)
    record(mine(person), ("purchase", NOW, 40))
    return person


@pytest.fixture
def rowan(customer: Person) -> Person:
    """Whom staff keep, with purchases of their own."""
    record(mine(customer), ("purchase", NOW, 7))
    return customer


def mine(person: Person) -> Customer:
    assert person.customer
    return person.customer


def merged(rowan: Customer, heron: Person, by: Person) -> Any:
    return merge_customers(kept=rowan, merged=mine(heron), by=by.user, reason="one", now=NOW)


def points_of(customer: Customer) -> Any:
    mark_due(brand=customer.brand, customers=[customer.pk], why="facts", now=LATER)
    score_all_due(customer.brand, now=LATER)
    return Score.objects.filter(customer=customer).values_list("score", "points").first()


def held(customer: Customer) -> set[str]:
    return {str(one) for one in customer.identifiers.all()}


def nothing_says_who_it_was(heron: Person, names: set[str] = NAMES) -> bool:
    """Whether neither the names nor the numbers of who was erased are anywhere, but in numbers of tills' records."""
    looked_for = names | {str(mine(heron).public_id)}
    found = found_anywhere(looked_for)
    return not [one for one in found if "external_id" not in one]


def test_who_was_merged_is_erased_and_the_other_is_as_before(
    foxglove: Brand, rowan: Person, heron: Person, manager: Person
) -> None:
    before, had = points_of(mine(rowan)), held(mine(rowan))
    group = merged(mine(rowan), heron, manager)
    assert points_of(mine(rowan)) > before
    actions = Action.objects.count()
    assert not nothing_says_who_it_was(heron)

    erase_user(user=heron.user, now=LATER)

    assert nothing_says_who_it_was(heron)
    assert held(mine(rowan)) == had
    assert points_of(mine(rowan)) == before
    assert not User.objects.filter(email="heron@example.org").exists()
    erased = Customer.objects.get(pk=mine(heron).pk)
    assert (erased.erased_at, erased.merged_into, erased.user) == (LATER, None, None)
    assert set(erased.identifiers.values_list("scheme", flat=True)) == {"erased"}
    assert not Score.objects.filter(customer=erased).exists()
    assert Action.objects.count() == actions
    assert verify_ledger(brand=foxglove).differences == []
    with pytest.raises(IdentityError, match="This was undone before"):
        undo_moves(brand=foxglove, group=group, by=manager.user, now=LATER)


def test_whom_they_were_merged_into_may_be_merged_in_turn(
    foxglove: Brand, rowan: Person, heron: Person, manager: Person
) -> None:
    last = join(foxglove, "otter@example.org")
    without = held(mine(last)) | held(mine(rowan))
    merged(mine(rowan), heron, manager)
    merged(mine(last), rowan, manager)
    erase_user(user=heron.user, now=LATER)
    assert nothing_says_who_it_was(heron)
    assert held(mine(last)) == without
    assert Customer.objects.get(pk=mine(rowan).pk).merged_into == last.customer
    assert verify_ledger(brand=foxglove).differences == []


def test_who_was_merged_into_them_before_goes_with_them(
    foxglove: Brand, rowan: Person, heron: Person, manager: Person
) -> None:
    first = join(foxglove, "egret@example.org")
    merged(mine(heron), first, manager)
    merged(mine(rowan), heron, manager)
    erase_user(user=heron.user, now=LATER)
    assert nothing_says_who_it_was(heron, NAMES | {str(mine(first).public_id)})
    assert held(mine(rowan)) == {f"laurel:{mine(rowan).public_id}", "email:rowan@example.org"}


def test_what_the_other_proved_since_to_be_theirs_stays_theirs(
    foxglove: Brand, rowan: Person, heron: Person, manager: Person
) -> None:
    """And what staff took from them meanwhile is where it is: it may be somebody else's."""
    merged(mine(rowan), heron, manager)
    card = Identifier.objects.get(value="H-8123")
    unlink_identifier(customer=mine(rowan), identifier=card, now=NOW)
    link_identifier(customer=mine(rowan), text="card:H-8123", proof=Identifier.Proof.CODE, now=NOW)
    handle = Identifier.objects.get(value="@heron")
    unlink_identifier(customer=mine(rowan), identifier=handle, now=NOW, by=manager.user)
    erase_user(user=heron.user, now=LATER)
    assert nothing_says_who_it_was(heron, {"heron@example.org"})
    assert "card:H-8123" in held(mine(rowan))
    assert Identifier.objects.get(value="@heron").customer != mine(rowan)


def test_merged_apart_and_merged_again_they_are_erased_as_well(
    foxglove: Brand, rowan: Person, heron: Person, manager: Person
) -> None:
    had = held(mine(rowan))
    group = merged(mine(rowan), heron, manager)
    undo_moves(brand=foxglove, group=group, by=manager.user, now=NOW)
    merged(mine(rowan), heron, manager)
    erase_user(user=heron.user, now=LATER)
    assert nothing_says_who_it_was(heron)
    assert held(mine(rowan)) == had


def test_after_a_restore_they_are_erased_again_wherever_they_were_merged(
    foxglove: Brand, rowan: Person, heron: Person, manager: Person, tmp_path: Path
) -> None:
    """As in a backup from before, they are merged and named; the list knows them by their number."""
    had = held(mine(rowan))
    merged(mine(rowan), heron, manager)
    line = f'{{"customer": "{mine(heron).public_id}", "at": "{LATER.isoformat()}"}}\n'
    (tmp_path / "list").write_text(line)
    call_command("erase_again", str(tmp_path / "list"))
    assert held(mine(rowan)) == had
    assert set(mine(heron).identifiers.values_list("scheme", flat=True)) == {"erased"}
    assert Customer.objects.get(pk=mine(heron).pk).erased_at == LATER
