"""Attacks on linking accounts of networks, each by its name. All end with nothing linked."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.test import Client

from accounts.models import Brand, Dispute, Identifier, User
from tests.loyalty.networks import Provider, begin, leads_to, switched_on
from tests.loyalty.signing_in import fresh_client
from tests.people import Person, join

pytestmark = pytest.mark.django_db

MALLORY = {"sub": "666", "preferred_username": "mallory", "name": "Mallory"}
ROWAN = {"sub": "7", "preferred_username": "rowan", "name": "Rowan"}


@pytest.fixture
def chirper(settings: Any) -> Iterator[Provider]:
    """A network that is on."""
    with switched_on(settings, "chirper") as [provider]:
        yield provider


@pytest.fixture
def mallory(foxglove: Brand) -> Person:
    """Who attacks: a customer of the same brand."""
    return join(foxglove, "mallory@example.org")


def nothing_is_linked() -> bool:
    """Whether no network's account is anybody's, and none counts anywhere."""
    return (
        not SocialAccount.objects.exists()
        and not Identifier.objects.filter(scheme="chirper").exists()
    )


def test_forced_linking_by_csrf_on_the_callback(
    chirper: Provider, customer: Person, mallory: Person
) -> None:
    """The victim opens the address at which the attacker's own flow would have come back."""
    there = begin(fresh_client(mallory.user), "foxglove", "chirper")
    trap = chirper.approve(there, **MALLORY)
    victim = fresh_client(customer.user)
    assert victim.get(trap).status_code == 401
    assert nothing_is_linked()
    # Nor with a flow of the victim's own under way.
    begin(victim, "foxglove", "chirper")
    assert victim.get(trap).status_code == 401
    assert nothing_is_linked()
    assert "/token" not in chirper.asked


def test_forced_sign_in_by_csrf_on_the_callback(
    chirper: Provider, customer: Person, mallory: Person
) -> None:
    """The victim would be signed in as the attacker, and link to the attacker's login what is theirs."""
    attacker = fresh_client(mallory.user)
    attacker.get(chirper.approve(begin(attacker, "foxglove", "chirper"), **MALLORY))
    there = leads_to(Client().post("/accounts/oidc/chirper/login/", {"process": "login"}))
    trap = chirper.approve(there, **MALLORY)
    victim = Client()
    assert victim.get(trap).status_code == 401
    assert "_auth_user_id" not in victim.session


def test_forced_linking_by_a_form_on_another_site(chirper: Provider, customer: Person) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies = fresh_client(customer.user).cookies
    for address, form in (
        ("/b/foxglove/linked", {"connect": "chirper"}),
        ("/accounts/oidc/chirper/login/", {"process": "connect"}),
    ):
        assert client.post(address, form).status_code == 403
    # A link begins nothing either.
    page = client.get("/accounts/oidc/chirper/login/?process=connect")
    assert page.status_code == 200
    assert "socialaccount_states" not in client.session


@pytest.mark.parametrize("state", ["", "state=", "state=AAAAAAAAAAAAAAAA"])
def test_a_state_that_is_missing_or_changed(
    chirper: Provider, customer: Person, state: str
) -> None:
    client = fresh_client(customer.user)
    back = chirper.approve(begin(client, "foxglove", "chirper"), **ROWAN)
    path, _mark, query = back.partition("?")
    code = parse_qs(query)["code"][0]
    assert client.get(f"{path}?code={code}&{state}").status_code == 401
    assert nothing_is_linked()
    assert "/token" not in chirper.asked


