"""Queries of the regions room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.events import RegionNames
from contracts.regions import ancestors_of
from kit import problems
from kit.paging import decode_cursor
from kit.scoping import subtree
from services.registry.regions.schemas import RegionFilters
from services.registry.regions.tables import Region


async def get_path(session: AsyncSession, code: str) -> Sequence[Region]:
    """A region and all above it, highest first.

    Raises:
        RegionUnknown: the code list has no such code.
    """
    found = (
        await session.scalars(select(Region).where(col(Region.code).in_(ancestors_of(code))).order_by("code"))
    ).all()
    if not found or found[-1].code != code:
        raise problems.RegionUnknown(
            f"the code list has no {code}; BPS codes look alike but name other places, and codes kept as numbers lose zeros"
        )
    return found


async def list_page(session: AsyncSession, filters: RegionFilters) -> Sequence[Region]:
    """One item more than a page of regions, by code."""
    query = select(Region).order_by(col(Region.code)).limit(filters.limit + 1)
    if filters.parent is not None:
        query = query.where(col(Region.parent_code) == filters.parent)
    query = query.where(subtree(col(Region.code), filters.within))
    if filters.level is not None:
        query = query.where(col(Region.level) == filters.level)
    if filters.name is not None:
        query = query.where(col(Region.name).icontains(filters.name, autoescape=True))
    after = decode_cursor(filters.cursor, str)
    if after is not None:
        query = query.where(col(Region.code) > after[0])
    return (await session.scalars(query)).all()


_names: dict[str, RegionNames] = {}
"""Names by village code, as far as somebody has asked for them: the code list changes only when a new edition is
loaded, and processes start anew after that. At most one entry for each of the 83,762 villages."""


async def names_of(session: AsyncSession, villages: Iterable[str]) -> dict[str, RegionNames]:
    """Names from the province down for each village code; codes the list does not know are left out."""
    wanted = set(villages)
    await _learn_names(session, wanted - _names.keys())
    return {village: _names[village] for village in wanted & _names.keys()}


async def _learn_names(session: AsyncSession, villages: set[str]) -> None:
    if not villages:
        return
    codes = {code for village in villages for code in ancestors_of(village)}
    rows = await session.execute(select(col(Region.code), col(Region.name)).where(col(Region.code).in_(codes)))
    names: dict[str, str] = {code: name for code, name in rows.all()}  # noqa: C416 - rows are no pairs to the type checker
    for village in villages & names.keys():
        province, regency, district, own = (names[code] for code in ancestors_of(village))
        _names[village] = RegionNames(province=province, regency=regency, district=district, village=own)
