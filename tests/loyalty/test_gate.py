"""The gate: whoever may not be found for a purpose stands nowhere that marketing reads.

Every address of the admin is opened as a marketer, for every purpose, and every command that lists customers is run;
somebody who must not be found has a name that would be found there. A new address is tried by itself. Beside that, no
module of exports or of choosing customers may read them in another way.
"""

import ast
import inspect
import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.apps import apps
from django.core.management import call_command, get_commands
from django.db.models import Model
from django.http import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse
from time_machine import travel

from accounts.choices import pause_score
from accounts.consent import Audience, asked_for, record_consents, texts_of
from accounts.identity import link_identifier, merge_customers
from accounts.models import Brand, Consent, Customer, Identifier, StaffRole, User
from loyalty import access
from loyalty.admin import site
from loyalty.exports.formats import FORMATS
from loyalty.privacy.erase import erase_customer
from scoring import queries
from tests.loyalty.test_admin_access import autocompletion
from tests.people import MONDAY, Person, join, record, score_all_due

pytestmark = pytest.mark.django_db

NOW = MONDAY + timedelta(days=1)
TREE = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    """It is NOW."""
    with travel(NOW, tick=False):
        yield


class Canary(NamedTuple):
    """Somebody with a name, an address, a card and a number that stand nowhere else."""

    customer: Customer
    marks: tuple[str, ...]

    def is_in(self, text: str) -> bool:
        """Whether anything of them is."""
        return any(mark in text for mark in self.marks)


def canary(brand: Brand, name: str) -> Canary:
    """A customer who has bought something."""
    person = join(brand, f"{name}@canary.example", now=MONDAY)
    assert person.customer
    Customer.objects.filter(pk=person.customer.pk).update(pseudonym=f"Canary {name}")
    link_identifier(
        customer=person.customer, text=f"card:{name}77", proof=Identifier.Proof.CODE, now=MONDAY
    )
    person.customer.refresh_from_db()
    record(person.customer, ("purchase", MONDAY, 40), now=NOW)
    number = str(person.customer.public_id)
    return Canary(
        person.customer,
        (
            *(f"Canary {name}", f"{name}@canary.example", f"{name}77", number, number[:8]),
            f"/customer/{person.customer.pk}/",
        ),
    )


def agree(customer: Customer, *, given: bool = True) -> None:
    """Say yes to everything, or no again."""
    texts = texts_of(brand=customer.brand, language="en")
    record_consents(
        customer=customer,
        choices=dict.fromkeys(asked_for(brand=customer.brand), given),
        shown={purpose: wording.version for purpose, wording in texts.items()},
        language="en",
        way=Consent.Way.PAGE,
        now=NOW,
    )


class Nest(NamedTuple):
    """The canaries: who may be found for everything, who for the score only, and who for nothing."""

    brand: Brand
    agreed: Canary
    silent: Canary
    nobody: dict[str, Canary]


@pytest.fixture
def nest(foxglove: Brand, harbour: Brand, manager: Person) -> Nest:
    """Foxglove asks for everything. All but the silent ones agreed to all of it, whatever came then."""
    for brand in (foxglove, harbour):
        brand.channels, brand.partners = list(Brand.Channel.values), "Roast & Co"
        brand.save()
    agreed, silent, paused, erased, merged, kept = (
        canary(foxglove, name)
        for name in ("agreed", "silent", "paused", "erased", "merged", "kept")
    )
    other = canary(harbour, "other")
    for one in (agreed, paused, erased, merged, other):
        agree(one.customer)
    # Silence is no consent, and neither is one that was taken back.
    agree(kept.customer)
    agree(kept.customer, given=False)
    pause_score(customer=paused.customer, now=NOW)
    erase_customer(customer=erased.customer, now=NOW)
    merge_customers(
        kept=kept.customer,
        merged=merged.customer,
        by=manager.user,
        reason="the same person",
        now=NOW,
    )
    score_all_due(foxglove, now=NOW)
    # What records call the merged one has gone over to the other; their name and their line in a list have not.
    line = f'"customer":"{merged.customer.public_id}"'
    merged = Canary(merged.customer, ("Canary merged", line, merged.marks[-1]))
    return Nest(
        foxglove,
        agreed,
        silent,
        {"paused": paused, "erased": erased, "merged": merged, "other": other},
    )


@pytest.fixture
def marketer(foxglove: Brand) -> Person:
    """Somebody who chooses Foxglove's customers for marketing."""
    user = User.objects.create_user("mika@example.org")
    StaffRole.objects.create(brand=foxglove, user=user, role=StaffRole.Role.MARKETER)
    return Person(user, foxglove)