def test_a_state_outlives_no_sign_out(chirper: Provider, customer: Person, mallory: Person) -> None:
    """The next person at the same browser does not finish what the one before began."""
    client = fresh_client(mallory.user)
    back = chirper.approve(begin(client, "foxglove", "chirper"), **MALLORY)
    client.post("/accounts/logout/")
    client.force_login(customer.user, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get(back).status_code == 401
    assert nothing_is_linked()


def test_code_replay(chirper: Provider, customer: Person, mallory: Person) -> None:
    """An address that was used is worth nothing, here and there, to its owner and to others."""
    client = fresh_client(customer.user)
    back = chirper.approve(begin(client, "foxglove", "chirper"), **ROWAN)
    assert client.get(back).status_code == 302
    assert SocialAccount.objects.get().user == customer.user
    assert client.get(back).status_code == 401
    # With a state of one's own, the stolen code is still one that was used, and made for another verifier.
    thief = fresh_client(mallory.user)
    own = chirper.approve(begin(thief, "foxglove", "chirper"), **MALLORY)
    code = parse_qs(urlsplit(back).query)["code"][0]
    path, _mark, query = own.partition("?")
    thief.get(f"{path}?code={code}&state={parse_qs(query)['state'][0]}")
    assert SocialAccount.objects.get().user == customer.user


def test_code_injection(chirper: Provider, customer: Person, mallory: Person) -> None:
    """A stolen code that nobody has used yet belongs to the verifier of the browser that asked for it."""
    client = fresh_client(customer.user)
    stolen = chirper.approve(begin(client, "foxglove", "chirper"), **ROWAN)
    thief = fresh_client(mallory.user)
    there = begin(thief, "foxglove", "chirper")
    state = parse_qs(urlsplit(there).query)["state"][0]
    code = parse_qs(urlsplit(stolen).query)["code"][0]
    answer = thief.get(f"{urlsplit(stolen).path}?code={code}&state={state}", follow=True)
    assert "Chirper did not confirm that." in answer.content.decode()
    assert nothing_is_linked()


def test_idp_mix_up(settings: Any, customer: Person) -> None:
    """A network that one begins at sends the browser on to another one, to get hold of its code."""
    with switched_on(settings, "crooked", "honest") as [crooked, honest]:
        client = fresh_client(customer.user)
        state = parse_qs(urlsplit(begin(client, "foxglove", "crooked")).query)["state"][0]
        there = begin(fresh_client(customer.user), "foxglove", "honest")
        # Whoever registered with the honest one is sent back to the address for the honest one.
        back = honest.approve(there, **ROWAN)
        code = parse_qs(urlsplit(back).query)["code"][0]
        assert urlsplit(back).path == "/accounts/oidc/honest/login/callback/"
        assert client.get(f"{urlsplit(back).path}?code={code}&state={state}").status_code == 401
        # The code was shown to neither of them.
        assert "/token" not in crooked.asked + honest.asked
        assert not SocialAccount.objects.exists()


def test_an_account_of_one_network_is_none_of_another(
    settings: Any, customer: Person, mallory: Person
) -> None:
    """The same number at two networks is two people."""
    with switched_on(settings, "crooked", "honest") as [crooked, honest]:
        client = fresh_client(customer.user)
        client.get(honest.approve(begin(client, "foxglove", "honest"), **ROWAN))
        thief = Client()
        there = leads_to(thief.post("/accounts/oidc/crooked/login/", {"process": "login"}))
        thief.get(crooked.approve(there, **ROWAN))
        assert "_auth_user_id" not in thief.session


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example/",
        "https:evil.example",
        "/\\evil.example",
        "javascript:1",
    ],
)
def test_open_redirect_by_next(chirper: Provider, customer: Person, address: str) -> None:
    """Neither after yes nor after no, for those who sign in and for those who link."""
    owner = fresh_client(customer.user)
    owner.get(chirper.approve(begin(owner, "foxglove", "chirper"), **ROWAN))
    for client, process in ((Client(), "login"), (fresh_client(customer.user), "connect")):
        for choose in (lambda there: chirper.approve(there, **ROWAN), chirper.deny):
            form = {"process": process, "next": address}
            there = leads_to(client.post("/accounts/oidc/chirper/login/", form))
            answer = client.get(choose(there))
            assert answer.status_code == 302
            assert answer.headers["Location"].startswith("/")
            assert not answer.headers["Location"].startswith(("//", "/\\"))


