"""Fixtures for tests that commit, because others must see what they do. Django is not set up yet when this is read."""

from collections.abc import Iterator

import pytest
from django.db import connection


@pytest.fixture
def guarded_again() -> Iterator[None]:
    """Tests after this one find the ledger guarded."""
    yield
    connection.close()


@pytest.fixture
def committing(guarded_again: None, transactional_db: None) -> Iterator[None]:
    """A database that is emptied afterwards. Nobody may empty the ledger, so its guard is lifted for that."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
