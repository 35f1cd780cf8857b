"""What is linked: linking, counting, unlinking, codes, and what goes with what."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.test import Client
from time_machine import travel

from accounts.identity import join_brand, link_identifier, make_link_code
from accounts.models import Brand, Customer, Dispute, Identifier
from accounts.networks import allauth_providers, networks_of
from scoring.actions import record_actions
from scoring.models import Score
from scoring.records import ActionRow
from tests.loyalty.networks import Provider, begin, leads_to, switched_on
from tests.loyalty.signing_in import fresh_client
from tests.people import MONDAY, Person, join, score_all_due

pytestmark = pytest.mark.django_db

NOW = MONDAY + timedelta(hours=8)
LATER = NOW + timedelta(hours=1)
ROWAN = {"sub": "7", "preferred_username": "Rowan", "name": "Rowan T."}
LINKED = "/b/foxglove/linked"


@pytest.fixture(autouse=True)
def _monday_at_five() -> Iterator[None]:
    with travel(NOW):
        yield


@pytest.fixture
def chirper(settings: Any) -> Iterator[Provider]:
    """A network that is on."""
    with switched_on(settings, "chirper") as [provider]:
        yield provider


def link(client: Client, provider: Provider, slug: str = "foxglove", **claims: Any) -> str:
    """Link an account from a brand's page; the page that one comes back to."""
    back = provider.approve(begin(client, slug, provider.name), **(claims or ROWAN))
    return client.get(back, follow=True).content.decode()


def held(person: Person, scheme: str = "chirper") -> list[str]:
    """What of this scheme counts for somebody."""
    return [str(one) for one in Identifier.objects.filter(customer=person.customer, scheme=scheme)]


def score_of(customer: Customer | None) -> tuple[Any, ...]:
    """The stored score and points."""
    assert customer
    score_all_due(customer.brand, now=LATER)
    return Score.objects.filter(customer=customer).values_list("score", "points").first() or (0, 0)


def report(brand: Brand, identifier: str, *, days_ago: int = 3) -> None:
    """Let the brand's systems report check-ins under an identifier."""
    rows = [
        ActionRow(
            origin="app",
            external_id=f"{identifier}-{day}",
            identifier=identifier,
            kind="check_in",
            occurred_at=NOW - timedelta(days=day),
            venue="soho",
        )
        for day in range(days_ago, days_ago + 3)
    ]
    assert all(one.action_id for one in record_actions(brand=brand, rows=rows, now=NOW))
    score_all_due(brand, now=NOW)


def test_a_linked_account_counts_where_it_was_linked_and_brings_its_past(
    chirper: Provider, customer: Person
) -> None:
    report(customer.brand, "chirper:@rowan")
    before = score_of(customer.customer)
    page = link(fresh_client(customer.user), chirper)
    assert "@rowan is linked. What was reported under it counts for you." in page
    assert "Chirper" in page
    assert page.count("was linked already") == 0
    assert score_of(customer.customer) > before
    assert held(customer) == ["chirper:@rowan"]
    assert Identifier.objects.get(scheme="chirper").proof == Identifier.Proof.PROVIDER
    assert [one.subject for one in mail.outbox] == ["Chirper was linked to your login"]


def test_unlinked_and_linked_again_the_score_is_the_same(
    chirper: Provider, customer: Person
) -> None:
    report(customer.brand, "chirper:@rowan")
    without = score_of(customer.customer)
    client = fresh_client(customer.user)
    link(client, chirper)
    with_it = score_of(customer.customer)
    for _time in range(2):
        number = Identifier.objects.get(scheme="chirper").pk
        page = client.post(LINKED, {"unlink": number}, follow=True).content.decode()
        assert "@rowan is unlinked here, and taken off your login" in page
        assert not SocialAccount.objects.exists()
        assert score_of(customer.customer) == without
        link(client, chirper)
        assert score_of(customer.customer) == with_it


def test_a_second_brand_asks_again_and_each_lets_go_by_itself(
    chirper: Provider, customer: Person, harbour: Brand
) -> None:
    client = fresh_client(customer.user)
    link(client, chirper)
    there = join_brand(brand=harbour, user=customer.user, now=MONDAY)
    page = client.get("/b/harbour/linked").content.decode()
    assert "Yours, and not counted here" in page
    assert not there.identifiers.filter(scheme="chirper").exists()
    number = SocialAccount.objects.get().pk
    page = client.post("/b/harbour/linked", {"account": number}, follow=True).content.decode()
    assert "@rowan is linked." in page
    assert there.identifiers.filter(scheme="chirper", value="@rowan").exists()
    # Unlinked at one brand, it still counts at the other and signs in.
    here = Identifier.objects.get(scheme="chirper", customer=customer.customer)
    page = client.post(LINKED, {"unlink": here.pk}, follow=True).content.decode()
    assert "@rowan is unlinked. What came under it does not count here any more." in page
    assert SocialAccount.objects.exists()
    assert there.identifiers.filter(scheme="chirper").exists()
    last = there.identifiers.get(scheme="chirper")
    client.post("/b/harbour/linked", {"unlink": last.pk})
    assert not SocialAccount.objects.exists()


