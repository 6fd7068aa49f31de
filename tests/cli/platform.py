"""The whole platform on real ports, for clients: three services and the gateway on databases and a NATS of their own.

A NATS of its own, because a service's consumers are named once per NATS: two registries of one run that share it would
take each other's events.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.embedded.ports import free_port
from deploy.embedded.servers import EmbeddedNats
from deploy.embedded.throwaway import ThrowawayServers
from deploy.identity_keys import IdentityKeys
from gateway.app import compose
from gateway.settings import GatewaySettings
from kit.observe import Observed
from kit.openapi import contract
from kit.process import Service, application, contract_application
from kit.settings import ServiceSettings
from services.interventions.service import SERVICE as INTERVENTIONS
from services.registry.service import SERVICE as REGISTRY
from services.scoring.service import SERVICE as SCORING
from tests.conftest import eventually
from tests.gateway.conftest import PATIENT_SECONDS, listening

SERVICES = (REGISTRY, INTERVENTIONS, SCORING)


@dataclass(frozen=True)
class Platform:
    """Where it answers, the administrator's key, its NATS, and the services' databases."""

    url: str
    key_file: Path
    nats_url: str
    databases: dict[str, str]

    @property
    def key(self) -> str:
        return self.key_file.read_text().strip()


@asynccontextmanager
async def running_platform(servers: ThrowawayServers, folder: Path) -> AsyncIterator[Platform]:
    """Start everything in `folder`; the servers' NATS is left to others."""
    nats = EmbeddedNats(servers.folder / folder.name, free_port(), durable=False)
    nats.start()
    try:
        async with AsyncExitStack() as stack:
            yield await _start(stack, servers, nats.url, folder)
    finally:
        nats.stop()


async def _start(stack: AsyncExitStack, servers: ThrowawayServers, nats_url: str, folder: Path) -> Platform:
    keys = IdentityKeys(folder)
    keys.make()
    common: dict[str, Any] = {"port": 0, "ops_port": 0, "nats_url": nats_url, "identity_public_key_file": keys.public}
    urls = {}
    databases = {service.name: servers.fresh_database(service.name) for service in SERVICES}
    for service in SERVICES:
        settings = ServiceSettings(database_url=databases[service.name], **common)
        urls[f"{service.name}_url"] = await _serve(stack, service, settings)
    key_file, webhook_key = folder / "admin.key", folder / "webhooks.key"
    webhook_key.write_text(secrets.token_hex(32))
    settings = GatewaySettings(
        database_url=servers.fresh_database("gateway"),
        identity_private_key_file=keys.private,
        admin_key_file=key_file,
        webhook_key_file=webhook_key,
        webhook_networks=("127.0.0.0/8",),
        webhook_ports=frozenset({9, 443}),  # nobody listens on 9 (discard)
        webhook_allow_http=True,
        ceiling_lag_seconds=PATIENT_SECONDS,
        **urls,
        **common,
    )
    gateway = compose(settings, {service.name: contract(contract_application(service)) for service in SERVICES})
    await stack.enter_async_context(gateway.own.router.lifespan_context(gateway.own))
    port = await stack.enter_async_context(listening(gateway.door))

    async def has_key() -> bool:
        return gateway.own.state.bootstrap.missing is None

    await eventually(has_key)
    return Platform(f"http://127.0.0.1:{port}", key_file, nats_url, databases)


async def _serve(stack: AsyncExitStack, service: Service, settings: ServiceSettings) -> str:
    app = application(service, settings)
    await stack.enter_async_context(app.router.lifespan_context(app))
    return f"http://127.0.0.1:{await stack.enter_async_context(listening(Observed(app)))}"
