"""No self-award: a form that is sent with every field of its model changes what it shows, and nothing else.

And what must be unique is so within its brand, or random: nobody learns by a refusal what another brand has.
"""

import uuid
from typing import Any

import pytest
from django import forms
from django.apps import apps
from django.db.models import ForeignKey, Model, OneToOneField, UniqueConstraint, UUIDField
from django.forms import BaseModelForm
from django.test import Client
from django.urls import reverse
from rest_framework.serializers import ModelSerializer

from accounts.models import Brand, ConsentText, Customer, StaffRole, User
from accounts.policies import way_to_brand
from loyalty.admin import site
from loyalty.pages.board import PseudonymForm
from loyalty.pages.me import PagesForm
from scoring.models import ActionKind, Badge, Venue
from tests.loyalty.test_admin_access import brands, clients, object_of
from tests.people import Person

__all__ = ["brands", "clients"]

pytestmark = pytest.mark.django_db

# Where forms that show a model to customers are sent, with what they show; and the models that staff edit.
PAGES: dict[type[Any], tuple[str, dict[str, Any]]] = {
    PseudonymForm: ("board", {"pseudonym": "Quiet Heron"}),
    PagesForm: ("me", {"theme": "dark", "language": "de"}),
}
# Shown by a form, and kept by the domain call behind it beside that.
MORE: dict[type[Any], set[str]] = {PseudonymForm: {"on_boards"}}
EDITED: list[type[Model]] = [ActionKind, Venue, Badge, Brand, StaffRole, User]
ADDED_ONLY: list[type[Model]] = [ConsentText]


def row(obj: Model) -> dict[str, Any]:
    """Everything that the database holds of an object."""
    fields = [field.attname for field in obj._meta.concrete_fields]
    found: dict[str, Any] = type(obj)._default_manager.filter(pk=obj.pk).values(*fields).get()
    return found


def attack(model: type[Model], other: dict[type[Model], Any]) -> dict[str, str]:
    """A value for every field of a model, each other than what is there: another's where it is a key."""
    values: dict[str, str] = {}
    for field in model._meta.concrete_fields:
        kind = field.get_internal_type()
        value: Any = "4711"
        if isinstance(field, ForeignKey | OneToOneField):
            value = other.get(field.related_model, 1)
        elif kind == "BooleanField":
            value = "on"
        elif kind == "UUIDField":
            value = uuid.uuid4()
        elif kind in {"DateTimeField", "DateField"}:
            value = "2020-01-01 00:00:00"
        elif field.choices:
            value = next(iter(field.flatchoices))[0]
        values[field.name] = values[field.attname] = str(value)
    return values | {"groups": "1", "user_permissions": "1", "staff_roles": "1", "roles": "owner"}


def model_forms(of: type[Any]) -> set[type[Any]]:
    """Every form or serializer of a model that Laurel's own modules define."""
    found = {one for one in of.__subclasses__() if one.__module__.startswith("loyalty.")}
    return found.union(*(model_forms(one) for one in of.__subclasses__()))


def test_every_form_of_a_model_is_tried() -> None:
    written = {form for form in model_forms(forms.BaseModelForm) if form._meta.model is not None}
    of_admin = {form for form in written if form._meta.model in site._registry}
    assert {form._meta.model for form in of_admin} <= {*EDITED, *ADDED_ONLY, Customer}
    assert {form for form in written if form.__module__.startswith("loyalty.pages.")} == set(PAGES)
    assert not model_forms(ModelSerializer), "try serializers here too"
    edits = {
        model for model, admin in site._registry.items() if getattr(admin, "edit", True) is not None
    }
    assert edits == set(EDITED)
    adds = {model for model, admin in site._registry.items() if getattr(admin, "add", True)}
    assert adds - edits == set(ADDED_ONLY)


@pytest.mark.parametrize("form", PAGES)
def test_a_customer_gives_themselves_nothing(
    form: type[BaseModelForm[Any]], customer: Person, stranger: Person
) -> None:
    page, shown = PAGES[form]
    model = form._meta.model
    obj: Model = customer.user if model is User else customer.customer  # type: ignore[assignment]
    other = {User: stranger.user.pk, Brand: stranger.brand.pk, Customer: stranger.customer.pk}  # type: ignore[union-attr]
    client = customer.client()
    before = row(obj)
    sent = attack(model, other) | shown
    answer = client.post(reverse(page, args=[customer.brand.slug]), sent)
    assert answer.status_code == 302
    after = row(obj)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == set(shown) | MORE.get(form, set())


