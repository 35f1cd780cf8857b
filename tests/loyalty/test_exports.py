"""Exports: exactly the list that is shown, safe in a spreadsheet, and never whole in memory."""

import csv
import datetime
import io
import tracemalloc
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse
from psycopg import sql

from accounts.consent import Audience, asked_for, audience, record_consents, texts_of
from accounts.models import Brand, Consent, Customer, DataUse, Identifier, Purpose, StaffRole, User
from accounts.uses import uses_of
from loyalty.exports.datasets import (
    TOP_CUSTOMERS,
    Column,
    Dataset,
    TopCustomersFilter,
    count_top_customers,
    top_customers,
)
from loyalty.exports.formats import FORMATS
from scoring.models import DailyPoints, Score, Source
from tests.people import MONDAY, Person

pytestmark = pytest.mark.django_db

NOW = MONDAY + datetime.timedelta(days=5)
TODAY = NOW.date()


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    """It is NOW."""
    with time_machine.travel(NOW):
        yield


def add_customer(
    brand: Brand,
    score: str,
    *,
    sub_scores: dict[Source, float] | None = None,
    pseudonym: str = "",
    email: str | None = None,
    login: str | None = None,
    active: int | None = None,
    points: int = 10,
) -> Customer:
    """A customer with a score as if it had been computed; ``active`` is how many days ago."""
    user = User.objects.create_user(login) if login else None
    customer = Customer.objects.create(
        brand=brand,
        pseudonym=pseudonym,
        user=user,
        joined_at=NOW if user else None,
    )
    if email:
        Identifier.objects.create(brand=brand, customer=customer, scheme="email", value=email)
    Score.objects.create(
        customer=customer,
        brand=brand,
        score=Decimal(score),
        points=points,
        sub_scores=[(sub_scores or {}).get(source, 0.0) for source in Source],
        source_points=[0] * 6,
        scored_on=TODAY,
        scored_at=NOW,
    )
    if active is not None:
        DailyPoints.objects.create(
            customer=customer,
            source=2,
            local_date=TODAY - datetime.timedelta(days=active),
            points=points,
        )
    return customer


@pytest.fixture
def marketer(foxglove: Brand) -> Person:
    """Somebody who looks for Foxglove's best customers."""
    user = User.objects.create_user("mika@example.org")
    StaffRole.objects.create(brand=foxglove, user=user, role=StaffRole.Role.MARKETER)
    return Person(user, foxglove)


@pytest.fixture
def crowd(foxglove: Brand, harbour: Brand) -> dict[str, Customer]:
    """Five of Foxglove's, two of them equal, and one of Harbour's who is better than all."""
    buys, visits = Source.PURCHASES, Source.PHYSICAL_VISITS
    return {
        "best": add_customer(
            foxglove, "900.5", sub_scores={buys: 90}, login="best@example.org", active=1, points=900
        ),
        "equal": add_customer(foxglove, "500", sub_scores={visits: 80}, email="e@x.org", active=40),
        "same": add_customer(foxglove, "500", pseudonym="Same", login="same@x.org", active=5),
        "low": add_customer(foxglove, "20.25", sub_scores={buys: 30}, points=5000, active=2),
        "none": add_customer(foxglove, "0"),
        "harbour": add_customer(harbour, "999", login="h@example.org", active=1),
    }


def read(chunks: Iterator[bytes] | Any) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(b"".join(chunks).decode())))


def export_url(brand: Brand, format_name: str = "csv", **filters: Any) -> str:
    kwargs = {"slug": brand.slug, "format_name": format_name}
    return f"{reverse('admin:top_customers_export', kwargs=kwargs)}?{urlencode(filters)}"


def everyone(brand: Brand) -> Audience:
    return audience(brand=brand, purpose=Purpose.SCORE)


def exported(client: Client, brand: Brand, **filters: Any) -> list[dict[str, str]]:
    answer: Any = client.post(export_url(brand, **{"purpose": "score", **filters}))
    assert isinstance(answer, StreamingHttpResponse), answer.status_code
    return read(answer.streaming_content)


def shown(client: Client, brand: Brand, **filters: Any) -> list[str]:
    url = reverse("admin:top_customers", kwargs={"slug": brand.slug})
    answer = client.get(url, filters)
    assert answer.status_code == 200
    return [row["customer"] for row in answer.context["rows"]]


