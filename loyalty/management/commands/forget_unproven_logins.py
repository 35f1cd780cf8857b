"""manage.py forget_unproven_logins"""

from typing import Any

from django.utils import timezone

from accounts.logins import forget_unproven
from loyalty.management.terminal import DoorCommand


class Command(DoorCommand):
    help = "Forget the addresses that somebody typed into a join page a day ago or more and nobody proved."

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"{forget_unproven(now=timezone.now())} forgotten.")
