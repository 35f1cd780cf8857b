"""Laurel's Celery app. Its configuration is the ``CELERY_`` part of the settings."""

import os
from typing import Any

from celery import Celery
from celery.signals import task_prerun
from django.db import close_old_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty.settings")

app = Celery("laurel")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@task_prerun.connect
def drop_dead_connections(**_signal: Any) -> None:
    """Do for a task what Django does for a request: a restart of the database costs no task."""
    close_old_connections()