def test_everyone_best_first(marketer: Person, foxglove: Brand, crowd: dict[str, Customer]) -> None:
    rows = exported(marketer.client(), foxglove)
    assert list(rows[0]) == [column.name for column in TOP_CUSTOMERS if column.name != "email"]
    assert [(row["rank"], row["score"]) for row in rows] == [
        ("1", "900.500"),
        ("2", "500.000"),
        ("2", "500.000"),
        ("4", "20.250"),
        ("5", "0.000"),
    ]
    best = rows[0]
    assert best["customer"] == str(crowd["best"].public_id)
    assert best["points"] == "900"
    assert (best["purchases"], best["physical_visits"]) == ("90", "0")
    assert best["last_active_on"] == (TODAY - datetime.timedelta(days=1)).isoformat()
    assert rows[1]["joined_on"] == ""
    assert rows[4]["last_active_on"] == ""


def agree(customer: Customer) -> None:
    """Say yes to everything that is asked for."""
    texts = texts_of(brand=customer.brand, language="en")
    record_consents(
        customer=customer,
        choices=dict.fromkeys(asked_for(brand=customer.brand), True),
        shown={purpose: wording.version for purpose, wording in texts.items()},
        language="en",
        way=Consent.Way.PAGE,
        now=NOW,
    )


@pytest.mark.parametrize("format_name", list(FORMATS))
@pytest.mark.parametrize(
    ("purpose", "with_addresses"),
    [
        ("", False),
        ("score", False),
        ("news-email", True),
        ("offers-email", True),
        ("news-sms", False),
        ("offers-post", False),
        ("partners", False),
    ],
)
def test_addresses_are_written_out_for_a_purpose_by_e_mail_only(
    marketer: Person, foxglove: Brand, format_name: str, purpose: str, with_addresses: bool
) -> None:
    foxglove.channels, foxglove.partners = list(Brand.Channel.values), "Roast & Co"
    foxglove.save()
    agreed = add_customer(foxglove, "500", login="agreed@x.org")
    agree(agreed)
    silent = [add_customer(foxglove, "400", login="silent@x.org")]
    silent.append(add_customer(foxglove, "300", email="unclaimed@x.org"))
    client = marketer.client()
    page = client.get(
        reverse("admin:top_customers", kwargs={"slug": "foxglove"}), {"purpose": purpose}
    )
    text = page.content.decode()
    assert ("agreed@x.org" in text) == with_addresses
    assert ("a•••@x.org" in text) != with_addresses
    assert "silent@x.org" not in text
    assert "unclaimed@x.org" not in text
    assert ("only for a purpose by e-mail" in text) != with_addresses
    if not purpose:
        return
    answer: Any = client.post(export_url(foxglove, format_name, purpose=purpose))
    file = b"".join(answer.streaming_content).decode()
    assert str(agreed.public_id) in file
    assert ("agreed@x.org" in file) == with_addresses
    assert ("email" in file) == with_addresses
    assert [str(one.public_id) in file for one in silent] == [purpose == "score"] * 2
    assert "silent@x.org" not in file
    assert "unclaimed@x.org" not in file


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["best", "equal", "same", "low", "none"]),
    ({"score": 500}, ["best", "equal", "same"]),
    ({"source": "purchases", "sub_score": 30}, ["best", "low"]),
    ({"source": "purchases", "sub_score": 31}, ["best"]),
    ({"source": "physical_visits"}, ["equal"]),
    ({"joined": "yes"}, ["best", "same"]),
    ({"joined": "no"}, ["equal", "low", "none"]),
    ({"active_days": 6}, ["best", "same", "low"]),
    ({"active_days": 5}, ["best", "low"]),
    ({"joined": "yes", "active_days": 3, "score": 1}, ["best"]),
    ({"sort": "points"}, ["low", "best", "equal", "same", "none"]),
    ({"sort": "active"}, ["best", "low", "same", "equal", "none"]),
    ({"sort": "physical_visits"}, ["equal", "best", "same", "low", "none"]),
    ({"score": 1000}, []),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS, ids=[str(f[0]) for f in FILTERS])
