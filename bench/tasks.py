"""The Celery app of the bench: Laurel's own, and a task that does nothing but say that it ran."""

from loyalty.celery import app
from scoring.ranks import redis_client

__all__ = ["app"]


@app.task
def nothing(*, key: str) -> None:
    """Do nothing; leave a key for a minute, for whoever waits to see."""
    redis_client().set(key, 1, ex=60)
