"""manage.py import_actions BRAND FILE"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandParser
from django.utils import timezone

from accounts.models import Brand
from loyalty.intake.files import Line, Refusal, Tally, read_csv, read_json_lines, record_lines
from loyalty.management.terminal import BrandCommand, Refused, get_brand
from scoring.models import ActionKind


class Command(BrandCommand):
    help = "Record actions, corrections, voids and decisions from JSON lines, or actions from CSV."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE", help="a .jsonl or a .csv file")

    def handle(self, *, brand: str, file: str, **options: Any) -> None:
        owner = get_brand(brand)
        path = Path(file)
        try:
            stream = path.open("rb")
            size = path.stat().st_size
        except OSError as error:
            raise Refused(f"{file} cannot be read: {error.strerror}.") from None
        with stream, self.progress("Bytes read") as progress:
            tally = record_lines(
                brand=owner,
                lines=self._lines(stream, brand=owner, suffix=path.suffix.lower()),
                now=timezone.now(),
                on_refusal=lambda refusal: self.stderr.write(str(refusal)),
                progress=lambda _tally: progress(stream.tell(), size),
            )
        self.stdout.write(_sentence(tally))
        if tally.refused:
            raise Refused(f"{tally.refused:,} lines of {file} were refused; the others are kept.")

    def _lines(self, stream: BinaryIO, *, brand: Brand, suffix: str) -> Iterator[Line | Refusal]:
        if suffix in (".jsonl", ".ndjson"):
            return read_json_lines(stream)
        if suffix == ".csv":
            return read_csv(stream, kinds=ActionKind.objects.filter(brand=brand))
        raise Refused(
            "Give a .jsonl file (one record a line) or a .csv file (actions with a header)."
        )


def _sentence(tally: Tally) -> str:
    return (
        f"{tally.accepted:,} accepted, {tally.repeated:,} repeated (known already), "
        f"{tally.refused:,} refused."
    )