def test_the_file_holds_exactly_the_list(
    marketer: Person,
    foxglove: Brand,
    crowd: dict[str, Customer],
    filters: dict[str, Any],
    expected: list[str],
) -> None:
    client = marketer.client()
    # Those who are equal have the same points, so the key decides.
    wanted = [str(crowd[name].public_id) for name in expected]
    assert shown(client, foxglove, **filters) == wanted
    rows = exported(client, foxglove, **filters)
    assert [row["customer"] for row in rows] == wanted
    # The rank is the one among everyone, whatever the filter leaves out.
    ranks = {"best": "1", "equal": "2", "same": "2", "low": "4", "none": "5"}
    assert [row["rank"] for row in rows] == [ranks[name] for name in expected]


@pytest.mark.parametrize(
    "filters",
    [
        {"score": "many"},
        {"score": -1},
        {"sub_score": 5},
        {"source": "money"},
        {"active_days": 0},
        {"purpose": "fun"},
        {"purpose": "news"},
        {"purpose": "news-sms"},
        {"purpose": "score-email"},
        {"purpose": "partners"},
    ],
)
def test_a_filter_that_means_nothing_gives_no_file(
    marketer: Person, foxglove: Brand, crowd: dict[str, Customer], filters: dict[str, Any]
) -> None:
    kwargs = {"slug": foxglove.slug}
    client = marketer.client()
    assert client.get(reverse("admin:top_customers", kwargs=kwargs), filters).status_code == 422
    url = export_url(foxglove, **{"purpose": "score", **filters})
    assert client.post(url).status_code == 422
    assert not DataUse.objects.exists()


def test_a_list_without_a_purpose_is_to_look_only(
    marketer: Person, foxglove: Brand, crowd: dict[str, Customer]
) -> None:
    client = marketer.client()
    assert client.post(export_url(foxglove)).status_code == 422
    assert client.get(export_url(foxglove, purpose="score")).status_code == 405
    page = reverse("admin:top_customers", kwargs={"slug": foxglove.slug})
    assert "export/csv" not in client.get(page).content.decode()
    assert "export/csv" in client.get(page, {"purpose": "score"}).content.decode()
    assert not DataUse.objects.exists()


def test_the_file_says_of_when_and_by_which_rules(
    marketer: Person, foxglove: Brand, crowd: dict[str, Customer]
) -> None:
    answer = marketer.client().post(export_url(foxglove, purpose="score", score=500))
    assert answer["Content-Disposition"] == (
        f'attachment; filename="foxglove-top-customers-score-{TODAY}-rules-1.csv"'
    )
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert "no-store" in answer["Cache-Control"]
    use = DataUse.objects.get()
    assert (use.brand, use.by, use.role, use.purpose, use.channel) == (
        foxglove,
        marketer.user,
        "marketer",
        "score",
        "",
    )
    assert (use.title, use.people) == (f"foxglove-top-customers-score-{TODAY}-rules-1.csv", 3)
    # Whoever is in the file sees that, and nobody else.
    seen = {name for name, customer in crowd.items() if use in uses_of(customer=customer)}
    assert seen == {"best", "equal", "same"}
    answer.close()


def test_an_unknown_format_is_not_found(marketer: Person, foxglove: Brand) -> None:
    url = export_url(foxglove, "exe", purpose="score")
    assert marketer.client().post(url).status_code == 404


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("x","y")']
HARMLESS = [
    "",
    "Ünï ☕ 東京",
    'say "hi", twice',
    "a=1",
    "1-1",
    " =1",
    "'quoted",
    "two\nlines",
    "50%",
]


@pytest.mark.parametrize("text", FORMULAS + HARMLESS)
def test_no_cell_is_taken_for_a_formula(marketer: Person, foxglove: Brand, text: str) -> None:
    add_customer(foxglove, "5", pseudonym=text)
    (row,) = exported(marketer.client(), foxglove)
    assert row["pseudonym"] == (f"'{text}" if text in FORMULAS else text)
    assert row["rank"] == "1"


def test_numbers_stay_numbers() -> None:
    columns = (Column("points"), Column("words", is_text=True))
    statement = sql.SQL("SELECT -5 AS points, '-5'::text AS words").format()
    dataset = Dataset("x", columns, statement, {}, TODAY, None)
    assert b"".join(FORMATS["csv"].write(dataset)) == b"points,words\n-5,'-5\n"
    assert dataset.file_name("csv") == f"x-{TODAY}-rules-none.csv"


