"""The rule forms: what a person fills in is the document that was meant, and errors stand where they belong."""

import re
from copy import deepcopy
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Brand, StaffRole, User
from scoring import publication
from scoring.brands import setup_brand
from scoring.documents import RuleSetError, parse_rule_set
from scoring.models import RuleSet, Source
from scoring.rules import RULE_TYPES
from tests.histories import history
from tests.loyalty.forms import sent
from tests.people import FOXGLOVE, MONDAY, RULES, Person, make_brand

pytestmark = pytest.mark.django_db

SHOP: dict[str, Any] = FOXGLOVE | {
    "slug": "shop",
    "kinds": [
        {
            "slug": "purchase",
            "label": "Purchase",
            "source": "purchases",
            "unit": "money",
            "attributes": {
                "size": {"choice": ["S", "M"]},
                "items": "number",
                "gift": "yes_no",
                "made_on": "date",
            },
        },
        {"slug": "check_in", "label": "Check-in", "source": "physical_visits", "unit": ""},
        {"slug": "usage", "label": "Brew", "source": "product_usage", "unit": "cups"},
    ],
}

# What a person fills in on the page of a new rule, and the entry that this is.
FILLED_IN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "earn": (
        {
            "rule-title": "Check in",
            "rule-kinds": ["check_in"],
            "rule-points": "25",
            "limits-0-per": "day",
            "limits-0-by": "venue",
            "limits-0-count": "1",
            "limits-1-per": "week",
            "limits-1-points": "100",
        },
        {
            "key": "check-in",
            "type": "earn",
            "title": "Check in",
            "kinds": ["check_in"],
            "points": 25,
            "limits": [
                {"per": "day", "by": "venue", "count": 1},
                {"per": "week", "points": 100},
            ],
        },
    ),
    "bonus": (
        {
            "rule-title": "Double points at weekends",
            "rule-key": "weekend",
            "rule-kinds": ["purchase", "check_in"],
            "rule-percent": "100",
            "conditions-0-field": "weekday",
            "conditions-0-op": "in",
            "conditions-0-value": "Saturday, sun",
            "rule-starts": "2026-11-01T00:00",
        },
        {
            "key": "weekend",
            "type": "bonus",
            "title": "Double points at weekends",
            "kinds": ["purchase", "check_in"],
            "percent": 100,
            "conditions": [{"field": "weekday", "op": "in", "value": ["sat", "sun"]}],
            "starts": "2026-11-01T00:00:00+00:00",
            "ends": None,
        },
    ),
    "combo": (
        {
            "rule-title": "Visit and buy in one week",
            "rule-key": "see-and-buy",
            "rule-source": "physical_visits",
            "rule-per": "week",
            "rule-points": "50",
            "requires-0-count": "1",
            "requires-0-kinds_chosen": ["check_in"],
            "requires-1-count": "1",
            "requires-1-kinds_chosen": ["purchase"],
            "requires-1-conditions-0-field": "quantity",
            "requires-1-conditions-0-op": "at_least",
            "requires-1-conditions-0-value": "10",
            "requires-1-conditions-1-field": "attributes.gift",
            "requires-1-conditions-1-op": "is",
            "requires-1-conditions-1-value": "yes",
        },
        {
            "key": "see-and-buy",
            "type": "combo",
            "title": "Visit and buy in one week",
            "source": "physical_visits",
            "per": "week",
            "points": 50,
            "requires": [
                {"kinds": ["check_in"], "count": 1},
                {
                    "kinds": ["purchase"],
                    "count": 1,
                    "conditions": [
                        {"field": "quantity", "op": "at_least", "value": 10},
                        {"field": "attributes.gift", "op": "is", "value": True},
                    ],
                },
            ],
        },
    ),
    "streak": (
        {
            "rule-title": "Four weeks in a row",
            "rule-key": "regular",
            "rule-source": "product_usage",
            "rule-kinds": ["usage"],
            "rule-per": "week",
            "rule-count": "1",
            "rule-length": "4",
            "rule-points": "80",
            "rule-ends": "2026-12-24T18:30",
        },
        {
            "key": "regular",
            "type": "streak",
            "title": "Four weeks in a row",
            "source": "product_usage",
            "kinds": ["usage"],
            "per": "week",
            "count": 1,
            "length": 4,
            "points": 80,
            "ends": "2026-12-24T18:30:00+00:00",
        },
    ),
}

