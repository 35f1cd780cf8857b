"""The pages behind the score: explained with its history, sources, activity with its filters, receipts."""

import csv
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from time_machine import travel

from accounts.choices import switch_source
from accounts.identity import link_identifier
from accounts.models import Brand, Identifier
from loyalty.pages.history import draw_history
from scoring.actions import ActionRow, record_actions
from scoring.models import Action, ActionKind, Source
from scoring.verify import verify_ledger
from tests.loyalty.test_pages import text_of
from tests.people import MONDAY, Person, record

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _on_monday(db: None) -> Any:
    with travel(MONDAY + 8 * HOUR, tick=False):
        yield


@pytest.fixture
def active(customer: Person) -> Person:
    """A customer with fifteen purchases over a year, check-ins of which one met its limit, and a claim."""
    assert customer.customer
    record(
        customer.customer,
        *(("purchase", MONDAY - number * 25 * DAY, 10 + number) for number in range(15)),
        ("check_in", MONDAY - DAY),
        ("check_in", MONDAY - DAY + HOUR),
        ("purchase", MONDAY + HOUR, 5, "pending"),
        now=MONDAY + 2 * HOUR,
    )
    return customer


# --- explained


def test_past_and_coming_days_are_worth_what_a_score_is_on_them(active: Person) -> None:
    context = active.client().get("/b/foxglove/score/explained").context
    assert [day for day, _worth in context["past"]][-2:] == [date(2026, 11, 16), date(2026, 11, 23)]
    assert context["past"][-1][1].score == context["explanation"].score
    ageing = [worth.score for _day, worth in context["ageing"]]
    assert ageing == sorted(ageing, reverse=True)
    for place, (_day, worth) in enumerate(context["ageing"]):
        assert sum(row[place] for _source, row in context["ageing_rows"]) == worth.score
    assert verify_ledger(brand=active.brand).differences == []


def test_a_day_in_the_address_is_a_day_or_not_found(active: Person) -> None:
    client = active.client()
    past = text_of(client.get("/b/foxglove/score/explained?on=2026-09-01"))
    assert "As it was on 1 September 2026" in past.replace("Sept. 1, 2026", "1 September 2026")
    assert "Over half a year" not in past
    assert "if nothing else happens" in text_of(
        client.get("/b/foxglove/score/explained?on=2026-12-24")
    )
    for day in ("yesterday", "2026-02-30", "1066-10-14", "2036-01-01"):
        assert client.get("/b/foxglove/score/explained", {"on": day}).status_code == 404
        assert client.get("/b/foxglove/score/purchases", {"on": day}).status_code == 404


def test_who_has_nothing_yet_is_shown_no_empty_chart(customer: Person) -> None:
    page = text_of(customer.client().get("/b/foxglove/score/explained"))
    assert "Over half a year" not in page
    assert "What ages out when" not in page
    assert "Nothing counts here yet" in text_of(
        customer.client().get("/b/foxglove/score/purchases")
    )


def test_the_table_file_sums_to_the_score_and_holds_no_formula(active: Person) -> None:
    ActionKind.objects.filter(brand=active.brand, slug="purchase").update(
        label="=cmd|' /C calc'!A0"
    )
    response = active.client().get("/b/foxglove/score/explained.csv")
    assert response["Content-Disposition"].startswith('attachment; filename="foxglove-score-2026-')
    rows = list(csv.DictReader(StringIO(response.content.decode())))
    shown = active.client().get("/b/foxglove/score/explained").context["explanation"].score
    assert sum(Decimal(row["worth"]) for row in rows) == shown
    assert {row["action"][0] for row in rows if row["source"] == "purchases"} == {"'"}


def test_a_history_is_drawn_from_its_first_day_to_its_last() -> None:
    days = [date(2026, 6, 1) + week * 7 * DAY for week in range(4)]
    drawing = draw_history(
        [(day, Decimal(200 + place)) for place, day in enumerate(days[:3])],
        [(days[3], Decimal(150))],
    )
    assert drawing.line.startswith("M4.0 ")
    assert drawing.ahead.endswith(f"L324.0 {148 - 130 / 2}")
    assert [mark.label for mark in drawing.heights] == ["0", "150", "300"]
    assert drawing.months == ()


# --- sources


def test_a_source_says_what_drives_it_and_how_it_is_measured(active: Person) -> None:
    page = text_of(active.client().get("/b/foxglove/score/purchases"))
    for words in (
        "1 point for every pound",
        "points halve every 180 days",
        "400 points fill half of it",
        "this source is 30 % of the score, so each of the 100 counts 3",
        "If nothing happens, it becomes",
        "The other 3, together",
    ):
        assert words in page
    assert "points do not fade here" in text_of(
        active.client().get("/b/foxglove/score/marketing_attention")
    )


