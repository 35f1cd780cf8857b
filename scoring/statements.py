"""Running the engine's statements: on the server's own parameters, planned once per connection."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import psycopg
from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.types.datetime import TimestamptzLoader

from accounts.models import Brand

NEVER_BY_ITSELF = 2**31


def execute(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run a statement with named parameters and fetch its rows; inside the caller's transaction, if there is one.

    Django's own cursors write parameters into the text, so that each call would be planned anew;
    the plans of these statements cost more than many of their runs. For the same reason the names are
    looked for once per statement and not in each call.
    """
    connection.ensure_connection()
    text, names = _numbered(statement)
    # Django switches preparing off; only what is asked for here is prepared.
    connection.connection.prepare_threshold = NEVER_BY_ITSELF
    with psycopg.RawCursor(connection.connection) as cursor:
        cursor.execute(text, [parameters[name] for name in names], prepare=True)
        return cursor.fetchall() if cursor.description else []


@lru_cache(maxsize=512)
def _numbered(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """The statement with $1, $2, ... for its named parameters, and their names in that order."""
    names: dict[str, int] = {}

    def numbered(found: re.Match[str]) -> str:
        if found[1] is None:
            return "%"
        return f"${names.setdefault(found[1], len(names) + 1)}"

    # In one pass, so that a doubled percent sign in a rule's text is never taken for the beginning of a name.
    text = _MARK.sub(numbered, statement)
    return text.encode(), tuple(names)


_MARK = re.compile(r"%%|%\((\w+)\)s")


@contextmanager
def brand_time(brand: Brand, **settings: str) -> Iterator[None]:
    """A transaction in which PostgreSQL's local dates are the brand's, with these settings of the server.

    Within another one, only what differs is set; of that, the dates are those of the outer one again afterwards.
    """
    is_outermost = not connection.in_atomic_block
    before: dict[str, str] = {} if is_outermost else getattr(connection, _HELD, {})
    # Compiling a plan, which a server may do by default, takes longer than running any of these.
    wanted = before | settings | {"TimeZone": brand.time_zone, "jit": "off"}
    with transaction.atomic(savepoint=False):
        if changed := dict(wanted.items() - before.items()):
            set_locally(**changed)
        setattr(connection, _HELD, wanted)
        try:
            yield
        finally:
            setattr(connection, _HELD, before)
        zone = before.get("TimeZone", "UTC")
        if not is_outermost and brand.time_zone != zone:
            set_locally(TimeZone=zone)


# What the server's settings are within the outermost ``brand_time`` of a connection.
_HELD = "laurel_settings"


def set_locally(**settings: str) -> None:
    """Set settings of the server until the end of the transaction."""
    calls = ", ".join(f"set_config('{name}', %({name})s, TRUE)" for name in settings)
    execute(f"SELECT {calls}", settings)


class _MomentLoader(TimestamptzLoader):
    """Moments in UTC, whatever time zone the server speaks in.

    Django's own only writes UTC over what the server said, which within ``brand_time`` is another hour.
    """

    # Django looks here whether it must put its own in place.
    timezone = UTC

    def load(self, data: Any) -> datetime:
        return super().load(data).astimezone(UTC)


def read_moments_rightly(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """Receiver of ``connection_created``: what a connection reads as a moment is that moment."""
    connection.connection.adapters.register_loader("timestamptz", _MomentLoader)
