"""The demo brands into the database, through the same doors as anybody's, any number of times.

The first time lays down a year of history. Every later time brings nothing twice and tells the story
on up to now. What people changed in a demo brand meanwhile stays as they left it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import Max

from accounts.identity import join_brand, link_identifier, moves_of, parse_identifier
from accounts.models import Brand, Customer, Identifier, StaffRole, User
from loyalty.demo import consents, foxglove, harbour, story
from loyalty.demo.birdsong.people import JUNIPER
from loyalty.demo.people import LOGINS, MANAGER, STAFF, Login, Person, make_people
from loyalty.intake.forms import get_identifier
from loyalty.intake.purchases import Claim, record_purchase_claim
from scoring.actions import record_actions
from scoring.boards import choose_home, close_boards
from scoring.brands import setup_brand
from scoring.models import Action, Badge, Rhythm, Venue
from scoring.publication import publish
from scoring.records import Row
from scoring.rhythm import choose_rhythm
from scoring.run import score_due

YEAR = timedelta(days=365)
BATCH = 5000
RIDERS = 12
"""How many of Foxglove's people also ride: one login, a customer of each brand."""


@dataclass(frozen=True)
class Made:
    """What one run did for one brand."""

    brand: Brand
    records: int
    scored: int

    def __str__(self) -> str:
        return f"{self.brand.name}: {self.records:,} new records, {self.scored:,} customers scored."


def make_demo(*, now: datetime) -> list[Made]:
    """Make the demo brands, or bring their story up to ``now``; may run any number of times."""
    return [_make_foxglove(now), _make_harbour(now)]


def _make_foxglove(now: datetime) -> Made:
    brand = _get_brand(foxglove, now)
    anchor = _anchor(brand)
    people = make_people(shops=foxglove.SHOPS)
    customers = _join(brand, people, anchor)
    for role, login in STAFF.items():
        _hire(brand, login, StaffRole.Role(role))
    _publish_foxglove(brand, anchor)
    _offer_badges(brand, foxglove.BADGES)
    rows = story.rows(
        people=people,
        laurel={number: get_identifier(customer=c) for number, c in customers.items()},
        anchor=anchor,
        since=_since(brand, anchor),
        until=now,
    )
    records = _record(brand, rows, now)
    rowan = customers[0]
    _link_once(rowan, people[0].handle, now)
    # So that somebody who says they are Juniper learns what happens when two say the same.
    juniper = next(p for p in people if p.number and p.number in customers and not p.handle)
    _link_once(customers[juniper.number], JUNIPER.identifier, now)
    consents.choose(
        brand=brand,
        people={person.number: person for person in people},
        customers=customers,
        anchor=anchor,
    )
    consents.take(brand=brand, rowan=rowan, anchor=anchor)
    if not Rhythm.objects.filter(customer=rowan).exists():
        choose_rhythm(customer=rowan, days=3, on=anchor - timedelta(days=63))
    record_purchase_claim(
        customer=rowan,
        claim=Claim(
            amount=Decimal("18.40"),
            bought_on=anchor - timedelta(days=1),
            venue=people[0].home,
            receipt_number="5127-03",
        ),
        token="demo-claim-rowan",  # noqa: S106 - the form's token is no secret
        now=now,
    )
    return Made(brand, records, _score(brand, now))


def _make_harbour(now: datetime) -> Made:
    brand = _get_brand(harbour, now)
    anchor = _anchor(brand)
    people = [p for p in make_people(shops=foxglove.SHOPS) if p.joins is not None and p.handle]
    riders = [replace(person, on_board=True) for person in people[:RIDERS]]
    customers = _join(brand, riders, anchor)
    _hire(brand, MANAGER, StaffRole.Role.MANAGER)
    if not brand.rule_sets.exclude(version=None).exists():
        publish(brand=brand, document=harbour.RULES, effective="always", now=brand.created_at)
    _offer_badges(brand, harbour.BADGES)
    rows = harbour.rows(
        people=riders,
        laurel={number: get_identifier(customer=c) for number, c in customers.items()},
        anchor=anchor,
        until=now,
    )
    return Made(brand, _record(brand, rows, now), _score(brand, now))


def _get_brand(design: Any, now: datetime) -> Brand:
    """The brand, set up as ``design`` (a module of this package) says when there is none yet."""
    brand = Brand.objects.filter(slug=design.SLUG).first()
    if brand is not None:
        return brand
    with transaction.atomic():
        brand = setup_brand(document=design.BRAND)
        brand.promise, brand.colour = design.PROMISE, design.COLOUR
        brand.channels, brand.partners = list(design.CHANNELS), design.PARTNERS
        # The story begins a year ago; its days are counted from here whenever it is told on.
        brand.created_at = now - YEAR
        brand.save()
        for slug, code in design.CODES.items():
            Venue.objects.filter(brand=brand, slug=slug).update(check_in_code=code)
    return brand


def _anchor(brand: Brand) -> date:
    """The local day on which the demo was first made."""
    return (brand.created_at + YEAR).astimezone(brand.zone).date()


def _midnight(brand: Brand, day: date) -> datetime:
    return datetime.combine(day, time(), brand.zone)


def _morning(brand: Brand, day: date) -> datetime:
    return datetime.combine(day, time(7), brand.zone)


