"""The ways to add to the score by hand."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import Brand, Customer
from loyalty import access
from loyalty.intake.check_ins import get_check_in_kind, offers_check_ins
from loyalty.intake.forms import CHANNEL
from loyalty.intake.purchases import get_purchase_kind
from loyalty.intake.usage import get_usage_kind
from loyalty.pages.frame import customer_page, show
from loyalty.pages.offers import Offer, offers_of
from loyalty.pages.rules import LiveRule, live_rules
from scoring.foresee import Step, steps_of
from scoring.models import ActionKind, Venue
from scoring.publication import current_document
from scoring.suppose import Supposed

# So many venues are looked at for one where checking in gives points now.
MOST_VENUES = 20


class Way(NamedTuple):
    """Something that customers report themselves: its page, its kind and the rules that will judge it."""

    name: str
    icon: str
    kind: ActionKind
    rules: list[LiveRule]


class WayNow(NamedTuple):
    """A way with what it would give this customer now, done as they usually do it."""

    way: Way
    offer: Offer
    step: Step
    venue_name: str | None


def ways_to_add(brand: Brand, *, now: datetime) -> list[Way]:
    """What customers of the brand can report themselves."""
    rules = live_rules(current_document(brand=brand), now=now)
    # Without a code on a poster there is nothing to type.
    check_in = get_check_in_kind(brand=brand) if offers_check_ins(brand=brand) else None
    return [
        Way(name, icon, kind, [rule for rule in rules if kind.slug in rule.stage.all_kinds()])
        for name, icon, kind in (
            ("check_in", "visit", check_in),
            ("purchase", "purchase", get_purchase_kind(brand=brand)),
            ("usage", "usage", get_usage_kind(brand=brand)),
        )
        if kind is not None
    ]


def ways_now(customer: Customer, ways: list[Way], *, now: datetime) -> dict[str, WayNow]:
    """What each way gives now, by its name; one that no rule looks at is not in it.

    Checking in is told for the venue where the customer usually is, or where that gives nothing just
    now, for another one that does.
    """
    brand = customer.brand
    steps = {step.kind: step for step in steps_of(brand=brand, customer=customer, now=now)}
    asked: list[tuple[Way, Step, str | None, Supposed]] = []
    for way in ways:
        step = steps.get(way.kind.slug)
        if step is None:
            continue
        if way.name != "check_in":
            asked.append((way, step, step.venue_name, step.at(now)))
            continue
        venues = access.venues(brand).exclude(check_in_code="")[:MOST_VENUES]
        asked += [
            (way, step, venue.name, Supposed(step.kind, now, venue=venue.slug, channel=CHANNEL))
            for venue in _first(step.venue, venues)
        ]
    offers = offers_of(customer=customer, supposed=[supposed for *_rest, supposed in asked])
    best: dict[str, WayNow] = {}
    for (way, step, venue_name, _supposed), offer in zip(asked, offers, strict=True):
        before = best.get(way.name)
        if before is None or (not before.offer.points and offer.points):
            best[way.name] = WayNow(way, offer, step, venue_name)
    return best


def _first(slug: str | None, venues: Iterable[Venue]) -> list[Venue]:
    return sorted(venues, key=lambda venue: venue.slug != slug)


@require_safe
@customer_page
def add(request: HttpRequest, customer: Customer) -> HttpResponse:
    """Check in, register a purchase or record use, each with the points that it gives now or why none."""
    now = timezone.now()
    ways = ways_to_add(customer.brand, now=now)
    found = ways_now(customer, ways, now=now)
    offered = [(way, found.get(way.name)) for way in ways]
    return show(request, "pages/add.html", customer, here="add", offered=offered)
