"""The embedded servers, as processes that are started, shared, killed and started again."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import redis

from loyalty import embedded
from loyalty.embedded import EmbeddedError, Postgres, Server, Valkey


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def postgres(home: Path) -> Postgres:
    return Postgres(home, durable=False)


def valkey(home: Path) -> Valkey:
    return Valkey(home, durable=False)


@contextmanager
def in_use(server: Server) -> Iterator[None]:
    server.acquire()
    try:
        yield
    finally:
        server.release()


def connect(server: Postgres) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=str(server.run), port=5432, user="laurel", dbname="laurel", autocommit=True
    )


def keep_answer(server: Postgres) -> None:
    with connect(server) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")


def ask(server: Postgres, statement: str) -> object:
    with connect(server) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return None if row is None else row[0]


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "waited for 20 seconds"
        time.sleep(0.02)


def processes(server: Server) -> list[int]:
    """The server itself and what it started, but not its keeper."""
    return [pid for pid, command in embedded.commands().items() if server.mark in command]


def keepers(server: Server) -> list[int]:
    asked = f"{server.name} {server.home}"
    return [pid for pid, command in embedded.commands().items() if asked in command]


def other_process(server: Server) -> subprocess.Popen[str]:
    """Another process that uses the server until its standard input ends, and says when it has it."""
    program = f"""
        import sys
        from pathlib import Path
        from loyalty.embedded import {type(server).__name__}

        server = {type(server).__name__}(Path({str(server.home)!r}), durable=False)
        server.acquire()
        print("has it", flush=True)
        sys.stdin.read()
        server.release()
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=embedded.TREE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "has it\n"


def end(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_both_servers_answer_and_are_gone_afterwards(home: Path) -> None:
    with embedded.servers(home, durable=False) as environment:
        assert set(environment) == {"DATABASE_URL", "REDIS_URL"}
        assert ask(postgres(home), "SHOW timezone") == "UTC"
        with redis.Redis.from_url(environment["REDIS_URL"]) as client:
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert processes(postgres(home)) == []
    assert keepers(postgres(home)) + keepers(valkey(home)) == []


def test_only_unix_sockets_listen(home: Path) -> None:
    with embedded.servers(home, durable=False) as environment:
        assert ask(postgres(home), "SHOW listen_addresses") == ""
        with redis.Redis.from_url(environment["REDIS_URL"]) as client:
            assert client.config_get("port") == {"port": "0"}
        assert stat.S_IMODE(postgres(home).run.stat().st_mode) == 0o700


def test_data_last(home: Path) -> None:
    durable = Valkey(home)
    with in_use(postgres(home)), in_use(durable):
        keep_answer(postgres(home))
        with redis.Redis.from_url(durable.url) as client:
            client.set("kept", "42")
    with in_use(postgres(home)), in_use(durable):
        assert ask(postgres(home), "SELECT answer FROM kept") == 42
        with redis.Redis.from_url(durable.url) as client:
            assert client.get("kept") == b"42"


def test_two_processes_at_once_share_one_server(home: Path) -> None:
    first, second = other_process(postgres(home)), other_process(postgres(home))
    wait_for(first)
    wait_for(second)
    assert len(keepers(postgres(home))) == 1
    end(first)
    assert ask(postgres(home), "SELECT 1") == 1
    end(second)
    assert processes(postgres(home)) == []


def test_a_server_stops_when_its_last_user_is_killed(home: Path) -> None:
    user = other_process(postgres(home))
    wait_for(user)
    user.kill()
    user.communicate()
    wait_until(lambda: not keepers(postgres(home)))
    assert processes(postgres(home)) == []


@pytest.mark.parametrize("kind", [Postgres, Valkey])
def test_a_killed_server_is_started_again_and_the_other_left_alone(
    home: Path, kind: type[Server]
) -> None:
    server = kind(home, durable=False)
    (other,) = (one for one in (postgres(home), valkey(home)) if one.name != server.name)
    with in_use(server), in_use(other):
        killed, unharmed = (int(one.pid_file.read_text().split()[0]) for one in (server, other))
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: killed not in processes(server) and server.is_ready())
        assert unharmed in processes(other)
        assert other.is_ready()


