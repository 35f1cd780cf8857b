"""What somebody tries who means harm, or whose program is broken: nothing breaks, and nothing is to be had by it."""

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from time_machine import travel

from accounts.pseudonyms import join_boards
from loyalty import bodies
from loyalty.bodies import BodyFirst
from loyalty.intake import forms, objections, purchases
from loyalty.intake.photos import PhotoError, read_photo
from loyalty.pages import board, guesses, purchase, sample, what_if
from scoring import foresee
from scoring.models import Action, Evidence, Objection
from tests.people import MONDAY, Person, join, record

pytestmark = pytest.mark.django_db


# --- addresses that nobody was given


@pytest.mark.parametrize("number", ["0", "-1", "9" * 20, "9" * 5000, "٣", "x"])
def test_a_place_in_the_activity_that_nobody_was_given_is_no_error_of_ours(
    customer: Person, number: str
) -> None:
    place = f"2026-11-24T10:00:00+00:00_{number}"
    answer = customer.client().get("/b/foxglove/activity", {"before": place})
    assert answer.status_code in (200, 404)


@pytest.mark.parametrize("back", ["NaN", "score", "brands", "a.b", "//evil.example/", "\\evil"])
def test_whoever_joins_goes_on_to_a_page_of_ours_and_nowhere_else(
    customer: Person, back: str
) -> None:
    answer = customer.client().get("/b/foxglove/join", {"next": back})
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/b/foxglove/score"


# --- photos made to break their reader


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_photo_whose_metadata_is_nonsense_is_refused_in_a_sentence_or_read() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "A maker"
    file = io.BytesIO()
    Image.new("RGB", (60, 40)).save(file, "JPEG", exif=exif)
    # The maker's name is told to be a number with a decimal point.
    spoilt = bytearray(file.getvalue())
    place = spoilt.index(b"\x01\x0f\x00\x02")
    for kind in range(14):
        spoilt[place + 3] = kind
        with suppress(PhotoError):
            assert b"maker" not in read_photo(io.BytesIO(bytes(spoilt)))


# --- connections that keep a thread waiting


