"""Brand, kinds, venues and badges: forms in place of documents, and what is fixed once it is in use."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Brand, ConsentText, Customer, User
from scoring.models import ActionKind, Badge, BadgeEarned, Due, Venue
from tests.loyalty.forms import sent
from tests.people import MONDAY, Person, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(manager: Person) -> Client:
    """A manager's browser."""
    return manager.client()


@pytest.fixture
def used(customer: Person) -> Customer:
    """A customer with actions of the kind “purchase” that carry the attribute “items”."""
    assert customer.customer is not None
    kind = ActionKind.objects.get(brand=customer.brand, slug="purchase")
    kind.attributes = {"items": "number", "size": {"choice": ["S", "M"]}}
    kind.save()
    record(customer.customer, ("purchase", MONDAY, 12))
    return customer.customer


def kind_page(slug: str = "purchase") -> str:
    kind = ActionKind.objects.get(brand__slug="foxglove", slug=slug)
    return reverse("admin:scoring_actionkind_change", args=[kind.pk])


def rows(*attributes: tuple[str, str, str]) -> dict[str, list[str]]:
    """Attribute rows as the form sends them."""
    columns = [list(column) for column in zip(*attributes, strict=True)] or [[], [], []]
    names = ("attributes-name", "attributes-type", "attributes-choices")
    return dict(zip(names, columns, strict=True))


def form_of(client: Client, url: str, form_id: str) -> dict[str, Any]:
    return sent(client.get(url).content.decode(), form_id)


def test_a_kind_with_attributes_of_every_type(client: Client, foxglove: Brand) -> None:
    url = reverse("admin:scoring_actionkind_add")
    filled_in = {
        "label": "Review",
        "slug": "review",
        "source": "5",
        "unit": "words",
        **rows(
            ("topic", "text", ""),
            ("stars", "number", ""),
            ("public", "yes_no", ""),
            ("written_on", "date", ""),
            ("where", "choice", "shop, web ,app"),
            ("", "text", ""),
        ),
    }
    answer = client.post(url, form_of(client, url, "actionkind_form") | filled_in)
    assert answer.status_code == 302
    kind = ActionKind.objects.get(brand=foxglove, slug="review")
    assert (kind.label, kind.source, kind.unit) == ("Review", 5, "words")
    assert kind.attributes == {
        "topic": "text",
        "stars": "number",
        "public": "yes_no",
        "written_on": "date",
        "where": {"choice": ["shop", "web", "app"]},
    }


def test_a_kind_sent_as_it_stands_stays(client: Client, used: Customer) -> None:
    before = ActionKind.objects.filter(slug="purchase").values().get(brand=used.brand)
    page = client.get(kind_page()).content.decode()
    assert "{&quot;" not in page
    assert client.post(kind_page(), sent(page, "actionkind_form")).status_code == 302
    assert ActionKind.objects.filter(slug="purchase").values().get(brand=used.brand) == before


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ([("a", "choice", "")], "write its choices"),
        ([("a", "text", "x, y")], "must be “one of these choices”"),
        ([("a", "text", ""), ("a", "number", "")], "is there twice"),
        ([("", "choice", "x")], "needs a name"),
        ([("a", "colour", "")], "needs a type"),
        ([("a" * 65, "text", "")], "is too long"),
    ],
)
def test_a_mistake_in_an_attribute_is_said_in_words(
    client: Client, foxglove: Brand, attributes: list[tuple[str, str, str]], sentence: str
) -> None:
    url = kind_page()
    data = form_of(client, url, "actionkind_form") | rows(*attributes)
    answer = client.post(url, data)
    assert answer.status_code == 200
    assert sentence in answer.content.decode()
    assert ActionKind.objects.get(brand=foxglove, slug="purchase").attributes == {"receipt": "text"}


