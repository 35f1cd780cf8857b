"""Roles: the table of who may do what is the one that ``docs/roles.md`` shows, and nobody lifts themselves up by it."""

import os
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts import staff
from accounts.models import Brand, StaffRole, User
from loyalty import access
from loyalty.access import STAFF_MAY, Task
from tests.people import Person, join

Role = StaffRole.Role
PAGE = Path(__file__).parents[2] / "docs" / "roles.md"
RENEW = "LAUREL_SNAPSHOTS=write .venv/bin/python -m pytest -n 0 tests/loyalty/test_roles.py"
BEGINS = f"<!-- Made from loyalty/access.py; renewed by {RENEW} -->\n"
ENDS = "<!-- The end of what is made. -->\n"


@pytest.fixture
def people(foxglove: Brand) -> dict[str, User]:
    """One of each role with Foxglove, and an operator."""
    made = {role.value: User.objects.create_user(f"{role}@foxglove.example") for role in Role}
    for role, user in made.items():
        StaffRole.objects.create(brand=foxglove, user=user, role=role)
    return {**made, "operator": User.objects.create_superuser("operator@example.org")}


def table(brand: Brand, people: dict[str, User]) -> str:
    """The table of tasks and roles, in Markdown."""
    names = [str(role.label) for role in Role] + ["Operator"]
    lines = [f"| task | {' | '.join(names)} |", "| --- |" + " :-: |" * len(names)]
    for task in Task:
        marks = [
            "yes" if access.staff_may(people[who], task, brand=brand) else ""
            for who in [*Role.values, "operator"]
        ]
        lines.append(f"| {task} | {' | '.join(marks)} |")
    return "\n".join(lines) + "\n"


def test_the_page_of_roles_says_what_the_code_does(
    foxglove: Brand, people: dict[str, User]
) -> None:
    text = PAGE.read_text()
    before, made = text.split(BEGINS)
    made, after = made.split(ENDS)
    wanted = table(foxglove, people)
    if os.environ.get("LAUREL_SNAPSHOTS") == "write":
        PAGE.write_text(before + BEGINS + wanted + ENDS + after)
        made = wanted
    assert made == wanted, f"docs/roles.md is out of date; renew it: {RENEW}"


def test_every_task_has_its_predicate_and_somebody_in_a_brand_may_do_it(
    foxglove: Brand, people: dict[str, User]
) -> None:
    assert set(STAFF_MAY) == set(Task)
    for task in Task:
        may = [role for role in Role if access.staff_may(people[role], task, brand=foxglove)]
        assert bool(may) != (task is Task.RUN_INSTALLATION), task


def test_a_role_holds_for_its_own_brand_only(
    foxglove: Brand, harbour: Brand, people: dict[str, User]
) -> None:
    for role in Role:
        for task in Task:
            assert not access.staff_may(people[role], task, brand=harbour)
            assert harbour not in access.staff_brands(people[role], task)


def test_nobody_does_anything_to_the_customer_they_are(
    customer: Person, people: dict[str, User]
) -> None:
    other = join(customer.brand, "otter@example.org").customer
    assert customer.customer
    assert other
    StaffRole.objects.create(brand=customer.brand, user=customer.user, role=Role.OWNER)
    for task in set(Task) - {Task.RUN_INSTALLATION}:
        assert not access.staff_may_change(customer.user, task, customer=customer.customer)
        assert access.staff_may_change(customer.user, task, customer=other)


# --- appointing ------------------------------------------------------------------------------------


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def appoint(user: User, brand: Brand, email: str, role: str) -> int:
    data: dict[str, Any] = {"brand": brand.pk, "email": email, "role": role}
    return browser(user).post(reverse("admin:accounts_staffrole_add"), data).status_code


def change(user: User, of: User, role: str) -> int:
    url = reverse("admin:accounts_staffrole_change", args=[of.staff_roles.get().pk])
    return browser(user).post(url, {"role": role}).status_code


def dismiss(user: User, of: User) -> int:
    url = reverse("admin:accounts_staffrole_delete", args=[of.staff_roles.get().pk])
    return browser(user).post(url, {"post": "yes"}).status_code


def role_of(user: User) -> str | None:
    return StaffRole.objects.filter(user=user).values_list("role", flat=True).first()


def test_an_owner_appoints_anybody_and_a_manager_everybody_but_owners(
    foxglove: Brand, people: dict[str, User]
) -> None:
    for role in Role:
        assert appoint(people["owner"], foxglove, f"one-{role}@example.org", role) == 302
        taken = appoint(people["manager"], foxglove, f"two-{role}@example.org", role)
        assert taken == (200 if role is Role.OWNER else 302), role
    assert not User.objects.filter(email="two-owner@example.org").exists()


def test_a_manager_makes_nobody_an_owner_and_no_owner_anything_else(
    foxglove: Brand, people: dict[str, User]
) -> None:
    second = User.objects.create_user("second@foxglove.example")
    staff.appoint_staff(brand=foxglove, user=second, role=Role.OWNER)
    assert change(people["manager"], people["till"], Role.OWNER) == 200
    assert change(people["manager"], second, Role.TILL) == 403
    assert dismiss(people["manager"], second) == 403
    assert change(people["manager"], people["till"], Role.REVIEWER) == 302
    assert (role_of(second), role_of(people["till"])) == (Role.OWNER, Role.REVIEWER)


@pytest.mark.parametrize("role", [*Role, "operator"])
def test_nobody_changes_or_leaves_their_own_role(
    role: str, foxglove: Brand, people: dict[str, User]
) -> None:
    user = people[role]
    if role == "operator":
        StaffRole.objects.create(brand=foxglove, user=user, role=Role.TILL)
    before = role_of(user)
    for wanted in Role:
        assert change(user, user, wanted) in {403, 404}
    assert dismiss(user, user) in {403, 404}
    assert role_of(user) == before


def test_the_last_owner_stays_an_owner_whoever_asks(
    foxglove: Brand, people: dict[str, User]
) -> None:
    owner, operator = people["owner"], people["operator"]
    assert change(operator, owner, Role.MANAGER) == 200
    assert dismiss(operator, owner) == 403
    with pytest.raises(staff.LastOwnerError):
        staff.appoint_staff(brand=foxglove, user=owner, role=Role.MANAGER)
    with pytest.raises(staff.LastOwnerError):
        staff.dismiss_staff(brand=foxglove, user=owner)
    assert role_of(owner) == Role.OWNER
    assert appoint(operator, foxglove, "next@foxglove.example", Role.OWNER) == 302
    assert dismiss(operator, owner) == 302
    assert role_of(owner) is None