class Sender:
    """The other end of a connection, in the place of the web server; ``app`` is what its request reaches."""

    def __init__(self, *pieces: bytes, ends: bool = True) -> None:
        self.left = [*pieces]
        self.ends = ends
        self.reached: bytes | None = None
        self.status = 0

    async def receive(self) -> Any:
        if not self.left:
            await asyncio.sleep(3600)
        piece = self.left.pop(0)
        return {
            "type": "http.request",
            "body": piece,
            "more_body": bool(self.left) or not self.ends,
        }

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)

    async def app(self, _scope: Any, receive: Any, send: Any) -> None:
        self.reached = b""
        while (message := await receive())["more_body"]:
            self.reached += message["body"]
        self.reached += message["body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def go(self) -> None:
        scope: Any = {"type": "http", "path": "/"}
        await BodyFirst(self.app)(scope, self.receive, self.send)


def run(scenario: Callable[[], Any]) -> None:
    """Run it in a thread of its own: Playwright's loop may be running in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, scenario()).result()


@pytest.mark.parametrize(
    "pieces",
    [[b""], [b"a=1"], [b"x" * 10, b"", b"y" * bodies.PIECE, b"z" * 7], [b"x" * bodies.PIECE]],
)
def test_what_is_sent_arrives_as_it_was(pieces: list[bytes]) -> None:
    sender = Sender(*pieces)
    run(sender.go)
    assert sender.status == 200
    assert sender.reached == b"".join(pieces)


def test_what_does_not_arrive_keeps_no_page_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SECONDS", 0.05)
    sender = Sender(b"a=", ends=False)
    run(sender.go)
    assert sender.status == 408
    assert sender.reached is None


def test_what_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_BYTES", 100)
    sender = Sender(b"x" * 60, b"x" * 60, ends=False)
    run(sender.go)
    assert sender.status == 413
    assert sender.reached is None


def test_pages_receive_before_they_take_a_thread() -> None:
    from loyalty import asgi

    assert isinstance(asgi.pages, BodyFirst)


# --- floods for those who decide


def test_so_many_claims_a_day_and_no_more(
    customer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purchases, "MOST_IN_A_DAY", 3)
    client = customer.client()
    claims = [
        {"amount": f"{place}.50", "bought_on": "2026-11-23", "token": str(uuid4())}
        for place in range(1, 5)
    ]
    with travel(MONDAY + timedelta(hours=8), tick=False) as clock:
        answers = [client.post("/b/foxglove/purchase", form) for form in claims]
        assert [answer.status_code for answer in answers] == [302, 302, 302, 200]
        assert "tomorrow" in answers[-1].content.decode()
        assert Action.objects.count() == 3
        # What was taken before is answered as before, however late.
        assert client.post("/b/foxglove/purchase", claims[0]).status_code == 302
        clock.shift(timedelta(days=1))
        assert client.post("/b/foxglove/purchase", claims[3]).status_code == 302


def test_no_photo_is_added_once_staff_have_decided(customer: Person, manager: Person) -> None:
    client = customer.client()
    form = {"amount": "5", "bought_on": "2026-11-23", "token": str(uuid4())}
    file = io.BytesIO()
    Image.new("RGB", (60, 40)).save(file, "JPEG")
    with travel(MONDAY + timedelta(hours=8), tick=False):
        assert client.post("/b/foxglove/purchase", form).status_code == 302
        claim = Action.objects.get()
        manager.client().post("/admin/claims/", {"claims": [claim.pk], "accept": "1"})
        assert claim.amendments.exists()
        photo = SimpleUploadedFile("a.jpg", file.getvalue())
        assert client.post("/b/foxglove/purchase", {**form, "photo": photo}).status_code == 302
    assert not Evidence.objects.exists()


def test_so_many_photos_a_day_are_looked_at_and_no_more(
    customer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purchase, "PHOTOS", 2)
    client = customer.client()
    file = io.BytesIO()
    Image.new("RGB", (60, 40)).save(file, "JPEG")
    pages = [
        client.post(
            "/b/foxglove/purchase",
            {"amount": "12.34", "photo": SimpleUploadedFile("a.jpg", file.getvalue())},
        ).content.decode()
        for _time in range(3)
    ]
    assert ["/purchase/photo/" in page for page in pages] == [True, True, False]
    assert "12.34" in pages[-1]


def test_so_many_objections_a_day_and_no_more(
    customer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objections, "MOST_IN_A_DAY", 2)
    assert customer.customer
    numbers = record(
        customer.customer, *(("purchase", MONDAY + timedelta(hours=n), 5) for n in range(3))
    )
    client = customer.client()
    with travel(MONDAY + timedelta(hours=8), tick=False):
        answers = [
            client.post(f"/b/foxglove/activity/{number}/wrong", {"text": "No"})
            for number in numbers
        ]
    assert [answer.status_code for answer in answers] == [302, 302, 200]
    assert "tomorrow" in answers[-1].content.decode()
    assert Objection.objects.count() == 2


def test_so_much_a_day_is_recorded_and_no_more(
    customer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "MOST_IN_A_DAY", 2)
    client = customer.client()
    sent = [{"quantity": "1", "when": "today", "token": str(uuid4())} for _time in range(3)]
    with travel(MONDAY + timedelta(hours=8), tick=False) as clock:
        answers = [client.post("/b/foxglove/usage", form) for form in sent]
        assert [answer.status_code for answer in answers] == [302, 302, 200]
        assert "tomorrow" in answers[-1].content.decode()
        assert client.post("/b/foxglove/usage", sent[0]).status_code == 302
        visit = {"code": "SOHO42", "token": str(uuid4())}
        assert client.post("/b/foxglove/check-in", visit).status_code == 200
        assert Action.objects.count() == 2
        clock.shift(timedelta(days=1, seconds=1))
        assert client.post("/b/foxglove/check-in", visit).status_code == 302


def test_a_form_with_very_many_files_is_refused(customer: Person) -> None:
    files = {f"photo{place}": SimpleUploadedFile("a.jpg", b"a") for place in range(20)}
    assert customer.client().post("/b/foxglove/purchase", files).status_code == 400


# --- what costs the machine much


def test_searches_for_plans_leave_most_threads_to_other_pages(
    customer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[Any] = []
    monkeypatch.setattr(foresee, "plans", lambda **asked: searched.append(asked))
    client, page = customer.client(), "/b/foxglove/what-if?goal=500&days=28"
    with what_if._searches, what_if._searches:
        assert client.get(page).status_code == 200
        assert not searched
    assert client.get(page).status_code == 200
    assert searched


def test_a_household_with_very_many_addresses_is_one_asker(
    foxglove: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "ALLOWED", 3)
    answers = [
        Client(REMOTE_ADDR=f"2001:db8::{place:x}").get(f"/b/foxglove/?n-purchase={place}")
        for place in range(1, 6)
    ]
    assert [bool(answer.context["sample"].parts) for answer in answers] == [True] * 3 + [False] * 2
    elsewhere = Client(REMOTE_ADDR="2001:db8:0:1::1").get("/b/foxglove/?n-purchase=7")
    assert elsewhere.context["sample"].parts


# --- guessing, and phones that several people use


def test_guesses_sent_at_once_are_no_more_than_five(
    customer: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each looks whether a guess is left before any other was counted."""
    monkeypatch.setattr(guesses, "are_spent", lambda _guesser: False)
    client = customer.client()
    answers = [
        client.post("/b/foxglove/check-in", {"code": code, "token": str(uuid4())}).status_code
        for code in ("A", "B", "C", "D", "E", "SOHO42")
    ]
    assert answers == [200] * 5 + [429]
    assert client.get("/b/foxglove/check-in?code=SOHO42").context["venue"] is None


def test_a_right_code_uses_no_guess_up(customer: Person) -> None:
    client = customer.client()
    for _time in range(7):
        form = {"code": "SOHO42", "token": str(uuid4())}
        assert client.post("/b/foxglove/check-in", form).status_code == 302
        assert client.get("/b/foxglove/check-in?code=SOHO42").context["venue"]


@pytest.mark.parametrize("page", ["/offline", "/b/foxglove/check-in/offline"])
def test_what_phones_keep_tells_nobody_what_was_done(customer: Person, page: str) -> None:
    client = customer.client()
    client.post("/b/foxglove/rhythm", {"days": "2"})
    assert "Your choice is kept" not in client.get(page).content.decode()
    # It is told where it belongs.
    assert "Your choice is kept" in client.get("/b/foxglove/rhythm").content.decode()


def test_a_page_for_anybody_does_not_make_the_phone_forget_whose_forms_it_keeps(
    customer: Person,
) -> None:
    client = customer.client()
    owner = client.get("/b/foxglove/outbox").json()["owner"]
    assert owner
    for page in ("score", "rules", "help", "check-in", "check-in/kept", "no-such-page"):
        shown = client.get(f"/b/foxglove/{page}").content.decode()
        assert f'data-owner="{owner}"' in shown, page
    assert 'data-owner=""' in Client().get("/b/foxglove/rules").content.decode()


def test_who_tries_name_after_name_does_not_learn_which_ones_others_have(
    customer: Person, stranger: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "NAMES", 2)
    other = join(customer.brand, "otter@example.org")
    assert other.customer
    join_boards(customer=other.customer, name="Quiet Otter")
    client = customer.client()
    said = [
        client.post("/b/foxglove/board", {"pseudonym": "quiet otter"}).content.decode()
        for _time in range(3)
    ]
    assert ["Somebody else has" in page for page in said] == [True, True, False]
    assert "very many names" in said[-1]


@pytest.mark.parametrize("number", ["9" * 20, "9" * 5000, "٣"])
def test_a_claim_that_there_is_not_is_no_error_of_ours(manager: Person, number: str) -> None:
    for form in ({"claims": [number], "accept": "1"}, {"accept_one": number}):
        assert manager.client().post("/admin/claims/", form).status_code in (302, 422)
    form = {"objection": number, "answer": "No"}
    assert manager.client().post("/admin/claims/objections/", form).status_code == 302