# --- every address


def patterns(resolver: Any) -> Iterator[tuple[str, list[str]]]:
    """Every address of the admin, by name, with what stands in it."""
    for pattern in resolver:
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and pattern.name not in SKIPPED:
            assert pattern.name
            yield pattern.name, [*pattern.pattern.converters, *pattern.pattern.regex.groupindex]


# It ends the session; it only leads on; it answers 404.
SKIPPED = {"logout", "view_on_site", None}
# Values of what stands in addresses. A new one needs its line.
WORDS: dict[str, list[Any]] = {
    "slug": ["foxglove", "harbour"],
    "format_name": list(FORMATS),
    "rule_type": ["earn"],
    "key": ["visit"],
    "stage": [0],
    "version": [1],
    "app_label": ["accounts", "scoring"],
    "group": ["5e1f9a52-6f0c-4b55-9c5a-0f6f1c6f0f11"],
}


def addresses(nest: Nest) -> Iterator[str]:
    """Every address of the admin, about every canary and every object there is."""
    everyone = [nest.agreed, nest.silent, *nest.nobody.values()]
    ids = sorted({one.customer.pk for one in everyone} | {1, 2, 3})
    for name, parts in patterns(site.get_urls()):
        if name == "autocomplete":
            yield from filter(None, map(autocompletion, site._registry))
            continue
        ways: list[dict[str, Any]] = [{}]
        for part in dict.fromkeys(parts):
            values = ids if part.endswith("_id") else WORDS.get(part)
            assert values, f"{name}: what is a {part}?"
            ways = [{**way, part: value} for way in ways for value in values]
        for way in ways:
            yield reverse(f"admin:{name}", kwargs=way)


def purposes(brand: Brand) -> Iterator[str]:
    """Every purpose as a page is asked for it."""
    yield "score"
    for purpose, channel in asked_for(brand=brand):
        yield f"{purpose}-{channel}" if channel else purpose.value


def text_of(answer: HttpResponseBase) -> str:
    """Everything that came, also what comes in pieces."""
    headers = " ".join(f"{name}: {value}" for name, value in answer.items())
    return headers + b"".join(answer).decode("utf-8", "replace")


def ask(client: Client, address: str, purpose: str) -> Iterator[tuple[str, str]]:
    """What an address says to a marketer, on looking and on sending a form."""
    mark = "&" if "?" in address else "?"
    query = f"{mark}purpose={purpose}" if purpose else ""
    for method in ("get", "post"):
        answer = getattr(client, method)(address + query)
        if answer.status_code == 200:
            yield f"{method} {address}{query}", text_of(answer)


def test_whoever_may_not_be_found_stands_nowhere_that_marketing_reads(
    nest: Nest, marketer: Person
) -> None:
    client = marketer.client()
    found: dict[str, set[str]] = {"agreed": set(), "silent": set()}
    asked = 0
    for address in addresses(nest):
        # Lists are pages of a brand.
        for purpose in ("", *purposes(nest.brand)) if "/brands/" in address else ("",):
            for where, text in ask(client, address, purpose):
                asked += 1
                for name, one in nest.nobody.items():
                    assert not one.is_in(text), f"{name} at {where}"
                if nest.agreed.is_in(text):
                    found["agreed"].add(purpose or "none")
                if nest.silent.is_in(text):
                    assert purpose in {"", "score"} or "top-customers" not in address, where
                    found["silent"].add(where)
    assert asked > 100
    # It would have been seen.
    assert found["agreed"] == {"none", *purposes(nest.brand)}
    assert any("export/csv" in where for where in found["silent"])


def test_whoever_may_not_be_found_is_not_found_by_name(nest: Nest, marketer: Person) -> None:
    client = marketer.client()
    page = reverse("admin:accounts_customer_changelist")
    for one in nest.nobody.values():
        for mark in one.marks:
            rows = client.get(page, {"q": mark}).context["cl"].result_list
            assert one.customer.pk not in {row.pk for row in rows}, mark
    [row] = client.get(page, {"q": "agreed77"}).context["cl"].result_list
    assert row.pk == nest.agreed.customer.pk


def test_whoever_serves_customers_meets_who_paused(nest: Nest, manager: Person) -> None:
    page = reverse("admin:accounts_customer_change", args=[nest.nobody["paused"].customer.pk])
    assert manager.client().get(page).status_code == 200


# --- every command


