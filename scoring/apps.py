from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ScoringConfig(AppConfig):
    name = "scoring"
    verbose_name = _("Scoring")

    def ready(self) -> None:
        """Hear of identifiers that move, to score both customers anew."""
        from accounts.identity import identifier_moved

        from .due import mark_moved

        identifier_moved.connect(mark_moved, dispatch_uid="scoring")
