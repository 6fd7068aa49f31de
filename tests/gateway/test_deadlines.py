"""The time that the gateway's own operations and its checks have."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.proxy.calls import ForwardLimits
from gateway.remembered import Remembered
from kit import deadlines
from tests.gateway.conftest import Running, StartGateway

PATIENCE = 15
"""Seconds: below what those wait who do not look at what remains (20)."""


@pytest.fixture(scope="module")
async def hasty(start_gateway: StartGateway) -> Running:
    """A gateway whose operations have half a second."""
    return await start_gateway(upstream_first_byte_seconds=0.5)


async def test_an_operation_of_its_own_waits_for_the_database_as_long_as_it_is_waited_for(hasty: Running) -> None:
    async with hasty.gateway.own.state.database.transaction() as session, asyncio.timeout(PATIENCE):
        await session.execute(sa.text("LOCK TABLE audit_entries IN ACCESS EXCLUSIVE MODE"))
        answer = await hasty.client.get("/audit/export", headers=hasty.with_key())
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:kampungkb:problem:unavailable")
    assert "retry-after" in answer.headers


async def test_so_does_a_sign_in(hasty: Running) -> None:
    async with hasty.gateway.own.state.database.transaction() as session, asyncio.timeout(PATIENCE):
        await session.execute(sa.text("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE"))
        body = {"login": "siapa.saja", "password": "kata sandi yang panjang"}
        answer = await hasty.client.post("/sessions", json=body)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


async def test_an_answer_that_nobody_takes_has_an_end(hasty: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(*_: Any) -> None:
        await asyncio.Event().wait()

    door = hasty.gateway.door
    monkeypatch.setattr(door, "_own", endless)
    monkeypatch.setattr(door._forwarder, "limits", ForwardLimits(total_seconds=0.5))
    async with asyncio.timeout(PATIENCE):
        answer = await hasty.client.get("/me", headers=hasty.with_key())
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (504, "upstream-timeout")


class TestRemembered:
    async def test_who_must_go_leaves_the_others_what_is_loaded(self) -> None:
        go = asyncio.Event()
        within: list[float] = []

        async def load(key: str) -> str:
            within.append(deadlines.within(3600))
            await go.wait()
            return key

        remembered: Remembered[str, str] = Remembered(load, str, 60, 10)

        async def asks(remaining_ms: str | None) -> str:
            deadlines.begin(remaining_ms)
            return await remembered.get("x")

        hurried = asyncio.create_task(asks("50"))
        patient = asyncio.create_task(asks(None))
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(TimeoutError):
                await hurried
            go.set()
            assert await patient == "x"
        assert within == [3600], "once, and not within the time of who asked first"
