"""One throw-away PostgreSQL and NATS for the whole run; every service's real app on its own database."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY

from deploy.embedded.throwaway import ThrowawayServers, one_prepared_cluster, throwaway_servers
from kit.identity import public_pem
from kit.observe import Observed
from kit.process import COLLECT_AFTER, Service, application
from kit.settings import ServiceSettings
from services.interventions.service import SERVICE as INTERVENTIONS
from services.registry.service import SERVICE as REGISTRY_SERVICE
from services.scoring.service import SERVICE as SCORING
from tests.callers import SIGNING_KEY

# the processes of a parallel run ignore Ctrl-C, and what they start would inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)
gc.set_threshold(COLLECT_AFTER, 10, 10)  # as the services' own processes do

REPOSITORY = Path(__file__).parents[1]
SHARED = Path(os.environ.get("KKB_SHARED", REPOSITORY.parent / "shared"))


_LONGEST = ("system", "faults", "deploy")
"""Folders whose files take longest: begun first, or one process would be at them when the others have ended."""


def pytest_configure(config: pytest.Config) -> None:
    """Before anything else; a parallel run's processes are started later, and share what is prepared."""
    if not hasattr(config, "workerinput"):
        prepared = ExitStack()
        prepared.enter_context(one_prepared_cluster())
        config.add_cleanup(prepared.close)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring tests in their order: the longest first."""
    items.sort(key=lambda item: item.path.relative_to(REPOSITORY / "tests").parts[0] not in _LONGEST)


@pytest.fixture(scope="session")
def servers() -> Iterator[ThrowawayServers]:
    """PostgreSQL and NATS of this run."""
    with throwaway_servers(prepared=True) as running:
        yield running


@pytest.fixture(scope="session")
def public_key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key that services check the tests' callers with."""
    path = tmp_path_factory.mktemp("keys") / "identity.pub"
    path.write_bytes(public_pem(SIGNING_KEY.public_key()))
    return path


Start = Callable[[Service], AbstractAsyncContextManager[httpx.AsyncClient]]


@asynccontextmanager
async def running(service: Service, database_url: str, nats_url: str, key: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A service's real app; gives a client whose `app` attribute is the app."""
    settings = ServiceSettings(
        port=0, ops_port=0, database_url=database_url, nats_url=nats_url, identity_public_key_file=key
    )
    app = application(service, settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=Observed(app), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1", timeout=30) as client:
            client.app = app  # type: ignore[attr-defined]  # the tests' own handle
            yield client


@pytest.fixture(scope="session")
def start(servers: ThrowawayServers, public_key_file: Path) -> Start:
    """Start a service's app on a fresh database of this run's servers."""
    return lambda service: running(service, servers.fresh_database(service.name), servers.nats_url, public_key_file)


@pytest.fixture(scope="session")
async def registry(start: Start) -> AsyncIterator[httpx.AsyncClient]:
    """The registry with the official regions."""
    async with start(REGISTRY_SERVICE) as client:
        yield client


@pytest.fixture(scope="session")
async def interventions(start: Start) -> AsyncIterator[httpx.AsyncClient]:
    """The interventions service; its villages come by events only."""
    async with start(INTERVENTIONS) as client:
        yield client


@pytest.fixture(scope="session")
async def scoring(start: Start) -> AsyncIterator[httpx.AsyncClient]:
    """The scoring service; all it knows comes by events."""
    async with start(SCORING) as client:
        yield client


def app_of(client: httpx.AsyncClient) -> FastAPI:
    """The app behind a client of `start`."""
    app: FastAPI = client.app  # type: ignore[attr-defined]  # set by `start`
    return app


def sample(name: str, labels: Mapping[str, str]) -> float | None:
    """Value of one of this process's samples; as REGISTRY.get_sample_value, without asking every metric there is."""
    families = REGISTRY.restricted_registry([name]).collect()
    found = (one for family in families for one in family.samples if (one.name, one.labels) == (name, labels))
    return next((one.value for one in found), None)


async def eventually(ask: Callable[[], Awaitable[Any]], seconds: float = 60.0) -> Any:
    """Ask until the answer is true; fail when it never is."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        answer = await ask()
        if answer:
            return answer
        assert asyncio.get_running_loop().time() < deadline, f"still {answer!r} after {seconds} s"
        await asyncio.sleep(0.05)
