"""Comparing two rulesets over the villages of a region."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from contracts.regions import LEVELS, RegionLevel
from kit.database import Database
from kit.spreadsheets import Cell
from services.scoring.assessments.actions import VillageInputs
from services.scoring.comparisons import presenting
from services.scoring.comparisons.comparing import Compared, Pair, Summary
from services.scoring.comparisons.store import NamedVillage, villages_of


async def summarize(database: Database, pair: Pair, region: str | None, by: RegionLevel) -> Summary:
    """What changes in a region and its parts. Less than a second for 10,000 villages."""
    summary, depth = Summary(pair), LEVELS.index(by) + 1
    async for villages, inputs, compared in _batches(database, pair, region):
        parts = [".".join(village.region_code.split(".")[:depth]) for village in villages]
        summary.add(compared, parts, [one.simulated for one in inputs])
    return summary


async def village_lines(
    database: Database, pair: Pair, region: str | None, *, changed_only: bool
) -> AsyncIterator[Sequence[Sequence[Cell]]]:
    """Pages of the table of villages."""
    async for villages, inputs, compared in _batches(database, pair, region):
        simulated = [one.simulated for one in inputs]
        yield list(presenting.lines(compared, villages, simulated, changed_only=changed_only))


async def _batches(
    database: Database, pair: Pair, region: str | None
) -> AsyncIterator[tuple[list[NamedVillage], list[VillageInputs], Compared]]:
    async for villages, inputs in villages_of(database, region):
        yield villages, inputs, await asyncio.to_thread(pair.compare, [one.facts for one in inputs])
