"""Queries of the villages room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kit import problems, touched
from kit.access import Caller
from kit.paging import decode_cursor
from kit.scoping import subtree, village_reference
from services.registry.villages.schemas import VillageFilters, VillageStatus
from services.registry.villages.tables import Village


def _visible(query: Select[Any], region: str | None) -> Select[Any]:
    return query.where(subtree(col(Village.region_code), region))


# Built once: building a statement anew costs a request as much time as running it.
_BY_ID = select(Village).where(col(Village.id) == bindparam("named"))
_BY_CODE = select(Village).where(
    col(Village.region_code) == bindparam("named"), col(Village.status) == VillageStatus.ACTIVE
)
_BY_ID_LOCKED, _BY_CODE_LOCKED = (query.with_for_update(key_share=True) for query in (_BY_ID, _BY_CODE))


async def find(session: AsyncSession, caller: Caller, reference: str, *, lock: bool = False) -> Village:
    """The village of an id or region code, if the caller may see it; `lock` keeps others from changing it meanwhile.

    Raises:
        VillageUnknown: there is none, or it is outside the caller's region.
        Invalid: the reference is neither an id nor a region code.
    """
    named = village_reference(reference)
    by_id, by_code = (_BY_ID_LOCKED, _BY_CODE_LOCKED) if lock else (_BY_ID, _BY_CODE)
    query = by_id if isinstance(named, UUID) else by_code
    village: Village | None = (await session.execute(query, {"named": named})).scalar_one_or_none()
    if village is None or not caller.within(village.region_code):
        raise problems.VillageUnknown(f"no Kampung KB {reference} is visible to you")
    touched.note(village.region_code)
    return village


async def list_page(session: AsyncSession, caller: Caller, filters: VillageFilters) -> Sequence[Village]:
    """One item more than a page of villages, by region code and id."""
    query = _visible(select(Village), caller.narrow(filters.region))
    if filters.status is not None:
        query = query.where(col(Village.status) == filters.status)
    if filters.simulated is not None:
        query = query.where(col(Village.simulated) == filters.simulated)
    after = decode_cursor(filters.cursor, str, UUID)
    if after is not None:
        code, number = col(Village.region_code), col(Village.id)
        query = query.where((code > after[0]) | ((code == after[0]) & (number > after[1])))
    query = query.order_by(col(Village.region_code), col(Village.id)).limit(filters.limit + 1)
    return (await session.scalars(query)).all()


async def lock_active(session: AsyncSession, codes: Iterable[str]) -> dict[str, Village]:
    """Active villages by region code, locked in a fixed order so that two imports cannot block each other."""
    query = (
        select(Village)
        .where(col(Village.region_code).in_(set(codes)), col(Village.status) == VillageStatus.ACTIVE)
        .order_by(col(Village.id))
        .with_for_update(key_share=True)
    )
    return {village.region_code: village for village in (await session.scalars(query)).all()}
