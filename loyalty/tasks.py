"""What workers do. Each task carries ids only, makes one domain call, and has a command that does the same.

Nothing relies on a message arriving: due marks lie in PostgreSQL, and ``sweep`` rings for whoever
is still due.
"""

import logging
import time
from typing import Any

import redis
from celery import shared_task
from django.conf import settings
from django.contrib.sessions.backends.cached_db import SessionStore
from django.dispatch import receiver
from django.utils import timezone

from accounts import logins
from accounts.models import Brand
from scoring import actions, boards, ranks, run

log = logging.getLogger(__name__)

# So long may one ring stand for all that follow it; a lost one is made good by the sweeper.
RING_SECONDS = 5
TURN_SECONDS = 60


@receiver(actions.customers_due)
def ring(*, brand_id: int, **_signal: Any) -> None:
    """Ring the doorbell: one message at most until a worker has heard it."""
    try:
        if ranks.redis_client().set(_bell(brand_id), 1, nx=True, ex=RING_SECONDS):
            score_due.apply_async(kwargs={"brand_id": brand_id}, retry=False)
    except (redis.RedisError, score_due.OperationalError):
        log.warning("The doorbell is out of order; the sweeper will find who is due.")


def _bell(brand_id: int) -> str:
    return f"{settings.LAUREL_REDIS_PREFIX}bell:{brand_id}"


@shared_task
def score_due(*, brand_id: int) -> None:
    """Score whoever is due with a brand. Command: ``score``."""
    # Silenced before looking, so that who comes due from now on rings again.
    ranks.redis_client().delete(_bell(brand_id))
    # By its key alone: scoring reads the row itself, once it has claimed who is due.
    brand = Brand(pk=brand_id)
    until = time.monotonic() + TURN_SECONDS
    while run.score_due(brand=brand, now=timezone.now()):
        if time.monotonic() > until:
            # Far below the time limit; other brands get their turn, and this one rings again.
            ring(brand_id=brand_id)
            return


@shared_task
def sweep() -> None:
    """Ring for whoever is still due, and bring ranks in that were missed."""
    now = timezone.now()
    for brand in Brand.objects.all():
        actions.attach_waiting(brand=brand, now=now)
        ranks.catch_up(brand_id=brand.pk, now=now)
        if run.is_due(brand=brand):
            score_due.delay(brand_id=brand.pk)


@shared_task
def roll() -> None:
    """Begin the day of each brand whose local date has changed: scores fade by a day. Command: ``score``."""
    for brand in Brand.objects.all():
        run.score_day(brand=brand, now=timezone.now())


@shared_task
def close_boards() -> None:
    """Close each brand's weeks and seasons that are over by its own date. Command: ``close_boards``."""
    for brand in Brand.objects.all():
        boards.close_boards(brand=brand, now=timezone.now())


@shared_task
def forget_sessions() -> None:
    """Delete sessions that are over: nobody comes back for them. Command: ``clearsessions``, which is Django's."""
    SessionStore.clear_expired()


@shared_task
def forget_unproven_logins() -> None:
    """Forget addresses that somebody typed in and nobody proved. Command: ``forget_unproven_logins``."""
    logins.forget_unproven(now=timezone.now())
