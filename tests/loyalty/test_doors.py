"""The doors as people meet them: photos, claims, check-ins before joining and from the outbox, objections."""

import io
import re
import struct
import uuid
import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from time_machine import travel

from accounts.models import Brand, StaffRole, User
from loyalty.intake import photos
from loyalty.intake.photos import PhotoError, read_photo
from scoring.models import Action, Evidence, Objection
from tests.people import MONDAY, Person, join, record, score_all_due

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
NOW = MONDAY + 8 * HOUR
JSON = {"HTTP_ACCEPT": "application/json"}
GPS = 0x8825


@pytest.fixture(autouse=True)
def clock(settings: Any, tmp_path: Any) -> Iterator[Any]:
    """It is Monday at five, and files go to a folder of their own."""
    settings.MEDIA_ROOT = tmp_path
    with travel(NOW, tick=False) as clock:
        yield clock


def picture(
    size: tuple[int, int] = (60, 40), kind: str = "JPEG", *, turned: bool = False, **save: Any
) -> bytes:
    """A picture whose left half is red, with where and by whom it was taken."""
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1]))
    exif = Image.Exif()
    exif[0x010F] = "Maker of phones"
    if turned:
        exif[0x0112] = 6
    exif.get_ifd(GPS)[1] = "N"
    exif.get_ifd(GPS)[2] = (51.0, 30.0, 0.0)
    out = io.BytesIO()
    image.save(out, kind, exif=exif, **save)
    return out.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims to have so many pixels, and is small."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def opened(photo: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(photo))
    image.load()
    return image


# --- photos


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_is_drawn_anew_without_metadata(kind: str) -> None:
    save: Any = {"comment": b"secret"} if kind == "JPEG" else {}
    given = picture(kind=kind, **save)
    assert b"Maker of phones" in given
    photo = read_photo(io.BytesIO(given))
    image = opened(photo)
    assert (image.format, image.size, image.mode) == ("JPEG", (60, 40), "RGB")
    assert not dict(image.getexif())
    assert "comment" not in image.info
    assert b"Maker" not in photo
    assert b"secret" not in photo


def test_a_photo_stands_upright() -> None:
    image = opened(read_photo(io.BytesIO(picture(turned=True))))
    assert image.size == (40, 60)
    red = image.getpixel((20, 5))
    assert isinstance(red, tuple)
    assert red[0] > 200
    assert red[2] < 60


def test_a_large_photo_is_made_smaller() -> None:
    image = opened(read_photo(io.BytesIO(picture((5000, 2500)))))
    assert image.size == (2000, 1000)
    assert opened(photos.thumbnail(read_photo(io.BytesIO(picture((5000, 2500)))))).size == (
        480,
        240,
    )


def test_what_shines_through_becomes_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(out, "PNG")
    assert opened(read_photo(out)).getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no photo"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no photo"),
        (b"%PDF-1.7 not a picture", "no photo"),
        (b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "no photo"),
        (b"\xff\xd8\xff\xe0 a JPEG's first bytes and no more", "no photo"),
        (picture()[:400], "no photo"),
        (png_of(6000, 5000), "too many pixels"),
        (png_of(10_000, 10_000), "too many pixels"),
        (png_of(60_000, 60_000), "too many pixels"),
        (png_of(100, 100), "no photo"),
    ],
)
def test_what_is_no_photo_is_refused_with_a_sentence(content: bytes, words: str) -> None:
    with pytest.raises(PhotoError, match=words):
        read_photo(io.BytesIO(content))


def test_a_file_of_more_than_ten_megabytes_is_refused_unread() -> None:
    with pytest.raises(PhotoError, match="10 MB"):
        read_photo(io.BytesIO(picture()), size=photos.MOST_BYTES + 1)


# --- claims


