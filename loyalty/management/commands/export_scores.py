"""manage.py export_scores BRAND --on DATE"""

from decimal import Decimal
from typing import Any

import msgspec
from django.core.management.base import CommandParser

from loyalty.management.terminal import BrandCommand, get_brand, get_today, read_date
from scoring.models import Source
from scoring.queries import iter_scores


class Command(BrandCommand):
    help = "Write every customer's score on a day as JSON lines."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--on", metavar="DATE", help="the brand's local day, YYYY-MM-DD (default: today)"
        )

    def handle(self, *, brand: str, on: str | None, **options: Any) -> None:
        owner = get_brand(brand)
        day = read_date(on) if on else get_today(owner)
        encoder = msgspec.json.Encoder(decimal_format="number")
        for row in iter_scores(brand=owner, on=day):
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
