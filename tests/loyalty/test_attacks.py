"""Attacks on signing in, each by its name, and each stopped.

Beside each stands what stops it, as the taking away of it: without it, the attack gets through, and the last test here
sees to that. So nothing here passes because it asks nothing. Attacks on the linking of accounts of networks (forced
linking, mix-up of networks, a code used twice, a changed state) are tried in ``test_linking_attacks.py``.
"""

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from allauth.account import fields
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.mfa import stages
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.webauthn.internal import auth as webauthn
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.internal.flows.login import complete_login
from allauth.socialaccount.models import SocialAccount, SocialLogin
from argon2 import low_level
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.session import SessionStorage
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.cached_db import SessionStore
from django.core import mail
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts import networks
from accounts.models import Customer, User
from loyalty import embedded
from loyalty.pages import door
from loyalty.pages.door_forms import AnotherAddressForm
from tests.loyalty.signing_in import (
    PASSWORD,
    QUICK_HASHERS,
    SECRET,
    add_passkey,
    app_code,
    code_in_mail,
    confirmed,
    signed_in,
    use_passkey,
)
from tests.passkeys import Passkey
from tests.people import Person, join

pytestmark = pytest.mark.django_db

VICTIM = "victim@example.org"
OWN = "attacker@example.net"
Taking = Callable[[pytest.MonkeyPatch, Any], object]
# What stops an attack, by the name of its test: a function that takes it away.
STOPPED_BY: dict[str, Taking] = {}


@pytest.fixture(autouse=True)
def _as_in_production(settings: Any) -> None:
    settings.PASSWORD_HASHERS = QUICK_HASHERS
    settings.LAUREL_STAFF_SECOND_FACTOR = True
    network = networks.birdsong(url="https://birdsong.example", client_id="laurel", secret="s")
    settings.LAUREL_NETWORKS = {"birdsong": network}
    settings.SOCIALACCOUNT_PROVIDERS = networks.allauth_providers(settings.LAUREL_NETWORKS)


def stopped_by(take_away: Taking) -> Callable[[Any], Any]:
    """Say what stops an attack, by taking it away."""

    def name(attack: Any) -> Any:
        STOPPED_BY[attack.__name__] = take_away
        return attack

    return name


def setting(name: str, value: Any) -> Taking:
    """Take away by another value of a setting."""
    return lambda _patch, settings: setattr(settings, name, value)


def patch(target: Any, name: str, value: Any) -> Taking:
    """Take away by another function."""
    return lambda monkeypatch, _settings: monkeypatch.setattr(target, name, value)


def who(client: Client) -> str | None:
    """The key of the user who is signed in there."""
    key: str | None = client.session.get("_auth_user_id")
    return key


def join_by_code(email: str, *, client: Client | None = None) -> Client:
    """Join Foxglove as somebody who reads that mail."""
    client = client or Client()
    sent = client.post("/b/foxglove/join", {"email": email})
    joined = client.post(sent["Location"], {"code": code_in_mail()})
    client.get(joined["Location"])
    assert who(client)
    return client


def from_network(email: str, *, verified: bool, uid: str = "77") -> Client:
    """A browser that comes back from a network which says that an account there has that address."""
    client = Client()
    request = RequestFactory().get("/")
    request.session, request.user = SessionStore(), AnonymousUser()
    request._messages = SessionStorage(request)  # type: ignore[attr-defined]
    request.allauth = SimpleNamespace()  # type: ignore[attr-defined]
    told = {"email": email, "email_verified": verified, "name": "Anyone"}
    with context.request_context(request):
        login = SocialLogin(
            user=User(email=email),
            account=SocialAccount(provider="birdsong", uid=uid, extra_data=told),
            email_addresses=[EmailAddress(email=email, verified=verified, primary=True)],
            provider=get_adapter().get_provider(request, "birdsong"),
        )
        complete_login(request, login)
    request.session.save()
    client.cookies["laurel"] = request.session.session_key or ""
    return client


# --- taking an account over before its owner has one (Sudhodanan and Paverd, 2022)


@stopped_by(setting("SOCIALACCOUNT_EMAIL_AUTHENTICATION", True))
def test_classic_federated_merge(foxglove: Any) -> None:
    """An account with somebody's address and its own password is not merged with what they bring from a network."""
    attacker = join_by_code(OWN)
    prepared = User.objects.get(email=OWN)
    EmailAddress.objects.create(user=prepared, email=VICTIM, verified=True)
    owner = from_network(VICTIM, verified=True)
    assert who(owner) is None
    assert not SocialAccount.objects.exists()
    assert who(attacker) == str(prepared.pk)


