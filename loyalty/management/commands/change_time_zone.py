"""manage.py change_time_zone BRAND ZONE [--preview]"""

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser
from django.utils import timezone

from loyalty.management.terminal import BrandCommand, get_brand
from scoring.preview import preview_time_zone
from scoring.publication import change_time_zone


class Command(BrandCommand):
    help = "Move a brand to another time zone, and with it the local dates of its whole history."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("zone", metavar="ZONE", help="such as Europe/London")
        parser.add_argument(
            "--preview",
            action="store_true",
            help="only print, as JSON, what it would do to every customer",
        )

    def handle(self, *, brand: str, zone: str, preview: bool, **options: Any) -> None:
        owner = get_brand(brand)
        try:
            if not preview:
                change_time_zone(brand=owner, time_zone=zone, now=timezone.now())
                self.stdout.write(f"{owner} is in {zone}; its customers are due to be scored.")
                return
            with self.progress("Customers") as progress:
                result = preview_time_zone(
                    brand=owner, time_zone=zone, now=timezone.now(), progress=progress
                )
        except ValidationError as error:
            self.refuse(
                "The time zone stays as it is.", [("", message) for message in error.messages]
            )
        self.stdout.write(json.dumps(result.to_json(), indent=2, ensure_ascii=False))
