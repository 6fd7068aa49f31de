"""Breaks things for a while, one after the other, and mends each: drawn from a seed, written into the history.

Two lanes run side by side, so that a process can die while its database is away: one breaks processes, the other
servers, the network between and the streams. Within a lane one fault ends before the next begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

import nats
from nats.js import JetStreamContext

from kit.failpoints import Point
from tests.faults.history.evidence import STREAM_OF
from tests.faults.history.record import Fault, History
from tests.faults.platform import SERVICES, Platform, Process, ServiceName

Lane = Literal["processes", "surroundings"]

_PRODUCING: tuple[Point, ...] = ("after_flush", "before_commit", "after_commit", "after_publish")
_CONSUMING: tuple[Point, ...] = (*_PRODUCING, "before_ack", "after_ack")
POINTS: dict[ServiceName, tuple[Point, ...]] = {
    "registry": _PRODUCING,
    "interventions": _CONSUMING,
    "scoring": _CONSUMING,
}
_KINDS: dict[Lane, dict[str, int]] = {
    "processes": {"kill": 4, "fail-point": 7, "pause": 3, "long pause": 1, "restart": 2},
    "surroundings": {
        "postgres restart": 2,
        "postgres kill": 2,
        "postgres pause": 2,
        "nats restart": 2,
        "nats kill": 2,
        "nats pause": 2,
        "slow": 3,
        "reset": 3,
        "black hole": 2,
        "half-open": 2,
        "refuse": 1,
        "stream full": 3,
        "stream deleted": 2,
        "stream purged": 1,
    },
}
_LONG_PAUSE_SECONDS = 18.0
"""Longer than the relay's leader may be silent."""
_READY_SECONDS = 15.0
_DEATH_SECONDS = 6.0
_STREAM_SECONDS = 60.0


@dataclass(frozen=True)
class Plan:
    """A fault to come."""

    lane: Lane
    kind: str
    wait: float
    """Seconds before it."""
    seconds: float
    """How long it lasts, where it lasts."""
    service: ServiceName
    replica: int
    point: Point
    times: int
    server: Literal["postgres", "nats"]
    way: Literal["to_server", "to_client"]

    @property
    def target(self) -> str:
        """What is broken."""
        if self.lane == "processes":
            return f"{self.service}-{self.replica}"
        if self.kind.startswith("stream"):
            return STREAM_OF[self.service]
        return (
            self.kind.partition(" ")[0]
            if self.kind.startswith(("postgres", "nats"))
            else f"{self.service}-{self.server}"
        )


def plans(seed: str, lane: Lane, replicas: int) -> Iterator[Plan]:
    """The endless list of a lane's faults; the n-th depends on the seed, the lane and n alone."""
    stream = Random(f"{seed}/nemesis/{lane}")
    while True:
        yield _plan(Random(stream.getrandbits(64)), lane, replicas)


def _plan(random: Random, lane: Lane, replicas: int) -> Plan:
    weights = _KINDS[lane]
    kind = random.choices(tuple(weights), tuple(weights.values()))[0]
    service = random.choice(SERVICES)
    return Plan(
        lane=lane,
        kind=kind,
        wait=0.2 + min(random.expovariate(0.8), 4.0),
        seconds=_LONG_PAUSE_SECONDS if kind == "long pause" else random.choice((0.3, 1.0, 3.0, 6.0)),
        service=service,
        replica=random.randrange(replicas),
        point=random.choice(POINTS[service]),
        times=random.choice((1, 1, 2, 5)),
        server=random.choice(("postgres", "nats")),
        way=random.choice(("to_server", "to_client")),
    )


