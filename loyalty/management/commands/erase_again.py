"""manage.py erase_again LIST..."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from loyalty.management.terminal import DoorCommand, Refused
from loyalty.privacy.erase import BusyError, erase_again
from loyalty.privacy.erasures import Entry, ListError, read_erasures


class Command(DoorCommand):
    help = "After a restore, erase again whoever of these lists of erasures is back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("lists", metavar="LIST", nargs="+", help="a file of LAUREL_ERASURES")

    def handle(self, *, lists: list[str], **options: Any) -> None:
        entries: list[Entry] = []
        for name in lists:
            try:
                entries += read_erasures(Path(name))
            except OSError as error:
                raise Refused(f"{name} cannot be read: {error.strerror}.") from None
            except (ListError, UnicodeDecodeError) as error:
                raise Refused(f"{error}. Nothing was erased.") from None
        try:
            done = erase_again(entries=entries)
        except BusyError as error:
            raise Refused(str(error)) from None
        self.stdout.write(f"{len(entries):,} erasures in the list, {done:,} erased again.")
