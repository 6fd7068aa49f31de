"""Clients that write all the time, and what they were answered."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from kit.ids import uuid7
from tests.callers import caller
from tests.faults.facts import registration
from tests.faults.platform import Process

_PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 25.0
"""A client that waits longer than this was left hanging."""


@dataclass(frozen=True)
class Answer:
    """What a client was answered; status 0: nothing, the connection broke or it waited in vain."""

    status: int
    process: str
    seconds: float
    text: str
    retry_after: str | None = None


@dataclass
class Load:
    """Registers villages, and reports a profile of each and corrects it, from some clients at a time."""

    desa: Iterator[str]
    processes: Sequence[Process]
    clients: int = 3
    answers: list[Answer] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._write, args=(i,), daemon=True) for i in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more; wait for the answers that are due."""
        self._over.set()
        for thread in self._threads:
            thread.join(3 * PATIENCE_SECONDS)
            assert not thread.is_alive(), "a client hangs"

    def statuses(self) -> Counter[int]:
        """How often each status was answered so far."""
        return Counter(answer.status for answer in self.answers)

    def but(self, *statuses: int) -> list[Answer]:
        """Answers of any other status."""
        return [answer for answer in self.answers if answer.status not in statuses]

    def wait_for(self, more: int, seconds: float = 60.0) -> None:
        """Wait for so many more successes."""
        wanted, give_up = self._successes() + more, time.monotonic() + seconds
        while self._successes() < wanted:
            assert time.monotonic() < give_up, f"no {more} more successes: {self.statuses()}, {self.answers[-5:]}"
            time.sleep(0.02)

    def _successes(self) -> int:
        return sum(answer.status in {200, 201} for answer in self.answers)

    def _write(self, number: int) -> None:
        process = self.processes[number % len(self.processes)]
        # like a careful client: what may be sent again is sent anew when a kept connection was closed meanwhile
        with httpx.Client(timeout=PATIENCE_SECONDS) as client:
            while not self._over.is_set():
                village = self._send(client, process, "/villages", **registration(self._next()))
                if village is not None:
                    self._report(client, process, village["id"])
                self._over.wait(_PAUSE_SECONDS)

    def _report(self, client: httpx.Client, process: Process, village: str) -> None:
        url = f"/villages/{village}/profiles"
        body = {"period": "2025-09", "facts": {"pokja": True, "pokja_members": 12}}
        headers = {**caller("reporter"), "Idempotency-Key": uuid7().hex}
        if self._send(client, process, url, json=body, headers=headers) is not None:
            body["facts"] = {"pokja": True, "pokja_members": 20}
            headers = {**caller("reporter"), "Idempotency-Key": uuid7().hex, "If-Match": '"1"'}
            self._send(client, process, url, json=body, headers=headers)

    def _next(self) -> str:
        with self._lock:
            return next(self.desa)

    def _send(self, client: httpx.Client, process: Process, path: str, **request: Any) -> dict[str, Any] | None:
        began = time.monotonic()
        try:
            response = client.post(f"{process.url}{path}", **request)
        except httpx.TransportError as error:
            self.answers.append(Answer(0, process.name, time.monotonic() - began, repr(error)))
            return None
        took = time.monotonic() - began
        told = Answer(
            response.status_code, process.name, took, response.text[:300], response.headers.get("Retry-After")
        )
        self.answers.append(told)
        return response.json() if response.is_success else None
