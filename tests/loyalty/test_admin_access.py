"""Who reaches what in the admin: every page of every model, and every other page, for every kind of person.

The pages come from the site's own registry and addresses: a new one that is not in these tables fails.
Everything that belongs to another brand is 404, whatever a person's role.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models import ForeignKey, Model
from django.test import Client
from django.urls import URLPattern, reverse

from accounts.consent import write_text
from accounts.models import Brand, ConsentText, Customer, DataUse, Purpose, StaffRole, User
from accounts.uses import record_look
from loyalty import access
from loyalty.access import STAFF_MAY, Task
from loyalty.admin import site
from scoring.models import Action, ActionKind, Badge, Posting, RuleSet, Venue
from tests.people import FOXGLOVE, HARBOUR, MONDAY, join, make_brand, record

pytestmark = pytest.mark.django_db

PEOPLE = ("marketer", "other_manager", "manager", "operator")
# Answers for (marketer, manager of the other brand, manager, operator) about an object of the manager's brand.
# Nobody else gets past the door: see the tests below.
VIEWS = ("list", "add", "change", "delete", "history", "autocomplete")
NOBODY = (403, 403, 403, 403)
READ_ONLY = {"add": NOBODY, "change": (404, 404, 200, 200), "delete": (404, 404, 403, 403)}
SETUP = {
    "list": (403, 200, 200, 200),
    "add": (403, 200, 200, 200),
    "change": (404, 404, 200, 200),
    "delete": (404, 404, 403, 403),
    "history": (404, 404, 200, 200),
    "autocomplete": (403, 200, 200, 200),
}
RECORDS = {
    "list": (403, 200, 200, 200),
    **READ_ONLY,
    "history": (404, 404, 200, 200),
    "autocomplete": (403, 200, 200, 200),
}
OPERATORS = {
    "list": (403, 403, 403, 200),
    "add": (403, 403, 403, 200),
    "change": (404, 404, 404, 200),
    "delete": (404, 404, 404, 403),
    "history": (404, 404, 404, 200),
    "autocomplete": (403, 403, 403, 200),
}
MODELS: dict[type[Model], dict[str, tuple[int, int, int, int]]] = {
    ActionKind: SETUP,
    Venue: SETUP,
    Badge: SETUP | {"delete": (404, 404, 200, 200)},
    Brand: SETUP | {"add": (403, 403, 403, 200)},
    StaffRole: SETUP | {"delete": (404, 404, 200, 200)},
    User: OPERATORS,
    Customer: {
        "list": (200, 200, 200, 200),
        "add": NOBODY,
        "change": (200, 404, 200, 200),
        "delete": (403, 404, 403, 403),
        "history": (200, 404, 200, 200),
        "autocomplete": (200, 200, 200, 200),
    },
    Action: RECORDS,
    Posting: RECORDS,
    ConsentText: SETUP,
    DataUse: {
        "list": (200, 200, 200, 200),
        "add": NOBODY,
        "change": (200, 404, 200, 200),
        "delete": (403, 404, 403, 403),
        "history": (200, 404, 200, 200),
        "autocomplete": (200, 200, 200, 200),
    },
}

# The other pages: (GET for each of PEOPLE), (POST for each). An address with a brand is the manager's.
ALL = (200, 200, 200, 200)
OWN = (200, 404, 200, 200)
NO_POST = (405, 405, 405, 405)
PAGES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "index": (ALL, ALL),
    "claims": ((403, 200, 200, 200), (403, 422, 422, 422)),
    "objections": (NO_POST, (403, 302, 302, 302)),
    "disputes_choice": ((403, 302, 302, 200), NO_POST),
    "disputes": ((403, 404, 200, 200), (403, 404, 302, 302)),
    "link_codes_choice": ((403, 302, 302, 200), NO_POST),
    "link_codes": ((403, 404, 200, 200), (403, 404, 422, 422)),
    "customer_merge": ((403, 404, 200, 200), (403, 404, 422, 422)),
    "customer_identities": ((403, 404, 405, 405), (403, 404, 302, 302)),
    "customer_undo": ((403, 404, 405, 405), (403, 404, 302, 302)),
    "rules_choice": ((302, 302, 302, 200), NO_POST),
    "top_customers_choice": ((302, 302, 302, 200), NO_POST),
    "rules": (OWN, (403, 404, 405, 405)),
    "rules_discard": ((403, 404, 405, 405), (403, 404, 302, 302)),
    "rule_add": (OWN, (403, 404, 422, 422)),
    "rule_edit": (OWN, (403, 404, 409, 409)),
    "rule_remove": ((403, 404, 405, 405), (403, 404, 302, 302)),
    "shape": (OWN, (403, 404, 409, 409)),
    "publish": (OWN, (403, 404, 409, 409)),
    "versions": (OWN, (405, 404, 405, 405)),
    "version": (OWN, (403, 404, 302, 302)),
    "top_customers": (OWN, (405, 404, 405, 405)),
    "top_customers_export": ((405, 404, 405, 405), (422, 404, 422, 422)),
    # Django's own, without anything of a brand.
    "jsi18n": (ALL, NO_POST),
    "search": (ALL, ALL),
    "login": ((302, 302, 302, 302), (302, 302, 302, 302)),
    "app_list": (ALL, ALL),
}
NOT_IN_THE_TABLE = {
    "logout",  # posts only, and ends the session
    "refused",  # for people without a role: tested below
    "claim_photo",  # tested with the photo's other doors, in test_doors.py
    "view_on_site",  # nothing in the admin has an address on the site
    "autocomplete",  # tested with each model
    None,  # the catch-all, which answers 404
}


@pytest.fixture
def brands(db: None) -> tuple[Brand, Brand]:
    """The manager's brand and another, each with one of everything."""
    return make_brand(FOXGLOVE), make_brand(HARBOUR)


