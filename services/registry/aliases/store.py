"""Queries of the aliases room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kit import problems, touched
from kit.access import Caller
from kit.paging import decode_cursor
from kit.scoping import subtree
from services.registry.aliases.rules import How, KnownAlias
from services.registry.aliases.schemas import AliasFilters
from services.registry.aliases.tables import PlaceAlias


def _visible(query: Select[Any], region: str | None) -> Select[Any]:
    return query.where(subtree(col(PlaceAlias.region_code), region))


async def known(session: AsyncSession, source_system: str, province: str, before: datetime) -> dict[str, KnownAlias]:
    """Aliases of one source in one province that were known before a moment, by key."""
    query = select(PlaceAlias).where(
        col(PlaceAlias.source_system) == source_system, col(PlaceAlias.remembered_at) < before
    )
    found = (await session.scalars(_visible(query, province))).all()
    return {alias.key: KnownAlias(alias.region_code, How(alias.how)) for alias in found}


async def remember(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Keep aliases; one that is known already stays as it is."""
    if rows:
        await session.execute(insert(PlaceAlias).values(list(rows)).on_conflict_do_nothing())


async def list_page(session: AsyncSession, caller: Caller, filters: AliasFilters) -> Sequence[PlaceAlias]:
    """One item more than a page of aliases, by the village's code and id."""
    query = _visible(select(PlaceAlias), caller.narrow(filters.region))
    if filters.source_system is not None:
        query = query.where(col(PlaceAlias.source_system) == filters.source_system)
    after = decode_cursor(filters.cursor, str, UUID)
    if after is not None:
        code, number = col(PlaceAlias.region_code), col(PlaceAlias.id)
        query = query.where((code > after[0]) | ((code == after[0]) & (number > after[1])))
    query = query.order_by(col(PlaceAlias.region_code), col(PlaceAlias.id)).limit(filters.limit + 1)
    return (await session.scalars(query)).all()


async def find(session: AsyncSession, caller: Caller, alias: UUID) -> PlaceAlias:
    """An alias whose village lies in the caller's region.

    Raises:
        NotFound: there is none, or it is outside the caller's region.
    """
    query = _visible(select(PlaceAlias).where(col(PlaceAlias.id) == alias), caller.region)
    found: PlaceAlias | None = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise problems.NotFound(f"no alias {alias} is visible to you")
    touched.note(found.region_code)
    return found
