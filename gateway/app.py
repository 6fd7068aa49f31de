"""The gateway put together: its own operations, the door before them and before the services, its health."""

from __future__ import annotations

import asyncio
import json
from collections import ChainMap
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from gateway.accounts.passwords import Passwords
from gateway.admission import Admission, Check, Credential
from gateway.audit.checking import check_now_and_then
from gateway.audit.recording import Recorder
from gateway.audit.writing import Writer
from gateway.contract import merged_document, own_document
from gateway.deliveries.feeds import WEBHOOKS, OwnFeeds
from gateway.deliveries.leading import Leading
from gateway.docs import page
from gateway.docs.merge import Document
from gateway.door import Door
from gateway.identities import Identities
from gateway.keys.bootstrap import Bootstrap
from gateway.keys.expiry import watch_expiry
from gateway.keys.keyring import Keyring
from gateway.limits.ceiling import Ceiling
from gateway.limits.charging import Limits
from gateway.observing import observe
from gateway.oidc.following import OidcFile
from gateway.proxy.dressing import Dressing
from gateway.proxy.forwarding import Forwarder
from gateway.proxy.listening import guarded
from gateway.proxy.origin import Origin
from gateway.proxy.replicas import Replica, Replicas
from gateway.proxy.routing import Operation, RoutingTable
from gateway.service import SERVICE
from gateway.sessions.book import SessionBook
from gateway.sessions.rules import PLAIN_COOKIE, SECURE_COOKIE
from gateway.sessions.store import CHANNEL as SESSIONS_CHANNEL
from gateway.settings import GatewaySettings
from gateway.tokens.access_tokens import AccessTokens
from gateway.webhooks.actions import Outfit
from gateway.webhooks.vault import Vault
from kit import identity
from kit.database import Database
from kit.health import database_checks
from kit.metrics import WITHOUT_EVENTS, watch_pool
from kit.ops import Health
from kit.process import contract_application
from kit.tasks import keep_running, stop

_AUDIT_POOL = 4
"""Connections: for beginnings, for the chain, for the check and for the sweep, each one transaction at a time."""
_AUDIT_SECONDS = 5.0
"""Longest statement: whoever holds the chain's end holds up all processes."""


@dataclass(frozen=True)
class Gateway:
    """What a process serves."""

    door: Door
    health: Health
    own: FastAPI
    services: Mapping[str, Replicas]
    protocol: type[asyncio.Protocol]
    """How it listens to clients."""


def compose(settings: GatewaySettings, documents: Mapping[str, Document]) -> Gateway:
    """The gateway for these settings, before the services with these contracts (by service)."""
    own = contract_application(SERVICE, lifespan=_lifespan)
    own.include_router(page.router)
    services = _services(settings)
    database = Database.of(settings, "kkb-gateway")
    own.state.settings = settings
    own.state.services = services
    own.state.database = database
    own.state.signer = identity.Signer(settings.identity_private_key_file)
    own.state.keyring = Keyring(database, settings.key_cache_seconds)
    own.state.oidc = _oidc(settings)
    own.state.tokens = AccessTokens(
        own.state.signer, identity.AcceptedKeys.of_file(settings.identity_public_key_file), own.state.keyring
    )
    own.state.sessions = SessionBook(database, settings.session_limits)
    own.state.session_cookie = PLAIN_COOKIE if settings.session_plain_http else SECURE_COOKIE
    own.state.passwords = Passwords()
    own.state.bootstrap = Bootstrap(database, settings.admin_key_file)
    own.state.verify_identity = identity.Verifier(
        identity.AcceptedKeys.of_file(settings.identity_public_key_file), SERVICE.name
    )
    own.state.ceiling = Ceiling(settings.ceiling_limits)
    whole = merged_document(**documents, own=own_document())
    own.state.contract = page.Static(json.dumps(whole, ensure_ascii=False).encode(), "application/json")
    watch_pool(database.engine)
    forwarder = Forwarder(services, settings.forward_limits)
    table = _table(documents)
    own.state.audit_database = Database.of(settings, "kkb-gateway-audit", pool=_AUDIT_POOL, seconds=_AUDIT_SECONDS)
    own.state.audit_writer = Writer(own.state.audit_database, settings.total_seconds)
    own.state.recorder = Recorder(own.state.audit_writer, table.operations)
    signer: identity.Signer = own.state.signer
    feeds = OwnFeeds(table, forwarder, lambda service: signer.mint(WEBHOOKS, service).encode())
    own.state.webhooks = Outfit(Vault.of(settings.webhook_key_file), settings.webhook_destinations, feeds.ends)
    own.state.leading = Leading.of(settings, own.state.webhooks, feeds)
    door = Door(
        table=table,
        forwarder=forwarder,
        own=own,
        admit=Admission(_checks(own), Identities(own.state.signer), own.state.session_cookie),
        origin=Origin(settings.trusted_proxies),
        limits=Limits(settings.quotas, settings.strangers),
        ceiling=own.state.ceiling,
        dressing=Dressing(settings.dressing_limits),
        recorder=own.state.recorder,
        observe=observe,
    )
    return Gateway(door, _health_of(own, forwarder), own, services, guarded(own.state.ceiling))