@pytest.mark.parametrize("who", ["manager", "operator"])
@pytest.mark.parametrize("model", EDITED, ids=lambda model: model._meta.model_name)
def test_staff_change_what_a_form_shows_and_nothing_else(
    who: str,
    model: type[Model],
    clients: dict[str, Client],
    brands: tuple[Brand, Brand],
) -> None:
    obj = object_of(brands[0], model)
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[obj.pk])
    page = clients[who].get(url)
    if page.status_code != 200:
        assert (who, model) == ("manager", User)
        return
    form = page.context["adminform"].form
    valid = {name: _as_sent(form, name) for name in form.fields}
    other = {Brand: brands[1].pk, User: User.objects.get(email=f"{who}@example.org").pk}
    assert clients[who].post(url, valid).status_code == 302
    before = row(obj)
    answer = clients[who].post(url, attack(model, other) | valid)
    assert answer.status_code == 302, answer.context["errors"]
    assert row(obj) == before


def _as_sent(form: Any, name: str) -> Any:
    """What a browser sends for a field that nobody touched; a box that is not ticked is sent as nothing."""
    value = form[name].value()
    if isinstance(form.fields[name], forms.BooleanField):
        return "on" if value else ""
    prepared = form.fields[name].prepare_value(value)
    return "" if prepared is None else prepared


def test_nothing_that_is_added_is_anybody_elses(
    clients: dict[str, Client], brands: tuple[Brand, Brand]
) -> None:
    """Adding a row, as well: its number, its brand and who made it are not for the form to say."""
    other = {Brand: brands[1].pk, User: User.objects.get(email="operator@example.org").pk}
    for model, shown in (
        (Venue, {"name": "Hideout", "slug": "hideout", "check_in_code": ""}),
        (StaffRole, {"email": "new@example.org", "role": "till"}),
        (ConsentText, {"purpose": "offers", "text": "Offers?"}),
    ):
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")
        known = set(model._default_manager.values_list("pk", flat=True))
        sent = attack(model, other) | shown
        clients["manager"].post(url, sent)
        assert set(model._default_manager.values_list("pk", flat=True)) == known, model
        clients["manager"].post(url, sent | {"brand": str(brands[0].pk)})
        made = model._default_manager.exclude(pk__in=known).get()
        assert made.pk != 4711
        assert made.brand_id == brands[0].pk
        assert other[User] not in {
            getattr(made, "user_id", None),
            getattr(made, "made_by_id", None),
        }


# --- keys ------------------------------------------------------------------------------------------------


# Beside keys, what is unique over all brands: an address that people type, which each brand must have for itself.
OF_THE_INSTALLATION = {(Brand, "slug")}


def test_what_is_unique_is_so_within_its_brand() -> None:
    looked_at = 0
    for model in apps.get_models():
        if model is not Brand and way_to_brand(model) is None:
            continue
        determines = {
            field.name
            for field in model._meta.concrete_fields
            if isinstance(field, ForeignKey)
            and (field.related_model is Brand or way_to_brand(field.related_model) is not None)
        }
        keys = [
            set(one.fields) for one in model._meta.constraints if isinstance(one, UniqueConstraint)
        ]
        keys += [set(names) for names in model._meta.unique_together]
        keys += [{field.name} for field in model._meta.concrete_fields if field.unique]
        for key in keys:
            looked_at += 1
            fields = [model._meta.get_field(name) for name in key]
            is_number = (
                fields == [model._meta.pk] and fields[0].get_internal_type() == "BigAutoField"
            )
            is_random = any(isinstance(field, UUIDField) for field in fields)
            is_allowed = any((model, name) in OF_THE_INSTALLATION for name in key)
            assert key & determines or is_number or is_random or is_allowed, f"{model} {key}"
        for constraint in model._meta.constraints:
            assert not (isinstance(constraint, UniqueConstraint) and constraint.expressions)
    assert looked_at > 40


def test_two_brands_may_each_have_the_same(foxglove: Brand, harbour: Brand) -> None:
    for brand in (foxglove, harbour):
        Venue.objects.create(brand=brand, slug="pier", name="Pier", check_in_code="PIER1")
        assert Venue.objects.filter(slug="pier", brand=brand).count() == 1
