"""How far a change reaches: which days of a rule must be read, and which may get other points.

A change between two local dates (``subject.since`` and ``subject.until``) can move a rule's
awards only within the periods that hold these dates; a limit that counts for ever, and a streak,
on every later day too. ``writes`` is that range. Awards in it depend on more: ``reads`` is
the range of facts that decide them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from psycopg import sql

from .periods import end_of, start_of

SINCE = sql.SQL("subject.since")
UNTIL = sql.SQL("subject.until")


@dataclass(frozen=True, slots=True)
class Days:
    """A range of local dates as SQL on ``subject``; None is an open end."""

    first: sql.Composable | None
    last: sql.Composable | None

    def widened(self, pers: Iterable[str]) -> "Days":
        """The range together with the whole periods that its ends lie in."""
        pers = list(pers)
        if not pers:
            return self
        first, last = self.first, self.last
        if "ever" in pers:
            return Days(None, None)
        if first is not None:
            first = _call("least", [start_of(per, first) for per in pers])
        if last is not None:
            last = _call("greatest", [end_of(per, last) for per in pers])
        return Days(first, last)

    def closed(self, pers: Iterable[str]) -> "Days":
        """The range that decides this one, which is itself made of whole periods.

        It is wider only where periods cross: weeks lie across the ends of months and years.
        """
        pers = sorted(pers)
        if "week" in pers and {"month", "year"} & set(pers):
            return self.widened(pers)
        return self

    def onwards(self) -> "Days":
        """The range and every later day."""
        return Days(self.first, None)

    def first_sql(self) -> sql.Composable:
        """The first day, or minus infinity."""
        return sql.SQL("DATE '-infinity'") if self.first is None else self.first

    def last_sql(self) -> sql.Composable:
        """The last day, or infinity."""
        return sql.SQL("DATE 'infinity'") if self.last is None else self.last


CHANGED = Days(SINCE, UNTIL)


def hull(ranges: Sequence[Days]) -> Days:
    """The smallest range that holds all of these."""
    return reduce(_join, ranges)


def _join(one: Days, other: Days) -> Days:
    if one == other:
        return one
    first = (
        None
        if one.first is None or other.first is None
        else _call("least", [one.first, other.first])
    )
    last = (
        None
        if one.last is None or other.last is None
        else _call("greatest", [one.last, other.last])
    )
    return Days(first, last)


def _call(name: str, arguments: list[sql.Composable]) -> sql.Composable:
    if len(arguments) == 1:
        return arguments[0]
    unique = list({argument.as_string(None): argument for argument in arguments}.values())
    if len(unique) == 1:
        return unique[0]
    return sql.SQL("{}({})").format(sql.SQL(name), sql.SQL(", ").join(unique))


@dataclass(frozen=True, slots=True)
class Scope:
    """What one rule reads and writes. ``is_seeded``: its first limit counts what lies before ``reads``."""

    reads: Days
    writes: Days
    is_seeded: bool = False