@stopped_by(patch(User, "get_session_auth_hash", lambda _user: "the same for ever"))
def test_unexpired_session(customer: Person) -> None:
    """No session is opened by an address that was only typed in, and a new password ends those that there are."""
    user = confirmed(customer.user, "known to the attacker")
    attacker = signed_in(user, "known to the attacker")
    stranger = Client()
    stranger.post("/b/foxglove/join", {"email": VICTIM})
    assert who(stranger) is None
    join_by_code(VICTIM)
    assert stranger.get("/b/foxglove/score").status_code == 302
    owner = Client()
    owner.post("/accounts/password/reset/", {"email": user.email})
    owner.post("/accounts/password/reset/confirm/", {"code": code_in_mail()})
    form = {"password1": PASSWORD, "password2": PASSWORD}
    assert owner.post("/accounts/password/reset/complete/", form).status_code == 302
    assert attacker.get("/b/foxglove/score")["Location"].startswith("/b/foxglove/join")


def _at_once(form: Any, _request: Any) -> EmailAddress:
    return EmailAddress.objects.create(
        user=form.user, email=form.cleaned_data["email"], verified=True
    )


@stopped_by(patch(AnotherAddressForm, "save", _at_once))
def test_trojan_identifier(foxglove: Any) -> None:
    """An address that somebody put into their own account does not lead its owner into that account."""
    attacker = join_by_code(OWN)
    attacker.post("/accounts/email/", {"email": VICTIM, "action_add": ""})
    owner = join_by_code(VICTIM)
    assert who(owner) != who(attacker)
    assert not EmailAddress.objects.filter(user__email=OWN, email=VICTIM).exists()
    assert Customer.objects.filter(user__email=VICTIM).count() == 1


def _no_conflict(email: str, **_named: Any) -> tuple[str, bool]:
    return email, False


def _latest_wins(address: EmailAddress) -> bool:
    EmailAddress.objects.filter(email=address.email).exclude(pk=address.pk).delete()
    return True


def _addresses_of_others_are_free(monkeypatch: pytest.MonkeyPatch, _settings: Any) -> None:
    monkeypatch.setattr("allauth.account.forms.email_already_exists", _no_conflict)
    monkeypatch.setattr(EmailAddress, "can_set_verified", _latest_wins)


@stopped_by(_addresses_of_others_are_free)
def test_unexpired_email_change(foxglove: Any) -> None:
    """A change to somebody's address that was begun before they came is worth nothing afterwards, code or not."""
    attacker = join_by_code(OWN)
    begun = attacker.post("/accounts/email/", {"email": VICTIM, "action_add": ""})
    tricked_out = code_in_mail()
    assert mail.outbox[-1].to == [VICTIM]
    join_by_code(VICTIM)
    attacker.post(begun["Location"], {"code": tricked_out})
    assert not EmailAddress.objects.filter(user__email=OWN, email=VICTIM).exists()
    assert User.objects.get(email=OWN) != User.objects.get(email=VICTIM)


@pytest.mark.parametrize("verified", [True, False])
@stopped_by(setting("SOCIALACCOUNT_EMAIL_AUTHENTICATION", True))
def test_non_verifying_identity_provider(foxglove: Any, verified: bool) -> None:
    """What a network says of an address opens nothing, whether it says that it verified it or not."""
    join_by_code(VICTIM)
    attacker = from_network(VICTIM, verified=verified)
    assert who(attacker) is None
    assert not SocialAccount.objects.exists()
    unknown = from_network("nobody@example.org", verified=verified)
    assert who(unknown) is None
    assert not User.objects.filter(email="nobody@example.org").exists()


# --- addresses that look alike


ALIKE = (
    "r\u00f3wan@example.org",  # with an accent
    "r\u043ewan@example.org",  # with a Cyrillic letter
    "ro\u0301wan@example.org",  # with an accent of its own
    "rowan+gift@example.org",
    "ro.wan@example.org",
    "\u24e1owan@example.org",  # with a letter in a circle
)


def _as_typed(field: Any, value: Any) -> Any:
    return super(fields.EmailField, field).clean(value)


