"""The second wall: what one brand does not see of another when a filter was forgotten.

The tests take filters away themselves. Each first shows that the leak is real where the wall is not, so that a test
which could not see a leak fails.
"""

import dataclasses
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.db import DatabaseError, ProgrammingError, connection, transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse
from psycopg import sql

from accounts import consent, policies, walls
from accounts.models import (
    Brand,
    Consent,
    Customer,
    Identifier,
    LinkEvent,
    StaffRole,
    User,
)
from loyalty import access
from loyalty.admin import top_customers
from loyalty.admin.base import BrandModelAdmin
from loyalty.checks import check_walls
from loyalty.exports import datasets
from loyalty.walled import WallMiddleware
from scoring.actions import ActionRow, record_actions
from scoring.models import Action, ActionKind, Badge, Posting, Venue
from tests.people import FOXGLOVE, HARBOUR, MONDAY, RULES, Person, join, make_brand, record

pytestmark = pytest.mark.django_db

TREE = Path(__file__).parents[2]
NOW = MONDAY + timedelta(hours=1)


# --- how it is built ---------------------------------------------------------------------------------

# Tables that have nothing of a brand, and why.
EXCUSED = {
    "accounts_user": "a login, which is no brand's",
    "accounts_user_groups": "Django's rights, which nothing here asks for",
    "accounts_user_user_permissions": "Django's rights, which nothing here asks for",
    "auth_group": "Django's rights, which nothing here asks for",
    "auth_group_permissions": "Django's rights, which nothing here asks for",
    "auth_permission": "Django's rights, which nothing here asks for",
    "account_emailaddress": "of a login",
    "account_emailconfirmation": "of a login",
    "mfa_authenticator": "of a login",
    "socialaccount_socialaccount": "of a login",
    "socialaccount_socialapp": "of the installation",
    "socialaccount_socialtoken": "of a login; none is stored",
    "usersessions_usersession": "of a login",
    "django_session": "of a browser",
    "django_admin_log": "shown row by row, for objects which access let through",
    "django_content_type": "of the installation",
    "django_migrations": "of the installation; read only",
}


def test_every_table_has_its_policy_or_a_reason_to_have_none() -> None:
    walled = {table.name for table in policies.tables() if table.policies}
    held = set(connection.introspection.table_names())
    assert walled | set(EXCUSED) == held
    assert not walled & set(EXCUSED)
    assert policies.gaps() == []


def test_the_role_owns_nothing_and_may_nothing_by_itself() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,"
            " (SELECT count(*) FROM pg_class WHERE relowner = pg_roles.oid),"
            " has_schema_privilege(rolname, current_schema(), 'CREATE')"
            " FROM pg_roles WHERE rolname = %s",
            [walls.ROLE],
        )
        assert cursor.fetchone() == (False, False, False, False, False, 0, False)


def test_what_was_changed_by_hand_is_brought_back_by_migrate() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE scoring_action DISABLE ROW LEVEL SECURITY")
        cursor.execute("DROP POLICY of_brands ON accounts_customer")
        cursor.execute(f"GRANT TRUNCATE, UPDATE ON scoring_posting TO {walls.ROLE}")
    assert {table.name for table in policies.gaps()} == {
        "scoring_action",
        "accounts_customer",
        "scoring_posting",
    }
    [error] = check_walls(None)
    assert error.id == "laurel.E003"
    assert "scoring_posting" in error.msg
    policies.build()
    assert policies.gaps() == []
    assert check_walls(None) == []


def test_who_may_not_make_the_role_is_told_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policies, "ROLE", "laurel_test_walled")
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE laurel_test_plain NOLOGIN")
        cursor.execute("SET ROLE laurel_test_plain")
    with (
        pytest.raises(policies.WallError, match="GRANT laurel_walled TO laurel_test_plain;"),
        transaction.atomic(),
    ):
        policies.build()


# --- what is there -----------------------------------------------------------------------------------


@pytest.fixture
def brands(foxglove: Brand, harbour: Brand, customer: Person, stranger: Person) -> list[Brand]:
    """Foxglove and Harbour, each with a customer who bought something and a claim that waits."""
    for person in (customer, stranger):
        assert person.customer
        record(person.customer, ("purchase", MONDAY, 20), ("usage", MONDAY, 2, "pending"))
        Badge.objects.create(
            brand=person.brand,
            slug="first",
            title="First",
            source=2,
            criterion="actions",
            parameters={"kinds": ["purchase"]},
            levels=[1],
        )
    return [foxglove, harbour]