def test_a_killed_postgresql_comes_back_with_its_data_however_busy_it_was(home: Path) -> None:
    server = postgres(home)
    with in_use(server):
        keep_answer(server)
        killed = int(server.pid_file.read_text().split()[0])
        with closing(connect(server)) as busy:
            busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 10000000000)")
            os.kill(killed, signal.SIGKILL)
            wait_until(lambda: killed not in processes(server) and server.is_ready())
        assert ask(server, "SELECT answer FROM kept") == 42


@pytest.mark.parametrize("kind", [Postgres, Valkey])
def test_a_server_dies_with_its_keeper_and_comes_back(home: Path, kind: type[Server]) -> None:
    server = kind(home, durable=False)
    with in_use(server):
        (keeper,) = keepers(server)
        os.kill(keeper, signal.SIGKILL)
        wait_until(lambda: not server.has_keeper())
        server.acquire()
        assert server.is_ready()
        assert len(keepers(server)) == 1


def test_everything_killed_at_once_is_recovered_from(home: Path) -> None:
    user = other_process(postgres(home))
    wait_for(user)
    keep_answer(postgres(home))
    for pid in [user.pid, *keepers(postgres(home)), *processes(postgres(home))]:
        with suppress(ProcessLookupError):  # it died with the one before
            os.kill(pid, signal.SIGKILL)
    user.communicate()
    assert postgres(home).pid_file.exists()
    with in_use(postgres(home)):
        assert ask(postgres(home), "SELECT answer FROM kept") == 42


def test_a_pid_file_may_hold_the_number_of_another_program(home: Path) -> None:
    server = postgres(home)
    with in_use(server):
        content = server.pid_file.read_text().splitlines()
    server.pid_file.write_text("\n".join([str(os.getpid()), *content[1:]]))
    with in_use(server):
        assert ask(server, "SELECT 1") == 1


@pytest.mark.parametrize("content", ["", "nonsense\n"])
def test_a_broken_pid_file_is_no_obstacle(home: Path, content: str) -> None:
    server = postgres(home)
    with in_use(server):
        pass
    server.pid_file.write_text(content)
    with in_use(server):
        assert ask(server, "SELECT 1") == 1


def test_a_first_start_that_was_killed_half_way_is_done_again(home: Path) -> None:
    (home / "postgres" / "new" / "base").mkdir(parents=True)
    with in_use(postgres(home)):
        assert ask(postgres(home), "SELECT current_database()") == "laurel"


@pytest.mark.parametrize("name", ["deep" * 40, "with blanks, commas & more"])
def test_any_home_will_do(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    with embedded.servers(home, durable=False) as environment:
        assert ask(postgres(home), "SELECT 1") == 1
        with redis.Redis.from_url(environment["REDIS_URL"]) as client:
            assert client.ping()
    for server in (postgres(home), valkey(home)):
        assert stat.S_IMODE(server.run.stat().st_mode) == 0o700
    postgres(home).run.rmdir()


def test_a_socket_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = postgres(tmp_path / ("deep" * 40))
    (tmp_path / "elsewhere").mkdir()
    server.run.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EmbeddedError, match="belongs to somebody else"):
        server.acquire()
    server.run.unlink()


def test_data_of_another_postgresql_are_left_alone(home: Path) -> None:
    server = postgres(home)
    with in_use(server):
        pass
    (server.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedError, match="was written by PostgreSQL 12"):
        server.acquire()
    server.release()


def test_why_a_server_does_not_start_is_said(home: Path) -> None:
    server = postgres(home)
    with in_use(server):
        pass
    (server.data / "global" / "pg_control").unlink()
    with pytest.raises(EmbeddedError, match="pg_control"):
        server.acquire()
    server.release()


def test_the_local_secret_is_made_once_and_for_its_owner_only(home: Path) -> None:
    secret = embedded.local_secret(home)
    assert len(secret) >= 50
    assert embedded.local_secret(home) == secret
    assert [path.name for path in home.iterdir()] == ["secret_key"]
    assert stat.S_IMODE((home / "secret_key").stat().st_mode) == 0o600


def test_a_watcher_ends_a_process_whose_parent_died() -> None:
    """What stands in for the kernel where it does not tell children of their parent's death."""
    program = """
        import subprocess, sys
        from loyalty import embedded

        child = subprocess.Popen(["sleep", "60"])
        embedded.start_watcher(child.pid, 9)
        print(child.pid, flush=True)
        sys.stdin.read()
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=embedded.TREE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert embedded.command_of(child)
    parent.kill()
    parent.communicate()
    wait_until(lambda: not embedded.command_of(child))