@stopped_by(patch(fields.EmailField, "clean", _as_typed))
def test_email_confusion(foxglove: Any) -> None:
    """No code for one address goes to another, however alike; case alone makes no other person."""
    kim = join(foxglove, "kim@example.org").user
    rowan = join(foxglove, "rowan@example.org").user
    doors = (
        ("/b/foxglove/join", "email"),
        ("/accounts/login/", "login"),
        ("/accounts/login/code/", "email"),
        ("/accounts/password/reset/", "email"),
    )
    for address, field in doors:
        # The sign of the kelvin is a K in small letters; the mail must go where the account is.
        mail.outbox.clear()
        Client().post(address, {field: "\u212aIM@EXAMPLE.ORG"})
        assert [message.to for message in mail.outbox] == [[kim.email]], address
        for alike in ALIKE:
            mail.outbox.clear()
            client = Client()
            client.post(address, {field: alike})
            assert [rowan.email] not in [message.to for message in mail.outbox], alike
            pending = json.dumps(dict(client.session.items()), default=str)
            assert f'"user_id": "{rowan.pk}"' not in pending, alike
    assert User.objects.filter(email__iexact="KIM@example.org").count() == 1


# --- finding out who has an account


def _answer(address: str, form: dict[str, str], known: str) -> tuple[Any, ...]:
    mail.outbox.clear()
    client = Client()
    answer = client.post(address, form)
    text = answer.content.decode().replace(known, "ADDRESS")
    token = client.cookies.get("laurel_csrf")
    # Of a form's token, only that there is one.
    lines = [line for line in text.splitlines() if "csrfmiddlewaretoken" not in line]
    next_page = client.get(answer["Location"]) if answer.status_code == 302 else answer
    shown = next_page.content.decode().replace(known, "ADDRESS")
    shown = "\n".join(line for line in shown.splitlines() if "csrfmiddlewaretoken" not in line)
    return (
        answer.status_code,
        answer.headers.get("Location"),
        lines,
        bool(token),
        shown,
        [message.to == [known] for message in mail.outbox],
    )


ENUMERATIONS: dict[str, tuple[str, str, dict[str, str]]] = {
    "join": ("/b/foxglove/join", "email", {}),
    "sign in by code": ("/accounts/login/", "login", {}),
    "sign in by code, on its own page": ("/accounts/login/code/", "email", {}),
    "sign in by password": ("/accounts/login/", "login", {"password": "a wrong guess"}),
    "new password": ("/accounts/password/reset/", "email", {}),
}


@stopped_by(setting("ACCOUNT_PREVENT_ENUMERATION", False))
def test_enumeration(customer: Person) -> None:
    """A known and an unknown address get the same answer, the same next page and as much mail."""
    confirmed(customer.user)
    for what, (address, field, more) in ENUMERATIONS.items():
        answers = [
            _answer(address, {field: email, **more}, email)
            for email in (customer.user.email, "nobody@example.org")
        ]
        assert answers[0] == answers[1], what


@stopped_by(setting("ACCOUNT_PREVENT_ENUMERATION", False))
def test_enumeration_by_a_change_of_address(customer: Person) -> None:
    """Whoever adds an address to their account learns nothing of whose it is."""
    join(customer.brand, VICTIM)
    answers = []
    for email in (VICTIM, "nobody@example.org"):
        browser = signed_in(confirmed(join(customer.brand, f"a-{email}").user))
        mail.outbox.clear()
        answer = browser.post("/accounts/email/", {"email": email, "action_add": ""})
        shown = browser.get(reverse("account_email_verification_sent")).content.decode()
        shown = shown.replace(email, "ADDRESS").replace(f"a-{email}", "OWN")
        lines = [line for line in shown.splitlines() if "csrfmiddlewaretoken" not in line]
        answers.append(
            (answer.status_code, answer.headers.get("Location"), lines, len(mail.outbox))
        )
    assert answers[0] == answers[1]


