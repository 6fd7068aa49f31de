"""One child process: started with its own log, tied to this process's life, stopped with the right signal."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

LOG_LIMIT_BYTES = 10 * 1024 * 1024
LOGS_KEPT = 3

_PR_SET_PDEATHSIG = 1
# Looked up here and not in the child: between fork and exec nothing may be imported or locked.
_prctl = getattr(ctypes.CDLL(None), "prctl", None)


class Account(NamedTuple):
    """A user of the operating system."""

    name: str
    uid: int
    gid: int


def tie_to_parent(last_signal: signal.Signals, parent: int | None = None) -> Callable[[], None]:
    """For the child: get this signal when its parent ends in whatever way, also by kill -9 (Linux only).

    Args:
        last_signal: the signal.
        parent: the parent's process id; None: this process is it.
    """
    parent = parent or os.getpid()

    def tie() -> None:
        if _prctl is not None:
            _prctl(_PR_SET_PDEATHSIG, last_signal.value, 0, 0, 0)
        if os.getppid() != parent:  # the parent ended before the tie was made
            os._exit(1)

    return tie


def rotate_log(log: Path) -> None:
    """Moves a log above the limit aside (NAME.log.1 is the youngest of those kept)."""
    if not log.exists() or log.stat().st_size <= LOG_LIMIT_BYTES:
        return
    for number in range(LOGS_KEPT - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    log.replace(log.with_name(f"{log.name}.1"))


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log, without reading all of it."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16 * 1024))
        text = file.read().decode(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


class Launched(Protocol):
    """A process as it was started: subprocess's Popen, or what does the same."""

    pid: int

    @property
    def returncode(self) -> int | None:
        """As Popen has it: the exit code, or minus the signal's number."""

    def poll(self) -> int | None:
        """The returncode, None while it runs."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal, if it still runs."""


@dataclass
class Child:
    """A process of ours. `stop_signals` are tried in order, the last resort is always SIGKILL."""

    name: str
    command: Sequence[str]
    log: Path
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM,)
    environment: Mapping[str, str] | None = None
    working_directory: Path | None = None
    account: Account | None = None
    held_descriptors: Sequence[int] = ()
    process: Launched | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)  # seconds of the monotonic clock
    _asked: bool = field(default=False, init=False)

    def start(self) -> None:
        rotate_log(self.log)
        self.process = self.launched()
        self.started_at = time.monotonic()
        self._asked = False

    def launched(self) -> Launched:
        """A new process of it."""
        with self.log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own commands, no shell
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.working_directory,
                # Ctrl-C in the terminal is for the supervisor alone: it ends its children in order.
                start_new_session=True,
                pass_fds=self.held_descriptors,
                preexec_fn=tie_to_parent(self.stop_signals[0]),  # noqa: PLW1509 - one prctl call, nothing else
                user=self.account.uid if self.account else None,
                group=self.account.gid if self.account else None,
                extra_groups=[] if self.account else None,
            )

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def how_it_ended(self) -> str:
        """`exit code 1` or `signal SIGKILL`; empty while it runs."""
        if self.process is None or self.process.returncode is None:
            return ""
        code = self.process.returncode
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def ask_to_stop(self) -> None:
        """Sends the first stop signal, once, and does not wait."""
        if self.process is not None and self.running and not self._asked:
            self._asked = True
            self.process.send_signal(self.stop_signals[0])

    def stop(self, patience: float, hurry: Callable[[], bool] = lambda: False) -> None:
        """Ends the process: each stop signal gets `patience` seconds (one second when hurried), then SIGKILL."""
        self.ask_to_stop()
        self._wait(patience, hurry)
        for number in (*self.stop_signals[1:], signal.SIGKILL):
            if self.process is None or not self.running:
                return
            self.process.send_signal(number)
            self._wait(patience, hurry)

    def _wait(self, patience: float, hurry: Callable[[], bool]) -> None:
        deadline = time.monotonic() + patience
        hurried = False
        while self.running and time.monotonic() < deadline:
            if hurry() and not hurried:
                hurried = True
                deadline = min(deadline, time.monotonic() + 1.0)
            time.sleep(0.02)
