"""The feed has no gaps: whoever reads on sees every committed event once, each thing's events in their order."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from kit.ids import uuid7
from kit.outbox import publish
from tests.kit.changes.conftest import Feed, changed, event, ids

_WRITERS, _TRANSACTIONS, _VILLAGES = 8, 40, 5


async def test_a_slow_transaction_with_a_lower_number_comes_later_and_is_not_skipped(feed: Feed) -> None:
    since = await feed.head()
    slow, quick = event(), event()
    async with feed.database.transaction() as session:
        await publish(session, [slow])
        await feed.commit(quick)
        first = await feed.page(since=since, wait=10)
        assert ids(first) == [str(quick.id)]
        assert ids(await feed.page(since=first["next_since"])) == []
    then = await feed.page(since=first["next_since"], wait=10)
    assert ids(then) == [str(slow.id)]
    numbers = await feed.run("SELECT id FROM outbox WHERE position IS NOT NULL ORDER BY position DESC LIMIT 2")
    newest, before = numbers.scalars()
    assert newest < before, "the slow one has taken the lower number"


class Writers:
    """Many at once change a few villages, each under its village's lock; some take their time, some give up."""

    def __init__(self, feed: Feed, seed: int) -> None:
        self._feed = feed
        self._dice = random.Random(seed)
        self._villages = [uuid7() for _ in range(_VILLAGES)]
        self._versions: dict[UUID, int] = defaultdict(int)
        self.committed: list[str] = []

    async def run(self) -> None:
        await asyncio.gather(*(self._write() for _ in range(_WRITERS)))

    async def _write(self) -> None:
        for _ in range(_TRANSACTIONS):
            village = self._dice.choice(self._villages)
            async with AsyncSession(self._feed.database.engine) as session:
                # first of all somebody else's event, so that numbers are taken before the village is held
                beside = event()
                await publish(session, [beside])
                await self._dawdle()
                lock = sa.text("SELECT pg_advisory_xact_lock(:village)")
                await session.execute(lock, {"village": village.int % 2**62})
                own = changed(village, self._versions[village] + 1)
                await publish(session, [own])
                await self._dawdle()
                if self._dice.random() < 0.2:
                    await session.rollback()
                    continue
                self._versions[village] += 1
                await session.commit()
                self.committed += [str(beside.id), str(own.id)]

    async def _dawdle(self) -> None:
        await asyncio.sleep(self._dice.choice([0, 0, 0.002, 0.02]))


async def test_a_reader_among_many_writers_sees_everything_once_and_in_order(feed: Feed) -> None:
    since, items = await feed.head(), []
    writers = Writers(feed, seed=33)
    writing = asyncio.create_task(writers.run())
    while True:
        done = writing.done()
        page = await feed.page(since=since, limit=7, wait=0.2 if done else 2)
        items += page["items"]
        since = page["next_since"]
        if done and not page["items"]:
            break
    await writing
    seen = [item["event"]["id"] for item in items]
    assert len(writers.committed) > _WRITERS * _TRANSACTIONS
    assert sorted(seen) == sorted(writers.committed)
    positions = [item["position"] for item in items]
    assert positions == sorted(set(positions))
    versions: dict[str, list[int]] = defaultdict(list)
    for item in items:
        versions[item["entity"]].append(item["event"]["data"]["village"]["version"])
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())
    assert max(map(len, versions.values())) > 20


async def test_the_feed_goes_on_while_nats_is_away(feed: Feed) -> None:
    since = await feed.head()
    feed.nats.stop()
    try:
        one = event()
        await feed.commit(one)
        assert ids(await feed.page(since=since, wait=20)) == [str(one.id)]
    finally:
        feed.nats.start()