# (type, what is filled in instead, the input at which it is said, the sentence)
MISTAKES: list[tuple[str, dict[str, Any], str, str]] = [
    ("earn", {"rule-title": ""}, "rule-title", "required"),
    ("earn", {"rule-kinds": []}, "rule-kinds", "At least one action kind"),
    ("earn", {"rule-points": "many"}, "rule-points", "whole number"),
    ("earn", {"rule-points": "-1"}, "rule-points", "greater than or equal to 0"),
    ("earn", {"rule-points": "99999999999"}, "rule-points", "between 0 and"),
    ("earn", {"rule-rate": "a lot"}, "rule-rate", "Write a number such as 1 or 0.5"),
    ("earn", {"limits-0-per": ""}, "limits-0-per", "Choose the period"),
    ("earn", {"limits-0-count": ""}, "limits-0-count", "how many times"),
    ("earn", {"limits-1-points": "0"}, "limits-1-points", "greater than or equal to 1"),
    ("earn", {"rule-key": "Not A Key"}, "rule-key", "small letters"),
    (
        "earn",
        {"rule-ends": "2020-01-01T00:00", "rule-starts": "2021-01-01T00:00"},
        "rule-ends",
        "end after",
    ),
    ("earn", {"rule-starts": "2026-03-29T01:30"}, "rule-starts", "clocks are put forward"),
    ("bonus", {"rule-percent": ""}, "rule-percent", "decimal number"),
    ("bonus", {"conditions-0-value": "Caturday"}, "conditions-0-value", "not a day of the week"),
    ("bonus", {"conditions-0-value": ""}, "conditions-0-value", "Write the value"),
    ("bonus", {"conditions-0-op": "contains"}, "conditions-0-op", "does not go with"),
    ("bonus", {"conditions-0-op": ""}, "conditions-0-op", "Choose how it compares"),
    ("bonus", {"conditions-0-field": ""}, "conditions-0-field", "Choose what this condition"),
    ("bonus", {"conditions-0-field": "quantity"}, "conditions-0-value", "not a number"),
    ("bonus", {"conditions-0-field": "venue"}, "conditions-0-value", "There is no venue"),
    ("bonus", {"conditions-0-field": "hour"}, "conditions-0-value", "not an hour"),
    (
        "bonus",
        {"conditions-0-field": "attributes.made_on", "conditions-0-op": "is"},
        "conditions-0-value",
        "not a date",
    ),
    (
        "bonus",
        {"conditions-0-field": "attributes.gift", "conditions-0-op": "is"},
        "conditions-0-value",
        "Write yes or no",
    ),
    ("combo", {"rule-per": ""}, "rule-per", "Must be one of"),
    ("combo", {"rule-source": ""}, "rule-source", "Must be one of"),
    ("combo", {"requires-1-kinds_chosen": []}, "requires-1-kinds_chosen", "at least one kind"),
    (
        "combo",
        {"requires-1-conditions-0-value": "ten"},
        "requires-1-conditions-0-value",
        "not a number",
    ),
    ("streak", {"rule-length": "0"}, "rule-length", "Must be between 1 and"),
    ("streak", {"rule-count": "0"}, "rule-count", "Must be between 1 and"),
]


@pytest.fixture
def shop(db: None) -> Brand:
    """A brand with attributes of every type."""
    return make_brand(SHOP)


@pytest.fixture
def client(shop: Brand) -> Client:
    """A manager's browser."""
    return staff_of(shop).client()


def staff_of(brand: Brand, role: str = StaffRole.Role.MANAGER) -> Person:
    """Somebody who works for the brand."""
    user = User.objects.create_user(f"{role}@{brand.slug}.example")
    StaffRole.objects.create(brand=brand, user=user, role=role)
    return Person(user, brand)


def draft_of(brand: Brand) -> dict[str, Any]:
    """The draft, read and written again, so that two ways to write the same compare equal."""
    return parsed(publication.document_of(publication.get_draft(brand=brand)), brand)


def parsed(document: Any, brand: Brand) -> dict[str, Any]:
    """A document with every default written out."""
    return parse_rule_set(document, brand=brand).to_json()


def add_page(brand: Brand, rule_type: str) -> str:
    return reverse("admin:rule_add", kwargs={"slug": brand.slug, "rule_type": rule_type})


def edit_page(brand: Brand, key: str, stage: int = 0) -> str:
    return reverse("admin:rule_edit", kwargs={"slug": brand.slug, "key": key, "stage": stage})


def error_at(html: str, name: str) -> str:
    """The message that stands with an input."""
    field = re.split(rf'name="{re.escape(name)}"', html, maxsplit=1)
    if len(field) == 1:
        return ""
    until = re.split(r'<(?:div|fieldset) class="staff-field', field[1], maxsplit=1)[0]
    return " ".join(re.findall(r'<span class="staff-error"[^>]*>(.*?)</span>', until, re.DOTALL))


def test_every_rule_type_has_a_form_that_was_tried() -> None:
    assert set(FILLED_IN) == set(RULE_TYPES)
    assert {mistake[0] for mistake in MISTAKES} == set(RULE_TYPES)


