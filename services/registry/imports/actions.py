"""What can be done to an import: open it, give it tables, start it. Running it is in running.py."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.regions import RegionLevel, level_of
from kit import clock, problems
from kit.access import Caller
from kit.ids import uuid7
from services.registry.imports import store
from services.registry.imports.reasons import Refusal, TableProblem
from services.registry.imports.schemas import ImportIn, ImportState
from services.registry.imports.siga.reading import Layout, decode, recognise, unpack
from services.registry.imports.tables import Import, ImportTable
from services.registry.regions import store as regions

MOST_UPLOADED: Final = 32 * 1024 * 1024
"""Largest upload of one table, in bytes, packed or not."""
MOST_UNPACKED: Final = 64 * 1024 * 1024
"""Largest table, in bytes, once unpacked."""
MOST_TOGETHER: Final = 160 * 1024 * 1024
"""Largest import, in bytes of all its tables unpacked. Nine months of a province with 8,500 villages need half of it."""
MOST_TABLES: Final = 200
_GZIP_LEVEL: Final = 3


async def open_import(session: AsyncSession, caller: Caller, draft: ImportIn) -> Import:
    """Open an import for tables to be uploaded to.

    Raises:
        RegionForbidden: its region is outside the caller's.
        RegionUnknown: the code list has no such region.
        Invalid: the region is a single desa, or the year has not begun.
    """
    caller.narrow(draft.region)
    _check(draft)
    await regions.get_path(session, draft.region)
    opened = Import(
        id=uuid7(),
        format=draft.format.value,
        region_code=draft.region,
        year=draft.year,
        dry_run=draft.dry_run,
        note=draft.note,
        state=ImportState.OPEN.value,
        created_by=caller.id,
        created_at=clock.now(),
        queued_at=None,
        started_at=None,
        finished_at=None,
        erased_at=None,
        attempts=0,
        position=None,
        rows_total=0,
        rows_done=0,
        failure=None,
        tally={},
        summary=None,
    )
    session.add(opened)
    await session.flush()
    return opened


def _check(draft: ImportIn) -> None:
    errors = []
    if level_of(draft.region) is RegionLevel.VILLAGE:
        detail = "tables are imported for a province, regency or district; give a code of one to three parts"
        errors.append({"pointer": "#/region", "detail": detail})
    if draft.year > clock.today().year:
        errors.append({"pointer": "#/year", "detail": "this year has not begun yet"})
    if errors:
        raise problems.Invalid("; ".join(error["detail"] for error in errors), errors=errors)


async def upload_table(
    session: AsyncSession, caller: Caller, number: UUID, name: str, data: bytes
) -> tuple[ImportTable, bool]:
    """Keep a table of an open import and say what it is; the second value says whether its name is new.

    A table that cannot be read is kept too, with the reason: the import goes on without it.

    Raises:
        ImportUnknown: not there or not visible.
        Conflict: the import was started already.
        TooLarge: the table, or all tables together, are larger than allowed.
    """
    seen = await asyncio.to_thread(_look_at, data)
    row = await store.find(session, caller, number, lock=True)
    if row.state != ImportState.OPEN:
        raise problems.Conflict("the import was started already; open another one for other tables", state=row.state)
    count, size = await store.sizes_of(session, number, but=name)
    if count >= MOST_TABLES or size + seen["size"] > MOST_TOGETHER:
        raise problems.TooLarge(
            f"an import takes {MOST_TABLES} tables of {MOST_TOGETHER} bytes together; "
            "import a large province regency by regency"
        )
    table = {"import_id": number, "name": name, "uploaded_at": clock.now(), **seen}
    is_new = await store.put_table(session, table)
    return ImportTable(**table), is_new


def _look_at(data: bytes) -> dict[str, Any]:
    """The columns of an uploaded table: its content packed, and what it is."""
    plain = unpack(data, MOST_UNPACKED)
    if isinstance(plain, Refusal):
        if plain.problem is TableProblem.TOO_LARGE:
            raise problems.TooLarge(f"a table has at most {MOST_UNPACKED} bytes unpacked")
        return {**_seen(plain), "content": data, "size": len(data), "digest": hashlib.sha256(data).hexdigest()}
    text = decode(plain)
    layout = text if isinstance(text, Refusal) else recognise(text)
    return {
        **_seen(layout),
        "content": data if plain is not data else gzip.compress(data, _GZIP_LEVEL, mtime=0),
        "size": len(plain),
        "digest": hashlib.sha256(plain).hexdigest(),
    }


def _seen(layout: Layout | Refusal) -> dict[str, Any]:
    if isinstance(layout, Refusal):
        return {
            "kind": None,
            "columns_used": [],
            "columns_not_used": [],
            "problem": layout.problem.value,
            "detail": layout.detail,
            "missing_columns": list(layout.missing),
        }
    return {
        "kind": layout.kind.name,
        "columns_used": list(layout.positions),
        "columns_not_used": list(layout.not_used),
        "problem": None,
        "detail": None,
        "missing_columns": [],
    }


async def start_import(session: AsyncSession, caller: Caller, number: UUID) -> Import:
    """Put an import into the queue; one that failed goes on where it stopped, one that is under way stays as it is.

    Raises:
        ImportUnknown: not there or not visible.
        Conflict: it has no tables, or its tables have been erased.
    """
    row = await store.find(session, caller, number, lock=True)
    if row.state not in store.OPEN_STATES:
        return row
    if row.erased_at is not None:
        raise problems.Conflict("the tables of this import have been erased; open another one")
    if not await store.tables_of(session, number):
        raise problems.Conflict("the import has no tables yet")
    row.state = ImportState.QUEUED.value
    row.queued_at = clock.now()
    row.finished_at = row.failure = None
    row.attempts = 0
    await store.enqueue(session, number, row.queued_at)
    await session.flush()
    return row
