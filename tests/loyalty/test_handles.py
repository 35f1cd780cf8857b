"""Handles change hands: what a network said of an account proves something for a while, and follows who holds it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from time_machine import travel

from accounts.identity import join_brand, link_identifier, merge_customers
from accounts.models import Brand, Customer, Dispute, Identifier, LinkEvent
from accounts.social import is_proven
from loyalty.privacy.person import unclaimed
from scoring.actions import record_actions
from scoring.models import Score
from scoring.records import ActionRow
from tests.loyalty.networks import Provider, begin, leads_to, switched_on
from tests.loyalty.signing_in import fresh_client
from tests.people import MONDAY, Person, join, score_all_due

pytestmark = pytest.mark.django_db

NOW = MONDAY + timedelta(hours=8)
YEAR = timedelta(days=300)
ROWAN = {"sub": "7", "preferred_username": "Rowan", "name": "Rowan T."}
RENAMED = ROWAN | {"preferred_username": "Rowan2"}
LINKED = "/b/foxglove/linked"


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    """Monday at five, until it is moved."""
    with travel(NOW) as clock:
        yield clock


@pytest.fixture
def chirper(settings: Any) -> Iterator[Provider]:
    """A network that is on."""
    with switched_on(settings, "chirper") as [provider]:
        yield provider


@pytest.fixture
def visit(chirper: Provider, customer: Person) -> Callable[..., str]:
    """Links or confirms an account from a brand's page; the page that one comes back to."""

    def visit(slug: str = "foxglove", **claims: Any) -> str:
        client = fresh_client(customer.user)
        there = begin(client, slug, "chirper")
        return come_back(client, chirper, there, **(claims or ROWAN))

    return visit


def come_back(client: Client, chirper: Provider, there: str, **claims: Any) -> str:
    """Say yes at the network; the page after it."""
    return client.get(chirper.approve(there, **claims), follow=True).content.decode()


def connect(customer: Person, chirper: Provider, **claims: Any) -> SocialAccount:
    """Link an account to the login alone: no brand counts it."""
    client = fresh_client(customer.user)
    form = {"process": "connect", "next": "/accounts/3rdparty/"}
    there = leads_to(client.post("/accounts/oidc/chirper/login/", form))
    come_back(client, chirper, there, **(claims or ROWAN))
    return SocialAccount.objects.get(user=customer.user)


def held(customer: Customer | None) -> list[str]:
    """What of the network counts for somebody."""
    return [str(one) for one in Identifier.objects.filter(customer=customer, scheme="chirper")]


def report(brand: Brand, identifier: str, number: str = "1") -> None:
    """Let the brand's systems report a check-in of just now."""
    row = ActionRow(
        origin="app",
        external_id=f"{identifier}-{number}",
        identifier=identifier,
        kind="check_in",
        occurred_at=NOW,
        venue="soho",
    )
    [outcome] = record_actions(brand=brand, rows=[row], now=NOW)
    assert outcome.action_id


def points_of(customer: Customer | None) -> Any:
    assert customer
    score_all_due(customer.brand, now=NOW + timedelta(hours=1))
    return Score.objects.filter(customer=customer).values_list("points", flat=True).first() or 0


# A name that was said long ago proves nothing


def test_whoever_gave_a_handle_up_does_not_claim_what_its_new_owner_earned(
    chirper: Provider, customer: Person, clock: Any
) -> None:
    """The network is asked anew, and says that the account has another name now."""
    clock.move_to(NOW - YEAR)
    account = connect(customer, chirper)
    clock.move_to(NOW)
    report(customer.brand, "chirper:@rowan")
    before = points_of(customer.customer)
    client = fresh_client(customer.user)
    there = leads_to(client.post(LINKED, {"account": account.pk}))
    assert there.startswith(f"{chirper.url}/authorize?")
    assert held(customer.customer) == []
    page = come_back(client, chirper, there, **RENAMED)
    assert "@rowan2 is linked." in page
    assert held(customer.customer) == ["chirper:@rowan2"]
    assert points_of(customer.customer) == before


def test_what_was_said_just_now_counts_by_one_tap(
    chirper: Provider, customer: Person, clock: Any
) -> None:
    """Until the time is over in which one need not confirm either who one is."""
    account = connect(customer, chirper)
    for minutes, is_fresh in ((14, True), (16, False)):
        now = NOW + timedelta(minutes=minutes)
        assert is_proven(account=account, now=now) is is_fresh
    clock.move_to(NOW + timedelta(minutes=14))
    page = fresh_client(customer.user).post(LINKED, {"account": account.pk}, follow=True)
    assert "@rowan is linked." in page.content.decode()
    assert held(customer.customer) == ["chirper:@rowan"]


def test_the_same_name_said_again_counts(chirper: Provider, customer: Person, clock: Any) -> None:
    clock.move_to(NOW - YEAR)
    account = connect(customer, chirper)
    clock.move_to(NOW)
    client = fresh_client(customer.user)
    there = leads_to(client.post(LINKED, {"account": account.pk}))
    assert "@rowan is linked." in come_back(client, chirper, there, **ROWAN)
    assert held(customer.customer) == ["chirper:@rowan"]


