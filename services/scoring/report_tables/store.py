"""Queries of the report tables room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.regions import RegionLevel
from kit.database import PLANNED_FOR_ITS_VALUES
from kit.scoping import subtree
from services.scoring.assessments.tables import Assessment
from services.scoring.class_counts.store import WIDTHS
from services.scoring.facts.readiness import READINESS


@dataclass(frozen=True)
class Ready:
    """Active villages of a part of a region: how many answered each readiness question with yes, and with no."""

    code: str
    villages: int
    simulated: int
    yes: Mapping[str, int]
    no: Mapping[str, int]


async def readiness(session: AsyncSession, region: str | None, by: RegionLevel) -> list[Ready]:
    """Active villages by part and answer, ordered by the part's code."""
    code = func.left(col(Assessment.region_code), WIDTHS[by]).label("code")
    said: Any = Assessment.readiness
    answers = [said[item.code].astext for item in READINESS]
    query = select(
        code,
        func.count(),
        func.count().filter(col(Assessment.simulated)),
        *(func.count().filter(answer == "true") for answer in answers),
        *(func.count().filter(answer == "false") for answer in answers),
    )
    query = query.where(col(Assessment.active), subtree(col(Assessment.region_code), region))
    await session.execute(PLANNED_FOR_ITS_VALUES)
    rows: Any = await session.execute(query.group_by(code).order_by(code))
    return [_ready(*row) for row in rows]


def _ready(code: str, villages: int, simulated: int, *counts: int) -> Ready:
    codes = [item.code for item in READINESS]
    yes, no = counts[: len(codes)], counts[len(codes) :]
    return Ready(code, villages, simulated, dict(zip(codes, yes, strict=True)), dict(zip(codes, no, strict=True)))
