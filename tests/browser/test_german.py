"""Every page in German, whose words are longer: whether it all fits."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from django.utils import timezone

from accounts.choices import pause_score
from accounts.identity import link_identifier
from accounts.models import Customer, Identifier
from tests.browser.looks import misfits
from tests.browser.pages import View
from tests.browser.test_pages import NARROW, PHONE, Findings, Visitor, resize, visitor
from tests.people import join

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

__all__ = ["visitor"]

# Pages that the customer of the story does not have, or has in another state.
FURTHER = {
    "score-paused": View("/b/{slug}/score"),
    "choices-paused": View("/b/{slug}/choices"),
    "me-disputed": View("/b/{slug}/me"),
    "known-paused": View("/b/{slug}/known"),
    "linked-disputed": View("/b/{slug}/linked"),
    "security-full": View("/accounts/2fa/"),
    "addresses-full": View("/accounts/email/"),
    "passkeys-full": View("/accounts/2fa/webauthn/"),
    "networks": View("/accounts/3rdparty/"),
    "recovery-codes": View("/accounts/2fa/recovery-codes/"),
    "recovery-codes-new": View("/accounts/2fa/recovery-codes/generate/"),
    "app-remove": View("/accounts/2fa/totp/deactivate/"),
    "password-change": View("/accounts/password/change/"),
}


def fit(visitor: Visitor, *wanted: dict[str, View]) -> Findings:
    """What of the pages does not fit a phone in German."""
    found = Findings()
    for name, page in visitor.visit(*wanted, locale="de-DE"):
        assert page.locator("html").get_attribute("lang") == "de", name
        for size in (PHONE, NARROW):
            resize(page, size)
            found.note(f"{name}, {size[0]}", misfits(page))
        resize(page, PHONE)
    return found


def test_every_page_fits_in_german(visitor: Visitor) -> None:
    assert fit(visitor) == {}


def test_the_pages_of_whoever_has_and_decides_much_fit_in_german(visitor: Visitor) -> None:
    have_much(visitor.customer)
    assert fit(visitor, FURTHER) == {}


def have_much(customer: Customer) -> None:
    """Two second steps, a password, more addresses, an account elsewhere, a card, a dispute; and the score paused."""
    now, user = timezone.now(), customer.user
    assert user
    user.set_password("not-everybodys-42")
    user.save()
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    key = {"name": "Sicherheitsschlüssel am Schlüsselbund", "credential": {}}
    Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data=key)
    for name, is_verified in (("eine.lange.adresse.zum.umbrechen", True), ("neu", False)):
        EmailAddress.objects.create(user=user, email=f"{name}@example.org", verified=is_verified)
    SocialAccount.objects.create(user=user, provider="birdsong", uid="4711")
    other = join(customer.brand, "somebody@example.org").customer
    assert other
    proven: Any = {"proof": Identifier.Proof.CODE, "now": now}
    link_identifier(customer=other, text="phone:+442079460000", **proven)
    link_identifier(customer=customer, text="phone:+442079460000", **proven)
    link_identifier(customer=customer, text="card:7000123456", **proven)
    pause_score(customer=customer, now=now)
