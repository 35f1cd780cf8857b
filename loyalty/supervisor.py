"""Keeps a few processes running, shows what they say, and leaves none behind."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from loyalty.embedded import spawn

GRACE = 10.0  # seconds between asking a process to stop and killing it
STEADY = 60.0  # seconds after which a process that ends is not taken to be failing at start
LONGEST_PAUSE = 30.0


@dataclass
class Process:
    """One process of a supervisor."""

    name: str
    command: list[str]
    once: bool = False
    """It ends by itself and is not started again."""

    running: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    start_at: float = field(default=0.0, init=False)
    pause: float = field(default=0.5, init=False)
    unfinished: bytes = field(default=b"", init=False)
    exit_code: int | None = field(default=None, init=False)

    @property
    def is_done(self) -> bool:
        """Whether it was to run once, and has."""
        return self.once and self.exit_code is not None


class Supervisor:
    """Runs processes until asked to stop by SIGINT, SIGTERM or SIGHUP; a second signal kills them at once.

    A process that ends is started again, at first after half a second, then more and more slowly. All die with this
    process, however it dies. To be used from the main thread.
    """

    def __init__(
        self, processes: Iterable[Process], *, say: Callable[[str], None], cwd: Path
    ) -> None:
        """``say`` gets each line, with the name of its process before it."""
        self.processes = list(processes)
        self.say = say
        self.cwd = cwd
        self.signals = 0
        self._width = max(len(process.name) for process in self.processes)
        self._selector = selectors.DefaultSelector()

    def run(self, each_second: Callable[[], None]) -> None:
        """Start everything, and return when it has stopped; ``each_second`` is called in between."""
        before = {
            number: signal.signal(number, self._count)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            next_call = 0.0
            while not self.signals:
                now = time.monotonic()
                self._look_after(now)
                if now >= next_call:
                    each_second()
                    next_call = now + 1
                self._read(0.1)
        finally:
            self._stop()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _count(self, _signal: int, _frame: FrameType | None) -> None:
        self.signals += 1

    def _look_after(self, now: float) -> None:
        for process in self.processes:
            if process.running is None:
                if not process.is_done and now >= process.start_at:
                    self._start(process, now)
            elif process.running.poll() is not None:
                self._take_note_of_end(process, now)

    def _start(self, process: Process, now: float) -> None:
        # SIGKILL: nothing that a process could still do after its supervisor's death is worth a chance to hang.
        process.running = spawn(
            process.command, stdout=subprocess.PIPE, dies_by=signal.SIGKILL, cwd=self.cwd
        )
        process.started_at = now
        assert process.running.stdout is not None
        os.set_blocking(process.running.stdout.fileno(), False)
        self._selector.register(process.running.stdout, selectors.EVENT_READ, process)

    def _take_note_of_end(self, process: Process, now: float) -> None:
        process.exit_code = self._put_away(process)
        if process.once:
            if process.exit_code != 0:
                self._show(process, f"failed with exit code {process.exit_code}")
            return
        if now - process.started_at > STEADY:
            process.pause = 0.5
        process.start_at = now + process.pause
        self._show(
            process,
            f"ended with exit code {process.exit_code}; starts again in {process.pause:g} seconds",
        )
        process.pause = min(process.pause * 2, LONGEST_PAUSE)

    def _put_away(self, process: Process) -> int:
        assert process.running is not None
        assert process.running.stdout is not None
        # What it started and did not stop: a worker's children, say.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.running.pid, signal.SIGKILL)
        self._take_output(process)
        self._selector.unregister(process.running.stdout)
        process.running.stdout.close()
        code = process.running.wait()
        process.running = None
        return code

    def _read(self, timeout: float) -> None:
        if not self._selector.get_map():
            time.sleep(timeout)
            return
        for key, _events in self._selector.select(timeout):
            process: Process = key.data
            if not self._take_output(process):
                time.sleep(
                    0.01
                )  # its end is noticed by _look_after; until then this would be a busy loop

    def _take_output(self, process: Process) -> bool:
        """Show what a process has written; False at the end of it."""
        assert process.running is not None
        assert process.running.stdout is not None
        while True:
            try:
                chunk = os.read(process.running.stdout.fileno(), 65536)
            except BlockingIOError:
                return True
            *lines, process.unfinished = (process.unfinished + chunk).split(b"\n")
            if not chunk and process.unfinished:
                lines.append(process.unfinished)
                process.unfinished = b""
            for line in lines:
                self._show(process, line.decode(errors="replace").rstrip())
            if not chunk:
                return False

    def _show(self, process: Process, line: str) -> None:
        if line:
            self.say(f"{process.name:>{self._width}} | {line}")

    def _stop(self) -> None:
        end = time.monotonic() + GRACE
        for process in self.processes:
            if process.running is not None:
                process.running.terminate()
        while any(process.running is not None for process in self.processes):
            for process in self.processes:
                if process.running is None:
                    continue
                if self.signals > 1 or time.monotonic() > end:
                    process.running.kill()
                if process.running.poll() is not None:
                    self._put_away(process)
            self._read(0.02)


def python(*arguments: str) -> list[str]:
    """A command that runs this Python."""
    return [sys.executable, "-u", *arguments]