def _oidc(settings: GatewaySettings) -> OidcFile | None:
    if settings.oidc_file is None:
        return None
    return OidcFile(settings.oidc_file, settings.oidc_key_limits, plain_http=settings.oidc_plain_http)


def _checks(own: FastAPI) -> dict[Credential, Check]:
    oidc: OidcFile | None = own.state.oidc
    book: SessionBook = own.state.sessions
    keyring: Keyring = own.state.keyring
    return {
        Credential.KEY: keyring.check,
        Credential.TOKEN: own.state.tokens.check,
        Credential.SESSION: lambda text, _client: book.check(text),
        **({} if oidc is None else {Credential.OIDC: lambda text, _client: oidc.verifier.check(text)}),
    }


def _services(settings: GatewaySettings) -> dict[str, Replicas]:
    limits = settings.pool_limits, settings.waiting_pool_limits, settings.breaker_limits
    return {
        service: Replicas(service, [Replica(url, *limits) for url in urls], settings.replica_limits)
        for service, urls in settings.urls.items()
    }


def _table(documents: Mapping[str, Document]) -> RoutingTable:
    table = RoutingTable()
    for service, document in {**documents, SERVICE.name: own_document()}.items():
        table.add_document(service, document)
    for template in page.PAGES:
        table.add(Operation(SERVICE.name, "GET", template, template, ()))
    return table


@asynccontextmanager
async def _lifespan(own: FastAPI) -> AsyncIterator[None]:
    keyring: Keyring = own.state.keyring
    book: SessionBook = own.state.sessions
    oidc: OidcFile | None = own.state.oidc
    dsn = str(own.state.settings.database_url).replace("+asyncpg", "", 1)
    own.state.tasks = [
        asyncio.create_task(keep_running("the listener for revoked keys", lambda: keyring.listen(dsn))),
        asyncio.create_task(keep_running("the note of keys' use", keyring.note_use)),
        asyncio.create_task(
            keep_running("the listener for ended sessions", lambda: book.remembered.listen(dsn, SESSIONS_CHANNEL))
        ),
        asyncio.create_task(keep_running("the care of sessions", book.keep)),
        *(asyncio.create_task(job) for job in ([] if oidc is None else _oidc_jobs(own, oidc))),
        *(
            asyncio.create_task(keep_running(f"the watch of {service.service}", service.watch))
            for service in own.state.services.values()
        ),
        *(asyncio.create_task(job) for job in _audit_jobs(own)),
        asyncio.create_task(keep_running("the count of keys that expire", lambda: watch_expiry(own.state.database))),
        *(
            [asyncio.create_task(keep_running("webhooks", own.state.leading.run))]
            if own.state.settings.webhook_sending
            else []
        ),
    ]
    first = asyncio.create_task(own.state.bootstrap.run())
    own.state.ceiling.start()
    try:
        yield
    finally:
        own.state.ceiling.stop()
        await stop([first, *own.state.tasks])
        await own.state.leading.close()
        if oidc is not None:
            await oidc.verifier.close()
        for service in own.state.services.values():
            service.close()
        await keyring.write_use()
        await book.write_use()
        await own.state.recorder.close()
        await own.state.audit_database.close()
        await own.state.database.close()


def _oidc_jobs(own: FastAPI, oidc: OidcFile) -> Iterator[Coroutine[Any, Any, None]]:
    every: float = own.state.settings.oidc_look_seconds
    yield keep_running("the keys of identity providers", oidc.verifier.keep_fresh)
    yield keep_running("the look at the file of identity providers", lambda: oidc.follow(every))


def _audit_jobs(own: FastAPI) -> Iterator[Coroutine[Any, Any, None]]:
    writer: Writer = own.state.audit_writer
    every: float = own.state.settings.audit_check_seconds
    yield keep_running("the beginnings of the audit trail", writer.run_beginnings)
    yield keep_running("the writing of the audit trail", writer.run_writing)
    yield keep_running("the sweeping of the audit trail", writer.run_sweeping)
    yield keep_running("the summing up of refusals", own.state.recorder.run_summing_up)
    yield keep_running("the check of the audit trail", lambda: check_now_and_then(own.state.audit_database, every))


def _health_of(own: FastAPI, forwarder: Forwarder) -> Health:
    async def alive() -> str | None:
        ended = [task for task in getattr(own.state, "tasks", []) if task.done()]
        return f"{len(ended)} background tasks have ended" if ended else None

    async def administrator() -> str | None:
        missing: str | None = own.state.bootstrap.missing
        return missing

    # Services are shown only: one that is away must not take the door to the others down with it.
    oidc: OidcFile | None = own.state.oidc
    issuers = {} if oidc is None else ChainMap(oidc.verifier.checks, {"identity providers": oidc.check})
    services = {name: service.check for name, service in own.state.services.items()}
    needed = database_checks(own.state.database, SERVICE.name) | {"administrator": administrator}
    return Health(
        alive=alive, ready=needed, noted=ChainMap(services, issuers), metrics=WITHOUT_EVENTS, on_drain=forwarder.drain
    )