def upload(content: bytes, name: str = "x.jpg", kind: str = "image/jpeg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, kind)


def claim(client: Client, **changes: Any) -> Any:
    """Send the claim's form, filled in; a value of None leaves its field out."""
    extra = changes.pop("extra", {})
    form = {
        "amount": "24.90",
        "venue": "soho",
        "bought_on": "2026-11-21",
        "bought_at": "10:15",
        "receipt_number": "8123",
        "token": uuid.uuid4(),
    } | changes
    given = {name: value for name, value in form.items() if value is not None}
    return client.post("/b/foxglove/purchase", given, **extra)


def test_a_claim_comes_with_its_photo_and_the_time_on_the_receipt(customer: Person) -> None:
    client = customer.client()
    token = uuid.uuid4()
    for _time in range(2):
        sent = claim(client, photo=upload(picture()), token=token)
        assert sent.status_code == 302
    action = Action.objects.get()
    assert action.occurred_at.isoformat() == "2026-11-21T10:15:00+00:00"
    evidence = Evidence.objects.get()
    assert evidence.action_id == action.pk
    assert re.fullmatch(r"evidence/../[0-9a-f]{32}\.jpg", evidence.photo.name or "")
    page = client.get(f"/b/foxglove/activity/{action.pk}").content.decode()
    assert f"/b/foxglove/activity/{action.pk}/photo" in page
    assert "Usually decided within two days" in page


def test_a_photo_survives_what_is_wrong_with_the_rest(customer: Person) -> None:
    client = customer.client()
    page = claim(client, photo=upload(picture()), amount="lots")
    html = page.content.decode()
    assert "Your photo was kept" in html
    kept = re.search(r'name="kept" value="([^"]+)"', html)
    assert kept
    shown = client.get(f"/b/foxglove/purchase/photo/{kept[1]}")
    assert shown["Content-Type"] == "image/jpeg"
    assert claim(client, kept=kept[1]).status_code == 302
    assert Evidence.objects.count() == 1
    assert client.get(f"/b/foxglove/purchase/photo/{kept[1]}").status_code == 404


def test_a_kept_photo_is_nobody_elses(customer: Person) -> None:
    html = claim(customer.client(), photo=upload(picture()), amount="x").content.decode()
    kept = re.search(r'name="kept" value="([^"]+)"', html)
    assert kept
    neighbour = join(customer.brand, "lee@example.org").client()
    assert neighbour.get(f"/b/foxglove/purchase/photo/{kept[1]}").status_code == 404
    page = claim(neighbour, kept=kept[1])
    assert "Your photo is gone" in page.content.decode()
    assert not Action.objects.exists()


def test_a_kept_photo_that_is_gone_is_said_to_be(customer: Person) -> None:
    client = customer.client()
    html = claim(client, photo=upload(picture()), amount="x").content.decode()
    kept = re.search(r'name="kept" value="([^"]+)"', html)
    assert kept
    cache.clear()
    html = claim(client, kept=kept[1]).content.decode()
    assert html.count("What you typed was kept") == 2
    assert 'name="kept"' not in html
    assert 'value="24.90"' in html


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"GIF89a no photo", "no photo that can be read"),
        (png_of(60_000, 60_000), "too many pixels"),
        (b"\0" * (photos.MOST_BYTES + 1), "larger than 10 MB"),
    ],
    ids=["wrong type", "bomb", "huge"],
)
def test_a_photo_that_will_not_do_loses_nothing_else(
    content: bytes, words: str, customer: Person
) -> None:
    page = claim(customer.client(), photo=upload(content))
    html = page.content.decode()
    assert html.count(words) == 2
    assert html.count("What you typed was kept") == 2
    assert 'value="8123"' in html
    assert not Action.objects.exists()


def test_what_looks_alike_is_asked_about_once_and_gently(customer: Person) -> None:
    client = customer.client()
    claim(client, photo=upload(picture()))
    page = claim(client, receipt_number="", photo=upload(picture()))
    html = page.content.decode()
    assert "Is this another purchase?" in html
    assert "£24.90, 21 November 2026" in html
    kept = re.search(r'name="kept" value="([^"]+)"', html)
    assert kept
    assert Action.objects.count() == 1
    claim(client, receipt_number="", kept=kept[1], again="1")
    assert Action.objects.count() == 2
    assert Evidence.objects.count() == 2


