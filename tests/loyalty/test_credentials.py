"""Credentials as a stranger checks them: with nothing but the token and what stands at the addresses inside."""

import base64
import gzip
import io
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from django.test import Client, override_settings
from PIL import Image
from time_machine import travel

from accounts.models import Brand, IssuerKey
from loyalty import credentials
from tests.loyalty.test_badge_pages import PAGE, make_badge, share, visit, void_last
from tests.people import MONDAY, Person, join

SITE = "http://localhost:8000"
NOW = MONDAY + timedelta(days=7)


@pytest.fixture(autouse=True)
def _a_week_later(db: None) -> Any:
    with travel(NOW, tick=False):
        yield


@pytest.fixture
def holder(foxglove: Brand, customer: Person) -> Person:
    """The customer, who holds a badge at its second level."""
    make_badge(foxglove, "regular", "Regular", [1, 2, 5])
    visit(customer, 2)
    return customer


def token_of(person: Person) -> str:
    answer = person.client().get(f"{PAGE}/credential.jwt")
    assert answer.status_code == 200
    assert answer["Content-Disposition"] == 'attachment; filename="foxglove-regular.jwt"'
    token: str = answer.content.decode()
    return token


def fetch(address: str) -> Any:
    """What a stranger finds at an address of the site."""
    assert address.startswith(SITE)
    answer = Client().get(address.removeprefix(SITE).split("#")[0])
    assert answer.status_code == 200, address
    assert answer["Access-Control-Allow-Origin"] == "*"
    return answer


