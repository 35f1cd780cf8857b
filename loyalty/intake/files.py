"""The file door: JSON lines and CSV become rows, one line at a time.

Nothing here holds a whole file, and nothing that a file can contain stops the reading: a line that
makes no sense is told with its number and the reason, and the lines around it are kept. The same
file twice changes nothing, since every line carries its own key.
"""

import csv
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import BinaryIO, NamedTuple, NoReturn

from django.utils.translation import gettext as _

from accounts.models import Brand
from scoring.actions import Outcome, RecordError, parse_record, record_actions
from scoring.models import ActionKind
from scoring.records import Row

BATCH = 5000
LONGEST_LINE = 1_000_000
LONGEST_REASON = 300
MOST_LINES_PER_ROW = 50

REQUIRED = ("origin", "external_id", "identifier", "kind", "occurred_at")
OPTIONAL = ("quantity", "channel", "venue", "state", "currency")
ATTRIBUTE = "attributes."


class Line(NamedTuple):
    """A row and the number of the line that it stands on, counted from 1."""

    number: int
    row: Row


class Refusal(NamedTuple):
    """A line that was not kept, the field that is wrong (may be empty), and a sentence why."""

    number: int
    field: str
    reason: str

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        reason = (
            self.reason
            if len(self.reason) <= LONGEST_REASON
            else f"{self.reason[:LONGEST_REASON]}…"
        )
        return _("line %(number)d: ") % {"number": self.number} + where + reason


@dataclass(slots=True)
class Tally:
    """How many lines were accepted, were known already, and were refused."""

    accepted: int = 0
    repeated: int = 0
    refused: int = 0


def record_lines(
    *,
    brand: Brand,
    lines: Iterable[Line | Refusal],
    now: datetime,
    on_refusal: Callable[[Refusal], None],
    progress: Callable[[Tally], None] | None = None,
) -> Tally:
    """Record the lines in batches, each in its own transaction, and count what became of them.

    ``on_refusal`` hears of every refused line, in the order of the file. May run twice: lines that
    are known already are counted as repeated. If it is interrupted, finished batches stay.
    """
    tally = Tally()
    batch: list[Line | Refusal] = []

    def count(line: Line, outcome: Outcome) -> Refusal | None:
        if outcome.status == "refused":
            return Refusal(line.number, outcome.field, outcome.reason)
        if outcome.status == "accepted":
            tally.accepted += 1
        else:
            tally.repeated += 1
        return None

    def flush() -> None:
        rows = [entry.row for entry in batch if isinstance(entry, Line)]
        outcomes = iter(record_actions(brand=brand, rows=rows, now=now) if rows else ())
        for entry in batch:
            refusal = entry if isinstance(entry, Refusal) else count(entry, next(outcomes))
            if refusal is not None:
                tally.refused += 1
                on_refusal(refusal)
        batch.clear()
        if progress is not None:
            progress(tally)

    for line in lines:
        batch.append(line)
        if len(batch) >= BATCH:
            flush()
    if batch:
        flush()
    return tally


def read_json_lines(stream: BinaryIO) -> Iterator[Line | Refusal]:
    """Read records as JSON lines (docs/scoring.md, “Records”): one object a line, UTF-8; blank lines are skipped."""
    for number, line in _lines(stream):
        if line is None:
            yield Refusal(number, "", _("The line is longer than a megabyte."))
            continue
        if line.isspace():
            continue
        try:
            raw = json.loads(
                line.rstrip().decode("utf-8"), parse_float=Decimal, parse_constant=_refuse_constant
            )
        except UnicodeDecodeError:
            yield Refusal(number, "", _("The line is not UTF-8 text."))
            continue
        except json.JSONDecodeError as error:
            yield Refusal(
                number,
                "",
                _("This is not JSON from character %(place)d on (%(problem)s).")
                % {"place": error.colno, "problem": error.msg},
            )
            continue
        except (ValueError, RecursionError):
            yield Refusal(number, "", _("This is not JSON that can be read."))
            continue
        yield _parsed(number, raw)


def read_csv(stream: BinaryIO, *, kinds: Iterable[ActionKind]) -> Iterator[Line | Refusal]:
    """Read actions as CSV with a header: the columns are named as the fields of a JSON line.

    Attributes are columns named ``attributes.NAME`` and are read as the row's kind declares them.
    An empty cell is a missing value. UTF-8; separated by commas, semicolons or tabs. The apostrophe that keeps
    spreadsheet programs from taking a text for a formula is no part of the text.
    A header that misses a column or has an unknown one is refused, and nothing below it is read.
    """
    declared = {kind.slug: kind.attributes for kind in kinds}
    rows = _csv_rows(stream)
    header = next(rows, None)
    if header is None:
        yield Refusal(1, "", _("The file is empty."))
        return
    if isinstance(header, Refusal):
        yield header
        return
    columns = [cell.strip() for cell in header.cells]
    problems = list(_header_problems(columns))
    if problems:
        for field, reason in problems:
            yield Refusal(header.number, field, reason)
        return
    for row in rows:
        if isinstance(row, Refusal):
            yield row
        elif len(row.cells) != len(columns):
            yield Refusal(
                row.number,
                "",
                _("The line has %(cells)d cells, the header has %(columns)d.")
                % {"cells": len(row.cells), "columns": len(columns)},
            )
        else:
            yield _parsed(row.number, _record(columns, row.cells, declared))


