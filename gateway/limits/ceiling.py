"""How much the door takes on at all. Beyond that it refuses at once and cheaply, instead of being late for everybody."""

from __future__ import annotations

import asyncio
import math

from pydantic import BaseModel, ConfigDict, Field

from gateway.metrics import CEILING, LAG, SHED

TOO_MUCH = "the gateway has too much to do; nothing was carried out"


class CeilingLimits(BaseModel):
    """When the door is overloaded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lag_seconds: float = Field(0.1, gt=0, description="How late the event loop may be")
    tick_seconds: float = Field(0.05, gt=0, description="How often that is looked at")
    least: int = Field(16, ge=1, description="Requests begun within a tick whatever the lag")
    most: int = Field(
        256, ge=1, description="Requests begun within a tick even without lag: what comes at once piles up"
    )


_LATE_TICKS = 2
"""One late tick is a hiccup: a collection of garbage, a machine that was busy with something else."""
_VERY_LATE = 5.0
"""So many times later than allowed is no hiccup."""
_DOWN, _UP = 0.9, 1.05
_SOON_SECONDS = 0.25
_AMPLE = 2.0


class Ceiling:
    """Admits requests at the rate at which they are finished, once the event loop falls behind.

    The sign of overload is the loop's lag, not the number of requests in flight: hundreds that wait for a slow
    service cost the door nothing, and shutting it for them would let one service starve the others.

    Each tick gives an allowance, a large one while there is no lag. Where the loop is late the tick is late, too, and what comes meanwhile is refused:
    the allowance limits the work between two ticks, so the lag cannot grow on.
    """

    def __init__(self, limits: CeilingLimits) -> None:
        self.limits = limits
        self._rate = math.inf
        """Requests that may be begun a second; infinite while there is no overload."""
        self._left = math.inf
        """Requests that may yet be begun before the next tick."""
        self._coming = math.inf
        """The same, counted when their first bytes come."""
        self._finished = 0
        self._in_flight = 0
        self._refused = 0
        self._late = 0
        self._ticked_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        CEILING.set_function(lambda: self._rate)

    def lets_in(self) -> bool:
        """Whether one more request may come in before the next tick; asked once for each, at its first bytes.

        What comes in together is begun later, one after the other: who waits until `begin` says no has read all of it.
        """
        if self._coming < 1:
            return False
        self._coming -= 1
        return True

    def begin(self) -> bool:
        """Whether one more request may be begun; whoever begins one says `finish` when it is over."""
        if self._left < 1:
            self.refuse()
            return False
        self._left -= 1
        self._in_flight += 1
        return True

    def finish(self) -> None:
        """A request that was begun is over."""
        self._finished += 1
        self._in_flight -= 1

    def refuse(self) -> None:
        """Count a request that was refused."""
        self._refused += 1
        SHED.inc()

    def start(self) -> None:
        """Begin to watch the running loop."""
        loop = asyncio.get_running_loop()
        self._ticked_at = loop.time()
        self._left = self._coming = float(self.limits.most)
        self._timer = loop.call_later(self.limits.tick_seconds, self._tick, loop)

    def stop(self) -> None:
        """Watch no longer, and refuse nothing."""
        if self._timer is not None:
            self._timer.cancel()
        self._rate = self._left = self._coming = math.inf

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        self.look(now - self._ticked_at)
        self._ticked_at = now
        self._timer = loop.call_later(self.limits.tick_seconds, self._tick, loop)

    def look(self, elapsed: float) -> None:
        """Set the next allowance, `elapsed` seconds after the last."""
        tick = self.limits.tick_seconds
        lag = max(elapsed - tick, 0.0)
        LAG.set(lag)
        done = self._finished / elapsed
        if lag > self.limits.lag_seconds:
            self._late += _LATE_TICKS if lag > _VERY_LATE * self.limits.lag_seconds else 1
            if self._late >= _LATE_TICKS:
                self._rate = self._lowered(done, lag)
        else:
            self._late = 0
            self._rate = self._raised(done)
        self._left = self._coming = min(self._rate * tick, self.limits.most)
        self._finished = self._refused = 0

    def _lowered(self, done: float, lag: float) -> float:
        """What is finished, a little less, while more is under way than is finished soon, or the loop is very late.

        Else it is refusing that makes it late, and to begin less would help nobody.
        """
        backlog = self._in_flight > done * _SOON_SECONDS
        if self._rate == math.inf or backlog or lag > _SOON_SECONDS:
            lower = min(self._rate, done) * _DOWN
        else:
            lower = self._rate * _UP
        return max(lower, self.limits.least / self.limits.tick_seconds)

    def _raised(self, done: float) -> float:
        """A little more than before; no ceiling at all once nobody was refused and there is ample room."""
        if not self._refused and self._rate > _AMPLE * done:
            return math.inf
        return self._rate * _UP
