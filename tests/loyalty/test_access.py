"""Who reaches what on the customer pages: every address of ``loyalty.pages.urls``, for every kind of person.

An address that is not in these tables fails. All are about Foxglove and, where it is somebody's, about one customer of
it, the owner. The admin has such a table of its own, in ``test_admin_access.py``.
"""

import io
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image
from time_machine import travel

from accounts.models import Brand, Customer, IssuerKey
from loyalty import credentials, csp, theme
from loyalty.pages.app import icon_mark
from loyalty.pages.urls import urlpatterns
from scoring.models import Action, ActionKind, Badge, BadgeShare, Objection, Source, Venue
from tests.loyalty.signing_in import fresh_client
from tests.people import MONDAY, Person, join, record

pytestmark = pytest.mark.django_db

NOW = MONDAY + timedelta(hours=8)
RECEIPT = "RCPT-774431"
PEOPLE = ("anonymous", "stranger", "manager", "other", "owner")
# Nobody at all, a customer of another brand, staff of this one, another customer of it, and whose it is.

ALL = (200, 200, 200, 200, 200)
# One's own page, each sees their own; who is no customer is sent to join.
OWN = (302, 302, 302, 200, 200)
# One's own login, with whatever brand.
SIGNED_IN = (302, 200, 200, 200, 200)
# A thing of the owner; for everybody else there is none.
THINGS = (302, 302, 302, 404, 200)
NONE = (405, 405, 405, 405, 405)
# A form is sent on, after it was taken or to join.
TAKEN = (302, 302, 302, 302, 302)

# The answers to PEOPLE: to GET, and to POST of an empty form.
Answers = tuple[int, int, int, int, int]
PAGES: dict[str, tuple[Answers, Answers]] = {
    "brands": (ALL, NONE),
    "landing": (ALL, NONE),
    "worker": (ALL, NONE),
    "offline": (ALL, NONE),
    "manifest": (ALL, NONE),
    "icon": (ALL, NONE),
    "outbox": (ALL, NONE),
    "look": (ALL, NONE),
    "rules": (ALL, NONE),
    "rule_changes": (ALL, NONE),
    "help": (ALL, NONE),
    "live": ((204, 204, 204, 204, 204), NONE),
    "check_in": (ALL, ALL),
    "check_in_kept": (ALL, NONE),
    "check_in_offline": (ALL, NONE),
    "shared_badge": (ALL, NONE),
    "shared_image": (ALL, NONE),
    "shared_credential": (ALL, NONE),
    "issuer": (ALL, NONE),
    "issuer_keys": (ALL, NONE),
    "issuer_key": (ALL, NONE),
    "achievement": (ALL, NONE),
    "achievement_image": (ALL, NONE),
    "credential_status": (ALL, NONE),
    # Whoever is a customer already goes on to their score; a user who sends the form becomes one.
    "join": ((200, 200, 200, 302, 302), (200, 302, 302, 302, 302)),
    "live_state": (OWN, NONE),
    "score": (OWN, NONE),
    "moved": (OWN, NONE),
    "explained": (OWN, NONE),
    "explained_json": (OWN, NONE),
    "explained_csv": (OWN, NONE),
    "source": (OWN, TAKEN),
    "what_if": (OWN, NONE),
    "activity": (OWN, NONE),
    "add": (OWN, NONE),
    "badges": (OWN, NONE),
    "badge": (OWN, NONE),
    "board_points": (OWN, NONE),
    "purchase": (OWN, OWN),
    "usage": (OWN, OWN),
    "board": (OWN, OWN),
    "rhythm": (OWN, OWN),
    "choices": (OWN, OWN),
    "joining": (OWN, TAKEN),
    "me": (OWN, OWN),
    "known": (OWN, NONE),
    "download": (OWN, NONE),
    "leave": (OWN, OWN),
    "erase_login": (SIGNED_IN, SIGNED_IN),
    "linked": (OWN, OWN),
    "receipt": (THINGS, NONE),
    "claim_photo": (THINGS, NONE),
    "kept_photo": (THINGS, NONE),
    "object": (THINGS, THINGS),
    "result": (THINGS, NONE),
    "badge_image": (THINGS, NONE),
    "badge_credential": (THINGS, NONE),
    "share_badge": (NONE, TAKEN),
}
POSTED = sorted(name for name, (_get, post) in PAGES.items() if post != NONE)


