"""The tallies say what a plain count says: after any sequence of writing and deleting, and from two sessions at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from contracts.classes import VillageClass
from contracts.regions import RegionLevel
from deploy.embedded.throwaway import ThrowawayServers
from kit import clock
from kit.database import Database
from kit.ids import uuid7
from services.scoring.assessments import store as assessments
from services.scoring.class_counts import store

REGENCIES = ("33.26", "33.27", "76.02")
_INTRODUCE = sa.text(
    "INSERT INTO villages (id, region_code, version, simulated) SELECT id, '33.26.01.2001', 0, false "
    "FROM unnest(cast(:ids AS uuid[])) AS n(id)"
)
_DELETE = sa.text("DELETE FROM assessments WHERE village_id = ANY(cast(:ids AS uuid[]))")
_LOCK = sa.text("SELECT FROM villages WHERE id = ANY(cast(:ids AS uuid[])) ORDER BY id FOR UPDATE")


@pytest.fixture(scope="module")
async def database(servers: ThrowawayServers) -> AsyncIterator[Database]:
    made = Database(create_async_engine(servers.fresh_database("scoring"), pool_size=4))
    yield made
    await made.engine.dispose()


@pytest.fixture
async def villages(database: Database) -> AsyncIterator[list[UUID]]:
    ids = sorted(uuid7() for _ in range(40))
    async with database.transaction() as session:
        await session.execute(_INTRODUCE, {"ids": ids})
    yield ids
    async with database.transaction() as session:
        await session.execute(_DELETE, {"ids": ids})


def row(village: UUID, dice: random.Random) -> dict[str, Any]:
    asked = dice.choice([0, 5, 39, 200])
    return {
        "village_id": village,
        "region_code": f"{dice.choice(REGENCIES)}.0{dice.randint(1, 3)}.200{dice.randint(1, 3)}",
        "active": dice.random() < 0.8,
        "without_reports": dice.random() < 0.3,
        "ruleset": "web-2021",
        "ruleset_digest": "0",
        "village_class": dice.choice([*VillageClass, None]),
        "scores": {},
        "indexes": {"input": "3.00"},
        "reasons": {},
        "answered": dice.choice([0, asked, dice.randint(0, asked)]),
        "asked": asked,
        "simulated": dice.random() < 0.3,
        "version": 1,
        "assessed_at": clock.now(),
        "distance": None,
        "newest_periods": {},
        "readiness": {},
        "due_on": None,
    }


async def step(session: AsyncSession, villages: list[UUID], dice: random.Random) -> None:
    """Write or delete some of the villages' assessments, as whoever holds their rows may."""
    chosen = sorted(dice.sample(villages, dice.randint(1, len(villages))))
    await session.execute(_LOCK, {"ids": chosen})
    if dice.random() < 0.25:
        await session.execute(_DELETE, {"ids": chosen})
    else:
        await assessments.write(session, [row(village, dice) for village in chosen])


async def agree(database: Database) -> int:
    """Compare tallies and a plain count of one moment; how many villages there are."""
    async with database.transaction() as session:
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        for by in (RegionLevel.PROVINCE, RegionLevel.REGENCY):
            tallied = await store.counts(session, None, by)
            counted = await session.execute(store._from_assessments(None, by))
            assert [vars(one) for one in tallied] == [vars(one) for one in store._counted(counted)]
        return sum(one.villages for one in tallied)


@pytest.mark.parametrize("seed", range(5))
async def test_after_any_sequence(database: Database, villages: list[UUID], seed: int) -> None:
    dice = random.Random(seed)
    seen = set()
    for _ in range(25):
        async with database.transaction() as session:
            for _ in range(dice.randint(1, 3)):
                await step(session, villages, dice)
            if dice.random() < 0.2:
                await session.rollback()
        if dice.random() < 0.3:
            async with database.transaction() as session:
                await store.compact(session, dice.choice([0, 10]))
        seen.add(await agree(database))
    assert len(seen) > 3


@pytest.mark.parametrize("seed", range(3))
async def test_from_sessions_at_once(database: Database, villages: list[UUID], seed: int) -> None:
    """Two that write new and known villages, in regencies that both touch, and one that compacts meanwhile."""

    async def write(dice: random.Random) -> None:
        for _ in range(20):
            async with database.transaction() as session:
                await step(session, villages, dice)
                await asyncio.sleep(0)

    async def compact() -> None:
        for _ in range(20):
            async with database.transaction() as session:
                await store.compact(session, 0)

    await asyncio.gather(*(write(random.Random(f"{seed} {place}")) for place in range(2)), compact())
    assert await agree(database) > 0


async def test_writers_do_not_wait_for_each_other(database: Database, villages: list[UUID]) -> None:
    """Each of them writes into a regency that the other has written into and not yet committed."""
    dice = random.Random(1)
    one, other = ({**row(village, dice), "active": True} for village in villages[:2])
    async with database.transaction() as first, database.transaction() as second:
        await assessments.write(first, [{**one, "region_code": "33.26.01.2001"}])
        await assessments.write(second, [{**other, "region_code": "33.26.01.2002"}])
        await assessments.write(second, [{**other, "region_code": "33.27.01.2002"}])
        await asyncio.wait_for(assessments.write(first, [{**one, "region_code": "33.27.01.2001"}]), 10)
    assert await agree(database) == 2


async def test_compacting_leaves_the_sums(database: Database, villages: list[UUID]) -> None:
    dice = random.Random(2)
    for _ in range(10):
        async with database.transaction() as session:
            await step(session, villages, dice)
    async with database.transaction() as session:
        before = await session.scalar(store._ROWS)
        assert await store.compact(session, before) is False
        assert await store.compact(session, before - 1) is True
        assert await session.scalar(store._ROWS) <= len(REGENCIES) * len([*VillageClass, None])
    await agree(database)


async def test_a_second_compacting_does_not_wait(database: Database, villages: list[UUID]) -> None:
    async with database.transaction() as session:
        await assessments.write(session, [{**row(villages[0], random.Random(3)), "active": True}])
    async with database.transaction() as first, database.transaction() as second:
        assert await store.compact(first, 0) is True
        assert await store.compact(second, 0) is False