def test_linking_from_a_second_brands_page_counts_it_there_too(
    chirper: Provider, customer: Person, harbour: Brand
) -> None:
    client = fresh_client(customer.user)
    link(client, chirper)
    there = join_brand(brand=harbour, user=customer.user, now=MONDAY)
    page = link(client, chirper, "harbour")
    assert "@rowan is linked." in page
    assert there.identifiers.filter(scheme="chirper", value="@rowan").exists()
    assert "@rowan was linked already." in link(client, chirper, "harbour")


def test_several_accounts_of_one_network(chirper: Provider, customer: Person) -> None:
    client = fresh_client(customer.user)
    link(client, chirper)
    link(client, chirper, sub="8", preferred_username="rowans_shop", name="Shop")
    assert sorted(held(customer)) == ["chirper:@rowan", "chirper:@rowans_shop"]
    assert SocialAccount.objects.count() == 2


def test_disconnected_from_the_login_it_counts_nowhere(
    chirper: Provider, customer: Person, harbour: Brand
) -> None:
    client = fresh_client(customer.user)
    link(client, chirper)
    there = join_brand(brand=harbour, user=customer.user, now=MONDAY)
    client.post("/b/harbour/linked", {"account": SocialAccount.objects.get().pk})
    page = client.get("/accounts/3rdparty/").content.decode()
    assert "@rowan" in page
    answer = client.post(
        "/accounts/3rdparty/", {"account": SocialAccount.objects.get().pk}, follow=True
    )
    assert "counts with no brand any more" in answer.content.decode()
    assert not SocialAccount.objects.exists()
    assert held(customer) == []
    assert not there.identifiers.filter(scheme="chirper").exists()


def test_what_is_linked_outlives_its_network_and_can_be_taken_off(
    chirper: Provider, customer: Person, settings: Any
) -> None:
    client = fresh_client(customer.user)
    link(client, chirper)
    settings.LAUREL_NETWORKS = settings.SOCIALACCOUNT_PROVIDERS = {}
    page = client.get(LINKED).content.decode()
    assert page.index("Counts here") < page.index("@rowan")
    assert "@Rowan" in client.get("/accounts/3rdparty/").content.decode()
    answer = client.post("/accounts/3rdparty/", {"account": SocialAccount.objects.get().pk})
    assert answer.status_code == 302
    assert not SocialAccount.objects.exists()
    assert held(customer) == []


def test_linked_on_the_logins_own_page_it_counts_nowhere_yet(
    chirper: Provider, customer: Person
) -> None:
    client = fresh_client(customer.user)
    form = {"process": "connect", "next": "/accounts/3rdparty/"}
    there = leads_to(client.post("/accounts/oidc/chirper/login/", form))
    page = client.get(chirper.approve(there, **ROWAN), follow=True).content.decode()
    assert "Chirper is linked to your login. Each brand counts it once you say so there." in page
    assert held(customer) == []
    page = client.get(LINKED).content.decode()
    assert page.index("Yours, and not counted here") < page.index("@Rowan")


def test_a_linked_account_signs_in(chirper: Provider, customer: Person) -> None:
    EmailAddress.objects.create(user=customer.user, email=customer.user.email, verified=True)
    link(fresh_client(customer.user), chirper)
    client = Client()
    page = client.get("/b/foxglove/join").content.decode()
    assert "Sign in with Chirper" in page
    form = {"process": "login", "next": "/b/foxglove/join"}
    there = leads_to(client.post("/accounts/oidc/chirper/login/", form))
    answer = client.get(chirper.approve(there, **ROWAN), follow=True)
    assert answer.redirect_chain[-1][0] == "/b/foxglove/score"


