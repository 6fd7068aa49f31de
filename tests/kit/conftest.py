"""A tiny service of the tests' own, so that the kit is tested apart from the domain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated

import httpx
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.embedded.throwaway import ThrowawayServers, throwaway_servers
from kit.access import Caller, Scope, requires
from kit.database import Database, Session, own_metadata
from kit.idempotency import Answer, OnlyOnce
from kit.process import Service
from tests.conftest import Start, app_of, running
from tests.kit.line import Line

Writer = Annotated[Caller, requires(Scope.VILLAGES_WRITE)]
router = APIRouter()


class Note(BaseModel):
    """What the tiny service takes."""

    model_config = ConfigDict(extra="forbid")
    text: str


@router.post("/notes", status_code=201, response_model=Note)
async def write_note(note: Note, writer: Writer, session: Session, once: OnlyOnce) -> Response:
    """Write a note; the table's constraint is checked at commit."""

    async def write() -> Answer:
        await session.execute(sa.text("INSERT INTO notes (text) VALUES (:t)"), {"t": note.text})
        if note.text == "defect":
            raise RuntimeError("a defect of ours with 0812-3456-7890 in it")
        return Answer(note)

    return await once(writer, write)


TINY = Service(name="registry", title="Tiny", description="For tests of the kit", routers=(router,))


@pytest.fixture(scope="module")
def own_servers() -> Iterator[ThrowawayServers]:
    """PostgreSQL and NATS that a test may stop: nobody else is connected to them."""
    with throwaway_servers(prepared=True) as running:
        yield running


async def make_notes(client: httpx.AsyncClient) -> None:
    """The tiny service's table; its unique constraint is deferred to the commit."""
    async with app_of(client).state.database.transaction() as session:
        statement = "CREATE TABLE notes (text text UNIQUE DEFERRABLE INITIALLY DEFERRED)"
        await session.execute(sa.text(statement))


@pytest.fixture(scope="session")
async def tiny(start: Start) -> AsyncIterator[httpx.AsyncClient]:
    """The tiny service."""
    async with start(TINY) as client:
        await make_notes(client)
        yield client


@pytest.fixture
async def lonely(own_servers: ThrowawayServers, public_key_file: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The tiny service on servers of its own."""
    url = own_servers.empty_database("registry")
    database = Database(create_async_engine(url))
    async with database.engine.begin() as connection:
        await connection.run_sync(own_metadata().create_all)
    await database.engine.dispose()
    async with running(TINY, url, own_servers.nats_url, public_key_file) as client:
        await make_notes(client)
        yield client


@pytest.fixture
async def line(own_servers: ThrowawayServers) -> AsyncIterator[Line]:
    line = Line(own_servers)
    for database in (line.producer, line.consumer):
        async with database.engine.begin() as connection:
            await connection.run_sync(own_metadata().create_all)
    async with line.consumer.transaction() as session:
        await session.execute(sa.text("CREATE TABLE effects (id uuid)"))
    yield line
    await line.producer.engine.dispose()
    await line.consumer.engine.dispose()
