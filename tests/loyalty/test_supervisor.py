"""The supervisor, and ``manage.py up`` as somebody at a terminal sees it."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from loyalty import embedded
from loyalty.supervisor import Process, Supervisor


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited for 60 seconds"
        time.sleep(0.02)


def python(program: str) -> list[str]:
    return [sys.executable, "-u", "-c", textwrap.dedent(program)]


def supervise(*processes: Process, until: Callable[[list[str]], bool]) -> list[str]:
    """The lines shown until a condition on them is met."""
    lines: list[str] = []
    supervisor = Supervisor(processes, say=lines.append, cwd=embedded.TREE)

    def each_second() -> None:
        if until(lines):
            signal.raise_signal(signal.SIGINT)

    supervisor.run(each_second)
    return lines


def test_what_processes_say_is_shown_under_their_names() -> None:
    lines = supervise(
        Process("one", python("print('from one')"), once=True),
        Process("three", python("print('from three', end='')"), once=True),
        until=lambda lines: len(lines) >= 2,
    )
    assert sorted(lines) == ["  one | from one", "three | from three"]


def test_a_process_that_ends_is_started_again_ever_more_slowly() -> None:
    lines = supervise(
        Process("fails", python("raise SystemExit(3)")),
        until=lambda lines: len(lines) >= 2,
    )
    assert lines == [
        "fails | ended with exit code 3; starts again in 0.5 seconds",
        "fails | ended with exit code 3; starts again in 1 seconds",
    ]


def test_what_runs_once_is_not_started_again_and_its_failure_is_told() -> None:
    process = Process("once", python("raise SystemExit(2)"), once=True)
    assert supervise(process, until=bool) == ["once | failed with exit code 2"]
    assert process.is_done


def test_a_process_is_asked_to_stop_before_it_is_killed() -> None:
    polite = """
        import signal, time
        signal.signal(signal.SIGTERM, lambda *_: (print("goodbye"), exit()))
        print("hello")
        time.sleep(60)
    """
    lines = supervise(Process("polite", python(polite)), until=bool)
    assert lines == ["polite | hello", "polite | goodbye"]


def test_nothing_outlives_a_supervisor_that_is_killed() -> None:
    program = f"""
        from pathlib import Path
        from loyalty.supervisor import Process, Supervisor

        process = Process("child", ["sh", "-c", "echo $$; exec sleep 60"])
        Supervisor([process], say=print, cwd=Path({str(embedded.TREE)!r})).run(lambda: None)
    """
    supervisor = subprocess.Popen(
        python(program), cwd=embedded.TREE, stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    child = int(supervisor.stdout.readline().split("|")[1])
    # Between its shell and what that becomes, a process has no command line for a moment.
    wait_until(lambda: bool(embedded.command_of(child)))
    supervisor.kill()
    supervisor.communicate()
    wait_until(lambda: not embedded.command_of(child))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def static_root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where static files are collected, once for all starts."""
    return str(tmp_path_factory.mktemp("static"))


@pytest.fixture
def environment(tmp_path: Path, static_root: str) -> dict[str, str]:
    """That of somebody who has set up nothing but where files go, and does without the demo."""
    return {
        "PATH": os.environ["PATH"],
        "LAUREL_HOME": str(tmp_path / "home"),
        "LAUREL_STATIC_ROOT": static_root,
        "LAUREL_DEMO": "false",
        "LAUREL_SITE_URL": "http://localhost",
        "SECRET_KEY": "for tests only",
        "EMAIL_URL": "consolemail://",
    }


def manage(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "manage.py", *arguments],
        cwd=embedded.TREE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def output(environment: dict[str, str], *arguments: str) -> str:
    text, _nothing = manage(environment, *arguments).communicate(timeout=120)
    return text


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    seen = ""
    line: str
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(seen)


def working_for(environment: dict[str, str]) -> list[str]:
    """The commands of all processes that belong to this home."""
    home = environment["LAUREL_HOME"]
    words = [home, *(server(Path(home)).mark for server in embedded.SERVERS.values())]
    commands = embedded.commands().values()
    return [each for each in commands if any(word in each for word in words)]


