"""Comparing two rulesets over the whole country, against one plain SQL statement that gives the classes of one of them.

python -m benchmarks.comparison [--villages 84000]

The statement reads the same facts and knows one ruleset; a comparison scores every village under both, says which
indicators differ and which of them alone changes a class. Also what it costs to ask which ruleset is in force.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.evaluation import VILLAGES
from benchmarks.recompute import STATEMENT, fill, timed
from contracts.regions import RegionLevel
from deploy.embedded.throwaway import throwaway_servers
from kit.database import Database
from kit.process import COLLECT_AFTER
from kit.settings import ServiceSettings
from services.scoring.comparisons.actions import summarize
from services.scoring.comparisons.comparing import Pair
from services.scoring.rulesets.library import in_force, published

_ASKED = 500


async def measure(url: str, number: int) -> None:
    """Print the figures."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), command_timeout=600)
    await fill(connection, number)
    settings = ServiceSettings.model_construct(database_url=url, database_pool=4, database_timeout=600.0)
    database = Database.of(settings, "benchmark")
    plain = min([await timed(lambda: connection.fetch(STATEMENT)) for _ in range(3)], key=lambda one: one[0])
    async with database.transaction() as session:
        pair = Pair(await published(session, "web-2021"), await published(session, "web-2021-intended"))
        asked, nothing = await _cost(session)
    seconds, computed, summary = await timed(lambda: summarize(database, pair, None, RegionLevel.PROVINCE))
    print(f"{summary.villages.total():,} villages, {plain[0]:.2f} s by a plain statement that knows one ruleset")
    print(
        f"  compared: {seconds:.2f} s ({computed:.2f} s computing), {seconds / plain[0]:.2f} x, {number / seconds:,.0f}/s"
    )
    print(f"  which ruleset is in force: {asked:.2f} ms, an empty statement {nothing:.2f} ms")
    await connection.close()
    await database.close()


async def _cost(session: AsyncSession) -> tuple[float, float]:
    """Milliseconds to ask what is in force, and to ask nothing."""
    await in_force(session)
    found = []
    for ask in (lambda: in_force(session), lambda: session.execute(sa.text("SELECT 1"))):
        began = time.perf_counter()
        for _ in range(_ASKED):
            await ask()
        found.append((time.perf_counter() - began) / _ASKED * 1000)
    return found[0], found[1]


def main() -> None:
    """Measure on throw-away servers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--villages", type=int, default=VILLAGES)
    number = parser.parse_args().villages
    gc.set_threshold(COLLECT_AFTER, 10, 10)  # as the service does
    with throwaway_servers() as servers:
        asyncio.run(measure(servers.fresh_database("scoring"), number))


if __name__ == "__main__":
    main()
