"""The brands that are measured. Facts are laid down by SQL: the doors are not what is measured here."""

from datetime import datetime
from typing import Any

from django.db import connection

from accounts.models import Brand
from scoring.brands import setup_brand
from scoring.publication import publish

from .rules import BRAND


def brand_with(*, slug: str, rules: dict[str, Any], now: datetime) -> Brand:
    """A brand of the bench with these rules in force."""
    brand = setup_brand(document={**BRAND, "slug": slug})
    publish(brand=brand, document=rules, effective="always", now=now)
    forget_due(brand)
    return brand


def forget_due(brand: Brand) -> None:
    """Take due marks away, so that what is measured is what is asked for."""
    run("DELETE FROM scoring_due WHERE brand_id = %(brand)s", brand=brand.pk)


def add_customers(*, brand: Brand, count: int, now: datetime) -> list[int]:
    """Unclaimed customers, each with one e-mail address; returns their ids."""
    rows = run(
        """
        WITH added AS (
            INSERT INTO accounts_customer (brand_id, public_id, pseudonym, on_boards, created_at)
            SELECT %(brand)s, gen_random_uuid(), '', FALSE, %(now)s FROM generate_series(1, %(count)s)
            RETURNING id
        ),
        named AS (
            INSERT INTO accounts_identifier (brand_id, customer_id, scheme, value, created_at)
            SELECT %(brand)s, id, 'email', 'c' || id || '@example.org', %(now)s FROM added
        )
        SELECT id FROM added ORDER BY id
        """,
        brand=brand.pk,
        count=count,
        now=now,
    )
    return [row[0] for row in rows]


def add_actions(
    *, brand: Brand, customers: list[int], count: int, days: int, until: datetime, origin: str
) -> None:
    """Actions spread evenly over customers, kinds, venues and the days before ``until``, in order of time."""
    run(
        """
        WITH identifier AS (
            SELECT id, row_number() OVER (ORDER BY id) AS place FROM accounts_identifier
            WHERE customer_id = ANY(%(customers)s)
        ),
        kind AS (
            SELECT id, row_number() OVER (ORDER BY id) AS place FROM scoring_actionkind WHERE brand_id = %(brand)s
        ),
        venue AS (
            SELECT id, row_number() OVER (ORDER BY id) AS place FROM scoring_venue WHERE brand_id = %(brand)s
        ),
        drawn AS MATERIALIZED (
            SELECT number, 1 + floor(random() * %(people)s)::int AS who, 1 + floor(random() * 6)::int AS what,
                CASE WHEN random() < 0.5 THEN 1 + floor(random() * 8)::int END AS place,
                %(until)s - random() * %(days)s * INTERVAL '1 day' AS occurred_at,
                round((random() * 80)::numeric, 2) AS quantity, random() < 0.7 AS in_app,
                CASE WHEN random() < 0.3 THEN jsonb_build_object('items', floor(random() * 5)::int) END AS attributes
            FROM generate_series(1, %(count)s) AS number
        )
        INSERT INTO scoring_action (brand_id, identifier_id, kind_id, venue_id, occurred_at, received_at, quantity,
            state, channel, origin, external_id, attributes)
        SELECT %(brand)s, identifier.id, kind.id, venue.id, drawn.occurred_at, %(until)s, drawn.quantity,
            'accepted', CASE WHEN drawn.in_app THEN 'app' END, %(origin)s, 'a' || drawn.number, drawn.attributes
        FROM drawn
        JOIN identifier ON identifier.place = drawn.who
        JOIN kind ON kind.place = drawn.what
        LEFT JOIN venue ON venue.place = drawn.place
        ORDER BY drawn.occurred_at
        """,
        brand=brand.pk,
        customers=customers,
        people=len(customers),
        count=count,
        days=days,
        until=until,
        origin=origin,
    )


def settle() -> None:
    """What autovacuum would have done by the time that a real table is this large."""
    run("VACUUM ANALYZE")
    run("CHECKPOINT")


def run(statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """One statement; its rows, if it has any."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []
