"""manage.py demo"""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from loyalty.demo.make import make_demo
from loyalty.demo.people import LOGINS, STAFF


class Command(BaseCommand):
    help = "Make the demo brands, or bring their story up to now. May run any number of times."

    def handle(self, **options: Any) -> None:
        for made in make_demo(now=timezone.now()):
            self.stdout.write(str(made))
        self.stdout.write("Sign in with a password, or with the code that is sent by e-mail:")
        for who, login in {**LOGINS, **STAFF}.items():
            if who != "staff":
                self.stdout.write(f"  {who:<11} {login.email:<28} {login.password}")