def test_the_type_of_an_attribute_in_use_stays(
    client: Client, used: Customer, foxglove: Brand
) -> None:
    from accounts.identity import parse_identifier
    from scoring.actions import ActionRow, record_actions

    identifier = f"laurel:{used.public_id}"
    assert parse_identifier(identifier)
    (outcome,) = record_actions(
        brand=foxglove,
        rows=[
            ActionRow("till", "with-items", identifier, "purchase", MONDAY, attributes={"items": 3})
        ],
        now=MONDAY,
    )
    assert outcome.status == "accepted", outcome
    url = kind_page()
    data = form_of(client, url, "actionkind_form")
    answer = client.post(url, data | rows(("items", "text", ""), ("size", "text", "")))
    html = answer.content.decode()
    assert "Actions carry “items” already: its type stays number." in html
    assert "“size” already" not in html
    assert "stays number" in client.post(url, data | rows(("size", "text", ""))).content.decode()
    # What nobody carries may change, and choices may be added.
    answer = client.post(url, data | rows(("items", "number", ""), ("size", "choice", "S, M, L")))
    assert answer.status_code == 302
    kind = ActionKind.objects.get(brand=foxglove, slug="purchase")
    assert kind.attributes == {"items": "number", "size": {"choice": ["S", "M", "L"]}}


def test_slug_and_source_of_a_kind_stay(client: Client, foxglove: Brand) -> None:
    url = kind_page()
    data = form_of(client, url, "actionkind_form") | {"slug": "other", "source": "1"}
    assert client.post(url, data).status_code == 302
    kind = ActionKind.objects.get(brand=foxglove, slug="purchase")
    assert kind.source == 2


def test_two_venues_cannot_have_one_code(client: Client, foxglove: Brand) -> None:
    url = reverse("admin:scoring_venue_add")
    data = {"brand": foxglove.pk, "name": "Bank", "slug": "bank", "check_in_code": "SOHO42"}
    answer = client.post(url, data)
    assert answer.status_code == 200
    assert not Venue.objects.filter(slug="bank").exists()
    assert client.post(url, data | {"check_in_code": "BANK1"}).status_code == 302


def test_what_history_depends_on_stays_with_the_brand(
    client: Client, used: Customer, foxglove: Brand
) -> None:
    url = reverse("admin:accounts_brand_change", args=[foxglove.pk])
    data = form_of(client, url, "brand_form")
    assert "time_zone" not in data
    answer = client.post(
        url,
        data
        | {
            "name": "Foxglove",
            "promise": "Good coffee",
            "colour": "#1B4D3E",
            "time_zone": "Asia/Tokyo",
            "currency": "JPY",
            "slug": "fox",
        },
    )
    assert answer.status_code == 302
    foxglove.refresh_from_db()
    assert (foxglove.name, foxglove.promise, foxglove.colour) == (
        "Foxglove",
        "Good coffee",
        "#1b4d3e",
    )
    assert (foxglove.slug, foxglove.time_zone, foxglove.currency) == (
        "foxglove",
        "Europe/London",
        "GBP",
    )


def test_an_operator_adds_a_brand(db: None) -> None:
    root = User.objects.create_superuser("root@example.org")
    client = Client()
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    url = reverse("admin:accounts_brand_add")
    data = {
        "name": "Quay Books",
        "slug": "quay",
        "promise": "",
        "time_zone": "Pacific/Auckland",
        "currency": "nzd",
        "colour": "#123456",
        "season": "month",
        "credit_days": "90",
        "channels": ["email", "post"],
        "partners": "Roast & Co",
    }
    assert client.post(url, data | {"time_zone": "Mars/Olympus"}).status_code == 200
    assert client.post(url, data | {"season": "decade"}).status_code == 200
    assert client.post(url, data | {"colour": "red"}).status_code == 200
    assert client.post(url, data).status_code == 302
    brand = Brand.objects.get(slug="quay")
    assert (brand.currency, brand.season, brand.credit_days) == ("NZD", "month", 90)
    assert (brand.channels, brand.partners) == (["email", "post"], "Roast & Co")
    # Nothing is published yet, and every page of its rules says so without failing.
    for name in ("rules", "shape", "publish", "versions", "top_customers"):
        page = reverse(f"admin:{name}", kwargs={"slug": "quay"})
        assert client.get(page).status_code == 200, name


