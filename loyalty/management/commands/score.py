"""manage.py score BRAND"""

import time
from typing import Any

from django.utils import timezone

from loyalty.management.terminal import BrandCommand, get_brand
from scoring.run import is_due, score_due

PAUSE = 0.2


class Command(BrandCommand):
    help = "Bring every customer who is due up to date, without a worker."

    def handle(self, *, brand: str, **options: Any) -> None:
        owner = get_brand(brand)
        done = 0
        with self.progress("Customers") as progress:
            while is_due(brand=owner):
                scored = score_due(brand=owner, now=timezone.now())
                done += len(scored)
                progress(done, done)
                if not scored:
                    # A worker is scoring those who are left.
                    time.sleep(PAUSE)
        self.stdout.write(f"{done:,} customers of {owner.name} were brought up to date.")
