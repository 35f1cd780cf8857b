from django.apps import AppConfig


class LoyaltyConfig(AppConfig):
    name = "loyalty"
    verbose_name = "Loyalty"

    def ready(self) -> None:
        # So that a task sent from anywhere is sent by Laurel's Celery app, and the checks are known.
        from loyalty import celery, checks  # noqa: F401
