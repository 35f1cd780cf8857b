"""Running the engine's statements: on the server's own parameters, planned once per connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection, transaction

from accounts.models import Brand


def execute(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run a statement and fetch its rows; inside the transaction of the caller, if there is one.

    Django's own cursors write parameters into the text, so that each call would be planned anew;
    the plans of these statements cost more than many of their runs.
    """
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters, prepare=True)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def brand_time(brand: Brand) -> Iterator[None]:
    """A transaction in which PostgreSQL's local dates are the brand's."""
    with transaction.atomic():
        execute(_SET_ZONE, {"zone": brand.time_zone})
        yield
        # Where this stands within another transaction, that one goes on as it was.
        execute(_SET_ZONE, {"zone": "UTC"})


_SET_ZONE = "SELECT set_config('TimeZone', %(zone)s, TRUE)"
