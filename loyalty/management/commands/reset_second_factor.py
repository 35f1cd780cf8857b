"""manage.py reset_second_factor EMAIL"""

from typing import Any

from django.core.management.base import CommandParser

from accounts.models import User
from loyalty import second_factor
from loyalty.management.terminal import DoorCommand, Refused


class Command(DoorCommand):
    help = (
        "Take away the second step of somebody who lost it. They are signed out everywhere, told by mail, and "
        "set up a new one when they next sign in. Be sure that it is they who ask."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="EMAIL", help="the address they sign in with")

    def handle(self, *, email: str, **options: Any) -> None:
        user = User.objects.filter(email=email.strip().lower()).first()
        if user is None:
            raise Refused(f"Nobody signs in with {email}.")
        if not second_factor.reset(user=user, by="command line"):
            self.stdout.write(f"{user.email} has no second step. Nothing was changed.")
            return
        self.stdout.write(
            f"The second step of {user.email} is gone, and every session ended. A mail tells them."
        )
