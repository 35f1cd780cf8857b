"""manage.py close_boards BRAND"""

from typing import Any

from django.utils import timezone

from loyalty.management.terminal import BrandCommand, get_brand
from scoring.boards import close_boards


class Command(BrandCommand):
    help = "Close the weeks and seasons of the boards that are over by the brand's date."

    def handle(self, *, brand: str, **options: Any) -> None:
        owner = get_brand(brand)
        for board in close_boards(brand=owner, now=timezone.now()):
            self.stdout.write(f"{board.period} {board.starts_on} to {board.ends_on}: closed.")