@pytest.mark.parametrize("rule_type", FILLED_IN)
def test_a_filled_in_form_is_the_document_that_was_meant(
    client: Client, shop: Brand, rule_type: str
) -> None:
    filled_in, entry = FILLED_IN[rule_type]
    page = client.get(add_page(shop, rule_type)).content.decode()
    answer = client.post(add_page(shop, rule_type), sent(page, "rule", **filled_in))
    assert answer.status_code == 302, error_lines(answer.content.decode())
    wanted = {**RULES, "rules": [*RULES["rules"], entry]}
    assert draft_of(shop) == parsed(wanted, shop)


def error_lines(html: str) -> list[str]:
    return re.findall(r'<span class="staff-error"[^>]*>(.*?)</span>', html, re.DOTALL)


@pytest.mark.parametrize(
    ("rule_type", "instead", "place", "sentence"),
    MISTAKES,
    ids=[f"{m[0]}-{m[2]}-{n}" for n, m in enumerate(MISTAKES)],
)
def test_a_mistake_is_said_at_its_input_and_nothing_is_saved(
    client: Client, shop: Brand, rule_type: str, instead: dict[str, Any], place: str, sentence: str
) -> None:
    before = draft_of(shop)
    page = client.get(add_page(shop, rule_type)).content.decode()
    data = sent(page, "rule", **{**FILLED_IN[rule_type][0], **instead})
    answer = client.post(add_page(shop, rule_type), data)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in error_at(html, place), error_lines(html)
    assert "Not saved" in html
    # What was written is still there.
    again = sent(html, "rule")
    assert [again["rule-title"]] == [[data["rule-title"]]]
    assert draft_of(shop) == before


@pytest.mark.parametrize("seed", range(5))
def test_a_page_sent_as_it_stands_changes_nothing(seed: int) -> None:
    """Random rule sets of every shape: opening a rule and pressing save leaves the draft as it was."""
    whole = history(seed)
    brand = setup_brand(document=deepcopy(whole.brand))
    browser = staff_of(brand).client()
    publication.save_draft(brand=brand, document=usable(whole.rules, brand))
    before = draft_of(brand)
    count: dict[str, int] = {}
    for entry in before["rules"]:
        stage = count.get(entry["key"], 0)
        count[entry["key"]] = stage + 1
        url = edit_page(brand, entry["key"], stage)
        page = browser.get(url).content.decode()
        assert "{&quot;" not in page, "a page shows JSON"
        answer = browser.post(url, sent(page, "rule"))
        assert answer.status_code == 302, (entry, error_lines(answer.content.decode()))
        assert draft_of(brand) == before, entry


def usable(document: dict[str, Any], brand: Brand) -> dict[str, Any]:
    """The document without rules that ask for attributes which none of their kinds declares."""

    def can_be_read(entry: dict[str, Any]) -> bool:
        try:
            parse_rule_set({**document, "rules": [entry]}, brand=brand)
        except RuleSetError:
            return False
        return True

    return {**document, "rules": [entry for entry in document["rules"] if can_be_read(entry)]}


def test_rows_are_removed_by_their_box(client: Client, shop: Brand) -> None:
    entry = FILLED_IN["earn"][1]
    publication.save_draft(brand=shop, document={**RULES, "rules": [entry]})
    url = edit_page(shop, "check-in")
    page = client.get(url).content.decode()
    client.post(url, sent(page, "rule", **{"limits-0-DELETE": "on"}))
    assert draft_of(shop)["rules"][0]["limits"] == [{"per": "week", "points": 100}]


def test_a_form_without_the_rows_leaves_them(client: Client, shop: Brand) -> None:
    entry = FILLED_IN["earn"][1]
    publication.save_draft(brand=shop, document={**RULES, "rules": [entry]})
    url = edit_page(shop, "check-in")
    data = sent(client.get(url).content.decode(), "rule")
    data = {name: value for name, value in data.items() if not name.startswith("limits")}
    client.post(url, {**data, "rule-title": "Come in"})
    rule = draft_of(shop)["rules"][0]
    assert rule["title"] == "Come in"
    assert len(rule["limits"]) == 2


def test_the_key_of_a_new_rule_is_made_of_its_title_and_is_new(client: Client, shop: Brand) -> None:
    page = client.get(add_page(shop, "earn")).content.decode()
    data = sent(page, "rule", **{**FILLED_IN["earn"][0], "rule-title": "Visit"})
    client.post(add_page(shop, "earn"), data)
    assert [rule["key"] for rule in draft_of(shop)["rules"]] == ["spend", "visit", "visit-2"]


def test_nobody_overwrites_what_somebody_else_changed(client: Client, shop: Brand) -> None:
    url = edit_page(shop, "visit")
    mine = sent(client.get(url).content.decode(), "rule", **{"rule-points": "99"})
    theirs = sent(client.get(url).content.decode(), "rule", **{"rule-points": "30"})
    assert client.post(url, theirs).status_code == 302
    answer = client.post(url, mine)
    assert answer.status_code == 409
    assert "Somebody else changed this rule" in answer.content.decode()
    assert draft_of(shop)["rules"][1]["points"] == 30