def models_of_brands() -> list[type[Model]]:
    return [
        model
        for model in apps.get_models()
        if model is not Brand and policies.way_to_brand(model) is not None
    ]


def counts() -> dict[str, int]:
    return {model.__name__: model._default_manager.count() for model in models_of_brands()}


def test_within_one_brand_there_is_nothing_of_another(brands: list[Brand]) -> None:
    everything = counts()
    parts = []
    for brand in brands:
        with walls.within([brand.pk]):
            parts.append(counts())
    for name, count in everything.items():
        assert parts[0][name] + parts[1][name] == count
    seen = {name for name, count in everything.items() if parts[0][name] and parts[1][name]}
    assert {"Customer", "Identifier", "Action", "Posting", "Score", "DailyPoints", "Rule"} <= seen
    with walls.within(brand.pk for brand in brands):
        assert counts() == everything
    assert counts() == everything


def test_without_a_brand_there_is_nothing(brands: list[Brand]) -> None:
    with walls.within([]):
        assert not any(counts().values())
        assert Brand.objects.count() == 2, "each has a page for everyone"
    with connection.cursor() as cursor:
        # Never set in this session, or set and rolled back, which leaves an empty text.
        for said in ("RESET laurel.brands", "SET laurel.brands = ''"):
            cursor.execute(said)
            cursor.execute(f"SET ROLE {walls.ROLE}")
            assert not any(counts().values())
            cursor.execute("RESET ROLE")


def test_what_is_rolled_back_takes_nobody_over_the_wall(brands: list[Brand]) -> None:
    with walls.within([brands[0].pk]):
        with pytest.raises(DatabaseError):
            _break_outside()
        assert Customer.objects.get().brand == brands[0]
        assert walls.place() == (brands[0].pk,)
        with transaction.atomic(), walls.within([brands[1].pk]):
            assert Customer.objects.get().brand == brands[1]
            transaction.set_rollback(True)
        assert Customer.objects.get().brand == brands[0]
    assert Customer.objects.count() == 2


def _break_outside() -> None:
    with transaction.atomic(), walls.lifted("the test"):
        assert Customer.objects.count() == 2
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")


def test_nothing_is_written_across_brands(brands: list[Brand]) -> None:
    foxglove, harbour = brands
    theirs = Customer.objects.get(brand=harbour)
    kind, venue = ActionKind.objects.filter(brand=harbour)[0], Venue.objects.get(brand=harbour)
    mine = Identifier.objects.filter(brand=foxglove)[0]
    assert theirs.user
    user = theirs.user
    with walls.within([foxglove.pk]):
        for attempt in (
            lambda: Customer.objects.create(brand=harbour),
            lambda: Venue.objects.create(brand=harbour, slug="new", name="New"),
            lambda: StaffRole.objects.create(brand=harbour, user=user, role="owner"),
            lambda: Identifier.objects.create(
                brand=foxglove, customer=theirs, scheme="card", value="1"
            ),
            lambda: Customer.objects.filter(brand=foxglove).update(brand=harbour),
            lambda: Identifier.objects.filter(pk=mine.pk).update(customer=theirs),
            # Of one's own brand, and yet about something of another.
            lambda: _action(foxglove, mine, kind, None),
            lambda: _action(foxglove, mine, mine.brand.kinds.all()[0], venue),
        ):
            with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
                attempt()
        # What is not there is neither changed nor deleted.
        assert Brand.objects.filter(pk=harbour.pk).update(name="Mine") == 0
        assert Venue.objects.filter(pk=venue.pk).update(name="Mine") == 0
        assert Venue.objects.filter(pk=venue.pk).delete()[0] == 0
        assert Customer.objects.select_for_update().filter(pk=theirs.pk).first() is None
        assert _action(foxglove, mine, mine.brand.kinds.all()[0], None).pk


def _action(brand: Brand, identifier: Identifier, kind: ActionKind, venue: Venue | None) -> Action:
    return Action.objects.create(
        brand=brand,
        identifier=identifier,
        kind=kind,
        venue=venue,
        occurred_at=NOW,
        received_at=NOW,
        origin="test",
        external_id=f"{kind.pk} {venue}",
    )


