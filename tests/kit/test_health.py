"""What a process says it waits for."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import nats
import psutil
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from contracts.events import STREAMS, Event, VillageRegistered
from contracts.examples import example
from deploy.embedded.throwaway import ThrowawayServers
from kit import migrations, revisions
from kit.bus import ensure_stream
from kit.database import Database
from kit.health import database_checks, health_of
from kit.ids import uuid7
from kit.inbox import Subscription
from kit.ops import Health, ops_app
from kit.process import Service
from kit.relay import LOCK, Relay
from services.scoring.service import SERVICE as SCORING
from tests.conftest import app_of, eventually, running
from tests.kit.conftest import TINY


async def all_well() -> None:
    """A check that finds nothing missing."""


async def ask(health: Health, path: str = "/readyz") -> httpx.Response:
    transport = httpx.ASGITransport(app=ops_app(health))
    async with httpx.AsyncClient(transport=transport, base_url="http://ops") as client:
        return await client.get(path)


async def noted(app: FastAPI, what: str) -> str:
    return (await health_of(app).readiness())["noted"][what]


async def nothing(_session: AsyncSession, _events: Sequence[Event]) -> int:
    return 0


LISTENER = replace(TINY, subscriptions=(Subscription("tests-health", "KKB_REGISTRY", "kkb.registry.>", nothing),))


@pytest.fixture
def own(own_servers: ThrowawayServers, public_key_file: Path) -> Any:
    """A service on servers of its own, with migrated tables."""

    @asynccontextmanager
    async def start(service: Service) -> AsyncIterator[FastAPI]:
        url = own_servers.fresh_database(service.name)
        async with running(service, url, own_servers.nats_url, public_key_file) as client:
            yield app_of(client)

    return start


@contextmanager
def paused(server: Any) -> Iterator[None]:
    """A server all of whose processes stand still."""
    main = psutil.Process(server.child.process.pid)
    processes = [main, *main.children(recursive=True)]
    for process in processes:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process.pid, signal.SIGCONT)


class TestAsking:
    async def test_draining_is_not_ready(self) -> None:
        health = Health(alive=all_well, ready={"database": all_well}, draining=True)
        answer = await ask(health)
        assert (answer.status_code, answer.json()["draining"]) == (503, True)
        assert "kkb_ready 0.0" in (await ask(health, "/metrics")).text

    async def test_what_is_missing_is_said(self) -> None:
        async def away() -> str | None:
            raise ConnectionRefusedError("nobody there")

        health = Health(alive=away, ready={"database": away, "other": all_well})
        answer = await ask(health)
        assert answer.status_code == 503
        assert answer.json()["needs"] == {"database": "ConnectionRefusedError: nobody there", "other": "ok"}
        assert (await ask(health, "/livez")).status_code == 503
        assert "kkb_ready 0.0" in (await ask(health, "/metrics")).text

    async def test_what_is_noted_does_not_make_unready(self) -> None:
        async def away() -> str | None:
            return "away"

        answer = await ask(Health(alive=all_well, ready={"database": all_well}, noted={"nats": away}))
        assert (answer.status_code, answer.json()["noted"]) == (200, {"nats": "away"})
        assert "kkb_ready 1.0" in (await ask(Health(alive=all_well, ready={}), "/metrics")).text

    async def test_a_check_that_does_not_even_end_when_cancelled_is_left_behind(self) -> None:
        released, ended = asyncio.Event(), asyncio.Event()

        async def stubborn() -> str | None:
            while not released.is_set():
                try:
                    await released.wait()
                except asyncio.CancelledError:
                    continue
            ended.set()
            return None

        answer = await ask(Health(alive=all_well, ready={"database": stubborn}))
        assert not ended.is_set()
        assert answer.json()["needs"] == {"database": "no answer within 2 s"}
        released.set()
        await asyncio.wait_for(ended.wait(), 5)


class TestMigrations:
    async def needs(self, url: str) -> str:
        database = Database(create_async_engine(url))
        try:
            return (await Health(all_well, database_checks(database, "registry")).readiness())["needs"]["migrations"]
        finally:
            await database.engine.dispose()

    @pytest.mark.parametrize("name", revisions.PACKAGES)
    def test_the_names_of_the_files_are_the_revisions_in_their_order(self, name: str) -> None:
        scripts = ScriptDirectory.from_config(migrations.config(name))
        assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == revisions.revisions(name)
        assert scripts.get_current_head() == revisions.revisions(name)[-1]

    async def test_ready_on_the_tables_of_this_release(self, servers: ThrowawayServers) -> None:
        assert await self.needs(servers.fresh_database("registry")) == "ok"

    async def test_not_ready_without_tables(self, servers: ThrowawayServers) -> None:
        newest = revisions.revisions("registry")[-1]
        assert await self.needs(servers.empty_database("registry")) == (
            f"the database has no tables, this release needs {newest}: run python -m kit.migrate registry"
        )

    @pytest.mark.parametrize("older", revisions.revisions("registry")[:-1])
    async def test_not_ready_on_an_older_schema(self, servers: ThrowawayServers, older: str) -> None:
        url = servers.empty_database("registry")
        await self.stamp(url, older)
        assert f"is at revision {older}, this release needs" in await self.needs(url)

    async def test_ready_on_a_newer_schema_while_the_next_release_is_rolled_out(
        self, servers: ThrowawayServers
    ) -> None:
        url = servers.empty_database("registry")
        await self.stamp(url, "9999")
        assert await self.needs(url) == "ok"

    async def test_asked_until_it_once_was_so(self, servers: ThrowawayServers) -> None:
        url = servers.empty_database("registry")
        database = Database(create_async_engine(url))
        health = Health(all_well, database_checks(database, "registry"))
        assert not await health.is_ready()
        await self.stamp(url, revisions.revisions("registry")[-1])
        assert await health.is_ready()
        async with database.transaction() as session:
            await session.execute(sa.text("DROP TABLE alembic_version"))
        assert await health.is_ready()
        await database.engine.dispose()

    async def stamp(self, url: str, revision: str) -> None:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        await connection.execute("CREATE TABLE alembic_version (version_num text)")
        await connection.execute("INSERT INTO alembic_version VALUES ($1)", revision)
        await connection.close()


class TestService:
    async def test_says_how_everything_is_when_all_is_well(self, own: Any) -> None:
        async with own(SCORING) as app:
            health = health_of(app)

            async def settled() -> bool:
                readiness = await health.readiness()
                return readiness["noted"] == {
                    "nats": "ok",
                    "streams": "ok",
                    "relay": "this process leads",
                    "consumer scoring-registry": "takes events; pending: 0",
                    "consumer scoring-interventions": "takes events; pending: 0",
                    "dead_letters": "ok",
                } and readiness["needs"] == {"database": "ok", "migrations": "ok"}

            await eventually(settled)
            assert (await ask(health)).status_code == 200
            assert (await ask(health, "/livez")).status_code == 200

    async def test_says_since_when_nats_is_away(self, own: Any, own_servers: ThrowawayServers) -> None:
        async with own(LISTENER) as app:
            await eventually(lambda: self.holds(app, "consumer tests-health", "takes events"))
            own_servers.nats.stop()
            try:
                await eventually(lambda: self.holds(app, "nats", "not connected since 20"))
                assert await noted(app, "streams") == "unknown while NATS is not connected"
                assert "takes no events" in await noted(app, "consumer tests-health")
                assert (await ask(health_of(app))).status_code == 200
            finally:
                own_servers.nats.start()
            await eventually(lambda: self.holds(app, "nats", "ok"))

    async def test_names_the_stream_that_is_missing(self, own: Any, own_servers: ThrowawayServers) -> None:
        client = await nats.connect(own_servers.nats_url)
        async with own(TINY) as app:
            await eventually(lambda: self.holds(app, "streams", "ok"))
            await client.jetstream().delete_stream("KKB_SCORING")
            try:
                assert await noted(app, "streams") == "missing: KKB_SCORING"
            finally:
                await ensure_stream(client.jetstream(), "KKB_SCORING", STREAMS["KKB_SCORING"])
                await client.close()

    async def test_says_who_leads(self, own: Any) -> None:
        async with own(TINY) as app:
            await eventually(lambda: self.holds(app, "relay", "this process leads"))
            mine = app.state.relay
            app.state.relay = Relay("postgresql://nobody", app.state.bus, "KKB_REGISTRY")
            assert "another process leads" in await noted(app, "relay")
            async with app.state.database.transaction() as session:
                query = sa.text("SELECT pid FROM pg_locks WHERE objid = :lock AND locktype = 'advisory'")
                leader = await session.scalar(query, {"lock": LOCK})
            assert f"PostgreSQL's process {leader}, since 20" in await noted(app, "relay")
            app.state.relay = mine

    async def test_says_that_nobody_leads(self, own: Any) -> None:
        async with own(TINY) as app:
            pass  # its relay has ended
        assert "nobody leads" in await noted(app, "relay")
        await app.state.database.engine.dispose()

    async def test_says_that_a_consumer_waits_for_the_database(self, own: Any, own_servers: ThrowawayServers) -> None:
        async with own(LISTENER) as app:
            await eventually(lambda: self.holds(app, "consumer tests-health", "takes events"))
            own_servers.postgres.stop()
            try:
                client = await nats.connect(own_servers.nats_url)
                event = example(VillageRegistered).model_copy(update={"id": uuid7()})
                await client.jetstream().publish(event.nats_subject, event.model_dump_json().encode())
                await client.close()
                await eventually(lambda: self.holds(app, "consumer tests-health", "waits for the database"))
                assert (await ask(health_of(app))).status_code == 503
            finally:
                own_servers.postgres.start()
            await eventually(lambda: self.holds(app, "consumer tests-health", "takes events"))
            assert (await ask(health_of(app))).status_code == 200

    async def test_counts_open_dead_letters(self, own: Any) -> None:
        async with own(TINY) as app:
            async with app.state.database.transaction() as session:
                insert = (
                    "INSERT INTO dead_letters (consumer, subject, stream_sequence, body, digest, reason, attempts, "
                    "outcome, resolved_at, resolved_by) VALUES ('one', 's', 1, '', '1', 'r', 1, NULL, NULL, NULL), "
                    "('one', 's', 2, '', '2', 'r', 1, NULL, NULL, NULL), "
                    "('two', 's', 3, '', '3', 'r', 1, 'handled', now(), 'somebody')"
                )
                await session.execute(sa.text(insert))
            assert await noted(app, "dead_letters") == "open: one 2"

    async def test_a_paused_database_is_said_and_not_waited_for(self, own: Any, own_servers: ThrowawayServers) -> None:
        async with own(TINY) as app:
            health = health_of(app)
            assert await health.is_ready()
            with paused(own_servers.postgres):
                answer = await ask(health)
                assert answer.status_code == 503
                assert answer.json()["needs"]["database"] == "no answer within 2 s"
                assert "kkb_ready 0.0" in (await ask(health, "/metrics")).text
            await eventually(health.is_ready)

    async def holds(self, app: FastAPI, what: str, wanted: str) -> bool:
        return wanted in await noted(app, what)
