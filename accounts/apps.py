from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("People and brands")

    def ready(self) -> None:
        # So that what allauth says of accounts and addresses is heard.
        from accounts import adapters  # noqa: F401
