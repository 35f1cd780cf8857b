"""manage.py preview_rules BRAND FILE.json"""

import json
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from loyalty.management.terminal import BrandCommand, get_brand, read_effective, read_rules
from scoring.documents import RuleSetError
from scoring.preview import preview


class Command(BrandCommand):
    help = "Print, as JSON, what a rule set document would do to every customer. Stores nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE.json", help="the rule set document")
        parser.add_argument(
            "--effective",
            default="always",
            metavar="now|always|DATETIME",
            help="from which moment changed rules would hold (default: always)",
        )

    def handle(self, *, brand: str, file: str, effective: str, **options: Any) -> None:
        owner = get_brand(brand)
        document = read_rules(file)
        moment = read_effective(effective, brand=owner)
        try:
            with self.progress("Customers") as progress:
                result = preview(
                    brand=owner,
                    document=document,
                    effective=moment,
                    now=timezone.now(),
                    progress=progress,
                )
        except RuleSetError as error:
            self.refuse(f"{file} cannot be previewed.", error.problems)
        self.stdout.write(json.dumps(result.to_json(), indent=2, ensure_ascii=False, default=str))
