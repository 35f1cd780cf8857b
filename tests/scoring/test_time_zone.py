"""A brand that moves to another time zone: its whole history gets other local dates."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError

from accounts.models import Brand
from scoring.actions import ActionRow, record_actions
from scoring.brands import setup_brand
from scoring.models import Action, Due, Posting, Score
from scoring.preview import preview_time_zone
from scoring.publication import STARTING_SOURCES, change_time_zone, publish
from scoring.queries import activity
from scoring.run import is_due, score_due
from scoring.statements import brand_time, execute
from scoring.verify import verify_ledger

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
RULES = {
    "sources": STARTING_SOURCES,
    "rules": [
        {
            "key": "visit",
            "type": "earn",
            "title": "Once a day",
            "kinds": ["check_in"],
            "points": 10,
            "limits": [{"per": "day", "count": 1}],
        }
    ],
}


@pytest.fixture
def brand() -> Brand:
    """Two check-ins, at 21:30 and 22:30 UTC: one day in London's winter, two in Athens."""
    brand = setup_brand(
        document={
            "slug": "mover",
            "name": "Mover",
            "time_zone": "UTC",
            "currency": "EUR",
            "kinds": [
                {
                    "slug": "check_in",
                    "label": "Check-in",
                    "source": "physical_visits",
                    "unit": None,
                    "attributes": {},
                }
            ],
            "venues": [],
        }
    )
    publish(brand=brand, document=RULES, effective="always", now=NOW)
    record_actions(
        brand=brand,
        rows=[
            ActionRow(
                origin="till",
                external_id=str(hour),
                identifier="card:1",
                kind="check_in",
                occurred_at=datetime(2026, 1, 5, hour, 30, tzinfo=UTC),
            )
            for hour in (21, 22)
        ],
        now=NOW,
    )
    settle(brand)
    return brand


def settle(brand: Brand) -> None:
    """Score everyone who is due."""
    while is_due(brand=brand):
        score_due(brand=brand, now=NOW + timedelta(minutes=1))


def test_the_history_gets_other_local_dates(brand: Brand) -> None:
    assert Score.objects.get(brand=brand, points__gt=0).points == 10
    change_time_zone(brand=brand, time_zone="Europe/Athens", now=NOW)
    settle(brand)
    assert Score.objects.get(brand=brand, points__gt=0).points == 20
    brand.refresh_from_db()
    assert verify_ledger(brand=brand).differences == []


def test_a_preview_tells_it_and_stores_nothing(brand: Brand) -> None:
    postings = Posting.objects.count()
    told = preview_time_zone(brand=brand, time_zone="Europe/Athens", now=NOW)
    assert (told.up, told.points_added, told.points_taken) == (1, 10, 0)
    assert Posting.objects.count() == postings
    assert not Due.objects.exists()
    assert Brand.objects.get(pk=brand.pk).time_zone == "UTC"


def test_a_name_that_is_no_time_zone_is_refused(brand: Brand) -> None:
    with pytest.raises(ValidationError, match="not a time zone"):
        change_time_zone(brand=brand, time_zone="Europe/Atlantis", now=NOW)
    assert not Due.objects.exists()


def test_a_moment_is_read_as_it_was_written_whatever_the_dates_are_counted_in(brand: Brand) -> None:
    change_time_zone(brand=brand, time_zone="Asia/Kathmandu", now=NOW)
    moments = list(Action.objects.order_by("pk").values_list("occurred_at", flat=True))
    assert [at.hour for at in moments] == [21, 22]
    with brand_time(brand):
        rows = execute("SELECT occurred_at FROM scoring_action ORDER BY id", {})
        assert [at for (at,) in rows] == moments
        assert list(Action.objects.order_by("pk").values_list("occurred_at", flat=True)) == moments


def test_pages_of_activity_follow_one_another_in_summer(brand: Brand) -> None:
    change_time_zone(brand=brand, time_zone="Europe/London", now=NOW)
    customer = brand.customers.get()
    [first] = activity(customer=customer, limit=1)
    rest = activity(customer=customer, limit=5, before=(first.occurred_at, first.action_id))
    assert len(rest) == 1
    assert rest[0].action_id != first.action_id
