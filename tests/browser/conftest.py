"""Browser tests commit what they do, so the database is emptied after each."""

from collections.abc import Generator
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """Lift the ledger's guard while the database is emptied: it lets nobody do that, not even tests."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
    yield
    # The next connection finds everything guarded again.
    connection.close()


@pytest.fixture
def brand(transactional_db: None) -> Any:
    """A brand that a live server can see."""
    # This file is read before Django is set up.
    from tests.people import FOXGLOVE, make_brand

    return make_brand(FOXGLOVE)


@pytest.fixture
def story(brand: Any, settings: Any) -> Any:
    """A customer with something on every page, on a site with pages that go wrong."""
    from tests.browser.pages import URLS
    from tests.browser.story import tell_story

    settings.ROOT_URLCONF = URLS
    return tell_story(brand, now=timezone.now())
