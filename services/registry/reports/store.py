"""Queries of the reports room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from contracts.facts import ReportKind
from kit.database import copy_rows
from kit.paging import decode_cursor
from services.registry.reports.drafts import Key
from services.registry.reports.schemas import ReportFilters
from services.registry.reports.tables import Report
from services.registry.villages.tables import Village

_CURRENT = sa.text(
    "SELECT r.village_id, r.kind, r.period, r.source_system, r.id, r.revision, r.facts, r.simulated "
    "FROM reports r JOIN (SELECT DISTINCT * FROM unnest(cast(:villages AS uuid[]), cast(:periods AS text[]), "
    "cast(:sources AS text[])) AS w(village_id, period, source_system)) w USING (village_id, period, source_system) "
    "WHERE r.superseded_at IS NULL"
)
_COLUMNS = tuple(Report.__table__.columns.keys())  # type: ignore[attr-defined]  # SQLModel adds __table__ at run time
_BUMP = sa.text(
    "UPDATE villages SET version = version + b.steps, changed_at = :now "
    "FROM unnest(cast(:ids AS uuid[]), cast(:steps AS int[])) AS b(id, steps) WHERE villages.id = b.id"
)


async def lock_villages(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, Village]:
    """Villages by id, locked in a fixed order."""
    query = (
        select(Village).where(col(Village.id).in_(set(ids))).order_by(col(Village.id)).with_for_update(key_share=True)
    )
    return {village.id: village for village in (await session.scalars(query)).all()}


async def current_by_key(session: AsyncSession, places: set[tuple[UUID, str, str]]) -> dict[Key, Any]:
    """Current revisions of all kinds at the given (village, period, source system), by key."""
    ordered = list(places)
    parameters = {
        "villages": [village for village, _, _ in ordered],
        "periods": [period for _, period, _ in ordered],
        "sources": [source for _, _, source in ordered],
    }
    rows = (await session.execute(_CURRENT, parameters)).all()
    return {(r.village_id, ReportKind(r.kind), r.period, r.source_system): r for r in rows}


async def append(
    session: AsyncSession, rows: Sequence[dict[str, Any]], superseded: Sequence[UUID], now: datetime
) -> None:
    """Add revisions; those they replace are marked, never changed otherwise."""
    if superseded:
        mark = sa.update(Report).where(col(Report.id).in_(superseded)).values(superseded_at=now)
        await session.execute(mark, execution_options={"synchronize_session": False})
    await copy_rows(session, "reports", _COLUMNS, [_record(row) for row in rows])


def _record(row: dict[str, Any]) -> list[Any]:
    return [orjson.dumps(row[name]).decode() if name == "facts" else row[name] for name in _COLUMNS]


async def bump_versions(session: AsyncSession, steps: dict[UUID, int], now: datetime) -> None:
    """Let villages' versions grow by the number of their changes."""
    parameters = {"ids": list(steps), "steps": list(steps.values()), "now": now}
    await session.execute(_BUMP, parameters)


async def current(session: AsyncSession, key: Key) -> Report | None:
    """The current revision at a key."""
    village, kind, period, source = key
    query = select(Report).where(
        col(Report.village_id) == village,
        col(Report.kind) == kind,
        col(Report.period) == period,
        col(Report.source_system) == source,
        col(Report.superseded_at).is_(None),
    )
    return (await session.scalars(query)).one_or_none()


async def list_page(session: AsyncSession, village: UUID, kind: ReportKind, filters: ReportFilters) -> Sequence[Report]:
    """One item more than a page of a village's reports, newest period first."""
    query = select(Report).where(col(Report.village_id) == village, col(Report.kind) == kind)
    if filters.period is not None:
        query = query.where(col(Report.period) == filters.period)
    if filters.source_system is not None:
        query = query.where(col(Report.source_system) == filters.source_system)
    if not filters.superseded:
        query = query.where(col(Report.superseded_at).is_(None))
    position = sa.tuple_(col(Report.period), col(Report.source_system), col(Report.revision))
    after = decode_cursor(filters.cursor, str, str, int)
    if after is not None:
        query = query.where(position < after)
    query = query.order_by(
        col(Report.period).desc(), col(Report.source_system).desc(), col(Report.revision).desc()
    ).limit(filters.limit + 1)
    return (await session.scalars(query)).all()
