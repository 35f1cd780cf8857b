from django.apps import AppConfig


class LoyaltyConfig(AppConfig):
    name = "loyalty"
    verbose_name = "Loyalty"

    def ready(self) -> None:
        # So that a task sent from anywhere is sent by Laurel's Celery app, the checks are known, and whoever records
        # an action rings the doorbell.
        from loyalty import celery, checks, tasks  # noqa: F401
