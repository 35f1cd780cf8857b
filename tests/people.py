"""The people whom tests log in: what each may do is said beside them, once.

``customer`` joined Foxglove and sees only her own. ``stranger`` joined Harbour, and to Foxglove he is
nobody. ``manager`` works for Foxglove: the admin lets her in, but she is no customer. All sign in by
``client.force_login(person.user)`` or, in a browser, by the code in their mail.
"""

from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from django.test import Client

from accounts.identity import join_brand
from accounts.models import Brand, Customer, StaffRole, User
from scoring.actions import ActionRow, record_actions
from scoring.brands import setup_brand
from scoring.publication import publish
from scoring.run import score_due

MONDAY = datetime(2026, 11, 23, 9, tzinfo=UTC)
"""A Monday morning, from which the histories of tests are counted."""

FOXGLOVE: dict[str, Any] = {
    "slug": "foxglove",
    "name": "Foxglove Coffee",
    "time_zone": "Europe/London",
    "currency": "GBP",
    "kinds": [
        {
            "slug": "purchase",
            "label": "Purchase",
            "source": "purchases",
            "unit": "money",
            "attributes": {"receipt": "text"},
        },
        {"slug": "check_in", "label": "Check-in", "source": "physical_visits", "unit": ""},
        {"slug": "usage", "label": "Brew", "source": "product_usage", "unit": "cups"},
    ],
    "venues": [
        {"slug": "soho", "name": "Soho", "check_in_code": "SOHO42"},
        {"slug": "camden", "name": "Camden", "check_in_code": "CAM7"},
    ],
}
HARBOUR: dict[str, Any] = FOXGLOVE | {
    "slug": "harbour",
    "name": "Harbour Cycles",
    "time_zone": "Europe/Lisbon",
    "currency": "EUR",
    "venues": [{"slug": "dock", "name": "Dock", "check_in_code": "DOCK1"}],
}

RULES: dict[str, Any] = {
    "sources": {
        "purchases": {"weight": 30, "half_life_days": 180, "halfway_points": 400},
        "physical_visits": {"weight": 20, "half_life_days": 90, "halfway_points": 150},
        "product_usage": {"weight": 20, "half_life_days": 60, "halfway_points": 200},
        "social_media": {"weight": 10, "half_life_days": 30, "halfway_points": 60},
        "online_engagement": {"weight": 10, "half_life_days": 30, "halfway_points": 80},
        "marketing_attention": {"weight": 10, "half_life_days": None, "halfway_points": 60},
    },
    "rules": [
        {
            "key": "spend",
            "type": "earn",
            "title": "1 point for every pound",
            "kinds": ["purchase"],
            "rate": "1",
        },
        {
            "key": "visit",
            "type": "earn",
            "title": "Check in",
            "kinds": ["check_in"],
            "points": 25,
            "limits": [{"per": "day", "by": "venue", "count": 1}],
        },
    ],
}


class Person(NamedTuple):
    """A user with what they have: a customer with a brand, or a role in it."""

    user: User
    brand: Brand
    customer: Customer | None = None

    def client(self) -> Client:
        """A browser in which this person is signed in."""
        client = Client()
        client.force_login(self.user, backend="django.contrib.auth.backends.ModelBackend")
        return client


@pytest.fixture
def foxglove(db: None) -> Brand:
    """A coffee house in London with two venues and two rules."""
    return make_brand(FOXGLOVE)


@pytest.fixture
def harbour(db: None) -> Brand:
    """Another brand on the same installation."""
    return make_brand(HARBOUR)


@pytest.fixture
def customer(foxglove: Brand) -> Person:
    """Foxglove's customer. She sees her own score, actions and badges, and nobody else's."""
    return join(foxglove, "rowan@example.org")


@pytest.fixture
def stranger(harbour: Brand) -> Person:
    """Harbour's customer. Nothing of Foxglove's customers exists for him."""
    return join(harbour, "sam@example.org")


@pytest.fixture
def manager(foxglove: Brand) -> Person:
    """Staff of Foxglove. She sees its admin, no other brand's, and has no score of her own."""
    user = User.objects.create_user("imke@example.org")
    StaffRole.objects.create(brand=foxglove, user=user, role=StaffRole.Role.MANAGER)
    return Person(user, foxglove)


def make_brand(design: dict[str, Any], rules: dict[str, Any] = RULES) -> Brand:
    """A brand with published rules."""
    brand = setup_brand(document=deepcopy(design))
    publish(brand=brand, document=deepcopy(rules), effective="always", now=MONDAY)
    return brand


def join(brand: Brand, email: str, *, now: datetime = MONDAY) -> Person:
    """A new user who has joined a brand."""
    user = User.objects.create_user(email)
    return Person(user, brand, join_brand(brand=brand, user=user, now=now))


def record(customer: Customer, *rows: tuple[Any, ...], now: datetime | None = None) -> list[int]:
    """Record (kind, when, quantity, state) rows for a customer and score them; returns their ids.

    ``when`` is a moment; quantity and state may be left out.
    """
    now = now or max(row[1] for row in rows) + timedelta(minutes=1)
    taken: Sequence[ActionRow] = [
        ActionRow(
            origin="till",
            external_id=f"{customer.pk}-{row[0]}-{row[1].isoformat()}-{place}",
            identifier=f"laurel:{customer.public_id}",
            kind=row[0],
            occurred_at=row[1],
            quantity=Decimal(str(row[2])) if len(row) > 2 and row[2] is not None else None,
            venue="soho" if row[0] == "check_in" else None,
            state=row[3] if len(row) > 3 else "accepted",
        )
        for place, row in enumerate(rows)
    ]
    outcomes = record_actions(brand=customer.brand, rows=taken, now=now)
    assert all(outcome.action_id for outcome in outcomes), outcomes
    score_all_due(customer.brand, now=now)
    return [outcome.action_id for outcome in outcomes if outcome.action_id]


def score_all_due(brand: Brand, *, now: datetime) -> None:
    """What the worker does, here and now."""
    while score_due(brand=brand, now=now):
        pass
