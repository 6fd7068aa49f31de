"""A tiny service that consumes events, on servers of its own: its handler fails where and as a test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from contracts.events import Event, VillageRegistered
from contracts.examples import example
from deploy.embedded.throwaway import ThrowawayServers
from kit.database import own_metadata
from kit.dead_letters.store import Letter, bury
from kit.ids import uuid7
from kit.inbox import Subscription
from kit.observe import Observed
from kit.process import Service, application
from kit.settings import ServiceSettings
from tests.conftest import app_of, eventually, sample

CONSUMER = "tests-names"
LETTERS = "http://test/api/v1/dead-letters/scoring"
ATTEMPTS = 3

Trouble = Callable[[AsyncSession], Awaitable[None]]


class Names:
    """Keeps the newest name of every village; `troubles` says of which events it cannot and what happens then."""

    def __init__(self) -> None:
        self.troubles: dict[UUID, Trouble] = {}
        self.tried: list[UUID] = []

    async def handle(self, session: AsyncSession, events: Sequence[Event]) -> int:
        stale = 0
        for event in events:
            assert isinstance(event, VillageRegistered)
            self.tried.append(event.id)
            state = event.data
            kept = await session.execute(
                sa.text(
                    "INSERT INTO names VALUES (:id, :version, :name) ON CONFLICT (id) DO UPDATE SET "
                    "version = excluded.version, name = excluded.name WHERE excluded.version > names.version "
                    "RETURNING id"
                ),
                {"id": state.village.id, "version": state.village.version, "name": state.name},
            )
            stale += not kept.all()
            await session.execute(sa.text("INSERT INTO applied VALUES (:id)"), {"id": event.id})
            if event.id in self.troubles:
                await self.troubles[event.id](session)
        return stale


async def poison(_session: AsyncSession) -> None:
    raise ValueError("this event is poison")


def told(village: UUID, version: int = 1, name: str = "Desa", region: str = "33.26.01.2001") -> Event:
    """The registry tells of a village."""
    event = example(VillageRegistered).model_dump(mode="json") | {"id": str(uuid7()), "subject": region}
    event["data"] |= {"name": name, "village": {"id": str(village), "region_code": region, "version": version}}
    return VillageRegistered.model_validate(event)


class House:
    """The running service, and its tables from outside."""

    def __init__(self, client: httpx.AsyncClient, names: Names) -> None:
        self.client = client
        self.names = names
        self.database = app_of(client).state.database

    async def empty(self) -> None:
        """Nothing put aside, no trouble."""
        self.names.troubles.clear()
        async with self.database.transaction() as session:
            await session.execute(sa.text("TRUNCATE dead_letters, idempotency_keys"))

    async def ask(self, query: str, **parameters: Any) -> list[Any]:
        async with self.database.engine.connect() as connection:
            return list((await connection.execute(sa.text(query), parameters)).all())

    async def publish(self, event: Event, body: bytes | None = None, subject: str | None = None) -> None:
        jetstream = await app_of(self.client).state.bus.jetstream()
        await jetstream.publish(subject or event.nats_subject, body or event.model_dump_json().encode())

    async def put_aside(
        self, event: Event, *, body: bytes | None = None, region: str | None = "", consumer: str = CONSUMER
    ) -> int:
        """A dead letter as the consumer leaves it; its id."""
        letter = Letter(
            consumer=consumer,
            subject=event.nats_subject,
            region_code=event.subject if region == "" else region,
            stream_sequence=7,
            body=body or event.model_dump_json().encode(),
            reason="ValueError: as it was",
            attempts=ATTEMPTS,
        )
        async with self.database.transaction() as session:
            await bury(session, letter)
        (row,) = await self.ask("SELECT max(id) FROM dead_letters")
        return int(row[0])

    async def letter(self, number: int) -> Any:
        (row,) = await self.ask("SELECT * FROM dead_letters WHERE id = :id", id=number)
        return row

    async def letter_of(self, event: Event) -> Any:
        """Wait until the consumer has put it aside."""

        async def there() -> Any:
            query = "SELECT * FROM dead_letters WHERE position(cast(:id AS bytea) in body) > 0 AND outcome IS NULL"
            return next(iter(await self.ask(query, id=str(event.id).encode())), None)

        return await eventually(there)

    async def name_of(self, village: UUID) -> str | None:
        rows = await self.ask("SELECT name FROM names WHERE id = :id", id=village)
        return rows[0].name if rows else None

    async def has_name(self, village: UUID, name: str) -> None:
        async def named() -> bool:
            return await self.name_of(village) == name

        await eventually(named)

    async def has_taken(self, event: Event) -> None:
        """Wait until an event has taken effect; it was published last, so the others had their turn."""

        async def there() -> bool:
            return await self.times_applied(event) == 1

        await eventually(there)

    async def times_applied(self, event: Event) -> int:
        return len(await self.ask("SELECT 1 FROM applied WHERE id = :id", id=event.id))

    async def in_inbox(self, event: Event) -> bool:
        return bool(
            await self.ask("SELECT 1 FROM inbox WHERE event_id = :id AND consumer = :c", id=event.id, c=CONSUMER)
        )


def gauge(name: str, consumer: str = CONSUMER) -> float | None:
    return sample(name, {"consumer": consumer})


async def is_gauge(name: str, value: float, consumer: str = CONSUMER) -> None:
    """Wait until a metric of the consumer has this value."""

    async def reached() -> bool:
        return gauge(name, consumer) == value

    await eventually(reached)


StartHouse = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture(scope="module")
def names() -> Names:
    return Names()


@pytest.fixture(scope="module")
async def start_house(own_servers: ThrowawayServers, public_key_file: Path, names: Names) -> StartHouse:
    """Start the service, with other settings where a test names them; every start is of the same database."""
    url = own_servers.empty_database("scoring")
    metadata = own_metadata()
    sa.Table(
        "names",
        metadata,
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("version", sa.Integer),
        sa.Column("name", sa.Text),
    )
    sa.Table("applied", metadata, sa.Column("id", sa.Uuid))
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    what = Subscription(CONSUMER, "KKB_REGISTRY", "kkb.registry.>", names.handle)
    service = Service(name="scoring", title="House", description="For tests", routers=(), subscriptions=(what,))
    settings: dict[str, Any] = {"port": 0, "ops_port": 0, "database_url": url, "nats_url": own_servers.nats_url}
    settings |= {"identity_public_key_file": public_key_file}
    settings |= {"event_attempts": ATTEMPTS, "event_retry_seconds": 0.05}

    @asynccontextmanager
    async def start(**more: Any) -> AsyncIterator[House]:
        app = application(service, ServiceSettings(**settings | more))
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=Observed(app), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=LETTERS, timeout=60) as client:
                client.app = app  # type: ignore[attr-defined]  # the tests' own handle
                yield House(client, names)

    return start


@pytest.fixture(scope="module")
async def running_house(start_house: StartHouse) -> AsyncIterator[House]:
    """The service, started once a module."""
    async with start_house() as running:
        yield running


@pytest.fixture
async def house(running_house: House) -> House:
    """The service, with nothing put aside and no trouble."""
    await running_house.empty()
    return running_house