# What is written into the form of each criterion, and what the badge is then earned for.
BADGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "actions": (
        {
            "parameter_kinds": ["purchase", "check_in"],
            "parameter_conditions-0-field": "weekday",
            "parameter_conditions-0-op": "in",
            "parameter_conditions-0-value": "Saturday, Sunday",
        },
        {
            "kinds": ["purchase", "check_in"],
            "conditions": [{"field": "weekday", "op": "in", "value": ["sat", "sun"]}],
        },
    ),
    "quantity": ({"parameter_kinds": ["purchase"]}, {"kinds": ["purchase"], "conditions": []}),
    "venues": ({"parameter_kinds": ["check_in"]}, {"kinds": ["check_in"], "conditions": []}),
    "streak": (
        {"parameter_kinds": ["usage"], "parameter_count": "3", "parameter_per": "week"},
        {"kinds": ["usage"], "conditions": [], "count": 3, "per": "week"},
    ),
    "combination": (
        {
            "parameter_requires-0-count": "2",
            "parameter_requires-0-kinds_chosen": ["check_in"],
            "parameter_requires-0-conditions-0-field": "venue",
            "parameter_requires-0-conditions-0-op": "is",
            "parameter_requires-0-conditions-0-value": "Soho",
            "parameter_requires-1-kinds_chosen": ["purchase"],
            "parameter_per": "month",
        },
        {
            "requires": [
                {
                    "kinds": ["check_in"],
                    "count": 2,
                    "conditions": [{"field": "venue", "op": "is", "value": "soho"}],
                },
                {"kinds": ["purchase"], "count": 1, "conditions": []},
            ],
            "per": "month",
        },
    ),
    "source_points": ({"parameter_source": "purchases"}, {"source": "purchases"}),
    "score": ({}, {}),
}
COMMON = {
    "title": "Regular",
    "slug": "regular",
    "source": "2",
    "position": "1",
    "level_1": "5",
    "level_2": "25",
}


def badge_add(criterion: str) -> str:
    return reverse("admin:scoring_badge_add") + f"?criterion={criterion}&brand=foxglove"


def test_every_criterion_has_a_form_that_was_tried() -> None:
    from scoring.criteria import CRITERIA

    assert set(BADGES) == set(CRITERIA)


@pytest.mark.parametrize("criterion", BADGES)
def test_a_badge_of_each_criterion(
    client: Client, foxglove: Brand, used: Customer, criterion: str
) -> None:
    filled_in, parameters = BADGES[criterion]
    url = badge_add(criterion)
    data = form_of(client, url, "badge_form") | COMMON | filled_in
    assert client.post(url, data).status_code == 302
    badge = Badge.objects.get(brand=foxglove, slug="regular")
    assert (badge.criterion, badge.parameters, badge.levels) == (criterion, parameters, [5, 25])
    assert list(Due.objects.values_list("customer", "why")) == [(used.pk, "badge")]
    change = reverse("admin:scoring_badge_change", args=[badge.pk])
    page = client.get(change).content.decode()
    assert client.post(change, sent(page, "badge_form", title="Steady")).status_code == 302
    badge.refresh_from_db()
    assert (badge.title, badge.parameters, badge.levels) == ("Steady", parameters, [5, 25])
    page = client.get(reverse("admin:scoring_badge_changelist")).content.decode()
    assert "5 · 25" in page
    # A second one of the same slug is refused in words.
    again = client.post(url, data)
    assert again.status_code == 200
    assert "already exists" in again.content.decode()


CONDITION = {"parameter_conditions-0-field": "hour", "parameter_conditions-0-op": "is"}


@pytest.mark.parametrize(
    ("criterion", "instead", "input_name", "sentence"),
    [
        ("actions", {"parameter_kinds": []}, "parameter_kinds", "At least one action kind"),
        ("actions", {"level_1": "0"}, "level_1", "Must be between 1 and"),
        ("actions", {"level_1": ""}, "level_1", "A whole number is needed"),
        ("actions", {"level_1": "", "level_2": ""}, "level_1", "A whole number is needed"),
        ("actions", {"level_3": "25"}, "level_3", "Must be more than 25"),
        ("venues", {"level_2": "many"}, "level_2", "Enter a whole number"),
        ("score", {"level_2": "1000"}, "level_2", "Must be between 1 and 999"),
        ("source_points", {"parameter_source": ""}, "parameter_source", "Must be one of"),
        (
            "quantity",
            {"parameter_kinds": ["purchase", "usage"]},
            "parameter_kinds",
            "different units",
        ),
        ("streak", {"parameter_per": ""}, "parameter_per", "Must be one of"),
        ("venues", CONDITION, "parameter_conditions-0-value", "Write the value"),
        ("combination", {"parameter_per": ""}, "parameter_per", "Must be one of"),
        (
            "combination",
            {"parameter_requires-1-kinds_chosen": [], "parameter_requires-1-count": "2"},
            "parameter_requires-1-kinds_chosen",
            "Choose at least one kind",
        ),
    ],
)
def test_a_mistake_in_a_badge_is_said_in_words(
    client: Client,
    foxglove: Brand,
    criterion: str,
    instead: dict[str, Any],
    input_name: str,
    sentence: str,
) -> None:
    url = badge_add(criterion)
    data = form_of(client, url, "badge_form") | COMMON | BADGES[criterion][0] | instead
    answer = client.post(url, data)
    assert answer.status_code == 200
    html = answer.content.decode()
    assert sentence in html
    assert f'name="{input_name}"' in html
    assert not Badge.objects.exists()