def test_the_outbox_gets_an_address_or_a_reason(customer: Person) -> None:
    client = customer.client()
    refused = claim(client, amount="x", extra=JSON)
    assert refused.status_code == 200
    assert refused.json() == {"reason": "Enter the total as an amount, such as £24.90"}
    taken = claim(client, photo=upload(picture()), extra=JSON)
    action = Action.objects.get()
    assert taken.json() == {"url": f"/b/foxglove/activity/{action.pk}/result"}
    alike = claim(client, extra=JSON)
    assert "registered before" in alike.json()["reason"]


# --- who sees a photo


@pytest.fixture
def photographed(customer: Person) -> Action:
    claim(customer.client(), photo=upload(picture()))
    return Action.objects.get()


def staff(brand: Brand, role: StaffRole.Role) -> Client:
    user = User.objects.create_user(f"{role}@{brand.slug}.example")
    StaffRole.objects.create(brand=brand, user=user, role=role)
    return Person(user, brand).client()


def test_a_photo_is_for_its_owner_and_for_who_decides(
    photographed: Action, customer: Person, stranger: Person
) -> None:
    own = f"/b/foxglove/activity/{photographed.pk}/photo"
    of_staff = f"/admin/claims/{photographed.pk}/photo"
    neighbour = join(customer.brand, "lee@example.org")
    clients = {
        "owner": customer.client(),
        "neighbour": neighbour.client(),
        "stranger": stranger.client(),
        "manager": staff(customer.brand, StaffRole.Role.MANAGER),
        "marketer": staff(customer.brand, StaffRole.Role.MARKETER),
        "other manager": staff(stranger.brand, StaffRole.Role.MANAGER),
        "anonymous": Client(),
    }
    answers = {
        name: (client.get(own).status_code, client.get(of_staff).status_code)
        for name, client in clients.items()
    }
    assert answers == {
        "owner": (200, 302),
        "neighbour": (404, 302),
        "stranger": (302, 302),
        "manager": (302, 200),
        "marketer": (302, 403),
        "other manager": (302, 404),
        "anonymous": (302, 302),
    }


@pytest.mark.parametrize("small", ["", "?small"])
def test_a_photo_is_served_as_nothing_but_a_picture(
    small: str, photographed: Action, customer: Person, manager: Person
) -> None:
    for client, address in (
        (customer.client(), f"/b/foxglove/activity/{photographed.pk}/photo"),
        (manager.client(), f"/admin/claims/{photographed.pk}/photo"),
    ):
        response = client.get(address + small)
        assert response["Content-Type"] == "image/jpeg"
        assert response["X-Content-Type-Options"] == "nosniff"
        policy = set(response["Content-Security-Policy"].split("; "))
        assert policy == {"default-src 'none'", "sandbox"}
        assert "private" in response["Cache-Control"]
        assert response.content[:3] == b"\xff\xd8\xff"


def test_there_is_no_address_of_the_file_itself(photographed: Action) -> None:
    name = photographed.evidence.photo.name
    for address in (f"/media/{name}", f"/{name}", f"/static/{name}"):
        assert Client().get(address).status_code == 404


def test_the_queue_shows_photo_and_what_is_alike(
    photographed: Action, customer: Person, manager: Person
) -> None:
    claim(join(customer.brand, "lee@example.org").client(), amount="7")
    claim(customer.client(), receipt_number="", again="1")
    html = manager.client().get("/admin/claims/").content.decode()
    assert f"/admin/claims/{photographed.pk}/photo?small" in html
    assert html.count("Number used by somebody else") == 2
    assert html.count("Perhaps twice") == 2


# --- checking in before joining


def check_in(client: Client, code: str = "SOHO42", **fields: Any) -> Any:
    extra = fields.pop("extra", {})
    form = {"code": code, "token": uuid.uuid4()} | fields
    return client.post("/b/foxglove/check-in", form, **extra)


