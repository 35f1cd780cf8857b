"""What tests of the engine share beside ``tests.scoring.world``."""

from collections.abc import Iterator

import pytest
from django.db import connection

pytest.register_assert_rewrite("tests.scoring.world")


@pytest.fixture
def guarded_again() -> Iterator[None]:
    """Tests after this one find the ledger guarded."""
    yield
    connection.close()


@pytest.fixture
def committing(guarded_again: None, transactional_db: None) -> Iterator[None]:
    """For tests that commit, because several connections must see it. The ledger's guard, which
    lets nobody empty it, is lifted on this connection while the database is emptied afterwards."""
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
