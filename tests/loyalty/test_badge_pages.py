"""Badges on the pages: the stamp, the levels, what is shared and with whom, and the picture of it."""

import io
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image
from time_machine import travel

from accounts.models import Brand, Customer
from loyalty.pages import share_image
from loyalty.pages.outlines import outlines
from scoring.actions import VoidRow, record_actions
from scoring.models import Badge, BadgeShare, Source
from tests.people import MONDAY, Person, join, record, score_all_due

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PAGE = "/b/foxglove/badges/regular"


@pytest.fixture(autouse=True)
def _a_week_later(db: None) -> Any:
    with travel(MONDAY + 7 * DAY, tick=False):
        yield


@pytest.fixture
def regular(foxglove: Brand) -> Badge:
    """Check in on one, two and five days."""
    return make_badge(foxglove, "regular", "Regular", [1, 2, 5])


@pytest.fixture
def holder(regular: Badge, customer: Person) -> Person:
    """The customer, who holds the badge at its second level."""
    visit(customer, 2)
    return customer


def make_badge(brand: Brand, slug: str, title: str, levels: list[int]) -> Badge:
    return Badge.objects.create(
        brand=brand,
        slug=slug,
        title=title,
        source=Source.PHYSICAL_VISITS,
        criterion="actions",
        parameters={"kinds": ["check_in"]},
        levels=levels,
    )


def visit(person: Person, days: int) -> None:
    """Check in once a day, so many days."""
    assert person.customer
    record(
        person.customer,
        *(("check_in", MONDAY + day * DAY) for day in range(days)),
        now=MONDAY + 6 * DAY,
    )


def void_last(customer: Customer) -> None:
    """Cancel the last of two check-ins."""
    when = MONDAY + DAY
    row = VoidRow(
        origin="till",
        external_id="void",
        action=f"{customer.pk}-check_in-{when.isoformat()}-1",
        at=MONDAY + 6 * DAY + HOUR,
        reason="Scanned for somebody else",
    )
    [outcome] = record_actions(brand=customer.brand, rows=[row], now=MONDAY + 6 * DAY + HOUR)
    assert outcome.action_id, outcome
    score_all_due(customer.brand, now=MONDAY + 6 * DAY + HOUR)


def share(person: Person) -> str:
    """Share the badge; the path of its public page."""
    assert person.client().post(f"{PAGE}/share").status_code == 302
    return f"/badge/{BadgeShare.objects.get(customer=person.customer).public_id}"


