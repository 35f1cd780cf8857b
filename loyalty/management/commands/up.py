"""``manage.py up``: the whole of Laurel on this machine, until Ctrl-C."""

import fcntl
import http.client
import json
import os
import signal
import socket
import time
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command, get_commands
from django.db import connections

from loyalty import embedded
from loyalty.static_files import collect
from loyalty.supervisor import Process, Supervisor, python


class Command(BaseCommand):
    """Web, Celery worker and beat under one supervisor, after whatever has to be prepared."""

    help = "Run the whole of Laurel on this machine until Ctrl-C, and say where it is."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where to listen."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen at")
        parser.add_argument("--port", type=int, default=8000, help="port to listen at")
        parser.add_argument("--stop", action="store_true", help="stop what another terminal runs")

    def handle(self, *_arguments: Any, host: str, port: int, stop: bool, **_options: Any) -> None:
        """Run until stopped; say what runs, and end, if it runs already."""
        self.host, self.port = host, port
        self.address = f"http://localhost:{port}"
        lock = settings.LAUREL_HOME / "locks" / "up"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("a+") as running:
            try:
                fcntl.flock(running, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if stop:
                    self.stop_other(lock, running)
                else:
                    self.say_what_runs(lock)
                return
            if stop:
                self.stdout.write("Laurel is not running.")
                return
            self.check_port()
            running.truncate(0)
            running.write(json.dumps({"address": self.address, "pid": os.getpid()}))
            running.flush()
            self.run()
        self.stdout.write("Laurel has stopped. What was done in it stays.")

    def say_what_runs(self, lock: Path) -> None:
        """What a second start prints."""
        try:
            running = json.loads(lock.read_text())
        except json.JSONDecodeError:  # it started this very moment
            self.stdout.write("Laurel is just being started by another command.")
            return
        self.stdout.write(
            f"Laurel is running already, at {running['address']} (process {running['pid']})."
        )
        self.say_logins()

    def stop_other(self, lock: Path, running: IO[str]) -> None:
        """Ask the other process to stop, and wait for it."""
        os.kill(json.loads(lock.read_text())["pid"], signal.SIGTERM)
        fcntl.flock(running, fcntl.LOCK_EX)
        self.stdout.write("Laurel has stopped.")

    def check_port(self) -> None:
        """Stop here if somebody else listens; a process of a killed supervisor gets a moment to go away."""
        end = time.monotonic() + 2
        while True:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((self.host, self.port))
                except OSError as error:
                    if time.monotonic() > end:
                        raise CommandError(
                            f"Laurel cannot listen at {self.host} port {self.port} ({error.strerror}); "
                            f"choose another port with: make run PORT={self.port + 1}"
                        ) from error
                else:
                    return
            time.sleep(0.1)

    def free_port(self) -> int:
        """The first port after our own at which nobody listens."""
        for port in range(self.port + 1, self.port + 50):
            with socket.socket() as probe, suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                return port
        raise CommandError(f"No port from {self.port + 1} on is free for the demo's network.")

    def run(self) -> None:
        """Prepare, and run everything until stopped."""
        began = time.monotonic()
        with ThreadPoolExecutor(1) as beside:
            collecting = beside.submit(collect, settings.STATIC_ROOT)
            call_command("migrate", interactive=False, verbosity=0)
            collecting.result()
        connections.close_all()
        os.environ.setdefault("LAUREL_SITE_URL", self.address)
        has_demo = settings.LAUREL_DEMO and "demo" in get_commands()
        if has_demo:
            os.environ.setdefault("LAUREL_BIRDSONG_URL", f"http://localhost:{self.free_port()}")
        (settings.LAUREL_HOME / "beat").mkdir(exist_ok=True)
        uvicorn = (
            "uvicorn",
            "loyalty.asgi:application",
            "--host",
            self.host,
            "--port",
            str(self.port),
        )
        celery = ("-m", "celery", "-q", "-A", "loyalty.celery")
        quiet = ("--loglevel", "WARNING")
        processes = [
            Process(
                "web",
                python(
                    *(
                        "-m",
                        *uvicorn,
                        "--lifespan",
                        "off",
                        "--no-access-log",
                        "--log-level",
                        "warning",
                    ),
                    *("--no-server-header", "--timeout-graceful-shutdown", "3"),
                ),
            ),
            Process(
                "worker",
                python(
                    *(
                        "-W",
                        "ignore:You're running the worker with superuser",
                        *celery,
                        "worker",
                        *quiet,
                    ),
                    *(
                        "--concurrency",
                        "2",
                        "--without-gossip",
                        "--without-mingle",
                        "--without-heartbeat",
                    ),
                ),
            ),
            Process(
                "beat",
                python(
                    *celery,
                    "beat",
                    *quiet,
                    "--schedule",
                    str(settings.LAUREL_HOME / "beat" / "schedule"),
                ),
            ),
        ]
        if has_demo:
            processes += [
                Process("demo", python("manage.py", "demo"), once=True),
                Process("birdsong", python("-m", "loyalty.demo.birdsong")),
            ]

        supervisor = Supervisor(processes, say=self.stdout.write, cwd=settings.TREE)
        is_announced = False

        def each_second() -> None:
            nonlocal is_announced
            if embedded.in_use is not None and not embedded.in_use.all_kept():
                self.stdout.write("A database server died; it is being started again.")
                embedded.in_use.acquire()
            is_prepared = all(process.is_done for process in processes if process.once)
            if not is_announced and is_prepared and self.answers():
                is_announced = True
                self.stdout.write(
                    f"\nLaurel is at {self.address} (ready in {time.monotonic() - began:.0f} s)."
                )
                self.say_logins()
                self.stdout.write("Ctrl-C stops it; what was done in it stays.\n")

        supervisor.run(each_second)

    def answers(self) -> bool:
        """Whether the web process serves."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104
        connection = http.client.HTTPConnection(host, self.port, timeout=5)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/healthz", headers={"Host": "localhost"})
            return connection.getresponse().status == http.HTTPStatus.OK
        return False

    def say_logins(self) -> None:
        """Who can sign in, and where to look for the codes."""
        if not settings.LAUREL_DEMO:
            return
        from loyalty.demo.birdsong.people import PASSWORD
        from loyalty.demo.people import LOGINS, STAFF

        self.stdout.write("Sign in as")
        for what, login in LOGINS.items():
            self.stdout.write(f"  {what:<10} {login.email:<28} password {login.password}")
        others = [login for login in STAFF.values() if login not in LOGINS.values()]
        names = ", ".join(login.email.split("@")[0] for login in others)
        self.stdout.write(f"  the other roles ({names}) in the same way,")
        self.stdout.write(
            "or with a code by e-mail: mail is shown here and kept in "
            f"{settings.LAUREL_HOME / 'mail'}. The admin is at {self.address}/admin/."
        )
        if not settings.LAUREL_STAFF_SECOND_FACTOR:
            self.stdout.write("Staff sign in without a second step here; elsewhere they need one.")
        if "LAUREL_BIRDSONG_URL" in os.environ:
            self.stdout.write(
                f"Birdsong, a social network to link, is at {os.environ['LAUREL_BIRDSONG_URL']} "
                f"(everybody's password: {PASSWORD})."
            )