@stopped_by(patch(AuthenticationBackend, "_mitigate_timing_attack", lambda *_arguments: None))
def test_enumeration_by_timing(
    customer: Person, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """A wrong password costs the same work whether there is an account, with a password or without, or none."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    confirmed(customer.user)
    join(customer.brand, "codes-only@example.org").user.save()
    work: list[int] = []

    def counted(function: Any) -> Any:
        def count(*arguments: Any, **named: Any) -> Any:
            work[-1] += 1
            return function(*arguments, **named)

        return count

    for name in ("hash_secret", "verify_secret"):
        monkeypatch.setattr(low_level, name, counted(getattr(low_level, name)))
    monkeypatch.setattr("argon2._password_hasher.verify_secret", low_level.verify_secret)
    monkeypatch.setattr("argon2._password_hasher.hash_secret", low_level.hash_secret)
    for email in (customer.user.email, "codes-only@example.org", "nobody@example.org"):
        work.append(0)
        Client().post("/accounts/login/", {"login": email, "password": "a wrong guess"})
    assert work[0] > 0
    assert work == [work[0]] * 3


# --- sessions


def _keep_the_key(_session: SessionBase) -> None:
    return None


@stopped_by(patch(SessionBase, "cycle_key", _keep_the_key))
def test_session_fixation(customer: Person) -> None:
    """A session that somebody put into a browser is not the one in which its owner is signed in."""
    user = confirmed(customer.user)
    attacker = Client()
    attacker.post("/b/foxglove/join", {"email": OWN})
    attacker.post("/accounts/logout/")
    planted = attacker.cookies["laurel"].value
    owner = Client()
    owner.cookies["laurel"] = planted
    owner.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert who(owner) == str(user.pk)
    assert owner.cookies["laurel"].value != planted
    assert who(attacker) is None


def test_cookies_are_for_the_server_and_this_site_alone() -> None:
    """With https, no script reads the session, no other site sends it, and nothing sends it unencrypted."""
    ask = (
        "import json; from django.conf import settings as s; print(json.dumps([s.SESSION_COOKIE_SECURE,"
        "s.SESSION_COOKIE_HTTPONLY, s.SESSION_COOKIE_SAMESITE, s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_SECURE,"
        "s.CSRF_COOKIE_SAMESITE, s.CSRF_COOKIE_NAME, s.SECURE_HSTS_SECONDS > 0, s.LAUREL_STAFF_SECOND_FACTOR]))"
    )
    production = {
        "LAUREL_DEMO": "false",
        "LAUREL_SITE_URL": "https://loyalty.example.org",
        "EMAIL_URL": "consolemail://",
    }
    told = subprocess.run(
        [sys.executable, "-c", ask],
        env=os.environ | production,
        cwd=embedded.TREE,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(told) == [
        True,
        True,
        "Lax",
        "__Host-laurel",
        True,
        "Lax",
        "__Host-laurel_csrf",
        True,
        True,
    ]


# --- being led away


AWAY = (
    "//evil.example/",
    "https://evil.example/",
    "http:evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "https:///evil.example",
    " //evil.example",
    "http://localhost/elsewhere",
    "/\t/evil.example",
)


def _anywhere(*_arguments: Any, **_named: Any) -> bool:
    return True


def _led_anywhere(monkeypatch: pytest.MonkeyPatch, _settings: Any) -> None:
    monkeypatch.setattr(door, "url_has_allowed_host_and_scheme", _anywhere)
    monkeypatch.setattr(door.DoorAdapter, "is_safe_url", _anywhere)


@stopped_by(_led_anywhere)
def test_open_redirect(customer: Person) -> None:
    """No page of signing in leads on to another site, whatever its address or form says."""
    user = confirmed(customer.user)
    for away in AWAY:
        stays = Client()
        answers = [stays.post(f"/accounts/login/?next={away}", {"login": user.email, "next": away})]
        answers += [stays.post(answers[-1]["Location"], {"code": code_in_mail(), "next": away})]
        password = {"login": user.email, "password": PASSWORD, "next": away}
        client = Client()
        answers += [client.post("/accounts/login/", password)]
        answers += [client.get("/accounts/login/", {"next": away})]
        reauthenticated = {"password": PASSWORD, "next": away}
        answers += [client.post("/accounts/reauthenticate/", reauthenticated)]
        answers += [client.get("/b/foxglove/join", {"next": away})]
        answers += [client.get(reverse("admin:login"), {"next": away})]
        answers += [use_passkey(Client(), add_passkey(client, user), next=away)]
        answers += [client.post("/accounts/logout/", {"next": away})]
        Authenticator.objects.all().delete()
        for answer in answers:
            to = answer.headers.get("Location", "/")
            assert urlsplit(urljoin("http://testserver/", to)).netloc == "testserver", (away, to)
            assert not to.startswith((" ", "\\", "/\\", "javascript")), (away, to)
        mail.outbox.clear()
        cache.clear()


# --- guessing


class Elsewhere:
    """A guesser who comes from another network address with every guess, and spells the address otherwise."""

    def __init__(self, email: str) -> None:
        self.email, self.number = email, 0

    def headers(self) -> dict[str, Any]:
        """Where the next request comes from, and by which name it calls the site."""
        self.number += 1
        return {
            "REMOTE_ADDR": f"203.0.113.{self.number}",
            "HTTP_X_FORWARDED_FOR": f"198.51.100.{self.number}, 192.0.2.{self.number}",
            "HTTP_HOST": f"localhost:{8000 + self.number}",
        }

    def spelled(self) -> str:
        """The address in other letters."""
        return "".join(
            letter.upper() if (self.number >> place) & 1 else letter
            for place, letter in enumerate(self.email)
        )


def _guess_password(guesser: Elsewhere, user: User) -> Any:
    where = guesser.headers()
    form = {"login": guesser.spelled(), "password": f"guess {guesser.number}"}
    return Client().post("/accounts/login/", form, **where)


def _guess_in_spellings(guesser: Elsewhere, user: User) -> Any:
    where = guesser.headers()
    name = ("rowan", "Rowan", "ROWAN", "rOwan", "RoWaN", "rowaN")[guesser.number % 6]
    form = {"login": f"{name}@example.org", "password": f"guess {guesser.number}"}
    return Client().post("/accounts/login/", form, **where)


def _code_guesses(address: str, field: str) -> Callable[[], Callable[[Elsewhere, User], Any]]:
    """Ask for a code, and guess at it three times; then in a new browser at a new one."""

    def begin() -> Callable[[Elsewhere, User], Any]:
        state: dict[str, Any] = {}

        def guess(guesser: Elsewhere, user: User) -> Any:
            if guesser.number % 3 == 0:
                # Asking for codes has a limit of its own.
                state["client"] = Client()
                sent = state["client"].post(address, {field: user.email}, **guesser.headers())
                state["to"] = sent["Location"]
                guesser.number -= 1
            return state["client"].post(state["to"], {"code": "BCDF-GHJK"}, **guesser.headers())

        return guess

    return begin


def _in_session(
    address: str, form: dict[str, str], *, with_app: bool = False, pending: bool = False
) -> Callable[[], Callable[[Elsewhere, User], Any]]:
    """Guess from within a browser in which the user is signed in, or has done the first step."""

    def begin() -> Callable[[Elsewhere, User], Any]:
        state: dict[str, Client] = {}

        def guess(guesser: Elsewhere, user: User) -> Any:
            if not state:
                if with_app:
                    TOTP.activate(user, SECRET)
                state["client"] = Client() if pending else signed_in(user)
                if pending:
                    first = {"login": user.email, "password": PASSWORD}
                    state["client"].post("/accounts/login/", first)
            return state["client"].post(address, form, **guesser.headers())

        return guess

    return begin


def _guess_fresh_code() -> Callable[[Elsewhere, User], Any]:
    state: dict[str, Client] = {}

    def guess(guesser: Elsewhere, user: User) -> Any:
        if not state:
            user.set_unusable_password()
            user.save()
            state["client"] = Client()
            backend = "django.contrib.auth.backends.ModelBackend"
            state["client"].force_login(user, backend=backend)
            state["client"].post("/accounts/reauthenticate/code/", {"action": "send"})
        form = {"code": "BCDF-GHJK"}
        return state["client"].post("/accounts/reauthenticate/code/", form, **guesser.headers())

    return guess


def _guess_address_code() -> Callable[[Elsewhere, User], Any]:
    state: dict[str, Client] = {}

    def guess(guesser: Elsewhere, user: User) -> Any:
        if not state:
            state["client"] = signed_in(user)
            form = {"email": "further@example.org", "action_add": ""}
            state["client"].post("/accounts/email/", form)
        address = reverse("account_email_verification_sent")
        return state["client"].post(address, {"code": "BCDF-GHJK"}, **guesser.headers())

    return guess


GUESSES: dict[str, Callable[[], Callable[[Elsewhere, User], Any]]] = {
    "a password": lambda: _guess_password,
    "a password, in other spellings": lambda: _guess_in_spellings,
    "a code for signing in": _code_guesses("/accounts/login/", "login"),
    "a code for joining": _code_guesses("/b/foxglove/join", "email"),
    "a code for a new password": _code_guesses("/accounts/password/reset/", "email"),
    "a code for a further address": _guess_address_code,
    "a code to confirm with": _guess_fresh_code,
    "the second step": _in_session(
        "/accounts/2fa/authenticate/", {"code": "000000"}, with_app=True, pending=True
    ),
    "the second step, signed in": _in_session(
        "/accounts/2fa/reauthenticate/", {"code": "000000"}, with_app=True
    ),
    "the password, signed in": _in_session("/accounts/reauthenticate/", {"password": "a guess"}),
    "the present password": _in_session(
        "/accounts/password/change/",
        {"oldpassword": "a guess", "password1": "x-y-z-1-2-3", "password2": "x-y-z-1-2-3"},
    ),
}


@pytest.mark.parametrize("what", sorted(GUESSES))
@stopped_by(setting("ACCOUNT_RATE_LIMITS", False))
def test_guessing_under_rotated_addresses(customer: Person, what: str) -> None:
    """The sixth wrong guess is answered with 429, from wherever it comes."""
    user = confirmed(customer.user)
    guess, guesser = GUESSES[what](), Elsewhere(user.email)
    statuses = [guess(guesser, user).status_code for _number in range(6)]
    assert 429 not in statuses[:5], statuses
    assert statuses[5] == 429, statuses


@stopped_by(setting("ACCOUNT_RATE_LIMITS", False))
def test_guessing_is_stopped_for_the_right_guess_too_and_for_nobody_else(customer: Person) -> None:
    """After five wrong guesses the right one is not looked at; others sign in as before."""
    user, other = confirmed(customer.user), confirmed(join(customer.brand, VICTIM).user)
    guesser = Elsewhere(user.email)
    for _number in range(5):
        _guess_password(guesser, user)
    form = {"login": user.email, "password": PASSWORD}
    assert Client().post("/accounts/login/", form).status_code == 429
    signed_in(other)
    # They themselves are let in by a code.
    sent = Client().post("/accounts/login/", {"login": user.email})
    assert sent.status_code == 302


# --- being made to sign in as somebody else


@stopped_by(
    lambda _patch, settings: setattr(
        settings,
        "MIDDLEWARE",
        [name for name in settings.MIDDLEWARE if "CsrfViewMiddleware" not in name],
    )
)
def test_login_csrf(customer: Person) -> None:
    """Another site's form signs nobody in or out, nor joins or ends anything."""
    user = confirmed(customer.user)
    browser = Client(enforce_csrf_checks=True)
    login = {"login": user.email, "password": PASSWORD}
    for address, form in (
        ("/accounts/login/", login),
        ("/accounts/login/", {"login": user.email}),
        ("/accounts/login/code/", {"email": user.email}),
        ("/accounts/2fa/webauthn/login/", {"credential": "{}"}),
        ("/accounts/password/reset/", {"email": user.email}),
        ("/accounts/logout/", {}),
        ("/b/foxglove/join", {"email": user.email}),
    ):
        assert browser.post(address, form).status_code == 403, address
    assert who(browser) is None
    assert mail.outbox == []


# --- passkeys


def _everybodys_keys(user: User) -> list[Any]:
    keys = Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN)
    return [key.wrap().authenticator_data.credential_data for key in keys]


