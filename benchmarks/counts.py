"""Counting the country's classes by province at 84,000 villages, against grouping the same table in the same run.

Also what the tallies cost those who write: the same rows written with the triggers and without them.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from contracts.regions import RegionLevel
from deploy.embedded.throwaway import throwaway_servers
from kit import clock
from kit.database import Database, copy_rows
from kit.ids import uuid7
from services.scoring.assessments import store as assessments
from services.scoring.class_counts import store

VILLAGES = 84_000
PROVINCES, REGENCIES, DISTRICTS = 38, 514, 7_285
ROUNDS = 200
AT_ONCE = 1_000
CLASSES = ["dasar"] * 6 + ["berkembang"] * 2 + ["mandiri", "berkelanjutan"]
DIMENSIONS = ("input", "proses", "output")
_VILLAGE_COLUMNS = (
    "id", "region_code", "version", "status", "province_name", "regency_name", "district_name", "village_name", "simulated",
)  # fmt: skip
_GROUPED = sa.text(
    "SELECT left(region_code, 2) AS code, village_class, count(*), count(*) FILTER (WHERE simulated), "
    "count(*) FILTER (WHERE without_reports) FROM assessments WHERE active GROUP BY code, village_class ORDER BY code"
)


def codes() -> list[str]:
    """Region codes of so many villages, spread evenly over provinces, regencies and districts."""
    made = []
    for place in range(VILLAGES):
        district = place * DISTRICTS // VILLAGES
        regency = district * REGENCIES // DISTRICTS
        province = regency * PROVINCES // REGENCIES
        numbers = (11 + province, regency % 100, district % 100, 2001 + place % 1000)
        made.append("{:02d}.{:02d}.{:02d}.{:04d}".format(*numbers))
    return made


def row(village: UUID, code: str, dice: random.Random) -> dict[str, Any]:
    """An assessment as it is stored."""
    answered = dice.randint(0, 39)
    periods = {kind: f"2025-{dice.randint(1, 9):02d}" for kind in ("profile", "population", "family_planning")}
    return {
        "village_id": village,
        "region_code": code,
        "active": True,
        "without_reports": answered == 0,
        "ruleset": "web-2021",
        "ruleset_digest": "0" * 64,
        "village_class": dice.choice(CLASSES),
        "scores": {f"indicator_{place}": dice.randint(1, 4) for place in range(12)},
        "indexes": {name: f"{dice.randint(100, 400) / 100:.2f}" for name in DIMENSIONS},
        "reasons": {},
        "answered": answered,
        "asked": 39,
        "simulated": True,
        "version": 1,
        "assessed_at": clock.now(),
        "distance": None,
        "newest_periods": periods if answered else {},
        "readiness": dict.fromkeys(("pokja", "secretariat", "rumah_dataku"), True),
        "due_on": None,
    }


async def fill(session: AsyncSession) -> list[tuple[UUID, str]]:
    """So many villages with their assessments; ids and codes."""
    dice = random.Random(2021)
    made = [(uuid7(), code) for code in codes()]
    told = [(number, code, 1, "active", "Provinsi", "Kabupaten", "Kecamatan", "Desa", True) for number, code in made]
    await copy_rows(session, "villages", _VILLAGE_COLUMNS, told)
    for first in range(0, VILLAGES, AT_ONCE):
        await assessments.write(session, [row(*one, dice) for one in made[first : first + AT_ONCE]])
    return made


async def milliseconds(what: Callable[[], Awaitable[Any]]) -> list[float]:
    """How long it takes, again and again."""
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await what()
        found.append(1e3 * (time.perf_counter() - began))
    return found


def show(name: str, found: list[float], peer: list[float]) -> None:
    """One line."""
    p50, p99 = statistics.median(found), sorted(found)[int(len(found) * 0.99)]
    print(f"  {name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms; {p50 / statistics.median(peer):.2f} x grouping the table")


async def counting(database: Database) -> None:
    """Country by province and by regency, with names, against one plain statement."""
    async with database.transaction() as session:

        async def counted(by: RegionLevel) -> None:
            found = await store.counts(session, None, by)
            await store.names(session, list(dict.fromkeys(one.code for one in found)))

        peer = await milliseconds(lambda: session.execute(_GROUPED))
        print(f"grouping {VILLAGES:,} assessments by province and class: p50 {statistics.median(peer):.2f} ms")
        show("tallies by province, with names", await milliseconds(lambda: counted(RegionLevel.PROVINCE)), peer)
        show("tallies by regency, with names", await milliseconds(lambda: counted(RegionLevel.REGENCY)), peer)


async def writing(database: Database, made: list[tuple[UUID, str]]) -> None:
    """Writing every assessment anew, with the triggers and without, in turns."""
    found: dict[str, list[float]] = {"ENABLE": [], "DISABLE": []}
    dice = random.Random(7)
    order = dice.sample(made, len(made))
    batches = [[row(*one, dice) for one in order[first : first + AT_ONCE]] for first in range(0, VILLAGES, AT_ONCE)]
    for place, batch in enumerate(batches):
        how = ("ENABLE", "DISABLE")[place % 2]
        async with database.transaction() as session:
            await session.execute(sa.text(f"ALTER TABLE assessments {how} TRIGGER USER"))
        began = time.perf_counter()
        async with database.transaction() as session:
            await assessments.write(session, batch)
        found[how].append(1e3 * (time.perf_counter() - began))
    with_them, without = (statistics.median(found[how]) for how in ("ENABLE", "DISABLE"))
    print(
        f"writing {AT_ONCE:,} assessments of the whole country in one statement: {with_them:.1f} ms with the tallies, "
        f"{without:.1f} ms without: {with_them / without:.2f} x"
    )


async def measure(url: str) -> None:
    """On a database of its own."""
    database = Database(create_async_engine(url))
    async with database.transaction() as session:
        made = await fill(session)
        await store.compact(session, 0)
    async with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(sa.text("VACUUM ANALYZE"))
    await counting(database)
    await writing(database, made)
    await database.engine.dispose()


def main() -> None:
    """Print the figures."""
    with throwaway_servers() as servers:
        asyncio.run(measure(servers.fresh_database("scoring")))


if __name__ == "__main__":
    main()
