"""How a process is put together, started and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import uvicorn
from fastapi import APIRouter, Depends, FastAPI
from starlette.types import ASGIApp

from kit import API, changes, failpoints, identity, logs, metrics, problems, re_emissions, rebuilds
from kit.bus import Bus
from kit.changes.routes import changes_router
from kit.changes.types import types_of
from kit.changes.watch import Watch
from kit.checksums.routes import checksums_router
from kit.checksums.things import Thing
from kit.database import Database
from kit.dead_letters.routes import ABOUT, TAG, dead_letters_router
from kit.dead_letters.watch import OpenDeadLetters
from kit.health import health_of
from kit.inbox import Consumer, Retries, Subscription
from kit.observe import Observed
from kit.ops import Health, ops_app
from kit.parameters import only_known_parameters
from kit.re_emissions import ReEmit
from kit.re_emissions.routes import re_emissions_router
from kit.re_emissions.worker import run_re_emissions
from kit.rebuilds import Projection
from kit.rebuilds.pausing import pause_of
from kit.rebuilds.routes import rebuilds_router
from kit.rebuilds.worker import run_rebuilds
from kit.relay import Relay
from kit.settings import ProcessSettings, ServiceSettings
from kit.sockets import Loop
from kit.tasks import keep_running, stop

log = logging.getLogger(__name__)

_FINISH_SECONDS = 5.0
"""How long consumers may take for the batch they have in hand when the process ends."""

COLLECT_AFTER = 50_000
"""New objects after which Python looks for cycles of garbage. With its own 700 a third of the processor time of comparing
20,000 villages (5.0 s against 3.2) went into looking again and again at rows that were still in use."""

Worker = Callable[[FastAPI], Coroutine[Any, Any, None]]
"""A task that runs beside the API until it is cancelled."""


@dataclass(frozen=True)
class Service:
    """What makes a service: its rooms' routers, what it consumes, what runs beside it."""

    name: str
    title: str
    description: str
    routers: Sequence[APIRouter]
    subscriptions: Sequence[Subscription] = ()
    workers: Sequence[Worker] = field(default=())
    checksums: Sequence[Thing] = ()
    """What it holds of what events tell of, for comparing it with others."""
    re_emit: ReEmit | None = None
    """Tells its present state again, where it owns facts."""
    projection: Projection | None = None
    """What it knows from others' events, to be rebuilt out of them."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """What each group of operations is about, in Indonesian, in the order people meet them in the documentation."""


def application(service: Service, settings: ServiceSettings) -> FastAPI:
    """The service's API with its database, bus, relay and consumers living as long as the app does."""
    app = contract_application(service, lifespan=_lifespan)
    app.state.service = service
    app.state.settings = settings
    app.state.database = Database.of(settings, f"kkb-{service.name}")
    app.state.bus = Bus(settings.nats_url, f"kkb-{service.name}")
    dsn = str(settings.database_url).replace("+asyncpg", "", 1)
    app.state.relay = Relay(dsn, app.state.bus, f"KKB_{service.name.upper()}")
    app.state.changes = Watch(dsn, settings.changes_waiters)
    retries = Retries.of(settings)
    app.state.open_dead_letters = OpenDeadLetters(app.state.database, (what.durable for what in service.subscriptions))
    paused = pause_of(app.state.database) if service.projection else None
    app.state.consumers = [
        Consumer(what, app.state.bus, app.state.database, retries, app.state.open_dead_letters.changed, paused)
        for what in service.subscriptions
    ]
    keys = identity.AcceptedKeys.of_file(settings.identity_public_key_file)
    app.state.verify_identity = identity.Verifier(keys, service.name)
    metrics.watch_pool(app.state.database.engine)
    return app