def _anybodys_key(user: User, credential_id: bytes) -> Any:
    return next(
        key
        for key in Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN)
        if key.wrap().authenticator_data.credential_data.credential_id == credential_id
    )


def _any_key_will_do(monkeypatch: pytest.MonkeyPatch, _settings: Any) -> None:
    monkeypatch.setattr(webauthn, "get_credentials", _everybodys_keys)
    monkeypatch.setattr(webauthn, "get_authenticator_by_credential_id", _anybodys_key)


def _owner_of_a_passkey(brand: Any, email: str, name: bytes) -> tuple[User, Client, Passkey]:
    user = confirmed(join(brand, email).user)
    browser = signed_in(user)
    return user, browser, add_passkey(browser, user, name=name)


@stopped_by(_any_key_will_do)
def test_passkey_of_another_user_as_the_second_step(foxglove: Any) -> None:
    """Who knows a password does not get past the second step with a passkey of their own."""
    victim, _browser, _theirs = _owner_of_a_passkey(foxglove, VICTIM, b"of the victim")
    _attacker, _other, own = _owner_of_a_passkey(foxglove, OWN, b"of the attacker")
    client = Client()
    client.post("/accounts/login/", {"login": victim.email, "password": PASSWORD})
    options = client.get("/accounts/2fa/authenticate/").context["js_data"]["request_options"]
    client.post("/accounts/2fa/authenticate/", {"credential": json.dumps(own.used(options))})
    assert who(client) is None