def test_what_only_grows_is_not_even_asked_for_anything_else(brands: list[Brand]) -> None:
    foxglove = brands[0]
    customer = Customer.objects.get(brand=foxglove)
    link = LinkEvent.objects.create(
        identifier=customer.identifiers.all()[0],
        from_customer=customer,
        to_customer=customer,
        type="link",
        reason="said so",
        at=NOW,
    )
    with walls.within([foxglove.pk]):
        attempts: list[Callable[[], object]] = [
            lambda: Posting.objects.update(points=1),
            lambda: Posting.objects.filter(customer=customer)._raw_delete("default"),
            lambda: Action.objects.update(quantity=1),
            lambda: Action.objects.filter(brand=foxglove)._raw_delete("default"),
            lambda: LinkEvent.objects.update(type="merge"),
            lambda: Consent.objects.update(given=True),
        ]
        for attempt in attempts:
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                attempt()
        # A person may be forgotten.
        assert Action.objects.exclude(attributes=None).update(attributes=None) >= 0
        assert LinkEvent.objects.filter(pk=link.pk).update(reason="") == 1


def test_no_table_is_emptied(brands: list[Brand]) -> None:
    with walls.within([brands[0].pk]), connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                cursor.execute(f"TRUNCATE {connection.ops.quote_name(table)} CASCADE")


# --- every request -----------------------------------------------------------------------------------


