"""What the people of a demo brand agreed to, took back, paused and kept for themselves; and what staff took of them."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Final

from accounts.choices import pause_score, switch_source
from accounts.consent import asked_for, audience, keep_contact_rules, record_consents, texts_of
from accounts.models import Brand, Consent, Customer, DataUse, Purpose, StaffRole
from accounts.uses import record_look, record_use
from loyalty.demo.people import SEED, Person
from scoring.models import Source

# How likely somebody agrees on joining; offers on the phone come later, if at all.
AGREE: Final = {
    (Purpose.NEWS, "email"): 0.55,
    (Purpose.NEWS, "post"): 0.1,
    (Purpose.OFFERS, "email"): 0.35,
    (Purpose.OFFERS, "push"): 0.2,
    (Purpose.OFFERS, "sms"): 0.06,
    (Purpose.PARTNERS, ""): 0.08,
}
ROWAN_AGREES: Final = {
    (Purpose.NEWS, "email"),
    (Purpose.OFFERS, "push"),
    (Purpose.OFFERS, "sms"),
}
ROWAN_REGRETS: Final = {(Purpose.OFFERS, "sms")}
REGRET: Final = 0.15
"""How likely somebody who agreed takes it back some weeks later."""
PAUSE: Final = 3
KEEP_BACK: Final = 5
"""How many pause the score, and how many keep from it how they follow the brand online."""


def choose(
    *,
    brand: Brand,
    people: Mapping[int, Person],
    customers: Mapping[int, Customer],
    anchor: date,
) -> None:
    """Let everyone who joined choose, once; days are counted from the anchor."""
    if Consent.objects.filter(customer__brand=brand).exists():
        return
    for number, customer in customers.items():
        random = Random(f"{SEED} consents {number}")  # noqa: S311
        joined = people[number].joins or 0
        asked = asked_for(brand=brand)
        agreed = {one for one in asked if random.random() < AGREE.get(one, 0)}
        if number == 0:
            # Of what the brand still asks for, should staff have changed that.
            agreed = ROWAN_AGREES & set(asked)
        _say(customer, agreed, given=True, way=Consent.Way.JOIN, at=_at(brand, anchor, joined))
        again = {one for one in sorted(agreed) if random.random() < REGRET}
        if number == 0:
            again = ROWAN_REGRETS & agreed
        day = min(joined + random.randint(20, 60), -1)
        _say(customer, again, given=False, way=Consent.Way.PAGE, at=_at(brand, anchor, day))
    keep_contact_rules(
        customer=customers[0], quiet_from=time(21), quiet_until=time(8), weekly_most=2
    )
    reserved = [c for number, c in customers.items() if number and not people[number].on_board]
    for customer in reserved[:PAUSE]:
        pause_score(customer=customer, now=_at(brand, anchor, -9))
    for customer in reserved[PAUSE : PAUSE + KEEP_BACK]:
        switch_source(
            customer=customer,
            source=Source.ONLINE_ENGAGEMENT,
            on=False,
            now=_at(brand, anchor, -16),
        )


def take(*, brand: Brand, rowan: Customer, anchor: date) -> None:
    """Let staff export two lists and look somebody up, once."""
    if DataUse.objects.filter(brand=brand).exists():
        return
    staff = {role.role: role.user for role in StaffRole.objects.filter(brand=brand)}
    for days, purpose, channel in ((-38, Purpose.NEWS, "email"), (-12, Purpose.SCORE, "")):
        at = _at(brand, anchor, days)
        name = "-".join(filter(None, [brand.slug, "top-customers", purpose, channel]))
        found = audience(brand=brand, purpose=purpose, channel=channel).customers
        record_use(
            brand=brand,
            type=DataUse.Type.EXPORT,
            purpose=purpose,
            channel=channel,
            title=f"{name}-{at.astimezone(brand.zone).date().isoformat()}-rules-3.csv",
            by=staff[StaffRole.Role.MARKETER],
            role=StaffRole.Role.MARKETER,
            customers=found.filter(joined_at__lt=at).values_list("pk", flat=True),
            now=at,
        )
    record_look(
        customer=rowan,
        by=staff[StaffRole.Role.REVIEWER],
        role=StaffRole.Role.REVIEWER,
        now=_at(brand, anchor, -5),
    )


def _say(
    customer: Customer,
    asked: set[tuple[Purpose, str]],
    *,
    given: bool,
    way: Consent.Way,
    at: datetime,
) -> None:
    if not asked:
        return
    texts = texts_of(brand=customer.brand, language="en")
    record_consents(
        customer=customer,
        choices=dict.fromkeys(sorted(asked), given),
        shown={purpose: wording.version for purpose, wording in texts.items()},
        language="en",
        way=way,
        now=at,
    )


def _at(brand: Brand, anchor: date, days: int) -> datetime:
    return datetime.combine(anchor + timedelta(days=days), time(8, 10), brand.zone)
