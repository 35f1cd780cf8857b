from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ScoringConfig(AppConfig):
    name = "scoring"
    verbose_name = _("Scoring")

    def ready(self) -> None:
        """Hear of identifiers that move, of what customers choose, and of connections to the database."""
        from django.db.backends.signals import connection_created

        from accounts.choices import choice_made
        from accounts.identity import identifier_moved

        from .due import mark_chosen, mark_moved
        from .statements import read_moments_rightly

        connection_created.connect(read_moments_rightly, dispatch_uid="scoring")
        identifier_moved.connect(mark_moved, dispatch_uid="scoring")
        choice_made.connect(mark_chosen, dispatch_uid="scoring")
