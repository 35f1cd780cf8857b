"""The smallest way to say: these actions, these rules, this day; exactly these awards and this score.

An action is a short tuple: its identifier, when it occurred, and where it matters its quantity and whatever else::

    ("a", "11-23 10:00")                                          a purchase
    ("b", "11-23 10:00", "24.90", {"channel": "web"})             a purchase for 24.90
    ("c", "11-23 10:00", None, {"kind": "visit", "venue": "soho"})

Moments are of 2026 and in UTC where they do not say otherwise. Everything goes through the real door and the real
engine; nothing is put into a table beside them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.conf import LazySettings
from django.db.models import Sum

from accounts.identity import parse_identifier, resolve_identifiers
from accounts.models import Brand, Customer, Identifier
from scoring import ranks
from scoring.actions import Outcome, parse_record, record_actions
from scoring.brands import setup_brand
from scoring.models import Posting, RuleSet, Score, Source
from scoring.publication import Effective, publish
from scoring.run import is_due, score_due
from scoring.verify import verify_ledger

Json = dict[str, Any]
Row = tuple[Any, ...]
Award = tuple[str, str, int]

ANN = "email:ann@example.org"
BOB = "email:bob@example.org"
ATTRIBUTES: Json = {
    "topic": "text",
    "items": "number",
    "gift": "yes_no",
    "made_on": "date",
    "size": {"choice": ["S", "M", "l"]},
}
BRAND: Json = {
    "slug": "brand",
    "name": "Brand",
    "time_zone": "UTC",
    "currency": "GBP",
    "kinds": [
        {"slug": "buy", "source": "purchases", "unit": "money", "attributes": ATTRIBUTES},
        {"slug": "visit", "source": "physical_visits"},
        {"slug": "use", "source": "product_usage", "unit": "km"},
        {"slug": "post", "source": "social_media"},
    ],
    "venues": [{"slug": "soho", "name": "Soho"}, {"slug": "camden", "name": "Camden"}],
}
# Half of what there is at 100 points, and nothing fades, unless a test says otherwise.
SOURCES: Json = {
    source.slug: {"weight": weight, "half_life_days": None, "halfway_points": 100}
    for source, weight in zip(Source, (10, 30, 10, 20, 10, 20), strict=True)
}
# After every action of these tests.
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


class AwardRow(NamedTuple):
    """One award as the ledger holds it, in full."""

    action: str
    rule: str
    source: str
    local_date: str
    points: int


def moment(text: str) -> datetime:
    """``11-23 10:00`` or a whole ISO moment; UTC where it names no offset."""
    when = datetime.fromisoformat(text if text[:4].isdigit() else f"2026-{text}")
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def action(row: Row, **more: Any) -> Json:
    """The record of a short tuple; Ann's purchase unless it says otherwise."""
    external_id, when, *rest = row
    record: Json = {
        "origin": "till",
        "external_id": external_id,
        "identifier": ANN,
        "kind": "buy",
        "occurred_at": moment(when).isoformat(),
    }
    if rest and rest[0] is not None:
        record["quantity"] = rest[0]
    return record | (rest[1] if len(rest) > 1 else {}) | more


def correction(external_id: str, of: str, quantity: Any, at: str = "11-30 09:00") -> Json:
    """A new quantity for an action."""
    return {
        "type": "correction",
        "origin": "till",
        "external_id": external_id,
        "action": of,
        "quantity": quantity,
        "corrected_at": moment(at).isoformat(),
    }


def void(external_id: str, of: str, at: str = "11-30 09:00") -> Json:
    """That an action no longer counts."""
    return {
        "type": "void",
        "origin": "till",
        "external_id": external_id,
        "action": of,
        "reason": "cancelled",
        "at": moment(at).isoformat(),
    }


def decision(external_id: str, of: str, accepted: bool, at: str = "11-30 09:00") -> Json:
    """What a review decided of a pending action."""
    return {
        "type": "decision",
        "origin": "till",
        "external_id": external_id,
        "action": of,
        "accepted": accepted,
        "at": moment(at).isoformat(),
    }


def rule(type_name: str, key: str = "", **parameters: Any) -> Json:
    """One rule, on purchases unless it says otherwise; its key is its type's name where none is given."""
    base: Json = {"key": key or type_name, "type": type_name, "title": (key or type_name).title()}
    if type_name != "combo":
        base["kinds"] = ["buy"]
    if type_name in ("combo", "streak"):
        base["source"] = "purchases"
    return base | parameters


def document(*rules: Json, **shapes: Json) -> Json:
    """A rule set; ``shapes`` replaces parts of a source's shape."""
    sources = {slug: shape | shapes.get(slug, {}) for slug, shape in SOURCES.items()}
    return deepcopy({"sources": sources, "rules": list(rules)})