@pytest.fixture
def clients(brands: tuple[Brand, Brand]) -> dict[str, Client]:
    """A browser for each kind of person."""
    foxglove, harbour = brands
    roles = {
        "marketer": (foxglove, StaffRole.Role.MARKETER),
        "other_manager": (harbour, StaffRole.Role.MANAGER),
        "manager": (foxglove, StaffRole.Role.MANAGER),
    }
    users = {name: User.objects.create_user(f"{name}@example.org") for name in roles}
    for name, (brand, role) in roles.items():
        StaffRole.objects.create(brand=brand, user=users[name], role=role)
    users["operator"] = User.objects.create_superuser("operator@example.org")
    users["customer"] = join(foxglove, "rowan@example.org").user
    join(harbour, "sam@example.org")
    for brand in brands:
        a_customer = Customer.objects.get(brand=brand, user__isnull=False)
        record(a_customer, ("purchase", MONDAY, "24.90"))
        Badge.objects.create(
            brand=brand,
            slug="first",
            title="First",
            source=2,
            criterion="actions",
            parameters={"kinds": ["purchase"]},
            levels=[1],
        )
        write_text(brand=brand, purpose=Purpose.NEWS, text="News?", by=None, now=MONDAY)
        record_look(customer=a_customer, by=users["operator"], role="", now=MONDAY)
        colleague = User.objects.create_user(f"colleague@{brand.slug}.example")
        StaffRole.objects.create(brand=brand, user=colleague, role=StaffRole.Role.MARKETER)
    made = {"anonymous": Client()}
    for name, user in users.items():
        made[name] = Client()
        made[name].force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    for client in made.values():
        client.raise_request_exception = True
    return made


def object_of(brand: Brand, model: type[Model]) -> Model:
    """One object of the brand, of any model."""
    if model is Brand:
        return brand
    if model is User:
        return User.objects.get(email=f"colleague@{brand.slug}.example")
    if model is StaffRole:
        return StaffRole.objects.get(brand=brand, user__email=f"colleague@{brand.slug}.example")
    admin: Any = site._registry[model]
    path = admin.brand_path
    found: Model | None = model._default_manager.filter(**{path: brand}).first()
    assert found is not None
    return found