class Site:
    """Foxglove with one of everything that is the owner's; each kind of person has just signed in to a browser."""

    def __init__(self, owner: Person, other: Person, stranger: Person, manager: Person) -> None:
        assert owner.customer
        self.brand, self.owner = owner.brand, owner
        self.clients = {
            "anonymous": Client(),
            "stranger": fresh_client(stranger.user),
            "manager": fresh_client(manager.user),
            "other": fresh_client(other.user),
            "owner": fresh_client(owner.user),
        }
        Badge.objects.create(
            brand=self.brand,
            slug="regular",
            title="Regular",
            source=Source.PHYSICAL_VISITS,
            criterion="actions",
            parameters={"kinds": ["check_in"]},
            levels=[1],
        )
        record(owner.customer, ("check_in", MONDAY))
        form = {"amount": "24.90", "bought_on": "2026-11-23", "receipt_number": RECEIPT}
        form["token"] = str(uuid4())
        photo = io.BytesIO()
        Image.new("RGB", (60, 40), "red").save(photo, "JPEG")
        upload = SimpleUploadedFile("a.jpg", photo.getvalue())
        page = self.clients["owner"].post("/b/foxglove/purchase", {**form, "photo": upload})
        assert page.status_code == 302
        self.claim = Action.objects.get(kind__slug="purchase")
        self.kept = self._keep_photo(photo.getvalue())
        self.clients["owner"].post("/b/foxglove/badges/regular/share")
        self.share = BadgeShare.objects.get()
        credentials.keys_of(brand=self.brand, now=NOW)

    def _keep_photo(self, photo: bytes) -> str:
        upload = SimpleUploadedFile("a.jpg", photo)
        page = self.clients["owner"].post("/b/foxglove/purchase", {"photo": upload})
        found = re.search(r"/purchase/photo/([0-9a-f-]{36})", page.content.decode())
        assert found
        return found[1]

    @property
    def secrets(self) -> tuple[str, ...]:
        """What is the owner's own."""
        assert self.owner.customer
        customer = self.owner.customer
        return (
            self.owner.user.email,
            str(customer.public_id),
            RECEIPT,
            customer.pseudonym or "no pseudonym",
        )

    def address(self, name: str) -> str:
        """The address of that name, of the owner where it is somebody's."""
        brand, share = self.brand, self.share.public_id
        key = IssuerKey.objects.get()
        arguments: dict[str, tuple[Any, ...]] = {
            "icon": ("any", 192, icon_mark(brand)),
            "look": (theme.fingerprint(brand.colour),),
            "source": ("purchases",),
            "download": ("json",),
            "receipt": (self.claim.pk,),
            "claim_photo": (self.claim.pk,),
            "object": (self.claim.pk,),
            "result": (self.claim.pk,),
            "kept_photo": (self.kept,),
            "badge": ("regular",),
            "share_badge": ("regular",),
            "badge_image": ("regular",),
            "badge_credential": ("regular", "jwt"),
            "issuer_key": (credentials.public_jwk(key)["kid"].rpartition("/")[2],),
            "achievement": ("regular", 1),
            "achievement_image": ("regular", 1),
            "credential_status": (0,),
        }
        if name in {"brands", "worker", "offline", "live", "erase_login"}:
            return reverse(name)
        if name in {"shared_badge", "shared_image"}:
            return reverse(name, args=[share])
        if name == "shared_credential":
            return reverse(name, args=[share, "jwt"])
        return reverse(name, args=[brand.slug, *arguments.get(name, ())])


@pytest.fixture
def site(
    customer: Person, stranger: Person, manager: Person, settings: Any, tmp_path: Any
) -> Iterator[Site]:
    """The site on Monday at five."""
    settings.MEDIA_ROOT = tmp_path
    with travel(NOW, tick=False):
        yield Site(customer, join(customer.brand, "otter@example.org"), stranger, manager)


def test_every_address_is_in_the_tables() -> None:
    names = {pattern.name for pattern in urlpatterns}
    assert len(urlpatterns) == len(names)
    assert names == set(PAGES)


