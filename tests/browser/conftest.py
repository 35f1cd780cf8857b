"""Browser tests commit what they do, so the database is emptied after each."""

from collections.abc import Generator

import pytest
from django.db import connection


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """Lift the ledger's guard while the database is emptied: it lets nobody do that, not even tests."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
    yield
    # The next connection finds everything guarded again.
    connection.close()
