"""The demo: a believable story, told through the real doors, once however often it is told."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import transaction

from accounts.consent import LeftOut, asked_for, audience, history_of
from accounts.identity import identifiers_of, link_identifier, unlink_identifier
from accounts.models import Brand, Customer, Identifier, StaffRole, User
from accounts.uses import uses_of
from loyalty.demo import foxglove, harbour, story
from loyalty.demo.birdsong.people import BIRDS, PIPIT, ROWAN, SORREL
from loyalty.demo.consents import AGREE, KEEP_BACK, PAUSE
from loyalty.demo.make import Made, make_demo
from loyalty.demo.people import CUSTOMER, LOGINS, STAFF, make_people
from loyalty.intake import check_ins, purchases, usage
from loyalty.intake.forms import get_identifier
from scoring.badges import badges_of, rarity_of
from scoring.criteria import CRITERIA
from scoring.models import (
    Action,
    Amendment,
    Badge,
    BadgeEarned,
    DailyPoints,
    Due,
    Posting,
    RuleSet,
    Score,
    Source,
)
from scoring.records import ActionRow, Row
from scoring.run import score_due
from scoring.verify import verify_ledger

NOW = datetime(2026, 11, 24, 12, 5, tzinfo=UTC)
LATER = NOW + timedelta(days=6, hours=5)
TODAY = NOW.date()


# The story on paper


def told(anchor: date, until: datetime, since: date | None = None) -> list[Row]:
    """The story of Foxglove, everybody's own identifier being their number."""
    people = make_people(shops=foxglove.SHOPS)
    laurel = {p.number: f"laurel:{p.number}" for p in people if p.joins is not None}
    since = since or anchor - timedelta(days=365)
    return story.rows(people=people, laurel=laurel, anchor=anchor, since=since, until=until)


def test_the_story_told_later_repeats_itself_to_the_letter_and_goes_on() -> None:
    """Six days later, and from a later day on."""
    first, second = told(TODAY, NOW), told(TODAY, LATER)
    assert second[: len(first)] == first
    assert len(second) > len(first) + 100
    part = told(TODAY, LATER, since=TODAY - timedelta(days=3))
    assert part == second[-len(part) :]


@pytest.mark.parametrize(
    "anchor", [date(2026, 11, 24), date(2027, 1, 1), date(2028, 2, 29), date(2027, 5, 2)]
)
def test_the_story_keeps_opening_hours_and_the_calendar(anchor: date) -> None:
    """Nobody is at a till while a shop is closed, or in the fourth shop before it opened."""
    rows = told(anchor, datetime.combine(anchor, NOW.time(), UTC))
    keys = Counter((type(row), row.origin, row.external_id) for row in rows)
    assert max(keys.values()) == 1
    actions = [row for row in rows if isinstance(row, ActionRow)]
    opened = foxglove.opening_day(anchor=anchor)
    assert opened < anchor
    assert any(row.venue == foxglove.NEW_SHOP for row in actions)
    scenes = anchor - timedelta(days=47)
    for row in actions:
        local = row.occurred_at.astimezone(story.ZONE)
        hours = foxglove.hours_of(day=local.date())
        if row.venue == foxglove.NEW_SHOP:
            assert local.date() >= opened
        if row.origin == "till" and row.kind == "purchase" and local.date() < scenes:
            assert hours is not None
            assert hours[0] <= local.hour + local.minute / 60 <= hours[1] + 0.3
    months = {row.occurred_at.astimezone(story.ZONE).month for row in actions}
    assert months == set(range(1, 13))


# The story in the database


