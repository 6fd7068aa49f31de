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
    assert bus.closed
