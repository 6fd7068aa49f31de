"""The history of a run: what was asked and answered, which faults there were, all in one order.

One process writes it, so its order is the real one: what was completed before another thing was invoked stands before
it. Times of day are kept for people only; no check reads them.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

Outcome = Literal["acknowledged", "refused", "unknown"]
Action = Literal[
    "register",
    "change",
    "report",
    "record",
    "correct",
    "withdraw",
    "read village",
    "read report",
    "read intervention",
    "read class",
]
WRITES: tuple[Action, ...] = ("register", "change", "report", "record", "correct", "withdraw")


@dataclass
class Attempt:
    """One request that was sent; `invoked` and `completed` are places in the history."""

    invoked: int
    replica: int
    completed: int | None = None
    status: int | None = None
    body: Any = None
    etag: str | None = None
    replayed: bool = False
    retry_after: str | None = None
    error: str | None = None
    """Why there was no answer."""

    @property
    def outcome(self) -> Outcome:
        """A server that answers 5xx, or not at all, may still have done what was asked."""
        if self.status is None or self.status >= 500:
            return "unknown"
        return "acknowledged" if self.status < 300 else "refused"


@dataclass
class Operation:
    """What a client wanted: one request, sent once or several times with the same key or the same If-Match.

    `id` stands in what is written (a name, a reference, a title, a reason), so that it can be found in the end.
    `about` says what it was meant for, where the path does not.
    """

    id: str
    client: int
    action: Action
    service: str
    method: str
    path: str
    body: Any = None
    if_match: str | None = None
    key: str | None = None
    about: dict[str, Any] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome:
        """Acknowledged once is acknowledged; refused only if no request has an unknown end."""
        outcomes = {attempt.outcome for attempt in self.attempts}
        if "acknowledged" in outcomes:
            return "acknowledged"
        return "refused" if outcomes == {"refused"} else "unknown"

    @property
    def answer(self) -> Attempt | None:
        """The first acknowledgement."""
        found = [attempt for attempt in self.attempts if attempt.outcome == "acknowledged"]
        return min(found, key=lambda attempt: attempt.completed or 0) if found else None

    @property
    def invoked(self) -> int:
        """When the first request was sent."""
        return min(attempt.invoked for attempt in self.attempts)

    @property
    def writes(self) -> bool:
        """Whether it was meant to change something."""
        return self.action in WRITES


@dataclass(frozen=True)
class Fault:
    """Something that was broken for a while, from one place in the history to another."""

    kind: str
    target: str
    began: int
    ended: int
    seconds: float
    note: str = ""


class History:
    """Operations and faults of one run; each is also written to a file at once, so that a crash leaves the story."""

    def __init__(self, seed: str, file: Path | None = None) -> None:
        self.seed = seed
        self.operations: dict[str, Operation] = {}
        self.faults: list[Fault] = []
        self._place = 0
        self._began = time.monotonic()
        self._file: TextIO | None = file.open("w") if file else None

    def next_place(self) -> int:
        """The next place in the order of the history."""
        self._place += 1
        return self._place

    def invoke(self, operation: Operation, replica: int) -> Attempt:
        """A request of an operation is about to be sent."""
        attempt = Attempt(self.next_place(), replica)
        operation.attempts.append(attempt)
        if operation.id not in self.operations:
            self.operations[operation.id] = operation
            self._write(attempt.invoked, "invoked", {**asdict(operation), "attempts": replica})
        else:
            self._write(attempt.invoked, "repeated", {"id": operation.id, "replica": replica})
        return attempt

    def complete(self, operation: Operation, attempt: Attempt) -> None:
        """A request was answered or given up; what is known of it stands in the attempt."""
        attempt.completed = self.next_place()
        self._write(attempt.completed, attempt.outcome, {"id": operation.id, **asdict(attempt)})

    def fault(self, fault: Fault) -> None:
        """A fault has ended."""
        self.faults.append(fault)
        self._write(fault.ended, "fault", {"fault": asdict(fault)})

    def note(self, what: str, **details: Any) -> None:
        """Something else worth reading later, such as a fault that begins."""
        self._write(self.next_place(), what, details)

    def outcomes(self) -> dict[str, Counter[str]]:
        """Number of operations by action and outcome."""
        counted: dict[str, Counter[str]] = {}
        for operation in self.operations.values():
            counted.setdefault(operation.action, Counter())[operation.outcome] += 1
        return counted

    def timeline(self) -> Iterator[tuple[int, bool, Operation, Attempt]]:
        """Place, whether it is the completion, operation and attempt, in order; without what never completed."""
        points = []
        for operation in self.operations.values():
            for attempt in operation.attempts:
                points.append((attempt.invoked, False, operation, attempt))
                if attempt.completed is not None:
                    points.append((attempt.completed, True, operation, attempt))
        yield from sorted(points, key=lambda point: point[0])

    def _write(self, place: int, what: str, details: dict[str, Any]) -> None:
        if self._file is not None:
            seconds = round(time.monotonic() - self._began, 3)
            self._file.write(json.dumps({"place": place, "seconds": seconds, "what": what, **details}) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
