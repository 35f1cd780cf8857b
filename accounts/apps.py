from typing import Any

from django.apps import AppConfig
from django.core.management.base import CommandError
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("People and brands")

    def ready(self) -> None:
        # So that what allauth says of accounts and addresses is heard.
        from accounts import adapters  # noqa: F401

        # Once all tables are there, whoever's they are.
        post_migrate.connect(_build_walls, sender=self)


def _build_walls(**_signal: Any) -> None:
    from .policies import WallError, build

    try:
        build()
    except WallError as error:
        raise CommandError(str(error)) from error
