"""Networks for tests: OpenID Connect providers in threads, as careful with codes as genuine ones.

They know no consent page: ``approve`` is what their owner's browser would do there. What Laurel sends them is kept, so
that a test can see what it did not send.
"""

import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from django.test import Client

from accounts.networks import Network, allauth_providers


class Code(NamedTuple):
    """What a code is good for, once."""

    claims: dict[str, Any]
    challenge: str
    redirect_uri: str


class Provider:
    """One network."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.codes: dict[str, Code] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.answers: list[int] = []
        self.about_people = {"/me"}
        self.is_away = False
        self.moved_to = ""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(b"")

            def do_POST(self) -> None:
                self.answer(self.rfile.read(int(self.headers["Content-Length"])))

            def answer(self, body: bytes) -> None:
                path = urlsplit(self.path).path
                provider.asked.append(path)
                form = {key: value[0] for key, value in parse_qs(body.decode()).items()}
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                status, document = provider.answer(path, form, token)
                provider.answers.append(status)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", provider.moved_to)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def network(self) -> Network:
        """How Laurel knows it."""
        return Network(
            id=self.name,
            name=self.name.capitalize(),
            scheme=self.name,
            claim="preferred_username",
            form="@{}",
            scope=("openid", "profile"),
            server_url=self.url,
            client_id=f"laurel-at-{self.name}",
            secret="hush",
        )

    def answer(self, path: str, form: dict[str, str], token: str) -> tuple[int, Any]:
        if self.is_away:
            return 503, {}
        if path.startswith("/.well-known/"):
            return 200, {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "userinfo_endpoint": f"{self.url}/me",
                "jwks_uri": f"{self.url}/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            }
        if path == "/token":
            return self._give_token(form)
        if path in self.about_people and token in self.tokens:
            return 200, self.tokens[token]
        return 404, {}

    def _give_token(self, form: dict[str, str]) -> tuple[int, Any]:
        if self.moved_to:
            return 302, {}
        code = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        is_right = (
            code is not None
            and challenge == code.challenge
            and form.get("redirect_uri") == code.redirect_uri
            and form.get("client_secret") == "hush"
        )
        if not is_right or code is None:
            return 400, {"error": "invalid_grant"}
        token = secrets.token_urlsafe()
        self.tokens[token] = code.claims
        if "sub" not in code.claims:
            # One that knows OAuth, and no OpenID Connect.
            return 200, {"access_token": token, "token_type": "Bearer"}
        about = {"iss": self.url, "aud": self.network.client_id, "exp": time.time() + 60}  # noqa: TID251
        id_token = jwt.encode(code.claims | about, "k" * 32, algorithm="HS256")
        return 200, {"access_token": token, "id_token": id_token, "token_type": "Bearer"}

    def approve(self, address: str, **claims: Any) -> str:
        """Say yes there as somebody; the address, within the site, to which the browser is sent back."""
        asked = {key: value[0] for key, value in parse_qs(urlsplit(address).query).items()}
        assert address.startswith(f"{self.url}/authorize?")
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe()
        self.codes[code] = Code(claims, asked["code_challenge"], asked["redirect_uri"])
        back = urlsplit(asked["redirect_uri"])
        return f"{back.path}?{urlencode({'code': code, 'state': asked['state']})}"

    @staticmethod
    def deny(address: str) -> str:
        """Say no there; where the browser is sent back to."""
        asked = {key: value[0] for key, value in parse_qs(urlsplit(address).query).items()}
        back = urlsplit(asked["redirect_uri"])
        return f"{back.path}?{urlencode({'error': 'access_denied', 'state': asked['state']})}"


@contextmanager
def switched_on(settings: Any, *names: str) -> Iterator[list[Provider]]:
    """Networks of these names, known to Laurel as long as the block lasts."""
    providers = [Provider(name) for name in names]
    settings.LAUREL_NETWORKS = {provider.name: provider.network for provider in providers}
    settings.SOCIALACCOUNT_PROVIDERS = allauth_providers(settings.LAUREL_NETWORKS)
    try:
        yield providers
    finally:
        for provider in providers:
            provider.close()


def leads_to(answer: Any) -> str:
    """Where the page goes on to that answers a form which leads to a network."""
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.content.decode())
    assert answer.status_code == 200, answer
    assert found, answer.content.decode()
    return unescape(found[1])


def begin(client: Client, slug: str, network: str) -> str:
    """Press "Link" on a brand's page; where that leads."""
    return leads_to(client.post(f"/b/{slug}/linked", {"connect": network}))