def _whoever_it_says(user: User, response: Any) -> Any:
    return Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN).first()


@stopped_by(patch(webauthn, "complete_authentication", _whoever_it_says))
def test_passkey_that_says_it_is_of_another_user(foxglove: Any) -> None:
    """A passkey signs in whom the site made it for, whatever name or owner it gives."""
    _victim, _browser, theirs = _owner_of_a_passkey(foxglove, VICTIM, b"of the victim")
    _attacker, _other, own = _owner_of_a_passkey(foxglove, OWN, b"of the attacker")
    own.user_handle = theirs.user_handle
    client = Client()
    use_passkey(client, own)
    assert who(client) is None
    own.name = theirs.name
    use_passkey(client, own)
    assert who(client) is None


@stopped_by(lambda monkeypatch, _settings: monkeypatch.setattr("fido2.server.os.urandom", bytes))
def test_passkey_answer_used_twice(foxglove: Any) -> None:
    """An answer that was overheard is good nowhere else: each browser is asked for one of its own."""
    _victim, _browser, theirs = _owner_of_a_passkey(foxglove, VICTIM, b"of the victim")
    address, accept = "/accounts/2fa/webauthn/login/", {"accept": "application/json"}
    owner, thief = Client(), Client()
    asked = owner.get(address, headers=accept).json()["request_options"]
    overheard = {"credential": json.dumps(theirs.used(asked))}
    owner.post(address, overheard)
    assert who(owner)
    thief.get(address, headers=accept)
    thief.post(address, overheard)
    assert who(thief) is None