def test_a_combination_needs_a_requirement(client: Client, foxglove: Brand) -> None:
    url = badge_add("combination")
    data = form_of(client, url, "badge_form") | COMMON | {"parameter_per": "week"}
    answer = client.post(url, data)
    assert answer.status_code == 200
    assert "At least one requirement is needed here" in answer.content.decode()


def test_a_badge_that_somebody_earned_stays(
    client: Client, foxglove: Brand, used: Customer
) -> None:
    badge = Badge.objects.create(
        brand=foxglove, slug="b", title="B", source=2, criterion="score", levels=[1]
    )
    BadgeEarned.objects.create(customer=used, badge=badge, level=1, earned_at=MONDAY)
    url = reverse("admin:scoring_badge_delete", args=[badge.pk])
    page = client.get(url).content.decode()
    assert "would require deleting the following protected" in page
    client.post(url, {"post": "yes"})
    assert Badge.objects.filter(pk=badge.pk).exists()


def test_the_choice_of_a_criterion_comes_first(client: Client, foxglove: Brand) -> None:
    page = client.get(reverse("admin:scoring_badge_add")).content.decode()
    assert all(f"criterion={name}" in page for name in BADGES)
    assert client.get(badge_add("luck")).status_code == 404


def test_customers_are_found_by_name_and_by_identifier(
    client: Client, used: Customer, stranger: Person
) -> None:
    url = reverse("admin:accounts_customer_changelist")
    found = reverse("admin:accounts_customer_change", args=[used.pk])
    for term in (
        "rowan@example.org",
        "email:Rowan@Example.org",
        "rowan",
        used.pseudonym[:4],
        f"laurel:{used.public_id}",
    ):
        assert found in client.get(url, {"q": term}).content.decode(), term
    assert found not in client.get(url, {"q": "sam@example.org"}).content.decode()


def test_a_customers_page_shows_the_receipt_that_the_customer_sees(
    client: Client, used: Customer
) -> None:
    from datetime import UTC, datetime

    import time_machine

    from scoring.explain import explain

    with time_machine.travel(datetime(2026, 11, 28, 12, tzinfo=UTC)):
        page = client.get(reverse("admin:accounts_customer_change", args=[used.pk]))
    wanted = explain(customer=used, on=datetime(2026, 11, 28, tzinfo=UTC).date())
    html = page.content.decode()
    assert f"{wanted.score:.3f}" in html
    for line in wanted.lines:
        assert line.title in html
        assert str(line.sentence) in html


def test_new_words_for_a_consent_are_a_new_version(client: Client, foxglove: Brand) -> None:
    url = reverse("admin:accounts_consenttext_add")
    form = client.get(url).content.decode()
    assert 'value="news"' in form
    assert 'value="score"' not in form, "which is what one joins for"
    data = {"brand": foxglove.pk, "purpose": "news"}
    for text in ("News?", "News, once a month?"):
        assert client.post(url, data | {"text": text}).status_code == 302
    assert client.post(url, data | {"purpose": "score", "text": "All?"}).status_code == 200
    texts = ConsentText.objects.order_by("version")
    assert [(one.version, one.text) for one in texts] == [(1, "News?"), (2, "News, once a month?")]
    assert texts[0].made_by is not None
    page = reverse("admin:accounts_consenttext_change", args=[texts[0].pk])
    assert client.get(page).status_code == 200
    assert client.post(page, data | {"text": "Everything?"}).status_code == 403
