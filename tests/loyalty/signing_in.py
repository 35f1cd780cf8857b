"""How tests sign in: by password, code, app and passkey."""

import json
import re
import time
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import hotp_value, yield_hotp_counters_from_time
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.passkeys import Passkey

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
PASSWORD = "correct horse battery"
# As production hashes them, a test of guessing takes seconds.
QUICK_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
FIREFOX = "Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0"


def confirmed(user: User, password: str = PASSWORD) -> User:
    """A user with a password and a confirmed address."""
    user.set_password(password)
    user.save()
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user


def signed_in(user: User, password: str = PASSWORD, **headers: str) -> Client:
    """A browser in which the user signed in by password, and by the app where there is one."""
    client = Client(headers=headers or {"user-agent": FIREFOX})
    answer = client.post("/accounts/login/", {"login": user.email, "password": password})
    assert answer.status_code == 302, answer.content
    if answer["Location"] == reverse("mfa_authenticate"):
        answer = client.post(reverse("mfa_authenticate"), {"code": app_code()})
    assert "_auth_user_id" in client.session
    return client


def app_code() -> str:
    """What the app shows now."""
    _before, now, _after = yield_hotp_counters_from_time()
    return f"{hotp_value(SECRET, now):06d}"


def code_in_mail() -> str:
    """The code of the newest mail."""
    found = re.search(r"^ {4}(\S+)$", str(mail.outbox[-1].body), flags=re.MULTILINE)
    assert found, mail.outbox[-1].body
    return found[1]


def add_passkey(browser: Client, user: User, **made: Any) -> Passkey:
    """A passkey that the user adds on the page for it; the browser must have confirmed that it is them."""
    page = browser.get("/accounts/2fa/webauthn/add/")
    options = page.context["js_data"]["creation_options"]
    passkey = Passkey(options["publicKey"]["user"]["id"], **made)
    form = {"name": "Phone", "credential": json.dumps(passkey.made(options))}
    browser.post("/accounts/2fa/webauthn/add/", form)
    return passkey


def use_passkey(client: Client, passkey: Passkey, **form: str) -> Any:
    """Sign in with a passkey."""
    asked = client.get("/accounts/2fa/webauthn/login/", headers={"accept": "application/json"})
    used = passkey.used(asked.json()["request_options"])
    return client.post("/accounts/2fa/webauthn/login/", {"credential": json.dumps(used), **form})


def fresh_client(user: User) -> Client:
    """A browser in which this user has just said who they are."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    session = client.session
    session["account_authentication_methods_user"] = str(user.pk)
    session["account_authentication_methods"] = [
        {"method": "code", "at": time.time(), "reauthenticated": True}  # noqa: TID251
    ]
    session.save()
    return client


def wait(browser: Client) -> None:
    """Let so much time pass that the browser's user must confirm that it is still them."""
    session = browser.session
    records = session["account_authentication_methods"]
    session["account_authentication_methods"] = [
        record | {"at": record["at"] - 16 * 60} for record in records
    ]
    session.save()