def test_a_check_in_before_joining_counts_once_at_its_own_time(foxglove: Brand, clock: Any) -> None:
    client = Client()
    token = uuid.uuid4()
    for _time in range(2):
        sent = check_in(client, token=token)
        assert sent["Location"] == "/b/foxglove/check-in/kept"
    page = client.get("/b/foxglove/check-in/kept").content.decode()
    assert "Join to have it count" in page
    assert page.count("<b>Soho</b>") == 1
    assert not Action.objects.exists()

    clock.shift(2 * 24 * HOUR)
    client.force_login(
        join(foxglove, "new@example.org").user,
        backend="django.contrib.auth.backends.ModelBackend",
    )
    page = client.get("/b/foxglove/score").content.decode()
    assert "counts now, at its own time" in page
    action = Action.objects.get()
    assert (action.occurred_at, action.received_at) == (NOW, NOW + 48 * HOUR)
    assert action.external_id == str(token)
    client.get("/b/foxglove/score")
    check_in(client, token=token)
    assert Action.objects.count() == 1


def test_what_is_kept_is_a_handful_and_for_a_week(foxglove: Brand, clock: Any) -> None:
    client = Client()
    for _time in range(5):
        assert check_in(client).status_code == 302
    assert "five check-ins already" in check_in(client).content.decode()
    clock.shift(timedelta(days=7, seconds=1))
    client.force_login(
        join(foxglove, "new@example.org").user,
        backend="django.contrib.auth.backends.ModelBackend",
    )
    client.get("/b/foxglove/score")
    assert not Action.objects.exists()
    assert "check-ins" not in client.session


def test_what_is_kept_for_one_brand_is_none_of_anothers(foxglove: Brand, stranger: Person) -> None:
    client = stranger.client()
    check_in(client)
    client.get("/b/harbour/score")
    assert not Action.objects.exists()
    assert "Soho" in client.get("/b/foxglove/check-in/kept").content.decode()


def test_strangers_guess_five_times(foxglove: Brand) -> None:
    for number in range(5):
        # Neither a new session nor a link's address gives new guesses.
        client = Client()
        if number % 2:
            assert check_in(client, "NOPE").status_code == 200
        else:
            assert client.get("/b/foxglove/check-in?code=NOPE").status_code == 200
    assert check_in(Client()).status_code == 429
    assert "Soho" not in Client().get("/b/foxglove/check-in?code=SOHO42").content.decode()
    assert check_in(Client(), REMOTE_ADDR="10.0.0.7", extra=JSON).status_code == 429
    elsewhere = Client(REMOTE_ADDR="10.0.0.7")
    assert check_in(elsewhere).status_code == 302


# --- what waited on a phone


@pytest.mark.parametrize(
    ("waited", "ago", "is_told"),
    [
        ("", 0, False),
        ("0", 0, False),
        ("5400", 5400, False),
        (str(48 * 3600), 48 * 3600, False),
        (str(48 * 3600 + 1), 0, True),
        ("-300", 0, True),
        ("9" * 15, 0, True),
        ("x", 0, True),
    ],
)
def test_what_waited_on_a_phone_counts_at_its_own_time_within_limits(
    waited: str, ago: int, is_told: bool, customer: Person
) -> None:
    client = customer.client()
    sent = check_in(client, waited=waited, extra=JSON)
    action = Action.objects.get()
    assert sent.json() == {"url": f"/b/foxglove/activity/{action.pk}/result"}
    assert action.occurred_at == NOW - timedelta(seconds=ago)
    told = "counts as of now" in client.get(sent.json()["url"]).content.decode()
    assert told == is_told


def test_the_outbox_sends_a_check_in_twice_and_it_counts_once(customer: Person, clock: Any) -> None:
    client = customer.client()
    token = uuid.uuid4()
    first = check_in(client, token=token, waited="60", extra=JSON).json()
    clock.shift(HOUR)
    second = check_in(client, token=token, waited="3660", extra=JSON).json()
    assert first == second
    assert Action.objects.count() == 1