def address(model: type[Model], view: str, obj: Model) -> str | None:
    """The address of one view of a model; None where the model has no such view."""
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    match view:
        case "list":
            return reverse(f"admin:{name}_changelist")
        case "add":
            return reverse(f"admin:{name}_add")
        case "autocomplete":
            return autocompletion(model)
    return reverse(f"admin:{name}_{view}", args=[obj.pk])


def autocompletion(model: type[Model]) -> str | None:
    """The endpoint asked for choices of a foreign key to the model; None where no key leads to it."""
    for relation in model._meta.related_objects:
        key = relation.field
        if isinstance(key, ForeignKey) and key.model._meta.app_label in {"accounts", "scoring"}:
            meta = key.model._meta
            return (
                f"{reverse('admin:autocomplete')}?app_label={meta.app_label}"
                f"&model_name={meta.model_name}&field_name={key.name}"
            )
    return None


def test_every_model_and_every_page_is_in_the_tables() -> None:
    assert set(site._registry) == set(MODELS)
    assert all(set(answers) == set(VIEWS) for answers in MODELS.values())
    of_models = {
        f"{model._meta.app_label}_{model._meta.model_name}_{view}"
        for model in MODELS
        for view in ("changelist", "add", "change", "delete", "history")
    }
    names: set[str | None] = set()
    for pattern in site.get_urls():
        if isinstance(pattern, URLPattern):
            names.add(pattern.name)
        else:
            inside: list[Any] = pattern.url_patterns
            names |= {inner.name for inner in inside}
    assert names - of_models - NOT_IN_THE_TABLE == set(PAGES)


def test_every_task_has_its_predicate() -> None:
    assert set(STAFF_MAY) == set(Task)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_models(
    clients: dict[str, Client], brands: tuple[Brand, Brand], model: type[Model]
) -> None:
    obj = object_of(brands[0], model)
    for view, answers in MODELS[model].items():
        url = address(model, view, obj)
        if url is None:
            continue
        for person, expected in zip(PEOPLE, answers, strict=True):
            got = clients[person].get(url).status_code
            assert got == expected, f"{person} {view}: {got}"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_sending_a_form_that_one_may_not_open_changes_nothing(
    clients: dict[str, Client], brands: tuple[Brand, Brand], model: type[Model]
) -> None:
    obj = object_of(brands[0], model)
    before = model._default_manager.count(), LogEntry.objects.count()
    for view in ("add", "change", "delete"):
        url = address(model, view, obj)
        assert url is not None
        for person, expected in zip(PEOPLE, MODELS[model][view], strict=True):
            if expected == 200 and not (model is Customer and view == "change"):
                continue
            got = clients[person].post(url, {"post": "yes"}).status_code
            assert got in {403, 404} if expected != 200 else got == 200, f"{person} {view}: {got}"
    assert (model._default_manager.count(), LogEntry.objects.count()) == before


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_lists_and_choices_hold_nothing_of_another_brand(
    clients: dict[str, Client], brands: tuple[Brand, Brand], model: type[Model]
) -> None:
    theirs = object_of(brands[1], model)
    mine = object_of(brands[0], model)
    if MODELS[model]["list"][2] != 200:
        return
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    listed = clients["manager"].get(reverse(f"admin:{name}_changelist")).content.decode()
    assert reverse(f"admin:{name}_change", args=[mine.pk]) in listed
    assert reverse(f"admin:{name}_change", args=[theirs.pk]) not in listed
    url = autocompletion(model)
    if url is not None:
        ids = {choice["id"] for choice in clients["manager"].get(url).json()["results"]}
        assert str(mine.pk) in ids
        assert str(theirs.pk) not in ids