def verify(token: str) -> dict[str, Any]:
    """Check a token by the published keys of its issuer alone."""
    issuer = fetch(jwt.decode(token, options={"verify_signature": False})["iss"]).json()
    keys = jwt.PyJWKSet.from_dict(fetch(f"{issuer['id']}/keys").json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(token, key, ["RS256"], options={"require": ["iss", "nbf"]})
    assert claims["iss"] == issuer["id"]
    return claims


def is_revoked(claims: dict[str, Any]) -> bool:
    """What the list says that the credential points to."""
    status = claims["credentialStatus"]
    assert status["type"] == "BitstringStatusListEntry"
    assert status["statusPurpose"] == "revocation"
    answer = fetch(status["statusListCredential"])
    assert answer["Content-Type"] == "application/vc+jwt"
    listed = verify(answer.content.decode())
    assert listed["id"] == status["statusListCredential"]
    assert listed["type"] == ["VerifiableCredential", "BitstringStatusListCredential"]
    subject = listed["credentialSubject"]
    assert subject["statusPurpose"] == "revocation"
    assert subject["encodedList"][0] == "u"
    encoded = subject["encodedList"][1:]
    bits = gzip.decompress(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    assert len(bits) * 8 >= 131_072
    index = int(status["statusListIndex"])
    return bool(bits[index // 8] >> (7 - index % 8) & 1)


# --- a credential


def test_a_credential_is_verified_by_what_is_published(holder: Person) -> None:
    claims = verify(token_of(holder))
    assert not is_revoked(claims)


def test_the_header_has_what_the_standard_allows_and_names_a_key_that_stands_alone(
    holder: Person,
) -> None:
    header = jwt.get_unverified_header(token_of(holder))
    assert header == {"alg": "RS256", "typ": "JWT", "kid": header["kid"]}
    answer = fetch(header["kid"])
    assert answer["Content-Type"] == "application/jwk+json"
    key = answer.json()
    assert key["kid"] == header["kid"]
    assert set(key) == {"alg", "e", "kid", "kty", "n", "use"}
    jwt.decode(token_of(holder), jwt.PyJWK(key), ["RS256"])


def test_a_credential_has_what_open_badges_requires(holder: Person) -> None:
    claims = verify(token_of(holder))
    assert claims["@context"] == [
        "https://www.w3.org/ns/credentials/v2",
        "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
    ]
    assert claims["type"] == ["VerifiableCredential", "AchievementCredential"]
    assert claims["name"] == "Regular (silver)"
    assert claims["validFrom"] == "2026-11-24T09:00:00Z"
    issuer = claims["issuer"]
    assert (issuer["type"], issuer["name"]) == (["Profile"], "Foxglove Coffee")
    subject = claims["credentialSubject"]
    assert subject["type"] == ["AchievementSubject"]
    achievement = subject["achievement"]
    assert achievement["type"] == ["Achievement"]
    assert {"id", "name", "description", "criteria"} <= set(achievement)
    assert fetch(achievement["id"]).json() == achievement
    assert Image.open(io.BytesIO(fetch(achievement["image"]["id"]).content)).size == (600, 600)


def test_the_claims_say_what_the_credential_says(holder: Person) -> None:
    claims = verify(token_of(holder))
    assert claims["iss"] == claims["issuer"]["id"]
    assert claims["sub"] == claims["credentialSubject"]["id"]
    assert claims["jti"] == claims["id"]
    assert datetime.fromtimestamp(claims["nbf"], UTC) == datetime.fromisoformat(claims["validFrom"])


def test_a_credential_is_the_same_each_time(holder: Person) -> None:
    assert token_of(holder) == token_of(holder)


def test_a_credential_tells_nothing_of_its_holder(foxglove: Brand, holder: Person) -> None:
    """Nor that two badges are one person's."""
    make_badge(foxglove, "other", "Other", [1])
    visit(holder, 3)
    assert holder.customer
    first = verify(token_of(holder))
    second = verify(holder.client().get("/b/foxglove/badges/other/credential.jwt").content.decode())
    text = json.dumps([first, second])
    for secret in (holder.user.email, holder.customer.pseudonym, str(holder.customer.public_id)):
        assert secret not in text
    assert first["sub"] != second["sub"]
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", first["sub"])


def test_whoever_it_is_shared_with_gets_the_same_credential(holder: Person) -> None:
    assert Client().get(f"{share(holder)}/credential.jwt").content.decode() == token_of(holder)


def test_a_picture_carries_the_credential(holder: Person) -> None:
    answer = holder.client().get(f"{PAGE}/credential.png")
    image = Image.open(io.BytesIO(answer.content))
    image.load()
    assert image.size == (1200, 630)
    assert image.text == {"openbadgecredential": token_of(holder)}  # type: ignore[attr-defined]


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_changed_credential_is_refused(part: int, holder: Person) -> None:
    parts = token_of(holder).split(".")
    middle = len(parts[part]) // 2
    letter = "A" if parts[part][middle] != "A" else "B"
    parts[part] = parts[part][:middle] + letter + parts[part][middle + 1 :]
    with pytest.raises((jwt.InvalidTokenError, UnicodeDecodeError, KeyError)):
        verify(".".join(parts))


def test_another_brands_key_does_not_verify_it(holder: Person, stranger: Person) -> None:
    keys = Client().get("/b/harbour/issuer/keys").json()["keys"]
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token_of(holder), jwt.PyJWK(keys[0]), ["RS256"])


# --- revocation


def test_a_credential_is_revoked_with_its_badge_and_no_other_with_it(
    foxglove: Brand, holder: Person
) -> None:
    other = join(foxglove, "otter@example.org")
    visit(other, 2)
    mine, theirs = verify(token_of(holder)), verify(token_of(other))
    assert holder.customer
    void_last(holder.customer)
    assert is_revoked(mine)
    assert not is_revoked(theirs)
    below = verify(token_of(holder))
    assert below["name"] == "Regular (bronze)"
    assert not is_revoked(below)


def test_a_badge_earned_anew_is_a_new_credential(holder: Person) -> None:
    before = verify(token_of(holder))
    assert holder.customer
    void_last(holder.customer)
    visit(holder, 5)
    after = verify(token_of(holder))
    assert (is_revoked(before), is_revoked(after)) == (True, False)
    assert before["id"] != after["id"]


def test_a_status_list_is_believed_for_a_day(holder: Person) -> None:
    address = verify(token_of(holder))["credentialStatus"]["statusListCredential"]
    listed = fetch(address).content.decode()
    assert "max-age=300" in fetch(address)["Cache-Control"]
    verify(listed)
    with travel(NOW + timedelta(hours=25)), pytest.raises(jwt.ExpiredSignatureError):
        verify(listed)


def test_a_list_without_credentials_of_the_brand_is_not_there(
    holder: Person, harbour: Brand
) -> None:
    number = verify(token_of(holder))["credentialStatus"]["statusListCredential"].split("/")[-1]
    assert Client().get(f"/b/harbour/credentials/status/{number}").status_code == 404
    assert Client().get("/b/foxglove/credentials/status/4000").status_code == 404


# --- keys


def test_a_brand_signs_with_one_key_and_the_private_part_is_sealed(
    foxglove: Brand, holder: Person
) -> None:
    token_of(holder)
    token_of(holder)
    key = IssuerKey.objects.get(brand=foxglove)
    assert key.public_key not in key.sealed
    assert "d" not in credentials.public_jwk(key)


def test_a_changed_secret_key_opens_with_the_former_beside_it(
    foxglove: Brand, holder: Person
) -> None:
    before = token_of(holder)
    with override_settings(SECRET_KEY="another", SECRET_KEY_FALLBACKS=["for tests only"]):
        assert token_of(holder) == before
    assert IssuerKey.objects.filter(brand=foxglove).count() == 1


def test_a_lost_secret_key_makes_a_new_key_and_old_credentials_still_hold(
    foxglove: Brand, holder: Person
) -> None:
    before = token_of(holder)
    with override_settings(SECRET_KEY="another"):
        after = token_of(holder)
        assert IssuerKey.objects.filter(brand=foxglove).count() == 2
        assert jwt.get_unverified_header(after)["kid"] != jwt.get_unverified_header(before)["kid"]
        claims = verify(before)
        assert claims == verify(after)
        assert not is_revoked(claims)


@pytest.mark.parametrize(
    "path",
    [
        "/b/nobody/issuer",
        "/b/nobody/issuer/keys",
        "/b/foxglove/issuer/keys/unknown",
        "/b/foxglove/achievements/regular/0",
        "/b/foxglove/achievements/regular/4",
        "/b/foxglove/achievements/unknown/1",
        "/b/harbour/achievements/regular/1",
        "/b/foxglove/achievements/regular/4.png",
    ],
)
def test_what_is_not_there_is_not_found(path: str, holder: Person, harbour: Brand) -> None:
    assert Client().get(path).status_code == 404
