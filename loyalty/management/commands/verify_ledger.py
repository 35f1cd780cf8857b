"""manage.py verify_ledger BRAND"""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from loyalty.management.terminal import BrandCommand, get_brand
from scoring.models import Source
from scoring.verify import Difference, verify_ledger


class Command(BrandCommand):
    help = "Recompute everything from the actions and report every difference from what is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *, brand: str, as_json: bool, **options: Any) -> None:
        owner = get_brand(brand)
        with self.progress("Customers") as progress:
            result = verify_ledger(brand=owner, progress=progress)
        if as_json:
            self.stdout.write(json.dumps(result.to_json(), indent=2, default=str))
        else:
            for what, count in result.checked.items():
                self.stdout.write(f"{count:>12,}  {what.replace('_', ' ')}")
            for difference in result.differences:
                self.stdout.write(f"DIFFERS  {_place(difference)}")
        if result.differences:
            raise CommandError(
                f"{len(result.differences):,} places differ in {owner.name}.", returncode=1
            )
        if not as_json:
            self.stdout.write("Everything stored equals what the actions say.")
            if result.checked.get("customers_due"):
                self.stdout.write(
                    "Customers who are due were left out: run score, then this again."
                )


def _place(difference: Difference) -> str:
    """One difference in a line: what and where, what should stand there, and what does."""
    source = None if difference.source is None else Source(difference.source).slug
    where = {
        "customer": difference.customer,
        "action": difference.action,
        "rule": difference.rule,
        "source": source,
        "on": difference.local_date,
    }
    place = ", ".join(f"{name} {value}" for name, value in where.items() if value is not None)
    return f"{difference.what}: {place}: should be {difference.expected}, is {difference.found}"