def test_a_phone_learns_whose_forms_it_may_send(customer: Person) -> None:
    mine = customer.client().get("/b/foxglove/outbox")
    again = customer.client().get("/b/foxglove/outbox")
    neighbour = join(customer.brand, "lee@example.org").client().get("/b/foxglove/outbox")
    nobody = Client().get("/b/foxglove/outbox")
    assert mine.json()["owner"] == again.json()["owner"] != neighbour.json()["owner"]
    assert customer.customer
    assert str(customer.customer.public_id) not in mine.content.decode()
    assert nobody.json()["owner"] == ""
    assert mine.json()["csrf"]
    assert "no-store" in mine["Cache-Control"]


def test_a_form_of_the_outbox_needs_its_token_against_forgery(customer: Person) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(customer.user, backend="django.contrib.auth.backends.ModelBackend")
    assert check_in(client, extra=JSON).status_code == 403
    csrf = client.get("/b/foxglove/outbox").json()["csrf"]
    assert check_in(client, extra=JSON | {"HTTP_X_CSRFTOKEN": csrf}).status_code == 200


# --- the app


def test_the_manifest_names_the_brand_its_colours_and_icons(foxglove: Brand) -> None:
    manifest = Client().get("/b/foxglove/manifest.webmanifest")
    assert manifest["Content-Type"] == "application/manifest+json"
    content = manifest.json()
    assert content["name"] == "Foxglove Coffee"
    assert content["start_url"] == "/b/foxglove/score"
    assert re.fullmatch(r"#[0-9a-f]{6}", content["theme_color"])
    assert {(one["sizes"], one["purpose"]) for one in content["icons"]} == {
        ("192x192", "any"),
        ("512x512", "any"),
        ("192x192", "maskable"),
        ("512x512", "maskable"),
    }
    for one in content["icons"]:
        icon = Client().get(one["src"])
        image = opened(icon.content)
        assert f"{image.width}x{image.height}" == one["sizes"]
        assert "immutable" in icon["Cache-Control"]
        corner = image.convert("RGBA").getpixel((0, 0))
        assert isinstance(corner, tuple)
        assert corner[3] == (255 if one["purpose"] == "maskable" else 0)
    assert Client().get("/b/foxglove/icon-any-64.abc.png").status_code == 404


def test_what_phones_keep_is_the_same_for_everyone(customer: Person) -> None:
    mine, anybody = customer.client(), Client()
    for address in ("/b/foxglove/check-in/offline", "/offline"):
        answer = mine.get(address)
        assert answer.content == anybody.get(address).content
        assert "public" in answer["Cache-Control"]
        assert "csrf" not in answer.content.decode()
        assert "Set-Cookie" not in answer
        assert not answer.cookies
    worker = anybody.get("/sw.js")
    assert worker["Content-Type"] == "text/javascript"
    assert worker["Cache-Control"] == "no-cache"


# --- objections


@pytest.fixture
def refused(customer: Person, manager: Person) -> Action:
    """A claim that was refused."""
    assert customer.customer
    [pk] = record(customer.customer, ("purchase", NOW - HOUR, "30", "pending"), now=NOW)
    manager.client().post(
        "/admin/claims/", {"claims": [pk], "refuse": "1", "reason": "No such receipt"}
    )
    score_all_due(customer.brand, now=NOW)
    return Action.objects.get(pk=pk)


def test_a_refusal_says_why_and_is_contested_once(customer: Person, refused: Action) -> None:
    client, receipt = customer.client(), f"/b/foxglove/activity/{refused.pk}"
    page = client.get(receipt).content.decode()
    assert "No such receipt" in page
    assert f'href="{receipt}/wrong"' in page
    empty = client.post(f"{receipt}/wrong", {"text": " "})
    assert "Say what is wrong" in empty.content.decode()
    long = client.post(f"{receipt}/wrong", {"text": "x" * 501})
    assert "at most 500 letters" in long.content.decode()
    client.post(f"{receipt}/wrong", {"text": "It is there: <b>look</b>"})
    assert client.post(f"{receipt}/wrong", {"text": "again"})["Location"] == receipt
    assert Objection.objects.get().text == "It is there: <b>look</b>"
    page = client.get(receipt).content.decode()
    assert "It is there: &lt;b&gt;look&lt;/b&gt;" in page
    assert f"{receipt}/wrong" not in page
    neighbour = join(customer.brand, "lee@example.org").client()
    assert neighbour.post(f"{receipt}/wrong", {"text": "mine"}).status_code == 404


