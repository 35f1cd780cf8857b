"""The second step of signing in, which staff must have.

Staff come into the admin only in a session in which they gave it: a code of an app, a recovery code, or a passkey. A
session in which they have just set one up counts, too.
"""

import base64
import secrets
from typing import Any

import structlog
from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from loyalty.seals import seal_for

log = structlog.get_logger(__name__)


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """What django-allauth asks the site about second steps."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "cannot_generate_recovery_codes": gettext_lazy("Set up an app or a passkey first."),
        "incorrect_code": gettext_lazy("That was not it. Try again."),
        "unverified_email": gettext_lazy(
            "Confirm your e-mail addresses first, or remove those that you do not use."
        ),
    }

    def encrypt(self, text: str) -> str:
        """Seal the secret of an app or of recovery codes."""
        return seal_for("second factors").encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Open it. Where the secret key was lost, nothing matches any more, as if the app were another one."""
        try:
            return seal_for("second factors").decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            return base64.b32encode(secrets.token_bytes(20)).decode()

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Under which name devices keep passkeys of this site."""
        entity: dict[str, str] = super().get_public_key_credential_rp_entity()
        return entity | {"name": str(settings.MFA_TOTP_ISSUER)}

    def generate_authenticator_name(self, user: User, type: str) -> str:  # noqa: A002 - as it is upstream
        """The name of a passkey whose owner gave it none."""
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return _("Passkey %(number)s") % {"number": number}


FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]


def has_one(user: User) -> bool:
    """Whether the user is asked for a second step when signing in."""
    return bool(is_mfa_enabled(user, FACTORS))


def is_missing(request: HttpRequest) -> bool:
    """Whether the user of this session must still give a second step before the admin opens."""
    if not settings.LAUREL_STAFF_SECOND_FACTOR or not isinstance(request.user, User):
        return False
    records = get_authentication_records(request, request.user)
    was_given = any(record.get("method") == "mfa" for record in records)
    return not (was_given and has_one(request.user))


def note_set_up(
    *, request: HttpRequest, user: User, authenticator: Authenticator, **_signal: Any
) -> None:
    """Whoever has just set one up has just used it. Hears allauth's authenticator_added."""
    if authenticator.type in FACTORS:
        record_authentication(request, user, "mfa", id=authenticator.pk, type=authenticator.type)


def reset(*, user: User, by: str) -> bool:
    """Take away every second step of a user who lost it, end all sessions, and tell them by mail.

    False where there was none; then nothing happens. ``by`` is for the log. May run twice.
    """
    with transaction.atomic():
        deleted, _by_model = Authenticator.objects.filter(user=user).delete()
        if not deleted:
            return False
        for session in UserSession.objects.filter(user=user):
            session.end()
    log.warning("second_factor_reset", user=user.pk, by=by)
    with translation.override(user.language or settings.LANGUAGE_CODE):
        parts = {"site": settings.LAUREL_SITE_URL, "user": user}
        subject = render_to_string("account/email/second_factor_reset_subject.txt", parts).strip()
        text = render_to_string("account/email/second_factor_reset_message.txt", parts).strip()
    send_mail(subject, text, settings.DEFAULT_FROM_EMAIL, [user.email])
    return True
