"""A line from one service's outbox to one consumer's effects, on servers that a test may stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from contracts.events import Event, VillageRegistered
from contracts.examples import example
from deploy.embedded.throwaway import ThrowawayServers
from kit.bus import Bus
from kit.database import Database
from kit.ids import uuid7
from kit.inbox import Consumer, Retries, Subscription
from kit.outbox import publish
from kit.relay import Relay
from kit.tasks import stop
from tests.conftest import eventually


class Line:
    """One service's outbox and one consumer, each on its own database."""

    def __init__(self, servers: ThrowawayServers) -> None:
        self.servers = servers
        self.producer_url = servers.empty_database("registry")
        self.producer = Database(create_async_engine(self.producer_url))
        self.consumer = Database(create_async_engine(servers.empty_database("registry")))
        self.durable = f"tests-{uuid7().hex}"
        self.region = "33.26.01.2001"
        self.handled: list[UUID] = []
        self.fails: dict[UUID, int] = {}
        self.stale: set[UUID] = set()
        self.retries = Retries()
        self.poll_seconds = 1.0
        self.holds = asyncio.Event()
        """While it is not set, the handler has what it was given in hand."""
        self.holds.set()
        self.held = asyncio.Event()

    def event(self) -> Event:
        return example(VillageRegistered).model_copy(update={"id": uuid7()})

    async def commit(self, *events: Event) -> None:
        async with self.producer.transaction() as session:
            await publish(session, events)

    async def handle(self, session: AsyncSession, events: Sequence[Event]) -> int:
        self.held.set()
        await self.holds.wait()
        for event in events:
            if self.fails.get(event.id, 0) > 0:
                self.fails[event.id] -= 1
                raise ValueError("this event is poison")
            await session.execute(sa.text("INSERT INTO effects VALUES (:id)"), {"id": event.id})
        self.handled += [event.id for event in events]
        return len(self.stale & {event.id for event in events})

    async def effects(self) -> list[UUID]:
        async with self.consumer.transaction() as session:
            return list((await session.execute(sa.text("SELECT id FROM effects"))).scalars())

    async def dead(self) -> list[Any]:
        async with self.consumer.transaction() as session:
            query = sa.text("SELECT reason, attempts, body FROM dead_letters WHERE consumer = :c")
            return list((await session.execute(query, {"c": self.durable})).all())

    async def unpublished(self) -> int:
        async with self.producer.transaction() as session:
            behind = "position IS NULL OR position > coalesce((SELECT published FROM publication), 0)"
            query = sa.text(f"SELECT count(*) FROM outbox WHERE {behind}")
            return int(await session.scalar(query))

    @asynccontextmanager
    async def running(self, *, relay: bool = True) -> AsyncIterator[None]:
        bus = Bus(self.servers.nats_url, "tests")
        what = Subscription(self.durable, "KKB_REGISTRY", "kkb.registry.>", self.handle)
        jobs = [bus.run(), Consumer(what, bus, self.consumer, self.retries).run()]
        if relay:
            dsn = self.producer_url.replace("+asyncpg", "")
            jobs.append(Relay(dsn, bus, "KKB_REGISTRY", self.poll_seconds).run())
        tasks = [asyncio.create_task(job) for job in jobs]
        try:
            yield
        finally:
            await stop(tasks)


async def has_effects(line: Line, *events: Event) -> None:
    wanted = {event.id for event in events}

    async def all_there() -> bool:
        return wanted <= set(await line.effects())

    await eventually(all_there, 30)