def test_a_network_that_is_off_confirms_nothing_any_more(
    chirper: Provider, customer: Person, clock: Any, settings: Any
) -> None:
    clock.move_to(NOW - YEAR)
    account = connect(customer, chirper)
    clock.move_to(NOW)
    settings.LAUREL_NETWORKS = settings.SOCIALACCOUNT_PROVIDERS = {}
    page = fresh_client(customer.user).post(LINKED, {"account": account.pk}, follow=True)
    assert "The network must confirm first" in page.content.decode()
    assert held(customer.customer) == []


# A name that changed


def test_another_handle_counts_wherever_the_former_one_did(
    visit: Callable[..., str], customer: Person, harbour: Brand
) -> None:
    """And nowhere else; what the former one earns from now on is somebody else's."""
    visit()
    there = join_brand(brand=harbour, user=customer.user, now=MONDAY)
    report(customer.brand, "chirper:@rowan2")
    before = points_of(customer.customer)
    visit(**RENAMED)
    assert held(customer.customer) == ["chirper:@rowan2"]
    assert held(there) == []
    assert points_of(customer.customer) > before
    now = points_of(customer.customer)
    report(customer.brand, "chirper:@rowan")
    assert points_of(customer.customer) == now
    # From the other brand's page, both follow.
    visit("harbour", **RENAMED)
    visit("harbour", **ROWAN)
    assert held(customer.customer) == held(there) == ["chirper:@rowan"]


def test_signing_in_says_it_too(
    visit: Callable[..., str], chirper: Provider, customer: Person
) -> None:
    visit()
    client = Client()
    there = leads_to(client.post("/accounts/oidc/chirper/login/", {"process": "login"}))
    come_back(client, chirper, there, **RENAMED)
    assert held(customer.customer) == ["chirper:@rowan2"]


def test_a_name_that_is_not_said_any_more_counts_no_more(
    visit: Callable[..., str], customer: Person
) -> None:
    visit()
    visit(sub="7", name="Rowan")
    assert held(customer.customer) == []


def test_what_staff_decided_stays_whatever_the_network_says(
    visit: Callable[..., str], customer: Person
) -> None:
    visit()
    Identifier.objects.filter(scheme="chirper").update(proof=Identifier.Proof.STAFF)
    visit(**RENAMED)
    assert sorted(held(customer.customer)) == ["chirper:@rowan", "chirper:@rowan2"]


def test_a_handle_that_another_one_holds_goes_to_staff(
    visit: Callable[..., str], customer: Person
) -> None:
    other = join(customer.brand, "otter@example.org")
    assert other.customer
    link_identifier(
        customer=other.customer,
        text="chirper:@rowan2",
        proof=Identifier.Proof.PROVIDER,
        now=MONDAY,
    )
    visit()
    assert "@rowan2 counts for somebody else here." in visit(**RENAMED)
    assert held(customer.customer) == []
    assert held(other.customer) == ["chirper:@rowan2"]
    assert Dispute.objects.get().claimant == customer.customer


def test_disconnecting_drops_the_handle_that_counts_now(
    visit: Callable[..., str], customer: Person
) -> None:
    visit()
    visit(**RENAMED)
    client = fresh_client(customer.user)
    client.post("/accounts/3rdparty/", {"account": SocialAccount.objects.get().pk})
    assert not SocialAccount.objects.exists()
    assert held(customer.customer) == []


def test_it_counts_no_more_where_staff_merged_the_membership(
    visit: Callable[..., str], chirper: Provider, customer: Person, manager: Person
) -> None:
    """Nor does the new one: whom they merged it into never said that it is theirs."""
    visit()
    kept = join(customer.brand, "heron@example.org").customer
    assert kept
    assert customer.customer
    merge_customers(kept=kept, merged=customer.customer, by=manager.user, reason="one", now=NOW)
    assert held(kept) == ["chirper:@rowan"]
    client = fresh_client(customer.user)
    form = {"process": "connect", "next": "/accounts/3rdparty/"}
    there = leads_to(client.post("/accounts/oidc/chirper/login/", form))
    come_back(client, chirper, there, **RENAMED)
    assert held(kept) == []


# What goes into the download, and is erased


def taken(person: Person, now: Any = NOW) -> set[str]:
    """The names of the unclaimed customers who are taken for the person's."""
    assert person.customer
    found = unclaimed([person.customer.pk], person.user, person.brand, now)
    return {str(one) for one in Identifier.objects.filter(customer__in=found, scheme="chirper")}


def test_an_old_name_takes_nothing_of_its_new_owner_along(
    chirper: Provider, customer: Person
) -> None:
    report(customer.brand, "chirper:@rowan")
    connect(customer, chirper)
    assert taken(customer) == {"chirper:@rowan"}
    assert taken(customer, NOW + timedelta(minutes=16)) == set()


def test_a_name_that_was_given_up_is_left_once_something_came_under_it(
    visit: Callable[..., str], customer: Person, clock: Any
) -> None:
    report(customer.brand, "chirper:@rowan")
    visit()
    visit(**RENAMED)
    assert taken(customer) == {"chirper:@rowan"}
    clock.move_to(NOW + timedelta(hours=1))
    row = ActionRow("app", "2", "chirper:@rowan", "purchase", NOW, Decimal(5))
    [outcome] = record_actions(brand=customer.brand, rows=[row], now=NOW + timedelta(hours=1))
    assert outcome.action_id
    assert LinkEvent.objects.filter(type="unlink").exists()
    assert taken(customer, NOW + timedelta(hours=2)) == set()