def contract_application(service: Service, lifespan: Any = None) -> FastAPI:
    """The service's routes alone: enough to write its OpenAPI contract, no database or key needed."""
    tags = {**service.tags, **({changes.TAG: changes.ABOUT} if types_of(service.name) else {})}
    tags |= {TAG: ABOUT} if service.subscriptions else {}
    tags |= {re_emissions.TAG: re_emissions.ABOUT} if service.re_emit else {}
    tags |= {rebuilds.TAG: rebuilds.ABOUT} if service.projection else {}
    app = FastAPI(
        title=service.title,
        description=service.description,
        version="1.0.0",
        openapi_url=None,
        openapi_tags=[{"name": name, "description": about} for name, about in tags.items()],
        lifespan=lifespan,
        redirect_slashes=False,
        separate_input_output_schemas=True,
        generate_unique_id_function=lambda route: route.name,
        responses=problems.ALWAYS,
        dependencies=[Depends(only_known_parameters)],
    )
    problems.install(app)
    for router in service.routers:
        app.include_router(router, prefix=API)
    if service.subscriptions:
        app.include_router(dead_letters_router(service.name), prefix=API)
    if types_of(service.name):
        app.include_router(changes_router(service.name), prefix=API)
    if service.checksums:
        app.include_router(checksums_router(service.name, service.checksums), prefix=API)
    if service.re_emit:
        app.include_router(re_emissions_router(service.name), prefix=API)
    if service.projection:
        app.include_router(rebuilds_router(service.name, service.projection), prefix=API)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    database: Database = app.state.database
    bus: Bus = app.state.bus
    consumers: Sequence[Consumer] = app.state.consumers
    consuming = [asyncio.create_task(keep_running(one.name, one.run)) for one in consumers]
    connected = asyncio.create_task(bus.run())
    jobs = [
        keep_running("the relay", app.state.relay.run),
        keep_running("the watch for changes", app.state.changes.run),
        keep_running("the count of dead letters", app.state.open_dead_letters.run),
        *([keep_running("re-emissions", lambda: run_re_emissions(app))] if service.re_emit else []),
        *([keep_running("rebuilds", lambda: run_rebuilds(app))] if service.projection else []),
        *(keep_running(worker.__name__, partial(worker, app)) for worker in service.workers),
    ]
    others = [asyncio.create_task(job) for job in jobs]
    app.state.tasks = [connected, *others, *consuming]
    try:
        yield
    finally:
        app.state.ending = True
        app.state.changes.end()
        for consumer in consumers:
            consumer.end()
        if consuming:
            await asyncio.wait(consuming, timeout=_FINISH_SECONDS)
        # the bus closes last: what the others still acknowledge must get out
        await stop([*others, *consuming])
        await stop([connected])
        await database.close()


class _Server(uvicorn.Server):
    """A server that leaves signals to the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(
    app: ASGIApp, host: str, port: int, drain: float, lifespan: str, protocol: type[asyncio.Protocol] | None = None
) -> _Server:
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=protocol or "httptools",
        log_config=None,
        access_log=False,
        lifespan=lifespan,  # type: ignore[arg-type]  # uvicorn types it as a literal
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=max(1, int(drain)),
        timeout_keep_alive=75,
    )
    return _Server(config)


async def serve(
    app: ASGIApp, health: Health, settings: ProcessSettings, protocol: type[asyncio.Protocol] | None = None
) -> None:
    """Serve the API and the operators' port until SIGTERM or SIGINT, then drain: readiness drops first.

    `protocol` replaces uvicorn's HTTP protocol where the API is open to strangers.
    """
    # What is there now stays, and need not be looked at again: a full collection took 110 ms of the gateway's, every
    # request waiting meanwhile.
    gc.collect()
    gc.freeze()
    api = _server(app, settings.host, settings.port, settings.drain_seconds, "on", protocol)
    ops = _server(ops_app(health), settings.ops_host, settings.ops_port, 1, "off")
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    serving = [asyncio.create_task(api.serve()), asyncio.create_task(ops.serve())]
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait([*serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    health.draining = True
    # whoever sends requests here has this long to read it; a second signal, or the end of a server, cuts it short
    told.clear()
    waiting.cancel()
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait([*serving, waiting], timeout=settings.drain_notice_seconds, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    health.drain()
    api.should_exit = True
    await serving[0]
    ops.should_exit = True
    await serving[1]


def run(service: Service, settings: ServiceSettings) -> None:
    """Run a service in this process until it is told to stop."""
    logs.configure(service.name, settings.log_level)
    failpoints.watch(settings.failpoints_file)

    async def main() -> None:
        app = application(service, settings)
        health = health_of(app)
        await serve(Observed(app, health), health, settings)

    run_main(main)


def run_main(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a process's main function."""
    gc.set_threshold(COLLECT_AFTER, 10, 10)
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())
