"""Social networks and other providers by which customers link accounts, as the environment switches them on.

A network is on where its keys are set. What of an account there is kept, and under which identifier brands report it,
is said here and nowhere else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

OPENID = "openid_connect"
_ID = re.compile(r"[a-z][a-z0-9]{1,29}")
# Schemes of identifiers that are no network's.
_TAKEN = {"laurel", "email", "card", "phone", "device", "erased"}


class NetworkError(ValueError):
    """A network is switched on by halves; says in a sentence what is missing."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """One network that is on.

    ``id`` stands in addresses and with each account, ``scheme`` in identifiers. ``claim`` names what of an account
    brands report it by (empty: the number that never changes), and ``form`` how they write it: ``@{}`` makes
    ``birdsong:@rowan``. ``uid_field`` is where the network says that number, where that is not ``sub``.
    """

    id: str
    name: str
    scheme: str
    provider: str = OPENID
    claim: str = ""
    form: str = "{}"
    uid_field: str = ""
    reads: str | Promise = ""
    scope: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    has_pkce: bool = True
    server_url: str = ""
    overrides: Mapping[str, str] = field(default_factory=dict)
    client_id: str = ""
    secret: str = field(default="", repr=False)

    def handle_of(self, uid: str, told: Mapping[str, Any]) -> str:
        """The value of an account's identifier, from what the network told of it; empty where it did not say."""
        value = str(told.get(self.claim) or "").strip() if self.claim else uid
        return self.form.format(value) if value else ""

    def is_configured_by(self) -> dict[str, Any]:
        """This network as one application of allauth."""
        if self.provider != OPENID:
            return {"client_id": self.client_id, "secret": self.secret}
        settings: dict[str, Any] = {
            "server_url": self.server_url,
            "oauth_pkce_enabled": True,
            "scope": list(self.scope),
            "openid_configuration_overrides": dict(self.overrides),
        }
        if self.uid_field:
            settings["uid_field"] = self.uid_field
        return {
            "provider_id": self.id,
            "name": self.name,
            "client_id": self.client_id,
            "secret": self.secret,
            "settings": settings,
        }


_NAME_AND_HANDLE = _("Your name there and your handle. Not your posts, not your followers.")

# Each with a pair of variables, LAUREL_GOOGLE_CLIENT_ID and LAUREL_GOOGLE_SECRET.
KNOWN = (
    Network(
        id="google",
        name="Google",
        scheme="google",
        provider="google",
        scope=("openid", "profile"),
        reads=_("Your name there and your number there. Not your mail, not your contacts."),
    ),
    Network(
        id="facebook",
        name="Facebook",
        scheme="facebook",
        provider="facebook",
        scope=("public_profile",),
        fields=("id", "name"),
        has_pkce=False,
        reads=_("Your name there and your number there. Not your posts, not your friends."),
    ),
    Network(
        id="twitter_oauth2",
        name="X",
        scheme="x",
        provider="twitter_oauth2",
        claim="username",
        form="@{}",
        scope=("users.read", "tweet.read"),
        fields=("id", "name", "username"),
        reads=_NAME_AND_HANDLE,
    ),
    Network(
        id="strava",
        name="Strava",
        scheme="strava",
        provider="strava",
        scope=("read",),
        has_pkce=False,
        reads=_("Your name there and your number there. Not what you did, nor where you were."),
    ),
)


def networks_of(environment: Mapping[str, str]) -> dict[str, Network]:
    """The networks that the environment switches on, by their id.

    Raises NetworkError where one is switched on by halves.
    """
    on = [*_known(environment), *_mastodon(environment), *_openid(environment)]
    return {network.id: network for network in on}


def _known(environment: Mapping[str, str]) -> list[Network]:
    found = []
    for network in KNOWN:
        keys = _pair(environment, f"LAUREL_{network.scheme.upper()}", network.name)
        if keys:
            found.append(replace(network, client_id=keys[0], secret=keys[1]))
    return found


