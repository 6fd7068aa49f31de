"""The replicas of a service: which one gets a request, which are left out, and how often a request may be repeated."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Collection, Sequence

from pydantic import BaseModel, ConfigDict, Field

from gateway.metrics import (
    BREAKER,
    CONNECTIONS_IDLE,
    CONNECTIONS_OPEN,
    REPLICA_READY,
    RETRIES_REFUSED,
    WAITING,
)
from gateway.proxy.breaker import Breaker, BreakerLimits
from gateway.proxy.connections import Pool, PoolLimits
from gateway.proxy.failures import LeftAlone, Unreachable, UpstreamFailure
from kit.observe import READY_PATH

log = logging.getLogger(__name__)

_PROBE = PoolLimits(connections=1, waiting=0, connect_seconds=1.0, first_byte_seconds=1.0)
_NOT_READY = 503
_SPREAD = 0.1


class ReplicaLimits(BaseModel):
    """How replicas are watched, and how often requests are repeated. Times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    probe_seconds: float = Field(2.0, gt=0, description="How often each replica is asked whether it is ready")
    retry_share: float = Field(0.1, ge=0, le=1, description="Most requests repeated, of all requests to a service")
    retry_reserve: int = Field(10, ge=0, description="Requests that may be repeated whatever the share")


class RetryBudget:
    """So that repeating does not multiply the load of a service that fails because it is overloaded."""

    def __init__(self, share: float, reserve: int) -> None:
        self._share = share
        self._most = float(reserve)
        self._saved = float(reserve)

    def earn(self) -> None:
        """A request was made."""
        self._saved = min(self._saved + self._share, self._most)

    def spend(self) -> bool:
        """Take what one repetition costs, if it is there."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True


class Replica:
    """One address at which a service answers."""

    def __init__(self, url: str, limits: PoolLimits, waiting: PoolLimits, breaker: BreakerLimits) -> None:
        self.pool = Pool(url, limits)
        self.waiting_pool = Pool(url, waiting)
        """For requests that wait for something to happen: they must not take all others' connections."""
        self.name = self.pool.host_header.decode()
        self.breaker = Breaker(breaker)
        self.ready = True
        """As far as is known: until it is asked the first time it is tried."""
        self._probing = Pool(url, _PROBE)

    def pool_for(self, *, waits: bool) -> Pool:
        """The connections for an operation."""
        return self.waiting_pool if waits else self.pool

    def leave_out(self) -> None:
        """Not ready: what is idle is closed before it closes it, perhaps with a request already on its way."""
        if self.ready:
            log.warning("replica %s is not ready", self.name)
        self.ready = False
        self.pool.close()
        self.waiting_pool.close()

    async def probe(self) -> None:
        """Ask whether it is ready, and remember the answer."""
        try:
            status = await self._ask()
        except UpstreamFailure:
            status = _NOT_READY
        if status == _NOT_READY:
            self.leave_out()
            return
        # whoever answers anything else is there; that it is not ready it would say
        if not self.ready:
            log.info("replica %s is ready again", self.name)
        self.ready = True
        self.breaker.try_soon(asyncio.get_running_loop().time())

    async def _ask(self) -> int:
        exchange = await self._probing.begin("GET", fresh=True)
        try:
            exchange.write(
                b"GET %b HTTP/1.1\r\nhost: %b\r\nconnection: close\r\n\r\n"
                % (READY_PATH.encode(), self.pool.host_header)
            )
            exchange.request_sent()
            await exchange.head()
            return exchange.status
        finally:
            exchange.close()

    def close(self) -> None:
        """Close what is idle."""
        for pool in (self.pool, self.waiting_pool, self._probing):
            pool.close()


class Replicas:
    """All replicas of one service."""

    def __init__(self, service: str, replicas: Sequence[Replica], limits: ReplicaLimits) -> None:
        self.service = service
        self.all = tuple(replicas)
        self.budget = RetryBudget(limits.retry_share, limits.retry_reserve)
        self._limits = limits
        for waits, name in ((False, service), (True, f"{service}-waiting")):
            self._show_pools(name, [one.pool_for(waits=waits) for one in self.all])
        for one in self.all:
            self._show(one)

    def choose(self, tried: Collection[Replica], now: float, *, waits: bool) -> Replica:
        """The replica with the fewest requests under way, of those that are ready and were not tried yet.

        Where none is said to be ready, all are: a request that fails is no worse than one that is refused.

        Raises:
            LeftAlone: all failed again and again; nothing is sent for now.
        """
        if len(self.all) == 1 and not tried and self.all[0].breaker.allows(now):
            return self.all[0]
        allowed = [one for one in self.all if one not in tried and one.breaker.allows(now)]
        fit = [one for one in allowed if one.ready] or allowed
        if not fit:
            raise LeftAlone
        if len(fit) == 1:
            return fit[0]
        # the order is by chance, so that equals share
        return min(random.sample(fit, len(fit)), key=lambda one: one.pool_for(waits=waits).outstanding)

    def may_repeat(self, tried: Collection[Replica], *, free: bool) -> bool:
        """Whether a request that failed may be sent to a replica that was not tried; unless it is free it is paid for.

        Free is what never arrived: it was no load, and any other replica is better than the one that is gone.
        """
        if free:
            return len(tried) < len(self.all)
        if not any(one.ready for one in self.all if one not in tried):
            return False
        if self.budget.spend():
            return True
        RETRIES_REFUSED.labels(self.service).inc()
        return False

    def failed(self, replica: Replica, failure: UpstreamFailure, now: float) -> None:
        """Note that a replica did not answer a request, or not properly."""
        if isinstance(failure, Unreachable) and len(self.all) > 1:
            # Having nothing to do it would be chosen first, again and again. The watch notices when it is back.
            replica.leave_out()
            replica.breaker.abandoned()
        else:
            replica.breaker.failed(now)

    def _show(self, one: Replica) -> None:
        REPLICA_READY.labels(self.service, one.name).set_function(lambda: float(one.ready))
        BREAKER.labels(self.service, one.name).set_function(lambda: float(one.breaker.state))

    def _show_pools(self, name: str, pools: Sequence[Pool]) -> None:
        CONNECTIONS_OPEN.labels(name).set_function(lambda: float(sum(pool.open for pool in pools)))
        CONNECTIONS_IDLE.labels(name).set_function(lambda: float(sum(pool.idle for pool in pools)))
        WAITING.labels(name).set_function(lambda: float(sum(pool.waiting for pool in pools)))

    async def watch(self) -> None:
        """Ask all replicas now and then whether they are ready, until cancelled."""
        while True:
            await asyncio.gather(*(one.probe() for one in self.all))
            spread = random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 - nothing secret
            await asyncio.sleep(self._limits.probe_seconds * spread)

    async def check(self) -> str | None:
        """None when every replica accepts connections, else which does not."""
        found = await asyncio.gather(*(one.pool.check() for one in self.all))
        missing = [f"{one.name}: {why}" for one, why in zip(self.all, found, strict=True) if why]
        return "; ".join(missing) or None

    def close(self) -> None:
        """Close what is idle."""
        for one in self.all:
            one.close()
