"""Ctrl-C, SIGTERM and a closed terminal as a request to stop; a second one as a request to hurry."""

import contextlib
import select
import signal
import socket
from types import FrameType, TracebackType
from typing import Self

_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequests:
    """Context in which those signals are counted instead of ending the process; only for the main thread."""

    def __init__(self) -> None:
        self._count = 0
        self._before: dict[signal.Signals, object] = {}
        self._reader, self._writer = socket.socketpair()
        for end in (self._reader, self._writer):
            end.setblocking(False)

    def requested(self) -> bool:
        return self._count > 0

    def hurried(self) -> bool:
        return self._count > 1

    def wait(self, seconds: float) -> None:
        """Sleeps, but wakes when a stop is requested or a child process ended."""
        select.select([self._reader], [], [], max(0.0, seconds))
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(64):
                pass

    def __enter__(self) -> Self:
        for number in _STOP:
            # A signal that is ignored from outside (nohup) stays so; Ctrl-C in a shell script's background job does not.
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._before[number] = signal.signal(number, self._count_one)
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal returned
        self._reader.close()
        self._writer.close()

    def _count_one(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1