def test_takeover_by_the_address_that_a_network_names(
    chirper: Provider, customer: Person, mallory: Person
) -> None:
    """It opens no login, joins none, and is no address of the attacker's."""
    EmailAddress.objects.create(user=customer.user, email=customer.user.email, verified=True)
    claims = MALLORY | {"email": customer.user.email, "email_verified": True}
    stranger = Client()
    there = leads_to(stranger.post("/accounts/oidc/chirper/login/", {"process": "login"}))
    stranger.get(chirper.approve(there, **claims))
    assert "_auth_user_id" not in stranger.session
    assert nothing_is_linked()
    attacker = fresh_client(mallory.user)
    attacker.get(chirper.approve(begin(attacker, "foxglove", "chirper"), **claims))
    assert SocialAccount.objects.get().user == mallory.user
    assert EmailAddress.objects.get(email=customer.user.email).user == customer.user
    assert (
        Identifier.objects.get(scheme="email", value=customer.user.email).customer
        == customer.customer
    )


def test_pre_hijacking_by_a_network_before_the_owner_comes(
    chirper: Provider, foxglove: Brand
) -> None:
    """Nobody makes a login, confirmed or not, that waits for the owner of an address."""
    before = User.objects.count()
    client = Client()
    there = leads_to(client.post("/accounts/oidc/chirper/login/", {"process": "login"}))
    claims = MALLORY | {"email": "victim@example.org", "email_verified": True}
    answer = client.get(chirper.approve(there, **claims), follow=True)
    assert "No login here uses that Chirper account yet." in answer.content.decode()
    assert client.get("/accounts/3rdparty/signup/", follow=True).redirect_chain
    assert User.objects.count() == before
    assert not EmailAddress.objects.filter(email="victim@example.org").exists()


def test_an_account_of_one_login_is_not_taken_by_another(
    chirper: Provider, customer: Person, mallory: Person
) -> None:
    """Whoever gets hold of it there proves no more than that: staff decide."""
    owner, thief = fresh_client(customer.user), fresh_client(mallory.user)
    owner.get(chirper.approve(begin(owner, "foxglove", "chirper"), **ROWAN))
    back = chirper.approve(begin(thief, "foxglove", "chirper"), **ROWAN)
    page = thief.get(back, follow=True).content.decode()
    assert "That Chirper account signs in to another login here" in page
    assert "staff decide" in page
    assert SocialAccount.objects.get().user == customer.user
    assert Identifier.objects.get(scheme="chirper").customer == customer.customer
    dispute = Dispute.objects.get()
    assert (dispute.claimant, dispute.holder) == (mallory.customer, customer.customer)


def test_whoever_finds_a_browser_open_links_nothing(chirper: Provider, customer: Person) -> None:
    """Before one leaves for a network, one says again who one is."""
    customer.user.set_password("a long password")
    customer.user.save()
    client = customer.client()
    answer = client.post("/b/foxglove/linked", {"connect": "chirper"})
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/reauthenticate/")
    assert chirper.asked == []


def test_what_a_network_tells_is_forgotten(chirper: Provider, customer: Person) -> None:
    """But for a name and a handle; no token is kept."""
    client = fresh_client(customer.user)
    claims = ROWAN | {"phone_number": "+44 20 7946 0000", "birthdate": "1990-01-01", "picture": "x"}
    for _time in range(2):
        client.get(chirper.approve(begin(client, "foxglove", "chirper"), **claims))
        assert SocialAccount.objects.get().extra_data == {
            "identifier": "chirper:@rowan",
            "username": "@rowan",
            "name": "Rowan",
        }
    assert not SocialToken.objects.exists()


def test_secrets_follow_no_redirect(chirper: Provider, settings: Any, customer: Person) -> None:
    """A token endpoint that sends on is not followed with our secret."""
    with switched_on(settings, "crooked", "chirper") as [crooked, honest]:
        client = fresh_client(customer.user)
        back = honest.approve(begin(client, "foxglove", "chirper"), **ROWAN)
        honest.moved_to = f"{crooked.url}/token"
        client.get(back)
        assert crooked.asked == []
        assert not SocialAccount.objects.exists()