@pytest.fixture(scope="module")
def made(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[list[Made]]:
    """The demo made at noon; undone when this module is done."""
    with django_db_blocker.unblock(), transaction.atomic():  # type: ignore[attr-defined]
        yield make_demo(now=NOW)
        transaction.set_rollback(True)


@pytest.fixture
def rowan(made: list[Made]) -> Customer:
    """The customer whom a visitor signs in as."""
    return Customer.objects.get(brand__slug=foxglove.SLUG, user__email=CUSTOMER.email)


def test_two_brands_are_made_and_everyone_is_scored(made: list[Made]) -> None:
    """No row was refused, nobody is due, and nothing waits for its action."""
    assert [one.brand.slug for one in made] == [foxglove.SLUG, harbour.SLUG]
    assert made[0].records == len(told(TODAY, NOW))
    assert 25_000 < made[0].records < 40_000
    assert not Due.objects.exists()
    assert not Amendment.objects.filter(action=None).exists()
    assert Score.objects.filter(brand=made[1].brand, score__gt=0).count() >= 10


def test_the_ledger_of_both_brands_is_as_the_actions_say(made: list[Made]) -> None:
    """Over three versions of the rules, corrections, voids and decisions."""
    for one in made:
        assert verify_ledger(brand=one.brand).differences == []
    assert RuleSet.objects.filter(brand=made[0].brand).exclude(version=None).count() == 3
    assert set(Amendment.objects.values_list("type", flat=True)) == {
        "correction",
        "void",
        "decision",
    }


def test_scores_spread_over_the_whole_range(made: list[Made]) -> None:
    """From passers-by to enthusiasts, and every rule gives points to somebody."""
    scores = sorted(
        Score.objects.filter(brand=made[0].brand).values_list("score", flat=True), reverse=True
    )
    assert scores[0] > 800
    for threshold, least in ((600, 12), (400, 40), (200, 90), (50, 160)):
        assert sum(score > threshold for score in scores) >= least
    assert sum(score < 100 for score in scores) >= 30
    keys = {
        key
        for rule_set in RuleSet.objects.filter(brand=made[0].brand)
        for key in rule_set.rules.values_list("key", flat=True)
    }
    given = Posting.objects.filter(rule__brand=made[0].brand).values_list("rule__key", flat=True)
    assert keys == set(given)
    assert len(keys) >= 12


def test_rowan_has_something_of_everything(rowan: Customer) -> None:
    """A score around 600, six sources alive, badges of every level, a claim that waits, an undone purchase."""
    score = Score.objects.get(customer=rowan)
    assert 550 < score.score < 700
    assert all(20 < sub_score < 95 for sub_score in score.sub_scores)
    views = badges_of(customer=rowan)
    assert {view.level for view in views} == {0, 1, 2, 3}
    assert sum(0 < view.progress < view.target for view in views) >= 5
    mine = Action.objects.filter(identifier__customer=rowan)
    waiting = mine.filter(state="pending", amendments=None)
    assert [action.external_id for action in waiting] == ["demo-claim-rowan"]
    assert mine.filter(amendments__type="void").exists()
    assert mine.filter(amendments__type="correction").exists()
    assert mine.filter(amendments__type="decision", amendments__accepted=False).exists()
    assert mine.filter(identifier__scheme="mastodon").exists()
    week = TODAY - timedelta(days=TODAY.weekday())
    assert DailyPoints.objects.filter(customer=rowan, local_date__gte=week, points__gt=0).exists()
    ageing = DailyPoints.objects.filter(customer=rowan, local_date__lt=TODAY - timedelta(days=90))
    assert ageing.exists()


def test_badges_are_of_every_criterion_and_each_first_level_is_somebodys(made: list[Made]) -> None:
    """Eight to ten of Foxglove's, a few of Harbour's; none is everybody's gold."""
    assert 8 <= Badge.objects.filter(brand=made[0].brand).count() <= 10
    assert Badge.objects.filter(brand=made[1].brand).count() >= 3
    named = set(Badge.objects.filter(brand=made[0].brand).values_list("criterion", flat=True))
    assert named == set(CRITERIA)
    for badge in Badge.objects.filter(brand=made[0].brand):
        rarity = rarity_of(badge=badge, level=1)
        assert 0 < rarity.percent < 100, badge
        assert rarity_of(badge=badge, level=3).percent < 25, badge
    assert BadgeEarned.objects.filter(badge__brand=made[1].brand, revoked_at=None).exists()


def test_people_chose_and_saw_who_took_their_data(made: list[Made], rowan: Customer) -> None:
    brand = made[0].brand
    for purpose, channel in asked_for(brand=brand):
        found = audience(brand=brand, purpose=purpose, channel=channel)
        assert found.customers.exists() == ((purpose, channel) in AGREE), (purpose, channel)
        assert found.left_out()[LeftOut.PAUSED] == PAUSE
        assert found.left_out()[LeftOut.NO_CONSENT] > 50
    assert [one.given for one in history_of(customer=rowan)].count(False) == 1
    assert Customer.objects.filter(brand=brand).exclude(sources_off=0).count() == KEEP_BACK
    assert [use.type for use in uses_of(customer=rowan)] == ["look", "export", "export"]


def test_rowan_stands_in_the_middle_of_the_board(rowan: Customer) -> None:
    """About sixty members, each with a pseudonym; neither the first nor the last."""
    members = Customer.objects.filter(brand=rowan.brand, on_boards=True)
    assert 50 <= members.count() <= 75
    assert not members.filter(pseudonym="").exists()
    above = members.filter(score__score__gt=rowan.score.score).count()
    assert 5 <= above <= 40


def test_some_are_not_claimed_and_some_claims_wait(made: list[Made]) -> None:
    """Cards and handles with actions that nobody has proved; work for the claims queue."""
    unclaimed = Customer.objects.filter(brand=made[0].brand, user=None, score__points__gt=0)
    schemes = set(unclaimed.values_list("identifiers__scheme", flat=True))
    assert {"card", "mastodon", "email"} <= schemes
    assert unclaimed.count() > 30
    waiting = Action.objects.filter(
        identifier__brand=made[0].brand, state="pending", amendments=None
    )
    assert 6 <= waiting.count() <= 40


def test_birdsong_waits_for_whoever_says_who_they_are(made: list[Made], rowan: Customer) -> None:
    """Posts lie under handles that are nobody's; linked, the score jumps at once. One is somebody's already."""
    told = {bird.handle: sum(bool(chirp.topic) for chirp in bird.chirps) for bird in BIRDS}
    assert told["rowan"] >= 5
    assert told["sorrel"] >= 5
    for bird in (ROWAN, SORREL):
        names = Identifier.objects.filter(
            brand=rowan.brand, scheme="birdsong", value=f"@{bird.handle}"
        )
        assert names.get().customer.user is None
        assert names.get().actions.count() == told[bird.handle]
    juniper = Identifier.objects.get(brand=rowan.brand, scheme="birdsong", value="@juniper")
    assert juniper.proven_at
    assert juniper.customer.user not in (None, rowan.user)
    assert not Identifier.objects.filter(scheme="birdsong", value=f"@{PIPIT.handle}").exists()
    before = Score.objects.get(customer=rowan).score
    with transaction.atomic():
        proof = Identifier.Proof.PROVIDER
        linked = link_identifier(customer=rowan, text=ROWAN.identifier, proof=proof, now=NOW)
        assert linked.moved
        while score_due(brand=rowan.brand, now=NOW):
            pass
        assert Score.objects.get(customer=rowan).score > before + 15
        transaction.set_rollback(True)


def test_everyone_can_sign_in_and_staff_are_staff(made: list[Made]) -> None:
    """Each login has its password; the customer is nobody's staff."""
    for login in (*LOGINS.values(), *STAFF.values()):
        assert User.objects.get(email=login.email).check_password(login.password)
    roles = StaffRole.objects.filter(brand=made[0].brand).values_list("user__email", "role")
    assert set(roles) == {(login.email, role) for role, login in STAFF.items()}
    assert set(STAFF) == set(StaffRole.Role.values)
    assert Customer.objects.filter(user__email=CUSTOMER.email).count() == 2


def test_the_brand_offers_every_door(made: list[Made], rowan: Customer) -> None:
    """A visitor can check in with the code on a poster."""
    assert purchases.offers_purchase_claims(brand=rowan.brand)
    assert usage.offers_usage(brand=rowan.brand)
    venues = [check_ins.get_venue(brand=rowan.brand, code=code) for code in foxglove.CODES.values()]
    assert [venue.slug for venue in venues if venue] == list(foxglove.SHOPS)
    assert get_identifier(customer=rowan) in {str(one) for one in rowan.identifiers.all()}
    assert all(
        Posting.objects.filter(customer=rowan, source=source).exists() for source in Source.values
    )


def test_telling_it_again_changes_nothing_and_later_it_goes_on(
    made: list[Made], rowan: Customer
) -> None:
    """Twice at the same moment, then six days later, with what people changed themselves kept."""
    before = (Action.objects.count(), Posting.objects.count(), Customer.objects.count())
    with transaction.atomic():
        again = make_demo(now=NOW)
        assert [one.records for one in again] == [0, 0]
        assert (Action.objects.count(), Posting.objects.count(), Customer.objects.count()) == before

        Brand.objects.filter(slug=foxglove.SLUG).update(name="Foxglove & Friends")
        handle = identifiers_of(customer=rowan).get(scheme="mastodon")
        unlink_identifier(customer=rowan, identifier=handle, now=NOW)
        later = make_demo(now=LATER)
        assert later[0].records == len(told(TODAY, LATER)) - len(told(TODAY, NOW))
        assert later[0].brand.name == "Foxglove & Friends"
        assert not identifiers_of(customer=rowan).filter(scheme="mastodon").exists()
        assert Customer.objects.exclude(user=None).count() == 150
        assert verify_ledger(brand=later[0].brand).differences == []
        transaction.set_rollback(True)