def test_a_start_a_second_start_and_a_stop(environment: dict[str, str]) -> None:
    port = str(free_port())
    laurel = manage(environment, "up", "--port", port)
    try:
        read_until(laurel, f"Laurel is at http://localhost:{port}")
        assert f"is running already, at http://localhost:{port}" in output(environment, "up")
        assert "No migrations to apply" in output(environment, "migrate")
        laurel.send_signal(signal.SIGINT)
        rest, _nothing = laurel.communicate(timeout=60)
    finally:
        laurel.kill()
    assert laurel.returncode == 0
    assert "Laurel has stopped" in rest
    assert "Traceback" not in rest
    assert working_for(environment) == []


def test_a_killed_start_leaves_nothing_and_the_next_one_recovers(
    environment: dict[str, str],
) -> None:
    port = str(free_port())
    laurel = manage(environment, "up", "--port", port)
    read_until(laurel, f"Laurel is at http://localhost:{port}")
    laurel.kill()
    laurel.communicate()
    again = manage(environment, "up", "--port", port)
    try:
        read_until(again, f"Laurel is at http://localhost:{port}")
        assert "Laurel has stopped" in output(environment, "up", "--stop")
        again.communicate(timeout=60)
    finally:
        again.kill()
    wait_until(lambda: working_for(environment) == [])


def test_a_taken_port_is_a_clear_message(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        port = somebody.getsockname()[1]
        text = output(environment, "up", "--port", str(port))
    assert text.startswith(f"CommandError: Laurel cannot listen at 127.0.0.1 port {port}")
    assert f"make run PORT={port + 1}" in text


def test_two_commands_at_once_with_nothing_running(environment: dict[str, str]) -> None:
    question = "from django.db import connection as c; print(c.cursor().execute('SELECT 41 + 1').fetchone())"
    both = [manage(environment, "shell", "-v", "0", "-c", question) for _ in range(2)]
    for command in both:
        text, _nothing = command.communicate(timeout=120)
        assert (command.returncode, text) == (0, "(42,)\n")
    assert working_for(environment) == []


def test_servers_of_somebody_elses_are_used_when_named(environment: dict[str, str]) -> None:
    named = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")}
    question = "from django.conf import settings as s; print(s.REDIS_URL)"
    text = output({**environment, **named}, "shell", "-v", "0", "-c", question)
    assert text == named["REDIS_URL"] + "\n"
    assert "No changes detected" in output(
        {**environment, **named}, "makemigrations", "--check", "--dry-run"
    )
    assert not Path(environment["LAUREL_HOME"], "postgres").exists()


@pytest.mark.parametrize("missing", ["SECRET_KEY", "LAUREL_SITE_URL", "EMAIL_URL"])
def test_a_missing_setting_is_named_in_a_sentence(
    environment: dict[str, str], missing: str
) -> None:
    environment = {**environment, "DATABASE_URL": "postgres:///x", "REDIS_URL": "redis://x"}
    del environment[missing]
    last_line = output(environment, "check").splitlines()[-1]
    assert f"Set {missing} to " in last_line


def test_a_production_environment_passes_the_deployment_checks(
    environment: dict[str, str],
) -> None:
    production = {
        **environment,
        **{name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL")},
        "LAUREL_SITE_URL": "https://loyalty.example.org",
        "SECRET_KEY": "k9" + "".join(chr(ord("a") + n * 7 % 26) for n in range(60)) + "-$",
    }
    text = output(production, "check", "--deploy", "--fail-level", "WARNING")
    assert text == "System check identified no issues (0 silenced).\n"


def test_a_demo_does_not_pass_the_deployment_checks(environment: dict[str, str]) -> None:
    text = output({**environment, "LAUREL_DEMO": "true"}, "check", "--deploy")
    assert "laurel.E001" in text


def test_any_command_works_where_nothing_was_ever_set_up(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Two at once, on a home that is not there yet: both find their tables."""
    brands = []
    for slug in ("first", "second"):
        document = tmp_path / f"{slug}.json"
        document.write_text(
            f'{{"slug": "{slug}", "name": "{slug}", "time_zone": "UTC", "currency": "EUR"}}'
        )
        brands.append(manage(environment, "setup_brand", str(document)))
    for brand in brands:
        text, _nothing = brand.communicate(timeout=120)
        assert brand.returncode == 0, text
        assert "is set up" in text
    assert "customers" in output(environment, "verify_ledger", "first")
