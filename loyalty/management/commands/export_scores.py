"""manage.py export_scores BRAND --on DATE"""

from decimal import Decimal
from typing import Any

import msgspec
from django.core.management.base import CommandParser
from django.utils import timezone

from accounts.consent import audience
from accounts.models import Brand, DataUse, Purpose
from accounts.uses import record_use
from loyalty.management.terminal import ReadingCommand, Refused, get_brand, get_today, read_date
from scoring.models import Source
from scoring.queries import iter_scores


class Command(ReadingCommand):
    help = (
        "Write the scores of everyone who may be found for a purpose, on a day, as JSON lines. That they were taken is"
        " recorded, and each of them sees it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--on", metavar="DATE", help="the brand's local day, YYYY-MM-DD (default: today)"
        )
        parser.add_argument(
            "--purpose", choices=Purpose.values, default=Purpose.SCORE, help="default: score"
        )
        parser.add_argument(
            "--channel", choices=Brand.Channel.values, default="", help="of offers and news"
        )

    def handle(
        self, *, brand: str, on: str | None, purpose: str, channel: str, **options: Any
    ) -> None:
        owner = get_brand(brand)
        day = read_date(on) if on else get_today(owner)
        try:
            found = audience(brand=owner, purpose=Purpose(purpose), channel=channel)
        except ValueError as error:
            raise Refused(str(error)) from None
        use = record_use(
            brand=owner,
            type=DataUse.Type.EXPORT,
            purpose=found.purpose,
            channel=channel,
            title="export_scores",
            by=None,
            role="",
            customers=found,
            now=timezone.now(),
        )
        encoder = msgspec.json.Encoder(decimal_format="number")
        for row in iter_scores(audience=found.recorded_in(use), on=day):
            line = {
                "customer": str(row.public_id),
                "identifiers": row.identifiers,
                "points": row.points,
                "score": Decimal(f"{row.score:.3f}"),
                "sources": {
                    source.slug: {"sub_score": Decimal(f"{sub_score:.3f}"), "points": points}
                    for source, sub_score, points in zip(
                        Source, row.sub_scores, row.source_points, strict=True
                    )
                },
            }
            self.stdout.write(encoder.encode(line).decode())
