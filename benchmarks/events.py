"""From a committed change to its effect in another service, against bare JetStream in the same run.

The registry and scoring run as processes of their own, as they are; PostgreSQL and NATS are throw-away servers without
fsync, the same for both sides. `python -m benchmarks.events [sustained|ages|batch|catch-up ...]`; --help has the sizes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import nats
import psutil
from nats.js.errors import NotFoundError
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.line import made_up
from benchmarks.line.process import CONSUMER, STREAM, SUBJECTS
from benchmarks.platform import free_port
from contracts.events import Event
from contracts.facts import ReportKind
from deploy.embedded.throwaway import ThrowawayServers, throwaway_servers
from deploy.identity_keys import IdentityKeys
from kit.access import Caller, Role
from kit.database import Database
from kit.outbox import publish, wire
from services.registry.reports.actions import store_reports
from services.registry.reports.drafts import Draft
from services.registry.villages.actions import register_missing
from services.registry.villages.schemas import VillageIn

ROOT = Path(__file__).parents[1]
CALLER = Caller(id="benchmark", name="benchmark", roles=frozenset({Role.ADMINISTRATOR}), region=None)
WRITERS = 20
AT_ONCE = 500
LOOK_SECONDS = 0.05

_HANDLED = "SELECT count(*) FROM inbox WHERE consumer = 'scoring-registry'"
_PUBLISHED = "SELECT coalesce(max(published), 0) FROM publication"
_DEAD = "SELECT count(*), min(reason) FROM dead_letters"


@dataclass
class Process:
    """A process of the benchmark; what it said at its end."""

    arguments: Sequence[str]
    environment: dict[str, str] | None = None
    said: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start it."""
        descriptor, file = tempfile.mkstemp(prefix="kkb-benchmark-")
        os.close(descriptor)
        self._file = Path(file)
        command = [sys.executable, "-m", "benchmarks.line.process", file, *self.arguments]
        self.child = subprocess.Popen(command, cwd=ROOT, env=self.environment)

    def cpu(self) -> float:
        """Seconds of processor time it has used so far."""
        used = psutil.Process(self.child.pid).cpu_times()
        return float(used.user + used.system)

    def finish(self) -> dict[str, Any]:
        """Wait for its end."""
        self.child.wait(300)
        self.said = json.loads(self._file.read_text())
        self._file.unlink()
        return self.said


class Line:
    """Databases of a registry and a scoring service, and the processes on them."""

    def __init__(self, servers: ThrowawayServers) -> None:
        self._servers = servers
        self._folder = servers.folder
        self._numbers = count()
        self.registry_url = servers.fresh_database("registry")
        self.scoring_url = servers.fresh_database("scoring")
        self.ages = self._folder / f"ages-{id(self)}"
        self.ages.touch()
        IdentityKeys(self._folder).make()
        self.registry = Database(create_async_engine(self.registry_url, pool_size=WRITERS))

    @asynccontextmanager
    async def process(self, role: str) -> AsyncIterator[Process]:
        """A service that is ready; it has said what it used when the block has ended."""
        ops = free_port()
        environment = os.environ | {
            "KKB_PORT": str(free_port()),
            "KKB_OPS_PORT": str(ops),
            "KKB_DATABASE_URL": self.registry_url if role == "registry" else self.scoring_url,
            "KKB_NATS_URL": self._servers.nats_url,
            "KKB_IDENTITY_PUBLIC_KEY_FILE": str(IdentityKeys(self._folder).public),
            "KKB_LOG_LEVEL": "ERROR",
        }
        process = Process([role, str(self.ages)], environment)
        try:
            await until(lambda: is_ready(ops))
            yield process
        finally:
            process.child.terminate()
            process.finish()

    async def handled(self) -> int:
        """Events that have had their effect in scoring."""
        return int(await ask(self.scoring_url, _HANDLED))

    async def published(self) -> int:
        """Events that the stream has acknowledged."""
        return int(await ask(self.registry_url, _PUBLISHED))

    async def commit(self, events: Sequence[Event]) -> None:
        """One transaction that writes these events."""
        async with self.registry.transaction() as session:
            await publish(session, events)

    async def close(self) -> None:
        """Check that every event was well-formed."""
        await self.registry.engine.dispose()
        connection = await asyncpg.connect(self.scoring_url.replace("+asyncpg", ""))
        dead, reason = await connection.fetchrow(_DEAD)
        await connection.close()
        assert dead == 0, reason


