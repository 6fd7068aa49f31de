"""Queries of the class counts room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.regions import LEVELS, RegionLevel
from kit.scoping import subtree
from services.scoring.assessments.tables import Assessment

_WIDTHS = dict(zip(LEVELS, (2, 5, 8, 13), strict=True))
"""Characters of a dotted code at each level."""
_NAMES = sa.text(
    "SELECT w.code, n.province_name, n.regency_name, n.district_name, n.village_name "
    "FROM unnest(cast(:codes AS text[])) AS w(code) CROSS JOIN LATERAL ("
    "SELECT * FROM villages v WHERE v.version > 0 AND v.region_code >= w.code AND v.region_code < w.code || '/' "
    "ORDER BY v.region_code, v.id LIMIT 1) AS n"
)


@dataclass(frozen=True)
class Counted:
    """Active villages of one class in one part of a region."""

    code: str
    village_class: str
    villages: int
    simulated: int
    without_reports: int


async def counts(session: AsyncSession, region: str | None, by: RegionLevel) -> list[Counted]:
    """Active villages by part and class, ordered by the part's code; classes without villages are left out."""
    code = func.left(col(Assessment.region_code), _WIDTHS[by]).label("code")
    query = (
        select(
            code,
            col(Assessment.village_class),
            func.count(),
            func.count().filter(col(Assessment.simulated)),
            func.count().filter(col(Assessment.without_reports)),
        )
        .where(col(Assessment.active))
        .group_by(code, col(Assessment.village_class))
        .order_by(code)
    )
    query = query.where(subtree(col(Assessment.region_code), region))
    return [Counted(*row) for row in (await session.execute(query)).all()]


async def names(session: AsyncSession, codes: Sequence[str]) -> dict[str, str]:
    """Names of regions as their villages tell them; regions without any village are left out."""
    rows = (await session.execute(_NAMES, {"codes": list(codes)})).all()
    return {row[0]: row[1 + row[0].count(".")] for row in rows}
