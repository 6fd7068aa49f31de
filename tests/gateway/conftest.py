"""The composed gateway on a real port, on its own database, with an administrator's key."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from deploy.embedded.throwaway import ThrowawayServers
from gateway.app import Gateway, compose
from gateway.contract import SERVICES
from gateway.settings import GatewaySettings
from kit.identity import private_pem
from tests.callers import SIGNING_KEY
from tests.conftest import eventually

PATIENT_SECONDS = 60.0
"""How late a gateway of the tests may be before it sheds: a busy machine must not decide what a test is answered."""
NOWHERE = "http://127.0.0.1:9"
"""Port 9 (discard): nobody listens."""


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[int]:
    """Serve an app as kit.process does, without its lifespan; gives the port."""
    config = uvicorn.Config(
        app, http="httptools", lifespan="off", log_config=None, access_log=False, proxy_headers=False
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: HttpToolsProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await asyncio.sleep(0)


@dataclass
class Running:
    """A gateway that runs."""

    gateway: Gateway
    client: httpx.AsyncClient
    port: int
    admin_key: str = field(repr=False)

    def with_key(self, key: str | None = None) -> dict[str, str]:
        """Headers with a key; the administrator's if none is given."""
        return {"Authorization": f"Bearer {key or self.admin_key}"}

    async def issue(self, *roles: str, region: str | None = None, **fields: Any) -> dict[str, Any]:
        """A new key, as its administrator gets it."""
        draft = {"name": "Uji", "owner": "Dinas Uji", "roles": list(roles), "region": region, "expires_at": None}
        answer = await self.client.post("/keys", json={**draft, **fields}, headers=self.with_key())
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture(scope="session")
def private_key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key that the gateway signs with: the one the tests' services check with."""
    path = tmp_path_factory.mktemp("signing") / "identity.pem"
    path.write_bytes(private_pem(SIGNING_KEY))
    return path


@pytest.fixture(scope="session")
def webhook_key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key that webhooks' secrets are encrypted with."""
    path = tmp_path_factory.mktemp("webhooks") / "webhooks.key"
    path.write_text(secrets.token_hex(32))
    return path


StartGateway = Callable[..., Awaitable[Running]]


@pytest.fixture(scope="session")
async def start_gateway(
    servers: ThrowawayServers,
    public_key_file: Path,
    private_key_file: Path,
    webhook_key_file: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[StartGateway]:
    """Start gateways; what a test does not set is away or new."""
    async with AsyncExitStack() as stack:

        async def start(*, documents: dict[str, Any] | None = None, ready: bool = True, **given: Any) -> Running:
            values = {
                "admin_key_file": tmp_path_factory.mktemp("admin") / "secrets" / "admin.key",
                "database_url": given.get("database_url") or servers.fresh_database("gateway"),
                "registry_url": NOWHERE,
                "interventions_url": NOWHERE,
                "scoring_url": NOWHERE,
                "identity_public_key_file": public_key_file,
                "identity_private_key_file": private_key_file,
                "webhook_key_file": webhook_key_file,
                "webhook_sending": False,  # it would cost every gateway of the run some connections
                "ceiling_lag_seconds": PATIENT_SECONDS,
                **given,
            }
            settings = GatewaySettings(port=0, ops_port=0, **values)
            nothing = {"openapi": "3.1.0", "paths": {}}
            every = dict.fromkeys(SERVICES, nothing) | (documents or {})
            gateway = compose(settings, every)
            await stack.enter_async_context(gateway.own.router.lifespan_context(gateway.own))
            port = await stack.enter_async_context(listening(gateway.door))
            client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30)
            await stack.enter_async_context(client)
            file: Path = values["admin_key_file"]
            if ready:
                await eventually(lambda: _is_ready(gateway))
            key = file.read_text().strip() if file.exists() else ""
            return Running(gateway, client, port, key)

        yield start


async def _is_ready(gateway: Gateway) -> bool:
    return gateway.own.state.bootstrap.missing is None


@pytest.fixture(scope="session")
async def gateway(start_gateway: StartGateway) -> Running:
    """A gateway without services behind it."""
    return await start_gateway()


@pytest.fixture(scope="session")
async def office(start_gateway: StartGateway) -> Running:
    """A gateway where people sign in, more often than strangers may from one address."""
    return await start_gateway(limit_sign_in="100000/60", limit_strangers="100000/60")
