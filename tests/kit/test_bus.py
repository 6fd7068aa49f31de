"""The connection to NATS is made whatever comes in between."""

from __future__ import annotations

import asyncio
from typing import Any

import nats
import pytest

from deploy.embedded.throwaway import ThrowawayServers
from kit import tasks
from kit.bus import Bus
from kit.tasks import stop
from tests.conftest import eventually


async def test_a_client_that_will_never_reconnect_is_replaced(
    servers: ThrowawayServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nats-py's task ends by an error that it does not foresee: neither connected nor closed, for ever."""
    monkeypatch.setattr("kit.bus._LOOK_EVERY_SECONDS", 0.05)

    async def closed_handle() -> None:
        raise RuntimeError("the handler is closed")

    bus = Bus(servers.nats_url, "tests-bus")
    running = asyncio.create_task(bus.run())
    try:
        first = await asyncio.wait_for(bus.client(), 10)
        monkeypatch.setattr(first, "_attempt_reconnect", closed_handle)
        first._transport.close()
        await eventually(lambda: asyncio.sleep(0, bus.connected and bus._client is not first), 20)
        assert (await bus.client()).is_connected
        assert first.is_closed
        assert not running.done()
    finally:
        await stop([running])


@pytest.mark.parametrize(
    "unforeseen", [ConnectionRefusedError(), ValueError("no INFO"), asyncio.CancelledError()], ids=repr
)
async def test_whatever_connecting_fails_of_it_is_tried_again(
    servers: ThrowawayServers, monkeypatch: pytest.MonkeyPatch, unforeseen: BaseException
) -> None:
    monkeypatch.setattr(tasks, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr("kit.bus._RETRY_SECONDS", 0.01)
    connect, tried = nats.connect, 0

    async def broken_at_first(*arguments: Any, **options: Any) -> Any:
        nonlocal tried
        tried += 1
        if tried == 1:
            raise unforeseen
        return await connect(*arguments, **options)

    monkeypatch.setattr(nats, "connect", broken_at_first)
    bus = Bus(servers.nats_url, "tests-bus")
    running = asyncio.create_task(bus.run())
    try:
        await asyncio.wait_for(bus.client(), 10)
        assert bus.connected
        assert not running.done()
    finally:
        await stop([running])
    assert not bus.connected
