"""The task that the bench adds to Laurel's own: it does nothing but say that it ran."""

from celery import shared_task

from scoring.ranks import redis_client


@shared_task
def nothing(*, key: str) -> None:
    """Do nothing; leave a key for a minute, for whoever waits to see."""
    redis_client().set(key, 1, ex=60)