@stopped_by(patch(webauthn.AuthenticatorData, "is_user_verified", lambda _data: True))
def test_passkey_that_does_not_check_its_holder(customer: Person) -> None:
    """A key that only wants to be touched is not taken as a passkey: whoever finds it would be in."""
    user = confirmed(customer.user)
    browser = signed_in(user)
    add_passkey(browser, user, checks_holder=False)
    assert not Authenticator.objects.filter(user=user).exists()


def test_passkeys_of_others_are_not_there(foxglove: Any) -> None:
    """Nobody renames or removes another user's passkey."""
    victim, _browser, _theirs = _owner_of_a_passkey(foxglove, VICTIM, b"of the victim")
    _attacker, other, _own = _owner_of_a_passkey(foxglove, OWN, b"of the attacker")
    key = Authenticator.objects.get(user=victim, type=Authenticator.Type.WEBAUTHN)
    for name in ("mfa_edit_webauthn", "mfa_remove_webauthn"):
        assert other.post(reverse(name, args=[key.pk]), {"name": "Mine"}).status_code == 404
    key.refresh_from_db()
    assert key.wrap().name == "Phone"


# --- getting past the second step


def _never_asked(_stage: Any, _request: Any) -> bool:
    return False


@stopped_by(patch(stages.AuthenticateStage, "_should_handle", _never_asked))
def test_second_factor_bypass_between_the_steps(manager: Person) -> None:
    """After the first step nothing opens but the second."""
    user = confirmed(manager.user)
    TOTP.activate(user, SECRET)
    client = Client()
    first = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert first["Location"] == reverse("mfa_authenticate")
    for address in ("/admin/", "/accounts/2fa/", "/accounts/email/", "/b/foxglove/score"):
        assert client.get(address).status_code == 302, address
        assert who(client) is None, address
    for address in ("/accounts/login/", "/accounts/login/code/"):
        client.post(address, {"login": user.email, "email": user.email})
        assert who(client) is None
    client.post("/accounts/2fa/totp/deactivate/")
    assert Authenticator.objects.filter(user=user).exists()


@stopped_by(patch(stages.AuthenticateStage, "_should_handle", _never_asked))
def test_second_factor_bypass_by_a_code_or_a_new_password(manager: Person) -> None:
    """A code by mail and a new password are the first step as a password is."""
    user = confirmed(manager.user)
    TOTP.activate(user, SECRET)
    client = Client()
    sent = client.post("/accounts/login/", {"login": user.email})
    after = client.post(sent["Location"], {"code": code_in_mail()})
    assert after["Location"] == reverse("mfa_authenticate")
    assert who(client) is None
    other = Client()
    other.post("/accounts/password/reset/", {"email": user.email})
    other.post("/accounts/password/reset/confirm/", {"code": code_in_mail()})
    form = {"password1": "another battery", "password2": "another battery"}
    other.post("/accounts/password/reset/complete/", form)
    assert who(other) is None
    after = other.post("/accounts/login/", {"login": user.email, "password": "another battery"})
    assert after["Location"] == reverse("mfa_authenticate")


