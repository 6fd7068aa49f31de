"""A circuit breaker: who fails again and again is left alone for a while, then tried with one request."""

from __future__ import annotations

import random
from enum import IntEnum

from pydantic import BaseModel, ConfigDict, Field


class BreakerLimits(BaseModel):
    """When a replica is left alone, and for how long. Times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    failures: int = Field(5, ge=1, description="Within the window, and at least half of all requests")
    window_seconds: float = Field(10.0, gt=0)
    open_seconds: float = Field(1.0, gt=0, description="The first time; twice as long after each trial that failed")
    longest_seconds: float = Field(30.0, gt=0)


class State(IntEnum):
    """As the metric shows it."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


_SPREAD = 0.2
"""Share by which the time is varied, so that several gateways do not try at the same moment."""


class Breaker:
    """Of one replica. Failures are those of the transport: an answer of any status says that it works.

    Status 503 does not count: a service whose database is away says so quickly, and its other operations may go on.
    """

    def __init__(self, limits: BreakerLimits) -> None:
        self.state = State.CLOSED
        self._limits = limits
        self._failures = 0
        self._outcomes = 0
        self._window_from = 0.0
        self._open_until = 0.0
        self._open_seconds = limits.open_seconds
        self._on_trial = False

    def allows(self, now: float) -> bool:
        """Whether a request may be sent now. `now` is a monotonic time in seconds."""
        if self.state is State.CLOSED:
            return True
        if self.state is State.OPEN and now >= self._open_until:
            self.state = State.HALF_OPEN
            self._on_trial = False
        return self.state is State.HALF_OPEN and not self._on_trial

    def begun(self) -> None:
        """A request is sent; where half open, it is the trial, and no other is sent until it is over."""
        if self.state is State.HALF_OPEN:
            self._on_trial = True

    def succeeded(self) -> None:
        """It was answered."""
        self._outcomes += 1
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            self._failures = self._outcomes = 0
            self._open_seconds = self._limits.open_seconds

    def abandoned(self) -> None:
        """Nobody knows how it would have ended: its client hung up."""
        self._on_trial = False

    def failed(self, now: float) -> None:
        """It was not answered, or not properly."""
        if self.state is State.HALF_OPEN:
            self._open_seconds = min(2 * self._open_seconds, self._limits.longest_seconds)
            self._open(now)
            return
        if now - self._window_from > self._limits.window_seconds:
            self._window_from = now
            self._failures = self._outcomes = 0
        self._failures += 1
        self._outcomes += 1
        if self._failures >= self._limits.failures and 2 * self._failures >= self._outcomes:
            self._open(now)

    def try_soon(self, now: float) -> None:
        """There is a sign of life: the next request may be the trial."""
        if self.state is State.OPEN:
            self._open_until = now

    def _open(self, now: float) -> None:
        if self.state is State.OPEN:
            return  # requests that were under way when it opened
        self.state = State.OPEN
        spread = random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 - nothing secret
        self._open_until = now + self._open_seconds * spread
