"""What somebody tries who means harm, or whose program is broken: nothing breaks, and nothing is to be had by it."""

import io
from contextlib import suppress

import pytest
from PIL import Image

from loyalty.intake.photos import PhotoError, read_photo
from tests.people import Person

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
