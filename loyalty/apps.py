from django.apps import AppConfig


class LoyaltyConfig(AppConfig):
    name = "loyalty"
    verbose_name = "Loyalty"

    def ready(self) -> None:
        # So that a task sent from anywhere is sent by Laurel's Celery app, the checks are known, and whoever records
        # an action rings the doorbell; and what happens at the door is heard.
        from allauth.account.signals import user_logged_in
        from allauth.mfa.signals import authenticator_added
        from allauth.usersessions.models import UserSession
        from django.contrib.sessions.models import Session
        from django.db.models.signals import post_delete, pre_save

        from loyalty import celery, checks, second_factor, tasks  # noqa: F401
        from loyalty.pages import security

        user_logged_in.connect(security.note_sign_in, dispatch_uid="note_sign_in")
        pre_save.connect(security.forget_address, sender=UserSession, dispatch_uid="forget_address")
        post_delete.connect(security.forget_session, sender=Session, dispatch_uid="forget_session")
        authenticator_added.connect(second_factor.note_set_up, dispatch_uid="note_set_up")
