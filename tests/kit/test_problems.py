"""A database that is away is said to be away, however its absence shows itself."""

from __future__ import annotations

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError

from kit import problems

AWAY = [
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.AdminShutdownError("terminating connection due to administrator command"),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.TooManyConnectionsError("sorry, too many clients already"),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    DBAPIError("SELECT 1", {}, asyncpg.CrashShutdownError("terminating connection because of crash")),
    asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
    DBAPIError("SELECT 1", {}, asyncpg.QueryCanceledError("canceling statement due to statement timeout")),
    ConnectionResetError(),
]
WRONG = [
    asyncpg.UniqueViolationError("duplicate key"),
    DBAPIError("SELECT 1", {}, asyncpg.UndefinedColumnError("no such column")),
    ValueError("a defect of ours"),
]


async def _answer(error: Exception) -> httpx.Response:
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get("/")


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
async def test_away_is_503_and_when_to_ask_again(error: Exception) -> None:
    assert problems.is_database_away(error)
    answer = await _answer(error)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize("error", WRONG, ids=lambda error: type(error).__name__)
async def test_a_wrong_statement_is_a_defect(error: Exception) -> None:
    assert not problems.is_database_away(error)
    assert (await _answer(error)).status_code == 500
