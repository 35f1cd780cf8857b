"""manage.py setup_brand FILE.json"""

from typing import Any

from django.core.management.base import CommandParser

from loyalty.management.terminal import DoorCommand, read_document
from scoring.brands import BrandError, setup_brand


class Command(DoorCommand):
    help = "Create or update a brand, its kinds of action and its venues from a JSON document."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file",
            metavar="FILE.json",
            help="the brand's document, or a file with it under “brand”",
        )

    def handle(self, *, file: str, **options: Any) -> None:
        raw = read_document(file)
        document = raw["brand"] if isinstance(raw, dict) and "brand" in raw else raw
        try:
            brand = setup_brand(document=document)
        except BrandError as error:
            self.refuse(f"{file} was not used. Nothing was changed.", error.problems)
        self.stdout.write(f"{brand.name} is set up. Its address here: /b/{brand.slug}/")
