"""What customers agree to: the words, the proof, and when they may be written to."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.db import ProgrammingError, transaction
from django.utils import translation

from accounts.choices import pause_score
from accounts.consent import (
    ConsentError,
    ContactRulesError,
    Reach,
    asked_for,
    audience,
    consents_of,
    history_of,
    keep_contact_rules,
    reach_of,
    record_consents,
    texts_of,
    write_text,
)
from accounts.models import Brand, Consent, ConsentText, Customer, DataUse, Purpose
from accounts.uses import record_use, uses_of
from scoring.models import BadgeEarned, Posting, Score
from tests.people import MONDAY, Person, join, record, score_all_due

LATER = MONDAY + timedelta(hours=1)
NEWS, OFFERS, PARTNERS = (Purpose.NEWS, "email"), (Purpose.OFFERS, "sms"), (Purpose.PARTNERS, "")


@pytest.fixture
def me(customer: Person) -> Customer:
    """A customer of a brand that asks for everything it can."""
    brand = customer.brand
    brand.channels, brand.partners = list(Brand.Channel.values), "Roast & Co"
    brand.save()
    assert customer.customer is not None
    return customer.customer


def say(customer: Customer, choices: dict[Any, bool], **other: Any) -> list[Consent]:
    """What the page does with a tap."""
    language = other.get("language", "en")
    texts = texts_of(brand=customer.brand, language=language)
    return record_consents(
        customer=customer,
        **{
            "choices": choices,
            "shown": {purpose: wording.version for purpose, wording in texts.items()},
            "language": language,
            "way": Consent.Way.PAGE,
            "now": LATER,
            **other,
        },
    )


def test_all_is_off_until_it_is_given_and_the_proof_stays(me: Customer) -> None:
    assert set(consents_of(customer=me)) == set(asked_for(brand=me.brand))
    assert len(asked_for(brand=me.brand)) == 9
    assert not any(consents_of(customer=me).values())

    [given] = say(me, {NEWS: True, OFFERS: False})
    wording = texts_of(brand=me.brand, language="en")[Purpose.NEWS]
    assert given.wording == (
        "General news\n"
        "May Foxglove Coffee send you news that everyone gets?\n"
        "Off, you get no news. Score, points and badges stay as they are.\n"
        "E-mail"
    )
    assert (given.version, given.language, given.way, given.at) == (
        wording.version,
        "en",
        "page",
        LATER,
    )
    assert say(me, {NEWS: True}) == []  # said already
    [withdrawn] = say(me, {NEWS: False}, shown={})
    assert consents_of(customer=me)[NEWS] == withdrawn
    assert history_of(customer=me) == [withdrawn, given]
    with pytest.raises(ProgrammingError), transaction.atomic():
        Consent.objects.filter(pk=given.pk).update(given=False)
    with pytest.raises(ProgrammingError), transaction.atomic():
        withdrawn.delete()


def test_a_consent_is_to_the_words_that_were_read(me: Customer) -> None:
    read = {purpose: w.version for purpose, w in texts_of(brand=me.brand, language="en").items()}
    write_text(brand=me.brand, purpose=Purpose.NEWS, text="Post from us?", by=None, now=LATER)
    with pytest.raises(ConsentError, match="words have changed"):
        say(me, {OFFERS: True, NEWS: True}, shown=read)
    assert history_of(customer=me) == []
    [given] = say(me, {NEWS: True})
    assert "Post from us?" in given.wording
    assert given.version == "1"
    write_text(brand=me.brand, purpose=Purpose.NEWS, text="Letters?", by=None, now=LATER)
    assert texts_of(brand=me.brand, language="en")[Purpose.NEWS].version == "2"
    # What was given stays given, to the words of its time.
    assert consents_of(customer=me)[NEWS] == given
    with pytest.raises(ProgrammingError), transaction.atomic():
        ConsentText.objects.update(text="Everything?")


def test_words_are_named_by_what_they_say_in_each_language(me: Customer) -> None:
    with translation.override("de"):
        english = texts_of(brand=me.brand, language="en")
    assert english[Purpose.NEWS].text.startswith("May Foxglove Coffee send")
    assert english == texts_of(brand=me.brand, language="en")
    versions = {wording.version for wording in english.values()}
    assert len(versions) == 3
    me.brand.partners = "Roast & Co, Mug Makers"
    assert texts_of(brand=me.brand, language="en")[Purpose.PARTNERS].version not in versions


def test_nothing_is_asked_that_the_brand_does_not_do(me: Customer) -> None:
    me.brand.channels, me.brand.partners = ["post"], ""
    assert asked_for(brand=me.brand) == [(Purpose.OFFERS, "post"), (Purpose.NEWS, "post")]
    for asked in (NEWS, PARTNERS):
        with pytest.raises(ConsentError, match="not asked for"):
            say(me, {asked: True})


def test_sharing_holds_for_the_partners_that_were_named(me: Customer) -> None:
    write_text(brand=me.brand, purpose=Purpose.PARTNERS, text="Share it?", by=None, now=LATER)
    [given] = say(me, {PARTNERS: True})
    assert "Share it? Partners: Roast & Co." in given.wording
    found = audience(brand=me.brand, purpose=Purpose.PARTNERS)
    assert list(found.customers) == [me]
    me.brand.partners = "Roast & Co, Mug Makers"
    me.brand.save()
    assert consents_of(customer=me)[PARTNERS] is None
    assert not found.customers.exists()
    say(me, {PARTNERS: True})
    assert list(found.customers) == [me]


@pytest.mark.parametrize("own", ["", "Share it with Red Bulletin and its friends?"])
@pytest.mark.parametrize(
    ("agreed", "named", "holds"),
    [
        ("Red Bulletin", "Red Bull", False),
        ("Red Bull", "Red Bulletin", False),
        ("Red Bulletin, Mug Makers", "Mug Makers, Red Bull", False),
        # In any order, and however it is typed.
        ("Red Bull, Mug Makers", "mug  makers ; Red Bull,", True),
        # Fewer or more are others: it is asked anew.
        ("Red Bull, Mug Makers", "Mug Makers", False),
        ("Mug Makers", "Mug Makers, Red Bull", False),
        ("Red, Bull", "Red Bull", False),
    ],
)
def test_sharing_holds_with_exactly_whom_it_named(
    me: Customer, own: str, agreed: str, named: str, holds: bool
) -> None:
    if own:
        write_text(brand=me.brand, purpose=Purpose.PARTNERS, text=own, by=None, now=LATER)
    me.brand.partners = agreed
    me.brand.save()
    [given] = say(me, {PARTNERS: True})
    me.brand.partners = named
    me.brand.save()
    assert named in texts_of(brand=me.brand, language="en")[Purpose.PARTNERS].text
    assert (consents_of(customer=me)[PARTNERS] == given) == holds
    assert audience(brand=me.brand, purpose=Purpose.PARTNERS).customers.exists() == holds
    # Named again, they are the ones who were agreed to.
    me.brand.partners = agreed
    me.brand.save()
    assert consents_of(customer=me)[PARTNERS] == given
    assert audience(brand=me.brand, purpose=Purpose.PARTNERS).customers.exists()


def test_consents_move_no_points_badges_or_score(me: Customer) -> None:
    record(me, ("purchase", MONDAY, 40), ("check_in", MONDAY + timedelta(minutes=5)))

    def state() -> Any:
        return (
            list(Posting.objects.order_by("pk").values()),
            list(Score.objects.order_by("pk").values()),
            list(BadgeEarned.objects.order_by("pk").values()),
        )

    before = state()
    assert before[0]
    everything = asked_for(brand=me.brand)
    for given in (True, False, True):
        say(me, dict.fromkeys(everything, given))
        score_all_due(me.brand, now=LATER)
        assert state() == before
    assert len(history_of(customer=me)) == 3 * len(everything)


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        # London is an hour ahead in summer.
        (datetime(2026, 7, 1, 20, 59, tzinfo=UTC), None),
        (datetime(2026, 7, 1, 21, 0, tzinfo=UTC), datetime(2026, 7, 2, 6, 30, tzinfo=UTC)),
        (datetime(2026, 7, 2, 6, 29, tzinfo=UTC), datetime(2026, 7, 2, 6, 30, tzinfo=UTC)),
        (datetime(2026, 7, 2, 6, 30, tzinfo=UTC), None),
        # The night in which clocks go back.
        (datetime(2026, 10, 24, 23, 0, tzinfo=UTC), datetime(2026, 10, 25, 7, 30, tzinfo=UTC)),
    ],
)
def test_quiet_hours_are_the_brands_local_ones(
    me: Customer, at: datetime, ends: datetime | None
) -> None:
    def reach(channel: str) -> Reach | None:
        return reach_of(customer=me, purpose=Purpose.NEWS, channel=channel, now=at)

    assert reach("email") is None
    say(me, {NEWS: True, (Purpose.NEWS, "post"): True})
    assert reach("email") == Reach(at, None)
    keep_contact_rules(customer=me, quiet_from=time(22), quiet_until=time(7, 30), weekly_most=2)
    assert reach("email") == Reach(ends or at, 2)
    assert reach("post") == Reach(at, 2)
    assert reach("sms") is None
    pause_score(customer=me, now=at)
    assert reach("email") is None


def test_quiet_hours_within_a_day(me: Customer) -> None:
    say(me, {NEWS: True})
    keep_contact_rules(customer=me, quiet_from=time(12), quiet_until=time(14), weekly_most=None)
    for hour, until in ((11, 11), (12, 14), (13, 14), (14, 14)):
        at, ends = (datetime(2026, 11, 23, h, tzinfo=UTC) for h in (hour, until))
        assert reach_of(customer=me, purpose=Purpose.NEWS, channel="email", now=at) == Reach(
            ends, None
        )


@pytest.mark.parametrize(
    ("quiet_from", "quiet_until"), [(time(22), None), (None, time(7)), (time(7), time(7))]
)
def test_quiet_hours_are_two_times(
    me: Customer, quiet_from: time | None, quiet_until: time | None
) -> None:
    with pytest.raises(ContactRulesError):
        keep_contact_rules(
            customer=me, quiet_from=quiet_from, quiet_until=quiet_until, weekly_most=1
        )


def test_customers_see_who_took_their_data(me: Customer, manager: Person) -> None:
    other = join(me.brand, "other@example.org").customer
    assert other is not None
    shared: Any = {
        "brand": me.brand,
        "purpose": Purpose.SCORE,
        "role": "manager",
        "by": manager.user,
    }
    look = record_use(
        type=DataUse.Type.LOOK, title="", customers=[me.pk, me.pk], now=LATER, **shared
    )
    export = record_use(
        type=DataUse.Type.EXPORT,
        title="Top customers",
        customers=audience(brand=me.brand, purpose=Purpose.SCORE),
        now=LATER + timedelta(minutes=1),
        **shared,
    )
    assert uses_of(customer=me) == [export, look]
    assert uses_of(customer=other) == [export]
    assert (look.people, export.people) == (1, 2)
    found = audience(brand=me.brand, purpose=Purpose.SCORE)
    assert list(found.recorded_in(look).customers) == [me]
    pause_score(customer=me, now=LATER)
    assert not found.recorded_in(look).customers.exists()
