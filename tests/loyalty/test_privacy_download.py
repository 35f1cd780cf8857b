"""The download has everything of the person, in both forms, and what it has of actions counts the same elsewhere."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from time_machine import travel

from accounts.identity import join_brand, merge_customers, undo_moves
from accounts.models import Brand, Customer, Identifier
from loyalty.privacy.download import SCHEMA, SECTIONS, VERSION, download
from scoring.actions import ActionRow, CorrectionRow, record_actions
from scoring.models import Action, ActionKind, Score
from tests.loyalty.planted import NOW, OF_CUSTOMER, OF_LOGIN, expected_fields, live, plant
from tests.loyalty.signing_in import fresh_client
from tests.people import FOXGLOVE, Person, join, make_brand, score_all_due

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _site(settings: Any, tmp_path: Any) -> Iterator[None]:
    settings.MEDIA_ROOT = tmp_path / "media"
    with travel(NOW, tick=False):
        yield


def document(customer: Customer) -> dict[str, Any]:
    with download(customer=customer, ending="json", now=NOW) as file:
        read: dict[str, Any] = json.load(file)
    return read


def archive(customer: Customer) -> dict[str, bytes]:
    with (
        download(customer=customer, ending="zip", now=NOW) as file,
        zipfile.ZipFile(file) as entries,
    ):
        assert entries.testzip() is None
        return {name: entries.read(name) for name in entries.namelist()}


def rows(files: dict[str, bytes], section: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(files[f"{section}.csv"].decode())))


def test_what_was_planted_in_every_field_is_in_both_forms(foxglove: Brand) -> None:
    person = live(foxglove, "rowan@example.org")
    planted = plant(person)
    # Whatever can hold a value of its own was given one.
    assert expected_fields() - {(one.model, one.name) for one in planted} == set()
    assert person.customer
    read, files = document(person.customer), archive(person.customer)
    missing = []
    for one in planted:
        # Of those who were merged into somebody or left behind, and of other models, see below.
        if not one.field.exported:
            continue
        section = one.field.exported
        if one.text not in json.dumps(read[section], ensure_ascii=False):
            missing.append(f"{one.model}.{one.name} in the JSON")
        if one.text not in files[f"{section}.csv"].decode():
            missing.append(f"{one.model}.{one.name} in the CSV")
    assert not missing
    # Nor does it have what is withheld.
    whole = json.dumps(read)
    kept_back = [one for one in planted if one.field.note and one.field.personal]
    assert {one.model for one in kept_back} >= {"accounts.User", "accounts.LinkCode"}
    assert not [f"{one.model}.{one.name}" for one in kept_back if one.text in whole]


def test_every_section_says_the_same_in_both_forms(foxglove: Brand) -> None:
    person = live(foxglove, "rowan@example.org")
    assert person.customer
    read, files = document(person.customer), archive(person.customer)
    assert (read["schema"], read["version"]) == (SCHEMA, VERSION)
    for section in SECTIONS:
        said = read[section.name]
        listed = said if isinstance(said, list) else [said]
        assert listed, section.name
        assert [list(row) for row in listed] == [list(section.columns)] * len(listed)
        table = rows(files, section.name)
        assert len(table) == len(listed), section.name
        for row, line in zip(listed, table, strict=True):
            assert [name for name in line if not name.startswith("attributes.")] == [
                name for name in row if name != section.spread
            ]
            for name, value in row.items():
                if isinstance(value, str) and name != section.spread:
                    assert line[name] in (value, f"'{value}")
                if value is None and name != section.spread:
                    assert not line[name]


def test_photos_come_along(foxglove: Brand) -> None:
    person = live(foxglove, "rowan@example.org")
    assert person.customer
    files, [photo] = archive(person.customer), document(person.customer)["photos"]
    assert files[photo["file"]].startswith(b"\xff\xd8")


def test_nobody_else_is_in_it(foxglove: Brand, harbour: Brand) -> None:
    person = live(foxglove, "rowan@example.org")
    others = [live(foxglove, "otter@example.org"), live(harbour, "sam@example.org")]
    theirs = {one.text for other in others for one in plant(other) if "planted" in one.text}
    assert person.customer
    for whole in (document(person.customer), archive(person.customer)):
        text = repr(whole)
        assert not [one for one in theirs if one in text]
        assert "otter@" not in text
        assert "sam@" not in text


def test_what_came_by_a_merge_that_was_undone_is_masked(foxglove: Brand, manager: Person) -> None:
    rowan = live(foxglove, "rowan@example.org").customer
    sam = join(foxglove, "sam@example.org").customer
    assert rowan
    assert sam
    by = manager.user
    group = merge_customers(kept=rowan, merged=sam, by=by, reason="One person", now=NOW)
    assert "email:sam@example.org" in repr(document(rowan))
    undo_moves(brand=foxglove, group=group, by=by, now=NOW)
    text = repr(document(rowan))
    assert "sam@example.org" not in text
    assert str(sam.public_id) not in text
    assert text.count("email:s\N{BULLET}\N{BULLET}\N{BULLET}@example.org") == 2
    assert "email:rowan@example.org" in text


def test_another_brand_of_the_same_person_is_not_in_it(foxglove: Brand, harbour: Brand) -> None:
    person = live(foxglove, "rowan@example.org")
    there = join_brand(brand=harbour, user=person.user, now=NOW)
    assert person.customer
    text = repr(document(person.customer))
    assert str(there.public_id) not in text
    assert "harbour" not in text


@pytest.mark.parametrize("ending", ["json", "zip"])
def test_the_customer_gets_it_as_a_file(customer: Person, ending: str) -> None:
    answer = fresh_client(customer.user).get(f"/b/foxglove/me/download.{ending}")
    assert answer.status_code == 200
    assert answer["Content-Type"] == f"application/{ending}"
    assert f"foxglove-about-me-2026-11-23.{ending}" in answer["Content-Disposition"]
    assert "private" in answer["Cache-Control"]
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    assert content[:1] == (b"{" if ending == "json" else b"P")


def test_nobody_else_gets_it(customer: Person, stranger: Person) -> None:
    for client in (Client(), fresh_client(stranger.user)):
        answer = client.get("/b/foxglove/me/download.zip")
        assert answer.headers["Location"].startswith("/b/foxglove/join")
    answer = fresh_client(customer.user).get("/b/foxglove/me/download.exe")
    assert answer.status_code == 404


def test_no_cell_is_a_formula(foxglove: Brand) -> None:
    person = live(foxglove, "rowan@example.org")
    assert person.customer
    Customer.objects.filter(pk=person.customer.pk).update(pseudonym="=1+1")
    Identifier.objects.create(
        brand=foxglove, customer=person.customer, scheme="phone", value="+15550100"
    )
    person.customer.refresh_from_db()
    files = archive(person.customer)
    assert rows(files, "customer")[0]["pseudonym"] == "'=1+1"
    assert "'+15550100" in {row["value"] for row in rows(files, "identifiers")}
    assert document(person.customer)["customer"][0]["pseudonym"] == "=1+1"


AWKWARD = ("=1+1", "'=1+1", "''-2", "-7", "@rowan", "it's", 'say "hi", twice\nand more', "ünï 🌿")


def test_the_actions_count_the_same_elsewhere(foxglove: Brand, tmp_path: Any) -> None:
    """Through the command that takes files: into another brand, where the score is the same to three decimals."""
    ActionKind.objects.filter(brand=foxglove, slug="purchase").update(
        attributes={
            "receipt": "text",
            "items": "number",
            "gift": "yes_no",
            "made_on": "date",
            "size": {"choice": ["S", "M"]},
        }
    )
    elsewhere = make_brand(FOXGLOVE | {"slug": "elsewhere", "name": "Elsewhere"})
    ActionKind.objects.filter(brand=elsewhere, slug="purchase").update(
        attributes=ActionKind.objects.get(brand=foxglove, slug="purchase").attributes
    )
    person = live(foxglove, "rowan@example.org")
    assert person.customer
    attributes: list[dict[str, Any]] = [{"receipt": text} for text in AWKWARD] + [
        {"items": Decimal("12.000000000001"), "gift": True, "made_on": "2026-11-01", "size": "M"},
        {"items": 1234567890, "gift": False},
    ]
    taken = [
        ActionRow(
            origin="=till",
            external_id=f"-more-{place}",
            identifier="email:rowan@example.org",
            kind="purchase",
            occurred_at=NOW - timedelta(days=40 + place, microseconds=place),
            quantity=Decimal("0.12345678") + place,
            attributes=these,
            channel="@shop",
        )
        for place, these in enumerate(attributes)
    ]
    corrected = CorrectionRow("=till", "corrected", "-more-3", Decimal("7.5"), NOW)
    outcomes = record_actions(brand=foxglove, rows=[*taken, corrected], now=NOW)
    assert not [outcome.reason for outcome in outcomes if outcome.reason]
    score_all_due(foxglove, now=NOW)

    (tmp_path / "actions.csv").write_bytes(archive(person.customer)["actions.csv"])
    out = io.StringIO()
    call_command("import_actions", "elsewhere", str(tmp_path / "actions.csv"), stdout=out)
    assert " 0 refused" in out.getvalue()
    there = join_brand(brand=elsewhere, user=person.user, now=NOW)
    score_all_due(elsewhere, now=NOW)
    call_command("score", "elsewhere", stdout=io.StringIO())

    here = Score.objects.get(customer=person.customer)
    assert here.points > 100
    assert _worth(Score.objects.get(customer=there)) == _worth(here)
    # Facts as they were, to the last digit.
    for row in taken:
        action = Action.objects.get(brand=elsewhere, external_id=row.external_id)
        original = Action.objects.get(brand=foxglove, external_id=row.external_id)
        assert action.attributes == original.attributes
        assert (action.origin, action.channel) == ("=till", "@shop")
        assert action.occurred_at == original.occurred_at
    # And again: nothing counts twice.
    call_command("import_actions", "elsewhere", str(tmp_path / "actions.csv"), stdout=out)
    assert "\n0 accepted" in out.getvalue()


def _worth(score: Score) -> tuple[Any, ...]:
    return score.score, score.points, score.source_points, [round(s, 9) for s in score.sub_scores]


def test_nobody_is_left_out_of_the_planting() -> None:
    """That the tests of this file look at what there is."""
    assert len(OF_LOGIN) + len(OF_CUSTOMER) == 30
    assert len(expected_fields()) > 70