async def is_ready(ops_port: int) -> bool:
    """Whether a service says that it is ready."""
    async with httpx.AsyncClient() as client:
        try:
            return (await client.get(f"http://127.0.0.1:{ops_port}/readyz")).is_success
        except httpx.HTTPError:
            return False


async def ask(url: str, query: str) -> Any:
    """One value."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Look again and again."""
    while not await is_so():  # noqa: ASYNC110 - the work is in other processes
        await asyncio.sleep(LOOK_SECONDS)


async def reaches(number: Callable[[], Awaitable[int]], wanted: int) -> None:
    """Wait until a number has grown so far."""

    async def is_so() -> bool:
        return await number() >= wanted

    await until(is_so)


@asynccontextmanager
async def line_of(servers: ThrowawayServers, *roles: str) -> AsyncIterator[tuple[Line, list[Process]]]:
    """A new line with these services, on streams without messages."""
    client = await nats.connect(servers.nats_url)
    for name in [info.config.name for info in await client.jetstream().streams_info()]:
        await client.jetstream().delete_stream(name)
    await client.close()
    line = Line(servers)
    async with AsyncExitStack() as held:
        yield line, [await held.enter_async_context(line.process(role)) for role in roles]
    await line.close()


@contextmanager
def payloads(servers: ThrowawayServers, events: Sequence[Event]) -> Iterator[Path]:
    """A file with the events as they go over the wire."""
    file = servers.folder / "payloads"
    file.write_bytes(b"".join(b"benchmark.%s\t%s\n" % (event.nats_subject.encode(), wire(event)) for event in events))
    yield file
    file.unlink()


async def bare(
    servers: ThrowawayServers, events: Sequence[Event], *, rate: float = 0, consumer_away: bool = False
) -> tuple[dict[str, Any], dict[str, Any], list[float]]:
    """The same payloads by nats-py alone, publisher and consumer in two processes; what both said, and the ages."""
    client = await nats.connect(servers.nats_url)
    await client.jetstream().add_stream(name=STREAM, subjects=[SUBJECTS])

    async def listening() -> bool:
        try:
            return (await client.jetstream().consumer_info(STREAM, CONSUMER)).num_waiting > 0
        except NotFoundError:
            return False

    ages = servers.folder / "bare-ages"
    ages.write_text("")
    with payloads(servers, events) as file:
        publishing = ["publish", servers.nats_url, str(file), str(rate)]
        consuming = ["consume", servers.nats_url, str(len(events)), str(ages)]
        if consumer_away:
            published = Process(publishing).finish()
            consumed = Process(consuming).finish()
        else:
            consumer = Process(consuming)
            await until(listening)
            published = Process(publishing).finish()
            consumed = consumer.finish()
    await client.jetstream().delete_stream(STREAM)
    await client.close()
    return published, consumed, [float(age) for age in ages.read_text().split()]


