"""A customer with something on every page."""

from datetime import datetime, timedelta

from accounts.choices import switch_source
from accounts.consent import record_consents, texts_of
from accounts.models import Brand, Consent, Customer, Purpose
from scoring.actions import DecisionRow, VoidRow, record_actions
from scoring.boards import choose_home
from scoring.models import Action, Badge, Source
from scoring.publication import publish
from scoring.rhythm import choose_rhythm
from tests.people import HARBOUR, RULES, join, make_brand, record, score_all_due

HOUR = timedelta(hours=1)
MEMBERS = 11
BREW = {"key": "brew", "type": "earn", "title": "Brew at home", "kinds": ["usage"], "points": 5}


def tell_story(brand: Brand, *, now: datetime) -> Customer:
    """Let somebody join, do and claim all sorts of things, and be surrounded by others on the boards."""
    make_brand(HARBOUR)
    person = join(brand, "rowan@example.org", now=now - 60 * 24 * HOUR)
    assert person.customer
    rules = RULES | {"rules": [*RULES["rules"], BREW]}
    publish(brand=brand, document=rules, effective="always", now=now)
    _offer_badges(brand)
    _choose(person.customer, now=now)
    refused, gone = record(
        person.customer,
        ("purchase", now - 45 * 24 * HOUR, "124.90"),
        ("purchase", now - 50 * HOUR, "24.90"),
        ("check_in", now - 49 * HOUR),
        ("check_in", now - 48.5 * HOUR),
        ("usage", now - 30 * HOUR, 2),
        ("purchase", now - 2 * HOUR, "8.50", "pending"),
        ("purchase", now - 51 * HOUR, "3.20", "pending"),
        ("purchase", now - 3 * HOUR, "12.00"),
        now=now,
    )[-2:]
    names = Action.objects.in_bulk([refused, gone])
    decision = DecisionRow(
        origin="till",
        external_id="decision",
        action=names[refused].external_id,
        accepted=False,
        at=now,
        reason="It could not be read",
    )
    void = VoidRow(
        origin="till",
        external_id="void",
        action=names[gone].external_id,
        at=now,
        reason="Typed twice",
    )
    record_actions(brand=brand, rows=[decision, void], now=now)
    for number in range(MEMBERS):
        member = join(brand, f"m{number}@example.org", now=now).customer
        assert member
        Customer.objects.filter(pk=member.pk).update(on_boards=True, pseudonym=f"Otter {number}")
        choose_home(customer=member, venue=brand.venues.all()[number % 2])
        record(member, ("purchase", now - HOUR, 20 + number), now=now)
    Customer.objects.filter(pk=person.customer.pk).update(
        on_boards=True, pseudonym="Rhododendron Wanderer of the North"
    )
    choose_home(customer=person.customer, venue=brand.venues.all()[0])
    choose_rhythm(customer=person.customer, days=2, on=(now - 40 * 24 * HOUR).date())
    record(person.customer, ("check_in", now), now=now)
    score_all_due(brand, now=now)
    person.customer.refresh_from_db()
    return person.customer


def _choose(customer: Customer, *, now: datetime) -> None:
    """Be asked for everything, agree to news and change one's mind about letters; keep one source back."""
    brand = customer.brand
    brand.channels, brand.partners = list(Brand.Channel.values), "Roast & Co"
    brand.save()
    texts = texts_of(brand=brand, language="en")
    for channel, given in (("email", True), ("post", True), ("post", False)):
        record_consents(
            customer=customer,
            choices={(Purpose.NEWS, channel): given},
            shown={purpose: wording.version for purpose, wording in texts.items()},
            language="en",
            way=Consent.Way.PAGE,
            now=now,
        )
    switch_source(customer=customer, source=Source.MARKETING_ATTENTION, on=False, now=now)


def _offer_badges(brand: Brand) -> None:
    for slug, source, levels in (
        ("three-shops", Source.ONLINE_ENGAGEMENT, [2]),
        ("regular", Source.PHYSICAL_VISITS, [1, 50, 100]),
        ("patron", Source.PURCHASES, [200]),
    ):
        Badge.objects.create(
            brand=brand,
            slug=slug,
            title=slug.replace("-", " ").capitalize(),
            source=source,
            criterion="actions",
            parameters={"kinds": ["check_in" if slug != "patron" else "purchase"]},
            levels=levels,
        )
