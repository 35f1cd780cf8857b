"""How far a change reaches: which days of a rule must be read, and which may get other points.

A change between two local dates (``subject.since`` and ``subject.until``) can move a rule's
awards only within the periods that hold these dates; a limit that counts for ever, and a streak,
on every later day too. ``writes`` is that range. Awards in it depend on more: ``reads`` is
the range of facts that decide them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce

from psycopg import sql

from .periods import PERIODS, end_of, start_of

SINCE = sql.SQL("subject.since")
UNTIL = sql.SQL("subject.until")


# The periods that a whole period consists of, itself among them. Weeks lie across months and years.
_CONSISTS_OF = {
    "day": {"day"},
    "week": {"day", "week"},
    "month": {"day", "month"},
    "year": {"day", "month", "year"},
}


@dataclass(frozen=True, slots=True)
class Days:
    """A range of local dates as SQL on ``subject``; None is an open end.

    ``whole``: the range is known to consist of whole periods of these kinds.
    """

    first: sql.Composable | None
    last: sql.Composable | None
    whole: frozenset[str] = field(default=frozenset({"day"}), compare=False)

    def widened(self, pers: Iterable[str]) -> "Days":
        """The range together with the whole periods that its ends lie in."""
        pers = sorted(set(pers), key=PERIODS.index)
        if not pers or (len(pers) == 1 and pers[0] in self.whole):
            return self
        first, last = self.first, self.last
        if first is not None:
            first = _call("least", [start_of(per, first) for per in pers])
        if last is not None:
            last = _call("greatest", [end_of(per, last) for per in pers])
        whole = _CONSISTS_OF[pers[0]] if len(pers) == 1 else {"day"}
        return Days(first, last, frozenset(whole))

    def onwards(self) -> "Days":
        """The range and every later day."""
        return Days(self.first, None, self.whole)

    def from_the_beginning(self) -> "Days":
        """The range and every earlier day."""
        return Days(None, self.last, self.whole)

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