def test_mastodon_says_who_somebody_is_in_its_own_way(settings: Any, customer: Person) -> None:
    """It has a document and an address of its own, and no ID token."""
    with switched_on(settings, "mastodon") as [server]:
        environment = {
            "LAUREL_MASTODON_URL": "https://social.example",
            "LAUREL_MASTODON_CLIENT_ID": server.network.client_id,
            "LAUREL_MASTODON_SECRET": "hush",
        }
        [known] = networks_of(environment).values()
        here = {
            name: address.replace("https://social.example", server.url)
            for name, address in known.overrides.items()
        }
        network = replace(
            known,
            server_url=known.server_url.replace("https://social.example", server.url),
            overrides=here,
        )
        settings.LAUREL_NETWORKS = {"mastodon": network}
        settings.SOCIALACCOUNT_PROVIDERS = allauth_providers(settings.LAUREL_NETWORKS)
        server.about_people = {"/api/v1/accounts/verify_credentials"}
        account = {
            "id": "109",
            "username": "Rowan",
            "display_name": "R",
            "note": "x",
            "acct": "Rowan",
        }
        page = link(fresh_client(customer.user), server, **account)
        assert "@rowan@social.example is linked." in page
        assert "/.well-known/oauth-authorization-server" in server.asked
        assert SocialAccount.objects.get().uid == "109"
        assert SocialAccount.objects.get().extra_data["username"] == "@Rowan@social.example"


def test_what_came_under_one_name_is_added_up(chirper: Provider, customer: Person) -> None:
    report(customer.brand, "chirper:@rowan")
    client = fresh_client(customer.user)
    link(client, chirper)
    _score, points = score_of(customer.customer)
    number = Identifier.objects.get(scheme="chirper").pk
    assert f"/b/foxglove/activity?under={number}" in client.get(LINKED).content.decode()
    page = client.get("/b/foxglove/activity", {"under": number}).content.decode()
    assert "Reported under @rowan." in page
    assert page.count('data-line="points"') == 3
    assert f'<data value="{points}" data-total="points">' in page
    other = Identifier.objects.get(customer=customer.customer, scheme="email").pk
    assert (
        "Nothing of this kind."
        in client.get("/b/foxglove/activity", {"under": other}).content.decode()
    )
    # Of what is nobody's, or another's, everything is shown.
    stranger = join(customer.brand, "otter@example.org")
    page = stranger.client().get("/b/foxglove/activity", {"under": number}).content.decode()
    assert "Reported under" not in page


def test_one_that_says_no_changes_nothing(chirper: Provider, customer: Person) -> None:
    client = fresh_client(customer.user)
    page = client.get(chirper.deny(begin(client, "foxglove", "chirper")), follow=True)
    assert page.redirect_chain[-1][0] == LINKED
    assert (
        "You said no at Chirper. Nothing was linked and nothing has changed."
        in page.content.decode()
    )
    assert held(customer) == []


def test_a_network_that_does_not_answer_is_no_fault_of_ours(
    chirper: Provider, customer: Person
) -> None:
    client = fresh_client(customer.user)
    there = begin(client, "foxglove", "chirper")
    back = chirper.approve(there, **ROWAN)
    chirper.is_away = True
    for answer in (
        client.get(back),
        client.post(LINKED, {"connect": "chirper"}),
        Client().post("/accounts/oidc/chirper/login/", {"process": "login"}),
    ):
        assert answer.status_code == 502
        assert "The network does not answer just now." in answer.content.decode()
    chirper.is_away = False
    link(client, chirper)
    chirper.close()
    assert client.post(LINKED, {"connect": "chirper"}).status_code == 502


def test_a_network_that_does_not_say_who_links_nothing(chirper: Provider, customer: Person) -> None:
    page = link(fresh_client(customer.user), chirper, sub="9", name="Nobody")
    assert "The network did not say by which name you are known there." in page
    assert held(customer) == []
    # And what is not known is not offered either.
    assert "not counted here" not in fresh_client(customer.user).get(LINKED).content.decode()


def test_what_somebody_else_holds_goes_to_staff(chirper: Provider, customer: Person) -> None:
    other = join(customer.brand, "otter@example.org")
    assert other.customer
    link_identifier(
        customer=other.customer,
        text="chirper:@rowan",
        proof=Identifier.Proof.PROVIDER,
        now=MONDAY,
    )
    client = fresh_client(customer.user)
    page = link(client, chirper)
    assert "@rowan counts for somebody else here." in page
    page = client.get(LINKED).content.decode()
    assert "so staff decide" in page
    assert "Count it here" not in page
    assert Dispute.objects.get().claimant == customer.customer
    assert held(customer) == []
    assert held(other) == ["chirper:@rowan"]


def test_networks_that_are_off_are_not_there(customer: Person) -> None:
    client = fresh_client(customer.user)
    page = client.get(LINKED).content.decode()
    assert 'name="connect"' not in page
    assert client.post(LINKED, {"connect": "chirper"}).status_code == 404
    assert Client().post("/accounts/oidc/chirper/login/").status_code == 404
    assert "Sign in with" not in Client().get("/b/foxglove/join").content.decode()