def check(site: Site, name: str, ask: str, answers: Answers) -> None:
    """Ask as each kind of person; nobody but the owner reads what is hers."""
    url = site.address(name)
    for person, expected in zip(PEOPLE, answers, strict=True):
        answer = getattr(site.clients[person], ask)(url)
        assert answer.status_code == expected, f"{name} {person} {ask}: {answer.status_code}"
        if person != "owner":
            said = b"".join(answer).decode("utf-8", "replace")
            assert not [secret for secret in site.secrets if secret in said], f"{name} {person}"


def test_who_reads_what(site: Site) -> None:
    for name, (answers, _posted) in PAGES.items():
        check(site, name, "get", answers)


def test_most_pages_take_no_forms(site: Site) -> None:
    for name, (_answers, posted) in PAGES.items():
        if posted == NONE:
            check(site, name, "post", NONE)


@pytest.mark.parametrize("name", POSTED)
def test_who_sends_what(site: Site, name: str) -> None:
    check(site, name, "post", PAGES[name][1])


def test_no_other_site_sends_a_form_in_somebodys_name(site: Site) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies = site.clients["owner"].cookies
    for name in POSTED:
        assert client.post(site.address(name)).status_code == 403, name


def test_another_brands_address_opens_nothing_of_this_one(
    site: Site, harbour: Brand, stranger: Person
) -> None:
    for name, (answers, _posted) in PAGES.items():
        if answers == THINGS:
            url = site.address(name).replace("/b/foxglove/", "/b/harbour/")
            assert stranger.client().get(url).status_code == 404, name


def test_every_page_says_what_may_run_on_it_and_it_is_little(site: Site) -> None:
    strict = {f"{name} {' '.join(sources)}" for name, sources in csp.STRICT.items()}
    assert not re.search("unsafe|\\*|http", " ".join(strict))
    for name in PAGES:
        policy = site.clients["owner"].get(site.address(name))["Content-Security-Policy"]
        if name in {"claim_photo", "kept_photo"}:
            assert set(policy.split("; ")) == {"default-src 'none'", "sandbox"}
        else:
            assert set(policy.split("; ")) == strict, name


def test_reading_changes_nothing(site: Site) -> None:
    """So that no link and no picture on another site does anything in somebody's name."""
    before = (Action.objects.count(), BadgeShare.objects.count(), Objection.objects.count())
    for name in PAGES:
        for client in site.clients.values():
            client.get(site.address(name), {"code": "SOHO42", "do": "leave", "stop": "1"})
    assert (
        Action.objects.count(),
        BadgeShare.objects.count(),
        Objection.objects.count(),
    ) == before


PAYLOAD = "<img src=x onerror=alert(1)>\"'"


def test_what_people_and_staff_write_is_text_on_every_page(site: Site, manager: Person) -> None:
    Objection.objects.create(action=site.claim, text=PAYLOAD, made_at=NOW)
    Brand.objects.filter(pk=site.brand.pk).update(name=PAYLOAD, promise=PAYLOAD)
    Badge.objects.update(title=PAYLOAD)
    Venue.objects.update(name=PAYLOAD)
    ActionKind.objects.filter(slug="purchase").update(label=PAYLOAD)
    Customer.objects.filter(pk=site.claim.identifier.customer_id).update(
        pseudonym=PAYLOAD, on_boards=True
    )
    # What the database keeps as it was, a customer sends anew.
    form = {"amount": "7.50", "bought_on": "2026-11-23", "token": str(uuid4()), "again": "1"}
    sent = site.clients["owner"].post("/b/foxglove/purchase", {**form, "receipt_number": PAYLOAD})
    assert sent.status_code == 302
    addresses = [site.address(name) for name in PAGES]
    addresses += [sent.headers["Location"], sent.headers["Location"].removesuffix("/result")]
    for url in addresses:
        answer = site.clients["owner"].get(url, {"code": PAYLOAD, "goal": PAYLOAD, "q-x": PAYLOAD})
        if answer.headers["Content-Type"].startswith("text/html"):
            assert "<img src=x" not in answer.content.decode(), url
        else:
            assert answer.headers.get("X-Content-Type-Options") == "nosniff", url
    queue = manager.client().get("/admin/claims/").content.decode()
    assert queue.count("&lt;img src=x") >= 3
    assert "<img src=x" not in queue
