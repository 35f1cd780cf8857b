"""What all figures have in common: a line of the table, how much there is of what, a clock, and a worker."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings

from scoring import ranks

from . import tasks

REPEATS = 3


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. ``measured`` and ``floor`` are in ``unit``; ``reach`` is what the ratio should be."""

    name: str
    floor_name: str
    unit: str
    measured: float
    floor: float
    reach: str
    note: str = ""

    @property
    def ratio(self) -> float:
        """Measured by floor."""
        return self.measured / self.floor if self.floor else float("nan")


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much there is of what. ``scaled`` makes all of it smaller."""

    customers: int = 50_000
    actions: int = 1_000_000
    long_history: int = 100_000
    members: int = 1_000_000
    exported: int = 100_000
    due: int = 50_000
    single: int = 300
    streams: int = 2000
    changes: int = 60

    def scaled(self, scale: float) -> "Sizes":
        """The same by a factor."""
        return replace(
            self,
            **{name: max(20, int(getattr(self, name) * scale)) for name in self.__slots__},
        )


def seconds(work: Callable[[], Any]) -> float:
    """How long one call takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def best(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """The shortest of some calls: what the machine can do when nothing else disturbs it."""
    return min(seconds(work) for _repeat in range(repeats))


@contextmanager
def a_worker() -> Iterator[None]:
    """A real Celery worker with one process, idle."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "celery",
            "--app=loyalty.celery",
            "worker",
            "--include=bench.tasks",
            "--pool=prefork",
            "--concurrency=1",
            "--loglevel=ERROR",
            "--without-gossip",
            "--without-mingle",
        ],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "loyalty.settings"},
        stdout=subprocess.DEVNULL,
    )
    try:
        # Warm in every respect: the first tasks of a worker connect and plan.
        for _turn in range(30):
            round_trip()
        yield
    finally:
        process.terminate()
        process.wait(30)


def wait_for(condition: Callable[[], Any]) -> None:
    """Wait until something holds, at most half a minute."""
    until = time.perf_counter() + 30
    while not condition():
        if time.perf_counter() > until:
            raise TimeoutError
        time.sleep(0.0001)


def round_trip() -> float:
    """How long a task that does nothing takes, from its being asked for to its having been done."""
    client = ranks.redis_client()
    key = f"{settings.LAUREL_REDIS_PREFIX}bench:{random.getrandbits(60)}"
    begun = time.perf_counter()
    tasks.nothing.apply_async(kwargs={"key": key})
    wait_for(lambda: client.exists(key))
    return time.perf_counter() - begun