def _mastodon(environment: Mapping[str, str]) -> list[Network]:
    keys = _pair(environment, "LAUREL_MASTODON", "Mastodon")
    url = environment.get("LAUREL_MASTODON_URL", "").rstrip("/")
    if not keys and not url:
        return []
    if not keys or not url:
        raise NetworkError(
            "Set LAUREL_MASTODON_URL, LAUREL_MASTODON_CLIENT_ID and LAUREL_MASTODON_SECRET, or none of them."
        )
    host = urlsplit(_checked(url, "LAUREL_MASTODON_URL")).netloc
    return [
        Network(
            id="mastodon",
            name=f"Mastodon ({host})",
            scheme="mastodon",
            claim="username",
            form=f"@{{}}@{host}",
            uid_field="id",
            scope=("profile",),
            # It is OAuth with a document of its own, and answers who somebody is at an address of its own.
            server_url=f"{url}/.well-known/oauth-authorization-server",
            overrides={"userinfo_endpoint": f"{url}/api/v1/accounts/verify_credentials"},
            client_id=keys[0],
            secret=keys[1],
            reads=_NAME_AND_HANDLE,
        )
    ]


def _openid(environment: Mapping[str, str]) -> list[Network]:
    names = [name.strip() for name in environment.get("LAUREL_OIDC", "").split(",") if name.strip()]
    reserved = _TAKEN | {network.id for network in KNOWN} | {network.scheme for network in KNOWN}
    found: list[Network] = []
    for name in names:
        taken = reserved | {"mastodon", "birdsong"} | {network.id for network in found}
        if not _ID.fullmatch(name) or name in taken:
            raise NetworkError(
                f"LAUREL_OIDC lists names of small letters and digits that nothing else has; {name!r} is none."
            )
        prefix = f"LAUREL_OIDC_{name.upper()}"
        keys = _pair(environment, prefix, name)
        url = environment.get(f"{prefix}_URL", "")
        if not keys or not url:
            raise NetworkError(
                f"LAUREL_OIDC lists {name}: set {prefix}_URL, {prefix}_CLIENT_ID and {prefix}_SECRET."
            )
        found.append(
            Network(
                id=name,
                name=environment.get(f"{prefix}_NAME", "") or name.capitalize(),
                scheme=name,
                claim=environment.get(f"{prefix}_CLAIM", ""),
                scope=("openid", "profile"),
                server_url=_checked(url, f"{prefix}_URL"),
                client_id=keys[0],
                secret=keys[1],
                reads=_("Your name there and what it knows you by. Nothing else."),
            )
        )
    return found


def birdsong(*, url: str, client_id: str, secret: str) -> Network:
    """The network of the demo, at its address on this machine."""
    return Network(
        id="birdsong",
        name="Birdsong",
        scheme="birdsong",
        claim="preferred_username",
        form="@{}",
        scope=("openid", "profile"),
        server_url=url,
        client_id=client_id,
        secret=secret,
        reads=_NAME_AND_HANDLE,
    )


def allauth_providers(networks: Mapping[str, Network]) -> dict[str, dict[str, Any]]:
    """The networks as allauth's SOCIALACCOUNT_PROVIDERS."""
    providers: dict[str, dict[str, Any]] = {}
    for network in networks.values():
        provider = providers.setdefault(network.provider, {"APPS": []})
        provider["APPS"].append(network.is_configured_by())
        if network.provider != OPENID:
            provider |= {"SCOPE": list(network.scope), "OAUTH_PKCE_ENABLED": network.has_pkce}
            if network.fields:
                provider["FIELDS"] = list(network.fields)
    return providers


def allauth_apps(networks: Mapping[str, Network]) -> list[str]:
    """The Django apps of the networks' providers; that of OpenID Connect is always there."""
    names = {OPENID} | {network.provider for network in networks.values()}
    return [f"allauth.socialaccount.providers.{name}" for name in sorted(names)]


def _pair(environment: Mapping[str, str], prefix: str, name: str) -> tuple[str, str] | None:
    client_id = environment.get(f"{prefix}_CLIENT_ID", "")
    secret = environment.get(f"{prefix}_SECRET", "")
    if bool(client_id) != bool(secret):
        missing = f"{prefix}_SECRET" if client_id else f"{prefix}_CLIENT_ID"
        raise NetworkError(f"Set {missing} too, or neither: {name} needs both of its keys.")
    return (client_id, secret) if client_id else None


def _checked(url: str, variable: str) -> str:
    """The URL, if what is sent there cannot be read on the way: what comes back is believed because of that."""
    if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
        raise NetworkError(f"{variable} must begin with https://, and is {url!r}.")
    return url
