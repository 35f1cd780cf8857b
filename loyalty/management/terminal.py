"""What every command shares: finding a brand, reading a document, showing progress, and refusing with a sentence.

Exit statuses: 0 done; 1 what was looked at is not as it should be; 2 the input was refused.
"""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from accounts.models import Brand
from accounts.walls import within_those
from loyalty.access import BY_SLUG
from scoring.publication import Effective

REFUSED = 2
SECONDS_BETWEEN_LINES = 5


class Refused(CommandError):  # noqa: N818 - Django prints the name before the sentence
    """Input that cannot be used. The command ends with status 2; nothing was changed unless it says so."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, returncode=REFUSED)


class DoorCommand(BaseCommand):
    """A command that hands one thing to one domain call, and refuses input in one way."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command. A reader that goes away (``| head``) ends it quietly."""
        try:
            return super().execute(*args, **options)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return None

    def refuse(self, heading: str, problems: Iterable[tuple[str, object]]) -> NoReturn:
        """End with status 2 after one line on stderr for each problem: its place and the reason."""
        for place, reason in problems:
            self.stderr.write(f"{place}: {reason}" if place else str(reason))
        raise Refused(heading)

    def progress(self, label: str) -> "Progress":
        """Progress on stderr, to be used as a context manager."""
        return Progress(label, sys.stderr)


class BrandCommand(DoorCommand):
    """A command about one brand, named by its slug as the first argument."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the brand; commands add their own after it."""
        parser.add_argument("brand", metavar="BRAND", help="the brand's slug")


class ReadingCommand(BrandCommand):
    """A command of which people read the result: of other brands, it finds nothing."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command within the wall of its brand."""
        with within_those(BY_SLUG, [options["brand"]]):
            return super().execute(*args, **options)


def get_brand(slug: str) -> Brand:
    """The brand of that slug, or a refusal that names the brands there are."""
    try:
        return Brand.objects.get(slug=slug)
    except Brand.DoesNotExist:
        known = ", ".join(Brand.objects.order_by("slug").values_list("slug", flat=True)[:20])
        hint = f"There are: {known}." if known else "There is none yet: see setup_brand."
        raise Refused(f"There is no brand “{slug}”. {hint}") from None


def get_today(brand: Brand) -> date:
    """The brand's local date."""
    return timezone.now().astimezone(brand.zone).date()


def read_document(path: str) -> Any:
    """What a JSON file holds; numbers are exact. A refusal names the file and the place in it."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is not UTF-8 text (from byte {error.start} on).") from None
    try:
        document = json.loads(text, parse_float=Decimal)
    except json.JSONDecodeError as error:
        raise Refused(
            f"{path} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}."
        ) from None
    except (ValueError, RecursionError):
        raise Refused(f"{path} is not JSON that can be read.") from None
    for place in _unstorable(document, ""):
        raise Refused(
            f"{path}: {place}: a text cannot hold the character NUL, or half a character."
        )
    return document


def _unstorable(value: Any, place: str) -> Iterator[str]:
    """The places of texts that no database keeps: JSON can spell them as \\u0000 or \\ud800."""
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            yield place or "document"
    elif isinstance(value, dict):
        for key, inside in value.items():
            at = f"{place}.{key}" if place else key
            yield from _unstorable(key, f"{place or 'document'} (a key)")
            yield from _unstorable(inside, at)
    elif isinstance(value, list):
        for number, inside in enumerate(value):
            yield from _unstorable(inside, f"{place}[{number}]")


def read_rules(path: str) -> Any:
    """A rule set document: the file itself, or what it holds under “rules” beside other things."""
    raw = read_document(path)
    inside = raw.get("rules") if isinstance(raw, dict) else None
    return inside if isinstance(inside, dict) else raw


def read_date(text: str) -> date:
    """A day as YYYY-MM-DD."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused(f"“{text}” is not a day. Write it as YYYY-MM-DD.") from None


def read_effective(text: str, *, brand: Brand) -> Effective:
    """``now``, ``always``, a day, or a moment; one without an offset is the brand's local time."""
    if text == "now":
        return "now"
    if text == "always":
        return "always"
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(
            f"“{text}” is no moment from which rules can hold. Write now, always, a day (YYYY-MM-DD) "
            "or a moment (YYYY-MM-DDTHH:MM:SS+00:00)."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=brand.zone)


class Progress(AbstractContextManager["Progress"]):
    """A bar where stderr is a terminal; elsewhere a plain line every few seconds."""

    def __init__(self, label: str, stream: TextIO) -> None:
        self._label = label
        self._stream = stream
        self._bar: Bar | None = None
        self._told_at = time.monotonic()

    def __enter__(self) -> "Progress":
        if self._stream.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            console = Console(file=self._stream)
            self._bar = Bar(*columns, TimeRemainingColumn(), console=console, transient=True)
            self._bar.add_task(self._label, total=None)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        """Tell that ``done`` of ``total`` is done."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total)
        elif time.monotonic() - self._told_at >= SECONDS_BETWEEN_LINES:
            self._told_at = time.monotonic()
            self._stream.write(f"{self._label}: {done:,} of {total:,}\n")
            self._stream.flush()
