from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ScoringConfig(AppConfig):
    name = "scoring"
    verbose_name = _("Scoring")

    def ready(self) -> None:
        """Hear of identifiers that move, to score both customers anew, and of connections to the database."""
        from django.db.backends.signals import connection_created

        from accounts.identity import identifier_moved

        from .due import mark_moved
        from .statements import read_moments_rightly

        connection_created.connect(read_moments_rightly, dispatch_uid="scoring")
        identifier_moved.connect(mark_moved, dispatch_uid="scoring")
