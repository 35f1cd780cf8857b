"""manage.py score BRAND"""

from typing import Any

from django.utils import timezone

from loyalty.management.terminal import BrandCommand, get_brand
from scoring.run import score_due


class Command(BrandCommand):
    help = "Bring every customer who is due up to date, without a worker."

    def handle(self, *, brand: str, **options: Any) -> None:
        owner = get_brand(brand)
        done = 0
        with self.progress("Customers") as progress:
            while claimed := score_due(brand=owner, now=timezone.now()):
                done += len(claimed)
                progress(done, done)
        self.stdout.write(f"{done:,} customers of {owner.name} were brought up to date.")
