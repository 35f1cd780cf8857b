"""manage.py verify_ledger BRAND"""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from loyalty.management.terminal import BrandCommand, get_brand, get_today
from scoring.verify import verify_ledger


class Command(BrandCommand):
    help = "Recompute everything from the actions and report every difference from what is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *, brand: str, as_json: bool, **options: Any) -> None:
        owner = get_brand(brand)
        with self.progress("Customers") as progress:
            result = verify_ledger(brand=owner, on=get_today(owner), progress=progress)
        if as_json:
            self.stdout.write(json.dumps(result.to_json(), indent=2, default=str))
        else:
            for what, count in result.checked.items():
                self.stdout.write(f"{count:>12,}  {what}")
            for difference in result.differences:
                self.stdout.write(f"DIFFERS  {difference}")
        if result.differences:
            raise CommandError(
                f"{len(result.differences):,} places differ in {owner.name}.", returncode=1
            )
        if not as_json:
            self.stdout.write("Everything stored equals what the actions say.")