def told_of(events: int) -> tuple[list[made_up.Village], list[Event]]:
    """Villages, and about so many reports of them."""
    villages = made_up.villages(max(1, events // made_up.REPORTS_A_VILLAGE))
    return villages, list(made_up.reports(villages))


def percentile(ages: list[float], share: float) -> float:
    """In milliseconds."""
    return sorted(ages)[min(len(ages) - 1, int(len(ages) * share))] * 1e3


async def sustained(servers: ThrowawayServers, options: argparse.Namespace) -> None:
    """Events a second, from the first commit to the last effect, while they are being committed."""
    villages, events = told_of(options.events)
    published, consumed, _ = await bare(servers, events)
    peer = len(events) / (consumed["ended"] - published["began"])
    size = statistics.mean(len(wire(event)) for event in events[:: max(1, len(events) // 1000)])
    print(f"sustained: {len(events):,} reports of {len(villages):,} villages, {size:,.0f} bytes each")
    print(f"  bare JetStream, published and consumed: {peer:,.0f} events/s")
    for role in ("nothing", "scoring"):
        async with line_of(servers, "registry", role) as (line, processes):
            await line.commit([made_up.registered(village) for village in villages])
            await reaches(line.handled, len(villages))
            before = [process.cpu() for process in processes]
            began = time.perf_counter()
            for first in range(0, len(events), AT_ONCE):
                await line.commit(events[first : first + AT_ONCE])
            committed = time.perf_counter() - began
            await reaches(line.handled, len(villages) + len(events))
            rate = len(events) / (time.perf_counter() - began)
            used = [process.cpu() - at_first for process, at_first in zip(processes, before, strict=True)]
        registry, consumer = (1e6 * seconds / len(events) for seconds in used)
        what = "committed to classed by scoring" if role == "scoring" else "committed to an effect that is nothing"
        print(
            f"  {what}: {rate:,.0f} events/s, {rate / peer:.2f} of bare (committing alone {len(events) / committed:,.0f}/s; "
            f"processor time an event: registry {registry:.0f} us, consumer {consumer:.0f} us)"
        )


async def write_at(line: Line, events: Sequence[Event], rate: float) -> float:
    """Each event in a transaction of its own, so many a second; the rate that was really reached."""
    free = asyncio.Semaphore(WRITERS)

    async def write(event: Event) -> None:
        async with free:
            await line.commit([event])

    began = time.perf_counter()
    async with asyncio.TaskGroup() as writing:
        for place, event in enumerate(events):
            await asyncio.sleep(began + place / rate - time.perf_counter())
            writing.create_task(write(event))
    return len(events) / (time.perf_counter() - began)


async def ages(servers: ThrowawayServers, options: argparse.Namespace) -> None:
    """Age of an event when its effect was committed, at several rates of writing."""
    print("age at effect: each write is a transaction that writes its event into the outbox (no action around it)")
    wanted = [int(rate * options.seconds) for rate in options.rates]
    villages, events = told_of(sum(wanted) + made_up.REPORTS_A_VILLAGE)
    async with line_of(servers, "registry", "scoring") as (line, _):
        await line.commit([made_up.registered(village) for village in villages])
        done = len(villages)
        await reaches(line.handled, done)
        for rate, number in zip(options.rates, wanted, strict=True):
            chosen, events = events[:number], events[number:]
            before = len(line.ages.read_text().split())
            reached = await write_at(line, chosen, rate)
            done += number
            await reaches(line.handled, done)
            await asyncio.sleep(1)  # the ages of the last batch are written after its commit
            found = [float(age) for age in line.ages.read_text().split()[before:]]
            assert len(found) == number, (len(found), number)
            _, _, peer = await bare(servers, chosen, rate=rate)
            ratios = [percentile(found, share) / percentile(peer, share) for share in (0.5, 0.99)]
            print(
                f"  {rate:,.0f} writes/s (reached {reached:,.0f}): p50 {percentile(found, 0.5):.1f} ms, p99 "
                f"{percentile(found, 0.99):.1f} ms; bare JetStream p50 {percentile(peer, 0.5):.1f} ms, p99 "
                f"{percentile(peer, 0.99):.1f} ms: {ratios[0]:.1f} x and {ratios[1]:.1f} x"
            )


async def batch(servers: ThrowawayServers, options: argparse.Namespace) -> None:
    """A batch of reports through the registry's actions, as an import commits them, to the last class."""
    async with line_of(servers, "registry", "scoring") as (line, _):
        connection = await asyncpg.connect(line.registry_url.replace("+asyncpg", ""))
        query = "SELECT code FROM regions WHERE code LIKE '33.26.%' OR code LIKE '33.27.%' OR code LIKE '33.28.%'"
        codes = sorted(row["code"] for row in await connection.fetch(query) if row["code"].count(".") == 3)
        await connection.close()
        number = min(len(codes), max(1, options.reports // len(made_up.MONTHS)))
        drafts = [VillageIn(region_code=code, source_system="benchmark", simulated=True) for code in codes[:number]]
        async with line.registry.transaction() as session:
            registered = [one.village for one in await register_missing(session, CALLER, drafts)]
        await reaches(line.handled, number)
        facts = made_up.facts()[ReportKind.FAMILY_PLANNING]
        said = [
            Draft(village.id, ReportKind.FAMILY_PLANNING, month, facts[place % len(facts)], "benchmark", simulated=True)
            for place, village in enumerate(registered)
            for month in made_up.MONTHS
        ]
        began = time.perf_counter()
        for first in range(0, len(said), AT_ONCE):
            async with line.registry.transaction() as session:
                await store_reports(session, CALLER, said[first : first + AT_ONCE])
        committed = time.perf_counter() - began
        await reaches(line.handled, number + len(said))
        classed = time.perf_counter() - began
        print(
            f"batch: {len(said):,} reports of {number} villages through the registry's actions: committed in "
            f"{committed:.2f} s, the last class {classed - committed:.2f} s after the last commit, in all {classed:.2f} s: "
            f"{classed / committed:.2f} x committing, {len(said) / classed:,.0f} reports/s"
        )


async def catch_up(servers: ThrowawayServers, options: argparse.Namespace) -> None:
    """A consumer that was away: how fast it comes back, and how much memory it needs for that."""
    villages, events = told_of(options.backlog)
    published, consumed, _ = await bare(servers, events, consumer_away=True)
    peer = len(events) / (consumed["ended"] - consumed["began"])
    print(f"catch-up of {len(events):,} events:")
    print(
        f"  bare JetStream: published {len(events) / (published['ended'] - published['began']):,.0f}/s, consumed "
        f"{peer:,.0f}/s"
    )
    async with line_of(servers, "scoring") as (_, (idle,)):
        pass
    async with line_of(servers, "registry") as (line, _):
        every = [made_up.registered(village) for village in villages] + events
        began = time.perf_counter()
        for first in range(0, len(every), 10 * AT_ONCE):
            await line.commit(every[first : first + 10 * AT_ONCE])
        await reaches(line.published, len(every))
        drained = len(every) / (time.perf_counter() - began)
        print(f"  committed and published by the registry: {drained:,.0f}/s")
        async with line.process("scoring") as process:
            await reaches(line.handled, 1)
            began, before = time.perf_counter(), process.cpu()
            await reaches(line.handled, len(every))
            rate = len(every) / (time.perf_counter() - began)
            used = 1e6 * (process.cpu() - before) / len(every)
        print(
            f"  scoring: {rate:,.0f} events/s, {rate / peer:.2f} of bare; its peak {process.said['megabytes']:.0f} MB "
            f"(of one that had no event {idle.said['megabytes']:.0f} MB), processor time an event {used:.0f} us"
        )


PARTS = {"sustained": sustained, "ages": ages, "batch": batch, "catch-up": catch_up}


async def measure(options: argparse.Namespace) -> None:
    """Each part on servers of its own."""
    for part in options.parts or PARTS:
        with throwaway_servers() as servers:
            await PARTS[part](servers, options)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which parts; all when none is named")
    parser.add_argument("--events", type=int, default=20_000, help="of the part sustained")
    parser.add_argument("--rates", type=lambda text: [float(rate) for rate in text.split(",")], default=[10, 100, 500])
    parser.add_argument("--seconds", type=float, default=10, help="at each rate")
    parser.add_argument("--reports", type=int, default=5_832, help="of the part batch")
    parser.add_argument("--backlog", type=int, default=100_000, help="of the part catch-up")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