def page_address(name: str, brand: Brand) -> str:
    """The address of a page, of the brand where it has one."""
    customer = {"customer_id": object_of(brand, Customer).pk}
    kwargs: dict[str, Any] = {
        "disputes": {},
        "link_codes": {},
        "customer_merge": customer,
        "customer_identities": customer,
        "customer_undo": customer,
        "rules": {},
        "rules_discard": {},
        "rule_add": {"rule_type": "earn"},
        "rule_edit": {"key": "visit", "stage": 0},
        "rule_remove": {"key": "visit", "stage": 0},
        "shape": {},
        "publish": {},
        "versions": {},
        "version": {"version": 1},
        "top_customers": {},
        "top_customers_export": {"format_name": "csv"},
    }
    if name in kwargs:
        return reverse(f"admin:{name}", kwargs={"slug": brand.slug, **kwargs[name]})
    if name == "app_list":
        return reverse("admin:app_list", args=["accounts"])
    return reverse(f"admin:{name}")


@pytest.mark.parametrize("name", PAGES)
def test_pages(clients: dict[str, Client], brands: tuple[Brand, Brand], name: str) -> None:
    url = page_address(name, brands[0])
    for answers, ask in zip(PAGES[name], ("get", "post"), strict=True):
        for person, expected in zip(PEOPLE, answers, strict=True):
            if ask == "post" and name in {"rule_remove", "rules_discard"}:
                RuleSet.objects.filter(version=None).delete()
            method: Callable[..., Any] = getattr(clients[person], ask)
            got = method(url).status_code
            assert got == expected, f"{person} {ask}: {got}"


def all_addresses(brand: Brand) -> list[str]:
    """Every address of the admin that is about something of the brand, or about nothing."""
    urls = [page_address(name, brand) for name in PAGES if name != "login"]
    for model in MODELS:
        obj = object_of(brand, model)
        urls += [url for view in VIEWS if (url := address(model, view, obj)) is not None]
    return [*urls, reverse("admin:index") + "no/such/page/"]


def test_strangers_are_sent_to_the_one_door(
    clients: dict[str, Client], brands: tuple[Brand, Brand]
) -> None:
    for url in all_addresses(brands[0]):
        answer = clients["anonymous"].get(url, follow=True)
        door, _status = answer.redirect_chain[-1]
        assert door.startswith(reverse("account_login")), url
        assert answer.request["PATH_INFO"] == reverse("account_login")


def test_customers_do_not_get_in(clients: dict[str, Client], brands: tuple[Brand, Brand]) -> None:
    for url in all_addresses(brands[0]):
        answer = clients["customer"].get(url, follow=True)
        assert answer.status_code == 403, url
        assert "works for no brand" in answer.content.decode()


def test_the_door_leads_back_and_nowhere_else(clients: dict[str, Client]) -> None:
    login = reverse("admin:login")
    answer = clients["anonymous"].get(login, {"next": "https://evil.example/"})
    assert "evil.example" not in answer["Location"]
    answer = clients["manager"].get(login, {"next": "//evil.example/"})
    assert answer["Location"] == reverse("admin:index")
    answer = clients["manager"].get(login, {"next": reverse("admin:claims")})
    assert answer["Location"] == reverse("admin:claims")


def test_a_new_object_is_only_made_for_ones_own_brand(
    clients: dict[str, Client], brands: tuple[Brand, Brand]
) -> None:
    foxglove, harbour = brands
    data = {"name": "Hideout", "slug": "hideout", "check_in_code": ""}
    url = reverse("admin:scoring_venue_add")
    clients["manager"].post(url, {**data, "brand": harbour.pk})
    assert not Venue.objects.filter(slug="hideout").exists()
    clients["manager"].post(url, {**data, "brand": foxglove.pk})
    assert Venue.objects.get(slug="hideout").brand == foxglove
    badge = reverse("admin:scoring_badge_add") + "?criterion=actions&brand=harbour"
    assert clients["manager"].get(badge).status_code == 404


