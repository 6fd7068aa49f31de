"""Waiting for an event that is not there yet."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY

from deploy.embedded.ports import free_port
from kit.deadlines import REMAINING_HEADER
from kit.health import health_of
from kit.ids import uuid7
from kit.observe import Observed
from kit.outbox import wire
from tests.callers import caller
from tests.conftest import app_of, eventually
from tests.gateway.conftest import listening
from tests.kit.changes.conftest import Feed, StartFeed, changed, event, ids

LONG = 25
"""The longest wait: a test that depends on its end would be seen to hang."""


def waiters(feed: Feed) -> int:
    """How many wait in this service. The metric is of the process, which may have other feeds with other followers."""
    value = REGISTRY.get_sample_value("kkb_changes_waiters")
    assert value is not None
    assert value >= feed.watch._waiting
    return feed.watch._waiting


async def until_waiting(feed: Feed, number: int) -> None:
    async def there() -> bool:
        return waiters(feed) == number

    await eventually(there)


Waiting = Callable[..., Awaitable["asyncio.Task[dict[str, Any]]"]]


@pytest.fixture
async def waiting(feed: Feed) -> AsyncIterator[Waiting]:
    """Requests that wait; given once they do."""
    tasks: list[asyncio.Task[dict[str, Any]]] = []

    async def start(**query: Any) -> asyncio.Task[dict[str, Any]]:
        before = waiters(feed)
        tasks.append(asyncio.create_task(feed.page(wait=LONG, **query)))
        await until_waiting(feed, before + 1)
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await until_waiting(feed, 0)


async def test_what_is_there_is_answered_at_once_without_waiting(feed: Feed) -> None:
    since = await feed.head()
    one = event()
    await feed.commit(one)
    await feed.head()
    assert ids(await feed.page(since=since, wait=LONG))[0] == str(one.id)
    assert waiters(feed) == 0


async def test_the_answer_comes_with_the_event(feed: Feed, waiting: Waiting) -> None:
    since = await feed.head()
    first, second = await waiting(since=since), await waiting(since=since)
    one = event()
    await feed.commit(one)
    async with asyncio.timeout(LONG / 2):
        assert ids(await first) == ids(await second) == [str(one.id)]


async def test_only_what_is_wanted_ends_the_wait(feed: Feed, waiting: Waiting) -> None:
    since = await feed.head()
    here = await waiting(since=since, region="91.02")
    kind = await waiting(since=since, type="village-changed")
    await feed.commit(event(), event(at="91.03.01.2001"))
    since = await feed.head()
    assert not here.done()
    assert not kind.done()
    inside, change = event(at="91.02.01.2001"), changed(uuid7(), 2)
    await feed.commit(inside, change)
    async with asyncio.timeout(LONG / 2):
        assert ids(await here) == [str(inside.id)]
        assert ids(await kind) == [str(change.id)]


async def test_without_an_event_the_answer_is_empty_and_says_where_to_go_on(feed: Feed) -> None:
    since = await feed.head()
    assert await feed.page(since=since, wait=0.1) == {"items": [], "next_since": since, "more": False}


async def test_who_is_waited_for_no_longer_is_answered_in_time(feed: Feed) -> None:
    since = await feed.head()
    async with asyncio.timeout(LONG / 2):
        answer = await feed.get(since=since, wait=LONG, as_={**caller("reader"), REMAINING_HEADER: "3000"})
    assert (answer.status_code, answer.json()) == (200, {"items": [], "next_since": since, "more": False})


async def test_nor_does_the_database_take_longer(feed: Feed) -> None:
    async with feed.database.transaction() as session, asyncio.timeout(LONG / 2):
        await session.execute(sa.text("LOCK TABLE publication"))
        answer = await feed.get(as_={**caller("reader"), REMAINING_HEADER: "500"})
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


async def test_a_lost_notification_only_delays(feed: Feed, waiting: Waiting) -> None:
    since = await feed.head()
    task = await waiting(since=since)
    one = event()
    await feed.run(
        "WITH head AS (UPDATE publication SET position = position + 1 RETURNING position) "
        "INSERT INTO outbox (event_id, type, region_code, entity, body, position) "
        "SELECT :id, :type, :region, :entity, :body, position FROM head",
        id=one.id,
        type=one.type,
        region=one.subject,
        entity=one.entity,
        body=wire(one),
    )
    async with asyncio.timeout(LONG / 2):
        assert ids(await task) == [str(one.id)]


async def test_a_lost_connection_is_made_again(feed: Feed, waiting: Waiting) -> None:
    since = await feed.head()
    task = await waiting(since=since)
    ended = await feed.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND query LIKE 'SELECT position, region_code, type FROM outbox%'"
    )
    assert len(ended.all()) == 1
    one = event()
    await feed.commit(one)
    async with asyncio.timeout(LONG / 2):
        assert ids(await task) == [str(one.id)]


async def test_no_database_connection_is_held(feed: Feed, waiting: Waiting) -> None:
    since = await feed.head()
    for _ in range(15):
        await waiting(since=since)
    pool: Any = feed.database.engine.pool
    assert pool.size() < 15
    assert pool.checkedout() == 0


async def test_more_than_may_wait_are_told_to_come_again(feed: Feed, waiting: Waiting) -> None:
    since = await feed.head()
    seats, feed.watch._seats = feed.watch._seats, 1
    try:
        await waiting(since=since)
        answer = await feed.get(since=since, wait=LONG)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:kampungkb:problem:unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert (await feed.get(since=since)).status_code == 200
        await feed.commit(event())
        await feed.head()
        assert (await feed.get(since=since, wait=LONG)).status_code == 200
    finally:
        feed.watch._seats = seats


async def test_a_client_that_hangs_up_frees_its_seat(feed: Feed) -> None:
    since = await feed.head()
    async with listening(Observed(app_of(feed.client))) as port:
        url = f"http://127.0.0.1:{port}/api/v1/changes/registry"
        query, headers = {"since": since, "wait": LONG}, caller("reader")
        async with httpx.AsyncClient() as client:
            asking = asyncio.create_task(client.get(url, params=query, headers=headers))
            await until_waiting(feed, 1)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        async with asyncio.timeout(LONG / 2):
            await until_waiting(feed, 0)
        assert not feed.watch._waiters


async def test_events_answered_are_counted(feed: Feed) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("kkb_changes_items_total", {"service": "registry"}) or 0

    since = await feed.head()
    await feed.commit(event(), event(), event())
    await feed.head()
    before = counted()
    await feed.page(since=since, limit=2)
    assert counted() == before + 2


async def test_a_process_that_drains_lets_everybody_go_at_once(start_feed: StartFeed) -> None:
    async with start_feed() as feed:
        since = await feed.head()
        tasks = [asyncio.create_task(feed.page(since=since, wait=LONG)) for _ in range(3)]
        await until_waiting(feed, 3)
        health = health_of(app_of(feed.client))
        health.drain()
        assert health.draining
        async with asyncio.timeout(LONG / 2):
            for task in tasks:
                assert await task == {"items": [], "next_since": since, "more": False}
            assert (await feed.page(since=since, wait=LONG))["items"] == []


async def test_a_real_process_answers_those_who_wait_before_it_ends(
    start_feed: StartFeed, public_key_file: Path
) -> None:
    async with start_feed() as feed:
        since = await feed.head()
        settings: Any = app_of(feed.client).state.settings
        port, ops_port = free_port(), free_port()
        environment = {
            "KKB_PORT": str(port),
            "KKB_OPS_PORT": str(ops_port),
            "KKB_DATABASE_URL": str(settings.database_url),
            "KKB_NATS_URL": settings.nats_url,
            "KKB_IDENTITY_PUBLIC_KEY_FILE": str(public_key_file),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.registry", env={**os.environ, **environment}, stdout=subprocess.DEVNULL
        )
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60) as client:
                asking = await eventually(lambda: _asking(client, since, ops_port))
                process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(LONG / 2):
                    answer = await asking
                    assert (answer.status_code, answer.json()["next_since"]) == (200, since)
                    assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _asking(client: httpx.AsyncClient, since: str, ops_port: int) -> asyncio.Task[httpx.Response] | None:
    """A request that waits at the process, once it is ready; none before."""
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ops_port}") as ops:
            await ops.get("/readyz")
            query = {"since": since, "wait": LONG}
            asking = asyncio.create_task(client.get("/changes/registry", params=query, headers=caller("reader")))
            await eventually(lambda: _has_waiter(ops), 20)
            return asking
    except httpx.ConnectError:
        return None


async def _has_waiter(ops: httpx.AsyncClient) -> bool:
    return "kkb_changes_waiters 1.0" in (await ops.get("/metrics")).text
