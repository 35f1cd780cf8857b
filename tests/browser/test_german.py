"""Every page in German, whose words are longer: whether it all fits."""

import pytest

from tests.browser.looks import misfits
from tests.browser.test_pages import NARROW, PHONE, Findings, Visitor, resize, visitor

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

__all__ = ["visitor"]


def test_every_page_fits_in_german(visitor: Visitor) -> None:
    found = Findings()
    for name, page in visitor.visit(locale="de-DE"):
        assert page.locator("html").get_attribute("lang") == "de", name
        for size in (PHONE, NARROW):
            resize(page, size)
            found.note(f"{name}, {size[0]}", misfits(page))
        resize(page, PHONE)
    assert found == {}