def test_a_rule_is_taken_out_and_the_draft_discarded(client: Client, shop: Brand) -> None:
    where = {"slug": shop.slug, "key": "visit", "stage": 0}
    client.post(reverse("admin:rule_remove", kwargs=where))
    assert [rule["key"] for rule in draft_of(shop)["rules"]] == ["spend"]
    page = client.get(reverse("admin:rules", kwargs={"slug": shop.slug})).content.decode()
    assert "goes away" in page
    client.post(reverse("admin:rules_discard", kwargs={"slug": shop.slug}))
    assert [rule["key"] for rule in draft_of(shop)["rules"]] == ["spend", "visit"]


def test_each_rule_is_shown_as_its_sentence(client: Client, shop: Brand) -> None:
    page = client.get(reverse("admin:rules", kwargs={"slug": shop.slug})).content.decode()
    for stage in parse_rule_set(RULES, brand=shop).rules:
        assert str(stage.sentence()) in page


def shape_page(brand: Brand) -> str:
    return reverse("admin:shape", kwargs={"slug": brand.slug})


def test_the_shape_of_the_score_sums_to_100(client: Client, shop: Brand) -> None:
    page = client.get(shape_page(shop)).content.decode()
    same = sent(page, "shape")
    assert client.post(shape_page(shop), same).status_code == 302
    assert draft_of(shop) == parsed(RULES, shop)
    answer = client.post(shape_page(shop), {**same, "purchases.weight": "31"})
    assert answer.status_code == 422
    assert "they sum to 101" in answer.content.decode()
    answer = client.post(
        shape_page(shop),
        {
            **same,
            "purchases.weight": "40",
            "physical_visits.weight": "10",
            "social_media.half_life_days": "",
            "online_engagement.halfway_points": "82.5",
        },
    )
    assert answer.status_code == 302
    sources = draft_of(shop)["sources"]
    assert sources["purchases"]["weight"] == 40
    assert sources["social_media"]["half_life_days"] is None
    assert sources["online_engagement"]["halfway_points"] == "82.5"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("purchases.weight", "101", "less than or equal to 100"),
        ("purchases.half_life_days", "0", "above 0"),
        ("purchases.halfway_points", "0", "above 0"),
        ("purchases.halfway_points", "", "required"),
        ("purchases.half_life_days", "soon", "Write a number"),
    ],
)
def test_a_mistake_in_the_shape_is_said_at_its_input(
    client: Client, shop: Brand, name: str, value: str, sentence: str
) -> None:
    same = sent(client.get(shape_page(shop)).content.decode(), "shape")
    answer = client.post(shape_page(shop), {**same, name: value})
    cell = answer.content.decode().split(f'name="{name}"')[1].split("</td>")[0]
    assert answer.status_code == 422
    assert sentence in cell
    assert draft_of(shop) == parsed(RULES, shop)


def test_sources_of_the_form_are_those_of_the_engine(client: Client, shop: Brand) -> None:
    page = client.get(shape_page(shop)).content.decode()
    assert all(f'name="{source.slug}.weight"' in page for source in Source)


def test_a_marketer_reads_the_rules_and_changes_nothing(shop: Brand) -> None:
    marketer = staff_of(shop, StaffRole.Role.MARKETER).client()
    before = draft_of(shop)
    url = edit_page(shop, "visit")
    page = marketer.get(url).content.decode()
    assert "Save in the draft" not in page
    assert marketer.post(url, {"rule-title": "Mine"}).status_code == 403
    listed = marketer.get(reverse("admin:rules", kwargs={"slug": shop.slug})).content.decode()
    assert "Add a rule" not in listed
    assert draft_of(shop) == before


def test_published_versions_are_told_and_can_be_taken_back(client: Client, shop: Brand) -> None:
    changed = deepcopy(RULES)
    changed["rules"][1]["points"] = 40
    publication.publish(
        brand=shop, document=changed, effective="now", note="More for a visit", now=MONDAY
    )
    kwargs = {"slug": shop.slug}
    page = client.get(reverse("admin:versions", kwargs=kwargs)).content.decode()
    assert "More for a visit" in page
    version = client.get(reverse("admin:version", kwargs={**kwargs, "version": 2})).content.decode()
    assert "25 points" in version
    assert "40 points" in version
    answer = client.post(reverse("admin:version", kwargs={**kwargs, "version": 1}))
    assert answer.status_code == 302
    assert draft_of(shop) == parsed(RULES, shop)
    assert RuleSet.objects.filter(brand=shop, version__isnull=False).count() == 2
