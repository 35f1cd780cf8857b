"""What Birdsong tells applications about people, and the key by which it signs that."""

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from allauth.idp.oidc.models import Client, PrivateKey
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth.models import User
from django.utils.functional import Promise

from loyalty.demo.birdsong import settings

BITS = 2048


class Provider(DefaultOIDCAdapter):  # type: ignore[misc]
    """Tells a name and a handle, and nothing else."""

    scope_display: ClassVar[dict[str, str | Promise]] = {
        "openid": "See that it is you",
        "profile": "See your name and your handle",
    }

    def get_issuer(self) -> str:
        """Where Birdsong is, however it was reached."""
        return settings.BIRDSONG_URL

    def get_claims(
        self,
        purpose: Literal["id_token", "userinfo"],
        user: User,
        client: Client,
        scopes: Iterable[str],
        email: str | None = None,
        **_rest: Any,
    ) -> dict[str, Any]:
        """Who somebody is."""
        claims = {"sub": self.get_user_sub(client, user)}
        if "profile" in scopes:
            claims |= {"name": user.get_full_name(), "preferred_username": user.get_username()}
        return claims

    def list_private_keys(self, **_which: Any) -> list[PrivateKey]:
        """The one key there is."""
        return [PrivateKey(pem=settings.KEY_FILE.read_text())]


def make_key() -> None:
    """Make the signing key, unless there is one already."""
    if settings.KEY_FILE.exists():
        return
    key = rsa.generate_private_key(public_exponent=65537, key_size=BITS)
    unfinished = settings.KEY_FILE.with_suffix(".new")
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    unfinished.replace(settings.KEY_FILE)
