"""The second wall between brands: PostgreSQL itself keeps the rows of other brands out of sight.

Whoever stands within the wall acts as a role that owns no table. Its policies (``accounts.policies``) let it read and
write the rows of the brands in the setting ``laurel.brands``, and no others, whatever a statement asks for. Every
request is within from its first statement on (``loyalty.walled``). Outside are migrations, workers and commands that
are given one brand.

The wall stands against a filter that was forgotten, in a query set or in SQL. It does not stand against somebody who
can send statements of their own: those could step outside it.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import psycopg
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from psycopg.pq import TransactionStatus

ROLE = "laurel_walled"
SETTING = "laurel.brands"

# The brands within whose wall one stands, by their keys; None outside.
Place = tuple[int, ...] | None
NOWHERE: tuple[int, ...] = ()

# Where a connection stands, or will stand once it is made.
_PLACE = "laurel_place"


@contextmanager
def within(brands: Iterable[int]) -> Iterator[None]:
    """Of what belongs to a brand, only the rows of these exist in the block."""
    with _standing(partial(stand, tuple(sorted(brands)))):
        yield


@contextmanager
def within_those(query: str, parameters: list[Any]) -> Iterator[None]:
    """As ``within``, of the brands whose keys a query gives as one array; it is asked outside the wall."""
    with _standing(partial(stand_where, query, parameters)):
        yield


@contextmanager
def lifted(why: str) -> Iterator[None]:
    """Outside the wall for this block, to look across brands; ``why`` is for the reader, and for the list of tests."""
    assert why
    with _standing(partial(stand, None)):
        yield


def place() -> Place:
    """Where this thread stands."""
    here: Place = getattr(connection, _PLACE, None)
    return here


def stand(brands: Place) -> None:
    """Stand somewhere else from now on: for who ends it too, in the same transaction or outside of any."""
    if brands == place():
        return
    setattr(connection, _PLACE, brands)
    # A connection that is made later is made where its thread stands.
    if connection.connection is not None:
        with _told_or_closed():
            connection.close_if_health_check_failed()
            if connection.connection is not None:
                _put(connection, brands)


def stand_where(query: str, parameters: list[Any]) -> None:
    """Stand from now on within the brands whose keys a query gives as one array; it is asked outside the wall.

    Where the database does not answer, within no brand at all.
    """
    stand(None)
    found = NOWHERE
    try:
        with _told_or_closed():
            connection.ensure_connection()
            connection.close_if_health_check_failed()
            connection.ensure_connection()
            with connection.connection.cursor() as cursor:
                # One statement: it is planned, and so asked, as whoever stands outside.
                cursor.execute(
                    f"SELECT set_config('role', '{ROLE}', FALSE),"
                    f" set_config('{SETTING}', coalesce(({query})::text, '{{}}'), FALSE)",
                    parameters,
                )
                keys = cursor.fetchone()[1].strip("{}")
            found = tuple(int(key) for key in keys.split(",") if key)
    finally:
        setattr(connection, _PLACE, found)


@contextmanager
def _standing(go: Callable[[], None]) -> Iterator[None]:
    before = place()
    try:
        go()
        yield
    finally:
        if _is_broken():
            # The transaction began in here, or the block began in it: its end brings back what was before.
            setattr(connection, _PLACE, before)
        else:
            stand(before)


def _put(made: BaseDatabaseWrapper, brands: Place) -> None:
    """Tell the server where a connection stands."""
    role = "none" if brands is None else ROLE
    keys = "{" + ",".join(map(str, brands or ())) + "}"
    with made.connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('role', %s, FALSE), set_config(%s, %s, FALSE)", [role, SETTING, keys]
        )


@contextmanager
def _told_or_closed() -> Iterator[None]:
    """Close a connection that was not told where it stands: the next one is told when it is made."""
    try:
        yield
    except BaseException as error:
        with suppress(Exception):
            connection.close()
        is_away = isinstance(
            error, (OperationalError, psycopg.OperationalError, psycopg.InterfaceError)
        )
        # Within a transaction, somebody must hear that it is lost.
        if not is_away or connection.in_atomic_block:
            raise


def _is_broken() -> bool:
    made = connection.connection
    return made is not None and made.info.transaction_status == TransactionStatus.INERROR


@receiver(connection_created)
def _begin(*, connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """Put a new connection where its thread stands, before anything else is asked of it."""
    brands: Place = getattr(connection, _PLACE, None)
    if brands is None:
        return
    try:
        _put(connection, brands)
    except BaseException:
        with suppress(Exception):
            connection.close()
        raise
