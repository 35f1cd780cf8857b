"""The whole matrix: every page, every model, every role, and everybody who is no staff; what tasks give back.

The tables of pages are those of ``test_access`` and ``test_admin_access``; here each row is tried by all kinds of
people, with answers that follow from the task of the page and the table of roles.
"""

import inspect
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.models import Brand, StaffRole, User
from loyalty import access
from loyalty.access import Task
from loyalty.admin import site as staff_site
from loyalty.celery import app as celery
from tests.loyalty.signing_in import fresh_client
from tests.loyalty.test_access import PAGES as CUSTOMER_PAGES
from tests.loyalty.test_access import PEOPLE as CUSTOMER_PEOPLE
from tests.loyalty.test_access import Site, site
from tests.loyalty.test_admin_access import (
    MODELS,
    PAGES,
    VIEWS,
    address,
    all_addresses,
    brands,
    clients,
    object_of,
    page_address,
)
from tests.people import Person, join

__all__ = ["brands", "clients", "site"]

pytestmark = pytest.mark.django_db

Role = StaffRole.Role
STAFF = [*Role.values, "operator"]

# The tasks of the admin's other pages: to read one, and to send its form. None: whoever the admin lets in.
TASKS: dict[str, tuple[Task | None, Task | None]] = {
    "index": (None, None),
    "jsi18n": (None, None),
    "search": (None, None),
    "login": (None, None),
    "app_list": (Task.SEE_CUSTOMERS, Task.SEE_CUSTOMERS),
    "claims": (Task.DECIDE_CLAIMS, Task.DECIDE_CLAIMS),
    "objections": (Task.DECIDE_CLAIMS, Task.DECIDE_CLAIMS),
    "disputes_choice": (Task.DECIDE_DISPUTES, Task.DECIDE_DISPUTES),
    "disputes": (Task.DECIDE_DISPUTES, Task.DECIDE_DISPUTES),
    "link_codes_choice": (Task.MAKE_LINK_CODES, Task.MAKE_LINK_CODES),
    "link_codes": (Task.MAKE_LINK_CODES, Task.MAKE_LINK_CODES),
    "customer_merge": (Task.MERGE_CUSTOMERS, Task.MERGE_CUSTOMERS),
    "customer_identities": (Task.MERGE_CUSTOMERS, Task.MERGE_CUSTOMERS),
    "customer_undo": (Task.MERGE_CUSTOMERS, Task.MERGE_CUSTOMERS),
    "rules_choice": (Task.SEE_RULES, Task.SEE_RULES),
    "rules": (Task.SEE_RULES, Task.EDIT_RULES),
    "rules_discard": (Task.EDIT_RULES, Task.EDIT_RULES),
    "rule_add": (Task.SEE_RULES, Task.EDIT_RULES),
    "rule_edit": (Task.SEE_RULES, Task.EDIT_RULES),
    "rule_remove": (Task.EDIT_RULES, Task.EDIT_RULES),
    "shape": (Task.SEE_RULES, Task.EDIT_RULES),
    "publish": (Task.SEE_RULES, Task.PUBLISH_RULES),
    "versions": (Task.SEE_RULES, Task.SEE_RULES),
    "version": (Task.SEE_RULES, Task.EDIT_RULES),
    "top_customers_choice": (Task.EXPORT_CUSTOMERS, Task.EXPORT_CUSTOMERS),
    "top_customers": (Task.EXPORT_CUSTOMERS, Task.EXPORT_CUSTOMERS),
    "top_customers_export": (Task.EXPORT_CUSTOMERS, Task.EXPORT_CUSTOMERS),
}
MANAGER = 2  # her place in the tables of test_admin_access


@pytest.fixture
def staff(brands: tuple[Brand, Brand], clients: dict[str, Client]) -> dict[str, User]:
    """One of each role with the first brand, the owner of the other, and an operator."""
    made = {role: User.objects.create_user(f"a-{role}@example.org") for role in Role.values}
    for role, user in made.items():
        StaffRole.objects.create(brand=brands[0], user=user, role=role)
    made["other owner"] = User.objects.create_user("other-owner@example.org")
    StaffRole.objects.create(brand=brands[1], user=made["other owner"], role=Role.OWNER)
    return {**made, "operator": User.objects.create_superuser("a-operator@example.org")}


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def status(client: Client, url: str, ask: str = "get", data: Any = None) -> int:
    """The answer's status; what a form did is taken back."""
    with transaction.atomic():
        answer: int = getattr(client, ask)(url, data).status_code
        transaction.set_rollback(True)
    return answer


def test_every_page_has_its_tasks() -> None:
    assert set(TASKS) == set(PAGES)


