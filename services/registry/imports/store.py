"""Queries of the imports room."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from kit import problems, touched
from kit.access import Caller
from kit.database import copy_rows
from kit.paging import decode_cursor
from kit.scoping import subtree
from services.registry.findings.tables import Finding
from services.registry.imports.schemas import ImportFilters, ImportState, RowFilters
from services.registry.imports.tables import Import, ImportRow, ImportTable, QueuedImport
from services.registry.regions.tables import Region
from services.registry.villages.schemas import VillageStatus
from services.registry.villages.tables import Village

_ROW_COLUMNS = (
    "import_id",
    "table_name",
    "row_number",
    "status",
    "reason",
    "detail",
    "region_code",
    "period",
)
_ADVANCE = sa.text(
    "UPDATE imports SET position = :position, rows_done = rows_done + :rows, tally = cast(:tally AS jsonb), attempts = 0 "
    "WHERE id = :import_id"
)
_COUNT_ROWS = sa.text(
    "SELECT table_name, status, reason, count(*) AS rows, min(detail) AS example FROM import_rows "
    "WHERE import_id = :import_id GROUP BY table_name, status, reason ORDER BY table_name, count(*) DESC, reason"
)
_ERASE_ROWS = sa.text(
    "DELETE FROM import_rows r USING imports i WHERE r.import_id = i.id AND i.erased_at IS NULL AND i.finished_at < :before"
)
_ERASE_CONTENT = sa.text(
    "UPDATE import_tables t SET content = NULL FROM imports i "
    "WHERE t.import_id = i.id AND i.erased_at IS NULL AND i.finished_at < :before"
)
_MARK_ERASED = sa.text("UPDATE imports SET erased_at = :now WHERE erased_at IS NULL AND finished_at < :before")
_DROP_ABANDONED = sa.text("DELETE FROM imports WHERE state = 'open' AND created_at < :before")


def _visible(query: Select[Any], region: str | None) -> Select[Any]:
    return query.where(subtree(col(Import.region_code), region))


async def find(session: AsyncSession, caller: Caller, number: UUID, *, lock: bool = False) -> Import:
    """An import whose region lies in the caller's; `lock` keeps others from changing it meanwhile.

    Raises:
        ImportUnknown: there is none, or it is outside the caller's region.
    """
    query = _visible(select(Import).where(col(Import.id) == number), caller.region)
    if lock:
        query = query.with_for_update(key_share=True)
    found: Import | None = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise problems.ImportUnknown(f"no import {number} is visible to you")
    touched.note(found.region_code)
    return found


async def get(session: AsyncSession, number: UUID, *, lock: bool = False) -> Import:
    """An import that is known to be there, as it stands now."""
    query = select(Import).where(col(Import.id) == number).execution_options(populate_existing=True)
    if lock:
        query = query.with_for_update(key_share=True)
    found: Import = (await session.execute(query)).scalar_one()
    return found


async def list_page(session: AsyncSession, caller: Caller, filters: ImportFilters) -> Sequence[Import]:
    """One item more than a page of imports, newest first."""
    query = _visible(select(Import), caller.narrow(filters.region))
    if filters.state is not None:
        query = query.where(col(Import.state) == filters.state)
    after = decode_cursor(filters.cursor, str)
    if after is not None:
        query = query.where(col(Import.id) < UUID(after[0]))
    return (await session.scalars(query.order_by(col(Import.id).desc()).limit(filters.limit + 1))).all()


async def tables_of(session: AsyncSession, number: UUID, *, content: bool = False) -> list[ImportTable]:
    """Tables of an import by name; their content only where it is asked for."""
    query = select(ImportTable).where(col(ImportTable.import_id) == number).order_by(col(ImportTable.name))
    if not content:
        query = query.options(defer(col(ImportTable.content)))  # type: ignore[arg-type]  # a column to SQLModel, an attribute to SQLAlchemy
    return list((await session.scalars(query)).all())


async def sizes_of(session: AsyncSession, number: UUID, *, but: str) -> tuple[int, int]:
    """How many tables an import has and their unpacked bytes, one name left out."""
    query = select(sa.func.count(), sa.func.coalesce(sa.func.sum(col(ImportTable.size)), 0)).where(
        col(ImportTable.import_id) == number, col(ImportTable.name) != but
    )
    count, size = (await session.execute(query)).one()
    return int(count), int(size)


async def put_table(session: AsyncSession, row: dict[str, Any]) -> bool:
    """Add a table or replace the one of its name; whether it is new."""
    statement = insert(ImportTable).values(row)
    replaced = {name: statement.excluded[name] for name in row if name not in {"import_id", "name"}}
    statement = statement.on_conflict_do_update(index_elements=["import_id", "name"], set_=replaced)
    inserted = sa.literal_column("xmax = 0", sa.Boolean)
    return bool((await session.execute(statement.returning(inserted))).scalar_one())


async def enqueue(session: AsyncSession, number: UUID, now: datetime) -> None:
    """Put an import into the workers' queue."""
    statement = insert(QueuedImport).values(import_id=number, queued_at=now)
    await session.execute(statement.on_conflict_do_nothing())


