"""Signing in, and the pages about one's own sign-in: each reachable one, in our look; sessions; recovery."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import User
from loyalty.checks import check_staff_need_a_second_step
from loyalty.management.terminal import Refused
from loyalty.pages.security import device_of
from tests.loyalty.signing_in import (
    FIREFOX,
    PASSWORD,
    QUICK_HASHERS,
    SECRET,
    add_passkey,
    app_code,
    code_in_mail,
    confirmed,
    signed_in,
    use_passkey,
    wait,
)
from tests.people import MONDAY, Person, join

pytestmark = pytest.mark.django_db


# To GET: as nobody, and as somebody who is signed in and has a password, an app, a passkey and recovery codes.
PAGES = {
    "account_login": (200, 302),
    "account_request_login_code": (200, 302),
    "account_confirm_login_code": (302, 302),
    "account_signup": (302, 302),
    "account_logout": (302, 200),
    "account_inactive": (200, 200),
    "account_reauthenticate": (302, 200),
    "reauthenticate_by_code": (302, 302),
    "account_email": (302, 200),
    "account_email_verification_sent": (302, 302),
    "account_change_password": (302, 200),
    "account_set_password": (302, 302),
    "remove_password": (302, 405),
    "account_reset_password": (200, 200),
    "account_confirm_password_reset_code": (302, 302),
    "account_complete_password_reset": (302, 302),
    "account_password_reset_completed": (200, 200),
    "mfa_index": (302, 200),
    "mfa_authenticate": (302, 302),
    "mfa_reauthenticate": (302, 200),
    "mfa_activate_totp": (302, 302),
    "mfa_deactivate_totp": (302, 200),
    "mfa_view_recovery_codes": (302, 200),
    "mfa_generate_recovery_codes": (302, 200),
    "mfa_download_recovery_codes": (302, 200),
    "mfa_list_webauthn": (302, 200),
    "mfa_add_webauthn": (302, 200),
    "mfa_edit_webauthn": (302, 200),
    "mfa_remove_webauthn": (302, 200),
    "mfa_reauthenticate_webauthn": (302, 200),
    "mfa_login_webauthn": (302, 302),
    "usersessions_list": (302, 200),
    "end_session": (302, 405),
}
# Tried with the networks, and with erasing.
ELSEWHERE = re.compile(r"^(socialaccount_|\w+_(login|callback)$|erase_login)")


@pytest.fixture(autouse=True)
def _as_in_production(settings: Any) -> None:
    settings.PASSWORD_HASHERS = QUICK_HASHERS
    settings.LAUREL_STAFF_SECOND_FACTOR = True


def names_below(prefix: str) -> set[str]:
    """The names of all addresses that begin so."""

    def walk(patterns: Any, before: str) -> Iterator[str]:
        for pattern in patterns:
            path = before + str(pattern.pattern).lstrip("^")
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, path)
            elif isinstance(pattern, URLPattern) and pattern.name and path.startswith(prefix):
                yield pattern.name

    return set(walk(get_resolver().url_patterns, ""))


def test_every_address_of_signing_in_is_in_the_table() -> None:
    names = {
        name for name in names_below("accounts/") if name in PAGES or not ELSEWHERE.match(name)
    }
    assert names == PAGES.keys()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_of_signing_in_has_our_look(name: str, customer: Person) -> None:
    user = confirmed(customer.user)
    TOTP.activate(user, SECRET)
    RecoveryCodes.activate(user)
    browser = signed_in(user)
    add_passkey(browser, user)
    key = Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN)
    keyed = {"mfa_edit_webauthn", "mfa_remove_webauthn"}
    address = reverse(name, args=[key.pk] if name in keyed else [])
    for client, status in zip((Client(), browser), PAGES[name], strict=True):
        answer = client.get(address)
        assert answer.status_code == status, answer.headers
        assert "no-store" in answer["Cache-Control"]
        if status == 200 and answer["Content-Type"].startswith("text/html"):
            text = answer.content.decode()
            assert 'class="masthead"' in text
            assert "<h1>" in text
            # Nothing of upstream's own pages, which say who they are by a menu.
            assert "Menu:" not in text


def test_a_device_is_called_by_browser_and_system() -> None:
    assert device_of(FIREFOX) == "Firefox, Android"
    safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"
    assert device_of(safari) == "Safari, iPhone"
    assert device_of("curl/8") == "A device that does not say what it is"


def test_sessions_are_listed_and_ended_one_by_one_or_all_others(customer: Person) -> None:
    user = confirmed(customer.user)
    phone = signed_in(user)
    desk = signed_in(user, **{"user-agent": "Mozilla/5.0 (X11; Linux) Gecko Firefox/132.0"})
    third = signed_in(user)
    page = phone.get("/accounts/sessions/").content.decode()
    assert page.count("Firefox, Android") >= 2
    assert "Firefox, Linux" in page
    assert page.count("this device") == 1
    other = UserSession.objects.get(session_key=desk.session.session_key)
    for nobodys in ("", "x", "9" * 19, "9" * 5000):
        assert phone.post("/accounts/sessions/end/", {"session": nobodys}).status_code == 404
    phone.post("/accounts/sessions/end/", {"session": other.pk})
    assert desk.get("/accounts/sessions/").status_code == 302
    assert third.get("/accounts/sessions/").status_code == 200
    phone.post("/accounts/sessions/")
    assert third.get("/accounts/sessions/").status_code == 302
    assert phone.get("/accounts/sessions/").status_code == 200


def test_of_a_session_no_network_address_is_kept(customer: Person) -> None:
    signed_in(confirmed(customer.user))
    assert UserSession.objects.get().ip == "0.0.0.0"  # noqa: S104


def test_what_is_noted_of_a_session_goes_with_it(customer: Person) -> None:
    user = confirmed(customer.user)
    browser, other = signed_in(user), signed_in(user)
    browser.post("/accounts/logout/")
    assert UserSession.objects.get().session_key == other.session.session_key
    Session.objects.update(expire_date=MONDAY - timedelta(days=1000))
    call_command("clearsessions")
    assert not UserSession.objects.exists()


def test_a_session_notes_down_once_an_hour_that_it_is_used(customer: Person) -> None:
    browser = signed_in(confirmed(customer.user))
    before = UserSession.objects.get().last_seen_at
    browser.get("/accounts/email/")
    assert UserSession.objects.get().last_seen_at == before
    session = browser.session
    session["seen_at"] -= 3601
    session.save()
    browser.get("/accounts/email/")
    assert UserSession.objects.get().last_seen_at > before


def test_a_forgotten_password_is_replaced_by_a_code_and_ends_every_session(
    customer: Person,
) -> None:
    user = confirmed(customer.user)
    lost = signed_in(user)
    client = Client()
    client.post("/accounts/password/reset/", {"email": user.email})
    assert (
        client.post("/accounts/password/reset/confirm/", {"code": code_in_mail()}).status_code
        == 302
    )
    new = "quite another battery"
    client.post("/accounts/password/reset/complete/", {"password1": new, "password2": new})
    assert lost.get("/accounts/email/").status_code == 302
    assert "replaced" in mail.outbox[-1].subject
    signed_in(user, new)


def test_a_password_can_be_set_and_removed(customer: Person) -> None:
    user = customer.user
    client = Client()
    sent = client.post("/accounts/login/", {"login": user.email})
    client.post(sent["Location"], {"code": code_in_mail()})
    client.post("/accounts/password/set/", {"password1": PASSWORD, "password2": PASSWORD})
    other = signed_in(user)
    wait(client)
    assert client.post("/accounts/password/remove/")["Location"].startswith(
        "/accounts/reauthenticate/"
    )
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    client.post("/accounts/password/remove/")
    user.refresh_from_db()
    assert not user.has_usable_password()
    assert other.get("/accounts/email/").status_code == 302
    assert client.get("/accounts/email/").status_code == 200


def test_who_has_only_codes_confirms_with_one_before_changing_how_they_sign_in(
    customer: Person,
) -> None:
    browser = customer.client()
    asked = browser.get("/accounts/2fa/webauthn/add/")
    assert asked["Location"].startswith("/accounts/reauthenticate/code/")
    page = browser.get(asked["Location"])
    assert customer.user.email in page.content.decode()
    sent = browser.post(asked["Location"], {"action": "send"})
    assert mail.outbox[-1].to == [customer.user.email]
    wrong = browser.post(sent["Location"], {"code": "BCDF-GHJK"})
    assert "There is a problem" in wrong.content.decode()
    right = browser.post(sent["Location"], {"code": code_in_mail()})
    assert right["Location"] == "/accounts/2fa/webauthn/add/"
    assert browser.get(right["Location"]).status_code == 200


def test_what_was_confirmed_holds_for_a_quarter_of_an_hour(customer: Person) -> None:
    browser = signed_in(confirmed(customer.user))
    assert browser.get("/accounts/2fa/webauthn/add/").status_code == 200
    wait(browser)
    asked = browser.get("/accounts/2fa/webauthn/add/")["Location"]
    assert asked == "/accounts/reauthenticate/?next=%2Faccounts%2F2fa%2Fwebauthn%2Fadd%2F"
    assert browser.post(asked, {"password": PASSWORD})["Location"] == "/accounts/2fa/webauthn/add/"
    assert browser.get("/accounts/2fa/webauthn/add/").status_code == 200


def test_an_operator_made_at_the_terminal_signs_in_without_confirming_the_address() -> None:
    user = User.objects.create_superuser("root@example.org", PASSWORD)
    assert EmailAddress.objects.get(user=user).verified
    signed_in(user)
    client = Client()
    sent = client.post("/accounts/login/", {"login": user.email})
    assert client.post(sent["Location"], {"code": code_in_mail()})["Location"] == "/"
    assert len(mail.outbox) == 1


def test_who_was_appointed_as_staff_signs_in_with_one_code(manager: Person) -> None:
    client = Client()
    sent = client.post("/accounts/login/", {"login": manager.user.email})
    assert client.post(sent["Location"], {"code": code_in_mail()})["Location"] == "/"
    assert len(mail.outbox) == 1


def test_a_lost_second_step_is_taken_away_at_the_terminal(manager: Person, capsys: Any) -> None:
    user = confirmed(manager.user)
    TOTP.activate(user, SECRET)
    RecoveryCodes.activate(user)
    browser = signed_in(user)
    call_command("reset_second_factor", user.email.upper())
    assert "is gone" in capsys.readouterr().out
    assert not Authenticator.objects.filter(user=user).exists()
    assert browser.get("/accounts/email/").status_code == 302
    assert mail.outbox[-1].to == [user.email]
    assert "second step" in mail.outbox[-1].subject
    call_command("reset_second_factor", user.email)
    assert "has no second step" in capsys.readouterr().out
    with pytest.raises(Refused):
        call_command("reset_second_factor", "nobody@example.org")


def test_an_operator_takes_a_lost_second_step_away_but_not_their_own(manager: Person) -> None:
    user = confirmed(manager.user)
    TOTP.activate(user, SECRET)
    root = User.objects.create_superuser("root@example.org", PASSWORD)
    TOTP.activate(root, SECRET)
    chosen = {"action": "reset_second_factor", "_selected_action": [user.pk, root.pk]}
    browser = manager.client()
    browser.post(reverse("admin:accounts_user_changelist"), chosen)
    assert Authenticator.objects.filter(user=user).exists()
    operator = signed_in(root)
    operator.post(reverse("admin:accounts_user_changelist"), chosen)
    assert not Authenticator.objects.filter(user=user).exists()
    assert Authenticator.objects.filter(user=root).exists()
    assert [message.to for message in mail.outbox] == [[user.email]]


def test_a_passkey_signs_in_by_itself_and_goes_on_to_where_it_was_wanted(customer: Person) -> None:
    browser = signed_in(confirmed(customer.user))
    passkey = add_passkey(browser, customer.user)
    assert "passkey was added" in mail.outbox[-1].subject
    client = Client()
    answer = use_passkey(client, passkey, next="/b/foxglove/board")
    assert answer["Location"] == "/b/foxglove/board"
    assert client.session["_auth_user_id"] == str(customer.user.pk)


def test_a_brand_says_that_a_membership_was_merged(customer: Person) -> None:
    other = customer.client()
    assert customer.customer
    kept = join(customer.brand, "kept@example.org").customer
    customer.customer.merged_into = kept
    customer.customer.save()
    answer = other.post("/b/foxglove/join")
    assert answer.status_code == 409
    assert "merged" in answer.content.decode()


def test_the_deployment_checks_want_a_second_step_of_staff(settings: Any) -> None:
    assert check_staff_need_a_second_step(None) == []
    settings.LAUREL_STAFF_SECOND_FACTOR = False
    assert [found.id for found in check_staff_need_a_second_step(None)] == ["laurel.W002"]


def test_join_and_sign_in_offer_a_passkey(customer: Person) -> None:
    for address in (
        "/accounts/login/",
        "/accounts/login/code/",
        "/b/foxglove/join?next=/b/foxglove/board",
    ):
        page = Client().get(address).content.decode()
        assert 'data-passkey="sign-in"' in page
    assert 'name="next" value="/b/foxglove/join?next=%2Fb%2Ffoxglove%2Fboard"' in page


def test_secrets_of_second_steps_are_sealed_and_lost_with_the_key(
    customer: Person, settings: Any
) -> None:
    user = confirmed(customer.user)
    TOTP.activate(user, SECRET)
    codes = RecoveryCodes.activate(user).get_unused_codes()
    stored = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert SECRET not in stored
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "a new one", [settings.SECRET_KEY]
    signed_in(user)
    settings.SECRET_KEY_FALLBACKS = []
    cache.clear()
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    for code in (app_code(), codes[0]):
        client.post("/accounts/2fa/authenticate/", {"code": code})
        assert "_auth_user_id" not in client.session


def test_addresses_that_were_typed_in_and_never_proved_are_forgotten(
    customer: Person, manager: Person, capsys: Any
) -> None:
    Client().post("/b/foxglove/join", {"email": "typo@example.org"})
    Client().post("/accounts/login/", {"login": manager.user.email})
    invited = User.objects.create_user("invited@example.org")
    User.objects.create_superuser("root@example.org")
    call_command("forget_unproven_logins")
    assert "0 forgotten" in capsys.readouterr().out
    User.objects.update(created_at=MONDAY - timedelta(days=2))
    call_command("forget_unproven_logins")
    assert "1 forgotten" in capsys.readouterr().out
    left = set(User.objects.values_list("email", flat=True))
    assert left == {"rowan@example.org", "imke@example.org", invited.email, "root@example.org"}
