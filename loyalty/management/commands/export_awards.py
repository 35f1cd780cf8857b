"""manage.py export_awards BRAND"""

from typing import Any

import msgspec

from loyalty.management.terminal import ReadingCommand, get_brand
from scoring.queries import iter_awards


class Command(ReadingCommand):
    help = "Write every award that holds now as JSON lines."

    def handle(self, *, brand: str, **options: Any) -> None:
        owner = get_brand(brand)
        encoder = msgspec.json.Encoder()
        for row in iter_awards(brand=owner):
            line = {
                "origin": row.origin,
                "external_id": row.external_id,
                "rule": row.rule,
                "source": row.source.slug,
                "on": row.on,
                "points": row.points,
            }
            self.stdout.write(encoder.encode(line).decode())