async def claim(session: AsyncSession) -> UUID | None:
    """The import that waits longest and that no other worker holds; held until the session's transaction ends."""
    query = (
        select(col(QueuedImport.import_id))
        .order_by(col(QueuedImport.queued_at), col(QueuedImport.import_id))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (await session.scalars(query)).one_or_none()


async def unqueue(session: AsyncSession, number: UUID) -> None:
    """Take an import out of the queue."""
    await session.execute(sa.delete(QueuedImport).where(col(QueuedImport.import_id) == number))


async def region_names(session: AsyncSession, province: str) -> list[tuple[str, str]]:
    """(code, name) of a province and everything below it."""
    query = select(col(Region.code), col(Region.name)).where(subtree(col(Region.code), province))
    rows = await session.execute(query)
    return [(code, name) for code, name in rows.all()]


async def villages_by_status(session: AsyncSession, region: str) -> tuple[set[str], set[str]]:
    """Codes below a region that have an active Kampung KB, and those that have only inactive ones."""
    query = select(col(Village.region_code), col(Village.status)).where(subtree(col(Village.region_code), region))
    rows = (await session.execute(query)).all()
    active = {code for code, status in rows if status == VillageStatus.ACTIVE}
    return active, {code for code, _ in rows} - active


async def announcement_findings(
    session: AsyncSession, villages: Iterable[UUID], codes: Sequence[str], source: str
) -> Sequence[Finding]:
    """Open findings of these codes at these villages, from one source."""
    query = select(Finding).where(
        col(Finding.village_id).in_(set(villages)),
        col(Finding.code).in_(codes),
        col(Finding.source_system) == source,
        col(Finding.resolved_at).is_(None),
    )
    return (await session.scalars(query)).all()


async def add_rows(session: AsyncSession, number: UUID, rows: Sequence[tuple[Any, ...]]) -> None:
    """Keep what became of rows: (table, number, status, reason, detail, code, period) each."""
    await copy_rows(session, "import_rows", _ROW_COLUMNS, [(number, *row) for row in rows])


async def row_counts(session: AsyncSession, number: UUID) -> Sequence[Any]:
    """How many rows of each table came to which end: table_name, status, reason, rows, example."""
    return (await session.execute(_COUNT_ROWS, {"import_id": number})).all()


async def row_page(session: AsyncSession, number: UUID, filters: RowFilters) -> Sequence[ImportRow]:
    """One item more than a page of row results, by table and row."""
    query = select(ImportRow).where(col(ImportRow.import_id) == number)
    for column, wanted in (
        (col(ImportRow.table_name), filters.table),
        (col(ImportRow.status), filters.status),
        (col(ImportRow.reason), filters.reason),
        (col(ImportRow.period), filters.period),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    query = query.where(subtree(col(ImportRow.region_code), filters.region))
    position = sa.tuple_(col(ImportRow.table_name), col(ImportRow.row_number))
    after = decode_cursor(filters.cursor, str, int)
    if after is not None:
        query = query.where(position > after)
    query = query.order_by(col(ImportRow.table_name), col(ImportRow.row_number)).limit(filters.limit + 1)
    return (await session.scalars(query)).all()


async def erase_old(session: AsyncSession, before: datetime, now: datetime) -> None:
    """Erase tables and row results of imports that ended before a moment; drop those never started by then."""
    for statement in (_ERASE_ROWS, _ERASE_CONTENT):
        await session.execute(statement, {"before": before})
    await session.execute(_MARK_ERASED, {"before": before, "now": now})
    await session.execute(_DROP_ABANDONED, {"before": before})


OPEN_STATES = (ImportState.OPEN, ImportState.FAILED)
"""States in which an import may be started."""


async def advance(session: AsyncSession, number: UUID, position: str, rows: int, tally: dict[str, Any]) -> None:
    """Note that a chunk was stored: the import resumes after it."""
    parameters = {"import_id": number, "position": position, "rows": rows, "tally": json.dumps(tally)}
    await session.execute(_ADVANCE, parameters)
