"""manage.py import_rules BRAND FILE.json --effective now|always|DATETIME"""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from loyalty.management.terminal import BrandCommand, get_brand, read_effective, read_rules
from scoring.documents import RuleSetError
from scoring.publication import publish


class Command(BrandCommand):
    help = "Publish a rule set document as the brand's current rules."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE.json", help="the rule set document")
        parser.add_argument(
            "--effective",
            required=True,
            metavar="now|always|DATETIME",
            help="from which moment changed rules hold; “always” rewrites the past",
        )
        parser.add_argument("--note", default="", help="why, for the history of the rules")

    def handle(self, *, brand: str, file: str, effective: str, note: str, **options: Any) -> None:
        owner = get_brand(brand)
        try:
            rule_set = publish(
                brand=owner,
                document=read_rules(file),
                effective=read_effective(effective, brand=owner),
                note=note,
                now=timezone.now(),
            )
        except RuleSetError as error:
            self.refuse(f"{file} was not published. Nothing was changed.", error.problems)
        self.stdout.write(f"Version {rule_set.version} of the rules of {owner.name} is published.")