# People


def _join(brand: Brand, people: Iterable[Person], anchor: date) -> dict[int, Customer]:
    """Everyone who joined, by their number, each with what they have proved to be theirs."""
    joined = [person for person in people if person.joins is not None]
    users = _users([Login(person.email, "", person.name) for person in joined])
    known = {c.user_id: c for c in Customer.objects.filter(brand=brand).exclude(user=None)}
    customers = {}
    for person in joined:
        user = users[person.email]
        customer = known.get(user.pk) or _join_one(brand, person, user, anchor)
        customer.brand = brand
        customers[person.number] = customer
    return customers


@transaction.atomic
def _join_one(brand: Brand, person: Person, user: User, anchor: date) -> Customer:
    at = _morning(brand, anchor + timedelta(days=person.joins or 0))
    customer = join_brand(brand=brand, user=user, now=at)
    # Rowan finds the handle later, when its posts are there already: they come along.
    handle = person.handle if person.number else ""
    for text, proof in (
        (person.card, Identifier.Proof.CODE),
        (handle, Identifier.Proof.PROVIDER),
    ):
        if text:
            link_identifier(customer=customer, text=text, proof=proof, now=at)
    if person.on_board:
        customer.on_boards = True
        customer.save(update_fields=["on_boards"])
        choose_home(
            customer=customer, venue=Venue.objects.filter(brand=brand, slug=person.home).first()
        )
    return customer


def _link_once(customer: Customer, text: str, now: datetime) -> None:
    """Link an account that was never the customer's: what somebody unlinks in the demo stays unlinked."""
    scheme, value = parse_identifier(text)
    before = moves_of(customer=customer)
    if not before.filter(identifier__scheme=scheme, identifier__value=value).exists():
        link_identifier(customer=customer, text=text, proof=Identifier.Proof.PROVIDER, now=now)


def _users(logins: Sequence[Login]) -> dict[str, User]:
    """Users by address, made where missing, with an address that counts as confirmed."""
    passwords = {login.email: login.password for login in (*LOGINS.values(), *STAFF.values())}
    known = set(
        User.objects.filter(email__in=[login.email for login in logins]).values_list(
            "email", flat=True
        )
    )
    for login in logins:
        if login.email not in known:
            User.objects.create_user(
                login.email, passwords.get(login.email) or None, name=login.name
            )
    users = User.objects.in_bulk([login.email for login in logins], field_name="email")
    EmailAddress.objects.bulk_create(
        [
            EmailAddress(user=user, email=email, verified=True, primary=True)
            for email, user in users.items()
            if email not in known
        ]
    )
    return users


def _hire(brand: Brand, login: Login, role: StaffRole.Role) -> None:
    user = _users([login])[login.email]
    StaffRole.objects.get_or_create(brand=brand, user=user, defaults={"role": role})


# Rules and badges


def _publish_foxglove(brand: Brand, anchor: date) -> None:
    """Three versions over the year, each published in its own time."""
    published = brand.rule_sets.exclude(version=None).count()
    opening = foxglove.opening_day(anchor=anchor)
    latest = anchor - timedelta(days=24)
    if published < 1:
        publish(
            brand=brand,
            document=_document(foxglove.rules_at_the_start()),
            effective="always",
            note="The programme begins",
            now=brand.created_at,
        )
    if published < 2:
        publish(
            brand=brand,
            document=_document(foxglove.rules_with_four_shops()),
            effective=opening,
            note="Tannery Arches opens: a longer tour, and more for checking in",
            now=_morning(brand, opening - timedelta(days=3)),
        )
    if published < 3:
        publish(
            brand=brand,
            document=_document(foxglove.rules_of_today(opened_at=_midnight(brand, opening))),
            effective=latest,
            note="The early bird ends, a brew counts more",
            now=_morning(brand, latest - timedelta(days=2)),
        )


def _document(rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"sources": foxglove.SOURCES, "rules": rules}


def _offer_badges(brand: Brand, badges: Sequence[dict[str, Any]]) -> None:
    for position, badge in enumerate(badges):
        Badge.objects.get_or_create(
            brand=brand, slug=badge["slug"], defaults={**badge, "position": position}
        )


# Facts


def _since(brand: Brand, anchor: date) -> date:
    """The first day that may not be stored yet. What visitors of the demo do themselves tells nothing about it."""
    told = Action.objects.filter(brand=brand, origin__in=story.ORIGINS)
    last: datetime | None = told.aggregate(at=Max("occurred_at"))["at"]
    if last is None:
        return anchor - YEAR
    return last.astimezone(brand.zone).date() - timedelta(days=2)


def _record(brand: Brand, rows: Sequence[Row], now: datetime) -> int:
    """Record the rows, a batch in a transaction, as if each batch had come in when it happened."""
    accepted = 0
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        at = min(now, story.moment_of(batch[-1]) + timedelta(minutes=1))
        outcomes = record_actions(brand=brand, rows=batch, now=at)
        accepted += sum(outcome.status == "accepted" for outcome in outcomes)
    return accepted


def _score(brand: Brand, now: datetime) -> int:
    scored = 0
    while claimed := score_due(brand=brand, now=now):
        scored += len(claimed)
    close_boards(brand=brand, now=now)
    return scored
