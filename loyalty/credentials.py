"""Badges as Open Badges 3.0 credentials, which their holders take elsewhere and a stranger can check.

A credential is a JWT whose payload is the credential itself (Open Badges 3.0, section "JSON Web Token Proof
Format"), signed with a key of the brand. Whoever checks it needs nothing but the addresses inside: the key is
at ``kid``, the issuer's profile at ``iss``, and whether it was revoked in the list at ``statusListCredential``
(W3C Bitstring Status List). Nothing in it says who the holder is, nor do two badges of one person say so.

Issued again, an unchanged badge gives the same credential, byte for byte.
"""

import base64
import gzip
import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.fernet import InvalidToken
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import override

from accounts.models import Brand, IssuerKey
from loyalty.seals import seal_for
from scoring.badges import parsed_badge
from scoring.models import Badge, BadgeEarned
from scoring.vocabulary import Vocabulary

CREDENTIALS = "https://www.w3.org/ns/credentials/v2"
OPEN_BADGES = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"

ALGORITHM = "RS256"
"""The one that every verifier must know (Open Badges 3.0, section "JOSE Header")."""

KEY_BITS = 2048
EXPONENT = 65_537

LIST_LENGTH = 131_072
"""Entries of a status list: the fewest that the standard allows, so that one says little about its badge."""

LIST_LASTS = timedelta(hours=24)
"""After this, a copy of a status list is no longer believed; a fresh one is always at its address."""

Document = dict[str, Any]


# --- keys ----------------------------------------------------------------------------------------


def keys_of(*, brand: Brand, now: datetime) -> Document:
    """The brand's public keys as a JWK Set: the one that signs, and those that did."""
    if not brand.issuer_keys.exists():
        _signing_key(brand, now=now)
    return {"keys": [public_jwk(key) for key in brand.issuer_keys.order_by("-created_at", "-pk")]}


def public_jwk(key: IssuerKey) -> Document:
    """One public key as a JWK; its ``kid`` is the address at which it stands alone."""
    return {**_members(key), "alg": ALGORITHM, "use": "sig", "kid": _kid(key)}


def find_key(*, brand: Brand, thumbprint: str) -> IssuerKey | None:
    """The brand's key with this thumbprint (RFC 7638)."""
    return next((key for key in brand.issuer_keys.all() if _thumbprint(key) == thumbprint), None)


def _members(key: IssuerKey) -> dict[str, str]:
    """What makes the key the one it is (RFC 7518, section 6.3.1); ``public_key`` is the modulus."""
    return {"e": _base64url(EXPONENT.to_bytes(3)), "kty": "RSA", "n": key.public_key}


def _kid(key: IssuerKey) -> str:
    return _address("issuer_key", key.brand.slug, _thumbprint(key))


def _thumbprint(key: IssuerKey) -> str:
    text = json.dumps(_members(key), separators=(",", ":"), sort_keys=True)
    return _base64url(hashlib.sha256(text.encode()).digest())