def test_staff_answer_once_and_may_accept_after_all(
    customer: Person, manager: Person, refused: Action
) -> None:
    before = Action.objects.filter(pk=refused.pk).values().get()
    customer.client().post(f"/b/foxglove/activity/{refused.pk}/wrong", {"text": "It is there"})
    client = manager.client()
    html = client.get("/admin/claims/").content.decode()
    assert "It is there" in html
    assert "accept it after all" in html
    form = {"objection": refused.pk, "answer": "So it is, sorry", "accept": "1"}
    for _press in range(2):
        client.post("/admin/claims/objections/", form)
    assert Action.objects.filter(pk=refused.pk).values().get() == before
    accepted = Action.objects.get(external_id=f"objection:{refused.pk}")
    assert (accepted.origin, accepted.state) == ("laurel", "accepted")
    assert accepted.occurred_at == refused.occurred_at
    assert accepted.quantity == refused.quantity
    assert accepted.identifier_id == refused.identifier_id
    assert "It is there" not in client.get("/admin/claims/").content.decode()
    page = customer.client().get(f"/b/foxglove/activity/{refused.pk}").content.decode()
    assert "So it is, sorry" in page
    score_all_due(customer.brand, now=NOW)
    receipt = customer.client().get(f"/b/foxglove/activity/{accepted.pk}").content.decode()
    assert "+30" in receipt


def test_an_answer_alone_changes_no_points(customer: Person, manager: Person) -> None:
    assert customer.customer
    [counted] = record(customer.customer, ("purchase", NOW - HOUR, "30"), now=NOW)
    customer.client().post(f"/b/foxglove/activity/{counted}/wrong", {"text": "It was 40"})
    client = manager.client()
    assert "accept it after all" not in client.get("/admin/claims/").content.decode()
    client.post("/admin/claims/objections/", {"objection": counted, "answer": " "})
    assert Objection.objects.get().answered_at is None
    form = {"objection": counted, "answer": "The till says 30", "accept": "1"}
    client.post("/admin/claims/objections/", form)
    assert Objection.objects.get().answer == "The till says 30"
    assert Action.objects.count() == 1


def test_nobody_answers_for_another_brand_or_for_themselves(
    customer: Person, manager: Person, stranger: Person, refused: Action
) -> None:
    customer.client().post(f"/b/foxglove/activity/{refused.pk}/wrong", {"text": "It is there"})
    form = {"objection": refused.pk, "answer": "Yes", "accept": "1"}
    StaffRole.objects.create(brand=customer.brand, user=customer.user, role=StaffRole.Role.MANAGER)
    others = (staff(stranger.brand, StaffRole.Role.MANAGER), customer.client())
    for client in others:
        assert "It is there" not in client.get("/admin/claims/").content.decode()
        client.post("/admin/claims/objections/", form)
    marketer = staff(customer.brand, StaffRole.Role.MARKETER)
    assert marketer.post("/admin/claims/objections/", form).status_code == 403
    assert Objection.objects.get().answered_at is None
    assert Action.objects.count() == 1


# --- what stands on the buttons


def test_the_way_to_add_tells_its_points_or_why_none(customer: Person) -> None:
    assert customer.customer
    client = customer.client()

    def say() -> str:
        html = client.get("/b/foxglove/add").content.decode()
        return " ".join(re.sub(r"<[^>]+>", " ", html).split())

    assert "Check in · +25" in say()
    record(customer.customer, ("check_in", NOW - HOUR), now=NOW)
    # Once a day and venue: there is another one.
    assert "Check in · +25 At Camden, now" in say()
    customer.brand.venues.filter(slug="camden").update(check_in_code="")
    assert "Check in · 0 points until tomorrow" in say()
    assert "at most once a day" in say()
    button = client.get("/b/foxglove/check-in?code=SOHO42").content.decode()
    assert "0 points until tomorrow" in button
