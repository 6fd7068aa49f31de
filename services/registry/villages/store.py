"""Queries of the villages room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kit import problems
from kit.access import Caller
from kit.paging import decode_cursor
from kit.scoping import subtree, village_reference
from services.registry.villages.schemas import VillageFilters, VillageStatus
from services.registry.villages.tables import Village


def _visible(query: Select[Any], region: str | None) -> Select[Any]:
    return query.where(subtree(col(Village.region_code), region))


def _by_reference(reference: str) -> ColumnElement[bool]:
    """Condition for an id, or for the active Kampung KB of a region code."""
    named = village_reference(reference)
    if isinstance(named, UUID):
        return col(Village.id) == named
    return (col(Village.region_code) == named) & (col(Village.status) == VillageStatus.ACTIVE)


async def find(session: AsyncSession, caller: Caller, reference: str, *, lock: bool = False) -> Village:
    """The village of an id or region code, if the caller may see it; `lock` keeps others from changing it meanwhile.

    Raises:
        VillageUnknown: there is none, or it is outside the caller's region.
        Invalid: the reference is neither an id nor a region code.
    """
    query = _visible(select(Village).where(_by_reference(reference)), caller.region)
    if lock:
        query = query.with_for_update(key_share=True)
    village: Village | None = (await session.execute(query)).scalar_one_or_none()
    if village is None:
        raise problems.VillageUnknown(f"no Kampung KB {reference} is visible to you")
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
