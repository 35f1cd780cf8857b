"""The list of erasures: who was erased when, so that a restore brings nobody back.

It is a file of JSON lines beside the database, not in it, for a backup of the database is older than what was erased
since. It has no personal data: a customer's former public id, or the number of a login and when that was made.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings


class ListError(ValueError):
    """A line of a list that makes no sense; says which."""


@dataclass(frozen=True, slots=True)
class ErasedCustomer:
    """A customer by the public id that they had."""

    public_id: UUID
    at: datetime

    def to_json(self) -> dict[str, object]:
        """The line of the list."""
        return {"customer": str(self.public_id), "at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class ErasedLogin:
    """A login by its number; when it was made tells it from a later one that a restore gave the same number."""

    pk: int
    made_at: datetime
    at: datetime

    def to_json(self) -> dict[str, object]:
        """The line of the list."""
        return {"login": self.pk, "made_at": self.made_at.isoformat(), "at": self.at.isoformat()}


Entry = ErasedCustomer | ErasedLogin


def note_erasures(entries: Iterable[Entry]) -> None:
    """Add to this installation's list, and see that it is on the disk. Raises OSError where it cannot be written."""
    text = "".join(json.dumps(entry.to_json()) + "\n" for entry in entries)
    path = Path(settings.LAUREL_ERASURES)
    path.parent.mkdir(parents=True, exist_ok=True)
    # At once and at the end, whoever else writes.
    with path.open("ab", buffering=0) as file:
        file.write(text.encode())
        os.fsync(file.fileno())


def read_erasures(path: Path) -> Iterator[Entry]:
    """The entries of a list. Raises ListError at a line that is none, and OSError for a file that is not there."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            raw = json.loads(line)
            at = datetime.fromisoformat(raw["at"])
            if "customer" in raw:
                yield ErasedCustomer(UUID(raw["customer"]), at)
            else:
                yield ErasedLogin(int(raw["login"]), datetime.fromisoformat(raw["made_at"]), at)
        except (ValueError, KeyError, TypeError) as error:
            raise ListError(f"line {number} of {path} is no erasure") from error