def _parsed(number: int, raw: object) -> Line | Refusal:
    if not isinstance(raw, dict):
        return Refusal(number, "", _("The line is not an object with named fields."))
    try:
        return Line(number, parse_record(raw))
    except RecordError as error:
        return Refusal(number, error.field, str(error.reason))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Number and bytes of each line, None for one that is too long to be held."""
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if len(line) <= LONGEST_LINE:
            yield number, line or b"\n"
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE + 1)
        yield number, None


# CSV


class _Cells(NamedTuple):
    number: int
    cells: list[str]


_Text = tuple[int, str | None]
_GUARDED = re.compile(r"'+[=+\-@\t\r\n]")


def _csv_rows(stream: BinaryIO) -> Iterator[_Cells | Refusal]:
    """The rows of the file, the header first; empty ones are skipped.

    A quoted cell may hold line breaks. A quote that is never closed would swallow lines without end: then
    the line that opened it is refused, and reading goes on with the line after it.
    """
    lines = _text_lines(stream)
    again: deque[_Text] = deque()
    delimiter = ""
    while True:
        taken: list[_Text] = []
        row: _Cells | Refusal | None = None
        while row is None:
            entry = again.popleft() if again else next(lines, None)
            if entry is not None:
                taken.append(entry)
            elif not taken:
                return
            if not delimiter and entry is not None:
                delimiter = _delimiter(entry[1] or "")
            row = _csv_row(taken, delimiter, is_end=entry is None)
        if isinstance(row, Refusal):
            again.extendleft(reversed(taken[1:]))
            yield row
        elif any(cell.strip() for cell in row.cells):
            yield row


def _delimiter(header: str) -> str:
    """The mark that cuts the header into most columns."""
    return max(",;\t", key=header.count)


def _csv_row(taken: list[_Text], delimiter: str, *, is_end: bool) -> _Cells | Refusal | None:
    """The row that these lines make, or None while a quoted cell is still open."""
    number = taken[0][0]
    texts = [text for _number, text in taken if text is not None]
    if not texts:
        return Refusal(number, "", _("The line is not UTF-8 text, or is longer than a megabyte."))
    unclosed = Refusal(number, "", _("The quotation marks of the line do not match."))
    if len(texts) < len(taken):
        return unclosed
    try:
        [cells] = [
            [cell[1:] if _GUARDED.match(cell) else cell for cell in row]
            for row in csv.reader(texts, delimiter=delimiter, strict=True)
        ]
    except csv.Error as error:
        is_open = str(error) == "unexpected end of data"
        return None if is_open and not is_end and len(taken) < MOST_LINES_PER_ROW else unclosed
    return _Cells(number, cells)


def _text_lines(stream: BinaryIO) -> Iterator[_Text]:
    for number, line in _lines(stream):
        try:
            yield number, None if line is None else line.decode("utf-8")
        except UnicodeDecodeError:
            yield number, None


def _header_problems(columns: list[str]) -> Iterator[tuple[str, str]]:
    for column in REQUIRED:
        if column not in columns:
            yield column, _("The header has no such column. No line below it was read.")
    for column in dict.fromkeys(columns):
        is_attribute = column.startswith(ATTRIBUTE) and column != ATTRIBUTE
        if column not in REQUIRED and column not in OPTIONAL and not is_attribute:
            yield column, _("The header has a column that is not known. No line below it was read.")
        elif columns.count(column) > 1:
            yield column, _("The header has this column twice. No line below it was read.")


def _record(
    columns: list[str], cells: list[str], declared: dict[str, dict[str, object]]
) -> dict[str, object]:
    given = {column: cell for column, cell in zip(columns, cells, strict=True) if cell.strip()}
    record: dict[str, object] = {
        column: cell for column, cell in given.items() if not column.startswith(ATTRIBUTE)
    }
    types = declared.get(given.get("kind", ""), {})
    attributes = {
        name: _attribute(cell, types.get(name))
        for column, cell in given.items()
        if column.startswith(ATTRIBUTE)
        for name in (column.removeprefix(ATTRIBUTE),)
    }
    return {**record, "attributes": attributes} if attributes else record


def _attribute(cell: str, declared: object) -> object:
    """The cell as the kind declares the attribute; as it stands where it is not of that type."""
    if declared == "number":
        try:
            number = Decimal(cell.strip())
        except InvalidOperation:
            return cell
        if not number.is_finite() or abs(number.adjusted()) > 30:
            return cell
        return int(number) if number == number.to_integral_value() else number
    if declared == "yes_no":
        return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}.get(
            cell.strip().casefold(), cell
        )
    return cell
