"""Problems found in what somebody wrote, each with its place, collected so that all are told at once."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _

# Far above any real rule, and low enough that no product of them leaves a bigint.
POINTS_MAX = 10**9
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
RATE_MAX = Decimal(10**5)
QUANTITY_MAX = Decimal(10**10)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: ``place`` is a path such as ``rules[2].limits[0].per``."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


def read_decimal(value: Any) -> Decimal | None:
    """The exact finite decimal that a JSON number or text says, or None if it says none.

    A binary float is read as the shortest text that denotes it, never by its bits.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def decimal_places(number: Decimal) -> int:
    """How many places after the point a finite decimal needs; below 0 where it ends in zeros before it."""
    exponent = number.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return -exponent


def read_moment(value: Any) -> datetime | None:
    """The moment that an RFC 3339 text with an offset says, or None if it says none."""
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str) and "T" in value.upper().replace(" ", "T"):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
    else:
        return None
    # Within years that every calendar here knows, whatever the offset.
    return moment if moment.tzinfo is not None and 1900 <= moment.year <= 9000 else None


def read_date(value: Any) -> date | None:
    """The date that a text of the form YYYY-MM-DD says, or None if it says none."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def unstorable(text: str) -> str | None:
    """Why PostgreSQL cannot hold a text, or None where it can."""
    if "\x00" in text:
        return _("a text cannot hold the character NUL")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return _("this is no valid Unicode text")
    return None


@dataclass(slots=True)
class Reader:
    """Reads one object of a document key by key; collects problems instead of stopping at the first."""

    place: str
    source: Mapping[str, Any]
    problems: list[Problem]
    seen: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, place: str, value: Any, problems: list[Problem]) -> "Reader":
        """A reader of ``value``; of an empty object, with a problem, where it is no object."""
        if not isinstance(value, Mapping):
            problems.append(Problem(place or "document", _("this must be an object")))
            value = {}
        return cls(place, value, problems)

    def path(self, key: str) -> str:
        """The place of one key of this object."""
        return f"{self.place}.{key}" if self.place else key

    def problem(self, key: str, reason: str) -> None:
        """Note that what stands at ``key`` is wrong."""
        self.problems.append(Problem(self.path(key), reason))

    def get(self, key: str, default: Any = None) -> Any:
        """What stands at ``key``; null is as good as left out."""
        self.seen.add(key)
        value = self.source.get(key)
        return default if value is None else value

    def text(self, key: str, *, default: str | None = None, longest: int = 140) -> str:
        """A text that is not empty."""
        value = self.get(key, default)
        if not isinstance(value, str) or not value.strip():
            self.problem(key, _("a text is needed here"))
            return ""
        if len(value) > longest:
            self.problem(key, _("at most %(longest)s characters fit here") % {"longest": longest})
        reason = unstorable(value)
        if reason is not None:
            self.problem(key, reason)
            return ""
        return value

    def choice(self, key: str, choices: Iterable[str], *, default: str | None = None) -> str:
        """One of the given texts."""
        choices = tuple(choices)
        value = self.get(key, default)
        if value not in choices:
            self.problem(
                key,
                _("must be one of %(choices)s; it is %(value)r")
                % {"choices": ", ".join(choices), "value": value},
            )
            return choices[0]
        return str(value)

    def whole(
        self, key: str, *, least: int = 0, most: int = POINTS_MAX, default: int | None = None
    ) -> int:
        """A whole number within bounds."""
        number = self.optional_whole(key, least=least, most=most)
        if number is None:
            if default is None and not self.has_problem(key):
                self.problem(key, _("a whole number is needed here"))
            return least if default is None else default
        return number

    def optional_whole(self, key: str, *, least: int = 0, most: int = POINTS_MAX) -> int | None:
        """A whole number within bounds, or None where it is left out."""
        value = self.get(key)
        if value is None:
            return None
        number = read_decimal(value)
        if number is None or number != number.to_integral_value():
            self.problem(key, _("must be a whole number; it is %(value)r") % {"value": value})
            return None
        if not least <= number <= most:
            self.problem(
                key,
                _("must be between %(least)s and %(most)s; it is %(number)s")
                % {"least": least, "most": most, "number": number},
            )
            return None
        return int(number)

    def decimal(
        self,
        key: str,
        *,
        most: Decimal,
        positive: bool = False,
        default: Decimal | None = None,
    ) -> Decimal:
        """An exact decimal from 0 (or above it) to ``most``."""
        value = self.get(key, default)
        number = read_decimal(value)
        if number is None:
            self.problem(key, _("must be a decimal number; it is %(value)r") % {"value": value})
        elif number < 0 or number > most or (positive and number == 0):
            reason = (
                _("must be above 0 and at most %(most)s; it is %(number)s")
                if positive
                else _("must be 0 or more and at most %(most)s; it is %(number)s")
            )
            self.problem(key, reason % {"most": most, "number": number})
        elif decimal_places(number) > 12:
            self.problem(key, _("at most 12 decimal places fit here"))
        else:
            return number
        return Decimal(1)

    def moment(self, key: str) -> datetime | None:
        """A moment with its offset, or None where it is left out."""
        value = self.get(key)
        if value is None:
            return None
        moment = read_moment(value)
        if moment is None:
            self.problem(
                key,
                _(
                    "must be a time with its offset such as 2026-11-01T00:00:00+00:00; it is %(value)r"
                )
                % {"value": value},
            )
        return moment

    def items(self, key: str) -> list[tuple[str, Any]]:
        """The (place, value) pairs of a list; empty where it is left out."""
        value = self.get(key, [])
        if not isinstance(value, list | tuple):
            self.problem(key, _("this must be a list"))
            return []
        return [(f"{self.path(key)}[{n}]", item) for n, item in enumerate(value)]

    def done(self) -> None:
        """Note every key that nobody asked for."""
        for key in self.source:
            if key not in self.seen:
                self.problem(str(key), _("this key is not known here"))

    def has_problem(self, key: str) -> bool:
        """Whether what stands at ``key`` is wrong."""
        return any(problem.place == self.path(key) for problem in self.problems)