def test_nobody_touches_what_is_anothers(
    chirper: Provider, customer: Person, stranger: Person
) -> None:
    link(fresh_client(customer.user), chirper)
    other = join(customer.brand, "otter@example.org")
    address = EmailAddress.objects.create(user=customer.user, email="r2@example.org", verified=True)
    number = Identifier.objects.get(scheme="chirper").pk
    for client, slug in ((other.client(), "foxglove"), (stranger.client(), "harbour")):
        for form in (
            {"unlink": number},
            {"account": SocialAccount.objects.get().pk},
            {"address": address.pk},
            {"unlink": "x"},
            {"account": "9" * 30},
        ):
            assert client.post(f"/b/{slug}/linked", form).status_code == 404
    assert held(customer) == ["chirper:@rowan"]


# --- addresses and codes


def test_an_address_of_the_login_counts_once_it_is_said_so_and_not_after_it_is_removed(
    customer: Person, harbour: Brand
) -> None:
    for email, is_main in ((customer.user.email, True), ("r2@example.org", False)):
        EmailAddress.objects.create(user=customer.user, email=email, verified=True, primary=is_main)
    unproven = EmailAddress.objects.create(user=customer.user, email="r3@example.org")
    client = fresh_client(customer.user)
    page = client.get(LINKED).content.decode()
    assert "r2@example.org" in page
    assert "r3@example.org" not in page
    client.post(LINKED, {"address": unproven.pk})
    address = EmailAddress.objects.get(email="r2@example.org")
    client.post(LINKED, {"address": address.pk})
    there = join_brand(brand=harbour, user=customer.user, now=MONDAY)
    client.post("/b/harbour/linked", {"address": address.pk})
    assert sorted(held(customer, "email")) == ["email:r2@example.org", "email:rowan@example.org"]
    assert Identifier.objects.filter(customer=there, value="r2@example.org").exists()
    client.post("/accounts/email/", {"email": "r2@example.org", "action_remove": ""})
    assert not EmailAddress.objects.filter(email="r2@example.org").exists()
    assert held(customer, "email") == ["email:rowan@example.org"]
    assert not Identifier.objects.filter(customer=there, value="r2@example.org").exists()


def test_a_code_from_the_till_links_a_card(customer: Person, manager: Person) -> None:
    report(customer.brand, "card:8123")
    before = score_of(customer.customer)
    code = make_link_code(
        brand=customer.brand,
        text="card:8123",
        by=manager.user,
        lasts=timedelta(days=1),
        now=NOW,
    )
    client = customer.client()
    page = client.post(LINKED, {"code": f" {code.lower()} "}, follow=True).content.decode()
    assert "8123 is linked. What was reported under it counts for you." in page
    assert score_of(customer.customer) > before
    assert held(customer, "card") == ["card:8123"]


def test_the_sixth_wrong_code_is_refused_from_wherever_it_comes(
    customer: Person, manager: Person
) -> None:
    other = join(customer.brand, "otter@example.org")
    code = make_link_code(
        brand=customer.brand,
        text="card:8123",
        by=manager.user,
        lasts=timedelta(days=1),
        now=NOW,
    )
    answers = [
        customer.client().post(LINKED, {"code": "AAAAAAAAAA"}, REMOTE_ADDR=f"203.0.113.{number}")
        for number in range(6)
    ]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert "try again in ten minutes" in answers[-1].content.decode()
    # Nor is the right one taken any more, while everybody else goes on.
    assert customer.client().post(LINKED, {"code": code}).status_code == 429
    assert other.client().post(LINKED, {"code": code}).status_code == 302


def test_guesses_of_many_customers_of_a_brand_are_counted_together(
    customer: Person, stranger: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loyalty.pages.linked.BRAND_ALLOWED", 8)
    others = [join(customer.brand, f"m{number}@example.org") for number in range(5)]
    answers = [
        person.client().post(LINKED, {"code": "AAAAAAAAAA"}).status_code
        for person in others
        for _guess in range(2)
    ]
    assert answers == [200] * 8 + [429] * 2
    assert stranger.client().post("/b/harbour/linked", {"code": "AAAAAAAAAA"}).status_code == 200


def test_no_code_and_a_wrong_one_are_said_at_the_field(customer: Person) -> None:
    client = customer.client()
    assert "Enter the code" in client.post(LINKED, {}).content.decode()
    page = client.post(LINKED, {"code": "23"}).content.decode()
    assert "A code has ten letters and digits" in page
    assert 'role="alert"' in page
