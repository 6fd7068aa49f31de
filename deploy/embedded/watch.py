"""Keeps processes running: reports an unexpected end, starts again after a pause, gives up on a crash loop."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deploy.embedded.problems import StartProblem
from deploy.embedded.processes import Child, tail
from deploy.embedded.signals import StopRequests

STEADY_SECONDS = 60.0
FAILURES_ALLOWED = 5
LONGEST_PAUSE_SECONDS = 30.0


def pause_after(failures: int) -> float:
    """Seconds before the next try: 1, 2, 4, 8, 16 ... never more than 30."""
    return min(LONGEST_PAUSE_SECONDS, float(2 ** (failures - 1)))


@dataclass
class Watched:
    """A child and how it is started again (a server also waits until it is ready)."""

    child: Child
    start: Callable[[], None]
    failures: int = 0
    due: float | None = None  # monotonic time of the next try; None while it runs

    def look(self, now: float) -> None:
        """Notices an end, or starts the process again when its pause is over.

        Raises:
            StartProblem: it ended too often without ever running steadily.
        """
        if self.due is None:
            if not self.child.running:
                self._note_failure(now, f"ended ({self.child.how_it_ended()})")
        elif now >= self.due:
            self._start_again(now)

    def _start_again(self, now: float) -> None:
        try:
            self.start()
        except StartProblem as problem:
            self._note_failure(now, f"could not be started again: {problem}")
        else:
            self.due = None
            print(f"{self.child.name} was started again.", flush=True)

    def _note_failure(self, now: float, what: str) -> None:
        steady = now - self.child.started_at >= STEADY_SECONDS
        self.failures = 1 if steady else self.failures + 1
        if self.failures > FAILURES_ALLOWED:
            raise StartProblem(
                f"{self.child.name} ended {self.failures} times in a row: giving up. {self.child.log} ends with:\n{tail(self.child.log)}"
            )
        pause = pause_after(self.failures)
        self.due = now + pause
        print(f"{self.child.name} {what}; next try in {pause:.0f} s. See {self.child.log}.", flush=True)


def keep_running(watched: Sequence[Watched], stop: StopRequests) -> None:
    """Watches until a stop is requested.

    Raises:
        StartProblem: a crash loop.
    """
    while not stop.requested():
        now = time.monotonic()
        for one in watched:
            one.look(now)
        next_due = min((one.due for one in watched if one.due is not None), default=now + 60.0)
        stop.wait(next_due - time.monotonic())