def text_of(response: Any) -> str:
    page = re.sub(r"<(head|svg).*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(page.split())


# --- the customer's own pages


def test_a_badge_says_its_levels_what_they_take_and_since_when(holder: Person) -> None:
    page = text_of(holder.client().get(PAGE))
    assert "Silver, earned 24 November 2026" in page
    assert "2 of 5" in page
    assert "Earned 23 November 2026, 9 a.m." in page
    assert "100 % of members have it" in page


def test_the_list_has_the_nearest_the_earned_and_all(foxglove: Brand, holder: Person) -> None:
    make_badge(foxglove, "far", "Far away", [1000])
    make_badge(foxglove, "near", "Nearly there", [3])
    page = text_of(holder.client().get("/b/foxglove/badges"))
    nearest, rest = page.split("Nearest", 1)[1].split("Earned", 1)
    assert nearest.index("Nearly there") < nearest.index("Regular")
    assert "2 of 3" in nearest
    assert "2 of 5 for gold" in nearest
    assert "Regular Silver 24 Nov 2026" in rest
    assert "Bronze 1 Silver 2 Gold 5 2 of 5" in rest.split("All badges")[1]
    on_the_score_page = text_of(holder.client().get("/b/foxglove/score")).split(
        "Nearest badges", 1
    )[1]
    assert on_the_score_page.index("Nearly there 2 of 3") < on_the_score_page.index(
        "Regular 2 of 5 for gold"
    )


def test_a_badge_that_was_taken_back_stays_with_the_reason(holder: Person) -> None:
    assert holder.customer
    void_last(holder.customer)
    page = text_of(holder.client().get(PAGE))
    assert "Bronze, earned 23 November 2026" in page
    before = page.split("Held before")[1]
    assert "Silver, earned 24 November 2026" in before
    assert "Taken back 29 November 2026: an action was cancelled or corrected." in before


def test_the_pages_keep_up_to_date(holder: Person) -> None:
    for address in ("/b/foxglove/badges", PAGE):
        page = holder.client().get(address).content.decode()
        assert re.search(r'<main id="main"[^>]* data-live>', page)


@pytest.mark.parametrize(
    "path", ["", "/image.png", "/credential.jwt", "/credential.png", "/credential.exe", "x"]
)
def test_nobody_reads_another_ones_badge(
    path: str, holder: Person, stranger: Person, foxglove: Brand
) -> None:
    """Another customer sees their own progress there, and gets no picture or credential of what they do not hold."""
    other = join(foxglove, "otter@example.org")
    page = other.client().get(PAGE + path)
    if path:
        assert page.status_code == 404
    else:
        assert "Not earned yet" in text_of(page)
        assert "24 November" not in text_of(page)
    for answer in (stranger.client().get(PAGE + path), Client().get(PAGE + path)):
        assert answer.status_code in (302, 404)
    assert stranger.client().get(f"/b/harbour/badges/regular{path}").status_code == 404


# --- sharing


def test_a_page_is_public_only_while_it_is_shared(holder: Person) -> None:
    assert Client().get(f"/badge/{uuid4()}").status_code == 404
    public = share(holder)
    for path in ("", "/image.png", "/credential.jwt", "/credential.png"):
        assert Client().get(public + path).status_code == 200
    assert public in holder.client().get(PAGE).content.decode()
    holder.client().post(f"{PAGE}/share", {"stop": ""})
    for path in ("", "/image.png", "/credential.jwt", "/credential.png"):
        assert Client().get(public + path).status_code == 404
    assert share(holder) != public


def test_a_shared_badge_goes_when_it_is_taken_back(foxglove: Brand, customer: Person) -> None:
    assert customer.customer
    make_badge(foxglove, "regular", "Regular", [2])
    visit(customer, 2)
    public = share(customer)
    assert Client().get(public).status_code == 200
    void_last(customer.customer)
    assert Client().get(public).status_code == 404


def test_a_level_that_staff_removed_breaks_no_page(holder: Person) -> None:
    """Until the engine has judged anew."""
    public = share(holder)
    Badge.objects.update(levels=[1])
    for path in (PAGE, f"{PAGE}/credential.jwt", f"{PAGE}/image.png"):
        assert holder.client().get(path).status_code == 200
    assert Client().get(public).status_code == 200


def test_a_shared_badge_goes_with_its_holder(holder: Person) -> None:
    public = share(holder)
    Customer.objects.filter(pk=holder.customer.pk).update(user=None, on_boards=False)  # type: ignore[union-attr]
    for path in ("", "/image.png", "/credential.jwt", "/credential.png"):
        assert Client().get(public + path).status_code == 404


def test_only_its_holder_shares_a_badge(holder: Person, stranger: Person, foxglove: Brand) -> None:
    other = join(foxglove, "otter@example.org")
    other.client().post(f"{PAGE}/share")
    stranger.client().post(f"{PAGE}/share")
    stranger.client().post("/b/harbour/badges/regular/share")
    Client().post(f"{PAGE}/share")
    assert not BadgeShare.objects.exists()
    assert holder.client().get(f"{PAGE}/share").status_code == 405


def test_a_shared_page_says_nothing_of_who_it_is(holder: Person) -> None:
    assert holder.customer
    page = Client().get(share(holder)).content.decode()
    said = text_of(Client().get(share(holder)))
    assert "by a member of Foxglove Coffee" in said
    assert "Silver, earned 24 November 2026" in said
    for secret in (holder.user.email, holder.customer.pseudonym, str(holder.customer.public_id)):
        assert secret not in page


def test_a_member_of_the_boards_is_named_as_there_and_escaped(holder: Person) -> None:
    name = "<b onclick='x'>Heron & \"Co\"</b>"
    Customer.objects.filter(pk=holder.customer.pk).update(on_boards=True, pseudonym=name)  # type: ignore[union-attr]
    page = Client().get(share(holder)).content.decode()
    assert "<b onclick" not in page
    assert "&lt;b onclick=&#x27;x&#x27;&gt;Heron &amp; &quot;Co&quot;&lt;/b&gt;, a member" in page


def test_a_shared_page_tells_other_sites_what_to_show(holder: Person) -> None:
    public = share(holder)
    page = Client().get(public).content.decode()
    tags = dict(re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)">', page))
    assert tags["og:url"] == f"http://localhost:8000{public}"
    assert tags["og:image"] == f"http://localhost:8000{public}/image.png?level=2"
    assert tags["og:title"] == "Regular · Foxglove Coffee"
    assert tags["twitter:card"] == "summary_large_image"
    assert tags["robots"] == "noindex"
    image = Client().get(tags["og:image"].removeprefix("http://localhost:8000"))
    assert image["Content-Type"] == "image/png"


# --- the picture


def test_the_share_image_is_a_picture_of_the_asked_size_and_light(holder: Person) -> None:
    answer = holder.client().get(f"{PAGE}/image.png")
    assert answer["Content-Type"] == "image/png"
    assert len(answer.content) < 150_000
    image = Image.open(io.BytesIO(answer.content))
    image.load()
    assert (image.format, image.size) == ("PNG", (1200, 630))


def test_a_share_image_is_drawn_once(holder: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    client = holder.client()
    first = client.get(f"{PAGE}/image.png")
    again = client.get(f"{PAGE}/image.png", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304
    assert not again.content
    assert client.get(f"{PAGE}/image.png").content == first.content
    Badge.objects.update(title="Steady")
    changed = client.get(f"{PAGE}/image.png", headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


PICTURE = share_image.Picture(
    slug="regular",
    level=3,
    source="purchases",
    shapes='<path d="M4 4h16v16H4z"/><circle cx="12" cy="12" r="3"/>',
    colour="#9b3a26",
    brand="Foxglove Coffee",
    title="Regular",
    tally="Gold · Earned 24 November 2026",
    sentence="5 × Check-in",  # noqa: RUF001
)


def test_equal_pictures_are_equal_bytes_and_each_level_another() -> None:
    assert share_image.draw(PICTURE) == share_image.draw(PICTURE)
    assert len({share_image.draw(PICTURE._replace(level=level)) for level in (1, 2, 3)}) == 3
    assert share_image.draw(PICTURE._replace(colour="#123456")) != share_image.draw(PICTURE)


@pytest.mark.parametrize(
    "title", ["", "Ζυμωτής", "常連", "A" * 300, "long " * 60, "<script>alert(1)</script>"]
)
def test_any_title_makes_a_picture(title: str) -> None:
    image = Image.open(io.BytesIO(share_image.draw(PICTURE._replace(title=title))))
    assert image.size == (1200, 630)


def test_letters_that_the_fonts_lack_are_left_out() -> None:
    """And not drawn as boxes: such a title looks like none at all."""
    assert share_image.draw(PICTURE._replace(title="常連")) == share_image.draw(
        PICTURE._replace(title="")
    )


def test_icons_are_read_as_a_browser_reads_them() -> None:
    [square, circle] = outlines('<path d="M4 4h16v16H4z"/><circle cx="12" cy="12" r="3"/>')
    assert list(square) == [(4, 4), (20, 4), (20, 20), (4, 20), (4, 4)]
    assert circle[0] == pytest.approx((15, 12))
    [half] = outlines('<path d="M2 12a10 10 0 0 1 20 0"/>')
    assert half[len(half) // 2] == pytest.approx((12, 2))
    [other] = outlines('<path d="M2 12a10 10 0 0 0 20 0"/>')
    assert other[len(other) // 2] == pytest.approx((12, 22))


# --- what it costs


@pytest.mark.parametrize(
    ("path", "is_public"),
    [
        ("/b/foxglove/badges", False),
        (PAGE, False),
        (f"{PAGE}/image.png", False),
        (f"{PAGE}/credential.jwt", False),
        ("", True),
    ],
)
def test_the_number_of_queries_does_not_grow(
    path: str, is_public: bool, foxglove: Brand, holder: Person
) -> None:
    path = share(holder) if is_public else path
    client = Client() if is_public else holder.client()
    client.get(path)
    with CaptureQueriesContext(connection) as before:
        client.get(path)
    for number in range(8):
        make_badge(foxglove, f"more-{number}", f"More {number}", [1, 2, 3])
        other = join(foxglove, f"member-{number}@example.org")
        visit(other, 2)
    client.get(path)
    with CaptureQueriesContext(connection) as after:
        client.get(path)
    assert len(after) == len(before) <= 14, [query["sql"][:200] for query in after]


def test_ten_badges_stay_light(foxglove: Brand, holder: Person) -> None:
    """All earned, at the level with the most lines."""
    for number in range(9):
        make_badge(foxglove, f"more-{number}", f"More {number}", [1, 2, 3])
    visit(holder, 5)
    page = holder.client().get("/b/foxglove/badges")
    assert len(page.content) < 50_000