def test_a_text_with_percent_signs_and_parameters() -> None:
    statement = sql.SQL("SELECT %(word)s || ' 5%%' AS words").format()
    dataset = Dataset("x", (Column("words", is_text=True),), statement, {"word": "=%s"}, TODAY, 3)
    assert b"".join(FORMATS["csv"].write(dataset)) == b"words\n'=%s 5%\n"


def fill(brand: Brand, count: int) -> None:
    """Many customers with scores, by the database itself."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH made AS (
                INSERT INTO accounts_customer (brand_id, public_id, pseudonym, on_boards, created_at)
                SELECT %s, gen_random_uuid(), 'Customer ' || n, FALSE, now()
                FROM generate_series(1, %s) AS n RETURNING id
            )
            INSERT INTO scoring_score (customer_id, brand_id, score, points, sub_scores, source_points,
                scored_on, scored_at, revision, checksum_a, checksum_b)
            SELECT id, %s, (id %% 1000)::numeric, id, '{1,2,3,4,5,6}', '{1,2,3,4,5,6}',
                current_date, now(), 0, 0, 0 FROM made
            """,
            [brand.pk, count, brand.pk],
        )
        # As the server does by itself, sooner or later.
        cursor.execute("ANALYZE accounts_customer, scoring_score")


def test_memory_does_not_grow_with_the_list(foxglove: Brand) -> None:
    fill(foxglove, 30_000)
    peaks = []
    for limit in (3_000, 30_000):
        dataset = top_customers(
            audience=everyone(foxglove),
            chosen=TopCustomersFilter(),
            as_of=TODAY,
            rule_set_version=1,
            limit=limit,
        )
        size = 0
        tracemalloc.start()
        for piece in FORMATS["csv"].write(dataset):
            size += len(piece)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert size > limit * 60
    assert peaks[1] < peaks[0] * 1.5
    assert peaks[1] < 1_000_000


def test_who_stops_reading_frees_the_connection(foxglove: Brand) -> None:
    fill(foxglove, 5_000)
    dataset = top_customers(
        audience=everyone(foxglove), chosen=TopCustomersFilter(), as_of=TODAY, rule_set_version=1
    )
    pieces = FORMATS["csv"].write(dataset)
    assert next(pieces).startswith(b"rank,customer,")
    pieces.close()  # type: ignore[attr-defined]
    # In a test the cancelled statement ends the transaction around it; in a request there is none.
    connection.connection.rollback()
    assert connection.connection.execute("SELECT 1").fetchone() == (1,)


def test_a_long_list_waits_for_nothing_else_on_its_connection(
    marketer: Person, foxglove: Brand
) -> None:
    """Sessions are saved and exports noted on the same connection, before the first piece is sent."""
    fill(foxglove, 20_000)
    client = marketer.client()
    session = client.session
    session.set_expiry(3600)
    session.save()
    assert len(exported(client, foxglove)) == 20_000
    assert client.get(reverse("admin:index")).status_code == 200


def test_the_list_is_paged_and_counted(marketer: Person, foxglove: Brand) -> None:
    fill(foxglove, 120)
    client = marketer.client()
    pages = [shown(client, foxglove, page=number) for number in (1, 2, 3)]
    assert [len(page) for page in pages] == [50, 50, 20]
    assert len({customer for page in pages for customer in page}) == 120
    assert all(uuid.UUID(customer) for customer in pages[0])
    assert shown(client, foxglove, page=99) == pages[2]
    assert shown(client, foxglove, page="x") == pages[0]
    assert shown(client, foxglove, page="9" * 5000) == pages[0]
    counted = count_top_customers(
        audience=everyone(foxglove), chosen=TopCustomersFilter(), as_of=TODAY
    )
    assert counted == 120


def test_the_page_takes_few_queries(
    marketer: Person, foxglove: Brand, django_assert_max_num_queries: Any
) -> None:
    fill(foxglove, 60)
    client = marketer.client()
    with django_assert_max_num_queries(10):
        shown(client, foxglove)
