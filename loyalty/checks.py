"""What ``manage.py check --deploy`` says of Laurel itself."""

from collections.abc import Sequence
from typing import Any

import redis
from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError

from accounts.policies import gaps


@register(Tags.security, deploy=True)
def check_not_demo(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:
    """A site that others can reach must not have log-ins that everybody knows."""
    if not settings.LAUREL_DEMO:
        return []
    return [
        Error(
            "LAUREL_DEMO is on: there are log-ins that everybody knows, and mail is not sent.",
            id="laurel.E001",
        )
    ]


@register(Tags.security, deploy=True)
def check_staff_need_a_second_step(
    app_configs: Sequence[AppConfig] | None, **_options: Any
) -> list[CheckMessage]:
    """A password that was guessed or given away must not open the admin."""
    if settings.LAUREL_STAFF_SECOND_FACTOR:
        return []
    return [
        checks.Warning(
            "LAUREL_STAFF_SECOND_FACTOR is off: a password or a mailbox alone opens the admin.",
            id="laurel.W002",
        )
    ]


@register("walls", deploy=True)
def check_walls(app_configs: Sequence[AppConfig] | None, **_options: Any) -> list[CheckMessage]:
    """A table without its policy would show one brand what is another's, where a filter was forgotten."""
    try:
        names = ", ".join(table.name for table in gaps())
    except DatabaseError as error:
        return [Error(f"The database of DATABASE_URL does not answer: {error}", id="laurel.E003")]
    if not names:
        return []
    return [Error(f"Brands are not kept apart in {names}.", "Run migrate.", id="laurel.E003")]


@register("redis", deploy=True)
def check_redis_keeps_what_it_is_given(
    app_configs: Sequence[AppConfig] | None, **_options: Any
) -> list[CheckMessage]:
    """A Redis server that evicts would drop Celery's messages when it is full."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5) as client:
            policy = client.info("memory")["maxmemory_policy"]
    except redis.RedisError as error:
        return [Error(f"The Redis server of REDIS_URL does not answer: {error}", id="laurel.E002")]
    if policy == "noeviction":
        return []
    hint = "Set it to noeviction."
    return [
        checks.Warning(
            f"The Redis server drops keys when it is full (maxmemory-policy {policy}).",
            hint,
            id="laurel.W001",
        )
    ]
