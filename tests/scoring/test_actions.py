"""The door: what it takes, what it refuses and why, and that one record is one record for ever."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Customer, Identifier
from scoring.actions import ActionRow, RecordError, VoidRow, parse_record, record_actions
from scoring.models import Action, Amendment, Due

from .world import (
    ANN,
    MICROSECOND,
    NOW,
    Json,
    Row,
    World,
    action,
    brand_with,
    correction,
    decision,
    rule,
    void,
)

pytestmark = pytest.mark.django_db

AT = "11-23 10:00"
DECLARED = "attributes."


def refusal(record: Any) -> tuple[str, str]:
    """The field and the reason for which a record is refused, wherever that happens."""
    try:
        row = parse_record(record)
    except RecordError as error:
        return error.field, error.reason
    outcome = record_actions(brand=brand_with(), rows=[row], now=NOW)[0]
    assert outcome.status == "refused"
    assert not Action.objects.exists()
    assert not Amendment.objects.exists()
    assert not Due.objects.exists()
    return outcome.field, outcome.reason


def with_attributes(**attributes: Any) -> Json:
    return action(("a", AT)) | {"attributes": attributes}


@pytest.mark.parametrize(
    ("record", "field", "reason"),
    [
        ("a text", "record", "a record is an object"),
        (
            {"type": "gift"},
            "type",
            "must be correction, void or decision, or be left out; it is 'gift'",
        ),
        (action(("a", AT), colour="red"), "colour", "this field is not known"),
        (void("v", "a") | {"quantity": 1}, "quantity", "this field is not known"),
        # Texts
        (action(("a", AT), origin=""), "origin", "a text is needed here"),
        (action(("a", AT), external_id=None), "external_id", "a text is needed here"),
        (action(("a", AT), external_id=17), "external_id", "must be a text; it is 17"),
        (action(("a", AT), origin="x" * 65), "origin", "at most 64 characters fit here; it has 65"),
        (
            action(("a", AT), external_id="x" * 201),
            "external_id",
            "at most 200 characters fit here; it has 201",
        ),
        (
            action(("a", AT), channel="x" * 65),
            "channel",
            "at most 64 characters fit here; it has 65",
        ),
        # Words of the brand
        (action(("a", AT), kind="gift"), "kind", "the brand has no action kind 'gift'"),
        (action(("a", AT), kind="Buy"), "kind", "the brand has no action kind 'Buy'"),
        (action(("a", AT), venue="mayfair"), "venue", "the brand has no venue 'mayfair'"),
        (action(("a", AT), state="void"), "state", "must be accepted or pending; it is 'void'"),
        # Identifiers
        (
            action(("a", AT), identifier="someone"),
            "identifier",
            "an identifier looks like email:someone@example.org; this is 'someone'",
        ),
        (
            action(("a", AT), identifier="email:"),
            "identifier",
            "an identifier looks like email:someone@example.org; this is 'email:'",
        ),
        (
            action(("a", AT), identifier="card:" + "8" * 255),
            "identifier",
            "an identifier has at most 254 printable characters after the colon",
        ),
        (
            action(("a", AT), identifier="card:8\n1"),
            "identifier",
            "an identifier has at most 254 printable characters after the colon",
        ),
        # Times
        (
            action(("a", AT), occurred_at="2026-11-23"),
            "occurred_at",
            "must be a time with its offset such as 2026-11-21T10:30:00+00:00; it is '2026-11-23'",
        ),
        (
            action(("a", AT), occurred_at="2026-11-23T10:00:00"),
            "occurred_at",
            "must be a time with its offset such as 2026-11-21T10:30:00+00:00; it is '2026-11-23T10:00:00'",
        ),
        (
            action(("a", (NOW + timedelta(minutes=5) + MICROSECOND).isoformat())),
            "occurred_at",
            "lies in the future; it is 2026-12-01T12:05:00.000001+00:00",
        ),
        # Quantities
        (action(("a", AT, "-0.01")), "quantity", "a quantity is not negative; it is -0.01"),
        (action(("a", AT, "many")), "quantity", "must be a number; it is 'many'"),
        (action(("a", AT, "NaN")), "quantity", "must be a number; it is 'NaN'"),
        (action(("a", AT, True)), "quantity", "must be a number; it is True"),
        (
            action(("a", AT, "10000000001")),
            "quantity",
            "must be at most 10000000000; it is 10000000001",
        ),
        (
            action(("a", AT, "0.000000001")),
            "quantity",
            "at most 8 decimal places fit here; it is 1E-9",
        ),
        # Money
        (
            action(("a", AT, 5), currency="EUR"),
            "currency",
            "the brand's currency is GBP; this is EUR",
        ),
        (
            action(("a", AT, 5), kind="use", currency="GBP"),
            "currency",
            "the quantity of this kind is not money",
        ),
        # Attributes
        (action(("a", AT), attributes=[1]), "attributes", "must be an object; it is [1]"),
        (with_attributes(colour="red"), "attributes.colour", "buy has no attribute 'colour'"),
        (
            action(("a", AT), kind="visit", attributes={"topic": "tea"}),
            "attributes.topic",
            "visit has no attribute 'topic'",
        ),
        (with_attributes(topic=5), "attributes.topic", "must be a text; it is 5"),
        (with_attributes(items="2"), "attributes.items", "must be a number; it is '2'"),
        (with_attributes(items=True), "attributes.items", "must be a number; it is True"),
        (
            with_attributes(items=10**10 + 1),
            "attributes.items",
            "must be at most 10000000000 with at most 12 decimal places; it is 10000000001",
        ),
        (
            with_attributes(items=1e-13),
            "attributes.items",
            "must be at most 10000000000 with at most 12 decimal places; it is 1e-13",
        ),
        (with_attributes(gift="yes"), "attributes.gift", "must be true or false; it is 'yes'"),
        (with_attributes(gift=1), "attributes.gift", "must be true or false; it is 1"),
        (
            with_attributes(made_on="2026-02-29"),
            "attributes.made_on",
            "must be a date such as 2026-11-23; it is '2026-02-29'",
        ),
        (
            with_attributes(made_on="20261123"),
            "attributes.made_on",
            "must be a date such as 2026-11-23; it is '20261123'",
        ),
        (with_attributes(size="L"), "attributes.size", "must be one of S, M, l; it is 'L'"),
        (with_attributes(size=1), "attributes.size", "must be a text; it is 1"),
        # Amendments
        (correction("c", "a", None), "quantity", "a number is needed here"),
        (correction("c", "a", -1), "quantity", "a quantity is not negative; it is -1"),
        (
            correction("c", "a", 1) | {"currency": "EUR"},
            "currency",
            "the brand's currency is GBP; this is EUR",
        ),
        (void("v", ""), "action", "a text is needed here"),
        (
            void("v", "a") | {"reason": "x" * 201},
            "reason",
            "at most 200 characters fit here; it has 201",
        ),
        (
            decision("d", "a", accepted=True) | {"accepted": "yes"},
            "accepted",
            "must be true or false; it is 'yes'",
        ),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value)[:40],
)
def test_what_is_wrong_is_named_with_its_field_and_reason(
    record: Any, field: str, reason: str
) -> None:
    assert refusal(record) == (field, reason)


@pytest.mark.parametrize(
    "record",
    [
        action(("a\x00", AT)),
        action(("a", AT), origin="t\x00ll"),
        action(("a", AT), channel="w\x00b"),
        action(("a", AT), identifier="card:8\x001"),
        with_attributes(topic="t\x00a"),
        with_attributes(topic="\ud800"),
        action(("a\udfff", AT)),
        void("v\x00", "a"),
    ],
    ids=repr,
)
def test_a_text_that_no_database_can_hold_is_refused(record: Json) -> None:
    field, reason = refusal(record)
    assert field
    assert reason


def test_rows_of_other_doors_are_held_to_the_same() -> None:
    """What a door hands in as rows did not pass ``parse_record``."""
    at = NOW - timedelta(days=1)
    rows: list[ActionRow | VoidRow] = [
        ActionRow("till", "a", ANN, "gift", at),
        ActionRow("", "b", ANN, "buy", at),
        ActionRow("till", "c", ANN, "buy", at.replace(tzinfo=None)),
        ActionRow("till", "d", ANN, "buy", at, quantity=Decimal(-1)),
        ActionRow("till", "e", ANN, "buy", at, state="rejected"),
        ActionRow("till", "f", "nobody", "buy", at),
        VoidRow("till", "v", "", at),
        VoidRow("till", "w", "a", at.replace(tzinfo=None)),
    ]
    outcomes = record_actions(brand=brand_with(), rows=rows, now=NOW)
    assert [(outcome.status, outcome.field) for outcome in outcomes] == [
        ("refused", field)
        for field in (
            "kind",
            "origin",
            "occurred_at",
            "quantity",
            "state",
            "identifier",
            "action",
            "at",
        )
    ]


def test_good_rows_are_kept_whatever_the_others_are() -> None:
    world = World(rule("earn", points=1))
    outcomes = world.send(
        ("a", AT),
        action(("b", AT), kind="gift"),
        void("v", "".join(["a", "b"])),
        ("c", AT, "10000000001"),
        ("d", AT),
    )
    assert [(one.status, one.field) for one in outcomes] == [
        ("accepted", ""),
        ("refused", "kind"),
        ("accepted", ""),
        ("refused", "quantity"),
        ("accepted", ""),
    ]
    assert world.awards() == [("a", "earn", 1), ("d", "earn", 1)]


def test_what_an_action_says_is_what_is_stored() -> None:
    world = World()
    attributes = {"topic": " tea ", "items": 2.50, "gift": False, "size": "S", "made_on": None}
    world.record(
        (
            "a",
            "2026-11-23T10:00:00.123456+05:30",
            "24.90",
            {
                "channel": "shop",
                "venue": "soho",
                "attributes": attributes,
                "currency": "GBP",
            },
        )
    )
    stored = Action.objects.select_related("kind", "venue", "identifier").get()
    assert stored.occurred_at == datetime(2026, 11, 23, 4, 30, 0, 123456, tzinfo=UTC)
    assert stored.received_at == NOW
    assert stored.quantity == Decimal("24.90")
    assert (stored.kind.slug, stored.channel, stored.state) == ("buy", "shop", "accepted")
    assert stored.venue is not None
    assert stored.venue.slug == "soho"
    assert str(stored.identifier) == ANN
    assert stored.attributes == {"topic": " tea ", "items": 2.5, "gift": False, "size": "S"}


@pytest.mark.parametrize("quantity", ["0", "0.00000001", "10000000000", "1e3", 24.90, None, ""])
def test_quantities_that_are_taken(quantity: Any) -> None:
    World().record(("a", AT, quantity))


def test_an_attribute_keeps_every_digit() -> None:
    world = World(
        rule(
            "earn",
            points=1,
            conditions=[
                {"field": "attributes.items", "op": "is", "value": "1234567890.123456789012"}
            ],
        )
    )
    near = {"items": Decimal("1234567890.123456789011")}
    row = ActionRow("till", "b", ANN, "buy", NOW, attributes=near)
    record_actions(brand=world.brand, rows=[row], now=NOW)
    row = ActionRow(
        "till", "a", ANN, "buy", NOW, attributes={"items": Decimal("1234567890.123456789012")}
    )
    record_actions(brand=world.brand, rows=[row], now=NOW)
    world.score()
    assert world.awards() == [("a", "earn", 1)]


# Exactly once


def test_the_same_again_is_repeated_and_names_the_first() -> None:
    world = World()
    row = ("a", AT, "24.90", {"attributes": {"items": 2}, "venue": "soho", "channel": "web"})
    first = world.send(row)[0]
    again = action(row) | {
        "quantity": "24.9000",
        "occurred_at": "2026-11-23T11:00:00+01:00",
        "attributes": {"items": 2.0, "topic": ""},
        "identifier": "EMAIL:Ann@Example.org",
        "currency": "GBP",
        "state": "accepted",
    }
    second = world.send(again)[0]
    assert (first.status, second.status) == ("accepted", "repeated")
    assert second.action_id == first.action_id
    assert Action.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("identifier", "email:bob@example.org"),
        ("kind", "use"),
        ("occurred_at", "2026-11-23T10:00:00.000001+00:00"),
        ("quantity", "24.91"),
        ("quantity", None),
        ("venue", "camden"),
        ("venue", None),
        ("channel", "Web"),
        ("state", "pending"),
        ("attributes", {"items": 3}),
        ("attributes", None),
    ],
)
def test_other_content_under_the_same_key_is_refused_and_changes_nothing(
    field: str, value: Any
) -> None:
    world = World(rule("earn", rate=1, kinds=["buy", "use"]))
    record = action(("a", AT, "24.90"), channel="web", venue="soho")
    if field != "kind":
        record["attributes"] = {"items": 2}
    first = world.send(record)[0]
    before = list(Action.objects.values())
    outcome = world.send(record | {field: value})[0]
    assert (outcome.status, outcome.field) == ("refused", field)
    assert outcome.action_id == first.action_id
    assert "already recorded" in outcome.reason
    assert list(Action.objects.values()) == before
    assert not Due.objects.exists()
    assert world.awards() == [("a", "earn", 24)]


def test_within_one_call_the_first_holds() -> None:
    world = World(rule("earn", rate=1))
    outcomes = world.send(("a", AT, 5), ("a", AT, "5.0"), ("a", AT, 6), ("b", AT, 1))
    assert [outcome.status for outcome in outcomes] == [
        "accepted",
        "repeated",
        "refused",
        "accepted",
    ]
    assert outcomes[2].action_id == outcomes[1].action_id == outcomes[0].action_id
    assert world.awards() == [("a", "earn", 5), ("b", "earn", 1)]


def test_an_origin_and_a_brand_have_keys_of_their_own() -> None:
    ours, theirs = World(rule("earn", points=1)), World(rule("earn", points=1), slug="other")
    ours.record(("a", AT), action(("a", AT), origin="Till"))
    theirs.record(("a", AT))
    assert len(ours.awards()) == 2
    assert len(theirs.awards()) == 1


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        (correction("r", "a", 5), "quantity", 6),
        (correction("r", "a", 5), "action", "b"),
        (correction("r", "a", 5), "corrected_at", "2026-11-30T09:00:01+00:00"),
        (void("r", "a"), "reason", "fraud"),
        (void("r", "a"), "at", "2026-11-30T09:00:01+00:00"),
        (decision("r", "a", accepted=True), "accepted", False),
    ],
)
def test_amendments_are_once_too(record: Json, field: str, value: Any) -> None:
    world = World(rule("earn", rate=1))
    world.record(action(("a", AT, 10), state="pending"), ("b", AT, 10))
    first = world.send(record)[0]
    assert world.send(record)[0].status == "repeated"
    other = world.send(record | {field: value})[0]
    assert (other.status, other.field) == ("refused", "at" if field == "corrected_at" else field)
    assert other.action_id == first.action_id
    assert Amendment.objects.count() == 1


def test_amendments_of_each_type_have_keys_of_their_own() -> None:
    world = World()
    world.record(("a", AT, 10), correction("r", "a", 5), void("r", "a"))
    assert Amendment.objects.count() == 2


# Amendments


@pytest.mark.parametrize("arrives", ["before", "with", "after"])
def test_amendments_count_whenever_they_arrive(arrives: str) -> None:
    world = World(rule("earn", rate=1))
    facts: list[Json | Row] = [
        ("a", AT, 10),
        ("b", AT, 10),
        action(("c", AT, 10), state="pending"),
        action(("d", AT, 10), state="pending"),
    ]
    amendments = [
        correction("r", "a", 4),
        void("v", "b"),
        decision("d", "c", accepted=True),
        correction("r2", "c", 7),
        decision("d2", "d", accepted=True),
        void("v2", "d"),
    ]
    if arrives == "before":
        outcomes = world.send(*amendments)
        assert {(one.status, one.action_id) for one in outcomes} == {("accepted", None)}
        assert not Customer.objects.filter(brand=world.brand).exists()
        world.record(*facts)
    elif arrives == "with":
        world.record(*amendments, *facts)
    else:
        world.record(*facts)
        world.record(*amendments)
    assert world.awards() == [("a", "earn", 4), ("c", "earn", 7)]
    world.verify()


def test_one_about_another_origins_action_waits_for_ever() -> None:
    world = World(rule("earn", rate=1))
    world.record(void("v", "a") | {"origin": "Till"}, ("a", AT, 10))
    assert world.awards() == [("a", "earn", 10)]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_the_latest_correction_holds(order: list[int]) -> None:
    world = World(rule("earn", rate=1))
    world.record(("a", AT, 10))
    corrections = [
        correction("z", "a", 5, "11-30 08:00"),
        correction("B", "a", 6, "11-30 09:00"),
        correction("a", "a", 7, "11-30 09:00"),  # equal times: by identifier, as bytes
    ]
    for place in order:
        world.record(corrections[place])
    assert world.awards() == [("a", "earn", 7)]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_the_earliest_decision_holds(order: list[int]) -> None:
    world = World(rule("earn", rate=1))
    world.record(action(("a", AT, 10), state="pending"))
    decisions = [
        decision("z", "a", accepted=False, at="11-30 09:01"),
        decision("B", "a", accepted=True, at="11-30 09:00"),
        decision("a", "a", accepted=False, at="11-30 09:00"),
    ]
    for place in order:
        world.record(decisions[place])
    assert world.awards() == [("a", "earn", 10)]


def test_a_decision_on_an_action_that_was_not_pending_is_ignored() -> None:
    world = World(rule("earn", rate=1))
    world.record(("a", AT, 10), decision("d", "a", accepted=False))
    assert world.awards() == [("a", "earn", 10)]


def test_a_void_is_final() -> None:
    world = World(rule("earn", rate=1))
    world.record(("a", AT, 10), action(("b", AT, 10), state="pending"))
    world.record(void("v", "a", "11-24 09:00"), void("w", "b", "11-24 09:00"))
    world.record(
        correction("r", "a", 20, "11-30 09:00"),
        decision("d", "a", accepted=True),
        decision("e", "b", accepted=True),
    )
    assert world.awards() == []


def test_a_brands_amendment_never_finds_another_brands_action() -> None:
    ours, theirs = World(rule("earn", rate=1)), World(slug="other")
    theirs.record(void("v", "a"))
    ours.record(("a", AT, 10))
    theirs.record(void("w", "a"))
    assert ours.awards() == [("a", "earn", 10)]
    assert Amendment.objects.filter(action=None).count() == 2


# Who it is


def test_an_unknown_identifier_makes_an_unclaimed_customer_of_its_own() -> None:
    world = World(rule("earn", points=1))
    world.record(("a", AT), ("b", AT), action(("c", AT), identifier="card:8123"))
    customers = Customer.objects.filter(brand=world.brand)
    assert customers.count() == 2
    assert not customers.filter(user__isnull=False).exists()
    schemes = Identifier.objects.filter(brand=world.brand).values_list("scheme", flat=True)
    assert sorted(schemes) == ["card", "email", "laurel", "laurel"]


def test_every_new_fact_marks_its_identifier_due_between_its_local_dates() -> None:
    brand = brand_with(time_zone="Pacific/Kiritimati")
    rows = [parse_record(action(row)) for row in (("a", "11-23 09:59"), ("b", "11-24 10:00"))]
    record_actions(brand=brand, rows=rows, now=NOW)
    due = Due.objects.get()
    assert due.identifier is not None
    assert str(due.identifier) == ANN
    assert (str(due.since), str(due.until), due.why) == ("2026-11-23", "2026-11-25", "facts")
    record_actions(brand=brand, rows=rows, now=NOW)
    assert Due.objects.count() == 1