def sent(act: Callable[[], Any]) -> list[str]:
    """What is really sent to the database while something is done."""
    seen: list[str] = []
    execute = psycopg.Cursor.execute

    def noted(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(query.decode() if isinstance(query, bytes) else str(query))
        return execute(self, query, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", noted)
        act()
    return seen


ADDRESSES = ("/", "/b/foxglove/", "/b/foxglove/score", "/accounts/email/", "/admin/", "/b/nowhere/")


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_request_is_within_before_anything_is_asked_and_ends_outside(
    address: str, brands: list[Brand], customer: Person
) -> None:
    client = customer.client()
    statements = sent(lambda: client.get(address))
    assert statements[0].startswith("SELECT set_config('role'")
    assert walls.place() is None
    assert Customer.objects.count() == 2


def answer(view: Callable[[HttpRequest], Any], path: str) -> Any:
    return WallMiddleware(view)(RequestFactory().get(path))


def test_a_request_never_begins_with_what_another_saw(brands: list[Brand]) -> None:
    seen = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append([str(brand) for brand in Brand.objects.filter(customers__isnull=False)])
        return HttpResponse()

    for path in ("/b/foxglove/score", "/b/harbour/score", "/", "/b/nowhere/x", "/b/foxglove/"):
        answer(view, path)
    fox, har = ([str(brand)] for brand in brands)
    assert seen == [fox, har, [], [], fox]


def test_a_request_that_fails_leaves_nothing_behind(brands: list[Brand]) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        answer(view, "/b/foxglove/score")
    assert (walls.place(), Customer.objects.count()) == (None, 2)


def test_what_is_sent_piece_by_piece_is_within_as_well(brands: list[Brand]) -> None:
    def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(str(Customer.objects.count()) for _turn in range(2))

    response = answer(view, "/b/foxglove/file")
    assert Customer.objects.count() == 2
    pieces = iter(response)
    assert next(pieces) == b"1"
    for close in response._resource_closers:
        close()
    assert (walls.place(), Customer.objects.count()) == (None, 2)


def test_a_connection_that_is_made_on_the_way_is_within(brands: list[Brand]) -> None:
    """The health check of a request may find that the server was started anew."""
    with walls.within([brands[0].pk]):
        made = connection.connection
        try:
            connection.connection = None
            walls.stand((brands[1].pk,))
            walls.stand((brands[0].pk,))
            connection.connection = None
            other = connection.copy()
            setattr(other, walls._PLACE, (brands[0].pk,))
            with other.cursor() as cursor:
                cursor.execute("SELECT current_user, current_setting('laurel.brands')")
                assert cursor.fetchone() == (walls.ROLE, f"{{{brands[0].pk}}}")
            other.close()
        finally:
            connection.connection = made


def test_a_server_without_the_role_answers_nobody(
    brands: list[Brand], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = connection.copy()
    setattr(other, walls._PLACE, ())
    monkeypatch.setattr(walls, "ROLE", "laurel_no_such_role")
    with pytest.raises(DatabaseError):
        other.ensure_connection()
    assert other.connection is None


# Where one steps outside the wall, and why: each place is one that had to be argued for.
LIFTED = {
    ("accounts/models.py", "a person's own roles"),
    ("accounts/social.py", "with which other brands a person's own network counts"),
    ("accounts/social.py", "a person's own network, wherever the name that it had counts"),
    ("accounts/social.py", "a person's own network, with every brand with which it counts"),
    ("loyalty/access.py", "a person's own memberships"),
    ("loyalty/access.py", "a share is known by its own address"),
    ("loyalty/admin/brands.py", "a new brand"),
    ("loyalty/privacy/erase.py", "whether a brand would be left without an owner"),
    (
        "loyalty/privacy/erase.py",
        "a login goes, and with it what says in whatever brand that it was theirs",
    ),
}
# Who may say where a request stands.
STANDS = {
    "accounts/walls.py",
    "loyalty/walled.py",
    "loyalty/access.py",
    "loyalty/management/terminal.py",
}


def test_the_wall_is_lifted_in_these_places_only() -> None:
    found, stands = set(), set()
    for folder in ("accounts", "scoring", "loyalty"):
        for path in sorted((TREE / folder).rglob("*.py")):
            text, name = path.read_text(), str(path.relative_to(TREE))
            found |= {(name, why) for why in re.findall(r'\blifted\(\s*"([^"]+)"', text)}
            calls = len(re.findall(r"\blifted\(", text)) - (name == "accounts/walls.py")
            assert calls == sum(place == name for place, _why in found), name
            if re.search(r"\bstand(_where)?\(|within_those\(|set_config\('role'|SET ROLE", text):
                stands.add(name)
    assert found == LIFTED
    assert stands == STANDS


# --- with filters taken away -------------------------------------------------------------------------

SECRETS = (
    "sam@example.org",
    "Salty Cormorant",
    "HARBOUR-4711",
    "4,711.47",
    "Chandlery bill",
    "Sail past the pier",
)


@pytest.fixture
def two(db: None) -> dict[str, Person]:
    """Foxglove with a customer and a manager, and Harbour with a customer who has secrets."""
    foxglove = make_brand(FOXGLOVE)
    secret = [{**RULES["rules"][0], "title": "Sail past the pier"}]
    kinds = [{**HARBOUR["kinds"][0], "label": "Chandlery bill"}, *HARBOUR["kinds"][1:]]
    harbour = make_brand(HARBOUR | {"kinds": kinds}, RULES | {"rules": secret})
    rowan, sam = join(foxglove, "rowan@example.org"), join(harbour, "sam@example.org")
    assert rowan.customer
    assert sam.customer
    record(rowan.customer, ("purchase", MONDAY, 20))
    record(sam.customer, ("purchase", MONDAY, 900))
    Customer.objects.filter(pk=sam.customer.pk).update(pseudonym="Salty Cormorant", on_boards=True)
    row = ActionRow(
        origin="claim",
        external_id="sam",
        identifier=f"laurel:{sam.customer.public_id}",
        kind="purchase",
        occurred_at=MONDAY,
        quantity=Decimal("4711.47"),
        state="pending",
        attributes={"receipt": "HARBOUR-4711"},
    )
    assert record_actions(brand=harbour, rows=[row], now=NOW)[0].action_id
    imke = User.objects.create_user("imke@example.org")
    StaffRole.objects.create(brand=foxglove, user=imke, role=StaffRole.Role.MANAGER)
    return {"rowan": rowan, "sam": sam, "imke": Person(imke, foxglove)}


def forget_whose_action(patch: pytest.MonkeyPatch) -> None:
    """The module of access: an action is found by its number alone."""
    patch.setattr(
        access,
        "get_action",
        lambda customer, number: get_object_or_404(
            Action.objects.select_related("kind", "venue"), pk=number
        ),
    )


def forget_the_admins_rows(patch: pytest.MonkeyPatch) -> None:
    """A query set: lists of the admin hold the rows of every brand."""
    patch.setattr(
        BrandModelAdmin,
        "get_queryset",
        lambda self, request: super(BrandModelAdmin, self).get_queryset(request),
    )


def forget_whose_claims(patch: pytest.MonkeyPatch) -> None:
    """A query set: everybody's claims are in the queue."""
    patch.setattr(access, "staff_brands", lambda user, task: Brand.objects.order_by("name", "pk"))


def forget_who_works_where(patch: pytest.MonkeyPatch) -> None:
    """The module of access: staff of one brand reach the pages of another."""
    patch.setattr(access, "get_staff_brand", lambda user, task, slug: Brand.objects.get(slug=slug))


def forget_the_brand_in_sql(patch: pytest.MonkeyPatch) -> None:
    """A statement: the list of top customers, without its predicates of the brand."""
    make = datasets.top_customers

    def without(**asked: Any) -> Any:
        dataset = make(**asked)
        text = dataset.statement.as_string(None)
        forgotten = text.replace("score.brand_id = %(brand)s", "TRUE")
        assert forgotten != text
        return dataclasses.replace(dataset, statement=sql.SQL(forgotten))  # type: ignore[arg-type]

    patch.setattr(top_customers, "top_customers", without)
    patch.setattr(consent.Audience, "_people", lambda self: Customer.objects.all())


Hole = Callable[[pytest.MonkeyPatch], None]
HOLES: dict[Hole, Callable[[dict[str, Person]], tuple[str, str]]] = {
    forget_whose_action: lambda two: (
        "rowan",
        reverse("object", args=["foxglove", Action.objects.get(external_id="sam").pk]),
    ),
    forget_the_admins_rows: lambda two: ("imke", "/admin/accounts/customer/"),
    forget_whose_claims: lambda two: ("imke", "/admin/claims/"),
    forget_who_works_where: lambda two: ("imke", "/admin/brands/harbour/rules/"),
    forget_the_brand_in_sql: lambda two: ("imke", "/admin/brands/foxglove/top-customers/"),
}


def leaks(client: Client, address: str) -> list[str]:
    response = client.get(address)
    content = b"".join(response) if response.streaming else response.content
    text = content.decode("utf-8", "replace")
    return [secret for secret in SECRETS if secret in text]


def without_the_wall() -> AbstractContextManager[Any]:
    return override_settings(
        MIDDLEWARE=[name for name in django_settings.MIDDLEWARE if "WallMiddleware" not in name]
    )


@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: hole.__name__)
def test_a_filter_that_was_forgotten_leaks_nothing_through_the_wall(
    hole: Hole, two: dict[str, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    who, address = HOLES[hole](two)
    with without_the_wall():
        assert not leaks(_patient(two[who]), address), "the filter holds by itself"
    hole(monkeypatch)
    with without_the_wall():
        assert leaks(_patient(two[who]), address), "the leak is real, and would be seen"
    assert not leaks(_patient(two[who]), address)


def test_five_filters_forgotten_at_once_leak_nothing_anywhere(
    two: dict[str, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    for hole in HOLES:
        hole(monkeypatch)
    clients = {who: _patient(two[who]) for who in ("rowan", "imke")}
    asked = addresses(two)
    with without_the_wall():
        found = {(who, address) for who, address in asked if leaks(_patient(two[who]), address)}
    assert len(found) >= len(HOLES), "the leaks are real, and would be seen"
    for who, address in asked:
        assert not leaks(clients[who], address), f"{who} {address}"


def _patient(person: Person) -> Client:
    # Where a page finds nothing that it relied on, it may break; what it must not do is show it.
    client = person.client()
    client.raise_request_exception = False
    return client


def addresses(two: dict[str, Person]) -> list[tuple[str, str]]:
    """Every page that a customer and a manager of Foxglove may try, with numbers of Harbour's things."""
    from loyalty.pages.urls import urlpatterns
    from tests.loyalty.test_admin_access import MODELS, VIEWS, address, object_of, page_address
    from tests.loyalty.test_admin_access import PAGES as ADMIN_PAGES

    foxglove, harbour = two["rowan"].brand, two["sam"].brand
    theirs = Action.objects.get(external_id="sam").pk
    asked = [how(two) for how in HOLES.values()]
    for pattern in urlpatterns:
        named = set(pattern.pattern.converters)
        if named <= {"slug"}:
            kwargs: dict[str, Any] = {"slug": "foxglove"} if named else {}
            asked.append(("rowan", reverse(pattern.name or "", kwargs=kwargs)))
        elif named == {"slug", "action_id"}:
            kwargs = {"slug": "foxglove", "action_id": theirs}
            asked.append(("rowan", reverse(pattern.name or "", kwargs=kwargs)))
    asked += [
        ("imke", page_address(name, brand)) for name in ADMIN_PAGES for brand in (foxglove, harbour)
    ]
    asked += [
        ("imke", url)
        for model in MODELS
        if model in (Customer, Action, Posting, Venue)
        for view in VIEWS
        for brand in (foxglove, harbour)
        if (url := address(model, view, object_of(brand, model))) is not None
    ]
    return asked
