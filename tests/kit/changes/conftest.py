"""The feed of a tiny service on servers of its own, and a client that follows it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from contracts.events import Event, VillageChanged, VillageKey, VillageRegistered
from contracts.examples import example
from deploy.embedded.ports import free_port
from deploy.embedded.servers import EmbeddedNats
from deploy.embedded.throwaway import throwaway_servers
from kit.changes.watch import Watch
from kit.database import Database
from kit.ids import uuid7
from kit.outbox import publish
from tests.callers import caller
from tests.conftest import app_of, running
from tests.kit.conftest import TINY

DESA = "33.26.01.2001"


def event(kind: type[Event] = VillageRegistered, village: UUID | None = None, version: int = 1, at: str = DESA) -> Any:
    """An event of a village's own state."""
    model: Any = example(kind)
    key = VillageKey(id=village or uuid7(), region_code=at, version=version)
    data = model.data.model_copy(update={"village": key})
    return model.model_copy(update={"id": uuid7(), "subject": at, "data": data})


def changed(village: UUID, version: int, at: str = DESA) -> Any:
    return event(VillageChanged, village, version, at)


class Feed:
    """A running service with its feed."""

    def __init__(self, client: httpx.AsyncClient, nats: EmbeddedNats) -> None:
        self.client = client
        self.nats = nats

    @property
    def database(self) -> Database:
        return app_of(self.client).state.database

    @property
    def watch(self) -> Watch:
        return app_of(self.client).state.changes

    async def commit(self, *events: Event) -> None:
        async with self.database.transaction() as session:
            await publish(session, events)

    async def run(self, statement: str, **values: Any) -> Any:
        async with self.database.transaction() as session:
            return await session.execute(sa.text(statement), values)

    async def get(self, *, as_: dict[str, str] | None = None, **query: Any) -> httpx.Response:
        headers = caller("reader") if as_ is None else as_
        return await self.client.get("/changes/registry", params=query, headers=headers)

    async def page(self, **query: Any) -> dict[str, Any]:
        answer = await self.get(**query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def head(self) -> str:
        """The cursor of the feed's end, everything before committed and placed."""
        mark = event()
        await self.commit(mark)
        since = None
        while True:
            page = await self.page(wait=5, limit=500, **({"since": since} if since else {}))
            since = page["next_since"]
            if str(mark.id) in ids(page):
                return since


def ids(page: dict[str, Any]) -> list[str]:
    return [item["event"]["id"] for item in page["items"]]


StartFeed = Callable[[], AbstractAsyncContextManager[Feed]]


@pytest.fixture(scope="package")
def start_feed(public_key_file: Path) -> Iterator[StartFeed]:
    """Start the tiny service on a new database and a NATS of its own: a stream that knows another feed resets this."""
    with throwaway_servers(prepared=True) as servers:

        @asynccontextmanager
        async def start() -> AsyncIterator[Feed]:
            url = servers.fresh_database("registry")
            nats = EmbeddedNats(servers.folder / uuid7().hex, free_port(), durable=False)
            nats.start()
            try:
                async with running(TINY, url, nats.url, public_key_file) as client:
                    yield Feed(client, nats)
            finally:
                nats.stop()

        yield start


@pytest.fixture(scope="package")
async def feed(start_feed: StartFeed) -> AsyncIterator[Feed]:
    """The tiny service's feed."""
    async with start_feed() as started:
        yield started
