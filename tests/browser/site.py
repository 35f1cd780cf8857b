"""The site as it runs in earnest: web and worker as processes of their own, on a Redis that may be killed."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import redis

from loyalty import embedded

PATIENCE = 30


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Return once the condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE} seconds for {what}"
        time.sleep(0.02)


class Site:
    """Web, worker and Redis, each of which can be ended and started again. Their logs are in ``folder``."""

    def __init__(self, folder: Path, *, database_url: str) -> None:
        self.folder = folder
        self.valkey = embedded.Valkey(folder / "home", durable=False)
        self.valkey.acquire()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://localhost:{self.port}"
        self.environment = os.environ | {
            "DATABASE_URL": database_url,
            "REDIS_URL": self.valkey.url,
            "LAUREL_SITE_URL": self.url,
        }
        self.start_web()
        self.start_worker()
        self.wait_for_web()

    def start_web(self) -> None:
        """As ``manage.py up`` does."""
        self.web = self._run(
            *("web", "uvicorn", "loyalty.asgi:application", "--port", str(self.port)),
            *("--lifespan", "off", "--no-access-log", "--timeout-graceful-shutdown", "20"),
        )

    def start_worker(self) -> None:
        """As ``manage.py up`` does."""
        self.worker = self._run(
            *("worker", "celery", "-q", "-A", "loyalty.celery", "worker", "--concurrency", "1"),
            *("--loglevel", "WARNING", "--without-gossip", "--without-mingle"),
            "--without-heartbeat",
        )

    def _run(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=embedded.TREE,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_for_web(self) -> None:
        """Return once pages are served."""
        wait_until(self._answers, "the web process")

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("localhost", self.port, timeout=5)
        with closing(connection), suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        return False

    def end_web(self) -> str:
        """Ask the web process to stop, and return what it wrote once it has."""
        self.web.terminate()
        self.web.wait(PATIENCE)
        return (self.folder / "web.log").read_text()

    def kill_worker(self) -> None:
        """Let the worker die in whatever it does."""
        self.worker.kill()
        self.worker.wait(PATIENCE)

    def kill_redis(self) -> None:
        """Let Redis die with all it held, and return once it is there again."""
        killed = int(self.valkey.pid_file.read_text())
        os.kill(killed, signal.SIGKILL)

        def is_back() -> bool:
            with suppress(OSError, redis.RedisError, ValueError):
                return int(self.valkey.pid_file.read_text()) != killed and self.valkey.is_ready()
            return False

        wait_until(is_back, "Redis")

    def close(self) -> None:
        """End everything."""
        for process in (self.web, self.worker):
            process.terminate()
        for process in (self.web, self.worker):
            try:
                process.wait(PATIENCE)
            finally:
                process.kill()
        self.valkey.release()