def brand_with(**more: Any) -> Brand:
    """The brand of these tests, with something else about it."""
    return setup_brand(document=deepcopy(BRAND | more))


class World:
    """A brand with published rules, to which things happen. Whatever is due is scored at once."""

    def __init__(
        self,
        *rules: Json,
        zone: str = "UTC",
        now: datetime = NOW,
        slug: str = "brand",
        shapes: Json | None = None,
    ) -> None:
        self.now = now
        self.brand = brand_with(slug=slug, time_zone=zone)
        self.publish(document(*rules, **(shapes or {})), "always")

    def publish(self, rules: Json, effective: Effective = "now") -> RuleSet:
        """Publish a document and score everybody by it."""
        rule_set = publish(brand=self.brand, document=rules, effective=effective, now=self.now)
        self.score()
        return rule_set

    def send(self, *records: Json | Row) -> list[Outcome]:
        """Bring records or short tuples to the door, and score whoever is due."""
        rows = [parse_record(one if isinstance(one, dict) else action(one)) for one in records]
        outcomes = record_actions(brand=self.brand, rows=rows, now=self.now)
        self.score()
        return outcomes

    def record(self, *records: Json | Row) -> list[int]:
        """The same, where every record must be taken; the numbers of their actions."""
        outcomes = self.send(*records)
        assert all(outcome.status != "refused" for outcome in outcomes), outcomes
        return [outcome.action_id for outcome in outcomes if outcome.action_id]

    def score(self) -> None:
        """What the worker does."""
        while is_due(brand=self.brand):
            score_due(brand=self.brand, now=self.now)

    def customer(self, identifier: str = ANN) -> Customer:
        """Whose an identifier is."""
        scheme, value = parse_identifier(identifier)
        resolve_identifiers(brand=self.brand, identifiers=[(scheme, value)], now=self.now)
        found = Identifier.objects.get(brand=self.brand, scheme=scheme, value=value)
        return found.customer

    def rows(self, identifier: str | None = None) -> list[AwardRow]:
        """Every award that holds, in the order of the actions."""
        postings = Posting.objects.filter(customer__brand=self.brand)
        if identifier is not None:
            postings = postings.filter(customer=self.customer(identifier))
        held = (
            postings.values_list(
                "action__occurred_at",
                "action__origin",
                "action__external_id",
                "rule__key",
                "source",
                "local_date",
            )
            .annotate(sum=Sum("points"))
            .exclude(sum=0)
        )
        return [
            AwardRow(external_id, key, Source(source).slug, on.isoformat(), points)
            for _at, _origin, external_id, key, source, on, points in sorted(held)
        ]

    def awards(self, identifier: str | None = None) -> list[Award]:
        """The awards as (action, rule, points), in the order of the actions."""
        return [(row.action, row.rule, row.points) for row in self.rows(identifier)]

    def postings(self) -> list[Posting]:
        """The ledger, entry by entry, in the order in which it was written."""
        found = Posting.objects.filter(customer__brand=self.brand).order_by("pk")
        return list(found.select_related("action", "rule"))

    def stored(self, identifier: str = ANN) -> Score:
        """The score as it was last written."""
        return Score.objects.get(customer=self.customer(identifier))

    def verify(self) -> None:
        """Incremental equals full."""
        verification = verify_ledger(brand=self.brand)
        assert verification.to_json()["differences"] == []
        assert verification.checked["customers_due"] == 0


def given(rules: Sequence[Json], rows: Sequence[Row], *, zone: str = "UTC") -> list[Award]:
    """What rules give actions that arrive together: every posting, none of them a reversal."""
    world = World(*rules, zone=zone)
    world.record(*rows)
    awards = world.awards()
    assert Posting.objects.filter(customer__brand=world.brand).count() == len(awards)
    world.verify()
    return awards


def points_of(
    rules: Sequence[Json], rows: Sequence[Row], key: str = "", *, zone: str = "UTC"
) -> dict[str, int]:
    """What one rule (the last one, unless ``key`` names another) gives, by action."""
    wanted = key or rules[-1]["key"]
    return {name: points for name, by, points in given(rules, rows, zone=zone) if by == wanted}


MICROSECOND = timedelta(microseconds=1)


@contextmanager
def without_redis(settings: LazySettings) -> Iterator[None]:
    """As if Redis were away: its address is one at which nobody listens."""
    url = settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    ranks.redis_client.cache_clear()
    try:
        yield
    finally:
        settings.REDIS_URL = url
        ranks.redis_client.cache_clear()