def test_commands_find_nobody_else(nest: Nest) -> None:
    lists = sorted(
        name
        for name, app in get_commands().items()
        if app == "loyalty" and name.startswith("export")
    )
    # What the ledger holds, action by action, names no customer.
    assert lists == ["export_awards", "export_scores"]
    for asked in purposes(nest.brand):
        purpose, _dash, channel = asked.partition("-")
        out = io.StringIO()
        options = {"channel": channel} if channel else {}
        call_command("export_scores", "foxglove", purpose=purpose, stdout=out, **options)
        text = out.getvalue()
        assert nest.agreed.is_in(text)
        assert nest.silent.is_in(text) == (asked == "score")
        assert [name for name, one in nest.nobody.items() if one.is_in(text)] == []
    out = io.StringIO()
    call_command("export_awards", "foxglove", stdout=out)
    everyone = (nest.agreed, nest.silent, *nest.nobody.values())
    assert not any(
        mark in out.getvalue() for one in everyone for mark in one.marks if "-" not in mark
    )


# --- the code


def models_of_customers() -> set[type[Model]]:
    """Customers, and all that belongs to one."""
    return {
        model
        for model in apps.get_models()
        if model is Customer
        or any(field.related_model is Customer for field in model._meta.concrete_fields)
    }


# What chooses customers: exports, and whatever asks for the task of doing so. But for these, each with its reason.
OTHERWISE = {
    "loyalty/access.py": "says who may",
    "loyalty/admin/consents.py": "the record of what was taken",
}


CHOOSES = f"Task.{access.Task.EXPORT_CUSTOMERS.name}"


def modules_of_marketing() -> list[Path]:
    return [
        path
        for path in sorted(TREE.glob("loyalty/**/*.py"))
        if str(path.relative_to(TREE)) not in OTHERWISE
        and (
            "exports" in path.parts
            or path.stem.startswith("export_")
            or CHOOSES in path.read_text()
        )
    ]


def reads_around_the_gate(source: str) -> list[str]:
    """What of a module's code reads customers otherwise than through an audience."""
    names = {model.__name__ for model in models_of_customers()} - {"DataUseOf"}
    tables = {model._meta.db_table for model in models_of_customers()}
    found = []
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found += [f"imports {one.name}" for one in node.names if one.name in names]
        if isinstance(node, ast.Attribute) and node.attr == "customers":
            holder = node.value
            if not (isinstance(holder, ast.Name) and holder.id in {"audience", "found"}):
                found.append("goes over .customers")
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            told = {one.arg for one in [*node.args.args, *node.args.kwonlyargs]}
            text = ast.get_source_segment(source, node) or ""
            reads = [table for table in tables if f"{table} " in text]
            if reads and "audience" not in told:
                found.append(f"{node.name} reads {reads} of no audience")
    if any(f"{table} " in source for table in tables) and "audience.is_member" not in source:
        found.append("SQL without audience.is_member")
    return found


@pytest.mark.parametrize(
    "path", modules_of_marketing(), ids=lambda path: str(path.relative_to(TREE))
)
def test_what_chooses_customers_takes_them_from_an_audience(path: Path) -> None:
    assert reads_around_the_gate(path.read_text()) == []


def test_the_modules_of_marketing_are_seen() -> None:
    seen = {str(path.relative_to(TREE)) for path in modules_of_marketing()}
    assert {
        "loyalty/exports/datasets.py",
        "loyalty/admin/top_customers.py",
        "loyalty/management/commands/export_scores.py",
    } <= seen


@pytest.mark.parametrize(
    "source",
    [
        "from accounts.models import Customer",
        "from scoring.models import DailyPoints, Score",
        "def rows(brand):\n    return list(brand.customers.all())",
        'def rows(*, brand):\n    return "SELECT * FROM scoring_score WHERE brand_id = 1"',
        'def rows(*, audience):\n    return "SELECT * FROM accounts_customer WHERE brand_id = 1"',
    ],
)
def test_what_goes_around_the_gate_is_seen(source: str) -> None:
    assert reads_around_the_gate(source)


def test_the_engine_lists_customers_of_an_audience_only() -> None:
    """Whatever of the engine's queries is asked for a brand, and not for a customer."""
    of_brands = {
        name
        for name, function in inspect.getmembers(queries, inspect.isfunction)
        if function.__module__ == queries.__name__
        and not name.startswith("_")
        and "brand" in inspect.signature(function).parameters
    }
    assert of_brands == {"iter_awards"}, "which names no customer"
    of_audiences = {
        name
        for name, function in inspect.getmembers(queries, inspect.isfunction)
        if inspect.signature(function).parameters.get("audience")
    }
    assert of_audiences == {"best_customer", "iter_scores", "top_customers", "_scores_statement"}
    assert Audience.__module__ == "accounts.consent"
