"""Queries of the findings room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from kit.access import Caller
from kit.paging import decode_cursor
from kit.scoping import subtree
from services.registry.findings.schemas import FindingFilters
from services.registry.findings.tables import Finding

_OPEN_AT = sa.text(
    "SELECT f.id, f.village_id, f.period, f.source_system, f.code, f.subject, f.message FROM findings f "
    "JOIN (SELECT DISTINCT * FROM unnest(cast(:villages AS uuid[]), cast(:periods AS text[]), "
    "cast(:sources AS text[])) AS w(village_id, period, source_system)) w USING (village_id, period, source_system) "
    "WHERE f.resolved_at IS NULL"
)


async def open_by_place(session: AsyncSession, places: set[tuple[UUID, str, str]]) -> Sequence[Any]:
    """Open findings at the given (village, period, source system)."""
    ordered = list(places)
    parameters = {
        "villages": [village for village, _, _ in ordered],
        "periods": [period for _, period, _ in ordered],
        "sources": [source for _, _, source in ordered],
    }
    return (await session.execute(_OPEN_AT, parameters)).all()


async def open_at(session: AsyncSession, village: UUID, period: str, source_system: str) -> Sequence[Finding]:
    """Open findings of one village, month and source."""
    query = select(Finding).where(
        col(Finding.village_id) == village,
        col(Finding.period) == period,
        col(Finding.source_system) == source_system,
        col(Finding.resolved_at).is_(None),
    )
    return (await session.scalars(query.order_by(col(Finding.code), col(Finding.subject)))).all()


async def resolve(session: AsyncSession, ids: Sequence[UUID], now: datetime) -> None:
    """Close findings that a later report no longer shows."""
    if ids:
        statement = sa.update(Finding).where(col(Finding.id).in_(ids)).values(resolved_at=now)
        await session.execute(statement, execution_options={"synchronize_session": False})


async def list_page(session: AsyncSession, caller: Caller, filters: FindingFilters) -> Sequence[Finding]:
    """One item more than a page of findings, by region code and id."""
    query = select(Finding).where(subtree(col(Finding.region_code), caller.narrow(filters.region)))
    if filters.village is not None:
        query = query.where(col(Finding.village_id) == filters.village)
    if filters.code is not None:
        query = query.where(col(Finding.code) == filters.code)
    if filters.period is not None:
        query = query.where(col(Finding.period) == filters.period)
    if not filters.resolved:
        query = query.where(col(Finding.resolved_at).is_(None))
    after = decode_cursor(filters.cursor, str, UUID)
    if after is not None:
        position = sa.tuple_(col(Finding.region_code), col(Finding.id))
        query = query.where(position > (after[0], after[1]))
    query = query.order_by(col(Finding.region_code), col(Finding.id)).limit(filters.limit + 1)
    return (await session.scalars(query)).all()
