"""Networks as the environment switches them on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from accounts.networks import (
    KNOWN,
    Network,
    NetworkError,
    allauth_apps,
    allauth_providers,
    birdsong,
    networks_of,
)

TREE = Path(__file__).parent.parent.parent
MASTODON = {
    "LAUREL_MASTODON_URL": "https://social.example/",
    "LAUREL_MASTODON_CLIENT_ID": "m",
    "LAUREL_MASTODON_SECRET": "s",
}
TWO = {
    "LAUREL_OIDC": "acme, club",
    "LAUREL_OIDC_ACME_URL": "https://id.acme.example",
    "LAUREL_OIDC_ACME_CLIENT_ID": "a",
    "LAUREL_OIDC_ACME_SECRET": "s",
    "LAUREL_OIDC_CLUB_URL": "https://club.example/realms/all",
    "LAUREL_OIDC_CLUB_CLIENT_ID": "c",
    "LAUREL_OIDC_CLUB_SECRET": "s",
    "LAUREL_OIDC_CLUB_NAME": "The Club",
    "LAUREL_OIDC_CLUB_CLAIM": "member",
}
PAIRS = {
    f"LAUREL_{network.scheme.upper()}_{key}": "k" for network in KNOWN for key in ("CLIENT_ID", "SECRET")
}  # fmt: skip
ALL = PAIRS | MASTODON | TWO


def test_nothing_is_on_by_itself() -> None:
    assert networks_of({}) == {}
    assert allauth_apps({}) == ["allauth.socialaccount.providers.openid_connect"]


def test_what_has_its_keys_is_on() -> None:
    assert list(networks_of(ALL)) == [
        *(network.id for network in KNOWN),
        *("mastodon", "acme", "club"),
    ]
    assert list(networks_of({"LAUREL_X_CLIENT_ID": "x", "LAUREL_X_SECRET": "s"})) == [
        "twitter_oauth2"
    ]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"LAUREL_GOOGLE_CLIENT_ID": "g"}, "Set LAUREL_GOOGLE_SECRET too, or neither"),
        ({"LAUREL_X_SECRET": "s"}, "Set LAUREL_X_CLIENT_ID too, or neither"),
        ({"LAUREL_MASTODON_URL": "https://a.example"}, "or none of them"),
        ({**MASTODON, "LAUREL_MASTODON_URL": ""}, "or none of them"),
        ({**MASTODON, "LAUREL_MASTODON_URL": "http://a.example"}, "must begin with https://"),
        ({"LAUREL_OIDC": "acme"}, "set LAUREL_OIDC_ACME_URL"),
        ({**TWO, "LAUREL_OIDC_ACME_SECRET": ""}, "Set LAUREL_OIDC_ACME_SECRET too"),
        ({**TWO, "LAUREL_OIDC_ACME_URL": "http://id.acme.example"}, "must begin with https://"),
        ({"LAUREL_OIDC": "Acme"}, "small letters and digits"),
        ({"LAUREL_OIDC": "email"}, "that nothing else has"),
        ({"LAUREL_OIDC": "google"}, "that nothing else has"),
        ({"LAUREL_OIDC": "x"}, "small letters and digits"),
        ({"LAUREL_OIDC": "birdsong"}, "that nothing else has"),
    ],
)
def test_half_a_network_is_refused_with_a_sentence(environment: dict[str, str], said: str) -> None:
    with pytest.raises(NetworkError, match="LAUREL_") as refused:
        networks_of(environment)
    assert said in str(refused.value)


def test_a_name_twice_is_one_too_many() -> None:
    with pytest.raises(NetworkError, match="'acme' is none"):
        networks_of({**TWO, "LAUREL_OIDC": "acme,acme"})


def test_a_secret_is_in_no_text_about_a_network() -> None:
    network = birdsong(url="http://localhost:1", client_id="laurel", secret="very secret")
    assert "very secret" not in repr(network)


@pytest.mark.parametrize(
    ("network", "uid", "told", "value"),
    [
        ("google", "108", {"sub": "108", "name": "R"}, "108"),
        ("twitter_oauth2", "9", {"id": "9", "username": "Rowan_T"}, "@Rowan_T"),
        ("mastodon", "3", {"id": "3", "username": "rowan"}, "@rowan@social.example"),
        ("acme", "u1", {"sub": "u1", "preferred_username": "rowan"}, "u1"),
        ("club", "u2", {"sub": "u2", "member": 4711}, "4711"),
        ("club", "u2", {"sub": "u2"}, ""),
    ],
)
def test_brands_report_an_account_by(
    network: str, uid: str, told: dict[str, object], value: str
) -> None:
    assert networks_of(ALL)[network].handle_of(uid, told) == value


def test_every_network_says_what_is_read_and_asks_for_little() -> None:
    for network in networks_of(ALL).values():
        assert str(network.reads).endswith(".")
        assert not {"email", "openid email"} & set(network.scope)
    providers = allauth_providers(networks_of(ALL))
    assert [app["provider_id"] for app in providers["openid_connect"]["APPS"]] == [
        "mastodon",
        "acme",
        "club",
    ]
    assert all(app["settings"]["oauth_pkce_enabled"] for app in providers["openid_connect"]["APPS"])
    assert providers["google"]["OAUTH_PKCE_ENABLED"]


def start(environment: dict[str, str], *code: str) -> subprocess.CompletedProcess[str]:
    """What a process that is started with these variables says."""
    return subprocess.run(
        [sys.executable, "-c", "\n".join(("import django", "django.setup()", *code))],
        cwd=TREE,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_laurel_starts_with_every_network_and_each_has_its_address() -> None:
    said = start(
        ALL,
        "from django.urls import resolve",
        "from loyalty.templatetags.linked import networks",
        "for door in networks(): print(door.address, resolve(f'{door.address}callback/').url_name)",
    )
    assert said.stderr == ""
    assert said.stdout.splitlines() == [
        *(
            f"/accounts/{name}/login/ {name}_callback"
            for name in ("google", "facebook", "twitter_oauth2", "strava")
        ),
        *(
            f"/accounts/oidc/{name}/login/ openid_connect_callback"
            for name in ("mastodon", "acme", "club")
        ),
    ]


def test_laurel_does_not_start_with_half_a_network_or_birdsong_in_earnest() -> None:
    said = start({"LAUREL_STRAVA_SECRET": "s"})
    assert said.stderr.splitlines()[-1].endswith(
        "Set LAUREL_STRAVA_CLIENT_ID too, or neither: Strava needs both of its keys."
    )
    earnest = {
        "LAUREL_DEMO": "false",
        "LAUREL_SITE_URL": "https://loyalty.example.org",
        "EMAIL_URL": "consolemail://",
        "LAUREL_BIRDSONG_URL": "http://localhost:8001",
    }
    assert "LAUREL_BIRDSONG_URL is for the demo" in start(earnest).stderr


def test_the_demos_network_is_as_any_other() -> None:
    network = birdsong(url="http://localhost:8001", client_id="laurel", secret="s")
    assert isinstance(network, Network)
    assert network.handle_of("1", {"preferred_username": "rowan"}) == "@rowan"