def test_an_object_does_not_move_to_another_brand(
    clients: dict[str, Client], brands: tuple[Brand, Brand]
) -> None:
    foxglove, harbour = brands
    user = User.objects.get(email="manager@example.org")
    StaffRole.objects.create(brand=harbour, user=user, role=StaffRole.Role.MANAGER)
    venue = Venue.objects.filter(brand=foxglove).first()
    assert venue is not None
    url = reverse("admin:scoring_venue_change", args=[venue.pk])
    answer = clients["manager"].post(
        url, {"name": "Renamed", "check_in_code": "X1", "slug": "other", "brand": harbour.pk}
    )
    assert answer.status_code == 302
    venue.refresh_from_db()
    assert (venue.name, venue.brand, venue.slug) == ("Renamed", foxglove, "soho")


def test_nobody_changes_their_own_role(
    clients: dict[str, Client], brands: tuple[Brand, Brand]
) -> None:
    own = StaffRole.objects.get(user__email="manager@example.org")
    for view, data in (("change", {"role": "marketer"}), ("delete", {"post": "yes"})):
        url = reverse(f"admin:accounts_staffrole_{view}", args=[own.pk])
        assert clients["manager"].post(url, data).status_code == 403
    own.refresh_from_db()
    assert own.role == StaffRole.Role.MANAGER


def test_staff_are_appointed_by_address_whether_it_is_known_or_not(
    clients: dict[str, Client], brands: tuple[Brand, Brand]
) -> None:
    url = reverse("admin:accounts_staffrole_add")
    for email in ("New.Person@example.org", "sam@example.org"):
        data = {"brand": brands[0].pk, "email": email, "role": "marketer"}
        assert clients["manager"].post(url, data).status_code == 302
        role = StaffRole.objects.get(brand=brands[0], user__email=email.lower())
        assert role.role == StaffRole.Role.MARKETER
    assert not User.objects.get(email="new.person@example.org").has_usable_password()
    again = clients["manager"].post(
        url, {"brand": brands[0].pk, "email": "sam@example.org", "role": "manager"}
    )
    assert "works for the brand already" in again.content.decode()


def test_a_manager_appoints_nobody_for_another_brand(
    clients: dict[str, Client], brands: tuple[Brand, Brand]
) -> None:
    url = reverse("admin:accounts_staffrole_add")
    data = {"brand": brands[1].pk, "email": "friend@example.org", "role": "manager"}
    assert clients["manager"].post(url, data).status_code == 200
    assert not StaffRole.objects.filter(user__email="friend@example.org").exists()


def test_no_page_lets_anyone_become_an_operator(
    clients: dict[str, Client], brands: tuple[Brand, Brand]
) -> None:
    colleague = User.objects.get(email="colleague@foxglove.example")
    url = reverse("admin:accounts_user_change", args=[colleague.pk])
    data = {"email": colleague.email, "name": "", "is_active": "on", "is_superuser": "on"}
    assert clients["operator"].post(url, data).status_code == 302
    colleague.refresh_from_db()
    assert not colleague.is_superuser


def test_a_person_without_roles_may_nothing(brands: tuple[Brand, Brand]) -> None:
    nobody = User.objects.create_user("nobody@example.org")
    gone = User.objects.create_superuser("gone@example.org", is_active=False)
    for task in Task:
        assert not access.staff_may(nobody, task)
        assert not access.staff_may(nobody, task, brand=brands[0])
        assert not access.staff_brands(nobody, task).exists()
        assert not access.staff_may(gone, task, brand=brands[0])
        assert not access.staff_brands(gone, task).exists()


@pytest.mark.parametrize("model", [Action, Posting, Customer, Venue, ActionKind, Badge, Brand])
def test_lists_take_as_many_queries_for_many_rows_as_for_few(
    clients: dict[str, Client],
    brands: tuple[Brand, Brand],
    model: type[Model],
    django_assert_max_num_queries: Any,
) -> None:
    a_customer = Customer.objects.get(brand=brands[0], user__isnull=False)
    record(a_customer, *[("purchase", MONDAY.replace(minute=n), n + 1) for n in range(20)])
    name = f"{model._meta.app_label}_{model._meta.model_name}"
    with django_assert_max_num_queries(16):
        assert clients["manager"].get(reverse(f"admin:{name}_changelist")).status_code == 200
