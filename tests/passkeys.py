"""A device that holds passkeys, made of software: what it answers is signed as a real one's would be."""

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData

FLAG = AuthenticatorData.FLAG


@dataclass
class Passkey:
    """One passkey of a user on one site."""

    user_handle: str
    site: str = "testserver"
    name: bytes = b"a passkey of tests"
    checks_holder: bool = True
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def made(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to a site that asks to make it."""
        public = ES256.from_cryptography_key(self.private.public_key())  # type: ignore[no-untyped-call]
        known = AttestedCredentialData.create(Aaguid.NONE, self.name, public)
        data = AuthenticatorData.create(self._site_hash(), self._flags() | FLAG.AT, 0, bytes(known))
        said = AttestationObject.create("none", data, {})
        told = self._told("webauthn.create", options)
        response = {
            "clientDataJSON": websafe_encode(told),
            "attestationObject": websafe_encode(said),
        }
        return self._credential(response, {"credProps": {"rk": True}})

    def used(self, options: dict[str, Any]) -> dict[str, Any]:
        """The answer to a site that asks to sign in with it."""
        data = AuthenticatorData.create(self._site_hash(), self._flags(), 1)
        told = self._told("webauthn.get", options)
        signature = self.private.sign(data + sha256(told).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": websafe_encode(told),
            "authenticatorData": websafe_encode(data),
            "signature": websafe_encode(signature),
            "userHandle": self.user_handle,
        }
        return self._credential(response, {})

    def _flags(self) -> FLAG:
        return FLAG.UP | FLAG.UV if self.checks_holder else FLAG.UP

    def _site_hash(self) -> bytes:
        return sha256(self.site.encode()).digest()

    def _told(self, kind: str, options: dict[str, Any]) -> bytes:
        challenge = options["publicKey"]["challenge"]
        told = {"type": kind, "challenge": challenge, "origin": f"https://{self.site}"}
        return json.dumps(told).encode()

    def _credential(self, response: dict[str, Any], extensions: dict[str, Any]) -> dict[str, Any]:
        name = websafe_encode(self.name)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": response,
            "clientExtensionResults": extensions,
        }