@stopped_by(setting("LAUREL_STAFF_SECOND_FACTOR", False))
def test_second_factor_bypass_by_a_remembered_session(manager: Person) -> None:
    """A session from before the second step was set up does not open the admin without it."""
    user = confirmed(manager.user)
    remembered = signed_in(user)
    TOTP.activate(user, SECRET)
    answer = remembered.get("/admin/", follow=True)
    assert answer.request["PATH_INFO"] == reverse("mfa_reauthenticate")
    assert "Today" not in answer.content.decode()
    remembered.post("/accounts/2fa/reauthenticate/", {"code": app_code()})
    assert remembered.get("/admin/").status_code == 200


@stopped_by(setting("LAUREL_STAFF_SECOND_FACTOR", False))
def test_staff_without_second_factor(manager: Person) -> None:
    """Staff who have no second step are led to set one up; until then no page of the admin opens."""
    user = confirmed(manager.user)
    browser = signed_in(user)
    for address in ("/admin/", "/admin/claims/", "/admin/accounts/staffrole/"):
        for ask in (browser.get, browser.post):
            answer = ask(address, follow=True)
            assert answer.request["PATH_INFO"] == reverse("mfa_index"), address
    assert "Staff sign in with a second step" in browser.get(reverse("mfa_index")).content.decode()
    add_passkey(browser, user)
    assert browser.get("/admin/").status_code == 200


def test_staff_who_sign_in_by_passkey_have_given_the_second_step(manager: Person) -> None:
    """A passkey checks who holds it: it is both steps in one."""
    user = confirmed(manager.user)
    browser = signed_in(user)
    passkey = add_passkey(browser, user)
    client = Client()
    assert use_passkey(client, passkey, next="/admin/")["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def _good_for_ever(_codes: Any, _number: int) -> None:
    return None


@stopped_by(patch(RecoveryCodes, "_mark_code_used", _good_for_ever))
def test_recovery_code_used_twice(customer: Person) -> None:
    """A recovery code that was used, or read over a shoulder while it was, is worth nothing."""
    user = confirmed(customer.user)
    TOTP.activate(user, SECRET)
    [code, *_others] = RecoveryCodes.activate(user).get_unused_codes()
    came_in = []
    for _time in range(2):
        client = Client()
        client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
        client.post("/accounts/2fa/authenticate/", {"code": code})
        came_in.append(who(client) is not None)
    assert came_in == [True, False]


@stopped_by(patch(TOTP, "_mark_code_used", lambda _totp, _code: True))
def test_app_code_used_twice(customer: Person) -> None:
    """A code of the app is good once, also within its half minute."""
    user = confirmed(customer.user)
    TOTP.activate(user, SECRET)
    code, came_in = app_code(), []
    for _time in range(2):
        client = Client()
        client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
        client.post("/accounts/2fa/authenticate/", {"code": code})
        came_in.append(who(client) is not None)
    assert came_in == [True, False]


@stopped_by(patch(door.DoorAdapter, "is_reauthentication_required", lambda *_a, **_k: False))
def test_open_browser(customer: Person) -> None:
    """Whoever finds a browser signed in changes nothing about how its owner signs in."""
    EmailAddress.objects.create(user=customer.user, email=customer.user.email, verified=True)
    browser = customer.client()
    for address, form in (
        ("/accounts/password/set/", {"password1": PASSWORD, "password2": PASSWORD}),
        ("/accounts/email/", {"email": OWN, "action_add": ""}),
        ("/accounts/2fa/totp/activate/", {"code": "000000"}),
        ("/accounts/2fa/webauthn/add/", {"credential": "{}"}),
    ):
        answer = browser.post(address, form)
        assert answer.headers.get("Location", "").startswith("/accounts/reauthenticate/"), address
    customer.user.refresh_from_db()
    assert not customer.user.has_usable_password()


# --- that nothing here passes because it asks nothing


@pytest.mark.parametrize("name", sorted(STOPPED_BY))
def test_an_attack_gets_through_without_what_stops_it(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    attack = globals()[name]
    one_of = {"what": "a password", "verified": True}
    given = {
        argument: one_of[argument] if argument in one_of else request.getfixturevalue(argument)
        for argument in inspect.signature(attack).parameters
    }
    STOPPED_BY[name](monkeypatch, settings)
    with pytest.raises((AssertionError, KeyError)):
        attack(**given)
