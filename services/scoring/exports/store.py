"""Queries of the exports room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kit.database import PLANNED_FOR_ITS_VALUES
from services.scoring.assessments.tables import Assessment
from services.scoring.villages.tables import Village

_AT_ONCE = 1_000
_COLUMNS = (
    col(Assessment.region_code),
    col(Village.province_name),
    col(Village.regency_name),
    col(Village.district_name),
    col(Village.village_name),
    col(Village.name),
    col(Assessment.scores),
    col(Assessment.indexes),
    col(Assessment.reasons),
    col(Assessment.village_class),
    col(Assessment.answered),
    col(Assessment.asked),
    col(Assessment.simulated),
    col(Assessment.ruleset),
)


async def pages(session: AsyncSession, meant: Sequence[ColumnElement[bool]]) -> AsyncIterator[Sequence[Any]]:
    """Assessments with their villages' names by region code, some at a time; all of one moment, because one statement."""
    query = select(*_COLUMNS).join(Village, col(Village.id) == col(Assessment.village_id)).where(*meant)
    query = query.order_by(col(Assessment.region_code), col(Assessment.village_id))
    await session.execute(PLANNED_FOR_ITS_VALUES)
    found = await session.stream(query.execution_options(yield_per=_AT_ONCE))
    async for page in found.partitions():
        yield page