def test_every_role_and_every_page_of_the_admin(
    brands: tuple[Brand, Brand], staff: dict[str, User]
) -> None:
    wrong = []
    for who, user in staff.items():
        client = browser(user)
        for name, answers in PAGES.items():
            url = page_address(name, brands[0])
            of_a_brand = f"/brands/{brands[0].slug}/" in url
            for ask, task, expected in zip(("get", "post"), TASKS[name], answers, strict=True):
                if who == "other owner" and of_a_brand:
                    wanted = 404
                elif task is None or access.staff_may(
                    user, task, brand=brands[0] if of_a_brand else None
                ):
                    wanted = expected[MANAGER]
                    if who == "operator" and name.endswith("_choice") and ask == "get":
                        wanted = 200  # of several brands
                elif expected[MANAGER] == 405 and _refuses_the_method_first(name, ask):
                    wanted = 405
                else:
                    # Django's own list of an application is not there for whoever sees none of its models.
                    wanted = 404 if name == "app_list" else 403
                got = status(client, url, ask)
                if got != wanted:
                    wrong.append(f"{who} {ask} {name}: {got}, not {wanted}")
    assert not wrong


def _refuses_the_method_first(name: str, ask: str) -> bool:
    """Pages that are no brand's ask who it is only once they know how to answer at all."""
    return name.endswith("_choice") or (name, ask) == ("objections", "get")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_every_role_and_every_model_of_the_admin(
    brands: tuple[Brand, Brand], staff: dict[str, User], model: Any
) -> None:
    admin: Any = staff_site._registry[model]
    tasks = {
        name: getattr(admin, name, Task.RUN_INSTALLATION if name != "remove" else None)
        for name in ("see", "add", "edit", "remove")
    }
    obj = object_of(brands[0], model)

    def may(user: User, name: str, *, anywhere: bool = False) -> bool:
        task = tasks[name]
        brand = None if anywhere else brands[0]
        return task is not None and access.staff_may(user, task, brand=brand)

    for who, user in staff.items():
        client = browser(user)
        wanted = {
            "list": 200 if may(user, "see", anywhere=True) else 403,
            "add": 200 if may(user, "add", anywhere=True) else 403,
            "autocomplete": 200 if may(user, "see", anywhere=True) else 403,
            "change": 200 if may(user, "see") else 404,
            "history": 200 if may(user, "see") else 404,
            "delete": (200 if may(user, "remove") else 403) if may(user, "see") else 404,
        }
        assert set(wanted) == set(VIEWS)
        for view, expected in wanted.items():
            url = address(model, view, obj)
            if url is None:
                continue
            got = status(client, url)
            assert got == expected, f"{who} {view}: {got}"
            if view in {"add", "change", "delete"} and expected != 200:
                assert status(client, url, "post", {"post": "yes"}) == expected, f"{who} {view}"


def test_who_is_no_staff_gets_nowhere_in_the_admin(
    brands: tuple[Brand, Brand], clients: dict[str, Client]
) -> None:
    customers = {
        "another customer": join(brands[0], "otter@example.org").user,
        "a customer of another brand": join(brands[1], "heron@example.org").user,
    }
    people = {"anonymous": Client(), **{who: browser(user) for who, user in customers.items()}}
    refused = reverse("admin:refused")
    for who, client in people.items():
        for url in all_addresses(brands[0]):
            for ask in ("get", "post"):
                answer = getattr(client, ask)(url)
                where = answer.headers.get("Location", "")
                is_sent_away = answer.status_code == 302 and where.startswith(
                    (reverse("admin:login"), reverse("account_login"), refused)
                )
                assert is_sent_away or answer.status_code == 403, f"{who} {ask} {url}"


@pytest.mark.parametrize("who", STAFF)
def test_staff_are_customers_of_nobody_by_that(who: str, site: Site) -> None:
    """On customer pages each role sees what the manager sees in the table: nothing of anybody's."""
    if who == "operator":
        user = User.objects.create_superuser("operator@example.org")
    else:
        user = User.objects.create_user(f"{who}@example.org")
        StaffRole.objects.create(brand=site.brand, user=user, role=who)
    client = fresh_client(user)
    place = CUSTOMER_PEOPLE.index("manager")
    for name, answers in CUSTOMER_PAGES.items():
        for ask, expected in zip(("get", "post"), answers, strict=True):
            with transaction.atomic():
                answer = getattr(client, ask)(site.address(name))
                assert answer.status_code == expected[place], f"{name} {ask}: {answer.status_code}"
                said = b"".join(answer) if answer.streaming else answer.content
                text = said.decode("utf-8", "replace")
                assert not [secret for secret in site.secrets if secret in text], f"{name} {ask}"
                transaction.set_rollback(True)


def test_a_photo_is_for_whoever_decides_on_it(site: Site, stranger: Person) -> None:
    url = reverse("admin:claim_photo", args=[site.claim.pk])
    for role in Role:
        user = User.objects.create_user(f"{role}@example.org")
        kept = StaffRole.objects.create(brand=site.brand, user=user, role=role)
        may = access.staff_may(user, Task.DECIDE_CLAIMS, brand=site.brand)
        assert browser(user).get(url).status_code == (200 if may else 403), role
        kept.brand = stranger.brand
        kept.save()
        assert browser(user).get(url).status_code == (404 if may else 403), role


def test_no_task_gives_anything_back(site: Site) -> None:
    tasks = {name: task for name, task in celery.tasks.items() if name.startswith("loyalty.")}
    assert tasks
    for name, task in tasks.items():
        asked = set(inspect.signature(task.run).parameters)
        assert asked <= {"brand_id"}, f"{name} is given more than a key"
        assert task.ignore_result, name
        assert task.run(**({"brand_id": site.brand.pk} if asked else {})) is None, name
