"""Secrets that lie in the database, sealed with the secret key: a copy of the database does not give them away."""

import base64

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def seal_for(purpose: str) -> MultiFernet:
    """What seals the secrets of one purpose. Made from the secret key; earlier secret keys still open."""
    return MultiFernet(
        Fernet(
            base64.urlsafe_b64encode(
                HKDF(SHA256(), 32, salt=None, info=f"laurel {purpose}".encode()).derive(
                    secret.encode()
                )
            )
        )
        for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    )