class Nemesis:
    """Breaks a platform as planned until told to end; leaves it whole."""

    def __init__(self, platform: Platform, history: History, lanes: Mapping[Lane, Iterator[Plan]]) -> None:
        self._platform = platform
        self._history = history
        self._lanes = lanes
        self._next: dict[Lane, Plan] = {}

    async def run(self, lane: Lane, ending: asyncio.Event) -> None:
        """One lane; a fault in hand is mended before it ends, one that did not come yet comes in the next round."""
        while True:
            plan = self._next.pop(lane, None) or next(self._lanes[lane])
            if await _ended(ending, plan.wait):
                self._next[lane] = plan
                return
            await self.do(plan, ending)

    async def do(self, plan: Plan, ending: asyncio.Event) -> None:
        """One fault from its beginning to its end."""
        began, clock = self._history.next_place(), time.monotonic()
        self._history.note("fault begins", kind=plan.kind, target=plan.target)
        note = await (self._to_process if plan.lane == "processes" else self._to_surroundings)(plan, ending)
        seconds = round(time.monotonic() - clock, 2)
        self._history.fault(Fault(plan.kind, plan.target, began, self._history.next_place(), seconds, note))

    async def _to_process(self, plan: Plan, ending: asyncio.Event) -> str:
        process = self._platform.processes[plan.service, plan.replica]
        note = ""
        if plan.kind.endswith("pause"):
            process.pause()
            try:
                await _ended(ending, plan.seconds)
            finally:
                process.resume()
            return note
        if plan.kind == "fail-point":
            note = await self._die_at(process, plan, ending)
        elif plan.kind == "kill":
            await asyncio.to_thread(process.kill)
        else:
            code = await asyncio.to_thread(process.stop)
            note = f"exit code {code}"
        if not process.alive:
            await _ended(ending, min(plan.seconds, 3.0))
            await asyncio.to_thread(process.start)
        await self._until(process.ready, _READY_SECONDS, ending)
        return note

    async def _die_at(self, process: Process, plan: Plan, ending: asyncio.Event) -> str:
        process.arm(plan.point, plan.times)
        try:
            died = await self._until(lambda: not process.alive, _DEATH_SECONDS, ending)
        finally:
            process.disarm()
        return f"{'died' if died else 'did not come'} at {plan.point} {plan.times}"

    async def _to_surroundings(self, plan: Plan, ending: asyncio.Event) -> str:
        if plan.kind == "stream full":
            return await self._fill(STREAM_OF[plan.service], plan.seconds, ending)
        if plan.kind.startswith("stream"):
            return await self._lose(STREAM_OF[plan.service], altogether=plan.kind == "stream deleted")
        if plan.kind.startswith(("postgres", "nats")):
            name, what = plan.kind.split()
            server = self._platform.postgres if name == "postgres" else self._platform.nats
            begin, end = {
                "restart": (server.stop, server.start),
                "kill": (server.kill, server.start),
                "pause": (server.pause, server.resume),
            }[what]
            return await self._for_a_while(begin, end, plan.seconds, ending)
        proxy = self._platform.proxies[plan.service, plan.server]
        begin = {
            "slow": lambda: proxy.latency(min(plan.seconds, 1.0) / 2),
            "reset": proxy.reset,
            "black hole": proxy.black_hole,
            "half-open": lambda: proxy.half_open(plan.way),
            "refuse": proxy.refuse,
        }[plan.kind]
        return await self._for_a_while(begin, proxy.heal, plan.seconds, ending)

    async def _for_a_while(
        self, begin: Callable[[], Any], end: Callable[[], Any], seconds: float, ending: asyncio.Event
    ) -> str:
        try:
            await asyncio.to_thread(begin)
            await _ended(ending, seconds)
        finally:
            await asyncio.to_thread(end)
        return ""

    async def _fill(self, stream: str, seconds: float, ending: asyncio.Event) -> str:
        """Set the stream's limit to what it holds, so that it refuses everything new, and lift it again."""
        held = 0

        async def limit(jetstream: JetStreamContext, *, lifted: bool) -> None:
            nonlocal held
            found = await jetstream.stream_info(stream)
            held = held or found.state.messages
            most = -1 if lifted else max(1, found.state.messages)
            await jetstream.update_stream(replace(found.config, max_msgs=most))

        try:
            await self._on_streams(lambda jetstream: limit(jetstream, lifted=False))
            await _ended(ending, seconds)
        finally:
            await self._on_streams(lambda jetstream: limit(jetstream, lifted=True))
        return f"at {held} messages"

    async def _lose(self, stream: str, *, altogether: bool) -> str:
        """The stream is gone, or only all that it held: the outbox has to bring it back."""
        held = 0

        async def lose(jetstream: JetStreamContext) -> None:
            nonlocal held
            held = (await jetstream.stream_info(stream)).state.messages
            await (jetstream.delete_stream(stream) if altogether else jetstream.purge_stream(stream))

        await self._on_streams(lose)
        return f"{held} messages"

    async def _on_streams(self, job: Callable[[JetStreamContext], Awaitable[None]]) -> None:
        """Do something to a stream as soon as it is there."""
        deadline = time.monotonic() + _STREAM_SECONDS
        while True:
            client = nats.NATS()
            try:
                await client.connect(self._platform.nats_url, connect_timeout=5, allow_reconnect=False)
                return await job(client.jetstream(timeout=5))
            except (nats.errors.Error, OSError, TimeoutError):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)
            finally:
                await client.close()

    async def _until(self, what: Callable[[], bool], seconds: float, ending: asyncio.Event) -> bool:
        deadline = time.monotonic() + seconds
        while not await asyncio.to_thread(what):
            if time.monotonic() > deadline or await _ended(ending, 0.05):
                return False
        return True


async def _ended(ending: asyncio.Event, seconds: float) -> bool:
    """Wait so long, or until the end comes; whether it has."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ending.wait(), seconds)
    return ending.is_set()


def heal(platform: Platform) -> None:
    """Make everything whole: nothing is paused, cut, armed or dead."""
    for server in (platform.postgres, platform.nats):
        server.resume()
        server.start()
    for proxy in platform.proxies.values():
        proxy.heal()
    for process in platform.processes.values():
        process.disarm()
        process.resume()
        process.start()
    platform.wait_ready()
