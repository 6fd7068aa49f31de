"""Queries of the class counts room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.regions import LEVELS, RegionLevel, level_of
from kit.scoping import subtree
from services.scoring.assessments.rules import CompletenessBand
from services.scoring.assessments.store import IN_BAND, in_bands
from services.scoring.assessments.tables import Assessment
from services.scoring.class_counts.tables import ClassTally
from services.scoring.histories.tables import PeriodAssessment
from services.scoring.villages.store import ACTIVE
from services.scoring.villages.tables import Village

WIDTHS = dict(zip(LEVELS, (2, 5, 8, 13), strict=True))
"""Characters of a dotted code at each level."""
_TALLIED = LEVELS[: LEVELS.index(RegionLevel.REGENCY) + 1]
_BAND_COLUMNS = {
    CompletenessBand.NOTHING: "completeness_0",
    CompletenessBand.LITTLE: "completeness_1",
    CompletenessBand.HALF: "completeness_50",
    CompletenessBand.MOST: "completeness_80",
    CompletenessBand.ALL: "completeness_100",
}
_COUNTS = ("villages", "simulated", "without_reports", *_BAND_COLUMNS.values())
_NAMES = sa.text(
    "SELECT w.code, n.province_name, n.regency_name, n.district_name, n.village_name "
    "FROM unnest(cast(:codes AS text[])) AS w(code) CROSS JOIN LATERAL ("
    "SELECT * FROM villages v WHERE v.version > 0 AND v.region_code >= w.code AND v.region_code < w.code || '/' "
    "ORDER BY v.region_code, v.id LIMIT 1) AS n"
)
_LOCK = sa.text("SELECT pg_try_advisory_xact_lock(:number)")
_LOCK_NUMBER = 0x6B6B_7461
_ROWS = sa.text("SELECT count(*) FROM class_tallies")
_COMPACT = sa.text(
    f"WITH gone AS (DELETE FROM class_tallies RETURNING *) "  # noqa: S608 - names of columns, from our code only
    f"INSERT INTO class_tallies (regency_code, village_class, {', '.join(_COUNTS)}) "
    f"SELECT regency_code, village_class, {', '.join(f'sum({name})' for name in _COUNTS)} FROM gone GROUP BY 1, 2 "
    f"HAVING {' OR '.join(f'sum({name}) <> 0' for name in _COUNTS)}"
)


@dataclass(frozen=True)
class Counted:
    """Active villages of one class in one part of a region; class None: not assessable, or `told` is false.

    `told` is false where nothing had been told by the end of a month. `without_reports` is None where it is not known, of
    months.
    """

    code: str
    village_class: str | None
    told: bool
    villages: int
    simulated: int
    without_reports: int | None
    completeness: Mapping[CompletenessBand, int]


async def counts(
    session: AsyncSession, region: str | None, by: RegionLevel, period: str | None = None
) -> list[Counted]:
    """Active villages by part and class, ordered by the part's code; classes without villages are left out.

    With a month (YYYY-MM), the villages that are active now by the class that held at its end.
    """
    if period is not None:
        return _counted(await session.execute(_at_the_end_of(period, region, by)))
    tallied = by in _TALLIED and (region is None or level_of(region) in _TALLIED)
    query = _from_tallies(region, by) if tallied else _from_assessments(region, by)
    return _counted(await session.execute(query))


def _counted(rows: Iterable[Any]) -> list[Counted]:
    return [
        Counted(code, kind, told, villages, simulated, without, dict(zip(_BAND_COLUMNS, bands, strict=True)))
        for code, kind, told, villages, simulated, without, *bands in rows
    ]


def _from_tallies(region: str | None, by: RegionLevel) -> Select[Any]:
    code = func.left(col(ClassTally.regency_code), WIDTHS[by]).label("code")
    sums = [func.sum(getattr(ClassTally, name)) for name in _COUNTS]
    query = select(code, col(ClassTally.village_class), sa.true(), *sums).where(
        subtree(col(ClassTally.regency_code), region)
    )
    query = query.group_by(code, col(ClassTally.village_class)).having(sums[0] > 0)
    return query.order_by(code, col(ClassTally.village_class))


def _from_assessments(region: str | None, by: RegionLevel) -> Select[Any]:
    """Below regencies there are no tallies, and few enough villages to count them."""
    code = func.left(col(Assessment.region_code), WIDTHS[by]).label("code")
    conditions: list[Any] = [
        col(Assessment.simulated),
        col(Assessment.without_reports),
        *(IN_BAND[band] for band in _BAND_COLUMNS),
    ]
    counted = [func.count(), *(func.count().filter(condition) for condition in conditions)]
    query = select(code, col(Assessment.village_class), sa.true(), *counted).where(col(Assessment.active))
    query = query.where(subtree(col(Assessment.region_code), region))
    query = query.group_by(code, col(Assessment.village_class))
    return query.order_by(code, col(Assessment.village_class))


def _at_the_end_of(period: str, region: str | None, by: RegionLevel) -> Select[Any]:
    """Of each village its newest row of the month or earlier, an index look-up each."""
    code = func.left(col(Village.region_code), WIDTHS[by]).label("code")
    held = (
        select(PeriodAssessment)
        .where(col(PeriodAssessment.village_id) == col(Village.id), col(PeriodAssessment.period) <= period)
        .order_by(col(PeriodAssessment.period).desc())
        .limit(1)
        .lateral("held")
    )
    bands = in_bands(held.c.answered, held.c.asked)
    counted = [
        func.count().filter(condition) for condition in (held.c.simulated, *(bands[one] for one in _BAND_COLUMNS))
    ]
    simulated, *by_band = counted
    told = held.c.village_id.is_not(None).label("told")
    query = select(code, held.c.village_class, told, func.count(), simulated, sa.null(), *by_band)
    query = query.select_from(Village).join(held, sa.true(), isouter=True)
    query = query.where(col(Village.status) == ACTIVE, subtree(col(Village.region_code), region))
    return query.group_by(code, held.c.village_class, told).order_by(code, held.c.village_class, told)


async def names(session: AsyncSession, codes: Sequence[str]) -> dict[str, str]:
    """Names of regions as their villages tell them; regions without any village are left out."""
    rows = (await session.execute(_NAMES, {"codes": list(codes)})).all()
    return {row[0]: row[1 + row[0].count(".")] for row in rows}


async def compact(session: AsyncSession, most_rows: int) -> bool:
    """Replace the tallies by their sums where there are more rows than that; whether it was done.

    Nobody waits for it: what others append meanwhile stays beside the sums.
    """
    if await session.scalar(_ROWS) <= most_rows or not await session.scalar(_LOCK, {"number": _LOCK_NUMBER}):
        return False
    await session.execute(_COMPACT)
    return True
