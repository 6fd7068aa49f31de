"""A tiny service of the tests' own, so that the kit is tested apart from the domain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from deploy.embedded.throwaway import ThrowawayServers
from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.idempotency import Answer, OnlyOnce
from kit.process import Service
from tests.conftest import Start

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


@pytest.fixture(scope="session")
async def tiny(start: Start, servers: ThrowawayServers) -> AsyncIterator[httpx.AsyncClient]:
    """The tiny service, with a table whose unique constraint is deferred to the commit."""
    async with start(TINY) as client:
        app: Any = client.app  # type: ignore[attr-defined]  # set by `start`
        async with app.state.database.transaction() as session:
            statement = "CREATE TABLE notes (text text UNIQUE DEFERRABLE INITIALLY DEFERRED)"
            await session.execute(sa.text(statement))
        yield client