@transaction.atomic
def _signing_key(brand: Brand, *, now: datetime) -> tuple[IssuerKey, rsa.RSAPrivateKey]:
    """The newest key that can still be opened, or a new one, as on first use and after the secret was lost."""
    # Two who sign a brand's first credential at once must not make a key each.
    Brand.objects.select_for_update(no_key=True).get(pk=brand.pk)
    for key in brand.issuer_keys.select_related("brand").order_by("-created_at", "-pk"):
        try:
            raw = seal_for("issuer keys").decrypt(key.sealed.encode())
        except InvalidToken:
            continue
        private = load_der_private_key(raw, password=None)
        assert isinstance(private, rsa.RSAPrivateKey)
        return key, private
    private = rsa.generate_private_key(EXPONENT, KEY_BITS)
    raw = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    modulus = private.public_key().public_numbers().n
    key = IssuerKey.objects.create(
        brand=brand,
        public_key=_base64url(modulus.to_bytes(KEY_BITS // 8)),
        sealed=seal_for("issuer keys").encrypt(raw).decode(),
        created_at=now,
    )
    return key, private


# --- what a credential speaks of -----------------------------------------------------------------


def issuer_of(brand: Brand) -> Document:
    """The brand's profile as an issuer, as it stands at its address."""
    return {
        "@context": [CREDENTIALS, OPEN_BADGES],
        "id": _address("issuer", brand.slug),
        "type": ["Profile"],
        "name": brand.name,
        "url": _address("landing", brand.slug),
    }


def achievement_of(*, badge: Badge, level: int) -> Document:
    """A level of a badge as an achievement, in the language of the installation."""
    vocabulary = Vocabulary.of(badge.brand)
    with override(settings.LANGUAGE_CODE):
        # Staff may have removed a level that is still held.
        known = min(level, len(badge.levels))
        sentence = parsed_badge(badge, vocabulary=vocabulary).sentence(known, vocabulary)
        name = badge.title
        if len(badge.levels) > 1:
            name = f"{badge.title} ({Badge.Level(level).label})"
    place = (badge.brand.slug, badge.slug, level)
    return {
        "id": _address("achievement", *place),
        "type": ["Achievement"],
        "achievementType": "Badge",
        "name": name,
        "description": sentence,
        "criteria": {"narrative": sentence},
        "image": {"id": _address("achievement_image", *place), "type": "Image", "caption": name},
    }


# --- credentials ---------------------------------------------------------------------------------


def issue(*, earned: BadgeEarned, now: datetime) -> str:
    """The signed credential of an earned badge, also of one that was revoked since."""
    badge, customer = earned.badge, earned.customer
    issuer = {name: value for name, value in issuer_of(badge.brand).items() if name != "@context"}
    # Without the customer's own random number, nobody can tell which badges are one person's.
    number = uuid.uuid5(customer.public_id, f"credential {earned.pk}").urn
    holder = uuid.uuid5(customer.public_id, f"holder {earned.pk}").urn
    # A JWT counts whole seconds, and both must name the same moment.
    since = earned.earned_at.replace(microsecond=0)
    list_number, index = divmod(earned.pk, LIST_LENGTH)
    status_list = _address("credential_status", badge.brand.slug, list_number)
    achievement = achievement_of(badge=badge, level=earned.level)
    credential = {
        "@context": [CREDENTIALS, OPEN_BADGES],
        "id": number,
        "type": ["VerifiableCredential", "AchievementCredential"],
        "name": achievement["name"],
        "issuer": issuer,
        "validFrom": _moment(since),
        "awardedDate": _moment(since),
        "credentialSubject": {
            "id": holder,
            "type": ["AchievementSubject"],
            "achievement": achievement,
        },
        "credentialStatus": {
            "id": f"{status_list}#{index}",
            "type": "BitstringStatusListEntry",
            "statusPurpose": "revocation",
            "statusListIndex": str(index),
            "statusListCredential": status_list,
        },
    }
    return _sign(badge.brand, credential, since=since, now=now)


def status_list(*, brand: Brand, number: int, now: datetime) -> str | None:
    """A list that says which of the brand's credentials were revoked, signed; None if it has none of them."""
    rows = BadgeEarned.objects.filter(
        badge__brand=brand, pk__gte=number * LIST_LENGTH, pk__lt=(number + 1) * LIST_LENGTH
    )
    if not rows.exists():
        return None
    bits = bytearray(LIST_LENGTH // 8)
    for pk in rows.exclude(revoked_at=None).values_list("pk", flat=True):
        place = pk % LIST_LENGTH
        bits[place // 8] |= 0x80 >> place % 8
    address = _address("credential_status", brand.slug, number)
    since = now.replace(microsecond=0)
    credential = {
        "@context": [CREDENTIALS],
        "id": address,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": _address("issuer", brand.slug),
        "validFrom": _moment(since),
        "validUntil": _moment(since + LIST_LASTS),
        "credentialSubject": {
            "id": f"{address}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "encodedList": "u" + _base64url(gzip.compress(bytes(bits), mtime=0)),
        },
    }
    return _sign(brand, credential, since=since, until=since + LIST_LASTS, now=now)


def _sign(
    brand: Brand,
    credential: Mapping[str, Any],
    *,
    since: datetime,
    until: datetime | None = None,
    now: datetime,
) -> str:
    key, private = _signing_key(brand, now=now)
    issuer = credential["issuer"]
    claims = {
        **credential,
        "iss": issuer if isinstance(issuer, str) else issuer["id"],
        "jti": credential["id"],
        "sub": credential["credentialSubject"]["id"],
        "nbf": int(since.timestamp()),
    }
    if until:
        claims["exp"] = int(until.timestamp())
    return jwt.encode(claims, private, ALGORITHM, headers={"kid": _kid(key), "typ": "JWT"})


def _address(name: str, *arguments: str | int) -> str:
    return settings.LAUREL_SITE_URL + reverse(name, args=arguments)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