@pytest.mark.parametrize(
    "address", ["nothing", "PURCHASES", "purchases?page=0", "purchases?page=9"]
)
def test_what_is_no_source_or_page_is_not_found(address: str, active: Person) -> None:
    assert active.client().get(f"/b/foxglove/score/{address}").status_code == 404


# --- activity


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({}, 18),
        ({"source": "purchases"}, 16),
        ({"source": "physical_visits"}, 2),
        ({"state": "pending"}, 1),
        ({"state": "no_points"}, 1),
        ({"state": "counted", "source": "physical_visits"}, 1),
        ({"state": "reversed"}, 0),
        ({"since": "2026-11-22"}, 4),
        ({"since": "2026-11-22", "until": "2026-11-22"}, 2),
        ({"source": "nonsense", "state": "nonsense", "since": "nonsense"}, 18),
    ],
)
def test_activity_is_filtered(asked: dict[str, str], count: int, active: Person) -> None:
    response = active.client().get("/b/foxglove/activity", asked)
    assert sum(len(lines) for _day, lines in response.context["days"]) == count
    if count == 0:
        assert "Nothing of this kind" in text_of(response)


def test_what_a_limit_took_is_told_from_what_no_rule_gives(active: Person) -> None:
    assert active.customer
    record(active.customer, ("usage", MONDAY + 3 * HOUR, 1))
    page = text_of(active.client().get("/b/foxglove/activity", {"state": "no_points"}))
    assert page.count("Limit reached") == 1
    # The other is the brew, for which there is no rule; and the choice of the filter.
    assert page.count("No points") == 2


def test_filters_last_from_page_to_page(customer: Person) -> None:
    assert customer.customer
    record(
        customer.customer,
        *(("usage", MONDAY - number * HOUR, 1) for number in range(60)),
        *(("purchase", MONDAY - number * HOUR, 1) for number in range(50)),
        now=MONDAY,
    )
    client = customer.client()
    page = client.get("/b/foxglove/activity", {"source": "purchases"})
    assert "source=purchases" in page.content.decode()
    older = client.get(
        "/b/foxglove/activity", {"source": "purchases", "before": page.context["older"]}
    )
    lines = [line for _day, lines in older.context["days"] for line in lines]
    assert {line.source for line in lines} == {Source.PURCHASES}
    assert len(lines) == 10


# --- receipts


def test_a_receipt_says_until_when_its_points_count(active: Person) -> None:
    action = Action.objects.filter(kind__slug="purchase", state="accepted").latest("occurred_at")
    page = text_of(active.client().get(f"/b/foxglove/activity/{action.pk}"))
    # 10 points, of today, which halve in 180 days: below one after 180 x log2(10) = 597.9 days.
    assert (
        "Counts as 10.0 points now, half of that by 22 May 2027, less than one by 13 Jul 2028"
        in page
    )


def test_a_receipt_of_another_day_has_the_worth_of_that_day(active: Person) -> None:
    action = Action.objects.filter(kind__slug="purchase").earliest("occurred_at")
    client = active.client()
    now = client.get(f"/b/foxglove/activity/{action.pk}").context
    then = client.get(f"/b/foxglove/activity/{action.pk}?on=2026-03-01").context
    assert now["points"] == then["points"]
    assert now["worth"] < then["worth"]


def test_a_receipt_of_what_rules_never_see_says_why(customer: Person) -> None:
    me = customer.customer
    assert me is not None
    Brand.objects.update(credit_days=10)
    row = ActionRow(
        origin="till",
        external_id="old",
        identifier="card:8123",
        kind="purchase",
        occurred_at=MONDAY - 11 * DAY,
        quantity=Decimal(5),
    )
    [outcome] = record_actions(brand=customer.brand, rows=[row], now=MONDAY)
    me.brand.refresh_from_db()
    link_identifier(customer=me, text="card:8123", proof=Identifier.Proof.CODE, now=MONDAY)
    client, address = customer.client(), f"/b/foxglove/activity/{outcome.action_id}"
    old = text_of(client.get(address))
    assert "of what came before you linked card:8123, only what is from" in old
    assert "from 13 November 2026" in old.replace("Nov. 13, 2026", "13 November 2026")
    assert "No rule in force" not in old
    switch_source(customer=me, source=Source.PURCHASES, on=False, now=MONDAY)
    assert "You switched off the source Purchases." in text_of(client.get(address))


def test_a_receipt_without_points_says_why_and_sums_to_nothing(active: Person) -> None:
    client = active.client()
    capped = Action.objects.filter(kind__slug="check_in").latest("occurred_at")
    page = text_of(client.get(f"/b/foxglove/activity/{capped.pk}"))
    assert "Limit reached: at most once a day and venue" in page
    assert "Points 0" in page
    pending = Action.objects.get(state="pending")
    assert "Points ?" in text_of(client.get(f"/b/foxglove/activity/{pending.pk}"))
