from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from gateway.door import Door
from gateway.limits.ceiling import Ceiling, CeilingLimits
from gateway.proxy.calls import Call, ForwardLimits
from gateway.proxy.dressing import Dressing, DressingLimits
from gateway.proxy.forwarding import Forwarder
from gateway.proxy.origin import Origin, parse_network
from tests.gateway.proxy.scene import (
    Front,
    Letting,
    Reader,
    RecordingNothing,
    Service,
    Writer,
    no_application,
    plenty,
    replicas_of,
    table_for,
)


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Service]]]:
    """Start services by their scripts."""
    services: list[Service] = []

    async def start(script: Callable[[Service, Reader, Writer], Awaitable[None]]) -> Service:
        service = Service(script)
        await service.start()
        services.append(service)
        return service

    yield start
    for service in services:
        await service.stop()


@pytest.fixture
async def front() -> AsyncIterator[Callable[..., Awaitable[Front]]]:
    """Put doors before services."""
    servers: list[tuple[asyncio.Server, ServerState]] = []
    fronts: list[Front] = []

    async def start(
        url: str | dict[str, str],
        *,
        body_bytes: int = 1024 * 1024,
        total_seconds: float = 30,
        ceiling: Ceiling | None = None,
        trusted: str | None = None,
        retry_share: float = 1.0,
        hsts_seconds: int = 0,
        origins: tuple[str, ...] = (),
        documents: dict[str, Any] | None = None,
        **limits: float,
    ) -> Front:
        addresses = {"thing": url} if isinstance(url, str) else url
        services = {name: replicas_of(name, at.split(","), retry_share, limits) for name, at in addresses.items()}
        forwarder = Forwarder(services, ForwardLimits(body_bytes=body_bytes, total_seconds=total_seconds))
        calls: list[Call] = []
        door = Door(
            table=table_for(*addresses, documents=documents),
            forwarder=forwarder,
            own=no_application,
            admit=Letting(),
            origin=Origin([parse_network(trusted)] if trusted else []),
            limits=plenty(),
            dressing=Dressing(DressingLimits(hsts_seconds=hsts_seconds, origins=origins)),
            ceiling=ceiling or Ceiling(CeilingLimits()),
            recorder=RecordingNothing(),
            observe=lambda call, _seconds: calls.append(call),
        )
        config = uvicorn.Config(door, http="httptools", lifespan="off", log_config=None, proxy_headers=False)
        config.load()
        state = ServerState()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: HttpToolsProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        servers.append((server, state))
        fronts.append(Front(door, forwarder, server.sockets[0].getsockname()[1], calls))
        return fronts[-1]

    yield start
    for server, state in servers:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        await asyncio.gather(*state.tasks, return_exceptions=True)
    for one in fronts:
        await one.close()
    await asyncio.sleep(0)
