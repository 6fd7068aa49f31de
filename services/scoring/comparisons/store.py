"""Queries of the comparisons room: the villages of a region, a page at a time, by region code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlmodel import col

from kit.database import Database
from kit.tasks import stop
from services.scoring.assessments.actions import VillageInputs, inputs_of
from services.scoring.villages.store import ACTIVE, Told
from services.scoring.villages.tables import Village

_PAGE = 1_000


class NamedVillage(NamedTuple):
    """A village and what it and its regions are called."""

    id: UUID
    region_code: str
    status: str
    simulated: bool
    province: str
    regency: str
    district: str
    village: str
    name: str | None

    @property
    def told(self) -> Told:
        """What an assessment needs to know of it."""
        return Told(self.id, self.region_code, self.status, self.simulated)


_COLUMNS = (
    col(Village.id),
    col(Village.region_code),
    col(Village.status),
    col(Village.simulated),
    col(Village.province_name),
    col(Village.regency_name),
    col(Village.district_name),
    col(Village.village_name),
    col(Village.name),
)


Page = tuple[list[NamedVillage], list[VillageInputs]]
"""Villages, and what each of them is assessed from."""


async def villages_of(database: Database, region: str | None) -> AsyncIterator[Page]:
    """The active villages of a region, by region code and id; the next page is read while one is worked on.

    Every page is a transaction of its own: nobody's rows are kept from being tidied up while a country is read, and a
    village that changes meanwhile is seen as it is when its page is read.
    """
    reading = asyncio.create_task(_page(database, region, None))
    try:
        while True:
            villages, inputs = await reading
            if len(villages) == _PAGE:
                reading = asyncio.create_task(_page(database, region, villages[-1]))
            if villages:
                yield villages, inputs
            if len(villages) < _PAGE:
                return
    finally:
        await stop([reading])


async def _page(database: Database, region: str | None, after: NamedVillage | None) -> Page:
    low, high = ("", "~") if region is None else (region, f"{region}/")
    code, number = col(Village.region_code), col(Village.id)
    query = select(*_COLUMNS).where(code >= low, code < high, col(Village.version) > 0, col(Village.status) == ACTIVE)
    if after is not None:
        query = query.where(tuple_(code, number) > (after.region_code, after.id))
    async with database.transaction() as session:
        rows: Sequence[Any] = (await session.execute(query.order_by(code, number).limit(_PAGE))).all()
        villages = [NamedVillage(*row) for row in rows]
        return villages, await inputs_of(session, [village.told for village in villages])
