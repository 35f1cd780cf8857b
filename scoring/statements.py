"""Running the engine's statements: on the server's own parameters, planned once per connection."""

from typing import Any

import psycopg
from django.db import connection


def execute(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run a statement and fetch its rows; inside the transaction of the caller, if there is one.

    Django's own cursors write parameters into the text, so that each call would be planned anew;
    the plans of these statements cost more than many of their runs.
    """
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters, prepare=True)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []
